"""One limit for all contenders of a comparison, in place of a scenario's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from planner.errors import ScenarioError
from planner.scenario import Scenario
from planner.scenario.limits import Limits, Target

KEYS = {"power": "power", "money": "capex", "racks": "racks", "cards": "cards", "date": "available_by"}
"""What a common limit may be, and the key of ``[limits]`` that it means."""
_FILTERS = ("origin", "available_in", "available_by", "pue")
"""Keys that stay when the limits are replaced: they choose the contenders."""
_WORDS = {"power": "at the grid", "money": "of capital", "racks": "racks", "cards": "cards", "date": ""}


def common_limit(scenario: Scenario, given: Sequence[str] | Mapping[str, Any]) -> tuple[Scenario, str]:
    """The scenario under the limit, and the limit in words; without one the scenario's own.

    Raises:
        ScenarioError: a limit that is not ``key=value`` of a known key, or a value that cannot be.
    """
    wanted = dict(given) if isinstance(given, Mapping) else dict(_pair(text) for text in given)
    unknown = [key for key in wanted if key not in KEYS]
    if unknown:
        raise ScenarioError(
            f"there is no common limit {unknown[0]!r}", file="--limit", hint=f"one of {', '.join(KEYS)}"
        )
    if not wanted:
        return scenario, "the scenario's target and limits"
    kept = {name: getattr(scenario.limits, name) for name in _FILTERS}
    if set(wanted) == {"date"}:
        kept = dict(scenario.limits)
    table = {name: value for name, value in kept.items() if value is not None}
    table |= {KEYS[key]: _whole(key, value) for key, value in wanted.items()}
    try:
        limits = Limits.model_validate(table)
    except ValidationError as fault:
        first = fault.errors()[0]
        raise ScenarioError(
            str(first["msg"]).removeprefix("Value error, "),
            file="--limit",
            key=".".join(str(part) for part in first["loc"]),
            hint="for example power=20MW, money=200MUSD, racks=100, cards=1024, date=2026-12",
        ) from fault
    target = scenario.target if set(wanted) == {"date"} else _without_load(scenario.target)
    words = [" ".join(filter(None, (str(value), _WORDS[key]))) for key, value in wanted.items()]
    return scenario.model_copy(update={"limits": limits, "target": target}), ", ".join(words)


def _without_load(target: Target) -> Target:
    """No target for training; a service keeps its latencies, without which throughput means nothing."""
    if type(target) is Target:
        return Target()
    loads = ("requests_per_second", "tokens_per_second")
    known = {name: None for name in loads if name in type(target).model_fields}
    return target.model_copy(update=known)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise ScenarioError(
            f"{text!r} is not a limit", file="--limit", hint="write it as power=20MW or cards=1024"
        )
    return key.strip(), value.strip()


def _whole(key: str, value: Any) -> Any:
    if key in ("racks", "cards") and isinstance(value, str) and value.replace("_", "").isdigit():
        return int(value)
    return value
