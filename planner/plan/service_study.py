"""A chosen service asked again: with figures moved, at other loads, for a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError
from planner.plan import assemble, figures
from planner.plan.bands import Z90, ModelError, Uncertain
from planner.plan.service_bands import ServiceStudy, scaled_rates, study_service
from planner.plan.service_case import ServiceCase, accelerator_of
from planner.plan.service_evidence import first_port_errors
from planner.problem import serving_wire
from planner.problem.evidence import SERVING_CONSTANTS, SERVING_SOFTWARE, Figure
from planner.problem.service import build_service
from planner.scenario.service import ServiceScenario
from planner.software.serving import serving_constants

Wire = Mapping[str, Any]
ITEMS_SIGMA = 0.3
"""Of ln(time) of generic items, beside the serving model's own error: an estimate, since no run of items is
at hand. Convolutions and look-ups reach other shares of the peaks than the products of language models do."""
MOST_TIMES = 8
"""Times the cards of the central answer that "90 % sure" looks at, at most."""


def choice_of(design: Wire, request: serving_wire.ServiceRequest) -> serving_wire.ServiceChoice:
    """A design as the engine takes it: what to evaluate again."""
    named = [
        serving_wire.NamedPool(
            instance=serving_wire.Instance(**item["instance"]), instances=item["instances"]
        )
        for item in design["pools"]
    ]
    caps = request.clusters[design["cluster"]].power_caps
    return serving_wire.ServiceChoice(
        cluster=design["cluster"],
        fabric=design["fabric_index"],
        cooling=design["cooling_index"],
        cap=caps.index(design["power_cap"]),
        precision=design["precision_index"],
        cards=design["cards"]["total"],
        prefill=named[0] if len(named) > 1 else None,
        main=named[-1],
    )


def only_this_service(case: ServiceCase, design: Wire) -> ServiceScenario:
    """The scenario with nothing but the plant of ``design`` to choose from."""
    scenario = case.problem.scenario
    software = case.problem.softwares[design["cluster"]].id
    return scenario.model_copy(
        update={
            "hardware": scenario.hardware.model_copy(update=assemble.plant_keys(design)),
            "workload": scenario.workload.model_copy(update={"software": software}),
        }
    )


def study_of(case: ServiceCase, design: Wire, used: Sequence[Figure]) -> ServiceStudy:
    """The chosen service again, with every figure of the hardware at the ends of its range."""
    plant = only_this_service(case, design)
    base = build_service(plant, case.library).request
    # At the load of the plan: where none is asked for, that which it carries at most.
    loaded = base.target.model_copy(update={"requests_per_second": design["requests_per_second"]})
    base = base.model_copy(update={"target": loaded, "search": base.search.unsimulated()})
    choice = choice_of(design, case.request).model_copy(
        update={"cluster": 0, "fabric": 0, "cooling": 0, "cap": 0}
    )

    def question(figure: Uncertain, value: float) -> serving_wire.EvaluateServiceRequest:
        request = build_service(plant, case.library, {figure.place: value}).request
        request = request.model_copy(update={"target": loaded, "search": request.search.unsimulated()})
        return serving_wire.EvaluateServiceRequest(problem=request, design=choice)

    ends = [(figure, value) for figure in moving(used) for value in (figure.low, figure.high)]
    # All at once: the core works on as many as there are processors.
    answers = engine.evaluate_services([question(*end) for end in ends], threads=0)
    known = {(figure.key, value): answer for (figure, value), answer in zip(ends, answers, strict=True)}

    def moved(figure: Uncertain, value: float) -> Wire | None:
        return _answered(known[figure.key, value])

    def slowed(factor: float) -> Wire | None:
        return _evaluated(base.model_copy(update={"target": loaded.slowed(factor)}), choice)

    closed = design["closed_requests_per_second"] or design["most_requests_per_second"]
    central = {**design, "most_requests_per_second": closed}
    found = study_service(central, moving(used), moved, slowed, errors(case, design))
    # A simulation confirmed a share of what the closed forms say; so it is at the ends of the ranges.
    return scaled_rates(found, design["most_requests_per_second"] / closed)


def _answered(answer: Wire | EngineError) -> Wire | None:
    """The service; None where the problem cannot even be stated or it does not fit."""
    if not isinstance(answer, EngineError):
        return answer
    if answer.exit_code == EXIT_BUG:
        raise answer
    return None


def _evaluated(request: serving_wire.ServiceRequest, choice: serving_wire.ServiceChoice) -> Wire | None:
    (answer,) = engine.evaluate_services(
        [serving_wire.EvaluateServiceRequest(problem=request, design=choice)], threads=1
    )
    return _answered(answer)


def moving(used: Sequence[Figure]) -> list[Uncertain]:
    """Figures with a range that are not the serving model's own.

    The residual and the spread are scatter of runs that neither constants nor profile had seen: they hold
    their errors, which are not counted again.
    """
    held = (SERVING_CONSTANTS, SERVING_SOFTWARE)
    return [item for item in figures.uncertain(used) if item.place.kind not in held]


def errors(case: ServiceCase, design: Wire) -> list[ModelError]:
    """The model's own errors on time, and what a first port adds."""
    software = case.problem.softwares[design["cluster"]]
    items = case.request.served.kind == "generic"
    return [
        ModelError("the serving model's own error", serving_constants().residual.value),
        ModelError(f"software ({software.id})", software.spread.value),
        *_elsewhere(case, design),
        *([ModelError("items: none was ever measured", ITEMS_SIGMA)] if items else []),
        *first_port_errors(case, design),
    ]


def _elsewhere(case: ServiceCase, design: Wire) -> list[ModelError]:
    """What a team and machine that no run of the fit is from add: they are slower far more often than faster.

    Nothing where own serving runs anchor the chip.
    """
    card = case.library.accelerator(accelerator_of(case, design))
    if case.library.efficiency_of(card).serving_time is not None:
        return []
    laws = serving_constants()
    fast, slow = laws.elsewhere_fast.value, laws.elsewhere_slow.value
    return [ModelError("a team and machine without runs", fast, Z90 * (slow - fast))]


def on_plant(
    request: serving_wire.ServiceRequest, design: Wire, load: float, most: int
) -> serving_wire.ServiceRequest:
    """A request with nothing but the plant of ``design`` to choose from, for the fewest of ``most`` cards."""
    only = narrowed(request, design)
    return only.model_copy(
        update={
            "target": request.target.model_copy(update={"requests_per_second": load}),
            "limits": request.limits.model_copy(
                update={"cards_max": most, "cards_min": min(request.limits.cards_min, most)}
            ),
            "search": only.search.model_copy(update={"objective": "cards"}),
        }
    )


def narrowed(request: serving_wire.ServiceRequest, design: Wire) -> serving_wire.ServiceRequest:
    """The same question with nothing but the plant of ``design`` to choose from, not simulated."""
    cluster = request.clusters[design["cluster"]]
    index = design["cluster"]
    only = cluster.model_copy(
        update={
            "fabrics": (cluster.fabrics[design["fabric_index"]],),
            "coolings": (cluster.coolings[design["cooling_index"]],),
            "power_caps": (design["power_cap"],),
        }
    )
    return request.model_copy(
        update={
            "clusters": (only,),
            "software": (request.software[index],),
            "families": (request.families[index],),
            "search": request.search.unsimulated(front=()),
        }
    )
