"""What the chosen design does under other power caps: watts to clock to throughput."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError
from planner.plan import assemble
from planner.plan.plant_parts import CapPoint
from planner.problem import wire

CAPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of board power that the curve is drawn at."""


def cap_curve(request: wire.Request, design: Mapping[str, Any]) -> list[CapPoint]:
    """The same cards in the same layout at each cap; a cap below what an idle card draws is left out."""
    points = []
    for cap in CAPS:
        choice = wire.DesignChoice.model_validate({**assemble.choice(design), "power_cap": cap})
        try:
            found = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
        except EngineError as fault:
            if fault.exit_code == EXIT_BUG:
                raise
            continue
        speed, hall = found["performance"], found["facility"]
        rate = speed["tokens_per_second"] * speed["goodput"]
        points.append(
            CapPoint(
                power_cap=cap,
                clock=found["clock"],
                card_watts=hall["card_watts"],
                tokens_per_second=rate,
                facility_design_megawatts=hall["facility_design_megawatts"],
                tokens_per_joule=rate / (hall["facility_megawatts"] * 1e6),
            )
        )
    return points
