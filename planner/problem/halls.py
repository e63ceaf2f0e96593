"""What power, halls and tariffs of a scenario mean for the core: limits at named boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.problem import wire
from planner.problem.figures import Figures, Sheet
from planner.scenario.limits import PowerLimit
from planner.scenario.site import Hall, SiteChoice
from planner.specs import Part, Site
from planner.specs.schema.part import SideNetwork

HOURS = 24.0


@dataclass(frozen=True)
class PowerLimits:
    """Watts by boundary and basis; at most one is set."""

    facility_watts: float | None = None
    transformer_watts: float | None = None
    ups_watts: float | None = None
    it_watts: float | None = None
    nameplate_intake_watts: float | None = None
    nameplate_watts: float | None = None


def boundary_limits(power: PowerLimit | None, chain: Sheet) -> PowerLimits:
    """The limit at its boundary and basis.

    Rated power at the supplies is that of the servers over the distribution below them; rated power at the
    intake or the transformers is that of the servers times the PUE of the design day.
    """
    if power is None:
        return PowerLimits()
    value, boundary = power.value, power.counted_at
    if power.basis == "measured":
        return {
            "grid": PowerLimits(facility_watts=value),
            "transformer": PowerLimits(transformer_watts=value),
            "ups": PowerLimits(ups_watts=value),
            "it": PowerLimits(it_watts=value),
        }[boundary]
    if boundary == "it":
        return PowerLimits(nameplate_watts=value)
    if boundary == "ups":
        share = chain.need("chain.distribution_efficiency", "power", "distribution below the supplies")
        return PowerLimits(nameplate_watts=value * share)
    share = 1.0
    if boundary == "transformer":
        share = chain.need("chain.transformer_efficiency", "power", "transformers")
    return PowerLimits(nameplate_intake_watts=value / share)


def halls_of(site: Site, choice: SiteChoice, figures: Figures) -> tuple[Hall, ...]:
    """The halls of the scenario, else those of the site's file with their figures taken down."""
    if choice.hall or not site.hall:
        return choice.hall
    sheet = figures.of("sites", site)
    watts = ("rack_power", "busway_power", "liquid_power", "air_power")
    plain_keys = ("racks", "busway_racks", "rack_units", "rack_ports", "transformers", "redundancy")
    found = []
    for place, hall in enumerate(site.hall):
        label = hall.name or f"hall {place + 1}"
        known: dict[str, float | str | None] = {
            key: sheet.want(f"hall[{place}].{key}", "space", f"{key.replace('_', ' ')} of {label}")
            for key in (*watts, "floor_load", "floor_area", "supply_temperature", "transformer_kva")
        }
        known |= {key: f"{known[key]!r} W" for key in watts if known[key] is not None}
        plain = {key: getattr(hall, key) for key in plain_keys}
        found.append(Hall.model_validate({"name": hall.name, **plain, **known}))
    return tuple(found)


@dataclass(frozen=True)
class HallLimits:
    """What all halls take together."""

    racks: int | None = None
    transformer_watts: float | None = None
    liquid_watts: float | None = None
    air_watts: float | None = None
    floor_m2: float | None = None


def hall_limits(halls: Sequence[Hall], chain: Sheet) -> HallLimits:
    """Those of the only hall; several are filled one by one (`hall_specs`), and bound nothing together."""
    if len(halls) != 1:
        return HallLimits()
    (hall,) = halls
    return HallLimits(
        racks=hall.racks,
        transformer_watts=_transformer_watts(hall, chain),
        liquid_watts=hall.liquid_power,
        air_watts=hall.air_power,
        floor_m2=hall.floor_area,
    )


def _transformer_watts(hall: Hall, chain: Sheet) -> float | None:
    """What the transformers of a hall carry when the redundant ones stand by."""
    if hall.transformers is None:
        return None
    factor = chain.need("chain.power_factor", "power", "power factor")
    return hall.usable_transformers * (hall.transformer_kva or 0.0) * 1e3 * factor


def hall_specs(halls: Sequence[Hall], facility: Sheet) -> tuple[wire.HallSpec, ...]:
    """Several halls, each with racks of its own; of one hall nothing."""
    if len(halls) < 2:
        return ()
    return tuple(
        wire.HallSpec(
            name=hall.name or f"hall {place}",
            racks=hall.racks,
            rack=_ceiling(hall, facility),
            liquid_watts=hall.liquid_power,
            air_watts=hall.air_power,
            transformer_watts=_transformer_watts(hall, facility),
            floor_m2=hall.floor_area,
        )
        for place, hall in enumerate(halls, 1)
    )


def rack_ceiling(halls: Sequence[Hall], facility: Sheet) -> wire.RackCeiling:
    """What a rack of the only hall takes; of several halls what their racks have in common."""
    return _ceiling(halls[0] if len(halls) == 1 else None, facility)


def _ceiling(hall: Hall | None, facility: Sheet) -> wire.RackCeiling:
    """What a rack of a hall takes.

    Kilograms = floor load x width x depth of a rack - its frame. A busway is shared evenly by its racks.
    """
    kilograms = None
    if hall is not None and hall.floor_load is not None:
        area = facility.need("floor.rack_pitch", "space", "width of a rack") * facility.need(
            "floor.rack_depth", "space", "depth of a rack"
        )
        kilograms = max(hall.floor_load * area - facility.need("rack_frame", "space", "empty rack"), 0.0)
    return wire.RackCeiling(
        watts=hall and hall.rack_power,
        busway_watts=hall and hall.busway_share,
        kilograms=kilograms,
        units=hall and hall.rack_units,
        ports=hall and hall.rack_ports,
        floor_per_rack=facility.need("floor.rack_pitch", "space", "width of a rack")
        * facility.need("floor.row_pitch", "space", "pitch of rows"),
        cdu=facility.need("chain.cdu", "space", "coolant distribution unit"),
        cdu_racks=facility.need("chain.cdu_racks", "space", "places of a coolant distribution unit"),
        cdu_in_rack=facility.want("chain.cdu_in_rack", "space", "coolant distribution unit inside a rack"),
    )


def side_networks(facility: Part, figures: Figures) -> tuple[wire.SideNetwork, ...]:
    """Storage, front end and management: what they are built of, per port, and what that costs."""
    sheet = figures.of("parts", facility)

    def count(name: str, key: str) -> float:
        return sheet.want(f"networks.{name}.{key}", "space", f"{key} of {name}") or 0.0

    found = []
    for name, network in facility.networks.items():
        switch = figures.of("parts", figures.library.part(network.switch))
        power, price = _link(network, figures)
        found.append(
            wire.SideNetwork(
                name=name,
                ports_per_server=round(count(name, "ports_per_server")),
                ports_per_card=count(name, "ports_per_card"),
                beside=count(name, "beside"),
                ports_per_storage=round(count(name, "ports_per_storage")),
                to_storage=network.to_storage,
                ports_per_switch=round(count(name, "ports_per_switch")),
                ports_per_rack=round(count(name, "ports_per_rack")),
                radix=round(count(name, "radix")),
                oversubscription=sheet.need(f"networks.{name}.oversubscription", "space", f"{name} network"),
                switch_power=switch.need("power", "space", "power"),
                link_power=power,
                switch_price=switch.price("price", "price"),
                link_price=price,
            )
        )
    return tuple(found)


def storage_spec(
    facility: Part, figures: Figures, tokens: float, *, rate_given: bool, training: bool
) -> wire.StorageSpec | None:
    """What checkpoints and ``tokens`` of training data go to; None where the facility file has no server.

    ``rate_given``: the user says how fast checkpoints are written, and the store is built to write so.
    ``training``: the store grows with the cards as sizing guides have it; a service only loads its weights.
    """
    if facility.storage is None:
        return None
    sheet = figures.of("parts", facility)

    def read(key: str) -> float:
        return sheet.need(f"storage.{key}", "space", f"{key.replace('_', ' ')} of a storage server")

    def per_card(key: str) -> float:
        if rate_given or not training:
            return 0.0
        return sheet.want(f"storage.{key}", "space", f"{key.replace('_', ' ')} of storage") or 0.0

    return wire.StorageSpec(
        write_bytes_per_second=read("write"),
        read_bytes_per_second=read("read"),
        bytes=read("room"),
        client_bytes_per_second=read("client"),
        checkpoints=read("checkpoints"),
        data_bytes=read("bytes_per_token") * tokens,
        seconds=read("write_time"),
        write_given=rate_given,
        write_per_card=per_card("write_per_card"),
        read_per_card=per_card("read_per_card"),
        fewest=round(read("fewest")),
        power=read("power"),
        height=read("height"),
        price=sheet.price("storage.price", "price of a storage server"),
    )


def _link(network: SideNetwork, figures: Figures) -> tuple[float, float | None]:
    """Watts and price of a link with both ends: a cable and, where it needs them, two modules."""
    library = figures.library
    cable = figures.of("parts", library.part(network.cable))
    power, price = cable.want("power", "space", "power") or 0.0, cable.price("price", "price")
    if network.transceiver is not None:
        part = library.part(network.transceiver)
        module, ports = figures.of("parts", part), part.ports or 1
        power += 2 * module.need("power", "space", "power") / ports
        each = module.price("price", "price")
        price = None if price is None or each is None else price + 2 * each / ports
    return power, price


def chain_spec(choice: SiteChoice, facility: Sheet) -> wire.ChainSpec:
    """Pieces of the power chain, at the redundancy asked for."""

    def read(key: str) -> float:
        return facility.need(f"chain.{key}", "space", key.replace("_", " "))

    keys = ("power_factor", "loading", "ups_module", "ups_ride_through", "generator", "cdu", "liquid_rise")
    return wire.ChainSpec(
        redundancy=choice.redundancy,
        transformer=read("transformer_rating"),
        air_rise=read("air_rise"),
        **{key: read(key) for key in keys},
    )


def mean_tariff(choice: SiteChoice, flat: float, figures: Figures) -> float:
    """USD/kWh over the hours of a day: a cluster in training draws alike by day and night."""
    total, hours = 0.0, 0.0
    for price, count in (
        (choice.tariff_peak, choice.peak_hours),
        (choice.tariff_valley, choice.valley_hours),
    ):
        if price is not None:
            total += price.amount * figures.usd_per(price.currency) * count
            hours += count
    return (total + flat * max(HOURS - hours, 0.0)) / max(hours, HOURS)


def cards_within(limits: wire.Limits, clusters: Sequence[wire.Cluster], chain: Sheet) -> int:
    """Cards that the power limits could feed at the very most, never fewer than one unit more than they do.

    A card draws at least its idle power and its part of its host without fans, and IT draws no more than what
    any boundary upstream of it lets through. Rated limits bound nothing here: a rating may lie below a draw.
    """
    transformer = limits.transformer_watts
    if transformer is not None:
        transformer /= chain.need("chain.transformer_efficiency", "power", "transformers")
    watts = least(limits.facility_watts, limits.it_watts, limits.ups_watts, transformer)
    if watts is None:
        return limits.cards_max
    most = 0
    for cluster in clusters:
        host = max(cluster.host_power - cluster.fan_power, 0.0) / cluster.cards_per_server
        most = max(most, int(watts / (cluster.card_idle + host)) + cluster.unit_cards)
    return max(min(limits.cards_max, most), limits.cards_min)


def least(*values: float | None) -> float | None:
    """The smallest of those that are known."""
    return min((value for value in values if value is not None), default=None)
