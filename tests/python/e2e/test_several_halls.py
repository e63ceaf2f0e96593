"""Several halls are filled one after the other, each with its own racks, supply and limits."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.plan.model import Plan
from planner.plan.plant_parts import Facility, HallUse

EAST = {"name": "east", "racks": 20, "rack_power": "45 kW", "supply_temperature": 25}
OLD = {"name": "old wing", "racks": 30, "rack_power": "9 kW"}
WEST = {"name": "west", "racks": 60, "rack_power": "15 kW", "supply_temperature": 22}


def asked(*halls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "workload": {"model": "llama3-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "limits": {"cards": 2048},
        "hardware": {"systems": "dgx-h100", "cooling": "contained-air", "power_caps": 1.0},
        "site": {"id": "texas", "hall": list(halls)},
        **more,
    }


def facility_of(plan: Plan) -> Facility:
    assert plan.facility is not None
    return plan.facility


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planner.size(asked(EAST, OLD, WEST))


def named(plan: Plan) -> dict[str, HallUse]:
    return {hall.name: hall for hall in facility_of(plan).halls}


def test_each_hall_packs_its_own_racks(plan: Plan) -> None:
    halls = named(plan)
    # Of 10.2 kW: two by the heat of contained air, one in racks of 15 kW.
    assert (halls["east"].servers_per_rack, halls["west"].servers_per_rack) == (2, 1)
    assert halls["east"].racks.total == 20
    assert halls["east"].full == "racks"
    assert "10.2 kW exceeds the 9.0 kW" in (halls["old wing"].holds_none or "")


def test_halls_sum_to_the_plan(plan: Plan) -> None:
    facility, halls = facility_of(plan), facility_of(plan).halls
    assert sum(hall.servers for hall in halls) == facility.servers
    for kind in ("compute", "network", "storage", "total"):
        assert sum(getattr(hall.racks, kind) for hall in halls) == getattr(facility.racks, kind)
    assert sum(hall.it_megawatts for hall in halls) == pytest.approx(facility.it_megawatts)
    mean = sum(hall.it_megawatts * hall.pue for hall in halls) / facility.it_megawatts
    assert facility.pue == pytest.approx(mean)
    assert sum(facility.pue_by_month) / 12 == pytest.approx(mean)


def test_cables_reach_from_hall_to_hall(plan: Plan) -> None:
    whole = planner.size(asked({**EAST, "racks": 200}))
    assert plan.fabric is not None
    assert whole.fabric is not None
    assert sum(line.count for line in plan.fabric.cable_lines) == plan.fabric.cables

    def longest(found: Plan) -> int:
        assert found.fabric is not None
        return max(line.metres for line in found.fabric.cable_lines)

    assert longest(plan) > 20
    assert longest(planner.size(asked({**WEST, "racks": 60}))) <= longest(plan)


def test_full_halls_are_named_with_what_would_be_taken() -> None:
    refused = planner.size(asked({**EAST, "racks": 4}, OLD, target={"days": 2}))
    assert not refused.feasible
    assert refused.nearest is not None
    assert refused.nearest.what == "target"
    whole = planner.size(asked({**EAST, "racks": 4}, OLD, limits={"cards": {"exactly": 512}}))
    assert not whole.feasible
    assert whole.nearest is not None
    assert "limits.halls" in whole.nearest.over_limits or whole.nearest.over_limits == ["limits.cards_min"]


def test_halls_that_all_refuse_have_a_nearest_design_in_other_racks() -> None:
    refused = planner.size(asked(OLD, {**OLD, "name": "older", "rack_power": "7 kW"}))
    assert not refused.feasible
    assert refused.nearest is not None
    assert "old wing: contained-air" in refused.nearest.why
    assert "older: contained-air" in refused.nearest.why
    assert refused.nearest.over_limits[0] == "site.hall"


def test_a_hall_too_warm_for_the_kind_holds_none_of_it() -> None:
    plan = planner.size(asked({**EAST, "supply_temperature": 40}, WEST))
    assert "supply temperature" in (named(plan)["east"].holds_none or "")
    assert named(plan)["west"].servers > 0


def test_halls_bound_a_service_too() -> None:
    plan = planner.size(
        {
            "workload": {"kind": "serving", "model": "llama3-8b", "input_tokens": 1024, "output_tokens": 128},
            "target": {"ttft": "1 s", "tpot": "50 ms"},
            "limits": {"cards": 256},
            "hardware": {"systems": "dgx-h100", "cooling": "contained-air", "power_caps": 1.0},
            "site": {"id": "texas", "hall": [{**EAST, "racks": 5}, OLD, {**WEST, "racks": 4}]},
        }
    )
    assert sum(hall.servers for hall in facility_of(plan).halls) == facility_of(plan).servers
    assert named(plan)["old wing"].holds_none is not None
    assert facility_of(plan).racks.total <= 9
