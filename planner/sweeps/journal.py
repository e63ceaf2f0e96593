"""The journal of a sweep: one JSON object a line, in the order of the points, safe at every moment.

What is written is whole lines, handed to the system chunk by chunk; a line cut short by a crash is dropped
when the sweep goes on. ``FILE.meta.json`` beside it says which sweep it is and what the columns mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from planner.errors import PlannerError
from planner.sweeps.runner import Row

_BLOCK = 1 << 16


def meta_path(path: Path) -> Path:
    """The description beside a file of rows."""
    return path.with_name(f"{path.name}.meta.json")


def line(row: Row) -> str:
    """A row as one line of JSON; floats in their shortest exact form."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str) + "\n"


class Journal:
    """Rows in a file, appended in order."""

    def __init__(self, path: Path, meta: Mapping[str, Any], resume: bool) -> None:
        """Begin a file, or go on with one.

        Raises:
            PlannerError: it cannot be written; it exists (without ``resume``); it is of another sweep.
        """
        self.path = path
        self.last: Row | None = None
        self.rows = 0
        if resume:
            self._continue(meta)
        elif path.exists() and path.stat().st_size > 0 and path.is_file():
            raise PlannerError(
                "exists already",
                file=str(path),
                hint="--resume goes on with it; or give another -o, or remove it",
            )
        try:
            if not resume or not meta_path(path).exists():
                write_meta(path, meta)
            self._file = path.open("ab")
        except OSError as fault:
            raise unwritable(path, fault) from fault

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, and hand them to the system.

        Raises:
            PlannerError: the disk is full, or the file is gone; what was written before is whole.
        """
        try:
            self._file.write("".join(map(line, rows)).encode())
            self._file.flush()
        except OSError as fault:
            raise unwritable(self.path, fault, self.rows) from fault
        self.rows += len(rows)

    def close(self) -> None:
        """Close the file; a fault on the way out was told by `append` already."""
        # The buffer that a full disk refused is tried again here; the rows in it were never counted.
        with suppress(OSError):
            self._file.close()

    def _continue(self, meta: Mapping[str, Any]) -> None:
        if not self.path.is_file():
            return
        _refuse_other(self.path, meta)
        cut_half_line(self.path)
        for row in read(self.path):
            self.last = row
            self.rows += 1


def _refuse_other(path: Path, meta: Mapping[str, Any]) -> None:
    beside = meta_path(path)
    try:
        before = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise PlannerError(
            f"cannot be read, so it is not known which sweep {path.name} belongs to: {fault}",
            file=str(beside),
            hint="give another -o",
        ) from fault
    for key, what in (
        ("planner", "by another version of planner"),
        ("library", "with other spec files"),
        ("sweep", "for another sweep file (or other options)"),
    ):
        if before.get(key) != meta[key]:
            raise PlannerError(
                f"was made {what}, so its rows and new ones would not be comparable",
                file=str(path),
                hint="give another -o, or go back to what it was made with",
            )


def cut_half_line(path: Path) -> int:
    """Drop what stands after the last line break; returns how many bytes.

    Raises:
        PlannerError: the file cannot be changed.
    """
    try:
        with path.open("r+b") as stream:
            end = stream.seek(0, os.SEEK_END)
            keep = end
            while keep > 0:
                start = max(0, keep - _BLOCK)
                stream.seek(start)
                at = stream.read(keep - start).rfind(b"\n")
                if at >= 0:
                    keep = start + at + 1
                    break
                keep = start
            stream.truncate(keep)
            return end - keep
    except OSError as fault:
        raise unwritable(path, fault) from fault


def read(path: Path) -> Iterator[Row]:
    """The rows of a journal.

    Raises:
        PlannerError: a line is no row.
    """
    with path.open("rb") as stream:
        for number, text in enumerate(stream, start=1):
            try:
                row = json.loads(text)
            except ValueError as fault:
                raise _no_row(path, number) from fault
            if not isinstance(row, dict) or "index" not in row:
                raise _no_row(path, number)
            yield row


def _no_row(path: Path, number: int) -> PlannerError:
    return PlannerError("is not a row of a sweep", file=str(path), line=number, hint="give another -o")


def write_meta(path: Path, meta: Mapping[str, Any]) -> None:
    """Write the description beside a file of rows."""
    meta_path(path).write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def unwritable(path: Path, fault: OSError, rows: int | None = None) -> PlannerError:
    """The error for a file that cannot be written; ``rows`` stand in it safely."""
    safe = f"; at least {rows:,} rows stand in it" if rows else ""
    # Part of a chunk may stand there even where no whole chunk does: what is whole of it counts.
    hint = "give another place with -o" if rows is None else "mend that, then go on with --resume"
    return PlannerError(f"cannot be written: {fault.strerror}{safe}", file=str(path), hint=hint)
