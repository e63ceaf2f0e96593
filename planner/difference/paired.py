"""Paired bands: how far the *difference* of two answers may be off.

Both answers rest on many of the same figures, and an error in one of those moves both. Two training plans
are drawn together: a figure, and an error of the model that both share, has the same value on both sides
of a draw, and what counts is the ratio of the sides, draw by draw.

Of services each figure goes to its low and its high in both problems at once, both designs are evaluated
again, and what counts is the change of the logarithm of their ratio; deviations of different figures add
in quadrature, upwards and downwards apart. The model's own error and that of the software are common to
both sides, and cancel, where the chip family (or the profile) is the same; else both count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.difference.moved import Logs, MovedService, logs
from planner.difference.sides import Side
from planner.lazy import np
from planner.plan.bands import Z90, Uncertain
from planner.plan.case import Case
from planner.plan.confidence import on_plant
from planner.plan.draws import Floats, percentiles
from planner.plan.risk import CANNOT_RUN, CAPEX, DAYS, MEGAWATTS, REASONS
from planner.plan.service_case import ServiceCase
from planner.plan.studied import all_errors, draws_of

Ratios = dict[str, tuple[float, float]]
DRAWN = {"days": DAYS, "facility_megawatts": MEGAWATTS, "capex_usd": CAPEX}
SEED = 0
"""Of both sides: what they share is drawn alike, whatever the seeds of the two scenarios."""


def ratios(a: Side, b: Side) -> Ratios:
    """P10 and P90 of ln(output of b / output of a), by output; empty where one side has no design."""
    if isinstance(a.case, Case) and isinstance(b.case, Case):
        return _of_training(a.case, b.case)
    services = [_service(side) for side in (a, b)]
    if services[0] is None or services[1] is None:
        return {}
    return _of_services(services[0], services[1])


def _of_training(a: Case, b: Case) -> Ratios:
    if a.design is None or b.design is None:
        return {}
    first, second = _columns(a), _columns(b)
    runs = [(columns[:, REASONS].astype(int) & CANNOT_RUN) == 0 for columns in (first, second)]
    both = runs[0] & runs[1]
    found: Ratios = {}
    for name, place in DRAWN.items():
        ends = percentiles(np.log(second[both, place] / first[both, place]))
        if ends is not None:
            found[name] = (ends[0], ends[2])
    return found


def _columns(case: Case) -> Floats:
    """draws x outputs of the design of a case."""
    design = case.design
    assert design is not None
    chip = case.request.clusters[design["cluster"]].accelerator
    # What a first port may cost is each chip's own; other errors say themselves what they are common to.
    errors = [
        replace(error, label=f"{error.label} of {chip}") if error.label.startswith("first port") else error
        for error in all_errors(case, design)[design["cluster"]]
    ]
    return draws_of(case, design, errors, SEED).columns(on_plant(design))


def _of_services(first: MovedService, second: MovedService) -> Ratios:
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


def _service(side: Side) -> MovedService | None:
    if isinstance(side.case, ServiceCase) and side.design is not None:
        return MovedService(side.case, side.design)
    return None


def _moves(a: MovedService, b: MovedService) -> list[tuple[Logs, Logs]]:
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


def _own_errors(a: MovedService, b: MovedService) -> list[float]:
    """Sigmas of ln(time) that do not cancel: of chip families, or profiles, that differ."""
    own: list[float] = []
    for (first, sigma), (second, other) in zip(a.errors, b.errors, strict=True):
        if first != second:
            own += [sigma, other]
    return own
