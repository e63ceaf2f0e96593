"""P10, P50 and P90 of a service: its own figures at the ends of their ranges, and the model's own error.

The same method as for training (``planner.plan.bands``): one figure at a time, the *same* service evaluated
again at the same load, deviations in ln combined in quadrature. Where one end of a range alone leaves no load
within the latencies, the low end of the band is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.plan.account import Band, Bands
from planner.plan.bands import Z90, ModelError, Study, Uncertain, _band, _Deviation, _swings, _variances

OUTPUTS = ("requests_per_second", "tpot_seconds", "ttft_seconds", "facility_megawatts", "capex_usd")
TIMED = {"requests_per_second": -1.0, "tpot_seconds": 1.0, "ttft_seconds": 1.0}
"""Outputs that an error of the model moves, and which way: a slower model serves fewer requests."""
NOTHING = 1e-3
"""Share of the central load that stands for no load at all, whose logarithm has no end."""


@dataclass(frozen=True)
class SlowEnd:
    """The end of a figure's range at which a service is slower, and by how much."""

    figure: Uncertain
    value: float
    slower_ln: float
    """ln(time over the central time)."""


@dataclass
class ServiceStudy(Study):
    """What one-at-a-time evaluation of a service found."""

    slow: tuple[SlowEnd, ...] = ()
    """Figures that make it slower."""


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
    slowed: Callable[[float], Mapping[str, Any] | None],
    model_errors: Sequence[ModelError],
) -> ServiceStudy:
    """Bands and swings of ``central``, the engine's evaluation of the chosen service.

    ``slowed``: the service where all times are so many times the model's, its load not yet divided by that.
    """
    middle = outputs_of(central)
    deviations: list[_Deviation] = []
    slow: list[SlowEnd] = []
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
            ends.append(_changes(middle, outputs_of(design) if design else None))
        deviations.append(_Deviation(figure.label, figure.key, *ends))
        slow += _slow_end(figure, ends)
    for error in model_errors:
        if error.moves:
            ends = []
            for ln in (-Z90 * error.sigma_ln, Z90 * error.sigma_ln + error.slow_ln):
                moved = _changes(middle, outputs_of(slowed(math.exp(ln)) or {}))
                if moved["requests_per_second"] <= math.log(NOTHING):
                    times = f"{math.exp(ln):.2f} times"
                    risks.append(f"with {error.label} at {times} the time no load meets the latencies")
                evaluations += 1
                ends.append({name: sign * ln for name, sign in TIMED.items()})
                # Slower steps leave less room in the latencies too, so that more than their inverse is lost.
                ends[-1]["requests_per_second"] = moved["requests_per_second"] - ln
            deviations.append(_Deviation(error.label, None, *ends))
    bands: dict[str, Band | None] = {
        name: _floored(_band(name, middle[name], deviations)) for name in OUTPUTS
    }
    return ServiceStudy(
        bands=Bands(step_seconds=None, days=None, tokens_per_second=None, mfu=None, **bands),
        swings={name: _swings(name, deviations) for name in OUTPUTS if middle[name] is not None},
        weight={d.key: _weight(d) for d in deviations if d.key is not None and _weight(d) > 1e-9},
        variance={name: _variances(name, deviations) for name in OUTPUTS},
        keys={d.label: d.key for d in deviations if d.key is not None},
        risks=risks,
        evaluations=evaluations,
        slow=tuple(slow),
    )


def _changes(
    middle: Mapping[str, float | None], moved: Mapping[str, float | None] | None
) -> dict[str, float]:
    """ln(output over central output); ``moved`` is None where the model does not fit: no load at all."""
    changes = {}
    for name, centre in middle.items():
        value = (moved or {}).get(name)
        if centre and centre > 0.0:
            if value and value > 0.0:
                changes[name] = math.log(value / centre)
            if name == "requests_per_second":
                changes[name] = math.log(max((value or 0.0) / centre, NOTHING))
    return changes


def _floored(band: Band | None) -> Band | None:
    if band is None or band.p10 > 2.0 * NOTHING * band.p50:
        return band
    return band.model_copy(update={"p10": 0.0})


def _slow_end(figure: Uncertain, ends: Sequence[Mapping[str, float]]) -> list[SlowEnd]:
    """The slower end: by latencies at the load or by the highest load, whichever changes more."""
    found = []
    for value, ends_at in zip((figure.low, figure.high), ends, strict=True):
        slower = max(sign * ends_at.get(name, 0.0) for name, sign in TIMED.items())
        if slower > 1e-6:
            found.append(SlowEnd(figure, value, slower))
    return sorted(found, key=lambda end: -end.slower_ln)[:1]


def _weight(deviation: _Deviation) -> float:
    names = ("requests_per_second", "tpot_seconds", "ttft_seconds", "facility_megawatts")
    return max(abs(ends.get(name, 0.0)) for ends in (deviation.at_low, deviation.at_high) for name in names)
