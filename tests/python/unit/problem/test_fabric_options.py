"""Options of a fabric that would be dropped, or built as something else, are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import api
from planner.errors import EXIT_BAD_INPUT, PlannerError

EXAMPLES = Path(__file__).parents[4] / "examples"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"planes": 3}, "--planes 3 is of multi-plane fabrics"),
        ({"leaf_oversubscription": 4.0}, "of three tiers or more; so many cards take 2"),
        ({"kind": "torus", "oversubscription": 2.0}, "a torus has none"),
        ({"kind": "dragonfly", "leaf_oversubscription": 2.0}, "a dragonfly has none"),
        ({"oversubscription": 64.0}, "64:1 leaves a switch of 64 ports no uplink"),
        ({"leaf_oversubscription": 1000.0}, "1,000:1 leaves a switch of 64 ports no uplink"),
    ],
)
def test_an_option_without_effect_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(PlannerError) as caught:
        api.fabric("dgx-h100", cards=1024, **asked)
    assert said in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == EXIT_BAD_INPUT


def test_leaves_are_tapered_where_there_are_three_tiers() -> None:
    assert len(api.fabric("dgx-h100", cards=16384, leaf_oversubscription=3.0).tiers) == 3


def test_the_ratio_as_built_stands_beside_the_one_asked_for() -> None:
    """Of 64 ports 51 down and 13 up are 3.92:1; 48 down and 16 up are 3:1 and need no word."""
    bill = api.fabric("dgx-h100", cards=1024, oversubscription=4.0)
    assert bill.oversubscription_built == pytest.approx(51 / 13)
    assert "4:1 (3.92:1 as built)" in bill.headline
    assert "3:1:" in api.fabric("dgx-h100", cards=1024, oversubscription=3.0).headline
    alone = api.fabric("dgx-h100", cards=16, oversubscription=3.0)
    assert alone.oversubscription_built is None
    assert "nothing to taper" in alone.headline


def test_a_scenario_is_not_timed_with_a_ratio_that_cannot_be_built() -> None:
    with pytest.raises(PlannerError, match="at most 63:1") as caught:
        api.size(EXAMPLES / "llama3-405b-h100.toml", set={"hardware.oversubscription": 1000})
    assert caught.value.key == "hardware.oversubscription"
