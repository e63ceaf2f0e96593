"""The request for the bill of a fabric: the hardware, its floor, and what bridges the distances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from planner.errors import SpecError
from planner.problem import wire
from planner.problem.evidence import Figure
from planner.problem.figures import Figures, Sheet
from planner.problem.halls import side_networks
from planner.problem.hardware import DIRECT, RACK_UNITS, Alternative, without_hall
from planner.scenario.schema import Hardware
from planner.specs import Fabric, Part, SpecLibrary, System

RESERVED_RACK_UNITS = 4.0
"""As in the core: power distribution, cable management, out-of-band switch."""
FACILITY = "facility-base"
"""Floor and side networks do not depend on the country."""


@dataclass(frozen=True)
class FabricQuestion:
    """Which fabric to count.

    Attributes:
        system: id or name.
        cards: how many; counted are those of whole servers, or supernodes where they are sold whole.
        fabric: id or name; default: the system's own.
        kind: leaf-spine, rail-optimised, multi-plane, dragonfly, slim-fly, full-mesh, torus; default: usual.
        oversubscription: of the top tier.
        leaf_oversubscription: of the leaves, where there are three tiers.
        planes: of multi-plane.
        reserved_ports: leaf ports kept for other machines.
    """

    system: str
    cards: int
    fabric: str | None = None
    kind: str | None = None
    oversubscription: float = 1.0
    leaf_oversubscription: float = 1.0
    planes: int | None = None
    reserved_ports: int = 0


TIERED = ("rail-optimised", "leaf-spine", "multi-plane")
"""Kinds of which a fabric's file lists those it is built as."""


@dataclass(frozen=True)
class FabricRequest:
    """A resolved question with the figures it rests on."""

    question: FabricQuestion
    system: System
    fabric: Fabric
    request: wire.DetailRequest
    figures: tuple[Figure, ...]


def fabric_request(question: FabricQuestion, library: SpecLibrary) -> FabricRequest:
    """Resolve names and gather figures.

    Raises:
        SpecError: unknown names, or a kind that cannot be.
        MissingFigureError: figures are not known.
    """
    system = library.system(library.resolve_hardware(question.system))
    fabric = library.fabric(question.fabric or system.scale_out.fabric)
    if question.kind is not None and question.kind not in DIRECT + TIERED:
        raise SpecError(
            f"there is no fabric kind {question.kind!r}", hint=f"one of {', '.join(TIERED + DIRECT)}"
        )
    direct = question.kind if question.kind in DIRECT else None
    kind = fabric.kinds[0] if question.kind is None or direct else question.kind
    if kind not in fabric.kinds:
        raise SpecError(
            f"{fabric.id} is not built as {kind}", hint=f"it is built as {', '.join(fabric.kinds)}"
        )
    if kind == "multi-plane" and not system.levels:
        raise SpecError(
            f"planes meet only in the servers, and the cards of {system.id} have no scale-up links",
            hint="use leaf-spine or rail-optimised",
        )
    _refuse_ignored(question, direct or kind)
    figures = Figures(library)
    hardware = Hardware(
        systems=(system.id,),
        kinds=(kind,),
        oversubscription=(question.oversubscription,),
        leaf_oversubscription=question.leaf_oversubscription,
        planes=question.planes,
    )
    accelerator = library.accelerator_of(system)
    item = Alternative(
        index=0,
        system=system,
        accelerator=accelerator,
        efficiency=library.efficiency_of(accelerator),
        fabrics=(fabric,),
        coolings=(),
    )
    facility = library.part(FACILITY)
    built = without_hall(item, facility, hardware, "bf16", figures)
    # Servers and supernodes are bought whole, as a plan buys them.
    cards = -(-question.cards // built.unit_cards) * built.unit_cards
    option = built.fabrics[0]
    limit = figures.of("parts", facility).need(
        f"rack_limits.{system.cooling[0]}", "space", f"limit of a rack with {system.cooling[0]}"
    )
    request = detail_request(
        built,
        library,
        figures,
        cards=cards,
        servers_per_rack=_servers_per_rack(built, limit),
        switches_per_rack=_switches_per_rack(option, limit),
        parts=(system, fabric),
        facility=facility,
    ).model_copy(update={"direct": direct, "reserved_ports": question.reserved_ports})
    figures.refuse_missing()
    return FabricRequest(question, system, fabric, request, figures.used)


def _refuse_ignored(question: FabricQuestion, kind: str) -> None:
    """An option that the kind has no use for would be dropped without a word.

    Raises:
        SpecError: planes of one plane, tapers of a fabric without tiers.
    """
    if question.planes is not None and kind != "multi-plane":
        raise SpecError(
            f"--planes {question.planes} is of multi-plane fabrics, and this one is {kind}",
            hint="--kind multi-plane, or leave it out",
        )
    tapers = (
        ("--oversubscription", question.oversubscription),
        ("--leaf-oversubscription", question.leaf_oversubscription),
    )
    for option, ratio in tapers:
        if kind in DIRECT and ratio > 1.0:
            raise SpecError(f"{option} is of fabrics with tiers, and a {kind} has none", hint="leave it out")


def detail_request(
    cluster: wire.Cluster,
    library: SpecLibrary,
    figures: Figures,
    *,
    cards: int,
    servers_per_rack: int,
    switches_per_rack: int,
    parts: tuple[System, Fabric],
    facility: Part,
    storage_servers: int | None = None,
) -> wire.DetailRequest:
    """The request for a cluster of one fabric; ``facility``: floor and side networks."""
    system, fabric = parts
    return wire.DetailRequest(
        cluster=cluster,
        cards=cards,
        scale_up=_scale_up(system, figures),
        side_networks=side_networks(facility, figures),
        storage_servers=storage_servers,
        servers_per_rack=servers_per_rack,
        switches_per_rack=switches_per_rack,
        geometry=geometry(facility, figures),
        media=media(fabric, library, figures),
    )


def _servers_per_rack(cluster: wire.Cluster, limit: float) -> int:
    """By power and height, or the vendor's packing; a server hotter than the usual limit has a rack alone."""
    if cluster.servers_per_rack is not None:
        return cluster.servers_per_rack
    rated = cluster.server_nameplate
    if rated is None:
        rated = cluster.card_tdp * cluster.cards_per_server + cluster.host_power
    return max(1, int(min(limit / rated, (RACK_UNITS - RESERVED_RACK_UNITS) / cluster.server_height)))


def _switches_per_rack(option: wire.FabricOption, limit: float) -> int:
    each = option.switch_power + option.switch_module_power * option.radix / option.switch_module_ports
    return max(1, int(min(limit / each, (RACK_UNITS - RESERVED_RACK_UNITS) / option.switch_height)))


def geometry(facility: Part, figures: Figures) -> wire.Geometry:
    """The floor of a hall."""
    sheet = figures.of("parts", facility)
    return wire.Geometry(
        rack_pitch=sheet.need("floor.rack_pitch", "space", "pitch of racks"),
        row_pitch=sheet.need("floor.row_pitch", "space", "pitch of rows"),
        racks_per_row=round(sheet.need("floor.racks_per_row", "space", "racks of a row")),
        riser=sheet.need("floor.riser", "space", "cable in a rack"),
        slack=sheet.need("floor.slack", "space", "slack of cables"),
    )


def _scale_up(system: System, figures: Figures) -> wire.ScaleUpSpec | None:
    if system.domain.planes is None:
        return None
    sheet = figures.of("systems", system)

    def whole(key: str) -> int:
        return round(sheet.need(f"domain.planes.{key}", "space", key.replace("_", " ")))

    return wire.ScaleUpSpec(
        planes=whole("planes"),
        server_chips=whole("server_chips"),
        links_per_server=whole("links_per_server"),
        chip_ports=whole("chip_ports"),
        links_per_module=whole("links_per_module"),
        link_bandwidth=sheet.need("domain.planes.link_bandwidth", "space", "bandwidth of a link"),
    )


def media(fabric: Fabric, library: SpecLibrary, figures: Figures) -> tuple[wire.Medium, ...]:
    """Copper, active optical cables, the fabric's own modules, those of long reach: by their price.

    Modules reach no farther than either of them and their fibre.
    """
    found = []
    for name in (*fabric.copper, *fabric.active_optical):
        part = library.part(name)
        sheet = figures.of("parts", part)
        found.append(
            wire.Medium(
                cable=part.id,
                medium=part.medium or "dac",
                reach=sheet.need("reach", "space", "reach"),
                modules=False,
                power=sheet.need("power", "space", "power"),
                price=_beside(sheet, "price", figures),
            )
        )
    fibre, *modules = (
        library.part(name) for name in (fabric.cable, fabric.transceiver_switch, fabric.transceiver_host)
    )
    reaches: Mapping[str, float | None] = {
        part.id: figures.of("parts", part).want("reach", "space", "reach") for part in (fibre, *modules)
    }
    known = [reach for reach in reaches.values() if reach is not None]
    if known:
        sheet = figures.of("parts", fibre)
        found.append(
            wire.Medium(
                cable=fibre.id,
                medium=fibre.medium or "singlemode",
                reach=min(known),
                modules=True,
                power=sheet.want("power", "space", "power") or 0.0,
                price=_beside(sheet, "price", figures),
            )
        )
    return (*found, *_long(fabric, found[-1] if known else None, library, figures))


def _long(
    fabric: Fabric, usual: wire.Medium | None, library: SpecLibrary, figures: Figures
) -> Iterator[wire.Medium]:
    """Modules at both ends of links between switches that the usual ones do not reach, on the same fibre.

    Draw and price of the core are those of the usual modules; what the long ones take besides stands here.
    """
    if usual is None:
        return
    near = library.part(fabric.transceiver_switch)
    base = figures.of("parts", near)
    for name in fabric.long_reach:
        part = library.part(name)
        sheet = figures.of("parts", part)
        watts = 2 * sheet.need("power", "space", "power") / (part.ports or 1)
        watts -= 2 * base.need("power", "space", "power") / (near.ports or 1)
        prices = _beside(sheet, "price", figures), _beside(base, "price", figures), usual.price
        usd = None
        if prices[0] is not None and prices[1] is not None and prices[2] is not None:
            usd = prices[2] + 2 * prices[0] / (part.ports or 1) - 2 * prices[1] / (near.ports or 1)
        reach = sheet.need("reach", "space", "reach")
        yield usual.model_copy(
            update={"cable": part.id, "reach": reach, "power": usual.power + watts, "price": usd}
        )


def _beside(sheet: Sheet, key: str, figures: Figures) -> float | None:
    """A price in US dollars that no total rests on: where it is not known, nothing is refused."""
    amount = sheet.want(key, "space", "price")
    return None if amount is None else amount * figures.usd_per(sheet.currency(key))
