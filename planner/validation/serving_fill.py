"""What a serving row leaves open, filled by the most likely choice; every choice is noted."""

from __future__ import annotations

from dataclasses import dataclass

from planner.architectures import Architecture
from planner.architectures.counts import parameter_counts
from planner.validation.serving_rows import PoolLayout, ServingRow

DECODE_DEVICES = 32
"""Devices of the decode pool of a disaggregated run that does not say how many instances it ran: the most
usual number of the published points that do."""
MANY = 256
"""Requests in flight from which an unstated decode pool of an expert model runs its attention data-parallel:
of the published points that state their pools, those with 128 or more sequences per instance nearly all do,
those with fewer nearly none."""
FITS, FITS_FULL = 0.85, 0.65
"""Share of the memory that weights and the stated requests may take where the layout is chosen here, and
that weights may where as many requests as fit are served: in such shipped rows they take 63 % at most."""
BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5625, "int4": 0.515625}


class ContradictionError(Exception):
    """The row contradicts itself, or does not say enough; with the reason."""


@dataclass(frozen=True)
class Shape:
    """Layout of one instance; tp x dp = ep x etp devices per stage."""

    tp: int
    dp: int
    pp: int
    ep: int
    etp: int

    @property
    def devices(self) -> int:
        """Devices of an instance."""
        return self.tp * self.dp * self.pp


@dataclass(frozen=True)
class Machine:
    """What of the hardware decides the choices."""

    devices_per_card: int
    server_devices: int
    domain_devices: int
    memory: float
    """Bytes per device."""


def weights_format(row: ServingRow, model: Architecture, peaks: frozenset[str], notes: list[str]) -> str:
    """Format of the weights: stated, said by the model's name, or 16 bits.

    Raises:
        ContradictionError: a format that is not known.
    """
    if row.precision is not None:
        if row.precision not in BYTES:
            raise ContradictionError(
                f"precision {row.precision!r} is not predicted ({', '.join(BYTES)} and fp16 are)"
            )
        return row.precision
    name = (row.model or "").lower()
    chosen = "bf16"
    if "fp8" in name:
        chosen = "fp8"
    elif "fp4" in name:
        chosen = "fp4"
    elif model.id.startswith("deepseek-v3") or model.id.startswith("deepseek-r1"):
        # Trained and published with 8-bit weights.
        chosen = "fp8" if "fp8" in peaks else "int8"
    notes.append(f"precision not given: {chosen}")
    return chosen


def cache_format(row: ServingRow, weights: str, default: str, widened: bool, notes: list[str]) -> str:
    """Format of the key-value cache: stated, or as the framework is usually run at these weights.

    ``widened``: the chip does not compute in the format of the weights. Then nobody quantised the checkpoint
    for it, and the cache stays at 16 bits.
    """
    if row.kv_precision in BYTES:
        return str(row.kv_precision)
    narrow = default == "fp8" and weights in ("fp8", "fp4") and not widened
    chosen = "fp8" if narrow else "bf16"
    notes.append(f"cache precision not given: {chosen}")
    return chosen


def instance_of(
    row: ServingRow, model: Architecture, machine: Machine, weights: str, notes: list[str]
) -> tuple[Shape, int]:
    """Layout and number of the instances of a row with one pool.

    Raises:
        ContradictionError: the degrees and the cards exclude each other.
    """
    devices = row.cards * machine.devices_per_card if row.cards else None
    pp = row.pp or 1
    pool = PoolLayout(tp=row.tp, dp=row.dp, ep=row.ep, etp=row.etp)
    if pool.tp is None and (pool.dp or 1) == 1 and (pool.ep or 1) == 1:
        return _chosen(row, model, machine, weights, devices, notes)
    if pool.tp is None and pool.dp and devices and devices % (pool.dp * pp) == 0:
        pool = pool.model_copy(update={"tp": devices // (pool.dp * pp)})
        notes.append(f"tp not given: {pool.tp}, the devices over dp and pp")
    shape, replicas = shape_of(pool, model, machine, pp, devices, notes)
    if devices is None:
        return shape, replicas
    if devices % shape.devices:
        raise ContradictionError(
            f"the layout contradicts the machine: {devices} devices, but instances of {shape.devices} "
            f"(tp={shape.tp}, dp={shape.dp}, pp={shape.pp}, ep={shape.ep})"
        )
    return shape, devices // shape.devices


def _cache(model: Architecture) -> float:
    """Bytes of a token's keys and values at 16 bits."""
    width = 2 * model.kv_heads * model.head_dim if model.mla is None else model.mla.kv_lora + model.mla.rope
    return 2.0 * model.layers * width


def shape_of(  # noqa: PLR0917
    pool: PoolLayout,
    model: Architecture,
    machine: Machine,
    pp: int,
    devices: int | None,
    notes: list[str],
) -> tuple[Shape, int]:
    """Layout of an instance, and how many of them the degrees imply (dp of a dense model are replicas)."""
    tp, dp, ep, etp = pool.tp or 1, pool.dp or 1, pool.ep or 1, pool.etp
    if model.moe is None:
        if ep > 1:
            raise ContradictionError(f"ep={ep} on a model without experts")
        return Shape(tp, 1, pp, 1, 1), dp
    if devices is None:
        tp, dp, ep, etp = _undoubled(tp, dp, ep, etp, machine, notes)
    if dp > 1 and ep == 1 and not etp:
        return Shape(tp, 1, pp, 1, tp), dp
    if dp > 1 and devices is not None and tp * dp * pp > devices >= dp * pp:
        # Some sources print the devices of the instance as tp beside the same number as dp.
        notes.append(f"tp={tp} and dp={dp} on {devices} devices: read as attention data-parallel over all")
        tp = devices // (dp * pp)
    if ep > tp * dp:
        notes.append(f"ep={ep} beyond tp x dp: attention data-parallel")
        dp = ep // tp
    if model.moe.experts < ep and ep % model.moe.experts and model.moe.experts % ep:
        notes.append(f"{ep} expert ranks for {model.moe.experts} experts: some are held twice")
    if tp * dp % ep:
        raise ContradictionError(f"ep={ep} does not divide tp x dp = {tp * dp}")
    if model.heads % tp:
        raise ContradictionError(f"tp={tp} does not divide the {model.heads} heads")
    return Shape(tp, dp, pp, ep, tp * dp // ep), 1


def attention_of_unstated(row: ServingRow, pool: PoolLayout, notes: list[str]) -> PoolLayout:
    """The decode pool of a row that states neither its instances nor data parallelism of the attention."""
    devices = pool.tp or 1
    if not row.unstated or (row.in_flight or 0.0) < MANY or (pool.dp or 1) > 1 or devices == 1:
        return pool
    if devices % (pool.ep or 1) or (pool.ep or 1) * (pool.etp or 1) > devices:
        return pool
    notes.append(f"{row.in_flight:g} requests in flight: attention taken to be data-parallel")
    return pool.model_copy(
        update={"tp": 1, "dp": devices, "ep": pool.ep or 1, "etp": devices // (pool.ep or 1)}
    )


def _undoubled(  # noqa: PLR0917
    tp: int, dp: int, ep: int, etp: int | None, machine: Machine, notes: list[str]
) -> tuple[int, int, int, int | None]:
    """Degrees of rows that multiply the tensor and expert degrees of one group of devices with each other.

    In the published points a run with "TP8 EP8" on a server of eight stands as tp = 64, moe_tp = 8, ep = 8,
    and one with "TP4 EP4, attention data-parallel" as tp = 4, attention dp = 4, ep = 16: their names tell.
    """
    group = machine.server_devices
    if dp == 1 and ep > 1 and etp == ep and tp == ep * ep and tp > group:
        notes.append(f"tp={tp} is tp x ep of {ep} devices")
        return ep, 1, ep, 1
    if dp == 1 and ep > 1 and etp == ep and tp == ep * ep and ep == group // 2:
        notes.append(f"tp={tp} is tp x ep of {ep} devices")
        return ep, 1, ep, 1
    if dp > 1 and tp == dp and ep == tp * dp and (etp or 1) == 1:
        notes.append(f"tp={tp}, dp={dp}, ep={ep} are {dp} devices, attention data-parallel")
        return 1, dp, dp, 1
    if tp == 1 and dp > group and etp == ep and dp == ep * ep:
        notes.append(f"dp={dp} is dp x ep of {ep} devices")
        return 1, ep, ep, 1
    return tp, dp, ep, etp


def _chosen(  # noqa: PLR0917
    row: ServingRow,
    model: Architecture,
    machine: Machine,
    weights: str,
    devices: int | None,
    notes: list[str],
) -> tuple[Shape, int]:
    """The fewest devices of a power of two, tensor-parallel in a server, that hold the weights and, where the
    row says how many, the sequences at 16 bits."""
    need = parameter_counts(model).total * BYTES[weights]
    held = (row.in_flight or 0.0) / (devices or 1) * ((row.isl or 0.0) + (row.osl or 0.0)) * _cache(model)
    limit = min(machine.domain_devices, devices or machine.domain_devices)
    tp = 1
    most = (FITS if row.in_flight else FITS_FULL) * machine.memory
    while need / tp + held > most and tp < limit:
        tp *= 2
    while model.heads % tp:
        tp //= 2
    if need / tp > machine.memory:
        raise ContradictionError(f"no layout is given, and the weights do not fit {tp} devices")
    notes.append(f"layout not given: tp={tp}")
    etp = 1 if model.moe is None else tp
    return Shape(tp, 1, 1, 1, etp), max(1, (devices or tp) // tp)
