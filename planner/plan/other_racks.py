"""The nearest design where the racks of the halls carry not one server: the same question in other racks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.case import Case

Wire = Mapping[str, Any]
LIMIT = "site.hall"
"""What such a design is over."""


def nearest_in_other_racks(case: Case, result: Wire) -> Wire:
    """The result with a nearest design, where halls refused every size and other racks would not.

    The limits on power, feed, busway, weight, height and ports of a rack are lifted, all others stay.

    Args:
        case: the question.
        result: ``result/1`` without a best design.
    """
    nearest, rack = result["nearest"], case.request.rack
    held = (rack.watts, rack.busway_watts, rack.kilograms, rack.units, rack.ports)
    if nearest is None or nearest["design"] is not None or all(limit is None for limit in held):
        return result
    lifted = dict.fromkeys(("watts", "busway_watts", "kilograms", "units", "ports"))
    free = rack.model_copy(update=lifted)
    found = case.search(case.request.model_copy(update={"rack": free}), "racks")
    design = found["best"] or (found["nearest"] or {}).get("design")
    if design is None:
        return result
    over = {**design, "over_limits": [LIMIT, *design["over_limits"]]}
    return {**result, "nearest": {**nearest, "what": "limits", "design": over}}
