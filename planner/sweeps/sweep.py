"""A sweep as a whole: its points, its columns, and its rows as they come."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from planner import engine
from planner.errors import ScenarioError
from planner.plan.shown import counted
from planner.scenario.overrides import apply, parse
from planner.specs import SpecLibrary
from planner.sweeps.axes import Listed, points
from planner.sweeps.column import Column
from planner.sweeps.columns import columns
from planner.sweeps.constraints import Constraint
from planner.sweeps.engines import Chunk, Dask, Engine, Pace, Threads, in_order
from planner.sweeps.points import Job, Point, check_keys, identity, question
from planner.sweeps.runner import Row, Runner
from planner.sweeps.schema import SweepFile

SCHEMA = "sweep/1"
__all__ = ["Row", "Sweep"]


class Sweep:
    """One sweep file over one spec library.

    Attributes:
        count: points before constraints.
        columns: of the rows, in order.
    """

    def __init__(
        self,
        file: SweepFile,
        library: SpecLibrary,
        folder: Path | None = None,
        limit: int | None = None,
    ) -> None:
        """Resolve the base and the axes.

        Args:
            file: the sweep.
            library: the spec files.
            folder: where the base scenario is looked for; default: the current directory.
            limit: only so many points from the start.

        Raises:
            PlannerError: the base cannot be read; an unknown key; axes that span nothing.
        """
        self.file = file
        self.library = library
        folder = folder or Path()
        self.points = points(file)
        check_keys(self.points.keys, self.points.places, library)
        self.count = self.points.count if limit is None else min(limit, self.points.count)
        self._constraints = [
            Constraint(text, list(self.points.keys), place) for place, text in enumerate(file.constraints)
        ]
        base = apply(
            file.base_table(folder), [(parse(f"{key}=0")[0], value) for key, value in file.set.items()]
        )
        base_file = str(folder / file.base) if isinstance(file.base, str) else str(folder / "sweep.toml")
        self.job = Job(
            base=base,
            base_file=base_file,
            verb=file.verb,
            bands=file.bands,
            keys=dict(self.points.keys),
            identity=identity(library, engine.version()),
        )
        self._refuse_faulty_base()
        self.columns = self._typed(columns(self.job.keys, file.verb, file.bands, self.job.service))

    def _refuse_faulty_base(self) -> None:
        """A fault of the base would stand in every row: told once, before anything starts.

        Raises:
            PlannerError: the first point's scenario is faulty in a key that no axis varies.
        """
        fault = question(self.job, Point(0, self.points.at(0)), self.library).fault
        if fault is None or fault.key is None:
            return
        varied = [".".join(path) for path in self.job.scenario_keys.values()]
        if not any(fault.key.startswith(key) or key.startswith(fault.key) for key in (*varied, "/")):
            fault.key, fault.file = f"base.{fault.key}", None
            raise fault

    def _typed(self, found: tuple[Column, ...]) -> tuple[Column, ...]:
        """Columns of axes as numbers where all their values are."""
        kinds = {}
        for dimension in self.points.dimensions:
            for place, name in enumerate(dimension.names):
                choices = dimension.choices
                values = choices.values if isinstance(choices, Listed) else [choices.drawn(0.0)]
                own = [value[place] if len(dimension.names) > 1 else value for value in values]
                kinds[name] = _kind_of(own) if isinstance(choices, Listed) else _numeric(own)
        return tuple(
            Column(item.name, item.unit, item.meaning, kinds[item.name]) if item.name in kinds else item
            for item in found
        )

    @cached_property
    def id(self) -> str:
        """SHA-256 of what is asked: base, axes, constraints, samples, verb, files of models named."""
        content = {
            "file": self.file.model_dump(mode="json", by_alias=True),
            "base": self.job.base,
            "models": self._model_files(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def _model_files(self) -> dict[str, str]:
        folder = Path(self.job.base_file or "").parent
        named = [self.job.base.get("workload", {}).get("model")]
        for axis in self.file.axes:
            named += [item for value in axis.values or () for item in (value if axis.keys else [value])]
        files = {
            name: folder / name
            for name in named
            if isinstance(name, str) and name.endswith((".json", ".toml"))
        }
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in files.items()
            if path.is_file()
        }

    @property
    def meta(self) -> dict[str, Any]:
        """What stands beside (or in) a file of rows: which sweep, and unit and meaning of every column."""
        return {
            "schema": SCHEMA,
            **self.job.identity,
            "sweep": self.id,
            "verb": self.file.verb,
            "points": self.points.count,
            "axes": [{"name": name, "key": key} for name, key in self.job.keys.items()],
            "constraints": self.file.constraints,
            "columns": [column.described() for column in self.columns],
        }

    @property
    def size_words(self) -> str:
        """``10,000 points (5 x 250 x 8)``."""
        if self.file.sample is not None:
            axes = len(self.points.dimensions)
            drawn = counted(self.points.count, f"{self.file.sample.method} point")
            return f"{drawn} over {axes} {'axis' if axes == 1 else 'axes'}"
        sizes = " x ".join(f"{size:,}" for size in self.points.sizes)
        return f"{counted(self.points.count, 'point')} ({sizes})"

    def rows(
        self,
        *,
        start: int = 0,
        workers: Engine | None = None,
        threads: int | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[list[Row], int]]:
        """Rows in the order of the points, some at a time, each time with the index behind them.

        Args:
            start: index to begin with.
            workers: where they are worked; default: threads of this process.
            threads: of that default; default: all cores.
            stopping: once true, nothing new begins and what runs is brought home.
        """
        pace = Pace()
        own = workers is None
        workers = workers or self.threads(threads)
        try:
            yield from in_order(workers, self._chunks(start, pace), pace, stopping)
        finally:
            if own:
                workers.close(at_once=stopping())

    def threads(self, threads: int | None = None) -> Engine:
        """Threads of this process."""
        return Threads(Runner(self.job, self.library), threads or os.cpu_count() or 1)

    def dask(self, address: str) -> Engine:
        """A Dask cluster.

        Raises:
            PlannerError: it cannot be reached, or its workers would answer otherwise.
        """
        return Dask(self.job, address)

    def holds(self, values: dict[str, Any]) -> bool:
        """Whether a point satisfies all constraints.

        Raises:
            ScenarioError: it cannot be told.
        """
        return all(constraint.holds(values) for constraint in self._constraints)

    def _chunks(self, start: int, pace: Pace) -> Iterator[Chunk]:
        held: list[Point] = []
        for index in range(start, self.count):
            values = self.points.at(index)
            if not self.holds(values):
                continue
            held.append(Point(index, values))
            if len(held) >= pace.points:
                yield Chunk(held, index + 1)
                held = []
        if held:
            yield Chunk(held, self.count)


def _kind_of(values: list[Any]) -> Any:
    if all(isinstance(value, bool) for value in values):
        return "truth"
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return "text"
    return "whole" if all(isinstance(value, int) for value in values) else "number"


def _numeric(values: list[Any]) -> Any:
    return "text" if isinstance(values[0], str) else "number"


def empty(sweep: Sweep) -> ScenarioError:
    """The error for constraints that leave nothing."""
    return ScenarioError(
        f"the constraints exclude all {sweep.count:,} points", key="constraints", hint="loosen one of them"
    )
