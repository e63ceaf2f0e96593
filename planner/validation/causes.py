"""Known causes of errors, told in figures of the predictions at hand: a cause that they no longer show "
"is not told."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import Any

from planner.validation.rows import Row

Part = Mapping[str, Any]
WIDTH = 100
FAR = 0.10
"""Error from which a named run is a weak spot, and difference from which two groups of runs differ."""


@dataclass(frozen=True)
class Runs:
    """Predicted training runs and their rows, by id, and what was left out of the fit (``left_out``)."""

    cases: Mapping[str, Part]
    rows: Mapping[str, Row]
    left_out: Mapping[str, Part]

    def errors(self, ids: Iterable[str]) -> list[float]:
        """Of those that are answered."""
        found = [self.cases[name]["error"] for name in ids if name in self.cases]
        return [error for error in found if error is not None]

    def like(self, *parts: str) -> list[str]:
        """Ids of scored runs that hold one of ``parts``."""
        return [n for n, case in self.cases.items() if case["scored"] and any(part in n for part in parts)]

    def seconds(self, name: str) -> float | None:
        """Measured."""
        return self.cases[name]["measured"] if name in self.cases else None

    @cached_property
    def versions(self) -> list[tuple[str, str, float]]:
        """(earlier, later, how much faster the later one ran) of one layout in versions of one framework."""
        alike: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for name, case in self.cases.items():
            if case["scored"] and case["measured"] and name in self.rows:
                row = self.rows[name]
                alike[(row.framework, *(getattr(row, column) for column in _LAYOUT))].append(name)
        found = []
        for members in alike.values():
            dated = sorted(members, key=lambda name: (self.rows[name].software_date or "", name))
            for one, other in combinations(dated, 2):
                if (self.rows[one].software_date or "") < (self.rows[other].software_date or ""):
                    speeds = [_batch(self.rows[name]) / self.cases[name]["measured"] for name in (one, other)]
                    found.append((one, other, speeds[1] / speeds[0] - 1.0))
        return found


_LAYOUT = (
    "source", "model", "hardware", "cards", "seq_len", "micro_batch", "tp", "pp", "vpp", "cp", "ep", "dp",
    "precision", "block_scaled", "recompute", "sharding",
)  # fmt: skip


def _batch(row: Row) -> float:
    return float(row.global_batch or 1)


def off(error: float) -> str:
    """An error in words."""
    return f"{100 * abs(error):.0f} % too {'slow' if error > 0 else 'fast'}"


def span(errors: Sequence[float]) -> str:
    """Errors of several runs, from the fastest side to the slowest."""
    low, high = min(errors), max(errors)
    if round(100 * low) == round(100 * high):
        return off(high)
    if low > 0 or high < 0:
        near, far = sorted((abs(low), abs(high)))
        return f"{100 * near:.0f} to {100 * far:.0f} % too {'slow' if low > 0 else 'fast'}"
    return f"{off(low)} to {off(high)}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _versions(runs: Runs) -> str | None:
    kinds: dict[bool, list[float]] = {False: [], True: []}
    for _, later, gain in runs.versions:
        kinds[bool(runs.cases[later]["experts"])].append(abs(gain))
    told = [
        f"{len(gains)} pairs of {what}: {100 * median(gains):.0f} % in the middle, {100 * max(gains):.0f} % "
        "at most"
        for what, gains in (("dense models", kinds[False]), ("mixtures of experts", kinds[True]))
        if gains
    ]
    if not told or max(max(gains, default=0.0) for gains in kinds.values()) < FAR:
        return None
    return (
        "The same layout on the same machine runs at different speeds in two releases of one framework "
        f"({'; '.join(told)}). A model that knows the date alone cannot tell which release tuned which "
        "model."
    )


def _experts_in_a_domain(runs: Runs) -> str | None:
    """DeepSeek-V3 on GB300, beside the same model on air-cooled boards and other experts on the same "
    "machine."""
    mine = [n for n in runs.like("deepseek-v3-gb300") if runs.errors([n])]
    if not mine or min(runs.errors(mine)) < 0.0 or max(runs.errors(mine)) < FAR:
        return None
    summer = [n for n in mine if runs.cases[n]["software"] == "megatron-2026"]
    boards = runs.like("deepseek-v3-b300")
    wide = [
        n
        for n in runs.like("gb300")
        if n not in mine and runs.cases[n]["experts"] and (runs.rows[n].ep or 1) > 8
    ]
    beside = [
        f"{what} {span(runs.errors(names))}"
        for what, names in (
            ("the same model on air-cooled B300 is", boards),
            ("other experts spread as wide on GB300 are", wide),
        )
        if runs.errors(names)
    ]
    most = f" ({span(runs.errors(summer))} in summer 2026, {_ids(summer)})" if runs.errors(summer) else ""
    return (
        f"DeepSeek-V3 on GB300 is predicted {span(runs.errors(mine))} in every release{most}; "
        f"{', '.join(beside)}. So neither a figure of the chip nor one release alone explains it: an effect "
        "of this model's layout there (two pipeline stages, experts over 32 cards of one domain) is "
        "missing, and the newest release tuned more. The rows do not tell the two apart."
    )


def _host_bound(runs: Runs) -> str | None:
    one = _first(runs.like("mbridge-077"))
    other = _first(runs.like("mbridge-062"))
    if one is None or other is None or runs.cases[one]["error"] is None or runs.cases[one]["error"] > -FAR:
        return None
    speed = [_batch(runs.rows[n]) / (runs.seconds(n) or 1.0) for n in (one, other)]
    micro = [runs.rows[n].micro_batch for n in (one, other)]
    return (
        f"`{_short(one)}` at micro-batch {micro[0]} is predicted {off(runs.cases[one]['error'])}: it ran at "
        f"{100 * speed[0] / speed[1]:.0f} % of the rate of its sibling `{_short(other)}` at micro-batch "
        f"{micro[1]} ({_off_of(runs, other)}). Launches of many small experts wait for the host; one figure "
        "of host time per expert does not follow both."
    )


def _ascend(runs: Runs) -> str | None:
    names = [n for n in runs.like("llama2-70b", "codellama-34b", "llama-33b") if "mindspeed" in n]
    far = [n for n in names if _is_far(runs, n)]
    if not far:
        return None
    return (
        f"Ascend 910B: {_told(runs, far)}: scripts of other houses, with the fused product and collective "
        "on or off, which rows do not say."
    )


def _paddle(runs: Runs) -> str | None:
    group = runs.like("flagperf-llama1-7b-paddle")
    split = [n for n in group if (runs.rows[n].tp or 1) > 1 and runs.rows[n].recompute == "full"]
    rest = [n for n in group if n not in split]
    if not split or not rest or _mean(runs.errors(split)) > _mean(runs.errors(rest)) - FAR:
        return None
    return (
        f"FlagPerf's Llama-1 on A100-40 with tensor parallelism and full recomputation ({_ids(split)}) is "
        f"{span(runs.errors(split))}, its rows without both {span(runs.errors(rest))}: the former ran over "
        "another interconnect, which the source does not state."
    )


def _metax(runs: Runs) -> str | None:
    mine = [n for n, c in runs.cases.items() if c["scored"] and c["family"] == "metax"]
    if not runs.errors(mine) or abs(_mean(runs.errors(mine))) < 0.05:
        return None
    return (
        "MetaX C500: two groups are too few to fit a chip on, so it is predicted like a chip without runs, "
        f"and its {len(mine)} rows are {span(runs.errors(mine))}. Two print no rate but an MFU by a count "
        "of FLOPs that is 0.72 of ours (the A800 rows of the table print both); their step times allow for "
        "it."
    )


def _full_memory(runs: Runs) -> str | None:
    far, near = [], []
    for name in runs.like("mpt-a100_40gb-bf16-13b-2048-8-", "mpt-a100_80gb-amp_bf16-30b-8192-8-"):
        far.append(name)
    sources = {runs.rows[n].source for n in far}
    near = [n for n, row in runs.rows.items() if row.source in sources and n in runs.cases and n not in far]
    if not far or not near or _mean(runs.errors(far)) > _mean(runs.errors(near)) - 0.05:
        return None
    return (
        f"A100 at the limit of memory: {_ids(far)} are {span(runs.errors(far))}, other rows of their groups "
        f"{span(runs.errors(near))}. Our count of memory does not tell them from rows that ran well."
    )


def _long_rings(runs: Runs) -> str | None:
    """Torchtitan's rings of 8B: scored, and not explained."""
    far = [n for n in runs.like("torchtitan-h100-8b-cp4", "torchtitan-h100-8b-cp8") if runs.errors([n])]
    rest = [n for n in runs.like("torchtitan") if n not in far]
    before, after = runs.seconds("torchtitan-h100-8b-cp2-fp8"), runs.seconds("torchtitan-h100-8b-cp4-fp8")
    if not far or not rest or not before or not after or max(runs.errors(far)) > -FAR:
        return None
    return (
        "torchtitan: 8B at 131,072 and 262,144 tokens over four and eight cards is "
        f"{span(runs.errors(far))}, its {len(rest)} other rows {span(runs.errors(rest))}. From two to four "
        f"cards a step takes {after / before:.2f} times as long where its work at most doubles; the memory "
        "read is nearly the same in all four rows of the table, and the blocks are balanced by default. "
        "What the software does besides, merging blocks in 32 bits and sending gradients round the ring in "
        "32 bits, is less than a fifth of the gap by its bytes. Not explained; the rows count."
    )


def _long_context(runs: Runs) -> str | None:
    """NeMo on B200 from 8 K to 1 M tokens, whose rows are only partly known."""
    mine = [n for n in runs.cases if n.startswith("nemo-longseq") and runs.errors([n])]
    mine.sort(key=lambda n: runs.rows[n].seq_len or 0)
    errors = runs.errors(mine)
    if len(errors) < 2 or errors[-1] < errors[0] + FAR:
        return None
    return (
        f"Long context in tuned software: NeMo on B200 is {off(errors[0])} at "
        f"{runs.rows[mine[0]].seq_len:,} tokens and {off(errors[-1])} at {runs.rows[mine[-1]].seq_len:,} "
        "(rows only partly known, not fitted), and so are Megatron Core's runs read later, below. Their "
        "attention gets closer to the peak with length than that of the runs in the fit, which are short; "
        "a longer half-length, tried, does not help those."
    )


def _first_of_a_chip(runs: Runs) -> str | None:
    far = [
        n for n in runs.like("mlperf-v4.1-gpt3-NVIDIA-64-b200") if abs((runs.errors([n]) or [0.0])[0]) > FAR
    ]
    if not far:
        return None
    same = [n for n in runs.like("mlperf") if "b200" in n and n not in far and "gb200" not in n]
    beside = f", later rows on it {span(runs.errors(same))}" if runs.errors(same) else ""
    return (
        f"`{_short(far[0])}` is the first run published on B200 and {_off_of(runs, far[0])}{beside}: "
        "software is taken to be slower on a chip just released, and this submission was not."
    )


def _memory(runs: Runs) -> str | None:
    readings = (
        ("16-bit gradients", "gradients taken to be 16-bit"),
        ("uneven pipeline stages", "does not fit in equal stages"),
        ("sharding of everything", "wholly sharded"),
        ("offloading of activations, which they do not name", "offloaded to the host"),
    )
    told = []
    for what, note in readings:
        mine = [n for n, c in runs.cases.items() if c["scored"] and any(note in text for text in c["notes"])]
        if mine:
            told.append(f"{len(mine)} with {what} ({_ids(mine[:3])}{', ...' if len(mine) > 3 else ''})")
    if not told:
        return None
    listed = "; ".join(told)
    return f"Rows that ran and do not fit by our count as they are printed are read otherwise: {listed}."


def _no_runs(runs: Runs) -> str | None:
    key = next((key for key in runs.left_out if key.startswith("chip family and software")), None)
    if key is None:
        return None
    part = runs.left_out[key]
    return (
        "Chips without any published training run (most domestic ones) take what all families with runs "
        "share at the chip's ridge point, and where somebody measured large matrix products on the chip "
        "and they promise less, what training reaches of such products elsewhere. The runs on Chinese "
        f"chips predicted so are off by {100 * part['mape']:.1f} % (bias {100 * part['bias']:+.1f} %). They "
        "come from two houses; younger stacks than theirs may be worse."
    )


CAUSES: tuple[Callable[[Runs], str | None], ...] = (
    _versions, _experts_in_a_domain, _host_bound, _ascend, _paddle, _metax, _full_memory, _long_rings,
    _long_context, _first_of_a_chip, _memory, _no_runs,
)  # fmt: skip


def causes(runs: Runs) -> list[str]:
    """The causes that these predictions show, as items of a Markdown list."""
    return [line for cause in CAUSES if (text := cause(runs)) for line in item(text)]


def item(text: str) -> Iterator[str]:
    """A paragraph as an item of a Markdown list."""
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _first(names: Sequence[str]) -> str | None:
    return names[0] if names else None


def _short(name: str) -> str:
    """Bridge rows by their number; others whole."""
    return "-".join(name.split("-")[:2]) if name.startswith("mbridge-") else name


def _ids(names: Sequence[str]) -> str:
    return ", ".join(f"`{_short(name)}`" for name in names)


def _off_of(runs: Runs, name: str) -> str:
    found = runs.errors([name])
    return off(found[0]) if found else "not answered"


def _is_far(runs: Runs, name: str) -> bool:
    return any(abs(error) > FAR for error in runs.errors([name]))


def _told(runs: Runs, names: Sequence[str]) -> str:
    return ", ".join(f"`{_short(name)}` ({_off_of(runs, name)})" for name in names)
