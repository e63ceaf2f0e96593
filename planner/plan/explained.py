"""``explain/1``: the account of a plan as types; units stand in names, ``None`` means not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from planner.plan.account import Figure
from planner.plan.explained_doubt import ExplainedDoubt
from planner.plan.parts import LayoutCore, Part, Reliability
from planner.plan.plant_parts import NetworkLevel
from planner.plan.result import Fact, Result
from planner.plan.service_parts import InstanceMemory, ServicePrice
from planner.plan.shown import counted, duration, signed_percent
from planner.table import Field as Column
from planner.table import Table, of_records

Value = float | int | None
_VALUES = (
    Column("resource", "", "of which there would be 10 % more"),
    Column("change", "", "relative, of what is explained"),
)


class ExplainedMemory(Part):
    """Memory of the fullest device, by what it holds."""

    capacity_bytes: float = Field(description="what a job can allocate")
    share: float = Field(description="of it in use")
    weights: float = Field(description="bytes")
    gradients: float = Field(description="bytes")
    optimizer: float = Field(description="bytes")
    activations: float = Field(description="bytes")
    working: float = Field(description="bytes")
    overhead: float = Field(description="bytes")


class _Account(Result):
    """What accounts of training and of services have in common. Tables: time, value and others."""

    MAIN: ClassVar[str] = "time"
    schema_: Literal["explain/1"] = Field(default="explain/1", alias="schema")
    feasible: bool
    why: str | None = Field(default=None, description="why there is no design; null where there is one")
    system: str | None = None
    cards: int | None = None
    value: dict[str, float] = Field(
        default={}, description="10 % more of each resource: relative change of what is explained"
    )
    bound_by: str | None = Field(default=None, description="resource from which most is gained")
    network: list[NetworkLevel] = Field(default=[], description="levels as the groups of a layout see them")
    warnings: list[str] = Field(default=[])
    doubt: ExplainedDoubt | None = Field(
        default=None, description="evidence, bands, software, deliveries, export control"
    )

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        def value() -> Table:
            rows = [{"resource": name, "change": change} for name, change in self.value.items()]
            return of_records(rows, _VALUES)

        return {**super()._tables(), "value": value}

    def _worth(self) -> list[Fact]:
        """What more of each resource is worth, for a notebook."""
        # Of a latency it is 10 % less, which its name says.
        names = {name: name if "10 %" in name else f"10 % more {name}" for name in self.value}
        facts = [(names[name], signed_percent(change)) for name, change in self.value.items()]
        return facts + [("warning", text) for text in self.warnings]


class Explanation(_Account):
    """Of training: where the time of a step and the memory go, and what more of each resource is worth.

    ``value`` is the relative change of the step time. Tables: time, value, network.
    """

    kind: Literal["training"] = "training"
    layout: LayoutCore | None = None
    step_seconds: float | None = None
    time: dict[str, float] = Field(default={}, description="seconds of a step by cause; they sum to it")
    exposed: dict[str, dict[str, float]] = Field(
        default={},
        description="exposed traffic: level of the network: seconds that it would save without limit",
    )
    memory: ExplainedMemory | None = None
    reliability: Reliability | None = None

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        def time() -> Table:
            step = self.step_seconds or 1.0
            rows = [
                {"cause": name, "seconds": seconds, "share": seconds / step}
                for name, seconds in sorted(self.time.items(), key=lambda item: -item[1])
                if seconds > 0.0
            ]
            return of_records(
                rows, (Column("cause"), Column("seconds", "s"), Column("share", "", "of a step"))
            )

        return {"time": time, **super()._tables()}

    def _facts(self) -> tuple[str, list[Fact]]:
        if self.why is not None or self.layout is None or self.memory is None or self.step_seconds is None:
            return self.why or "no design", []
        facts = [
            ("layout", self.layout.short()),
            ("memory", f"{self.memory.share:.1%} of the fullest device in use"),
            ("most is gained from", self.bound_by or ""),
        ]
        head = f"{counted(self.cards or 0, 'card')} of {self.system}, a step of {duration(self.step_seconds)}"
        return head, [*facts, *self._worth()]


class ExplainedFigure(Part):
    """A figure of a service with formula and terms, so that it can be worked again by hand."""

    name: str
    value: Value
    unit: str
    formula: str
    terms: dict[str, Value]
    where: str = Field(description="page that describes it")


class ExplainedPool(Part):
    """A pool: how its instances lie on devices, and where the time of a step and the memory go."""

    role: Literal["prefill", "decode", "serve"]
    instances: int
    layout: str
    cards: int
    load: float = Field(description="share of the most it carries in use")
    batch: float = Field(description="sequences per instance")
    step_seconds: float
    time: dict[str, float] = Field(description="seconds of the mean step by cause; they sum to it")
    memory: InstanceMemory


class ExplainedSource(Part):
    """A figure that the answer rests on, and how it is known."""

    label: str
    key: str = Field(description="kind/id: key")
    role: str
    value: float
    unit: str
    kind: str
    method: str | None
    sources: list[str] = Field(description="titles")

    @classmethod
    def of(cls, figure: Figure) -> ExplainedSource:
        """The same figure with the titles of its sources."""
        names = [name for name in cls.model_fields if name != "sources"]
        return cls(
            **{name: getattr(figure, name) for name in names}, sources=[one.title for one in figure.sources]
        )


class ServiceExplanation(_Account):
    """Of a service: every figure with its formula, pools, and what more of each resource is worth.

    ``value`` is the relative change of the most requests per second. Tables: figures, pools, time, value,
    network, sources.
    """

    MAIN: ClassVar[str] = "figures"
    kind: Literal["serving", "generic"]
    mode: str | None = None
    precision: str | None = None
    verdict: str | None = None
    binding: list[str] = Field(default=[])
    figures: list[ExplainedFigure] = Field(default=[])
    pools: list[ExplainedPool] = Field(default=[])
    prices: list[ServicePrice] = Field(
        default=[], description="of the scenario's constraints; those without effect last"
    )
    sources: list[ExplainedSource] = Field(default=[])

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        def time() -> Table:
            rows = [
                {"pool": pool.role, "cause": name, "seconds": seconds, "share": seconds / pool.step_seconds}
                for pool in self.pools
                for name, seconds in sorted(pool.time.items(), key=lambda item: -item[1])
                if seconds > 0.0
            ]
            fields = (
                Column("pool", "", "its role"), Column("cause"), Column("seconds", "s"),
                Column("share", "", "of a step"),
            )  # fmt: skip
            return of_records(rows, fields)

        return {"time": time, **super()._tables()}

    def _facts(self) -> tuple[str, list[Fact]]:
        if self.why is not None:
            return self.why, []
        cards = f"{counted(self.cards or 0, 'card')} of {self.system}"
        return f"{cards}, {self.mode}, {self.precision}: {self.verdict}", [
            ("most is gained from", self.bound_by or ""),
            *self._worth(),
        ]

    def _shown(self) -> Sequence[str]:
        return ("figures", "time")
