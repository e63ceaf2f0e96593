"""JSON Schemas of the spec files, for editors: what stands in the TOML, not what is kept after reading it.

A figure's value is a text with a unit there, and a plain number only where the dimension has no unit. A file
that ``extends`` another may leave out whatever it inherits.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from planner import units
from planner.specs.library import kind_of
from planner.specs.quantity import Quantity
from planner.specs.schema import KINDS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NUMBER = r"[-+]?(\d{1,3}(,\d{3})+|\d[\d_]*)?(\.\d*)?([eE][-+]?\d+)?"


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of the files of one kind.

    Raises:
        SpecError: no such kind.
    """
    kind = kind_of(kind)
    model = KINDS[kind]
    out = model.model_json_schema()
    definitions = out.get("$defs", {})
    quantities = {cls.__name__: cls for cls in _subclasses(Quantity)}
    mergeable = {cls.__name__ for cls in _tables(model)}
    for name, definition in definitions.items():
        if name in quantities:
            _as_written(definition, quantities[name])
        elif name in mergeable:
            # An inheriting file may give a part of a table; reading it checks the whole.
            definition.pop("required", None)
    required = out.pop("required")
    inherited = [key for key in required if key not in ("id", "name")]
    head = {
        "$schema": _DIALECT,
        "title": f"planner spec file: {kind}/",
        "required": ["id"],
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": ["id", "name", *inherited]},
    }
    return head | {key: value for key, value in out.items() if key not in head}


def text(kind: str) -> str:
    """The schema of one kind as it is written to a file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


def file_name(kind: str) -> str:
    """``accelerators.schema.json``."""
    return f"{kind}.schema.json"


def write(directory: Path) -> list[Path]:
    """Write the schemas of all kinds; the paths written."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in KINDS:
        path = directory / file_name(kind)
        path.write_text(text(kind), encoding="utf-8")
        paths.append(path)
    return paths


def _as_written(definition: dict[str, Any], cls: type[Quantity]) -> None:
    properties = definition["properties"]
    properties.pop("unit")
    for name in ("value", "low", "high"):
        properties[name] = _number(cls.dimension)
    definition["required"] = ["value", "kind"]
    if cls.dimension is units.Dimension.MONEY:
        definition["required"].append("date")
    definition["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": "estimate"}}},
            "then": {"required": ["low", "high", "method"]},
            "else": {"required": ["source"]},
        },
        {
            "if": {"properties": {"kind": {"enum": ["derived", "fitted"]}}},
            "then": {"required": ["method"]},
        },
    ]


def _number(dimension: units.Dimension) -> dict[str, Any]:
    known = units.known(dimension)
    pattern = "|".join(re.escape(unit).replace("\\-", "-") for unit in sorted(known))
    written: dict[str, Any] = {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*({pattern})\s*$"}
    return {"anyOf": [{"type": "number"}, written]} if "" in known else written


def _subclasses(cls: type[Quantity]) -> list[type[Quantity]]:
    return [cls, *(grand for child in cls.__subclasses__() for grand in _subclasses(child))]


def _tables(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Models that stand as plain tables below ``model``: these merge key by key; lists and figures do not."""
    found: set[type[BaseModel]] = set()
    for field in model.model_fields.values():
        annotation = field.annotation
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[-1]
        candidates = [annotation, *get_args(annotation)] if get_origin(annotation) is not list else []
        for item in candidates:
            if isinstance(item, type) and issubclass(item, BaseModel) and not issubclass(item, Quantity):
                found |= {item} | _tables(item)
    return {cls for cls in found if cls.__name__ != "Source"}
