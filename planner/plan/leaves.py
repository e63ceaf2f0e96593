"""Which numbers of a request move with which figures, so that draws need no spec file read again.

Each figure goes to both ends of its range once; the numbers of the request that move are its leaves. They are
products or sums of affine functions of single figures (a capacity times a usable share, a detection plus a
restart), which is found out and checked here, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.lazy import np
from planner.plan.bands import Uncertain
from planner.plan.draws import Floats
from planner.problem import wire

if TYPE_CHECKING:
    from planner.problem.serving_wire import ServiceRequest

    Asked = wire.Request | ServiceRequest
    Rebuild = Callable[[Mapping[Any, float]], Asked]
else:
    Asked = Rebuild = object
EXACT = 1e-9


def numbers(request: Asked, unlike: Asked | None = None) -> dict[str, float]:
    """JSON pointer -> number, of every float of a request; where given, without what ``unlike`` shares."""
    fields = set(type(request).model_fields)
    if unlike is not None:
        fields = {name for name in fields if getattr(request, name) is not getattr(unlike, name)}
    return dict(_walk("", request.model_dump(by_alias=True, include=fields)))


def _walk(path: str, item: Any) -> Iterator[tuple[str, float]]:
    if isinstance(item, dict):
        for key, inner in item.items():
            yield from _walk(f"{path}/{key}", inner)
    elif isinstance(item, list | tuple):
        for place, inner in enumerate(item):
            yield from _walk(f"{path}/{place}", inner)
    elif isinstance(item, float):
        yield path, item


@dataclass(frozen=True)
class _Effect:
    """One leaf as a function of one figure: its values at low, centre and high."""

    figure: Uncertain
    centre: float
    leaf: tuple[float, float, float]

    def at(self, values: Floats) -> Floats:
        """Affine in the figure or in its inverse, whichever all three points lie on; else two pieces."""
        if not self._straight(lambda x: x) and self._straight(lambda x: 1.0 / x):
            return self._pieces(1.0 / values, *(1.0 / x for x in self._points))
        return self._pieces(values, *self._points)

    @property
    def _points(self) -> tuple[float, float, float]:
        return self.figure.low, self.centre, self.figure.high

    def _straight(self, of: Callable[[float], float]) -> bool:
        """Whether the leaf is an affine function of ``of`` the figure."""
        if not self.figure.low > 0.0:
            return of(2.0) == 2.0
        low, centre, high = (of(x) for x in self._points)
        at_low, middle, at_high = self.leaf
        on_line = at_low + (at_high - at_low) * (centre - low) / (high - low)
        return abs(on_line - middle) <= EXACT * max(abs(at_low), abs(middle), abs(at_high))

    def _pieces(self, values: Floats, low: float, centre: float, high: float) -> Floats:
        at_low, middle, at_high = self.leaf
        lower = (middle - at_low) / (centre - low) if centre != low else None
        upper = (at_high - middle) / (high - centre) if high != centre else None
        towards_low = lower if lower is not None else upper or 0.0
        towards_high = upper if upper is not None else lower or 0.0
        on_low_side = values < centre if low <= high else values > centre
        slope = np.where(on_low_side, towards_low, towards_high)
        out: Floats = middle + slope * (values - centre)
        return out


@dataclass(frozen=True)
class Leaf:
    """One number of the request with the figures that move it."""

    pointer: str
    centre: float
    effects: tuple[_Effect, ...]
    product: bool

    def at(self, values: Mapping[str, Floats]) -> Floats:
        """The number under draws of the figures, by their keys."""
        moved = [effect.at(values[effect.figure.key]) for effect in self.effects]
        if self.product:
            out = np.full_like(moved[0], self.centre)
            for item in moved:
                out *= item / self.centre
            return out
        total = np.full_like(moved[0], self.centre)
        for item in moved:
            total += item - self.centre
        return total


@dataclass(frozen=True)
class Leaves:
    """All numbers that move, and those whose shape is only approximated (empty for shipped problems)."""

    leaves: tuple[Leaf, ...]
    approximate: tuple[str, ...]

    @property
    def pointers(self) -> list[str]:
        """Of the moving numbers, in the order of `matrix`."""
        return [leaf.pointer for leaf in self.leaves]

    def matrix(self, values: Mapping[str, Floats], samples: int) -> Floats:
        """Draws x pointers."""
        out = np.empty((samples, len(self.leaves)))
        for place, leaf in enumerate(self.leaves):
            out[:, place] = leaf.at(values)
        return out


def leaves_of(request: Asked, figures: Sequence[tuple[Uncertain, float]], rebuild: Rebuild) -> Leaves:
    """Find the leaves of ``request``.

    Args:
        request: with every figure at its centre.
        figures: each with its central value.
        rebuild: the request with some figures (by ``place``) at other values.
    """
    middle = numbers(request)
    effects: dict[str, list[_Effect]] = {}
    for figure, centre in figures:
        ends = [numbers(rebuild({figure.place: value}), request) for value in (figure.low, figure.high)]
        for pointer in middle.keys() & (ends[0].keys() | ends[1].keys()):
            number = middle[pointer]
            low, high = (end.get(pointer, number) for end in ends)
            if low != number or high != number:
                effects.setdefault(pointer, []).append(_Effect(figure, centre, (low, number, high)))
    together = {figure.place: figure.high for figure, _ in figures}
    highest = numbers(rebuild(together)) if figures else middle
    made, approximate = [], []
    for pointer, found in sorted(effects.items()):
        leaf, error = _shaped(pointer, middle[pointer], tuple(found), highest.get(pointer, middle[pointer]))
        made.append(leaf)
        if error > EXACT:
            approximate.append(pointer)
    return Leaves(tuple(made), tuple(approximate))


def _shaped(pointer: str, centre: float, effects: tuple[_Effect, ...], all_high: float) -> tuple[Leaf, float]:
    """Product or sum, whichever gives the number that all figures at their highs really make."""
    at = {effect.figure.key: np.array([effect.figure.high]) for effect in effects}
    candidates = [Leaf(pointer, centre, effects, product=False)]
    if centre != 0.0:
        candidates.insert(0, Leaf(pointer, centre, effects, product=True))
    scale = max(abs(all_high), abs(centre), 1e-300)
    errors = [abs(float(leaf.at(at)[0]) - all_high) / scale for leaf in candidates]
    best = int(np.argmin(errors))
    return candidates[best], errors[best]
