"""What a scenario may say: one pydantic model per table of the TOML file (keys: docs/scenario.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from planner.errors import ScenarioError
from planner.scenario.deliveries import Deliveries
from planner.scenario.values import (
    Amount,
    AtLeastOne,
    Bandwidth,
    Carbon,
    Days,
    DurationSeconds,
    EnergyPrice,
    MoneyAmount,
    Positive,
    Share,
    Watts,
    Whole,
    WholeOrZero,
    as_list,
)
from planner.specs.quantity import Frozen, Text
from planner.specs.reading import dotted, locate

Precision = Literal["bf16", "fp8", "fp4"]
Recompute = Literal["none", "attention", "selective", "full"]
Schedule = Literal["1f1b", "zero-bubble", "dualpipe"]
Tier = Literal["ranks", "scale-up", "scale-out"]
FabricKind = Literal[
    "rail-optimised", "leaf-spine", "multi-plane", "dragonfly", "slim-fly", "full-mesh", "torus"
]
Cooling = Literal["room-air", "contained-air", "rear-door", "cold-plate", "immersion"]
Objective = Literal["cards", "days", "throughput", "power", "energy", "capex", "tco", "tokens_per_joule"]
Axis = Literal[
    "cards", "facility_megawatts", "capex_usd", "days", "tokens_per_second", "tco_usd_per_year",
    "energy_mwh_per_year",
]  # fmt: skip

Texts = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(as_list)]
Truths = Annotated[tuple[bool, ...], Field(min_length=1), BeforeValidator(as_list)]
Tiers = Annotated[tuple[Tier, ...], Field(min_length=1), BeforeValidator(as_list)]
Cards = Annotated[Whole, Field(le=4_000_000)]
Degrees = Annotated[
    tuple[Annotated[Whole, Field(le=4096)], ...], Field(min_length=1), BeforeValidator(as_list)
]
Ranks = Annotated[tuple[Cards, ...], Field(min_length=1), BeforeValidator(as_list)]
# The core takes no more (MOST_RANKS, MOST_DEGREE in rust/core/src/problem.rs): larger ones are slips.

SHORTHANDS: dict[tuple[str, ...], str] = {
    ("site",): "id",
    ("limits", "cards"): "max",
    ("limits", "power"): "value",
}
"""Tables that may be written as one plain value, and the key which that value stands for."""

OF_SERVING = (
    "requests_per_second",
    "ttft",
    "tpot",
    "tokens_per_second_per_card",
    "latency",
    "headroom",
    "availability",
)
"""Keys of [target] that only services have."""


def _refuse_keys_of_services(data: Any) -> Any:
    for key in data if isinstance(data, dict) else ():
        if key in OF_SERVING:
            raise ValueError(f'{key}: belongs to services: set workload.kind = "serving" or "generic"')
    return data


def _table_of(key: str) -> Callable[[Any], Any]:
    """A plain value in place of a table stands for its ``key``."""
    return lambda data: data if data is None or isinstance(data, dict | Frozen) else {key: data}


class Workload(Frozen):
    """What is to be done."""

    kind: Literal["training", "serving", "generic"] = Field(
        default="training", description="serving and generic have keys of their own"
    )
    model: Text = Field(description="id or name of an architecture, or the path of a config.json or .toml")
    tokens: Amount = Field(description='tokens to train on, e.g. 15.6e12 or "15.6T"')
    sequence: Whole = Field(le=2**31, description="sequence length in tokens")
    batch_tokens: Amount | None = Field(default=None, description='tokens per optimizer step, e.g. "16M"')
    batch_sequences: Whole | None = Field(default=None, description="sequences per optimizer step")
    batch_tolerance: Share = Field(
        default=0.02,
        lt=1,
        description="largest relative departure from that batch (the layout must divide it)",
    )
    batch_at_most: bool = Field(
        default=False,
        description="the batch is the most: each layout takes its largest multiple up to it",
    )
    precision: Precision = Field(default="bf16", description="of the large matrix products")
    software: Text | None = Field(
        default=None, description="id of a software profile; default: the vendor's usual"
    )
    weight_bytes: Positive = Field(default=2.0, description="bytes per weight used in products")
    gradient_bytes: Positive = Field(default=4.0, description="bytes per accumulated gradient")
    optimizer_bytes: Positive = Field(
        default=12.0, description="bytes per parameter of master weight and moments (Adam in 32 bits: 12)"
    )

    @model_validator(mode="after")
    def _one_batch(self) -> Self:
        if self.batch_tokens is None and self.batch_sequences is None:
            raise ValueError(
                "batch_tokens: is missing, and so is batch_sequences; the batch decides what is learnt, "
                'so none is assumed: give one of them, e.g. batch_tokens = "16M"'
            )
        if self.batch_tokens is not None and self.batch_sequences is not None:
            raise ValueError("batch_tokens: and batch_sequences exclude each other; keep one")
        if self.batch_tokens is not None and self.batch_tokens < self.sequence:
            raise ValueError(
                f"batch_tokens: {self.batch_tokens:,.0f} tokens are less than a sequence of {self.sequence:,}"
            )
        return self

    @property
    def global_batch(self) -> int:
        """Sequences per optimizer step: the whole number nearest to ``batch_tokens`` (a half rounds up)."""
        if self.batch_sequences is not None:
            return self.batch_sequences
        return int((self.batch_tokens or 0.0) / self.sequence + 0.5)


class Target(Frozen):
    """What must be met."""

    days: Days | None = Field(
        default=None, description='calendar days for all tokens, failures included ("6 h" too)'
    )
    tokens_per_second: Amount | None = Field(default=None, description="mean rate, failures included")

    @model_validator(mode="before")
    @classmethod
    def _of_training(cls, data: Any) -> Any:
        return _refuse_keys_of_services(data)

    @property
    def any(self) -> bool:
        """Whether anything is asked."""
        return self.days is not None or self.tokens_per_second is not None


class CardLimit(Frozen):
    """How many cards may be bought, spares included."""

    min: Cards | None = None
    max: Cards | None = None
    exactly: Cards | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.exactly is not None and (self.min is not None or self.max is not None):
            raise ValueError("exactly: excludes min and max; keep either")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min: {self.min} is more than max = {self.max}")
        return self

    @property
    def lowest(self) -> int:
        """At least."""
        return self.exactly or self.min or 1

    @property
    def highest(self) -> int | None:
        """At most."""
        return self.exactly or self.max


class PowerLimit(Frozen):
    """How much power there is, and where it is counted."""

    value: Watts
    boundary: Literal["grid", "transformer", "ups", "it"] | None = Field(
        default=None,
        description="grid: intake on the hot design day (default); transformer: its output that day; "
        "ups: output of the supplies, which carry IT alone; it: at the servers' plugs (default of nameplate)",
    )
    basis: Literal["measured", "nameplate"] = Field(
        default="measured",
        description="measured: typical draw in training; nameplate: rated power, what breakers are sized for",
    )

    @property
    def counted_at(self) -> Literal["grid", "transformer", "ups", "it"]:
        """The boundary, with its default filled in."""
        return self.boundary or ("it" if self.basis == "nameplate" else "grid")


def _date_text(given: Any) -> Any:
    """A year or a date of TOML as text."""
    plain = isinstance(given, int | date) and not isinstance(given, bool | datetime)
    return str(given) if plain else given


class Limits(Frozen):
    """What may not be exceeded."""

    cards: Annotated[CardLimit | None, BeforeValidator(_table_of("max"))] = Field(
        default=None, description="at most that many, or { min, max } or { exactly }"
    )
    power: Annotated[PowerLimit | None, BeforeValidator(_table_of("value"))] = Field(
        default=None, description='"30 MW", or { value, boundary, basis }'
    )
    racks: Whole | None = Field(default=None, description="racks of all kinds")
    pue: AtLeastOne | None = Field(
        default=None, description="annual mean; default: the legal limit of the site, where it has one"
    )
    capex: MoneyAmount | None = Field(default=None, description='capital with its currency, e.g. "200 MUSD"')
    origin: (
        Annotated[tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...], BeforeValidator(as_list)] | None
    ) = Field(default=None, min_length=1, description='countries that cards may come from, e.g. "CN"')
    available_in: str | None = Field(
        default=None,
        pattern="^[A-Z]{2}$",
        description="country that it is bought for: on sale, no export rule",
    )
    available_by: Annotated[str | None, BeforeValidator(_date_text)] = Field(
        default=None, pattern=r"^\d{4}(-\d{2}){0,2}$", description="released by then: year, month or day"
    )

    @property
    def any(self) -> bool:
        """Whether anything bounds the answer from above."""
        cards = self.cards is not None and self.cards.highest is not None
        return cards or any(limit is not None for limit in (self.power, self.racks, self.capex))


class Hall(Frozen):
    """A hall that stands already, or is designed: what it takes bounds what is put into it."""

    racks: Whole = Field(description="racks of all kinds")
    rack_power: Watts | None = Field(default=None, description="of one rack: busway and breakers")
    liquid_power: Watts | None = Field(default=None, description="IT heat that the liquid loop takes")
    air_power: Watts | None = Field(default=None, description="IT heat that the air takes")
    floor_load: Positive | None = Field(default=None, description="kg/m2 under a rack")
    transformers: Whole | None = Field(default=None, description="installed")
    transformer_kva: Positive | None = Field(default=None, description="of each")
    redundancy: Literal["N", "N+1", "2N"] = Field(default="N", description="of the transformers")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.transformers is None) != (self.transformer_kva is None):
            raise ValueError("transformers: and transformer_kva go together")
        if self.transformers is not None and self.usable_transformers < 1:
            raise ValueError(
                f"transformers: {self.transformers} at {self.redundancy} leave none to carry the load"
            )
        return self

    @property
    def usable_transformers(self) -> int:
        """Those that carry load when the redundant ones stand by."""
        installed = self.transformers or 0
        return {"N": installed, "N+1": installed - 1, "2N": installed // 2}[self.redundancy]


class Money(Frozen):
    """Terms of capital; what is left out comes from the facility file of the site's country."""

    rate: Share = Field(default=0.0, description="cost of capital per year; 0: straight-line depreciation")
    residual: Share | None = Field(default=None, description="share of the hardware's price at its end")
    installation: Share | None = Field(default=None, description="share of the hardware's price, once")
    maintenance: Share | None = Field(default=None, description="share of the hardware's price per year")


class Hardware(Frozen):
    """What may be bought."""

    systems: Texts = Field(description="ids or names; that of an accelerator means its usual system")
    fabrics: Texts | None = Field(
        default=None, description="ids of scale-out fabrics; default: the system's own"
    )
    kinds: Annotated[tuple[FabricKind, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="default: the first that the fabric's file lists"
    )
    planes: Whole | None = Field(
        default=None, description="of multi-plane fabrics; default: the fabric's, else one per server port"
    )
    leaf_oversubscription: AtLeastOne = Field(
        default=1.0, description="of the leaves where there are three tiers or more"
    )
    oversubscription: Annotated[tuple[AtLeastOne, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="of the top tier; default: all that the fabric's file lists"
    )
    cooling: Annotated[tuple[Cooling, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="default: all that system and site both know"
    )
    power_caps: Annotated[tuple[Share, ...], BeforeValidator(as_list)] | None = Field(
        default=None,
        min_length=1,
        description="enforced shares of the board power to choose from; default: 1, and 0.9, 0.8 and 0.7 too "
        "where power is limited or the objective",
    )

    @field_validator("power_caps")
    @classmethod
    def _not_off(cls, caps: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if caps is not None and 0.0 in caps:
            raise ValueError("a cap of 0 switches the cards off")
        return caps


class SiteChoice(Frozen):
    """Where it stands, and what is known better than the spec file about it."""

    id: Text = Field(description="id or name of a site")
    tariff: EnergyPrice | None = Field(default=None, description='e.g. "0.06 USD/kWh"')
    carbon: Carbon | None = Field(default=None, description='e.g. "0.4 kgCO2/kWh"')
    pue: AtLeastOne | None = Field(default=None, description="annual mean, for every cooling kind")
    pue_design_day: AtLeastOne | None = Field(default=None, description="default: the site's, at least pue")
    tariff_peak: EnergyPrice | None = Field(default=None, description="price in the peak hours")
    tariff_valley: EnergyPrice | None = Field(default=None, description="price in the valley hours")
    peak_hours: Positive = Field(default=8.0, le=24, description="of a day, with tariff_peak")
    valley_hours: Positive = Field(default=8.0, le=24, description="of a day, with tariff_valley")
    redundancy: Literal["N", "N+1", "2N"] = Field(
        default="N+1", description="of transformers, supplies and generators"
    )
    hall: tuple[Hall, ...] = Field(default=(), description="[[site.hall]]: halls to fill")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.pue is not None and self.pue_design_day is not None and self.pue_design_day < self.pue:
            raise ValueError(
                f"pue_design_day: {self.pue_design_day} is below pue = {self.pue}, its annual mean"
            )
        return self


class LayoutChoice(Frozen):
    """Dimensions of the layout to fix (one value) or to choose from (a list); absent: the default space."""

    tp: Degrees | None = None
    pp: Degrees | None = None
    vpp: Degrees | None = None
    dp: Ranks | None = None
    cp: Degrees | None = None
    ep: Degrees | None = None
    etp: Annotated[tuple[Literal["one", "tensor"], ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="one: an expert is whole on a device; tensor: cut over tp"
    )
    micro_batch: Degrees | None = None
    recompute: Annotated[tuple[Recompute, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1
    )
    sharding: Annotated[tuple[Annotated[WholeOrZero, Field(le=3)], ...], BeforeValidator(as_list)] | None = (
        Field(default=None, min_length=1, description="0 none, 1 optimizer states, 2 gradients, 3 weights")
    )
    sequence_parallel: Truths | None = None
    tp_overlap: (
        Annotated[tuple[Literal["profile", "none", "ring", "pipe"], ...], BeforeValidator(as_list)] | None
    ) = Field(default=None, min_length=1, description="how tensor-parallel traffic hides behind products")
    sequence_gather: (
        Annotated[tuple[Literal["profile", "kept", "redone"], ...], BeforeValidator(as_list)] | None
    ) = Field(
        default=None,
        min_length=1,
        description="inputs gathered by sequence parallelism: kept, or gathered again in the backward pass",
    )
    recompute_layers: Annotated[tuple[WholeOrZero, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="layers of a chunk that recompute; 0, the default: all"
    )
    schedule: Annotated[tuple[Schedule, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="default: that of the software profile, mostly 1f1b"
    )
    cp_kind: Annotated[tuple[Literal["ring", "all-to-all"], ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, description="how context ranks exchange; default: ring"
    )
    p2p_scatter: Truths | None = Field(
        default=None, description="each tensor rank sends its part to the next stage, not the whole"
    )
    dp_overlap: Truths | None = Field(
        default=None, description="gradient traffic hides behind the backward pass"
    )
    fused_activation: Truths | None = Field(default=None, description="bias and activation in one kernel")
    offload_weights: Truths | None = Field(default=None, description="weights of the layers in host memory")
    offload_activations: Truths | None = Field(default=None, description="activations in host memory")
    offload_optimizer: Truths | None = Field(default=None, description="optimizer states in host memory")
    tp_network: Tiers | None = Field(default=None, description="where tensor ranks stand; ranks: by order")
    pp_network: Tiers | None = Field(default=None, description="where pipeline stages stand")
    dp_network: Tiers | None = Field(default=None, description="where data ranks stand")
    factorized: bool = Field(
        default=False,
        description="only layouts that use every device of the most cards, with equal stages and chunks and "
        "a micro-batch that divides the data rank's part of the batch",
    )

    @property
    def offloads(self) -> bool:
        """Whether anything may live in host memory."""
        lists = (self.offload_weights, self.offload_activations, self.offload_optimizer)
        return any(values is not None and True in values for values in lists)


class Search(Frozen):
    """How to search and what to show."""

    objective: Objective | None = Field(
        default=None, description="default: cards where there is a target, else throughput"
    )
    weights: dict[Axis, Positive] | None = Field(
        default=None,
        min_length=1,
        description="instead of an objective: least sum of these axes, each times its weight, e.g. "
        "{ tco_usd_per_year = 1.0, days = 50000.0 }; tokens per second count as a gain",
    )
    front: Annotated[tuple[Axis, ...], BeforeValidator(as_list)] | None = Field(
        default=None, min_length=1, max_length=4, description="axes of the Pareto front, at most four"
    )
    time_limit: DurationSeconds | None = Field(default=None, description="seconds; then the best so far")
    confidence: Share = Field(default=0.9, gt=0.5, lt=1, description='of the "90 % sure needs" figure')
    seed: WholeOrZero = Field(
        default=0, description="of the sampling behind the bands, and of the simulation of a service"
    )
    threads: Annotated[Whole, Field(le=4096)] | None = Field(default=None, description="default: all cores")

    @model_validator(mode="after")
    def _one_objective(self) -> Self:
        if self.objective is not None and self.weights is not None:
            raise ValueError("weights: and objective exclude each other; keep one")
        return self

    @field_validator("front")
    @classmethod
    def _distinct(cls, front: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if front is not None and len(set(front)) < len(front):
            raise ValueError("names an axis twice")
        return front


class Reliability(Frozen):
    """What is known better than the spec files about failures, checkpoints and spares."""

    failures: Positive | None = Field(
        default=None, description="that stop a job, per 1,000 server-days, for every system"
    )
    checkpoint: Literal["asynchronous", "blocking", "memory"] = Field(
        default="asynchronous", description="memory: copies in the memory of peers beside those on storage"
    )
    checkpoint_bandwidth: Bandwidth | None = Field(
        default=None, description='write rate of the whole job, e.g. "200 GB/s"'
    )
    checkpoint_interval: DurationSeconds | None = Field(
        default=None, description="between checkpoints; default: the best"
    )
    operations: Literal["usual", "tuned"] = Field(
        default="usual",
        description="tuned: an operator that detects failures and restarts by machine, within minutes",
    )
    detection: DurationSeconds | None = Field(default=None, description="from failure to the stop of the job")
    restart: DurationSeconds | None = Field(default=None, description="swap and start, without loading")
    repair: DurationSeconds | None = Field(default=None, description="until a failed server is back")
    spares: Literal["required", "as-given", "ignored"] = Field(
        default="required",
        description="required: as many as pay, or as spare_confidence asks; as-given: a job short of them "
        "waits or shrinks; ignored: somebody else replaces what fails at once",
    )
    spare_confidence: Share = Field(
        default=0.0, lt=1, description="spares cover the servers in repair with at least this probability"
    )


@dataclass(frozen=True)
class Origin:
    """Where a scenario was read, so that later faults can name file, key and line."""

    file: str | None = None
    text: str = ""
    set_keys: tuple[str, ...] = field(default=())
    """Dotted keys given by ``--set``."""

    def error(self, key: str, message: str, hint: str | None = None) -> ScenarioError:
        """A fault of the scenario at ``key``."""
        path: tuple[str | int, ...] = tuple(key.split(".")) if key else ()
        return self.error_at(path, message, hint)

    def error_at(self, path: tuple[str | int, ...], message: str, hint: str | None = None) -> ScenarioError:
        """Like `error`, for a key path with list positions."""
        key = dotted(path)
        if any(key == given or key.startswith((f"{given}.", f"{given}[")) for given in self.set_keys):
            return ScenarioError(message, file="--set", key=key, hint=hint)
        _, line = locate(self.text, path)
        return ScenarioError(message, file=self.file, key=key or None, line=line, hint=hint)


class Scenario(Frozen):
    """One question: a workload, a target or limits or both, and what may be bought where."""

    workload: Workload
    target: Target = Target()
    limits: Limits = Limits()
    hardware: Hardware
    site: Annotated[SiteChoice, BeforeValidator(_table_of("id"))]
    money: Money = Money()
    layout: LayoutChoice = LayoutChoice()
    reliability: Reliability = Reliability()
    supply: Deliveries | None = None
    search: Search = Search()

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.target.any and not self.limits.any:
            raise ValueError(
                "neither [target] nor [limits] asks for anything: give target.days or "
                "target.tokens_per_second, or an upper limit on cards, power, racks or capex, or both"
            )
        return self

    @property
    def origin(self) -> Origin:
        """Where it was read; faults found later are told with it."""
        return self._origin

    @property
    def objective(self) -> Objective:
        """What is best: as asked, else ``cards`` where there is a target and ``throughput`` where not."""
        return self.search.objective or ("cards" if self.target.any else "throughput")

    @property
    def front(self) -> tuple[Axis, ...]:
        """Axes of the front: as asked, else (cards or rate), power and capital."""
        if self.search.front is not None:
            return self.search.front
        first: Axis = "cards" if self.target.any else "tokens_per_second"
        return (first, "facility_megawatts", "capex_usd")
