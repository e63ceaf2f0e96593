"""Scenarios of services: ``[workload] kind = "serving"`` or ``"generic"`` (keys: docs/scenario.md)."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from planner.scenario.schema import Scenario, Search
from planner.scenario.values import (
    Amount,
    AtLeastOne,
    Bytes,
    DurationSeconds,
    LatencySeconds,
    Operations,
    Positive,
    Share,
    Whole,
    WholeOrZero,
    as_list,
)
from planner.scenario.vocabulary import Axis, Degrees, Objective, table_of
from planner.specs.quantity import Frozen, Text

Format = Literal["bf16", "fp8", "int8", "fp4", "int4"]
Product = Literal["bf16", "fp8", "int8", "fp4"]


class LengthChoice(Frozen):
    """Tokens of prompts or outputs: a mean with a spread, or a histogram."""

    mean: Amount | None = Field(default=None, description="tokens")
    spread: Annotated[float, BeforeValidator(float)] = Field(
        default=0.0, ge=0, le=20, description="standard deviation over mean"
    )
    histogram: tuple[tuple[float, float], ...] | None = Field(
        default=None, min_length=1, description="pairs of tokens and weight, instead of mean and spread"
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.mean is None) == (self.histogram is None):
            raise ValueError("mean: give a mean (with a spread) or a histogram")
        if self.histogram is not None and (
            any(tokens < 1 or weight < 0 for tokens, weight in self.histogram)
            or sum(weight for _, weight in self.histogram) <= 0
        ):
            raise ValueError("histogram: needs lengths of at least one token and weights above zero")
        return self

    @property
    def moments(self) -> tuple[float, float]:
        """Mean, and standard deviation over mean."""
        if self.histogram is None:
            return float(self.mean or 0.0), self.spread
        total = sum(weight for _, weight in self.histogram)
        mean = sum(tokens * weight for tokens, weight in self.histogram) / total
        square = sum(tokens * tokens * weight for tokens, weight in self.histogram) / total
        return mean, math.sqrt(max(0.0, square - mean * mean)) / mean

    @property
    def longest(self) -> float:
        """Tokens of the longest of a histogram, else of the mean."""
        return float(self.mean or 0.0) if self.histogram is None else max(row[0] for row in self.histogram)


Length = Annotated[LengthChoice | None, BeforeValidator(table_of("mean"))]


class PrecisionChoice(Frozen):
    """Formats of weights and cache, and precision of the products; one entry of the whitelist."""

    weights: Format = Field(description="of all weights but the embeddings and the head (16 bits)")
    activations: Product | None = Field(
        default=None, description="of the products; default: as the weights, 16 bits with int4"
    )
    cache: Format = Field(default="bf16", description="of keys and values")
    attention_weights: Format | None = Field(default=None, description="of the attention, where it differs")


Precisions = Annotated[
    tuple[Annotated[PrecisionChoice, BeforeValidator(table_of("weights"))], ...],
    BeforeValidator(as_list),
    Field(min_length=1),
]


class SpeculationChoice(Frozen):
    """Speculative decoding by draft layers: MTP, EAGLE and alike."""

    drafted: Annotated[Whole, Field(le=16)] = Field(default=1, description="tokens drafted per step")
    acceptance: Share = Field(description="chance that a drafted token is accepted, given those before it")
    draft_layers: Positive = Field(default=1.0, description="layers run per drafted token")


class ServingWorkload(Frozen):
    """A language model that is served."""

    kind: Literal["serving"]
    model: Text = Field(description="id or name of an architecture, or the path of a config.json or .toml")
    input_tokens: Length = Field(default=None, description="2000, or { mean, spread } or { histogram }")
    output_tokens: Length = Field(default=None, description="as input_tokens")
    trace: Text | None = Field(
        default=None,
        description="CSV with arrival_seconds, input_tokens, output_tokens: lengths, mean and peak rate; it "
        "is replayed",
    )
    peak_window: DurationSeconds = Field(
        default=60.0, description="the peak of a trace is its busiest window of this length"
    )
    peak_over_mean: AtLeastOne = Field(default=1.0, description="the service is sized for the peak")
    prefix_hit: Share = Field(default=0.0, lt=1, description="share of prompt tokens found in the cache")
    precisions: Precisions = Field(
        default=(PrecisionChoice(weights="bf16"),),
        description="whitelist; never lowered beyond it. Whether quality is the same is not judged",
    )
    speculation: SpeculationChoice | None = None
    balanced_experts: bool = Field(default=False, description="experts are balanced perfectly")
    software: Text | None = Field(
        default=None, description="id of a serving profile; default: the vendor's usual"
    )

    @model_validator(mode="after")
    def _lengths_known(self) -> Self:
        if self.trace is None and (self.input_tokens is None or self.output_tokens is None):
            raise ValueError("input_tokens: and output_tokens are needed, or a trace that has them")
        if self.trace is not None and (self.input_tokens is not None or self.output_tokens is not None):
            raise ValueError("trace: gives the lengths; leave input_tokens and output_tokens out")
        return self


class GenericWorkload(Frozen):
    """Items that each run on one device: vision, recommendation, speech."""

    kind: Literal["generic"]
    name: Text = Field(default="items", description="what is served, for people")
    flops: Operations = Field(description='arithmetic per item, e.g. "8.2 GFLOP"')
    bytes: Bytes = Field(description='memory traffic per item, weights not counted, e.g. "60 MB"')
    memory: Bytes = Field(default=1.0, description="memory per item in flight")
    weights: Bytes = Field(description="weights: held per device, read once per batch")
    precision: Product = Field(default="int8", description="of the arithmetic")
    most_batch: Annotated[Whole, Field(le=2**20)] = Field(default=256, description="items in a batch at most")
    trace: Text | None = Field(
        default=None, description="CSV with arrival_seconds: mean and peak rate; it is replayed"
    )
    peak_window: DurationSeconds = Field(
        default=60.0, description="the peak of a trace is its busiest window of this length"
    )
    peak_over_mean: AtLeastOne = Field(default=1.0, description="the service is sized for the peak")
    software: Text | None = Field(default=None, description="id of a serving profile")
    workload_class: Literal["vision", "recommendation", "scientific"] | None = Field(
        default=None, description="says how mature the chip's software is for it; null: nothing is said"
    )


class LatencyChoice(Frozen):
    """A latency that a percentage of the requests must meet."""

    value: LatencySeconds = Field(description='with its unit: "50 ms"')
    percentile: float = Field(default=50.0, ge=0, lt=100, description="of the requests; default: the median")

    @model_validator(mode="after")
    def _in_per_cent(self) -> Self:
        if 0.0 < self.percentile < 1.0:
            meant = f"{100 * self.percentile:g}"
            raise ValueError(f"percentile: {self.percentile:g} is below 1 per cent; did you mean {meant}?")
        return self


Latency = Annotated[LatencyChoice | None, BeforeValidator(table_of("value"))]


class ServiceTarget(Frozen):
    """What the service must do."""

    requests_per_second: Amount | None = Field(default=None, description="mean rate; a trace gives its own")
    ttft: Latency = Field(default=None, description='time to the first token: "2 s" or { value, percentile }')
    tpot: Latency = Field(default=None, description='time per output token: "50 ms" or { value, percentile }')
    latency: Latency = Field(default=None, description="generic: from arrival to the result")
    tokens_per_second_per_card: Amount | None = Field(default=None, description="output tokens, at least")
    tokens_per_second: Amount | None = Field(
        default=None, description="offline throughput in output tokens; no latency counts"
    )
    headroom: Annotated[float, BeforeValidator(float)] = Field(
        default=0.0, ge=0, le=10, description="share added to the peak rate"
    )
    spare_instances: WholeOrZero = Field(default=0, description="of each pool, beyond those needed (N+k)")
    availability: Share | None = Field(
        default=None, gt=0, lt=1, description="share of the time in which the instances needed are up"
    )

    @model_validator(mode="before")
    @classmethod
    def _reserved(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key == "days":
                raise ValueError("days: belongs to training; a service has requests_per_second")
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tokens_per_second is not None:
            clash = [key for key in ("requests_per_second", "ttft", "tpot") if getattr(self, key) is not None]
            if clash:
                raise ValueError(f"tokens_per_second: is offline throughput and excludes {', '.join(clash)}")
        return self

    @property
    def any(self) -> bool:
        """Whether a load is asked for."""
        return self.requests_per_second is not None or self.tokens_per_second is not None


class ServiceLayout(Frozen):
    """Dimensions of instances to fix (one value) or to choose from (a list); absent: the default space."""

    tp: Degrees | None = None
    dp: Degrees | None = None
    pp: Degrees | None = None
    ep: Degrees | None = None
    mode: Annotated[tuple[Literal["aggregated", "disaggregated"], ...], BeforeValidator(as_list)] | None = (
        Field(default=None, min_length=1, description="prefill and decode together or apart; default: both")
    )
    batch: Whole | None = Field(default=None, description="sequences of an instance at most")

    @property
    def offloads(self) -> bool:
        """Whether any layout moves state to the host: none of a service does."""
        return False


AnyWorkload = Annotated[ServingWorkload | GenericWorkload, Field(discriminator="kind")]


class ServiceScenario(Scenario):
    """One question about a service."""

    workload: AnyWorkload  # type: ignore[assignment]
    target: ServiceTarget = ServiceTarget()  # type: ignore[assignment]
    layout: ServiceLayout = ServiceLayout()  # type: ignore[assignment]
    search: Search = Search()

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        trace = getattr(self.workload, "trace", None) is not None
        if not self.target.any and not trace and not self.limits.any:
            raise ValueError(
                "neither [target] nor [limits] asks for anything: give target.requests_per_second or "
                "target.tokens_per_second, or an upper limit on cards, power, racks or capex, or both"
            )
        if isinstance(self.workload, GenericWorkload):
            for key in ("ttft", "tpot", "tokens_per_second_per_card", "tokens_per_second"):
                if getattr(self.target, key) is not None:
                    raise ValueError(f"target.{key}: is of language models; items have target.latency")
        elif self.target.latency is not None:
            raise ValueError("target.latency: is of generic items; a language model has ttft and tpot")
        if self.search.objective == "days":
            raise ValueError("search.objective: days is for training")
        return self

    @property
    def objective(self) -> Objective:
        """What is best: as asked, else ``cards`` where there is a load and ``throughput`` where not."""
        loaded = self.target.any or getattr(self.workload, "trace", None) is not None
        return self.search.objective or ("cards" if loaded else "throughput")

    @property
    def front(self) -> tuple[Axis, ...]:
        """Axes of the front: as asked, else (cards or rate), power and capital."""
        if self.search.front is not None:
            return self.search.front
        first: Axis = "tokens_per_second" if self.objective == "throughput" else "cards"
        return (first, "facility_megawatts", "capex_usd")


SERVICE_TABLES: dict[str, tuple[type[Frozen], ...]] = {
    "workload": (ServingWorkload, GenericWorkload),
    "target": (ServiceTarget,),
    "layout": (ServiceLayout,),
}
"""Tables of a scenario that services have in another form."""
SERVICE_SHORTHANDS: dict[tuple[str, ...], str] = {
    ("workload", "input_tokens"): "mean",
    ("workload", "output_tokens"): "mean",
    ("target", "ttft"): "value",
    ("target", "tpot"): "value",
    ("target", "latency"): "value",
}
"""As ``SHORTHANDS``, of services."""


def is_service(table: object) -> bool:
    """Whether a scenario's table asks about a service."""
    workload = table.get("workload") if isinstance(table, dict) else None
    return isinstance(workload, dict) and workload.get("kind") in ("serving", "generic")
