"""What a memo begins and ends with: the answer on one screen first, what only builders look up last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from planner.plan.headline import SAME
from planner.plan.names import limit_words
from planner.plan.shown import days, number, power, usd
from planner.report.knee import for_less

if TYPE_CHECKING:
    from planner.plan.account import Band
    from planner.plan.model import Plan
    from planner.report.memo import Row, Section

ANNEX = {
    "levels", "by length", "by medium", "by reach", "a card draws", "PUE by month", "WUE by month", "prices",
    "first port",
}  # fmt: skip
"""Rows that are looked up and not read."""


def short(plan: Plan) -> Iterator[Row]:
    """The plan in a few lines; nothing where there is none."""
    if plan.cards is None or plan.facility is None:
        return
    hall = plan.facility
    network = f"; {plan.fabric.id} {plan.fabric.kind}" if plan.fabric is not None else ""
    yield (
        "buy",
        f"{plan.cards.total:,} x {plan.accelerator} in {hall.servers:,} servers and {hall.racks.total:,} "
        f"racks{network}; {hall.cooling}",
    )
    energy = f", {number(hall.energy_mwh_per_year / 1e3)} GWh a year"
    yield "power", f"{power(hall.facility_design_megawatts)} at the grid on the design day{energy}"
    if plan.cost is not None and plan.cost.capex_usd is not None:
        year = plan.cost.tco_usd_per_year
        yield "money", f"{usd(plan.cost.capex_usd)} of capital" + (f", {usd(year)} a year" if year else "")
    band = plan.bands.days if plan.bands is not None else None
    if plan.performance is not None and band is not None:
        yield (
            "time",
            f"{days(plan.performance.days)} if every figure is as stated; of the draws half take up to "
            f"{days(band.p50)}, one in ten more than {days(band.p90)}{_why(plan.performance.days, band)}",
        )
    yield from for_less(plan)
    if plan.binding:
        yield "bound by", ", ".join(limit_words(item) for item in plan.binding)


def _why(central: float, band: Band) -> str:
    """Why the median is another number than the central answer."""
    if band.p50 < central * (1.0 + SAME):
        return ""
    return " (most ranges reach further to the slow side than to the fast, and losses multiply)"


def arranged(sections: Sequence[Section]) -> list[Section]:
    """The sections that have rows; those of the annex stand at the end, in one of their own."""
    kept, annex = [], []
    for section in sections:
        annex += [row for row in section.rows if row[0] in ANNEX]
        rows = [row for row in section.rows if row[0] not in ANNEX]
        if rows:
            kept.append(type(section)(section.title, section.anchor, rows))
    if annex:
        kept.append(type(kept[0])("Annex: cables, months, prices, first port", "", annex))
    return kept
