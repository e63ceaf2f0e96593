"""What a plan costs where nobody tunes the software: the same design under the framework as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError
from planner.plan.account import Untuned
from planner.plan.case import Case
from planner.plan.studied import only_this, software_of
from planner.problem import build, wire


def as_it_comes(case: Case, design: Mapping[str, Any]) -> Untuned | None:
    """The chosen design timed under the untuned profile of its software.

    None where the scenario names its software (it is the user's own then), where the profile is no tuned one,
    and where no profile of the same kind as it comes is known.
    """
    software = software_of(case, design)
    if case.problem.scenario.workload.software is not None or software.as_it_comes is None:
        return None
    plant, choice = only_this(case, design)
    workload = plant.workload.model_copy(update={"software": software.as_it_comes})
    plant = plant.model_copy(update={"workload": workload})
    seconds = None
    try:
        request = build(plant, case.library).request
        found = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
        memory = found["memory"]
        if memory["per_device_bytes"] <= memory["capacity_bytes"]:
            seconds = found["performance"]["step_seconds"]
    except EngineError as fault:
        if fault.exit_code == EXIT_BUG:
            raise
    return Untuned(software=software.as_it_comes, step_seconds=seconds)
