"""When nothing fits, the answer says what stops it and what comes nearest."""

from __future__ import annotations

from typing import Any

import planner


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
