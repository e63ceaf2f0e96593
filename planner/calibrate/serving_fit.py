"""Robust fit of the serving parameters on published runs, and what follows from leaving groups out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.calibrate.serving_parameters import ServingParameter, heirs, moved
from planner.software.serving import own_keys, serving_profiles
from planner.validation.serving_measured import Figure, Quantity
from planner.validation.serving_predict import (
    Answers,
    Battery,
    Tables,
    refusal,
    seconds,
    shipped_tables,
)
from planner.validation.serving_request import ServingDesk, ServingReady

Vector = NDArray[np.float64]
SOFT = 0.12
"""Residuals of ln(time) beyond this pull less and less."""
NOISE = 0.12
"""A residual that weighs as much as one standard deviation of a prior."""
STEPS = (4e-3, 2e-2)
"""Of the differences that make up the Jacobian, in turn: whole waves and captured batches make the model
jump by small amounts, over which a longer step looks."""
LONGEST = 0.6
"""Of a step in u."""
GAIN = 0.02
"""Of the loss, below which the fit has arrived: a hundredth of what tells two fits apart."""
DAMPING, EASED, HARDENED, TRIES = 1e-2, 0.2, 5.0, 7
"""Start of Marquardt's damping, its factors after a round that gains and after a step that does not, and how
many steps are tried."""
WEIGHTS: dict[Quantity, float] = {
    "throughput": 1.0, "decode_rate": 1.0, "prefill_rate": 1.0, "tpot": 0.8, "latency": 0.0, "ttft": 0.5,
}  # fmt: skip
POINT_WEIGHTS: dict[Quantity, float] = {"tpot": 0.45, "latency": 0.3, "ttft": 0.3}
CROWD = 12.0
"""Figures of a group beyond which each further one counts less: sources repeat themselves."""


@dataclass(frozen=True)
class Aim:
    """One figure of the fit."""

    place: int
    """Of the row in the battery."""
    figure: Figure
    weight: float


class ServingModel:
    """Rows of the fit and what they ask, with the parameters as a vector."""

    def __init__(
        self,
        desk: ServingDesk,
        ready: Sequence[ServingReady],
        chosen: Sequence[ServingParameter],
        base: Tables | None = None,
    ) -> None:
        """``ready``: rows that the core answers; ``base``: figures that are not fitted (default: shipped)."""
        self.ready = list(ready)
        self.parameters = tuple(chosen)
        self.base = base or shipped_tables(desk)
        self._desk = desk
        self.battery = Battery(desk, ready)
        self._touched: dict[int, tuple[list[int], Battery]] = {}
        profiles = serving_profiles()
        parents = {item.id: item.extends for item in profiles}
        own = {item.id: own_keys(item.id) for item in profiles}
        self.reach = [
            heirs(parents, item.ids, own, item.key) if item.table == "software" else set(item.ids)
            for item in self.parameters
        ]
        self.aims = self._aims()
        self.groups = np.array([self.ready[aim.place].row.source for aim in self.aims])
        self.families = np.array([self.ready[aim.place].family.removesuffix("-hgx") for aim in self.aims])
        self.stacks = np.array([stack_of(self.ready[aim.place].software.id) for aim in self.aims])
        self.weights = np.array([aim.weight for aim in self.aims])
        self._measured = np.log([aim.figure.seconds for aim in self.aims])

    def jacobian(self, u: Vector, base: Vector, step: float = STEPS[0]) -> Vector:
        """d error / d u by forward differences, asked only of rows that a parameter touches."""
        out = np.zeros((len(self.aims), len(self.parameters)))
        for column, (parameter, names) in enumerate(zip(self.parameters, self.reach, strict=True)):
            if column not in self._touched:
                places = [place for place, item in enumerate(self.ready) if touches(parameter, names, item)]
                self._touched[column] = (places, Battery(self._desk, [self.ready[p] for p in places]))
            places, battery = self._touched[column]
            moved_u = u.copy()
            moved_u[column] += step
            answers = dict(zip(places, battery.answers(self.tables(moved_u)), strict=True))
            for index, aim in enumerate(self.aims):
                if aim.place in answers:
                    error = self._error(answers[aim.place], aim, index)
                    out[index, column] = (error - base[index]) / step
        return out

    def _error(self, given: Answers, aim: Aim, index: int) -> float:
        if refusal(given) is not None:
            return 0.0
        time = seconds(given, self.ready[aim.place].row, aim.figure)
        return float(np.log(time) - self._measured[index]) if time else 0.0

    def _aims(self) -> list[Aim]:
        found = []
        for place, item in enumerate(self.ready):
            weights = POINT_WEIGHTS if item.row.completeness is None else WEIGHTS
            found += [Aim(place, figure, weights.get(figure.quantity, 0.0)) for figure in item.figures]
        crowd: dict[tuple[str, str], int] = {}
        for aim in found:
            key = (self.ready[aim.place].row.source, aim.figure.quantity)
            crowd[key] = crowd.get(key, 0) + 1
        return [
            Aim(
                aim.place,
                aim.figure,
                aim.weight
                * min(
                    1.0,
                    (CROWD / crowd[self.ready[aim.place].row.source, aim.figure.quantity]) ** 0.5,
                )
                * _few(crowd[self.ready[aim.place].row.source, aim.figure.quantity]),
            )
            for aim in found
            if aim.weight > 0.0
        ]

    def shipped(self) -> Vector:
        """The parameters at which `tables` are those of the library, to the digits that it states."""
        tables = {"constants": None, "software": self.base.software, "families": self.base.families}
        return np.array(
            [
                item.place(
                    float(
                        self.base.constants[item.key]
                        if (table := tables[item.table]) is None
                        else table[item.ids[0]][item.key]
                    )
                )
                for item in self.parameters
            ]
        )

    def tables(self, u: Sequence[float] | Vector) -> Tables:
        """The tables at ``u``."""
        return moved(self.base, self.parameters, list(u), self.reach)

    def errors(self, u: Vector) -> Vector:
        """ln(predicted / measured) of every aim; 0 where there is no prediction."""
        answers = self.battery.answers(self.tables(u))
        return np.array([self._error(answers[aim.place], aim, index) for index, aim in enumerate(self.aims)])


_OF_EXPERTS = (
    "ridge_grouped",
    "grouped_width",
    "group_rows",
    "expert_skew",
    "exchange_alpha",
    "nic_share",
    "prefill_coordination",
    "experts",
)


def touches(parameter: ServingParameter, names: set[str], item: ServingReady) -> bool:
    """Whether a parameter can move the prediction of a row; ``names``: profiles or families it sets."""
    if parameter.key in _OF_EXPERTS and not item.experts:
        return False
    if parameter.table == "constants":
        return True
    return (item.software.id if parameter.table == "software" else item.family) in names


def stack_of(profile_id: str) -> str:
    """The framework of a profile, whatever its release: what stands before the year."""
    return re.split(r"-(?:20\d\d|eager|ascend|rocm)", profile_id)[0]


def _few(count: int) -> float:
    """Sources with very few figures are single anchors of their kind of deployment: they count more."""
    return 2.0 if count <= 4 else 1.0


@dataclass(frozen=True)
class ServingFit:
    """The optimum and its surroundings.

    Attributes:
        u: the parameters.
        errors: of every aim at ``u``.
        jacobian: of the errors by u (aims x parameters).
        spread: standard error of each u.
        effective: effective number of parameters: trace of the smoother.
        loss: what the fit made as small as it could, see `loss_of`.
    """

    u: Vector
    errors: Vector
    jacobian: Vector
    spread: Vector
    effective: float
    loss: float


def fit(model: ServingModel, say: Callable[[str], None], rounds: int = 40) -> ServingFit:
    """Levenberg-Marquardt from the priors (u = 0), the weights of the robust loss renewed in every round.

    The start does not depend on what the library ships, so the same rows give the same figures. It ends
    where neither of `STEPS` gains `GAIN`.
    """
    u = np.zeros(len(model.parameters))
    errors = model.errors(u)
    damping, tired = DAMPING, 0
    for turn in range(rounds):
        jacobian = model.jacobian(u, errors, STEPS[tired % len(STEPS)])
        before = loss_of(model, u, errors)
        better = _stepped(model, u, errors, jacobian, damping)
        if better is not None:
            u, errors, damping = better
            say(
                f"round {turn + 1}: loss {loss_of(model, u, errors):.2f}, "
                f"mean |error| {np.abs(np.expm1(errors)).mean():.4f}"
            )
        if better is None or before - loss_of(model, u, errors) < GAIN:
            tired, damping = tired + 1, DAMPING
            if tired >= 2 * len(STEPS):
                break
    # Fits without a group move further than a round does: the longer step stands for them.
    jacobian = model.jacobian(u, errors, STEPS[-1])
    normal, gram = _normal(model, jacobian, errors, np.ones(len(errors), bool))
    inverse = np.linalg.inv(normal)
    return ServingFit(
        u=u,
        errors=errors,
        jacobian=jacobian,
        spread=np.sqrt(np.diag(inverse)),
        effective=float(np.trace(inverse @ gram)),
        loss=loss_of(model, u, errors),
    )


def _stepped(
    model: ServingModel, u: Vector, errors: Vector, jacobian: Vector, damping: float
) -> tuple[Vector, Vector, float] | None:
    """The first damped step that lowers the loss, its errors and the next damping; None if none does."""
    before = loss_of(model, u, errors)
    everything = np.ones(len(errors), bool)
    normal, _ = _normal(model, jacobian, errors, everything)
    slope = jacobian.T @ (_robust(model, errors, everything) * errors)
    slope += u / np.array([item.sigma for item in model.parameters]) ** 2
    for _ in range(TRIES):
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slope)
        there = u + np.clip(step, -LONGEST, LONGEST)
        found = model.errors(there)
        if loss_of(model, there, found) < before:
            return there, found, damping * EASED
        damping *= HARDENED
    return None


def loss_of(model: ServingModel, u: Vector, errors: Vector) -> float:
    """Half the weighted pseudo-Huber loss over noise, and the priors."""
    soft = SOFT**2 * (np.sqrt(1.0 + (errors / SOFT) ** 2) - 1.0)
    prior = np.array([item.sigma for item in model.parameters])
    return float((model.weights**2 * soft).sum() / NOISE**2 + ((u / prior) ** 2).sum() / 2.0)


def _normal(model: ServingModel, jacobian: Vector, errors: Vector, kept: Vector) -> tuple[Vector, Vector]:
    gram = jacobian.T @ (jacobian * _robust(model, errors, kept)[:, None])
    return gram + np.diag([item.sigma**-2 for item in model.parameters]), gram


def _robust(model: ServingModel, errors: Vector, kept: Vector) -> Vector:
    return np.where(kept, model.weights**2 / np.sqrt(1.0 + (errors / SOFT) ** 2), 0.0) / NOISE**2


def _solved(model: ServingModel, jacobian: Vector, errors: Vector, u: Vector, kept: Vector) -> Vector:
    """The next u from the linear model error(v) = errors + jacobian (v - u), v ~ N(0, sigma)."""
    normal, _ = _normal(model, jacobian, errors, kept)
    right = jacobian.T @ (_robust(model, errors, kept) * (jacobian @ u - errors))
    return np.asarray(np.linalg.solve(normal, right))


def without(model: ServingModel, found: ServingFit, kept: Vector) -> Vector:
    """The parameters fitted on the ``kept`` aims: three steps on the linearisation at the optimum of all."""
    u, errors = found.u, found.errors
    for _ in range(3):
        u = _solved(model, found.jacobian, errors, u, kept)
        errors = found.errors + found.jacobian @ (u - found.u)
    return u


def left_out(
    model: ServingModel,
    found: ServingFit,
    parts: NDArray[np.str_],
    told: Callable[[str, Tables], None],
) -> None:
    """For each part of the aims: tells its name and the tables of a fit without it."""
    for name in sorted(set(parts.tolist())):
        told(name, model.tables(without(model, found, parts != name)))
