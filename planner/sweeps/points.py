"""One point of a sweep: the question it asks, and the hash it is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from planner import units
from planner.errors import PlannerError, ScenarioError
from planner.problem import FigureKey
from planner.scenario import Scenario, ServiceScenario
from planner.scenario.load import from_table
from planner.scenario.overrides import Override, apply, known_keys, parse
from planner.scenario.schema import Origin
from planner.specs import KINDS, SpecLibrary

SPEC_KINDS = (*KINDS, "software")
_DATA = Path(__file__).resolve().parents[1] / "data"


def figure_key(text: str) -> FigureKey | None:
    """``accelerators/kunlun-p800: power.tdp`` as the key of a spec figure; None: a key of the scenario."""
    if "/" not in text:
        return None
    place, _, key = text.partition(":")
    kind, _, spec_id = place.strip().partition("/")
    return FigureKey(kind, spec_id, key.strip())


@dataclass(frozen=True)
class Job:
    """What all points of a sweep share; small and picklable, so that it travels to workers.

    Attributes:
        base: tables of the base scenario, `set` put in.
        base_file: where they were read, for messages and files named beside it.
        verb: size or evaluate.
        bands: whether the rows carry bands.
        keys: name -> key of the axes.
        identity: planner version and hash of the spec library that rows are made with.
    """

    base: Mapping[str, Any]
    base_file: str | None
    verb: str
    bands: bool
    keys: Mapping[str, str]
    identity: Mapping[str, str]

    @cached_property
    def scenario_keys(self) -> dict[str, tuple[str, ...]]:
        """name -> path of the axes that vary the scenario."""
        return {name: tuple(key.split(".")) for name, key in self.keys.items() if "/" not in key}

    @cached_property
    def figure_keys(self) -> dict[str, FigureKey]:
        """name -> figure of the axes that vary a spec file."""
        found = {name: figure_key(key) for name, key in self.keys.items()}
        return {name: key for name, key in found.items() if key is not None}


@dataclass(frozen=True)
class Point:
    """One point: its index and the values of the axes."""

    index: int
    values: Mapping[str, Any]


@dataclass
class Question:
    """A point as the planner is asked it."""

    point: Point
    key: str
    scenario: Scenario | None = None
    figures: dict[FigureKey, float] = field(default_factory=dict)
    fault: PlannerError | None = None


def question(job: Job, point: Point, library: SpecLibrary) -> Question:
    """The scenario and the changed figures of a point; what is wrong with it stands in ``fault``."""
    overrides: list[Override] = [(path, point.values[name]) for name, path in job.scenario_keys.items()]
    table = apply(job.base, overrides)
    changed = {str(job.keys[name]): point.values[name] for name in job.figure_keys}
    asked = Question(point, _hash(job, table, changed))
    try:
        asked.scenario = _training(from_table(table))
        asked.scenario._origin = Origin(
            file=job.base_file, set_keys=tuple(".".join(path) for path, _ in overrides)
        )
        for name, place in job.figure_keys.items():
            asked.figures[place] = figure_value(library, place, point.values[name])
    except PlannerError as fault:
        asked.fault = fault
    return asked


def _training(scenario: Scenario) -> Scenario:
    if isinstance(scenario, ServiceScenario):
        raise ScenarioError(
            "sweeps ask training questions; a service is answered by size and evaluate",
            key="workload.kind",
            hint="call planner.size(...) for each point",
        )
    return scenario


def _hash(job: Job, table: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    content = {
        "identity": job.identity, "verb": job.verb, "bands": job.bands, "scenario": table, "figures": changed,
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def figure_value(library: SpecLibrary, place: FigureKey, value: Any) -> float:
    """A value of a spec figure in base units (money in the figure's own currency).

    Raises:
        PlannerError: no such figure, a unit of another dimension, or another currency.
    """
    quantity = library.get(place.kind, place.id).figure_table.get(place.key)
    if quantity is None:
        raise ScenarioError(f"{place.kind}/{place.id} has no figure {place.key!r}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A plain number is in base units, as `planner specs show --json` prints them.
        return float(value)
    try:
        amount, unit = units.parse(value, quantity.dimension)
    except units.UnitError as fault:
        raise ScenarioError(str(fault), key=f"{place.kind}/{place.id}: {place.key}") from fault
    currency = units.currency_of(unit)
    if currency is not None and quantity.currency is not None and currency != quantity.currency:
        raise ScenarioError(
            f"{value!r}: the figure is in {quantity.currency}", key=f"{place.kind}/{place.id}: {place.key}"
        )
    return amount


def check_keys(keys: Mapping[str, str], library: SpecLibrary) -> None:
    """Refuse axes over keys that neither a scenario nor the spec library has.

    Raises:
        PlannerError: with the nearest name.
    """
    for place, key in enumerate(keys.values()):
        where = f"axes[{place}].key"
        figure = figure_key(key)
        if figure is None:
            _known_scenario_key(key, where)
            continue
        if figure.kind not in SPEC_KINDS:
            raise _unknown(where, f"there is no kind of spec file {figure.kind!r}", figure.kind, SPEC_KINDS)
        if figure.kind == "software":
            raise ScenarioError(
                "figures of software profiles cannot be an axis", key=where,
                hint="vary workload.software, or write a profile of your own",
            )  # fmt: skip
        if figure.id not in library.ids(figure.kind):
            raise _unknown(
                where, f"{figure.kind} has no file {figure.id!r}", figure.id, library.ids(figure.kind)
            )
        known = list(library.get(figure.kind, figure.id).figure_table)
        if figure.key not in known:
            raise _unknown(
                where, f"{figure.kind}/{figure.id} has no figure {figure.key!r}", figure.key, known
            )


def _known_scenario_key(key: str, where: str) -> None:
    try:
        parse(f"{key}=0")
    except ScenarioError as fault:
        raise _unknown(where, f"unknown key {key!r}", key, known_keys(), fault.hint) from fault


def _unknown(where: str, message: str, name: str, known: Any, hint: str | None = None) -> ScenarioError:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return ScenarioError(
        message,
        key=where,
        hint=hint or (f"did you mean {near[0]!r}?" if near else "docs/sweep.md shows keys"),
    )


def identity(library: SpecLibrary, version: str) -> dict[str, str]:
    """What rows depend on beside the sweep itself: the planner's version and all its data."""
    digest = hashlib.sha256()
    for kind in library.kinds:
        for spec_id in library.ids(kind):
            digest.update(f"{kind}/{spec_id} {library.hash(kind, spec_id)}\n".encode())
    for path in sorted(_DATA.glob("architectures/*.toml")) + sorted(_DATA.glob("software/*.toml")):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return {"planner": version, "library": digest.hexdigest()}
