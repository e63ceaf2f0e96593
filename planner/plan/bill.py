"""``fabric/1``: the bill of a fabric, as people and programs read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from planner import engine
from planner.errors import EXIT_BUG, EngineError, SpecError
from planner.plan.parts import Part
from planner.plan.plant_parts import (
    CableLine,
    FabricPart,
    Link,
    MediumTotal,
    NetworkLevel,
    ReachSaving,
    ScaleUp,
    ScaleUpEstimate,
    SideNetwork,
    Tier,
)
from planner.plan.result import Fact, Result
from planner.plan.shown import counted, number
from planner.problem import wire
from planner.problem.bill import FabricRequest
from planner.specs import System

THREE_TIERS = 3
BUILT_AS_ASKED = 0.005
"""Relative difference of two ratios that nobody needs to be told."""


class DirectTopology(Part):
    """A fabric without tiers."""

    parameters: dict[str, int]
    host_links: int
    local_links: int
    global_links: int
    ports_used: int
    diameter: int


class FabricBill(Result):
    """Every part of the networks of so many cards. Tables: parts (the bill), tiers, links, cable_lines ..."""

    MAIN: ClassVar[str] = "parts"

    schema_: Literal["fabric/1"] = Field(default="fabric/1", alias="schema")
    system: str
    cards: int
    cards_asked: int = Field(description="before they were raised to whole servers or supernodes")
    cards_sold_in: int = Field(description="cards of a server, or of a supernode that is sold whole")
    servers: int
    fabric: str
    kind: str
    planes: int
    radix: int
    oversubscription: float
    leaf_oversubscription: float
    oversubscription_built: float | None = Field(
        default=None, description="of the top tier, by its ports; null: nothing lies above the leaves"
    )
    tiers: list[Tier]
    links: list[Link]
    topology: DirectTopology | None = Field(description="of fabrics without tiers")
    switches: int
    cables: int
    transceivers_switch_side: int
    transceivers_host_side: int
    transceivers_reserved: int
    nic_ports: int
    ports_free: int
    bisection_bytes_per_second: float | None
    network: list[NetworkLevel] = Field(description="as the collectives of the performance model see it")
    cable_lines: list[CableLine]
    media: list[MediumTotal]
    by_reach: ReachSaving | None
    switch_watts: float
    transceiver_watts: float
    switches_usd: float | None
    transceivers_usd: float | None
    cables_usd: float | None
    scale_up: ScaleUp | None
    scale_up_estimate: ScaleUpEstimate | None = None
    side_networks: list[SideNetwork]
    compute_racks: int
    network_racks: int
    interconnect_racks: int
    white_space_m2: float
    parts: list[FabricPart] = Field(description="the bill as lines")

    @property
    def headline(self) -> str:
        """What joins how many cards, in one line."""
        asked = ""
        if self.cards_asked != self.cards:
            asked = f" ({self.cards_asked:,} asked for, sold by {self.cards_sold_in:,})"
        over = "" if self.oversubscription == 1 else f" {number(self.oversubscription)}:1{self._as_built}"
        joined = (
            f"{self.cards:,} cards{asked} of {self.system} in {counted(self.servers, 'server')} "
            f"on {self.fabric} {self.kind}"
        )
        counts = (
            f"{counted(self.switches, 'switch')}, {counted(self.cables, 'cable')}, "
            f"{counted(self.modules, 'optical module')}"
        )
        return f"{joined}{over}: {counts}"

    @property
    def _as_built(self) -> str:
        """Whole ports make another ratio than was asked for."""
        built = self.oversubscription_built
        if built is None:
            return " (one tier: nothing to taper)"
        near = abs(built / self.oversubscription - 1.0) < BUILT_AS_ASKED
        return "" if near else f" ({number(built)}:1 as built)"

    def _facts(self) -> tuple[str, list[Fact]]:
        from planner.plan.notebook import bill_facts  # noqa: PLC0415 (notebooks alone)

        return self.headline, bill_facts(self)

    @property
    def modules(self) -> int:
        """Optical modules of the scale-out and the scale-up network."""
        own = self.transceivers_switch_side + self.transceivers_host_side + self.transceivers_reserved
        return own + (self.scale_up.modules * self.scale_up.domains if self.scale_up else 0)


def bill(asked: FabricRequest) -> FabricBill:
    """Ask the core and name what it says.

    Raises:
        EngineError: the fabric does not reach so far; the hint names one that does, where there is one.
    """
    option = asked.request.cluster.fabrics[0]
    try:
        found = engine.fabric(asked.request)
    except EngineError as fault:
        if fault.exit_code == EXIT_BUG:
            raise
        raise EngineError(fault.message, hint=_reaching(asked)) from fault
    _refuse_leaf_taper(option, found)
    same = (
        "cards", "servers", "kind", "planes", "tiers", "links", "switches", "cables", "ports_free",
        "bisection_bytes_per_second", "network", "media", "by_reach", "switch_watts", "transceiver_watts",
        "switches_usd", "transceivers_usd", "cables_usd", "side_networks", "compute_racks", "network_racks",
        "interconnect_racks", "white_space_m2",
    )  # fmt: skip
    modules = found["transceivers"]
    table: dict[str, Any] = {
        **{name: found[name] for name in same},
        "schema": "fabric/1",
        "system": asked.system.id,
        "cards_asked": asked.question.cards,
        "cards_sold_in": asked.request.cluster.unit_cards,
        "fabric": asked.fabric.id,
        "radix": option.radix,
        "oversubscription": option.oversubscription,
        "leaf_oversubscription": option.leaf_oversubscription,
        "oversubscription_built": _built(found["tiers"]),
        "topology": _topology(found["direct"]),
        "transceivers_switch_side": modules["switch_side"],
        "transceivers_host_side": modules["host_side"],
        "transceivers_reserved": modules["reserved_side"],
        "nic_ports": found["nics"],
        "cable_lines": found["cable_lines"],
        "scale_up": scale_up(found["scale_up"], asked.request.scale_up is not None),
        "scale_up_estimate": scale_up_estimate(asked.system, found["cards"]),
        "parts": _parts(found, asked),
    }
    table["network"] = [
        {**level, "devices": None if level["devices"] is None else int(level["devices"])}
        for level in found["network"]
    ]
    return FabricBill.model_validate(table)


def _built(tiers: Sequence[Mapping[str, Any]]) -> float | None:
    """Ports down over ports up of the tier below the top."""
    if len(tiers) < 2 or not tiers[-2]["up_ports"]:
        return None
    return float(tiers[-2]["down_ports"] / tiers[-2]["up_ports"])


def _refuse_leaf_taper(option: wire.FabricOption, found: Mapping[str, Any]) -> None:
    tiers = len(found["tiers"])
    if option.leaf_oversubscription > 1.0 and tiers < THREE_TIERS:
        raise SpecError(
            f"--leaf-oversubscription is of fabrics of three tiers or more; so many cards take {tiers}",
            hint="--oversubscription tapers the leaves of two tiers",
        )


def _reaching(asked: FabricRequest) -> str:
    """A kind that joins so many cards with the same switches, or what else would."""
    option = asked.request.cluster.fabrics[0]
    if option.kind != "multi-plane" and "multi-plane" in asked.fabric.kinds and asked.system.levels:
        planes = option.ports_per_server
        wider = option.model_copy(update={"kind": "multi-plane", "planes": planes})
        cluster = asked.request.cluster.model_copy(update={"fabrics": (wider,)})
        try:
            engine.fabric(asked.request.model_copy(update={"cluster": cluster, "direct": None}))
        except EngineError:
            pass
        else:
            return f"--kind multi-plane joins them, in {planes} planes"
    return "a fabric with larger switches (--fabric), fewer cards, or another kind"


def _topology(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    names = ("host_links", "local_links", "global_links", "ports_used", "diameter")
    return {"parameters": dict(found["parameters"]), **{name: found[name] for name in names}}


def scale_up(found: Mapping[str, Any] | None, known: bool) -> ScaleUp | None:
    """The scale-up fabric as the engine says; None where its make-up is not ``known``."""
    if found is None or not known:
        return None
    each = found["each"]
    medium = "optical" if each["modules"] > 0 else "copper"
    return ScaleUp(
        domains=found["domains"],
        racks=found["racks"],
        **{name: each[name] for name in ("server_chips", "upper_chips", "links", "modules", "ports_free")},
        bisection_bytes_per_second=each["bisection"],
        cables=[CableLine(**row, medium=medium, cable=None) for row in found["cables"]],
    )


def scale_up_estimate(system: System, cards: int) -> ScaleUpEstimate | None:
    """What the system's file estimates of a domain whose wiring it does not know."""
    modules, racks = system.domain.transceivers, system.domain.racks
    if system.domain.planes is not None or modules is None or modules.kind != "estimate":
        return None
    return ScaleUpEstimate(
        domains=-(-cards // system.domain_cards),
        racks=round(racks.value) if racks else 0,
        modules=modules.value,
        modules_low=modules.value if modules.low is None else modules.low,
        modules_high=modules.value if modules.high is None else modules.high,
        method=modules.method or "",
    )


def _parts(found: Mapping[str, Any], asked: FabricRequest) -> list[dict[str, Any]]:
    fabric, modules = asked.fabric, found["transceivers"]
    host = asked.system.scale_out.transceiver if asked.system.scale_out.fabric == fabric.id else None
    lines = [(f"switch {fabric.switch}, {tier['name']}", tier["switches"]) for tier in found["tiers"]]
    lines += [
        (f"transceiver {fabric.transceiver_switch}, switch side", modules["switch_side"]),
        (f"transceiver {host or fabric.transceiver_host}, host side", modules["host_side"]),
        ("transceiver, reserved ports", modules["reserved_side"]),
    ]
    lines += [(f"cable {fabric.cable}, {link['name']}", link["count"]) for link in found["links"]]
    lines += [(f"NIC port ({fabric.nic or 'part of the card'})", found["nics"])]
    up = found["scale_up"]
    if up is not None:
        each, domains = up["each"], up["domains"]
        lines += [
            ("scale-up switch chip, in the servers", each["server_chips"] * domains),
            ("scale-up switch chip, upper tier", each["upper_chips"] * domains),
            ("scale-up link", each["links"] * domains),
            ("scale-up transceiver", each["modules"] * domains),
        ]
    for side in found["side_networks"]:
        lines += [
            (f"switch, {side['name']} network", side["switches"]),
            (f"cable, {side['name']} network", side["links"]),
        ]
    lines += [
        ("rack, compute", found["compute_racks"]),
        ("rack, network", found["network_racks"]),
        ("rack, scale-up interconnect", found["interconnect_racks"]),
    ]
    return [{"name": name, "count": count} for name, count in lines if count]
