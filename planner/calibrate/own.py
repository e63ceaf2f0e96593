"""``planner calibrate --cases``: one's own runs correct a chip's shares of peak. One anchors, ten correct."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.calibrate.residuals import Z90
from planner.errors import PlannerError
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.measured import measured_seconds
from planner.validation.predict import Engine, predictions, step_of
from planner.validation.request import Desk

BETWEEN = {False: 0.05, True: 0.17}
"""ln spread between sources before any own run, of dense and of mixture-of-experts models (out of the folds
of the shipped runs): what an own run is weighed against."""
UNKNOWN_CHIP = 0.15
"""The same of a chip without published runs, beside that of its software: families left out of the fit."""
WITHIN = 0.045
"""ln spread of runs of one source."""
CORRECT = 10
"""From so many runs on each share is corrected by itself, where that predicts runs left out better."""
VOUCHED = 2.0
"""Standard deviations of what is known without own runs for which one run vouches. One run that is farther
off may be an odd one: the rest of it is believed when further runs say the same."""
APART = 0.10
"""ln spread of one share against the others of a chip, before own runs."""
RATES = ("matmul", "attention_forward", "memory", "scale_up", "scale_out")
"""The shares of peak that own runs scale."""
MOST = 0.98
ROUNDS = 5
STEP = 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Anchor:
    """What own runs say about one chip with one software profile.

    Attributes:
        efficiency, software: ids of the chip's efficiency file and of the profile.
        runs, groups: how many runs stand behind it, of how many groups.
        factor: measured over predicted time, drawn towards 1.
        before, after: mean absolute errors; ``after`` of each run (or group) predicted without itself.
        sigma: standard deviation of ln(time) that is left.
        rates: what each share of peak is multiplied by; empty: not of a training model.
        bounded: the runs are so far off that only a part of it is believed.
    """

    efficiency: str
    software: str
    runs: int
    groups: int
    factor: float
    before: float
    after: float
    sigma: float
    rates: Mapping[str, float]
    bounded: bool = False


def anchors(library: SpecLibrary, path: Path) -> list[Anchor]:
    """What a user's runs say about each chip family and software profile in them.

    With n runs the median ln error is taken to (1 - w) of itself, w = n s_b^2 / (n s_b^2 + s_w^2): one run
    of a dense model counts for 55 %, one of a mixture of experts for 93 %, ten for 93 % and more; of one run
    that is very far off only a part (`believed`). From `CORRECT` runs on each share of peak has a factor of
    its own, where that predicts runs left out better than one for all.

    Raises:
        PlannerError: no row of the file can be predicted.
    """
    cases = read(path)
    found, reasons = predictions(Desk(library, cases.models), [row for row in cases.training if row.scored])
    if not found:
        listed = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:3]) or "no row"
        raise PlannerError(
            "has no run to calibrate on",
            file=str(path),
            hint=f"at least 1 run that can be predicted is needed, {CORRECT} correct well ({listed})",
        )
    by_chip: dict[tuple[str, str], list[Engine]] = {}
    for item in found:
        ready = item.engine.ready
        by_chip.setdefault((ready.efficiency.id, ready.software.id), []).append(item.engine)
    return [_anchor(chip, software, engines) for (chip, software), engines in sorted(by_chip.items())]


def anchor_weight(runs: int, experts: bool = False, known: bool = True, doubt: float = 0.0) -> float:
    """How much of the median error of so many own runs is believed.

    The more, the less is known without them: of mixture-of-experts models, of a chip without published
    runs, of rows that leave something open (``doubt``: standard deviation of ln(time)).
    """
    between = _between(experts, known, doubt) ** 2
    return runs * between / (runs * between + WITHIN**2)


def believed(error: float, runs: int, experts: bool = False, known: bool = True, doubt: float = 0.0) -> float:
    """What of a median ln error of so many own runs is put on the chip.

    w clip(error, -c, c) with w of `anchor_weight` and c = `VOUCHED` n sqrt(s_b^2 + s_w^2): n runs vouch for n
    times what one does (Huber's bounded influence), so that one odd run does not bend a machine.
    """
    most = _vouched(runs, experts, known, doubt)
    return anchor_weight(runs, experts, known, doubt) * min(max(error, -most), most)


def _vouched(runs: int, experts: bool, known: bool, doubt: float) -> float:
    return VOUCHED * runs * math.hypot(_between(experts, known, doubt), WITHIN)


def _between(experts: bool, known: bool, doubt: float) -> float:
    return math.sqrt(BETWEEN[experts] ** 2 + (0.0 if known else UNKNOWN_CHIP**2) + doubt**2)


def _anchor(chip: str, software: str, engines: Sequence[Engine]) -> Anchor:
    experts = all(engine.ready.experts for engine in engines)
    known = engines[0].ready.efficiency.calibrated != "none"
    doubt = min(engine.ready.doubt for engine in engines)
    count = len(engines)
    none = np.zeros(1 + len(RATES))
    errors = _errors(engines, none)

    def shift_of(others: Array) -> float:
        return believed(float(np.median(others)), len(others), experts, known, doubt)

    u, shift = none, shift_of(errors)
    for _ in range(ROUNDS):
        u = u.copy()
        u[0] += float(np.median(_errors(engines, u))) - (float(np.median(errors)) - shift)
    left = errors - shift
    if count > 1:
        left = np.array([error - shift_of(np.delete(errors, i)) for i, error in enumerate(errors)])
    middle = float(np.median(errors))
    bounded = abs(middle) > _vouched(count, experts, known, doubt)
    if count >= CORRECT:
        each, without = _each_share(engines, _between(experts, known, doubt))
        if np.abs(np.expm1(without)).mean() < np.abs(np.expm1(left)).mean():
            u, left = each, without
    noise = WITHIN**2 * (2 if count > 1 else 3)
    sigma = max(math.sqrt((noise + (float(left @ left) if count > 1 else 0.0)) / (count + 2)), 0.03)
    if bounded:
        # What is not believed stays inside the band.
        sigma = max(sigma, abs(middle - shift) / Z90)
    return Anchor(
        efficiency=chip,
        software=software,
        runs=count,
        groups=len({engine.ready.row.source for engine in engines}),
        factor=math.exp(float(np.median(_errors(engines, u) - errors))),
        before=float(np.mean(np.abs(np.expm1(errors)))),
        after=float(np.mean(np.abs(np.expm1(left)))),
        sigma=sigma,
        rates={name: math.exp(float(u[0] + own)) for name, own in zip(RATES, u[1:], strict=True)},
        bounded=bounded,
    )


def _each_share(engines: Sequence[Engine], between: float) -> tuple[Array, Array]:
    """ln factors of all shares and of each, by regularised least squares; ln errors of runs left out.

    Runs are left out with their group, or one by one where all are of fewer than three groups; what is left
    is then fitted again on the linear model.
    """
    sources = [engine.ready.row.source for engine in engines]
    folds = np.array(sources if len(set(sources)) >= 3 else [str(i) for i in range(len(engines))])
    prior = np.diag([between**-2, *[APART**-2] * len(RATES)])
    u = np.zeros(1 + len(RATES))
    for _ in range(3):
        errors = _errors(engines, u)
        slope = _slopes(engines, u, errors)
        u = _solved(slope, errors - slope @ u, prior)
    errors = _errors(engines, u)
    slope = _slopes(engines, u, errors)
    left = errors.copy()
    for name in sorted(set(folds.tolist())):
        out = folds == name
        moved = _solved(slope[~out], (errors - slope @ u)[~out], prior)
        left[out] = errors[out] + slope[out] @ (moved - u)
    return u, left


def _solved(slope: Array, constant: Array, prior: Array) -> Array:
    """The u that makes constant + slope u small, drawn towards 0; large errors count linearly."""
    u = np.zeros(slope.shape[1])
    for _ in range(4):
        weight = 1.0 / np.sqrt(1.0 + ((constant + slope @ u) / (2.0 * WITHIN)) ** 2) / WITHIN**2
        u = np.asarray(
            np.linalg.solve(slope.T @ (slope * weight[:, None]) + prior, -slope.T @ (weight * constant))
        )
    return u


def _slopes(engines: Sequence[Engine], u: Array, errors: Array) -> Array:
    out = np.zeros((len(engines), len(u)))
    for place in range(len(u)):
        moved = u.copy()
        moved[place] += STEP
        out[:, place] = (_errors(engines, moved) - errors) / STEP
    return out


def _errors(engines: Sequence[Engine], u: Array) -> Array:
    """ln(predicted/measured) with the shares of peak multiplied: ``u[0]`` of all, then of each of `RATES`."""
    return np.array([_error(engine, u) for engine in engines])


def _error(engine: Engine, u: Array) -> float:
    ready = engine.ready
    chip: dict[str, Any] = dict(engine.efficiency)
    for name, own in zip(RATES, u[1:], strict=True):
        chip[name] = scaled(chip[name], math.exp(float(u[0] + own)))
    design = engine.evaluate(chip)
    predicted = step_of(ready, design)
    performance = {**design["performance"], "step_seconds": predicted}
    return math.log(predicted / measured_seconds(ready.measure, performance, ready.card_peak))


def scaled(share: Any, factor: float) -> Any:
    """A share of peak, or one per precision, times ``factor``; never above what a machine can reach."""
    if isinstance(share, Mapping):
        return {name: scaled(value, factor) for name, value in share.items()}
    return None if share is None else min(share * factor, max(MOST, share))
