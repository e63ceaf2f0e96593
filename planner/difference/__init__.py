"""Two answers: what changed, and why, as waterfalls in days, megawatts and money, with paired bands."""

from planner.difference.answer import Cause, Difference, OutputChange, Span, difference
from planner.difference.sides import Side, side_of_plan, side_of_scenario, side_of_table

__all__ = [
    "Cause",
    "Difference",
    "OutputChange",
    "Side",
    "Span",
    "difference",
    "side_of_plan",
    "side_of_scenario",
    "side_of_table",
]
