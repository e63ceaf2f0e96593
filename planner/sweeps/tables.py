"""Rows as tables for other programs: CSV with a description beside it, Parquet with one inside."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from planner.errors import PlannerError
from planner.sweeps.column import Column
from planner.sweeps.journal import unwritable, write_meta
from planner.sweeps.runner import Row

PART_ROWS = 5000
"""Rows held in memory for one part of a Parquet file."""


class Table(Protocol):
    """A file of rows."""

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows."""

    def finish(self) -> None:
        """Make the file whole."""


def table(path: Path, columns: Sequence[Column], meta: Mapping[str, Any]) -> Table:
    """The table that the suffix of ``path`` asks for.

    Raises:
        PlannerError: the file cannot be written, or the suffix is neither .csv nor .parquet.
    """
    if path.suffix == ".csv":
        return Csv(path, columns, meta)
    if path.suffix == ".parquet":
        return Parquet(path, columns, meta)
    raise _unknown_suffix(path)


def check_suffix(path: Path) -> None:
    """Refuse a name that says another kind of file than rows can be written as: a journal is JSON lines.

    Raises:
        PlannerError: the suffix is none of .jsonl, .csv, .parquet.
    """
    if path.suffix not in (".jsonl", ".csv", ".parquet"):
        raise _unknown_suffix(path)


def _unknown_suffix(path: Path) -> PlannerError:
    return PlannerError(
        "rows are written as .jsonl, .csv or .parquet",
        file=str(path),
        hint=f"-o {path.with_suffix('.jsonl')}, or .csv for a spreadsheet",
    )


def plain(value: Any) -> Any:
    """Lists and tables as JSON text; other values as they are."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


class Csv:
    """RFC 4180 in UTF-8; null is an empty field."""

    def __init__(self, path: Path, columns: Sequence[Column], meta: Mapping[str, Any]) -> None:
        """Begin the file."""
        self._path = path
        self._names = [column.name for column in columns]
        try:
            write_meta(path, meta)
            self._file = path.open("w", newline="", encoding="utf-8")
            self._writer = csv.writer(self._file)
            self._writer.writerow(self._names)
        except OSError as fault:
            raise unwritable(path, fault) from fault

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        try:
            self._writer.writerows([plain(row[name]) for name in self._names] for row in rows)
            self._file.flush()
        except OSError as fault:
            raise unwritable(self._path, fault) from fault

    def finish(self) -> None:
        """Close the file."""
        self._file.close()


class Parquet:
    """Parts of some thousand rows while the sweep runs, one file in the end."""

    def __init__(self, path: Path, columns: Sequence[Column], meta: Mapping[str, Any]) -> None:
        """Begin the parts.

        Raises:
            PlannerError: the Parquet extra is not installed; the place cannot be written.
        """
        try:
            import arro3.core  # noqa: PLC0415 (an extra)
            import arro3.io  # noqa: PLC0415
        except ImportError as fault:
            raise PlannerError("Parquet needs arro3", hint="pip install 'planner[parquet]'") from fault
        self._arrow: Any = arro3.core
        self._io: Any = arro3.io
        self._path = path
        self._parts = path.with_name(f"{path.name}.parts")
        self._columns = columns
        self._rows: list[Row] = []
        self._count = 0
        self._schema = self._schema_of(columns, meta)
        try:
            shutil.rmtree(self._parts, ignore_errors=True)
            self._parts.mkdir()
        except OSError as fault:
            raise unwritable(path, fault) from fault

    def _schema_of(self, columns: Sequence[Column], meta: Mapping[str, Any]) -> Any:
        arrow = self._arrow
        types = {
            "whole": arrow.DataType.int64(),
            "number": arrow.DataType.float64(),
            "text": arrow.DataType.utf8(),
            "truth": arrow.DataType.bool(),
        }
        self._types = types
        fields = [
            arrow.Field(
                column.name,
                types[column.kind],
                nullable=True,
                metadata={"unit": column.unit, "meaning": column.meaning},
            )
            for column in columns
        ]
        return arrow.Schema(fields, metadata={"planner.sweeps": json.dumps(meta, ensure_ascii=False)})

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._rows += rows
        while len(self._rows) >= PART_ROWS:
            self._write_part(self._rows[:PART_ROWS])
            self._rows = self._rows[PART_ROWS:]

    def finish(self) -> None:
        """Put the parts into one file."""
        if self._rows:
            self._write_part(self._rows)
            self._rows = []
        whole = self._path.with_name(f".{self._path.name}.part")
        try:
            self._io.write_parquet(
                self._arrow.RecordBatchReader.from_batches(self._schema, self._read()), whole
            )
            whole.replace(self._path)
            shutil.rmtree(self._parts)
        except OSError as fault:
            raise unwritable(self._path, fault) from fault

    def _write_part(self, rows: Sequence[Row]) -> None:
        path = self._parts / f"part-{self._count:06d}.parquet"
        self._count += 1
        reader = self._arrow.RecordBatchReader.from_batches(self._schema, iter([self._batch(rows)]))
        try:
            self._io.write_parquet(reader, path)
        except OSError as fault:
            raise unwritable(path, fault) from fault

    def _batch(self, rows: Sequence[Row]) -> Any:
        arrays = [
            self._arrow.Array([_cast(row[column.name], column) for row in rows], self._types[column.kind])
            for column in self._columns
        ]
        return self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _read(self) -> Iterator[Any]:
        for path in sorted(self._parts.glob("part-*.parquet")):
            for batch in self._io.read_parquet(path):
                yield batch.with_schema(self._schema)


def _cast(value: Any, column: Column) -> Any:
    if value is None:
        return None
    if column.kind == "text":
        return str(plain(value))
    return float(value) if column.kind == "number" else value
