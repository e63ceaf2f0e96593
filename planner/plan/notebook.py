"""A plan as notebooks show it: the headline and the figures people look at first."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from planner.plan.shown import days, number, percent, rate, spread, usd

if TYPE_CHECKING:
    from planner.plan.model import Plan


def html(plan: Plan) -> str:
    """A heading and a table of two columns."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(text)}</td></tr>'
        for label, text in _rows(plan)
    )
    return f"<div><p><b>{escape(plan.headline)}</b></p><table>{rows}</table></div>"


def _rows(plan: Plan) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    bands = plan.bands
    if plan.cards is not None:
        rows.append(("cards", f"{plan.cards.total:,} of {plan.accelerator} in {plan.system}"))
    if plan.layout is not None:
        rows.append(("layout", plan.layout.short()))
    if plan.performance is not None:
        speed = plan.performance
        rows.append(("time", f"{days(speed.days)}{spread(bands.days if bands else None)}"))
        rows.append(("rate", f"{rate(speed.tokens_per_second)}, MFU {percent(speed.mfu)}"))
    if plan.fabric is not None:
        rows.append(("fabric", f"{plan.fabric.id}, {plan.fabric.kind}, {plan.fabric.switches:,} switches"))
    if plan.facility is not None:
        hall = plan.facility
        rows.append(
            (
                "power",
                f"{number(hall.facility_design_megawatts)} MW on the design day, {hall.racks.total:,} racks",
            )
        )
    if plan.cost is not None:
        capex = plan.cost.capex_usd
        known = usd(capex) if capex is not None else f"not known: no price for {', '.join(plan.cost.missing)}"
        rows.append(("capital", known))
    if plan.nearest is not None:
        rows.append((f"nearest ({plan.nearest.what})", plan.nearest.why))
    rows.append(("evidence", f"{plan.evidence.grade}: {plan.evidence.why}"))
    if plan.estimates:
        rows.append(("estimates", ", ".join(item.label for item in plan.evidence.estimates[:6])))
    return rows
