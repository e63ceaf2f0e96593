"""Goodput of a plan over the interval between its checkpoints."""

from __future__ import annotations

import math

from planner import engine
from planner.plan.model import Plan
from planner.plan.rivals import choice_of
from planner.problem import wire

POINTS = 41
WIDEST = 30.0
"""The interval goes this far to either side of the best one."""


def curve(request: wire.Request, plan: Plan) -> list[tuple[float, float]]:
    """(seconds, goodput) around the interval of ``plan``, an answer to ``request``.

    Empty where nothing ever fails, and without a design. Never below the time of a write, where storage ends
    the curve.
    """
    failures = plan.reliability
    best = failures.checkpoint_interval_seconds if failures else None
    if failures is None or best is None or plan.layout is None:
        return []
    least = max(best / WIDEST, failures.checkpoint_write_seconds or 0.0)
    steps = [least * (best * WIDEST / least) ** (place / (POINTS - 1)) for place in range(POINTS)]
    choice = choice_of(request, plan)
    found = []
    for seconds in steps:
        terms = request.reliability.model_copy(update={"interval_seconds": seconds})
        moved = request.model_copy(update={"reliability": terms})
        answer = engine.evaluate(wire.EvaluateRequest(problem=moved, design=choice))
        found.append((seconds, answer["reliability"]["goodput"]))
    return [point for point in found if math.isfinite(point[1])]
