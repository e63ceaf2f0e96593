"""Questions to the serving model, ``serving/1``: mirrors of ``rust/core/src/serving/case.rs``.

SI units (bytes, seconds); rates are one way and per device unless a name says otherwise. What each field
means stands with the Rust struct of the same name and in docs/physics.md, section "Serving".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from planner.problem.wire import (
    ChainSpec,
    Cluster,
    Economics,
    HallSpec,
    Limits,
    Model,
    RackCeiling,
    Reliability,
    SideNetwork,
    Site,
    StorageSpec,
    Unsigned,
    Wire,
    canonical,
)

Format = Literal["bf16", "fp8", "int8", "fp4", "int4"]
Precision = Literal["bf16", "fp8", "int8", "fp4"]


class Precisions(Wire):
    """Formats of what is stored and precisions of what is computed."""

    attention_weights: Format
    dense_weights: Format
    expert_weights: Format
    attention_products: Precision
    dense_products: Precision
    expert_products: Precision
    scores: Precision
    cache: Format

    @classmethod
    def of(
        cls, weights: Format, activations: Precision | None = None, cache: Format | None = None
    ) -> Precisions:
        """One format for all weights; products at ``activations`` (default: the weights' width where they are
        computed with, else 16 bits), scores at 16 bits, the cache at 16 bits unless said."""
        products: Precision = activations or ("bf16" if weights == "int4" else weights)
        return cls(
            attention_weights=weights,
            dense_weights=weights,
            expert_weights=weights,
            attention_products=products,
            dense_products=products,
            expert_products=products,
            scores="bf16",
            cache=cache or "bf16",
        )


class Lengths(Wire):
    """Tokens of a request: means and spread (standard deviation over mean)."""

    input: float
    input_spread: float = 0.0
    output: float
    output_spread: float = 0.0
    prefix_hit: float = 0.0


class Speculation(Wire):
    """Speculative decoding by draft layers."""

    drafted: Unsigned
    acceptance: float
    draft_layers: float = 1.0


class Constants(Wire):
    """Laws shared by all chips and stacks: what calibration moves."""

    peak_share: float
    ridge_dense: float
    ridge_grouped: float
    ridge_prefill_attention: float
    ridge_decode_attention: float
    ridge_latent_attention: float
    ridge_bandwidth: float
    unpacked_share: float
    smoothness: float
    memory_depth: float
    weight_share: float
    cache_share: float
    elementwise_share: float
    elementwise_bytes: float
    routed_bytes: float
    group_rows: float
    grouped_width: float
    expert_skew: float
    all_reduce_alpha: float
    two_stage_alpha: float
    outer_alpha: float
    exchange_alpha: float
    send_alpha: float
    hop_share: float
    link_share: float
    nic_share: float
    transfer_share: float


class Family(Wire):
    """What sets a chip family apart: factors on times."""

    products: float = 1.0
    experts: float = 1.0
    attention: float = 1.0
    memory: float = 1.0
    collectives: float = 1.0
    host: float = 1.0


class ServingSoftware(Wire):
    """The serving framework."""

    graphs: bool
    graph_filling: bool = False
    graph_tokens: float = 0.0
    host_step: float
    host_sequence: float
    host_start: float
    host_layer: float
    host_hidden: float
    host_request: float
    kernel_gap: float
    product_factor: float
    expert_factor: float
    attention_factor: float
    collective_factor: float
    elementwise_factor: float
    bunching: float
    tp_overlap: float
    two_batch_overlap: bool
    overlap_share: float
    hierarchical_dispatch: bool
    gather_ranks: float
    dispatch_bytes: float
    combine_bytes: float
    imbalance_exponent: float
    chunked_prefill: bool
    token_budget: float
    prefill_coordination: float
    cache_reservation: float
    memory_share: float
    memory_reserve: float
    expert_reserve: float
    transfer_hidden: float
    most_sequences: float


class Instance(Wire):
    """Layout of one instance: tp x dp = ep x etp devices hold a pipeline stage."""

    tp: Unsigned = 1
    dp: Unsigned = 1
    pp: Unsigned = 1
    ep: Unsigned = 1
    etp: Unsigned = 1


class Pool(Wire):
    """Equal instances; ``batch``: most sequences (decode) or prompts (prefill) of one at once."""

    instance: Instance
    instances: Unsigned = 1
    batch: float | None = None


class Concurrency(Wire):
    """So many requests are kept in the system."""

    kind: Literal["concurrency"] = "concurrency"
    requests: float


class Rate(Wire):
    """Requests arrive at random."""

    kind: Literal["rate"] = "rate"
    requests_per_second: float


class Batch(Wire):
    """Sequences decoded at once (prompts per step in prefill mode) per instance."""

    kind: Literal["batch"] = "batch"
    sequences: float


class Full(Wire):
    """As many as the cache holds."""

    kind: Literal["full"] = "full"


class Question(Wire):
    """One question beside hardware, model, software and constants."""

    mode: Literal["aggregated", "prefill", "decode", "disaggregated"]
    lengths: Lengths
    precisions: Precisions
    speculation: Speculation | None = None
    pool: Pool
    prefill: Pool | None = None
    load: Annotated[Concurrency | Rate | Batch | Full, Field(discriminator="kind")]
    run_requests: float | None = None
    balanced_experts: bool = False
    poll_steps: float = 1.0
    clock: float = 1.0


class ServingCase(Wire):
    """A question with hardware, model and software: in full, or the names the request has them under."""

    cluster: Cluster | str
    fabric: Unsigned = 0
    model: Model | str
    software: ServingSoftware | str
    family: Family | str | None = None
    question: Question


class ServingRequest(Wire):
    """``serving/1``: many questions, with tables of what they share."""

    schema_: Literal["serving/1"] = Field(default="serving/1", alias="schema")
    constants: Constants
    clusters: Mapping[str, Cluster] = {}
    models: Mapping[str, Model] = {}
    software: Mapping[str, ServingSoftware] = {}
    families: Mapping[str, Family] = {}
    cases: tuple[ServingCase, ...]

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))


class LatencyTarget(Wire):
    """A latency that a share of the requests must meet."""

    seconds: float
    quantile: float

    def over(self, factor: float) -> LatencyTarget:
        """The latency divided by ``factor``."""
        return self.model_copy(update={"seconds": self.seconds / factor})


class Availability(Wire):
    """How surely the instances that are needed are up."""

    share: float
    repair_seconds: float


class ServiceTarget(Wire):
    """What the service must do."""

    requests_per_second: float | None
    mean_requests_per_second: float | None = None
    ttft: LatencyTarget | None = None
    tpot: LatencyTarget | None = None
    tokens_per_second_per_card: float | None = None
    offline: bool = False
    spare_instances: Unsigned = 0
    availability: Availability | None = None

    def slowed(self, factor: float) -> ServiceTarget:
        """What the model has to do where all times are ``factor`` times its own.

        Time itself is rescaled: a service whose every step takes f times as long carries a rate r within a
        latency T exactly where the model carries f r within T / f.
        """
        rate, yielded = self.requests_per_second, self.tokens_per_second_per_card
        mean = self.mean_requests_per_second
        return self.model_copy(
            update={
                "requests_per_second": None if rate is None else rate * factor,
                "mean_requests_per_second": None if mean is None else mean * factor,
                "tokens_per_second_per_card": None if yielded is None else yielded * factor,
                **{name: latency.over(factor) for name, latency in self.latencies.items()},
            }
        )

    @property
    def latencies(self) -> dict[str, LatencyTarget]:
        """Those asked for, by key."""
        named = {"ttft": self.ttft, "tpot": self.tpot}
        return {name: latency for name, latency in named.items() if latency is not None}


class GenericItem(Wire):
    """Items of a generic load."""

    flops: float
    bytes: float
    memory: float
    weights: float
    precision: Precision
    most_batch: Unsigned


class ServedModel(Wire):
    """A language model."""

    kind: Literal["model"] = "model"
    model: Model
    lengths: Lengths
    precisions: tuple[Precisions, ...]
    speculation: Speculation | None = None
    balanced_experts: bool = False


class ServedItem(Wire):
    """Items that each run on one device."""

    kind: Literal["generic"] = "generic"
    item: GenericItem


class ServiceSpace(Wire):
    """The declared space of instances; ``ep`` null: 1 and all devices of a stage."""

    tp: tuple[Unsigned, ...]
    dp: tuple[Unsigned, ...]
    pp: tuple[Unsigned, ...]
    ep: tuple[Unsigned, ...] | None
    modes: tuple[Literal["aggregated", "disaggregated"], ...]
    most_batch: float | None = None


class Replay(Wire):
    """A trace to be replayed, stretched so that its busiest window comes at the load of the service."""

    arrivals: tuple[float, ...]
    inputs: tuple[float, ...] = ()
    outputs: tuple[float, ...] = ()
    peak_rate: float


class Traffic(Wire):
    """What the simulation sees of requests beyond means and spreads; histograms: pairs of tokens, weight."""

    replay: Replay | None = None
    input: tuple[tuple[float, float], ...] = ()
    output: tuple[tuple[float, float], ...] = ()


class ServiceSearch(Wire):
    """How to search."""

    objective: str
    front: tuple[str, ...]
    threads: Unsigned | None
    seed: Unsigned | None = None
    """Of the simulation that confirms the best; None: nothing is simulated."""
    traffic: Traffic | None = None
    """What the simulation replays or draws; None: Poisson arrivals, log-normal lengths."""
    time_limit_seconds: float | None = None

    def unsimulated(self, **update: Any) -> ServiceSearch:
        """The same without a simulation, for what is asked only to see how figures move an answer."""
        none = {"seed": None, "traffic": None, "time_limit_seconds": None}
        return self.model_copy(update={**none, **update})


class ServiceRequest(Wire):
    """``service/1``."""

    schema_: Literal["service/1"] = Field(default="service/1", alias="schema")
    served: Annotated[ServedModel | ServedItem, Field(discriminator="kind")]
    constants: Constants
    target: ServiceTarget
    limits: Limits
    rack: RackCeiling = RackCeiling()
    halls: tuple[HallSpec, ...] = ()
    side_networks: tuple[SideNetwork, ...] = ()
    storage: StorageSpec | None = None
    chain: ChainSpec | None = None
    clusters: tuple[Cluster, ...]
    software: tuple[ServingSoftware, ...]
    families: tuple[Family, ...]
    site: Site
    economics: Economics
    reliability: Reliability
    space: ServiceSpace
    search: ServiceSearch

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON with ``search.threads`` and its time limit null."""
        search = self.search.model_copy(update={"threads": None, "time_limit_seconds": None})
        return hashlib.sha256(self.model_copy(update={"search": search}).encoded()).hexdigest()


class NamedPool(Wire):
    """Instances of one layout."""

    instance: Instance
    instances: Unsigned


class ServiceChoice(Wire):
    """A service to evaluate: indices into the problem's lists, and its pools."""

    cluster: Unsigned
    fabric: Unsigned
    cooling: Unsigned
    cap: Unsigned
    precision: Unsigned
    cards: Unsigned | None = None
    prefill: NamedPool | None = None
    main: NamedPool


class EvaluateServiceRequest(Wire):
    """The request of ``evaluate_service``."""

    problem: ServiceRequest
    design: ServiceChoice

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))
