"""Sobol indices of an output over the inputs with the largest swings and the model's own errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from planner.lazy import np
from planner.plan.bands import ModelError, Study, Uncertain
from planner.plan.drawn import error_key, ln_of
from planner.plan.draws import Floats, Range, normal, sobol
from planner.plan.risk_parts import Index

INDEXED = 12
"""Inputs with the largest swings that Sobol indices are worked out for."""
INDEX_SAMPLES = 1024


def indices(  # noqa: PLR0917
    figures: Sequence[tuple[Uncertain, Range]],
    errors: Sequence[ModelError],
    study: Study,
    output: Callable[[Mapping[str, Floats], int], Floats],
    seed: int,
    samples: int = INDEX_SAMPLES,
) -> list[Index]:
    """Sobol indices of ln(time), the largest first.

    Args:
        figures: drawn, each with its range; those that hardly move anything stay at their centres.
        errors: of the model itself on time.
        study: says which figures move most.
        output: of values by figure and their number: a time, or the inverse of a rate; what is no number
            there counts as the median.
        seed: of the points.
        samples: of them, a power of two; two more than there are inputs are asked of each.
    """
    spans = {item.key: (item, span) for item, span in figures}
    own = {error_key(error): error for error in errors}
    labels = {key: item.label for key, (item, _) in spans.items()}
    weights = {key: weight for key, weight in study.weight.items() if key in spans}
    keys = [*sorted(weights, key=lambda key: (-weights[key], key))[:INDEXED], *own]
    if not keys:
        return []

    def ln_time(points: Floats) -> Floats:
        z = dict(zip(keys, points, strict=True))
        many = points.shape[1]
        middle = np.zeros(many)
        times = output({key: span.at(z.get(key, middle)) for key, (_, span) in spans.items()}, many)
        usable = np.isfinite(times) & (times > 0)
        logs = np.log(np.where(usable, times, np.median(times[usable]) if usable.any() else 1.0))
        for key, error in own.items():
            logs = logs + ln_of(error, z[key])
        return logs

    first, total = sobol(ln_time, [normal()] * len(keys), samples, seed)
    found = [
        Index(
            label=labels.get(key, own[key].label if key in own else key),
            key=key if key in labels else None,
            first=float(one),
            total=float(all_),
        )
        for key, one, all_ in zip(keys, first, total, strict=True)
    ]
    return sorted(found, key=lambda item: (-item.total, item.label))
