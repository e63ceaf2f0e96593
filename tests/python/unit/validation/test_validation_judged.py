"""Runs collected to judge the model: split by source, and told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.judged import SIDES, as_answer, judged_lines, table
from planner.validation.rows import LATER, SHIPPED
from planner.validation.run import read_judged, training_cases

FILE = table()
ROWS = [*FILE["training"], *FILE["inference"]]


def test_sources_are_split_by_their_number_and_not_by_their_errors() -> None:
    for row in ROWS:
        assert row["split"] == SIDES[int(row["source_number"][1:]) % 2 == 0], row["id"]
    numbers = {source["number"]: source["side"] for source in FILE["meta"]["sources"]}
    assert {row["source_number"]: row["split"] for row in ROWS} == numbers


def test_every_row_keeps_its_first_prediction_and_names_its_source() -> None:
    for row in ROWS:
        assert (row["first_error"] is None) == (row["first_in_band"] is None), row["id"]
        assert row["source_url"].startswith("https://")
        assert row["source_table"]


def test_none_of_them_is_in_another_file() -> None:
    elsewhere = {row.id for name in (None, LATER) for row in read(name).training}
    elsewhere |= {row.id for row in read().inference}
    assert not elsewhere & {row["id"] for row in ROWS}
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_every_row_counts_on_the_side_of_its_source() -> None:
    judged = read_judged(SpecLibrary.from_environment())
    for kind, list_name in (("training", FILE["training"]), ("inference", FILE["inference"])):
        for side in SIDES:
            own = [row for row in list_name if row["split"] == side]
            part = judged["parts"][kind][side]["all"]
            assert part["now"]["n"] == part["first"]["n"] == len(own)
            assert part["first"]["answered"] == sum(row["first_error"] is not None for row in own)
    assert sum(source["now"]["n"] for source in judged["sources"]) == len(ROWS)


def small(split: str, number: str, error: float) -> dict[str, Any]:
    return {
        "id": f"run-{number}", "split": split, "source_number": number, "first_error": error,
        "first_in_band": abs(error) < 0.1, "completeness": "full", "hardware": "nvidia-h100-sxm", "cards": 64,
        "cards_per_server": 8, "scaleup_domain": 8, "model": "llama3-8b", "seq_len": 8192,
        "global_batch": 128,
        "micro_batch": 1, "tp": 1, "pp": 1, "cp": 1, "dp": 64, "sharding": 3, "precision": "bf16",
        "recompute": "full", "framework": "torchtitan", "software_date": "2024-12",
        "measured": {"tokens_per_s_per_card": 6000.0}, "source_url": "https://example.org",
    }  # fmt: skip


def test_development_and_held_back_are_told_apart(tmp_path: Any) -> None:
    rows = [small("development", "T1", 0.2), small("held back", "T2", -0.05)]
    sources = [{"number": row["source_number"], "what": "a table", "side": row["split"]} for row in rows]
    file = {"meta": {"sources": sources, "dropped": ["a reason"]}, "training": rows}
    path = tmp_path / "judged.json"
    path.write_text(json.dumps(file))
    judged = as_answer(training_cases(read(path), SpecLibrary.from_environment(), {}), file)
    shown = judged_lines(judged)
    assert judged["parts"]["training"]["held back"]["all"]["first"]["bias"] == pytest.approx(-0.05)
    assert any(line.startswith("| training, development | 1 | 1 | 1 |") for line in shown)
    assert any(line.startswith("| training, held back |") and "-5.0 % | 100.0 % |" in line for line in shown)
    assert any(line.startswith("| T1 | a table | development | 1 |") for line in shown)
    assert not any("serving" in line for line in shown if line.startswith("|"))


def test_no_run_stands_in_another_file_under_another_name() -> None:
    """The same cards, batch and figure elsewhere would be a run that the makers have seen."""

    def signs(row: dict[str, Any]) -> set[tuple[Any, ...]]:
        run = tuple(row.get(name) for name in ("hardware", "cards", "seq_len", "global_batch", "tp", "pp"))
        return {
            (*run, name, value) for name, value in row["measured"].items() if isinstance(value, float | int)
        }

    seen = set()
    for path in (SHIPPED, LATER):
        for row in json.loads(path.read_text(encoding="utf-8"))["training"]:
            seen |= signs(row)
    assert [row["id"] for row in FILE["training"] if signs(row) & seen] == []
