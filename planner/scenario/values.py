"""How numbers may be written in a scenario: ``"15.6T"`` tokens, ``"180 days"``, ``"30 MW"`` ..."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from planner import units
from planner.specs.quantity import Frozen
from planner.units import Dimension

_COUNT_UNITS = {
    "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30,
}  # fmt: skip
_COUNT = re.compile(r"\s*(.*?\d\.?)\s*([A-Za-z]*)\s*\Z", re.DOTALL)
_PLAIN = re.compile(r"\s*[-+]?[\d_.,]+(?:[eE][-+]?\d+)?\s*")
_LARGEST_WHOLE = 2**53
LARGEST_COUNT = 1e17
"""Tokens, or tokens a second. Thousands of times what was ever written: beyond it a digit slipped."""
SECONDS_PER_DAY = 86400.0
MOST_DAYS = 36_500.0
LEAST_DAYS = 1 / SECONDS_PER_DAY


class Money(Frozen):
    """An amount as the user wrote it; the problem converts it to US dollars."""

    amount: float
    currency: str


def number(value: object) -> float:
    """A finite number, from a number or from text such as ``"15.6e12"``.

    Raises:
        ValueError: not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number, not {_shown(value)}")
    return units.parse(value, Dimension.COUNT)[0]


def positive(value: object) -> float:
    """Like `number`, above zero."""
    return _above_zero(number(value), value)


def count(value: object) -> float:
    """A positive amount of things, with an optional suffix: k, M, B (or G), T; Ki, Mi, Gi.

    Raises:
        ValueError: not such an amount.
    """
    if isinstance(value, str):
        match = _COUNT.match(value)
        if match and match[2] and match[2] in _COUNT_UNITS:
            return _above_zero(number(match[1]) * _COUNT_UNITS[match[2]], value)
        if match and match[2]:
            known = ", ".join(unit for unit in _COUNT_UNITS if unit)
            raise ValueError(
                f"{_shown(value)} is not a count: {_shown(match[2])} is no suffix of counts; known: {known}, "
                'e.g. "15.6T" for 15.6e12'
            )
    return _above_zero(number(value), value)


def amount(value: object) -> float:
    """Like `count`, where more than `LARGEST_COUNT` can only be a slip."""
    found = count(value)
    if found > LARGEST_COUNT:
        raise ValueError(f"{_shown(value)} is beyond what can be meant (at most {LARGEST_COUNT:g})")
    return found


def whole(value: object) -> int:
    """Like `count`, without a fraction."""
    amount = count(value)
    if amount != int(amount):
        raise ValueError(f"must be a whole number, not {_shown(value)}")
    if amount > _LARGEST_WHOLE:
        raise ValueError(f"{_shown(value)} is too large")
    return int(amount)


def whole_or_zero(value: object) -> int:
    """A whole number from 0."""
    return 0 if not isinstance(value, bool) and value in (0, "0") else whole(value)


def _quantity(value: object, dimension: Dimension) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number with a unit, not {_shown(value)}")
    return _above_zero(units.parse(value, dimension)[0], value)


def days(value: object) -> float:
    """A duration in days; a plain number is in days.

    Raises:
        ValueError: not a duration between a second and a century.
    """
    try:
        found = positive(value)
    except units.UnitError:
        found = _quantity(value, Dimension.SECONDS) / SECONDS_PER_DAY
    if not LEAST_DAYS <= found <= MOST_DAYS:
        raise ValueError(f"must lie between a second and {MOST_DAYS:,.0f} days, but is {_shown(value)}")
    return found


def seconds(value: object) -> float:
    """A duration in seconds; a plain number is in seconds."""
    if isinstance(value, int | float):
        return positive(value)
    return _quantity(value, Dimension.SECONDS)


def latency(value: object) -> float:
    """Seconds of a duration with its unit: latencies are told in milliseconds as often as in seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'{_shown(value)} has no unit: write "{value:g} ms" or "{value:g} s"')
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        plain = value.strip()
        raise ValueError(f'{_shown(value)} has no unit: write "{plain} ms" or "{plain} s"')
    return _quantity(value, Dimension.SECONDS)


def watts(value: object) -> float:
    """A power with its unit, in watts."""
    return _quantity(value, Dimension.WATTS)


def celsius(value: object) -> float:
    """A temperature in degrees Celsius, with its unit or as a plain number: ``"27 degC"``, ``27``."""
    if isinstance(value, int | float):
        return number(value)
    if not isinstance(value, str):
        raise ValueError(f"must be a temperature in degC, not {_shown(value)}")
    try:
        return number(value)
    except ValueError:
        return units.parse(value, Dimension.CELSIUS)[0]


def money(value: object) -> Money:
    """An amount with its currency: ``"200 MUSD"``, ``"1_400 MCNY"``."""
    return _money(value, Dimension.MONEY)


def energy_price(value: object) -> Money:
    """Money per kWh: ``"0.06 USD/kWh"``."""
    return _money(value, Dimension.MONEY_PER_KWH)


def _money(value: object, dimension: Dimension) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        sample = '"0.06 USD/kWh"' if dimension is Dimension.MONEY_PER_KWH else '"200 MUSD"'
        raise ValueError(f"must be an amount with its currency such as {sample}, not {_shown(value)}")
    amount, unit = units.parse(value, dimension)
    return Money(amount=_above_zero(amount, value), currency=units.currency_of(unit) or "USD")


def carbon(value: object) -> float:
    """kg CO2 per kWh, with its unit; zero is lawful."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number with a unit, not {_shown(value)}")
    amount = units.parse(value, Dimension.KG_CO2_PER_KWH)[0]
    if amount < 0:
        raise ValueError(f"must not be negative, but is {_shown(value)}")
    return amount


def bandwidth(value: object) -> float:
    """Bytes per second, one way, with its unit."""
    return _quantity(value, Dimension.BYTES_PER_SECOND)


def share(value: object) -> float:
    """A fraction between 0 and 1, or a percentage as text: ``"85 %"``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number between 0 and 1, not {_shown(value)}")
    amount = units.parse(value, Dimension.FRACTION)[0]
    if not 0 <= amount <= 1:
        raise ValueError(f"must lie between 0 and 1, but is {_shown(value)}")
    return amount


def at_least_one(value: object) -> float:
    """A ratio from 1 upwards (PUE, oversubscription)."""
    amount = number(value)
    if amount < 1:
        raise ValueError(f"must be at least 1, but is {_shown(value)}")
    return amount


def as_list(value: Any) -> Any:
    """A single value stands for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _above_zero(amount: float, written: object) -> float:
    if not math.isfinite(amount):
        raise ValueError(f"{_shown(written)} is not a finite number")
    if amount <= 0:
        raise ValueError(f"must be above zero, but is {_shown(written)}")
    return amount


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


Positive = Annotated[float, BeforeValidator(positive)]
Amount = Annotated[float, BeforeValidator(amount)]
Whole = Annotated[int, BeforeValidator(whole)]
WholeOrZero = Annotated[int, BeforeValidator(whole_or_zero)]
Days = Annotated[float, BeforeValidator(days)]
DurationSeconds = Annotated[float, BeforeValidator(seconds)]
LatencySeconds = Annotated[float, BeforeValidator(latency)]
Watts = Annotated[float, BeforeValidator(watts)]
Celsius = Annotated[float, BeforeValidator(celsius)]
MoneyAmount = Annotated[Money, BeforeValidator(money)]
EnergyPrice = Annotated[Money, BeforeValidator(energy_price)]
Carbon = Annotated[float, BeforeValidator(carbon)]
Bandwidth = Annotated[float, BeforeValidator(bandwidth)]
Share = Annotated[float, BeforeValidator(share)]
AtLeastOne = Annotated[float, BeforeValidator(at_least_one)]
