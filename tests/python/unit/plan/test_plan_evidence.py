"""The evidence grade, and the nearest published run."""

from __future__ import annotations

import math

import pytest

from planner.plan.evidence import (
    Calibration,
    grade,
    groups_of,
    nearest_run,
    published_runs,
    runs_on,
    slower_when_tight,
    tight_memory,
)

ROWS = [
    {"id": "a", "hardware": "chip-a", "model": "m1", "cards": 64, "source_url": None},
    {"id": "b", "hardware": "chip-a", "model": "m2", "cards": 1024, "source_url": None},
    {"id": "c", "hardware": "chip-b", "model": "m1", "cards": 64, "source_url": None},
]


@pytest.mark.parametrize(
    ("calibration", "runs_on_chip", "groups_on_chip", "estimates", "expected"),
    [
        (Calibration("runs", 80, 5), 40, 4, 0, "A"),
        (Calibration("runs", 80, 5), 40, 3, 2, "B"),
        (Calibration("runs", 80, 2), 40, 2, 0, "C"),
        (Calibration("runs", 120, 12), 1, 1, 0, "C"),
        (Calibration("runs", 120, 12), 40, 2, 0, "C"),
        (Calibration("runs", 80, 5), 0, 0, 0, "C"),
        (Calibration("operators", 0, 0), 3, 3, 0, "C"),
        (Calibration("operators", 0, 0), 0, 0, 0, "D"),
        (Calibration("none", 0, 0), 0, 0, 0, "D"),
    ],
)
def test_grades(
    calibration: Calibration, runs_on_chip: int, groups_on_chip: int, estimates: int, expected: str
) -> None:
    found, why = grade(calibration, runs_on_chip, groups_on_chip, estimates)
    assert found == expected
    assert why
    assert "\n" not in why


def test_one_run_on_a_chip_of_a_well_known_family_is_told_as_one() -> None:
    why = grade(Calibration("runs", 120, 12), 1, 1, 0)[1]
    assert why == "1 published run on this chip, but of only 1 independent group"


def test_own_runs_are_told_apart_from_published_ones() -> None:
    both = grade(Calibration("runs", 80, 5, own_runs=10), 40, 4, 0)[1]
    assert both.startswith("calibrated on 80 published and 10 own runs of its family, 40 on this chip")
    alone = grade(Calibration("runs", 0, 0, own_runs=1), 0, 0, 0)
    assert alone == ("C", "no published run on this chip; calibrated on 1 own run")


def test_grade_d_says_that_there_is_no_run() -> None:
    assert grade(Calibration("none", 0, 0), 0, 0, 9)[1] == "no run on this chip"


def test_runs_that_share_a_group_count_once_and_a_run_without_one_for_itself() -> None:
    rows = [{"id": "a", "group": "g"}, {"id": "b", "group": "g"}, {"id": "c"}, {"id": "d", "group": None}]
    assert groups_of(rows) == 3


def test_hardware_is_found_by_any_of_its_names() -> None:
    assert [row["id"] for row in runs_on(["Chip-A", "other"], ROWS)] == ["a", "b"]


def test_the_nearest_run_has_the_same_model_before_a_near_size() -> None:
    found = nearest_run(["chip-a"], list, ["m1"], 1024, ROWS)
    assert found is not None
    assert found.id == "a"
    assert found.same_chip


def test_the_nearest_run_carries_its_rate_as_published_or_as_its_step_gives() -> None:
    rows = [{**ROWS[0], "measured": {"tokens_per_s_per_card": 400.0}, "framework": "f", "seq_len": 4096}]
    found = nearest_run(["chip-a"], list, ["M1"], 64, rows)
    assert found is not None
    assert (found.same_model, found.tokens_per_second_per_card, found.sequence) == (True, 400.0, 4096)
    derived = [
        {**ROWS[0], "measured": {"iteration_time_s": 9.0}, "derived": {"tokens_per_s_per_card": 350.0}}
    ]
    found = nearest_run(["chip-a"], list, ["m2"], 64, derived)
    assert found is not None
    assert (found.same_model, found.tokens_per_second_per_card) == (False, 350.0)


def test_kin_count_only_where_the_chip_itself_has_no_run() -> None:
    found = nearest_run(["chip-x"], lambda: ["chip-b"], ["m1"], 8, ROWS)
    assert found is not None
    assert (found.id, found.same_chip) == ("c", False)
    assert nearest_run(["chip-x"], list, ["m1"], 8, ROWS) is None


def test_shipped_runs_are_complete_enough_to_be_scored() -> None:
    assert {row["completeness"] for row in published_runs()} == {"full", "near_full"}


@pytest.mark.parametrize(("needed", "said"), [(92.0, False), (92.5, True), (100.0, True), (101.0, False)])
def test_nearly_full_memory_is_a_risk_and_too_little_is_a_refusal(needed: float, said: bool) -> None:
    assert (tight_memory(needed, 100.0) is not None) is said


@pytest.mark.parametrize(
    ("needed", "slower"), [(50.0, 1.0), (92.0, 1.0), (96.0, 1.25**0.5), (100.0, 1.25), (130.0, 1.25)]
)
def test_the_slow_side_grows_with_the_last_eight_hundredths_of_memory(needed: float, slower: float) -> None:
    assert math.exp(slower_when_tight(needed, 100.0)) == pytest.approx(slower)
