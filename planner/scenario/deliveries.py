"""``[supply]`` of a scenario: a date by which the cards have to be there, and who else may deliver."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from planner.scenario.values import Positive, Share, as_list
from planner.specs.quantity import Frozen, Text


class Deliveries(Frozen):
    """When the cards have to be there."""

    by_months: Positive = Field(description="from the order")
    second: Annotated[tuple[Text, ...], BeforeValidator(as_list)] = Field(
        default=(), max_length=3, description="systems of other suppliers, for what lacks by then"
    )
    confidence: Share = Field(
        default=0.5, gt=0, lt=1, description="probability with which they have to be there"
    )
    one_job: bool = Field(
        default=False, description="one job spans a mix; else each kind of card is a cluster of its own"
    )
    figures: dict[str, float] = Field(
        default={}, description="of the supply, known better than the files say: { wafer_starts = 30000 }"
    )
