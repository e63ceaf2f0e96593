"""What a plan of a service says beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.shown import number
from planner.problem import serving_wire

Wire = Mapping[str, Any]
FEW = 1.5
"""Sequences of a decoding instance below which each is read the weights for alone."""


def notes_on(request: serving_wire.ServiceRequest, design: Wire) -> list[str]:
    """Remarks on a design: where cached prefixes lie, and batches of about one."""
    if request.served.kind == "generic":
        return []
    found = []
    hit = request.served.lengths.prefix_hit
    if hit > 0.0:
        found.append(
            f"{number(100.0 * hit)} % of prompt tokens are taken to be found in a cache; the host memory or "
            "drives that hold it are neither sized nor bought"
        )
    batch = design["pools"][-1]["batch"]
    if batch < FEW:
        found.append(
            f"an instance decodes {number(batch)} sequences at once: each pays for all the weights that are "
            "read; a looser target.tpot or more load on an instance would make a token far cheaper"
        )
    return found
