"""What a sweep file may say (keys: docs/sweep.md), and reading one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from planner.errors import ScenarioError, SpecError
from planner.scenario.schema import Scenario
from planner.scenario.values import as_list
from planner.specs.quantity import Frozen, Text
from planner.specs.reading import SpecText, locate, parse_table, read_text, shown_path, translate, undotted

Verb = Literal["size", "evaluate", "compare"]
MOST_POINTS = 100_000
"""Points that start without ``--yes`` or ``--limit``."""
NON_FILE = Path("sweep")


class Range(Frozen):
    """Values from one end to the other; both ends carry the same unit, or none."""

    start: float | str = Field(alias="from", description='first value: a number, or text such as "10 MW"')
    end: float | str = Field(alias="to", description="last value, included where the step meets it")
    step: float | None = Field(default=None, gt=0, description="distance of values, in the unit of the ends")
    count: int | None = Field(default=None, ge=1, description="number of values, instead of a step")
    spacing: Literal["linear", "log"] = Field(default="linear", description="of a count, or of samples")
    multiple_of: float | None = Field(
        default=None, gt=0, description="values are rounded to multiples of it (cards by the server)"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.step is not None and self.count is not None:
            raise ValueError("step: and count exclude each other; keep one")
        if self.step is not None and self.spacing == "log":
            raise ValueError("spacing: a step is linear; give a count with log")
        return self


class Axis(Frozen):
    """One thing that varies, or several that vary together."""

    key: Text | None = Field(
        default=None,
        description="key of the scenario, of a spec figure (accelerators/ID: memory.bandwidth), or of the "
        "software profile in use (software.tp_overlap)",
    )
    keys: tuple[Text, ...] = Field(default=(), description="keys that vary together (a paired list)")
    name: Text | None = Field(
        default=None, description="short name for columns and constraints; default: the key"
    )
    names: tuple[Text, ...] = Field(default=(), description="short names of keys")
    values: list[Any] | None = Field(
        default=None, description="a list; with keys: a list of lists, one value per key"
    )
    range: Range | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.key is None) == (not self.keys):
            raise ValueError("give key, or keys for several that vary together")
        if self.keys and (self.range is not None or self.name is not None):
            raise ValueError("keys: go with values (a list of lists) alone")
        if (self.values is None) == (self.range is None):
            raise ValueError("give values or range, and not both")
        if self.values is not None and not self.values:
            raise ValueError("values: is an empty list, so the sweep has no points")
        if self.names and len(self.names) != len(self.keys):
            raise ValueError(f"names: there are {len(self.names)} for {len(self.keys)} keys")
        for row in self.values or () if self.keys else ():
            if not isinstance(row, list) or len(row) != len(self.keys):
                raise ValueError(f"values: each entry is a list of {len(self.keys)}, one for each of keys")
        return self


class Sample(Frozen):
    """Points drawn from the axes instead of their grid."""

    method: Literal["random", "sobol"]
    points: int = Field(ge=1, description="how many; a power of two suits Sobol sequences")
    seed: int = Field(default=0, ge=0)


class SweepFile(Frozen):
    """A base scenario, axes, constraints between them, and what to do at each point."""

    base: Text | dict[str, Any] = Field(description="a scenario file (beside this file), or its tables")
    verb: Verb = "evaluate"
    set: dict[str, Any] = Field(default={}, description="keys of the base to change, as with --set")
    axes: list[Axis] = Field(min_length=1)
    constraints: Annotated[list[Text], BeforeValidator(as_list)] = Field(
        default=[], description='what points must satisfy, e.g. "cards % tp == 0"'
    )
    sample: Sample | None = Field(default=None, description="default: the whole grid")
    bands: bool = Field(
        default=False, description="also P10, P50, P90 and the evidence grade of every point (slow)"
    )

    def base_table(self, folder: Path) -> dict[str, Any]:
        """The tables of the base scenario.

        Args:
            folder: where a base file is looked for.

        Raises:
            PlannerError: it cannot be read.
        """
        if isinstance(self.base, dict):
            return self.base
        path = Path(self.base)
        path = path if path.is_absolute() else folder / path
        if not path.is_file():
            raise ScenarioError(
                f"{shown_path(path)}: {'is no file' if path.exists() else 'no such file'}",
                key="base",
                hint="the base is a scenario file, named from the folder of the sweep",
            )
        return parse_table(read_text(path))


def load(path: Path) -> SweepFile:
    """Read a sweep file.

    Raises:
        ScenarioError: it cannot be read, a key is unknown or a value impossible (file, line, key and remedy).
    """
    try:
        if not path.exists():
            raise ScenarioError(
                "no such file",
                file=shown_path(path),
                hint="examples/whatif-10k.toml is a sweep to start from",
            )
        source = read_text(path)
        return _validated(parse_table(source), source)
    except SpecError as fault:
        raise ScenarioError(
            fault.message,
            file=fault.file,
            key=fault.key,
            line=fault.line,
            hint="docs/sweep.md lists the keys",
        ) from fault


def from_text(text: str, shown: str = "-") -> SweepFile:
    """Like `load`, for text that was read already (standard input).

    Raises:
        ScenarioError: as for `load`.
    """
    source = SpecText(Path(shown), text.encode(), text)
    try:
        return _validated(tomllib.loads(text), source)
    except tomllib.TOMLDecodeError as fault:
        raise ScenarioError(f"is not valid TOML: {fault}", file=shown) from fault


def from_table(table: Mapping[str, Any]) -> SweepFile:
    """Like `load`, for the table that would stand in the file.

    Raises:
        ScenarioError: as for `load`.
    """
    return _validated(table, SpecText(NON_FILE, b"", ""))


def line_of(key: str, where: Path | str) -> int | None:
    """The line of a dotted key in a sweep file (or in its text), where it can be found."""
    text = read_text(where).text if isinstance(where, Path) else where
    _, line = locate(text, undotted(key))
    return line


SCENARIO_TABLES = frozenset(Scenario.model_fields)
A_SCENARIO = 'a sweep holds its scenario under [base], or names its file: base = "scenario.toml"'


def _validated(table: Mapping[str, Any], source: SpecText) -> SweepFile:
    try:
        return SweepFile.model_validate(table)
    except ValidationError as fault:
        errors = [item.error for item in translate(fault, SweepFile, [source])]
        # The union of base is told twice; the more telling fault is that of the axis.
        first = min(errors, key=lambda error: error.message == "is missing")
        key = first.key or ""
        of_scenario = key in SCENARIO_TABLES and "unknown key" in first.message
        _, line = locate(source.text, undotted(key))
        raise ScenarioError(
            first.message,
            file=source.shown if source.path != NON_FILE else None,
            key=key or None,
            line=line,
            hint=(of_scenario and A_SCENARIO) or first.hint or "docs/sweep.md lists the keys",
        ) from fault
