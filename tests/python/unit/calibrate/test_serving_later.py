"""What a source adds that no fit knows: closed forms on rows made up for it."""

from __future__ import annotations

import json
import math

import pytest

from planner.calibrate.serving_later import Z90, beside, cautious, coverage_of
from planner.calibrate.serving_parameters import later_parameters, parameters
from planner.software.serving import serving_constants
from planner.validation.files import read
from planner.validation.judged import JUDGED
from planner.validation.serving_run import OUT_OF_FOLD, later_coverage, later_folds


def test_errors_within_the_spread_need_nothing_beside_it() -> None:
    assert beside([(f"s{place}", 0.1 * (-1) ** place, 0.2) for place in range(10)]) == (0.0, 0.0)


def test_the_tenth_that_is_slowest_decides_the_slow_side_alone() -> None:
    """Nine of ten sources must lie within: the ninth needs error^2 = Z90^2 (spread^2 + s^2)."""
    errors = [0.0] * 8 + [0.5, 3.0]
    fast, slow = beside([(f"s{place}", error, 0.2) for place, error in enumerate(errors)])
    assert fast == 0.0
    assert slow == pytest.approx(math.sqrt((0.5 / Z90) ** 2 - 0.2**2))


def test_a_source_weighs_one_whatever_its_rows() -> None:
    """A hundred slow rows of one source of eleven are a tenth and no more."""
    even = [(f"s{place}", 0.0, 0.1) for place in range(10)]
    assert beside([*even, *[("long", 1.0, 0.1)] * 100])[1] == 0.0


def test_coverage_leaves_the_source_out_of_its_own_bands() -> None:
    """Of three sources, one slow by 1, each is judged by the others: the slow one finds its spread alone."""
    known = [("even", 0.0, 0.1), ("level", 0.0, 0.1), ("slow", 1.0, 0.1)]
    assert coverage_of(known) == pytest.approx(2.0 / 3.0)


def test_the_cautious_figure_does_not_hang_on_one_source() -> None:
    """One slow source of ten is within the tenth; of nine it is not."""
    known = [*[(f"s{place}", 0.0, 0.1) for place in range(9)], ("slow", 1.0, 0.1)]
    assert beside(known)[1] == 0.0
    assert cautious(known) == (0.0, pytest.approx(math.sqrt((1.0 / Z90) ** 2 - 0.1**2)))


def test_no_parameter_is_fitted_twice() -> None:
    first = {(item.key, name) for item in parameters() for name in item.ids}
    assert not first & {(item.key, name) for item in later_parameters() for name in item.ids}


def test_every_run_collected_later_has_a_prediction_without_its_source() -> None:
    assert set(later_folds()) == {row.id for row in read(JUDGED).inference}
    assert later_coverage() == json.loads(OUT_OF_FOLD.read_text())["later_coverage"]
    assert 0.75 <= (later_coverage() or 0.0) <= 0.9
    assert serving_constants().elsewhere_slow.value > 0.2
