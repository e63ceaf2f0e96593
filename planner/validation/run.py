"""``planner validate``: every row of a case file predicted and scored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from planner.software import SoftwareProfile
from planner.software.elsewhere import elsewhere
from planner.specs import Efficiency, SpecLibrary
from planner.validation import judged
from planner.validation.files import Cases, read
from planner.validation.later import as_answer, planned_rows
from planner.validation.open_fields import lag
from planner.validation.predict import Prediction, predictions
from planner.validation.request import Desk
from planner.validation.rows import LATER, SHIPPED, CaseFileError, Row
from planner.validation.score import Case, summary, whole
from planner.validation.serving_run import (
    about_serving_fit,
    folds,
    later_folds,
    serving_cases,
    serving_parts,
)

OUT_OF_FOLD = SHIPPED.with_name("cv.json")
"""Predictions of the shipped rows by fits that had not seen their group (``planner calibrate --cv``)."""
Z90 = 1.2816
"""Standard deviations from the median to P90 of a normal distribution."""


def family_of(efficiency_id: str) -> str:
    """The chip family of an efficiency file: boards of one chip belong together."""
    return efficiency_id.removesuffix("-hgx")


def sigma_ln(
    efficiency: Efficiency, software: SoftwareProfile, experts: bool, precision: str = "bf16"
) -> float:
    """Standard deviation of ln(time): the model's residual within a source, the spread between sources, and
    on a chip that no run has calibrated the range of its share of peak at ``precision``."""
    spread = software.spread_experts if experts and software.spread_experts is not None else software.spread
    chip = 0.0
    if efficiency.calibrated == "none":
        share = getattr(efficiency.matmul, precision, None) or efficiency.matmul.bf16
        low, high = share.low or share.value, share.high or share.value
        chip = math.log(high / low) / (2.0 * Z90)
    return math.hypot(efficiency.residual.value, spread.value, chip)


def about_fit(path: Path = OUT_OF_FOLD) -> dict[str, Any]:
    """``effective_parameters`` of the shipped fit, and ``left_out``: mean error and bias with more
    and more left out of it; empty without the file."""
    if not path.is_file():
        return {}
    table = json.loads(path.read_text(encoding="utf-8"))
    return {key: table[key] for key in ("effective_parameters", "left_out")}


@cache
def out_of_fold(path: Path = OUT_OF_FOLD) -> Mapping[str, float]:
    """Row id -> predicted step seconds; empty where the file is not there."""
    if not path.is_file():
        return {}
    rows: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["predicted"]
    return rows


def validate(library: SpecLibrary | None = None, path: Path | None = None) -> dict[str, Any]:
    """Predict and score a case file (default: the shipped runs, with out-of-fold predictions).

    Returns:
        ``summary`` (training, inference), parts of it, and ``cases``; see docs/accuracy.md.

    Raises:
        CaseFileError: the file is not of the format.
    """
    found = read(path)
    if not (found.training or found.inference):
        raise CaseFileError(
            "holds no row: there is nothing to predict",
            file=str(found.path),
            hint="give one run a row; planner/data/cases/README.md says which columns",
        )
    library = library or SpecLibrary.from_environment()
    cases = training_cases(found, library, out_of_fold() if path is None else {})
    left_out = folds(found.inference) if path is None else {}
    serving = serving_cases(library, found.inference, found.models, left_out, unknown=path is not None)
    answer = {
        "summary": {"training": summary(cases), "inference": summary(serving)},
        **whole(cases),
        "inference": serving_parts(serving),
        "cases": [case.as_dict() for case in (*cases, *serving)],
    }
    if path is None:
        from planner.validation.sampler import committed  # noqa: PLC0415 (it knows this module)

        answer |= about_fit()
        answer["later"] = read_later(library)
        answer["judged"] = read_judged(library)
        answer["sampler"] = committed()
        answer["inference"] |= about_serving_fit()
    return answer


def read_later(library: SpecLibrary) -> dict[str, Any]:
    """The runs read after the model was made: predicted with their own software, and with a plan's."""
    cases = read(LATER)
    own = training_cases(cases, library, {})
    planned = training_cases(replace(cases, training=tuple(planned_rows(cases, library))), library, {})
    return as_answer(own, planned)


def read_judged(library: SpecLibrary) -> dict[str, Any]:
    """The runs collected to judge the model."""
    found = read(judged.JUDGED)
    cases = [
        *training_cases(found, library, {}),
        *serving_cases(library, found.inference, found.models, later_folds(), unknown=True),
    ]
    return judged.as_answer(cases, judged.table())


def training_cases(found: Cases, library: SpecLibrary, left_out: Mapping[str, float]) -> list[Case]:
    """The cases of a file's training rows; ``left_out``: see `out_of_fold`."""
    rows = [row for row in found.training if row.kind in (None, "train")]
    predicted, reasons = predictions(Desk(library, found.models), rows)
    known = {item.row.id: item for item in predicted}
    return [_case(row, known.get(row.id), reasons.get(row.id), left_out.get(row.id)) for row in rows]


OFFLOADED = "needs more memory than there is: some activations are taken to be offloaded to the host"


def _fits(found: Prediction | None, memory: Mapping[str, Any]) -> bool:
    offloads = found is not None and found.offloads
    return offloads or memory["per_device_bytes"] <= memory["capacity_bytes"]


def _notes(found: Prediction) -> tuple[str, ...]:
    return (*found.engine.ready.notes, *((OFFLOADED,) if found.offloads else ()))


def _case(row: Row, found: Prediction | None, reason: str | None, fold: float | None) -> Case:
    central = found.predicted * math.exp(lag(row, found.engine.ready.experts)) if found else None
    shown = fold if fold is not None and central is not None else central
    ready = found.engine.ready if found else None
    low = high = None
    if ready is not None and shown is not None:
        precision = ready.request.problem.training.precision
        known = sigma_ln(ready.efficiency, ready.software, ready.experts, precision)
        # Groups of the shipped file were left out of fits that knew others of their sources; rows of no
        # source that the fit knows are predicted worse.
        new = elsewhere(ready.experts) if fold is None and not ready.efficiency.own_runs else 0.0
        sigma = math.hypot(known, ready.doubt, new)
        low, high = shown * math.exp(-Z90 * sigma), shown * math.exp(Z90 * sigma)
    memory = found.design["memory"] if found else None
    return Case(
        id=row.id,
        scored=row.scored,
        group=row.source,
        hardware=row.hardware,
        family=family_of(ready.efficiency.id) if ready else "",
        framework=row.framework or "unknown",
        software=ready.software.id if ready else "",
        experts=ready.experts if ready else None,
        metric=ready.measure.metric if ready else None,
        measured=found.measured if found else None,
        predicted=shown,
        low=low,
        high=high,
        in_fit=central,
        pair_key=(row.source, row.model, row.hardware, row.seq_len, row.precision, row.block_scaled),
        cards=row.cards,
        batch=row.global_batch,
        tokens=(row.global_batch or 0) * (row.seq_len or 0) / (row.cards or 1),
        memory=found.memory if found else None,
        fits=None if memory is None else _fits(found, memory),
        notes=_notes(found) if found else (),
        reason=reason,
    )
