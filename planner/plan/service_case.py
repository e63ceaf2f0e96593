"""A scenario of a service with its problem: what every question about one starts from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner import engine
from planner.plan.case import DEFAULT_SAMPLES, Clocked, refuse_no_target
from planner.plan.draws import check_samples
from planner.plan.maturity import class_of
from planner.problem import serving_wire
from planner.problem.evidence import Figure
from planner.problem.service import ServiceProblem, build_service
from planner.scenario.service import ServiceScenario
from planner.specs import SpecLibrary

Wire = Mapping[str, Any]
NO_CLASS = "workload.workload_class is not given: nothing is said of how mature the chip's software is for it"


@dataclass
class ServiceCase(Clocked):
    """A scenario of a service with its problem, and what is noted on the way to the plan."""

    problem: ServiceProblem
    command: str | None
    progress: engine.Progress | None = None
    interrupt: engine.Interrupt | None = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    samples: int = 0
    """Draws of everything uncertain; 0: one figure at a time."""
    plan_for: float | None = None
    """Plan for the cards that carry the load with this probability, not for the central answer."""
    unsure: str | None = None
    """Why there is no plan for that probability, once it is known: the answer is no, the plan the nearest."""

    @property
    def library(self) -> SpecLibrary:
        """Where the figures come from."""
        return self.problem.library

    @property
    def request(self) -> serving_wire.ServiceRequest:
        """``service/1``."""
        return self.problem.request

    def search(self, request: serving_wire.ServiceRequest) -> Wire:
        """The engine's answer to ``request``, told as it goes and cut short by Ctrl-C."""
        begun = time.perf_counter()

        def watch(counts: dict[str, Any]) -> None:
            if counts["found"]:
                self.seconds.setdefault("first_plan", time.perf_counter() - begun)
            if self.progress is not None:
                self.progress(counts)

        found: Wire = self.timed("search", lambda: engine.size_service(request, watch, self.interrupt))
        return found


def open_service(
    scenario: ServiceScenario,
    library: SpecLibrary,
    *,
    command: str | None = None,
    no_estimates: bool = False,
    progress: engine.Progress | None = None,
    interrupt: engine.Interrupt | None = None,
    samples: int = 0,
    plan_for: float | None = None,
) -> ServiceCase:
    """Build the problem of a scenario; ``samples`` and ``plan_for`` as for `planner.plan.case.open_case`.

    Raises:
        ScenarioError: names or wishes that cannot be.
        MissingFigureError: a figure is missing, or ``no_estimates`` and some are estimated (they are listed).
    """
    started = time.perf_counter()
    if samples or plan_for is not None:
        samples = samples or DEFAULT_SAMPLES
        check_samples(samples, scenario.search.seed)
        loaded = (
            scenario.target.requests_per_second is not None or scenario.target.tokens_per_second is not None
        )
        refuse_no_target(loaded, plan_for, "target.requests_per_second")
    problem = build_service(scenario, library, no_estimates=no_estimates)
    case = ServiceCase(problem, command, progress, interrupt, list(problem.notes), started=started)
    if class_of(scenario.workload) is None:
        case.notes.append(NO_CLASS)
    case.samples, case.plan_for = samples, plan_for
    case.seconds["problem"] = time.perf_counter() - started
    return case


def used_of(case: ServiceCase, design: Wire | None) -> list[Figure]:
    """The figures that a design rests on; all of the problem's where there is no design."""
    if design is None:
        return list(case.problem.figures)
    names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
    return [figure for figure in case.problem.figures if figure.used_by(*names)]


def accelerator_of(case: ServiceCase, design: Wire | None) -> str:
    """Id of the chip of a design; of the first contender where there is none."""
    return str(design["accelerator"]) if design else case.request.clusters[0].accelerator


def chip_of(case: ServiceCase, design: Wire | None) -> str:
    """Name of the chip of a design, without its long form; of the first contender where there is none."""
    return case.library.accelerator(accelerator_of(case, design)).name.split("(")[0].strip()
