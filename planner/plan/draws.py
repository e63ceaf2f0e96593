"""Draws of uncertain figures: Sobol points, the same for a seed, a figure's 80 % range as its P10 and P90.

scipy is needed for Sobol points (``pip install planner[risk]``) and imported when it is first asked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from types import ModuleType
from typing import TYPE_CHECKING, Any

from planner.errors import PlannerError
from planner.lazy import np
from planner.plan.bands import Z90

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
else:
    Floats = object
MOST_SAMPLES = 1 << 20
PERCENTILES = (10.0, 50.0, 90.0)


@dataclass(frozen=True)
class Range:
    """A number with its 80 % range; ``least`` and ``most`` are what it can be at all."""

    value: float
    low: float
    high: float
    least: float = 0.0
    most: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what is no range.

        Raises:
            PlannerError: low, value and high are not in order.
        """
        if not self.low <= self.value <= self.high:
            raise PlannerError(
                f"low <= value <= high does not hold: {self.low}, {self.value}, {self.high}",
                hint="low and high are the ends of an 80 % range around the value",
            )

    def at(self, z: Floats) -> Floats:
        """Values at standard normal deviates: ``value`` at 0, ``low`` and ``high`` at P10 and P90.

        Geometric where the numbers are positive (each side with its own spread), else linear.
        """
        reach = np.abs(z) / Z90
        if self.low > 0.0:
            end = np.where(z > 0.0, self.high / self.value, self.low / self.value)
            drawn = self.value * end**reach
        else:
            drawn = self.value + reach * np.where(z > 0.0, self.high - self.value, self.low - self.value)
        return np.clip(drawn, self.least, self.most)

    def at_one(self, z: float) -> float:
        """The value at one deviate, as `at` gives many."""
        reach, end = abs(z) / Z90, self.high if z > 0.0 else self.low
        drawn: float
        if self.low > 0.0:
            drawn = self.value * (end / self.value) ** reach
        else:
            drawn = self.value + reach * (end - self.value)
        return min(max(drawn, self.least), self.most)


def check_samples(samples: int, seed: int = 0) -> None:
    """Refuse numbers of draws that Sobol points do not come in.

    Raises:
        PlannerError: not a power of two from 64.
    """
    if samples < 64 or samples > MOST_SAMPLES or samples & (samples - 1):
        below = 1 << max(6, min(samples, MOST_SAMPLES).bit_length() - 1)
        raise PlannerError(
            f"{samples} samples: Sobol points come in powers of two, from 64 to {MOST_SAMPLES:,}",
            file="--samples",
            hint=f"try {below} or {min(2 * below, MOST_SAMPLES)}",
        )
    if seed < 0:
        raise PlannerError(f"the seed {seed} is negative", file="search.seed")


def normals(keys: Sequence[str], samples: int, seed: int) -> dict[str, Floats]:
    """Standard normal deviates by key, from scrambled Sobol points.

    Plans that are compared get the same draws when they are asked for together: give the keys of all.
    """
    check_samples(samples, seed)
    order = sorted(set(keys))
    if not order:
        return {}
    stats = _scipy()
    points = stats.qmc.Sobol(d=len(order), scramble=True, rng=seed).random_base2(samples.bit_length() - 1)
    # A point on the very edge would be infinitely far out.
    inside = np.clip(points, 1e-9, 1.0 - 1e-9)
    deviates = stats.norm.ppf(inside)
    return {key: np.ascontiguousarray(deviates[:, place]) for place, key in enumerate(order)}


def plain_normals(keys: Iterable[str], samples: int, seed: int = 0) -> dict[str, Floats]:
    """Standard normal deviates of ``samples`` draws by key, without scipy.

    A Latin hypercube: each key goes through all its quantiles, in an order that seed and key alone decide.
    """
    quantiles = np.array([NormalDist().inv_cdf((place + 0.5) / samples) for place in range(samples)])
    found = {}
    for key in keys:
        own = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        random = np.random.Generator(np.random.PCG64([seed, own])).random(samples)
        found[key] = quantiles[np.argsort(random, kind="stable")]
    return found


def percentiles(values: Floats) -> tuple[float, float, float] | None:
    """P10, P50 and P90; None where one of them is not a number or lies beyond all bounds."""
    if values.size == 0 or bool(np.isnan(values).any()):
        return None
    found = np.percentile(values, PERCENTILES, method="inverted_cdf")
    if not np.isfinite(found).all():
        return None
    return float(found[0]), float(found[1]), float(found[2])


def sobol(
    function: Callable[[Floats], Floats],
    distributions: Sequence[Any],
    samples: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """First-order and total Sobol indices of ``function`` (inputs x points -> a value a point).

    Saltelli 2010 through scipy.stats.sobol_indices.
    """
    check_samples(samples, seed)
    found = _scipy().sobol_indices(func=function, n=samples, dists=list(distributions), rng=seed)
    return np.asarray(found.first_order).ravel(), np.asarray(found.total_order).ravel()


def normal() -> Any:
    """The standard normal distribution, as `sobol` takes it."""
    return _scipy().norm()


def difference(one: Floats, other: Floats) -> tuple[float, float, float] | None:
    """Band of one plan over the other, minus 1, draw by draw: both from the same draws."""
    return percentiles(one / other - 1.0)


def best_shares(costs: Mapping[str, Floats]) -> dict[str, float]:
    """How often each of the compared plans is the best (the least cost), of the same draws; ties are shared.

    Draws in which none is finite count for nobody.
    """
    names = list(costs)
    table = np.stack([np.where(np.isnan(costs[name]), np.inf, costs[name]) for name in names])
    least = table.min(axis=0)
    wins = (table == least) & np.isfinite(least)
    shares = (wins / np.maximum(wins.sum(axis=0), 1)).mean(axis=1)
    return {name: float(share) for name, share in zip(names, shares, strict=True)}


def _scipy() -> ModuleType:
    try:
        # 0.6 s: only when draws are asked for.
        from scipy import stats  # noqa: PLC0415
        from scipy.stats import qmc  # noqa: F401, PLC0415
    except ImportError as fault:
        raise PlannerError(
            "sampling needs scipy, which is not installed",
            hint="pip install 'planner[risk]'",
        ) from fault
    module: ModuleType = stats
    return module
