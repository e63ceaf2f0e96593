"""The layouts that a row of a case file may mean: its null fields filled in, one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from planner.architectures import Architecture
from planner.errors import PlannerError
from planner.problem import wire
from planner.scenario.split import MOST_STAGES
from planner.software import SoftwareProfile
from planner.validation.rows import Row

MOST_CHUNKS = 16
MICRO_BATCHES = (1, 2, 4, 8)
POWERS = (1, 2, 4, 8, 16, 32)


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
    ep_given = row.ep or (1 if shape.moe is None else None)
    refusal = ""
    found = False
    for tp, pp, cp in _degrees(row, shape, devices, devices_per_card):
        if devices % (tp * pp * cp) or shape.layers < pp or shape.heads % tp:
            continue
        dp = devices // (tp * pp * cp)
        if row.dp is not None and dp != row.dp:
            continue
        refusal = _expert_refusal(ep_given, shape, tp * cp * dp) or refusal
        for options in _options(row, profile, shape, pp, dp, tp, cp, batch, ep_given):
            found = True
            layout, filled = _layout(row, profile, shape, tp, pp, cp, dp, options)
            filled += tuple(
                f"{key} not given: {value}"
                for key, value in (("tp", tp), ("pp", pp), ("cp", cp if cp > 1 else row.cp or 1))
                if not getattr(row, key) and (key != "cp" or value > 1)
            )
            if batch % (dp * options[0]):
                filled += (f"a batch of {batch} is no multiple of dp x micro-batch: time in proportion",)
            yield layout, filled
    if not found and refusal:
        raise UnanswerableError(refusal)
    if not found:
        stated = ", ".join(
            f"{key}={getattr(row, key)}" for key in ("tp", "pp", "cp", "dp") if getattr(row, key)
        )
        raise UnanswerableError(
            f"the layout contradicts the machine: {devices} devices, {stated or 'no degrees'}, "
            f"batch {batch}, "
            f"{shape.layers} layers, {shape.heads} heads"
        )


def _degrees(
    row: Row, shape: Architecture, devices: int, devices_per_card: int
) -> Iterator[tuple[int, int, int]]:
    """(tp, pp, cp) that the row states or may mean.

    What dp and the others leave of the machine decides a degree that is left out. Without dp a left-out cp is
    one, tp is a power of two, and pp another or one that deals the layers evenly.
    """
    domain = (row.scaleup_domain or 8) * devices_per_card
    tps = [row.tp] if row.tp else [tp for tp in (1, 2, 4, 8) if tp <= domain and shape.heads % tp == 0]
    most = min(shape.layers, MOST_STAGES)
    stages = [pp for pp in range(1, most + 1) if row.dp or pp in POWERS or _deals(shape.layers, pp)]
    for tp, pp in itertools.product(tps, [row.pp] if row.pp else stages):
        left = devices // (tp * pp * row.dp) if row.dp and row.tp and row.pp else 1
        yield tp, pp, row.cp or max(left, 1)


def _deals(layers: int, chunks: int) -> bool:
    """Whether chunks come out equal, with the embedding or the head in the place of a layer or not."""
    return chunks <= layers and any((layers + tables) % chunks == 0 for tables in (0, 1, 2))


def _expert_refusal(ep: int | None, shape: Architecture, ranks: int) -> str:
    """Why a stated expert parallelism cannot be; nothing where it can."""
    if ep and ranks % ep:
        return f"ep={ep} does not divide tp x cp x dp = {ranks}"
    if ep and shape.moe is not None and shape.moe.experts % ep:
        return f"ep={ep} does not divide {shape.moe.experts} experts"
    return ""


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
        chunks = [v for v in range(1, MOST_CHUNKS + 1) if v == 1 or _deals(shape.layers, pp * v)]
    ranks = tp * cp * dp
    experts = [
        ep for ep in ([ep_given] if ep_given else (*POWERS, 64)) if not _expert_refusal(ep, shape, ranks)
    ]
    if not ep_given:
        # The habit of the framework holds where one of them keeps it.
        etp = _expert_tensor(row, profile, shape, tp)
        experts = [ep for ep in experts if ranks % (ep * etp) == 0] or experts
    recomputes = [row.recompute] if row.recompute else ["none", "attention", "cheap", "full"]
    yield from itertools.product(micros, chunks, experts, recomputes)


def _expert_tensor(row: Row, profile: SoftwareProfile, shape: Architecture, tp: int) -> int:
    """Tensor parallelism inside an expert: as stated, else the habit of the framework."""
    return row.etp or (tp if shape.moe is not None and profile.expert_tensor == "tensor" else 1)


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
    schedule = (row.schedule or profile.schedule) if pp > 1 else "1f1b"
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
    etp = _expert_tensor(row, profile, shape, tp)
    if row.etp is None and (tp * cp * dp) % (ep * etp):
        etp = 1
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
