"""A difference as tables: its outputs, and every step of every waterfall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from planner.table import Field, Table, of_records

if TYPE_CHECKING:
    from planner.difference.answer import Difference

_OUTPUTS = (
    Field("output", "", "what is compared"),
    Field("unit", "", "of before and after"),
    Field("before", "", "of the first answer; empty: not known"),
    Field("after", "", "of the second answer; empty: not known"),
    Field("relative", "", "after / before - 1"),
    Field("relative_p10", "", "paired: errors that both answers share cancel; empty: not known"),
    Field("relative_p90", "", "paired: errors that both answers share cancel; empty: not known"),
)
_CAUSES = (
    Field("output", "", "what is compared"),
    Field("waterfall", "", "by_question: keys changed one after the other; by_part: what makes it up"),
    Field("cause", "", "a step of the waterfall"),
    Field("unit", "", "of change and after"),
    Field("change", "", "what the step adds"),
    Field("after", "", "the output once the step is made"),
)


def outputs_of(found: Difference) -> Table:
    """One row for each output."""
    records = [
        {
            "output": item.name, "unit": item.unit, "before": item.before, "after": item.after,
            "relative": item.relative,
            "relative_p10": item.paired.p10 if item.paired else None,
            "relative_p90": item.paired.p90 if item.paired else None,
        }
        for item in found.outputs
    ]  # fmt: skip
    return of_records(records, _OUTPUTS)


def causes_of(found: Difference) -> Table:
    """One row for each step."""
    return of_records(list(_steps(found)), _CAUSES)


def _steps(found: Difference) -> Iterator[dict[str, Any]]:
    for item in found.outputs:
        for name in ("by_question", "by_part"):
            for step in getattr(item, name):
                yield {
                    "output": item.name, "waterfall": name, "cause": step.cause, "unit": item.unit,
                    "change": step.change, "after": step.after,
                }  # fmt: skip
