"""``planner calibrate --serving``: the serving model fitted on the shipped runs, and with parts left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.calibrate.serving_fit import ServingFit, ServingModel, fit, left_out, stack_of
from planner.calibrate.serving_parameters import SGLANG, TENSORRT, VLLM, parameters
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.layouts import UnanswerableError
from planner.validation.serving_in_step import excess, step_doubts
from planner.validation.serving_predict import Battery, Tables, refusal, seconds
from planner.validation.serving_request import ServingDesk, ServingReady
from planner.validation.serving_rows import ServingRow

EVERY_POINT, EVERY_APART = 6, 3
"""Of the published points every so manieth is fitted on (pools together, pools apart): they are dense."""
MAIN = (TENSORRT, SGLANG, VLLM)
"""Stacks with runs on several chip families."""
Z90 = 1.2816
Say = Callable[[str], None]


@dataclass(frozen=True)
class ShippedServing:
    """The fit on the shipped rows.

    Attributes:
        folds: row id -> times of its figures by the fit without its group.
        new_chip: the same by the fit without its chip family.
        new_stack: the same by the fit without any run of its framework.
        doubts: row id -> what running in step adds to the spread of its figures (`step_doubts`).
    """

    model: ServingModel
    fit: ServingFit
    ready: tuple[ServingReady, ...]
    folds: dict[str, tuple[float | None, ...]]
    new_chip: dict[str, tuple[float | None, ...]]
    new_stack: dict[str, tuple[float | None, ...]]
    in_fit: dict[str, tuple[float | None, ...]]
    doubts: dict[str, tuple[float, ...]]
    rows: tuple[ServingRow, ...]
    date: str

    def fold_errors(
        self, wanted: Callable[[ServingReady], bool] = lambda _: True
    ) -> list[tuple[ServingReady, float]]:
        """(row, |ln(predicted/measured)| beyond what running in step explains) of first figures of rows that
        say what ran, group left out."""
        return [
            (item, self._beyond(item, place, error))
            for item, place, error in errors_of(self.ready, self.folds)
            if place == 0 and stated(item) and wanted(item)
        ]

    def _beyond(self, item: ServingReady, place: int, error: float) -> float:
        return excess(error, self.doubts[item.row.id][place], Z90)

    def _spread(self, wanted: Callable[[ServingReady, int], bool]) -> float:
        """Standard deviation of ln(time) of the figures ``wanted`` (row and place of the figure)."""
        errors = [
            self._beyond(item, place, error)
            for item, place, error in errors_of(self.ready, self.folds)
            if wanted(item, place)
        ]
        return float(np.quantile(errors, 0.8) / Z90)

    def new_chip_errors(self, known_software: bool) -> list[float]:
        """The same by fits without the chip's family; ``known_software``: of stacks in the fit of others."""
        return [
            self._beyond(item, place, error)
            for item, place, error in errors_of(self.ready, self.new_chip)
            if place == 0 and stated(item) and (not known_software or item.software.id in MAIN)
        ]

    @property
    def unstated_spread(self) -> float:
        """Standard deviation of ln(time) where the row does not say what ran."""
        return self._spread(
            lambda item, place: (
                place == 0 and item.row.completeness is None and bool(item.row.unstated or item.row.doubtful)
            )
        )

    @property
    def apart_spread(self) -> float:
        """The same of pools apart whose instances are stated, or known from a recipe."""
        return self._spread(
            lambda item, place: place == 0 and item.row.phase == "disaggregated" and stated(item)
        )

    @property
    def queue_spread(self) -> float:
        """The same of times to the first token that hold a queue."""
        return self._spread(lambda item, place: _first(item, place) and item.row.queued)

    @property
    def first_token_spread(self) -> float:
        """The same of times to the first token of one batch at a time."""
        return self._spread(lambda item, place: _first(item, place) and not item.row.queued)


def _first(item: ServingReady, place: int) -> bool:
    return item.figures[place].quantity == "ttft" and stated(item)


def prepared(desk: ServingDesk, rows: Sequence[ServingRow]) -> list[ServingReady]:
    """Those of the rows that are complete enough to be asked."""
    ready = []
    for row in rows:
        try:
            ready.append(desk.prepare(row))
        except UnanswerableError:
            continue
    return ready


def answered(desk: ServingDesk, ready: Sequence[ServingReady]) -> list[ServingReady]:
    """Those that the core answers with every parameter at its prior: what enters the fit does not depend on
    what an earlier fit left in the library."""
    chosen = parameters()
    priors = ServingModel(desk, [], chosen).tables(np.zeros(len(chosen)))
    given = Battery(desk, ready).answers(priors)
    return [item for item, answers in zip(ready, given, strict=True) if refusal(answers) is None]


def fitted_on(ready: Sequence[ServingReady]) -> list[ServingReady]:
    """The rows that enter the fit: scored rows, and every so manieth point whose layout is stated."""
    kept = []
    seen = {"mixed": 0, "disaggregated": 0}
    for item in ready:
        row = item.row
        if row.completeness is not None:
            if row.scored:
                kept.append(item)
            continue
        if row.concurrency is None or row.unstated or row.doubtful:
            continue
        seen[row.phase] += 1
        if seen[row.phase] % (EVERY_POINT if row.phase == "mixed" else EVERY_APART) == 0:
            kept.append(item)
    return kept


def shipped(library: SpecLibrary, say: Say) -> ShippedServing:
    """Fit, and predict every row by fits without its group and without its chip family."""
    desk = ServingDesk(library)
    rows = tuple(read().inference)
    ready = prepared(desk, rows)
    model = ServingModel(desk, fitted_on(answered(desk, ready)), parameters())
    say(f"{len(ready)} rows to ask, fitted on {len(model.ready)} of them ({len(model.aims)} figures)")
    found = fit(model, say)
    say(f"fitted: {found.effective:.1f} effective parameters of {len(found.u)}")
    in_fit = times(desk, ready, model.tables(found.u))
    folds: dict[str, tuple[float | None, ...]] = {}
    new_chip: dict[str, tuple[float | None, ...]] = {}
    new_stack: dict[str, tuple[float | None, ...]] = {}

    def by_group(name: str, tables: Tables) -> None:
        folds.update(times(desk, [item for item in ready if item.row.source == name], tables))

    def by_family(name: str, tables: Tables) -> None:
        mine = [item for item in ready if item.family.removesuffix("-hgx") == name]
        new_chip.update(times(desk, mine, tables))

    def by_stack(name: str, tables: Tables) -> None:
        mine = [item for item in ready if stack_of(item.software.id) == name]
        new_stack.update(times(desk, mine, tables))

    left_out(model, found, model.groups, by_group)
    left_out(model, found, model.families, by_family)
    left_out(model, found, model.stacks, by_stack)
    for name, values in in_fit.items():
        # Groups without a row in the fit are left out of it as they are.
        folds.setdefault(name, values)
        new_chip.setdefault(name, values)
        new_stack.setdefault(name, values)
    today = dt.date.today().strftime("%Y-%m")
    battery = Battery(desk, ready)
    doubts = dict(
        zip((item.row.id for item in ready), step_doubts(battery, model.tables(found.u)), strict=True)
    )
    return ShippedServing(model, found, tuple(ready), folds, new_chip, new_stack, in_fit, doubts, rows, today)


def times(
    desk: ServingDesk, ready: Sequence[ServingReady], tables: Tables
) -> dict[str, tuple[float | None, ...]]:
    """Row id -> predicted times of its figures."""
    answers = Battery(desk, ready).answers(tables)
    return {
        item.row.id: tuple(
            None if refusal(given) is not None else seconds(given, item.row, figure)
            for figure in item.figures
        )
        for item, given in zip(ready, answers, strict=True)
    }


def stated(item: ServingReady) -> bool:
    """Whether the row is scored and says what ran, or its benchmark's recipe does."""
    return item.row.scored and not item.row.unstated and not item.row.doubtful


def errors_of(
    ready: Sequence[ServingReady], predicted: dict[str, tuple[float | None, ...]]
) -> list[tuple[ServingReady, int, float]]:
    """(row, place of the figure, ln(predicted/measured)) of all that is predicted."""
    out = []
    for item in ready:
        for place, (figure, time) in enumerate(zip(item.figures, predicted[item.row.id], strict=True)):
            if time:
                out.append((item, place, float(np.log(time / figure.seconds))))
    return out
