"""What an account says of how sure its plan is: evidence, bands, software, deliveries, export control."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.plan.account import Bands, Confidence, Estimate, Swing
from planner.plan.maturity import PlanMaturity
from planner.plan.model import Plan
from planner.plan.parts import Part
from planner.plan.supply import SupplyPlan
from planner.specs import SpecLibrary
from planner.specs.export_control import export_figures


class ExplainedExport(Part):
    """Export-control figures of the chip: arithmetic on published figures, not legal advice."""

    tpp: float = Field(description="largest dense TOPS x bits over the precisions")
    tpp_low: float
    tpp_high: float
    precision: str
    die_area_mm2: float | None
    density: float | None = Field(description="TPP per mm2; null: the die area is not known")
    classified: str = Field(description="3A090.a, 3A090.b, below, or what it depends on")
    rule: str
    note: str


class ExplainedDoubt(Part):
    """How sure the plan is, and what stands behind it that no step time shows."""

    grade: Literal["A", "B", "C", "D"]
    why: str
    estimates: list[Estimate] = Field(description="those the answer rests on, the weightiest first")
    bands: Bands | None
    swings: dict[str, list[Swing]] = Field(description="what moves each output most")
    confidence: Confidence | None = None
    maturity: PlanMaturity | None = None
    supply: SupplyPlan | None = Field(
        default=None, description="deliveries, where the scenario has a date ([supply])"
    )
    export_control: ExplainedExport | None = None


def doubt_of(plan: Plan, library: SpecLibrary) -> ExplainedDoubt:
    """What the plan carries of it, with the export figures of its chip."""
    card = None if plan.accelerator is None else export_figures(library.accelerator(plan.accelerator))
    return ExplainedDoubt(
        grade=plan.evidence.grade,
        why=plan.evidence.why,
        estimates=plan.evidence.estimates,
        bands=plan.bands,
        swings=plan.swings,
        confidence=plan.confidence,
        maturity=plan.maturity,
        supply=plan.supply,
        export_control=None if card is None else ExplainedExport(**card.to_dict()),
    )
