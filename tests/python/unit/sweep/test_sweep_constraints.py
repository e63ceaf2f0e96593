"""Constraints: arithmetic and comparisons over axes, and nothing that could do harm."""

from __future__ import annotations

import pytest

from planner.errors import ScenarioError
from planner.sweeps.constraints import Constraint, plain

NAMES = ("limits.cards.max", "layout.tp", "system", "power")
VALUES = {"limits.cards.max": 1024, "layout.tp": 8, "system": "dgx-h100", "power": "30 MW"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("limits.cards.max % 64 == 0", True),
        ("limits.cards.max // layout.tp < 128", False),
        ("512 <= limits.cards.max <= 2048", True),
        ("system in ['dgx-h100', 'hgx-h20']", True),
        ("not system == 'dgx-h100' or layout.tp > 4", True),
        ("power > '29_000 kW' and power < 31e6", True),
        ("-layout.tp + 10 == 2", True),
    ],
)
def test_conditions_are_told(text: str, holds: bool) -> None:
    assert Constraint(text, NAMES).holds(VALUES) is holds


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "system.upper() == 'X'",
        "[x for x in power]",
        "layout.tp ** 9",
        "layout.tp ==",
        "2 if power else 3",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        Constraint(text, NAMES)


def test_an_unknown_axis_is_told_with_the_nearest() -> None:
    with pytest.raises(ScenarioError) as caught:
        Constraint("limits.card.max > 3", NAMES)
    assert caught.value.hint == "did you mean 'limits.cards.max'?"


def test_values_that_cannot_be_compared_are_a_fault_of_the_file() -> None:
    with pytest.raises(ScenarioError, match="cannot be told with system"):
        Constraint("system > 3", NAMES).holds(VALUES)


def test_quantities_count_in_base_units() -> None:
    assert plain("30 MW") == 30e6
    assert plain("15.6T") == 15.6e12
    assert plain("80 GiB") == 80 * 2**30
    assert plain("910b-server") == "910b-server"
