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


TRAINING = ("cloudmatrix-384", "kunlun-30k", "llama3-405b-h100", "power-20mw")


def _layouts(found: object) -> list[dict[str, object]]:
    """Every layout somewhere in an answer."""
    inside = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    mine = [found] if isinstance(found, dict) and {"tp", "schedule"} <= set(found) else []
    return [*mine, *(layout for item in inside for layout in _layouts(item))]


@pytest.mark.parametrize("example", TRAINING)
def test_every_layout_that_a_plan_prints_is_read_back(example: str) -> None:
    plan = pl.size(f"examples/{example}.toml")
    printed = _layouts(plan.model_dump(mode="json"))
    assert printed
    for layout in printed:
        named = parse(layout)
        assert {key: named[key] for key in ("tp", "pp", "vpp", "dp")} == {
            key: layout[key] for key in ("tp", "pp", "vpp", "dp")
        }
        assert named["schedule"] in ("1f1b", "zero-bubble", "dualpipe")
    assert plan.layout is not None
    words = f"{plan.layout.short()},schedule={plan.layout.schedule}"
    assert parse(words)["schedule"] == parse(plan.layout.model_dump())["schedule"]
    again = pl.evaluate(f"examples/{example}.toml", layout=words, cards=plan.cards.total)
    assert again.performance is not None
    assert plan.performance is not None
    assert again.performance.step_seconds == plan.performance.step_seconds


def test_an_interleaved_schedule_of_one_chunk_contradicts_itself() -> None:
    with pytest.raises(ScenarioError, match="vpp above 1"):
        parse("pp=4,vpp=1,schedule=interleaved-1f1b")
