"""``specs check``: every file against its schema, then all files against the general rules."""

from __future__ import annotations

from planner.specs.checks import accelerators, figures, files, others, sites, systems
from planner.specs.checks.base import Finding, Library
from planner.specs.library import SpecLibrary

__all__ = ["Finding", "check"]

_RULES = (files.check, figures.check, accelerators.check, systems.check, sites.check, others.check)


def check(library: SpecLibrary) -> list[Finding]:
    """All findings, sorted by file, line and key; each once even where files inherit it.

    Never raises for what a file holds: unreadable and invalid files are findings too (rules ``file``,
    ``schema``, ``unit`` and ``unsourced``).
    """
    seen = Library(library)
    findings = dict.fromkeys(seen.faults)
    for rule in _RULES:
        findings.update(dict.fromkeys(rule(seen)))
    return sorted(findings, key=lambda f: (f.file, f.line or 0, f.key, f.rule, f.message))
