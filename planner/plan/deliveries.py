"""Cards by month from draws of stock, rate, lead time and ramp, and training on what has arrived."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import Field

from planner import engine
from planner.lazy import np
from planner.plan.draws import Floats, percentiles
from planner.plan.parts import Part

DAYS_PER_MONTH = 365 / 12
SECONDS_PER_MONTH = 86400.0 * DAYS_PER_MONTH
MOST_PHASES = 24


class Phase(Part):
    """Cards that have arrived by the end of a month."""

    month: float
    p10: float
    p50: float
    p90: float
    tokens_per_second: float | None = Field(
        default=None, description="of the best layout on the P50 cards; null: no scenario, or none fits"
    )
    tokens_done: float | None = Field(default=None, description="by the end of the month, from the first on")


def arrived_by(drawn: Mapping[str, Floats], month: float) -> Floats:
    """Cards that have arrived by a month, draw by draw."""
    out: Floats = engine.deliveries(_rows(drawn), [month])[0]
    return out


def months_until(drawn: Mapping[str, Floats], cards: float) -> Floats:
    """Months until so many cards are there, draw by draw; infinite where nothing more comes."""
    out: Floats = engine.deliveries(_rows(drawn), [cards], until=True)[0]
    return out


def _rows(drawn: Mapping[str, Floats]) -> Floats:
    """Draws x what the core's deliveries take."""
    out: Floats = np.stack(
        [drawn[name] for name in ("stock", "packages_per_month", "lead_time", "ramp")], axis=1
    )
    return out


def median(values: Floats) -> float:
    """The one of the draws."""
    return float(np.percentile(values, 50, method="inverted_cdf"))


def phase_ends(months: Floats) -> list[float]:
    """Ends of the phases: months up to when half of the draws have all cards, at most `MOST_PHASES`."""
    last = median(months)
    steps = max(1, math.ceil(last)) if math.isfinite(last) else MOST_PHASES
    stride = math.ceil(steps / MOST_PHASES)
    return [float(month) for month in range(stride, steps + stride, stride)]


def phases_of(
    drawn: Mapping[str, Floats],
    months: Floats,
    cards: int,
    rates: Mapping[int, float] | None,
    tokens: float | None,
) -> tuple[list[Phase], float | None, float | None]:
    """Deliveries, and training on what has arrived: a phase runs on the cards there at its begin."""
    seconds = SECONDS_PER_MONTH
    phases, done, finished, before, rate = [], 0.0, None, 0.0, 0.0
    for month in phase_ends(months):
        arrived = percentiles(np.minimum(arrived_by(drawn, month), cards))
        assert arrived is not None
        made = rate * (month - before) * seconds
        if tokens is not None and rate > 0.0 and finished is None and done + made >= tokens:
            finished = before + (tokens - done) / rate / seconds
        done += made
        phases.append(
            Phase(
                month=month,
                p10=arrived[0],
                p50=arrived[1],
                p90=arrived[2],
                tokens_per_second=rate_on(rates, arrived[1]),
                tokens_done=done if rates is not None else None,
            )
        )
        rate, before = rate_on(rates, arrived[1]) or 0.0, month
    if tokens is None or rates is None:
        return phases, None, None
    if finished is None and rate > 0.0:
        finished = before + (tokens - done) / rate / seconds
    whole, everything = rate_on(rates, cards), median(months)
    waiting = everything + tokens / whole / seconds if whole and math.isfinite(everything) else None
    return phases, finished, waiting


def rate_on(rates: Mapping[int, float] | None, cards: float) -> float | None:
    """Rate on the most cards that have one and are there."""
    known = [count for count in rates or {} if count <= cards]
    return (rates or {})[max(known)] if known else None
