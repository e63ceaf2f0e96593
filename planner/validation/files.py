"""Case files: published or own measured runs, in JSON or CSV, one row a run "
"(planner/data/cases/README.md)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from planner.validation.places import line_of
from planner.validation.rows import SHIPPED, CaseFileError, Row, training_row
from planner.validation.serving_rows import (
    SHIPPED_INFERENCE,
    SHIPPED_POINTS,
    ServingRow,
    is_points,
    points,
    serving_row,
)

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Cases:
    """A case file: its rows of training and of serving, and its own models."""

    path: Path
    training: tuple[Row, ...]
    inference: tuple[ServingRow, ...]
    models: Mapping[str, Mapping[str, Any]]


def read(path: Path | None = None) -> Cases:
    """Read a case file (default: the shipped runs).

    Raises:
        CaseFileError: it cannot be read or is not of the format; with line and key where they are known.
    """
    if path is None:
        shipped = [read(name) for name in (SHIPPED, SHIPPED_INFERENCE, SHIPPED_POINTS)]
        rows = tuple(row for item in shipped for row in item.inference)
        return Cases(SHIPPED, shipped[0].training, rows, shipped[0].models)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as fault:
        hint = "planner/data/cases/README.md says what a case file holds"
        raise CaseFileError("no such file", file=str(path), hint=hint) from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise CaseFileError(f"cannot be read: {fault}", file=str(path)) from fault
    if path.suffix.lower() == ".csv":
        return _from_csv(path, text)
    return _from_json(path, text)


def _from_json(path: Path, text: str) -> Cases:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as fault:
        raise CaseFileError(
            f"is not JSON: {fault.msg}",
            file=str(path),
            line=fault.lineno,
            hint="planner/data/cases/README.md says what a case file holds",
        ) from fault
    if isinstance(table, list):
        table = {"training": table}
    if not isinstance(table, dict) or not any(key in table for key in ("training", "inference")):
        raise CaseFileError(
            "is no case file: it has neither a list `training` nor a list `inference`",
            file=str(path),
            line=1,
            hint='give {"training": [{"id": ..., "hardware": ..., "model": ..., ...}]}',
        )
    lists = {key: _list(path, text, table, key) for key in ("training", "inference", "models")}
    rows = tuple(_checked(path, text, "training", lists["training"], training_row))
    serving = tuple(_checked(path, text, "inference", lists["inference"], serving_row))
    models = {str(model.get("id") or model.get("name")): model for model in lists["models"]}
    return Cases(path, rows, serving, models)


def _checked(
    path: Path,
    text: str,
    table: str,
    items: Sequence[Mapping[str, Any]],
    check: Callable[[Path, str, Mapping[str, Any]], _Row],
) -> Iterator[_Row]:
    """Rows of a list of the file; a fault of one names its line."""
    for place, item in enumerate(items):
        key = f"{table}[{place}]"
        try:
            yield check(path, key, item)
        except CaseFileError as fault:
            column = (fault.key or "").removeprefix(key).strip(".").split(".")[0]
            fault.line = line_of(text, table, place, column or None)
            raise


def _list(path: Path, text: str, table: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    items = table.get(key)
    if items is None:
        return []
    if not isinstance(items, list):
        raise CaseFileError("must be a list", file=str(path), key=key, line=line_of(text, key))
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise CaseFileError(
                "must be a table of columns",
                file=str(path),
                key=f"{key}[{place}]",
                line=line_of(text, key, place),
            )
    return items


_LISTS = ("recompute_parts",)
_MEASURES = (
    "iteration_time_s", "tokens_per_s_per_card", "tokens_per_s_total", "tflops_per_card", "mfu",
    "mfu_causal", "hfu",
    "mem_gib_per_card", "mem_alloc_gib_per_card",
)  # fmt: skip


def _from_csv(path: Path, text: str) -> Cases:
    if is_points(text.partition("\n")[0].strip()):
        return Cases(path, (), points(path, text), {})
    reader = csv.DictReader(io.StringIO(text))
    if not reader.fieldnames or "id" not in reader.fieldnames or "hardware" not in reader.fieldnames:
        raise CaseFileError(
            "is no case file: its first line must name the columns, with id and hardware among them",
            file=str(path),
            line=1,
        )
    rows = []
    for record in reader:
        item: dict[str, Any] = {"measured": {}, "derived": {}}
        for name, value in record.items():
            if name is None:
                raise CaseFileError("has more cells than columns", file=str(path), line=reader.line_num)
            _put(item, name.strip(), (value or "").strip())
        rows.append(training_row(path, str(item.get("id")), item, reader.line_num))
    return Cases(path, tuple(rows), (), {})


def _put(item: dict[str, Any], name: str, value: str) -> None:
    if value.lower() in ("", "null", "none?", "na", "n/a"):
        return
    table, _, rest = name.partition(".")
    if rest and table in ("measured", "derived"):
        item[table][rest] = _number(value)
    elif name in _MEASURES:
        item["measured"][name] = _number(value)
    elif name in ("measured", "derived"):
        try:
            item[name] = json.loads(value)
        except json.JSONDecodeError:
            item[name] = value
    elif name in _LISTS:
        item[name] = tuple(
            part for part in value.strip("[]").replace('"', "").replace(";", ",").split(",") if part
        )
    elif value.lower() in ("true", "false"):
        item[name] = value.lower() == "true"
    else:
        # A spreadsheet writes 8.0 for 8.
        item[name] = value.removesuffix(".0") if _number(value) != value else value


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value
