"""Limits on power are checked on the mean draw; all cards in one phase of a step may draw more than that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner.problem import wire

MEGAWATT = 1e6
SLACK = 1e-3
"""Of a limit: less than this above it is rounding."""

_BOUNDARIES = (
    ("facility_watts", "facility_design_megawatts", "at the grid on the design day"),
    ("transformer_watts", "transformer_megawatts", "at the transformers on the design day"),
    ("ups_watts", "ups_megawatts", "at the uninterruptible supplies"),
    ("it_watts", "it_megawatts", "of IT"),
)
"""Limit of the request, the mean load that it is held against, and where that is."""


def phases_above_limits(limits: wire.Limits, cluster: wire.Cluster, design: Mapping[str, Any]) -> list[str]:
    """Risks of a design that keeps its limits on the mean while a phase of each step is above one, in words.

    Cards of one job step together, so the phase is drawn by all of them at once. The load at a boundary is
    the IT power of the phase times that boundary's load over the IT power, both of the mean:

        P_phase(boundary) = IT_phase * P_mean(boundary) / IT_mean

    Args:
        limits: of the request, in watts.
        cluster: of the design.
        design: as the engine answers it, with ``facility.phases``.

    Returns:
        At most one sentence, on the boundary that is passed by most.
    """
    plant = design["facility"]
    spent = [phase for phase in plant["phases"] if (phase["share_of_step"] or 0.0) > 0.0]
    if not spent:
        return []
    phase = max(spent, key=lambda item: item["it_megawatts"])
    worst: tuple[float, float, float, str] | None = None
    for name, load, where in _BOUNDARIES:
        limit = getattr(limits, name)
        if limit is None:
            continue
        drawn = phase["it_megawatts"] * plant[load] / plant["it_megawatts"]
        over = drawn * MEGAWATT / limit
        if over > 1.0 + SLACK and (worst is None or over > worst[0]):
            worst = (over, drawn, limit / MEGAWATT, where)
    if worst is None:
        return []
    over, drawn, limit_megawatts, where = worst
    share = f"{100 * phase['share_of_step']:.0f} %"
    return [
        f"{drawn:.3g} MW {where} in {share} of each step ({_WORK[phase['phase']]}, "
        f"{phase['card_watts']:,.0f} W a card): above the limit of {limit_megawatts:.3g} MW, which the mean "
        f"keeps; {_remedy(cluster, design, phase, over)}"
    ]


_WORK = {"compute": "products", "memory": "work bound by memory", "communication": "collectives"}


def _remedy(cluster: wire.Cluster, design: Mapping[str, Any], phase: Mapping[str, Any], over: float) -> str:
    """The cap on the cards that keeps the phase inside, where there is one."""
    cards = design["cards"]["total"]
    beside = phase["it_megawatts"] * MEGAWATT - cards * phase["card_watts"]
    most = (phase["it_megawatts"] * MEGAWATT / over - beside) / cards
    cap = math.floor(100.0 * most / cluster.card_tdp)
    if cap < 1 or most <= cluster.card_idle:
        return "fewer cards keep it inside, no power cap does"
    return f"a cap of these cards at {cap} % of board power keeps it inside"
