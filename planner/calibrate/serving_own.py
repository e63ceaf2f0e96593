"""``planner calibrate --cases`` with serving runs of one's own: how fast a chip serves against the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from planner.calibrate.own import Anchor, anchor_weight
from planner.specs import SpecLibrary
from planner.validation.files import Cases
from planner.validation.layouts import UnanswerableError
from planner.validation.serving_predict import Battery, Tables, refusal, seconds, shipped_tables
from planner.validation.serving_request import ServingDesk, ServingReady

ON_DEVICE = ("products", "experts", "attention", "memory", "collectives")
"""What a factor on the time of a chip scales; the host's work stays."""
ROUNDS = 5
NOISE = 0.08
"""ln spread of serving runs of one source: loads and lengths vary more than training steps."""


@dataclass(frozen=True)
class ServingAnchor:
    """What own serving runs say about one chip with one software profile; ``time``: device time over
    the model's."""

    anchor: Anchor
    time: float


def serving_anchors(library: SpecLibrary, cases: Cases) -> tuple[list[ServingAnchor], dict[str, str]]:
    """One factor on the device's time per chip family and profile, and why rows were left out.

    The factor is the one that takes the median error of the runs to (1 - w) of itself, w as for
    training runs: one run
    anchors, ten correct.
    """
    desk = ServingDesk(library, cases.models)
    reasons: dict[str, str] = {}
    ready: dict[tuple[str, str], list[ServingReady]] = {}
    tables = shipped_tables(desk)
    for row in cases.inference:
        try:
            item = desk.prepare(row)
        except UnanswerableError as fault:
            reasons[row.id] = str(fault)
            continue
        why = refusal(Battery(desk, [item]).answers(tables)[0])
        if why is None:
            ready.setdefault((item.family, item.software.id), []).append(item)
        else:
            reasons[row.id] = why
    found = [_anchor(desk, tables, key, items) for key, items in sorted(ready.items())]
    return found, reasons


def _anchor(
    desk: ServingDesk, tables: Tables, key: tuple[str, str], items: Sequence[ServingReady]
) -> ServingAnchor:
    family, software = key
    battery = Battery(desk, items)
    before = _errors(battery, tables)
    count = len(before)
    wanted = (1.0 - anchor_weight(count)) * float(np.median(before))
    log_time, errors = 0.0, before
    for _ in range(ROUNDS):
        log_time = float(np.clip(log_time + wanted - float(np.median(errors)), -1.5, 1.5))
        errors = _errors(battery, _slowed(tables, family, math.exp(log_time)))
    left = list(errors)
    if count > 1:
        shifts = [_without(before, place) for place in range(count)]
        left = [error + shift for error, shift in zip(before, shifts, strict=True)]
    spread = math.sqrt((2.0 * NOISE**2 + sum(error * error for error in left)) / (count + 2))
    anchor = Anchor(
        efficiency=family,
        software=software,
        runs=count,
        groups=len({item.row.source for item in items}),
        factor=math.exp(log_time),
        before=float(np.mean(np.abs(np.expm1(before)))),
        after=float(np.mean(np.abs(np.expm1(left)))),
        sigma=max(spread, 0.03),
        rates={},
    )
    return ServingAnchor(anchor, math.exp(log_time))


def _without(errors: Sequence[float], place: int) -> float:
    """The shift of a run's error by the others alone."""
    others = [*errors[:place], *errors[place + 1 :]]
    return -anchor_weight(len(others)) * float(np.median(others))


def _errors(battery: Battery, tables: Tables) -> list[float]:
    """ln(predicted/measured) of each run's first figure."""
    out = []
    for item, answers in zip(battery.ready, battery.answers(tables), strict=True):
        time = seconds(answers, item.row, item.figures[0]) if refusal(answers) is None else None
        if time:
            out.append(math.log(time / item.figures[0].seconds))
    return out or [0.0]


def _slowed(tables: Tables, family: str, time: float) -> Tables:
    families: dict[str, Mapping[str, float]] = dict(tables.families)
    families[family] = {
        name: value * time if name in ON_DEVICE else value for name, value in families[family].items()
    }
    return replace(tables, families=families)


def serving_line(found: ServingAnchor, library: SpecLibrary, date: str) -> str:
    """``serving_time`` of an efficiency file: on what the file had before."""
    old = library.efficiency(found.anchor.efficiency).serving_time
    value = found.time * (1.0 if old is None else old.value)
    half = math.exp(1.2816 * found.anchor.sigma)
    own = found.anchor
    method = f"own serving runs: {own.runs} of {own.groups} groups with {own.software}, {date}"
    return (
        f"serving_time = {{ value = {value:.4g}, low = {value / half:.4g}, high = {value * half:.4g}, "
        f'kind = "fitted", source = "fit", method = "{method}" }}'
    )


def serving_file(found: ServingAnchor, library: SpecLibrary, source: Path, date: str) -> str:
    """An efficiency file of the same id that extends the library's by ``serving_time`` alone."""
    name = found.anchor.efficiency
    return (
        f'id = "{name}"\nname = "{library.efficiency(name).name}, own serving runs"\nextends = "{name}"\n'
        f"{serving_line(found, library, date)}\n\n"
        f'[sources.fit]\ntitle = "Own runs: {source.name}, planner calibrate"\ndate = "{date}"\n'
    )
