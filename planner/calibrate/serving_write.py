"""Files from a fit of the serving model: constants, profiles, and the predictions with groups left out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planner.calibrate.serving_fit import ServingFit, ServingModel, touches
from planner.calibrate.serving_later import LaterServing
from planner.calibrate.serving_parameters import REFERENCE, ServingParameter
from planner.calibrate.serving_run import ShippedServing, errors_of, stated
from planner.software.serving import Factors, constants_path, serving_path_of, serving_profiles
from planner.validation.serving_request import ServingReady

Z90 = 1.2816
CV_FILE = "cases/cv_serving.json"
TIMES = {"us": 1e6, "ms": 1e3, "GB": 1e-9, "TB/s": 1e-12}
UNITS = {
    "all_reduce_alpha": "us", "two_stage_alpha": "us", "outer_alpha": "us", "exchange_alpha": "us",
    "memory_depth": "TB/s", "host_sequence": "us", "kernel_gap": "us",
    "host_step": "ms", "host_start": "ms", "host_request": "ms", "host_layer": "ms", "expert_reserve": "GB",
}  # fmt: skip
SPREAD_CROWD = 40.0
"""Figures of a group beyond which each further one counts less in a spread. Of 12 (as in the fit), 40 and
all, 40 comes nearest to 80 % in the bands of groups that neither the fit nor the spread had seen."""
DRAWN = 1.0
"""Groups of a profile that weigh as much as all others together in its spread."""
SOURCE = """
[sources.fit]
title = "Fit of the planner on published serving runs (planner/data/cases), planner calibrate --serving"
date = "{date}"
note = "values trade off against each other: use as a set; docs/accuracy.md has the errors on runs left out"
"""


LEAST_SOURCES = 3
"""Groups that a spread needs; with fewer the profile keeps its estimate, which is wider."""


def serving_files(found: ShippedServing, later: LaterServing) -> dict[str, str]:
    """Path below planner/data -> text."""
    out = {"serving/constants.toml": _constants(found, later)}
    for item in serving_profiles():
        text = _profile(found, later, item.id)
        if text is not None:
            out[f"serving/software/{item.id}.toml"] = text
    out[CV_FILE] = _folds(found, later)
    return out


def _figure(model: ServingModel, fit: ServingFit, date: str, place: int) -> str:
    parameter = model.parameters[place]
    u, sigma = float(fit.u[place]), float(fit.spread[place])
    unit = UNITS.get(parameter.key, "")
    scale = TIMES.get(unit, 1.0)

    def put(step: float) -> str:
        number = f"{parameter.value(u + step * Z90 * sigma) * scale:.4g}"
        return f'"{number} {unit}"' if unit else number

    runs, groups = _evidence(model, place)
    method = f"fitted on {runs} runs of {groups} groups, {date}"
    return (
        f'{{ value = {put(0.0)}, low = {put(-1.0)}, high = {put(1.0)}, kind = "fitted", source = "fit", '
        f'method = "{method}" }}'
    )


def _evidence(model: ServingModel, place: int) -> tuple[int, int]:
    parameter, names = model.parameters[place], model.reach[place]
    mine = [item for item in model.ready if touches(parameter, names, item)]
    return len(mine), len({item.row.source for item in mine})


def _put(text: str, key: str, figure: str) -> str:
    """The line of a top-level key replaced, or added before the first table."""
    line = f"{key} = {figure}"
    text, count = re.subn(rf"^{key} = .*$", lambda _: line, text, count=1, flags=re.M)
    if count:
        return text
    head, table, rest = text.partition("\n[")
    return f"{head.rstrip()}\n{line}\n{table}{rest}"


def _constants(found: ShippedServing, later: LaterServing) -> str:
    text = constants_path().read_text(encoding="utf-8").partition("\n[")[0].rstrip() + "\n"
    for place, parameter in enumerate(found.model.parameters):
        if parameter.table == "constants":
            text = _put(text, parameter.key, _figure(found.model, found.fit, found.date, place))
    text = re.sub(r"^(runs|groups) = .*\n", "", text, flags=re.M)
    groups = len(set(found.model.groups.tolist()))
    text = text.replace(
        "\npeak_share", f"\nruns = {len(found.model.ready)}\ngroups = {groups}\npeak_share", 1
    )
    away = spread_of(found.new_chip_errors(known_software=True))
    method = f"chip families left out of the fit, tuned stacks, {found.date}"
    text = _put(text, "residual", _spread(away, method))
    sources = len({item.row.source for item, _ in later.errors()})
    method = f"{sources} sources left out of the fit, each weighs the same, {later.date}"
    for key, value in zip(("elsewhere_fast", "elsewhere_slow"), later.elsewhere(), strict=True):
        text = _put(text, key, _spread(value, method))
    return text + _families(found) + SOURCE.format(date=found.date)


def _families(found: ShippedServing) -> str:
    one = '{ value = 1.0, low = 0.9, high = 1.1, kind = "fitted", source = "fit", method = "%s" }'
    fitted: dict[str, dict[str, str]] = {REFERENCE: {}}
    for place, parameter in enumerate(found.model.parameters):
        for name in parameter.ids if parameter.table == "families" else ():
            figure = _figure(found.model, found.fit, found.date, place)
            fitted.setdefault(name, {})[parameter.key] = figure
    out = ""
    for name in sorted(fitted):
        said = (
            "1 by definition: the reference"
            if name == REFERENCE
            else "drawn to 1, not told apart by the runs"
        )
        out += f"\n[families.{name}]\n"
        out += "".join(f"{key} = {fitted[name].get(key, one % said)}\n" for key in Factors.model_fields)
    return out


def _profile(found: ShippedServing, later: LaterServing, profile_id: str) -> str | None:
    """A profile with what was fitted of it, and its spread; None where no run uses it."""
    text = serving_path_of(profile_id).read_text(encoding="utf-8")
    before = text
    own_fit = False
    for model, fit in ((found.model, found.fit), (later.model, later.fit)):
        for place, parameter in enumerate(model.parameters):
            if parameter.table == "software" and profile_id in parameter.ids:
                text = _put(text, parameter.key, _figure(model, fit, found.date, place))
                own_fit = own_fit or model is later.model
    errors = found.fold_errors(lambda item: _together(item) and item.software.id == profile_id)
    if own_fit and not errors:
        errors = [(item, abs(error)) for item, error in later.errors() if item.software.id == profile_id]
    groups = len({item.row.source for item, _ in errors})
    if groups >= LEAST_SOURCES:
        own, all_of = (
            spread_of([e for _, e in listed], [item.row.source for item, _ in listed])
            for listed in (errors, found.fold_errors(_together))
        )
        drawn = ((groups * own**2 + DRAWN * all_of**2) / (groups + DRAWN)) ** 0.5
        method = f"groups that the fit had not seen ({groups} here, drawn towards all), {found.date}"
        text = _put(text, "spread", _spread(drawn, method))
    if text == before:
        return None
    text = re.sub(r"\n\[sources\.fit\]\n(?:(?!\[).*\n?)*", "", text).rstrip() + "\n"
    return text + SOURCE.format(date=found.date)


def _spread(value: float, method: str) -> str:
    return (
        f"{{ value = {value:.4g}, low = {0.75 * value:.4g}, high = {min(1.4 * value, 0.95):.4g}, "
        f'kind = "fitted", source = "fit", method = "{method}" }}'
    )


def _together(item: ServingReady) -> bool:
    """Runs with pools apart have a spread of their own: what they drafted is seldom known."""
    return item.row.phase != "disaggregated"


def spread_of(errors: Sequence[float], groups: Sequence[object] | None = None) -> float:
    """The standard deviation whose 80 % band holds 80 % of the errors around 0.

    With ``groups``, errors of one group beyond `SPREAD_CROWD` count less: sources repeat themselves.
    """
    names = list(range(len(errors))) if groups is None else list(groups)
    count = Counter(names)
    weights = [min(SPREAD_CROWD, count[name]) / count[name] for name in names]
    ranked = sorted(zip(np.abs(errors).tolist(), weights, strict=True))
    passed, total = 0.0, sum(weights)
    for size, weight in ranked:
        passed += weight
        if passed >= 0.8 * total - 1e-9:
            return float(size) / Z90
    return float(ranked[-1][0]) / Z90


def _folds(found: ShippedServing, later: LaterServing) -> str:
    rows: dict[str, list[float | None]] = {}
    points: list[list[float | None] | None] = []
    for row in found.rows:
        given = found.folds.get(row.id)
        short = None if given is None else _short(given)
        if row.completeness is None:
            points.append(short)
        elif short is not None:
            rows[row.id] = short
    body = {
        "about": "times (s) of the figures of each shipped serving row by a fit without its group",
        "date": found.date,
        "effective_parameters": round(found.fit.effective, 1),
        "loss": round(found.fit.loss, 2),
        "unstated_spread": round(found.unstated_spread, 4),
        "apart_spread": round(found.apart_spread, 4),
        "queue_spread": round(found.queue_spread, 4),
        "first_token_spread": round(found.first_token_spread, 4),
        "left_out": _left_out(found),
        "predicted": rows,
        "points": points,
        "later_coverage": round(later.coverage(), 4),
        "later": {name: _short(given) for name, given in sorted(later.folds.items())},
    }
    text = json.dumps(body, separators=(",", ":"))
    # One row a line, so that changes can be read.
    return re.sub(r'(\],|\},)(?=["\[n])', "\\1\n", text) + "\n"


def _short(given: Sequence[float | None]) -> list[float | None]:
    return [None if time is None else float(f"{time:.4g}") for time in given]


def _left_out(found: ShippedServing) -> Mapping[str, Any]:
    """Errors of scored rows and of points whose layout is stated: first figures of rows, TPOT of points."""
    out = {}
    for name, predicted in (
        ("nothing (in the fit)", found.in_fit),
        ("the group", found.folds),
        ("the chip family", found.new_chip),
        ("the framework", found.new_stack),
    ):
        errors = [
            (item.row.completeness is not None, float(np.expm1(error)))
            for item, place, error in errors_of(found.ready, predicted)
            if place == 0 and stated(item)
        ]
        out[name] = _summed([error for _, error in errors])
        out[f"{name}: rows alone"] = _summed([error for row, error in errors if row])
    return out


def _summed(errors: Sequence[float]) -> dict[str, float]:
    sizes = np.abs(errors)
    return {
        "n": len(errors),
        "abs_error_p50": round(float(np.median(sizes)), 4),
        "mape": round(float(sizes.mean()), 4),
        "bias": round(float(np.mean(errors)), 4),
    }


def parameter_line(model: ServingModel, fit: ServingFit, place: int) -> str:
    """A parameter as ``planner calibrate`` prints it."""
    parameter: ServingParameter = model.parameters[place]
    runs, groups = _evidence(model, place)
    value = parameter.value(float(fit.u[place]))
    return f"{parameter.name:72.72} {parameter.prior:10.4g} {value:10.4g} {runs:5} {groups:6}"
