"""Shadow prices in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.plan.model import Plan
from planner.plan.names import limit_words
from planner.plan.prices import Price
from planner.plan.service_parts import ServicePrice
from planner.plan.shown import days, duration, number, power, signed_percent, spaced, usd


def price_rows(plan: Plan) -> Iterator[tuple[str, str]]:
    """A line for each constraint that binds, and one that names those that do not."""
    yield from gains(plan.prices)
    idle = [f"{limit_words(price.constraint)} {_step(price)}" for price in plan.prices if price.plan is None]
    if idle:
        yield "no gain from", "; ".join(idle)


def service_price(price: ServicePrice) -> str:
    """What a step of a constraint of a service makes of the objective."""
    if price.after == price.before:
        return f"{service_step(price)} changes nothing"
    unit = price.objective_unit
    return f"{service_step(price)} makes {number(price.before)} into {number(price.after)} {unit}" + (
        "" if unit == "cards" else f" on {price.cards:,} cards"
    )


def service_step(price: ServicePrice) -> str:
    """``target.tpot: +1 ms of 50 ms``."""
    if price.unit == "s":
        return f"{price.constraint}: {price.step * 1e3:+.4g} ms of {duration(price.limit)}"
    sign = "+" if price.step > 0 else "-"
    return f"{price.constraint}: {sign}{number(abs(price.step))} of {number(price.limit)} {price.unit}"


def gains(prices: Sequence[Price]) -> Iterator[tuple[str, str]]:
    """A step of each limit and what it gains, for those of which anything is gained."""
    for price in prices:
        if price.plan is not None:
            yield _step(price), _gain(price)


def _gain(price: Price) -> str:
    assert price.plan is not None
    before, after = (amount(value, price.objective_unit) for value in (price.before, price.after))
    per_unit = amount(price.per_unit, price.objective_unit)
    sign = "more" if price.step > 0 else "less"
    # Unlike the rate of a step beside the layout.
    counted = ", failures counted" if price.objective_unit == "tokens/s" else ""
    return (
        f"{limit_words(price.constraint)}: {before} -> {after} ({signed_percent(price.change)}){counted}, "
        f"{per_unit} per {_one(price.unit)} {sign}, with {price.plan.cards:,} cards of {price.plan.system}"
    )


def _one(unit: str) -> str:
    return unit.removesuffix("s") if unit in ("days", "cards", "racks") else unit


def _step(price: Price) -> str:
    sign = "+" if price.step > 0 else "-"
    size = abs(price.step)
    if price.unit == "USD":
        return f"{sign}{usd(size)}"
    return f"{sign}{number(size)} {_one(price.unit) if size == 1 else price.unit}"


def amount(value: float, unit: str) -> str:
    """An objective with its unit; of a weighted one there is none."""
    if unit == "days":
        return days(value)
    if unit.startswith("USD"):
        return usd(value) + unit.removeprefix("USD")
    if unit == "MW":
        return power(value)
    if unit == "tokens/s":
        return spaced(value, unit)
    return f"{number(value)} {unit}".rstrip()
