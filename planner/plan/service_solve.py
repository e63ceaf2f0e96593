"""``size`` of a service, and the draws of everything uncertain about one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.plan import service_risk
from planner.plan.bands import Study
from planner.plan.drawn import range_of
from planner.plan.draws import Floats
from planner.plan.model import Plan
from planner.plan.risk_parts import Risk
from planner.plan.service import service_plan
from planner.plan.service_case import ServiceCase, used_of
from planner.plan.service_draws import RATE, Drawn, Draws
from planner.plan.service_fewest import fewest_of, placed
from planner.plan.service_study import MOST_TIMES, at_load, choice_of, errors, moving, study_of
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


def _drawn(case: ServiceCase, design: Wire) -> tuple[Wire, Risk, Study]:
    """The service of the plan (that of `plan_for`, where there is one) with what draws say of it."""
    probability = case.plan_for or case.problem.scenario.search.confidence
    asked = case.request.target.requests_per_second
    draws, studied = draws_of(case, design), study_of(case, design, used_of(case, design))
    columns = draws.of(choice_of(design, case.request), design["requests_per_second"])
    sure = None
    if asked is not None:
        most = design["most_requests_per_second"]

        def search(load: float) -> Wire | None:
            best: Wire | None = engine.size_service(at_load(case, design, load))["best"]
            return None if best is None else placed(design, best)

        shares = columns[:, RATE] / most
        sure = service_risk.surest(
            draws, shares, probability, search, lambda found: choice_of(found, case.request)
        )
    cards = None if sure is None else sure[0]["cards"]["total"]
    planned = case.plan_for is not None and sure is not None
    if case.plan_for is not None and sure is None:
        most = min(case.request.limits.cards_max, design["cards"]["total"] * MOST_TIMES)
        sureness = f"{100.0 * probability:g} % certainty"
        case.unsure = f"no service of up to {most:,} cards carries the load with {sureness}; the central plan"
    if planned and sure is not None:
        choice = choice_of(sure[0], case.request)
        question = serving_wire.EvaluateServiceRequest(problem=case.request, design=choice)
        design = engine.evaluate_service(question)
        columns = draws.of(choice, design["requests_per_second"])
        studied = study_of(case, design, used_of(case, design))
    least = None if asked is None else fewest_of(draws, design, asked)
    choice = choice_of(design, case.request)
    found = service_risk.risk_of(
        draws, columns, design, choice, studied, probability, cards, planned, fewest=least
    )
    return design, found, studied


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


def drawn_service(case: ServiceCase, design: Wire) -> tuple[Risk, Study]:
    """What draws say of a service that is there already."""
    draws, studied = draws_of(case, design), study_of(case, design, used_of(case, design))
    choice = choice_of(design, case.request)
    columns = draws.of(choice, design["requests_per_second"])
    probability = case.problem.scenario.search.confidence
    found = service_risk.risk_of(
        draws, columns, design, choice, studied, probability, None, planned_for=False
    )
    return found, studied
