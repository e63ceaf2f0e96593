"""Shares of peak of chips without runs: what families with runs say of one that the fit has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from planner.calibrate.parameters import BOARD_NAMES, FAMILIES, RIDGE, Parameter
from planner.calibrate.run import Shipped
from planner.software import default_profile
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.measured import measured_seconds
from planner.validation.predict import Engine, predictions, step_of
from planner.validation.request import Desk
from planner.validation.run import family_of

Array = NDArray[np.float64]
KEYS = {
    "attention_forward": ("attention", "forward"),
    "scale_up": ("scale_up",),
    "scale_out": ("scale_out",),
}
"""Fitted figure -> its place in an efficiency file."""
MOST = 0.9
"""One-sided confidence of what chips without runs are taken to be slower by."""
WIDEST = 0.8
"""One-sided confidence of the spread between them."""


def touches(parameter: Parameter, key: tuple[str, ...]) -> bool:
    """Whether a parameter sets or scales the figure ``key`` of an efficiency file."""
    if parameter.scales:
        if parameter.name in BOARD_NAMES:
            return key[0] == "matmul" or key == ("attention", "forward")
        return key[0] == "matmul" if parameter.key[0] == "matmul" else key == KEYS[parameter.key[0]]
    return (parameter.key if parameter.key[0] == "matmul" else KEYS[parameter.key[0]]) == key


def inherited(found: Shipped, key: str, ridge: float, at: Array | None = None) -> float:
    """A share of peak (dotted key of an efficiency file) of a chip of that ridge point without any run.

    What all families share, at the ridge point; what a family has of its own is its prior. A low ridge point
    promises higher shares of peak: no credit is given for that before a run shows it. ``at``: the u of
    another fit than that of all runs.
    """
    path = tuple(key.split("."))
    prior, law = None, 1.0
    for parameter, u in zip(found.model.parameters, found.fit.u if at is None else at, strict=True):
        own = parameter.kind == "efficiency" and parameter.name not in BOARD_NAMES
        if not own or not touches(parameter, path):
            continue
        if parameter.scales:
            law *= parameter.factor(float(u), max(ridge, RIDGE))
        elif len(parameter.ids) > 2 and path[0] != "matmul":
            prior = parameter.value(float(u))
        else:
            prior = parameter.prior
    assert prior is not None
    return prior * law


def measured_share(library: SpecLibrary, name: str, precision: str) -> float | None:
    """Best measured rate of large products over the peak: the mean of the chips of an efficiency file that
    have one, None where none has. 16-bit formats count as one."""
    shares = []
    for chip in map(library.accelerator, library.ids("accelerators")):
        if chip.efficiency != name:
            continue
        for known in ("bf16", "fp16") if precision == "bf16" else (precision,):
            rate, peak = getattr(chip.measured, known), getattr(chip.peak, known)
            if rate is not None and peak is not None:
                shares.append(rate.value / peak.value)
                break
    return float(np.mean(shares)) if shares else None


def reached(library: SpecLibrary, shares: Mapping[tuple[str, str], float]) -> tuple[float, int]:
    """Share of the best measured rate that products reach in training: the median of so many fitted figures.

    ``shares``: (efficiency file, precision) -> its fitted share of peak.
    """
    ratios = [
        share / measured
        for (name, precision), share in shares.items()
        if (measured := measured_share(library, name, precision)) is not None
    ]
    return float(np.median(ratios)), len(ratios)


@dataclass(frozen=True)
class Unseen:
    """How families that the fit has not seen come out: ln(predicted/measured), one mean of groups a family.

    Attributes:
        errors: by family.
        slower: divides the shares of chips without runs: the most, at 90 %, that such families take longer
            than predicted in the mean; at least 1.
        spread: standard deviation of ln(time) of one more such family: the upper 80 % bound from so few, and
            the doubt about their mean.
    """

    errors: dict[str, float]
    slower: float
    spread: float


def unseen(found: Shipped) -> Unseen:
    """Of fitted families left out of the fit, and of those with too few runs for a fit of their own."""
    engines = found.model.engines
    names = np.array([family_of(engine.ready.efficiency.id) for engine in engines])
    errors = {}
    for name in sorted(set(names.tolist())):
        mine = np.flatnonzero(names == name)
        rows = {
            int(row): float(found.new_chip[row]) if name in FAMILIES else _as_inherited(found, engines[row])
            for row in mine
        }
        by_group: dict[str, list[float]] = {}
        for row, error in rows.items():
            by_group.setdefault(str(found.model.groups[row]), []).append(error)
        errors[name] = float(np.mean([np.mean(group) for group in by_group.values()]))
    values = np.array(list(errors.values()))
    count, mean, deviation = len(values), float(values.mean()), float(values.std(ddof=1))
    most = float(stats.t.ppf(MOST, count - 1)) * deviation / math.sqrt(count) - mean
    widest = deviation * math.sqrt((count - 1) / float(stats.chi2.ppf(1.0 - WIDEST, count - 1)))
    spread = widest * math.sqrt(1.0 + 1.0 / count)
    return Unseen(errors, math.exp(max(most, 0.0)), spread)


def as_domestic_plans(found: Shipped, library: SpecLibrary) -> Array:
    """ln(predicted/measured) of the runs on Chinese chips, each as a plan on a chip without runs.

    All shares of peak are inherited from a fit without its family; the software is that of stacks that nobody
    measured.
    """
    rows = [
        engine.ready.row.model_copy(update={"software": default_profile("").id})
        for engine in found.model.engines
        if library.accelerator(engine.ready.accelerator).origin == "CN"
    ]
    lower = unseen(found).slower
    errors = []
    for item in predictions(Desk(library, read().models), rows)[0]:
        at = found.without_family[family_of(item.engine.ready.efficiency.id)]
        errors.append(_as_inherited(found, item.engine, at, lower, item.engine.software_now))
    return np.array(errors)


def _as_inherited(
    found: Shipped,
    engine: Engine,
    at: Array | None = None,
    lower: float = 1.0,
    software: Mapping[str, Any] | None = None,
) -> float:
    """ln(predicted/measured) of a row on a chip that inherits all its shares, over ``lower``."""
    ready = engine.ready
    ridge = found.model.ridge(ready.efficiency.id)

    def share(key: str) -> float:
        return inherited(found, key, ridge, at) / lower

    chip = {
        **engine.efficiency,
        "matmul": {key: v and share(f"matmul.{key}") for key, v in engine.efficiency["matmul"].items()},
        **{key: share(".".join(path)) for key, path in KEYS.items()},
    }
    design = engine.evaluate(chip, software or found.model.figures(engine, found.fit.u)[1])
    predicted = step_of(ready, design)
    performance = {**design["performance"], "step_seconds": predicted}
    return math.log(predicted / measured_seconds(ready.measure, performance, ready.card_peak))
