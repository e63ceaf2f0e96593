"""The layouts that a row of a case file may mean: its null fields filled in, one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from planner.architectures import Architecture
from planner.errors import PlannerError
from planner.problem import wire
from planner.software import SoftwareProfile
from planner.validation.rows import Row

NO_PIPELINE_CHUNKS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
MICRO_BATCHES = (1, 2, 4, 8)


class UnanswerableError(Exception):
    """Why a row cannot be predicted."""


def why_not(fault: PlannerError) -> str:
    """The reason that a fault of the library or of a definition in the file gives, with its key."""
    key = f"{fault.key}: " if fault.key and fault.key not in fault.message else ""
    return key + fault.message + (f" ({fault.hint})" if fault.hint else "")


def layouts(
    row: Row, shape: Architecture, profile: SoftwareProfile, devices_per_card: int
) -> Iterator[tuple[wire.LayoutOfDesign, tuple[str, ...]]]:
    """Every layout that the row may mean; one where it states all.

    Raises:
        UnanswerableError: it contradicts itself.
    """
    assert row.cards is not None
    devices = row.cards * devices_per_card
    batch = row.global_batch or 1
    powers = [1, 2, 4, 8]
    # Null degrees that the sources leave out because they are one.
    cp, ep_given = row.cp or 1, row.ep or (1 if shape.moe is None else None)
    domain = (row.scaleup_domain or 8) * devices_per_card
    tps = [row.tp] if row.tp else [tp for tp in powers if tp <= domain and shape.heads % tp == 0]
    pps = [row.pp] if row.pp else [pp for pp in (1, 2, 4, 8, 16, 32) if pp <= shape.layers]
    found = False
    for tp, pp in itertools.product(tps, pps):
        if devices % (tp * pp * cp):
            continue
        dp = devices // (tp * pp * cp)
        if row.dp is not None and dp != row.dp:
            continue
        if shape.layers < pp or shape.heads % tp:
            continue
        for options in _options(row, profile, shape, pp, dp, tp, cp, batch, ep_given):
            found = True
            layout, filled = _layout(row, profile, shape, tp, pp, cp, dp, options)
            filled += tuple(
                f"{key} not given: {value}"
                for key, value in (("tp", tp), ("pp", pp))
                if not getattr(row, key)
            )
            if batch % (dp * options[0]):
                filled += (f"a batch of {batch} is no multiple of dp x micro-batch: time in proportion",)
            yield layout, filled
    if not found:
        stated = ", ".join(
            f"{key}={getattr(row, key)}" for key in ("tp", "pp", "cp", "dp") if getattr(row, key)
        )
        raise UnanswerableError(
            f"the layout contradicts the machine: {devices} devices, {stated or 'no degrees'}, "
            f"batch {batch}, "
            f"{shape.layers} layers, {shape.heads} heads"
        )


def _options(  # noqa: PLR0917
    row: Row,
    profile: SoftwareProfile,
    shape: Architecture,
    pp: int,
    dp: int,
    tp: int,
    cp: int,
    batch: int,
    ep_given: int | None,
) -> Iterator[tuple[int, int, int, str]]:
    """(micro-batch, vpp, ep, recompute) to try."""
    micros = (
        [row.micro_batch] if row.micro_batch else [m for m in MICRO_BATCHES if batch % (m * dp) == 0] or [1]
    )
    if row.vpp and not (row.vpp == 1 and "no virtual pipeline printed" in (row.note or "")):
        chunks = [row.vpp]
    elif pp == 1 or not profile.interleaves:
        chunks = [1]
    else:
        chunks = [v for v in NO_PIPELINE_CHUNKS if v == 1 or shape.layers % (pp * v) == 0]
    if ep_given:
        experts = [ep_given]
    else:
        limit = shape.moe.experts if shape.moe else 1
        experts = [e for e in (1, 2, 4, 8, 16, 32, 64) if limit % e == 0 and (tp * cp * dp) % e == 0]
    recomputes = [row.recompute] if row.recompute else ["none", "attention", "cheap", "full"]
    for micro, vpp, ep, recompute in itertools.product(micros, chunks, experts, recomputes):
        if ep_given and (tp * cp * dp) % ep:
            raise UnanswerableError(f"ep={ep} does not divide tp x cp x dp = {tp * cp * dp}")
        if shape.moe is not None and shape.moe.experts % ep:
            raise UnanswerableError(f"ep={ep} does not divide {shape.moe.experts} experts")
        yield micro, vpp, ep, recompute


def _recompute(row: Row, profile: SoftwareProfile, recompute: str) -> str:
    """What "selective" redoes: by the parts that the row names, else by the habit of its framework."""
    if recompute != "selective":
        return "selective" if recompute == "cheap" else recompute
    parts = row.recompute_parts or ()
    if not parts:
        return profile.selective
    return "attention" if all("att" in part for part in parts) else "selective"


def _recomputed_layers(row: Row) -> int:
    """Layers of a chunk that recompute, 0 for all.

    Full recomputation "of 1 layer" is Megatron's uniform method: every layer on its own.
    """
    layers = row.recompute_layers or 0
    return 0 if row.recompute == "full" and layers == 1 else layers


def _layout(  # noqa: PLR0917
    row: Row,
    profile: SoftwareProfile,
    shape: Architecture,
    tp: int,
    pp: int,
    cp: int,
    dp: int,
    options: tuple[int, int, int, str],
) -> tuple[wire.LayoutOfDesign, tuple[str, ...]]:
    micro, vpp, ep, recompute = options
    schedule = profile.schedule if pp > 1 else "1f1b"
    if schedule != "1f1b" and pp % 2 == 0:
        # What sources print as two chunks are the two directions of such a pipeline.
        vpp = 1
    filled = [
        f"{key} not given: {value}"
        for key, value, asked in (
            ("micro_batch", micro, True),
            ("vpp", vpp, pp > 1),
            ("recompute", _recompute(row, profile, recompute), True),
            ("ep", ep, shape.moe is not None),
        )
        if asked and getattr(row, key) is None
    ]
    if shape.moe is None:
        ep = 1
    etp = row.etp
    if etp is None:
        wanted = tp if shape.moe is not None and profile.expert_tensor == "tensor" else 1
        etp = wanted if (tp * cp * dp) % (ep * wanted) == 0 else 1
    sharding = row.sharding
    if sharding is None:
        sharding = 3 if "fsdp" in (row.framework or "") or row.framework == "llm-foundry" else 1
        filled.append(f"sharding not given: {sharding}")
    sequence_parallel = row.sequence_parallel
    if sequence_parallel is None:
        sequence_parallel = tp > 1 and profile.sequence_parallel
        if tp > 1:
            filled.append(f"sequence_parallel not given: {str(sequence_parallel).lower()}")
    return (
        wire.LayoutOfDesign(
            pp=pp,
            vpp=vpp,
            tp=tp,
            cp=cp,
            ep=ep,
            etp=etp,
            dp=dp,
            micro_batch=micro,
            recompute=_recompute(row, profile, recompute),
            recompute_layers=_recomputed_layers(row),
            stage_layers=row.stage_layers or (),
            schedule=schedule,
            sharding=sharding,
            sequence_parallel=sequence_parallel and tp > 1,
        ),
        tuple(filled),
    )
