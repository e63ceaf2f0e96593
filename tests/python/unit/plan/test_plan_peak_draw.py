"""A phase of a step that draws more than the limit which the mean keeps is told as a risk."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.plan.peak_draw import phases_above_limits
from planner.problem import wire
from planner.report import chinese

MEGAWATT = 1e6


def _limits(**given: float) -> wire.Limits:
    empty: dict[str, Any] = {"facility_watts": None, "it_watts": None, "nameplate_watts": None}
    return wire.Limits(
        **{**empty, "cards_min": 1, "cards_max": 10**6, "racks": None, "capex_usd": None, **given}
    )


CLUSTER = wire.Cluster.model_construct(card_tdp=700.0, card_idle=70.0)
# 10,000 cards at a mean of 550 W and 2.5 MW beside them: IT 8 MW, at the grid 9.6 MW (1.2). In products
# 700 W: IT 9.5 MW, at the grid 11.4 MW.
DESIGN: dict[str, Any] = {
    "cards": {"total": 10_000},
    "facility": {
        "it_megawatts": 8.0,
        "facility_design_megawatts": 9.6,
        "transformer_megawatts": 9.4,
        "ups_megawatts": 8.1,
        "phases": [
            {"phase": "compute", "card_watts": 700.0, "it_megawatts": 9.5, "share_of_step": 0.64},
            {"phase": "communication", "card_watts": 300.0, "it_megawatts": 5.5, "share_of_step": 0.36},
            {"phase": "idle", "card_watts": 70.0, "it_megawatts": 3.2, "share_of_step": 0.0},
        ],
    },
}


def test_the_megawatts_of_the_phase_and_the_cap_that_helps_are_named() -> None:
    """10 MW at the grid are 8.333 MW of IT: 583 W a card beside 2.5 MW, which is 83 % of 700 W."""
    (told,) = phases_above_limits(_limits(facility_watts=10 * MEGAWATT), CLUSTER, DESIGN)
    assert told == (
        "11.4 MW at the grid on the design day in 64 % of each step (products, 700 W a card): above the "
        "limit of 10 MW, which the mean keeps; a cap of these cards at 83 % of board power keeps it inside"
    )
    said = chinese.sentence(told)
    assert said is not None
    assert all(part in said for part in ("11.4 MW", "10 MW", "83 %"))


@pytest.mark.parametrize(
    ("limits", "where"),
    [
        ({"facility_watts": 11.41 * MEGAWATT}, None),
        ({}, None),
        ({"it_watts": 9.4 * MEGAWATT}, "of IT"),
        ({"ups_watts": 9.0 * MEGAWATT}, "supplies"),
        ({"facility_watts": 11.3 * MEGAWATT, "transformer_watts": 9.5 * MEGAWATT}, "transformers"),
    ],
)
def test_the_boundary_that_is_passed_by_most_is_told(limits: dict[str, float], where: str | None) -> None:
    told = phases_above_limits(_limits(**limits), CLUSTER, DESIGN)
    assert bool(told) is (where is not None)
    assert all(str(where) in line for line in told)


def test_where_no_cap_helps_fewer_cards_do() -> None:
    (told,) = phases_above_limits(_limits(it_watts=3.0 * MEGAWATT), CLUSTER, DESIGN)
    assert "fewer cards" in told


def test_a_plan_that_fills_its_power_limit_says_so() -> None:
    plan = planner.size(
        {
            "workload": {"model": "llama3.1-8b", "tokens": "1T", "sequence": 8192, "batch_tokens": "4Mi"},
            "limits": {"power": "0.85 MW"},
            "hardware": {"systems": ["dgx-h100"], "power_caps": [1.0]},
            "site": {"id": "virginia"},
        }
    )
    assert plan.facility is not None
    drawn = max(phase.it_megawatts for phase in plan.facility.phases)
    assert drawn * plan.facility.facility_design_megawatts / plan.facility.it_megawatts > 0.85
    assert "above the limit of 0.85 MW" in plan.evidence.risks[0]
