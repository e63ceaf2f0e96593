"""Goodput of a plan over the interval between its checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.plan import assemble
from planner.problem import wire

POINTS = 41
WIDEST = 30.0
"""The interval goes this far to either side of the best one."""


def curve(request: wire.Request, design: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(seconds, goodput) around the best interval; empty where nothing ever fails.

    Never below the time of a write, where storage ends the curve.
    """
    failures = design["reliability"]
    best = failures["checkpoint_interval_seconds"]
    if best is None:
        return []
    least = max(best / WIDEST, failures["checkpoint_write_seconds"])
    steps = [least * (best * WIDEST / least) ** (place / (POINTS - 1)) for place in range(POINTS)]
    choice = wire.DesignChoice.model_validate(assemble.choice(design))
    found = []
    for seconds in steps:
        terms = request.reliability.model_copy(update={"interval_seconds": seconds})
        moved = request.model_copy(update={"reliability": terms})
        answer = engine.evaluate(wire.EvaluateRequest(problem=moved, design=choice))
        found.append((seconds, answer["reliability"]["goodput"]))
    return [point for point in found if math.isfinite(point[1])]
