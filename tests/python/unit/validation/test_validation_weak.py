"""What the accuracy page says by itself of where the model is weak."""

from __future__ import annotations

from typing import Any

from planner.validation.peers import others
from planner.validation.score import Case, misranked
from planner.validation.weak import weak_parts, wrong_pairs

PART: dict[str, Any] = {
    "n": 10, "answered": 10, "groups": 3, "mape": 0.05, "bias": 0.01, "abs_error_p90": 0.1, "coverage80": 0.8,
    "pair_order": 1.0, "pairs": 4,
}  # fmt: skip


def case(name: str, measured: float, predicted: float, cards: int = 8) -> Case:
    return Case(
        id=name, scored=True, group="g", hardware="chip", family="f", framework="x", software="y",
        experts=False,
        metric="iteration_time_s", measured=measured, predicted=predicted, low=None, high=None, in_fit=None,
        pair_key=("g",), cards=cards, batch=64, tokens=1000.0, memory=None, fits=None, notes=(), reason=None,
    )  # fmt: skip


def answer(**parts: dict[str, Any]) -> dict[str, Any]:
    return {"by_kind": {}, "by_family": {}, "by_hardware": {}, "by_software": {}, **parts}


def test_a_part_within_all_yardsticks_is_not_named() -> None:
    assert weak_parts(answer(by_hardware={"chip": PART})) == []


def test_each_yardstick_that_a_part_misses_is_told() -> None:
    bad = {**PART, "mape": 0.12, "bias": -0.07, "abs_error_p90": 0.3, "coverage80": 0.6, "pair_order": 0.5}
    ((name, n, groups, missed),) = weak_parts(answer(by_family={"f": bad}))
    assert (name, n, groups) == ("chip family f", "10", "3")
    assert missed == (
        "mean error 12.0 %, too fast by 7.0 %, P90 30.0 %, 60 % in the 80 % band, order 50 % of 4 pairs"
    )


def test_experts_may_be_off_by_more_and_few_runs_say_little() -> None:
    worse = {**PART, "mape": 0.12}
    assert weak_parts(answer(by_kind={"moe": worse})) == []
    assert weak_parts(answer(by_kind={"dense": worse})) != []
    assert weak_parts(answer(by_hardware={"chip": {**worse, "answered": 3}})) == []


def test_a_pair_ranked_wrong_is_told_with_what_was_measured_and_predicted() -> None:
    pairs = misranked([case("a", 10.0, 12.0), case("b", 11.0, 10.0), case("c", 10.1, 9.0, cards=16)])
    assert [(pair["faster"], pair["slower"], pair["same_batch"]) for pair in pairs] == [("a", "b", True)]
    # a ran 11/10 as fast and is predicted at 10/12.
    assert wrong_pairs({"misranked": pairs}) == [["a", "b", "yes", "10.0 % faster", "16.7 % slower"]]


def test_other_tools_stand_beside_the_rows_that_both_predict() -> None:
    shared = {"id": "simumax-b200-deepseekv2-tp1-ep8-pp1-dp8-l4-mbc4-cef", "scored": True, "error": 0.02}
    text = "\n".join(
        others({"summary": {"training": {"mape": 0.05, "n": 363}}, "cases": [{**shared, "measured": 0.3666}]})
    )
    # SimuMax prints 0.3436 s where 0.3666 s were measured.
    assert "| SimuMax 1.2 | 6.3 %, bias -6.3 % | 1 rows" in text
    assert "2.0 %, bias +2.0 %" in text
