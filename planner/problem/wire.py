"""The request to the core, ``problem/1``: pydantic mirrors of the serde structs in ``rust/core/src``.

All numbers are in SI units (bytes, seconds, watts; US dollars); rates are one way and per device unless a
name says otherwise. What each field means stands with the Rust struct of the same name.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Unsigned = Annotated[int, Field(ge=0)]


class Wire(BaseModel):
    """Finite numbers, known keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class PerPrecision(Wire):
    """A number for each precision of matrix products; of peaks a bf16 of zero is none."""

    bf16: float
    fp8: float | None = None
    fp4: float | None = None
    int8: float | None = None


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
    storage_management_share: float
    failures_per_server_day: float
    unit_price: float | None
    max_cards: Unsigned | None


class Gqa(Wire):
    """Multi-head, grouped-query or multi-query attention."""

    kind: Literal["gqa"] = "gqa"


class Mla(Wire):
    """Multi-head latent attention."""

    kind: Literal["mla"] = "mla"
    q_lora: Unsigned | None
    kv_lora: Unsigned
    nope: Unsigned
    rope: Unsigned
    value: Unsigned


class Moe(Wire):
    """Mixture of experts."""

    experts: Unsigned
    top_k: Unsigned
    ffn: Unsigned
    shared_ffn: Unsigned
    leading_dense_layers: Unsigned
    every: Unsigned
    top_groups: Unsigned | None = None
    bias: bool = False


class Window(Wire):
    """Sliding-window attention."""

    size: Unsigned
    share: float


class Model(Wire):
    """A decoder-only transformer."""

    id: str
    layers: Unsigned
    hidden: Unsigned
    heads: Unsigned
    kv_heads: Unsigned
    head_dim: Unsigned
    ffn: Unsigned
    gated: bool
    vocab: Unsigned
    tied_embeddings: bool
    learned_positions: Unsigned
    attention: Annotated[Gqa | Mla, Field(discriminator="kind")]
    moe: Moe | None
    window: Window | None
    mtp_layers: Unsigned


class Training(Wire):
    """LLM training."""

    tokens: float
    sequence: Unsigned
    global_batch: Unsigned
    batch_tolerance: float
    batch_at_most: bool = False
    precision: Literal["bf16", "fp8", "fp4"]
    weight_bytes: float
    gradient_bytes: float
    optimizer_bytes: float


class Software(Wire):
    """What the training framework does well or badly."""

    fused_attention: bool
    attention_factor: float
    product_factor: float
    elementwise_factor: float
    kernel_gap: float
    fixed_step: float
    tp_overlap: float
    dp_overlap: float
    fsdp_overlap: float
    ep_overlap: float
    pp_overlap: float
    cp_overlap: float
    recompute_stops_early: bool
    hierarchical_dispatch: bool
    fused_expert_bias: bool
    dispatch_bytes: float
    imbalance_exponent: float
    moe_staging_bytes: float
    expert_host: float
    quantisation_bytes: float
    jitter_per_doubling: float
    memory_overhead: float
    fragmentation: float


class Target(Wire):
    """What must be met."""

    days: float | None
    tokens_per_second: float | None


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
    capex_usd: float | None


class RackCeiling(Wire):
    """What one rack of the halls takes, beside the limit of its cooling kind."""

    watts: float | None = None
    kilograms: float | None = None


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


TensorOverlap = Literal["profile", "none", "ring", "pipe"]
SequenceGather = Literal["profile", "kept", "redone"]
Network = Literal["ranks", "scale-up", "scale-out"]
Recompute = Literal["none", "attention", "selective", "full"]


class Switches(Wire):
    """Choices of a layout that cut nothing: overlap, what is kept or offloaded, networks by hand."""

    tp_overlap: TensorOverlap = "profile"
    sequence_gather: SequenceGather = "profile"
    p2p_scatter: bool = True
    dp_overlap: bool = True
    fused_activation: bool = True
    offload_weights: bool = False
    offload_activations: bool = False
    offload_optimizer: bool = False
    tp_network: Network = "ranks"
    pp_network: Network = "ranks"
    dp_network: Network = "ranks"


class SwitchSpace(Wire):
    """Values of each switch to choose from."""

    tp_overlap: tuple[TensorOverlap, ...] = ("profile",)
    sequence_gather: tuple[SequenceGather, ...] = ("profile",)
    p2p_scatter: tuple[bool, ...] = (True,)
    dp_overlap: tuple[bool, ...] = (True,)
    fused_activation: tuple[bool, ...] = (True,)
    offload_weights: tuple[bool, ...] = (False,)
    offload_activations: tuple[bool, ...] = (False,)
    offload_optimizer: tuple[bool, ...] = (False,)
    tp_network: tuple[Network, ...] = ("ranks",)
    pp_network: tuple[Network, ...] = ("ranks",)
    dp_network: tuple[Network, ...] = ("ranks",)


class Space(Wire):
    """The declared space of layouts: every combination of these, and every dp unless it is listed."""

    tp: tuple[Unsigned, ...]
    pp: tuple[Unsigned, ...]
    vpp: tuple[Unsigned, ...]
    cp: tuple[Unsigned, ...]
    ep: tuple[Unsigned, ...]
    etp: tuple[Literal["one", "tensor"], ...]
    dp: tuple[Unsigned, ...] | None
    micro_batch: tuple[Unsigned, ...]
    recompute: tuple[Recompute, ...]
    sharding: tuple[Unsigned, ...]
    sequence_parallel: tuple[bool, ...]
    # What most spaces leave alone: empty lists mean all layers, 1F1B, ring.
    recompute_layers: tuple[Unsigned, ...] = ()
    schedule: tuple[Literal["1f1b", "zero-bubble", "dualpipe"], ...] = ()
    cp_kind: tuple[Literal["ring", "all-to-all"], ...] = ()
    switches: SwitchSpace = SwitchSpace()
    factorized: bool = False


class Weight(Wire):
    """Part of a weighted objective."""

    axis: str
    weight: float


class Search(Wire):
    """How to search."""

    objective: Literal["cards", "days", "throughput", "power", "energy", "capex", "tco", "tokens_per_joule"]
    weights: tuple[Weight, ...] = ()
    front: tuple[str, ...]
    front_points: Unsigned = 50
    time_limit_seconds: float | None
    threads: Unsigned | None
    similar: float = 0.02
    prices: bool = False
    runners_up: Unsigned = 5


class Request(Wire):
    """``problem/1``."""

    # pydantic's BaseModel has an attribute of that name.
    schema_: Literal["problem/1"] = Field(default="problem/1", alias="schema")
    model: Model
    training: Training
    software: Software
    target: Target
    limits: Limits
    rack: RackCeiling = RackCeiling()
    chain: ChainSpec | None = None
    clusters: tuple[Cluster, ...]
    site: Site
    economics: Economics
    reliability: Reliability
    space: Space
    search: Search

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON with ``search.threads`` and ``search.time_limit_seconds`` null,
        and without ``search.prices``: they say how the answer is computed, not what is asked."""
        asked = self.model_dump(by_alias=True)
        asked["search"] |= {"threads": None, "time_limit_seconds": None}
        del asked["search"]["prices"]
        return hashlib.sha256(canonical(asked)).hexdigest()


class LayoutOfDesign(Wire):
    """One complete layout (``Layout`` in the core)."""

    pp: Unsigned
    vpp: Unsigned
    tp: Unsigned
    cp: Unsigned
    ep: Unsigned
    etp: Unsigned
    dp: Unsigned
    micro_batch: Unsigned
    recompute: Recompute
    sharding: Unsigned
    sequence_parallel: bool
    recompute_layers: Unsigned = 0
    schedule: Literal["1f1b", "zero-bubble", "dualpipe"] = "1f1b"
    cp_kind: Literal["ring", "all-to-all"] = "ring"
    switches: Switches = Switches()


class DesignChoice(Wire):
    """One design to evaluate: indices into the problem's lists, a cap, a size and a layout."""

    cluster: Unsigned
    fabric: Unsigned
    cooling: Unsigned
    power_cap: float
    cards: Unsigned | None = None
    layout: LayoutOfDesign


class EvaluateRequest(Wire):
    """The request of ``evaluate``."""

    problem: Request
    design: DesignChoice

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))


class SideNetwork(Wire):
    """A network beside the one of the cards."""

    name: str
    ports_per_server: Unsigned
    ports_per_switch: Unsigned
    ports_per_rack: Unsigned
    radix: Unsigned
    oversubscription: float


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


class Medium(Wire):
    """A way to bridge a distance."""

    cable: str
    medium: str
    reach: float
    modules: bool
    power: float


class DetailRequest(Wire):
    """The request of ``fabric``."""

    cluster: Cluster
    cards: Unsigned
    direct: Literal["dragonfly", "slim-fly", "full-mesh", "torus"] | None = None
    reserved_ports: Unsigned = 0
    scale_up: ScaleUpSpec | None = None
    side_networks: tuple[SideNetwork, ...] = ()
    servers_per_rack: Unsigned
    switches_per_rack: Unsigned
    geometry: Geometry
    media: tuple[Medium, ...] = ()

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, without blanks, in UTF-8; floats in their shortest exact form.

    Raises:
        ValueError: NaN or an infinity.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode()
