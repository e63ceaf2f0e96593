"""A difference for people: what changed, then a waterfall for each output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from planner.difference.answer import Cause, Difference, OutputChange
from planner.plan.shown import number, usd

WIDTH = 24
"""Characters of the longest bar."""
TITLES = {
    "days": "Days",
    "cards": "Cards",
    "requests_per_second": "Most requests per second within the latencies",
    "facility_megawatts": "Power at the grid, annual mean",
    "capex_usd": "Capital",
    "usd_per_million": "A million output tokens (items) at full load",
}


def text(found: Difference) -> str:
    """The whole difference."""
    out = [f"A {found.names[0]}: {found.headlines[0]}", f"B {found.names[1]}: {found.headlines[1]}", ""]
    for title, changes in (("What was asked", found.question), ("What was chosen", found.choices)):
        if changes:
            out.append(title)
            out += [f"  {item.key:24s} {_shown(item.before)} -> {_shown(item.after)}" for item in changes]
            out.append("")
    for output in found.outputs:
        out += [*_output(output), ""]
    out += [f"Note: {note}." for note in found.notes]
    return "\n".join(out).rstrip("\n") + "\n"


def _output(output: OutputChange) -> Iterator[str]:
    show = _writer(output)
    if output.before is None or output.after is None:
        yield f"{TITLES[output.name]}: not known on both sides ({show(output.before)}, {show(output.after)})"
        return
    span = ""
    if output.relative is not None:
        span = f", {100 * output.relative:+.3g} %"
        if output.paired is not None:
            span += f" (P10-P90 {100 * output.paired.p10:+.3g} to {100 * output.paired.p90:+.3g} %, paired)"
    yield f"{TITLES[output.name]}: {show(output.before)} -> {show(output.after)}{span}"
    if output.by_question:
        yield "  by what was asked, one change after the other"
        yield from _bars(output.by_question, show)
    if output.by_part:
        yield "  by what makes it up"
        yield from _bars(output.by_part, show)


def _bars(causes: Sequence[Cause], show: Callable[[float | None], str]) -> Iterator[str]:
    most = max(abs(cause.change) for cause in causes) or 1.0
    for cause in causes:
        length = max(1, round(WIDTH * abs(cause.change) / most)) if cause.change else 0
        sign = "+" if cause.change > 0 else "-"
        change = f"{sign}{show(abs(cause.change))}"
        yield f"  {cause.cause[:40]:40s} {change:>14s} -> {show(cause.after):>12s}  {sign * length}"


def _writer(output: OutputChange) -> Callable[[float | None], str]:
    def write(value: float | None) -> str:
        if value is None:
            return "not known"
        return usd(value) if output.unit == "USD" else f"{number(value)} {output.unit}"

    return write


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)
