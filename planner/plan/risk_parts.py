"""What sampling says of a plan: types of ``Plan.risk``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.plan.account import Band, Sureness
from planner.plan.parts import Part


class Index(Part):
    """What share of an output's variance an input makes (Sobol)."""

    label: str
    key: str | None
    first: float = Field(description="alone")
    total: float = Field(description="with everything it acts together with")


class Check(Part):
    """Draws that were also answered by a full search."""

    samples: int
    agreeing: int = Field(description="the same number of cards, within a purchase unit, or no plan in both")
    missed: int = Field(default=0, description="only the full search found a plan")
    worst: float | None = Field(description="most cards too many, as a share of those of the full search")
    mean: float | None
    pilot: int = Field(default=0, description="other draws, searched in full, whose layouts were tried")
    families: int = Field(default=1, description="layouts on plants that every draw tried, data ranks open")


class Measure(Part):
    """A figure worth measuring first."""

    label: str
    key: str | None
    low: float | None
    high: float | None
    unit: str | None
    kind: str | None = Field(description="how it is known today; null: the model or the software itself")
    share: float = Field(description="of the variance of ln(days), or of ln(requests/s), that would go away")
    test: str = Field(description="what to run")


SheetKey = Literal["gemm", "memory", "scale_up", "scale_out", "workload", "power"]
"""What a line of the acceptance sheet measures."""


class Acceptance(Part):
    """One line of the acceptance sheet: what to measure on the delivered machine."""

    key: SheetKey
    test: str
    expected: float
    low: float | None
    high: float | None
    unit: str
    feeds: str = Field(description="where the result goes: key of a spec file, or a run for `calibrate`")
    measured: None = Field(default=None, description="to be filled in")


class Risk(Part):
    """The plan under many draws of everything that is uncertain."""

    samples: int
    seed: int
    candidates: int = Field(description="designs evaluated under every draw: the front and runners-up")
    inputs: int = Field(description="figures drawn, the model's own errors among them")
    approximate: list[str] = Field(description="numbers of the request whose dependence was interpolated")
    bands: dict[str, Band | None] = Field(
        description="of the chosen design; `cards`: needed to meet the target; null: not known, or "
        "more than tried in some draws that count"
    )
    met: float | None = Field(description="probability that the chosen design meets the target; null: none")
    works: float = Field(description="probability that it fits into memory and limits")
    probability: float = Field(description="asked for")
    cards: int | None = Field(description="fewest cards that meet the target with it; null: none tried do")
    cards_tried: int
    nearest: Sureness | None = Field(
        default=None, description="where none does: of the designs tried the one most often in time"
    )
    planned_for: bool = Field(description="the plan itself is that of these cards (--confidence)")
    indices: dict[Literal["days", "requests_per_second"], list[Index]]
    check: Check | None
    measure_first: list[Measure]
    acceptance: list[Acceptance]
    sheet_precision: str = Field(description="precision of the products that the sheet measures")
