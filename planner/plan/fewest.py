"""The fewest cards that meet the target in every draw, and how near that comes to a full search of the draw.

The layouts that some full searches pick (a pilot: draws of their own) are the families; in every draw each
family takes the data ranks and spares that the draw asks for. Other draws are searched in full to check it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner import engine
from planner.errors import EngineError
from planner.plan.candidates import chosen
from planner.plan.drawn import Drawn, Prepared
from planner.plan.draws import Floats
from planner.plan.risk_parts import Check
from planner.problem import wire

Wire = Mapping[str, Any]
PILOT = 64
"""Draws whose best layouts are the families."""
PILOT_SEED = 1_000_003
"""Added to the seed: the pilot is not the draws it is used for."""
CHECKED = 64
"""Draws that are also answered by a full search."""
MOST_FAMILIES = 128
LADDER = 160
"""Sizes that the draws ask for which become designs of their own."""


@dataclass(frozen=True)
class Fewest:
    """The smallest design of every draw."""

    families: tuple[wire.DesignChoice, ...]
    """Layouts on plants, data ranks and cards open."""
    cards: Floats
    """Per draw; infinite where no family does."""
    family: Floats
    ranks: Floats

    def ladder(self) -> list[wire.DesignChoice]:
        """Designs of draws, evenly over the draws in the order of their cards."""
        order = [
            int(place) for place in np.lexsort((self.family, self.cards)) if np.isfinite(self.cards[place])
        ]
        if not order:
            return []
        places = np.unique(np.linspace(0, len(order) - 1, LADDER).round().astype(int))
        found: dict[str, wire.DesignChoice] = {}
        for place in (order[int(rank)] for rank in places):
            choice = self._design(place)
            found.setdefault(choice.model_dump_json(), choice)
        return list(found.values())

    def _design(self, place: int) -> wire.DesignChoice:
        family = self.families[int(self.family[place])]
        layout = family.layout.model_copy(update={"dp": int(self.ranks[place])})
        return family.model_copy(update={"layout": layout, "cards": int(self.cards[place])})


def fewest(drawn: Drawn, families: Sequence[wire.DesignChoice], limit: float) -> Fewest:
    """The fewest cards of ``families`` per draw within ``limit`` days."""
    of = drawn.of
    found = engine.fewest(of.request, families, of.leaves.pointers, drawn.matrix, drawn.days(limit))
    return Fewest(tuple(families), found[:, 0], found[:, 1], found[:, 2])


def families_of(
    of: Prepared, known: Sequence[wire.DesignChoice], limit: float, seed: int
) -> list[wire.DesignChoice]:
    """Layouts that win full searches of draws, the most frequent first, then ``known`` ones.

    Each also on the other networks and coolings of its cluster, as long as there is room.
    """
    pilot = of.draws(PILOT, seed + PILOT_SEED)
    first = list(dict.fromkeys(_open(choice) for choice in known))
    tops = fewest(pilot, [_read(text) for text in first], limit).cards
    wins: Counter[str] = Counter()
    for design in searched(pilot, range(PILOT), limit, tops):
        if isinstance(design, Mapping):
            wins[_open(chosen(design))] += 1
    ranked = sorted(wins, key=lambda text: (-wins[text], text))
    plants = (text for own in ranked for text in _elsewhere(of.request, own))
    return [_read(text) for text in list(dict.fromkeys([*ranked, *first, *plants]))[:MOST_FAMILIES]]


def _open(choice: wire.DesignChoice) -> str:
    """A design as its family: data ranks and cards open."""
    layout = choice.layout.model_copy(update={"dp": 1})
    return choice.model_copy(update={"layout": layout, "cards": None}).model_dump_json()


def _read(text: str) -> wire.DesignChoice:
    return wire.DesignChoice.model_validate_json(text)


def _elsewhere(request: wire.Request, family: str) -> list[str]:
    """A family on every network and cooling of its cluster."""
    choice = _read(family)
    cluster = request.clusters[choice.cluster]
    return [
        choice.model_copy(update={"fabric": fabric, "cooling": cooling}).model_dump_json()
        for fabric in range(len(cluster.fabrics))
        for cooling in range(len(cluster.coolings))
    ]


def searched(
    drawn: Drawn, places: Sequence[int], limit: float, tops: Floats
) -> list[Wire | EngineError | None]:
    """The best design of some draws by full searches up to ``tops`` cards; None where there is none.

    Clusters that the model's own error slows alike are searched together, others by themselves.
    """
    request = drawn.of.request
    body = request.model_dump(by_alias=True)
    alike: dict[bytes, list[int]] = {}
    for cluster in range(len(request.clusters)):
        alike.setdefault(np.ascontiguousarray(drawn.factors[:, cluster]).tobytes(), []).append(cluster)
    groups = list(alike.values())
    requests = []
    for place in places:
        moved = json.loads(json.dumps(body))
        for pointer, value in zip(drawn.of.leaves.pointers, drawn.matrix[place], strict=True):
            _put(moved, pointer, float(value))
        whole = wire.Request.model_validate(moved)
        days = drawn.days(limit)[place]
        requests += [_narrowed(whole, group, float(days[group[0]]), float(tops[place])) for group in groups]
    answers = engine.size_many(requests, threads=0)
    steps = range(0, len(answers), len(groups))
    return [_best(answers[step : step + len(groups)], groups) for step in steps]


def _narrowed(request: wire.Request, clusters: Sequence[int], days: float, top: float) -> wire.Request:
    limits = request.limits
    most = limits.cards_max if not math.isfinite(top) else int(top)
    return request.model_copy(
        update={
            "clusters": tuple(request.clusters[cluster] for cluster in clusters),
            "target": wire.Target(days=days, tokens_per_second=None),
            "limits": limits.model_copy(update={"cards_min": min(limits.cards_min, most), "cards_max": most}),
            "search": request.search.model_copy(
                update={"objective": "cards", "front": (), "front_points": 1}
            ),
        }
    )


def _best(
    answers: Sequence[Wire | EngineError], groups: Sequence[Sequence[int]]
) -> Wire | EngineError | None:
    """The design with the fewest cards of the groups, its cluster counted in the whole problem."""
    designs = [
        {**answer["best"], "cluster": group[answer["best"]["cluster"]]}
        for answer, group in zip(answers, groups, strict=True)
        if isinstance(answer, Mapping) and answer["best"]
    ]
    if designs:
        return min(designs, key=lambda design: design["cards"]["total"])
    # Numbers at the edge of what can be: no problem of any cluster could be stated.
    refused = [answer for answer in answers if isinstance(answer, EngineError)]
    return refused[0] if len(refused) == len(answers) else None


def _put(body: Any, pointer: str, value: float) -> None:
    *path, last = pointer.strip("/").split("/")
    for step in path:
        body = body[int(step)] if isinstance(body, list) else body[step]
    body[int(last) if isinstance(body, list) else last] = value


def checked(drawn: Drawn, found: Fewest, limit: float) -> Check:
    """The first draws again, by full searches of what was found and below."""
    count = min(CHECKED, len(found.cards))
    unit = max(cluster.unit_cards for cluster in drawn.of.request.clusters)
    over: list[float] = []
    answered = same = missed = 0
    for design, cards in zip(
        searched(drawn, range(count), limit, found.cards), found.cards[:count], strict=True
    ):
        if isinstance(design, EngineError):
            continue
        answered += 1
        if design is None:
            # Nothing is found in either way, or what was found is no plan of the search: then they disagree.
            same += not math.isfinite(cards)
        elif not math.isfinite(cards):
            missed += 1
        else:
            best = design["cards"]["total"]
            same += abs(cards - best) <= unit
            over.append(float(cards) / best - 1.0)
    return Check(
        samples=answered,
        agreeing=same,
        missed=missed,
        worst=max(over, default=None),
        mean=float(np.mean(over)) if over else None,
        pilot=PILOT,
        families=len(found.families),
    )
