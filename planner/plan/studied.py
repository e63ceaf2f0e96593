"""A chosen design studied: every figure at both ends of its range, and the model's own errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError
from planner.plan import assemble, figures
from planner.plan.bands import ModelError, Study, study
from planner.plan.case import Case
from planner.plan.evidence import slower_when_tight
from planner.plan.maturity import CLASS_OF, maturity_of
from planner.plan.port import less_stable, port_errors
from planner.plan.spread import Spread, spread_of
from planner.problem import Figure, Rebuilding, wire
from planner.problem.alternatives import Calibration
from planner.scenario import Scenario
from planner.scenario.limits import CardLimit
from planner.software import SoftwareProfile
from planner.software.elsewhere import elsewhere

Wire = Mapping[str, Any]


def software_of(case: Case, design: Wire | None) -> SoftwareProfile:
    """Of the design's cluster; of the first alternative where there is no design."""
    return case.problem.softwares[design["cluster"] if design else 0]


def all_errors(case: Case, design: Wire | None = None) -> list[list[ModelError]]:
    """The model's own errors of every cluster of the problem; ``design``: what a first port is tried on."""
    pairs = zip(case.problem.calibrations, case.problem.softwares, strict=True)
    return [
        [
            ModelError(f"the model's own error ({family.efficiency})", family.residual),
            ModelError(f"software ({software.id})", spread(case, software)),
            *_elsewhere(case, family),
            *_port_errors(case, place, design),
            *_memory_error(design if design and design["cluster"] == place else None),
        ]
        for place, (family, software) in enumerate(pairs)
    ]


def _port_errors(case: Case, cluster: int, design: Wire | None) -> list[ModelError]:
    """What a first port on a cluster adds to the slow side; without a design of it, its speed alone."""
    card = case.library.accelerator(case.request.clusters[cluster].accelerator)
    mature = maturity_of(case.library, card, CLASS_OF[case.problem.scenario.workload.kind])
    goodput, unsteady = 1.0, None
    if design is not None and design["cluster"] == cluster and mature.stability is not None:
        # The spares stay as they are: what they lack costs time, not lawfulness.
        request = less_stable(case.request, cluster, mature.stability.high)
        choice = wire.DesignChoice.model_validate(assemble.choice(design))
        moved = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
        goodput, unsteady = design["performance"]["goodput"], moved["performance"]["goodput"]
    return port_errors(mature, case.problem.calibrations[cluster].calibrated, goodput, unsteady)


def _memory_error(design: Wire | None) -> list[ModelError]:
    """What a nearly full memory adds to the slow side."""
    memory = design["memory"] if design else None
    if not memory:
        return []
    slower = slower_when_tight(memory["per_device_bytes"], memory["capacity_bytes"])
    return [ModelError("memory nearly full", slow_ln=slower)]


@dataclass(kw_only=True)
class DesignStudy(Study):
    """A study of a design of training, with the draws that its bands come from."""

    spread: Spread


def study_design(case: Case, design: Wire, used: Sequence[Figure]) -> DesignStudy:
    """The chosen design again, with every figure at the ends of its range, and under draws of all of them."""
    plant, choice = only_this(case, design)
    calibration = case.problem.calibrations[design["cluster"]]
    software = software_of(case, design)
    errors = [
        ModelError("the model's own error", calibration.residual),
        ModelError(f"software ({software.id})", spread(case, software)),
        *_elsewhere(case, calibration),
        *_port_errors(case, design["cluster"], design),
        *_memory_error(design),
    ]
    rebuilt = Rebuilding(plant, case.library)
    moving = figures.uncertain(used)
    ends = [(item.place, value) for item in moving for value in (item.low, item.high)]
    designs = dict(zip(ends, _evaluated(case, [rebuilt(dict([end])) for end in ends], choice), strict=True))
    found = study(design, moving, lambda item, value: designs[item.place, value], errors)
    seed = case.problem.scenario.search.seed
    drawn = spread_of(case.problem, rebuilt.central, used, errors, rebuilt, seed)
    found.bands = drawn.bands(choice, design, found.bands, case.problem.request.target.days)
    return DesignStudy(**vars(found), spread=drawn)


def _evaluated(case: Case, requests: Sequence[wire.Request], choice: wire.DesignChoice) -> list[Wire | None]:
    """A design under many requests; None where it cannot be built: a finding, not a failure."""
    asked = [wire.EvaluateRequest(problem=request, design=choice) for request in requests]
    found: list[Wire | None] = []
    for answer in engine.evaluate_many(asked, case.request.search.threads or 0):
        if isinstance(answer, EngineError) and answer.exit_code == EXIT_BUG:
            raise answer
        found.append(None if isinstance(answer, EngineError) else answer)
    return found


def draws_of(case: Case, design: Wire, errors: Sequence[ModelError], seed: int) -> Spread:
    """Draws of a design's plant and of ``errors``; other plants have the same draws of what they share."""
    names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
    used = [figure for figure in case.problem.figures if figure.used_by(*names)]
    rebuilt = Rebuilding(only_this(case, design)[0], case.library)
    return spread_of(case.problem, rebuilt.central, used, errors, rebuilt, seed)


def spread(case: Case, software: SoftwareProfile) -> float:
    """Spread between sources that use the software, that of experts for a mixture of experts."""
    wide = software.spread_experts if case.problem.architecture.moe is not None else None
    return (wide or software.spread).value


def _elsewhere(case: Case, calibration: Calibration) -> list[ModelError]:
    """What a machine that no run of the fit is from adds; nothing where its own runs anchor the figures."""
    if calibration.own_runs:
        return []
    return [
        ModelError("a team and machine without runs", elsewhere(case.problem.architecture.moe is not None))
    ]


def only_this(case: Case, design: Wire) -> tuple[Scenario, wire.DesignChoice]:
    """The scenario with nothing but the plant of ``design`` to choose from, and the design in it.

    Hundreds of problems are built from it for the bands; the fewer alternatives, the faster.
    """
    scenario = case.problem.scenario
    workload = {"software": software_of(case, design).id}
    # `evaluate` may have been asked about more cards than the scenario allows.
    bought = CardLimit(exactly=design["cards"]["total"])
    plant = scenario.model_copy(
        update={
            "hardware": scenario.hardware.model_copy(update=assemble.plant_keys(design)),
            "workload": scenario.workload.model_copy(update=workload),
            "limits": scenario.limits.model_copy(update={"cards": bought}),
        }
    )
    named = assemble.choice(design)
    return plant, wire.DesignChoice.model_validate({**named, "cluster": 0, "fabric": 0, "cooling": 0})
