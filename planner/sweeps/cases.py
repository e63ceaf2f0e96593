"""The question of a point as a case, of training or of a service, and its answer by the right verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.plan.case import Case
from planner.plan.service_case import ServiceCase
from planner.problem import FigureKey, build
from planner.problem.service import build_service
from planner.scenario import Scenario, ServiceScenario
from planner.specs import SpecLibrary
from planner.sweeps.service_verbs import SERVICE_VERBS
from planner.sweeps.verbs import VERBS, Outcome

AnyCase = Case | ServiceCase


def case_of(
    scenario: Scenario, library: SpecLibrary, figures: Mapping[FigureKey, float] | None = None
) -> AnyCase:
    """The problem of a scenario, with some figures changed.

    Raises:
        PlannerError: it cannot be stated.
    """
    if isinstance(scenario, ServiceScenario):
        problem = build_service(scenario, library, figures=figures or None)
        return ServiceCase(problem, None, notes=list(problem.notes))
    return Case(build(scenario, library, figures=figures or None), None)


def answered(verb: str, cases: Sequence[AnyCase], threads: int) -> list[Outcome]:
    """Answers in the order of the cases; those of training and of services go to the core apart."""
    found: dict[int, Outcome] = {}
    trained = {place: case for place, case in enumerate(cases) if isinstance(case, Case)}
    served = {place: case for place, case in enumerate(cases) if isinstance(case, ServiceCase)}
    found |= zip(trained, VERBS[verb](list(trained.values()), threads), strict=True)
    found |= zip(served, SERVICE_VERBS[verb](list(served.values()), threads), strict=True)
    return [found[place] for place in range(len(cases))]
