"""Charts of what is uncertain draw what the plan says."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

import planner
from planner import api
from planner.charts import to_svg
from planner.charts.risk import bands, goodput, ramp, tornado
from planner.cli.main import app

EXAMPLE = Path(__file__).parents[4] / "examples/llama3-405b-h100.toml"


def test_bands_tornado_and_goodput_of_a_plan() -> None:
    plan = planner.size(EXAMPLE)
    assert "days" in to_svg(bands(plan))
    assert plan.swings["days"][0].label.split(" ")[0] in to_svg(tornado(plan))
    assert plan.reliability is not None
    points = plan.reliability.at_intervals
    best = max(point.goodput for point in points)
    # The plan's own interval is the top of the curve.
    assert best <= plan.reliability.goodput * (1 + 1e-6)
    assert points[0].goodput < best
    assert points[-1].goodput < best
    assert "goodput" in to_svg(goodput(plan))


def test_the_ramp_of_deliveries() -> None:
    assert "months from the order" in to_svg(ramp(api.supply("ascend-910c", cards=1000)))


def test_size_draws_all_charts_of_its_plan_into_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep/charts"
    words = ["size", str(EXAMPLE), "--quiet", "--charts", str(folder)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "overview.svg", "bands.svg", "goodput.svg", "tornado-days.svg", "tornado-facility-megawatts.svg",
        "tornado-capex-usd.svg",
    }  # fmt: skip
    assert all("<svg" in path.read_text(encoding="utf-8") for path in folder.iterdir())
    taken = tmp_path / "taken"
    taken.write_text("", encoding="utf-8")
    refused = CliRunner().invoke(app, ["size", str(EXAMPLE), "--charts", str(taken)])
    assert refused.exit_code != 0
