"""Every shipped system can be planned: no figure is missing and its own rack holds it."""

from __future__ import annotations

import pytest

from planner import engine
from planner.problem import build
from planner.problem.hardware import unit_cards
from planner.scenario import from_table
from planner.specs import SpecLibrary

LIBRARY = SpecLibrary()


@pytest.mark.parametrize("system", LIBRARY.ids("systems"))
def test_a_small_model_trains_on_it(system: str) -> None:
    units = max(1, -(-64 // unit_cards(LIBRARY.system(system))))
    cards = units * unit_cards(LIBRARY.system(system))
    table = {
        "workload": {"model": "llama3-8b", "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
        "limits": {"cards": {"exactly": cards}},
        "hardware": {"systems": system},
        "site": "shanghai",
    }
    answer = engine.size(build(from_table(table), LIBRARY).request)
    assert answer["best"], answer["nearest"]
    assert answer["best"]["cards"]["total"] == cards
    # Published runs of all kinds of chips lie between 0.2 and 0.6; far outside, a unit is wrong.
    assert 0.15 < answer["best"]["performance"]["mfu"] < 0.7
