"""What a plan says of racks and money beyond the engine: elevations, rates, and the prices behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.plan.parts import Performance
from planner.plan.plant_parts import Block, Cost, DatedPrice, Elevation, Facility
from planner.problem import Figure

Wire = Mapping[str, Any]
HOURS_PER_YEAR = 8760.0
RACK_UNITS = 42.0
"""A unit of coolant takes the place of a whole rack."""
SECONDS_PER_YEAR = HOURS_PER_YEAR * 3600.0
_MONEY_UNITS = ("price", "tariff", "building", "technician")
"""Last words of the keys that hold amounts of money, against shares and lives that also decide costs."""


def elevations(facility: Facility, design: Wire, cluster: Wire) -> list[Elevation]:
    """One full rack of each type."""
    fabric = cluster["fabrics"][design["fabric_index"]]
    mass = cluster["server_mass"]
    domains = -(-design["cards"]["total"] // cluster["domain_cards"])
    servers = min(design["facility"]["servers_per_rack"], facility.servers)
    found = [
        Elevation(
            kind="compute",
            racks=facility.racks.compute,
            kilowatts=facility.rack_kilowatts,
            kilograms=None if mass is None else mass * servers,
            blocks=[Block(name=cluster["system"], count=servers, units=cluster["server_height"])],
        )
    ]
    if facility.racks.network:
        held = min(design["facility"]["switches_per_rack"], design["fabric"]["switches"])
        modules = design["fabric"]["transceivers"]["switch_side"] / design["fabric"]["switches"]
        each = fabric["switch_power"] + modules * fabric["switch_module_power"]
        found.append(
            Elevation(
                kind="network",
                racks=facility.racks.network,
                kilowatts=held * each / 1e3,
                kilograms=None,
                blocks=[Block(name=f"{fabric['id']} switch", count=held, units=fabric["switch_height"])],
            )
        )
    if facility.racks.interconnect:
        watts = cluster["domain_power"] * domains / facility.racks.interconnect
        found.append(
            Elevation(
                kind="interconnect",
                racks=facility.racks.interconnect,
                kilowatts=watts / 1e3,
                kilograms=None,
                blocks=[Block(name="scale-up switches", count=1, units=38)],
            )
        )
    if facility.racks.storage and facility.storage_servers:
        spec = design["facility"]
        held = min(spec["storage_per_rack"], facility.storage_servers)
        each = (facility.power.get("storage_watts") or 0.0) / facility.storage_servers
        found.append(
            Elevation(
                kind="storage",
                racks=facility.racks.storage,
                kilowatts=held * each / 1e3,
                kilograms=None,
                blocks=[Block(name="storage server", count=held, units=spec["storage_height"])],
            )
        )
    if facility.racks.cooling and facility.chain is not None:
        found.append(
            Elevation(
                kind="cooling",
                racks=facility.racks.cooling,
                kilowatts=0.0,
                kilograms=None,
                blocks=[Block(name="coolant distribution unit", count=1, units=RACK_UNITS)],
            )
        )
    return found


def effective(performance: Performance, peak: float) -> Performance:
    """The performance with its effective compute: MFU x goodput x the matrix peak of all active devices.

    Args:
        performance: as the engine says.
        peak: dense matrix peak of all active devices at the precision used, FLOP/s.
    """
    pflops = performance.mfu * performance.goodput * peak / 1e15
    return performance.model_copy(update={"effective_pflops": pflops})


def rated(cost: Cost, performance: Performance, cards: int, used: Sequence[Figure]) -> Cost:
    """The cost with its rates, and the prices it rests on.

    Args:
        cost: as the engine says.
        performance: of the same design, with its effective compute.
        cards: bought.
        used: figures of the design.
    """
    year, pflops = cost.tco_usd_per_year, performance.effective_pflops
    tokens = performance.tokens_per_second * performance.goodput * SECONDS_PER_YEAR
    return cost.model_copy(
        update={
            "usd_per_card_hour": None if year is None else year / (cards * HOURS_PER_YEAR),
            "usd_per_million_tokens": None if year is None else year / tokens * 1e6,
            "usd_per_effective_pflops_year": None if year is None or not pflops else year / pflops,
            "prices": prices(used),
        }
    )


def prices(used: Sequence[Figure]) -> list[DatedPrice]:
    """The dated prices among the figures of a design."""
    return [_price(figure) for figure in used if _is_price(figure)]


def _is_price(figure: Figure) -> bool:
    return figure.role == "cost" and figure.key.key.rsplit(".", 1)[-1] in _MONEY_UNITS


def _price(figure: Figure) -> DatedPrice:
    quantity = figure.quantity
    return DatedPrice(
        label=figure.label,
        value=quantity.value,
        currency=quantity.currency or "USD",
        date=quantity.date,
        kind=quantity.kind,
    )
