"""``supply``: when so many cards of a system can be there, what bounds that, and what a package costs.

Wafers, yields, packaging and stock are estimates of ``parts/supply-*.toml`` (and figures of the card's file
where it has them). They are drawn from their ranges; nothing here ranks a chip or enters a plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from planner import engine
from planner.errors import PlannerError
from planner.lazy import np
from planner.plan.account import Band
from planner.plan.deliveries import (
    DAYS_PER_MONTH,
    Phase,
    arrived_by,
    median,
    months_until,
    phase_ends,
    phases_of,
)
from planner.plan.draws import Floats, Range, percentiles
from planner.plan.parts import Part
from planner.plan.result import Fact, Result
from planner.problem import build, wire
from planner.problem.hardware import unit_cards
from planner.scenario import Scenario
from planner.specs import Accelerator, Quantity, SpecLibrary, System
from planner.specs.schema.part import Supply
from planner.units import Dimension

DRAWS = 2048
BASE = "supply-base"
NOTE = (
    "most of these figures are estimates that nobody published: replace them with --set or in a directory of "
    "PLANNER_SPEC_PATH; they enter no plan and no ranking"
)
KEYS = (
    "wafer_diameter", "wafer_starts", "share", "die_area", "dies", "die_yield", "defect_density",
    "packaging_yield", "packaging_limit", "stacks", "stack_limit", "stock", "lead_time", "wafer_price",
    "stack_price", "packaging_price", "ramp",
)  # fmt: skip
"""What `--set` may change, in the units of `UNITS`."""
UNITS = {
    "wafer_diameter": "mm", "wafer_starts": "wafers a month", "share": "", "die_area": "mm2", "dies": "",
    "die_yield": "", "defect_density": "per cm2", "packaging_yield": "",
    "packaging_limit": "packages a month", "stacks": "", "stack_limit": "stacks a month",
    "stock": "cards", "lead_time": "months", "ramp": "months",
    "wafer_price": "USD", "stack_price": "USD", "packaging_price": "USD",
}  # fmt: skip


class SupplyFigure(Part):
    """One figure of the answer, in the unit given."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    kind: str = Field(description="how it is known; `given`: by --set")
    method: str | None
    file: str


class Second(Part):
    """What a second source has to add to be there by the date."""

    system: str
    first_cards: float = Field(description="of the first source, P50, by the date")
    cards: float | None = Field(description="of the second source, in its own cards; null: it cannot either")
    worth: float = Field(description="matrix rate of one of its cards over one of the first source's")
    meets: bool


class SupplyPlan(Result):
    """Deliveries of so many cards. Tables: phases (cards by month), figures (what they rest on)."""

    MAIN: ClassVar[str] = "phases"

    format: Literal["supply/1"] = "supply/1"
    system: str
    accelerator: str
    cards: int
    headline: str
    feasible: bool
    packages_per_month: Band
    limited_by: dict[str, float] = Field(description="share of the draws in which it is the scarcest")
    months: Band | None = Field(description="until all cards are there; null: never in some draws that count")
    die_yield: Band
    package_usd: Band | None = Field(description="cost of a good package to its maker, not its price")
    package_parts_usd: dict[str, float | None]
    by_months: float | None
    by_probability: float | None = Field(description="that all cards are there by then")
    by_cards: Band | None
    phases: list[Phase]
    finished_month: float | None = Field(
        default=None, description="when the scenario's tokens are done, training on what has arrived"
    )
    waiting_month: float | None = Field(
        default=None, description="the same when training waits for all cards"
    )
    second: Second | None
    figures: list[SupplyFigure]
    note: str = NOTE

    def _facts(self) -> tuple[str, list[Fact]]:
        from planner.plan.notebook import supply_facts  # noqa: PLC0415 (notebooks alone)

        return self.headline, supply_facts(self)


@dataclass(frozen=True)
class _Input:
    key: str
    span: Range
    kind: str
    method: str | None
    file: str


def supply_inputs(
    library: SpecLibrary, card: Accelerator, given: Mapping[str, float] | None = None
) -> list[_Input]:
    """Every figure of the card's supply: given ones, the card's own, then those of its supply file.

    Raises:
        PlannerError: an unknown key, or a number that makes no sense.
    """
    given = dict(given or {})
    for key, value in given.items():
        if key not in KEYS:
            raise PlannerError(f"there is no such figure; known: {', '.join(KEYS)}", file="--set", key=key)
        if not math.isfinite(value) or value < 0:
            raise PlannerError(f"must be 0 or more, not {value}", file="--set", key=key)
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
            found.append(_Input(key, Range(given[key], given[key], given[key]), "given", None, "--set"))
            continue
        figure, file = own.get(key), f"accelerators/{card.id}"
        if figure is None and key != "die_yield":
            figure, file = getattr(sheet, key), f"parts/{name}"
        if figure is not None:
            found.append(_input(library, key, figure, file))
    return found


def _sheet(library: SpecLibrary, card: Accelerator) -> tuple[str, Supply]:
    names = [name for name in library.ids("parts") if library.head("parts", name).get("kind") == "supply"]
    own = [name for name in names if card.id in library.part(name).accelerators]
    name = own[0] if own else BASE
    sheet = library.part(name).supply
    if sheet is None:
        raise PlannerError(f"parts/{name} has no [supply]")
    return name, sheet


def _input(library: SpecLibrary, key: str, figure: Quantity, file: str) -> _Input:
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
    return _Input(key, span, figure.kind, figure.method, file)


def supply(
    library: SpecLibrary,
    system: System,
    cards: int,
    *,
    given: Mapping[str, float] | None = None,
    by_months: float | None = None,
    second: System | None = None,
    rates: Mapping[int, float] | None = None,
    tokens: float | None = None,
    seed: int = 0,
) -> SupplyPlan:
    """Deliveries of ``cards`` cards of ``system``.

    Args:
        library: the spec library.
        system: what is bought.
        cards: how many.
        given: figures (`KEYS`) that are known better than the files say, in `UNITS`.
        by_months: the date to meet, in months from the order.
        second: a second source for what the first cannot deliver by then.
        rates: tokens per second with failures by cards, to train on what has arrived (see `phase_cards`).
        tokens: of the run.
        seed: of the draws.

    Raises:
        PlannerError: figures that make no sense; a card without a supply file.
    """
    if by_months is not None and not by_months > 0:
        raise PlannerError(f"must be above 0, not {by_months}", file="--by")
    card = library.accelerator(system.accelerator)
    inputs = supply_inputs(library, card, given)
    drawn = _drawn(inputs, seed)
    months = months_until(drawn, cards)
    at = _central(inputs)
    second_plan = None
    if by_months is not None and second is not None:
        second_plan = _second(
            library, card, second, cards, median(arrived_by(drawn, by_months)), by_months, seed
        )
    arrived = None if by_months is None else arrived_by(drawn, by_months)
    sure = None if by_months is None else float((months <= by_months).mean())
    feasible = second_plan.meets if second_plan else sure is None or sure >= 0.5
    phases, finished, waiting = phases_of(drawn, months, cards, rates, tokens)
    return SupplyPlan(
        system=system.id,
        accelerator=card.id,
        cards=cards,
        headline=_headline(card, cards, months, by_months, sure, arrived, drawn, second_plan),
        feasible=feasible,
        packages_per_month=_band(drawn["packages_per_month"]),
        limited_by={name: float((drawn["limit"] == place).mean()) for place, name in enumerate(LIMITS)},
        months=_maybe(months),
        die_yield=_band(drawn["die_yield"]),
        package_usd=_maybe(drawn["package_usd"]),
        package_parts_usd={name: at[name] for name in ("dies_usd", "memory_usd", "packaging_usd")},
        by_months=by_months,
        by_probability=sure,
        by_cards=None if arrived is None else _band(np.minimum(arrived, cards)),
        phases=phases,
        finished_month=finished,
        waiting_month=waiting,
        second=second_plan,
        figures=[
            SupplyFigure(
                key=item.key,
                value=item.span.value,
                low=item.span.low,
                high=item.span.high,
                unit=UNITS[item.key],
                kind=item.kind,
                method=item.method,
                file=item.file,
            )
            for item in inputs
        ],
    )


LIMITS = ("wafers", "packaging", "memory")


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


def _central(inputs: Sequence[_Input]) -> dict[str, Any]:
    return engine.supply([_body({item.key: item.span.value for item in inputs})])[0]


def _drawn(inputs: Sequence[_Input], seed: int) -> dict[str, Floats]:
    """Draws of the inputs and of what the core makes of them."""
    random = np.random.default_rng(seed)
    # Each key has its own stream: a figure that is given leaves the draws of the others as they are.
    streams = dict(zip(KEYS, random.spawn(len(KEYS)), strict=True))
    values = {item.key: item.span.at(streams[item.key].standard_normal(DRAWS)) for item in inputs}
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


def _band(values: Floats) -> Band:
    found = percentiles(values)
    assert found is not None
    return Band(p10=found[0], p50=found[1], p90=found[2])


def _maybe(values: Floats) -> Band | None:
    return None if percentiles(values) is None else _band(values)


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


def rates_of(
    scenario: Scenario, library: SpecLibrary, system: System, counts: Sequence[int]
) -> tuple[dict[int, float], float]:
    """Tokens per second, failures included, on each number of cards, and the tokens of the run."""
    hardware = scenario.hardware.model_copy(update={"systems": (system.id,)})
    request = build(scenario.model_copy(update={"hardware": hardware}), library).request
    search = request.search.model_copy(update={"objective": "throughput", "front": (), "front_points": 1})
    rates = {}
    for count in counts:
        limits = request.limits.model_copy(
            update={"cards_min": 1, "cards_max": min(count, request.limits.cards_max)}
        )
        asked = request.model_copy(
            update={
                "limits": limits,
                "search": search,
                "target": wire.Target(days=None, tokens_per_second=None),
            }
        )
        best = engine.size(asked)["best"]
        if best is not None:
            speed = best["performance"]
            rates[count] = speed["tokens_per_second"] * speed["goodput"]
    return rates, request.training.tokens


def phase_cards(
    library: SpecLibrary, system: System, cards: int, given: Mapping[str, float] | None
) -> list[int]:
    """P50 cards at the end of each phase, in whole units: what `rates` has to be worked out for."""
    card = library.accelerator(system.accelerator)
    drawn = _drawn(supply_inputs(library, card, given), 0)
    unit = unit_cards(system)
    counts = {
        int(min(median(arrived_by(drawn, month)), cards)) // unit * unit for month in phase_ends(drawn, cards)
    }
    return sorted(count for count in counts | {cards // unit * unit} if count > 0)


def _second(  # noqa: PLR0917
    library: SpecLibrary,
    card: Accelerator,
    system: System,
    cards: int,
    first: float,
    by_months: float,
    seed: int,
) -> Second:
    other = library.accelerator(system.accelerator)
    worth = _matrix_rate(library, other) / _matrix_rate(library, card)
    lacking = max(0.0, cards - first)
    wanted = math.ceil(lacking / worth / unit_cards(system)) * unit_cards(system)
    there = median(arrived_by(_drawn(supply_inputs(library, other), seed), by_months))
    meets = there >= wanted
    return Second(
        system=system.id,
        first_cards=min(first, cards),
        cards=float(wanted) if meets else None,
        worth=worth,
        meets=meets,
    )


def _matrix_rate(library: SpecLibrary, card: Accelerator) -> float:
    """16-bit matrix peak times the share that software reaches."""
    peak = card.peak.bf16 or card.peak.fp16
    if peak is None:
        raise PlannerError(f"{card.id} lists no 16-bit peak, so its cards cannot be weighed against others")
    return peak.value * library.efficiency(card.efficiency).matmul.bf16.value


def _headline(  # noqa: PLR0917
    card: Accelerator,
    cards: int,
    months: Floats,
    by_months: float | None,
    sure: float | None,
    arrived: Floats | None,
    drawn: Mapping[str, Floats],
    second: Second | None,
) -> str:
    name = card.name.split("(")[0].strip()
    found = percentiles(months)
    when = "not all of them in sight"
    if found is not None:
        when = f"{found[1]:.3g} months (P10-P90 {found[0]:.3g}-{found[2]:.3g})"
    told = f"{cards:,} {name}: {when} · estimates, not published figures"
    if by_months is None or sure is None or arrived is None:
        return told
    first = median(drawn["lead_time"])
    there = f"{min(median(arrived), cards):,.0f} of them"
    if second is not None and second.meets:
        return f"{there} by month {by_months:g}, and {second.cards:,.0f} of {second.system} · {told}"
    if by_months <= first and median(drawn["stock"]) < cards:
        return (
            f"No: month {by_months:g} is before the first delivery (month {first:.3g}); then {there} · {told}"
        )
    if sure < 0.5:
        return f"No: {there} by month {by_months:g} · {told}"
    return f"Yes ({sure:.0%} sure) by month {by_months:g} · {told}"
