"""The difference of two answers, as types; units stand in the names, null means not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from planner.difference import causes, service
from planner.difference.paired import ratios
from planner.difference.sides import Side
from planner.errors import ScenarioError
from planner.plan.parts import Part
from planner.plan.result import Fact, Result
from planner.table import Table

SCHEMA = "difference/1"
LEAST = 5e-4
"""Causes below this share of either value are not listed; their sum is told as rounding."""


class Cause(Part):
    """One step of a waterfall."""

    cause: str
    change: float = Field(description="in the unit of the output")
    after: float = Field(description="the output once this step is made")


class Span(Part):
    """A paired 80 % range of the relative change."""

    p10: float
    p50: float
    p90: float


class OutputChange(Part):
    """One output on both sides."""

    name: str
    unit: str
    before: float | None
    after: float | None
    relative: float | None = Field(description="after / before - 1")
    paired: Span | None = Field(description="of relative: errors that both sides share cancel")
    by_part: list[Cause] = Field(description="by what makes it up; sums to the difference")
    by_question: list[Cause] = Field(description="by the keys that differ, changed one after the other")


class Changed(Part):
    """A key of the scenario, or a choice of the plan, that differs."""

    key: str
    before: Any
    after: Any


class Difference(Result):
    """What changed from the first answer to the second, and why.

    Tables: outputs, causes (the steps of every waterfall), question, choices.
    """

    MAIN: ClassVar[str] = "outputs"

    schema_: Literal["difference/1"] = Field(default="difference/1", serialization_alias="schema")
    names: tuple[str, str]
    headlines: tuple[str, str]
    feasible: tuple[bool, bool]
    question: list[Changed] = Field(description="keys of the scenarios that differ")
    choices: list[Changed] = Field(description="what was chosen differently")
    outputs: list[OutputChange]
    notes: list[str] = Field(description="what is not known, and why")

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        from planner.difference.tables import causes_of, outputs_of  # noqa: PLC0415 (it knows this type)

        return {
            **super()._tables(), "outputs": lambda: outputs_of(self), "causes": lambda: causes_of(self),
        }  # fmt: skip

    def _facts(self) -> tuple[str, list[Fact]]:
        changed = [(item.key, f"{item.before} → {item.after}") for item in (*self.question, *self.choices)]
        notes = [("note", note) for note in self.notes]
        sides = list(zip(self.names, self.headlines, strict=True))
        return f"{self.names[0]} → {self.names[1]}", [*sides, *changed, *notes]

    def _shown(self) -> Sequence[str]:
        return ("outputs", "causes")


def difference(a: Side, b: Side) -> Difference:
    """What changed from ``a`` to ``b``, and why.

    Raises:
        ScenarioError: one is about training, the other about a service.
    """
    serves = a.plan.workload.kind != "training"
    if serves is not (b.plan.workload.kind != "training"):
        raise ScenarioError(
            f"{a.name} is about {a.plan.workload.kind}, {b.name} about {b.plan.workload.kind}",
            hint="compare two training plans, or two services",
        )
    kind: Any = service if serves else causes
    notes = [
        f"no paired bands and no waterfall by question: {side.name}: {side.why_not}"
        for side in (a, b)
        if side.why_not
    ]
    spans = ratios(a, b)
    of_plan = service.outputs_of_plan if serves else causes.outputs_of
    steps = list(causes.by_question(a, b, of_plan, kind.outputs_of_design))
    by_part = kind.parts_of(a.plan, b.plan)
    first, second = of_plan(a.plan), of_plan(b.plan)
    outputs = [
        OutputChange(
            name=name,
            unit=unit,
            before=first[name],
            after=second[name],
            relative=_relative(first[name], second[name]),
            paired=_span(spans.get(name), _relative(first[name], second[name])),
            by_part=list(_waterfall(first[name], by_part[name])),
            by_question=list(_steps(name, first[name], steps)),
        )
        for name, unit in (service.SERVICE_OUTPUTS if serves else causes.OUTPUTS).items()
    ]
    question = (
        [_changed(key, a.table, b.table) for key in causes.changed_keys(a.table, b.table)]
        if a.table is not None and b.table is not None
        else []
    )
    return Difference(
        names=(a.name, b.name),
        headlines=(a.plan.headline, b.plan.headline),
        feasible=(a.plan.feasible, b.plan.feasible),
        question=question,
        choices=list(_choices(a, b)),
        outputs=outputs,
        notes=notes,
    )


def _relative(before: float | None, after: float | None) -> float | None:
    return after / before - 1.0 if before and after is not None else None


def _span(ends: tuple[float, float] | None, relative: float | None) -> Span | None:
    if ends is None or relative is None:
        return None
    return Span(p10=math.expm1(ends[0]), p50=relative, p90=math.expm1(ends[1]))


def _waterfall(before: float | None, parts: causes.Parts | None) -> Iterator[Cause]:
    """Largest first; what is too small to list is one step at the end."""
    if before is None or not parts:
        return
    least = LEAST * abs(before)
    here, small = before, 0.0
    for cause, change in sorted(parts.items(), key=lambda item: (-abs(item[1]), item[0])):
        if abs(change) < least:
            small += change
            continue
        here += change
        yield Cause(cause=cause, change=change, after=here)
    # Below a billionth it is rounding of the sum, not a cause.
    if abs(small) > 1e-9 * abs(before):
        yield Cause(cause="smaller causes together", change=small, after=here + small)


def _steps(name: str, before: float | None, steps: list[tuple[str, causes.Outputs]]) -> Iterator[Cause]:
    here = before
    for cause, outputs in steps:
        after = outputs[name]
        if here is None or after is None:
            return
        yield Cause(cause=cause, change=after - here, after=after)
        here = after


def _changed(key: tuple[str, ...], a: Any, b: Any) -> Changed:
    for part in key:
        a = a.get(part) if isinstance(a, dict) else None
        b = b.get(part) if isinstance(b, dict) else None
    return Changed(key=".".join(key), before=a, after=b)


def _choices(a: Side, b: Side) -> Iterator[Changed]:
    for key, before, after in zip(_CHOICES, _chosen(a), _chosen(b), strict=True):
        if before != after:
            yield Changed(key=key, before=before, after=after)


_CHOICES = (
    "system",
    "cards",
    "layout",
    "precision",
    "mode",
    "fabric",
    "cooling",
    "power_cap",
    "software",
    "evidence",
)


def _chosen(side: Side) -> tuple[Any, ...]:
    plan = side.plan
    fabric = plan.fabric
    return (
        plan.system,
        plan.cards.total if plan.cards else None,
        " + ".join(pool.layout.short() for pool in plan.pools) or None,
        plan.workload.precision,
        plan.serving.mode if plan.serving else None,
        f"{fabric.id} {fabric.kind} {fabric.oversubscription:g}:1" if fabric else None,
        plan.facility.cooling if plan.facility else None,
        plan.power_cap,
        plan.workload.software,
        plan.evidence.grade,
    )
