"""Shadow prices of a service: what one more of each limit, or a slower target, is worth.

Each price is a whole search of layouts, pools and counts on the plant of the answer (its system, fabric,
cooling and power cap) with that constraint relaxed and everything else kept, by the closed forms. As for
training, the step is one unit, or a tenth of the limit where that is less or where a unit changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner import engine
from planner.errors import EngineError
from planner.plan.service_parts import ServicePrice
from planner.plan.service_study import narrowed
from planner.problem import serving_wire
from planner.problem.surroundings import MOST_CARDS

Wire = Mapping[str, Any]
SHARE = 0.1
OBJECTIVES = {
    "cards": "cards",
    "throughput": "requests/s",
    "power": "MW",
    "energy": "MWh a year",
    "capex": "USD",
    "tco": "USD a year",
    "tokens_per_joule": "tokens/J",
}
_LIMITS = {
    "facility_watts": ("MW", 1e6),
    "it_watts": ("MW", 1e6),
    "nameplate_watts": ("MW", 1e6),
    "transformer_watts": ("MW", 1e6),
    "ups_watts": ("MW", 1e6),
    "nameplate_intake_watts": ("MW", 1e6),
    "liquid_watts": ("MW", 1e6),
    "air_watts": ("MW", 1e6),
    "racks": ("racks", 1.0),
    "floor_m2": ("m2", 1.0),
    "capex_usd": ("USD", 1e6),
}


@dataclass(frozen=True)
class _Constraint:
    """Something that may be relaxed; ``unit`` has the sign in which it relaxes."""

    name: str
    words: str
    limit: float
    unit: float
    whole: bool = False

    @property
    def steps(self) -> tuple[float, float]:
        """A small step and a large one."""
        tenth = abs(self.limit) * SHARE * (1.0 if self.unit > 0.0 else -1.0)
        if self.whole:
            return self.unit, max(self.unit, float(round(tenth / self.unit)) * self.unit)
        return min(self.unit, tenth, key=abs), tenth


def prices_of(request: serving_wire.ServiceRequest, design: Wire) -> list[ServicePrice]:
    """The prices of the constraints that ``request`` states, those without effect last.

    Empty where the plant of ``design`` holds no service by the closed forms.
    """
    base = narrowed(request, design)
    objective = "throughput" if base.target.requests_per_second is None else base.search.objective
    known = constraints(base)
    before, *larger = _searched([base, *(_relaxed(base, one, one.steps[1]) for one in known)])
    if before is None:
        return []
    large = dict(zip(known, larger, strict=True))
    gaining = [one for one in known if _better(objective, large[one], before)]
    small = dict(zip(gaining, _searched([_relaxed(base, one, one.steps[0]) for one in gaining]), strict=True))
    found = []
    for one in known:
        step, after = one.steps[1], large[one]
        if one in small and _better(objective, small[one], before):
            step, after = one.steps[0], small[one]
        found.append(_price(one, step, objective, before, after if one in gaining else before))
    return sorted(found, key=lambda price: price.per_unit == 0.0)


def constraints(request: serving_wire.ServiceRequest) -> list[_Constraint]:
    """What the problem states, in the order of the scenario's keys."""
    target, limits, cluster = request.target, request.limits, request.clusters[0]
    found = []
    if target.requests_per_second is not None:
        rate = target.requests_per_second
        found.append(_Constraint("target.requests_per_second", "requests/s", rate, -0.01 * rate))
    for name in ("ttft", "tpot"):
        wanted = getattr(target, name)
        if wanted is not None:
            found.append(_Constraint(f"target.{name}", "s", wanted.seconds, 1e-3))
    if target.tokens_per_second_per_card is not None:
        least = target.tokens_per_second_per_card
        found.append(_Constraint("target.tokens_per_second_per_card", "tokens/s", least, -0.01 * least))
    if limits.cards_max < MOST_CARDS:
        unit = float(cluster.unit_cards)
        found.append(_Constraint("limits.cards_max", "cards", float(limits.cards_max), unit, whole=True))
    for name, (words, unit) in _LIMITS.items():
        value = getattr(limits, name)
        if value is not None:
            found.append(_Constraint(f"limits.{name}", words, float(value), unit, whole=name == "racks"))
    found.append(_Constraint("memory", "GB", cluster.device.memory, 1e9))
    return found


def _relaxed(
    request: serving_wire.ServiceRequest, one: _Constraint, step: float
) -> serving_wire.ServiceRequest:
    table, _, key = one.name.partition(".")
    if table == "memory":
        cluster = request.clusters[0]
        device = cluster.device.model_copy(update={"memory": cluster.device.memory + step})
        return request.model_copy(update={"clusters": (cluster.model_copy(update={"device": device}),)})
    part = getattr(request, "target" if table == "target" else "limits")
    value = getattr(part, key)
    if key in {"ttft", "tpot"}:
        value = value.model_copy(update={"seconds": value.seconds + step})
    else:
        value = type(value)(value + step)
    return request.model_copy(update={table: part.model_copy(update={key: value})})


def _searched(requests: Sequence[serving_wire.ServiceRequest]) -> list[Wire | None]:
    answers = engine.size_services(requests, threads=0)
    return [None if isinstance(answer, EngineError) else answer["best"] for answer in answers]


def _value(objective: str, design: Wire) -> float:
    facility, cost = design["facility"], design["cost"]
    values = {
        "throughput": design["most_requests_per_second"],
        "power": facility["facility_design_megawatts"],
        "energy": facility["energy_mwh_per_year"],
        "capex": cost["capex_usd"],
        "tco": cost["tco_usd_per_year"],
        "tokens_per_joule": design["output_tokens_per_second"] / (facility["facility_megawatts"] * 1e6),
    }
    if objective not in values:
        return float(design["cards"]["total"])
    value = values[objective]
    # Objectives in money are refused where a price is missing.
    assert value is not None
    return float(value)


def _better(objective: str, after: Wire | None, before: Wire) -> bool:
    if after is None:
        return False
    one, other = _value(objective, after), _value(objective, before)
    more = objective in {"throughput", "tokens_per_joule"}
    # The most load is found to a millionth.
    return one > other * (1.0 + 1e-5) if more else one < other * (1.0 - 1e-9)


def _price(one: _Constraint, step: float, objective: str, before: Wire, after: Wire | None) -> ServicePrice:
    scale = {"MW": 1e6, "GB": 1e9}.get(one.words, 1.0)
    old, new = _value(objective, before), _value(objective, after or before)
    return ServicePrice(
        constraint=one.name,
        unit=one.words,
        limit=one.limit / scale,
        step=step / scale,
        objective=objective,
        objective_unit=OBJECTIVES.get(objective, "cards"),
        before=old,
        after=new,
        per_unit=abs((new - old) / (step / scale)),
        cards=(after or before)["cards"]["total"],
    )
