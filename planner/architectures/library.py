"""Find an architecture by name in the shipped library, or read it from a file.

The shipped files are small and many: a name is looked for by file name first, then by plain text in the
files, and only the file that holds it is validated.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planner.architectures import huggingface
from planner.architectures.schema import Architecture
from planner.errors import SpecError
from planner.specs.reading import brief

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "architectures"
UNSUPPORTED_FILE = "unsupported.toml"
LARGEST_FILE_BYTES = 4_000_000
"""Far above any config.json; a larger file is surely not one."""


def architecture(name: str | Path, directories: Sequence[Path] = ()) -> Architecture:
    """The architecture called ``name``.

    Args:
        name: an id or alias (any case), or a path to a Hugging Face ``config.json`` or to a TOML file in the
            schema of :class:`Architecture`.
        directories: further folders of TOML files, searched before the shipped ones.

    Raises:
        SpecError: no such model (with the nearest names), or a file that cannot be read or used.
    """
    return resolve(name, directories)[0]


def resolve(name: str | Path, directories: Sequence[Path] = ()) -> tuple[Architecture, list[str]]:
    """Like :func:`architecture`, with what was inferred (empty unless read from a config.json)."""
    text = str(name)
    if _looks_like_path(text):
        return read_file(Path(text))
    for directory in (*directories, SHIPPED):
        found = _find(text, directory)
        if found is not None:
            path, table = found
            return validate(table, str(path)), []
    raise _unknown(text, directories)


def read_file(path: Path) -> tuple[Architecture, list[str]]:
    """Read a TOML file in our schema, or a Hugging Face ``config.json`` (then also what was inferred)."""
    if path.is_dir():
        path = path / "config.json"
    text = _read_text(path)
    if path.suffix.lower() != ".json":
        table = _parse_toml(text, path)
        if isinstance(table.get("model"), list):
            raise SpecError(
                "this file lists several models",
                file=str(path),
                key="model",
                hint="give one model per file, at the top level",
            )
        return validate(table, str(path)), []
    return huggingface.from_config(_parse_json(text, path), str(path))


def validate(table: Mapping[str, Any], file: str) -> Architecture:
    """Check ``table`` against the schema; the first fault is told with its key.

    Raises:
        SpecError: an unknown, missing or impossible key.
    """
    try:
        return Architecture.model_validate(table)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise SpecError(
            fault["msg"].removeprefix("Value error, "),
            file=file,
            key=key or None,
            hint=_hint(fault["type"], key),
        ) from error


def known_names(directories: Sequence[Path] = ()) -> list[str]:
    """Ids and aliases of all known models, sorted, without duplicates."""
    names: set[str] = set()
    for directory in (*directories, SHIPPED):
        for _, table in _tables(directory):
            names.update(_names(table))
    return sorted(names, key=str.casefold)


def all_architectures(directories: Sequence[Path] = ()) -> list[Architecture]:
    """Every architecture of the library, validated, sorted by id."""
    found = [
        validate(table, str(path))
        for directory in (*directories, SHIPPED)
        for path, table in _tables(directory)
    ]
    return sorted(found, key=lambda model: model.id)


def _looks_like_path(text: str) -> bool:
    # "meta-llama/Llama-2-7b-hf" is an alias, not a path, unless such a thing exists on disk.
    if text.lower().endswith((".json", ".toml")):
        return True
    return ("/" in text or "\\" in text) and _exists(Path(text))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _find(name: str, directory: Path) -> tuple[Path, dict[str, Any]] | None:
    wanted = name.casefold()
    for path in _files(directory):
        if path.stem.casefold() == wanted:
            return path, _load(path)
    for path in _files(directory):
        # The plain-text test is much cheaper than parsing and rules out nearly every file.
        if f'"{wanted}"' not in _read_text(path).casefold():
            continue
        for table in _models(_load(path)):
            if wanted in (known.casefold() for known in _names(table)):
                return path, table
    return None


def _tables(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in _files(directory):
        for table in _models(_load(path)):
            yield path, table


def _models(table: dict[str, Any]) -> list[dict[str, Any]]:
    """A file holds one model at its top level, or several as ``[[model]]``."""
    several = table.get("model")
    return several if isinstance(several, list) else [table]


def _names(table: Mapping[str, Any]) -> list[str]:
    return [name for name in (table.get("id"), *table.get("aliases", [])) if isinstance(name, str)]


def _files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return _listed(directory, directory.stat().st_mtime_ns)


@cache
def _listed(directory: Path, _changed: int) -> list[Path]:
    # cases.toml is long and rarely wanted, so it comes last.
    files = [path for path in directory.glob("*.toml") if path.name != UNSUPPORTED_FILE]
    return sorted(files, key=lambda path: (path.name == "cases.toml", path.name))


@cache
def _load_cached(path: Path, _changed: int) -> dict[str, Any]:
    return _parse_toml(_read_text(path), path)


def _load(path: Path) -> dict[str, Any]:
    return _load_cached(path, path.stat().st_mtime_ns)


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise SpecError("no such file", file=str(path), hint="give the path of a config.json or .toml")
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise SpecError(
                f"{size:,} bytes is too large for a model description",
                file=str(path),
                hint="give the model's config.json, not its weights",
            )
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read: {error}", file=str(path)) from error
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"not UTF-8 text (byte {error.start})", file=str(path), hint="save the file as UTF-8"
        ) from error
    if not text.strip():
        raise SpecError(
            "the file is empty", file=str(path), hint="give a config.json or a .toml in our schema"
        )
    return text


def _parse_toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"not valid TOML: {error}", file=str(path), hint="see the files beside it") from error


def _parse_json(text: str, path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise SpecError(f"{constant} is not a finite number", file=str(path), hint="write a number or null")

    try:
        table = json.loads(text, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise SpecError(f"not valid JSON: {error}", file=str(path), line=line) from error
    if not isinstance(table, dict):
        raise SpecError("a config.json is one object", file=str(path), hint="its first character is {")
    return table


def _hint(kind: str, key: str) -> str:
    if kind == "extra_forbidden":
        near = get_close_matches(key.rsplit(".", 1)[-1], Architecture.model_fields, n=1)
        return f"did you mean {near[0]}?" if near else "remove the key; known keys stand in the schema"
    if kind == "missing":
        return "add the key; planner/data/architectures shows complete files"
    return "correct the value; planner/data/architectures shows complete files"


def _unknown(name: str, directories: Sequence[Path]) -> SpecError:
    reasons = _parse_toml(_read_text(SHIPPED / UNSUPPORTED_FILE), SHIPPED / UNSUPPORTED_FILE)
    reason = next((why for known, why in reasons.items() if known.casefold() == name.casefold()), None)
    if reason is not None:
        return SpecError(
            f"model {name!r} is not supported yet: {reason}",
            key="model",
            hint="describe a near equivalent in a .toml file of our schema and give its path",
        )
    by_folded = {known.casefold(): known for known in known_names(directories)}
    near = [by_folded[match] for match in get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)]
    hint = f"nearest: {', '.join(near)}; " if near else ""
    return SpecError(
        f"unknown model {brief(name)}",
        key="model",
        hint=f"{hint}or give the path of a Hugging Face config.json or of a .toml file in our schema",
    )
