"""Rules for every figure of every file: range, spread, method, magnitude and sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from planner.specs.checks.base import Finding, Library, Subject
from planner.specs.quantity import Fraction, Quantity
from planner.specs.reading import parse_table
from planner.specs.schema import Part, Site, SpecFile
from planner.units import Dimension, show

WIDE_SPREAD = 10.0
"""high / low beyond which a range is worth a second look."""
ABSURD_SPREAD = 1000.0

_MAY_BE_ZERO = (Dimension.COUNT, Dimension.FRACTION, Dimension.LITRES_PER_KWH, Dimension.KG_CO2_PER_KWH)

_ISO_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")

_YEAR = 365 * 86400.0
_BOUNDS: dict[Dimension, tuple[float, float]] = {
    Dimension.COUNT: (0, 1e9),
    Dimension.BYTES: (1, 1e15),
    Dimension.BYTES_PER_SECOND: (1e6, 1e15),
    Dimension.FLOPS_PER_SECOND: (1e9, 1e17),
    Dimension.SECONDS: (1e-9, 100 * _YEAR),
    Dimension.WATTS: (0, 1e10),
    Dimension.HERTZ: (1e7, 1e10),
    Dimension.SQUARE_METRES: (1e-7, 1),
    Dimension.METRES: (1e-3, 1e5),
    Dimension.KILOGRAMS: (1e-3, 1e5),
    Dimension.CELSIUS: (-70, 110),  # from winters to chip junctions
    Dimension.MONEY: (0, 1e11),
    Dimension.MONEY_PER_KWH: (0, 20),
    Dimension.MONEY_PER_WATT: (0.1, 1000),
    Dimension.KG_CO2_PER_KWH: (0, 2),
    Dimension.LITRES_PER_KWH: (0, 20),
    Dimension.PER_NODE_DAY: (0, 1),
}
"""Outside these (base units) a figure of any kind of hardware is a slip of unit or digit."""

_KEY_BOUNDS: dict[str, tuple[float, float]] = {
    "accelerators.memory.capacity": (1e8, 1e13),
    "accelerators.memory.bandwidth": (1e10, 1e14),
    "accelerators.memory.l2": (1e4, 1e11),
    "accelerators.links.scale_up_bandwidth": (1e9, 1e13),
    "accelerators.links.scale_up_bandwidth_two_way_advertised": (1e9, 1e13),
    "accelerators.links.host_bandwidth": (1e9, 1e12),
    "accelerators.power.tdp": (5, 1e4),
    "accelerators.power.idle": (1, 5e3),
    "accelerators.silicon.die_area": (1e-5, 2e-3),
    "accelerators.silicon.dies": (1, 64),
    "systems.levels.bandwidth": (1e9, 1e13),
    "systems.levels.latency": (1e-8, 1e-3),
    "systems.scale_out.bandwidth": (1e8, 1e12),
    "systems.host.memory": (1e9, 1e14),
    "systems.host.power": (10, 2e5),
    "systems.host.nameplate": (50, 5e5),
    "fabrics.port_rate": (1e9, 1e12),
    "fabrics.latency": (1e-8, 1e-3),
    "fabrics.latency_per_tier": (1e-9, 1e-3),
    "parts.power": (0, 1e5),
    "efficiency.residual": (0.005, 2),
}
"""Narrower bounds of single keys, as kind.key."""


def check(library: Library) -> Iterator[Finding]:
    """All rules of this module over all files."""
    yield from check_values(library)
    for subject in library.all():
        yield from _sources(subject)


def check_values(library: Library) -> Iterator[Finding]:
    """The rules about figures themselves, without those about the sources' table."""
    for subject in library.all():
        for key, figure in subject.spec.figures():
            yield from _range(subject, key, figure)
            yield from _magnitude(subject, key, figure)
            yield from _text(subject, key, figure)


def _range(subject: Subject[SpecFile], key: str, figure: Quantity) -> Iterator[Finding]:
    exact = figure.value == 0 or figure.dimension is Dimension.COUNT
    if figure.kind == "estimate" and figure.low == figure.high and not exact:
        yield subject.warning(
            "estimate-range",
            key,
            "an estimate without any spread",
            "give the range that holds in 8 of 10 cases",
        )
    if figure.low is None or figure.high is None or figure.dimension is Dimension.CELSIUS:
        return
    if figure.low <= 0 < figure.high:
        if figure.value > 0 and figure.dimension not in _MAY_BE_ZERO:
            yield subject.warning(
                "spread",
                key,
                "low is zero or below for a positive figure",
                "give the lowest value that is likely",
            )
        return
    ratio = figure.high / figure.low if figure.low > 0 else 1.0
    if ratio > ABSURD_SPREAD:
        yield subject.error(
            "spread", key, f"high is {ratio:.3g} times low", "check the units of low and high"
        )
    elif ratio > WIDE_SPREAD:
        yield subject.warning(
            "spread", key, f"high is {ratio:.3g} times low", "narrow the range, or say why not"
        )


def _magnitude(subject: Subject[SpecFile], key: str, figure: Quantity) -> Iterator[Finding]:
    if isinstance(figure, Fraction):
        yield from _share(subject, key, figure)
        return
    plain_key = re.sub(r"\[\d+\]", "", key)
    low, high = _KEY_BOUNDS.get(f"{subject.kind}.{plain_key}", _BOUNDS[figure.dimension])
    for name in ("value", "low", "high"):
        number = getattr(figure, name)
        if number is not None and not low <= number <= high:
            yield subject.error(
                "magnitude",
                key,
                f"{name} {show(number, figure.dimension)} is outside what is possible here "
                f"({show(low, figure.dimension)} to {show(high, figure.dimension)})",
                "check unit and digits; leave a figure out where it is not known, never 0",
            )
            return


def _share(subject: Subject[SpecFile], key: str, figure: Fraction) -> Iterator[Finding]:
    numbers = [n for n in (figure.value, figure.low, figure.high) if n is not None]
    if max(numbers) > 2:
        yield subject.error("share", key, "a share lies between 0 and 1", 'write 0.87 or "87 %"')
    elif max(numbers) > 1:
        yield subject.warning("share", key, "a share above 1", "check that it is not a percentage or a ratio")


def _text(subject: Subject[SpecFile], key: str, figure: Quantity) -> Iterator[Finding]:
    if figure.method is not None and len(figure.method.strip()) < 3:
        written = f"{figure.method!r} says nothing" if figure.method.strip() else "the method is empty"
        yield subject.error("method", key, written, "say how the figure was made")
    if figure.date is not None and not _ISO_DATE.fullmatch(figure.date):
        yield subject.error(
            "date", key, f"{figure.date!r} is not a date", "write 2024, 2024-08 or 2024-08-31"
        )


def _sources(subject: Subject[SpecFile]) -> Iterator[Finding]:
    cited = {key for _, figure in subject.spec.figures() for key in figure.source_keys}
    if isinstance(subject.spec, Site):
        cited.add(subject.spec.climate.source)
    if isinstance(subject.spec, Part):
        for item in subject.spec.maturity.values():
            cited |= {item.source} if isinstance(item.source, str) else set(item.source)
    inherited_from = subject.chain[1:]
    own = parse_table(subject.chain[0].source).get("sources", {})
    for name, source in subject.spec.sources.items():
        key = f"sources.{name}"
        if not _ISO_DATE.fullmatch(source.date):
            yield subject.error(
                "date", key, f"{source.date!r} is not a date", "write 2024, 2024-08 or 2024-08-31"
            )
        if not source.title.strip():
            yield subject.error("unsourced", key, "the title is empty", "name the document")
        if source.url is None and source.note is None:
            yield subject.warning(
                "unsourced",
                key,
                "a source without address",
                "give its url, or say in a note where it was read",
            )
        elif source.url is not None and not re.match(r"https?://\S+\Z", source.url):
            yield subject.error(
                "unsourced", key, f"{source.url!r} is not an address", "give a full https:// address"
            )
        if name in own and name not in cited:
            reach = "" if not inherited_from else " here or in what it extends"
            yield subject.warning(
                "unused-source", key, f"no figure cites it{reach}", "cite it or take it out"
            )
