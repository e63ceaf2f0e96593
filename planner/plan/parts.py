"""What a plan says of a design: frozen records, units in the names, ``None`` for what is not known."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.scenario.split import split_text

TOLERANCE = 1e-6
"""Relative: leaves are added in another order than the engine adds them."""


class Part(BaseModel):
    """Unknown keys are errors, and an answer is not changed afterwards."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, allow_inf_nan=False)


def leaves_sum(leaves: dict[str, float], root: float, what: str) -> None:
    """Refuse a breakdown whose leaves do not sum to its root.

    Raises:
        ValueError: they do not, within ``TOLERANCE``, or one is called "other".
    """
    total = math.fsum(leaves.values())
    if leaves and not math.isclose(total, root, rel_tol=TOLERANCE, abs_tol=1e-12):
        raise ValueError(f"{what}: the leaves sum to {total:.9g}, not to {root:.9g}")
    if any(name.startswith("other") for name in leaves):
        raise ValueError(f"{what}: no leaf is called other")


class Workload(Part):
    """What is trained."""

    kind: Literal["training"] = "training"
    model: str
    parameters: float | None = Field(default=None, description="all parameters")
    active_parameters: float | None = Field(
        default=None, description="parameters that one token passes through"
    )
    tokens: float
    sequence_tokens: int
    global_batch_sequences: int = Field(description="as asked for; the layout says what is run")
    precision: str
    software: str | None = Field(default=None, description="id of the software profile")


class Target(Part):
    """What must be met."""

    days: float | None = None
    tokens_per_second: float | None = None
    requests_per_second: float | None = Field(default=None, description="of a service, on the mean")
    peak_requests_per_second: float | None = Field(
        default=None, description="of a service at the peak with headroom: what it is sized for"
    )
    ttft_seconds: float | None = Field(default=None, description="to the first token (generic: the result)")
    ttft_percentile: float | None = None
    tpot_seconds: float | None = Field(default=None, description="per output token")
    tpot_percentile: float | None = None
    tokens_per_second_per_card: float | None = Field(default=None, description="output tokens, at least")


class Limits(Part):
    """What must not be exceeded."""

    cards_min: int | None = None
    cards_max: int | None = None
    facility_megawatts: float | None = Field(default=None, description="at the grid intake on the design day")
    it_megawatts: float | None = Field(default=None, description="typical draw")
    nameplate_megawatts: float | None = None
    transformer_megawatts: float | None = Field(default=None, description="at their output, design day")
    ups_megawatts: float | None = Field(default=None, description="at the output of the supplies")
    nameplate_intake_megawatts: float | None = None
    liquid_megawatts: float | None = Field(default=None, description="heat that the halls' liquid takes")
    air_megawatts: float | None = Field(default=None, description="heat that the halls' air takes")
    racks: int | None = None
    floor_m2: float | None = Field(default=None, description="white space of the halls")
    capex_usd: float | None = None


class Cards(Part):
    """Accelerator cards, bought in whole servers."""

    total: int = Field(ge=1)
    active: int = Field(ge=1, description="cards that compute")
    spare: int = Field(ge=0, description="cards that do not compute: hot spares, or left by the layout")
    per_server: int = Field(ge=1)
    devices_per_card: int = Field(ge=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.active + self.spare != self.total:
            raise ValueError(f"{self.active} active and {self.spare} spare cards are not {self.total}")
        if self.total % self.per_server:
            raise ValueError(f"{self.total} cards do not fill servers of {self.per_server}")
        return self


class Overlap(Part):
    """Share of each kind of traffic hidden behind compute: the software profile's claim."""

    tensor_parallel: float | None = None
    context_parallel: float | None = None
    expert_parallel: float | None = None
    pipeline: float | None = None
    data_parallel: float | None = None


class Switches(Part):
    """Choices of a layout that cut nothing; the plain values leave everything to the software profile."""

    tp_overlap: Literal["profile", "none", "ring", "pipe"] = "profile"
    sequence_gather: Literal["profile", "kept", "redone"] = "profile"
    p2p_scatter: bool = True
    dp_overlap: bool = True
    fused_activation: bool = True
    offload_weights: bool = False
    offload_activations: bool = False
    offload_optimizer: bool = False
    tp_network: Literal["ranks", "scale-up", "scale-out"] = "ranks"
    pp_network: Literal["ranks", "scale-up", "scale-out"] = "ranks"
    dp_network: Literal["ranks", "scale-up", "scale-out"] = "ranks"

    def changed(self) -> dict[str, str]:
        """Those that are not plain, as they are written."""
        values = (
            (name, getattr(self, name), field.default) for name, field in type(self).model_fields.items()
        )
        return {name: str(value).lower() for name, value, plain in values if value != plain}

    @property
    def offload(self) -> str:
        """What lives in host memory: ``weights+activations``; ``none``."""
        names = [name for name in ("weights", "activations", "optimizer") if getattr(self, f"offload_{name}")]
        return "+".join(names) or "none"


class LayoutCore(Part):
    """Parallel degrees count devices."""

    tp: int
    pp: int
    vpp: int
    dp: int
    cp: int
    ep: int
    etp: int
    micro_batch: int = Field(description="sequences")
    recompute: Literal["none", "attention", "selective", "full"]
    sharding: int = Field(ge=0, le=3, description="ZeRO stage; 3 = FSDP")
    sequence_parallel: bool
    recompute_layers: int = Field(default=0, ge=0, description="layers per chunk that recompute; 0: all")
    schedule: Literal["none", "1f1b", "interleaved-1f1b", "zero-bubble", "dualpipe"] = "none"
    cp_kind: Literal["ring", "all-to-all"] = Field(default="ring", description="how context ranks exchange")
    stage_layers: tuple[int, ...] = Field(
        default=(), description="layers of each stage where dealt by hand; empty: evenly"
    )
    switches: Switches = Switches()

    def short(self) -> str:
        """The layout in one line, as ``evaluate --layout`` reads it; degrees of 1 are left out."""
        degrees = {name: getattr(self, name) for name in ("tp", "pp", "vpp", "dp", "cp", "ep", "etp")}
        words = [
            f"{name}={value}" for name, value in degrees.items() if value != 1 or name in ("tp", "pp", "dp")
        ]
        words += [
            f"micro_batch={self.micro_batch}",
            f"recompute={self.recompute}",
            f"sharding={self.sharding}",
        ]
        words += ["sequence_parallel=true"] if self.sequence_parallel else []
        words += [f"recompute_layers={self.recompute_layers}"] if self.recompute_layers else []
        words += [f"schedule={self.schedule}"] if self.schedule in ("zero-bubble", "dualpipe") else []
        words += [f"cp_kind={self.cp_kind}"] if self.cp_kind != "ring" else []
        words += [f"stage_layers={split_text(self.stage_layers)}"] if self.stage_layers else []
        words += [f"{name}={value}" for name, value in self.switches.changed().items()]
        return ",".join(words)


class Layout(LayoutCore):
    """The layout with what follows from it."""

    micro_batches: int = Field(description="per step and pipeline")
    micro_batch_group: int | None = Field(
        default=None,
        description="micro-batches that interleaving passes through a chunk before the next chunk",
    )
    global_batch_sequences: int
    offload: str = Field(default="none", description="what lives in host memory: weights+activations ...")
    overlap: Overlap


class Performance(Part):
    """Time and rates of the whole pool."""

    step_seconds: float = Field(gt=0)
    tokens_per_second: float
    tokens_per_second_per_card: float
    mfu: float = Field(
        description="model FLOPs, causal attention, over the dense matrix-engine peak of active cards"
    )
    mfu_full_attention: float = Field(description="the whole score matrix counted, as many publications do")
    mfu_advertised: float | None = Field(description="causal attention over the advertised dense peak")
    hfu: float = Field(description="with recomputed FLOPs")
    goodput: float = Field(description="productive share of calendar time")
    productive_days: float
    days: float = Field(description="calendar: productive_days / goodput")
    effective_pflops: float | None = Field(
        default=None, description="model PFLOP/s of the whole pool, causal attention, failures included"
    )
    breakdown: dict[str, float] = Field(description="seconds of a step by cause; they sum to step_seconds")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        leaves_sum(self.breakdown, self.step_seconds, "performance.breakdown")
        return self


class Memory(Part):
    """The fullest device."""

    per_device_bytes: float
    capacity_bytes: float = Field(description="what a job can allocate")
    breakdown: dict[str, float] = Field(description="bytes by cause; they sum to per_device_bytes")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        leaves_sum(self.breakdown, self.per_device_bytes, "memory.breakdown")
        return self


class Pool(Part):
    """Cards that do one job together. Training has one pool."""

    role: Literal["train", "prefill", "decode", "serve"]
    cards: int
    replicas: int = Field(description="copies of the model: the data-parallel degree")
    layout: Layout
    performance: Performance
    memory: Memory


class SpareChoice(Part):
    """The best plan on the plant of the answer with another number of spares."""

    servers: int = Field(description="that stand by")
    days: float
    tokens_per_second: float = Field(description="of calendar time")


class Spares(Part):
    """Hot spares, in servers: as many as make the most of the plant, and at least those of a confidence."""

    servers_needed: int = Field(description="those that spare_confidence asks for; 0: none is asked for")
    servers_had: int = Field(description="what the layout leaves free")
    servers_usual: int | None = Field(
        default=None,
        description="of those had, worth holding or asked for; the rest is left by the layout",
    )
    servers_short: int
    per_domain: int = Field(
        description="of those had, inside each scale-up domain; 0: they stand anywhere, or in whole domains"
    )
    spare_domains: int = Field(description="of those had, whole scale-up domains")
    servers_in_repair: float = Field(description="mean")
    covered: float = Field(description="share of the time in which the spares had suffice")
    kept: float | None = Field(
        default=None, description="share of the time kept: short of spares a job waits or goes on smaller"
    )
    others: list[SpareChoice] = Field(
        default=[],
        description="the best with fewer and with more of them on the plant, where they come near",
    )


class AtInterval(Part):
    """What is left of the time at another interval between checkpoints."""

    interval_seconds: float
    goodput: float


class Reliability(Part):
    """Failures and what they cost in time; goodput and the five losses sum to 1."""

    mttf_hours: float | None = Field(description="of the whole job; null: nothing ever fails")
    failures_per_day: float
    checkpoint_interval_seconds: float | None = Field(description="on storage, work only; null: none needed")
    checkpoint_bytes: float
    goodput: float
    memory_interval_seconds: float | None = Field(
        default=None, description="between copies in the memory of peers; null: storage only"
    )
    checkpoint_write_seconds: float | None = None
    checkpoint: float | None = Field(default=None, description="share of time: standing still to save")
    rework: float | None = Field(default=None, description="share of time: work done again")
    recovery: float | None = Field(default=None, description="share of time: detection, swap, restart, load")
    waiting: float | None = Field(default=None, description="share of time: too few spares")
    stragglers: float | None = Field(default=None, description="share of time: slow servers not yet found")
    causes: dict[str, float] = Field(default={}, description="failures per day by component")
    spares: Spares | None = Field(default=None, description="null: what fails is replaced by somebody else")
    at_intervals: list[AtInterval] = Field(default=[], description="goodput around the plan's own interval")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        leaves_sum(self.causes, self.failures_per_day, "reliability.causes")
        shares = (self.checkpoint, self.rework, self.recovery, self.waiting, self.stragglers)
        if all(share is not None for share in shares):
            losses = {str(place): share or 0.0 for place, share in enumerate(shares)}
            leaves_sum({**losses, "goodput": self.goodput}, 1.0, "reliability")
        return self
