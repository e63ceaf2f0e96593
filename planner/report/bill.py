"""The bill of a fabric for people."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.bill import FabricBill
from planner.plan.shown import number, scaled, usd
from planner.report.memo import PHYSICS, Row, Section
from planner.report.sheet import sheet
from planner.report.wiring import beside, estimated, length, media


def render(bill: FabricBill) -> str:
    """The bill as text."""
    makers = [
        ("What joins the cards", "fabric", _shape(bill)),
        ("What the collectives get", "fabric", _levels(bill)),
        ("Cables by length", "fabric", _cables(bill)),
        ("Scale-up domain", "fabric", _scale_up(bill)),
        ("Beside it", "fabric", beside(bill.side_networks)),
        ("Bill of materials", "", _parts(bill)),
    ]
    made = [Section(title, anchor and f"{PHYSICS}#{anchor}", list(rows)) for title, anchor, rows in makers]
    return sheet(bill.headline, [section for section in made if section.rows], "")


def _shape(bill: FabricBill) -> Iterator[Row]:
    planes = f", {bill.planes} planes" if bill.planes > 1 else ""
    yield (
        "switches",
        f"{bill.switches:,} of {bill.radix} ports{planes}; {bill.ports_free:,} host ports left over",
    )
    yield (
        "tiers",
        " · ".join(f"{t.switches:,} {t.name} ({t.down_ports} down, {t.up_ports} up)" for t in bill.tiers),
    )
    yield "links", " · ".join(f"{link.count:,} {link.name}" for link in bill.links)
    if bill.topology is not None:
        made = ", ".join(f"{name} = {value}" for name, value in bill.topology.parameters.items())
        yield "made of", f"{made}; diameter {bill.topology.diameter}"
    reserved = f", {bill.transceivers_reserved:,} reserved" if bill.transceivers_reserved else ""
    sides = f"{bill.transceivers_switch_side:,} switch side, {bill.transceivers_host_side:,} host side"
    yield "transceivers", f"{sides}{reserved}; {bill.nic_ports:,} NIC ports"
    if bill.bisection_bytes_per_second is not None:
        yield "bisection", f"{scaled(bill.bisection_bytes_per_second, 'B/s')} one way across an even split"
    yield (
        "draw",
        f"{scaled(bill.switch_watts, 'W')} switches, {scaled(bill.transceiver_watts, 'W')} transceivers",
    )
    prices = {
        "switches": bill.switches_usd,
        "transceivers": bill.transceivers_usd,
        "cables": bill.cables_usd,
    }
    known = [f"{name} {usd(value)}" for name, value in prices.items() if value is not None]
    lacking = [name for name, value in prices.items() if value is None]
    yield "price", "; ".join([*known, *(f"no price for {name}" for name in lacking)])


def _levels(bill: FabricBill) -> Iterator[Row]:
    for level in bill.network:
        joined = "all" if level.devices is None else f"{level.devices:,}"
        yield (
            "level",
            f"{level.name}: {joined} devices at {scaled(level.bytes_per_second, 'B/s')} each, one way",
        )


def _cables(bill: FabricBill) -> Iterator[Row]:
    for name in dict.fromkeys(line.link for line in bill.cable_lines):
        yield name, " · ".join(length(line) for line in bill.cable_lines if line.link == name)
    yield from media(bill.media, bill.by_reach)
    if bill.cable_lines:
        yield "white space", f"{number(bill.white_space_m2)} m2 with aisles, plant rooms not counted"


def _scale_up(bill: FabricBill) -> Iterator[Row]:
    up = bill.scale_up
    if bill.scale_up_estimate is not None:
        yield "domains", estimated(bill.scale_up_estimate)
    if up is None:
        return
    yield "domains", f"{up.domains:,}, each with {up.racks} racks of interconnect alone"
    yield (
        "chips",
        f"{up.server_chips:,} in the servers, {up.upper_chips:,} above; {up.ports_free:,} ports left over",
    )
    yield "links", f"{up.links:,}, with {up.modules:,} optical modules"
    yield "bisection", f"{scaled(up.bisection_bytes_per_second, 'B/s')} one way across an even split"
    yield "cables", " · ".join(length(line) for line in up.cables)


def _parts(bill: FabricBill) -> Iterator[Row]:
    for part in bill.parts:
        yield f"{part.count:,}", part.name
