"""Supply temperatures: chillers, hot days, lawful rooms; against closed forms and numbers worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.errors import PlannerError
from planner.problem.climate import water_by_month
from planner.problem.figures import Figures
from planner.problem.heat import design_share, heat_cap, hours_above, room
from planner.scenario.site import SiteChoice
from planner.specs import SpecLibrary


def test_the_cap_of_heat_is_linear_between_the_warmest_supply_and_the_junction() -> None:
    # 35 degC of 87 leave 52 kelvins for full power: at 48 degC 39 are left, three quarters.
    assert heat_cap(48.0, 35.0, 87.0) == pytest.approx(0.75)
    assert heat_cap(30.0, 35.0, 87.0) == 1.0
    assert heat_cap(90.0, 35.0, 87.0) == 0.0


def test_half_of_the_hours_lie_above_the_mean_and_a_sixth_above_one_spread() -> None:
    assert hours_above([20.0] * 12, 20.0, 5.0) == pytest.approx(4380.0)
    assert hours_above([20.0] * 12, 25.0, 5.0) == pytest.approx(8760.0 * 0.158655, rel=1e-4)
    # Half of the months are far too cold.
    assert hours_above([20.0] * 6 + [-40.0] * 6, 20.0, 5.0) == pytest.approx(2190.0)


def test_the_ramp_of_a_design_day_has_ends() -> None:
    assert [design_share(t, 13.0, 22.0) for t in (5.0, 17.5, 30.0)] == [0.0, 0.5, 1.0]


def test_water_of_the_months_has_the_mean_of_the_year() -> None:
    found = water_by_month(1.2, [0.0] * 6 + [1.0] * 6)
    assert found == (0.0,) * 6 + (2.4,) * 6
    assert water_by_month(0.02, [0.0] * 12) == (0.02,) * 12


def _room(kind: str, site: str, **choice: Any) -> Any:
    library = SpecLibrary.from_environment()
    place = library.site(site)
    facility = library.part(f"facility-{place.country.lower()}")
    return room(kind, place, SiteChoice(id=site, **choice), facility, Figures(library))


def test_warmer_air_needs_fewer_chillers_and_colder_liquid_more() -> None:
    def pue(kind: str, degrees: float) -> float:
        return float(_room(kind, "shanghai", hall=[{"racks": 1, "supply_temperature": degrees}]).pue)

    planned = SpecLibrary.from_environment().site("shanghai").cooling
    assert pue("contained-air", 25.0) == pytest.approx(planned["contained-air"].pue.value)
    assert pue("contained-air", 18.0) > pue("contained-air", 25.0) > pue("contained-air", 30.0)
    assert pue("cold-plate", 40.0) == pytest.approx(planned["cold-plate"].pue.value)
    assert pue("cold-plate", 25.0) > pue("cold-plate", 40.0)
    # All chillers of the year: PUE falls by 0.24 times the share that they took.
    bare = _room("contained-air", "shanghai", chillers=False)
    assert bare.pue < pue("contained-air", 32.0)


def test_the_liquid_of_texas_is_one_kelvin_too_warm_on_its_design_day() -> None:
    # 38 degC and the approach of 8 K against 45: (87 - 46) / (87 - 45).
    found = _room("cold-plate", "texas").hot_day
    assert (found.supply_celsius, found.cap) == (46.0, pytest.approx(41 / 42))
    assert 0 < found.hours < 876
    assert _room("cold-plate", "ulanqab").hot_day.cap == 1.0
    # Chillers hold the air; without them 28.5 degC of wet bulb and 12 K of approach reach the servers.
    assert _room("contained-air", "singapore").hot_day.cap == 1.0
    assert _room("contained-air", "singapore", chillers=False).hot_day.cap == pytest.approx(46.5 / 52)


def _question(**site: Any) -> dict[str, Any]:
    return {
        "workload": {"model": "llama3-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "limits": {"cards": 256},
        "hardware": {"systems": "dgx-h100", "cooling": "contained-air", "power_caps": [1.0]},
        "site": {"id": "shanghai", **site},
    }


def test_a_hot_day_slows_the_clocks_of_a_plan_without_chillers() -> None:
    plan = planner.size(_question(chillers=False, hot_day="slow"))
    assert plan.facility is not None
    assert plan.performance is not None
    day = plan.facility.hot_day
    assert day is not None
    assert day.power_cap < 1.0
    assert day.clock < 1.0
    assert day.tokens_per_second < plan.performance.tokens_per_second * plan.performance.goodput
    assert sum(plan.facility.wue_by_month) / 12 == pytest.approx(1.35)


def test_an_unlawful_supply_names_the_nearest_lawful_one() -> None:
    question = _question(hall=[{"racks": 99, "supply_temperature": 15}])
    question["hardware"] = {"systems": "metax-c500-server"}
    question["limits"] = {"cards": 256, "pue": 1.2}
    with pytest.raises(PlannerError, match=r"keeps to a PUE of 1.2 \(limits.pue\)") as caught:
        planner.size(question)
    assert caught.value.exit_code == 2
    assert "nearest here: rear-door with a supply of" in (caught.value.hint or "")
    assert "nearest elsewhere: iceland" in (caught.value.hint or "")
    with pytest.raises(PlannerError, match="supply of 60 degC is beyond"):
        planner.size(_question(hall=[{"racks": 99, "supply_temperature": 60}]))


def _hot(**changes: Any) -> Any:
    return planner.size(
        {
            "workload": {"model": "llama2-7b", "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
            "limits": {"cards": {"exactly": 1024}, "pue": 2.0},
            "hardware": {"systems": "dgx-h100", "cooling": "contained-air", "oversubscription": 1},
            "site": {"id": "singapore", "chillers": False},
            "layout": {"vpp": 1, "cp": 1, "recompute": "none"},
            **changes,
        }
    )


def test_the_search_caps_cards_to_what_cooling_holds_on_the_hot_day() -> None:
    # Singapore: 28.5 degC of wet bulb and 12 kelvins of approach are 40.5 degC of air.
    capped = _hot()
    assert capped.power_cap == pytest.approx((87 - 40.5) / (87 - 35))
    assert capped.facility.hot_day.held
    assert capped.facility.hot_day.clock == pytest.approx(capped.facility.caps[0].clock)
    slow = _hot(site={"id": "singapore", "chillers": False, "hot_day": "slow"})
    assert slow.power_cap == 1.0
    assert slow.performance.tokens_per_second > capped.performance.tokens_per_second
    chilled = _hot(site="singapore")
    assert chilled.power_cap == 1.0
    assert chilled.facility.chain.chiller_megawatts == pytest.approx(chilled.facility.peak_it_megawatts)
    assert capped.facility.chain.chiller_megawatts == 0.0


def test_a_supply_too_warm_all_year_is_a_cap_either_way() -> None:
    warm = {"id": "ulanqab", "hot_day": "slow", "hall": [{"racks": 2000, "supply_temperature": 50}]}
    plan = _hot(
        site=warm,
        hardware={"systems": "dgx-h100", "cooling": "cold-plate", "power_caps": 1, "oversubscription": 1},
    )
    assert plan.power_cap == pytest.approx((87 - 50) / (87 - 45))
