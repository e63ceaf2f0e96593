"""Rules for systems: levels against domains and cards, power against nameplates, ports against NICs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from planner.specs.checks.base import Finding, Library, Subject, differs, value
from planner.specs.schema import Accelerator, Fabric, System

Built = Subject[System]

_BITS_FOR_BYTES = 4.0
"""Cards that send this many times what their ports carry were rated in bytes where bits were meant."""


def check(library: Library) -> Iterator[Finding]:
    """All rules of this module over all systems."""
    for system in library.of("systems", System):
        card = library.card(system.spec.accelerator)
        yield from _power(system, card)
        yield from _counts(system)
        yield from _rack(system, card)
        if card is not None:
            yield from _level_sizes(system, card)
            yield from _level_bandwidths(system, card)
        fabric = library.spec("fabrics", system.spec.scale_out.fabric)
        if fabric is not None:
            yield from _ports(system, cast(Fabric, fabric))


def _level_sizes(system: Built, card: Accelerator) -> Iterator[Finding]:
    spec = system.spec
    devices = spec.domain_cards * card.devices_per_card
    if not spec.levels:
        if spec.domain_cards > 1:
            yield system.warning(
                "levels",
                "domain_cards",
                f"a domain of {spec.domain_cards} cards without a level that joins them",
                "describe the level (topology pcie where cards meet over PCIe), or say domain_cards = 1",
            )
        return
    before = 1
    for index, level in enumerate(spec.levels):
        key = f"levels[{index}].size"
        if level.size % card.devices_per_card and card.devices_per_card % level.size:
            yield system.error(
                "devices",
                key,
                f"size {level.size} is not a multiple of the {card.devices_per_card} devices of a card",
                "sizes count devices, not cards",
            )
        if level.size % before:
            yield system.error(
                "levels",
                key,
                f"size {level.size} is not a multiple of the level inside it ({before})",
                "sizes are cumulative: devices that one instance of the level joins",
            )
        before = level.size
    if before != devices:
        yield system.error(
            "levels",
            f"levels[{len(spec.levels) - 1}].size",
            f"the outermost level joins {before} devices, a domain of {spec.domain_cards} cards with "
            f"{card.devices_per_card} each has {devices}",
            "make size = domain_cards x devices_per_card",
        )


def _level_bandwidths(system: Built, card: Accelerator) -> Iterator[Finding]:
    for index, level in enumerate(system.spec.levels):
        if level.size <= card.devices_per_card:
            continue  # a level inside the card does not use the card's links
        over_host = level.topology == "pcie"
        total = value(card.links.host_bandwidth if over_host else card.links.scale_up_bandwidth)
        rate = value(level.bandwidth)
        if rate is not None and total is not None and rate > total * 1.02:
            yield system.error(
                "level-bandwidth",
                f"levels[{index}].bandwidth",
                f"{rate / 1e9:.4g} GB/s exceeds the {total / 1e9:.4g} GB/s of all links of {card.id!r}",
                "bandwidth is one way and per card",
            )


def _power(system: Built, card: Accelerator | None) -> Iterator[Finding]:
    host = system.spec.host
    nameplate, typical, fans = value(host.nameplate), value(host.power), value(host.fan_power)
    if typical is not None and fans is not None and fans > typical:
        yield system.error(
            "host-power",
            "host.fan_power",
            "the fans draw more than the whole host",
            "fan_power is part of power",
        )
    if nameplate is None:
        return
    if typical is not None and typical > nameplate:
        yield system.error(
            "nameplate",
            "host.power",
            "typical draw is above the nameplate",
            "nameplate is the whole server's",
        )
    tdp = value(card.power.tdp) if card else None
    if card is None or tdp is None:
        return
    cards = system.spec.cards_per_server * tdp
    if nameplate < cards:
        yield system.error(
            "nameplate",
            "host.nameplate",
            f"{nameplate / 1e3:.4g} kW is less than the cards alone ({cards / 1e3:.4g} kW)",
            "nameplate is the whole server's, cards included",
        )
        return
    drawn = cards * (value(card.power.training_share) or 1.0) + (typical or 0.0)
    if drawn > nameplate:
        yield system.warning(
            "nameplate",
            "host.power",
            f"cards and host draw {drawn / 1e3:.4g} kW in training, nameplate is {nameplate / 1e3:.4g} kW",
            "host power is what the server draws beside its cards",
        )


def _counts(system: Built) -> Iterator[Finding]:
    spec = system.spec
    smallest = spec.domain_cards if spec.purchase_unit == "domain" else spec.cards_per_server
    if spec.max_cards is not None and spec.max_cards < smallest:
        yield system.error(
            "counts",
            "max_cards",
            f"smaller than the {smallest} cards of one purchase",
            "check it",
        )
    nics, ports = value(spec.scale_out.nics_per_server), spec.scale_out.ports_per_server
    if nics is not None and nics != int(nics):
        yield system.error("counts", "scale_out.nics_per_server", f"{nics:g} NICs", "count whole NICs")
    if nics and ports is not None and ports < nics:
        yield system.warning(
            "counts",
            "scale_out.ports_per_server",
            f"{nics:g} NICs but {ports} ports",
            "count every fabric port",
        )


def _rack(system: Built, card: Accelerator | None) -> Iterator[Finding]:
    rack, host = system.spec.rack, system.spec.host
    supply, machines = value(rack.power), rack.servers_per_rack
    if supply is None:
        return
    if machines is None:
        yield system.error(
            "rack-power",
            "rack.power",
            "a rating of the rack without servers_per_rack",
            "only a rack-scale system has a rack of its own",
        )
        return
    tdp = value(card.power.tdp) if card else None
    rated = value(host.nameplate) or system.spec.cards_per_server * (tdp or 0.0)
    if machines * rated > supply:
        yield system.error(
            "rack-power",
            "rack.power",
            f"{machines} servers of {rated / 1e3:.4g} kW exceed the {supply / 1e3:.4g} kW of the rack",
            "the rack holds what it is sold with",
        )


def _ports(system: Built, fabric: Fabric) -> Iterator[Finding]:
    scale_out = system.spec.scale_out
    rate, ports = value(scale_out.bandwidth), scale_out.ports_per_server
    if rate is None or ports is None:
        return
    cards, by_ports = rate * system.spec.cards_per_server, ports * fabric.port_rate.value
    text = (
        f"{ports} ports of {fabric.id!r} carry {by_ports / 1e9:.4g} GB/s, the cards of a server "
        f"{cards / 1e9:.4g} GB/s"
    )
    if cards > _BITS_FOR_BYTES * by_ports:
        yield system.error(
            "ports",
            "scale_out.bandwidth",
            text,
            "bits against bytes? ports are rated in Gb/s: 400 Gb/s is 50 GB/s",
        )
    elif differs(cards, by_ports, 0.02):
        yield system.warning(
            "ports",
            "scale_out.ports_per_server",
            text,
            "bandwidth is one way and per card; ports count at the port rate of the fabric",
        )
