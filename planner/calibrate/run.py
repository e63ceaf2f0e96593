"""``planner calibrate``: the figures of chip families and software profiles from runs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.calibrate.fit import Fit, Model, fit, left_out
from planner.calibrate.parameters import PARAMETERS, Parameter
from planner.calibrate.residuals import Spread, shrunk, split
from planner.errors import PlannerError
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.predict import Engine, predictions
from planner.validation.request import Desk
from planner.validation.run import family_of

LEAST_GROUPS = 3
"""A parameter that fewer groups share stays at its prior."""
HELD = 1e-3
Array = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Shipped:
    """Outcome of the fit on the shipped runs.

    ``errors``, ``folds``, ``new_chip`` and ``new_software`` are ln(predicted/measured) of the rows of
    ``model``:
    in the fit, with their group left out, with their chip family, with their software profile.
    """

    model: Model
    fit: Fit
    errors: Array
    folds: Array
    new_chip: Array
    new_software: Array
    runs: dict[str, int]
    groups: dict[str, int]
    dense: Spread
    experts: Spread
    date: str

    def spread_of(self, chosen: Sequence[bool], pool: Spread) -> Spread:
        """`split` of some rows, drawn towards the pool."""
        rows = np.array(chosen)
        if rows.sum() < 4:
            return pool
        groups = self.model.groups[rows]
        own = split(self.folds[rows], groups.tolist())
        count = len(set(groups.tolist()))
        return Spread(shrunk(own.within, count, pool.within), shrunk(own.between, count, pool.between))


def shipped(library: SpecLibrary, say: Say = lambda _: None) -> Shipped:
    """Fit the parameters on the shipped runs, and predict each group, chip family and "
    "profile without itself."""
    cases = read()
    rows = [row for row in cases.training if row.scored]
    found, _ = predictions(Desk(library, cases.models), rows)
    engines = [item.engine for item in found]
    runs, groups = _evidence(engines)
    parameters = [p if groups[p.name] >= LEAST_GROUPS else replace(p, sigma=HELD) for p in PARAMETERS]
    model = Model(engines, parameters)
    best = fit(model, say)
    folds, _ = left_out(model, best, lambda engine: engine.ready.row.source)
    new_chip, _ = left_out(model, best, lambda engine: family_of(engine.ready.efficiency.id))
    new_software, _ = left_out(model, best, lambda engine: engine.ready.software.id)
    experts = np.array([engine.ready.experts for engine in engines])
    names = model.groups
    return Shipped(
        model=model,
        fit=best,
        errors=best.errors,
        folds=folds,
        new_chip=new_chip,
        new_software=new_software,
        runs=runs,
        groups=groups,
        dense=split(folds[~experts], names[~experts].tolist()),
        experts=split(folds[experts], names[experts].tolist()),
        date=dt.date.today().isoformat()[:7],
    )


def _evidence(engines: Sequence[Engine]) -> tuple[dict[str, int], dict[str, int]]:
    """Runs and groups that a parameter touches."""
    runs: dict[str, int] = {}
    groups: dict[str, int] = {}
    for parameter in PARAMETERS:
        touched = [engine for engine in engines if _touches(parameter, engine)]
        runs[parameter.name] = len(touched)
        groups[parameter.name] = len({engine.ready.row.source for engine in touched})
    return runs, groups


def _touches(parameter: Parameter, engine: Engine) -> bool:
    ready = engine.ready
    if parameter.kind == "software":
        return ready.software.id in parameter.ids
    if parameter.key[0] == "matmul" and not parameter.scales:
        needed = parameter.key[1] == ready.request.problem.training.precision
        return ready.efficiency.id in parameter.ids and needed
    return ready.efficiency.id in parameter.ids


@dataclass(frozen=True)
class Anchor:
    """What own runs say about one chip with one software profile.

    ``factor``: measured over predicted time, drawn towards 1; ``before`` and ``after``: mean absolute errors.
    """

    efficiency: str
    software: str
    runs: int
    groups: int
    factor: float
    before: float
    after: float
    sigma: float


BETWEEN = 0.10
"""ln spread between sources before any own run: what an own run is weighed against."""
WITHIN = 0.05
"""ln spread of runs of one source."""


def anchors(library: SpecLibrary, path: Path) -> list[Anchor]:
    """One factor on the speed of each chip family in the user's own runs.

    With n runs the factor is exp(w x mean ln error) with w = n s_b^2 / (n s_b^2 + s_w^2): one run counts
    for 80 %.
    The error that is left is told by leave-one-out where there are two runs or more.

    Raises:
        PlannerError: no row of the file can be predicted.
    """
    cases = read(path)
    found, reasons = predictions(Desk(library, cases.models), [row for row in cases.training if row.scored])
    if not found:
        listed = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:3])
        raise PlannerError(
            "has no run to calibrate on",
            file=str(path),
            hint=f"at least 1 run that can be predicted is needed, 10 correct well ({listed or 'no row'})",
        )
    by_chip: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for item in found:
        ready = item.engine.ready
        error = math.log(item.predicted / item.measured)
        by_chip.setdefault((ready.efficiency.id, ready.software.id), []).append((item.row.source, error))
    return [
        _anchor(chip, software, [e for _, e in pairs], len({g for g, _ in pairs}))
        for (chip, software), pairs in sorted(by_chip.items())
    ]


def anchor_weight(runs: int) -> float:
    """How much of the median error of so many own runs is believed."""
    return runs * BETWEEN**2 / (runs * BETWEEN**2 + WITHIN**2)


def _anchor(chip: str, software: str, errors: Sequence[float], groups: int) -> Anchor:
    count = len(errors)
    shift = anchor_weight(count) * float(np.median(errors))
    left = [e - shift for e in errors]
    if count > 1:
        left = [
            e - anchor_weight(count - 1) * float(np.median([*errors[:i], *errors[i + 1 :]]))
            for i, e in enumerate(errors)
        ]
    sigma = math.sqrt(
        (WITHIN**2 * 2 + sum(e * e for e in left) if count > 1 else WITHIN**2 * 3) / (count + 2)
    )
    return Anchor(
        efficiency=chip,
        software=software,
        runs=count,
        groups=groups,
        factor=math.exp(-shift),
        before=float(np.mean(np.abs(np.expm1(errors)))),
        after=float(np.mean(np.abs(np.expm1(left)))),
        sigma=max(sigma, 0.03),
    )
