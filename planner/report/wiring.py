"""Lines on how a cluster is wired: cables by length and medium, scale-up links, networks beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.plan.model import Plan
from planner.plan.plant_parts import (
    CableLine,
    MediumTotal,
    ReachSaving,
    ScaleUp,
    ScaleUpEstimate,
    SideNetwork,
)
from planner.plan.shown import counted, number, scaled, usd

Row = tuple[str, str]

TREES = ("rail-optimised", "leaf-spine", "multi-plane")
"""They block nothing at 1:1."""


def wire(plan: Plan) -> Iterator[Row]:
    """The section of the memo: tiers, cables, what collectives get, the networks beside."""
    fabric = plan.fabric
    if fabric is None:
        return
    over = f"{number(fabric.oversubscription)}:1 oversubscribed, " if fabric.oversubscription > 1 else ""
    if not over and fabric.kind in TREES:
        over = "non-blocking, "
    yield "scale-out", f"{fabric.id}, {fabric.kind}, {over}{fabric.ports_free:,} ports free"
    tiers = [
        f"{tier.switches:,} {tier.name} ({tier.down_ports} down, {tier.up_ports} up)" for tier in fabric.tiers
    ]
    if tiers:
        yield "tiers", " · ".join(tiers)
    if fabric.links:
        yield "cables", " · ".join(f"{link.count:,} {link.name}" for link in fabric.links)
    lengths = lengths_by_link(fabric.cable_lines)
    if lengths:
        yield "by length", " | ".join(f"{link}: {words}" for link, words in lengths.items())
    yield from media(fabric.media, fabric.by_reach)
    levels = [
        f"{level.name} ({'all' if level.devices is None else f'{level.devices:,}'}) "
        f"at {scaled(level.bytes_per_second, 'B/s')}"
        for level in plan.network
    ]
    if levels:
        yield "levels", f"{' · '.join(levels)} (devices joined; one way per device, as collectives reach it)"
    if fabric.bisection_bytes_per_second is not None:
        yield "bisection", f"{scaled(fabric.bisection_bytes_per_second, 'B/s')} one way across an even split"
    if fabric.scale_up is not None:
        yield "scale-up", scale_up_words(fabric.scale_up)
    if fabric.scale_up_estimate is not None:
        yield "scale-up", estimated(fabric.scale_up_estimate)
    yield from beside(fabric.side_networks)


def scale_up_words(found: ScaleUp) -> str:
    """Counts of one domain."""
    return (
        f"{counted(found.domains, 'domain')}, each with {found.server_chips:,} switch chips in servers and "
        f"{found.upper_chips:,} above them, {found.links:,} links, {found.modules:,} optical modules"
    )


def estimated(found: ScaleUpEstimate) -> str:
    """Modules of one domain with their range, and how they were estimated."""
    return (
        f"{counted(found.domains, 'domain')}, each with {found.racks} racks of interconnect and about "
        f"{number(found.modules)} optical modules ({number(found.modules_low)}-{number(found.modules_high)}, "
        f"estimate): {found.method}"
    )


def lengths_by_link(lines: Sequence[CableLine]) -> dict[str, str]:
    """``{"host-leaf": "64 x 2 m (dac) · ..."}``, lowest tier first."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line.link, []).append(length(line))
    return {link: " · ".join(words) for link, words in found.items()}


def length(line: CableLine) -> str:
    """Cables of one length with their medium."""
    medium = line.medium or "beyond the reach of what is offered"
    return f"{line.count:,} x {line.metres} m ({medium})"


def media(totals: Sequence[MediumTotal], saving: ReachSaving | None) -> Iterator[Row]:
    """What is bought if every link takes the cheapest medium that reaches, and what that saves."""
    if totals:
        yield "by medium", "; ".join(_medium(total) for total in totals)
    if saving is not None:
        money = "" if saving.usd is None else f" and {usd(saving.usd)}"
        yield (
            "by reach",
            f"draw and price above count modules at every link; cables with ends of their own at the "
            f"{saving.links:,} that they reach (copper {saving.copper_links:,}) would leave out "
            f"{saving.module_ends:,} module ports, {scaled(saving.watts, 'W')}{money}",
        )


def _medium(total: MediumTotal) -> str:
    name = f"{total.medium} {total.cable}" if total.medium else "beyond the reach of what is offered"
    money = "" if total.usd is None else f", {usd(total.usd)}"
    drawn = f", {scaled(total.watts, 'W')}" if total.watts else ""
    return f"{total.links:,} x {name} up to {total.longest_metres} m{drawn}{money}"


def beside(networks: Sequence[SideNetwork]) -> Iterator[Row]:
    """Storage, front end and management."""
    for side in networks:
        if not side.ports:
            yield side.name, "none: one server keeps what it stores on its own drives"
            continue
        money = "" if side.usd is None else f", {usd(side.usd)}"
        apart = f" in {side.networks:,} networks that the site's routers join" if side.networks > 1 else ""
        yield (
            side.name,
            f"{counted(side.switches, 'switch')}, {counted(side.links, 'cable')} for "
            f"{counted(side.ports, 'port')}{apart}, "
            f"{scaled(side.watts, 'W')}{money}",
        )
