"""The nearest design where the racks of the halls carry not one server: the same question in other racks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.case import Case

Wire = Mapping[str, Any]
LIMIT = "site.hall"
"""What such a design is over."""
_LIMITS = ("watts", "busway_watts", "kilograms", "units", "ports")


def nearest_in_other_racks(case: Case, result: Wire) -> Wire:
    """The result with a nearest design, where halls refused every size and other racks would not.

    The limits on power, feed, busway, weight, height and ports of a rack are lifted, all others stay.

    Args:
        case: the question.
        result: ``result/1`` without a best design.
    """
    nearest, halls = result["nearest"], case.request.halls
    racks = [case.request.rack, *(hall.rack for hall in halls)]
    held = [getattr(rack, name) for rack in racks for name in _LIMITS]
    if nearest is None or nearest["design"] is not None or all(limit is None for limit in held):
        return result
    lifted = dict.fromkeys(_LIMITS)
    free, *each = (rack.model_copy(update=lifted) for rack in racks)
    others = tuple(hall.model_copy(update={"rack": rack}) for hall, rack in zip(halls, each, strict=True))
    found = case.search(case.request.model_copy(update={"rack": free, "halls": others}), "racks")
    design = found["best"] or (found["nearest"] or {}).get("design")
    if design is None:
        return result
    over = {**design, "over_limits": [LIMIT, *design["over_limits"]]}
    return {**result, "nearest": {**nearest, "what": "limits", "design": over}}
