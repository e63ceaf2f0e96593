"""Compared plans under the same draws: differences with their own band, the chance of being best.

What two plans share (a site, a switch, a software, a chip family's error) moves both alike in every draw, so
their difference is surer than either of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from planner.lazy import np
from planner.plan import risk
from planner.plan.account import Band
from planner.plan.case import Case
from planner.plan.drawn import inputs_of, prepared, used_keys
from planner.plan.draws import Floats, best_shares, difference, normals
from planner.plan.model import Plan
from planner.plan.parts import Layout
from planner.plan.placed import place_of
from planner.plan.studied import all_errors
from planner.problem import wire
from planner.scenario.vocabulary import PRINTED_SCHEDULES

By = Literal["tokens_per_second", "days", "tco_usd_per_year", "capex_usd"]
COLUMNS: Mapping[By, int] = {
    "tokens_per_second": risk.DAYS,
    "days": risk.DAYS,
    "tco_usd_per_year": risk.TCO,
    "capex_usd": risk.CAPEX,
}


@dataclass(frozen=True)
class Rival:
    """One of the compared plans."""

    best: float
    """Probability of being the best."""
    difference: Band | None
    """Of the measure to that of the central best, minus 1; None where it is not known in every draw."""


def rivals(
    plans: Mapping[str, tuple[Case, Plan]], leader: str, samples: int, seed: int, by: By
) -> dict[str, Rival]:
    """Draw everything uncertain of all plans together.

    Args:
        plans: by name, each with the case that it answers; a plan without a design takes no part.
        leader: the central best, which the others are set against.
        samples: draws, a power of two.
        seed: of the Sobol points.
        by: the measure: most tokens per second, or least of the others. A draw in which a plan no longer
            works counts as lost for it.
    """
    inputs = {name: inputs_of(case.problem, all_errors(case)) for name, (case, _) in plans.items()}
    z = normals(used_keys(inputs.values()), samples, seed)
    costs: dict[str, Floats] = {}
    values: dict[str, Floats] = {}
    for name, (case, plan) in plans.items():
        draws = prepared(case.problem, inputs[name]).draws(samples, seed, z)
        drawn = risk.draw(draws, [choice_of(case.request, plan)])
        column = drawn.column(COLUMNS[by])[:, 0]
        values[name] = 1.0 / column if by == "tokens_per_second" else column
        costs[name] = np.where(drawn.works[:, 0], column, np.inf)
    return _rivals(values, costs, leader)


def told(rates: Mapping[str, Floats], leader: str, *, least: bool) -> dict[str, Rival]:
    """Rivals by what they do per draw, 0 where they do not work; ``least``: told as its inverse (cards)."""
    with np.errstate(divide="ignore"):
        costs = {name: 1.0 / rate for name, rate in rates.items()}
    return _rivals(costs if least else rates, costs, leader)


def _rivals(values: Mapping[str, Floats], costs: Mapping[str, Floats], leader: str) -> dict[str, Rival]:
    shares = best_shares(costs)
    found = {}
    for name, value in values.items():
        # Set against itself there is nothing to say.
        band = difference(value, values[leader]) if leader in values and name != leader else None
        found[name] = Rival(
            best=shares[name],
            difference=None if band is None else Band(p10=band[0], p50=band[1], p90=band[2]),
        )
    return found


def choice_of(request: wire.Request, plan: Plan) -> wire.DesignChoice:
    """A plan's design, as a choice of the request that it answers."""
    assert plan.layout is not None
    place = place_of(request.clusters, plan)
    return wire.DesignChoice(
        cluster=place.cluster,
        fabric=place.fabric,
        cooling=place.cooling,
        power_cap=plan.power_cap or 1.0,
        cards=place.cards,
        layout=layout_of(plan.layout),
    )


def layout_of(layout: Layout) -> wire.LayoutOfDesign:
    """A plan's layout as the engine takes it: a plan words the plain schedules by what they come to."""
    named = layout.model_dump(include=set(wire.LayoutOfDesign.model_fields))
    named["schedule"] = PRINTED_SCHEDULES.get(layout.schedule, layout.schedule)
    return wire.LayoutOfDesign.model_validate(named)
