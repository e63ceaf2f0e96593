"""Charts of what is uncertain draw what the plan says."""

from __future__ import annotations

from pathlib import Path

import planner
from planner import api, engine
from planner.charts import to_svg
from planner.charts.risk import bands, goodput, ramp, tornado
from planner.plan.interval import curve
from planner.problem import build
from planner.scenario import load
from planner.specs import SpecLibrary

EXAMPLE = Path(__file__).parents[4] / "examples/llama3-405b-h100.toml"


def test_bands_tornado_and_goodput_of_a_plan() -> None:
    plan = planner.size(EXAMPLE)
    assert "days" in to_svg(bands(plan))
    assert plan.swings["days"][0].label.split(" ")[0] in to_svg(tornado(plan))
    request = build(load(EXAMPLE), SpecLibrary.from_environment()).request
    design = engine.size(request)["best"]
    points = curve(request, design)
    best = max(share for _, share in points)
    assert plan.reliability is not None
    # The plan's own interval is the top of the curve.
    assert best <= plan.reliability.goodput * (1 + 1e-6)
    assert points[0][1] < best
    assert points[-1][1] < best
    assert "goodput" in to_svg(goodput(plan, points))


def test_the_ramp_of_deliveries() -> None:
    assert "months from the order" in to_svg(ramp(api.supply("ascend-910c", cards=1000)))
