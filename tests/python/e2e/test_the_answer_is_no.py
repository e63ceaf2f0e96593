"""When nothing fits, the answer says what stops it and what comes nearest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import planner
from planner.errors import PlannerError

ROOT = Path(__file__).resolve().parents[3]


def table(model: str, system: str, **limits: Any) -> dict[str, Any]:
    return {
        "workload": {"model": model, "tokens": "1T", "sequence": 2048, "batch_sequences": 1024},
        "limits": limits,
        "hardware": {"systems": system},
        "site": "texas",
    }


def test_a_fabric_too_small_is_named_with_the_most_that_it_joins() -> None:
    # Four tiers of 40-port switches join 40 regions x 20 pods x 16 leaves x 20 ports.
    plan = planner.size(table("llama3.1-405b", "dgx-a100", cards={"exactly": 400_000}))
    assert not plan.feasible
    assert plan.nearest is not None
    assert "400000 host ports are more than the 256000" in plan.nearest.why
    assert plan.nearest.design is not None
    assert 1_000 < plan.nearest.design.cards <= 256_000
    assert plan.nearest.over_limits == ["limits.cards_min"]
    assert "nearest, with fewer cards than asked for" in plan.headline


def test_a_model_that_fits_no_layout_is_told_so() -> None:
    # 1e12 parameters x 18 bytes on at most 16 x 8 cards of 24 GiB.
    plan = planner.size(table("mg-1t", "mlu370-s4-server", cards=8))
    assert not plan.feasible
    assert plan.headline.startswith("No: no lawful layout fits into the memory of a device")
    assert plan.binding == ["memory"]


def test_little_power_is_told_with_the_least_that_would_do() -> None:
    plan = planner.size(table("llama3-8b", "dgx-h100", power="1 kW"))
    assert plan.nearest is not None
    assert plan.nearest.over_limits == ["limits.facility_watts"]
    assert plan.nearest.design is not None
    assert plan.nearest.design.cards == 8


@pytest.mark.parametrize(
    ("fixed", "rule"),
    [
        ({"tp": 7}, "heads_over_tensor"),
        ({"pp": 1000}, "layers_over_pipeline"),
        ({"pp": 1, "vpp": 4}, "interleaving"),
        ({"pp": 8, "sharding": 3}, "sharding_with_pipeline"),
        ({"pp": 3, "schedule": "dualpipe"}, "interleaving"),
        ({"dp": 700}, "batch"),
    ],
)
def test_fixings_that_empty_the_space_name_the_rule_that_emptied_it(fixed: dict[str, Any], rule: str) -> None:
    plan = planner.size(table("llama3.1-405b", "dgx-h100", cards=8192) | {"layout": fixed})
    assert not plan.feasible
    assert plan.nearest is not None
    assert rule in plan.nearest.why
    # Every candidate of the space fell by a rule: none was bounded away or timed.
    assert plan.search.enumerated == sum(plan.search.rejected.values()) > 0


def test_a_time_limit_of_zero_is_refused_with_its_key() -> None:
    asked = table("llama3-8b", "dgx-h100", cards=64) | {"search": {"time_limit": 0}}
    with pytest.raises(PlannerError) as fault:
        planner.size(asked)
    assert fault.value.key == "search.time_limit"
    assert "above zero" in fault.value.message


def test_the_shortest_time_limit_still_gives_a_plan_and_how_far_it_may_be_from_the_best() -> None:
    asked = table("llama3.1-405b", "dgx-h100", cards=100_000) | {"search": {"time_limit": 1e-6}}
    plan = planner.size(asked)
    assert not plan.complete
    assert plan.feasible
    assert plan.search.bound_gap is not None
    assert plan.search.bound_gap >= 0


def test_the_time_limit_of_the_command_line_is_that_of_the_scenario(tmp_path: Path) -> None:
    scenario = ROOT / "examples" / "cloudmatrix-384.toml"
    words = [sys.executable, "-P", "-m", "planner", "size", str(scenario), "-q", "--json", "--time-limit"]
    refused = subprocess.run([*words, "0 s"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert refused.returncode == 2
    assert "search.time_limit" in refused.stderr
    whole = subprocess.run([*words, "10 min"], capture_output=True, text=True, check=False, cwd=tmp_path)
    plan = json.loads(whole.stdout)
    assert plan["complete"]
    assert "search.time_limit=10 min" in plan["provenance"]["command"]
