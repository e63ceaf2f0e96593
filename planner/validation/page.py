"""The answer of ``planner validate`` for people: tables on a terminal, and the page docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.validation.causes import Runs, causes
from planner.validation.files import read
from planner.validation.judged import judged_lines
from planner.validation.later import later_lines, open_lines
from planner.validation.peers import others
from planner.validation.serving_page import section, serving_rows_of
from planner.validation.told import BANDS, NOT_BLIND
from planner.validation.weak import LEAST, selection_lines, weak_parts, wrong_pairs

Part = Mapping[str, Any]
COLUMNS = (
    ("n", "n"), ("groups", "groups"), ("mape", "mean"), ("bias", "bias"), ("abs_error_p50", "P50"),
    ("abs_error_p90", "P90"),
    ("coverage80", "in 80 % band"), ("pair_order", "order"),
)  # fmt: skip
PARTS = (
    ("by_kind", "Dense and mixture of experts"),
    ("by_family", "Chip family"),
    ("by_hardware", "Chip"),
    ("by_software", "Software profile"),
    ("by_framework", "Framework"),
    ("by_metric", "Measured figure"),
)
WORST = 20


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key in ("n", "groups"):
        return str(value)
    if key == "bias":
        return f"{100 * value:+.1f} %"
    return f"{100 * value:.1f} %"


def _lines(parts: Mapping[str, Part], heading: str) -> list[list[str]]:
    head = [heading, *(title for _, title in COLUMNS)]
    return [head, *([name, *(_cell(key, part[key]) for key, _ in COLUMNS)] for name, part in parts.items())]


def tables(answer: Part) -> str:
    """Plain text."""
    total = answer["summary"]["training"]
    text = ""
    if total["n"]:
        rows = _lines({"all": total}, "Training") + _lines(answer["by_kind"], "")[1:]
        for key, heading in PARTS[1:4]:
            rows += [[], *_lines(answer[key], heading)]
        text = f"{_aligned(rows)}\n{_more(answer)}\n"
    if serving := serving_rows_of(answer):
        text += ("\n" if text else "") + _aligned(serving)
    unanswered = [case for case in answer["cases"] if not case["answered"] and case["scored"]]
    if unanswered:
        text += f"\nNot answered ({len(unanswered)}):\n"
        text += "".join(f"  {case['id']}: {case['reason']}\n" for case in unanswered[:WORST])
        if len(unanswered) > WORST:
            text += f"  ... and {len(unanswered) - WORST} more (--json lists all)\n"
    if any(case["error"] is not None for case in answer["cases"]):
        text += "\nFarthest off:\n"
        for case in worst(answer["cases"], 10):
            text += (
                f"  {100 * case['error']:+6.1f} %  {case['id']} ({case['hardware']}, {case['framework']})\n"
            )
    return text


def _more(answer: Part) -> str:
    total, memory = answer["summary"]["training"], answer["memory"]
    lines = [
        f"{total['answered']} of {total['n']} rows answered; error = predicted time / measured time - 1; "
        "order = pairs of layouts of one group ranked right.",
        f"Pairs that share cards and batch: {_cell('x', total['pair_order_same_batch'])} of "
        f"{total['pairs_same_batch']}; weighted by group the mean error is "
        f"{_cell('x', total['mape_group_weighted'])}; "
        f"median half-width of the bands {_cell('x', total['half_width_p50'])}.",
    ]
    if memory["n"]:
        lines.append(
            f"Memory: mean error {_cell('x', memory['mape'])} (bias "
            f"{_cell('bias', memory['bias'])}) over {memory['n']} rows "
            f"that print allocated memory; {memory['called_infeasible']} runs would have been "
            "called too large."
        )
    if answer.get("sampler"):
        from planner.validation.sampler import told  # noqa: PLC0415 (it knows the runs)

        lines.append(f"{told(answer['sampler'])} (`planner validate --draws`).")
    return "\n".join(lines)


def worst(cases: Sequence[Part], count: int) -> list[Part]:
    """Scored cases with the largest errors."""
    scored = [case for case in cases if case["scored"] and case["error"] is not None and _whole(case)]
    return sorted(scored, key=lambda case: (-abs(case["error"]), case["id"]))[:count]


def _whole(case: Part) -> bool:
    """Whether the case stands for its row."""
    return bool(case.get("primary", True))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths: list[int] = []
    for row in rows:
        for place, cell in enumerate(row):
            if place == len(widths):
                widths.append(0)
            widths[place] = max(widths[place], len(cell))
    lines = []
    for row in rows:
        cells = [
            cell.ljust(widths[0]) if place == 0 else cell.rjust(widths[place])
            for place, cell in enumerate(row)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def page(answer: Part) -> str:
    """docs/accuracy.md."""
    total = answer["summary"]["training"]
    training = [case for case in answer["cases"] if not case.get("mode")]
    rows = {row.id: row for row in read().training}
    runs = Runs(
        {case["id"]: case for case in training if case["id"] in rows}, rows, answer.get("left_out", {})
    )
    out = [
        "# How accurate is it?",
        "",
        "Generated by `planner validate --markdown`; do not edit. Every shipped training run whose layout is",
        "known is predicted by a fit that has not seen its group (rows of one group share model, machine and",
        "source). Error is predicted time over measured time, less one: positive is pessimistic. The fit has",
        f"{answer.get('effective_parameters')} effective parameters; none belongs to a model or a run.",
        "",
        *_markdown(_lines({"all runs": total}, "Training")),
        "",
        _more(answer),
        "",
    ]
    if answer.get("left_out"):
        out += [
            "## What the fit had not seen",
            "",
            "| left out of the fit | mean error | bias |",
            "|---|---|---|",
        ]
        for name, part in answer["left_out"].items():
            out.append(f"| {name} | {_cell('mape', part['mape'])} | {_cell('bias', part['bias'])} |")
        out.append("")
    for key, heading in PARTS:
        out += [f"## {heading}", "", *_markdown(_lines(answer[key], heading)), ""]
    out += [
        "## Predicted against measured",
        "",
        "![Predicted against measured step times, one chart a chip](accuracy.svg)",
        "",
        "Drawn by `planner validate --plot accuracy.svg`, each run predicted without its group. The same",
        "runs counted by error, in steps of 5 % (fast side left):",
        "",
        "```",
        *_strips(training),
        "```",
        "",
        "## Known weak spots",
        "",
        f"Parts of at least {LEAST} runs that miss a yardstick (mean error above 8 %, of experts 13 %; bias",
        "above 5 %; P90 above 17 %; a band that holds less than 70 or more than 95 %; order below 97 %):",
        "",
        *_markdown([["part", "n", "groups", "what is missed"], *weak_parts(answer)]),
        "",
        "Pairs of layouts whose order is predicted wrong:",
        "",
        *_markdown(
            [
                ["ran faster", "ran slower", "same cards and batch", "measured", "predicted"],
                *wrong_pairs(answer),
            ]
        ),
        "",
        "Their causes, where known, each told only while the predictions show it:",
        "",
        *causes(runs),
        "",
        f"The {WORST} runs farthest off:",
        "",
        "| run | chip | software | error |",
        "|---|---|---|---|",
        *(
            f"| {case['id']} | {case['hardware']} | {case['software']} | {100 * case['error']:+.0f} % |"
            for case in worst(training, WORST)
        ),
        "",
        "## Choosing the fastest",
        "",
        *selection_lines(answer["selection"]),
        "",
        "## Runs that no fit has seen",
        "",
        *later_lines(answer["later"]),
        "",
        "Shipped rows that leave too much open to be scored, predicted with what fits:",
        "",
        *open_lines(training, rows),
        "",
        "## Judged by runs that its makers had not seen",
        "",
        *judged_lines(answer["judged"]),
        "",
        "## What cross-validation does not cover",
        "",
        *NOT_BLIND,
        "",
        "## How the bands are made",
        "",
        *BANDS,
        "",
        "## Other tools",
        "",
        *others(answer),
        "",
        *section(answer),
    ]
    return "\n".join(out) + "\n"


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in body]


def _strips(cases: Sequence[Part]) -> list[str]:
    """One line per chip: a histogram of errors from -50 % to +50 % in steps of 5 %."""
    chips: dict[str, list[float]] = {}
    for case in cases:
        if case["scored"] and case["error"] is not None:
            chips.setdefault(case["hardware"], []).append(case["error"])
    width = max(map(len, chips), default=0)
    lines = [f"{'':{width}}  -50 %               0              +50 %"]
    for name in sorted(chips):
        bins = [0] * 20
        for error in chips[name]:
            bins[max(0, min(19, int((error + 0.5) // 0.05)))] += 1
        marks = ["  " if not count else f"{min(count, 99):2d}" for count in bins]
        lines.append(f"{name:{width}}  {''.join(marks)}")
    return lines
