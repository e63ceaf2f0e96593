"""Goodput of a plan over the interval between its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.lazy import np
from planner.plan.confidence import on_plant
from planner.plan.parts import AtInterval
from planner.plan.risk import DAYS
from planner.problem import wire

POINTS = 25
WIDEST = 30.0
"""The interval goes this far to either side of the best one."""
PLACE = "/reliability/interval_seconds"


def curve(plant: wire.Request, design: Mapping[str, Any]) -> list[AtInterval]:
    """Goodput of a design around its interval, evaluated again by the core at each of `POINTS`.

    Empty where nothing ever fails. Never below the time of a write, where storage ends the curve.

    Args:
        plant: the request with nothing but the plant of the design to choose.
        design: evaluated by the core.
    """
    failures, days = design["reliability"], design["performance"]["days"]
    best = failures["checkpoint_interval_seconds"]
    if best is None:
        return []
    least = max(best / WIDEST, failures["checkpoint_write_seconds"] or 0.0)
    seconds = np.geomspace(least, best * WIDEST, POINTS)
    fixed = plant.reliability.model_copy(update={"interval_seconds": best})
    request = plant.model_copy(update={"reliability": fixed})
    found = engine.sample(request, [on_plant(design)], [PLACE], seconds.reshape(-1, 1))[:, 0, DAYS]
    shares = failures["goodput"] * days / found
    return [
        AtInterval(interval_seconds=float(at), goodput=float(share))
        for at, share in zip(seconds, shares, strict=True)
        if np.isfinite(share)
    ]
