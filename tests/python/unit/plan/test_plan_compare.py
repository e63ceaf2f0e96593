"""Comparisons: one limit for all, who is first, why the others lose, and when a rank is not one."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import api
from planner.errors import ScenarioError
from planner.plan.account import Band
from planner.plan.compare import Comparison, Contender, Waterfall
from planner.plan.compare_why import level_with, why_behind
from planner.problem.market import closed_to_china
from planner.report.compare import render
from planner.specs import SpecLibrary
from planner.specs.export_control import performance_density, total_processing_performance

ROOT = Path(__file__).parents[4]
SMALL = ("workload.sequence=4096", "layout.vpp=1", "layout.micro_batch=1", "layout.recompute=none")


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary.from_environment()


@pytest.fixture(scope="module")
def comparison(library: SpecLibrary) -> Comparison:
    return api.compare(
        ROOT / "examples/power-20mw.toml",
        limit=["power=2MW"],
        systems=["dgx-h100", "gb200-nvl72", "cloudmatrix-384", "atlas-950-superpod"],
        set=SMALL,
        library=library,
    )


def test_all_keep_the_limit_at_the_grid_and_the_best_comes_first(comparison: Comparison) -> None:
    ranked = [item for item in comparison.contenders if item.feasible]
    assert [item.rank for item in ranked] == [1, 2, 3]
    assert all((item.facility_megawatts or 9.0) <= 2.0 for item in ranked)
    rates = [item.tokens_per_second or 0.0 for item in ranked]
    assert rates == sorted(rates, reverse=True)
    assert ranked[0].system == "gb200-nvl72"
    assert ranked[0].why is None
    assert all(item.why for item in ranked[1:])


def test_what_a_step_of_the_limit_is_worth_stands_beside_each(comparison: Comparison) -> None:
    ranked = [item for item in comparison.contenders if item.feasible]
    worth = [(item, price) for item in ranked for price in item.prices if price.plan is not None]
    assert any(price.constraint == "limits.facility_watts" for _, price in worth)
    for item, price in worth:
        assert price.plan is not None
        assert price.plan.system == item.system
        assert price.after > price.before
    assert "What a step of a limit is worth" in render(comparison)


def test_a_system_without_a_plan_says_why(comparison: Comparison) -> None:
    # 8,192 cards are bought whole: far beyond 2 MW.
    left = comparison.contenders[-1]
    assert (left.system, left.feasible) == ("atlas-950-superpod", False)
    assert left.refused


def test_compute_only_shrinks_from_advertised_to_goodput(comparison: Comparison) -> None:
    for item in comparison.contenders:
        if item.waterfall is not None:
            fall = item.waterfall
            steps = [fall.advertised, fall.matrix_engine, fall.kernel, fall.step, fall.goodput]
            assert steps == sorted(steps, reverse=True)
    known = {item.system: item.waterfall for item in comparison.contenders}
    huawei = known["cloudmatrix-384"]
    # 384 cards: 300 PFLOP/s as announced, 272 of the matrix engine alone.
    assert huawei is not None
    assert huawei.matrix_engine / huawei.advertised == pytest.approx(272 / 300, rel=0.05)


def test_the_text_names_the_limit_the_table_and_the_reasons(comparison: Comparison) -> None:
    text = render(comparison)
    assert "all within 2MW at the grid" in text
    assert "Why not the others" in text
    assert "advertised" in text


def _contender(rate: float, low: float, high: float, fall: tuple[float, ...]) -> Contender:
    names = ("advertised", "matrix_engine", "kernel", "step", "goodput")
    return Contender(
        system=f"s{rate:g}",
        name="chip",
        accelerator="chip",
        origin="CN",
        status="shipping",
        released="2025",
        feasible=True,
        refused=None,
        cards=100,
        facility_megawatts=0.1,
        tokens_per_second=rate,
        tokens_per_second_band=Band(p10=low, p50=rate, p90=high),
        waterfall=Waterfall(**dict(zip(names, fall, strict=True))),
    )


def test_the_reason_is_the_factor_that_is_lost_most() -> None:
    best = _contender(100, 90, 110, (110.0, 100.0, 80.0, 60.0, 55.0))
    weak = _contender(40, 35, 45, (50.0, 50.0, 40.0, 30.0, 27.5))
    assert why_behind(weak, best).startswith("x0.50: compute that the limit buys")
    slow = _contender(40, 35, 45, (110.0, 100.0, 80.0, 20.0, 18.3))
    assert why_behind(slow, best).startswith("x0.33: the best has less traffic")


def test_overlapping_ranges_are_not_a_rank() -> None:
    fall = (110.0, 100.0, 80.0, 60.0, 55.0)
    one, two, three = (
        _contender(100, 90, 110, fall),
        _contender(85, 75, 95, fall),
        _contender(50, 40, 60, fall),
    )
    assert level_with(one, [one, two, three], by_cards=False) == ["s85"]
    assert level_with(three, [one, two, three], by_cards=False) == []


def test_filters_of_origin_and_date_leave_systems_out_with_the_reason(library: SpecLibrary) -> None:
    found = api.compare(
        ROOT / "examples/power-20mw.toml",
        limit={"cards": 384},
        systems=["dgx-h100", "cloudmatrix-384"],
        set=[*SMALL, "limits.origin=CN"],
        library=library,
    )
    left = {item.system: item.refused for item in found.contenders}
    assert left["cloudmatrix-384"] is None
    assert "come from US" in (left["dgx-h100"] or "")
    with pytest.raises(ScenarioError, match="released in 2025-03, after 2024"):
        api.size(ROOT / "examples/cloudmatrix-384.toml", set=["limits.available_by=2024"], library=library)


def test_export_figures_follow_the_rule(library: SpecLibrary) -> None:
    # H20: 296 TFLOP/s at 8 bits are a TPP of 2,368, over 814 mm2 a density of 2.9: open; H100: 1,979 x 8.
    h20, h100 = library.accelerator("nvidia-h20-96gb"), library.accelerator("nvidia-h100-sxm")
    assert total_processing_performance(h20) == pytest.approx(2368, rel=0.01)
    assert performance_density(h20) == pytest.approx(2.91, rel=0.01)
    assert closed_to_china(h20) is None
    assert "3A090.a" in (closed_to_china(h100) or "")
    assert closed_to_china(library.accelerator("ascend-910c")) is None


@pytest.mark.parametrize("text", ["power", "power=", "heat=3", "cards=many", "power=20"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        api.compare(ROOT / "examples/power-20mw.toml", limit=[text])
    assert caught.value.exit_code == 2
