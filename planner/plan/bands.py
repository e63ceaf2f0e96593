"""P10, P50 and P90 of a chosen design, from the ranges of its figures and the model's own error.

Each figure with a range goes to its low and to its high, one at a time, and the *same* design is evaluated
again by the engine. ``low`` and ``high`` are read as P10 and P90; the deviations are independent, taken in ln
and combined in quadrature, upwards and downwards apart (docs/physics.md, uncertainty). P50 is the central
answer. Figures of kind ``fitted`` do not move: the model's own error (layouts of one source) and the
software's
spread (between sources) come from runs that the fit had not seen and so hold their error (docs/accuracy.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.plan.account import Band, Bands, Swing

Z90 = 1.2816
"""Standard deviations from the median to P90 of a normal distribution."""

TIMING = ("step_seconds", "days", "tokens_per_second", "mfu")
OUTPUTS = (*TIMING, "facility_megawatts", "capex_usd")
SWINGS_KEPT = 5
_MEMORY = ("per_device_bytes", "capacity_bytes")
"""Not banded, but an answer that may stop fitting rests on what moves them."""

Outputs = Mapping[str, float | None]
Evaluate = Callable[["Uncertain", float], Mapping[str, Any] | None]
"""The chosen design evaluated with one figure at a value; None where the problem cannot even be stated."""


@dataclass(frozen=True)
class Uncertain:
    """A figure that may lie between ``low`` and ``high`` (base units, an 80 % range)."""

    label: str
    key: str
    low: float
    high: float
    place: Any = None
    """Whatever ``evaluate`` needs to find the figure."""


@dataclass(frozen=True)
class ModelError:
    """An error of the model itself on step time: sigma of ln(time), and what the slow side has besides."""

    label: str
    sigma_ln: float = 0.0
    slow_ln: float = 0.0
    """ln(time) at P90 over the centre, of what can only be slower."""

    @property
    def moves(self) -> bool:
        """Whether it does anything."""
        return self.sigma_ln > 0.0 or self.slow_ln > 0.0


@dataclass
class Study:
    """What one-at-a-time evaluation found."""

    bands: Bands
    swings: dict[str, list[Swing]]
    weight: dict[str, float] = field(default_factory=dict)
    """Figure key -> the largest |ln change| it makes in days or facility power; movers only."""
    variance: dict[str, dict[str, float]] = field(default_factory=dict)
    """Output -> label -> half the sum of the squared ln changes at both ends."""
    keys: dict[str, str] = field(default_factory=dict)
    """Label -> figure key; the model's own errors have none."""
    risks: list[str] = field(default_factory=list)
    evaluations: int = 0


@dataclass
class _Deviation:
    label: str
    key: str | None
    at_low: dict[str, float]
    at_high: dict[str, float]
    """ln(output / central output) by output."""


def outputs_of(design: Mapping[str, Any]) -> dict[str, float | None]:
    """The banded outputs of an evaluated design (a result of the engine)."""
    performance = design.get("performance") or {}
    facility = design.get("facility") or {}
    cost = design.get("cost") or {}
    memory = design.get("memory") or {}
    return {
        "step_seconds": performance.get("step_seconds"),
        "days": performance.get("days"),
        "tokens_per_second": performance.get("tokens_per_second"),
        "mfu": performance.get("mfu"),
        "facility_megawatts": facility.get("facility_megawatts"),
        "capex_usd": cost.get("capex_usd"),
        **{name: memory.get(name) for name in _MEMORY},
    }


def study(
    central: Mapping[str, Any],
    figures: Iterable[Uncertain],
    evaluate: Evaluate,
    model_errors: Sequence[ModelError] = (),
) -> Study:
    """Bands and swings of ``central``, the engine's evaluation of the chosen design."""
    middle = outputs_of(central)
    deviations: list[_Deviation] = []
    risks: list[str] = []
    evaluations = 0
    for figure in figures:
        ends = []
        for name, value in (("low", figure.low), ("high", figure.high)):
            design = evaluate(figure, value)
            evaluations += 1
            risk = _risk(design, central)
            if risk:
                risks.append(f"with {figure.label} at its {name} {risk}")
            ends.append(_ln_changes(middle, outputs_of(design or {})))
        deviations.append(_Deviation(figure.label, figure.key, *ends))
    deviations += [_model_deviation(error) for error in model_errors if error.moves]
    return Study(
        bands=Bands(**{name: _band(name, middle[name], deviations) for name in OUTPUTS}),
        swings={name: _swings(name, deviations) for name in OUTPUTS if middle[name] is not None},
        weight={d.key: _weight(d) for d in deviations if d.key is not None and _moves(d)},
        variance={name: _variances(name, deviations) for name in OUTPUTS},
        keys={d.label: d.key for d in deviations if d.key is not None},
        risks=risks,
        evaluations=evaluations,
    )


def _ln_changes(middle: Outputs, moved: Outputs) -> dict[str, float]:
    changes = {}
    for name, centre in middle.items():
        value = moved.get(name)
        if centre and value and centre > 0.0 and value > 0.0:
            changes[name] = math.log(value / centre)
    return changes


def _model_deviation(error: ModelError) -> _Deviation:
    faster = Z90 * error.sigma_ln
    slower = faster + error.slow_ln
    # Slower steps mean fewer tokens per second and a lower utilisation.
    signs = {"step_seconds": 1.0, "days": 1.0, "tokens_per_second": -1.0, "mfu": -1.0}
    return _Deviation(
        error.label,
        None,
        {name: -sign * faster + 0.0 for name, sign in signs.items()},
        {name: sign * slower for name, sign in signs.items()},
    )


def _band(name: str, centre: float | None, deviations: Sequence[_Deviation]) -> Band | None:
    if centre is None:
        return None
    up = down = 0.0
    for deviation in deviations:
        changes = (deviation.at_low.get(name, 0.0), deviation.at_high.get(name, 0.0))
        up += max(0.0, *changes) ** 2
        down += min(0.0, *changes) ** 2
    p10, p90 = centre * math.exp(-math.sqrt(down)), centre * math.exp(math.sqrt(up))
    # No product runs above its peak, whatever the ranges say.
    return Band(p10=p10, p50=centre, p90=max(centre, min(p90, 1.0)) if name == "mfu" else p90)


def _swings(name: str, deviations: Sequence[_Deviation]) -> list[Swing]:
    found = []
    for deviation in deviations:
        low, high = deviation.at_low.get(name, 0.0), deviation.at_high.get(name, 0.0)
        # Below a thousandth of a percent it is rounding.
        if max(abs(low), abs(high)) > 1e-5:
            swing = Swing(
                label=deviation.label, key=deviation.key, at_low=math.expm1(low), at_high=math.expm1(high)
            )
            found.append((-max(abs(low), abs(high)), deviation.label, deviation.key or "", swing))
    return [swing for *_, swing in sorted(found, key=lambda item: item[:3])[:SWINGS_KEPT]]


def _variances(name: str, deviations: Sequence[_Deviation]) -> dict[str, float]:
    made = {d.label: (d.at_low.get(name, 0.0) ** 2 + d.at_high.get(name, 0.0) ** 2) / 2 for d in deviations}
    return {label: square for label, square in made.items() if square > 0.0}


def _weight(deviation: _Deviation) -> float:
    changes = [
        abs(ends.get(name, 0.0))
        for ends in (deviation.at_low, deviation.at_high)
        for name in ("days", "step_seconds", "facility_megawatts")
    ]
    return max(changes)


def _moves(deviation: _Deviation) -> bool:
    return any(
        abs(change) > 1e-9 for ends in (deviation.at_low, deviation.at_high) for change in ends.values()
    )


def _risk(design: Mapping[str, Any] | None, central: Mapping[str, Any]) -> str | None:
    """What breaks at this end of a range and holds at the centre."""
    if design is None:
        return "the design cannot be built"
    # A missed target is no finding: the band says it. A limit exceeded is told by its own name below.
    passed = {*central.get("broken_rules", []), "target", "limits"}
    broken = [rule for rule in design.get("broken_rules", []) if rule not in passed]
    if "memory" in broken:
        return "the layout does not fit into memory"
    if broken == ["spares"]:
        return "the spares no longer suffice"
    if broken:
        return f"the layout breaks: {', '.join(broken)}"
    over = [limit for limit in design.get("over_limits", []) if limit not in central.get("over_limits", [])]
    return f"the design is over: {', '.join(over)}" if over else None
