"""What two answers about services are compared by, and what makes the difference up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.difference.causes import Outputs, Parts, capital_by_part, factored, megawatts_by_part
from planner.plan.model import Plan
from planner.plan.service_parts import ServicePool

SERVICE_OUTPUTS = {
    "cards": "cards",
    "requests_per_second": "requests/s",
    "facility_megawatts": "MW",
    "capex_usd": "USD",
    "usd_per_million": "USD",
}
"""Cards, the most requests (items) per second, power, capital, a million tokens at full load."""


def outputs_of_plan(plan: Plan) -> Outputs:
    """The compared outputs of a plan of a service."""
    served = plan.serving
    return {
        "cards": None if plan.cards is None else float(plan.cards.total),
        "requests_per_second": None if served is None else served.most_requests_per_second,
        "facility_megawatts": None if plan.facility is None else plan.facility.facility_megawatts,
        "capex_usd": None if plan.cost is None else plan.cost.capex_usd,
        "usd_per_million": None if served is None else served.cost_per_million[0].usd,
    }


def outputs_of_design(design: Mapping[str, Any]) -> Outputs:
    """The same of the engine's evaluation."""
    return {
        "cards": float(design["cards"]["total"]),
        "requests_per_second": design["most_requests_per_second"],
        "facility_megawatts": design["facility"]["facility_megawatts"],
        "capex_usd": design["cost"]["capex_usd"],
        "usd_per_million": design["cost_per_million"][0]["usd"],
    }


def parts_of(a: Plan, b: Plan) -> dict[str, Parts | None]:
    """What makes up the difference, output by output; each sums to it."""
    return {
        "cards": _cards(a, b),
        "requests_per_second": _requests(a, b),
        "facility_megawatts": megawatts_by_part(a, b),
        "capex_usd": capital_by_part(a, b),
        "usd_per_million": _per_million(a, b),
    }


def _cards(a: Plan, b: Plan) -> Parts | None:
    """Cards: instances at work and cards of an instance of each pool, spare instances, servers not filled."""
    if a.cards is None or b.cards is None:
        return None
    parts: Parts = {}
    roles = dict.fromkeys(pool.role for plan in (a, b) for pool in plan.pools)
    for role in roles:
        first, second = _pool(a, role), _pool(b, role)
        if first is None or second is None:
            change = (second.active_cards if second else 0.0) - (first.active_cards if first else 0.0)
            parts[f"{role} pool"] = change
            continue
        for name, value in factored(_size(first), _size(second)).items():
            parts[f"{role}: {name}"] = value
    idle = [plan.cards.total - sum(_active(plan)) for plan in (a, b) if plan.cards is not None]
    parts["spare instances and servers not filled"] = idle[1] - idle[0]
    return {name: change for name, change in parts.items() if change}


def _pool(plan: Plan, role: str) -> ServicePool | None:
    return next((item for item in plan.pools if isinstance(item, ServicePool) and item.role == role), None)


def _size(pool: ServicePool) -> dict[str, float]:
    return {
        "instances": float(pool.replicas),
        "cards of an instance": pool.active_cards / pool.replicas,
    }


def _active(plan: Plan) -> list[float]:
    return [item.active_cards for item in plan.pools if isinstance(item, ServicePool)]


def _requests(a: Plan, b: Plan) -> Parts | None:
    """Most requests per second: cards bought, the share of them at work, what a card at work gives."""
    sides = []
    for plan in (a, b):
        if plan.serving is None or plan.cards is None or not plan.serving.most_requests_per_second:
            return None
        at_work = sum(_active(plan))
        sides.append(
            {
                "cards": float(plan.cards.total),
                "share of cards at work": at_work / plan.cards.total,
                "requests/s of a card at work": plan.serving.most_requests_per_second / at_work,
            }
        )
    return factored(*sides)


def _per_million(a: Plan, b: Plan) -> Parts | None:
    """A million tokens at full load: cost of a card, cards for a request per second, its tokens."""
    sides = []
    for plan in (a, b):
        served, cost, cards = plan.serving, plan.cost, plan.cards
        if served is None or cost is None or cards is None or cost.tco_usd_per_year is None:
            return None
        usd = served.cost_per_million[0].usd
        if usd is None or not served.most_requests_per_second:
            return None
        of_card = cost.tco_usd_per_year / cards.total
        per_request = cards.total / served.most_requests_per_second
        sides.append(
            {
                "cost of a card and year": of_card,
                "cards per request/s": per_request,
                "tokens of a request": usd / (of_card * per_request),
            }
        )
    return factored(*sides)
