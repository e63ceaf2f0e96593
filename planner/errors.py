"""One home for what can go wrong: every refusal says what, where, why and what to do."""

from __future__ import annotations

from dataclasses import dataclass

EXIT_ANSWER = 0
EXIT_NO = 1
EXIT_BAD_INPUT = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


@dataclass
class PlannerError(Exception):
    """Bad input, told so that the reader can mend it.

    Attributes:
        message: what is wrong, in one sentence.
        file: the file it stands in, if any.
        key: the dotted key path inside that file, if any.
        line: 1-based line, where it can be found.
        hint: what to do about it.
    """

    message: str
    file: str | None = None
    key: str | None = None
    line: int | None = None
    hint: str | None = None
    exit_code: int = EXIT_BAD_INPUT

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f":{self.line}"
        if self.key:
            where = f"{where}: {self.key}" if where else self.key
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class SpecError(PlannerError):
    """A spec file (or a figure in it) cannot be used."""


class ScenarioError(PlannerError):
    """A scenario (or one of its keys) cannot be used."""


class MissingFigureError(PlannerError):
    """A figure that the answer needs is not known; the hint says how to supply it."""


class EngineError(PlannerError):
    """The Rust core refused a problem or failed."""
