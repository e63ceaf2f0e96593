"""Robust regularised least squares on ln(predicted/measured), and what is left of it on groups left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.calibrate.parameters import RIDGE, Parameter, apply
from planner.validation.measured import measured_seconds
from planner.validation.predict import Engine, step_of

SCALE = 0.10
"""ln error beyond which a row counts linearly instead of quadratically (soft L1)."""
NOISE = 0.06
"""ln error of a row that the priors are weighed against: what well-fitted sources differ by."""
GROUP_POWER = 0.15
"""A row of a group of n weighs n^-0.15: rows of one source repeat each other's error."""
ITERATIONS = 8
STEP = 0.02

Array = NDArray[np.float64]


class Model:
    """Rows as a function of the parameters."""

    def __init__(
        self,
        engines: Sequence[Engine],
        parameters: Sequence[Parameter],
        ridges: Mapping[str, float] | None = None,
    ) -> None:
        """``engines``: the rows to fit on or to predict; ``ridges``: ridge point of each efficiency file."""
        self.ridges = ridges or {}
        self.engines = list(engines)
        self.parameters = list(parameters)
        counts: dict[str, int] = {}
        for engine in self.engines:
            source = engine.ready.row.source
            counts[source] = counts.get(source, 0) + 1
        self.groups = np.array([engine.ready.row.source for engine in self.engines])
        own = {file for p in self.parameters if p.kind == "efficiency" for file in p.ids}
        # A chip without figures of its own to fit would bend those of the software instead.
        self.weights = np.array(
            [
                counts[g] ** -GROUP_POWER if e.ready.efficiency.id in own else 0.0
                for g, e in zip(self.groups, self.engines, strict=True)
            ]
        )
        self._touches = [
            {
                i
                for i, p in enumerate(self.parameters)
                if (e.ready.efficiency.id if p.kind == "efficiency" else e.ready.software.id) in p.ids
            }
            for e in self.engines
        ]

    def ridge(self, efficiency: str) -> float:
        """Ridge point of the chips of an efficiency file."""
        return self.ridges.get(efficiency, RIDGE)

    def error(self, row: int, u: Array) -> float:
        """ln(predicted/measured) of a row."""
        engine = self.engines[row]
        ready = engine.ready
        chip, tools = self.figures(engine, u)
        design = engine.evaluate(chip, tools)
        predicted = step_of(ready, design)
        performance = {**design["performance"], "step_seconds": predicted}
        return float(np.log(predicted / measured_seconds(ready.measure, performance, ready.card_peak)))

    def figures(self, engine: Engine, u: Array) -> tuple[dict[str, Any], dict[str, Any]]:
        """The figures of a row's chip, and of its software, at ``u``."""
        ready = engine.ready
        return apply(
            self.parameters,
            u.tolist(),
            ready.efficiency.id,
            ready.software.id,
            engine.efficiency,
            engine.software,
            self.ridge(ready.efficiency.id),
            ready.row.block_scaled,
            ready.age,
        )

    def errors(self, u: Array) -> Array:
        """Of all rows."""
        return np.array([self.error(row, u) for row in range(len(self.engines))])

    def jacobian(self, u: Array, base: Array) -> Array:
        """d error / d u by forward differences, only where a parameter touches a row."""
        out = np.zeros((len(self.engines), len(self.parameters)))
        for i in range(len(self.parameters)):
            moved = u.copy()
            moved[i] += STEP
            for row in range(len(self.engines)):
                if i in self._touches[row]:
                    out[row, i] = (self.error(row, moved) - base[row]) / STEP
        return out


@dataclass(frozen=True)
class Fit:
    """The optimum.

    Attributes:
        u: see `Parameter`.
        errors: ln(predicted/measured) of all rows there.
        jacobian: at ``u``.
        effective: effective number of parameters, the trace of the smoother.
        covariance: of u.
    """

    u: Array
    errors: Array
    jacobian: Array
    effective: float
    covariance: Array

    @property
    def spread(self) -> Array:
        """Standard error of each u."""
        return np.sqrt(np.diag(self.covariance))


def fit(model: Model, progress: Callable[[str], None] = lambda _: None) -> Fit:
    """Gauss-Newton with the weights of the robust loss renewed at every step."""
    u = np.zeros(len(model.parameters))
    errors = model.errors(u)
    for iteration in range(ITERATIONS):
        step = next_step(model, u, errors)
        u = u + step
        errors = model.errors(u)
        progress(f"step {iteration + 1}: mean |error| {np.mean(np.abs(np.expm1(errors))):.4f}")
        if np.max(np.abs(step)) < 3e-3:
            break
    jacobian = model.jacobian(u, errors)
    normal, gram = _normal(model, jacobian, errors, np.ones(len(errors), bool))
    inverse = np.linalg.inv(normal)
    return Fit(u, errors, jacobian, float(np.trace(inverse @ gram)), np.asarray(inverse, np.float64))


def next_step(model: Model, u: Array, errors: Array) -> Array:
    """What the fit moves ``u`` by, where the errors are ``errors``; nearly nothing at its end."""
    target = _solve(model, model.jacobian(u, errors), errors, u, np.ones(len(errors), bool))
    return np.clip(target - u, -0.5, 0.5)


def _normal(model: Model, jacobian: Array, errors: Array, kept: Array) -> tuple[Array, Array]:
    weight = np.where(kept, model.weights**2 / np.sqrt(1.0 + (errors / SCALE) ** 2), 0.0) / NOISE**2
    gram = jacobian.T @ (jacobian * weight[:, None])
    prior = np.array([p.sigma**-2 for p in model.parameters])
    return gram + np.diag(prior), gram


def _solve(model: Model, jacobian: Array, errors: Array, u: Array, kept: Array) -> Array:
    """The next u from the linear model error(v) = errors + jacobian (v - u), with the "
    "prior v ~ N(0, sigma)."""
    weight = np.where(kept, model.weights**2 / np.sqrt(1.0 + (errors / SCALE) ** 2), 0.0) / NOISE**2
    normal, _ = _normal(model, jacobian, errors, kept)
    right = jacobian.T @ (weight * (jacobian @ u - errors))
    return np.asarray(np.linalg.solve(normal, right))


def left_out(model: Model, full: Fit, label: Callable[[Engine], str]) -> tuple[Array, dict[str, Array]]:
    """Errors of each row predicted by a fit without the rows of the same ``label``, and those fits' u.

    Each fold starts from the full optimum and takes three steps on its linearisation; the rows left out are
    then predicted exactly.
    """
    labels = np.array([label(engine) for engine in model.engines])
    errors = np.zeros(len(labels))
    found: dict[str, Array] = {}
    for name in sorted(set(labels.tolist())):
        kept = labels != name
        u, at = full.u, full.errors
        for _ in range(3):
            moved = _solve(model, full.jacobian, at, u, kept)
            at = full.errors + full.jacobian @ (moved - full.u)
            u = moved
        found[name] = u
        for row in np.flatnonzero(~kept):
            errors[row] = model.error(int(row), u)
    return errors, found
