"""The request for a fabric in every part."""

from __future__ import annotations

from typing import Literal

from planner.problem.wire.base import Unsigned, Wire, canonical
from planner.problem.wire.hardware import Cluster
from planner.problem.wire.plant import SideNetwork


class ScaleUpSpec(Wire):
    """The wiring of a scale-up domain."""

    planes: Unsigned
    server_chips: Unsigned
    links_per_server: Unsigned
    chip_ports: Unsigned
    links_per_module: Unsigned
    link_bandwidth: float


class Geometry(Wire):
    """The floor of a hall."""

    rack_pitch: float
    row_pitch: float
    racks_per_row: Unsigned
    riser: float
    slack: float
    hall_gap: float = 0.0


class HallPacking(Wire):
    """The servers of one of several halls."""

    servers: Unsigned
    servers_per_rack: Unsigned


class Medium(Wire):
    """A way to bridge a distance."""

    cable: str
    medium: str
    reach: float
    modules: bool
    power: float
    price: float | None = None


class DetailRequest(Wire):
    """The request of ``fabric``."""

    cluster: Cluster
    cards: Unsigned
    direct: Literal["dragonfly", "slim-fly", "full-mesh", "torus"] | None = None
    reserved_ports: Unsigned = 0
    scale_up: ScaleUpSpec | None = None
    side_networks: tuple[SideNetwork, ...] = ()
    storage_servers: Unsigned | None = None
    servers_per_rack: Unsigned
    switches_per_rack: Unsigned
    halls: tuple[HallPacking, ...] = ()
    geometry: Geometry
    media: tuple[Medium, ...] = ()

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))
