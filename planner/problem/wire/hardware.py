"""The alternatives of the hardware: devices, networks, coolings."""

from __future__ import annotations

from typing import Literal

from planner.problem.wire.base import PerPrecision, Unsigned, Wire
from planner.problem.wire.workload import Software


class Efficiency(Wire):
    """Shares of the peaks that software reaches."""

    matmul: PerPrecision
    matmul_half_depth: float
    attention_forward: float
    attention_backward_ratio: float
    attention_half_length: float
    memory: float
    scale_up: float
    scale_out: float


class Device(Wire):
    """One device as the runtime sees it."""

    peak: PerPrecision
    measured: PerPrecision | None = None
    memory: float
    memory_bandwidth: float
    efficiency: Efficiency
    host_memory: float | None = None
    host_bandwidth: float | None = None


class ScaleUpLevel(Wire):
    """One level of the scale-up interconnect."""

    name: str
    size: Unsigned
    topology: Literal["switched", "full-mesh", "ring", "torus", "pcie"]
    bandwidth: float
    latency: float
    in_network_reduction: bool
    reduction_efficiency: float | None = None


class Share(Wire):
    """A share of board power with its range."""

    value: float
    low: float
    high: float


class PhaseShares(Wire):
    """Draw of a card over its board power by what it is doing."""

    compute: Share
    memory: Share
    communication: Share


class FabricOption(Wire):
    """One scale-out fabric of one kind and oversubscription."""

    id: str
    kind: Literal[
        "rail-optimised", "leaf-spine", "multi-plane", "dragonfly", "slim-fly", "full-mesh", "torus"
    ]
    planes: Unsigned = 1
    leaf_oversubscription: float = 1.0
    oversubscription: float
    radix: Unsigned
    ports_per_server: Unsigned
    bandwidth: float
    share_of_line_rate: float
    latency: float
    latency_per_tier: float
    in_network_reduction: bool
    switch_module_ports: Unsigned
    host_module_ports: Unsigned
    switch_power: float
    switch_module_power: float
    host_module_power: float
    switch_price: float | None
    switch_module_price: float | None
    host_module_price: float | None
    cable_price: float | None
    switch_height: float
    nic_power: float = 0.0


class HallAir(Wire):
    """A cooling kind at the supply temperature of one of several halls."""

    pue: float
    pue_design_day: float
    wue: float | None
    chilled_share: float
    heat_cap: float


class CoolingOption(Wire):
    """One cooling kind at the site."""

    kind: str
    pue: float
    pue_design_day: float
    wue: float | None
    rack_limit: float
    fan_saving: float
    building_usd_per_watt: float | None
    liquid_share: float = 0.0
    chilled_share: float = 0.0
    heat_cap: float = 1.0
    halls: tuple[HallAir, ...] = ()


class Cluster(Wire):
    """One alternative of the hardware."""

    system: str
    accelerator: str
    device: Device
    software: Software | None = None
    devices_per_card: Unsigned
    cards_per_server: Unsigned
    unit_cards: Unsigned
    domain_cards: Unsigned
    levels: tuple[ScaleUpLevel, ...]
    fabrics: tuple[FabricOption, ...]
    coolings: tuple[CoolingOption, ...]
    power_caps: tuple[float, ...]
    card_tdp: float
    card_idle: float
    card_training_share: float
    cap_exponent: float
    host_power: float
    fan_power: float
    conversion_loss: float = 0.0
    phase_shares: PhaseShares | None = None
    server_nameplate: float | None
    domain_power: float
    domain_interconnect_racks: float
    domain_switches: float = 0.0
    server_height: float
    server_mass: float | None = None
    servers_per_rack: Unsigned | None
    failures_per_server_day: float
    unit_price: float | None
    max_cards: Unsigned | None
