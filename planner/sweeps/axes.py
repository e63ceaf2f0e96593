"""Axes and the points they span: a point is computed from its index, so no list of points is ever kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, cast

from planner.errors import PlannerError, ScenarioError
from planner.sweeps.schema import Axis, Range, Sample, SweepFile

_NUMBER_UNIT = re.compile(r"\s*([-+]?[\d_.,]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*\Z", re.DOTALL)
_BLOCK = 1024
"""Samples drawn at a time; a power of two keeps the balance of a Sobol sequence."""
_DIGITS = 6
"""Significant digits of sampled and divided values: more would only pretend."""

Values = dict[str, Any]
"""Names of axes -> values of one point, as they would stand in the scenario."""


class Choices(Protocol):
    """Values of one axis."""

    @property
    def size(self) -> int | None:
        """How many; None: any number between two ends."""

    def at(self, place: int) -> Any:
        """The value at a place of the grid."""

    def drawn(self, share: float) -> Any:
        """The value at a share (0 up to 1) of the axis."""


@dataclass(frozen=True)
class Listed:
    """A list of values."""

    values: Sequence[Any]

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.values)

    def at(self, place: int) -> Any:
        """The entry."""
        return self.values[place]

    def drawn(self, share: float) -> Any:
        """The entry that the share falls on."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True)
class Spread:
    """Numbers between two ends, with a common unit."""

    low: float
    high: float
    unit: str
    spec: Range

    @classmethod
    def of(cls, spec: Range, where: str) -> Spread:
        """Read the ends of a range.

        Raises:
            ScenarioError: no numbers, units that differ, or nothing between the ends.
        """
        (low, unit), (high, other) = (_split(end, where) for end in (spec.start, spec.end))
        if unit != other:
            raise _fault(where, f"from is in {unit or 'plain numbers'}, to in {other or 'plain numbers'}")
        if high < low or (high == low and spec.step is None and (spec.count or 1) > 1):
            raise _fault(where, f"is empty: from {low:g} is not below to {high:g}")
        if spec.spacing == "log" and low <= 0:
            raise _fault(where, "a logarithmic range begins above zero")
        return cls(low, high, unit, spec)

    @property
    def size(self) -> int | None:
        """Values of the grid; None without a step or count."""
        if self.spec.count is not None:
            return self.spec.count
        if self.spec.step is None:
            return None
        return math.floor((self.high - self.low) / self.spec.step * (1 + 1e-12) + 1e-9) + 1

    def at(self, place: int) -> Any:
        """The value at a place of the grid."""
        if self.spec.step is not None:
            return self._shown(self.low + place * self.spec.step)
        return self.drawn(place / max((self.spec.count or 1) - 1, 1), closed=True)

    def drawn(self, share: float, closed: bool = False) -> Any:
        """The value at a share of the way, or of the steps where there are some."""
        if not closed and self.size is not None:
            return self.at(min(int(share * self.size), self.size - 1))
        if self.spec.spacing == "log":
            return self._shown(self.low * (self.high / self.low) ** share)
        return self._shown(self.low + share * (self.high - self.low))

    def _shown(self, value: float) -> Any:
        grain = self.spec.multiple_of
        if grain is not None:
            value = round(value / grain) * grain
            if value < self.low:
                value += grain
        value = float(f"{value:.{_DIGITS if grain is None and self.spec.step is None else 15}g}")
        plain: float | int = int(value) if value.is_integer() and abs(value) < 2**53 else value
        return f"{plain} {self.unit}" if self.unit else plain


def _split(end: float | str, where: str) -> tuple[float, str]:
    if isinstance(end, int | float):
        return float(end), ""
    match = _NUMBER_UNIT.match(end)
    try:
        number = float(match[1].replace(",", "").replace("_", "")) if match else math.nan
    except ValueError:
        number = math.nan
    if match is None or not math.isfinite(number):
        raise _fault(where, f"{end!r} is not a number with a unit")
    return number, match[2]


@dataclass(frozen=True)
class Dimension:
    """One axis: the names it sets together, and its choices."""

    names: tuple[str, ...]
    choices: Choices

    def put(self, value: Any, into: Values) -> None:
        """Set the names to one choice."""
        if len(self.names) == 1:
            into[self.names[0]] = value
        else:
            into.update(zip(self.names, value, strict=True))


@dataclass(frozen=True)
class Points:
    """All points of a sweep, by index.

    Attributes:
        dimensions: the axes; the last varies fastest.
        keys: name -> key of the scenario or of a spec figure.
        sample: None: the whole grid.
        places: name -> where its key stands in the file.
    """

    dimensions: tuple[Dimension, ...]
    keys: Mapping[str, str]
    sample: Sample | None
    places: Mapping[str, str]

    def __len__(self) -> int:
        """How many points, before constraints."""
        if self.sample is not None:
            return self.sample.points
        return math.prod(self.sizes)

    @property
    def count(self) -> int:
        """Like ``len``, also for numbers beyond what ``len`` may say."""
        return self.sample.points if self.sample is not None else math.prod(self.sizes)

    @property
    def sizes(self) -> list[int]:
        """Choices of each axis of a grid."""
        return [cast(int, dimension.choices.size) for dimension in self.dimensions]

    def at(self, index: int) -> Values:
        """The values of a point."""
        values: Values = {}
        if self.sample is not None:
            shares = _shares(self.sample.method, self.sample.seed, len(self.dimensions), index // _BLOCK)[
                index % _BLOCK
            ]
            for dimension, share in zip(self.dimensions, shares, strict=True):
                dimension.put(dimension.choices.drawn(float(share)), values)
            return values
        for dimension, size in zip(reversed(self.dimensions), reversed(self.sizes), strict=True):
            index, place = divmod(index, size)
            dimension.put(dimension.choices.at(place), values)
        return {name: values[name] for name in self.keys}

    def __iter__(self) -> Iterator[Values]:
        """All points in order."""
        return (self.at(index) for index in range(self.count))


def points(file: SweepFile) -> Points:
    """The points that the axes of a file span.

    Raises:
        ScenarioError: an axis named twice, or one that neither grid nor samples can use.
    """
    dimensions: list[Dimension] = []
    keys: dict[str, str] = {}
    places: dict[str, str] = {}
    for place, axis in enumerate(file.axes):
        where = f"axes[{place}]"
        choices = _choices(axis, where)
        if choices.size is None and file.sample is None:
            raise _fault(f"{where}.range", "a grid needs step or count", "or draw points with [sample]")
        names = (axis.names or axis.keys) if axis.keys else (axis.name or axis.key or "",)
        for name, key in zip(names, axis.keys or (axis.key or "",), strict=True):
            if name in keys or key in keys.values():
                raise _fault(where, f"{name!r} is given by two axes")
            keys[name] = key
            places[name] = f"{where}.{'keys' if axis.keys else 'key'}"
        dimensions.append(Dimension(tuple(names), choices))
    return Points(tuple(dimensions), keys, file.sample, places)


def _choices(axis: Axis, where: str) -> Choices:
    if axis.range is not None:
        return Spread.of(axis.range, f"{where}.range")
    return Listed(axis.values or [])


@lru_cache(maxsize=4)
def _shares(method: Literal["random", "sobol"], seed: int, axes: int, block: int) -> Any:
    """Samples of one block in the unit cube: an array of (1024, axes), the same for the same arguments."""
    if method == "random":
        import numpy as np  # noqa: PLC0415 (only for samples)

        return np.random.Generator(np.random.Philox(key=seed, counter=block << 64)).random((_BLOCK, axes))
    try:
        from scipy.stats import qmc  # noqa: PLC0415 (half a second)
    except ImportError as fault:
        raise PlannerError(
            "Sobol samples need scipy", hint="pip install 'planner[sample]', or take method = \"random\""
        ) from fault
    sequence = qmc.Sobol(axes, scramble=True, rng=seed)
    if block:
        sequence.fast_forward(block * _BLOCK)
    return sequence.random(_BLOCK)


def _fault(key: str, message: str, hint: str | None = None) -> ScenarioError:
    return ScenarioError(message, key=key, hint=hint or "docs/sweep.md shows the forms")
