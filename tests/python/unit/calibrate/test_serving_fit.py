"""The fit of the serving model: what a parameter sets, and that it finds what made the rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from planner.calibrate.serving_fit import ServingModel, fit, loss_of, without
from planner.calibrate.serving_parameters import ServingParameter, heirs, moved, parameters
from planner.calibrate.serving_run import answered, fitted_on, prepared
from planner.calibrate.serving_write import spread_of
from planner.software.serving import constants_path, serving_profiles
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.serving_predict import Tables, seconds
from planner.validation.serving_request import ServingDesk
from planner.validation.serving_rows import ServingRow
from planner.validation.serving_run import OUT_OF_FOLD

ROW: dict[str, Any] = {
    "phase": "mixed",
    "hardware": "nvidia-h100-sxm",
    "cards": 2,
    "model": "llama3.1-70b",
    "precision": "fp8",
    "framework": "TensorRT-LLM 1.0",
    "isl": 1024,
    "osl": 512,
    "tp": 2,
    "completeness": "full",
    "measured": {"tpot_ms": 30.0},
}
WEIGHTS = ServingParameter("constants", "weight_share", 0.88, 0.4, share=True)
HOST = ServingParameter("software", "host_step", 0.6e-3, 0.5, ("tensorrt-llm-2025",))


def test_shares_stay_below_one_and_factors_are_exponential() -> None:
    assert WEIGHTS.value(0.0) == pytest.approx(0.88)
    assert WEIGHTS.value(10.0) < 1.0
    assert HOST.value(1.0) == pytest.approx(0.6e-3 * np.e)


def test_a_figure_is_found_back_from_its_place() -> None:
    for parameter in (WEIGHTS, HOST):
        assert parameter.place(parameter.value(0.37)) == pytest.approx(0.37)


def test_heirs_are_profiles_without_a_figure_of_their_own() -> None:
    parents = {"base": None, "child": "base", "grandchild": "child", "other": None}
    own = {"base": {"x"}, "child": set[str](), "grandchild": {"x"}, "other": {"x"}}
    assert heirs(parents, ("base",), own, "x") == {"base", "child"}
    assert heirs(parents, ("base",), own, "y") == {"base", "child", "grandchild"}


def test_a_parameter_moves_its_table_and_no_other() -> None:
    base = Tables({"weight_share": 0.5}, {"a": {"host_step": 1.0}, "b": {"host_step": 2.0}}, {})
    found = moved(base, (WEIGHTS, HOST), (0.0, 0.0), (set(), {"a"}))
    assert found.constants["weight_share"] == pytest.approx(0.88)
    assert found.software["a"]["host_step"] == pytest.approx(0.6e-3)
    assert found.software["b"]["host_step"] == 2.0
    assert base.constants["weight_share"] == 0.5


def test_no_parameter_belongs_to_a_model_and_few_to_one_profile() -> None:
    """Constants are laws; every other figure is of a profile or a family that the library knows."""
    chosen = parameters()
    library = SpecLibrary.from_environment()
    names = {item.id for item in serving_profiles()} | set(library.ids("efficiency"))
    assert all(set(item.ids) <= names for item in chosen)
    assert len({(item.table, item.ids, item.key) for item in chosen}) == len(chosen)
    assert len(chosen) < 65


def _model(rows: list[ServingRow], *chosen: ServingParameter) -> ServingModel:
    desk = ServingDesk(SpecLibrary.from_environment())
    return ServingModel(desk, [desk.prepare(row) for row in rows], chosen)


def test_the_fit_finds_the_share_that_made_the_rows() -> None:
    truth = np.array([-0.5])
    rows = [
        ServingRow.model_validate({**ROW, "id": f"{group}-{n}", "group": f"g{group}", "concurrency": n})
        for group, batches in enumerate(((1, 2, 4), (3, 6, 8), (1, 5, 12)))
        for n in batches
    ]
    model = _model(rows, WEIGHTS)
    tables = model.tables(truth)
    made = []
    for row, item, answers in zip(rows, model.ready, model.battery.answers(tables), strict=True):
        time = seconds(answers, row, item.figures[0])
        assert time is not None
        made.append(row.model_copy(update={"measured": {"tpot_ms": 1e3 * time}}))
    model = _model(made, WEIGHTS)
    said: list[str] = []
    found = fit(model, said.append)
    # The prior (share 0.88) draws a little.
    assert found.u[0] == pytest.approx(truth[0], abs=0.15)
    assert np.abs(found.errors).max() < 0.02
    assert 0.5 < found.effective <= 1.0
    rest = without(model, found, model.groups != "g0")
    assert rest[0] == pytest.approx(truth[0], abs=0.25)


def test_the_spread_holds_four_fifths_of_the_errors() -> None:
    errors = list(np.linspace(-0.5, 0.5, 101))
    assert spread_of(errors) * 1.2816 == pytest.approx(0.4, abs=0.01)


def test_a_group_of_many_rows_weighs_no_more_in_the_spread_than_one_of_forty() -> None:
    errors = [0.1] * 200 + [0.5] * 320
    assert spread_of(errors) * 1.2816 == pytest.approx(0.5)
    # Five groups of 40 rows at 0.1 against one of 320 rows at 0.5 that counts as 40: 200 of 240 lie at 0.1.
    groups = [name for name in "abcde" for _ in range(40)] + ["f"] * 320
    assert spread_of(errors, groups) * 1.2816 == pytest.approx(0.1)


def test_the_committed_constants_say_what_they_were_fitted_on() -> None:
    text = constants_path().read_text(encoding="utf-8")
    assert 'kind = "fitted"' in text
    assert "runs of" in text


def test_the_committed_figures_are_where_the_committed_fit_ended() -> None:
    """The library's figures have the loss that the fit printed, and no figure of a sample would lower it."""
    desk = ServingDesk(SpecLibrary.from_environment())
    model = ServingModel(desk, fitted_on(answered(desk, prepared(desk, read().inference))), parameters())
    place = model.shipped()
    ended = json.loads(OUT_OF_FOLD.read_text(encoding="utf-8"))["loss"]
    assert loss_of(model, place, model.errors(place)) == pytest.approx(ended, abs=0.05)
    spread = {"laws: ridge_dense": 0.15, "laws: link_share": 0.2, "tensorrt-llm-2026: kernel_gap": 0.07}
    for index, parameter in enumerate(model.parameters):
        for step in (1.0, -1.0) if parameter.name in spread else ():
            moved_place = place.copy()
            moved_place[index] += step * spread[parameter.name]
            assert loss_of(model, moved_place, model.errors(moved_place)) > ended
