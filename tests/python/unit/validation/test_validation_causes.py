"""Causes of errors on the accuracy page are told in figures of the predictions, and only while they hold."""

from __future__ import annotations

import re
from typing import Any

import pytest

from planner.validation import told
from planner.validation.causes import Runs, causes, off, span
from planner.validation.files import read
from planner.validation.later import open_lines
from planner.validation.score import Case, selection
from planner.validation.weak import selection_lines

ROWS = {row.id: row for row in read().training}


def case(name: str, error: float, **more: Any) -> dict[str, Any]:
    row = ROWS[name]
    found: dict[str, Any] = {
        "id": name, "measured": 10.0, "error": error, "scored": True, "notes": [], "experts": False,
        "family": "f", "framework": row.framework, "software": "s", "low": 9.0, "high": 11.0,
    }  # fmt: skip
    return found | more


def runs(*cases: dict[str, Any]) -> Runs:
    return Runs({item["id"]: item for item in cases}, ROWS, {})


SPLIT = [f"flagperf-llama1-7b-paddle-{i}" for i in (6, 7, 8)]
WHOLE = [f"flagperf-llama1-7b-paddle-{i}" for i in (1, 2)]


def test_an_error_is_told_with_its_side() -> None:
    assert off(0.123) == "12 % too slow"
    assert span([-0.2, -0.1]) == "10 to 20 % too fast"
    assert span([-0.05, 0.1]) == "5 % too fast to 10 % too slow"
    assert span([0.101, 0.099]) == "10 % too slow"


def test_a_cause_tells_the_errors_of_the_predictions() -> None:
    text = " ".join(causes(runs(*(case(n, -0.31) for n in SPLIT), *(case(n, 0.04) for n in WHOLE))))
    assert "31 % too fast" in text
    assert "4 % too slow" in text


@pytest.mark.parametrize("error", [0.0, 0.3], ids=["right", "on the other side"])
def test_a_cause_that_the_predictions_no_longer_show_is_not_told(error: float) -> None:
    assert causes(runs(*(case(n, error) for n in SPLIT), *(case(n, 0.04) for n in WHOLE))) == []


def test_long_rings_are_told_while_they_are_too_fast() -> None:
    names = [f"torchtitan-h100-8b-cp{cp}-fp8" for cp in (2, 4, 8)]
    measured = (10.0, 25.0, 50.0)

    def text(error: float) -> str:
        found = [
            case(n, 0.0 if "cp2" in n else error, measured=m) for n, m in zip(names, measured, strict=True)
        ]
        return " ".join(causes(runs(*found)))

    assert "22 % too fast" in text(-0.22)
    assert "2.50 times as long" in text(-0.22)
    assert text(0.02) == ""


def test_versions_of_one_layout_are_compared_by_what_they_ran_at() -> None:
    pair = ("mbridge-127-qwen3-235b-a22b-h100-fp8", "mbridge-112-qwen3-235b-a22b-h100-fp8")
    found = runs(case(pair[0], 0.0, measured=26.0, experts=True), case(pair[1], 0.0, measured=20.0))
    assert found.versions == [(*pair, pytest.approx(0.3))]


def test_words_of_the_page_that_no_figure_feeds_hold_no_error() -> None:
    """A percentage in them would stay when the predictions move."""
    loose = [line for line in told.NOT_BLIND if re.search(r"\d\s?%", line)]
    assert loose == []
    # The share that bands are made for is a constant of the calibration.
    assert {hit for line in told.BANDS for hit in re.findall(r"\d+ %", line)} <= {"80 %", "82 %"}


def scored(name: str, measured: float, predicted: float, batch: int = 64) -> Case:
    return Case(
        id=name, scored=True, group="g", hardware="chip", family="f", framework="x", software="y",
        experts=False, metric="iteration_time_s", measured=measured, predicted=predicted, low=None, high=None,
        in_fit=None, pair_key=("g",), cards=8, batch=batch, tokens=1.0, memory=None, fits=None, notes=(),
        reason=None,
    )  # fmt: skip


def test_the_choice_of_the_fastest_is_held_against_its_group() -> None:
    # The one predicted fastest is 20 % too fast and its rival right: half of ln 0.8 below their mean.
    found = selection([scored("a", 10.0, 8.0), scored("b", 9.0, 9.0), scored("c", 5.0, 5.0, batch=128)])
    assert found["groups"] == 1
    assert found["optimism"] == pytest.approx(-0.1116, abs=1e-4)
    assert found["lost"] == pytest.approx(10.0 / 9.0 - 1.0)
    assert found["standard_error"] is None


def test_a_curse_is_told_only_where_it_stands_out_of_its_noise() -> None:
    clear = {"groups": 20, "optimism": -0.05, "standard_error": 0.01, "lost": 0.02}
    assert "too fast" in " ".join(selection_lines(clear)).split(":")[1]
    assert "nothing of a winner's curse" in " ".join(selection_lines({**clear, "standard_error": 0.03}))


def test_rows_only_partly_known_are_told_by_group_and_suspect_ones_are_not() -> None:
    name = "nemo-longseq-llama3-8b-b200-8k"
    suspect = "mbridge-042-llama3-70b-gb300-fp8-lora"
    lines = open_lines([case(name, 0.08, scored=False), case(suspect, 0.4, scored=False)], ROWS)
    assert len(lines) == 3
    assert "+8.0 %" in lines[2]
