"""The tables of a plan: what is bought, the front, the figures and estimates it rests on."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from planner.errors import PlannerError
from planner.table import Field, Table, of_records

if TYPE_CHECKING:
    from planner.plan.account import Summary
    from planner.plan.model import Plan

_SUMMARY = (
    Field("system", "", "id of the system in the spec library"),
    Field("fabric", "", "scale-out fabric"),
    Field("cooling", "", "cooling kind"),
    Field("power_cap", "", "enforced board power over nameplate"),
    Field("cards", "cards", "cards bought"),
    Field("layout", "", "parallel layout, as evaluate --layout reads it"),
    Field("step_seconds", "s", "one optimizer step"),
    Field("days", "days", "calendar days, failures included"),
    Field("tokens_per_second", "tokens/s", "while training"),
    Field("facility_megawatts", "MW", "grid intake on the design day"),
    Field("capex_usd", "USD", "capital; empty: a price is missing"),
    Field("tco_usd_per_year", "USD", "cost of a year"),
)
_FIGURES = (
    Field("label", "", "what it is"),
    Field("key", "", "where it stands in the spec library"),
    Field("role", "", "what it decides"),
    Field("value", "", "in base units"),
    Field("low", "", "lower end of the 80 % range"),
    Field("high", "", "upper end of the 80 % range"),
    Field("unit", "", "base unit of value, low and high"),
    Field("kind", "", "how it is known"),
    Field("source", "", "where it was read"),
)
_PARTS = (
    Field("part", "", "what is bought"),
    Field("group", "", "servers, network or building"),
    Field("count", "", "pieces"),
    Field("unit", "", "of count"),
)


def summaries(rows: list[Summary]) -> Table:
    """Designs in one row each."""
    records = [{**row.model_dump(), "layout": row.layout.short()} for row in rows]
    return of_records(records, _SUMMARY)


def bill_of_materials(plan: Plan) -> Table:
    """Everything that is bought and counted: servers, cards, fabric parts, racks. Empty without a design."""
    lines: list[tuple[str, str, float, str]] = []
    if plan.cards is not None and plan.facility is not None:
        lines += [
            (f"server, {plan.system}", "servers", plan.facility.servers, "pieces"),
            (f"card, {plan.accelerator} (in the servers)", "servers", plan.cards.total, "pieces"),
        ]
    if plan.fabric is not None:
        lines += [(part.name, "network", part.count, "pieces") for part in plan.fabric.parts]
    if plan.facility is not None:
        racks = plan.facility.racks
        lines += [
            (f"rack, {name}", "building", count, "racks")
            for name, count in racks.model_dump().items()
            if name != "total" and count
        ]
    records = [dict(zip(("part", "group", "count", "unit"), line, strict=True)) for line in lines]
    return of_records(records, _PARTS)


def figures(plan: Plan) -> Table:
    """Every figure the plan rests on, with its sources."""
    records: list[dict[str, Any]] = []
    for item in plan.figures:
        source = "; ".join(f"{one.title} ({one.date})" for one in item.sources)
        records.append({**item.model_dump(), "source": source or item.method})
    return of_records(records, _FIGURES)


def estimates(plan: Plan) -> Table:
    """Figures that nobody published, the weightiest first."""
    records = [
        {**item.model_dump(), "kind": "estimate", "source": item.method} for item in plan.evidence.estimates
    ]
    return of_records(records, _FIGURES)


def breakdown(plan: Plan) -> Table:
    """Where the time of a step goes."""
    leaves = plan.performance.breakdown if plan.performance else {}
    total = sum(leaves.values()) or 1.0
    records = [
        {"cause": name.removesuffix("_seconds"), "seconds": value, "share": value / total}
        for name, value in sorted(leaves.items(), key=lambda item: -item[1])
        if value > 0
    ]
    fields = (
        Field("cause", "", "of the time"),
        Field("seconds", "s", "of a step"),
        Field("share", "", "of a step"),
    )
    return of_records(records, fields)


TABLES: dict[str, Callable[[Any], Table]] = {
    "parts": bill_of_materials,
    "front": lambda plan: summaries(plan.front),
    "runners_up": lambda plan: summaries(plan.runners_up),
    "figures": figures,
    "estimates": estimates,
    "breakdown": breakdown,
}


def table(plan: Plan, name: str) -> Table:
    """A table of a plan by its name.

    Raises:
        PlannerError: no such table (with the nearest name).
    """
    if name not in TABLES:
        near = get_close_matches(name, TABLES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise PlannerError(f"a plan has no table {name!r}", hint=f"{hint}tables: {', '.join(TABLES)}")
    return TABLES[name](plan)
