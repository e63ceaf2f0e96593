"""The rows of a sweep in Python: an iterator that works as it is read, or a table of all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.plan.result import page
from planner.sweeps.runner import Row
from planner.sweeps.sweep import Sweep
from planner.table import Field, Table, of_records

if TYPE_CHECKING:
    import pandas
    import polars


class Rows(Iterator[Row]):
    """Rows in the order of the points; a row is worked out when it is asked for, a chunk ahead at most.

    ``len(rows)`` points before constraints; ``rows.fields`` says unit and meaning of every column.
    """

    def __init__(self, sweep: Sweep, threads: int | None = None, scheduler: str | None = None) -> None:
        """``threads`` of this process, or a Dask cluster at ``scheduler``."""
        self.sweep = sweep
        self._rows = self._worked(threads, scheduler)

    def _worked(self, threads: int | None, scheduler: str | None) -> Iterator[Row]:
        workers = self.sweep.dask(scheduler) if scheduler else self.sweep.threads(threads)
        try:
            for rows, _ in self.sweep.rows(workers=workers):
                yield from rows
        finally:
            workers.close()

    def __next__(self) -> Row:
        """The next row."""
        return next(self._rows)

    def __len__(self) -> int:
        """Points before constraints."""
        return self.sweep.count

    @property
    def fields(self) -> tuple[Field, ...]:
        """The columns with unit and meaning."""
        return tuple(Field(column.name, column.unit, column.meaning) for column in self.sweep.columns)

    def table(self) -> Table:
        """The rows that were not read yet, as a table."""
        return of_records(list(self), self.fields)

    def _repr_html_(self) -> str:
        # Showing must not work anything out: rows are for reading once.
        shown = self.sweep
        axes = [(name, key) for name, key in shown.job.keys.items()]
        facts = [
            ("at each", shown.file.verb), *((f"axis {name}", key) for name, key in axes),
            ("columns", ", ".join(field.name for field in self.fields)),
            ("rows", "worked out as they are read; .table(), .to_polars() and .to_pandas() take them all"),
        ]  # fmt: skip
        return page(shown.size_words, facts)

    def to_polars(self) -> polars.DataFrame:
        """The rows that were not read yet, as a polars data frame."""
        return self.table().to_polars()

    def to_pandas(self) -> pandas.DataFrame:
        """The rows that were not read yet, as a pandas data frame."""
        return self.table().to_pandas()
