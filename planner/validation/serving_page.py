"""Serving in the answer of ``planner validate``: tables on a terminal, and its part of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.validation.serving_weak import weak_spots

Part = Mapping[str, Any]
COLUMNS = (
    ("n", "n"), ("answered", "answered"), ("groups", "groups"), ("abs_error_p50", "P50"), ("mape", "mean"),
    ("bias", "bias"), ("abs_error_p90", "P90"), ("coverage80", "in 80 % band"), ("pair_order", "order"),
)  # fmt: skip
PARTS = (
    ("by_file", "Results of sources, and points of one benchmark"),
    ("by_quantity", "Figure (every figure of a row)"),
    ("by_mode", "Mode"),
    ("by_family", "Chip family"),
    ("by_hardware", "Chip"),
    ("by_software", "Software profile"),
)
SHOWN_REASONS = 12


def cell(key: str, value: Any) -> str:
    """A figure of a summary as it is shown."""
    if value is None:
        return "-"
    if key in ("n", "answered", "groups"):
        return str(value)
    return f"{100 * value:+.1f} %" if key == "bias" else f"{100 * value:.1f} %"


def rows(parts: Mapping[str, Part], heading: str) -> list[list[str]]:
    """Head and one line per part."""
    head = [heading, *(title for _, title in COLUMNS)]
    return [head, *([name, *(cell(key, part[key]) for key, _ in COLUMNS)] for name, part in parts.items())]


def serving_rows_of(answer: Part) -> list[list[str]]:
    """Tables for a terminal; empty where the file has no serving rows."""
    total = answer["summary"]["inference"]
    if not total["n"]:
        return []
    found = rows({"all": total}, "Serving")
    for key, heading in PARTS[:3]:
        found += [[], *rows(answer["inference"][key], heading)]
    return found


def section(answer: Part) -> list[str]:
    """The section of docs/accuracy.md."""
    total, parts = answer["summary"]["inference"], answer["inference"]
    out = [
        "# Serving",
        "",
        "Published serving results and the points of InferenceX runs (`planner/data/cases`), each predicted",
        "by a fit that has not seen its group (rows: one source, model and machine; points: one model,",
        "system and framework). Times are compared: of rates, seconds per token and card. One score per row:",
        "its throughput, else the rate of its pool, else time per output token; the table of figures counts",
        "all. A band is the spread of the framework on groups that neither the fit nor it had seen, and in",
        "closed loops what hangs on how far requests run in step, which no row says",
        "(`planner/validation/serving_in_step.py`).",
        f"The fit has {parts.get('effective_parameters')} effective parameters; none belongs to a",
        "model, a run or a pair of framework and model.",
        "",
        *_markdown(rows({"all rows and points": total}, "Serving")),
        "",
    ]
    if parts.get("left_out"):
        out += [
            "| left out of the fit | figures | P50 | mean | bias |",
            "|---|---|---|---|---|",
            *(
                f"| {name} | {part['n']} | {cell('p', part['abs_error_p50'])} | {cell('mape', part['mape'])} "
                f"| {cell('bias', part['bias'])} |"
                for name, part in parts["left_out"].items()
            ),
            "",
        ]
    for key, heading in PARTS:
        out += [
            f"## Serving: {heading[0].lower()}{heading[1:]}",
            "",
            *_markdown(rows(parts[key], heading)),
            "",
        ]
    out += ["## Serving: other tools", "", *_peers(parts), ""]
    out += [
        "## Serving: not answered",
        "",
        *_reasons(answer),
        "",
        "## Serving: weak spots",
        "",
        *weak_spots(answer),
    ]
    return [*out, "", "## Serving: what cross-validation does not cover", "", *NOT_BLIND]


def _peers(parts: Part) -> list[str]:
    """The table of other tools, with this model's figures on the points."""
    of = {name: parts["by_quantity"].get(f"points: {name}") for name in ("tpot", "latency", "ttft")}
    if None in of.values():
        return ["No points of the benchmark here."]
    said = {name: cell("p", part["abs_error_p50"]) for name, part in of.items() if part}
    points = parts["by_file"]["points"]
    said["answered"] = cell("p", points["answered"] / points["n"])
    return [line.format(**said) for line in PEERS]


def _reasons(answer: Part) -> list[str]:
    """How many scored rows have no answer, by reason."""
    counted: dict[str, int] = {}
    for case in answer["cases"]:
        if case.get("mode") and case["scored"] and not case["answered"]:
            reason = str(case["reason"]).partition(" (")[0]
            counted[reason] = counted.get(reason, 0) + 1
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [f"- {count}: {reason}" for reason, count in ranked[:SHOWN_REASONS]] or ["None."]


def _markdown(lines: Sequence[Sequence[str]]) -> list[str]:
    head, *body = lines
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return out + ["| " + " | ".join(line) + " |" for line in body]


NOT_BLIND = [
    "Chosen by people who saw the errors of the same rows, so that unseen runs will be predicted worse:",
    "",
    "- the structure of the model and its priors, the drift allowed to factors, kernels counted per layer;",
    "- 32 devices for a decode pool whose instances neither the point nor a recipe states, no drafted tokens",
    "  there, and attention data-parallel from 256 requests on; such points are answered for TPOT only, with",
    "  a wider band; of several recipes that fit a point one without drafts;",
    "- the memory rate that saturates, the ridge that follows memory in part, all-reduces in one or two",
    "  stages, skewed experts, the host's launches in steps with prompts, batches at which graphs are",
    "  captured, TensorRT-LLM since 1.1 apart: found by looking at these rows;",
    "- gaps and element-wise traffic of DeepSeek's own engine, an estimate made with its two rows in view;",
    "- how a run fills and drains, requests of all data-parallel ranks through one process, no more wait",
    "  than Little's law allows, eight-bit caches that the benchmark's scripts ask for, the batch of MLPerf",
    "  submissions read as one engine's, even experts in DeepSeek's own profiles: each is physics or has a",
    "  source, but was looked for where rows were off;",
    "- each fold takes three linearised steps from the fit of all rows instead of a fit of its own (five",
    "  groups fitted anew came out within one point of mean error);",
    "- that bands allow for requests in step and out of step, and that a group weighs as up to 40 figures in",
    "  a spread (of 12, 40 and all the nearest to 80 %): chosen by the coverage of these rows;",
    "- what an unknown source adds to bands, and figures of FasterTransformer's kin, of vLLM on ROCm and on",
    "  Ascend: from runs collected later (above), whose errors had been seen; profiles of engines before",
    "  mid-2025 are estimates made with them in view;",
    "- weights widened to 16 bits where the chip does not compute in their format, experts published in",
    "  four bits read so whatever a row calls the whole, their cache then at 16 bits, and short steps with",
    "  prompts that vLLM replays from graphs: taken up when runs collected later were off;",
    "- a rate of products measured on a chip is its ceiling: taken up when MI300X came out too fast; the",
    "  stored predictions of its rows, which are not scored, are older than that;",
    "- two profiles share factors from two groups only (`deepseek-2025`, `cloudmatrix-infer-2025`).",
]

PEERS = [
    "| median error on InferenceX points | TPOT | request latency | TTFT | answered |",
    "|---|---|---|---|---|",
    "| aiconfigurator 0.12.0, with its measured kernel tables | 16 % | 15 % | 48 % | 50 % |",
    "| this model, groups left out of the fit | {tpot} | {latency} | {ttft} | {answered} |",
    "",
    "aiconfigurator was asked for 600 rows of its own collection, which these points are from, drawn at",
    "random; a missing table is its usual reason not to answer. msmodeling prints 9 % (mean) on 22 cases of",
    "its own on Ascend, InferSim is 15 % off DeepSeek's profile on H800. None prints a band.",
]
"""What other tools reach; with the figures of this one."""
