"""The closed table of units: text such as ``"3.2 TB/s"`` to SI numbers and back.

Every dimension knows its own units, so a unit of another dimension is an error that names the likely slip
(bits for bytes, a size for a rate). Link rates may be written in bits (``Gb/s``) because that is how they are
sold; sizes may not. Decimal (GB) and binary (GiB) prefixes are distinct. Only finite values pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum

_DECIMAL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
BITS_PER_BYTE = 8.0


class Dimension(StrEnum):
    """What a quantity measures; the value is the SI (or base) unit that numbers are kept in."""

    COUNT = "count"
    FRACTION = "fraction"
    BYTES = "B"
    BYTES_PER_SECOND = "B/s"
    FLOPS_PER_SECOND = "FLOP/s"
    SECONDS = "s"
    WATTS = "W"
    HERTZ = "Hz"
    SQUARE_METRES = "m2"
    METRES = "m"
    KILOGRAMS = "kg"
    CELSIUS = "degC"
    MONEY = "money"
    MONEY_PER_KWH = "money/kWh"
    MONEY_PER_WATT = "money/W"
    KG_CO2_PER_KWH = "kgCO2/kWh"
    LITRES_PER_KWH = "L/kWh"
    PER_NODE_DAY = "1/node-day"


def _scaled(symbols: Mapping[str, float], prefixes: Mapping[str, float]) -> dict[str, float]:
    return {
        prefix + symbol: scale * factor
        for symbol, factor in symbols.items()
        for prefix, scale in prefixes.items()
    }


CURRENCIES = ("USD", "CNY", "EUR", "SGD")

_UNITS: dict[Dimension, dict[str, float]] = {
    Dimension.COUNT: {"": 1.0},
    Dimension.FRACTION: {"": 1.0, "%": 0.01},
    Dimension.BYTES: _scaled({"B": 1.0}, _DECIMAL | _BINARY),
    Dimension.BYTES_PER_SECOND: _scaled({"B/s": 1.0}, _DECIMAL | _BINARY)
    | _scaled({"b/s": 1.0 / BITS_PER_BYTE}, _DECIMAL),
    Dimension.FLOPS_PER_SECOND: _scaled({"FLOP/s": 1.0, "OP/s": 1.0}, _DECIMAL),
    Dimension.SECONDS: {
        "s": 1.0,
        "ms": 1e-3,
        "us": 1e-6,
        "ns": 1e-9,
        "min": 60.0,
        "h": 3600.0,
        "day": 86400.0,
        "days": 86400.0,
        "week": 7 * 86400.0,
        "weeks": 7 * 86400.0,
        "year": 365 * 86400.0,
        "years": 365 * 86400.0,
    },
    Dimension.WATTS: _scaled({"W": 1.0}, _DECIMAL),
    Dimension.HERTZ: _scaled({"Hz": 1.0}, _DECIMAL),
    Dimension.SQUARE_METRES: {"m2": 1.0, "mm2": 1e-6},
    Dimension.METRES: {"m": 1.0, "mm": 1e-3, "km": 1e3},
    Dimension.KILOGRAMS: {"kg": 1.0, "t": 1e3},
    Dimension.CELSIUS: {"degC": 1.0},
    Dimension.MONEY: dict.fromkeys(CURRENCIES, 1.0) | {f"M{c}": 1e6 for c in CURRENCIES},
    Dimension.MONEY_PER_KWH: {f"{c}/kWh": 1.0 for c in CURRENCIES},
    Dimension.MONEY_PER_WATT: {f"{c}/W": 1.0 for c in CURRENCIES},
    Dimension.KG_CO2_PER_KWH: {"kgCO2/kWh": 1.0, "gCO2/kWh": 1e-3},
    Dimension.LITRES_PER_KWH: {"L/kWh": 1.0},
    Dimension.PER_NODE_DAY: {"1/node-day": 1.0, "1/1000-node-days": 1e-3},
}

_CURRENCY_DIMENSIONS = {Dimension.MONEY, Dimension.MONEY_PER_KWH, Dimension.MONEY_PER_WATT}
# Commas only between groups of three digits: "1,5" may be a decimal comma and is refused, not read as 15.
_NUMBER = re.compile(
    r"\s*([-+]?(?:(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d[\d_]*(?!,\d))\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*\Z",
    re.DOTALL | re.ASCII,
)
_BITS_SIZE = re.compile(r"[kMGTP]?b(it|its)?")


class UnitError(ValueError):
    """A text is not a finite quantity of the wanted dimension."""


def parse(text: str | float, dimension: Dimension) -> tuple[float, str]:
    """Read ``text`` as a quantity of ``dimension``.

    Returns:
        The value in the dimension's base unit (bytes, B/s, FLOP/s, s, W ...; money stays in its own currency)
        and the unit as it was written.

    Raises:
        UnitError: not a number, not finite, or a unit of another dimension.
    """
    if isinstance(text, bool):
        raise UnitError("a true/false value is not a quantity")
    if isinstance(text, int | float):
        try:
            value, unit = float(text), ""
        except OverflowError:
            raise UnitError("the number is too large") from None
    elif not isinstance(text, str):
        raise UnitError(f"{_cut(text)} is not a number with a unit")
    else:
        match = _NUMBER.match(text)
        if match is None:
            comma = " (the decimal sign is a point)" if re.search(r"\d,\d", text) else ""
            raise UnitError(f"{_cut(text)} is not a number with a unit{comma}")
        value, unit = float(match[1].replace("_", "").replace(",", "")), match[2]
    if not math.isfinite(value):
        raise UnitError(f"{_cut(text)} is not a finite number")
    factor = _UNITS[dimension].get(unit)
    if factor is None:
        raise UnitError(_wrong_unit(text, unit, dimension))
    scaled = value * factor
    if not math.isfinite(scaled):
        raise UnitError(f"{_cut(text)} is too large")
    return scaled, unit


def known(dimension: Dimension) -> list[str]:
    """The units of a dimension; "" among them where a plain number will do."""
    return list(_UNITS[dimension])


def currency_of(unit: str) -> str | None:
    """The currency inside a money unit such as ``"MUSD"`` or ``"CNY/kWh"``, else None."""
    return next((c for c in CURRENCIES if c in unit), None)


def _cut(text: object) -> str:
    """What was written, as Python shows it, cut where it is long."""
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _wrong_unit(text: object, unit: str, dimension: Dimension) -> str:  # noqa: PLR0911 (one slip a line)
    table = _UNITS[dimension]
    if dimension in _CURRENCY_DIMENSIONS:
        sample = ", ".join(sorted(table))
    else:
        # The everyday prefixes of a long table; all of a short one.
        usual = [u for u in table if len(table) <= 12 or u[:1] in "GTM" or u == dimension.value]
        sample = ", ".join(u or "a plain number" for u in usual)
    if unit == "":
        return f"{_cut(text)} has no unit; a {dimension.value} figure needs one of: {sample}"
    if _BITS_SIZE.fullmatch(unit) and dimension is Dimension.BYTES:
        return f"{_cut(text)} is in bits; sizes are in bytes: write {unit[0].upper()}B if bytes are meant"
    if dimension is Dimension.BYTES_PER_SECOND and f"{unit}/s" in table:
        return f"{_cut(text)} is a size, not a rate: write {unit}/s"
    if dimension is Dimension.BYTES_PER_SECOND and unit.endswith("bps"):
        return f"{_cut(text)}: write {unit[:-3]}b/s for bits per second"
    if dimension is Dimension.BYTES and unit.removesuffix("/s") != unit:
        return f"{_cut(text)} is a rate, not a size: sizes are in bytes, e.g. GB or GiB"
    if dimension is Dimension.FLOPS_PER_SECOND and unit.upper().endswith(("FLOPS", "OPS")):
        operations = "FLOP/s" if "FL" in unit.upper() else "OP/s"
        return f"{_cut(text)}: write {unit[0]}{operations} for operations per second"
    if dimension is Dimension.SECONDS and unit in _OTHER_TIMES:
        return f"{_cut(text)}: {_OTHER_TIMES[unit]}"
    if "RMB" in unit.upper() and dimension.value.startswith("money"):
        return f"{_cut(text)}: write {unit.upper().replace('RMB', 'CNY')} for yuan"
    same_letters = [u for u in table if u and u.lower() == unit.lower()]
    near = same_letters or get_close_matches(unit, [u for u in table if u], n=1, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{_cut(text)}: unit {_cut(unit)} is not a unit of {dimension.value}; {hint}known: {sample}"


_OTHER_TIMES = {
    "m": "m is no unit of time here: write min, or days for months",
    "mo": "months differ in length: write days or weeks",
    "month": "months differ in length: write days or weeks",
    "months": "months differ in length: write days or weeks",
    "d": "write days",
    "w": "write weeks",
    "y": "write years",
    "sec": "write s",
    "seconds": "write s",
    "minutes": "write min",
    "minute": "write min",
    "hour": "write h",
    "hours": "write h",
    "hr": "write h",
}
"""Units of time that people write, and what to write instead."""

_SHOW_PREFIXES = [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0)]


def show_in(value: float, dimension: Dimension, unit: str, digits: int = 4) -> str:
    """Write ``value`` (base units) in ``unit``, e.g. ``80 GiB``."""
    return f"{value / _UNITS[dimension][unit]:.{digits}g} {unit}"


def show(value: float, dimension: Dimension, digits: int = 4) -> str:
    """Write ``value`` (base units) for people, e.g. ``3.2 TB/s``."""
    if dimension in (
        Dimension.BYTES,
        Dimension.BYTES_PER_SECOND,
        Dimension.FLOPS_PER_SECOND,
        Dimension.WATTS,
        Dimension.HERTZ,
    ):
        for prefix, scale in _SHOW_PREFIXES:
            if abs(value) >= scale:
                return f"{value / scale:.{digits}g} {prefix}{dimension.value}"
        return f"{value:.{digits}g} {dimension.value}"
    if dimension is Dimension.SECONDS and 0 < abs(value) < 1:
        return f"{value * 1e6:.{digits}g} us" if abs(value) < 1e-3 else f"{value * 1e3:.{digits}g} ms"
    unit = "" if dimension in (Dimension.COUNT, Dimension.FRACTION) else f" {dimension.value}"
    return f"{value:.{digits}g}{unit}"
