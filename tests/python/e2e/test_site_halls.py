"""Halls that a site's file carries bound the plan as those of a scenario do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import planner
from planner.errors import PlannerError

HALL = """
[[hall]]
name = "hall A"
racks = 24
rack_power = {{ value = "{rack}", kind = "measured", source = "drawing" }}
air_power = {{ value = "900 kW", kind = "measured", source = "drawing" }}
floor_load = {{ value = {floor}, kind = "measured", source = "drawing" }}
transformers = 3
transformer_kva = {{ value = 1000, kind = "measured", source = "drawing" }}
redundancy = "N+1"

[sources.drawing]
title = "Drawing of hall A"
date = "2026"
"""


def own_site(folder: Path, rack: str = "45 kW", floor: int = 1500) -> None:
    (folder / "sites").mkdir()
    extends = 'id = "mine"\nname = "Mine"\nextends = "texas"\n'
    (folder / "sites" / "mine.toml").write_text(extends + HALL.format(rack=rack, floor=floor))


def table(**more: Any) -> dict[str, Any]:
    return {
        "workload": {"model": "llama3-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "limits": {"cards": 4096},
        "hardware": {"systems": "dgx-h100", "cooling": "contained-air"},
        "site": {"id": "mine", **more},
    }


def test_the_halls_of_a_site_file_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_site(tmp_path)
    monkeypatch.setenv("PLANNER_SPEC_PATH", str(tmp_path))
    plan = planner.size(table())
    assert plan.facility is not None
    assert plan.facility.racks.total <= 24
    assert (plan.facility.air_heat_megawatts or 0) <= 0.9
    # Two transformers carry, at a power factor of 0.96.
    assert (plan.facility.transformer_megawatts or 0) <= 2 * 0.96
    assert any("halls of mine" in note for note in plan.notes)
    assert any(name.startswith("limits.") for name in plan.binding)


def test_halls_of_the_scenario_take_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_site(tmp_path)
    monkeypatch.setenv("PLANNER_SPEC_PATH", str(tmp_path))
    small, large = (planner.size(table(hall=[{"racks": racks}])) for racks in (6, 48))
    assert small.facility is not None
    assert large.facility is not None
    assert small.facility.racks.total <= 6 < large.facility.racks.total


def test_a_busway_or_floor_that_carries_no_server_is_the_answer_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_site(tmp_path, rack="8 kW")
    monkeypatch.setenv("PLANNER_SPEC_PATH", str(tmp_path))
    plan = planner.size(table())
    assert not plan.feasible
    assert plan.nearest is not None
    assert "10.2 kW exceeds the 8.0 kW" in plan.nearest.why
    # The same question in other racks is the nearest design.
    assert plan.nearest.design is not None
    assert plan.nearest.over_limits[0] == "site.hall"


def test_a_hall_with_half_of_its_transformers_described_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_site(tmp_path)
    path = tmp_path / "sites" / "mine.toml"
    path.write_text(path.read_text().replace("transformers = 3\n", ""))
    monkeypatch.setenv("PLANNER_SPEC_PATH", str(tmp_path))
    with pytest.raises(PlannerError, match="transformer_kva go together"):
        planner.size(table())


@pytest.mark.parametrize(
    ("hall", "bound", "servers"),
    [
        # 10.2 kW servers under the 40 kW that the busway leaves each of its ten racks.
        ({"busway_power": "220 kW", "busway_racks": 10}, "busway", 2),
        ({"rack_power": "11 kW"}, "feed", 1),
        ({"rack_ports": 15}, "ports", 1),
        ({}, "cooling", None),
    ],
)
def test_what_fills_a_rack_is_named(hall: dict[str, Any], bound: str, servers: int | None) -> None:
    question = table(id="texas", hall=[{"racks": 400, **hall}])
    question["limits"] = {"cards": 1024}
    found = planner.size(question).facility
    assert found is not None
    assert found.rack_bound == bound
    if servers is not None:
        assert found.servers_per_rack == servers


def test_the_floor_of_a_hall_bounds_and_names_itself() -> None:
    # 1.8 m2 a rack with its aisles (0.6 x 3.0): 27.5 m2 hold 15 racks.
    question = table(id="texas", hall=[{"racks": 400, "floor_area": 27.5}])
    question["limits"] = {"cards": 4096}
    plan = planner.size(question)
    assert plan.facility is not None
    assert plan.facility.racks.total <= 15
    assert (plan.facility.white_space_m2 or 0) <= 27.5
    assert "limits.floor_m2" in plan.binding
