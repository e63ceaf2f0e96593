"""Layouts as people name them."""

from __future__ import annotations

import pytest

import planner as pl
from planner.errors import ScenarioError
from planner.plan.named import parse


def test_a_layout_is_read_from_text_or_a_table() -> None:
    expected = {"tp": 8, "micro_batch": 2, "recompute": "full", "sharding": 0, "sequence_parallel": True}
    assert parse("tp=8, micro-batch=2,recompute=FULL,sharding=0,sequence_parallel=yes") == expected
    assert parse(expected) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpp=8", "did you mean 'tp'"),
        ("tp", "NAME=VALUE"),
        ("tp=0", "whole number from 1"),
        ("tp=2.5", "whole number from 1"),
        ("tp=²", "whole number from 1"),
        ("tp=8,tp=4", "given twice"),
        ("sharding=4", "from 0 to 3"),
        ("recompute=some", "none, attention, selective, full"),
        ("sequence_parallel=maybe", "true or false"),
        (" , ", "names nothing"),
    ],
)
def test_slips_are_told_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_more_cards_than_the_scenario_allows_are_answered_and_told() -> None:
    question = {
        "workload": {"model": "llama3-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "limits": {"cards": 64},
        "hardware": {"systems": "dgx-h100"},
        "site": "texas",
    }
    within = pl.evaluate(question, layout="tp=1,pp=1,dp=64")
    beyond = pl.evaluate(question, layout="tp=1,pp=1,dp=128")
    assert not any("aside" in note for note in within.notes)
    assert any("128 cards, which sets limits.cards of the scenario aside" in note for note in beyond.notes)
    assert beyond.cards is not None
    assert beyond.cards.total == 128
    assert not any("limits.cards" in risk for risk in beyond.evidence.risks)
