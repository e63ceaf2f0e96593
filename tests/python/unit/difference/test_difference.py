"""Differences: waterfalls that sum to what changed, and bands in which shared errors cancel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from planner.difference import Difference, Side, difference, side_of_plan, side_of_scenario
from planner.difference.causes import changed_keys, factored, log_mean
from planner.difference.text import text
from planner.plan.model import Plan
from planner.specs import SpecLibrary

BASE: dict[str, Any] = {
    "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "limits": {"cards": 1024},
    "hardware": {"systems": ["dgx-h100"]},
    "site": {"id": "texas"},
    "layout": {"tp": 8, "pp": [1, 2, 4], "vpp": 1, "cp": 1, "micro_batch": 1, "sharding": 1},
}


def changed(**sections: dict[str, Any]) -> dict[str, Any]:
    return {name: {**BASE.get(name, {}), **sections.get(name, {})} for name in {**BASE, **sections}}


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("difference")


def side(folder: Path, name: str, table: dict[str, Any], library: SpecLibrary) -> Side:
    path = folder / f"{name}.toml"
    path.write_text(tomli_w.dumps(table))
    return side_of_scenario(path, library)


@pytest.fixture(scope="module")
def sides(folder: Path, library: SpecLibrary) -> tuple[Side, Side]:
    other = changed(workload={"tokens": "2T"}, limits={"cards": 512}, site={"id": "guizhou"})
    return side(folder, "a", BASE, library), side(folder, "b", other, library)


@pytest.fixture(scope="module")
def found(sides: tuple[Side, Side]) -> Difference:
    return difference(*sides)


def test_the_logarithmic_mean_lies_between_and_is_that_of_equals() -> None:
    assert log_mean(2.0, 2.0) == 2.0
    # (e - 1) / (1 - 0)
    assert log_mean(math.e, 1.0) == pytest.approx(math.e - 1)


def test_factors_share_a_difference_by_their_logarithms() -> None:
    # 2 x 3 = 6 becomes 4 x 3 = 12: all of it is the first factor's.
    assert factored({"a": 2.0, "b": 3.0}, {"a": 4.0, "b": 3.0}) == pytest.approx({"a": 6.0, "b": 0.0})
    # Both double: 6 becomes 24, half each.
    assert factored({"a": 2.0, "b": 3.0}, {"a": 4.0, "b": 6.0}) == pytest.approx({"a": 9.0, "b": 9.0})


@pytest.mark.parametrize("place", [0, 1, 2])
def test_both_waterfalls_lead_from_the_first_answer_to_the_second(found: Difference, place: int) -> None:
    output = found.outputs[place]
    assert output.before is not None
    assert output.after is not None
    for causes in (output.by_part, output.by_question):
        assert sum(cause.change for cause in causes) == pytest.approx(output.after - output.before)
        assert causes[-1].after == pytest.approx(output.after)


def test_twice_the_tokens_are_twice_the_days_on_the_same_cluster(folder: Path, library: SpecLibrary) -> None:
    first = side(folder, "once", BASE, library)
    second = side(folder, "twice", changed(workload={"tokens": "2T"}), library)
    answer = difference(first, second)
    days = answer.outputs[0]
    assert days.relative == pytest.approx(1.0)
    assert [cause.cause for cause in days.by_part] == ["tokens"]
    assert [cause.cause for cause in days.by_question] == ["workload.tokens"]
    # The same design on both sides: no error is left in the ratio, however wide the bands of either.
    assert days.paired is not None
    assert days.paired.p10 == pytest.approx(1.0)
    assert days.paired.p90 == pytest.approx(1.0)
    assert first.plan.bands is not None
    assert first.plan.bands.days is not None
    assert first.plan.bands.days.p90 > 1.05 * first.plan.bands.days.p50


def test_paired_bands_are_narrower_than_those_of_the_answers(
    sides: tuple[Side, Side], found: Difference
) -> None:
    days = found.outputs[0]
    assert days.paired is not None
    assert days.paired.p10 <= days.paired.p50 <= days.paired.p90
    wide = [plan.bands.days for plan in (sides[0].plan, sides[1].plan) if plan.bands and plan.bands.days]
    paired = math.log((1 + days.paired.p90) / (1 + days.paired.p10))
    assert paired < min(math.log(band.p90 / band.p10) for band in wide)


def test_other_chips_keep_the_errors_that_they_do_not_share(folder: Path, library: SpecLibrary) -> None:
    first = side(folder, "h100", BASE, library)
    second = side(folder, "p800", changed(hardware={"systems": ["kunlun-p800-8"]}), library)
    days = difference(first, second).outputs[0]
    assert days.paired is not None
    ends = math.log((1 + days.paired.p90) / (1 + days.paired.p10))
    residuals = [s.case.problem.calibrations[0].residual for s in (first, second) if s.case]
    assert ends > 2 * 1.28 * math.hypot(*residuals)


def test_a_plan_is_asked_again_by_its_own_command_if_nothing_changed(
    folder: Path, library: SpecLibrary
) -> None:
    first = side(folder, "again", BASE, library)
    path = folder / "again.toml"
    plan = first.plan.model_copy(
        update={"provenance": first.plan.provenance.model_copy(update={"command": f"planner size {path}"})}
    )
    assert side_of_plan("p", plan, library).why_not is None
    path.write_text(tomli_w.dumps(changed(workload={"tokens": "3T"})))
    stale = side_of_plan("p", plan, library)
    assert "changed since" in (stale.why_not or "")
    path.unlink()
    gone = side_of_plan("p", plan, library)
    assert "does not run here" in (gone.why_not or "")
    answer = difference(gone, first)
    assert answer.outputs[0].paired is None
    assert "no paired bands" in answer.notes[0]


def test_keys_that_differ_are_listed_in_the_order_of_the_second() -> None:
    a = {"site": "texas", "limits": {"cards": 5}, "target": {"days": 3}}
    b = {"limits": {"cards": 6, "racks": 2}, "site": "guizhou"}
    assert changed_keys(a, b) == [("limits", "cards"), ("limits", "racks"), ("site",), ("target",)]


def test_the_text_names_causes_and_the_paired_band(found: Difference) -> None:
    said = text(found)
    assert "workload.tokens" in said
    assert "paired)" in said
    assert "by what makes it up" in said


def test_an_answer_of_no_is_told_without_figures(folder: Path, library: SpecLibrary) -> None:
    first = side(folder, "yes", BASE, library)
    second = side(folder, "no", changed(target={"days": 1}), library)
    answer = difference(first, second)
    assert answer.feasible == (True, False)
    assert answer.outputs[0].after is None
    assert "not known on both sides" in text(answer)


def test_a_sample_plan_of_no_known_command_still_has_its_parts(library: SpecLibrary) -> None:
    plan = Plan.from_json((Path(__file__).parents[1] / "report" / "sample_plan.json").read_text())
    other = plan.model_copy(update={"provenance": plan.provenance.model_copy(update={"command": None})})
    answer = difference(side_of_plan("a", other, library), side_of_plan("b", other, library))
    assert [output.relative for output in answer.outputs] == [0.0, 0.0, 0.0]
    assert all(not output.by_part for output in answer.outputs)
