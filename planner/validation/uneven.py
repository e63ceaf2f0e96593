"""Uneven pipeline stages that people deal by hand when the even split does not fit."""

from __future__ import annotations

from collections.abc import Iterator

from planner.scenario.split import MOST_LAYERS, MOST_STAGES, Split


def uneven_splits(layers: int, stages: int, chunks: int = 1) -> Iterator[Split]:
    """Splits that give the early stages less, gentlest first.

    Early stages of 1F1B hold the most micro-batches at once. Two shapes: counts that rise evenly from the
    first stage to the last (what MindSpeed's ``--num-layer-list`` is used for), and a first stage that alone
    gives (Megatron's ``--decoder-first-pipeline-num-layers``). Every stage keeps at least one layer a chunk,
    and has a multiple of ``chunks`` layers. Nothing where the layers cannot be dealt so.
    """
    units, rest = divmod(layers, chunks)
    if stages < 2 or rest or units <= stages or stages > MOST_STAGES:
        return
    seen: set[Split] = set()
    for taken in range(1, units // stages + 1):
        for shape in (_first_gives(units, stages, taken), _rising(units, stages, taken)):
            split = tuple(count * chunks for count in shape)
            if min(shape) > 0 and max(split) <= MOST_LAYERS and split not in seen:
                seen.add(split)
                yield split


def _first_gives(units: int, stages: int, taken: int) -> list[int]:
    """The first stage ``taken`` below the even share, the rest dealt evenly, later stages but the last first.

    The last stage has the head beside its layers.
    """
    first = units // stages - taken
    each, over = divmod(units - first, stages - 1)
    others = [each] * (stages - 1)
    for place in range(over):
        others[(stages - 3 - place) % (stages - 1)] += 1
    return [first, *others]


def _rising(units: int, stages: int, taken: int) -> list[int]:
    """Counts that rise by 2 ``taken`` from the first stage to the last, rounded so that they add up."""
    span = stages * (stages - 1)
    wanted = [units * (stages - 1) + taken * stages * (2 * place - stages + 1) for place in range(stages)]
    counts = [part // span for part in wanted]
    nearest = sorted(range(stages), key=lambda place: (wanted[place] % span, place), reverse=True)
    for place in nearest[: units - sum(counts)]:
        counts[place] += 1
    return sorted(counts)
