"""All charts of one plan in a folder, one file each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from planner.charts.plan import overview
from planner.charts.risk import bands, goodput, tornado
from planner.charts.save import save
from planner.charts.style import Drawn
from planner.plan.model import Plan

SUFFIX = ".svg"


def charts_of(plan: Plan) -> dict[str, Callable[[], Drawn]]:
    """Name of a file -> its chart; only what the plan has something to show for."""
    found: dict[str, Callable[[], Drawn]] = {}
    if plan.facility is not None:
        found["overview"] = lambda: overview(plan)
    if plan.bands is not None:
        found["bands"] = lambda: bands(plan)
    for output, swings in plan.swings.items():
        if swings and output in SHOWN:
            found[f"tornado-{output.replace('_', '-')}"] = partial(tornado, plan, output)
    if plan.reliability is not None and plan.reliability.at_intervals:
        found["goodput"] = lambda: goodput(plan)
    return found


SHOWN = ("days", "requests_per_second", "facility_megawatts", "capex_usd")
"""Outputs with a tornado of their own; the other timed outputs have that of the first."""


def draw(plan: Plan, folder: Path) -> list[Path]:
    """Draw `charts_of` into ``folder``, which is made where it is missing; gives the files.

    Raises:
        PlannerError: the folder or a file cannot be written, or the drawing libraries are missing.
    """
    written = []
    for name, chart in charts_of(plan).items():
        path = folder / f"{name}{SUFFIX}"
        save(chart(), path)
        written.append(path)
    return written
