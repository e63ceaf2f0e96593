"""PUE by month: how much of the heat the chillers must take as the wet bulb rises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from planner.problem.figures import Sheet
from planner.specs import Part, Site

HOURLY_SPREAD = 3.5
"""Kelvins: standard deviation of the hours about the monthly mean, as in the methods of the site files."""


def chiller_share(wet_bulb: float, full: float, part: float, spread: float = HOURLY_SPREAD) -> float:
    """Share of the heat that chillers take in a month of that mean wet bulb (degC).

    An hour at T needs min(1, max(0, (T - full) / (part - full))): none up to ``full``, where the economiser
    carries all, everything from ``part``. Hours are normal about the mean, so the mean of the ramp is
    (E[(T - full)+] - E[(T - part)+]) / (part - full), with E[(T - c)+] = s phi(z) + (m - c) Phi(z),
    z = (m - c) / s. Valid for part > full and spread > 0.
    """

    def above(limit: float) -> float:
        z = (wet_bulb - limit) / spread
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return spread * density + (wet_bulb - limit) * 0.5 * (1 + math.erf(z / math.sqrt(2)))

    return (above(full) - above(part)) / (part - full)


def pue_by_month(annual: float, chiller: float, shares: Sequence[float]) -> tuple[float, ...]:
    """PUE of each month: annual + chiller x (share - mean share); their mean is the annual figure.

    ``chiller``: kW of the chiller plant per kW of IT heat that it takes.
    """
    mean = math.fsum(shares) / len(shares)
    return tuple(annual + chiller * (share - mean) for share in shares)


def months(
    site: Site, facility: Part, figures: Sheet, annual: Mapping[str, float]
) -> dict[str, tuple[float, ...]]:
    """PUE by month of each cooling kind of ``annual``, where site and facility know enough.

    Args:
        site: its climate.
        facility: which kinds have an economiser described.
        figures: sheet of the facility.
        annual: mean PUE by kind, as the plan uses it.
    """
    wet = site.climate.wet_bulb_monthly
    if wet is None:
        return {}
    found = {}
    for kind, mean in annual.items():
        if kind not in facility.economiser:
            continue
        full, part, chiller = (
            figures.need(f"economiser.{kind}.{key}", "environment", f"{key} of the economiser with {kind}")
            for key in ("full", "part", "chiller")
        )
        found[kind] = pue_by_month(mean, chiller, [chiller_share(degrees, full, part) for degrees in wet])
    return found
