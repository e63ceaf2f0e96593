"""What the temperature of the supply does: to the chillers' part of PUE, and to the clocks on a hot day."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.errors import ScenarioError
from planner.problem.climate import DRY_SPREAD, HOURLY_SPREAD, chiller_share
from planner.problem.figures import Figures, Sheet
from planner.scenario.site import SiteChoice
from planner.specs import Part, Site

HOURS_PER_YEAR = 8760.0
AIR, LIQUID = (10.0, 32.0), (17.0, 50.0)
"""Supply temperatures for which the model holds (ASHRAE: air of class A1, water of W17 to W45)."""
DESIGN_CHILLERS = 1.15
"""Chiller plant on the design day over its yearly figure, as in the methods of the site files."""
LIQUID_SPAN = 9.0
"""Kelvins from the first to the full chiller of a liquid loop: that of the economisers of the site files."""


@dataclass(frozen=True)
class Inlet:
    """How a cooling kind reaches its supply temperature, in degrees Celsius and kelvins."""

    planned: float
    limit: float
    approach: float
    ambient: str


@dataclass(frozen=True)
class HotDay:
    """The design day: what reaches the servers, and what their cards may draw.

    Attributes:
        ambient_celsius: design wet or dry bulb.
        ambient: ``wet`` or ``dry``.
        supply_celsius: what reaches the servers then.
        limit_celsius: warmest supply at which they keep their board power.
        cap: share of board power that the heat allows.
        hours: of a year in which it allows less than all.
    """

    ambient_celsius: float
    ambient: str
    supply_celsius: float
    limit_celsius: float
    cap: float
    hours: float


@dataclass(frozen=True)
class Room:
    """PUE of a cooling kind at a site with the supply temperature and chillers that the scenario asks for.

    ``chilled``: share of the IT heat that chillers take on the design day.
    """

    pue: float
    pue_design_day: float
    shift: float
    chilled: float
    hot_day: HotDay | None


def heat_cap(supply: float, limit: float, junction: float) -> float:
    """Share of board power at which a chip stays below its junction: (Tj - T) / (Tj - T_limit), at most 1.

    The chip warms in proportion to its power over what cools it; at the limit the full power brings it to the
    junction temperature. Valid for limit < junction; 0 where the supply alone is as warm as that.
    """
    return min(1.0, max(0.0, (junction - supply) / (junction - limit)))


def heat_cap_of(found: Room, choice: SiteChoice) -> float:
    """Share of board power to which the heat holds a plan.

    That of the design day where the plan has to hold on it; where clocks may fall for some hours, only what
    the heat leaves all year.
    """
    day = found.hot_day
    if day is None or (choice.hot_day == "slow" and day.hours < HOURS_PER_YEAR):
        return 1.0
    return day.cap


def hours_above(means: list[float], threshold: float, spread: float) -> float:
    """Hours of a year above ``threshold``: 8,760 mean(1 - Phi(z)), hours of a month normal about its mean."""
    share = math.fsum(0.5 * math.erfc((threshold - mean) / (spread * math.sqrt(2))) for mean in means)
    return HOURS_PER_YEAR * share / len(means)


def design_share(ambient: float, full: float, part: float) -> float:
    """Share of the heat that chillers take at one temperature: 0 up to ``full``, 1 from ``part``."""
    return min(1.0, max(0.0, (ambient - full) / (part - full)))


def room(  # noqa: PLR0917
    kind: str, site: Site, choice: SiteChoice, facility: Part, figures: Figures, supply: float | None = None
) -> Room:
    """The room of a kind; ``supply``: in place of that of the halls.

    Raises:
        ScenarioError: a supply temperature beyond the model.
    """
    sheet, own = figures.of("parts", facility), figures.of("sites", site)
    # What the user knows better than the file is not looked up there, so it counts as no estimate.
    annual = choice.pue or own.need(f"cooling.{kind}.pue", "power", f"PUE with {kind}")
    design = choice.pue_design_day or own.need(
        f"cooling.{kind}.pue_design_day", "power", f"PUE on the design day with {kind}"
    )
    inlet = _inlet(kind, facility, sheet)
    if inlet is None:
        chilled = 1.0 if choice.chillers else 0.0
        return Room(annual, max(design, annual), 0.0, chilled, None)
    asked = _supply(kind, choice) if supply is None else supply
    _refuse(kind, asked)
    shift = 0.0 if asked is None else asked - inlet.planned
    year, day, chilled = _difference(kind, site, facility, sheet, inlet, shift, choice.chillers)
    annual += 0.0 if choice.pue else year
    design += 0.0 if choice.pue_design_day else day
    found = _hot_day(kind, site, facility, sheet, inlet, asked, choice.chillers)
    return Room(annual, max(design, annual), shift, chilled, found)


def warmest(kind: str) -> float:
    """The warmest supply of a kind that the model holds for."""
    return (LIQUID if kind in _LIQUID_KINDS else AIR)[1]


_LIQUID_KINDS = ("cold-plate", "immersion")


def _supply(kind: str, choice: SiteChoice) -> float | None:
    """The coldest supply asked for at which the kind works: that with the highest PUE."""
    known = [hall.supply_temperature for hall in choice.hall if hall.supply_temperature is not None]
    return min((supply for supply in known if _holds_at(kind, supply)), default=min(known, default=None))


def rooms_of(
    kind: str, site: Site, choice: SiteChoice, facility: Part, figures: Figures
) -> list[tuple[Room, bool]]:
    """The room of a kind in each hall at its own supply, and whether the kind works there."""
    if len(choice.hall) < 2:
        return [(room(kind, site, choice, facility, figures), True)]
    found = []
    for hall in choice.hall:
        works = _holds_at(kind, hall.supply_temperature)
        at = hall if works else hall.model_copy(update={"supply_temperature": None})
        own = choice.model_copy(update={"hall": (at,)})
        found.append((room(kind, site, own, facility, figures), works))
    return found


def takes(kind: str, choice: SiteChoice) -> bool:
    """Whether the model of a kind holds at the supply of some hall."""
    return not choice.hall or any(_holds_at(kind, hall.supply_temperature) for hall in choice.hall)


def _holds_at(kind: str, asked: float | None) -> bool:
    low, high = LIQUID if kind in _LIQUID_KINDS else AIR
    return asked is None or low <= asked <= high


def _refuse(kind: str, asked: float | None) -> None:
    low, high = LIQUID if kind in _LIQUID_KINDS else AIR
    if not _holds_at(kind, asked):
        raise ScenarioError(
            f"a supply of {asked:g} degC is beyond what is known of {kind} ({low:g} to {high:g})",
            key="site.hall.supply_temperature",
            hint="air of 18-27 and liquid of 30-45 degC are usual",
        )


def _inlet(kind: str, facility: Part, sheet: Sheet) -> Inlet | None:
    described = facility.inlet.get(kind)
    if described is None:
        return None
    planned, limit, approach = (
        sheet.need(f"inlet.{kind}.{key}", "space", f"{key} of the supply with {kind}")
        for key in ("planned", "limit", "approach")
    )
    return Inlet(planned, limit, approach, described.ambient)


def _difference(  # noqa: PLR0917
    kind: str, site: Site, facility: Part, sheet: Sheet, inlet: Inlet, shift: float, chillers: bool
) -> tuple[float, float, float]:
    """What PUE gains over that of the site file, over the year and on the design day; the heat chilled then.

    Free air and doors: an economiser that reaches its supply ``shift`` warmer needs chillers ``shift`` later.
    Liquid of plates and tanks is planned without chillers; a supply that dry coolers do not always reach adds
    them. Without chillers their part is gone.
    """
    climate = site.climate
    wet, dry = climate.wet_bulb_monthly, climate.dry_bulb_monthly
    year = day = 0.0
    liquid = sheet.need(f"liquid_share.{kind}", "space", f"share of heat into liquid with {kind}")
    # Of a site without a wet bulb: all that is not left to dry coolers.
    rest = 1.0 - liquid if kind in _LIQUID_KINDS else 1.0
    chilled = rest if chillers else 0.0
    if kind in facility.economiser and wet is not None and climate.design_wet_bulb is not None:
        full, part, chiller = (
            sheet.need(f"economiser.{kind}.{key}", "environment", f"{key} of the economiser with {kind}")
            for key in ("full", "part", "chiller")
        )
        moved = 0.0 if kind in _LIQUID_KINDS else shift
        peak = climate.design_wet_bulb.value

        def shares(by: float) -> tuple[float, float]:
            mean = math.fsum(chiller_share(degrees, full + by, part + by) for degrees in wet) / 12
            return mean, design_share(peak, full + by, part + by) * DESIGN_CHILLERS

        before, after = shares(0.0), shares(moved) if chillers else (0.0, 0.0)
        year, day = (chiller * (new - old) for new, old in zip(after, before, strict=True))
        chilled = rest * after[1] / DESIGN_CHILLERS
    if kind in _LIQUID_KINDS and chillers and shift and climate.design_dry_bulb is not None:
        each = sheet.need("economiser.contained-air.chiller", "environment", "chiller plant per heat")
        each *= liquid
        reach = inlet.planned - inlet.approach
        peak = climate.design_dry_bulb.value

        def loop(by: float) -> tuple[float, float]:
            ends = (reach + by, reach + by + LIQUID_SPAN)
            mean = math.fsum(chiller_share(degrees, *ends, spread=DRY_SPREAD) for degrees in dry) / 12
            return mean, design_share(peak, *ends) * DESIGN_CHILLERS

        (now_year, now_day), (was_year, was_day) = loop(shift), loop(0.0)
        year, day = year + each * (now_year - was_year), day + each * (now_day - was_day)
        chilled += liquid * now_day / DESIGN_CHILLERS
    return year, day, chilled


def _hot_day(  # noqa: PLR0917
    kind: str, site: Site, facility: Part, sheet: Sheet, inlet: Inlet, asked: float | None, chillers: bool
) -> HotDay | None:
    """The design day of a kind; None where the site's is not known.

    Chillers hold the supply. Without them it is no colder than the ambient and the approach of the coolers.
    The liquid of plates and tanks has none unless a colder supply is asked for.
    """
    climate = site.climate
    wet = inlet.ambient == "wet"
    peak = climate.design_wet_bulb if wet else climate.design_dry_bulb
    means = climate.wet_bulb_monthly if wet else climate.dry_bulb_monthly
    if peak is None or means is None:
        return None
    wanted = inlet.planned if asked is None else asked
    held = chillers and (kind not in _LIQUID_KINDS or asked is not None)
    supply = wanted if held else max(wanted, peak.value + inlet.approach)
    junction = sheet.need("junction", "space", "junction temperature at which clocks fall")
    cap = heat_cap(supply, inlet.limit, junction)
    if held:
        hours = HOURS_PER_YEAR if cap < 1.0 else 0.0
    else:
        spread = HOURLY_SPREAD if wet else DRY_SPREAD
        hours = hours_above(list(means), inlet.limit - inlet.approach, spread) if cap < 1.0 else 0.0
    found = HotDay(peak.value, inlet.ambient, supply, inlet.limit, cap, hours)
    if kind == "cold-plate" and not chillers and "contained-air" in facility.inlet:
        # The fifth of the heat that stays in the air warms with it.
        air = _inlet("contained-air", facility, sheet)
        rest = air and _hot_day("contained-air", site, facility, sheet, air, None, chillers)
        if rest and rest.cap < found.cap:
            return rest
    return found


def nearest_lawful(  # noqa: PLR0917
    kinds: list[str], limit: float, site: Site, choice: SiteChoice, facility: Part, figures: Figures
) -> str | None:
    """The least warming of a supply that brings a kind under ``limit``, in words; None where none does."""
    found = []
    for kind in kinds:
        inlet = _inlet(kind, facility, figures.of("parts", facility))
        if inlet is None or choice.pue is not None:
            continue
        degrees = math.ceil(_supply(kind, choice) or inlet.planned)
        while degrees < min(warmest(kind), inlet.limit):
            degrees += 1
            pue = room(kind, site, choice, facility, figures, supply=float(degrees)).pue
            if pue <= limit + 1e-9:
                found.append((degrees - inlet.planned, f"{kind} with a supply of {degrees} degC ({pue:.3g})"))
                break
        else:
            bare = choice.model_copy(update={"chillers": False})
            pue = room(kind, site, bare, facility, figures).pue
            if pue <= limit + 1e-9:
                found.append((math.inf, f"{kind} without chillers ({pue:.3g}; clocks fall on hot days)"))
    return min(found)[1] if found else None
