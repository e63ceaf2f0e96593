"""Rules for cards: what stacks, cores, precisions, sparsity, links and silicon must multiply out to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from planner.specs.checks.base import Finding, Library, Subject, differs, value
from planner.specs.quantity import ComputeRate
from planner.specs.schema import Accelerator

Card = Subject[Accelerator]

# (narrow precision, wider ones, lawful ratios narrow / wide). Matrix engines gain by whole factors.
_RATIOS: tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...] = (
    ("fp8", ("bf16", "fp16"), (1, 2)),
    ("int8", ("bf16", "fp16"), (1, 2)),
    ("fp4", ("fp8",), (2, 3)),
)
_RATIO_TOLERANCE = 0.03
_BALANCE = (10.0, 1000.0)
"""16-bit FLOP of the matrix engine for a byte of memory traffic: those of the library lie well inside."""
_WIDE_TO_NARROW = ("fp64", "fp32", "tf32", "bf16")
"""A wider format is never faster on a matrix engine."""

_PRECISIONS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4")


def check(library: Library) -> Iterator[Finding]:
    """All rules of this module over all accelerators."""
    for card in library.of("accelerators", Accelerator):
        yield from _stacks(card)
        yield from _memory_rate(card)
        yield from _cores(card)
        yield from _sparse(card)
        yield from _precisions(card)
        yield from _advertised(card)
        yield from _links(card)
        yield from _silicon(card)
        yield from _power(card)


def _stacks(card: Card) -> Iterator[Finding]:
    memory = card.spec.memory
    stacks, size, capacity = value(memory.stacks), value(memory.stack_capacity), value(memory.capacity)
    if stacks is None or size is None or capacity is None:
        return
    product = stacks * size
    text = (
        f"{stacks:g} stacks of {size / 1e9:.4g} GB hold {product / 1e9:.4g} GB, "
        f"the capacity is {capacity / 1e9:.4g} GB"
    )
    if capacity > product * 1.005 or capacity < product * 0.85:
        yield card.error("stacks", "memory.capacity", text, "check counts, and GB against GiB")
    elif capacity < product * 0.995:
        # Vendors hold back a little for yield and error correction (141 of 144 GB).
        yield card.warning("stacks", "memory.capacity", text, "check that the vendor holds back the rest")


def _memory_rate(card: Card) -> Iterator[Finding]:
    """Memory rates are sold in bytes; one in bits is eight times too slow where bytes were meant."""
    bandwidth = card.spec.memory.bandwidth
    if bandwidth is None:
        return
    if bandwidth.unit.endswith("b/s"):
        yield card.warning(
            "memory-rate",
            "memory.bandwidth",
            f"is given in bits ({bandwidth.unit}); data sheets of memory give bytes",
            f"write {bandwidth.unit[:-3]}B/s if bytes are meant",
        )
    peak = value(card.spec.peak.bf16) or value(card.spec.peak.fp16)
    if peak is None:
        return
    low, high = _BALANCE
    if not low <= peak / bandwidth.value <= high:
        yield card.warning(
            "memory-rate",
            "memory.bandwidth",
            f"{peak / bandwidth.value:.3g} FLOP of the 16-bit peak for a byte of memory traffic; cards have "
            f"{low:g} to {high:g}",
            "check bits against bytes, and the prefixes of both figures",
        )


def _cores(card: Card) -> Iterator[Finding]:
    engine = card.spec.matrix_engine
    cores, clock, work = value(engine.cores), value(engine.clock), value(engine.flops_per_cycle_per_core)
    peaks = [p for p in (value(card.spec.peak.bf16), value(card.spec.peak.fp16)) if p is not None]
    if cores is None or clock is None or work is None or not peaks:
        return
    product = cores * clock * work
    if all(differs(product, peak, 0.01) for peak in peaks):
        yield card.error(
            "cores-x-clock",
            "matrix_engine",
            f"cores x clock x flops_per_cycle_per_core = {product / 1e12:.4g} TFLOP/s, "
            f"the 16-bit peak is {peaks[0] / 1e12:.4g} TFLOP/s",
            "check the counts (whole card, all dies), the clock, and dense against sparse",
        )


def _sparse(card: Card) -> Iterator[Finding]:
    for precision in _PRECISIONS:
        sparse = _peak(card, "peak_sparse", precision)
        if sparse is None:
            continue
        dense = _peak(card, "peak_advertised", precision) or _peak(card, "peak", precision)
        key = f"peak_sparse.{precision}"
        if dense is None:
            yield card.warning("sparse", key, "a sparse rate without a dense one", "give the dense rate too")
        elif differs(sparse, 2 * dense, 0.02):
            # Some chips gain less than twice at 4 bits.
            yield card.finding(
                "warning" if precision == "fp4" else "error",
                "sparse",
                key,
                f"2:4 sparse is {sparse / dense:.3g} x dense, not 2 x",
                "check which of the two rates was printed",
            )


def _precisions(card: Card) -> Iterator[Finding]:
    bf16, fp16 = _peak(card, "peak", "bf16"), _peak(card, "peak", "fp16")
    if bf16 and fp16 and not 0.499 <= fp16 / bf16 <= 2.002:
        yield card.warning(
            "precision-ratio", "peak.fp16", f"fp16 is {fp16 / bf16:.3g} x bf16", "check both rates"
        )
    for narrow, wider, lawful in _RATIOS:
        fast = _peak(card, "peak", narrow)
        ratios = {wide: fast / slow for wide in wider if fast and (slow := _peak(card, "peak", wide))}
        if ratios and not any(
            not differs(r, law, _RATIO_TOLERANCE) for r in ratios.values() for law in lawful
        ):
            wide, ratio = next(iter(ratios.items()))
            yield card.warning(
                "precision-ratio",
                f"peak.{narrow}",
                f"{narrow} is {ratio:.3g} x {wide}; usual is {' or '.join(f'{r:g} x' for r in lawful)}",
                "check dense against sparse, and the whole card against one die",
            )
    known = [(p, rate) for p in _WIDE_TO_NARROW if (rate := _peak(card, "peak", p)) is not None]
    for (wide, slow), (narrow, fast) in pairwise(known):
        if slow > fast * 1.001:
            yield card.warning(
                "precision-ratio",
                f"peak.{wide}",
                f"{wide} is faster than {narrow}",
                "peak holds the matrix engine only; vector rates stand in [vector]",
            )


def _advertised(card: Card) -> Iterator[Finding]:
    for precision in _PRECISIONS:
        advertised, dense = _peak(card, "peak_advertised", precision), _peak(card, "peak", precision)
        if advertised is not None and dense is not None and advertised < dense * 0.999:
            yield card.error(
                "advertised",
                f"peak_advertised.{precision}",
                "the advertised rate is below the matrix engine's",
                "advertised rates add the vector engine to the matrix engine: check which is which",
            )


def _links(card: Card) -> Iterator[Finding]:
    links = card.spec.links
    one_way, two_way = value(links.scale_up_bandwidth), value(links.scale_up_bandwidth_two_way_advertised)
    if one_way and two_way and differs(two_way, 2 * one_way, 0.02):
        yield card.error(
            "two-way",
            "links.scale_up_bandwidth",
            f"the advertised two-way total is {two_way / one_way:.3g} x the one-way total, not 2 x",
            "scale_up_bandwidth is one way and for the whole card",
        )


def _silicon(card: Card) -> Iterator[Finding]:
    silicon = card.spec.silicon
    area, package = value(silicon.die_area), value(silicon.package_area)
    dies = value(silicon.dies) or 1.0
    if area and package and dies * area > package:
        yield card.error(
            "die-area",
            "silicon.die_area",
            f"{dies:g} dies of {area * 1e6:.4g} mm2 do not fit a package of {package * 1e6:.4g} mm2",
            "die_area is that of one compute die, package_area that of the whole package",
        )
    if silicon.dies is not None and dies < card.spec.devices_per_card:
        yield card.error(
            "devices",
            "devices_per_card",
            f"{card.spec.devices_per_card} devices on {dies:g} dies",
            "a device is one die or several, never part of one",
        )


def _power(card: Card) -> Iterator[Finding]:
    tdp, idle = value(card.spec.power.tdp), value(card.spec.power.idle)
    if tdp is not None and idle is not None and idle >= tdp:
        yield card.error("idle", "power.idle", "idle power is not below the TDP", "check both figures")


def _peak(card: Card, table: str, precision: str) -> float | None:
    figure: ComputeRate | None = getattr(getattr(card.spec, table), precision)
    return value(figure)
