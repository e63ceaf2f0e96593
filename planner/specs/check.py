"""``specs check``: every file against its schema, then all files against the general rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from weakref import WeakKeyDictionary

from planner.errors import SpecError
from planner.specs.checks import accelerators, figures, files, others, sites, systems
from planner.specs.checks.base import Finding, Library
from planner.specs.library import SpecLibrary

__all__ = ["Finding", "check", "refuse_impossible"]

_Rule = Callable[[Library], Iterator[Finding]]
_MULTIPLIED_OUT: tuple[_Rule, ...] = (accelerators.check, systems.check, sites.check, others.check)
_RULES: tuple[_Rule, ...] = (files.check, figures.check, *_MULTIPLIED_OUT)
# Thousands of what-ifs rest on the same few files: each set of them is judged once a library.
_JUDGED: WeakKeyDictionary[SpecLibrary, dict[frozenset[tuple[str, str]], list[Finding]]] = WeakKeyDictionary()


def check(library: SpecLibrary) -> list[Finding]:
    """All findings, sorted by file, line and key; each once even where files inherit it.

    Never raises for what a file holds: unreadable and invalid files are findings too (rules ``file``,
    ``schema``, ``unit`` and ``unsourced``).
    """
    seen = Library(library)
    return _sorted([*seen.faults, *_found(seen, _RULES)])


def refuse_impossible(library: SpecLibrary, places: Iterable[tuple[str, str]]) -> list[Finding]:
    """Judge the files (kind, id) that an answer rests on: impossible values are refused, not computed with.

    Returns:
        What asks for a second look.

    Raises:
        SpecError: a value that no hardware has, or values that contradict each other.
    """
    findings = _judged(library, frozenset(places))
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        first, message = errors[0], errors[0].message
        if len(errors) > 1:
            message += f" (1 of {len(errors)} faults; `planner specs check` lists all)"
        raise SpecError(message, first.file, first.key, first.line, first.remedy)
    return findings


def _judged(library: SpecLibrary, places: frozenset[tuple[str, str]]) -> list[Finding]:
    """What `refuse_impossible` finds; a library reads a file once, so a second look would find the same."""
    known = _JUDGED.setdefault(library, {})
    if places not in known:
        seen = Library(library, sorted(places))
        known[places] = _sorted(_found(seen, (figures.check_values, *_MULTIPLIED_OUT)))
    return list(known[places])


def _found(seen: Library, rules: Iterable[_Rule]) -> Iterator[Finding]:
    for rule in rules:
        yield from rule(seen)


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    distinct = dict.fromkeys(findings)
    return sorted(distinct, key=lambda f: (f.file, f.line or 0, f.key, f.rule, f.message))
