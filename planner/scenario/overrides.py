"""``--set a.b=value``: change one key of a scenario."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from planner.errors import ScenarioError
from planner.scenario.schema import SHORTHANDS, Scenario
from planner.scenario.service import SERVICE_SHORTHANDS, SERVICE_TABLES
from planner.specs.reading import model_at

ALIASES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("site", "power"): ("limits", "power"),
    ("site", "racks"): ("limits", "racks"),
    ("workload", "days"): ("target", "days"),
}
"""Where people look for a key, and where it stands."""

Override = tuple[tuple[str, ...], Any]
"""Key path and value."""


def parse(text: str) -> Override:
    """Read ``"a.b=value"``; the value in TOML syntax, else taken as text.

    Raises:
        ScenarioError: no ``=``, or a key that no scenario has (with the nearest name).
    """
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.strip().split("."))
    if not equals or not all(path):
        raise ScenarioError(
            f"{text!r} is not of the form KEY=VALUE", file="--set", hint="e.g. --set target.days=120"
        )
    path = ALIASES.get(path, path)
    dotted = ".".join(path)
    known = known_keys()
    if dotted not in known:
        near = get_close_matches(dotted, known, n=1, cutoff=0.5)
        found = near[0] if near else elsewhere(dotted)
        hint = f"did you mean {found!r}?" if found else "docs/scenario.md lists the keys"
        raise ScenarioError(f"unknown key {dotted!r}", file="--set", key=dotted, hint=hint)
    return path, _value(value.strip())


def elsewhere(dotted: str) -> str | None:
    """Where the last name of a key stands that was written into another table, e.g. ``search.objective``."""
    path = tuple(dotted.split("."))
    if path in ALIASES:
        return ".".join(ALIASES[path])
    return next((key for key in known_keys() if "." in key and key.rsplit(".", 1)[-1] == path[-1]), None)


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A value with line breaks could smuggle in further keys.
    return table["value"] if table.keys() == {"value"} else text


def apply(table: Mapping[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """A copy of the scenario's table with the overrides put in, later ones last.

    Where the file gives a plain value for a table (``cards = 30000``), setting a key of that table first
    spells the plain value out (``cards.max``), so that both count. Setting one batch key drops the
    other.

    Raises:
        ScenarioError: two overrides of which the later one would silently take the earlier one away.
    """
    _refuse_contradictions([path for path, _ in overrides])
    out = deepcopy(dict(table))
    for path, value in overrides:
        here = out
        for depth, part in enumerate(path[:-1], start=1):
            below = here.get(part)
            if below is None:
                below = {}
            elif not isinstance(below, dict):
                whole = SHORTHANDS.get(path[:depth]) or SERVICE_SHORTHANDS.get(path[:depth])
                below = {whole: below} if whole else {}
            here[part] = below
            here = below
        here[path[-1]] = value
        here.pop(_INSTEAD_OF.get(path, ""), None)
    return out


def _refuse_contradictions(paths: Sequence[tuple[str, ...]]) -> None:
    for place, path in enumerate(paths):
        for earlier in paths[:place]:
            both = f"{'.'.join(earlier)} and {'.'.join(path)}"
            if _INSTEAD_OF.get(path) == earlier[-1] and path[:-1] == earlier[:-1]:
                raise ScenarioError(f"{both} exclude each other", file="--set", hint="set one of them")
            if len(path) < len(earlier) and earlier[: len(path)] == path:
                raise ScenarioError(
                    f"{'.'.join(path)} would take {'.'.join(earlier)}, set before it, away",
                    file="--set",
                    hint="set the whole first, then keys of it, or the keys alone",
                )


_INSTEAD_OF: dict[tuple[str, ...], str] = {
    ("workload", "batch_tokens"): "batch_sequences",
    ("workload", "batch_sequences"): "batch_tokens",
}
"""Setting the one takes the other, which the file may hold, away."""


def known_keys() -> list[str]:
    """Every dotted key that a scenario may hold, tables included."""
    found = list(_keys(Scenario, Scenario, ()))
    for table, models in SERVICE_TABLES.items():
        for model in models:
            for key in _keys(model, model, ()):
                found.append(f"{table}.{key}")
    return list(dict.fromkeys(found))


def _keys(root: type[BaseModel], model: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    for name in model.model_fields:
        here = (*path, name)
        yield ".".join(here)
        below = model_at(root, here)
        if below is not None and here not in _LEAVES:
            yield from _keys(root, below, here)


_LEAVES = {("limits", "capex"), ("site", "tariff")}
"""Written as one text, though kept as amount and currency."""
