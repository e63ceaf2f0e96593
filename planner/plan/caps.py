"""What the chosen design does under other power caps: watts to clock to throughput."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError
from planner.plan import assemble
from planner.plan.plant_parts import CapPoint, HotDay
from planner.problem import heat, wire

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


def hot_day(request: wire.Request, design: Mapping[str, Any], found: heat.HotDay | None) -> HotDay | None:
    """The design on the hot design day: its own cap, or the one that the heat leaves where that is lower.

    None where the day is not known, or the heat leaves less than an idle card draws.
    """
    if found is None:
        return None
    cap = min(design["power_cap"], found.cap)
    choice = wire.DesignChoice.model_validate({**assemble.choice(design), "power_cap": cap})
    try:
        slow = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
    except EngineError as fault:
        if fault.exit_code == EXIT_BUG:
            raise
        return None
    speed = slow["performance"]
    return HotDay(
        ambient_celsius=found.ambient_celsius,
        ambient="wet" if found.ambient == "wet" else "dry",
        supply_celsius=found.supply_celsius,
        limit_celsius=found.limit_celsius,
        power_cap=found.cap,
        held=design["power_cap"] <= found.cap + 1e-9,
        clock=slow["clock"],
        tokens_per_second=speed["tokens_per_second"] * speed["goodput"],
        hours_per_year=found.hours,
    )
