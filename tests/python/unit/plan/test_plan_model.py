"""plan/1: what it refuses, and its schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from planner.plan.account import Band
from planner.plan.model import Plan, json_schema, json_schema_text
from planner.plan.parts import Cards, Memory, leaves_sum
from planner.plan.plant_parts import Cost, Racks

ROOT = Path(__file__).parents[4]
SAMPLE = Path(__file__).parents[1] / "report" / "sample_plan.json"


@pytest.fixture
def sample() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return table


def test_the_exported_schema_is_current() -> None:
    # To renew it: python -c "from planner.plan.model import json_schema_text as t; print(t(), end='')"
    exported = (ROOT / "planner/data/schema/plan-1.json").read_text(encoding="utf-8")
    assert exported == json_schema_text()


def test_a_plan_is_the_same_after_writing_and_reading(sample: dict[str, Any]) -> None:
    plan = Plan.model_validate(sample)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.to_dict()["schema"] == "plan/1"


def test_cards_are_active_and_spare_in_whole_servers() -> None:
    Cards(total=16, active=12, spare=4, per_server=8, devices_per_card=1)
    with pytest.raises(ValidationError, match="are not 16"):
        Cards(total=16, active=12, spare=3, per_server=8, devices_per_card=1)
    with pytest.raises(ValidationError, match="do not fill servers of 8"):
        Cards(total=12, active=12, spare=0, per_server=8, devices_per_card=1)


def test_servers_of_the_facility_hold_the_cards(sample: dict[str, Any]) -> None:
    sample["facility"]["servers"] += 1
    with pytest.raises(ValidationError, match="whole servers"):
        Plan.model_validate(sample)


def test_leaves_sum_to_their_root() -> None:
    with pytest.raises(ValidationError, match="sum to"):
        Memory(per_device_bytes=10, capacity_bytes=20, breakdown={"weights_bytes": 9})
    leaves_sum({"a": 0.1, "b": 0.2}, 0.3, "rounding")


def test_no_leaf_is_called_other() -> None:
    with pytest.raises(ValueError, match="called other"):
        leaves_sum({"other_seconds": 1.0}, 1.0, "breakdown")


def test_parts_of_the_capital_sum_where_all_are_known() -> None:
    money = {"energy_usd_per_year": 1.0, "tco_usd_per_year": None}
    Cost(capex_usd=None, parts={"servers_usd": None, "switches_usd": 2.0}, missing=["servers"], **money)
    with pytest.raises(ValidationError, match="sum to"):
        Cost(capex_usd=5.0, parts={"servers_usd": 1.0, "switches_usd": 2.0}, missing=[], **money)


def test_racks_and_bands_are_consistent() -> None:
    with pytest.raises(ValidationError, match="add up"):
        Racks(compute=2, network=1, interconnect=0, total=4)
    with pytest.raises(ValidationError, match="p10 <= p50"):
        Band(p10=2, p50=1, p90=3)


def test_unknown_keys_and_infinities_are_refused(sample: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="extra"):
        Plan.model_validate({**sample, "surprise": 1})
    with pytest.raises(ValidationError, match="finite"):
        Plan.model_validate({**sample, "margin": float("inf")})


def test_a_feasible_plan_names_its_design(sample: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="feasible"):
        Plan.model_validate({**sample, "cards": None})


def test_every_field_of_the_plan_is_documented() -> None:
    text = (ROOT / "docs/plan.md").read_text(encoding="utf-8")
    missing = [name for name in json_schema()["properties"] if not re.search(rf"`{name}\b", text)]
    assert missing == []
