"""The committed figures are those that the fit finds: the model did not move after the last calibration."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from planner.calibrate.fit import Model, next_step
from planner.calibrate.run import shipped_model
from planner.software.elsewhere import elsewhere
from planner.specs import SpecLibrary
from planner.validation.open_fields import DOUBTS, LAGS
from planner.validation.run import OUT_OF_FOLD


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(OUT_OF_FOLD.read_text(encoding="utf-8"))
    return table


@pytest.fixture(scope="module")
def model() -> Model:
    return shipped_model(SpecLibrary.from_environment())


def test_the_fit_ends_where_it_was_committed(model: Model, committed: dict[str, Any]) -> None:
    """After a change of the model: `planner calibrate --cv -o DIR`, and put its files into the repository."""
    assert [parameter.name for parameter in model.parameters] == list(committed["parameters"])
    u = np.array(list(committed["parameters"].values()))
    errors = model.errors(u)
    for engine, error in zip(model.engines, errors, strict=True):
        ready = engine.ready
        if ready.measure.seconds is not None:
            step = ready.measure.seconds * math.exp(error)
            assert step == pytest.approx(committed["in_fit"][ready.row.id], rel=1e-4), ready.row.id
    # The fit stops at a step of 3e-3; one more moves no figure by half a percent.
    assert np.abs(next_step(model, u, errors)).max() < 5e-3


def test_a_step_away_from_there_leads_back(model: Model, committed: dict[str, Any]) -> None:
    u = np.array(list(committed["parameters"].values()))
    place = [parameter.name for parameter in model.parameters].index("nvidia-hopper matmul.bf16")
    moved = u.copy()
    moved[place] += 0.05
    assert next_step(model, moved, model.errors(moved))[place] < -0.03


def test_the_doubts_about_open_fields_are_those_of_the_runs(committed: dict[str, Any]) -> None:
    assert list(committed["open_fields"]) == list(DOUBTS)
    for name, found in committed["open_fields"].items():
        assert DOUBTS[name] == pytest.approx(found, abs=0.01), name


def test_what_an_unknown_source_adds_is_that_of_the_runs(committed: dict[str, Any]) -> None:
    assert elsewhere(False) == pytest.approx(committed["elsewhere"]["dense"], abs=0.005)
    assert elsewhere(True) == pytest.approx(committed["elsewhere"]["experts"], abs=0.005)


def test_what_the_fastest_choice_for_an_open_field_is_too_fast_by_is_that_of_the_runs(
    committed: dict[str, Any],
) -> None:
    for name, lag in LAGS.items():
        assert lag == pytest.approx(committed["open_lags"][name], abs=0.01), name
