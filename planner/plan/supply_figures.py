"""Figures of a card's supply, their draws, and what the core makes of them.

Wafers, yields, packaging and stock are estimates of ``parts/supply-*.toml`` (and figures of the card's file
where it has them), drawn from their ranges.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from planner import engine
from planner.errors import PlannerError
from planner.lazy import np
from planner.plan.deliveries import DAYS_PER_MONTH
from planner.plan.draws import Floats, Range
from planner.specs import Accelerator, Quantity, SpecLibrary
from planner.specs.schema.part import Supply
from planner.units import Dimension

DRAWS = 2048
BASE = "supply-base"
KEYS = (
    "wafer_diameter", "wafer_starts", "share", "die_area", "dies", "die_yield", "defect_density",
    "packaging_yield", "packaging_limit", "stacks", "stack_limit", "stock", "lead_time", "wafer_price",
    "stack_price", "packaging_price", "ramp", "shared",
)  # fmt: skip
"""What `--set` may change, in the units of `UNITS`."""
UNITS = {
    "wafer_diameter": "mm", "wafer_starts": "wafers a month", "share": "", "die_area": "mm2", "dies": "",
    "die_yield": "", "defect_density": "per cm2", "packaging_yield": "",
    "packaging_limit": "packages a month", "stacks": "", "stack_limit": "stacks a month",
    "stock": "cards", "lead_time": "months", "ramp": "months",
    "wafer_price": "USD", "stack_price": "USD", "packaging_price": "USD", "shared": "",
}  # fmt: skip
SHARES = ("share", "die_yield", "packaging_yield")
"""Of a whole, and never none of it."""
NEVER_NONE = ("wafer_diameter", "wafer_starts", "die_area", "dies")
"""Nothing can be made without any of these."""
PARTLY = ("shared",)
"""Of a whole, or none of it."""
LIMITS = ("wafers", "packaging", "memory")
CAUSE_OF = {
    "wafer_starts": "fab",
    "die_yield": "fab",
    "defect_density": "fab",
    "wafer_price": "fab",
    "lead_time": "fab",
    "ramp": "fab",
    "packaging_yield": "packager",
    "packaging_limit": "packager",
    "packaging_price": "packager",
    "stack_limit": "memory",
    "stack_price": "memory",
}
"""Figure -> whose slips move it; the others (a buyer's share, its stock, the die) are each supplier's own."""


@dataclass(frozen=True)
class Figure:
    """One figure in the unit of `UNITS`, with its range and how it is known."""

    key: str
    span: Range
    kind: str
    method: str | None
    file: str


def supply_inputs(
    library: SpecLibrary, card: Accelerator, given: Mapping[str, float] | None = None
) -> list[Figure]:
    """Every figure of the card's supply: given ones, the card's own, then those of its supply file.

    Raises:
        PlannerError: an unknown key, or a number that makes no sense.
    """
    given = dict(given or {})
    for key, value in given.items():
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1, cutoff=0.4)
            raise PlannerError(
                "there is no such figure of a supply", file="--set", key=key,
                hint=f"{f'did you mean {near[0]!r}? ' if near else ''}known: {', '.join(KEYS)}",
            )  # fmt: skip
        _refuse_impossible(key, value)
    name, sheet = _sheet(library, card)
    own: dict[str, Quantity | None] = {
        "die_area": card.silicon.die_area,
        "dies": card.silicon.dies,
        "die_yield": card.silicon.yield_fraction,
        "stacks": card.memory.stacks,
    }
    found = []
    for key in KEYS:
        if key in given:
            found.append(Figure(key, Range(given[key], given[key], given[key]), "given", None, "--set"))
            continue
        figure, file = own.get(key), f"accelerators/{card.id}"
        if figure is None and key != "die_yield":
            figure, file = getattr(sheet, key), f"parts/{name}"
        if figure is not None:
            found.append(_input(library, key, figure, file))
    return found


def causes_of(library: SpecLibrary, card: Accelerator) -> dict[str, str]:
    """``fab``, ``packager`` and ``memory`` -> their names, where the card's supply file names them."""
    named = _sheet(library, card)[1].common.model_dump()
    return {cause: name for cause, name in named.items() if name is not None}


def _refuse_impossible(key: str, value: float) -> None:
    """As the core would, but naming where the number was given."""
    wanted, possible = "0 or more", value >= 0.0
    if key in SHARES:
        wanted, possible = "above 0 and at most 1", 0.0 < value <= 1.0
    elif key in PARTLY:
        wanted, possible = "0 to 1", 0.0 <= value <= 1.0
    elif key in NEVER_NONE:
        wanted, possible = "above 0", value > 0.0
    if not math.isfinite(value) or not possible:
        unit = UNITS[key]
        raise PlannerError(
            f"must be {wanted}, not {value:g}",
            file="--set",
            key=key,
            hint=f"it is given in {unit}" if unit else None,
        )


def _sheet(library: SpecLibrary, card: Accelerator) -> tuple[str, Supply]:
    names = [name for name in library.ids("parts") if library.head("parts", name).get("kind") == "supply"]
    own = [name for name in names if card.id in library.part(name).accelerators]
    name = own[0] if own else BASE
    sheet = library.part(name).supply
    if sheet is None:
        raise PlannerError(f"parts/{name} has no [supply]")
    return name, sheet


def _input(library: SpecLibrary, key: str, figure: Quantity, file: str) -> Figure:
    scale = 1.0
    if figure.dimension is Dimension.SQUARE_METRES:
        scale = 1e6
    elif key == "wafer_diameter":
        scale = 1e3
    elif figure.dimension is Dimension.SECONDS:
        scale = 1.0 / (86400.0 * DAYS_PER_MONTH)
    elif figure.currency not in (None, "USD"):
        rates = library.part("exchange-rates").usd_per_unit
        scale = rates[str(figure.currency)].value
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    most = 1.0 if figure.dimension is Dimension.FRACTION else np.inf
    span = Range(figure.value * scale, low * scale, high * scale, 0.0, most)
    return Figure(key, span, figure.kind, figure.method, file)


def _body(values: Mapping[str, float]) -> dict[str, float | None]:
    """The core's inputs."""
    return {
        "wafer_mm": values["wafer_diameter"],
        "wafer_starts": values["wafer_starts"],
        "share": values["share"],
        "die_mm2": values["die_area"],
        "dies": values["dies"],
        "die_yield": values.get("die_yield"),
        "defects_per_cm2": values.get("defect_density", 0.0),
        "packaging_yield": values["packaging_yield"],
        "packaging_limit": values.get("packaging_limit"),
        "stacks": values.get("stacks", 0.0),
        "stack_limit": values.get("stack_limit"),
        "stock": values.get("stock", 0.0),
        "lead_months": values.get("lead_time", 0.0),
        "wafer_usd": values.get("wafer_price"),
        "stack_usd": values.get("stack_price"),
        "packaging_usd": values.get("packaging_price"),
    }


def central(inputs: Sequence[Figure]) -> dict[str, Any]:
    """What the core makes of the figures at their values."""
    return engine.supply([_body({item.key: item.span.value for item in inputs})])[0]


def drawn_supply(
    inputs: Sequence[Figure], seed: int, causes: Mapping[str, str] | None = None, place: int = 0
) -> dict[str, Floats]:
    """Draws of the inputs and of what the core makes of them.

    Args:
        inputs: the figures.
        seed: of the draws.
        causes: see `causes_of`; suppliers with the same name have ``shared`` of the variance of a figure in
            common: z = sqrt(s) z_cause + sqrt(1 - s) z_own, which leaves each figure's own range as it is.
            None: nothing is in common.
        place: of the supplier among those of a mix: each has draws of its own.
    """
    random = np.random.default_rng(seed + place)
    # Each key has its own stream: a figure that is given leaves the draws of the others as they are.
    streams = dict(zip(KEYS, random.spawn(len(KEYS)), strict=True))
    spans = {item.key: item.span for item in inputs}
    shared = None
    if causes and "shared" in spans:
        # How much is in common is itself not known: one value a draw, the same for all suppliers.
        shared = spans["shared"].at(_common(seed, "shared"))
    values = {}
    for key, span in spans.items():
        z = streams[key].standard_normal(DRAWS)
        cause = CAUSE_OF.get(key, "")
        if shared is not None and causes and cause in causes:
            z = (
                np.sqrt(shared) * _common(seed, f"{cause}: {causes[cause]}: {key}")
                + np.sqrt(1.0 - shared) * z
            )
        values[key] = span.at(z)
    answers = engine.supply(
        [_body({key: float(column[place]) for key, column in values.items()}) for place in range(DRAWS)]
    )
    zeros = np.zeros(DRAWS)
    return {
        "stock": values.get("stock", zeros),
        "lead_time": values.get("lead_time", zeros),
        "ramp": values.get("ramp", zeros),
        "packages_per_month": np.array([answer["packages_per_month"] for answer in answers]),
        "die_yield": np.array([answer["die_yield"] for answer in answers]),
        "limit": np.array([float(LIMITS.index(answer["limit"])) for answer in answers]),
        "package_usd": np.array(
            [math.nan if answer["package_usd"] is None else answer["package_usd"] for answer in answers]
        ),
    }


def _common(seed: int, name: str) -> Floats:
    """Deviates that everybody who names the same cause gets."""
    out: Floats = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(DRAWS)
    return out


def parse_given(sets: Sequence[str] | Mapping[str, float] | None) -> dict[str, float]:
    """``["wafer_starts=30000"]`` as numbers.

    Raises:
        PlannerError: no number, or no ``=``.
    """
    if sets is None or isinstance(sets, Mapping):
        return {key: float(value) for key, value in (sets or {}).items()}
    given = {}
    for text in sets:
        key, equals, value = text.partition("=")
        try:
            given[key.strip()] = float(value)
        except ValueError as fault:
            raise PlannerError(
                f"{text!r} is not KEY=NUMBER" if equals else f"{text!r} has no '='",
                file="--set",
                hint=f"keys: {', '.join(f'{key} ({unit})' if unit else key for key, unit in UNITS.items())}",
            ) from fault
    return given
