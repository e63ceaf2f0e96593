"""The declared space of layouts: what the search enumerates unless ``[layout]`` says otherwise.

The core crosses these lists with every dp that the cards allow and rejects what is not lawful; the lists only
have to hold everything worth looking at. docs/scenario.md prints the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from planner.problem import wire
from planner.scenario.layout import LayoutChoice
from planner.scenario.vocabulary import Schedule

MOST_STAGES = 64
MOST_CONTEXT_RANKS = 16
SHORTEST_LOCAL_SEQUENCE = 4096
"""Tokens. Context parallelism cuts no shorter: attention over shorter pieces is no longer worth a ring."""
MOST_EXPERT_RANKS = 64
"""Divisors of the experts up to here; powers of two also beyond."""
CHUNKS_PER_STAGE = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
MICRO_BATCHES = (1, 2, 4, 8)


def space(  # noqa: PLR0917
    model: wire.Model,
    training: wire.Training,
    cards_max: int,
    clusters: Sequence[wire.Cluster],
    choice: LayoutChoice,
    schedule: Schedule = "1f1b",
) -> wire.Space:
    """The space for a model on these clusters; the scenario's ``[layout]`` replaces single dimensions.

    A factorized space has every degree by default: what does not use all devices evenly is no candidate.
    ``schedule``: that of the software, where ``[layout]`` names none.
    """
    manners: dict[str, tuple[object, ...]] = {
        "recompute_layers": choice.recompute_layers or (),
        "schedule": choice.schedule or (() if schedule == "1f1b" else (schedule,)),
        "cp_kind": choice.cp_kind or (),
        "stage_layers": choice.stage_layers or (),
    }
    is_moe = model.moe is not None
    even = choice.factorized
    devices = {cards_max // c.unit_cards * c.unit_cards * c.devices_per_card for c in clusters}
    tp = choice.tp or (
        factors(devices, model.heads, model.hidden) if even else tensor_degrees(model.heads, clusters)
    )
    by_hand = tuple(sorted({len(split) for split in choice.stage_layers or ()}))
    pp = choice.pp or by_hand or (divisors(model.layers) if even else pipeline_stages(model.layers))
    return wire.Space(
        tp=tp,
        pp=pp,
        vpp=choice.vpp or (divisors(model.layers) if even else CHUNKS_PER_STAGE),
        cp=choice.cp or context_degrees(training.sequence),
        ep=choice.ep or expert_degrees(model.moe.experts if model.moe else 1),
        etp=choice.etp or (("one", "tensor") if is_moe else ("one",)),
        dp=choice.dp,
        micro_batch=choice.micro_batch
        or (even_micro_batches(devices, tp, pp, training.global_batch) if even else MICRO_BATCHES),
        recompute=choice.recompute or ("none", "selective", "full"),
        # Stage 3 is lawful without a pipeline only; with experts nobody trains so at scale.
        sharding=choice.sharding or ((1,) if is_moe else (1, 3)),
        sequence_parallel=choice.sequence_parallel or (True,),
        switches=switches(choice),
        factorized=choice.factorized,
        **{name: values for name, values in manners.items() if values},
    )


def switches(choice: LayoutChoice) -> wire.SwitchSpace:
    """The plain value of each switch, unless the scenario widens or fixes it."""
    named = {name: getattr(choice, name) for name in wire.SwitchSpace.model_fields}
    return wire.SwitchSpace(**{name: values for name, values in named.items() if values is not None})


def factors(devices: Iterable[int], heads: int, hidden: int) -> tuple[int, ...]:
    """Tensor degrees that divide the heads, the hidden size, and some number of devices."""
    return tuple(
        tp for tp in divisors(heads) if hidden % tp == 0 and any(count % tp == 0 for count in devices)
    )


def even_micro_batches(
    devices: Iterable[int], tp: Iterable[int], pp: Iterable[int], batch: int
) -> tuple[int, ...]:
    """Divisors of the sequences that a data rank can get where every device is used."""
    ranks = {count // (t * p) for count, t, p in product(devices, tp, pp) if count % (t * p) == 0}
    locals_ = {batch // dp for dp in ranks if dp <= batch}
    return tuple(sorted({divisor for sequences in locals_ for divisor in divisors(sequences)})) or (1,)


def divisors(number: int) -> tuple[int, ...]:
    """All of them, rising."""
    return tuple(d for d in range(1, number + 1) if number % d == 0)


def tensor_degrees(heads: int, clusters: Sequence[wire.Cluster]) -> tuple[int, ...]:
    """Powers of two that divide the heads, up to the largest reach of the clusters.

    A cluster's reach is its scale-up domain in devices, at most 32 where the outermost level is switched and
    16 where not, and at least 8.
    """
    most = max(max(8, min(_domain_devices(c), 32 if _is_switched(c) else 16)) for c in clusters)
    return tuple(degree for degree in _powers_of_two(most) if heads % degree == 0)


def _domain_devices(cluster: wire.Cluster) -> int:
    return cluster.domain_cards * cluster.devices_per_card


def _is_switched(cluster: wire.Cluster) -> bool:
    return bool(cluster.levels) and cluster.levels[-1].topology == "switched"


def pipeline_stages(layers: int) -> tuple[int, ...]:
    """1 to 64 (at most the layers): powers of two, and divisors of layers, layers + 1 and layers + 2.

    With layers + 1 or + 2 the embedding and the head take the place of a layer in the first and last stage.
    """
    return tuple(
        stages
        for stages in range(1, min(layers, MOST_STAGES) + 1)
        if stages & (stages - 1) == 0 or any((layers + extra) % stages == 0 for extra in (0, 1, 2))
    )


def context_degrees(sequence: int) -> tuple[int, ...]:
    """Powers of two up to 16 that leave at least 4,096 tokens per rank."""
    return tuple(
        d for d in _powers_of_two(MOST_CONTEXT_RANKS) if d == 1 or sequence / d >= SHORTEST_LOCAL_SEQUENCE
    )


def expert_degrees(experts: int) -> tuple[int, ...]:
    """Divisors of the number of experts, up to 64 or a power of two."""
    return tuple(
        d for d in range(1, experts + 1) if experts % d == 0 and (d <= MOST_EXPERT_RANKS or d & (d - 1) == 0)
    )


def _powers_of_two(most: int) -> list[int]:
    return [1 << power for power in range(most.bit_length()) if 1 << power <= most]
