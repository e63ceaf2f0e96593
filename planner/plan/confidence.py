"""How many cards to be 90 % sure: the same plant, sized with room for the slow end of the band."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

from planner.plan.account import Bands, Confidence
from planner.plan.bands import Z90
from planner.problem import wire

RELAXED = 4
"""How far the limit on cards is lifted: beyond, the answer is no longer the same plan."""
MOST_TIMES = 8
"""Times the cards of the central answer that are tried at most."""

Wire = Mapping[str, Any]
Size = Callable[[wire.Request], Wire]


def confidence(
    request: wire.Request, design: Wire, bands: Bands, probability: float, size: Size
) -> Confidence | None:
    """Cards that meet the target with ``probability`` (0.9: the P90 of the band); None without a target.

    The target is tightened by the ratio of central to slow: days by P50/P90 of days, a rate by P50/P10.
    System, fabric, cooling and power cap stay as chosen; layouts are searched anew.
    """
    target = request.target
    if bands.days is None or bands.tokens_per_second is None:
        return None
    if target.days is None and target.tokens_per_second is None:
        return None
    tightened = tighter_request(request, design, bands, probability)
    best = size(tightened)["best"]
    return Confidence(
        probability=probability,
        cards=None if best is None else best["cards"]["total"],
        cards_tried=tightened.limits.cards_max,
        system=None if best is None else best["system"],
        days_p50=None if best is None else best["performance"]["days"],
        facility_megawatts=None if best is None else best["facility"]["facility_megawatts"],
    )


def only_plant(request: wire.Request, design: Wire) -> wire.Request:
    """The problem with nothing but the system, fabric, cooling and power cap of ``design`` to choose."""
    cluster = request.clusters[design["cluster"]]
    only = cluster.model_copy(
        update={
            "fabrics": (cluster.fabrics[design["fabric_index"]],),
            "coolings": (cluster.coolings[design["cooling_index"]],),
            "power_caps": (design["power_cap"],),
        }
    )
    return request.model_copy(update={"clusters": (only,)})


def tighter_request(
    request: wire.Request, design: Wire, bands: Bands, probability: float = 0.9
) -> wire.Request:
    """The problem narrowed to the plant of ``design``, with the tightened target and more cards allowed."""
    assert bands.days is not None
    assert bands.tokens_per_second is not None
    # The band's ends are 80 % ends; other probabilities lie further out or in on the same log-normal.
    reach = NormalDist().inv_cdf(probability) / Z90
    days, rate = request.target.days, request.target.tokens_per_second
    days_factor = (bands.days.p50 / bands.days.p90) ** reach
    rate_factor = (bands.tokens_per_second.p50 / bands.tokens_per_second.p10) ** reach
    limits = request.limits
    return only_plant(request, design).model_copy(
        update={
            "target": wire.Target(
                days=None if days is None else days * days_factor,
                tokens_per_second=None if rate is None else rate * rate_factor,
            ),
            "limits": limits.model_copy(
                update={
                    "cards_min": min(design["cards"]["total"], limits.cards_max),
                    "cards_max": min(limits.cards_max * RELAXED, design["cards"]["total"] * MOST_TIMES),
                }
            ),
            "search": request.search.model_copy(
                update={"objective": "cards", "front": (), "front_points": 1}
            ),
        }
    )
