"""How many cards to be 90 % sure: the same plant, sized until draws of it meet the target that often."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from planner.plan.account import Confidence, Sureness
from planner.problem import wire

RELAXED = 4
"""How far the limit on cards is lifted: beyond, the answer is no longer the same plan."""
MOST_TIMES = 8
"""Times the cards of the central answer that are tried at most."""

ROUNDS = 4
"""Searches for the right size, at most."""
NEAR = 0.95
"""Share of the days allowed that is near enough to them: draws are not told apart further."""
AIMED = 0.98
"""Share of the days allowed that a further search aims at."""
SECONDS_PER_DAY = 86400.0
Wire = Mapping[str, Any]
Size = Callable[[wire.Request], Wire]


class Slow(Protocol):
    """Draws of the plant of the central answer (`planner.plan.spread`)."""

    def days(self, choice: wire.DesignChoice, probability: float) -> float:
        """Days within which a design does it with a probability; infinite where it may not at all."""

    def runs(self, choice: wire.DesignChoice) -> float:
        """Share of the draws in which a design can run at all."""

    def met(self, choice: wire.DesignChoice, days: float) -> float:
        """Share of the draws in which a design takes so many days at most, inside all limits."""

    def slowed(
        self, choice: wire.DesignChoice, probability: float, reach: float, unfit: wire.DesignChoice | None
    ) -> tuple[wire.Request, float]:
        """The plant where all goes as badly as at the slow end of a design, and the model's error there."""


def confidence(
    request: wire.Request, design: Wire, slow: Slow, probability: float, size: Size
) -> Confidence | None:
    """Cards that meet the target with ``probability``; None without a target.

    The fewest cards where all goes as badly as at the slow end of the central answer; draws then say how
    often what was found meets the target, and how much worse it must be looked for. System, fabric, cooling
    and power cap stay as chosen; layouts and spares are searched anew.

    Args:
        request: the question.
        design: the central answer.
        slow: draws of its plant.
        probability: from 0 to 1.
        size: the search.
    """
    allowed = days_allowed(request)
    if allowed is None:
        return None
    best, tried, seen = _sure(request, design, allowed, slow, probability, size)
    return Confidence(
        probability=probability,
        cards=None if best is None else best["cards"]["total"],
        cards_tried=tried,
        system=None if best is None else best["system"],
        days_p50=None if best is None else slow.days(on_plant(best), 0.5),
        facility_megawatts=None if best is None else best["facility"]["facility_megawatts"],
        nearest=None if best is not None else _nearest(seen, allowed, slow, probability),
    )


def _nearest(seen: Sequence[Wire], allowed: float, slow: Slow, probability: float) -> Sureness:
    """Of the designs looked at, the one most often in time; of equal ones that with the fewest cards."""
    rows = [(slow.met(on_plant(design), allowed), -design["cards"]["total"], design) for design in seen]
    met, _, design = max(rows, key=lambda row: row[:2])
    days = slow.days(on_plant(design), probability)
    return Sureness(cards=design["cards"]["total"], met=met, days=days if math.isfinite(days) else None)


def _sure(  # noqa: PLR0917
    request: wire.Request, design: Wire, allowed: float, slow: Slow, probability: float, size: Size
) -> tuple[Wire | None, int, list[Wire]]:
    """The smallest design that keeps to ``allowed`` days in so many draws, the most cards tried, all seen."""
    central = on_plant(design)
    own = slow.days(central, probability)
    if own <= allowed:
        return design, design["cards"]["total"], [design]
    best: Wire | None = None
    seen = [design]
    reach, tried = 1.0, design["cards"]["total"]
    # Draws without memory for a design take from those in which it may be slow: few are left to them.
    least = 1.0 - (1.0 - probability) / 4.0
    unfit = None if slow.runs(central) >= least else central
    for _ in range(ROUNDS):
        plant, factor = slow.slowed(central, probability, reach, unfit)
        asked = _asked(request, plant, design, allowed / factor)
        tried = asked.limits.cards_max
        answer = size(asked)
        found = answer["best"]
        if found is None:
            # The fastest of those sizes where all goes that badly: nothing comes nearer.
            near = (answer["nearest"] or {}).get("design")
            seen += [near] if near and near["cards"]["total"] <= tried else []
            break
        seen.append(found)
        taken = slow.days(on_plant(found), probability)
        if taken <= allowed and (best is None or found["cards"]["total"] < best["cards"]["total"]):
            best = found
        if allowed * NEAR <= taken <= allowed:
            break
        if slow.runs(on_plant(found)) < least:
            unfit = on_plant(found)
            continue
        # As far as it takes where days fall with reach as they did so far.
        fallen = math.log(own / taken) if math.isfinite(own) else 0.0
        wanted = math.log(own / (allowed * AIMED)) / fallen if fallen > 0.0 else 1.2
        reach *= min(max(wanted, 0.5), 1.5)
    return best, tried, seen


def on_plant(design: Wire) -> wire.DesignChoice:
    """A design as a choice of the request that holds nothing but its plant."""
    layout = wire.LayoutOfDesign.model_validate(dict(design["layout"]))
    return wire.DesignChoice(
        cluster=0,
        fabric=0,
        cooling=0,
        power_cap=design["power_cap"],
        cards=design["cards"]["total"],
        layout=layout,
    )


def days_allowed(request: wire.Request) -> float | None:
    """The target as calendar days for all tokens; None without one."""
    target, tokens = request.target, request.training.tokens
    by_rate = None
    if target.tokens_per_second is not None:
        by_rate = tokens / target.tokens_per_second / SECONDS_PER_DAY
    known = [limit for limit in (target.days, by_rate) if limit is not None]
    return min(known) if known else None


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


def _asked(request: wire.Request, plant: wire.Request, design: Wire, days: float) -> wire.Request:
    """The fewest cards of a plant for so many ``days``, with more cards allowed than the question does."""
    limits, cards = request.limits, design["cards"]["total"]
    room = {
        "cards_min": min(cards, limits.cards_max),
        "cards_max": min(limits.cards_max * RELAXED, cards * MOST_TIMES),
    }
    search = {"objective": "cards", "front": (), "front_points": 1, "runners_up": 0, "similar": 0.0}
    return plant.model_copy(
        update={
            "target": wire.Target(days=days, tokens_per_second=None),
            "limits": plant.limits.model_copy(update=room),
            "search": request.search.model_copy(update=search),
        }
    )
