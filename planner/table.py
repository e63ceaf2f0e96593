"""A table of an answer: rows with named columns, each with its unit and meaning; at home in notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.errors import PlannerError

if TYPE_CHECKING:
    import pandas
    import polars

SHOWN_ROWS = 30
"""Rows that a notebook shows."""


@dataclass(frozen=True)
class Field:
    """A column: its name, the unit of its numbers (empty: none), and what it means."""

    name: str
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of one shape.

    ``len(table)`` rows; iterating gives dictionaries; ``fields`` says unit and meaning of every column.
    """

    fields: tuple[Field, ...]
    rows: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """The rows."""
        return iter(self.rows)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """Column name -> values, each as long as the table."""
        return {field.name: [row.get(field.name) for row in self.rows] for field in self.fields}

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return [dict(row) for row in self.rows]

    def to_polars(self) -> polars.DataFrame:
        """A polars data frame of the same columns.

        Raises:
            PlannerError: polars is not installed.
        """
        try:
            import polars  # noqa: PLC0415 (an extra)
        except ImportError as fault:
            raise PlannerError("this needs polars", hint="pip install polars") from fault
        return polars.DataFrame(self.columns, strict=False, infer_schema_length=None)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas data frame of the same columns; ``attrs["units"]`` has their units.

        Raises:
            PlannerError: pandas is not installed.
        """
        try:
            import pandas  # noqa: PLC0415 (an extra)
        except ImportError as fault:
            raise PlannerError("this needs pandas", hint="pip install pandas") from fault
        frame = pandas.DataFrame(self.columns)
        frame.attrs["units"] = {field.name: field.unit for field in self.fields}
        return frame

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th title="{html.escape(field.meaning)}">{html.escape(field.name)}'
            + (f"<br><small>{html.escape(field.unit)}</small>" if field.unit else "")
            + "</th>"
            for field in self.fields
        )
        body = "".join(
            f"<tr>{''.join(_cell(row.get(field.name)) for field in self.fields)}</tr>"
            for row in self.rows[:SHOWN_ROWS]
        )
        more = f"<p>{len(self):,} rows</p>" if len(self) > SHOWN_ROWS else ""
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Four digits, but never the exponent that they would bring to a large number.
        text = f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.4g}"
        return f'<td style="text-align:right">{text}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def of_records(records: Sequence[Mapping[str, Any]], fields: Sequence[Field]) -> Table:
    """A table of records, in the order of ``fields``."""
    names = [field.name for field in fields]
    return Table(tuple(fields), tuple({name: record.get(name) for name in names} for record in records))
