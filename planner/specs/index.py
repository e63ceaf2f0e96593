"""The index of the library: which file holds which id, and what a file inherits through ``extends``.

``extends`` merges the TOML of the parent under that of the child: tables merge key by key, the child winning,
but a figure (a table with ``value``), a source and a list are taken whole, so no figure mixes the provenance
of two files. ``id``, ``name`` and ``aliases`` are not inherited, except by an override of the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from planner.errors import SpecError
from planner.specs.reading import SpecText, parse_head, parse_table, read_text, shown_path
from planner.specs.schema import KINDS

_NOT_INHERITED = ("id", "name", "aliases", "extends")


@dataclass(frozen=True)
class Entry:
    """One indexed file: its head is parsed, the rest is not looked at yet."""

    kind: str
    id: str
    source: SpecText
    head: Mapping[str, Any]
    parent: Entry | None = None
    """The file that this one overrides (same id in an earlier directory)."""

    @property
    def overrides(self) -> bool:
        """Whether the file overrides one of an earlier directory."""
        return self.parent is not None


Index = dict[str, dict[str, Entry]]
"""Kind -> id -> the file that counts (of the latest directory)."""


def index_directories(
    directories: Sequence[Path], added: Sequence[tuple[str, SpecText]] = ()
) -> tuple[Index, list[SpecError]]:
    """The files of all directories, earliest first, and those that could not be indexed.

    Args:
        directories: with a folder for each kind.
        added: kind and text of specs that stand in no file; they come last, like a directory of their own.
    """
    index: Index = {kind: {} for kind in KINDS}
    problems: list[SpecError] = []
    for directory in directories:
        earlier = {kind: dict(entries) for kind, entries in index.items()}
        for kind, path in _spec_files(directory, problems):
            try:
                _add(index[kind], earlier[kind], kind, read_text(path))
            except SpecError as error:
                problems.append(error)
    earlier = {kind: dict(entries) for kind, entries in index.items()}
    for kind, source in added:
        _add(index[kind], earlier[kind], kind, source)
    return index, problems


def extends_chain(entry: Entry, index: Index) -> list[Entry]:
    """The file and those it extends, child first.

    Raises:
        SpecError: an unknown parent, or a cycle.
    """
    chain = [entry]
    while (wanted := chain[-1].head.get("extends")) is not None:
        last = chain[-1]
        known = index[last.kind]
        parent = last.parent if wanted == last.id else known.get(str(wanted))
        if parent is None:
            near = get_close_matches(str(wanted), [i for i in known if i != last.id], n=1)
            raise SpecError(
                f"{wanted!r} is not in {last.kind}/"
                + (" of an earlier directory" if wanted == last.id else ""),
                file=last.source.shown,
                key="extends",
                hint=f"did you mean {near[0]!r}?" if near else "give the id of a file of the same folder",
            )
        if any(link is parent for link in chain):
            ring = " -> ".join([*(link.id for link in chain), parent.id])
            raise SpecError(f"files extend each other: {ring}", file=entry.source.shown, key="extends")
        chain.append(parent)
    return chain


def merged(chain: Sequence[Entry], tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a file holds with all it inherits; ``tables`` are the raw TOML of the ``chain``, child first."""
    out = dict(tables[-1])
    for position in range(len(chain) - 2, -1, -1):
        if chain[position].parent is not chain[position + 1]:
            out = {key: value for key, value in out.items() if key not in _NOT_INHERITED}
        out = _merge(out, tables[position])
    if "extends" not in tables[0]:
        out.pop("extends", None)
    return out


def _merge(parent: Mapping[str, Any], child: Mapping[str, Any], whole: bool = False) -> dict[str, Any]:
    out = dict(parent)
    for key, value in child.items():
        held = parent.get(key)
        tables = isinstance(held, dict) and isinstance(value, dict)
        # A table of figures merges; a figure itself does not, nor does one source.
        if tables and not whole and not ("value" in parent[key] or "value" in value):
            out[key] = _merge(parent[key], value, whole=key == "sources")
        else:
            out[key] = value
    return out


def _spec_files(directory: Path, problems: list[SpecError]) -> list[tuple[str, Path]]:
    """Kind and path of every spec file below ``directory``, sorted; misplaced ones become problems."""
    found = []
    for child in sorted(directory.iterdir()):
        if child.suffix == ".toml":
            problems.append(_misplaced(child))
        elif child.is_dir():
            for path in sorted(child.iterdir()):
                of_a_kind = child.name in KINDS
                if path.suffix == ".toml" and of_a_kind:
                    found.append((child.name, path))
                elif path.suffix == ".toml" or (of_a_kind and path.is_dir() and any(path.glob("*.toml"))):
                    problems.append(_misplaced(path))
    return found


def _misplaced(path: Path) -> SpecError:
    return SpecError(
        "stands in no folder of the library",
        file=shown_path(path),
        hint=f"move it into one of: {', '.join(KINDS)}",
    )


def _add(index: dict[str, Entry], earlier: Mapping[str, Entry], kind: str, source: SpecText) -> None:
    head = parse_head(source)
    spec_id = head.get("id")
    if spec_id is None and not parse_table(source).get("id"):
        raise SpecError(
            "has no id", file=source.shown, key="id", hint=f'begin with id = "{source.path.stem}"'
        )
    if not isinstance(spec_id, str):
        raise SpecError("must be a text above the first table", file=source.shown, key="id")
    aliases = head.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise SpecError(
            "must be a list of texts", file=source.shown, key="aliases", hint='aliases = ["910C", "昇腾910C"]'
        )
    before = earlier.get(spec_id)
    present = index.get(spec_id)
    if present is not None and (present is not before or head.get("extends") != spec_id):
        raise SpecError(
            f"{spec_id!r} is defined twice: here and in {present.source.shown}",
            file=source.shown,
            key="id",
            hint=f'give it another id, or override in a later directory with extends = "{spec_id}"',
        )
    index[spec_id] = Entry(kind, spec_id, source, head, before)
