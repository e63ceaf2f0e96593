"""P10, P50 and P90 of a service: its own figures at the ends of their ranges, and the model's own error.

The same method as for training (``planner.plan.bands``): one figure at a time, the *same* service evaluated
again at the same load, deviations in ln combined in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from planner.plan.account import Band, Bands
from planner.plan.bands import Z90, ModelError, Study, Uncertain, _band, _Deviation, _swings, _variances

OUTPUTS = ("requests_per_second", "tpot_seconds", "ttft_seconds", "facility_megawatts", "capex_usd")
TIMED = {"requests_per_second": -1.0, "tpot_seconds": 1.0, "ttft_seconds": 1.0}
"""Outputs that an error of the model moves, and which way: a slower model serves fewer requests."""


def outputs_of(design: Mapping[str, Any]) -> dict[str, float | None]:
    """The banded outputs of an evaluated service."""
    ttft, tpot = design.get("ttft"), design.get("tpot")
    return {
        "requests_per_second": design.get("most_requests_per_second"),
        "tpot_seconds": tpot["mean"] if tpot else None,
        "ttft_seconds": ttft["mean"] if ttft else None,
        "facility_megawatts": design["facility"]["facility_megawatts"],
        "capex_usd": design["cost"]["capex_usd"],
    }


def study_service(
    central: Mapping[str, Any],
    figures: Iterable[Uncertain],
    evaluate: Callable[[Uncertain, float], Mapping[str, Any] | None],
    model_errors: Sequence[ModelError],
) -> Study:
    """Bands and swings of ``central``, the engine's evaluation of the chosen service."""
    middle = outputs_of(central)
    deviations: list[_Deviation] = []
    risks: list[str] = []
    evaluations = 0
    for figure in figures:
        ends: list[dict[str, float]] = []
        for name, value in (("low", figure.low), ("high", figure.high)):
            design = evaluate(figure, value)
            evaluations += 1
            if design is None:
                risks.append(f"with {figure.label} at its {name} the model does not fit")
            elif not design["most_requests_per_second"]:
                risks.append(f"with {figure.label} at its {name} no load meets the latencies")
            ends.append(_changes(middle, outputs_of(design) if design else {}))
        deviations.append(_Deviation(figure.label, figure.key, *ends))
    for error in model_errors:
        if error.moves:
            faster = {name: -sign * Z90 * error.sigma_ln for name, sign in TIMED.items()}
            slower = {name: sign * (Z90 * error.sigma_ln + error.slow_ln) for name, sign in TIMED.items()}
            deviations.append(_Deviation(error.label, None, faster, slower))
    bands: dict[str, Band | None] = {name: _band(name, middle[name], deviations) for name in OUTPUTS}
    return Study(
        bands=Bands(step_seconds=None, days=None, tokens_per_second=None, mfu=None, **bands),
        swings={name: _swings(name, deviations) for name in OUTPUTS if middle[name] is not None},
        weight={d.key: _weight(d) for d in deviations if d.key is not None and _weight(d) > 1e-9},
        variance={name: _variances(name, deviations) for name in OUTPUTS},
        keys={d.label: d.key for d in deviations if d.key is not None},
        risks=risks,
        evaluations=evaluations,
    )


def _changes(middle: Mapping[str, float | None], moved: Mapping[str, float | None]) -> dict[str, float]:
    changes = {}
    for name, centre in middle.items():
        value = moved.get(name)
        if centre and value and centre > 0.0 and value > 0.0:
            changes[name] = math.log(value / centre)
    return changes


def _weight(deviation: _Deviation) -> float:
    names = ("requests_per_second", "tpot_seconds", "ttft_seconds", "facility_megawatts")
    return max(abs(ends.get(name, 0.0)) for ends in (deviation.at_low, deviation.at_high) for name in names)
