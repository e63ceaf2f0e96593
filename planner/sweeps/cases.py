"""The question of a point as a case, of training or of a service, and its answer by the right verb."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from planner.plan.case import Case
from planner.plan.service_case import ServiceCase
from planner.problem import FigureKey, Problem, build
from planner.problem.service import build_service
from planner.scenario import Scenario, ServiceScenario
from planner.specs import SpecLibrary
from planner.sweeps.points import Job, Question
from planner.sweeps.service_verbs import SERVICE_VERBS
from planner.sweeps.verbs import VERBS, Outcome

AnyCase = Case | ServiceCase

_KEPT = 64
"""Problems kept for their other sizes: cards are mostly the innermost axis."""


class Cases:
    """The cases of a sweep: points that differ in cards alone share what does not depend on them."""

    def __init__(self, job: Job, library: SpecLibrary) -> None:
        """For the points of one job."""
        self._library = library
        sizes = [name for name, path in job.scenario_keys.items() if path[:2] == ("limits", "cards")]
        self._others = [name for name in job.keys if name not in sizes] if sizes else None
        self._known: dict[str, Problem] = {}

    def case_of(self, asked: Question, scenario: Scenario | ServiceScenario) -> AnyCase:
        """The case of a point with its scenario.

        Raises:
            PlannerError: its problem cannot be stated.
        """
        if isinstance(scenario, ServiceScenario) or self._others is None or scenario.limits.cards is None:
            return case_of(scenario, self._library, asked.figures)
        place = json.dumps([asked.point.values[name] for name in self._others], default=str)
        known = self._known.get(place)
        if known is not None and scenario.limits.cards.highest is not None:
            return Case(known.with_cards(scenario.limits.cards), None)
        problem = build(scenario, self._library, figures=asked.figures or None)
        latest = dict(list(self._known.items())[1 - _KEPT :])
        # Set in one step: other threads read meanwhile.
        self._known = {**latest, place: problem}
        return Case(problem, None)


def case_of(
    scenario: Scenario | ServiceScenario,
    library: SpecLibrary,
    figures: Mapping[FigureKey, float] | None = None,
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
