"""Rules for sites: PUE against PUE, and a climate that the place can have."""

from __future__ import annotations

from collections.abc import Iterator

from planner.specs.checks.base import Finding, Library, Subject, value
from planner.specs.schema import Site

Place = Subject[Site]

COLDEST_MONTH, HOTTEST_MONTH = -50.0, 45.0
"""degC, monthly means of inhabited places."""
TEMPERATE = 25.0
"""Degrees of latitude from which January and July tell the hemispheres apart."""


def check(library: Library) -> Iterator[Finding]:
    """All rules of this module over all sites."""
    for site in library.of("sites", Site):
        yield from _pue(site)
        yield from _months(site)
        yield from _design_day(site)


def _pue(site: Place) -> Iterator[Finding]:
    for kind, cooling in site.spec.cooling.items():
        key = f"cooling.{kind}"
        annual, design = cooling.pue, cooling.pue_design_day
        for name, figure in (("pue", annual), ("pue_design_day", design)):
            lowest = figure.value if figure.low is None else figure.low
            if lowest < 1 or figure.value > 4:
                yield site.error(
                    "pue",
                    f"{key}.{name}",
                    f"a PUE of {min(lowest, figure.value):g}",
                    "PUE is facility over IT energy, 1 to 3",
                )
        if design.value < annual.value:
            yield site.error(
                "pue",
                f"{key}.pue_design_day",
                "the hot design day is better than the annual mean",
                "pue_design_day sizes the intake: it is the worst of the year",
            )
    if not site.spec.cooling:
        yield site.error("pue", "cooling", "no cooling kind", "give at least one, with its PUE")


def _months(site: Place) -> Iterator[Finding]:
    climate = site.spec.climate
    dry, wet = climate.dry_bulb_monthly, climate.wet_bulb_monthly
    for name, months in (("dry_bulb_monthly", dry), ("wet_bulb_monthly", wet or [])):
        if any(not COLDEST_MONTH <= degrees <= HOTTEST_MONTH for degrees in months):
            yield site.error(
                "climate",
                f"climate.{name}",
                "a monthly mean no place has",
                "means are in degC, January first",
            )
    if wet is not None and any(w > d + 0.05 for w, d in zip(wet, dry, strict=True)):
        yield site.error(
            "climate", "climate.wet_bulb_monthly", "wet bulb above dry bulb", "wet bulb is never the warmer"
        )
    warmer_july = dry[6] - dry[0]
    if abs(site.spec.latitude) > TEMPERATE and warmer_july * site.spec.latitude < 0:
        yield site.warning(
            "climate",
            "climate.dry_bulb_monthly",
            "January and July are swapped for this latitude",
            "months run January to December; southern latitudes are negative",
        )


def _design_day(site: Place) -> Iterator[Finding]:
    climate = site.spec.climate
    dry, wet = value(climate.design_dry_bulb), value(climate.design_wet_bulb)
    if dry is not None and dry < max(climate.dry_bulb_monthly):
        yield site.error(
            "climate",
            "climate.design_dry_bulb",
            "the hot design day is cooler than a monthly mean",
            "check it",
        )
    if dry is not None and wet is not None and wet > dry:
        yield site.error(
            "climate", "climate.design_wet_bulb", "wet bulb above dry bulb", "wet bulb is never the warmer"
        )
