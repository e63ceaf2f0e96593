"""Cards that carry the load with a probability, from one search of a slow world: for the first line.

Draws (`service_sure`) count in how many worlds a service does; that takes a minute. Here everything
uncertain goes to its slow side at once, each by its share of the slowness, as far out as the probability
asks: the most likely world in which a service of that size just carries the load (the design point of
first-order reliability, Hasofer and Lind 1974). Layouts and pools are searched anew in it, on the plant of
the answer.

A service fails by its first token or by its tokens after it, and the slow worlds of the two are not the same:
each latency asked for is given its share of the risk (Bonferroni), which errs on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from planner import engine
from planner.plan.account import Confidence
from planner.plan.bands import Z90, ModelError
from planner.plan.service_bands import ServiceStudy, SlowEnd
from planner.plan.service_case import ServiceCase
from planner.plan.service_study import MOST_TIMES, errors, on_plant, only_this_service
from planner.problem import serving_wire
from planner.problem.service import build_service

Wire = Mapping[str, Any]


def confidence_of(case: ServiceCase, design: Wire, studied: ServiceStudy) -> Confidence | None:
    """Cards that carry the load with the probability asked for; None without a load."""
    rate = case.request.target.requests_per_second
    if rate is None:
        return None
    probability = case.problem.scenario.search.confidence
    most = min(case.request.limits.cards_max, design["cards"]["total"] * MOST_TIMES)
    best = engine.size_service(slow_world(case, design, studied, reach_of(case, probability), most))["best"]
    return Confidence(
        probability=probability,
        # A slow world in which fewer cards do than in the central one is a quirk of whole instances.
        cards=None if best is None else max(best["cards"]["total"], design["cards"]["total"]),
        cards_tried=most,
        system=None if best is None else best["system"],
        days_p50=None,
        facility_megawatts=None if best is None else best["facility"]["facility_megawatts"],
    )


def reach_of(case: ServiceCase, probability: float) -> float:
    """How far out the slow world lies, in standard deviations: the risk is shared among the latencies."""
    ways = max(1, len(case.request.target.latencies))
    return NormalDist().inv_cdf(1.0 - (1.0 - probability) / ways)


def slow_world(
    case: ServiceCase, design: Wire, studied: ServiceStudy, reach: float, most: int
) -> serving_wire.ServiceRequest:
    """The fewest cards, up to ``most``, in the world ``reach`` standard deviations out on the slow side."""
    centres = {figure.key: figure.quantity.value for figure in case.problem.figures}
    ends = [(end, slowness(end, centres[end.figure.place])) for end in studied.slow]
    own = [slow_ln(error) for error in errors(case, design)]
    whole = math.sqrt(sum(ln * ln for _, ln in ends) + sum(ln * ln for ln in own))
    far = reach / Z90 / whole if whole > 0.0 else 0.0
    values = {end.figure.place: _towards(end, centres[end.figure.place], far * ln) for end, ln in ends}
    factor = math.exp(sum(far * ln * ln for ln in own))
    request = build_service(only_this_service(case, design), case.library, values).request
    here = {**design, "cluster": 0, "fabric_index": 0, "cooling_index": 0}
    only = on_plant(request, here, design["requests_per_second"], most)
    return only.model_copy(update={"target": only.target.slowed(factor)})


def slowness(end: SlowEnd, centre: float) -> float:
    """How much slower a figure's slow end makes a service, in ln.

    No step takes longer by more than the factor of the one figure that slows it, while the load of a layout
    at the edge of its latencies may fall to nothing: so much a figure counts at most.
    """
    if end.value > 0.0 and centre > 0.0:
        return min(end.slower_ln, abs(math.log(end.value / centre)))
    return min(end.slower_ln, 1.0)


def slow_ln(error: ModelError) -> float:
    """ln(time) at P90 over the centre of an error of the model: its scatter, and what can only be slower."""
    return Z90 * error.sigma_ln + error.slow_ln


def _towards(end: SlowEnd, centre: float, share: float) -> float:
    """A figure at so many times its way from the centre to its slow end."""
    if end.value > 0.0 and centre > 0.0:
        return float(centre * (end.value / centre) ** share)
    return centre + (end.value - centre) * share
