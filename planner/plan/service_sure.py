"""The fewest cards that carry the load in a wanted share of the draws.

The kinds of pools are those that win full searches of draws of their own (`service_fewest`); what is chosen
among them is exact: for every pair of a prefill and a decode kind, and every aggregated kind, the counts of
instances with the fewest cards that carry the load in so many of the draws at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planner.lazy import np
from planner.plan.draws import Floats
from planner.plan.service_draws import RATE, Draws
from planner.plan.service_fewest import Kind, Tried, cards_of, instances_of
from planner.problem import serving_wire

TRIES = 5
STEP = 1.04
"""Instances are raised by that where more draws than were looked at fall short of the probability."""


@dataclass(frozen=True)
class Sure:
    """A service, and how surely it carries the load."""

    choice: serving_wire.ServiceChoice
    cards: int
    met: float
    """Share of the draws in which it carries the load."""


@dataclass(frozen=True)
class _Counts:
    """Instances at work of one kind, or of a prefill and a decode kind."""

    cards: int
    share: float
    pools: tuple[tuple[Kind, int], ...]

    def choice(self, factor: float) -> serving_wire.ServiceChoice:
        """As the engine takes it, with ``factor`` times the instances."""
        named = [
            kind.pool.model_copy(update={"instances": math.ceil(count * factor - 1e-9)})
            for kind, count in self.pools
        ]
        base = self.pools[-1][0].choice
        return base.model_copy(
            update={"prefill": named[0] if len(named) > 1 else None, "main": named[-1], "cards": None}
        )


def surest(draws: Draws, tried: Tried, probability: float, most: int) -> tuple[Sure | None, Sure | None]:
    """The service of the fewest cards, at most ``most``, that carries the load with ``probability``.

    Where there is none, the second is the one that carries it most surely.
    """
    asked = draws.problem.request.target.requests_per_second
    assert asked is not None
    many = tried.draws.samples
    needed = max(1, math.ceil(probability * many - 1e-9))
    options = [item for item in _options(draws, tried, asked, needed) if item.cards <= most]
    for item in sorted(options, key=lambda item: item.cards):
        for time in range(TRIES):
            found = _drawn(draws, item, STEP**time, asked)
            if found.met >= probability and found.cards <= most:
                return found, None
    return None, _most_sure(draws, tried, asked, most)


def _options(draws: Draws, tried: Tried, asked: float, needed: int) -> Iterator[_Counts]:
    """Per kind or pair of kinds, the counts with the fewest cards that carry the load in ``needed`` draws."""
    for pair in _pairs(tried):
        counts = [instances_of(rates, asked) for _, rates in pair]
        best: _Counts | None = None
        for first in np.unique(counts[0][np.isfinite(counts[0])]):
            held = counts[0] <= first
            if held.sum() < needed:
                continue
            last = np.sort(counts[-1][held])[needed - 1]
            if not math.isfinite(last):
                continue
            found = _counts(draws, pair, (int(first), int(last))[: len(pair)], needed / len(held))
            if best is None or found.cards < best.cards:
                best = found
            if len(pair) == 1:
                break
        if best is not None:
            yield best


def _most_sure(draws: Draws, tried: Tried, asked: float, most: int) -> Sure | None:
    """The service that carries the load in the most draws with at most ``most`` cards; then the smallest."""
    best: _Counts | None = None
    for pair in _pairs(tried):
        counts = [instances_of(rates, asked) for _, rates in pair]
        for first in np.unique(counts[0][np.isfinite(counts[0])]):
            for last in np.unique(counts[-1][np.isfinite(counts[-1])]) if len(pair) > 1 else [first]:
                share = float(((counts[0] <= first) & (counts[-1] <= last)).mean())
                found = _counts(draws, pair, (int(first), int(last))[: len(pair)], share)
                better = best is None or (-found.share, found.cards) < (-best.share, best.cards)
                if found.cards <= most and better:
                    best = found
    return None if best is None or best.share <= 0.0 else _drawn(draws, best, 1.0, asked)


def _pairs(tried: Tried) -> Iterator[tuple[tuple[Kind, Floats], ...]]:
    for one in tried.of("all"):
        yield (one,)
    for front in tried.of("prefill"):
        for back in tried.of("decode"):
            # Pools of one service have the same formats.
            if front[0].choice.precision == back[0].choice.precision:
                yield (front, back)


def _counts(
    draws: Draws, pair: tuple[tuple[Kind, Floats], ...], counts: tuple[int, ...], share: float
) -> _Counts:
    pools = tuple((kind, count) for (kind, _), count in zip(pair, counts, strict=True))
    cluster = draws.request.clusters[pools[0][0].choice.cluster]
    cards = sum(
        float(cards_of(kind, np.array([float(count)]), cluster.cards_per_server)[0]) for kind, count in pools
    )
    return _Counts(math.ceil(cards / cluster.unit_cards - 1e-9) * cluster.unit_cards, share, pools)


def _drawn(draws: Draws, item: _Counts, factor: float, asked: float) -> Sure:
    choice = item.choice(factor)
    met = float((draws.unbounded().of(choice, asked)[:, RATE] >= asked).mean())
    kinds = tuple(((kind, np.empty(0)) for kind, _ in item.pools))
    counts = [pool.instances for pool in (choice.prefill, choice.main) if pool is not None]
    return Sure(choice, _counts(draws, kinds, tuple(counts), met).cards, met)
