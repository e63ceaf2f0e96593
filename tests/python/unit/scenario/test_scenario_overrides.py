"""``--set`` reaches every key and refuses unknown ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.errors import ScenarioError
from planner.scenario import from_table, known_keys
from planner.scenario.overrides import apply, parse

TABLE: dict[str, Any] = {
    "workload": {"model": "llama3.1-405b", "tokens": "15.6T", "sequence": 8192, "batch_sequences": 2048},
    "target": {"days": 180},
    "limits": {"cards": 30_000},
    "hardware": {"systems": "kunlun-p800-8"},
    "site": "guizhou",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("target.days=120", 120),
        ("site=texas", "texas"),
        ('site="texas"', "texas"),
        ("layout.tp=[4, 8]", [4, 8]),
        ("layout.sequence_parallel=true", True),
        ("limits.power=30 MW", "30 MW"),
        ("limits.cards={exactly = 8}", {"exactly": 8}),
        ("workload.model=a=b", "a=b"),
        ("site=x\nsmuggled = 1", "x\nsmuggled = 1"),
    ],
)
def test_values_are_toml_or_else_text(text: str, value: object) -> None:
    assert parse(text)[1] == value


def test_an_unknown_key_is_told_with_the_nearest_name() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse("target.dais=120")
    assert "target.days" in (caught.value.hint or "")
    assert caught.value.file == "--set"


@pytest.mark.parametrize("text", ["target.days", "=3", "target..days=3"])
def test_a_malformed_override_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="KEY=VALUE"):
        parse(text)


def test_a_plain_value_is_spelt_out_when_a_key_of_its_table_is_set() -> None:
    assert apply(TABLE, [parse("limits.cards.min=8")])["limits"]["cards"] == {"max": 30_000, "min": 8}
    assert apply(TABLE, [parse("site.pue=1.2")])["site"] == {"id": "guizhou", "pue": 1.2}


def test_the_table_itself_is_left_alone() -> None:
    apply(TABLE, [parse("target.days=1")])
    assert TABLE["target"] == {"days": 180}


def test_setting_one_batch_key_drops_the_other() -> None:
    scenario = from_table(TABLE, ["workload.batch_tokens=8Mi"])
    assert scenario.workload.batch_sequences is None
    assert scenario.workload.global_batch == 1024


@pytest.mark.parametrize(
    "sets",
    [
        ["workload.batch_tokens=8Mi", "workload.batch_sequences=512"],
        ["limits.cards.min=8", "limits.cards=512"],
    ],
)
def test_overrides_of_which_one_would_silently_be_lost_are_refused(sets: list[str]) -> None:
    with pytest.raises(ScenarioError, match=sets[0].partition("=")[0]):
        from_table(TABLE, sets)


def test_later_overrides_win() -> None:
    assert from_table(TABLE, ["target.days=120", "target.days=90"]).target.days == 90


def test_a_fault_of_an_override_names_the_option_not_the_file() -> None:
    with pytest.raises(ScenarioError) as caught:
        from_table(TABLE, ["target.days=-1"])
    assert (caught.value.file, caught.value.key, caught.value.line) == ("--set", "target.days", None)


def test_every_leaf_of_the_schema_can_be_set() -> None:
    keys = known_keys()
    assert {"limits.cards.exactly", "limits.power.basis", "site.tariff", "layout.dp"} <= set(keys)
    for key in keys:
        path, value = parse(f"{key}=1")
        assert (".".join(path), value) == (key, 1)


def test_the_documentation_names_every_key() -> None:
    text = (Path(__file__).parents[4] / "docs/scenario.md").read_text(encoding="utf-8")
    tables = {
        "workload",
        "target",
        "limits",
        "hardware",
        "site",
        "money",
        "layout",
        "search",
        "reliability",
        "supply",
    }
    missing = [key for key in known_keys() if key not in tables and f"`{key.split('.', 1)[1]}`" not in text]
    assert not missing
