"""What a rule sees (the valid files of a library) and what it says (findings)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, TypeVar, cast

from planner.errors import SpecError
from planner.specs.index import Entry
from planner.specs.library import SpecLibrary
from planner.specs.quantity import Quantity
from planner.specs.reading import locate_in_chain, undotted
from planner.specs.schema import Accelerator, SpecFile

Severity = Literal["error", "warning"]
SpecT_co = TypeVar("SpecT_co", bound=SpecFile, covariant=True)


@dataclass(frozen=True)
class Finding:
    """One fault of one file.

    Attributes:
        file: path as shown to people.
        key: dotted key inside the file, empty for the file as a whole.
        line: 1-based line of the key, where it was found.
        severity: an error makes `specs check` fail; a warning asks for a second look.
        rule: the general rule that is broken.
        message: what is wrong.
        remedy: what to do.
    """

    file: str
    key: str
    line: int | None
    severity: Severity
    rule: str
    message: str
    remedy: str

    @classmethod
    def of_error(cls, rule: str, error: SpecError) -> Finding:
        """A finding that repeats an error of reading a file."""
        remedy = error.hint or "mend the file"
        return cls(error.file or "", error.key or "", error.line, "error", rule, error.message, remedy)


@dataclass(frozen=True)
class Subject(Generic[SpecT_co]):
    """One valid file, and a pen for findings about it."""

    kind: str
    spec: SpecT_co
    chain: Sequence[Entry]

    def finding(self, severity: Severity, rule: str, key: str, message: str, remedy: str) -> Finding:
        """A finding at ``key``, in whichever file of the ``extends`` chain holds it."""
        source, line = locate_in_chain([entry.source for entry in self.chain], undotted(key))
        return Finding(source.shown, key, line, severity, rule, message, remedy)

    def error(self, rule: str, key: str, message: str, remedy: str) -> Finding:
        """A finding that makes the check fail."""
        return self.finding("error", rule, key, message, remedy)

    def warning(self, rule: str, key: str, message: str, remedy: str) -> Finding:
        """A finding that asks for a second look."""
        return self.finding("warning", rule, key, message, remedy)


class Library:
    """The valid files of a library, each read once, with what could not be read."""

    def __init__(self, library: SpecLibrary, only: Iterable[tuple[str, str]] | None = None) -> None:
        """Read and validate every file of ``library``, or ``only`` the files (kind, id) named."""
        self.source = library
        self._only = None if only is None else sorted(set(only))

    @cached_property
    def _read(self) -> tuple[dict[str, list[Subject[SpecFile]]], list[Finding]]:
        valid: dict[str, list[Subject[SpecFile]]] = {kind: [] for kind in self.source.kinds}
        if self._only is not None:
            for kind, spec_id in self._only:
                chain = self.source.chain(kind, spec_id)
                valid[kind].append(Subject(kind, self.source.get(kind, spec_id), chain))
            return valid, []
        findings = [Finding.of_error("file", problem) for problem in self.source.problems]
        for kind in self.source.kinds:
            for entry in self.source.entries(kind):
                spec, faults = self.source.validate(kind, entry.id)
                findings += [Finding.of_error(fault.rule, fault.error) for fault in faults]
                if spec is not None:
                    valid[kind].append(Subject(kind, spec, self.source.chain_of(entry)))
        return valid, findings

    @property
    def faults(self) -> list[Finding]:
        """Findings about files that could not be read or validated."""
        return self._read[1]

    def all(self) -> Iterator[Subject[SpecFile]]:
        """Every valid file."""
        for subjects in self._read[0].values():
            yield from subjects

    def of(self, kind: str, model: type[SpecT_co]) -> list[Subject[SpecT_co]]:
        """The valid files of one kind, whose schema is ``model``."""
        assert all(isinstance(subject.spec, model) for subject in self._read[0][kind])
        return cast("list[Subject[SpecT_co]]", self._read[0][kind])

    def has(self, kind: str, spec_id: str) -> bool:
        """Whether a file of that id exists, valid or not."""
        return any(entry.id == spec_id for entry in self.source.entries(kind))

    def spec(self, kind: str, spec_id: str) -> SpecFile | None:
        """A valid file by id."""
        return next((s.spec for s in self._read[0][kind] if s.spec.id == spec_id), None)

    def card(self, spec_id: str) -> Accelerator | None:
        """A valid accelerator by id."""
        return cast("Accelerator | None", self.spec("accelerators", spec_id))


def value(figure: Quantity | None) -> float | None:
    """The value of a figure that may be absent."""
    return None if figure is None else figure.value


def differs(actual: float, expected: float, tolerance: float) -> bool:
    """Whether ``actual`` is off ``expected`` by more than ``tolerance`` (relative)."""
    return abs(actual - expected) > tolerance * abs(expected)
