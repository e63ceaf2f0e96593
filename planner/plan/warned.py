"""What may turn out worse than a plan of training says: its risks, the gravest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan import evidence
from planner.plan.account import Band, Evidence
from planner.plan.case import Case
from planner.plan.peak_draw import phases_above_limits
from planner.plan.plant_parts import Fabric
from planner.plan.storage import storage_risks
from planner.plan.studied import DesignStudy

Wire = Mapping[str, Any]
FAR = 2.0
"""Times the stated days from which the slow tenth of the draws is a risk of its own."""


def risks_of(case: Case, design: Wire | None, studied: DesignStudy | None) -> list[str]:
    """Of a design by itself: memory nearly full, phases, storage, then figures at an end of their range."""
    memory = design.get("memory") if design else None
    tight = evidence.tight_memory(memory["per_device_bytes"], memory["capacity_bytes"]) if memory else None
    slow = storage_risks(case.problem, case.library, design) if design else []
    if design:
        cluster = case.problem.request.clusters[design["cluster"]]
        slow = [*phases_above_limits(case.problem.request.limits, cluster, design), *slow]
    return [*slow, *([tight] if tight else []), *(studied.risks if studied else [])]


def warned(proof: Evidence, fabric: Fabric | None, days: Band | None, stated: float | None) -> Evidence:
    """``proof`` with what shows only in the whole plan: cables beyond any reach, a long slow tail.

    Args:
        proof: its other risks follow.
        fabric: with its cables laid out.
        days: of the draws.
        stated: days by the figures as they are.
    """
    found = [*_unreachable(fabric), *_late(days, stated)]
    return proof.model_copy(update={"risks": [*found, *proof.risks]}) if found else proof


def _unreachable(fabric: Fabric | None) -> list[str]:
    if fabric is None or not (lines := [line for line in fabric.cable_lines if line.medium is None]):
        return []
    count, metres = sum(line.count for line in lines), [line.metres for line in lines]
    return [
        f"{count:,} cables of {min(metres)}-{max(metres)} m are longer than any module of {fabric.id} "
        "reaches: they are priced as if one did"
    ]


def _late(days: Band | None, stated: float | None) -> list[str]:
    if days is None or not stated or days.p90 < FAR * stated:
        return []
    return [
        f"a tenth of the draws takes {days.p90 / stated:.1f} times the days stated or more: more spares "
        "(reliability.spare_confidence) shorten that tail, and --confidence plans for the draws"
    ]
