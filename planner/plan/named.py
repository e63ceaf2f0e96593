"""A layout as people name it: ``tp=8,pp=16,dp=64,micro_batch=1,recompute=full``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from planner.errors import ScenarioError
from planner.scenario.split import split_of
from planner.scenario.vocabulary import PRINTED_SCHEDULES

DEGREES = ("tp", "pp", "vpp", "dp", "cp", "ep", "etp", "micro_batch")
RECOMPUTE = ("none", "attention", "selective", "full")
SCHEDULES = ("1f1b", "zero-bubble", "dualpipe")
CP_KINDS = ("ring", "all-to-all")
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
WORDS = {"recompute": RECOMPUTE, "schedule": SCHEDULES, "cp_kind": CP_KINDS}
FROM_ZERO = {
    "sharding": (3, "a ZeRO stage from 0 to 3"),
    "recompute_layers": (2**40, "a whole number from 0"),
}
SWITCHES: Mapping[str, tuple[str, ...]] = {
    "tp_overlap": ("profile", "none", "ring", "pipe"),
    "sequence_gather": ("profile", "kept", "redone"),
    **dict.fromkeys(("p2p_scatter", "dp_overlap", "fused_activation"), ()),
    **dict.fromkeys(("offload_weights", "offload_activations", "offload_optimizer"), ()),
    **dict.fromkeys(("tp_network", "pp_network", "dp_network"), ("ranks", "scale-up", "scale-out")),
}
"""Switches and their words; without words: true or false."""
SPLIT = "stage_layers"
FOLLOWS = ("micro_batches", "micro_batch_group", "global_batch_sequences", "offload", "overlap")
"""Entries of a plan's layout that follow from the others, or from the software."""
KEYS = (*DEGREES, *WORDS, *FROM_ZERO, "sequence_parallel", SPLIT, *SWITCHES)

Named = dict[str, Any]
"""Some or all dimensions of a layout."""


def parse(layout: str | Mapping[str, Any]) -> Named:
    """Read a named layout, or the ``layout`` of a plan as it stands.

    Raises:
        ScenarioError: an unknown dimension (with the nearest), one given twice, or an impossible value.
    """
    if isinstance(layout, str):
        pairs = []
        for text in filter(None, (part.strip() for part in layout.split(","))):
            key, equals, value = (word.strip() for word in text.partition("="))
            if not equals:
                raise _fault(f"{text!r} is not of the form NAME=VALUE", "e.g. --layout tp=8,pp=16,dp=64")
            pairs.append((key, value))
    else:
        whole = {**layout, **layout.get("switches", {})}
        empty = () if layout.get(SPLIT) else (SPLIT,)
        left = (*FOLLOWS, "switches", *empty) if "switches" in layout else ()
        pairs = [
            (key, value if key == SPLIT else str(value)) for key, value in whole.items() if key not in left
        ]
    if not pairs:
        raise _fault("names nothing", "e.g. --layout tp=8,pp=16,dp=64")
    named: Named = {}
    chunked = False
    for written, value in pairs:
        key = written.replace("-", "_")
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise _fault(f"unknown dimension {key!r}", f"{guess}known: {', '.join(KEYS)}")
        if key in named:
            raise _fault(f"{key} is given twice", "keep one")
        named[key] = _value(key, value)
        chunked = chunked or (key == "schedule" and value.lower() == "interleaved-1f1b")
    if chunked and named.get("vpp") == 1:
        raise _fault("schedule=interleaved-1f1b needs vpp above 1", "leave one of them out")
    if (split := named.get(SPLIT)) and named.setdefault("pp", len(split)) != len(split):
        raise _fault(
            f"{SPLIT} deals layers to {len(split)} stages, pp is {named['pp']}", "leave one of them out"
        )
    return named


def _value(key: str, text: Any) -> Any:
    if key == SPLIT:
        try:
            return split_of(text)
        except ValueError as fault:
            raise _fault(f"{key}: {fault}", "layers of each stage, first to last") from fault
    word = text.lower()
    known = WORDS.get(key, SWITCHES.get(key, ()))
    if known:
        word = PRINTED_SCHEDULES.get(word, word) if key == "schedule" else word
        if word not in known:
            raise _fault(f"{key}: {text!r} is unknown", f"one of {', '.join(known)}")
        return word
    if key == "sequence_parallel" or key in SWITCHES:
        if word not in TRUTH:
            raise _fault(f"{key}: {text!r} is neither true nor false", "write true or false")
        return TRUTH[word]
    least = 0 if key in FROM_ZERO else 1
    most, what = FROM_ZERO.get(key, (2**40, "a whole number from 1"))
    if not (word.isascii() and word.isdigit()) or not least <= int(word) <= most:
        raise _fault(f"{key}: {text!r} is not {what}", f"e.g. {key}={max(least, 1)}")
    return int(word)


def _fault(message: str, hint: str) -> ScenarioError:
    return ScenarioError(message, file="--layout", hint=hint)
