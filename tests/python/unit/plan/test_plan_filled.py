"""A plan leaves part of the memory free while any layout does, and says where cards have no work."""

from __future__ import annotations

from pathlib import Path

import planner
from planner import Plan

EXAMPLE = Path(__file__).parents[4] / "examples" / "llama3-405b-h100.toml"


def test_cards_without_work_are_remarked_on_and_spares_are_not() -> None:
    idle, busy = (planner.size(EXAMPLE, set={"limits.cards.exactly": cards}) for cards in (65_536, 16_384))
    assert any("have no work" in note for note in idle.notes)
    assert not any("have no work" in note for note in busy.notes)


def sized(**changes: object) -> Plan:
    return planner.size(EXAMPLE, set={"limits.cards.exactly": 18_000, **changes})


def filled(plan: Plan) -> float:
    assert plan.memory
    return plan.memory.per_device_bytes / plan.memory.capacity_bytes


def test_a_plan_leaves_a_twentieth_of_the_memory_free_and_no_more_if_told_so() -> None:
    roomy, full = sized(), sized(**{"search.memory_headroom": 0.0})
    assert filled(roomy) <= 0.95 < filled(full)
    assert roomy.performance
    assert full.performance
    # What it costs is next to nothing.
    assert 1.0 <= roomy.performance.days / full.performance.days < 1.02
    assert roomy.space.memory_headroom == 0.05


def test_where_no_layout_leaves_that_much_one_that_fills_it_is_taken_and_the_plan_says_so() -> None:
    fewest = {"layout.tp": 8, "layout.pp": 16, "layout.recompute": "full", "layout.cp": 1}
    needed = filled(sized(**fewest))
    tight = sized(**fewest, **{"search.memory_headroom": 1.0 - 0.5 * needed})
    assert filled(tight) == needed
    assert any("search.memory_headroom" in note for note in tight.notes)
