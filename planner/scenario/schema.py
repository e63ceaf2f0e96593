"""What a scenario may say: one pydantic model per table of the TOML file (keys: docs/scenario.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from planner.errors import ScenarioError
from planner.scenario.deliveries import Deliveries
from planner.scenario.layout import LayoutChoice
from planner.scenario.limits import Limits, Target
from planner.scenario.site import SiteChoice
from planner.scenario.values import (
    Amount,
    AtLeastOne,
    Bandwidth,
    DurationSeconds,
    Positive,
    Share,
    Whole,
    WholeOrZero,
    as_list,
)
from planner.scenario.vocabulary import Axis, Cooling, FabricKind, Objective, Precision, Texts, table_of
from planner.specs.quantity import Frozen, Text
from planner.specs.reading import dotted, locate

SHORTHANDS: dict[tuple[str, ...], str] = {
    ("site",): "id",
    ("limits", "cards"): "max",
    ("limits", "power"): "value",
}
"""Tables that may be written as one plain value, and the key which that value stands for."""


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
        if self.tokens < self.global_batch * self.sequence:
            raise ValueError(
                f"tokens: {self.tokens:,.4g} tokens are less than one step, {self.global_batch:,} sequences "
                f'of {self.sequence:,}; is a suffix missing? "15.6T" are 15.6e12'
            )
        return self

    @property
    def global_batch(self) -> int:
        """Sequences per optimizer step: the whole number nearest to ``batch_tokens`` (a half rounds up)."""
        if self.batch_sequences is not None:
            return self.batch_sequences
        return int((self.batch_tokens or 0.0) / self.sequence + 0.5)


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
    memory_headroom: Annotated[Share, Field(lt=1)] = Field(
        default=0.05,
        description="share of a card's usable memory that `size` leaves free, less where nothing else fits; "
        "a layout of your own may fill it",
    )
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
        description="required: as many as the search finds best, at least those of spare_confidence (a job "
        "short of them waits or shrinks); as-given: without it; ignored: others replace what fails at once",
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
    site: Annotated[SiteChoice, BeforeValidator(table_of("id"))]
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
