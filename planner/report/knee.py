"""What nearly the same throughput costs: the most throughput alone hides what its last percent takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.plan.shown import number, percent, power, usd

if TYPE_CHECKING:
    from planner.plan.account import Summary
    from planner.plan.model import Plan

NEARLY = 0.95
"""Share of the best throughput, failures counted, that a cheaper plan keeps at least."""
WORTH = 0.9
"""Share of cards or power above which a saving is not worth a line."""


def for_less(plan: Plan) -> Iterator[tuple[str, str]]:
    """Of the front within 5 % of the most throughput: the point with fewest cards, the one with least power.

    Only of a plan that was asked for the most throughput inside limits; a point is a plan of its own, so
    cooling, fabric and cap may differ. Of a front that was thinned, the points that are kept are looked at.
    """
    if plan.question != "limits" or plan.cards is None or plan.facility is None or plan.performance is None:
        return
    best = plan.performance.days
    near = [point for point in plan.front if point.days and best / point.days >= NEARLY]
    fewest = min(near, key=lambda point: (point.cards, point.facility_megawatts), default=None)
    coolest = min(near, key=lambda point: (point.facility_megawatts, point.cards), default=None)
    if fewest is None or coolest is None:
        return
    cards, megawatts = plan.cards.total, plan.facility.facility_design_megawatts
    if fewest.cards < WORTH * cards:
        yield "for less", _point(plan, fewest)
        if fewest is coolest:
            return
    if coolest.facility_megawatts < WORTH * megawatts:
        yield "for less", _point(plan, coolest)


def _point(plan: Plan, point: Summary) -> str:
    """``95.2 % of the throughput with 8,120 cards (-4 %), 11.8 MW (-6 %), $512 M: cold-plate, 2:1``."""
    assert plan.performance is not None
    assert plan.cards is not None
    assert plan.facility is not None
    share = percent(plan.performance.days / point.days, 1)
    money = f", {usd(point.capex_usd)}" if point.capex_usd is not None else ""
    return (
        f"{share} of the throughput with {point.cards:,} cards{_change(point.cards, plan.cards.total)}, "
        f"{power(point.facility_megawatts)}"
        f"{_change(point.facility_megawatts, plan.facility.facility_design_megawatts)}{money}"
        f"{_differs(plan, point)}"
    )


def _change(value: float, base: float) -> str:
    moved = round(100.0 * (value / base - 1.0))
    return "" if moved == 0 else f" ({moved:+d} %)"


def _differs(plan: Plan, point: Summary) -> str:
    """What the point has other than the plan."""
    assert plan.facility is not None
    told = [
        *([point.system] if point.system != plan.system else []),
        *([point.cooling] if point.cooling != plan.facility.cooling else []),
        *([_taper(point)] if plan.fabric is not None and _other_fabric(plan, point) else []),
        *([f"cap {percent(point.power_cap, 0)}"] if point.power_cap < 1.0 else []),
    ]
    return f": {', '.join(told)}" if told else ""


def _other_fabric(plan: Plan, point: Summary) -> bool:
    assert plan.fabric is not None
    mine = (plan.fabric.id, plan.fabric.kind, plan.fabric.oversubscription)
    return mine != (point.fabric, point.fabric_kind, point.oversubscription)


def _taper(point: Summary) -> str:
    return f"{point.fabric} {number(point.oversubscription)}:1"
