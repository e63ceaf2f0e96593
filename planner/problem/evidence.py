"""What a problem rests on: the spec figures that entered it, their roles, and which designs use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from planner.errors import MissingFigureError
from planner.specs import SPEC_PATH_VARIABLE, Quantity, SpecFile
from planner.specs.quantity import Fraction

Role = Literal["timing", "power", "cost", "reliability", "space", "environment"]
"""What a figure decides: days, watts, money, goodput, racks, or carbon and water."""

ESTIMATE_ROLES: tuple[Role, ...] = ("timing", "power", "reliability")
"""Estimates in these roles stand in the first line of every answer."""

SOFTWARE = "software"
"""Kind of the figures that come from a software profile instead of the spec library."""
SERVING_SOFTWARE = "serving-software"
"""The same of a serving framework."""
SERVING_CONSTANTS = "serving-constants"
"""Kind of the constants of the serving model."""
PROFILES = (SOFTWARE, SERVING_SOFTWARE, SERVING_CONSTANTS)
"""Kinds that do not stand in the spec library."""

USABLE_FRACTION = Fraction.model_validate(
    {
        "value": 0.94,
        "low": 0.90,
        "high": 0.97,
        "kind": "estimate",
        "method": "60.3 of 64 GiB usable (0.9425) as FlagPerf measured on an Ascend 910B (base/benchmarks, "
        "https://github.com/FlagOpen/FlagPerf, read 2025-11), taken over for cards that state none",
    }
)
"""Share of the memory that a job can allocate, for cards whose file does not say."""


class FigureKey(NamedTuple):
    """Where a figure stands: folder of the library (or ``software``), file id, dotted key."""

    kind: str
    id: str
    key: str


class Scope(NamedTuple):
    """The part of the problem that uses a figure; None stands for every choice."""

    cluster: int | None = None
    fabric: str | None = None
    cooling: str | None = None

    def holds(self, cluster: int, fabric: str, cooling: str) -> bool:
        """Whether a design with these choices rests on the figure."""
        pairs = zip(self, (cluster, fabric, cooling), strict=True)
        return all(own is None or own == chosen for own, chosen in pairs)


@dataclass(frozen=True)
class Figure:
    """A sourced figure that entered the problem.

    Attributes:
        key: where it stands; ``build(..., figures={key: value})`` rebuilds the problem with another value.
        label: for people, e.g. ``P800 board power``.
        quantity: value, range and provenance as in the file (base units, own currency).
        role: what it decides.
        scopes: which designs rest on it.
    """

    key: FigureKey
    label: str
    quantity: Quantity
    role: Role
    scopes: tuple[Scope, ...]

    @property
    def is_estimate(self) -> bool:
        """Nobody published it."""
        return self.quantity.kind == "estimate"

    def used_by(self, cluster: int, fabric: str, cooling: str) -> bool:
        """Whether a design with these choices rests on it."""
        return any(scope.holds(cluster, fabric, cooling) for scope in self.scopes)


def leading_estimates(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """The estimates in timing, power and failures."""
    return tuple(figure for figure in figures if figure.is_estimate and figure.role in ESTIMATE_ROLES)


def refuse_estimates(figures: Sequence[Figure]) -> None:
    """Refuse with the list of estimates in timing, power and failures (``--no-estimates``).

    Raises:
        MissingFigureError: there are some.
    """
    guessed = leading_estimates(figures)
    if not guessed:
        return
    listed = "\n".join(
        f"  {figure.label}: {figure.key.kind}/{figure.key.id}: {figure.key.key} = {figure.quantity.shown()}"
        for figure in guessed
    )
    raise MissingFigureError(
        f"the answer would rest on {len(guessed)} estimates in timing, power and failures:\n{listed}",
        hint=f"measure or source them and supply them in a directory named by {SPEC_PATH_VARIABLE}, "
        "or leave --no-estimates out",
    )


def short_name(spec: SpecFile) -> str:
    """The name without brackets, what follows a comma or colon, and the vendor's own words in front.

    ``Kunlun P800`` of Baidu Kunlunxin becomes ``P800``.
    """
    name = spec.name
    for mark in "(,:":
        name = name.split(mark)[0].strip() or name
    vendor = str(getattr(spec, "vendor", None) or "").casefold()
    words = name.split()
    # What is left must still tell things apart: "P800", but "Kunlun supernode" and "Kunlun 2".
    while vendor and words[0].casefold() in vendor and _tells_apart("".join(words[1:])):
        words.pop(0)
    return " ".join(words)


def _tells_apart(name: str) -> bool:
    return any(c.isdigit() for c in name) and any(c.isalpha() for c in name)
