"""What a field that a row leaves open adds to its error: the figures of `planner.validation.open_fields`."""

from __future__ import annotations

import math

import numpy as np

from planner.calibrate.residuals import robust
from planner.calibrate.run import Shipped
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.open_fields import FIELDS
from planner.validation.predict import predictions
from planner.validation.request import Desk


def measured_doubts(library: SpecLibrary, found: Shipped) -> tuple[dict[str, float], dict[str, float]]:
    """Field -> standard deviation of ln(time) that it adds where it is open; field -> by how much predictions
    get faster there in the mean, since the fastest choice that fits is taken.

    Every scored run that states the field is predicted without it. What its prediction moves by comes on top
    of the error with its group left out; the doubt is what the spread of the sum has beyond that of the
    error. The library must be the one of ``found``.
    """
    engines = found.model.engines
    stated = {
        engine.ready.row.id: math.exp(float(e)) for engine, e in zip(engines, found.errors, strict=True)
    }
    folds = {engine.ready.row.id: float(e) for engine, e in zip(engines, found.folds, strict=True)}
    cases = read()
    desk = Desk(library, cases.models)
    doubts, lags = {}, {}
    for name, columns in FIELDS.items():
        rows = [
            engine.ready.row.model_copy(update=dict.fromkeys(columns))
            for engine in engines
            if any(getattr(engine.ready.row, column) is not None for column in columns)
            and (name != "experts" or engine.ready.experts)
        ]
        moved, before = [], []
        for item in predictions(desk, rows)[0]:
            before.append(folds[item.row.id])
            moved.append(before[-1] + math.log(item.predicted / item.measured / stated[item.row.id]))
        extra = robust(np.array(moved)) ** 2 - robust(np.array(before)) ** 2
        doubts[name] = round(math.sqrt(max(extra, 0.0)), 3)
        lags[name] = round(float(np.mean(before) - np.mean(moved)), 3)
    return doubts, lags
