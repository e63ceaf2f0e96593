"""Predictions of prepared rows, with the library's parameters or others in their place (calibration)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner.errors import EngineError
from planner.scenario.split import split_text
from planner.validation.layouts import UnanswerableError
from planner.validation.measured import measured_memory, measured_seconds
from planner.validation.request import Desk, Ready
from planner.validation.rows import Row
from planner.validation.uneven import uneven_splits

_EFFICIENCY = "@efficiency@"
_SOFTWARE = "@software@"

FORWARD = 1.0 / 3.0
"""Share of a step in which activations can leave for the host: the forward passes."""
SLACK = 1.2
"""Where nothing fits by our count: layouts that need up to this much more than the least are all possible."""
MEMORY_TOLERANCES = (1.02, 1.05)
"""Of the layouts that a row may mean those that need up to this much fit, our count's usual error; where none
does, those up to a little more: a layout that ran did fit."""
SHARDED = 3
SHORT = 2
"""Bytes of a gradient in the half precision that frameworks offer for it."""
COSTS = 1.1
"""Uneven stages or other gradients that take this much longer are not what people do: they offload."""
WHOLLY = "as printed it is more than the memory without any activation: read as wholly sharded"
"""Said of rows whose stated sharding no card could hold; the column of such tables is often left empty."""


class Engine:
    """One prepared row, encoded once; evaluated with any efficiency and software figures."""

    def __init__(self, ready: Ready) -> None:
        """``ready``: see `Desk.prepare`."""
        self.ready = ready
        body = ready.request.model_dump(by_alias=True)
        problem = body["problem"]
        self.efficiency: dict[str, Any] = problem["clusters"][0]["device"]["efficiency"]
        self.software: dict[str, Any] = ready.tools.model_dump()
        self.training: dict[str, Any] = problem["training"]
        problem["clusters"][0]["device"]["efficiency"] = _EFFICIENCY
        self._young: dict[str, Any] = problem["software"]
        problem["software"] = _SOFTWARE
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        self._head, rest = text.split(f'"{_EFFICIENCY}"')
        if f'"{_SOFTWARE}"' in rest:
            self._middle, self._tail = rest.split(f'"{_SOFTWARE}"')
            self._order = (True, False)
        else:
            head, self._middle = self._head.split(f'"{_SOFTWARE}"')
            self._head, self._tail = head, rest
            self._order = (False, True)

    @property
    def software_now(self) -> dict[str, Any]:
        """The figures of the software on this chip at the row's date."""
        return self._young

    def evaluate(
        self, efficiency: Mapping[str, Any] | None = None, software: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The design evaluated by the core.

        Raises:
            EngineError: the core refused it.
        """
        from planner import _core  # noqa: PLC0415 (specs can be checked without the core)

        first = json.dumps(self.efficiency if efficiency is None else efficiency)
        second = json.dumps(self._young if software is None else software)
        if not self._order[0]:
            first, second = second, first
        request = f"{self._head}{first}{self._middle}{second}{self._tail}"
        try:
            answer: dict[str, Any] = json.loads(_core.evaluate(request.encode()))
        except _core.CoreError as fault:
            raise EngineError(str(fault)) from fault
        return answer


@dataclass(frozen=True)
class Prediction:
    """What was predicted for a row, beside what was measured."""

    engine: Engine
    measured: float
    predicted: float
    design: Mapping[str, Any]
    offloads: bool = False
    """It does not fit, but could where some activations went to the host, which the row does not say."""

    @property
    def row(self) -> Row:
        """The case."""
        return self.engine.ready.row

    @property
    def memory(self) -> tuple[float, float] | None:
        """(predicted, measured) bytes per card where the row prints allocated memory."""
        found = measured_memory(self.row)
        if found is None:
            return None
        return self.design["memory"]["per_device_bytes"] * self.engine.ready.devices_per_card, found


_Ranked = list[tuple[float, int, Prediction]]
"""(what decides, place, prediction) of candidates."""


def step_of(ready: Ready, design: Mapping[str, Any]) -> float:
    """Seconds of a step with the row's batch; where the layout does not divide it, in proportion."""
    return float(
        design["performance"]["step_seconds"] * (ready.row.global_batch or 1) / design["global_batch"]
    )


def predict(engine: Engine, design: Mapping[str, Any] | None = None) -> Prediction:
    """The prediction of a prepared row."""
    design = engine.evaluate() if design is None else design
    ready = engine.ready
    predicted = step_of(ready, design)
    performance = {**design["performance"], "step_seconds": predicted}
    return Prediction(
        engine, measured_seconds(ready.measure, performance, ready.card_peak), predicted, design
    )


def choose(desk: Desk, row: Row) -> Prediction:
    """The prediction of a row, with its null layout fields filled by the fastest choice that fits.

    A row that does not fit so did run all the same. It is read with uneven pipeline stages or 16-bit
    gradients where it says nothing of them and they cost little, else as wholly sharded (where no card could
    hold its states) or as offloading. What was read otherwise than it stands is said.

    Raises:
        UnanswerableError: with the reason.
    """
    candidates = list(desk.prepare(row))
    found = _as_it_stands(desk, row, candidates)
    if _share(found) <= 1.0:
        return found
    return _read_otherwise(desk, row, candidates, COSTS * found.predicted) or found


def _as_it_stands(desk: Desk, row: Row, candidates: Sequence[Ready]) -> Prediction:
    """The fastest of the candidates that fits by our count and its usual error; where none does, the row read
    as wholly sharded, or as offloading.

    Raises:
        UnanswerableError: with the reason.
    """
    fits, tight, refusal = _evaluated(candidates)
    if not fits and tight and not (row.tp and row.pp):
        raise UnanswerableError(f"no layout that we try fits the memory: give tp and pp{_least(tight)}")
    if not fits and tight and row.sharding != SHARDED and all(_states_alone(found) for _, _, found in tight):
        # No recomputation and no offloading of activations lets it run as printed.
        sharded = desk.prepare(row.model_copy(update={"sharding": SHARDED}))
        fits, other, _ = _evaluated(_noted(ready, WHOLLY) for ready in sharded)
        tight = other or tight
    if not fits and tight:
        # It ran, so our count of its memory is too high: the fastest of those that need little more than
        # the least; or some of its activations went to the host.
        least = min(need for need, _, _ in tight)
        fits = [
            (found.predicted, place, replace(found, offloads=_could_offload(found)))
            for need, place, found in tight
            if need <= SLACK * least
        ]
    if not fits:
        raise UnanswerableError(refusal)
    return _fastest(fits)


def _least(tight: _Ranked) -> str:
    found = min(tight, key=lambda item: _share(item[2]))[2]
    layout = found.design["layout"]
    degrees = " ".join(f"{key}={layout[key]}" for key in ("tp", "pp", "ep", "sharding"))
    return f" ({degrees} needs {_share(found):.1f} times what there is)"


def _fastest(fits: _Ranked) -> Prediction:
    return min(fits, key=lambda item: item[:2])[2]


def _read_otherwise(desk: Desk, row: Row, candidates: Sequence[Ready], most: float) -> Prediction | None:
    """A reading of a row that fits where it does not as it stands, and takes ``most`` seconds: with uneven
    stages, else with 16-bit gradients."""
    readings: list[Iterable[Ready]] = []
    if row.stage_layers is None:
        readings.append(dealt for ready in candidates for dealt in _dealt(ready))
    if row.gradient_bytes is None:
        short = desk.prepare(row.model_copy(update={"gradient_bytes": SHORT}))
        readings.append(_noted(ready, "gradients taken to be 16-bit") for ready in short)
    for reading in readings:
        fits, _, _ = _evaluated(reading)
        inside = [item for item in fits if _share(item[2]) <= 1.0 and item[2].predicted <= most]
        if inside:
            return _fastest(inside)
    return None


def _dealt(ready: Ready) -> Iterator[Ready]:
    """The candidate with uneven pipeline stages."""
    layout = ready.request.design.layout
    assert layout is not None
    for split in uneven_splits(ready.request.problem.model.layers, layout.pp, layout.vpp):
        design = ready.request.design.model_copy(
            update={"layout": layout.model_copy(update={"stage_layers": split})}
        )
        request = ready.request.model_copy(update={"design": design})
        yield replace(
            _noted(ready, f"does not fit in equal stages: taken to deal {split_text(split)} layers"),
            request=request,
        )


def _noted(ready: Ready, note: str) -> Ready:
    """The candidate, read otherwise than it stands."""
    return replace(ready, notes=(*ready.notes, note), contradicts=True)


def _share(found: Prediction) -> float:
    """Memory needed over what there is."""
    memory = found.design["memory"]
    return float(memory["per_device_bytes"] / memory["capacity_bytes"])


def _states_alone(found: Prediction) -> bool:
    """Whether what is there without any activation is more than the memory."""
    memory = found.design["memory"]
    without = memory["per_device_bytes"] - memory["breakdown"]["activations"]
    return bool(without > memory["capacity_bytes"])


def _could_offload(found: Prediction) -> bool:
    """Whether what does not fit could leave for the host behind the forward pass, and come back.

    Bytes of a step: the share of the activations that is too much, of every micro-batch.
    """
    device = found.engine.ready.request.problem.clusters[0].device
    memory, layout = found.design["memory"], found.design["layout"]
    excess = memory["per_device_bytes"] - memory["capacity_bytes"]
    kept = memory["breakdown"]["activations"]
    if (
        device.host_bandwidth is None
        or device.host_memory is None
        or not 0.0 < excess <= min(0.9 * kept, device.host_memory)
    ):
        return False
    micro_batches = found.design["micro_batches"]
    moved = excess / min(layout["pp"], micro_batches) * micro_batches
    return bool(moved / device.host_bandwidth <= FORWARD * found.predicted)


def _evaluated(candidates: Iterable[Ready]) -> tuple[_Ranked, _Ranked, str]:
    """Those that fit by time (within the least tolerance that any meets), those that do not by memory,
    and the last refusal."""
    fits: tuple[_Ranked, ...] = tuple([] for _ in MEMORY_TOLERANCES)
    tight: _Ranked = []
    refusal = "no layout can be evaluated"
    for place, ready in enumerate(candidates):
        engine = Engine(ready)
        try:
            found = predict(engine)
        except EngineError as fault:
            refusal = fault.message
            continue
        memory, share = found.design["memory"], _share(found)
        within = next(
            (kept for most, kept in zip(MEMORY_TOLERANCES, fits, strict=True) if share <= most), None
        )
        if within is None:
            tight.append((memory["per_device_bytes"], place, found))
        else:
            within.append((found.predicted, place, found))
    return next(filter(None, fits), []), tight, refusal


def predictions(desk: Desk, rows: Sequence[Row]) -> tuple[list[Prediction], dict[str, str]]:
    """All predictions, and the reasons of those rows that cannot be predicted."""
    found: list[Prediction] = []
    reasons: dict[str, str] = {}
    for row in rows:
        try:
            found.append(choose(desk, row))
        except UnanswerableError as why:
            reasons[row.id] = str(why)
    return found, reasons
