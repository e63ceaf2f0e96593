"""One point of a sweep: the question it asks, and the hash it is known by."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from planner import units
from planner.errors import PlannerError, ScenarioError
from planner.problem import FigureKey
from planner.problem.evidence import PROFILES
from planner.scenario import Scenario
from planner.scenario.load import from_table
from planner.scenario.overrides import Override, apply, known_keys, parse
from planner.scenario.schema import Origin
from planner.scenario.service import is_service
from planner.specs import KINDS, Quantity, SpecLibrary
from planner.specs.quantity import NEVER_ZERO, Fraction
from planner.sweeps.profiles import IN_USE, check_in_use, figures_of, in_use, unknown

SPEC_KINDS = (*KINDS, *PROFILES)
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
    def service(self) -> bool:
        """Whether the points ask about services, not about training."""
        return is_service(self.base)

    @cached_property
    def scenario_keys(self) -> dict[str, tuple[str, ...]]:
        """name -> path of the axes that vary the scenario."""
        return {
            name: tuple(key.split("."))
            for name, key in self.keys.items()
            if "/" not in key and not key.startswith(IN_USE)
        }

    @cached_property
    def profile_keys(self) -> dict[str, str]:
        """name -> ``software.KEY`` of the axes that vary the profile in use."""
        return {name: key for name, key in self.keys.items() if key.startswith(IN_USE)}

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
    names = (*job.figure_keys, *job.profile_keys)
    changed = {str(job.keys[name]): point.values[name] for name in names}
    asked = Question(point, _hash(job, table, changed))
    try:
        asked.scenario = from_table(table)
        asked.scenario._origin = Origin(
            file=job.base_file, set_keys=tuple(".".join(path) for path, _ in overrides)
        )
        for name, place in job.figure_keys.items():
            asked.figures[place] = figure_value(library, place, point.values[name])
        for name, key in job.profile_keys.items():
            for place in in_use(key, asked.scenario, library):
                asked.figures[place] = figure_value(library, place, point.values[name])
    except PlannerError as fault:
        asked.fault = fault
    return asked


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
    quantity = figures_of(place.kind, place.id, library, place.kind).get(place.key)
    if quantity is None:
        raise ScenarioError(f"{place.kind}/{place.id} has no figure {place.key!r}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A plain number is in base units, as `planner specs show --json` prints them.
        return _possible(float(value), quantity, place)
    try:
        amount, unit = units.parse(value, quantity.dimension)
    except units.UnitError as fault:
        raise ScenarioError(str(fault), key=f"{place.kind}/{place.id}: {place.key}") from fault
    currency = units.currency_of(unit)
    if currency is not None and quantity.currency is not None and currency != quantity.currency:
        raise ScenarioError(
            f"{value!r}: the figure is in {quantity.currency}", key=f"{place.kind}/{place.id}: {place.key}"
        )
    return _possible(amount, quantity, place)


def _possible(amount: float, quantity: Quantity, place: FigureKey) -> float:
    """Refuse what no file may say: below zero, zero where nothing is zero, a share above one."""
    why = None
    if not math.isfinite(amount):
        why = "is no finite number"
    elif quantity.dimension is not units.Dimension.CELSIUS and amount < 0.0:
        why = "is below zero"
    elif amount == 0.0 and quantity.dimension in NEVER_ZERO:
        why = "is 0, which no hardware has"
    elif isinstance(quantity, Fraction) and amount > max(1.0, quantity.value, quantity.high or 0.0):
        why = "is a share, and above 1"
    if why is not None:
        raise ScenarioError(f"{amount:g} {why}", key=f"{place.kind}/{place.id}: {place.key}")
    return amount


def check_keys(keys: Mapping[str, str], places: Mapping[str, str], library: SpecLibrary) -> None:
    """Refuse axes over keys that neither a scenario nor the spec library has.

    Args:
        keys: name -> key of the axes.
        places: name -> where the key stands in the sweep file.
        library: the spec files.

    Raises:
        PlannerError: with the nearest name.
    """
    for name, key in keys.items():
        where = places.get(name, "axes")
        figure = figure_key(key)
        if key == "workload.kind":
            raise ScenarioError(
                "training and services have different columns", key=where, hint="write a sweep for each"
            )
        if key.startswith(IN_USE):
            check_in_use(key, where)
            continue
        if figure is None:
            _known_scenario_key(key, where)
            continue
        if figure.kind not in SPEC_KINDS:
            raise unknown(where, f"there is no kind of spec file {figure.kind!r}", figure.kind, SPEC_KINDS)
        known = figures_of(figure.kind, figure.id, library, where)
        if figure.key not in known:
            raise unknown(where, f"{figure.kind}/{figure.id} has no figure {figure.key!r}", figure.key, known)


def _known_scenario_key(key: str, where: str) -> None:
    try:
        parse(f"{key}=0")
    except ScenarioError as fault:
        raise unknown(where, f"unknown key {key!r}", key, known_keys(), fault.hint) from fault


def identity(library: SpecLibrary, version: str) -> dict[str, str]:
    """What rows depend on beside the sweep itself: the planner's version and all its data."""
    digest = hashlib.sha256()
    for kind in library.kinds:
        for spec_id in library.ids(kind):
            digest.update(f"{kind}/{spec_id} {library.hash(kind, spec_id)}\n".encode())
    kinds = ("architectures/*.toml", "software/*.toml", "serving/*.toml", "serving/software/*.toml")
    for path in (path for kind in kinds for path in sorted(_DATA.glob(kind))):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return {"planner": version, "library": digest.hexdigest()}
