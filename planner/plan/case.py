"""A scenario opened: its problem, and what is noted on the way to the plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from planner import engine
from planner.errors import PlannerError
from planner.plan.draws import check_samples
from planner.problem import Problem, build, wire
from planner.scenario import Scenario, ServiceScenario
from planner.specs import SpecLibrary

Wire = Mapping[str, Any]


class Clocked:
    """Notes how long stages of an answer take."""

    seconds: dict[str, float]

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        """Do ``work`` and note how long it took."""
        begun = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begun


@dataclass
class Case(Clocked):
    """A scenario with its problem, and what is noted on the way to the plan."""

    problem: Problem
    command: str | None
    progress: engine.Progress | None = None
    interrupt: engine.Interrupt | None = None
    notes: list[str] = field(default_factory=list)
    samples: int = 0
    """Draws of everything uncertain; 0: one figure at a time."""
    plan_for: float | None = None
    unsure: str | None = None
    """Why there is no plan for that probability."""
    """Plan for the cards that meet the target with this probability, not for the central answer."""
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    cause: str | None = None
    """Of a no: what one thing is to blame, where that was found out."""
    design: Wire | None = None
    """What the plan describes, once it is made."""

    @property
    def library(self) -> SpecLibrary:
        """Where the figures come from."""
        return self.problem.library

    @property
    def request(self) -> wire.Request:
        """``problem/1``."""
        return self.problem.request

    def search(self, request: wire.Request, stage: str = "search") -> Wire:
        """The engine's answer to ``request``."""
        begun = time.perf_counter()

        def watch(counts: dict[str, Any]) -> None:
            if counts["found"]:
                self.seconds.setdefault("first_plan", time.perf_counter() - begun)
            if self.progress is not None:
                self.progress(counts)

        result: Wire = self.timed(stage, lambda: engine.size(request, watch, self.interrupt))
        return result


def open_case(
    scenario: Scenario,
    library: SpecLibrary,
    *,
    command: str | None = None,
    no_estimates: bool = False,
    progress: engine.Progress | None = None,
    interrupt: engine.Interrupt | None = None,
    samples: int = 0,
    plan_for: float | None = None,
) -> Case:
    """Build the problem of a scenario.

    ``samples``: draws of everything uncertain (0: one figure at a time); ``plan_for``: `size` plans for this
    probability of meeting the target.

    Raises:
        ScenarioError: names or wishes that cannot be.
        MissingFigureError: a figure is missing, or ``no_estimates`` and some are estimated (they are listed).
    """
    if isinstance(scenario, ServiceScenario):
        raise scenario.origin.error(
            "workload.kind", "services are answered by size and evaluate", "ask this of a training scenario"
        )
    started = time.perf_counter()
    if samples or plan_for is not None:
        samples = samples or DEFAULT_SAMPLES
        check_samples(samples, scenario.search.seed)
        refuse_no_target(scenario.target.any, plan_for, "target.days or target.tokens_per_second")
    problem = build(scenario, library, no_estimates=no_estimates)
    case = Case(
        problem, command, progress, interrupt, list(problem.notes), samples, plan_for, started=started
    )
    case.seconds["problem"] = time.perf_counter() - started
    return case


DEFAULT_SAMPLES = 1024
"""With ``--confidence`` and no number of samples."""


def refuse_no_target(target: bool, plan_for: float | None, keys: str) -> None:
    """Refuse a probability that is none, or that has no target to meet.

    Raises:
        PlannerError: with ``keys`` as what may be given.
    """
    if plan_for is None:
        return
    if not 0.0 < plan_for < 1.0:
        raise PlannerError(f"a probability lies between 0 and 1, not {plan_for}", file="--confidence")
    if not target:
        raise PlannerError(
            "a probability of meeting the target needs a target",
            file="--confidence",
            hint=f"give {keys}, or leave --confidence out",
        )
