"""What a plan says of itself: how sure it is, what it rests on, what else there was, how it was found."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from planner.plan.parts import TOLERANCE, LayoutCore, Part


class Band(Part):
    """An 80 % range. ``p50`` of draws is their median, off the central answer where ranges are skew; of one
    figure at a time (utilisation, services without draws) it is the central answer.
    """

    p10: float
    p50: float
    p90: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        slack = TOLERANCE * abs(self.p50)
        if not (self.p10 <= self.p50 + slack and self.p50 <= self.p90 + slack):
            raise ValueError(f"p10 <= p50 <= p90 does not hold: {self.p10}, {self.p50}, {self.p90}")
        return self


class Bands(Part):
    """P10, P50 and P90 of the main outputs; null where the output itself is not known."""

    step_seconds: Band | None
    days: Band | None
    tokens_per_second: Band | None
    mfu: Band | None
    facility_megawatts: Band | None
    capex_usd: Band | None
    runs: float | None = Field(
        default=None,
        description="share of the draws in which a design of training runs at all (memory, rules): days are "
        "of these; null: of a service",
    )
    met: float | None = Field(
        default=None,
        description="share of all draws in which a design of training meets its days within the limits; "
        "null: no days are asked for, or of a service",
    )
    requests_per_second: Band | None = Field(
        default=None, description="of a service: the most within its latencies"
    )
    tpot_seconds: Band | None = Field(default=None, description="of a service, mean at the peak")
    ttft_seconds: Band | None = Field(default=None, description="of a service, mean at the peak")


class Swing(Part):
    """What one input does to one output when it goes to the ends of its 80 % range."""

    label: str
    key: str | None = Field(
        description="kind/id: key of the figure; null for the model's own error and software"
    )
    at_low: float = Field(description="relative change of the output with the input at its low")
    at_high: float = Field(description="relative change of the output with the input at its high")


class Sureness(Part):
    """A cluster that is not sure enough: how sure it is, and when it would be."""

    cards: int
    met: float = Field(description="share of the draws in which it meets the target")
    days: float | None = Field(
        description="days that it keeps to with the probability asked for; null: it fits in too few draws"
    )


class Confidence(Part):
    """The answer to: and to be 90 % sure?"""

    probability: float
    cards: int | None = Field(
        description="null: no cluster within the limits (cards up to cards_tried) will do"
    )
    cards_tried: int
    system: str | None
    days_p50: float | None = Field(description="median of the days of that cluster")
    facility_megawatts: float | None
    nearest: Sureness | None = Field(
        default=None, description="where `cards` is null: of the clusters tried the one most often in time"
    )


class Estimate(Part):
    """A figure that nobody published, standing in with its range."""

    label: str
    key: str = Field(description="kind/id: key, as `planner specs show` lists it")
    role: str = Field(description="timing, power or reliability")
    value: float
    low: float
    high: float
    unit: str = Field(description="base unit of value, low and high")
    method: str


class Measured(Part):
    """The published run nearest to this one."""

    id: str
    hardware: str
    model: str | None
    cards: int | None
    same_chip: bool
    same_model: bool = False
    framework: str | None = Field(default=None, description="of the run")
    precision: str | None = Field(default=None, description="of the run's matrix products")
    sequence: int | None = Field(default=None, description="tokens")
    tokens_per_second_per_card: float | None = Field(
        default=None, description="of a training run, as published or as its published step gives"
    )
    source_url: str | None


class Untuned(Part):
    """The plan where nobody tunes the software."""

    software: str = Field(description="profile of the same framework as it comes")
    step_seconds: float | None = Field(description="of the same design; null: it does not run so")


class Evidence(Part):
    """How sure the answer is."""

    grade: Literal["A", "B", "C", "D"] = Field(
        description="A: runs on this chip, nothing estimated that timing needs; B: runs on it, some "
        "estimates; C: few runs, or only on its kin; D: no run on this chip"
    )
    why: str
    estimates: list[Estimate] = Field(description="those the answer rests on, the weightiest first")
    software: str | None
    tuning: Literal["tuned", "default", "tutorial"] | None = Field(
        default=None,
        description="tuned: by experts for the run; default: as it comes; tutorial: as in examples",
    )
    software_asked: bool = Field(
        default=False, description="the scenario names the software; else it is the usual one of the vendor"
    )
    untuned: Untuned | None = Field(
        default=None, description="where the default software is a tuned one: the plan as it comes"
    )
    calibrated: str = Field(description="what the chip family's efficiency rests on: runs, operators or none")
    runs_on_chip: int = Field(
        description="published training runs on this chip, complete enough to be scored"
    )
    runs_in_family: int
    groups_in_family: int
    residual_ln: float | None = Field(description="std of ln(predicted/measured) of left-out groups")
    nearest_measured: Measured | None
    risks: list[str] = Field(default=[], description="ends of ranges at which the design no longer works")


class Summary(Part):
    """A design in one row."""

    system: str
    fabric: str
    fabric_kind: str
    oversubscription: float
    cooling: str
    power_cap: float
    cards: int
    layout: LayoutCore
    step_seconds: float
    days: float = Field(description="calendar")
    tokens_per_second: float = Field(description="while training; failures not counted")
    facility_megawatts: float = Field(
        description="at the grid intake on the design day: what a power limit bounds (not the annual mean)"
    )
    capex_usd: float | None
    tco_usd_per_year: float | None


class Nearest(Part):
    """The nearest design when nothing fits."""

    what: Literal["target", "limits", "memory", "layout"] = Field(description="what gives way")
    why: str
    design: Summary | None
    broken_rules: list[str] = Field(default=[])
    over_limits: list[str] = Field(default=[])


class Comparison(Part):
    """An evaluated design against target and limits, and against the best one on the same cards."""

    named: bool = Field(description="the layout was named by the user; false: the best one was chosen")
    broken_rules: list[str] = Field(description="rules that the design breaks; empty: lawful")
    over_limits: list[str]
    meets_target: bool | None = Field(description="null without a target")
    best: Summary | None = Field(description="the best design for the same number of cards")
    behind_best: float | None = Field(description="productive rate of the best one over this one's, minus 1")


class RefusedSize(Part):
    """Why card counts of the space cannot be built; the numbers in the words are those of the first."""

    why: str
    count: int


class Search(Part):
    """What the search did."""

    enumerated: int
    rejected: dict[str, int] = Field(description="by the first rule broken")
    bounded: int = Field(description="skipped because a bound proved them no better")
    bounded_by: dict[str, int] = Field(
        default={},
        description="by the bound: size (cannot be part of the answer), stage (the slowest stage is too "
        "slow on any network), step (passes, bubble, sends and stragglers are too slow)",
    )
    timed: int
    bound_gap: float | None = Field(
        default=None, description="of an incomplete search: how much better at most"
    )
    refused_sizes: list[RefusedSize] = Field(default=[])


class Alternative(Part):
    """One system of the space with what it may be combined with."""

    system: str
    accelerator: str
    unit_cards: int = Field(description="cards bought at a time")
    max_cards: int | None
    fabrics: list[str] = Field(description="id kind oversubscription")
    coolings: list[str]
    power_caps: list[float]


class Space(Part):
    """The declared space: every lawful combination of these was considered."""

    cards_min: int
    cards_max: int
    clusters: list[Alternative]
    layout: dict[str, list[int | bool | str]]
    factorized: bool = Field(
        default=False,
        description="only layouts that use every device, with equal stages, chunks and micro-batches",
    )
    memory_headroom: float = Field(
        default=0.0, description="share of a device's usable memory that plans leave free, where any does"
    )
    objective: str


class FigureSource(Part):
    """Where a figure was read."""

    title: str
    url: str | None
    date: str
    note: str | None = None


class Figure(Part):
    """A figure used, with its source."""

    label: str
    key: str = Field(description="kind/id: key")
    role: str = Field(description="what it decides: timing, power, cost, reliability, space or environment")
    value: float
    unit: str = Field(description="base unit of value, low and high")
    low: float | None
    high: float | None
    kind: str = Field(description="vendor, paper, measured, third-party, derived, fitted or estimate")
    method: str | None
    note: str | None
    date: str | None
    sources: list[FigureSource]


class Provenance(Part):
    """What made this plan."""

    version: str
    spec_hashes: dict[str, str] = Field(description="SHA-256 of each spec file used")
    problem_hash: str = Field(description="SHA-256 of the canonical resolved problem")
    command: str | None


class Run(Part):
    """What depends on the clock and the machine."""

    seconds: float
    threads: int | None
    interrupted: bool = False
    detail: dict[str, Any] = Field(default={}, description="seconds of each stage")
