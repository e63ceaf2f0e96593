"""Numbers of a plan for people; the unit is the caller's word unless the function's name says it."""

from __future__ import annotations

import math

from planner.plan.account import Band


def number(value: float) -> str:
    """Three significant digits, thousands separated: 22,016 · 176 · 74.2 · 6.24."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scaled(value: float, unit: str) -> str:
    """With a decimal prefix: ``1.8 TB/s``."""
    for prefix, scale in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale:
            return f"{number(value / scale)} {prefix}{unit}"
    return f"{number(value)} {unit}".rstrip()


def power(megawatts: float) -> str:
    """Power given in megawatts: ``16.4 MW``, ``8.49 kW``."""
    return scaled(megawatts * 1e6, "W")


def counted(count: int, noun: str) -> str:
    """``1 server``, ``6,336 servers``; the plural of ``switch`` is ``switches``."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith('ch') else 's'}"


def spaced(value: float, noun: str) -> str:
    """A count with its scale apart from the noun: ``15.6 T tokens``, ``100 B tokens`` (billions)."""
    for prefix, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale:
            return f"{number(value / scale)} {prefix} {noun}"
    return f"{number(value)} {noun}"


def days(value: float) -> str:
    """A duration given in days: ``1 day``, ``74.2 days``."""
    text = number(value)
    return f"{text} day" if text == "1" else f"{text} days"


def rate(tokens_per_second: float) -> str:
    """``2.51 M tokens/s``."""
    return spaced(tokens_per_second, "tokens/s")


def usd(amount: float) -> str:
    """``$1.23 G`` reads badly: ``$1.23 bn``, ``$45.6 M``."""
    for suffix, scale in ((" bn", 1e9), (" M", 1e6), (" k", 1e3)):
        if abs(amount) >= scale:
            return f"${number(amount / scale)}{suffix}"
    return f"${number(amount)}"


def percent(share: float, digits: int = 1) -> str:
    """A fraction as ``12.3 %``."""
    return f"{100 * share:.{digits}f} %"


def signed_percent(share: float) -> str:
    """A relative change: ``+12 %``."""
    return f"{100 * share:+.{0 if abs(share) >= 0.1 else 1}f} %"


def duration(seconds: float) -> str:
    """``340 ms``, ``12.3 s``, ``45 min``, ``3.2 h``."""
    for unit, scale in (("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale * (1 if unit in ("s", "ms") else 2):
            return f"{number(seconds / scale)} {unit}"
    return f"{number(seconds * 1e6)} us"


def number_in(value: float, unit: str) -> str:
    """A figure in its base unit, prefixed: ``400 W``, ``50 GB/s``, ``0.35``."""
    if unit in ("B", "B/s", "FLOP/s", "W", "Hz"):
        return scaled(value, unit)
    if unit == "s":
        return duration(value) if value else "0 s"
    if unit.startswith("USD"):
        return usd(value) + unit.removeprefix("USD")
    return f"{number(value)} {unit if unit not in ('count', 'fraction') else ''}".rstrip()


def spread(band: Band | None, runs: float | None = None) -> str:
    """`` (P10-P90 58-101)``, or nothing; with the share of draws in which it ``runs``, unless nearly all."""
    if band is None:
        return ""
    of = "" if runs is None or runs > ALL else f" in the {percent(runs, 0)} of draws where it fits"
    return f" (P10-P90 {number(band.p10)}-{number(band.p90)}{of})"


ALL = 0.95
"""Beyond this share of the draws the rest hardly moves P90, and is not told."""
