"""Reading a scenario: file, ``--set`` and validation, with every fault told as file, line, key and remedy."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planner.errors import ScenarioError, SpecError
from planner.scenario.limits import OF_SERVING
from planner.scenario.overrides import apply, elsewhere, parse
from planner.scenario.schema import Origin, Scenario, Workload
from planner.scenario.service import SERVICE_TABLES, ServiceScenario, is_service
from planner.specs.reading import SpecText, model_at, parse_table, shown_path, translate, undotted

STDIN = "-"
"""Stands for standard input."""
LARGEST_FILE = 1024 * 1024
"""Bytes. A scenario is a page of text."""


def load(path: Path | str, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario of a TOML file (``-``: stdin) with ``--set`` texts (``"target.days=120"``) put in.

    Raises:
        ScenarioError: the file cannot be read, a key is unknown, a value impossible or contradictory.
    """
    path = Path(path)
    source = _read_stdin() if str(path) == STDIN else _read(path)
    try:
        table = parse_table(source)
    except SpecError as fault:
        raise _as_scenario_error(fault) from fault
    return from_table(table, overrides, source)


def from_table(
    table: Mapping[str, Any], overrides: Sequence[str] = (), source: SpecText | None = None
) -> Scenario:
    """Like `load`, for a table that stands in memory (the Python API).

    Raises:
        ScenarioError: as for `load`.
    """
    parsed = [parse(text) for text in overrides]
    origin = Origin(
        file=source.shown if source else None,
        text=source.text if source else "",
        set_keys=tuple(".".join(key) for key, _ in parsed),
    )
    merged = apply(table, parsed)
    try:
        scenario = _schema(merged).model_validate(merged)
    except ValidationError as fault:
        raise _first_of(fault, origin, _schema(merged)) from fault
    scenario._origin = origin
    return scenario


def _schema(table: Mapping[str, Any]) -> type[Scenario]:
    return ServiceScenario if is_service(table) else Scenario


def _first_of(fault: ValidationError, origin: Origin, schema: type[Scenario]) -> ScenarioError:
    source = SpecText(Path(origin.file or "scenario"), b"", origin.text)
    faults = [_told(item.error, schema) for item in translate(fault, schema, [source])]
    # An entry of a list that is refused leaves the list empty: the entry is the fault.
    faults = [item for item in faults if not (item[1] == "is an empty list" and _inside(item[0], faults))]
    # A kind that is none leaves open which keys are right: the faults of one schema are no faults then.
    kinds = [item for item in faults if item[0] == "workload.kind"]
    faults = kinds or faults
    # A missing table is told after faults of what stands there: the latter are what the author looks at.
    faults.sort(key=lambda item: item[1] == "is missing")
    key, message, hint = faults[0]
    if (
        schema is not Scenario
        and _UNKNOWN in message
        and key.removeprefix("workload.") in Workload.model_fields
    ):
        hint = "it belongs to training; docs/scenario.md#services lists what a service has instead"
    elif _UNKNOWN in message and not (hint or "").startswith("did you mean"):
        found = elsewhere(key)
        hint = f"did you mean {found!r}?" if found else hint
    hint = hint or _HINTS.get((key, message)) or _HINTS.get((key, ""))
    if len(faults) > 1:
        others = "; ".join(f"{k}: {m}" if k else m for k, m, _ in faults[1:6])
        message += f" (1 of {len(faults)} faults; also {others})"
    return origin.error_at(undotted(key), message, hint)


def _inside(key: str, faults: Sequence[tuple[str, str, str | None]]) -> bool:
    return any(other.startswith(f"{key}[") for other, _, _ in faults)


def _told(error: SpecError, schema: type[Scenario]) -> tuple[str, str, str | None]:
    """Key, message and hint; a validator of a whole table starts its message with the key inside it."""
    key, message = error.key or "", error.message
    for kind in ("serving", "generic"):
        # The kind by which the schema of a workload was chosen is no key.
        key = "workload" if key == f"workload.{kind}" else key.replace(f"workload.{kind}.", "workload.", 1)
    leading = _LEADING_KEY.match(message)
    table = model_at(schema, undotted(key)) if key else schema
    named = leading and (
        (table is not None and leading[1] in table.model_fields)
        or (key == "target" and leading[1] in OF_SERVING)
        or (schema is not Scenario and (not key or key in SERVICE_TABLES))
    )
    if leading and named:
        key, message = f"{key}.{leading[1]}" if key else leading[1], message[leading.end() :]
    for written, said in _PYDANTIC_WORDS.items():
        message = re.sub(written, said, message)
    return key, message, error.hint


_UNKNOWN = "unknown key"
_LEADING_KEY = re.compile(r"([a-z_.]+): ")
_PYDANTIC_WORDS = {
    r"^Input should be": "must be",
}

_HINTS: dict[tuple[str, str], str] = {
    ("workload", "is missing"): "give a [workload] table: model, tokens, sequence, batch_tokens",
    ("hardware", "is missing"): 'say what may be bought: [hardware] systems = ["kunlun-p800-8"]',
    ("hardware.systems", "is missing"): "`planner specs list systems` shows them",
    ("site", "is missing"): 'a plan needs a site for power and cooling, e.g. site = "guizhou"; '
    "`planner specs list sites` shows them",
    (
        "workload.model",
        "is missing",
    ): 'e.g. model = "llama3.1-405b", or the path of a Hugging Face config.json',
    ("workload.tokens", "is missing"): 'tokens to train on, e.g. tokens = "15.6T"',
    ("workload.sequence", "is missing"): "sequence length in tokens, e.g. sequence = 8192",
    ("workload.batch_tokens", ""): 'e.g. batch_tokens = "16M", or batch_sequences = 2048',
    ("limits.power.value", ""): 'e.g. power = "30 MW"',
    ("limits.capex", ""): 'e.g. capex = "200 MUSD" or "1400 MCNY"',
}


def _read_stdin() -> SpecText:
    try:
        content = sys.stdin.buffer.read(LARGEST_FILE + 1)
        return SpecText(Path("stdin"), content, content.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as fault:
        raise ScenarioError(f"cannot be read: {fault}", file="stdin") from fault


def _read(path: Path) -> SpecText:
    shown = shown_path(path)
    try:
        if not path.exists():
            raise ScenarioError("no such file", file=shown, hint="examples/ holds scenarios to start from")
        if not path.is_file():
            raise ScenarioError("is not a regular file", file=shown, hint="a scenario is a TOML text file")
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as fault:
        raise ScenarioError(
            f"cannot be read: {fault.strerror}", file=shown, hint="check its permissions"
        ) from fault
    except ValueError as fault:
        raise ScenarioError(f"cannot be read: {fault}", file=shown) from fault
    if len(content) > LARGEST_FILE:
        raise ScenarioError(
            "is larger than 1 MiB, which no scenario is",
            file=shown,
            hint="a scenario is a TOML file of a page",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ScenarioError(
            f"is not UTF-8 text (byte {fault.start} is 0x{content[fault.start]:02x})",
            file=shown,
            line=content.count(b"\n", 0, fault.start) + 1,
            hint="save the file as UTF-8",
        ) from fault
    return SpecText(path, content, text)


_READING_HINTS = {
    "is empty": "examples/ holds scenarios to start from; docs/scenario.md lists the keys",
    "is not a finite number": "give a number, or leave the key out",
}


def _as_scenario_error(fault: SpecError) -> ScenarioError:
    hint = _READING_HINTS.get(fault.message, fault.hint)
    return ScenarioError(fault.message, file=fault.file, key=fault.key, line=fault.line, hint=hint)
