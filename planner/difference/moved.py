"""One service of a difference with its uncertain figures moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.difference.service import outputs_of_design
from planner.errors import EXIT_BUG, EngineError, PlannerError
from planner.plan import figures
from planner.plan.bands import Uncertain
from planner.plan.service_case import ServiceCase
from planner.plan.service_study import choice_of, only_this_service
from planner.problem import serving_wire
from planner.problem.evidence import SERVING_CONSTANTS, SERVING_SOFTWARE
from planner.problem.service import build_service
from planner.software.serving import serving_constants

Wire = Mapping[str, Any]
Logs = Mapping[str, float]
Outputs = Mapping[str, float | None]


def logs(side: MovedService, wanted: list[Uncertain]) -> dict[tuple[int, int], Logs]:
    """ln(moved / central) by place and end; nothing moves where the side has no such figure."""
    asked: dict[tuple[int, int], Any] = {}
    for place, figure in enumerate(wanted):
        if figure.place not in side.figures:
            continue
        for end, value in enumerate((figure.low, figure.high)):
            try:
                asked[place, end] = side.moved(figure, value)
            except PlannerError:
                continue
    answers = dict(zip(asked, side.outputs(list(asked.values())), strict=True))
    return {
        (place, end): _log(answers.get((place, end), {}), side.centre)
        for place in range(len(wanted))
        for end in (0, 1)
    }


def _log(moved: Outputs, centre: Outputs) -> Logs:
    pairs = {name: (moved.get(name), middle) for name, middle in centre.items()}
    return {name: math.log(new / old) for name, (new, old) in pairs.items() if new and old}


def _lawful(answer: Wire | EngineError) -> Wire | None:
    """A design, or None where it cannot be built; a bug is none of its reasons."""
    if isinstance(answer, EngineError):
        if answer.exit_code == EXIT_BUG:
            raise answer
        return None
    return answer


class MovedService:
    """A service's side: the same pools, at the load that they were evaluated at."""

    slowed: Mapping[str, float] = {"requests_per_second": -1.0, "usd_per_million": 1.0}

    def __init__(self, case: ServiceCase, design: Wire) -> None:
        """Of a case with the design that answers it."""
        self._case = case
        names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
        used = [figure for figure in case.problem.figures if figure.used_by(*names)]
        # The residual and the spread hold the errors of constants and profile, as in the bands of a plan.
        held = (SERVING_CONSTANTS, SERVING_SOFTWARE)
        moving = (item for item in figures.uncertain(used) if item.place.kind not in held)
        self.figures: Mapping[Any, Uncertain] = {item.place: item for item in moving}
        # Cards are bought, not predicted: what is uncertain is what they carry.
        self.centre: Outputs = {**outputs_of_design(design), "cards": None}
        self._plant = only_this_service(case, design)
        self._choice = choice_of(design, case.request).model_copy(
            update={"cluster": 0, "fabric": 0, "cooling": 0, "cap": 0}
        )
        self._load = design["requests_per_second"]
        tool = case.problem.softwares[design["cluster"]]
        # Chips of one family differ in what binds them, and pools apart from pools together: only the same
        # chip in the same mode shares the model's error.
        self.errors = [
            (f"{design['accelerator']} {design['mode']}", serving_constants().residual.value),
            (tool.id, tool.spread.value),
        ]

    def moved(self, figure: Uncertain, value: float) -> serving_wire.EvaluateServiceRequest:
        """The request that evaluates the same design with a figure at a value.

        Raises:
            PlannerError: the problem cannot be stated with it.
        """
        request = build_service(self._plant, self._case.library, {figure.place: value}).request
        target = request.target.model_copy(update={"requests_per_second": self._load})
        problem = request.model_copy(update={"target": target, "search": request.search.unsimulated()})
        return serving_wire.EvaluateServiceRequest(problem=problem, design=self._choice)

    def outputs(self, requests: list[serving_wire.EvaluateServiceRequest]) -> list[Outputs]:
        """Outputs of such requests; empty where the design cannot be built."""
        answers = map(_lawful, engine.evaluate_services(requests, threads=0))
        return [{} if answer is None else outputs_of_design(answer) for answer in answers]
