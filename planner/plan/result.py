"""What every answer can do in Python: plain types, tables and data frames, and a page for notebooks."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin

from pydantic import BaseModel

from planner.errors import PlannerError
from planner.plan.parts import Part
from planner.table import Field, Table, of_records

if TYPE_CHECKING:
    import pandas
    import polars

Fact = tuple[str, str]
UNITS = (
    ("bytes_per_second", "B/s"), ("tokens_per_second_per_card", "tokens/s"),
    ("tokens_per_second", "tokens/s"), ("requests_per_second", "requests/s"),
    ("usd_per_million_tokens", "USD"), ("usd_per_year", "USD"), ("_usd", "USD"), ("seconds", "s"),
    ("_bytes", "B"), ("megawatts", "MW"), ("_watts", "W"), ("days", "days"), ("months", "months"),
    ("month", "months"), ("tokens_per_joule", "tokens/J"), ("metres", "m"), ("cards", "cards"),
)  # fmt: skip
"""Ends of names of fields -> the unit that they say."""


class Result(Part):
    """An answer: frozen, typed, with tables; in a notebook it shows itself.

    ``MAIN`` is the table that stands for the answer where none is named.
    """

    MAIN: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain JSON types; units stand in the names, ``None`` means not known."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self, indent: int | None = 2) -> str:
        """The answer as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names that `table` takes."""
        return tuple(self._tables())

    def table(self, name: str | None = None) -> Table:
        """Rows with unit and meaning of every column.

        Args:
            name: one of `tables`; default: the main one.

        Raises:
            PlannerError: no such table (with the nearest name).
        """
        tables, wanted = self._tables(), name or self.MAIN
        if wanted not in tables:
            near = get_close_matches(wanted, tables, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise PlannerError(
                f"a {type(self).__name__} has no table {wanted!r}", hint=f"{hint}tables: {', '.join(tables)}"
            )
        return tables[wanted]()

    def to_polars(self, name: str | None = None) -> polars.DataFrame:
        """A table as a polars data frame: (rows, columns) as `table` has them.

        Raises:
            PlannerError: no such table, or polars is not installed.
        """
        return self.table(name).to_polars()

    def to_pandas(self, name: str | None = None) -> pandas.DataFrame:
        """A table as a pandas data frame; ``attrs["units"]`` has the units of its columns.

        Raises:
            PlannerError: no such table, or pandas is not installed.
        """
        return self.table(name).to_pandas()

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        """The tables by name, made when they are asked for; by default every list of records."""
        return {name: partial(of_parts, kind, getattr(self, name)) for name, kind in record_lists(type(self))}

    @abstractmethod
    def _facts(self) -> tuple[str, list[Fact]]:
        """What a notebook shows: one line that says it all, and lines of (label, text)."""

    def _shown(self) -> Sequence[str]:
        """Tables that a notebook shows below the facts."""
        return (self.MAIN,)

    def _repr_html_(self) -> str:
        headline, facts = self._facts()
        return page(headline, facts, [self.table(name) for name in self._shown()])


def page(headline: str, facts: Sequence[Fact], tables: Sequence[Table] = ()) -> str:
    """A heading, a table of two columns, and tables below it, as HTML."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(text)}</td></tr>'
        for label, text in facts
    )
    below = "".join(table._repr_html_() for table in tables if len(table))
    return f"<div><p><b>{escape(headline)}</b></p><table>{rows}</table>{below}</div>"


def record_lists(kind: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Fields of a model that are lists of records, and the model of their records."""
    for name, field in kind.model_fields.items():
        if get_origin(field.annotation) is list and _is_model(get_args(field.annotation)[0]):
            yield name, get_args(field.annotation)[0]


def of_parts(kind: type[BaseModel], records: Sequence[BaseModel]) -> Table:
    """Records of one model as a table; a record within a record has columns ``outer_inner``."""
    fields = tuple(_columns(kind))
    return of_records([dict(_flat(record)) for record in records], fields)


def unit_of(name: str) -> str:
    """The unit that the name of a field says; empty: none. A band has the unit of what it bounds."""
    name = name.removesuffix("_band")
    return next((unit for end, unit in UNITS if name == end.lstrip("_") or name.endswith(end)), "")


def _columns(kind: type[BaseModel], head: str = "", outer: str = "") -> Iterator[Field]:
    for name, field in kind.model_fields.items():
        inner = _model_of(field.annotation)
        meaning = field.description or outer
        if inner is not None:
            yield from _columns(inner, f"{head}{name}_", meaning)
        else:
            # The ends of a range carry the unit of what they are the range of.
            unit = unit_of(head.rstrip("_")) if name in ("p10", "p50", "p90") else unit_of(name)
            yield Field(f"{head}{name}", unit, meaning)


def _flat(record: BaseModel, head: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{head}{name}_")
        else:
            yield f"{head}{name}", _plain(value)


def _plain(value: Any) -> Any:
    """Lists and tables as JSON text, so that a column holds one kind of thing."""
    if isinstance(value, list | tuple | dict):
        listed = [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in value]
        return json.dumps(value if isinstance(value, dict) else listed, ensure_ascii=False, default=str)
    return value


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also where it may be null."""
    if _is_model(annotation):
        return annotation  # type: ignore[no-any-return]
    inner = [item for item in get_args(annotation) if item is not type(None)]
    return inner[0] if len(inner) == 1 and _is_model(inner[0]) else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
