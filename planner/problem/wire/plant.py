"""What surrounds the hardware: limits, halls, site, money, failures."""

from __future__ import annotations

from typing import Literal

from planner.problem.wire.base import Unsigned, Wire


class Limits(Wire):
    """What may not be exceeded."""

    cards_min: Unsigned
    cards_max: Unsigned
    facility_watts: float | None
    it_watts: float | None
    nameplate_watts: float | None
    transformer_watts: float | None = None
    ups_watts: float | None = None
    nameplate_intake_watts: float | None = None
    liquid_watts: float | None = None
    air_watts: float | None = None
    racks: Unsigned | None
    floor_m2: float | None = None
    capex_usd: float | None


class RackCeiling(Wire):
    """What one rack of the halls takes, beside the limit of its cooling kind."""

    watts: float | None = None
    busway_watts: float | None = None
    kilograms: float | None = None
    units: float | None = None
    ports: Unsigned | None = None
    floor_per_rack: float = 0.0
    cdu: float | None = None
    cdu_racks: float = 0.0
    cdu_in_rack: float | None = None


class HallSpec(Wire):
    """One of several halls, with racks and limits of its own."""

    name: str
    racks: Unsigned
    rack: RackCeiling
    liquid_watts: float | None = None
    air_watts: float | None = None
    transformer_watts: float | None = None
    floor_m2: float | None = None


class SideNetwork(Wire):
    """A network beside the one of the cards."""

    name: str
    ports_per_server: Unsigned
    ports_per_card: float = 0.0
    beside: float = 0.0
    ports_per_storage: Unsigned = 0
    to_storage: bool = False
    ports_per_switch: Unsigned
    ports_per_rack: Unsigned
    radix: Unsigned
    oversubscription: float
    switch_power: float
    link_power: float
    switch_price: float | None
    link_price: float | None


class StorageSpec(Wire):
    """One storage server, and what is kept on all of them."""

    write_bytes_per_second: float
    read_bytes_per_second: float
    bytes: float
    client_bytes_per_second: float
    checkpoints: float
    data_bytes: float
    seconds: float | None = None
    write_given: bool = False
    write_per_card: float = 0.0
    read_per_card: float = 0.0
    fewest: Unsigned
    power: float
    height: float
    price: float | None = None


class ChainSpec(Wire):
    """Sizes of the pieces of the power chain."""

    redundancy: Literal["N", "N+1", "2N"]
    power_factor: float
    loading: float
    transformer: float
    ups_module: float
    ups_ride_through: float
    generator: float
    cdu: float
    liquid_rise: float
    air_rise: float


class Site(Wire):
    """Price and carbon of electricity, losses of the power chain."""

    tariff_usd_per_kwh: float
    carbon_kg_per_kwh: float
    transformer_efficiency: float = 1.0
    ups_efficiency: float = 1.0
    distribution_efficiency: float = 1.0


class Economics(Wire):
    """How capital is spread over years."""

    maintenance_share: float
    depreciation_years: float
    building_years: float
    capital_rate: float = 0.0
    installation_share: float = 0.0
    residual_share: float = 0.0
    staff_usd_per_server_year: float = 0.0
    crew_usd_per_year: float = 0.0
    crew_watts: float = 0.0


class Shares(Wire):
    """Parts of a server's failure rate; the network makes up the rest."""

    card: float
    host: float
    nic: float
    software: float


class FailureModel(Wire):
    """What fails by piece, how long until it is back, and whether spares stand in."""

    shares: Shares
    per_link_day: float
    per_switch_day: float
    repair_seconds: float
    domain_repair_seconds: float
    spares: Literal["required", "as-given", "ignored"] = "required"
    spare_confidence: float = 0.0
    straggler_per_server_day: float
    straggler_seconds: float
    straggler_slowdown: float


class PeerMemory(Wire):
    """Copies of the state in the memory of peers."""

    stall_seconds: float
    recovery_seconds: float
    covers: float


class Reliability(Wire):
    """Checkpoints and recovery (``Recovery`` in the core)."""

    checkpoint_bytes_per_second: float
    checkpoint_stall_seconds: float
    recovery_seconds: float
    checkpoint_bytes_per_parameter: float
    load_bytes_per_second: float | None = None
    save: Literal["asynchronous", "blocking"] = "asynchronous"
    memory: PeerMemory | None = None
    interval_seconds: float | None = None
    failures: FailureModel | None = None
