"""Why a contender is behind the best of a comparison, and which it cannot be told from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from planner.plan.account import Band
from planner.plan.shown import number

if TYPE_CHECKING:
    from planner.plan.compare import Contender


MOSTLY_AT_WORK = 0.75
"""With a smaller share of its cards at work a contender is told to lose by the steps that it is sold in."""


def rate_words(item: Contender) -> str:
    """What the rate of a contender counts: items of a generic service have no tokens."""
    generic = item.service is not None and item.service.tpot_seconds is None
    return "items/s" if generic else "tokens/s"


def level_with(own: Contender, others: Sequence[Contender], by_cards: bool) -> list[str]:
    """Systems whose 80 % range overlaps that of ``own``: the model cannot tell them apart.

    What is compared is what they are ranked by: tokens per second; where the fewest cards win, tokens per
    second of a card, since all carry the same load.
    """
    mine = _measure(own, by_cards)
    if mine is None:
        return []
    return [
        other.system
        for other in others
        if other.system != own.system
        and (theirs := _measure(other, by_cards)) is not None
        and mine.p10 <= theirs.p90
        and theirs.p10 <= mine.p90
    ]


def _measure(item: Contender, by_cards: bool) -> Band | None:
    band = item.tokens_per_second_band
    if band is None or not by_cards:
        return band
    cards = item.cards or 1
    return Band(p10=band.p10 / cards, p50=band.p50 / cards, p90=band.p90 / cards)


def why_behind(own: Contender, best: Contender) -> str:
    """The factors of throughput that ``own`` has less of than ``best``, the weightiest first.

    Tokens/s = matrix peak of all cards x (kernel / matrix) x (step / kernel) x goodput, up to the FLOPs of a
    token, which are the same for all.
    """
    mine, theirs = own.waterfall, best.waterfall
    if not own.cards or not best.cards:
        return "not known: a figure of the comparison is missing"
    if mine is None or theirs is None:
        return _yields(own, best)
    ratios: Mapping[str, float] = {
        _bought(own, best): mine.matrix_engine / theirs.matrix_engine,
        "kernels nearer to their peak": (mine.kernel / mine.matrix_engine)
        / (theirs.kernel / theirs.matrix_engine),
        "less traffic, bubble and overhead in the step": (mine.step / mine.kernel)
        / (theirs.step / theirs.kernel),
        "fewer failures": (mine.goodput / mine.step) / (theirs.goodput / theirs.step),
    }
    losses = sorted((math.log(ratio), words, ratio) for words, ratio in ratios.items() if ratio < 0.99)
    if not losses:
        return "behind by rounding only"
    return "; ".join(_loss(words, ratio) for _, words, ratio in losses[:2])


def _yields(own: Contender, best: Contender) -> str:
    """Of services, and where no peak is known: cards within the limit, and tokens/s of one."""
    cards = (own.cards or 1) / (best.cards or 1)
    each = (own.tokens_per_second or 0.0) / (best.tokens_per_second or 1.0) / cards
    sides = [(item.tokens_per_second or 0.0) / (item.cards or 1) for item in (own, best)]
    at_work = own.service.active_cards if own.service else None
    idle = at_work is not None and own.cards is not None and at_work < MOSTLY_AT_WORK * own.cards
    whole = f"; {at_work:,} of its {own.cards:,} cards are at work, it is sold in such steps" if idle else ""
    return (
        f"x{each:.2f} a card ({number(sides[0])} against {number(sides[1])} {rate_words(own)}), "
        f"x{cards:.2f} the cards ({own.cards:,} against {best.cards:,}){whole}"
    )


def _loss(words: str, ratio: float) -> str:
    if words.startswith(("kernels", "less", "fewer")):
        return f"x{ratio:.2f}: the best has {words}"
    return f"x{ratio:.2f}: {words}"


def _bought(own: Contender, best: Contender) -> str:
    """The compute that the limit buys, and what one card of each takes and gives."""
    sides = [_card(item) for item in (own, best)]
    return f"compute that the limit buys ({sides[0]} against {sides[1]})"


def _card(item: Contender) -> str:
    cards = item.cards or 1
    peak = item.waterfall.matrix_engine / cards * 1e3 if item.waterfall else 0.0
    power = (
        "" if item.facility_megawatts is None else f" at {number(item.facility_megawatts * 1e3 / cards)} kW"
    )
    return f"{cards:,} cards of {number(peak)} TFLOP/s{power}"
