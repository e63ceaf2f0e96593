"""JSON Schemas: current, valid, and of one mind with the reader about the shipped files."""

from __future__ import annotations

import copy
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from spec_files import LIBRARY

from planner.specs import KINDS, shipped_directory
from planner.specs.export import file_name, schema, text, write

_validator = cache(lambda kind: jsonschema.Draft202012Validator(schema(kind)))
SHIPPED = sorted(p for kind in KINDS for p in (shipped_directory() / kind).glob("*.toml"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_committed_schema_is_current(kind: str) -> None:
    committed = shipped_directory() / "schema" / file_name(kind)
    assert committed.read_text(encoding="utf-8") == text(kind), (
        "run `planner specs schema -o hardware_specs/schema`"
    )


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_schema_is_a_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_files_keep_the_schema(path: Path) -> None:
    _validator(path.parent.name).validate(tomllib.loads(path.read_text(encoding="utf-8")))


def _card() -> dict[str, Any]:
    return tomllib.loads(LIBRARY["accelerators/card-a.toml"])


@pytest.mark.parametrize("name", list(LIBRARY))
def test_the_small_files_keep_the_schema(name: str) -> None:
    jsonschema.validate(tomllib.loads(LIBRARY[name]), schema(name.split("/", maxsplit=1)[0]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("memory", "capacity", "value"), "64 Gb"),
        (("memory", "capacity", "value"), 64),
        (("memory", "capacity", "kind"), "rumour"),
        (("memory", "capacity", "kind"), "estimate"),
        (("memory", "capacity", "kind"), "derived"),
        (("memory", "capacity", "unit"), "GB"),
        (("memory", "size"), "64 GB"),
        (("status",), "sold"),
        (("id",), "Card A"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(path: tuple[str, ...], value: object) -> None:
    card = copy.deepcopy(_card())
    table = card
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(card, schema("accelerators"))


def test_a_file_that_extends_another_may_leave_out_what_it_inherits() -> None:
    child = {"id": "card-b", "name": "Card B", "extends": "card-a"}
    jsonschema.validate(child, schema("accelerators"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"id": "card-b", "name": "Card B"}, schema("accelerators"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {"id": "card-b", "name": "Card B", "extends": "card-a", "peek": {}}, schema("accelerators")
        )


def test_writes_one_file_for_each_kind(tmp_path: Path) -> None:
    assert [path.name for path in write(tmp_path / "new")] == [file_name(kind) for kind in KINDS]
