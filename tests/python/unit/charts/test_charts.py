"""Charts hold what the answer says, and are written in every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import api
from planner.charts import check_path, save
from planner.charts import compare as compared
from planner.charts import plan as drawn
from planner.errors import PlannerError
from planner.plan.compare import Comparison
from planner.plan.model import Plan

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return api.size(ROOT / "examples/cloudmatrix-384.toml")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return api.compare(
        ROOT / "examples/power-20mw.toml",
        limit={"cards": 768},
        systems=["cloudmatrix-384", "kunlun-p800-64"],
        set=["workload.sequence=4096", "layout.vpp=1", "layout.micro_batch=1"],
    )


def rows(chart: object, place: int = 0) -> list[dict[str, object]]:
    spec = chart.to_dict()  # type: ignore[attr-defined]
    layer = spec["layer"][place] if "layer" in spec else spec
    reference = layer.get("data") or spec["data"]
    values = spec["datasets"][reference["name"]] if "name" in reference else reference["values"]
    assert isinstance(values, list)
    return values


def test_bars_of_power_add_up_to_the_grid(plan: Plan) -> None:
    assert plan.facility is not None
    total = sum(float(str(row["value"])) for row in rows(drawn.power(plan)))
    # Below a megawatt bars are kilowatts.
    assert plan.facility.facility_megawatts < 1
    assert total == pytest.approx(plan.facility.facility_megawatts * 1e3, rel=0.01)


def test_a_cap_costs_less_speed_than_power_and_its_clock_follows_the_law(plan: Plan) -> None:
    assert plan.facility is not None
    full, *capped = plan.facility.caps
    assert (full.power_cap, full.clock) == (1.0, 1.0)
    for point, before in zip(capped, plan.facility.caps, strict=False):
        assert point.clock < before.clock
        assert point.tokens_per_second < before.tokens_per_second
        assert point.facility_design_megawatts < before.facility_design_megawatts
        # Memory and links do not slow down with the clock.
        assert point.tokens_per_second / full.tokens_per_second >= point.clock - 1e-9
    assert {row["what"] for row in rows(drawn.caps(plan))} == {
        "clock",
        "tokens/s",
        "MW at the grid",
        "tokens/J",
    }


def test_bars_of_cost_are_the_known_parts(plan: Plan) -> None:
    assert plan.cost is not None
    named = {row["part"] for row in rows(drawn.cost(plan))}
    assert {"servers", "building", "switches"} <= named


def test_a_rack_shows_every_server_that_it_holds(plan: Plan) -> None:
    assert plan.facility is not None
    shown = [row for row in rows(drawn.racks(plan)) if str(row["rack"]).startswith("compute")]
    assert len(shown) == plan.facility.servers_per_rack == 4
    kinds = {rack.kind: rack.racks for rack in plan.facility.elevations}
    assert (kinds["compute"], kinds["interconnect"]) == (12, 4)


def test_a_sketch_draws_at_most_sixteen_of_a_tier_and_says_so(plan: Plan) -> None:
    boxes = rows(drawn.fabric(plan), 1)
    assert sum(row["tier"] == "servers" for row in boxes) == 16
    assert any("48 servers (16 drawn)" in str(row["label"]) for row in rows(drawn.fabric(plan), 2))


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".html", b"<!DOC")])
def test_a_page_is_written_in_every_format(plan: Plan, tmp_path: Path, suffix: str, start: bytes) -> None:
    target = tmp_path / f"plan{suffix}"
    save(drawn.overview(plan), target)
    written = target.read_bytes()
    assert written.startswith(start)
    # Nothing is fetched when a page is opened.
    assert b'src="http' not in written


def test_a_comparison_draws_its_contenders_in_order(comparison: Comparison, tmp_path: Path) -> None:
    shown = [row["system"] for row in rows(compared.throughput(comparison))]
    assert shown == [item.system for item in comparison.contenders if item.feasible]
    save(compared.overview(comparison), tmp_path / "chips.svg")


@pytest.mark.parametrize("name", ["plan.pdf", "plan", "nowhere/plan.svg"])
def test_a_file_that_cannot_be_a_chart_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlannerError):
        check_path(tmp_path / name)
