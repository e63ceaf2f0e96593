"""Systems: how cards are put into servers, racks and scale-up domains, and sold."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from planner.specs.quantity import (
    Count,
    Duration,
    FailureRate,
    Fraction,
    Frozen,
    Mass,
    Money,
    Power,
    Rate,
    Size,
    Text,
)
from planner.specs.schema.common import SpecFile

Cooling = Literal["room-air", "contained-air", "rear-door", "cold-plate", "immersion"]


class Level(Frozen):
    """One level of the scale-up interconnect, innermost first."""

    name: Text
    size: int = Field(ge=2, description="DEVICES that one instance of this level joins (cumulative)")
    topology: Literal["switched", "full-mesh", "ring", "torus", "pcie"] = Field(
        description="full-mesh: the bandwidth is split evenly over size-1 peers"
    )
    bandwidth: Rate | None = Field(
        default=None, description="one way, per CARD, over all its links of this level"
    )
    latency: Duration | None = Field(default=None, description="per step of a collective (alpha)")
    in_network_reduction: bool = Field(default=False, description="switches reduce (NVLS, SHARP)")
    reduction_efficiency: Fraction | None = Field(
        default=None, description="rate of such reductions over a ring's; absent: 0.84, as on Hopper"
    )


class ScaleOut(Frozen):
    """Network interfaces towards the scale-out fabric."""

    bandwidth: Rate | None = Field(default=None, description="one way, per CARD, over its share of the NICs")
    nics_per_server: Count | None = None
    ports_per_server: int | None = Field(
        default=None, ge=1, description="scale-out fabric ports per server (counts links, leaf ports, optics)"
    )
    transceiver: str | None = Field(
        default=None,
        description="id of the host-side module in parts/ where it is not the fabric's usual one "
        "(DGX servers pair two ports in a twin module)",
    )
    fabric: str = Field(description="id of the default scale-out fabric, a file in fabrics/")


class Host(Frozen):
    """The server around the cards."""

    cpus: Text | None = None
    memory: Size | None = Field(default=None, description="per server")
    power: Power | None = Field(
        default=None,
        description="typical draw per server beside the cards, under training: CPUs, memory, NICs, "
        "switches in the chassis, fans, conversion loss; air cooled where the server comes so",
    )
    fan_power: Power | None = Field(
        default=None, description="the fans' part of host power (air-cooled servers)"
    )
    nameplate: Power | None = Field(
        default=None, description="rated power of the whole server, cards included"
    )


class ScaleUpPlanes(Frozen):
    """How a scale-up domain is wired: planes alike, joined by upper chips without oversubscription."""

    planes: Count
    server_chips: Count = Field(
        description="switch chips of a server per plane; 0: cards reach the upper chips"
    )
    links_per_server: Count = Field(description="up into one plane, of all chips (or cards) of a server")
    chip_ports: Count = Field(description="of an upper chip")
    links_per_module: Count = Field(description="carried by one optical module; 0: copper")
    link_bandwidth: Rate = Field(description="one way, of one link")


class DomainParts(Frozen):
    """What a scale-up domain adds beside its servers (switch trays, optics), per full domain."""

    switches: Count | None = None
    transceivers: Count | None = None
    planes: ScaleUpPlanes | None = Field(default=None, description="the wiring, where it is published")
    power: Power | None = Field(
        default=None, description="typical draw of switches and optics per full domain"
    )
    racks: Count | None = Field(
        default=None, description="racks that hold only interconnect, per full domain"
    )


class Rack(Frozen):
    """How the vendor packs it."""

    server_height: Count | None = Field(default=None, description="rack units per server")
    server_mass: Mass | None = None
    servers_per_rack: int | None = Field(
        default=None, ge=1, description="the vendor's packing where it is fixed (rack-scale systems)"
    )
    power: Power | None = Field(
        default=None,
        description="what a rack-scale system's own rack supplies and cools; takes the place of the limit "
        "that a cooling kind sets for other racks",
    )


class System(SpecFile):
    """A server, rack or supernode as bought."""

    vendor: Text
    accelerator: str = Field(description="id of a file in accelerators/")
    status: Literal["shipping", "legacy", "announced", "rumoured", "never-shipped"]
    released: Text | None = None
    cards_per_server: int = Field(ge=1)
    domain_cards: int = Field(ge=1, description="cards in one full scale-up domain")
    purchase_unit: Literal["server", "domain"] = Field(
        description="what is bought whole: a server, or a full scale-up domain"
    )
    max_cards: int | None = Field(
        default=None, ge=1, description="largest build the vendor supports, if it says"
    )
    levels: list[Level] = Field(
        default=[], description="scale-up levels, innermost first; empty: PCIe cards alone"
    )
    scale_out: ScaleOut
    host: Host = Host()
    domain: DomainParts = DomainParts()
    rack: Rack = Rack()
    cooling: list[Cooling] = Field(
        min_length=1, description="cooling kinds it can be bought for, the usual first"
    )
    failures: FailureRate | None = Field(default=None, description="failures that stop a job, per server-day")
    price: Money | None = Field(default=None, description="of one purchase unit, with cards and NICs")
    claims: list[Text] = Field(default=[])

    @model_validator(mode="after")
    def _shape(self) -> Self:
        sizes = [level.size for level in self.levels]
        if sizes != sorted(set(sizes)):
            raise ValueError(f"levels must grow strictly from the innermost outwards; sizes are {sizes}")
        if self.domain_cards % self.cards_per_server and self.cards_per_server % self.domain_cards:
            raise ValueError(
                f"a domain of {self.domain_cards} cards and servers of {self.cards_per_server} do not nest"
            )
        return self
