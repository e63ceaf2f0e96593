"""Serving rows of ``planner validate``: every figure predicted and scored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from planner.software.serving import ServingProfile, serving_constants
from planner.specs import SpecLibrary
from planner.validation.score import Case, by
from planner.validation.serving_in_step import step_doubts
from planner.validation.serving_measured import figures
from planner.validation.serving_predict import Battery, ServingPrediction, predictions, shipped_tables
from planner.validation.serving_request import ServingDesk
from planner.validation.serving_rows import SHIPPED_INFERENCE, ServingRow

OUT_OF_FOLD = SHIPPED_INFERENCE.with_name("cv_serving.json")
"""Predictions of the shipped rows by fits that had not seen their group (``calibrate --serving --cv``)."""
Z90 = 1.2816
POINT_BARS = 2
UNSTATED = "disaggregated, instances not stated"
DOUBTFUL = "disaggregated, one of several recipes"
DRAFTS_OPEN = "mixed, drafts not stated"
BY_RECIPE = "disaggregated, by its recipe"


def serving_sigma(family: str, software: ServingProfile) -> float:
    """Standard deviation of ln(time) of a prediction: of the framework, wider on chips without a run."""
    laws = serving_constants()
    known = family in laws.families
    return software.spread.value if known else max(software.spread.value, laws.residual.value)


def about_serving_fit(path: Path = OUT_OF_FOLD) -> dict[str, Any]:
    """``effective_parameters`` of the shipped fit and ``left_out``; empty without the file."""
    if not path.is_file():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {key: table[key] for key in ("effective_parameters", "left_out", "left_out_rows") if key in table}


def folds(rows: Sequence[ServingRow], path: Path = OUT_OF_FOLD) -> dict[str, Sequence[float | None]]:
    """Row id -> out-of-fold times of its figures; empty where the file is not there.

    Args:
        rows: the shipped rows, whose points stand in the file in their order.
        path: the file.
    """
    if not path.is_file():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    found: dict[str, Sequence[float | None]] = dict(table["predicted"])
    points = [row.id for row in rows if row.completeness is None]
    found |= {name: times for name, times in zip(points, table["points"], strict=True) if times is not None}
    return found


def later_folds(path: Path = OUT_OF_FOLD) -> dict[str, Sequence[float | None]]:
    """Row id -> times of the runs collected later by fits without their source; empty without the file."""
    if not path.is_file():
        return {}
    return dict(json.loads(path.read_text(encoding="utf-8")).get("later", {}))


def later_coverage(path: Path = OUT_OF_FOLD) -> float | None:
    """Share of the runs collected later in bands that know nothing of their source; None without the file."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8")).get("later_coverage")
    return None if found is None else float(found)


@cache
def apart_spread(known: bool, path: Path = OUT_OF_FOLD) -> float:
    """Standard deviation of ln(time) of pools apart; ``known``: what ran is stated, or there is one recipe.

    0 without the file.
    """
    if not path.is_file():
        return 0.0
    table = json.loads(path.read_text(encoding="utf-8"))
    return float(table.get("apart_spread" if known else "unstated_spread", 0.0))


@cache
def first_token_spread(queued: bool, path: Path = OUT_OF_FOLD) -> float:
    """Standard deviation of ln(time) of times to the first token, with or without a queue; 0 without
    the file."""
    if not path.is_file():
        return 0.0
    table = json.loads(path.read_text(encoding="utf-8"))
    return float(table.get("queue_spread" if queued else "first_token_spread", 0.0))


def serving_cases(
    library: SpecLibrary,
    rows: Sequence[ServingRow],
    models: Mapping[str, Mapping[str, Any]] | None = None,
    left_out: Mapping[str, Sequence[float | None]] | None = None,
    unknown: bool = False,
) -> list[Case]:
    """The cases of serving rows.

    Args:
        library: spec files.
        rows: to be predicted.
        models: further models.
        left_out: see `folds`, shown in place of the library's predictions.
        unknown: the rows are of sources that no spread counts: their bands are wider by `elsewhere`.
    """
    desk = ServingDesk(library, models)
    found, reasons = predictions(desk, rows)
    known = {item.ready.row.id: item for item in found}
    battery = Battery(desk, [item.ready for item in found])
    doubts = dict(zip(known, step_doubts(battery, shipped_tables(desk)), strict=True))
    cases: list[Case] = []
    for row in rows:
        item = known.get(row.id)
        if item is None:
            cases.append(_unanswered(row, reasons[row.id]))
        else:
            cases += _cases(row, item, (left_out or {}).get(row.id), doubts[row.id], unknown)
    return cases


def _unanswered(row: ServingRow, reason: str) -> Case:
    measured = figures(row)
    return Case(
        id=row.id,
        scored=row.scored,
        group=row.source,
        hardware=row.hardware,
        family="",
        framework=row.framework or "unknown",
        software="",
        experts=None,
        metric=measured[0].metric if measured else None,
        measured=measured[0].seconds if measured else None,
        predicted=None,
        low=None,
        high=None,
        in_fit=None,
        pair_key=(),
        cards=row.cards,
        batch=None,
        tokens=0.0,
        memory=None,
        fits=None,
        notes=(),
        reason=reason,
        gap=row.completeness is None or "not supported yet" in reason,
        serving=_mode(row),
        concurrency=row.in_flight,
    )


def elsewhere(unknown: bool) -> tuple[float, float]:
    """What a source that no fit knows adds: standard deviations of ln(time), fast and slow side."""
    laws = serving_constants()
    return (laws.elsewhere_fast.value, laws.elsewhere_slow.value) if unknown else (0.0, 0.0)


def _cases(
    row: ServingRow,
    item: ServingPrediction,
    fold: Sequence[float | None] | None,
    doubts: Sequence[float],
    unknown: bool,
) -> list[Case]:
    fast, slow = elsewhere(unknown)
    usual = serving_sigma(item.ready.family, item.ready.software)
    if row.phase == "disaggregated" or row.drafts_open:
        usual = max(usual, apart_spread(known=not (row.unstated or row.doubtful)))
    usual = math.hypot(usual, item.ready.doubt)
    out: list[Case] = []
    for place, (figure, central) in enumerate(zip(item.ready.figures, item.times, strict=True)):
        shown = fold[place] if fold is not None and place < len(fold) and fold[place] else central
        first = figure.quantity == "ttft"
        sigma = max(usual, first_token_spread(row.queued)) if first else usual
        sigma = math.hypot(sigma, doubts[place])
        per_card = (row.in_flight or 1.0) / item.ready.cards
        out.append(
            Case(
                id=row.id if place == 0 else f"{row.id}#{figure.metric}",
                scored=row.scored,
                group=row.source,
                hardware=row.hardware,
                family=item.ready.family.removesuffix("-hgx"),
                framework=row.framework or "unknown",
                software=item.ready.software.id,
                experts=item.ready.experts,
                metric=figure.metric,
                measured=figure.seconds,
                predicted=shown,
                low=None if shown is None else shown * math.exp(-Z90 * math.hypot(sigma, fast)),
                high=None if shown is None else shown * math.exp(Z90 * math.hypot(sigma, slow)),
                in_fit=central,
                pair_key=(row.source, row.model, row.hardware, row.isl, row.osl, row.precision, row.phase),
                cards=row.cards,
                batch=None,
                # Tokens per second and card: of a rate 1 / time, of a time per token the batch over it.
                tokens=per_card if figure.quantity in ("tpot", "latency") else 1.0,
                memory=None,
                fits=None,
                notes=item.notes,
                reason=None if shown is not None else _no_figure(row, figure.quantity),
                gap=shown is None and row.completeness is None,
                primary=place == 0,
                quantity=figure.quantity,
                serving=_mode(row),
                concurrency=row.in_flight,
            )
        )
    return out


def _no_figure(row: ServingRow, quantity: str) -> str:
    if row.unstated:
        return f"{quantity}: the queue depends on how many instances ran, which the row does not say"
    return f"no {quantity} is predicted in this mode"


def _mode(row: ServingRow) -> str:
    if row.drafts_open:
        return DRAFTS_OPEN
    if row.phase != "disaggregated":
        return row.phase
    if row.unstated:
        return UNSTATED
    if row.doubtful:
        return DOUBTFUL
    return BY_RECIPE if "layout" in (row.recipe or "") else row.phase


def serving_parts(cases: Sequence[Case]) -> dict[str, Any]:
    """Parts of the serving cases: by hardware, family, framework, software, mode, metric and quantity.

    The last two count every figure of a row, the others one per row.
    """
    return {
        "by_file": by(cases, _source),
        "by_hardware": by(cases, lambda case: case.hardware),
        "by_family": by(cases, lambda case: case.family),
        "by_framework": by(cases, lambda case: case.framework),
        "by_software": by(cases, lambda case: case.software),
        "by_mode": by(cases, lambda case: case.serving),
        "by_metric": by(cases, lambda case: case.metric, every=True),
        "by_quantity": by(
            cases, lambda case: case.quantity and f"{_source(case)}: {case.quantity}", every=True
        ),
    }


def _source(case: Case) -> str:
    """Groups of points are named after model, system and framework."""
    return "points" if case.group.count("|") == POINT_BARS else "rows"
