"""How good predictions are: errors of time, coverage of the bands, and the order of layouts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

APART = math.log(1.03)
"""Pairs closer than 3 % in tokens/s per card are not ordered: that is measuring noise."""


@dataclass(frozen=True)
class Case:
    """One row with its prediction; ``predicted`` is None where it is not answered.

    Times are seconds of one step with the row's batch; ``low`` and ``high`` span 80 %.
    """

    id: str
    scored: bool
    group: str
    hardware: str
    family: str
    framework: str
    software: str
    experts: bool | None
    metric: str | None
    measured: float | None
    predicted: float | None
    low: float | None
    high: float | None
    in_fit: float | None
    pair_key: tuple[Any, ...]
    cards: int | None
    batch: int | None
    tokens: float
    """Tokens of a step per card."""
    memory: tuple[float, float] | None
    fits: bool | None
    notes: tuple[str, ...]
    reason: str | None
    primary: bool = True
    """The figure that stands for its row; further figures of a serving row count by metric only."""
    quantity: str | None = None
    gap: bool = False
    """Of the shipped rows: a gap of the table or of the library that the documents name, not a failure."""
    serving: str | None = None
    """How a serving row was run (mixed, prefill, decode, disaggregated); None for training."""
    concurrency: float | None = None
    """Requests in the system that a serving row was predicted with; None: as many as fit."""

    @property
    def error(self) -> float | None:
        """Predicted time over measured time, less 1: positive is pessimistic."""
        if self.predicted is None or not self.measured:
            return None
        return self.predicted / self.measured - 1.0

    def as_dict(self) -> dict[str, Any]:
        """The case in the JSON output."""
        known = {
            "id": self.id,
            "metric": self.metric,
            "measured": self.measured,
            "predicted": self.predicted,
            "low": self.low,
            "high": self.high,
            "error": self.error,
            "answered": self.predicted is not None,
            "reason": self.reason,
            "scored": self.scored,
            "group": self.group,
            "hardware": self.hardware,
            "family": self.family or None,
            "framework": self.framework,
            "software": self.software or None,
            "experts": self.experts,
            "in_fit": self.in_fit,
            "notes": list(self.notes),
        }
        if self.serving is not None:
            known |= {
                "quantity": self.quantity,
                "mode": self.serving,
                "concurrency": self.concurrency,
                "primary": self.primary,
                "gap": self.gap,
            }
        if self.memory is not None:
            known["memory_predicted_bytes"], known["memory_measured_bytes"] = self.memory
        return known


def summary(cases: Sequence[Case], every: bool = False) -> dict[str, Any]:
    """Figures over the scored cases; fractions, None where there is nothing to count.

    One score per row, or with ``every`` one per figure.
    """
    scored = [case for case in cases if case.scored and (every or case.primary)]
    answered = [case for case in scored if case.error is not None]
    errors = [case.error for case in answered if case.error is not None]
    sizes = [abs(error) for error in errors]
    by_group: dict[str, list[float]] = defaultdict(list)
    for case, size in zip(answered, sizes, strict=True):
        by_group[case.group].append(size)
    right, pairs = _pairs(answered, lambda _a, _b: True)
    right_layout, pairs_layout = _pairs(answered, lambda a, b: a.cards == b.cards and a.batch == b.batch)
    banded = [case for case in answered if case.low is not None and case.high is not None]
    inside = [case for case in banded if case.low <= (case.measured or 0.0) <= case.high]  # type: ignore[operator]
    widths = [(case.high - case.low) / 2.0 / case.predicted for case in banded if case.predicted]  # type: ignore[operator]
    return {
        "n": len(scored),
        "answered": len(answered),
        "groups": len(by_group),
        "mape": _mean(sizes),
        "bias": _mean(errors),
        "abs_error_p50": quantile(sizes, 0.5),
        "abs_error_p90": quantile(sizes, 0.9),
        "coverage80": len(inside) / len(banded) if banded else None,
        "half_width_p50": quantile(widths, 0.5),
        "pair_order": right / pairs if pairs else None,
        "pairs": pairs,
        "pair_order_same_batch": right_layout / pairs_layout if pairs_layout else None,
        "pairs_same_batch": pairs_layout,
        "mape_group_weighted": _mean([sum(group) / len(group) for group in by_group.values()]),
    }


def by(
    cases: Sequence[Case], key: Callable[[Case], str | None], every: bool = False
) -> dict[str, dict[str, Any]]:
    """`summary` of each part."""
    parts: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        name = key(case)
        if name and case.scored:
            parts[name].append(case)
    return {name: summary(parts[name], every) for name in sorted(parts)}


def memory_summary(cases: Iterable[Case]) -> dict[str, Any]:
    """Predicted over measured allocated memory, and how many runs would have been called infeasible."""
    scored = [case for case in cases if case.scored and case.predicted is not None]
    ratios = [case.memory[0] / case.memory[1] - 1.0 for case in scored if case.memory]
    refused = sorted(case.id for case in scored if case.fits is False)
    return {
        "n": len(ratios),
        "mape": _mean([abs(ratio) for ratio in ratios]),
        "bias": _mean(ratios),
        "abs_error_max": max((abs(ratio) for ratio in ratios), default=None),
        "called_infeasible": len(refused),
        "called_infeasible_ids": refused,
    }


def _pairs(cases: Sequence[Case], wanted: Callable[[Case, Case], bool]) -> tuple[int, int]:
    """Pairs ordered right, and all, among cases of one group, model, hardware, length and precision."""
    right = total = 0
    for one, other, measured, predicted in _ranked(cases):
        if wanted(one, other):
            total += 1
            right += measured * predicted > 0.0
    return right, total


def _ranked(cases: Sequence[Case]) -> Iterator[tuple[Case, Case, float, float]]:
    """(one, other, ln of how much faster one ran, and is predicted to run) of pairs that differ enough."""
    alike: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in cases:
        alike[case.pair_key].append(case)
    for members in alike.values():
        for one, other in combinations(members, 2):
            if not (one.measured and other.measured and one.predicted and other.predicted):
                continue
            measured = math.log(one.tokens / one.measured) - math.log(other.tokens / other.measured)
            if abs(measured) > APART:
                predicted = math.log(one.tokens / one.predicted) - math.log(other.tokens / other.predicted)
                yield one, other, measured, predicted


def misranked(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Pairs whose order is wrong: which ran faster, by how much, and by how much it was predicted to be."""
    out = []
    for one, other, measured, predicted in _ranked([case for case in cases if case.scored and case.primary]):
        if measured * predicted > 0.0:
            continue
        faster, slower = (one, other) if measured > 0.0 else (other, one)
        out.append(
            {
                "faster": faster.id,
                "slower": slower.id,
                "measured": math.expm1(abs(measured)),
                "predicted": math.expm1(-abs(predicted)),
                "same_batch": one.cards == other.cards and one.batch == other.batch,
            }
        )
    return sorted(out, key=lambda pair: (not pair["same_batch"], pair["faster"], pair["slower"]))


def selection(cases: Sequence[Case]) -> dict[str, Any]:
    """What choosing the fastest prediction does, in groups of layouts of the same run, cards and batch.

    ``optimism``: mean over the groups of ln error of the layout predicted fastest less the mean ln error of
    its group, with its ``standard_error`` (negative: the choice takes what is predicted too fast);
    ``lost``: mean of how much longer the chosen one ran than the fastest one.
    """
    alike: dict[tuple[Any, ...], list[tuple[float, float]]] = defaultdict(list)
    for case in cases:
        if case.scored and case.primary and case.predicted and case.measured:
            key = (*case.pair_key, case.software, case.cards, case.batch)
            alike[key].append((case.predicted, case.measured))
    found, lost = [], []
    for members in alike.values():
        if len(members) < 2:
            continue
        errors = [math.log(predicted / measured) for predicted, measured in members]
        chosen = min(range(len(members)), key=lambda place: members[place])
        found.append(errors[chosen] - sum(errors) / len(errors))
        lost.append(members[chosen][1] / min(measured for _, measured in members) - 1.0)
    mean = _mean(found)
    error = None
    if mean is not None and len(found) > 1:
        error = math.sqrt(sum((one - mean) ** 2 for one in found) / (len(found) - 1) / len(found))
    return {"groups": len(found), "optimism": mean, "standard_error": error, "lost": _mean(lost)}


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between order statistics (as numpy's default)."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def whole(cases: Sequence[Case]) -> Mapping[str, Any]:
    """The JSON answer of ``planner validate``, without serving."""
    return {
        "by_hardware": by(cases, lambda case: case.hardware),
        "by_family": by(cases, lambda case: case.family),
        "by_framework": by(cases, lambda case: case.framework),
        "by_software": by(cases, lambda case: case.software),
        "by_kind": by(
            cases, lambda case: None if case.experts is None else "moe" if case.experts else "dense"
        ),
        "by_metric": by(cases, lambda case: case.metric),
        "memory": memory_summary(cases),
        "misranked": misranked(cases),
        "selection": selection(cases),
    }
