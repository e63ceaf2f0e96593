"""Case files: published or own measured runs, in JSON or CSV, one row a run "
"(planner/data/cases/README.md)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from planner.errors import PlannerError

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "cases" / "training.json"
SCORED = ("full", "near_full")
"""Completeness of the rows that count; a row that does not say (a user's own run) counts too."""

Degree = Annotated[int, Field(ge=1)]


class CaseFileError(PlannerError):
    """A case file is not of the format."""


def _one_word(value: Any) -> Any:
    """Precisions by their width, whatever the recipe."""
    return _PRECISIONS.get(str(value).strip().lower(), value) if value is not None else None


_PRECISIONS = {
    "bf16": "bf16", "fp16": "bf16", "bfloat16": "bf16", "float16": "bf16", "half": "bf16", "bf16-mixed":
    "bf16",
    "fp8": "fp8", "mxfp8": "fp8", "fp8_cs": "fp8", "fp8_mx": "fp8", "hif8": "fp8", "float8": "fp8",
    "fp4": "fp4", "nvfp4": "fp4", "mxfp4": "fp4",
}  # fmt: skip


class Row(BaseModel):
    """One measured run. Columns that are not listed here are kept out; absent means the same as null."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    group: str | None = None
    kind: str | None = None
    hardware: str
    hardware_variant: str | None = None
    cards: Degree | None = None
    cards_per_server: Degree | None = None
    scaleup_domain: Degree | None = Field(default=None, description="in cards")
    network: str | None = Field(default=None, description="as printed")
    network_gbps_per_card: float | None = Field(default=None, gt=0, description="Gbit/s one way")
    model: str | None = None
    seq_len: Degree | None = None
    global_batch: Degree | None = None
    micro_batch: Degree | None = None
    tp: Degree | None = None
    pp: Degree | None = None
    vpp: Degree | None = None
    cp: Degree | None = None
    ep: Degree | None = None
    etp: Degree | None = None
    dp: Degree | None = None
    sequence_parallel: bool | None = None
    recompute: Literal["none", "selective", "full"] | None = None
    recompute_parts: tuple[str, ...] | None = None
    recompute_layers: int | None = None
    sharding: Annotated[int, Field(ge=0, le=3)] | None = None
    sharding_group: Degree | None = None
    precision: Annotated[Literal["bf16", "fp8", "fp4"] | str | None, BeforeValidator(_one_word)] = None
    scaling_recipe: str | None = None
    block_scaled: bool = Field(default=False, description="scales per block of elements (MXFP8, NVFP4 ...)")
    framework: str | None = None
    software_date: str | None = None
    measured: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    metric_definition: str | None = None
    completeness: str | None = None
    note: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _blocks(cls, values: Any) -> Any:
        if isinstance(values, dict):
            named = f"{values.get('precision')} {values.get('scaling_recipe')}".lower()
            return {**values, "block_scaled": any(word in named for word in ("mxfp", "nvfp", "block"))}
        return values

    @property
    def scored(self) -> bool:
        """Whether the row counts in the summary."""
        return self.completeness is None or self.completeness in SCORED

    @property
    def compute_gbps_per_card(self) -> float | None:
        """Gbit/s one way per card of the compute network.

        Where the printed text names the compute NICs ("Compute: 8x ... 400Gb/s, Management: 100Gb/s") it
        decides:
        collectors took the last figure of such texts for the network of the cards.
        """
        named = re.search(r"Compute:\s*(\d+)x[^,;]*?(\d+)\s*Gb", self.network or "")
        if named and self.cards_per_server:
            return int(named[1]) * int(named[2]) / self.cards_per_server
        return self.network_gbps_per_card

    @property
    def source(self) -> str:
        """What rows must share to lie on one side of a split."""
        return self.group or self.id


@dataclass(frozen=True)
class Cases:
    """A case file: its training rows, rows of serving (counted, not predicted yet), and its own models."""

    path: Path
    training: tuple[Row, ...]
    inference: tuple[tuple[str, bool], ...]
    """(id, whether it counts)."""
    models: Mapping[str, Mapping[str, Any]]


def read(path: Path | None = None) -> Cases:
    """Read a case file (default: the shipped runs).

    Raises:
        CaseFileError: it cannot be read or is not of the format; with line and key where they are known.
    """
    path = path or SHIPPED
    try:
        text = path.read_text(encoding="utf-8-sig")
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
            f"is not JSON: {fault.msg}", file=str(path), line=fault.lineno, hint="see docs/accuracy.md"
        ) from fault
    if isinstance(table, list):
        table = {"training": table}
    if not isinstance(table, dict) or not any(key in table for key in ("training", "inference")):
        raise CaseFileError(
            "is no case file: it has neither a list `training` nor a list `inference`",
            file=str(path),
            hint='give {"training": [{"id": ..., "hardware": ..., "model": ..., ...}]}',
        )
    training = _list(path, table, "training")
    rows = tuple(
        _row(path, f"training[{place}]", item, _line_of_id(text, item)) for place, item in enumerate(training)
    )
    serving = tuple(
        (str(item.get("id")), item.get("completeness") in (None, *SCORED))
        for item in _list(path, table, "inference")
    )
    models = {str(model.get("id") or model.get("name")): model for model in _list(path, table, "models")}
    return Cases(path, rows, serving, models)


def _list(path: Path, table: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    items = table.get(key)
    if items is None:
        return []
    if not isinstance(items, list):
        raise CaseFileError("must be a list", file=str(path), key=key)
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise CaseFileError("must be a table of columns", file=str(path), key=f"{key}[{place}]")
    return items


def _line_of_id(text: str, item: Mapping[str, Any]) -> int | None:
    name = item.get("id")
    place = text.find(json.dumps(name, ensure_ascii=False)) if isinstance(name, str) else -1
    return text.count("\n", 0, place) + 1 if place >= 0 else None


def _row(path: Path, key: str, item: Mapping[str, Any], line: int | None) -> Row:
    given = {name: value for name, value in item.items() if value is not None}
    try:
        return Row.model_validate(given)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join([key, *(str(part) for part in first["loc"][:1])])
        raise CaseFileError(
            f"{first['msg'].removeprefix('Value error, ')}"
            + (f", not {first['input']!r}" if first["type"] != "missing" else ""),
            file=str(path),
            key=where,
            line=line,
            hint="the columns are those of planner/data/cases/README.md",
        ) from fault


_LISTS = ("recompute_parts",)
_MEASURES = (
    "iteration_time_s", "tokens_per_s_per_card", "tokens_per_s_total", "tflops_per_card", "mfu",
    "mfu_causal", "hfu",
    "mem_gib_per_card", "mem_alloc_gib_per_card",
)  # fmt: skip


def _from_csv(path: Path, text: str) -> Cases:
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
        rows.append(_row(path, str(item.get("id")), item, reader.line_num))
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
