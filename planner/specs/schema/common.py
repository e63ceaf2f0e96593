"""What every spec file has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Self

from pydantic import BaseModel, Field, model_validator

from planner.specs.quantity import Frozen, ProvenanceError, Quantity, Source, Text


class SpecFile(Frozen):
    """Head of every spec file: who it is, how else it is called, where its figures come from."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="unique in the library; the file's name")
    name: Text
    aliases: list[str] = Field(default=[], description="other names: Chinese, English, part numbers, cases")
    extends: str | None = Field(
        default=None, description="id of a file of the folder whose keys are inherited"
    )
    note: str | None = None
    sources: dict[str, Source] = Field(default={}, description="where figures were read")

    def figures(self) -> Iterator[tuple[str, Quantity]]:
        """All figures with their dotted key paths."""
        yield from _walk("", self)

    @cached_property
    def figure_table(self) -> Mapping[str, Quantity]:
        """`figures` by key path, walked once: thousands of problems are built from one file."""
        return dict(self.figures())

    @model_validator(mode="after")
    def _sources_exist(self) -> Self:
        for path, figure in self.figures():
            for key in figure.source_keys:
                if key not in self.sources:
                    raise ProvenanceError(f"{path}: source {key!r} is not in the [sources] table")
        return self


def _walk(path: str, item: object) -> Iterator[tuple[str, Quantity]]:
    if isinstance(item, Quantity):
        yield path, item
    elif isinstance(item, BaseModel):
        for name in type(item).model_fields:
            yield from _walk(f"{path}.{name}" if path else name, getattr(item, name))
    elif isinstance(item, dict):
        for key, value in item.items():
            yield from _walk(f"{path}.{key}" if path else str(key), value)
    elif isinstance(item, list):
        for index, value in enumerate(item):
            yield from _walk(f"{path}[{index}]", value)
