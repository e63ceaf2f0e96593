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
    """Of 64 ports 53 down and 11 up are 4.82:1; 48 down and 16 up are 3:1 and need no word."""
    bill = api.fabric("dgx-h100", cards=2048, oversubscription=5.0)
    assert bill.oversubscription_built == pytest.approx(53 / 11)
    assert "5:1 (4.82:1 as built)" in bill.headline
    assert "3:1:" in api.fabric("dgx-h100", cards=1024, oversubscription=3.0).headline
    alone = api.fabric("dgx-h100", cards=16, oversubscription=3.0)
    assert alone.oversubscription_built is None
    assert "nothing to taper" in alone.headline


def test_a_scenario_is_not_timed_with_a_ratio_that_cannot_be_built() -> None:
    with pytest.raises(PlannerError, match="at most 63:1") as caught:
        api.size(EXAMPLES / "llama3-405b-h100.toml", set={"hardware.oversubscription": 1000})
    assert caught.value.key == "hardware.oversubscription"


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"hardware.planes": 2}, "hardware.planes"),
        ({"hardware.kinds": "torus", "hardware.oversubscription": 2}, "hardware.oversubscription"),
        (
            {
                "hardware.kinds": "dragonfly",
                "hardware.oversubscription": 1,
                "hardware.leaf_oversubscription": 2,
            },
            "hardware.leaf_oversubscription",
        ),
    ],
)
def test_a_key_of_wiring_without_effect_is_refused_in_a_scenario(asked: dict[str, Any], key: str) -> None:
    with pytest.raises(PlannerError) as caught:
        api.size(EXAMPLES / "llama3-405b-h100.toml", set=asked)
    assert caught.value.key == key
    assert caught.value.hint
    assert caught.value.exit_code == EXIT_BAD_INPUT


def test_a_cheaper_ratio_is_a_cheaper_bill() -> None:
    """Of 64 ports 51 down and 13 up, a prime, is one way of many to build 4:1."""
    bills = [api.fabric("dgx-h100", cards=2048, oversubscription=ratio) for ratio in (1.0, 2.0, 3.0, 4.0)]
    assert [bill.switches for bill in bills] == sorted((bill.switches for bill in bills), reverse=True)


def test_the_management_network_reaches_as_far_as_the_cards_do() -> None:
    bill = api.fabric("cloudmatrix-384", cards=9_600_000)
    management = {side.name: side for side in bill.side_networks}["management"]
    assert management.networks > 1
    assert management.ports > 1_188_864
