"""Where the serving model is weak: known causes, with figures of the cases at hand."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from planner.software.serving import serving_profiles
from planner.validation.serving_run import Z90

Case = Mapping[str, Any]
WIDTH = 105
WIDE = 1.22
"""Half-width of a band beyond which a profile is named."""


def weak_spots(answer: Mapping[str, Any]) -> list[str]:
    """Lines of a list for docs/accuracy.md; of what is not among the cases nothing is said."""
    cases = [case for case in answer["cases"] if case.get("mode") and case["error"] is not None]
    told = [text for spot in _SPOTS for text in ([spot] if isinstance(spot, str) else spot(cases))]
    lines: list[str] = []
    for text in told:
        lines += textwrap.wrap(
            text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
    return lines


def _percent(error: float) -> str:
    """``a third`` would be prettier, but would not follow the figures."""
    return f"{100.0 * abs(error):.0f} % too {'slow' if error > 0 else 'fast'}"


def _of(cases: Sequence[Case], group: str, quantity: str = "tpot", least: float = 0.0) -> list[Case]:
    return [
        case
        for case in cases
        if case["group"] == group
        and case["quantity"] == quantity
        and case["scored"]
        and (case["concurrency"] or 0.0) >= least
    ]


def _bands(cases: Sequence[Case]) -> Iterator[str]:
    named = {case["software"] for case in cases if case["scored"]}
    widths = {
        item.id: math.exp(Z90 * item.spread.value)
        for item in serving_profiles()
        if item.id in named and item.spread.kind == "fitted"
    }
    wide = {name: width for name, width in widths.items() if width > WIDE}
    if not wide or len(wide) == len(widths):
        return
    listed = ", ".join(f"{name} (x/: {width:.2f})" for name, width in sorted(wide.items()))
    rest = [width for name, width in widths.items() if name not in wide]
    yield (
        f"Bands of {listed} are wider than those of other stacks on known chips ({min(rest):.2f} to "
        f"{max(rest):.2f}): groups left out of the fit are off by more there."
    )
    moved = [
        case for case in cases if case["scored"] and case["mode"] == "mixed" and case["quantity"] == "tpot"
    ]
    if moved:
        half = sorted(math.sqrt(case["high"] / case["low"]) for case in moved)
        yield (
            f"Half of the bands of TPOT in one pool are narrower than x/: {statistics.median(half):.2f}, a "
            f"tenth wider than {half[int(0.9 * len(half))]:.2f}: full loops of prompts longer than answers, "
            "where much hangs on whether requests run in step."
        )


def _scout(cases: Sequence[Case]) -> Iterator[str]:
    known = {case["id"]: case for case in cases}
    names = [
        f"trtllm-llama4-scout-{at}" for at in ("h200-tp4-128-2048", "h100-tp4-128-2048", "h100-tp4-128-4096")
    ]
    if not all(name in known for name in names):
        return
    fast, slow, long = (known[name] for name in names)
    yield (
        "Offline results of one source disagree with each other by more than a law of chips can follow: "
        "Llama 4 "
        f"Scout on four H200 is printed {slow['measured'] / fast['measured']:.1f} times as fast as on four "
        f"H100 "
        f"at 128/2048 tokens, and is predicted {_percent(fast['error'])} there, {_percent(long['error'])} on "
        "H100 at 128/4096."
    )


def _stuck(cases: Sequence[Case]) -> Iterator[str]:
    crowd = _of(cases, "openai/gpt-oss-120b|h100_sxm|vllm", least=512.0)
    points = [
        case for case in cases if case["scored"] and case["quantity"] == "tpot" and "|" in case["group"]
    ]
    if not crowd or len(points) == len(crowd):
        return
    odd = {case["id"] for case in crowd}
    every = statistics.fmean(abs(case["error"]) for case in points)
    rest = statistics.fmean(abs(case["error"]) for case in points if case["id"] not in odd)
    times = [case["error"] + 1.0 for case in crowd]
    yield (
        f"{len(crowd)} points of gpt-oss-120b on H100 are printed at 512 requests with the time per token "
        f"of 4 to "
        f"64; for 512 {min(times):.1f} to {max(times):.0f} times as long is predicted. They alone make "
        f"{100.0 * (every - rest):.1f} points of the mean of points."
    )


def _host(cases: Sequence[Case]) -> Iterator[str]:
    found = _of(cases, "meta-llama/Llama-3.1-8B-Instruct|h200_sxm|sglang", least=100.0)
    if found:
        error = statistics.median(case["error"] for case in found)
        yield (
            f"Llama 3.1 8B in SGLang at a hundred requests and more comes out {_percent(error)} (median of "
            f"{len(found)}): its host cannot keep up."
        )


_SPOTS: tuple[str | Callable[[Sequence[Case]], Iterator[str]], ...] = (
    "Most disaggregated points do not say how many instances they ran, and none says whether tokens were "
    "drafted: "
    "pairs of points with equal columns differ by two in TPOT. The benchmark's published recipes tell most "
    "of them "
    'apart; where several fit ("one of several recipes") nobody can, and where none is known the time to the '
    "first token, which holds a queue, is not answered.",
    "Time to first token of a closed loop depends on how far requests stay in step, on the benchmark's "
    "first burst "
    "and on the scheduler; `bunching` of the profile is one number for that.",
    _bands,
    "Eager stacks (vLLM of 2023, tutorials on Ascend): bound by the host, one number per profile.",
    "Concurrency of offline results is what fits in memory by our count: reserve and format of the cache "
    "are guessed.",
    _scout,
    "Points of one pool may hold drafts too: DeepSeek-R1 in TensorRT-LLM on eight H200 with spread experts "
    "is printed "
    "at 19 and at 32 ms per token at equal columns (64 requests, 1024/8192), two weeks apart. Such points "
    '("drafts not '
    'stated") are predicted without, in a wider band, and are not fitted on.',
    _stuck,
    _host,
)
