"""Layers of each pipeline stage, dealt by hand: ``7:9x3:12`` is one stage of 7, three of 9 and one of 12."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

MOST_STAGES = 64
MOST_LAYERS = 255
Split = tuple[int, ...]

_PIECE = re.compile(r"([0-9]{1,3})(?:x([0-9]{1,3}))?")


def split_of(value: Any) -> Split:
    """A split from its text or a list of whole numbers.

    Raises:
        ValueError: it is neither, or longer than the core takes.
    """
    layers = _from_text(value) if isinstance(value, str) else _from_list(value)
    if not layers:
        raise ValueError("deals no layers: leave it out for equal stages")
    if len(layers) > MOST_STAGES or max(layers) > MOST_LAYERS:
        raise ValueError(f"at most {MOST_STAGES} stages of at most {MOST_LAYERS} layers can be dealt by hand")
    return layers


def _from_text(text: str) -> Split:
    found: list[int] = []
    for piece in text.strip().split(":"):
        match = _PIECE.fullmatch(piece.strip())
        if match is None or (match[2] is not None and int(match[2]) == 0):
            raise ValueError(f"{text!r} is no split: e.g. 7:9x3:12 for stages of 7, 9, 9, 9 and 12 layers")
        found += [int(match[1])] * int(match[2] or 1)
    return tuple(found)


def _from_list(value: Any) -> Split:
    if not isinstance(value, Sequence) or not all(
        isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in value
    ):
        raise ValueError("is no split: a list of layers per stage, or text such as 7:9x3:12")
    return tuple(value)


def splits_of(value: Any) -> tuple[Split, ...]:
    """One split, or a list of them to choose from.

    Raises:
        ValueError: as for `split_of`.
    """
    if (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(item, str | list | tuple) for item in value)
    ):
        return tuple(split_of(item) for item in value)
    return (split_of(value),)


def split_text(layers: Sequence[int]) -> str:
    """The split as people and ``--layout`` write it."""
    runs = [(count, len(list(same))) for count, same in groupby(layers)]
    return ":".join(f"{count}x{times}" if times > 1 else str(count) for count, times in runs)
