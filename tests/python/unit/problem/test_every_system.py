"""Every shipped system can be planned: no figure is missing and its own rack holds it."""

from __future__ import annotations

import pytest

from planner import engine
from planner.errors import MissingFigureError
from planner.problem import Problem, build
from planner.problem.hardware import unit_cards
from planner.scenario import from_table
from planner.specs import SpecLibrary

LIBRARY = SpecLibrary()
INFERENCE_ONLY = ("atlas-300i-duo-8", "hanguang-800-8")
"""Nobody trains on them, so nobody knows what they draw in training."""


def problem(system: str) -> tuple[int, Problem]:
    units = max(1, -(-64 // unit_cards(LIBRARY.system(system))))
    cards = units * unit_cards(LIBRARY.system(system))
    table = {
        "workload": {
            "model": "llama3-8b",
            "tokens": "1T",
            "sequence": 4096,
            "batch_sequences": max(1024, 4 * cards),
        },
        "limits": {"cards": {"exactly": cards}},
        "hardware": {"systems": system},
        "site": "shanghai",
    }
    return cards, build(from_table(table), LIBRARY)


@pytest.mark.parametrize("system", [name for name in LIBRARY.ids("systems") if name not in INFERENCE_ONLY])
def test_a_small_model_trains_on_it(system: str) -> None:
    cards, question = problem(system)
    answer = engine.size(question.request)
    assert answer["best"], answer["nearest"]
    assert answer["best"]["cards"]["total"] == cards
    # Published runs of all kinds of chips lie between 0.15 and 0.6; far outside, a unit is wrong.
    assert 0.1 < answer["best"]["performance"]["mfu"] < 0.7


def test_a_card_that_nobody_trains_on_says_what_is_missing() -> None:
    with pytest.raises(MissingFigureError, match="needs 1 figure") as caught:
        problem(INFERENCE_ONLY[0])
    assert "accelerators/ascend-310p.toml: power.training_share" in caught.value.message
    assert 'extends = "ascend-310p"' in (caught.value.hint or "")
