"""The fewest cards that carry the load in every draw of a service, and how near that comes to full searches.

As for training (`fewest`), the services that win full searches of draws of their own are what every draw
tries: each kind of prefill pool with each kind of decode pool, and each aggregated one, with as many
instances as the draw asks for. All of it on the plant of the answer: its system, fabric, cooling and power
cap.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from planner import engine
from planner.errors import EngineError
from planner.lazy import np
from planner.plan.draws import Floats
from planner.plan.fewest import CHECKED, PILOT_SEED, compared, patched
from planner.plan.risk_parts import Check
from planner.plan.service_draws import RATE, Draws
from planner.plan.service_study import choice_of, on_plant
from planner.problem import serving_wire

Wire = Mapping[str, Any]
Role = Literal["prefill", "decode", "all"]
MOST_KINDS = 24
WIDENED = 4
"""Times as much of the other pool, so that it does not bound."""
SERVICE_PILOT = 32
"""Draws whose best services are the families."""
LOOKED_AT = 512
"""Draws whose cards are found: a service takes a hundred times as long to evaluate as a training step."""


@dataclass(frozen=True)
class ServiceFewest:
    """Cards by draw, of the first draws."""

    cards: Floats
    kinds: int
    """Kinds of pools that were tried."""


@dataclass(frozen=True)
class Kind:
    """A kind of pool, in the service that brought it."""

    role: Role
    choice: serving_wire.ServiceChoice
    cards: float
    """Of one instance."""
    spares: int
    """Instances that stand by."""

    @property
    def key(self) -> str:
        """Pools with the same instances and precision are one kind."""
        pool = self.pool
        return json.dumps([self.role, self.choice.precision, pool.instance.model_dump()])

    @property
    def pool(self) -> serving_wire.NamedPool:
        """Its pool."""
        found = self.choice.prefill if self.role == "prefill" else self.choice.main
        assert found is not None
        return found

    def alone(self, beside: Kind | None = None) -> serving_wire.ServiceChoice:
        """The service with so much of the other pool that this one bounds it; ``beside``: another one's."""
        if self.choice.prefill is None:
            return self.choice
        own = self.choice.main if self.role == "prefill" else self.choice.prefill
        other = own if beside is None else beside.pool
        many = other.model_copy(update={"instances": other.instances * WIDENED})
        return self.choice.model_copy(
            update={"main" if self.role == "prefill" else "prefill": many, "cards": None}
        )


@dataclass(frozen=True)
class Tried:
    """Kinds of pools with the highest load of one instance in each of the first draws."""

    draws: Draws
    """The draws looked at; no limit on cards."""
    rates: Sequence[tuple[Kind, Floats]]

    def of(self, role: Role) -> list[tuple[Kind, Floats]]:
        """The kinds of a role."""
        return [(kind, rates) for kind, rates in self.rates if kind.role == role]


def kinds_of(draws: Draws, design: Wire, asked: float) -> Tried:
    """The kinds of pools that win full searches of other draws on the plant of ``design``."""
    pilot = draws.again(max(64, SERVICE_PILOT), draws.seed + PILOT_SEED)
    wins = searched(pilot, range(SERVICE_PILOT), design, asked, np.full(pilot.samples, np.inf))
    found = Counter[str]()
    kinds: dict[str, Kind] = {}
    for best in (design, *wins):
        if isinstance(best, Mapping):
            for kind in _kinds(placed(design, best), draws.problem.request):
                found[kind.key] += 1
                kinds.setdefault(kind.key, kind)
    kept = [kinds[key] for key, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))]
    # So much of the other pool may be more than the limit, which holds for what is needed of both.
    looked = draws.first(LOOKED_AT).unbounded()
    each = [(kind, rates / kind.pool.instances) for kind, rates in _rates(kept[:MOST_KINDS], looked, asked)]
    return Tried(looked, each)


def fewest_of(draws: Draws, design: Wire, asked: float, tried: Tried) -> tuple[ServiceFewest, Check]:
    """The fewest cards of the first draws that carry ``asked``, and their check by full searches."""
    cluster = draws.request.clusters[design["cluster"]]
    nothing = np.full(tried.draws.samples, np.inf)
    least: dict[tuple[Role, int], Floats] = {}
    for kind, rates in tried.rates:
        key = kind.role, kind.choice.precision
        own = cards_of(kind, instances_of(rates, asked), cluster.cards_per_server)
        least[key] = np.minimum(least.get(key, nothing), own)
    cards = nothing
    # Pools of one service have the same formats.
    for formats in {formats for _, formats in least}:
        apart = least.get(("prefill", formats), nothing) + least.get(("decode", formats), nothing)
        cards = np.minimum(cards, np.minimum(apart, least.get(("all", formats), nothing)))
    whole = np.ceil(cards / cluster.unit_cards - 1e-9) * cluster.unit_cards
    cards = np.where(whole <= draws.request.limits.cards_max, whole, np.inf)
    done = ServiceFewest(cards, len(tried.rates))
    return done, _checked(draws, done, design, asked)


def _rates(kinds: Sequence[Kind], draws: Draws, asked: float) -> list[tuple[Kind, Floats]]:
    """Highest loads of the pools by draw.

    Where the pool beside it does not fit in a draw, a pool is looked at beside the one that fits most often.
    """
    rates = {kind.key: draws.of(kind.alone(), asked)[:, RATE] for kind in kinds}
    steady: dict[Role, Kind] = {}
    for kind in kinds:
        best = steady.get(kind.role)
        if best is None or (rates[kind.key] > 0).sum() > (rates[best.key] > 0).sum():
            steady[kind.role] = kind
    for kind in kinds:
        beside = steady.get("prefill" if kind.role == "decode" else "decode")
        if kind.role != "all" and beside is not None and not (rates[kind.key] > 0).all():
            again = draws.of(kind.alone(beside), asked)[:, RATE]
            rates[kind.key] = np.maximum(rates[kind.key], again)
    return [(kind, rates[kind.key]) for kind in kinds]


def _kinds(design: Wire, request: serving_wire.ServiceRequest) -> list[Kind]:
    choice = choice_of(design, request)
    roles: list[Role] = ["prefill", "decode"] if choice.prefill is not None else ["all"]
    return [
        Kind(role, choice, pool["active_cards"] / pool["instances"], pool["spare_instances"])
        for role, pool in zip(roles, design["pools"], strict=True)
    ]


def instances_of(rates: Floats, asked: float) -> Floats:
    """Per draw, the instances that carry the load at so much each; infinite where none does."""
    with np.errstate(divide="ignore"):
        out: Floats = np.ceil(asked / rates - 1e-9)
    return out


def cards_of(kind: Kind, instances: Floats, per_server: int) -> Floats:
    """Cards of pools of so many instances at work, spares beside them; pools share no server."""
    out: Floats = np.ceil((instances + kind.spares) * kind.cards / per_server - 1e-9) * per_server
    return out


def searched(
    draws: Draws, places: Sequence[int], design: Wire, asked: float, tops: Floats
) -> list[Wire | EngineError | None]:
    """The best service of some draws on the plant of ``design`` by full searches up to ``tops`` cards."""
    body = draws.request.model_dump(by_alias=True)
    most = draws.request.limits.cards_max
    requests = []
    for place in places:
        moved = patched(body, draws.leaves.pointers, draws.matrix[place])
        whole = serving_wire.ServiceRequest.model_validate(moved)
        top = most if not math.isfinite(tops[place]) else int(tops[place])
        only = on_plant(whole, design, asked, top)
        slowed = only.target.slowed(float(draws.factor[place]))
        requests.append(only.model_copy(update={"target": slowed}))
    answers = engine.size_services(requests, threads=0)
    return [answer if isinstance(answer, EngineError) else answer["best"] for answer in answers]


def placed(central: Wire, found: Wire) -> Wire:
    """A design of a problem narrowed to the plant of ``central``, with the indices of the whole problem."""
    return {**found, **{name: central[name] for name in ("cluster", "fabric_index", "cooling_index")}}


def _checked(draws: Draws, found: ServiceFewest, design: Wire, asked: float) -> Check:
    count = min(CHECKED, len(found.cards))
    unit = draws.request.clusters[design["cluster"]].unit_cards
    # One unit more than was found: a copy may round differently from the search.
    tops = found.cards + unit
    bests = searched(draws, range(count), design, asked, tops)
    return compared(found.cards, bests, unit, found.kinds, SERVICE_PILOT)
