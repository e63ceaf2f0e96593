"""Layers dealt to stages by hand, as people, scripts and case files write them."""

from __future__ import annotations

import pytest

from planner.errors import ScenarioError
from planner.plan.named import parse
from planner.scenario import from_table
from planner.scenario.split import split_of, split_text, splits_of
from planner.validation.rows import Row


def test_a_split_is_read_from_text_or_a_list_and_written_back() -> None:
    assert split_of("7:9x3:12") == split_of([7, 9, 9, 9, 12]) == (7, 9, 9, 9, 12)
    assert split_text((7, 9, 9, 9, 12)) == "7:9x3:12"
    assert splits_of([[1, 2], "3x2"]) == ((1, 2), (3, 3))
    assert splits_of([1, 2]) == ((1, 2),)


@pytest.mark.parametrize("wrong", ["", "7:x", "7:9x0", [7, -1], [7.5], [], "1x65", "256"])
def test_what_is_no_split_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"split|deals|most"):
        split_of(wrong)


def test_a_named_layout_takes_its_stages_from_the_split() -> None:
    assert parse("tp=8,stage_layers=14:16x7")["pp"] == 8
    with pytest.raises(ScenarioError, match="8 stages"):
        parse("pp=4,stage_layers=14:16x7")


def test_scenarios_and_case_files_say_it_too() -> None:
    table = {
        "workload": {"model": "llama2-7b", "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
        "target": {"days": 90},
        "hardware": {"systems": "dgx-h100"},
        "site": "guizhou",
        "layout": {"stage_layers": "7:8:8:9"},
    }
    assert from_table(table).layout.stage_layers == ((7, 8, 8, 9),)
    row = {"id": "mine", "hardware": "h100", "stage_layers": "7,8,8,9"}
    assert Row.model_validate(row).stage_layers == (7, 8, 8, 9)
