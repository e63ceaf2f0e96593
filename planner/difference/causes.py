"""Why two answers differ: by what makes them up, and by what was asked.

By what makes it up: a product of factors moves by the sum of its factors' logarithmic changes, each weighted
with the logarithmic mean of the two values (the additive LMDI decomposition; B. W. Ang, "LMDI decomposition
approach: a guide for implementation", Energy Policy 86, 2015). The parts sum to the difference exactly.

By what was asked: the keys in which the scenarios differ are changed one after the other, in the order of the
second scenario, and the question is answered after each. The order is part of the answer, so it is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from planner.difference.sides import Side, case_of_table
from planner.errors import PlannerError
from planner.plan.model import Plan
from planner.sweeps.cases import answered
from planner.sweeps.verbs import Finding

Outputs = dict[str, float | None]
OUTPUTS = {"days": "days", "facility_megawatts": "MW", "capex_usd": "USD"}
Parts = dict[str, float]


def log_mean(a: float, b: float) -> float:
    """(a - b) / (ln a - ln b), and a where they are equal; for positive numbers."""
    return a if math.isclose(a, b, rel_tol=1e-12) else (a - b) / (math.log(a) - math.log(b))


def factored(before: Mapping[str, float], after: Mapping[str, float]) -> Parts:
    """What each factor adds to the difference of two products of the same positive factors."""
    first, second = math.prod(before.values()), math.prod(after.values())
    weight = log_mean(second, first)
    return {name: weight * math.log(after[name] / value) for name, value in before.items()}


def days_by_part(a: Plan, b: Plan) -> Parts | None:
    """Days: tokens, goodput, the batch, and each cause of a step's time."""
    if a.performance is None or b.performance is None or a.layout is None or b.layout is None:
        return None
    parts: Parts = {}
    for cause in dict.fromkeys((*a.performance.breakdown, *b.performance.breakdown)):
        first, second = _days_of(a, cause), _days_of(b, cause)
        name = f"step: {cause.removesuffix('_seconds').replace('_', ' ')}"
        if first is None or second is None:
            # A cause that one side does not have is a difference of its own.
            change = _product(second) - _product(first)
            if change:
                parts[name] = parts.get(name, 0.0) + change
            continue
        for factor, value in factored(first, second).items():
            key = name if factor == "seconds per token" else factor
            parts[key] = parts.get(key, 0.0) + value
    return parts


def _days_of(plan: Plan, cause: str) -> dict[str, float] | None:
    """Days that a cause takes, as tokens x seconds per token / goodput; None where it takes none."""
    assert plan.performance is not None
    seconds = plan.performance.breakdown.get(cause, 0.0)
    if seconds <= 0.0:
        return None
    per_token = seconds / (plan.performance.tokens_per_second * plan.performance.step_seconds)
    return {
        "tokens": plan.workload.tokens,
        "seconds per token": per_token / 86400.0,
        "goodput": 1.0 / plan.performance.goodput,
    }


def _product(factors: Mapping[str, float] | None) -> float:
    return math.prod(factors.values()) if factors else 0.0


def megawatts_by_part(a: Plan, b: Plan) -> Parts | None:
    """Grid intake, annual mean: cards, IT watts per card, and the facility's overhead over IT."""
    sides = []
    for plan in (a, b):
        if plan.facility is None or plan.cards is None:
            return None
        hall = plan.facility
        sides.append(
            {
                "cards": float(plan.cards.total),
                "IT power per card": hall.it_megawatts / plan.cards.total,
                "overhead over IT": hall.facility_megawatts / hall.it_megawatts,
            }
        )
    return factored(*sides)


def capital_by_part(a: Plan, b: Plan) -> Parts | None:
    """Capital: the parts of the bill, as far as both have prices."""
    if a.cost is None or b.cost is None or a.cost.capex_usd is None or b.cost.capex_usd is None:
        return None
    names = dict.fromkeys((*a.cost.parts, *b.cost.parts))
    changes = {
        name.removesuffix("_usd").replace("_", " "): (b.cost.parts.get(name) or 0.0)
        - (a.cost.parts.get(name) or 0.0)
        for name in names
    }
    return {name: change for name, change in changes.items() if change}


def outputs_of(plan: Plan) -> Outputs:
    """The compared outputs of a plan."""
    return {
        "days": plan.performance.days if plan.performance else None,
        "facility_megawatts": plan.facility.facility_megawatts if plan.facility else None,
        "capex_usd": plan.cost.capex_usd if plan.cost else None,
    }


def changed_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Keys (table and key, or a plain top key) in which two scenarios differ, in the order of the second."""
    found: list[tuple[str, ...]] = []
    for section in dict.fromkeys((*b, *a)):
        first, second = a.get(section), b.get(section)
        if isinstance(first, dict) and isinstance(second, dict):
            keys = dict.fromkeys((*second, *first))
            found += [(section, key) for key in keys if first.get(key) != second.get(key)]
        elif first != second:
            found.append((section,))
    return found


def put(table: dict[str, Any], key: tuple[str, ...], other: Mapping[str, Any]) -> None:
    """Take one key over from another scenario; one that the other has not is dropped."""
    here: dict[str, Any] = table
    there: Mapping[str, Any] = other
    for part in key[:-1]:
        here, there = here[part], there[part]
    if key[-1] in there:
        here[key[-1]] = deepcopy(there[key[-1]])
    else:
        here.pop(key[-1], None)


def by_question(
    a: Side,
    b: Side,
    plan_outputs: Callable[[Plan], Outputs],
    design_outputs: Callable[[Mapping[str, Any]], Outputs],
) -> Iterator[tuple[str, Outputs]]:
    """Change by change from the first scenario to the second: what was changed, and the outputs after it.

    Changes that make no lawful scenario, or no design, on their own count together with the next.
    """
    if a.table is None or b.table is None or a.case is None or b.case is None or a.verb != b.verb:
        return
    table = deepcopy(dict(a.table))
    pending: list[str] = []
    keys = changed_keys(a.table, b.table)
    for place, key in enumerate(keys):
        put(table, key, b.table)
        pending.append(".".join(key))
        if place == len(keys) - 1:
            yield ", ".join(pending), plan_outputs(b.plan)
            return
        found = _outputs(table, a, design_outputs)
        if found is not None:
            yield ", ".join(pending), found
            pending = []


def _outputs(
    table: Mapping[str, Any], side: Side, design_outputs: Callable[[Mapping[str, Any]], Outputs]
) -> Outputs | None:
    assert side.case is not None
    try:
        case = case_of_table(table, side.case.library)
    except PlannerError:
        return None
    (found,) = answered(side.verb, [case], 1)
    if not isinstance(found, Finding) or found.design is None:
        return None
    return design_outputs(found.design)


def outputs_of_design(design: Mapping[str, Any]) -> Outputs:
    """The same of the engine's evaluation."""
    return {
        "days": design["performance"]["days"],
        "facility_megawatts": design["facility"]["facility_megawatts"],
        "capex_usd": design["cost"]["capex_usd"],
    }


def parts_of(a: Plan, b: Plan) -> dict[str, Parts | None]:
    """What makes up the difference of two training plans, output by output; each sums to it."""
    return {
        "days": days_by_part(a, b),
        "facility_megawatts": megawatts_by_part(a, b),
        "capex_usd": capital_by_part(a, b),
    }
