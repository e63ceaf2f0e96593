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


def points(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sets = accuracy(cases).to_dict()["datasets"].values()
    return [row for rows in sets for row in rows if "predicted" in row]


def test_every_scored_training_case_is_a_point() -> None:
    found = points([CASE, {**CASE, "id": "b", "hardware": "chip-b", "predicted": 9.0, "experts": True}])
    assert [(p["id"], p["kind"], p["measured"], p["predicted"]) for p in found] == [
        ("a", "dense", 10.0, 11.0),
        ("b", "mixture of experts", 10.0, 9.0),
    ]


def test_each_chip_has_a_chart_with_axes_that_hold_its_runs() -> None:
    drawn = accuracy([CASE, {**CASE, "hardware": "chip-b", "measured": 0.5, "predicted": 0.6}]).to_dict()
    charts = [chart for row in drawn["vconcat"] for chart in row["hconcat"]]
    assert [chart["title"]["text"] for chart in charts] == ["chip-a (1)", "chip-b (1)"]
    low, high = charts[1]["layer"][2]["encoding"]["x"]["scale"]["domain"]
    assert low < 0.5
    assert 0.6 < high < 1.0


def test_serving_unscored_and_unanswered_cases_are_left_out() -> None:
    others = [
        {**CASE, "software": "vllm-2025"},
        {**CASE, "scored": False},
        {**CASE, "predicted": None, "error": None},
    ]
    assert len(points([CASE, *others])) == 1


def test_a_chart_of_a_kind_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["validate", "--plot", str(tmp_path / "chart.docx")])
    assert done.exit_code != 0
