"""``size`` of a service, and the draws of everything uncertain about one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.plan import service_risk
from planner.plan.drawn import range_of
from planner.plan.draws import Floats
from planner.plan.model import Plan
from planner.plan.risk_parts import Risk
from planner.plan.service import service_plan
from planner.plan.service_bands import ServiceStudy
from planner.plan.service_case import ServiceCase, used_of
from planner.plan.service_draws import Drawn, Draws
from planner.plan.service_fewest import fewest_of, kinds_of
from planner.plan.service_study import MOST_TIMES, choice_of, errors, moving, study_of
from planner.plan.service_sure import Sure, surest
from planner.problem import serving_wire

Wire = Mapping[str, Any]


def solve_service(case: ServiceCase) -> Plan:
    """The answer to a scenario of a service: the best one, or no; drawn where the case says so."""
    result = case.search(case.request)
    design = result["best"]
    if not case.samples:
        return service_plan(case, result)
    if design is None:
        case.notes.append("no service meets target and limits at the central figures: nothing is drawn")
        return service_plan(case, result)
    design, found, studied = case.timed("draws", lambda: _drawn(case, design))
    return service_plan(case, {**result, "best": design}, found=found, studied=studied)


def _drawn(case: ServiceCase, design: Wire) -> tuple[Wire, Risk, ServiceStudy]:
    """The service of the plan (that of `plan_for`, where there is one) with what draws say of it."""
    probability = case.plan_for or case.problem.scenario.search.confidence
    asked = case.request.target.requests_per_second
    draws, studied = draws_of(case, design), study_of(case, design, used_of(case, design))
    columns = draws.of(choice_of(design, case.request), design["requests_per_second"])
    tried = None if asked is None else kinds_of(draws, design, asked)
    sure, most = None, None
    if tried is not None:
        most = min(case.request.limits.cards_max, design["cards"]["total"] * MOST_TIMES)
        sure, nearest = surest(draws, tried, probability, most)
        if case.plan_for is not None and sure is None:
            case.unsure = _unsure(probability, most, nearest)
    planned = case.plan_for is not None and sure is not None
    if planned and sure is not None:
        question = serving_wire.EvaluateServiceRequest(problem=case.request, design=sure.choice)
        design = engine.evaluate_service(question)
        if design["over_limits"]:
            over = ", ".join(design["over_limits"])
            case.unsure = f"the {sure.cards:,} cards that carry it so surely are over the limits ({over})"
        columns = draws.of(choice_of(design, case.request), design["requests_per_second"])
        studied = study_of(case, design, used_of(case, design))
    least = None if asked is None or tried is None else fewest_of(draws, design, asked, tried)
    cards = None if sure is None else sure.cards
    choice = choice_of(design, case.request)
    found = service_risk.risk_of(
        draws, columns, design, choice, studied, probability, cards, planned, fewest=least, most=most
    )
    return design, found, studied


def _unsure(probability: float, most: int, nearest: Sure | None) -> str:
    """Why there is no plan for a probability, with the best that can be reached."""
    sureness = f"{100.0 * probability:g} % certainty"
    best = (
        "none carries it in any draw"
        if nearest is None
        else f"at best {nearest.cards:,} cards do with {100.0 * nearest.met:.0f} %"
    )
    tried = f"no service tried, of up to {most:,} cards, carries the load with {sureness}"
    return f"{tried}, {best}; the central plan"


def draws_of(
    case: ServiceCase, design: Wire, deviates: Mapping[str, Floats] | None = None, samples: int | None = None
) -> Draws:
    """Draws of what moves the service of ``design``; ``deviates``: those that compared services share."""
    seed = case.problem.scenario.search.seed
    many = samples or case.samples
    return Draws(case.problem, spans_of(case, design), errors(case, design), many, seed, deviates)


def spans_of(case: ServiceCase, design: Wire) -> Drawn:
    """Figures that move the service of ``design``, with their ranges."""
    figures = moving(used_of(case, design))
    quantities = {figure.key: figure.quantity for figure in case.problem.figures}
    return tuple((item, range_of(item, quantities[item.place])) for item in figures)


def drawn_service(case: ServiceCase, design: Wire) -> tuple[Risk, ServiceStudy]:
    """What draws say of a service that is there already."""
    draws, studied = draws_of(case, design), study_of(case, design, used_of(case, design))
    choice = choice_of(design, case.request)
    columns = draws.of(choice, design["requests_per_second"])
    probability = case.problem.scenario.search.confidence
    found = service_risk.risk_of(
        draws, columns, design, choice, studied, probability, None, planned_for=False
    )
    return found, studied
