"""The spec library: finds spec files by id or any other name, and reads a file when it is asked for.

The shipped files stand in ``hardware_specs/`` beside the package, in a checkout and in an installed wheel.
``PLANNER_SPEC_PATH`` adds directories with the same folders. A later directory may override an id only with a
file that says ``extends = <the same id>``; anything else that gives an id twice is an error.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from planner.errors import SpecError
from planner.specs.custom import Custom
from planner.specs.index import Entry, Index, extends_chain, index_directories, merged
from planner.specs.reading import (
    Fault,
    brief,
    locate_in_chain,
    parse_head,
    parse_table,
    translate,
    undotted,
)
from planner.specs.schema import KINDS, Accelerator, Efficiency, Fabric, Part, Site, SpecFile, System

SPEC_PATH_VARIABLE = "PLANNER_SPEC_PATH"
_SINGULAR = {kind.removesuffix("s"): kind for kind in KINDS}
MUCH_LESS = 0.2
_STATUS_ORDER = ("shipping", "legacy", "announced", "rumoured", "never-shipped")


@cache
def shipped_directory() -> Path:
    """``hardware_specs/`` beside the package.

    Raises:
        SpecError: it is not there (a broken installation).
    """
    directory = Path(__file__).resolve().parents[2] / "hardware_specs"
    if not directory.is_dir():
        raise SpecError("is missing from the installation", file=str(directory), hint="reinstall the planner")
    return directory


def shipped(path: Path) -> bool:
    """Whether a file is one of ours."""
    return path.is_relative_to(shipped_directory())


@cache
def kind_of(text: str) -> str:
    """The library folder for a kind as people write it: ``accelerator``, ``accelerators`` ...

    Raises:
        SpecError: no such kind.
    """
    wanted = text.strip().lower()
    if wanted in KINDS:
        return wanted
    if wanted in _SINGULAR:
        return _SINGULAR[wanted]
    near = get_close_matches(wanted, list(KINDS), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise SpecError(f"there is no kind of spec file {text!r}", hint=f"{hint}kinds: {', '.join(KINDS)}")


def name_key(name: str) -> str:
    """How names are compared: without case and width variants; blanks, hyphens and underscores are one."""
    return " ".join(re.sub(r"[-_]+", " ", unicodedata.normalize("NFKC", name).casefold()).split())


class SpecLibrary:
    """Spec files by id or name; each file is validated when it is first asked for."""

    def __init__(self, directories: Sequence[Path] | None = None, added: Sequence[Custom] = ()) -> None:
        """A library over ``directories``, earliest first (the shipped one alone by default), and objects."""
        self.directories = [shipped_directory()] if directories is None else list(directories)
        self._added = tuple(added)
        self._loaded: dict[tuple[str, str], SpecFile] = {}
        self._found: dict[tuple[str, str, tuple[str, ...]], str | None] = {}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> SpecLibrary:
        """The shipped library, then the directories of ``PLANNER_SPEC_PATH``.

        Raises:
            SpecError: a directory of the variable does not exist.
        """
        path = (os.environ if environment is None else environment).get(SPEC_PATH_VARIABLE, "")
        own = [Path(part).expanduser() for part in path.split(os.pathsep) if part.strip()]
        for directory in own:
            if not directory.is_dir():
                raise SpecError(f"{SPEC_PATH_VARIABLE} names no directory here", file=str(directory))
        return cls([shipped_directory(), *own])

    def adding(self, *specs: Custom) -> SpecLibrary:
        """This library with specs of your own (`planner.specs.custom`) put in; each is validated at once.

        Raises:
            SpecError: a fault in one of them, or an id that is taken (``extends`` of the same id changes it).
        """
        more = SpecLibrary(self.directories, (*self._added, *specs))
        for item in specs:
            more.get(item.kind, str(parse_head(item.source)["id"]))
        return more

    def accelerator(self, name: str) -> Accelerator:
        """An accelerator by id or name."""
        return cast(Accelerator, self.get("accelerators", name))

    def system(self, name: str) -> System:
        """A system by id or name."""
        return cast(System, self.get("systems", name))

    def fabric(self, name: str) -> Fabric:
        """A fabric by id or name."""
        return cast(Fabric, self.get("fabrics", name))

    def part(self, name: str) -> Part:
        """A part by id or name."""
        return cast(Part, self.get("parts", name))

    def site(self, name: str) -> Site:
        """A site by id or name."""
        return cast(Site, self.get("sites", name))

    def efficiency(self, name: str) -> Efficiency:
        """An efficiency file by id or name."""
        return cast(Efficiency, self.get("efficiency", name))

    def get(self, kind: str, name: str) -> SpecFile:
        """The validated file of ``kind`` that ``name`` (id, alias or name) stands for.

        Raises:
            SpecError: unknown or ambiguous name, or a fault in the file (the first; the others are counted).
        """
        kind = kind_of(kind)
        spec_id = self.resolve(kind, name)
        if (kind, spec_id) not in self._loaded:
            loaded, faults = self.validate(kind, spec_id)
            if loaded is None:
                raise _first_of([fault.error for fault in faults])
            self._loaded[kind, spec_id] = loaded
        return self._loaded[kind, spec_id]

    def referred(self, by: SpecFile, key: str, kind: str, name: str) -> SpecFile:
        """The file of ``kind`` that the file ``by`` names at ``key``.

        Raises:
            SpecError: as for `get`; an unknown name is told as a fault of the file that has it.
        """
        try:
            return self.get(kind, name)
        except SpecError as fault:
            if fault.file is not None:
                raise
            owner = next(kind for kind, schema in KINDS.items() if isinstance(by, schema))
            chain = [entry.source for entry in self.chain(owner, by.id)]
            source, line = locate_in_chain(chain, undotted(key))
            raise SpecError(fault.message, source.shown, key, line, fault.hint) from fault

    def accelerator_of(self, system: System) -> Accelerator:
        """The card that a system holds."""
        return cast(Accelerator, self.referred(system, "accelerator", "accelerators", system.accelerator))

    def efficiency_of(self, accelerator: Accelerator) -> Efficiency:
        """What software reaches on a card."""
        return cast(
            Efficiency, self.referred(accelerator, "efficiency", "efficiency", accelerator.efficiency)
        )

    def fabric_of(self, system: System) -> Fabric:
        """The usual scale-out fabric of a system."""
        return cast(Fabric, self.referred(system, "scale_out.fabric", "fabrics", system.scale_out.fabric))

    def validate(self, kind: str, spec_id: str) -> tuple[SpecFile | None, list[Fault]]:
        """Read and validate one file; all its faults instead of an exception."""
        entry = self._index[kind][spec_id]
        model = KINDS[kind]
        try:
            chain = extends_chain(entry, self._index)
            table = merged(chain, [parse_table(link.source) for link in chain])
        except SpecError as error:
            return None, [Fault("file", error)]
        try:
            return model.model_validate(table), []
        except ValidationError as fault:
            return None, translate(fault, model, [link.source for link in chain])

    def ids(self, kind: str) -> list[str]:
        """All ids of a kind, sorted."""
        self._refuse_problems()
        return sorted(self._index[kind_of(kind)])

    def resolve(self, kind: str, name: str) -> str:
        """The id that ``name`` stands for: ids first, then aliases, then files' names; case is ignored.

        Raises:
            SpecError: unknown (with the nearest names) or ambiguous.
        """
        kind = kind_of(kind)
        found = self.find(kind, name)
        if found is None:
            raise self.unknown([kind], name)
        return found

    def resolve_hardware(self, name: str) -> str:
        """The id of the system that ``name`` means: a system, or else the usual system of an accelerator.

        Raises:
            SpecError: unknown or ambiguous name, or an accelerator that no system holds.
        """
        for tiers in (("id", "alias"), ("name",)):
            system = self.find("systems", name, tiers)
            if system is not None:
                return system
            accelerator = self.find("accelerators", name, tiers)
            if accelerator is not None:
                return self.default_system(accelerator)
        raise self.unknown(["systems", "accelerators"], name)

    def default_system(self, accelerator_id: str) -> str:
        """The id of the usual home of a card.

        Systems bought by the server come first, then those that ship (then legacy, announced, rumoured), then
        the order of ids.

        Raises:
            SpecError: no system holds the card.
        """
        self._refuse_problems()
        homes = []
        for spec_id, entry in self._index["systems"].items():
            head = self._merged_head(entry)
            if head.get("accelerator") == accelerator_id:
                status = head.get("status")
                rank = _STATUS_ORDER.index(status) if status in _STATUS_ORDER else len(_STATUS_ORDER)
                homes.append((head.get("purchase_unit") != "server", rank, spec_id))
        if not homes:
            raise SpecError(
                f"no system holds the accelerator {accelerator_id!r}",
                hint="name a system, or add a file to systems/ of a directory in PLANNER_SPEC_PATH",
            )
        return min(homes)[2]

    def head(self, kind: str, spec_id: str) -> dict[str, Any]:
        """The plain keys above the first table of a file, inherited ones included, not validated."""
        return self._merged_head(self._index[kind_of(kind)][spec_id])

    def hash(self, kind: str, name: str) -> str:
        """SHA-256 (hex) of the file; with ``extends``, of the chain's digests, child first, one a line."""
        chain = extends_chain(self._entry(kind, name), self._index)
        digests = [hashlib.sha256(link.source.content).hexdigest() for link in chain]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def path(self, kind: str, name: str) -> Path:
        """The file of a spec (the child's, where it extends another)."""
        return self._entry(kind, name).source.path

    def chain(self, kind: str, name: str) -> list[Entry]:
        """The file and those it extends, child first.

        Raises:
            SpecError: unknown name or parent, or a cycle.
        """
        return extends_chain(self._entry(kind, name), self._index)

    def chain_of(self, entry: Entry) -> list[Entry]:
        """Like `chain`, for an indexed file."""
        return extends_chain(entry, self._index)

    @property
    def kinds(self) -> list[str]:
        """The kinds of files, in the order of the schema."""
        return list(KINDS)

    def entries(self, kind: str) -> list[Entry]:
        """All indexed files of a kind in the order of ids, whether valid or not."""
        return [self._index[kind][spec_id] for spec_id in sorted(self._index[kind])]

    @property
    def problems(self) -> list[SpecError]:
        """Files that could not be indexed (unreadable, no id, an id given twice ...)."""
        return self._indexed[1]

    def find(self, kind: str, name: str, tiers: Iterable[str] = ("id", "alias", "name")) -> str | None:
        """Like `resolve`, but None for an unknown name; ``tiers`` limits what counts as a name.

        Raises:
            SpecError: the name is ambiguous.
        """
        asked = (kind, name, tuple(tiers))
        if asked not in self._found:
            self._found[asked] = self._search(*asked)
        return self._found[asked]

    def _search(self, kind: str, name: str, tiers: Iterable[str]) -> str | None:
        self._refuse_problems()
        for tier in tiers:
            ids = self._names[kind][tier].get(name_key(name), [])
            if len(ids) > 1:
                raise SpecError(f"{name!r} may be any of {', '.join(ids)}", hint="use the id")
            if ids:
                return ids[0]
        return None

    def unknown(self, kinds: Sequence[str], name: str) -> SpecError:
        """The error for a name that no file of these kinds has, with the nearest names."""
        known: dict[str, str] = {}
        for kind in kinds:
            for tier in ("name", "alias", "id"):
                for key, ids in self._names[kind][tier].items():
                    known[key] = ids[0]
        asked = name_key(name)
        close = get_close_matches(asked, list(known), n=6, cutoff=0.5)
        alike = [SequenceMatcher(None, key, asked).ratio() for key in close]
        # What is much less alike than the best is noise, and two names of one file are one suggestion.
        near = list(
            dict.fromkeys(
                known[key] for key, ratio in zip(close, alike, strict=True) if ratio > alike[0] - MUCH_LESS
            )
        )
        guess = f"did you mean {' or '.join(near[:3])}? " if near else ""
        what = (
            " or ".join(kind.removesuffix("s") for kind in kinds) if len(kinds) < len(KINDS) else "spec file"
        )
        listing = f" {kinds[0]}" if len(kinds) < len(KINDS) else ""
        return SpecError(
            f"there is no {what} {brief(name)}", hint=f"{guess}`planner specs list{listing}` lists all"
        )

    def _entry(self, kind: str, name: str) -> Entry:
        kind = kind_of(kind)
        return self._index[kind][self.resolve(kind, name)]

    def _refuse_problems(self) -> None:
        if self.problems:
            raise _first_of(self.problems)

    @property
    def _index(self) -> Index:
        return self._indexed[0]

    @cached_property
    def _indexed(self) -> tuple[Index, list[SpecError]]:
        return index_directories(self.directories, [(item.kind, item.source) for item in self._added])

    @cached_property
    def _names(self) -> dict[str, dict[str, dict[str, list[str]]]]:
        names: dict[str, dict[str, dict[str, list[str]]]] = {}
        for kind, entries in self._index.items():
            tiers: dict[str, dict[str, list[str]]] = {"id": {}, "alias": {}, "name": {}}
            for spec_id in sorted(entries):
                head = self._merged_head(entries[spec_id])
                own = {"id": [spec_id], "alias": head.get("aliases", []), "name": [head.get("name", "")]}
                for tier, words in own.items():
                    for key in sorted({name_key(word) for word in words if isinstance(word, str)}):
                        tiers[tier].setdefault(key, []).append(spec_id)
            names[kind] = tiers
        return names

    def _merged_head(self, entry: Entry) -> dict[str, Any]:
        """Keys above the first table, inherited ones included; a broken chain counts as far as it goes."""
        try:
            chain = extends_chain(entry, self._index)
            return merged(chain, [link.head for link in chain])
        except SpecError:
            return dict(entry.head)


def _first_of(errors: Sequence[SpecError]) -> SpecError:
    first = errors[0]
    if len(errors) == 1:
        return first
    others = [
        f"{e.key}: {e.message}" if e.key and e.file == first.file else str(e).split("\n", 1)[0]
        for e in errors[1:]
    ]
    listed = "; ".join(others[:5]) + ("; ..." if len(others) > 5 else "")
    return SpecError(
        f"{first.message} (1 of {len(errors)} faults; also {listed})",
        file=first.file,
        key=first.key,
        line=first.line,
        hint=first.hint,
    )
