"""Cards without work in words: hot spares are told apart from what the layout leaves over."""

from __future__ import annotations

import pytest

from planner import api
from planner.plan.model import Plan
from planner.report.spares import cards_told, standing_by


@pytest.fixture(scope="module")
def plan() -> Plan:
    return api.size(
        {
            "workload": {
                "kind": "training",
                "model": "llama3-8b",
                "tokens": "1T",
                "sequence": 8192,
                "batch_sequences": 128,
                "precision": "bf16",
            },
            "limits": {"cards": {"exactly": 1016}},
            "hardware": {"systems": ["dgx-h100"]},
            "site": {"id": "virginia"},
            "layout": {"tp": 8, "pp": 1, "cp": 1, "dp": 64},
        }
    )


def test_half_the_cards_are_no_hot_spares(plan: Plan) -> None:
    assert plan.cards is not None
    assert plan.reliability is not None
    assert plan.reliability.spares is not None
    # 63 servers are left over, of which a job of 64 is worth a few.
    usual = plan.reliability.spares.servers_usual
    assert usual is not None
    assert 0 < usual < 10
    assert standing_by(plan) == usual * 8
    left = plan.cards.spare - standing_by(plan)
    assert cards_told(plan) == (
        f" (512 at work, {usual * 8} hot spares, {left} that the layout leaves without work)"
    )
