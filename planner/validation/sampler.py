"""Whether the bands that draws make hold the shipped runs, each predicted by a fit without its group.

A plan's band comes from draws of every figure with a range, of the model's own error and of the software's
spread, all together. Here the same is drawn for each published run, around the prediction of a fit that had
not seen the run's group, and held against what was measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.errors import PlannerError
from planner.lazy import np
from planner.plan.bands import Uncertain
from planner.plan.drawn import range_of
from planner.plan.draws import Floats, Range, normals
from planner.plan.figures import uncertain
from planner.problem.evidence import FigureKey
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.predict import Engine, Prediction, predictions, step_of
from planner.validation.request import Desk
from planner.validation.rows import SHIPPED
from planner.validation.run import out_of_fold, sigma_ln

COMMITTED = SHIPPED.with_name("cv_draws.json")
"""What `planner validate --draws` found last."""
DRAWS = 64
"""Of the figures."""
ERRORS = 127
"""Quantiles of the error of model and software that each draw meets."""


@dataclass(frozen=True)
class Coverage:
    """How many runs lie inside the band of their draws.

    Attributes:
        runs: looked at.
        inside: of them, between P10 and P90.
        drawn: runs of which some figure has a range that moves the step time.
    """

    runs: int
    inside: int
    drawn: int

    @property
    def share(self) -> float:
        """Runs inside over all."""
        return self.inside / self.runs

    def as_dict(self) -> dict[str, Any]:
        """For the file of the folds."""
        return {"runs": self.runs, "inside": self.inside, "drawn": self.drawn, "coverage": self.share}


def coverage(desk: Desk, found: Sequence[Prediction], folds: Mapping[str, float], seed: int = 0) -> Coverage:
    """Bands of draws around the predictions of the folds, held against the measured runs.

    Args:
        desk: that prepared the rows.
        found: the runs, predicted with the shipped figures.
        folds: row id -> seconds predicted without the row's group; rows without one are left out.
        seed: of the draws.
    """
    inside = drawn = 0
    known = [item for item in found if item.row.id in folds]
    clusters: dict[tuple[str, str], list[dict[FigureKey, float]]] = {}
    for item in known:
        ready = item.engine.ready
        place = (ready.system, ready.request.problem.training.precision)
        if place not in clusters:
            clusters[place] = _draws(desk, place, seed)
        moved = _moved(desk, item, clusters[place])
        drawn += bool(np.ptp(moved) > 0.0)
        low, high = _band(item, folds[item.row.id], moved)
        inside += low <= item.measured <= high
    return Coverage(len(known), inside, drawn)


def held_against(library: SpecLibrary) -> dict[str, Any]:
    """The shipped runs' `coverage`, with the hash of the folds that it belongs to."""
    cases = read(None)
    rows = [row for row in cases.training if row.kind in (None, "train")]
    desk = Desk(library, cases.models)
    found, _ = predictions(desk, rows)
    return {**coverage(desk, found, out_of_fold()).as_dict(), "folds": _folds()}


def keep(found: Mapping[str, Any], path: Path) -> None:
    """Write the result down.

    Raises:
        PlannerError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as fault:
        raise PlannerError(f"cannot be written: {fault.strerror}", file=str(path)) from fault


def told(found: Mapping[str, Any]) -> str:
    """The result in words."""
    return (
        f"Bands of draws (figures with a range, the model's error and the software's spread together) hold "
        f"{100 * found['coverage']:.1f} % of {found['runs']} runs around predictions without their group"
    )


def committed(path: Path = COMMITTED) -> dict[str, Any] | None:
    """What was found last; None where it belongs to other folds than are shipped."""
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found if found["folds"] == _folds() else None


def _folds() -> str:
    text = json.dumps(sorted(out_of_fold().items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _draws(desk: Desk, place: tuple[str, str], seed: int) -> list[dict[FigureKey, float]]:
    """Values of every figure of a chip and its network that has a range and moves the time, draw by draw."""
    used = {figure.key: figure for figure in desk.figures(*place) if figure.role == "timing"}
    spans: list[tuple[Uncertain, Range]] = [
        (item, range_of(item, used[item.place].quantity)) for item in uncertain(used.values())
    ]
    z = normals([item.key for item, _ in spans], DRAWS, seed)
    values = {item.place: span.at(z[item.key]) for item, span in spans}
    return [{key: float(column[draw]) for key, column in values.items()} for draw in range(DRAWS)]


def _moved(desk: Desk, item: Prediction, draws: Sequence[Mapping[FigureKey, float]]) -> Floats:
    """Step time over that at the figures' own values, draw by draw."""
    ready = item.engine.ready
    if not draws[0]:
        return np.ones(1)
    seconds = [step_of(ready, Engine(desk.redrawn(ready, values)).evaluate()) for values in draws]
    out: Floats = np.array(seconds) / step_of(ready, item.design)
    return out


def _band(item: Prediction, fold: float, moved: Floats) -> tuple[float, float]:
    """P10 and P90 of the fold's prediction, times the draws of figures, times the error."""
    ready = item.engine.ready
    precision = ready.request.problem.training.precision
    sigma = float(np.hypot(sigma_ln(ready.efficiency, ready.software, ready.experts, precision), ready.doubt))
    from scipy.stats import norm  # noqa: PLC0415 (an extra)

    error = np.exp(sigma * norm.ppf((np.arange(ERRORS) + 0.5) / ERRORS))
    low, high = np.percentile(fold * np.outer(moved, error), (10.0, 90.0))
    return float(low), float(high)
