"""Scale-out fabrics: which switches, optics and NICs, and how the collectives see them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.specs.quantity import Duration, Fraction, Rate, Text
from planner.specs.schema.common import SpecFile


class Fabric(SpecFile):
    """A generation of scale-out network."""

    technology: Literal["infiniband", "roce", "spectrum-x", "ub", "proprietary"]
    vendor: Text | None = None
    port_rate: Rate = Field(description="one way, per port")
    switch: str = Field(description="id of a switch in parts/; its ports set the radix at port_rate")
    nic: str | None = Field(default=None, description="id of a nic in parts/; absent: integrated in the card")
    transceiver_switch: str = Field(description="id of the switch-side module in parts/")
    transceiver_host: str = Field(description="id of the host-side module in parts/")
    cable: str = Field(description="id of the fibre (or copper) in parts/")
    kinds: list[Literal["rail-optimised", "leaf-spine", "multi-plane"]] = Field(
        min_length=1, description="usual first"
    )
    planes: int | None = Field(
        default=None, ge=1, description="of the kind multi-plane; absent: one per port of a server"
    )
    copper: list[str] = Field(
        default=[], description="ids of copper cables in parts/ for its ports, shortest first"
    )
    active_optical: list[str] = Field(
        default=[], description="ids of active optical cables in parts/ for its ports, shortest first"
    )
    long_reach: list[str] = Field(
        default=[],
        description="ids of switch-side modules in parts/ for links beyond the usual one, shortest first",
    )
    oversubscription: list[float] = Field(
        default=[1.0], description="of the top tier, usual first; the search may choose among them"
    )
    latency: Duration = Field(description="end to end, small message, within a leaf")
    latency_per_tier: Duration = Field(description="added by each further tier crossed")
    share_of_line_rate: Fraction | None = Field(
        default=None,
        description="share of line rate in large collectives relative to adaptive routing (1); ECMP is lower",
    )
    in_network_reduction: bool = False
