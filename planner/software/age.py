"""Software of a chip just released is slower than it will be: what that costs, and how fast it passes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

PASSES_IN = 0.7
"""Years in which the loss falls to 1/e of itself: of 0.4, 0.7, 1 and 1.5 the one with the least error on
groups left out of the fit (5.473, 5.470, 5.482 and 5.499 %: the runs hardly tell them apart)."""


def years_between(released: str | None, date: str | None) -> float | None:
    """Years from the release of a chip to a date, at least 0; a year alone is its middle. None: not known."""
    if released is None or date is None:
        return None
    return max(0.0, (month_number(date) - month_number(released)) / 12.0)


def month_number(date: str) -> int:
    """Months of a date ("2024-05-31", "2024-05"); a year alone is its middle."""
    year, _, rest = date.partition("-")
    return int(year) * 12 + int(rest[:2] or 7)


def on_young_chip(figures: Mapping[str, Any], immaturity: float, age: float | None) -> dict[str, Any]:
    """The core's software figures on a chip released ``age`` years before.

    With y = immaturity exp(-age / `PASSES_IN`), products and memory-bound work take 1 + y times as long as on
    a chip long known, and attention reaches 1 - y of its rate: both straight in the figure, as draws need.
    """
    if age is None:
        return dict(figures)
    young = immaturity * math.exp(-age / PASSES_IN)
    return {
        **figures,
        "product_factor": figures["product_factor"] * (1.0 + young),
        "elementwise_factor": figures["elementwise_factor"] * (1.0 + young),
        "attention_factor": figures["attention_factor"] * (1.0 - young),
    }


USUAL_AGE = 14
"""Months from the release of a chip to the software of a published run on it: the median of the shipped
groups (half of them between 13 and 21)."""


def usual_date(released: str | None) -> str | None:
    """Year-month that a run without a date is taken to be of; None: the chip's release is not known."""
    if released is None:
        return None
    year, month = divmod(month_number(released) + USUAL_AGE - 1, 12)
    return f"{year:04d}-{month + 1:02d}"
