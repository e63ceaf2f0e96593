"""Layouts as people name them."""

from __future__ import annotations

import pytest

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
