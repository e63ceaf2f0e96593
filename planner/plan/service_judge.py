"""``evaluate`` of a service: what so many cards serve, in named layouts or the best ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.errors import ScenarioError
from planner.plan.account import Comparison
from planner.plan.model import Plan
from planner.plan.service import service_plan
from planner.plan.service_case import ServiceCase
from planner.plan.service_solve import drawn_service
from planner.plan.service_study import choice_of
from planner.problem import serving_wire

_DEGREES = ("tp", "dp", "pp", "ep")
_MODES = ("aggregated", "disaggregated")


def judge_service(
    case: ServiceCase, layout: str | Mapping[str, Any] | None = None, cards: int | None = None
) -> Plan:
    """The plan of so many cards; feasible if it carries the load within its latencies and keeps the limits.

    Args:
        case: the question; its load and limits judge the service but do not choose it.
        layout: ``"tp=8,mode=aggregated"``: dimensions to fix, of the instances of every pool.
        cards: cards bought; None: what the scenario allows at most.

    Raises:
        ScenarioError: no number of cards, cards that are not whole units, an unknown dimension.
    """
    count = _cards(case, cards)
    found = case.search(best_on(case.request, count, layout))
    if found["best"] is None:
        return service_plan(case, found)
    design = engine.evaluate_service(held(case.request, found["best"], count))
    answer = {**found, "best": design, "margin": margin_of(case.request, design)}
    comparison = verdict(case.request, design, named=layout is not None)
    if not case.samples:
        return service_plan(case, answer, comparison)
    risk, studied = case.timed("draws", lambda: drawn_service(case, design))
    return service_plan(case, answer, comparison, found=risk, studied=studied)


def best_on(
    asked: serving_wire.ServiceRequest, cards: int, layout: str | Mapping[str, Any] | None = None
) -> serving_wire.ServiceRequest:
    """The question of the most that so many cards serve: no load, and no limit but cards, chooses it."""
    others = dict.fromkeys(type(asked.limits).model_fields)
    alone = asked.limits.model_copy(update={**others, "cards_min": cards, "cards_max": cards})
    return asked.model_copy(
        update={
            "limits": alone,
            "target": asked.target.model_copy(
                update={"requests_per_second": None, "tokens_per_second_per_card": None}
            ),
            "space": _restricted(asked.space, layout),
            "search": asked.search.unsimulated(objective="throughput"),
        }
    )


def held(
    asked: serving_wire.ServiceRequest, best: Mapping[str, Any], cards: int
) -> serving_wire.EvaluateServiceRequest:
    """The service found, held against load and limits."""
    judged = asked.model_copy(
        update={"limits": asked.limits.model_copy(update={"cards_min": 1, "cards_max": cards})}
    )
    choice = choice_of(best, asked).model_copy(update={"cards": cards})
    return serving_wire.EvaluateServiceRequest(problem=judged, design=choice)


def margin_of(asked: serving_wire.ServiceRequest, design: Mapping[str, Any]) -> float | None:
    """Head-room to the load asked for, as a fraction of it."""
    rate = asked.target.requests_per_second
    return None if rate is None else float(design["most_requests_per_second"] / rate - 1.0)


def verdict(asked: serving_wire.ServiceRequest, design: Mapping[str, Any], *, named: bool) -> Comparison:
    """What the service breaks, and whether it carries the load."""
    held_up = design["simulated"] is None or design["simulated"]["confirmed"]
    broken = [rule for rule in design["broken_rules"] if rule != "limits"]
    return Comparison(
        named=named,
        broken_rules=broken,
        over_limits=[limit for limit in design["over_limits"] if not limit.startswith("limits.cards")],
        meets_target=None if asked.target.requests_per_second is None else not broken and held_up,
        best=None,
        behind_best=None,
    )


def cards_of(case: ServiceCase) -> int:
    """The cards that the scenario allows at most.

    Raises:
        ScenarioError: it does not say.
    """
    return _cards(case, None)


def _cards(case: ServiceCase, cards: int | None) -> int:
    units = [cluster.unit_cards for cluster in case.request.clusters]
    limited = case.problem.scenario.limits.cards
    if cards is None and limited is not None and limited.highest is not None:
        return max(limited.highest // unit * unit for unit in units) or min(units)
    if cards is None:
        raise case.problem.scenario.origin.error(
            "limits.cards", "how many cards?", "give --cards N, or limits.cards in the scenario"
        )
    if all(cards % unit for unit in units):
        unit = units[0]
        near = f"{cards // unit * unit} or {-(-cards // unit) * unit}" if cards > unit else str(unit)
        raise ScenarioError(
            f"{cards} cards are not whole units of {unit}, as they are bought",
            file="--cards",
            hint=f"try {near}",
        )
    return cards


def _restricted(
    space: serving_wire.ServiceSpace, layout: str | Mapping[str, Any] | None
) -> serving_wire.ServiceSpace:
    """The space with the named dimensions fixed."""
    if layout is None:
        return space
    words = layout
    if isinstance(words, str):
        parts = [part.partition("=") for part in words.split(",") if part.strip()]
        words = {name.strip(): value.strip() for name, _, value in parts}
    update: dict[str, Any] = {}
    for name, value in words.items():
        if name == "mode" and value in _MODES:
            update["modes"] = (value,)
        elif name in _DEGREES and str(value).isdigit() and int(value) > 0:
            update[name] = (int(value),)
        else:
            raise ScenarioError(
                f"{name}={value} is no dimension of a service",
                file="--layout",
                hint="tp, dp, pp, ep with whole numbers, and mode=aggregated or disaggregated",
            )
    return space.model_copy(update=update)
