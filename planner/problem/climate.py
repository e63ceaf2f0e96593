"""PUE by month: how much of the heat the chillers must take as the wet bulb rises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

from planner.problem.figures import Sheet
from planner.specs import Part, Site

HOURLY_SPREAD = 3.5
"""Kelvins: standard deviation of the hours about the monthly mean, as in the methods of the site files."""


DRY_SPREAD = 5.0
"""The same of the dry bulb, which swings more over a day: an estimate."""


@cache
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


def water_by_month(annual: float, shares: Sequence[float]) -> tuple[float, ...]:
    """WUE of each month: annual x share / mean share; even where no month evaporates.

    ``shares``: of the hours in which water is evaporated.
    """
    mean = math.fsum(shares) / len(shares)
    return tuple(annual * share / mean if mean > 0.0 else annual for share in shares)


def water_months(
    site: Site, facility: Part, figures: Sheet, annual: Mapping[str, float]
) -> dict[str, tuple[float, ...]]:
    """WUE by month of each cooling kind of ``annual``: towers run wet above a wet bulb and dry below it."""
    wet = site.climate.wet_bulb_monthly
    if wet is None or facility.evaporation is None:
        return {}
    dry, full = (
        figures.need(f"evaporation.{key}", "environment", f"wet bulb of {key} cooling towers")
        for key in ("dry", "full")
    )
    shares = [chiller_share(degrees, dry, full) for degrees in wet]
    return {kind: water_by_month(mean, shares) for kind, mean in annual.items()}


def months(
    site: Site,
    facility: Part,
    figures: Sheet,
    annual: Mapping[str, float],
    shifts: Mapping[str, float],
) -> dict[str, tuple[float, ...]]:
    """PUE by month of each cooling kind of ``annual``, where site and facility know enough.

    Args:
        site: its climate.
        facility: which kinds have an economiser described.
        figures: sheet of the facility.
        annual: mean PUE by kind, as the plan uses it.
        shifts: kelvins of the supply over what each kind is planned with.
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
        moved = shifts.get(kind, 0.0)
        shares = [chiller_share(degrees, full + moved, part + moved) for degrees in wet]
        found[kind] = pue_by_month(mean, chiller, shares)
    return found
