"""How far off the model is on what it has not seen, split into layouts of one source and sources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Z90 = 1.2816
SHRINK_GROUPS = 2.0
"""A profile or family counts for itself as k/(k+2) with k groups, for the rest as the pool."""
COVERED = 0.82
"""Share of left-out runs that a band holds: above 80 %, for choices made by hand that no fold undoes."""
USUAL = 0.03
"""Residual of a chip family before its runs are looked at; what runs are off by beyond is the software's."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of ln(time): within a source, and between sources."""

    within: float
    between: float

    @property
    def total(self) -> float:
        """Of one run of an unknown source."""
        return math.hypot(self.within, self.between)


def robust(errors: Array) -> float:
    """The sigma whose band holds `COVERED` of ``errors``: heavy tails must not widen every band."""
    return float(np.quantile(np.abs(errors), COVERED)) / Z90


def split(errors: Array, groups: Sequence[str]) -> Spread:
    """Within and between groups; the total is `robust`."""
    names = np.array(groups)
    inside: list[float] = []
    for name in set(groups):
        members = errors[names == name]
        if len(members) > 1:
            # The mean is taken from the members themselves: a factor for the degree of freedom it costs.
            scale = math.sqrt(len(members) / (len(members) - 1))
            inside += (scale * (members - np.median(members))).tolist()
    total = robust(errors)
    within = min(robust(np.array(inside)), 0.9 * total) if len(inside) >= 5 else 0.5 * total
    return Spread(within, math.sqrt(max(total**2 - within**2, 0.0)))


def covering(errors: Array, spreads: Array, usual: float) -> float:
    """The residual with which bands of hypot(residual, spread) hold `COVERED` of ``errors``.

    Where several do, the one nearest to ``usual``; where none does, the end of the range that comes nearest.
    """
    tried = np.geomspace(0.005, 0.3, 160)
    held = np.array([np.mean(np.abs(errors) <= Z90 * np.hypot(r, spreads)) for r in tried])
    off = np.abs(held - COVERED)
    best = tried[off <= off.min() + 1e-9]
    return float(best[np.argmin(np.abs(np.log(best / usual)))])


def shrunk(own: float, groups: int, pool: float) -> float:
    """``own`` drawn towards ``pool`` in variance, the more the fewer groups."""
    share = groups / (groups + SHRINK_GROUPS)
    return math.sqrt(share * own**2 + (1.0 - share) * pool**2)
