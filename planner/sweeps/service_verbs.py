"""`size` and `evaluate` of services at the points of a chunk; as `planner.sweeps.verbs` for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from planner import engine
from planner.errors import EngineError, PlannerError
from planner.plan.service_case import ServiceCase
from planner.plan.service_judge import best_on, cards_of, held, margin_of, verdict
from planner.problem import serving_wire
from planner.sweeps.verbs import Finding, Outcome, Wire, _rejections

ServiceVerb = Callable[[Sequence[ServiceCase], int], list[Outcome]]


def size_services(cases: Sequence[ServiceCase], threads: int) -> list[Outcome]:
    """The service that carries the load, or the most that limits allow, of every case."""
    answers = engine.size_services([_bare(case.request) for case in cases], threads)
    return [answer if isinstance(answer, PlannerError) else _sized(answer) for answer in answers]


def _sized(result: Wire) -> Finding:
    return Finding(
        feasible=result["feasible"],
        design=result["best"],
        reason=None if result["feasible"] else (result["nearest"] or {}).get("why") or _rejections(result),
        binding=result["binding"],
        margin=result["margin"],
        result=result,
    )


def evaluate_services(cases: Sequence[ServiceCase], threads: int) -> list[Outcome]:
    """The most that so many cards serve, held against load and limits, of every case."""
    outcomes: dict[int, Outcome] = {}
    counts: dict[int, int] = {}
    for place, case in enumerate(cases):
        try:
            counts[place] = cards_of(case)
        except PlannerError as fault:
            outcomes[place] = fault
    asked = [best_on(_bare(cases[place].request), count) for place, count in counts.items()]
    again: dict[int, serving_wire.EvaluateServiceRequest] = {}
    found: dict[int, Wire] = {}
    for place, result in zip(counts, engine.size_services(asked, threads), strict=True):
        if isinstance(result, EngineError):
            outcomes[place] = result
        elif result["best"] is None:
            outcomes[place] = _sized({**result, "feasible": False})
        else:
            found[place] = result
            again[place] = held(cases[place].request, result["best"], counts[place])
    designs = engine.evaluate_services(list(again.values()), threads)
    for place, design in zip(again, designs, strict=True):
        outcomes[place] = (
            design if isinstance(design, EngineError) else _held(cases[place].request, design, found[place])
        )
    return [outcomes[place] for place in range(len(cases))]


def _held(asked: serving_wire.ServiceRequest, design: Wire, result: Wire) -> Finding:
    judged = verdict(asked, design, named=False)
    missed = judged.meets_target is False
    reasons = []
    if missed:
        most = design["most_requests_per_second"]
        reasons.append(f"the load is missed: at most {most:.4g} requests/s within the latencies")
    if judged.over_limits:
        reasons.append(f"over {', '.join(judged.over_limits)}")
    return Finding(
        feasible=not missed and not judged.over_limits,
        design=design,
        reason="; ".join(reasons) or None,
        binding=[*result["binding"], *judged.over_limits],
        margin=margin_of(asked, design),
        result=result,
    )


def _bare(request: serving_wire.ServiceRequest) -> serving_wire.ServiceRequest:
    """Without a front, which no row shows."""
    return request.model_copy(update={"search": request.search.model_copy(update={"front": ()})})


SERVICE_VERBS: Mapping[str, ServiceVerb] = {"size": size_services, "evaluate": evaluate_services}
