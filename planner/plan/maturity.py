"""Software maturity of a card for a class of workload: level, evidence, and what a port takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from planner.plan.account import Band, FigureSource
from planner.plan.parts import Part
from planner.specs import Accelerator, Quantity, SpecLibrary
from planner.specs.maturity import stack_of
from planner.specs.schema.part import Maturity, MaturityLevel, WorkloadClass

CLASS_OF: Mapping[str, WorkloadClass] = {"training": "llm-training", "serving": "llm-serving"}
"""Kind of a scenario's workload -> class."""


def class_of(workload: Any) -> WorkloadClass | None:
    """Of the workload of a scenario; None: generic items of which it is not said."""
    return CLASS_OF.get(workload.kind) or getattr(workload, "workload_class", None)


class Estimated(Part):
    """A figure with its 80 % range; nobody published it."""

    value: float
    low: float
    high: float
    method: str | None


class PlanPort(Part):
    """What the first port of the workload takes; 80 % ranges of estimates that nobody published."""

    engineer_months: Band
    engineer_usd_per_year: Estimated
    usd: Band = Field(description="pay of the engineers; in no total and no rank")
    capex_with_port_usd: Band | None = Field(description="capital of the plan with it; null: not known")
    days_before_start: Band = Field(description="calendar days until the workload runs")
    days_to_finish: Band | None = Field(
        description="calendar days from the start of the port to the end of training; null for a service"
    )


class PlanMaturity(Part):
    """How far software carries this pair of card and workload.

    It moves the slow side of the bands where no run has calibrated the chip's family; no centre and no rank.
    """

    workload_class: WorkloadClass
    level: MaturityLevel | None = Field(description="null: no file says anything of the vendor's software")
    stack: str | None = Field(description="id of the file in parts/")
    evidence: str
    sources: list[FigureSource] = Field(default=[])
    efficiency: Estimated | None = Field(
        default=None, description="speed that a first port reaches over that of a tuned one"
    )
    porting_months: Estimated | None = None
    porting_staff: Estimated | None = None
    stability: Estimated | None = Field(
        default=None, description="failures by software over those of a mature stack"
    )
    port: PlanPort | None = Field(default=None, description="what a first port takes in days and money")

    @property
    def warning(self) -> str | None:
        """What stands first in the headline of a plan on an unproven pair; None where it is proven."""
        if self.level in ("proven-at-scale", "proven", "partial"):
            return None
        words = self.workload_class.replace("llm", "LLM").replace("-", " ")
        port = ""
        if self.porting_months is not None:
            months = self.porting_months
            port = f"; a port takes {months.low:g}-{months.high:g} months first"
        return f"UNPROVEN: {words} on this chip ({self.evidence}{port})"


def maturity_of(library: SpecLibrary, card: Accelerator, workload: WorkloadClass) -> PlanMaturity:
    """What the library says of the vendor's software for this class."""
    part = stack_of(library, card)
    found = None if part is None else part.maturity.get(workload)
    if part is not None and found is not None:
        return _told(workload, part.id, found, part.sources)
    return PlanMaturity(
        workload_class=workload,
        level=None,
        stack=None,
        evidence=f"no file in parts/ says how mature the software of {card.vendor} is",
    )


def _told(workload: WorkloadClass, stack: str, found: Maturity, sources: Mapping[str, Any]) -> PlanMaturity:
    keys = [found.source] if isinstance(found.source, str) else found.source
    return PlanMaturity(
        workload_class=workload,
        level=found.level,
        stack=stack,
        evidence=found.evidence,
        sources=[
            FigureSource(title=item.title, url=item.url, date=item.date, note=item.note)
            for item in (sources[key] for key in keys)
        ],
        efficiency=_estimated(found.efficiency),
        porting_months=_estimated(found.porting_months),
        porting_staff=_estimated(found.porting_staff),
        stability=_estimated(found.stability),
    )


def _estimated(figure: Quantity) -> Estimated:
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    return Estimated(value=figure.value, low=low, high=high, method=figure.method)
