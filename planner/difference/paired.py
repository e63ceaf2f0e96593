"""Paired bands: how far the *difference* of two answers may be off.

Both answers rest on many of the same figures, and an error in one of those moves both. So every figure goes
to its low and its high in both problems at once, both designs are evaluated again, and what counts is the
change of the logarithm of their ratio. Deviations of different figures are independent and add in quadrature,
upwards and downwards apart, as for the bands of one plan. The model's own error and that of the software are
common to both sides, and cancel, where the chip family (or the profile) is the same; else both count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner.difference.moved import Logs, Moved, MovedService, MovedTraining, logs
from planner.difference.sides import Side
from planner.plan.bands import Z90, Uncertain
from planner.plan.case import Case
from planner.plan.service_case import ServiceCase

Ratios = dict[str, tuple[float, float]]


def ratios(a: Side, b: Side) -> Ratios:
    """P10 and P90 of ln(output of b / output of a), by output; empty where one side has no design."""
    sides = [_moved(side) for side in (a, b)]
    first, second = sides
    if first is None or second is None:
        return {}
    squares = {name: [0.0, 0.0] for name in first.centre}
    for low, high in _moves(first, second):
        for name, (down, up) in squares.items():
            changes = (low.get(name, 0.0), high.get(name, 0.0))
            squares[name] = [down + min(0.0, *changes) ** 2, up + max(0.0, *changes) ** 2]
    for sigma in _own_errors(first, second):
        for name in first.slowed:
            down, up = squares[name]
            squares[name] = [down + (Z90 * sigma) ** 2, up + (Z90 * sigma) ** 2]
    found: Ratios = {}
    for name, (down, up) in squares.items():
        before, after = first.centre[name], second.centre[name]
        if before and after:
            middle = math.log(after / before)
            found[name] = (middle - math.sqrt(down), middle + math.sqrt(up))
    return found


def _moved(side: Side) -> Moved | None:
    if isinstance(side.case, Case):
        return None if side.case.design is None else MovedTraining(side.case)
    if isinstance(side.case, ServiceCase) and side.design is not None:
        return MovedService(side.case, side.design)
    return None


def _moves(a: Moved, b: Moved) -> list[tuple[Logs, Logs]]:
    """For each uncertain figure: change of ln(b/a) with it at its low and at its high."""
    everything: dict[Any, Uncertain] = {**a.figures, **b.figures}
    ordered = [everything[place] for place in sorted(everything)]
    before, after = logs(a, ordered), logs(b, ordered)
    return [
        (_minus(after[place, 0], before[place, 0]), _minus(after[place, 1], before[place, 1]))
        for place in range(len(ordered))
    ]


def _minus(second: Logs, first: Logs) -> Mapping[str, float]:
    return {name: second.get(name, 0.0) - first.get(name, 0.0) for name in {**first, **second}}


def _own_errors(a: Moved, b: Moved) -> list[float]:
    """Sigmas of ln(time) that do not cancel: of chip families, or profiles, that differ."""
    own: list[float] = []
    for (first, sigma), (second, other) in zip(a.errors, b.errors, strict=True):
        if first != second:
            own += [sigma, other]
    return own
