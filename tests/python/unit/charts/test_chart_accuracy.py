"""The chart of predicted against measured step times."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planner.cli.main import app

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from planner.charts.accuracy import accuracy

CASE: dict[str, Any] = {
    "id": "a", "hardware": "chip-a", "software": "megatron-2024", "scored": True, "measured": 10.0,
    "predicted": 11.0, "error": 0.1,
}  # fmt: skip


def values(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (found,) = accuracy(cases).to_dict()["datasets"].values()
    return list(found)


def test_every_scored_training_case_is_a_point_of_its_chip() -> None:
    points = values([CASE, {**CASE, "hardware": "chip-b", "predicted": 9.0, "error": -0.1}])
    assert [(p["chip"], p["measured"], p["predicted"]) for p in points] == [
        ("chip-a", 10.0, 11.0),
        ("chip-b", 10.0, 9.0),
    ]


def test_serving_unscored_and_unanswered_cases_are_left_out() -> None:
    others = [
        {**CASE, "software": "vllm-2025"},
        {**CASE, "scored": False},
        {**CASE, "predicted": None, "error": None},
    ]
    assert len(values([CASE, *others])) == 1


def test_a_chart_of_a_kind_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["validate", "--plot", str(tmp_path / "chart.docx")])
    assert done.exit_code != 0
