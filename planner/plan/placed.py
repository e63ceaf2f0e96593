"""Where the design of a plan stands among the choices of the request that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.plan.model import Plan
from planner.problem import wire


@dataclass(frozen=True)
class Place:
    """Indices of the cluster, and of its fabric and cooling; the cards bought."""

    cluster: int
    fabric: int
    cooling: int
    cards: int


def place_of(clusters: Sequence[wire.Cluster], plan: Plan) -> Place:
    """The place of a plan that has a design, by the names of its system, fabric and cooling."""
    assert plan.fabric is not None
    assert plan.facility is not None
    assert plan.cards is not None
    cluster = next(i for i, item in enumerate(clusters) if item.system == plan.system)
    offered = clusters[cluster]
    wanted = (plan.fabric.id, plan.fabric.kind, plan.fabric.oversubscription)
    kinds = ((item.id, item.kind, item.oversubscription) for item in offered.fabrics)
    coolings = [item.kind for item in offered.coolings]
    return Place(
        cluster=cluster,
        fabric=next(i for i, kind in enumerate(kinds) if kind == wanted),
        cooling=coolings.index(plan.facility.cooling),
        cards=plan.cards.total,
    )
