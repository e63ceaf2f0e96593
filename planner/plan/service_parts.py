"""What a plan says of a service: pools, latencies, costs; units in names, ``None`` where not known."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from planner.plan.parts import Part, Pool, Workload, leaves_sum

Mode = Literal["aggregated", "disaggregated"]


class ServiceWorkload(Workload):
    """What is served."""

    kind: Literal["serving", "generic"]  # type: ignore[assignment]
    tokens: None = None  # type: ignore[assignment]
    sequence_tokens: None = None  # type: ignore[assignment]
    global_batch_sequences: None = None  # type: ignore[assignment]
    precision: str = Field(description="of the plan; generic: of the items")
    input_tokens: float | None = Field(default=None, description="mean")
    input_spread: float | None = Field(default=None, description="standard deviation over mean")
    output_tokens: float | None = Field(default=None, description="mean")
    output_spread: float | None = Field(default=None, description="standard deviation over mean")
    prefix_hit: float | None = Field(default=None, description="share of prompt tokens found in the cache")
    drafted_tokens: int | None = Field(default=None, description="per step; null: no speculation")
    acceptance: float | None = None
    item: dict[str, float] | None = Field(default=None, description="generic: flops, bytes ... of one item")


class InstanceLayout(Part):
    """How one instance of the model lies on devices: tp x dp = ep x etp devices hold a stage."""

    tp: int
    dp: int
    pp: int
    ep: int
    etp: int

    def short(self) -> str:
        """The layout in one line; degrees of 1 are left out."""
        degrees = {name: getattr(self, name) for name in ("tp", "dp", "pp", "ep", "etp")}
        return ",".join(f"{name}={value}" for name, value in degrees.items() if value != 1) or "tp=1"


class Latency(Part):
    """A latency in seconds."""

    mean: float
    quantile: float = Field(description="what the target's percentage of the requests does not exceed")


class InstancePerformance(Part):
    """What an instance of a pool does at the peak."""

    most_requests_per_second: float = Field(description="of the whole pool, within the latencies")
    load: float = Field(description="share of that in use")
    batch: float = Field(description="sequences in decode (prefill: prompts in a full step) per instance")
    batch_limit: float = Field(description="sequences that an instance holds at most")
    mixed_share: float = Field(description="share of the steps with prompt tokens")
    step_seconds: float
    tokens_per_second_per_card: float = Field(
        description="of the pool at its most: prompt tokens for prefill, output tokens else"
    )
    breakdown: dict[str, float] = Field(description="seconds of the mean step by cause; they sum to it")

    @model_validator(mode="after")
    def _adds_up(self) -> InstancePerformance:
        leaves_sum(self.breakdown, self.step_seconds, "performance.breakdown")
        return self


class InstanceMemory(Part):
    """The fullest device of an instance."""

    capacity_bytes: float = Field(description="what the engine may take")
    weights_bytes: float
    reserve_bytes: float = Field(description="runtime, graphs, activations")
    cache_bytes: float = Field(description="left for keys and values")
    cache_bytes_per_token: float


class ServicePool(Pool):
    """Equal instances that do one job."""

    role: Literal["prefill", "decode", "serve"]
    replicas: int = Field(description="instances at work")
    spare_instances: int = 0
    active_cards: float = Field(description="cards of the instances at work")
    layout: InstanceLayout  # type: ignore[assignment]
    performance: InstancePerformance  # type: ignore[assignment]
    memory: InstanceMemory  # type: ignore[assignment]


class CostPerMillion(Part):
    """Cost of a million output tokens (generic: items) at a share of the most the service could do."""

    load: float
    usd: float | None
    tco_usd_per_year: float | None = Field(default=None, description="of a year at that load")


class TradePoint(Part):
    """Speed of a user against yield of a card."""

    tokens_per_second_per_user: float
    tokens_per_second_per_card: float
    mode: Mode
    layout: InstanceLayout
    batch: float


class ServiceSummary(Part):
    """A service in one row."""

    system: str
    fabric: str
    fabric_kind: str
    oversubscription: float
    cooling: str
    power_cap: float
    precision: str | None
    mode: Mode
    pools: list[tuple[int, InstanceLayout]]
    cards: int
    requests_per_second: float
    facility_megawatts: float
    capex_usd: float | None
    tco_usd_per_year: float | None


class Stronger(Part):
    """A service of as many cards as the answer that could carry more; the answer draws less at the load."""

    service: ServiceSummary
    most_requests_per_second: float = Field(description="by the closed forms")


class Simulated(Part):
    """What a seeded simulation of the service measured, request by request and step by step."""

    requests: int = Field(description="behind the latencies")
    seed: int
    arrivals: Literal["poisson", "trace"] = Field(default="poisson", description="drawn, or a trace replayed")
    seconds: float | None = Field(default=None, description="of the service that were measured")
    share_of_trace: float | None = Field(
        default=None, description="requests of the trace that were replayed: its busiest part; null: drawn"
    )
    share_of_instances: float = Field(
        default=1.0, description="of the main pool that were simulated, under as much of the load"
    )
    requests_per_second: float = Field(description="load that was simulated")
    served_share: float = Field(description="requests that left over those that came; far below 1: a backlog")
    ttft_mean_seconds: float = Field(description="generic: of the whole item, as all of ttft")
    ttft_p50_seconds: float
    ttft_p90_seconds: float
    ttft_p99_seconds: float
    ttft_quantile_seconds: float = Field(description="at the target's percentage of the requests")
    tpot_mean_seconds: float | None = Field(description="null: generic items")
    tpot_p50_seconds: float | None
    tpot_p90_seconds: float | None
    tpot_p99_seconds: float | None
    tpot_quantile_seconds: float | None = Field(description="at the target's percentage of the requests")
    batch: float = Field(description="sequences in decode per instance, mean over the time")
    confirmed: bool = Field(description="latencies at most 5 % over their targets, and no backlog grows")


class Refuted(Part):
    """A service that the closed forms put first and a simulation refuted: not recommended."""

    service: ServiceSummary
    simulated: Simulated


class ServicePrice(Part):
    """What relaxing one constraint by a step does to the objective, on the plant of the answer."""

    constraint: str = Field(description="key of the scenario; memory: of a device")
    unit: str = Field(description="of limit and step")
    limit: float
    step: float = Field(description="by how much it was relaxed; negative where less is asked")
    objective: str
    objective_unit: str
    before: float = Field(description="of the closed forms on that plant")
    after: float = Field(description="equal: it does not bind")
    per_unit: float = Field(description="objective gained per unit of the constraint, 0 or more")
    cards: int = Field(description="of the service after the step")


class PhaseShare(Part):
    """Part of the time that a card spends in a phase (`facility.phases`)."""

    phase: Literal["compute", "memory", "communication", "idle"]
    share: float


class PoolDraw(Part):
    """What a card of a pool draws on the mean, by what it is doing."""

    role: Literal["prefill", "decode", "serve"]
    cards: float = Field(description="at work")
    shares: list[PhaseShare] = Field(description="of the time; they sum to 1")
    card_watts: float
    card_watts_low: float = Field(description="every phase at the low end of its range")
    card_watts_high: float


class ServiceEnergy(Part):
    """What the service draws at its mean load; energy, carbon and cost of the plan are those of this load."""

    requests_per_second: float = Field(description="the mean load")
    pools: list[PoolDraw]
    idle_cards: float = Field(description="bought, not at work")
    it_megawatts: float
    it_megawatts_low: float
    it_megawatts_high: float
    energy_mwh_per_year: float = Field(description="at the grid")
    energy_mwh_per_year_low: float
    energy_mwh_per_year_high: float
    carbon_tonnes_per_year: float
    energy_usd_per_year: float | None
    tco_usd_per_year: float | None


class Service(Part):
    """What the service does, at the load that it is sized for."""

    mode: Mode
    precision: dict[str, str] | None = Field(description="formats and precisions; null for generic items")
    verdict: Literal["stable", "backlogged", "overloaded", "unfit"]
    binding_pool: Literal["serve", "prefill", "decode"] = Field(description="runs full first")
    requests_per_second: float = Field(description="load that the plan was evaluated at")
    most_requests_per_second: float = Field(description="within the latencies")
    ttft: Latency | None = Field(description="null: overloaded")
    ttft_service_seconds: float | None
    ttft_queue_seconds: float | None
    transfer_seconds: float
    tpot: Latency | None
    request_seconds: float | None = Field(description="from arrival to the last token, mean")
    output_tokens_per_second: float = Field(description="generic: items")
    output_tokens_per_second_per_card: float = Field(description="all cards bought: pools and spares")
    most_tokens_per_second_per_card: float = Field(description="at the highest load, per card at work")
    prefill_per_decode: float | None = Field(description="prefill instances per decode instance")
    simulated: Simulated | None = Field(default=None, description="null: not simulated")
    refuted: list[Refuted] = Field(default=[], description="what a simulation kept from being the answer")
    energy: ServiceEnergy | None = Field(
        default=None, description="at the mean load; null: draw by phase not known"
    )
    cost_per_million: list[CostPerMillion]
    trade: list[TradePoint]
    front: list[ServiceSummary]
    stronger: Stronger | None = Field(
        default=None, description="of as many cards the service that carries most; null: hardly more"
    )
    runners_up: list[ServiceSummary]
    prices: list[ServicePrice] = Field(
        default=[], description="what a step of each constraint is worth; only where a load is asked for"
    )
    best_tpot_seconds: float | None = Field(default=None, description="least that any layout reaches")
    best_ttft_seconds: float | None = Field(default=None, description="least that any layout reaches")


def precision_name(precisions: dict[str, Any] | None) -> str | None:
    """``fp8``, or ``fp8 weights, bf16 products``; a cache of another width is named."""
    if precisions is None:
        return None
    weights, products, cache = (precisions[k] for k in ("expert_weights", "expert_products", "cache"))
    name = str(weights) if weights == products else f"{weights} weights, {products} products"
    return name if cache == weights else f"{name}, {cache} cache"
