"""Reading one spec file: bytes to a TOML table, and faults to messages with file, line, key and remedy."""

from __future__ import annotations

import json
import math
import re
import tomllib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planner.errors import SpecError
from planner.specs.quantity import ProvenanceError, Quantity
from planner.units import UnitError

COUNTRY = "^[A-Z]{2}$"
"""Pattern of a country code."""
DATE = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"
"""Pattern of a year, a month or a day."""
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes. A spec file is a few kilobytes; anything larger is not one."""

KeyPath = tuple[str | int, ...]

_PLAIN_TEXT = r"\"[^\"\\\x00-\x1f\x7f]*\""
_PLAIN_LIST = rf"\[(?:{_PLAIN_TEXT}, )*{_PLAIN_TEXT}\]"
_PLAIN_LINE = re.compile(
    rf"([A-Za-z]\w*) *= *({_PLAIN_TEXT}|{_PLAIN_LIST}|0|[1-9]\d*|true|false) *(?:#[^\x00-\x1f\x7f]*)?\r?\n?$"
)
_AT_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)")
_TABLE_HEAD = re.compile(r"^\[(\[?)([^\[\]]+)\]")
_ASSIGNMENT = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_KEY_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_LEADING_PATH = re.compile(r"^([\w-]+(?:[.\[][\w.\[\]-]*)?): ")


@dataclass(frozen=True)
class SpecText:
    """The text of one spec file as it stood when it was read."""

    path: Path
    content: bytes
    text: str

    @property
    def shown(self) -> str:
        """The path as told to people: relative where the file lies below the current directory."""
        return shown_path(self.path)


def shown_path(path: Path) -> str:
    """``path`` relative to the current directory where it lies below it, else as it is."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def read_text(path: Path) -> SpecText:
    """Read a spec file as UTF-8.

    Raises:
        SpecError: not a readable regular file, larger than 4 MiB, or not UTF-8.
    """
    shown = shown_path(path)
    try:
        if not path.exists():
            raise SpecError("no such file", file=shown, hint="check the path")
        if not path.is_file():
            raise SpecError("is not a regular file", file=shown, hint="a spec file is a TOML text file")
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as fault:
        raise SpecError(
            f"cannot be read: {fault.strerror}", file=shown, hint="check its permissions"
        ) from fault
    if len(content) > LARGEST_FILE:
        raise SpecError(
            "is larger than 4 MiB, which no spec file is",
            file=shown,
            hint="keep one thing per file, a few kilobytes",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise SpecError(
            f"is not UTF-8 text (byte {fault.start} is 0x{content[fault.start]:02x})",
            file=shown,
            line=content.count(b"\n", 0, fault.start) + 1,
            hint="save the file as UTF-8",
        ) from fault
    return SpecText(path, content, text)


def parse_table(source: SpecText) -> dict[str, Any]:
    """The whole TOML table of a file.

    Raises:
        SpecError: not TOML (with line and column), empty, or holding NaN or an infinity.
    """
    table = _parse_toml(source, source.text)
    if not table:
        raise SpecError("is empty", file=source.shown, hint="hardware_specs/README.md shows a file")
    for path in _non_finite(table, ()):
        raise SpecError(
            "is not a finite number",
            file=source.shown,
            key=dotted(path),
            line=locate(source.text, path)[1],
            hint="leave a figure out where it is not known",
        )
    return table


def parse_head(source: SpecText) -> dict[str, Any]:
    """The keys above the first table header: id, name, aliases, extends and other plain keys.

    Parsing only the head keeps the index of the whole library cheap (the TOML parser is pure Python). TOML
    wants top-level keys before the first header, so a head that parses is complete; one that does not (a line
    that looks like a header inside a multi-line value) falls back to the whole text.
    """
    lines = source.text.splitlines(keepends=True)
    cut = next((i for i, line in enumerate(lines) if line.startswith("[")), len(lines))
    if cut < len(lines):
        plain = _plain_head(lines[:cut])
        if plain is not None:
            return plain
        try:
            return tomllib.loads("".join(lines[:cut]))
        except (ValueError, RecursionError):
            pass
    return parse_table(source)


def _plain_head(lines: Sequence[str]) -> dict[str, Any] | None:
    """The keys of lines that hold texts, lists of texts, whole numbers and truth values; None for others.

    Such lines read alike in TOML and JSON. An index of two hundred files is read in a third of the time.
    """
    found: dict[str, Any] = {}
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        plain = _PLAIN_LINE.match(line)
        if plain is None or plain[1] in found:
            return None
        found[plain[1]] = json.loads(plain[2])
    return found


def _parse_toml(source: SpecText, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        at = _AT_LINE.search(str(fault))
        message = _AT_LINE.sub("", str(fault)).removesuffix(" (at end of document)")
        column = f" (column {at[2]})" if at else ""
        raise SpecError(
            f"is not valid TOML: {message[:1].lower()}{message[1:]}{column}",
            file=source.shown,
            line=int(at[1]) if at else text.count("\n") + 1,
            hint="texts and figures with units stand in quotes; a key is given once",
        ) from fault
    except RecursionError as fault:
        raise SpecError("is nested too deeply to be a spec file", file=source.shown) from fault
    except ValueError as fault:
        raise SpecError(f"is not valid TOML: {fault}", file=source.shown) from fault


def _non_finite(item: object, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(item, float):
        if not math.isfinite(item):
            yield path
    elif isinstance(item, dict):
        for key, value in item.items():
            yield from _non_finite(value, (*path, key))
    elif isinstance(item, list):
        for index, value in enumerate(item):
            yield from _non_finite(value, (*path, index))


def dotted(path: Sequence[str | int]) -> str:
    """``("levels", 0, "bandwidth")`` as ``levels[0].bandwidth``."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def undotted(key: str) -> KeyPath:
    """The inverse of `dotted` (keys that hold dots are not told apart)."""
    return tuple(int(p[1:-1]) if p.startswith("[") else p for p in re.findall(r"\[\d+\]|[^.\[\]]+", key))


def locate(text: str, path: KeyPath) -> tuple[int, int | None]:
    """How many leading parts of ``path`` stand in the TOML ``text``, and the 1-based line of the last.

    A search over lines, not a parser: multi-line strings may mislead it, which costs a wrong line number.
    """
    best: tuple[int, int | None] = (0, None)
    if not path:
        return best
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        head = _TABLE_HEAD.match(line.strip())
        if head:
            names = _names(head[2])
            if head[1]:
                index = counts[names] = counts.get(names, -1) + 1
                table = (*names, index)
            else:
                table = _indexed(names, counts)
            here, inline = table, ""
        else:
            assignment = _ASSIGNMENT.match(line)
            if not assignment:
                continue
            here, inline = (*table, *_names(assignment[1])), line[assignment.end() :]
        if len(here) <= len(path) and here == path[: len(here)]:
            length = len(here) + _inline_depth(inline, path[len(here) :])
            if length > best[0]:
                best = (length, number)
    return best


def _inline_depth(text: str, path: KeyPath) -> int:
    """How many parts of ``path`` an inline table ``{ a = { b = 1 } }`` holds one inside the other."""
    depth = 0
    for part in path:
        found = re.search(rf"[{{,]\s*{re.escape(str(part))}\s*=", text)
        if found is None:
            break
        depth, text = depth + 1, text[found.end() :]
    return depth


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _KEY_PART.findall(text))


def _indexed(names: tuple[str, ...], counts: Mapping[KeyPath, int]) -> KeyPath:
    """``[levels.bandwidth]`` belongs to the latest ``[[levels]]``."""
    for length in range(len(names), 0, -1):
        if names[:length] in counts:
            return (*names[:length], counts[names[:length]], *names[length:])
    return names


def locate_in_chain(chain: Sequence[SpecText], path: KeyPath) -> tuple[SpecText, int | None]:
    """The file of an ``extends`` chain (child first) that holds ``path``, and the line."""
    found = [(locate(source.text, path), source) for source in _of_list(chain, path)]
    (_, line), source = max(found, key=lambda item: item[0][0])
    return source, line


def _of_list(chain: Sequence[SpecText], path: KeyPath) -> Sequence[SpecText]:
    """Inside a list only the first file that gives it counts: a list replaces that of the file it extends."""
    depth = next((place for place, part in enumerate(path) if isinstance(part, int)), None)
    if depth is None:
        return chain
    first = (*path[:depth], 0)
    return next(([source] for source in chain if locate(source.text, first)[0] >= depth), chain)


@dataclass(frozen=True)
class Fault:
    """One fault of a file: the error to raise, and which general rule it breaks."""

    rule: str
    error: SpecError


def translate(fault: ValidationError, model: type[BaseModel], chain: Sequence[SpecText]) -> list[Fault]:
    """Pydantic's errors in words for the author of the file, in the order of the schema."""
    return [_translated(details, model, chain) for details in fault.errors(include_url=False)]


def _translated(details: ErrorDetails, model: type[BaseModel], chain: Sequence[SpecText]) -> Fault:
    path: KeyPath = tuple(part for part in details["loc"] if part != "[key]")
    rule, message, hint = "schema", _sentence(details), None
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, UnitError):
        rule = "unit"
    elif isinstance(cause, ProvenanceError):
        rule, hint = (
            "unsourced",
            'cite a key of [sources], or give kind = "estimate" with low, high and method',
        )
    if details["type"] == "extra_forbidden":
        message, hint = _unknown_key(path, model)
    elif details["type"] == "literal_error":
        near = get_close_matches(
            str(details["input"]), re.findall(r"'([^']*)'", details["ctx"]["expected"]), n=1
        )
        hint = f"did you mean {near[0]!r}?" if near else None
    elif details["type"] == "string_type" and not isinstance(details["input"], dict | list):
        hint = f'put it in quotes: "{details["input"]}"'
    leading = _LEADING_PATH.match(message)
    if not path and leading:
        # Validators of a whole file name the figure at the start of their message.
        path, message = undotted(leading[1]), message[leading.end() :]
    if hint is None and len(chain) > 1 and _of_whole_list(details, path):
        hint = "a list replaces that of the file it extends: give every entry of it whole"
    source, line = locate_in_chain(chain, path)
    return Fault(rule, SpecError(message, file=source.shown, key=dotted(path) or None, line=line, hint=hint))


def _of_whole_list(details: ErrorDetails, path: KeyPath) -> bool:
    """Whether somebody wanted to change a part of a list, or gave a part of an entry."""
    if details["type"] == "list_type":
        return isinstance(details["input"], dict)
    return details["type"] == "missing" and any(isinstance(part, int) for part in path)


def brief(given: object) -> str:
    """What somebody wrote, as Python shows it, cut where it is long."""
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sentence(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    given = brief(details["input"])
    words = {
        "missing": "is missing",
        "literal_error": f"is {given}, but must be one of {context.get('expected', '')}",
        "string_type": f"must be a text, not {given}",
        "int_type": f"must be a whole number, not {given}",
        "int_from_float": f"must be a whole number, not {given}",
        "int_parsing": f"must be a whole number, not {given}",
        "float_type": f"must be a number, not {given}",
        "float_parsing": f"must be a number, not {given}",
        "list_type": f"must be a list, not {given}",
        "dict_type": f"must be a table, not {given}",
        "model_type": f"must be a table, not {given}",
        "string_too_short": "is empty",
        "string_pattern_mismatch": f"{given} {_wanted(str(context.get('pattern', '')))}",
        "too_short": _too_short(details["input"], context),
        "too_long": f"has more than {context.get('max_length')} entries",
    }
    return words.get(details["type"]) or details["msg"].removeprefix("Value error, ")


def _wanted(pattern: str) -> str:
    """What a text of that pattern is, for people."""
    said = {
        COUNTRY: 'is not a country code of two capital letters, e.g. "CN"',
        DATE: 'is not a date: write a year, month or day, e.g. "2026", "2026-06" or "2026-06-30"',
    }
    return said.get(pattern, f"does not have the form {pattern}")


def _too_short(given: Any, context: Mapping[str, Any]) -> str:
    if not context.get("actual_length"):
        return "is an empty table" if isinstance(given, dict) else "is an empty list"
    return f"has {context.get('actual_length')} entries, but needs at least {context.get('min_length')}"


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> tuple[str, str | None]:
    owner = model_at(model, path[:-1])
    known = sorted(owner.model_fields) if owner else []
    if owner and issubclass(owner, Quantity):
        known.remove("unit")
    near = get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}" if known else None
    return f"unknown key {str(path[-1])!r}", hint


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The schema of the table at ``path``, where it has one."""
    here: Any = model
    for part in path:
        if get_origin(here) in (Union, types.UnionType):
            # A table of several kinds: pydantic names the kind where the key of the table would stand.
            here = next((arm for arm in get_args(here) if part in _kinds(arm)), None)
        elif isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            if field is None:
                return None
            here = _without_none(field.annotation)
        elif get_origin(here) in (list, dict):
            here = _without_none(get_args(here)[-1])
        else:
            return None
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _kinds(model: Any) -> tuple[Any, ...]:
    field = getattr(model, "model_fields", {}).get("kind")
    return get_args(field.annotation) if field is not None else ()


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        return rest[0] if len(rest) == 1 else annotation
    return annotation
