"""The figures that a design rests on, with their sources, as the plan lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from planner.plan.account import Estimate, Figure, FigureSource
from planner.plan.bands import Uncertain
from planner.problem import ESTIMATE_ROLES, FigureKey
from planner.problem import Figure as Used
from planner.problem.evidence import SERVING_CONSTANTS, SERVING_SOFTWARE
from planner.software import SoftwareProfile
from planner.software.serving import serving_constants, serving_profile
from planner.specs import Quantity, Source, SpecLibrary

BANDED_ROLES = ("timing", "power", "cost", "reliability")
"""Roles of figures that move an output with a band."""


def address(key: FigureKey) -> str:
    """``accelerators/kunlun-p800: power.tdp``."""
    return f"{key.kind}/{key.id}: {key.key}"


def record(used: Used, library: SpecLibrary, softwares: Sequence[SoftwareProfile]) -> Figure:
    """A figure with its sources spelt out."""
    quantity = used.quantity
    table = sources(used.key, library, softwares)
    return Figure(
        label=used.label,
        key=address(used.key),
        role=used.role,
        value=quantity.value,
        unit=unit_of(quantity),
        low=quantity.low,
        high=quantity.high,
        kind=quantity.kind,
        method=quantity.method,
        note=quantity.note,
        date=quantity.date,
        sources=[_source(table[name]) for name in quantity.source_keys if name in table],
    )


def sources(
    key: FigureKey, library: SpecLibrary, softwares: Sequence[SoftwareProfile]
) -> Mapping[str, Source]:
    """The table of sources of the file in which a figure stands."""
    if key.kind == "software":
        return next(item for item in softwares if item.id == key.id).sources
    if key.kind == SERVING_SOFTWARE:
        return serving_profile(key.id).sources
    if key.kind == SERVING_CONSTANTS:
        return serving_constants().sources
    return library.get(key.kind, key.id).sources


def unit_of(quantity: Quantity) -> str:
    """The base unit of a figure; money in its own currency."""
    unit = quantity.dimension.value
    return unit.replace("money", quantity.currency or "money")


def _source(source: Source) -> FigureSource:
    return FigureSource(title=source.title, url=source.url, date=source.date, note=source.note)


def uncertain(figures: Iterable[Used]) -> list[Uncertain]:
    """The figures that have a range and move an output with a band.

    Fitted figures are left out: the residual and the spread were read off runs that the fit had not seen, so
    they hold the error of the fitted figures already.
    """
    found = []
    for used in figures:
        quantity = used.quantity
        low = quantity.value if quantity.low is None else quantity.low
        high = quantity.value if quantity.high is None else quantity.high
        if low < high and used.role in BANDED_ROLES and quantity.kind != "fitted":
            found.append(Uncertain(used.label, address(used.key), low, high, used.key))
    return found


def estimates(figures: Sequence[Used], weight: Mapping[str, float] | None) -> list[Estimate]:
    """The estimates in timing, power and failures that the answer rests on, the weightiest first.

    Args:
        figures: those that the design uses.
        weight: by address, how much each moves the answer; one that moves nothing (an overlap of experts in a
            dense model) is not rested on. None: not known, all count.
    """
    found = [
        Estimate(
            label=used.label,
            key=address(used.key),
            role=used.role,
            value=used.quantity.value,
            low=used.quantity.value if used.quantity.low is None else used.quantity.low,
            high=used.quantity.value if used.quantity.high is None else used.quantity.high,
            unit=unit_of(used.quantity),
            method=used.quantity.method or "",
        )
        for used in figures
        if used.is_estimate and used.role in ESTIMATE_ROLES
    ]
    if weight is None:
        return found
    kept = [item for item in found if weight.get(item.key) is not None]
    return sorted(kept, key=lambda item: (-weight[item.key], item.key))
