"""The designs that every draw evaluates: what is chosen, and what may be better in some of the draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from planner import engine
from planner.plan.confidence import MOST_TIMES, RELAXED, only_plant
from planner.plan.drawn import untargeted
from planner.problem import Problem, wire

Wire = Mapping[str, Any]
CANDIDATES = 320
"""Designs evaluated under every draw, at most."""
RUNNERS_UP = 200
"""Designs besides the chosen one that every draw evaluates at least, where the space has so many."""


def candidates_of(
    problem: Problem, result: Wire, design: Wire, best: Sequence[wire.DesignChoice] = ()
) -> list[wire.DesignChoice]:
    """The chosen design first; then the front, the ``best`` of draws, other sizes, and runners-up.

    At most `CANDIDATES`, and at least `RUNNERS_UP` besides the chosen one where the space has so many: what
    sizes leave of them are plants of other networks and coolings, and other layouts on the chosen plant.
    """
    request = problem.request
    base = design["cards"]["total"]
    found = _Choices(request, design)
    found.add([*result["front"], *result["runners_up"]])
    found.take(best)
    sizes = _around(request, base, ("cards", "days"), 5)["front"]
    # Half of the room at first, so that sizes alone do not crowd out what is cheaper or draws less.
    found.add(_thinned(sizes, base, (CANDIDATES - len(found.choices)) // 2))
    if len(found.choices) <= RUNNERS_UP:
        found.add(_around(request, base, ("cards", "facility_megawatts", "days"), 5)["front"])
    if len(found.choices) <= RUNNERS_UP:
        same = request.limits.model_copy(update={"cards_min": base, "cards_max": base})
        only = only_plant(request, design).model_copy(update={"limits": same})
        found.add(_fastest(only, ("cards", "days"), RUNNERS_UP)["runners_up"], design)
    found.add(sizes)
    return found.choices


class _Choices:
    """Different designs, up to `CANDIDATES`."""

    def __init__(self, request: wire.Request, design: Wire) -> None:
        self.request = request
        self.choices = [chosen(design)]

    def add(self, rows: Iterable[Wire], plant: Wire | None = None) -> None:
        self.take(_choice(self.request, row, plant) for row in rows)

    def take(self, choices: Iterable[wire.DesignChoice]) -> None:
        for choice in choices:
            if len(self.choices) >= CANDIDATES:
                return
            if choice not in self.choices:
                self.choices.append(choice)


def chosen(design: Wire) -> wire.DesignChoice:
    """A design of the engine as a choice of the request that it answers."""
    return wire.DesignChoice(
        cluster=design["cluster"],
        fabric=design["fabric_index"],
        cooling=design["cooling_index"],
        power_cap=design["power_cap"],
        cards=design["cards"]["total"],
        layout=wire.LayoutOfDesign.model_validate(dict(design["layout"])),
    )


def _around(request: wire.Request, base: int, axes: tuple[str, ...], runners_up: int) -> Wire:
    """The fastest layouts of all sizes from a third of ``base`` cards on."""
    limits = request.limits
    wide = limits.model_copy(
        update={
            "cards_min": max(1, min(base // 3, limits.cards_max)),
            "cards_max": min(limits.cards_max * RELAXED, base * MOST_TIMES),
        }
    )
    return _fastest(untargeted(request).model_copy(update={"limits": wide}), axes, runners_up)


def _fastest(request: wire.Request, axes: tuple[str, ...], runners_up: int) -> Wire:
    search = request.search.model_copy(
        update={
            "objective": "throughput",
            "weights": (),
            "front": axes,
            "front_points": 4096,
            "runners_up": runners_up,
        }
    )
    target = wire.Target(days=None, tokens_per_second=None)
    return engine.size(request.model_copy(update={"search": search, "target": target}))


def _thinned(rows: Sequence[Wire], base: int, room: int) -> list[Wire]:
    """At most ``room`` sizes, near ones in preference to far ones."""
    if len(rows) <= room:
        return list(rows)
    # Evenly in ln(cards): the step between sizes is a share of them.
    ordered = sorted(rows, key=lambda row: row["cards"])
    ends = math.log(ordered[0]["cards"] / base), math.log(ordered[-1]["cards"] / base)
    wanted = np.linspace(*ends, room)
    places = np.searchsorted([math.log(row["cards"] / base) for row in ordered], wanted)
    return [ordered[place] for place in sorted({min(int(p), len(ordered) - 1) for p in places})]


def _choice(request: wire.Request, row: Wire, plant: Wire | None = None) -> wire.DesignChoice:
    """A row of a search as a design; ``plant``: the design on whose plant alone was searched."""
    layout = wire.LayoutOfDesign.model_validate(dict(row["layout"]))
    if plant is not None:
        return chosen(plant).model_copy(update={"layout": layout, "cards": row["cards"]})
    cluster = next(i for i, item in enumerate(request.clusters) if item.system == row["system"])
    offered = request.clusters[cluster]
    wanted = (row["fabric"], row["fabric_kind"], row["oversubscription"])
    return wire.DesignChoice(
        cluster=cluster,
        fabric=next(
            i
            for i, item in enumerate(offered.fabrics)
            if (item.id, item.kind, item.oversubscription) == wanted
        ),
        cooling=next(i for i, item in enumerate(offered.coolings) if item.kind == row["cooling"]),
        power_cap=row["power_cap"],
        cards=row["cards"],
        layout=layout,
    )
