"""Clusters of a problem: a system of the library with the fabrics, cooling kinds and caps it may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from planner.errors import MissingFigureError, SpecError
from planner.problem import wire
from planner.problem.evidence import USABLE_FRACTION, FigureKey, Scope, short_name
from planner.problem.figures import Figures, Sheet
from planner.problem.heat import heat_cap_of, rooms_of
from planner.scenario.schema import Hardware
from planner.scenario.site import SiteChoice
from planner.specs import SPEC_PATH_VARIABLE, Accelerator, Efficiency, Fabric, Part, Site, System
from planner.specs.reading import shown_path

LIQUID = ("cold-plate", "immersion")
"""Cooling kinds whose building costs the liquid premium."""
RACK_UNITS = 42.0
DIRECT = ("dragonfly", "slim-fly", "full-mesh", "torus")
"""Fabrics without tiers: any switches can be wired so, where a question asks for it."""


@dataclass(frozen=True)
class Hall:
    """What the site adds: cooling figures, overrides of the user, and the building."""

    site: Site
    choice: SiteChoice
    facility: Part


@dataclass(frozen=True)
class Alternative:
    """One system with what it may be built with; ``coolings`` are kinds that system and site both know."""

    index: int
    system: System
    accelerator: Accelerator
    efficiency: Efficiency
    fabrics: tuple[Fabric, ...]
    coolings: tuple[str, ...]


def cluster(  # noqa: PLR0917
    item: Alternative,
    hall: Hall,
    hardware: Hardware,
    precision: str | tuple[str, ...],
    figures: Figures,
    offloads: bool = False,
) -> wire.Cluster:
    """One alternative of the request; every figure is read through ``figures`` under its scope.

    ``precision``: of training's products; or, for serving, all at which something may be computed: the shares
    of the training law are then not asked for. The host's memory and link are read only where something may
    live there.
    """
    rooms = []
    for kind in item.coolings:
        with figures.scope(Scope(cluster=item.index, cooling=kind)):
            rooms.append(_cooling(kind, item, hall, figures))
    return without_hall(item, hall.facility, hardware, precision, figures, offloads).model_copy(
        update={"coolings": tuple(rooms)}
    )


def without_hall(  # noqa: PLR0917
    item: Alternative,
    facility: Part,
    hardware: Hardware,
    precision: str | tuple[str, ...],
    figures: Figures,
    offloads: bool = False,
) -> wire.Cluster:
    """The alternative with its fabrics, before it is known where it stands: no cooling kinds."""
    system, accelerator, index = item.system, item.accelerator, item.index
    with figures.scope(Scope(cluster=index)):
        serves = not isinstance(precision, str)
        body = _body(item, facility, figures, serves)
        if isinstance(precision, str):
            device = _device(item, precision, figures)
        else:
            device = _serving_device(item, precision, figures)
        if offloads:
            device = device.model_copy(update=_host(item, figures))
        levels = _levels(item, figures)
    options: list[wire.FabricOption] = []
    for fabric in item.fabrics:
        with figures.scope(Scope(cluster=index, fabric=fabric.id)):
            options += _fabric_options(item, fabric, hardware, figures)
    return wire.Cluster(
        system=system.id,
        accelerator=accelerator.id,
        device=device,
        devices_per_card=accelerator.devices_per_card,
        cards_per_server=system.cards_per_server,
        unit_cards=unit_cards(system),
        domain_cards=system.domain_cards,
        levels=levels,
        fabrics=tuple(options),
        coolings=(),
        power_caps=hardware.power_caps or (1.0,),
        servers_per_rack=system.rack.servers_per_rack,
        max_cards=system.max_cards,
        phase_shares=_phase_shares(facility, figures, serves),
        **body,
    )


CARD_FIGURES = {
    "peak.bf16": "bf16 peak",
    "memory.capacity": "memory",
    "memory.bandwidth": "memory bandwidth",
    "power.tdp": "board power",
    "power.idle": "idle power",
    "power.training_share": "training draw over board power",
}
"""What a plan needs to know of every card."""


def homeless(accelerator: Accelerator, figures: Figures) -> MissingFigureError:
    """The refusal of a card that no system holds: all that is missing, and how to supply it."""
    known = dict(accelerator.figures())
    lacking = [key for key in CARD_FIGURES if key not in known]
    if "peak.fp16" in known and "peak.bf16" in lacking:
        lacking.remove("peak.bf16")
    if "peak.int8" in known and "peak.bf16" in lacking:
        # A chip for inference in integers: it needs neither.
        lacking = [key for key in lacking if key not in ("peak.bf16", "power.training_share")]
    listed = "".join(f"\n  {short_name(accelerator)} {CARD_FIGURES[key]}: {key}" for key in lacking)
    where, toml = figures.supply([FigureKey("accelerators", accelerator.id, key) for key in lacking])
    again = f"\n  {where}:\n{toml}" if lacking else ""
    name = f"my-{accelerator.id}-server"
    return MissingFigureError(
        f"no system holds {accelerator.id}, so servers, links and NICs are not known"
        + (f", nor are these figures of the card:{listed}" if lacking else ""),
        file=shown_path(figures.library.path("accelerators", accelerator.id)),
        hint=f"in a directory named by {SPEC_PATH_VARIABLE}, a system like a known one:\n"
        f'    # systems/{name}.toml\n    id = "{name}"\n    name = "..."\n'
        f'    extends = "..." # the id of a similar system\n    accelerator = "{accelerator.id}"' + again,
    )


def unit_cards(system: System) -> int:
    """Cards bought whole: a server's, or a domain's where that is sold whole (never part of a server)."""
    if system.purchase_unit == "domain":
        return max(system.domain_cards, system.cards_per_server)
    return system.cards_per_server


def _draw(item: Alternative, building: Part, figures: Figures, serves: bool) -> float:
    """Draw of a card at work over its board power, to size halls by: that of training.

    A chip that only serves has no such figure: it is held to the draw of products, the hardest that it does.
    """
    card, facility = figures.of("accelerators", item.accelerator), figures.of("parts", building)
    what = "training draw over board power"
    known = item.accelerator.power.training_share
    if serves and known is None and building.phase_draw is not None:
        return facility.need("phase_draw.compute", "power", "draw of a card in products")
    return card.need("power.training_share", "power", what)


def _body(item: Alternative, building: Part, figures: Figures, serves: bool) -> dict[str, float | None]:
    card = figures.of("accelerators", item.accelerator)
    system = figures.of("systems", item.system)
    facility = figures.of("parts", building)
    # A supernode's own switches draw power that no server's figure holds; a plain server has none.
    beyond_server = item.system.domain_cards > item.system.cards_per_server
    read_domain = system.need if beyond_server else system.want
    return {
        "conversion_loss": facility.want("conversion_loss", "space", "loss in supplies") or 0.0,
        "card_tdp": card.need("power.tdp", "power", "board power"),
        "card_idle": card.need("power.idle", "power", "idle power"),
        "card_training_share": _draw(item, building, figures, serves),
        "cap_exponent": facility.need("cap_exponent", "power", "exponent of power over clock"),
        "host_power": system.need("host.power", "power", "host power"),
        "fan_power": system.want("host.fan_power", "power", "fan power") or 0.0,
        "server_nameplate": system.want("host.nameplate", "power", "nameplate"),
        "domain_power": read_domain("domain.power", "power", "interconnect power of a domain") or 0.0,
        "domain_interconnect_racks": system.want("domain.racks", "space", "interconnect racks") or 0.0,
        "domain_switches": (
            system.want("domain.switches", "reliability", "switches of a domain") or 0.0
            if beyond_server
            else 0.0
        ),
        "server_height": _server_height(item.system, system),
        "server_mass": system.want("rack.server_mass", "space", "mass of a server"),
        "failures_per_server_day": system.need("failures", "reliability", "failure rate"),
        "unit_price": system.price("price", "price"),
    }


def _phase_shares(building: Part, figures: Figures, serves: bool) -> wire.PhaseShares | None:
    """Draw of cards by phase with its ranges: what services draw; of training only shown beside the mean."""
    if building.phase_draw is None:
        return None
    sheet = figures.of("parts", building)
    shares = {}
    for name in ("compute", "memory", "communication"):
        known = getattr(building.phase_draw, name)
        value = sheet.need(f"phase_draw.{name}", "power" if serves else "space", f"draw of a card in {name}")
        low, high = (value if end is None else end for end in (known.low, known.high))
        shares[name] = wire.Share(value=value, low=min(low, value), high=max(high, value))
    return wire.PhaseShares(**shares)


def _nic_power(system: System, fabric: Fabric, figures: Figures) -> float:
    """Watts of a server's network interfaces; none where they are part of the cards."""
    if fabric.nic is None:
        return 0.0
    nic = cast(Part, figures.library.referred(fabric, "nic", "parts", fabric.nic))
    each = figures.of("parts", nic).want("power", "space", "power of a network interface") or 0.0
    known = system.scale_out.nics_per_server
    return each * (_ports_per_server(system, figures) if known is None else known.value)


def _server_height(system: System, sheet: Sheet) -> float:
    """Rack units. Where the vendor's packing is fixed it decides, and the height is only that over again."""
    packing = system.rack.servers_per_rack
    if system.rack.server_height is None and packing is not None:
        return RACK_UNITS / packing
    return sheet.need("rack.server_height", "space", "server height")


def _device(item: Alternative, precision: str, figures: Figures) -> wire.Device:
    accelerator = item.accelerator
    card = figures.of("accelerators", accelerator)
    efficiency = figures.of("efficiency", item.efficiency)

    def per_device(key: str, what: str) -> float:
        return card.need(key, "timing", what) / accelerator.devices_per_card

    def share(key: str, what: str) -> float:
        return efficiency.need(key, "timing", what)

    # A chip without bfloat16 trains in half precision; the core takes both as 16 bits.
    half = "fp16" if accelerator.peak.bf16 is None and accelerator.peak.fp16 is not None else "bf16"
    peak = {"bf16": per_device(f"peak.{half}", f"{half} peak")}
    products = {"bf16": share("matmul.bf16", "share of peak in matrix products")}
    if precision != "bf16":
        peak[precision] = per_device(
            f"peak.{precision}", f"{precision} peak (where the chip has none: ask for another precision)"
        )
        products[precision] = share(f"matmul.{precision}", f"share of {precision} peak in matrix products")
    usable = card.want("memory.usable_fraction", "timing", "usable share of memory", default=USABLE_FRACTION)
    return wire.Device(
        peak=wire.PerPrecision(**peak),
        memory=per_device("memory.capacity", "memory") * (usable or 0.0),
        memory_bandwidth=per_device("memory.bandwidth", "memory bandwidth"),
        efficiency=wire.Efficiency(
            matmul=wire.PerPrecision(**products),
            matmul_half_depth=share("matmul.half_depth", "half depth of matrix products"),
            attention_forward=share("attention.forward", "share of peak in attention"),
            attention_backward_ratio=share("attention.backward_ratio", "backward over forward attention"),
            attention_half_length=share("attention.half_length", "half length of attention"),
            memory=share("memory", "share of memory bandwidth"),
            scale_up=share("scale_up", "share of scale-up bandwidth"),
            scale_out=share("scale_out", "share of NIC rate"),
        ),
    )


def _host(item: Alternative, figures: Figures) -> dict[str, float]:
    """Host memory and link of one device: the server's memory in equal parts, less nothing."""
    system, card = figures.of("systems", item.system), figures.of("accelerators", item.accelerator)
    devices = item.system.cards_per_server * item.accelerator.devices_per_card
    return {
        "host_memory": system.need("host.memory", "timing", "host memory") / devices,
        "host_bandwidth": card.need("links.host_bandwidth", "timing", "link to the host")
        / item.accelerator.devices_per_card,
    }


def _serving_device(item: Alternative, precisions: tuple[str, ...], figures: Figures) -> wire.Device:
    """The device with every peak of ``precisions`` that the card has; shares are serving's own constants."""
    accelerator = item.accelerator
    card = figures.of("accelerators", accelerator)
    efficiency = figures.of("efficiency", item.efficiency)

    def per_device(key: str, what: str) -> float:
        return card.need(key, "timing", what) / accelerator.devices_per_card

    half = "fp16" if accelerator.peak.bf16 is None and accelerator.peak.fp16 is not None else "bf16"
    # Zero: none. A chip that computes in integers alone serves items alone.
    peak = {"bf16": 0.0}
    if "bf16" in precisions or getattr(accelerator.peak, half) is not None:
        peak["bf16"] = per_device(f"peak.{half}", f"{half} peak")
    for name in precisions:
        if name != "bf16" and getattr(accelerator.peak, name) is not None:
            peak[name] = per_device(f"peak.{name}", f"{name} peak")
    # Serving's law was fitted on other chips: it goes no further than what somebody measured on this one.
    best = {
        name: card.need(f"measured.{own}", "timing", f"best measured {own} rate")
        / accelerator.devices_per_card
        for name in peak
        if getattr(accelerator.measured, own := half if name == "bf16" else name) is not None
    }
    usable = card.want("memory.usable_fraction", "timing", "usable share of memory", default=USABLE_FRACTION)
    names = ("matmul.half_depth", "attention.forward", "attention.backward_ratio", "attention.half_length")
    unused = {name.replace(".", "_"): efficiency.peek(name) for name in names}
    return wire.Device(
        peak=wire.PerPrecision(**peak),
        measured=wire.PerPrecision(**({"bf16": peak["bf16"]} | best)) if best else None,
        memory=per_device("memory.capacity", "memory") * (usable or 0.0),
        memory_bandwidth=per_device("memory.bandwidth", "memory bandwidth"),
        efficiency=wire.Efficiency(
            matmul=wire.PerPrecision(bf16=efficiency.peek("matmul.bf16")),
            **unused,
            **{name: efficiency.peek(name) for name in ("memory", "scale_up", "scale_out")},
        ),
    )


def _levels(item: Alternative, figures: Figures) -> tuple[wire.ScaleUpLevel, ...]:
    system = figures.of("systems", item.system)
    return tuple(
        wire.ScaleUpLevel(
            name=level.name,
            size=level.size,
            topology=level.topology,
            bandwidth=system.need(f"levels[{place}].bandwidth", "timing", f"bandwidth of {level.name}")
            / item.accelerator.devices_per_card,
            latency=system.need(f"levels[{place}].latency", "timing", f"latency of {level.name}"),
            in_network_reduction=level.in_network_reduction,
            reduction_efficiency=system.want(
                f"levels[{place}].reduction_efficiency",
                "timing",
                f"reductions in the switches of {level.name}",
            ),
        )
        for place, level in enumerate(item.system.levels)
    )


def _fabric_options(
    item: Alternative, fabric: Fabric, hardware: Hardware, figures: Figures
) -> list[wire.FabricOption]:
    parts = [
        cast(Part, figures.library.referred(owner, key, "parts", name))
        for owner, key, name in (
            (fabric, "switch", fabric.switch),
            (fabric, "transceiver_switch", fabric.transceiver_switch),
            _host_transceiver(item.system, fabric),
            (fabric, "cable", fabric.cable),
        )
    ]
    switch, near, far, cable = (figures.of("parts", part) for part in parts)
    sheet = figures.of("fabrics", fabric)
    share = sheet.want("share_of_line_rate", "timing", "share of line rate")
    radix = _radix(parts[0], fabric, switch)
    _refuse_without_uplinks(hardware, radix)
    common = {
        "id": fabric.id,
        "radix": radix,
        "ports_per_server": _ports_per_server(item.system, figures),
        "bandwidth": _scale_out_bandwidth(item.system, fabric, figures) / item.accelerator.devices_per_card,
        "share_of_line_rate": 1.0 if share is None else share,
        "latency": sheet.need("latency", "timing", "latency"),
        "latency_per_tier": sheet.need("latency_per_tier", "timing", "latency per tier"),
        "in_network_reduction": fabric.in_network_reduction,
        "switch_module_ports": near.whole("ports", parts[1].ports, "ports"),
        "host_module_ports": far.whole("ports", parts[2].ports, "ports"),
        "switch_power": switch.need("power", "power", "power"),
        "switch_module_power": near.need("power", "power", "power"),
        "host_module_power": far.need("power", "power", "power"),
        "switch_price": switch.price("price", "price"),
        "switch_module_price": near.price("price", "price"),
        "host_module_price": far.price("price", "price"),
        "cable_price": cable.price("price", "price"),
        "switch_height": switch.need("height", "space", "height"),
        "nic_power": _nic_power(item.system, fabric, figures),
    }
    planes = hardware.planes or fabric.planes or _ports_per_server(item.system, figures)
    return [
        wire.FabricOption.model_validate(
            {
                **common,
                "kind": kind,
                "oversubscription": ratio,
                "planes": planes if kind == "multi-plane" else 1,
                "leaf_oversubscription": hardware.leaf_oversubscription,
            }
        )
        for kind in (fabric.kinds[:1] if hardware.kinds is None else (*fabric.kinds, *DIRECT))
        if hardware.kinds is None or kind in hardware.kinds
        for ratio in ((1.0,) if kind in DIRECT else hardware.oversubscription or fabric.oversubscription)
    ]


def _refuse_without_uplinks(hardware: Hardware, radix: int) -> None:
    """A switch of R ports with a single uplink serves R - 1 below it: no taper is larger.

    Raises:
        SpecError: a taper that would be timed as asked and built as something else.
    """
    asked = (
        ("oversubscription", hardware.oversubscription or ()),
        ("leaf_oversubscription", (hardware.leaf_oversubscription,)),
    )
    for name, ratios in asked:
        if max(ratios, default=1.0) > radix - 1:
            raise SpecError(
                f"{max(ratios):,.6g}:1 leaves a switch of {radix} ports no uplink",
                key=f"hardware.{name}",
                hint=f"at most {radix - 1}:1",
            )


def _host_transceiver(system: System, fabric: Fabric) -> tuple[System | Fabric, str, str]:
    """The fabric's, or that which the server's vendor puts into the same ports: file, key, part."""
    own = system.scale_out.transceiver
    if own is not None and system.scale_out.fabric == fabric.id:
        return system, "scale_out.transceiver", own
    return fabric, "transceiver_host", fabric.transceiver_host


def _ports_per_server(system: System, figures: Figures) -> int:
    ports, nics = system.scale_out.ports_per_server, system.scale_out.nics_per_server
    if ports is None and nics is not None:
        ports = round(nics.value)
    return figures.of("systems", system).whole("scale_out.ports_per_server", ports, "fabric ports per server")


def _radix(switch: Part, fabric: Fabric, sheet: Sheet) -> int:
    """Ports of the switch at the fabric's port rate: faster ports are split, slower ones joined.

    Taken from the files as they are: a sampled port rate does not change what the box is.
    """
    ports = sheet.whole("ports", switch.ports, "ports")
    if switch.port_rate is None:
        return ports
    return math.floor(ports * switch.port_rate.value / fabric.port_rate.value + 1e-9)


def _scale_out_bandwidth(system: System, fabric: Fabric, figures: Figures) -> float:
    """One way per card in B/s: the system's own figure, scaled where the fabric's ports are of another rate.

    A fabric faster than the system's own is used in full only where the NICs can be exchanged, that is where
    the own fabric names one; else they are part of the card.
    """
    own = figures.library.fabric_of(system)
    bandwidth = figures.of("systems", system).want("scale_out.bandwidth", "timing", "scale-out bandwidth")
    if bandwidth is not None and own.port_rate.value == fabric.port_rate.value:
        return bandwidth
    rate = figures.of("fabrics", fabric).need("port_rate", "timing", "port rate")
    if bandwidth is None:
        return rate * _ports_per_server(system, figures) / system.cards_per_server
    ratio = rate / figures.of("fabrics", own).need("port_rate", "timing", "port rate")
    return bandwidth * (ratio if own.nic is not None else min(ratio, 1.0))


def _rack_limit(kind: str, item: Alternative, hall: Hall, figures: Figures) -> float:
    """Watts of a compute rack: its own rating where it is sold as one machine, else what cooling takes."""
    own = figures.of("systems", item.system).want("rack.power", "space", "rating of its rack")
    if own is not None:
        return own
    return figures.of("parts", hall.facility).need(
        f"rack_limits.{kind}", "space", f"limit of a rack with {kind}"
    )


def _cooling(kind: str, item: Alternative, hall: Hall, figures: Figures) -> wire.CoolingOption:
    site = figures.of("sites", hall.site)
    facility = figures.of("parts", hall.facility)
    rooms = rooms_of(kind, hall.site, hall.choice, hall.facility, figures)
    airs = tuple(
        wire.HallAir(
            pue=found.pue,
            pue_design_day=found.pue_design_day,
            wue=site.want(f"cooling.{kind}.wue", "environment", f"water with {kind}"),
            chilled_share=found.chilled,
            # A kind does not work at every supply: such a hall holds nothing of it.
            heat_cap=heat_cap_of(found, hall.choice) if works else 0.0,
        )
        for found, works in rooms
    )
    known = [air for air, (_, works) in zip(airs, rooms, strict=True) if works] or list(airs)
    building = facility.price("building", "price per watt")
    if building is not None and kind in LIQUID:
        building *= 1.0 + facility.need("liquid_premium", "cost", "premium of liquid cooling")
    if building is not None and hall.choice.redundancy in hall.facility.redundancy:
        building *= facility.need(
            f"redundancy.{hall.choice.redundancy}", "cost", f"price of a building at {hall.choice.redundancy}"
        )
    return wire.CoolingOption(
        kind=kind,
        pue=min(air.pue for air in known),
        pue_design_day=min(air.pue_design_day for air in known),
        wue=known[0].wue,
        rack_limit=_rack_limit(kind, item, hall, figures),
        fan_saving=facility.need(f"fan_saving.{kind}", "power", f"fan saving of {kind}"),
        building_usd_per_watt=building,
        liquid_share=facility.need(f"liquid_share.{kind}", "space", f"share of heat into liquid with {kind}"),
        chilled_share=min(air.chilled_share for air in known),
        heat_cap=max(air.heat_cap for air in known),
        halls=airs if len(airs) > 1 else (),
    )
