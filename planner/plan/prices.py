"""Shadow prices: what one more of each thing that binds is worth, by a search with that limit relaxed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from planner.plan.account import Summary
from planner.plan.assemble import summary
from planner.plan.parts import Part

Wire = Mapping[str, Any]

_UNITS = {
    "target.days": ("days", 1.0),
    "target.tokens_per_second": ("tokens/s", 1.0),
    "limits.cards_max": ("cards", 1.0),
    "limits.racks": ("racks", 1.0),
    "limits.floor_m2": ("m2", 1.0),
    "limits.capex_usd": ("USD", 1.0),
    "memory": ("GB", 1e9),
}
"""Unit of a constraint and its size in the engine's units; all others are in megawatts."""

_OBJECTIVES = {
    "cards": "cards",
    "days": "days",
    "throughput": "tokens/s",
    "power": "MW",
    "energy": "MWh",
    "capex": "USD",
    "tco": "USD a year",
    "tokens_per_joule": "tokens/J",
}


class Price(Part):
    """What relaxing one constraint by a step does to the objective; the rest of the question stays."""

    constraint: str = Field(description="as in binding: target.days, limits.facility_watts, memory ...")
    unit: str = Field(description="of limit and step: MW, cards, days, racks, USD, GB of a device ...")
    limit: float
    step: float = Field(description="by how much it was relaxed; negative where less is asked")
    objective: str = Field(description="what was minimised or maximised; weighted: the sum of the weights")
    objective_unit: str = Field(description="of before and after; empty where weighted")
    before: float
    after: float = Field(description="the best with the relaxed constraint; equal: it does not bind")
    per_unit: float = Field(description="objective gained per unit of the constraint, 0 or more")
    plan: Summary | None = Field(description="the plan it would buy; null where that is no better")

    @property
    def change(self) -> float:
        """Relative change of the objective."""
        return self.after / self.before - 1.0 if self.before else 0.0


def price_list(result: Wire, request: Wire) -> list[Price]:
    """The prices in the engine's answer, in the units of a plan; those without effect come last."""
    weighted = bool(request["search"]["weights"])
    objective = request["search"]["objective"]
    found = [
        _price(item, "weighted" if weighted else objective, "" if weighted else _OBJECTIVES[objective])
        for item in result.get("prices") or ()
    ]
    return sorted(found, key=lambda price: price.plan is None)


def _price(item: Wire, objective: str, objective_unit: str) -> Price:
    unit, scale = _UNITS.get(item["constraint"], ("MW", 1e6))
    return Price(
        constraint=item["constraint"],
        unit=unit,
        limit=item["limit"] / scale,
        step=item["step"] / scale,
        objective=objective,
        objective_unit=objective_unit,
        before=item["before"],
        after=item["after"],
        per_unit=item["per_unit"] * scale,
        plan=None if item["plan"] is None else summary(item["plan"]),
    )
