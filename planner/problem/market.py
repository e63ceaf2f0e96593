"""Which systems may be bought: by origin, by date, and by the country they are wanted in."""

from __future__ import annotations

from planner.scenario.limits import Limits
from planner.specs import Accelerator, System
from planner.specs.export_control import performance_density, total_processing_performance

ON_SALE = ("shipping", "legacy")
"""States in which a system can be bought today; an announced one counts from its date of release."""


def closed_to_china(card: Accelerator) -> str | None:
    """Why a US card may not be sold to China by the letter of ECCN 3A090, or None.

    3A090.a: TPP >= 4,800, or TPP >= 1,600 and density >= 5.92; 3A090.b: TPP >= 2,400 and density >= 1.6, or
    TPP >= 1,600 and density >= 3.2. Licences and orders to single vendors are not in it.
    """
    tpp, density = total_processing_performance(card), performance_density(card)
    if card.origin != "US" or tpp is None:
        return None
    if tpp >= 4800:
        return f"a TPP of {tpp:,.0f} is above 4,800 (ECCN 3A090.a)"
    if density is None:
        return None
    if tpp >= 1600 and density >= 3.2:
        return f"a TPP of {tpp:,.0f} at a density of {density:.2f} is above 1,600 and 3.2 (ECCN 3A090)"
    if tpp >= 2400 and density >= 1.6:
        return f"a TPP of {tpp:,.0f} at a density of {density:.2f} is above 2,400 and 1.6 (ECCN 3A090.b)"
    return None


def excluded(system: System, card: Accelerator, limits: Limits) -> str | None:
    """Why a system is outside ``limits.origin``, ``available_by`` or ``available_in``; None: it is inside."""
    if limits.origin is not None and card.origin not in limits.origin:
        return f"its cards come from {card.origin}, not from {' or '.join(limits.origin)} (limits.origin)"
    late = _late(system, card, limits.available_by)
    return late or _closed(system, card, limits)


def _late(system: System, card: Accelerator, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    if system.status in ("rumoured", "never-shipped"):
        return f"it is {system.status} (limits.available_by)"
    released = system.released or card.released
    if released is None:
        return "no date of release is known (limits.available_by)"
    if released[: len(wanted)] > wanted[: len(released)]:
        return f"it is released in {released}, after {wanted} (limits.available_by)"
    return None


def _closed(system: System, card: Accelerator, limits: Limits) -> str | None:
    if limits.available_in is None:
        return None
    if limits.available_by is None and system.status not in ON_SALE:
        return f"it is {system.status}, not on sale (limits.available_in)"
    why = closed_to_china(card) if limits.available_in == "CN" else None
    return None if why is None else f"{why} (limits.available_in)"
