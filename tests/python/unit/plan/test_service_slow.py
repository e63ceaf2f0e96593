"""The cards of the first line of a service carry the load in as many draws as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import engine
from planner.plan.bands import Uncertain
from planner.plan.service_bands import NOTHING, SlowEnd, study_service
from planner.plan.service_case import open_service, used_of
from planner.plan.service_draws import RATE
from planner.plan.service_fewest import placed
from planner.plan.service_slow import confidence_of, reach_of, slow_world, slowness
from planner.plan.service_solve import draws_of
from planner.plan.service_study import choice_of, study_of
from planner.problem.serving_wire import LatencyTarget, ServiceTarget
from planner.scenario import load
from planner.specs import SpecLibrary

EXAMPLE = Path(__file__).parents[4] / "examples/llama70b-compare.toml"


def test_twice_the_time_is_twice_the_load_within_half_the_latencies() -> None:
    target = ServiceTarget(
        requests_per_second=10.0,
        ttft=LatencyTarget(seconds=2.0, quantile=0.9),
        tokens_per_second_per_card=5.0,
    )
    slowed = target.slowed(2.0)
    assert slowed.requests_per_second == 20.0
    assert slowed.tokens_per_second_per_card == 10.0
    assert slowed.ttft == LatencyTarget(seconds=1.0, quantile=0.9)
    assert slowed.tpot is None


def test_the_cards_that_are_sure_carry_the_load_in_so_many_draws_and_the_central_ones_do_not() -> None:
    case = open_service(
        load(EXAMPLE, ["hardware.systems=hgx-h20"]), SpecLibrary.from_environment(), samples=256
    )
    design = engine.size_service(case.request)["best"]
    studied = study_of(case, design, used_of(case, design))
    sure = confidence_of(case, design, studied)
    assert sure is not None
    assert sure.cards is not None
    # Two latencies share the risk of a tenth: the standard normal quantile at 95 %.
    assert reach_of(case, 0.9) == pytest.approx(1.6449, abs=1e-4)
    world = slow_world(case, design, studied, reach_of(case, 0.9), sure.cards_tried)
    best = placed(design, engine.size_service(world)["best"])
    draws, asked = draws_of(case, design), design["requests_per_second"]
    met = [
        float((draws.of(choice_of(item, case.request), asked)[:, RATE] >= asked).mean())
        for item in (design, best)
    ]
    assert met[0] < 0.7
    assert 0.9 <= met[1] < 0.99


def test_a_figure_slows_no_step_by_more_than_its_own_factor() -> None:
    peak = Uncertain("peak", "a.peak", 80.0, 120.0)
    # At the edge of its latencies the load fell to nothing: the peak itself is 100/80 lower.
    assert slowness(SlowEnd(peak, 80.0, 6.9), 100.0) == pytest.approx(0.2231, abs=1e-4)
    assert slowness(SlowEnd(peak, 80.0, 0.1), 100.0) == 0.1


def test_a_range_with_an_end_without_any_load_has_none_at_its_low_end() -> None:
    def design(rate: float) -> dict[str, object]:
        return {
            "most_requests_per_second": rate,
            "facility": {"facility_megawatts": 1.0},
            "cost": {"capex_usd": None},
        }

    peak = Uncertain("peak", "a.peak", 80.0, 120.0)
    study = study_service(
        design(10.0), [peak], lambda _, value: design(0.0 if value < 100.0 else 12.0), lambda _: None, []
    )
    band = study.bands.requests_per_second
    assert band is not None
    assert (band.p10, band.p50, band.p90) == (0.0, 10.0, pytest.approx(12.0))
    assert study.slow[0].value == 80.0
    assert study.slow[0].slower_ln == pytest.approx(6.908, abs=1e-3)
    assert NOTHING == 1e-3
    assert "no load meets the latencies" in study.risks[0]
