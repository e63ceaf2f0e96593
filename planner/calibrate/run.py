"""``planner calibrate``: the figures of chip families and software profiles from runs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.calibrate.fit import Fit, Model, fit, left_out
from planner.calibrate.parameters import PARAMETERS, Parameter
from planner.calibrate.residuals import USUAL, Spread, covering, robust, shrunk, split
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.predict import Engine, predictions
from planner.validation.request import Desk
from planner.validation.rows import LATER
from planner.validation.run import family_of

LEAST_GROUPS = 3
"""A parameter that fewer groups share stays at its prior."""
HELD = 1e-3
LEAST_SPREAD = 0.01
"""Between sources of any profile."""
Array = NDArray[np.float64]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Later:
    """A run read after the model was made, predicted by the fit of all others.

    Attributes:
        software, source, experts: of the run.
        error: ln(predicted/measured).
        doubt: standard deviation of ln(time) for what its row leaves open.
    """

    software: str
    source: str
    experts: bool
    error: float
    doubt: float


@dataclass(frozen=True)
class Shipped:
    """Outcome of the fit on the shipped runs.

    ``errors``, ``folds``, ``new_chip`` and ``new_software`` are ln(predicted/measured) of the rows of
    ``model``:
    in the fit, with their group left out, with their chip family, their software profile, their framework.
    ``later``: runs that no fit has seen.
    ``without_family``: the u of the fits without each chip family.
    """

    model: Model
    fit: Fit
    errors: Array
    folds: Array
    new_chip: Array
    new_software: Array
    new_framework: Array
    later: tuple[Later, ...]
    without_family: dict[str, Array]
    runs: dict[str, int]
    groups: dict[str, int]
    dense: Spread
    experts: Spread
    date: str

    def between(self, software: str, experts: bool) -> float:
        """Spread between sources of a profile: what left-out runs are off by beyond the usual residual.

        Runs read later count too, less what their open fields explain: a profile whose few fitted sources
        are alike may be used in many ways. Drawn towards all runs of the kind (dense, mixture of experts),
        the more the fewer groups.
        """
        engines = self.model.engines
        kind = np.array([e.ready.experts == experts for e in engines])
        mine = kind & np.array([e.ready.software.id == software for e in engines])
        pool = total = robust(self.folds[kind])
        later = [run for run in self.later if run.software == software and run.experts == experts]
        errors = [*self.folds[mine].tolist(), *(r.error / math.hypot(1.0, r.doubt / pool) for r in later)]
        if len(errors) >= 4:
            groups = {*self.model.groups[mine].tolist(), *(run.source for run in later)}
            total = shrunk(robust(np.array(errors)), len(groups), pool)
        return math.sqrt(max(total**2 - USUAL**2, LEAST_SPREAD**2))

    def elsewhere(self, experts: bool) -> float:
        """What runs of a kind are off by without their framework, beyond that without their group."""
        kind = np.array([e.ready.experts == experts for e in self.model.engines])
        known, unknown = robust(self.folds[kind]), robust(self.new_framework[kind])
        return math.sqrt(max(unknown**2 - known**2, 0.0))

    def residual(self, family: str) -> float:
        """Of a chip family: with the spreads of the software, its bands hold 80 % of runs left out.

        Drawn towards the pool, the more the fewer groups.
        """
        engines = self.model.engines
        rows = np.array([family_of(e.ready.efficiency.id) == family for e in engines])
        spreads = np.array(
            [
                self.between(e.ready.software.id, e.ready.experts)
                for e, own in zip(engines, rows, strict=True)
                if own
            ]
        )
        own = covering(self.folds[rows], spreads, USUAL)
        return shrunk(own, len(set(self.model.groups[rows].tolist())), USUAL)


def shipped(library: SpecLibrary, say: Say = lambda _: None) -> Shipped:
    """Fit the parameters on the shipped runs, and predict each group, chip family and "
    "profile without itself."""
    model = shipped_model(library)
    engines = model.engines
    runs, groups = _evidence(engines)
    best = fit(model, say)
    folds, _ = left_out(model, best, lambda engine: engine.ready.row.source)
    new_chip, without = left_out(model, best, lambda engine: family_of(engine.ready.efficiency.id))
    new_software, _ = left_out(model, best, lambda engine: engine.ready.software.id)
    new_framework, _ = left_out(model, best, lambda engine: engine.ready.row.framework or "")
    experts = np.array([engine.ready.experts for engine in engines])
    names = model.groups
    return Shipped(
        model=model,
        fit=best,
        errors=best.errors,
        folds=folds,
        new_chip=new_chip,
        new_software=new_software,
        new_framework=new_framework,
        later=tuple(_later(library, model, best)),
        without_family=without,
        runs=runs,
        groups=groups,
        dense=split(folds[~experts], names[~experts].tolist()),
        experts=split(folds[experts], names[experts].tolist()),
        date=dt.date.today().isoformat()[:7],
    )


def _later(library: SpecLibrary, model: Model, best: Fit) -> Iterator[Later]:
    cases = read(LATER)
    found, _ = predictions(Desk(library, cases.models), cases.training)
    engines = [item.engine for item in found]
    errors = Model(engines, model.parameters, model.ridges).errors(best.u)
    for engine, error in zip(engines, errors.tolist(), strict=True):
        ready = engine.ready
        yield Later(ready.software.id, ready.row.source, ready.experts, error, ready.doubt)


def shipped_model(library: SpecLibrary) -> Model:
    """The shipped runs as a function of the parameters; those that too few groups share are held."""
    cases = read()
    found, _ = predictions(Desk(library, cases.models), [row for row in cases.training if row.scored])
    engines = [item.engine for item in found]
    _, groups = _evidence(engines)
    parameters = [p if groups[p.name] >= LEAST_GROUPS else replace(p, sigma=HELD) for p in PARAMETERS]
    return Model(engines, parameters, ridges(library, {engine.ready.accelerator for engine in engines}))


def ridges(library: SpecLibrary, with_runs: Collection[str] = ()) -> dict[str, float]:
    """Efficiency file -> 16-bit peak over memory bandwidth (FLOP per byte), the median of its chips.

    Of the chips ``with_runs`` where it has some: a chip added to the library must not move what runs of
    others say.
    """
    found: dict[str, dict[str, float]] = {}
    for name in library.ids("accelerators"):
        chip = library.accelerator(name)
        if chip.peak.bf16 is not None and chip.memory.bandwidth is not None:
            ridge = chip.peak.bf16.value / chip.memory.bandwidth.value
            found.setdefault(chip.efficiency, {})[name] = ridge
    out = {}
    for file, chips in found.items():
        measured = [ridge for name, ridge in chips.items() if name in with_runs]
        out[file] = float(np.median(measured or list(chips.values())))
    return out


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
        fits = parameter.blocks in (None, ready.row.block_scaled)
        quantised = ready.request.problem.training.precision != "bf16"
        return (
            ready.software.id in parameter.ids
            and fits
            and (quantised or "quantisation" not in parameter.name)
        )
    if parameter.key[0] == "matmul" and not parameter.scales:
        needed = parameter.key[1] == ready.request.problem.training.precision
        return ready.efficiency.id in parameter.ids and needed
    return ready.efficiency.id in parameter.ids
