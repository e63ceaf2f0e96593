"""What is done at the points of a chunk: one batch of the core per pass, answers as one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError, PlannerError
from planner.plan import assemble
from planner.plan.case import Case
from planner.plan.judge import margin_of, settled, without_other_limits, without_target
from planner.problem import wire

Wire = Mapping[str, Any]


@dataclass
class Finding:
    """What was found at one point.

    Attributes:
        feasible: the answer is yes.
        design: the design that the row describes, lawful or not; None: there is none.
        reason: why not; None where ``feasible``.
        result: the core's answer to the search.
    """

    feasible: bool
    design: Wire | None
    reason: str | None
    binding: Sequence[str]
    margin: float | None
    result: Wire


Outcome = Finding | PlannerError
Verb = Callable[[Sequence[Case], int], list[Outcome]]


def size(cases: Sequence[Case], threads: int) -> list[Outcome]:
    """The cluster that meets the target, or the most that limits allow, of every case."""
    answers = engine.size_many([_bare(case.request) for case in cases], threads)
    return [answer if isinstance(answer, PlannerError) else _sized(answer) for answer in answers]


def _sized(result: Wire) -> Finding:
    nearest = result["nearest"] or {}
    return Finding(
        feasible=result["feasible"],
        design=result["best"],
        reason=None if result["feasible"] else nearest.get("why") or _rejections(result),
        binding=result["binding"],
        margin=result["margin"],
        result=result,
    )


def evaluate(cases: Sequence[Case], threads: int) -> list[Outcome]:
    """The best design on so many cards, held against target and limits, of every case."""
    outcomes: dict[int, Outcome] = {}
    asked: dict[int, wire.Request] = {}
    for place, case in enumerate(cases):
        try:
            asked[place] = _bare(settled(case))
        except PlannerError as fault:
            outcomes[place] = fault
    found = _searched(asked, threads)
    # Within the limits where that can be; else the design is shown that comes nearest, with what it exceeds.
    wide = {place: without_other_limits(asked[place]) for place, result in found.items() if _is_empty(result)}
    found |= _searched({place: request for place, request in wide.items() if request is not None}, threads)
    outcomes |= _judged(asked, found, threads)
    return [outcomes[place] for place in range(len(cases))]


def _searched(requests: Mapping[int, wire.Request], threads: int) -> dict[int, Wire | EngineError]:
    answers = engine.size_many([without_target(request) for request in requests.values()], threads)
    return dict(zip(requests, answers, strict=True))


def _is_empty(result: Wire | EngineError) -> bool:
    return not isinstance(result, EngineError) and result["best"] is None


def _judged(
    asked: Mapping[int, wire.Request], found: Mapping[int, Wire | EngineError], threads: int
) -> dict[int, Outcome]:
    """The best designs again, now with target and limits, which the search for the fastest left out."""
    outcomes: dict[int, Outcome] = {}
    again: dict[int, wire.EvaluateRequest] = {}
    for place, result in found.items():
        if isinstance(result, EngineError):
            outcomes[place] = result
        elif result["best"] is None:
            outcomes[place] = Finding(False, None, _rejections(result), (), None, result)
        elif not _asks_more(asked[place]):
            outcomes[place] = Finding(True, result["best"], None, (), None, result)
        else:
            choice = wire.DesignChoice.model_validate(assemble.choice(result["best"]))
            again[place] = wire.EvaluateRequest(problem=asked[place], design=choice)
    designs = engine.evaluate_many(list(again.values()), threads)
    for (place, request), design in zip(again.items(), designs, strict=True):
        if isinstance(design, EngineError):
            outcomes[place] = design
        else:
            outcomes[place] = _held(request.problem.target, design, found[place])
    return outcomes


def _asks_more(request: wire.Request) -> bool:
    """Whether target or limits can still say no to the fastest design on so many cards."""
    wanted = request.target.days is not None or request.target.tokens_per_second is not None
    return wanted or without_other_limits(request) is not None


def _held(target: wire.Target, design: Wire, result: Any) -> Finding:
    missed = "target" in design["broken_rules"]
    asked_for = "target.days" if target.days is not None else "target.tokens_per_second"
    over = list(design["over_limits"])
    reasons = []
    if missed:
        speed = design["performance"]
        reasons.append(
            f"the target is missed: {speed['days']:.4g} days at {speed['tokens_per_second']:.4g} tokens/s"
        )
    if over:
        reasons.append(f"over {', '.join(over)}")
    return Finding(
        feasible=not design["broken_rules"],
        design=design,
        reason="; ".join(reasons) or None,
        binding=[*([asked_for] if missed else []), *over],
        margin=margin_of(design, target),
        result=result,
    )


def _bare(request: wire.Request) -> wire.Request:
    """Without a front, runners-up and layouts as good, which no row shows."""
    only_the_best = {"front": (), "front_points": 0, "runners_up": 0, "similar": 0.0}
    return request.model_copy(update={"search": request.search.model_copy(update=only_the_best)})


def _rejections(result: Wire) -> str:
    """Why no design is lawful: what the search rejected, most frequent rule first."""
    counts = result["search"]
    rejected = sorted(((n, rule) for rule, n in counts["rejected"].items() if n), reverse=True)
    if rejected:
        return "no lawful design; rejected by " + ", ".join(f"{rule} ({n:,})" for n, rule in rejected[:4])
    refused = counts.get("refused_sizes") or []
    return f"no lawful design: {refused[0][0]}" if refused else "no lawful design"


VERBS: dict[str, Verb] = {"size": size, "evaluate": evaluate}


def is_bug(fault: PlannerError) -> bool:
    """Whether a failure is ours, not the point's."""
    return fault.exit_code == EXIT_BUG
