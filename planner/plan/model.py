"""``plan/1``: one complete answer, as types.

The unit stands in every name; ``None`` means not known, never zero. What depends on the clock or on threads
sits in ``run``; everything else is the same bytes for the same problem. Changes within ``plan/1`` are
additive. ``docs/plan.md`` says what each field means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from planner.errors import PlannerError
from planner.plan.account import (
    Bands,
    Comparison,
    Confidence,
    Evidence,
    Figure,
    Nearest,
    Provenance,
    Run,
    Search,
    Space,
    Summary,
    Swing,
)
from planner.plan.maturity import PlanMaturity
from planner.plan.parts import (
    Cards,
    Layout,
    Limits,
    Memory,
    Performance,
    Pool,
    Reliability,
    Target,
    Workload,
)
from planner.plan.plant_parts import Cost, Fabric, Facility, NetworkLevel
from planner.plan.prices import Price
from planner.plan.result import Fact, Result
from planner.plan.risk_parts import Risk
from planner.plan.service_parts import Service, ServicePool, ServiceWorkload
from planner.plan.supply import SupplyPlan

if TYPE_CHECKING:
    # Those of services are kinds of those of training; only the validator must tell them apart.
    AnyWorkload = Workload
    AnyPool = Pool
else:
    AnyWorkload = Workload | ServiceWorkload
    AnyPool = Pool | ServicePool

if TYPE_CHECKING:
    from planner.table import Table

SCHEMA = "plan/1"
FRONT_POINTS = 50


class Plan(Result):
    """One complete answer: the cluster, what it does, what it takes, how sure that is."""

    MAIN: ClassVar[str] = "parts"
    """Tables: parts (bill of materials), pools, front, runners_up, trade (of a service), figures, estimates,
    breakdown (of a step)."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )

    schema_: Literal["plan/1"] = Field(default="plan/1", alias="schema")
    feasible: bool = Field(description="the answer: yes or no")
    complete: bool = Field(
        description="the whole space was searched; false after a time limit or an interruption"
    )
    question: Literal["target", "limits", "both"] = Field(
        description="target: the fewest cards (or the objective); limits: the most throughput; both: yes/no"
    )
    binding: list[str] = Field(description="what keeps the answer from being better: target.days ...")
    margin: float | None = Field(description="head-room to the target as a fraction of it; negative: missed")
    headline: str
    evidence: Evidence
    workload: AnyWorkload
    target: Target
    limits: Limits
    cards: Cards | None = Field(description="null when nothing fits")
    system: str | None = Field(description="id in the spec library")
    accelerator: str | None = Field(description="id in the spec library")
    power_cap: float | None = Field(description="enforced board power over nameplate board power")
    clock: float | None = Field(description="clock under that cap over the full clock")
    pools: list[AnyPool]
    layout: Layout | None = Field(description="of the only pool")
    performance: Performance | None = Field(description="of the only pool")
    memory: Memory | None = Field(description="of the only pool")
    serving: Service | None = Field(default=None, description="what a service does; null for training")
    bands: Bands | None
    swings: dict[str, list[Swing]] = Field(description="what moves each output most, the weightiest first")
    confidence: Confidence | None = Field(
        description="cards that meet the target with 90 %; null without a target"
    )
    network: list[NetworkLevel] = Field(description="levels as collectives see them, innermost first")
    fabric: Fabric | None
    facility: Facility | None
    cost: Cost | None
    reliability: Reliability | None
    front: list[Summary] = Field(max_length=FRONT_POINTS, description="Pareto front over front_axes")
    front_axes: list[str]
    front_total: int = Field(description="points of the whole front")
    runners_up: list[Summary] = Field(
        description="the best of other kinds: system, fabric, cooling, power cap"
    )
    similar_layouts: int = Field(
        description="layouts on the same plant that the model cannot tell from the best"
    )
    similar_within: float = Field(
        default=0.02,
        description="share of the best rate: the model's error (1 sigma) between two layouts of a chip",
    )
    prices: list[Price] = Field(
        default=[], description="what relaxing each constraint would gain, those that bind first"
    )
    nearest: Nearest | None = Field(description="when the answer is no: the nearest design and why it fails")
    comparison: Comparison | None = Field(
        default=None, description="evaluate: the named design against the best"
    )
    risk: Risk | None = Field(
        default=None, description="many draws of everything uncertain together (--samples, --confidence)"
    )
    maturity: PlanMaturity | None = Field(
        default=None,
        description="software of the chip for this class of workload; changes no time and no rank",
    )
    supply: SupplyPlan | None = Field(
        default=None, description="deliveries, where the scenario has a date ([supply]); choose no plan"
    )
    search: Search
    space: Space = Field(description="what was searched, printable and complete")
    figures: list[Figure] = Field(description="every figure used, with its source")
    notes: list[str] = Field(default=[], description="what was inferred or assumed on the way")
    provenance: Provenance
    run: Run

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.feasible and (self.cards is None or (self.performance is None and self.serving is None)):
            raise ValueError("a feasible plan names its cards and their performance")
        if self.cards is not None and self.facility is not None:
            servers = self.facility.servers
            if servers * self.cards.per_server != self.cards.total:
                raise ValueError(
                    f"{self.cards.total} cards are not {servers} whole servers of {self.cards.per_server}"
                )
        return self

    @property
    def days(self) -> float | None:
        """Calendar days of the whole job; None when nothing fits."""
        return self.performance.days if self.performance else None

    @property
    def estimates(self) -> int:
        """How many estimates the answer rests on."""
        return len(self.evidence.estimates)

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        from planner.plan.tables import TABLES  # noqa: PLC0415 (it knows this type)

        return {name: partial(make, self) for name, make in TABLES.items()}

    def _facts(self) -> tuple[str, list[Fact]]:
        from planner.plan.notebook import plan_facts  # noqa: PLC0415 (notebooks alone)

        return self.headline, plan_facts(self)

    def _shown(self) -> tuple[str, ...]:
        # A bill is long; a notebook asks for it by name.
        return ("pools",) if self.serving is not None else ()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a plan back.

        Raises:
            pydantic.ValidationError: not a plan/1.
        """
        return cls.model_validate_json(text)


def read_plan(path: Path) -> Plan:
    """A plan from a file.

    Raises:
        PlannerError: it cannot be read, or is no plan/1.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise PlannerError(
            "no such file", file=str(path), hint="planner size SCENARIO --json > plan.json"
        ) from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise PlannerError(f"cannot be read: {fault}", file=str(path)) from fault
    return plan_of(text, str(path))


def plan_of(text: str, name: str) -> Plan:
    """A plan from its JSON; ``name`` is that of the file it was read from.

    Raises:
        PlannerError: it is no plan/1.
    """
    try:
        return Plan.from_json(text)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlannerError(
            f"is not a plan/1: {first['msg'][:120]}", file=name, key=where or None,
            hint="plans are what `planner size --json` and `evaluate --json` print",
        ) from fault  # fmt: skip


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``plan/1``."""
    schema = Plan.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": SCHEMA}


def json_schema_text() -> str:
    """The JSON Schema as it stands in ``planner/data/schema/plan-1.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
