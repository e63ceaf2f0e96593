"""How the model compares with what other tools print of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from planner.validation.rows import SHIPPED

Part = Mapping[str, Any]

VTRAIN = "https://arxiv.org/abs/2312.12391"
CALCULON = "https://github.com/calculon-ai/calculon"
PRINTED = (
    ("vTrain", "14.7 %", "109 runs on several A100 servers, kernels profiled", VTRAIN),
    ("vTrain", "8.4 %", "1,440 runs on one A100 server, kernels profiled", VTRAIN),
    ("Calculon", "3.7 %", "8 step times of GPT models on A100", CALCULON),
    ("Calculon", "15.3 %", "vTrain's 109 runs, as shipped", "run for this comparison"),
    ("one fitted utilisation", "17.2 %", "vTrain's 109 runs", "worked out for this comparison"),
)
"""(tool, mean error, on what, where it is printed)."""


def others(answer: Part) -> list[str]:
    """The section: printed errors of other tools, and one tool on the rows that are scored here too."""
    total, left = answer["summary"]["training"], answer.get("left_out", {})
    lines = [
        "| tool | mean error | on what | where |",
        "|---|---|---|---|",
        *(f"| {tool} | {error} | {what} | {where} |" for tool, error, what, where in PRINTED),
    ]
    pairs = list(_beside(answer["cases"]))
    if pairs:
        theirs, ours = zip(*pairs, strict=True)
        where = f"{len(pairs)} rows on eight B200, its own kernel tables of that machine"
        lines.append(f"| SimuMax 1.2 | {_mean(theirs)}, bias {_bias(theirs)} | {where} | in its repository |")
        lines.append(
            f"| this model | {_mean(ours)}, bias {_bias(ours)} | the same rows, group left out | here |"
        )
    lines.append(f"| this model | {100 * total['mape']:.1f} % | {total['n']} runs, group left out | here |")
    if left:
        chip = left["the chip family"]["mape"]
        lines.append(f"| this model | {100 * chip:.1f} % | the same, chip family left out | here |")
    return [
        *lines,
        "",
        "Errors of other tools are on machines that they have profiled and on runs of their choice; none",
        "prints a band. The figures of this model need no profile of the machine.",
    ]


def _beside(cases: Any) -> Iterator[tuple[float, float]]:
    """(error of the other tool, ours) of rows that both predict."""
    table = json.loads(SHIPPED.read_text(encoding="utf-8"))["training"]
    printed = {
        row["id"]: row["other_tool_prediction"]["iteration_time_s"]
        for row in table
        if (row.get("other_tool_prediction") or {}).get("iteration_time_s")
    }
    for case in cases:
        if case["id"] in printed and case["error"] is not None and case["scored"]:
            yield printed[case["id"]] / case["measured"] - 1.0, case["error"]


def _mean(errors: Any) -> str:
    return f"{100 * sum(map(abs, errors)) / len(errors):.1f} %"


def _bias(errors: Any) -> str:
    return f"{100 * sum(errors) / len(errors):+.1f} %"
