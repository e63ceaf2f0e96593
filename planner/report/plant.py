"""Lines of the memo on power upstream of the racks, on heat, and on what the money comes to."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.plant_parts import CapPoint, Cost, Facility, HallUse, HotDay, PhaseDraw, PowerChain
from planner.plan.shown import counted, number, percent, power, rate, usd
from planner.report.shares import shares

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def boundaries(hall: Facility) -> Iterator[tuple[str, str]]:
    """The same load at the transformers, at the supplies and by part, and the chain that carries it."""
    for each in hall.halls:
        yield each.name, _hall(each)
    if hall.transformer_megawatts is not None and hall.ups_megawatts is not None:
        contracted = hall.nameplate_intake_megawatts
        rated = "" if contracted is None else f"; nameplate at the intake {power(contracted)}"
        yield (
            "upstream of IT",
            f"{power(hall.ups_megawatts)} at the supplies, {power(hall.transformer_megawatts)} at "
            f"the transformers on the design day{rated}",
        )
    if hall.power:
        parts = {name.removesuffix("_watts"): watts for name, watts in hall.power.items()}
        yield "drawn by", shares(parts, sum(parts.values()))
    yield from by_phase(hall)
    if len(hall.caps) > 1:
        yield "under a cap", _caps(hall.caps)
    if hall.pue_by_month:
        low, high = min(hall.pue_by_month), max(hall.pue_by_month)
        coldest, hottest = (MONTHS[hall.pue_by_month.index(value)] for value in (low, high))
        yield "PUE by month", f"{low:.2f} in {coldest} to {high:.2f} in {hottest}"
    if any(hall.wue_by_month):
        low, high = min(hall.wue_by_month), max(hall.wue_by_month)
        driest, wettest = (MONTHS[hall.wue_by_month.index(value)] for value in (low, high))
        yield "WUE by month", f"{low:.2f} L/kWh in {driest} to {high:.2f} in {wettest}"
    if hall.hot_day is not None:
        yield "hot day", _hot_day(hall.hot_day)
    if hall.chain is not None:
        yield f"chain, {hall.chain.redundancy}", _chain(hall.chain)
        yield "heat", _heat(hall, hall.chain)


def _hall(hall: HallUse) -> str:
    """``40 servers, 10 a rack, in 6 of 8 racks; IT 410 kW, PUE 1.25; full: racks``."""
    if hall.holds_none is not None:
        return f"holds none: {hall.holds_none}"
    if not hall.servers:
        return f"empty; {counted(hall.racks_room, 'rack')} free"
    words = f"{counted(hall.servers, 'server')}, {hall.servers_per_rack} a rack, in {hall.racks.total} of "
    words += f"{counted(hall.racks_room, 'rack')}; IT {power(hall.it_megawatts)}, PUE {hall.pue:.2f}"
    return words if hall.full is None else f"{words}; full by {hall.full.replace('_', ' ')}"


def by_phase(hall: Facility) -> Iterator[tuple[str, str]]:
    """What a card draws by what it is doing, and the cluster while all cards do the same."""
    if hall.phases:
        yield "a card draws", "; ".join(_phase(phase) for phase in hall.phases)


PHASES = {
    "compute": "in products or prefill",
    "memory": "bound by memory or in decode",
    "communication": "in collectives",
    "idle": "idle",
}


def _phase(phase: PhaseDraw) -> str:
    """``700 W (630-700) in products or prefill, 64 % of a step: IT 17 MW``."""
    low, high = number(phase.card_watts_low), number(phase.card_watts_high)
    span = "" if low == high else f" ({low}-{high})"
    time = f", {percent(phase.share_of_step, 0)} of a step" if phase.share_of_step else ""
    drawn = f"{number(phase.card_watts)} W{span} {PHASES[phase.phase]}{time}"
    return f"{drawn}: IT {power(phase.it_megawatts)}"


def _caps(caps: list[CapPoint]) -> str:
    """Power and throughput of the same design, as shares of those at full power."""
    full = caps[0]
    words = [
        f"{point.power_cap:.0%} of board power: clock {point.clock:.0%}, "
        f"tokens/s {point.tokens_per_second / full.tokens_per_second:.0%}, "
        f"MW {point.facility_design_megawatts / full.facility_design_megawatts:.0%}"
        for point in caps[1:4]
    ]
    return "; ".join(words)


def _hot_day(day: HotDay) -> str:
    """``38 degC (dry bulb): supply 46 degC, 1 above the limit: 98 % of board power, clock 99 % ...``."""
    told = (
        f"{number(day.ambient_celsius)} degC ({day.ambient} bulb), supply {number(day.supply_celsius)} degC"
    )
    if day.power_cap >= 1.0:
        return f"{told} of at most {number(day.limit_celsius)}: cards keep their board power"
    left = (
        f"{told} above the {number(day.limit_celsius)} degC at which cards keep their board power: "
        f"{percent(day.power_cap, 0)} of it, clock {percent(day.clock, 0)}"
    )
    hours = f"{number(day.hours_per_year)} hours a year above it"
    if day.held:
        return f"{left}; {hours}; this plan is capped to that and keeps its throughput"
    return (
        f"{left}, {rate(day.tokens_per_second)} with failures; {hours}, which the days of this plan "
        "do not count"
    )


def _chain(chain: PowerChain) -> str:
    feeds = f"{chain.feeds} feed" + ("s" if chain.feeds > 1 else "")
    return (
        f"{counted(chain.transformers, 'transformer')} of {number(chain.transformer_kva)} kVA on {feeds}, "
        f"{counted(chain.ups_modules, 'UPS module')} of {number(chain.ups_module_kilowatts)} kW for "
        f"{number(chain.ups_minutes)} min, {counted(chain.generators, 'generator')} of "
        f"{power(chain.generator_megawatts)}; cards that stop at once swing "
        f"{power(chain.ramp_megawatts)}"
    )


def _heat(hall: Facility, chain: PowerChain) -> str:
    peak = hall.peak_it_megawatts
    built = "" if peak is None else f"; units, flows and chillers for {power(peak)}, all cards at board power"
    liquid = (
        f"{power(hall.liquid_heat_megawatts or 0.0)} into liquid ({chain.cdus:,} CDUs, "
        f"{number(chain.liquid_litres_per_second)} L/s at {number(chain.liquid_rise_kelvin)} K), "
        if chain.cdus
        else ""
    )
    return (
        f"{liquid}{power(hall.air_heat_megawatts or 0.0)} into air "
        f"({number(chain.air_m3_per_second)} m3/s at {number(chain.air_rise_kelvin)} K); "
        f"chillers carry off {power(chain.chiller_megawatts)} of it on the design day{built}"
    )


def rates(cost: Cost) -> Iterator[tuple[str, str]]:
    """What a year comes to per hour, token and effective compute, and how old the prices are."""
    if cost.usd_per_card_hour is not None and cost.usd_per_million_tokens is not None:
        each = cost.usd_per_effective_pflops_year
        yield (
            "comes to",
            f"${cost.usd_per_card_hour:.3g} a bought card-hour, "
            f"${cost.usd_per_million_tokens:.3g} a million tokens"
            + ("" if each is None else f", {usd(each)} a year and effective PFLOP/s"),
        )
    if cost.prices:
        dates = sorted(price.date for price in cost.prices if price.date is not None)
        undated = sum(price.date is None for price in cost.prices)
        currencies = ", ".join(sorted({price.currency for price in cost.prices}))
        yield (
            "prices",
            f"{len(cost.prices)} of {dates[0]} to {dates[-1]}"
            + (f", {undated} undated" if undated else "")
            + f", in {currencies}; each in the JSON (cost.prices)",
        )
