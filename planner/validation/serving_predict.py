"""Predictions of serving rows in one call of the core, with the figures of the library or others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.engine import evaluate_serving_many
from planner.problem import serving_tools
from planner.problem.figures import Figures
from planner.software.serving import serving_profiles
from planner.validation.layouts import UnanswerableError
from planner.validation.serving_measured import Figure
from planner.validation.serving_request import ServingDesk, ServingReady
from planner.validation.serving_rows import ServingRow

ROOM = 1.25
"""Memory of a second try, where a layout that ran does not fit by our count."""
ROOM_NOTE = "by our count it does not fit: predicted with a quarter more memory"
_ROOMY = "roomy:"

Answers = Mapping[str, Mapping[str, Any]]
"""The core's answers to a row's questions."""


@dataclass(frozen=True)
class Tables:
    """What calibration moves: constants, and the figures of frameworks and chip families by id."""

    constants: Mapping[str, float]
    software: Mapping[str, Mapping[str, Any]]
    families: Mapping[str, Mapping[str, float]]


def shipped_tables(desk: ServingDesk) -> Tables:
    """The figures that the library ships."""
    figures = Figures(desk.library)
    return Tables(
        constants=serving_tools.constants(figures).model_dump(),
        software={item.id: serving_tools.software(item, figures).model_dump() for item in serving_profiles()},
        families={
            name: serving_tools.family(name, figures).model_dump() for name in desk.library.ids("efficiency")
        },
    )


class Battery:
    """Prepared rows, encoded once; asked with any tables."""

    def __init__(self, desk: ServingDesk, ready: Sequence[ServingReady], room: float = 1.0) -> None:
        """``room``: factor on the memory of every device."""
        self.ready = list(ready)
        self._slots: list[tuple[int, str]] = []
        cases: list[dict[str, Any]] = []
        for place, item in enumerate(self.ready):
            for name, question in item.questions.items():
                self._slots.append((place, name))
                cases.append(
                    {
                        "cluster": item.cluster,
                        "model": item.model,
                        "software": item.software.id,
                        "family": item.family,
                        "question": question.model_dump(),
                    }
                )
        clusters = {
            key: desk.clusters[key].model_dump(by_alias=True) for key in {item.cluster for item in self.ready}
        }
        for cluster in clusters.values():
            cluster["device"]["memory"] *= room
        models = {
            key: desk.models[key].model_dump(by_alias=True) for key in {item.model for item in self.ready}
        }
        self._cases, self._clusters, self._models = _text(cases), _text(clusters), _text(models)

    def answers(self, tables: Tables) -> list[dict[str, Mapping[str, Any]]]:
        """The answers of every row by question.

        Raises:
            EngineError: the core failed.
        """
        if not self.ready:
            return []
        request = (
            f'{{"schema":"serving/1","constants":{_text(tables.constants)},"clusters":{self._clusters},'
            f'"models":{self._models},"software":{_text(tables.software)},"families":{_text(tables.families)},'
            f'"cases":{self._cases}}}'
        )
        found: list[dict[str, Mapping[str, Any]]] = [{} for _ in self.ready]
        for (place, name), answer in zip(self._slots, evaluate_serving_many(request.encode()), strict=True):
            found[place][name] = answer
        return found


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def refusal(answers: Answers) -> str | None:
    """Why the core gave no answer; None where it did."""
    for answer in answers.values():
        if "error" in answer:
            return str(answer["error"])
        if answer["verdict"] == "unfit":
            return "the model does not fit the devices of its layout by our count"
    return None


def seconds(answers: Answers, row: ServingRow, figure: Figure) -> float | None:
    """The predicted time against a measured figure: of rates, seconds per token and card."""
    if row.unstated and figure.quantity in _QUEUED:
        return None
    load = answers.get("load")
    if load is None:
        first, token = answers["prompts"]["step_seconds"], answers["tokens"]["tpot_seconds"]
        whole = first + token * max((row.osl or 1.0) - 1.0, 0.0)
        times = {"ttft": first, "tpot": token, "latency": whole}
        if row.in_flight and row.osl and row.cards:
            # One batch after the other: its tokens in the time that it takes, on all cards.
            times["throughput"] = whole * row.cards / (row.in_flight * row.osl)
        return times.get(figure.quantity)
    if figure.quantity in _RATES:
        rate = load[_RATES[figure.quantity]]
        return 1.0 / rate if rate else None
    if figure.quantity == "tpot":
        return load["tpot_seconds"]  # type: ignore[no-any-return]
    if figure.quantity == "latency":
        return load["request_seconds"]  # type: ignore[no-any-return]
    service, queue = load["ttft_service_seconds"], load["ttft_queue_seconds"]
    return None if service is None or queue is None else service + queue


_QUEUED = ("ttft", "latency")
"""Figures that hold a queue, which nobody can tell without the number of instances."""
_RATES = {
    "throughput": "output_tokens_per_second_per_card",
    "decode_rate": "decode_tokens_per_second_per_card",
    "prefill_rate": "prefill_tokens_per_second_per_card",
}


@dataclass(frozen=True)
class ServingPrediction:
    """A row, its answers, and the predicted time of each of its figures (None: the answer has none)."""

    ready: ServingReady
    answers: Answers
    times: tuple[float | None, ...]
    notes: tuple[str, ...]


def predictions(
    desk: ServingDesk, rows: Sequence[ServingRow]
) -> tuple[list[ServingPrediction], dict[str, str]]:
    """All predictions with the library's figures, and the reasons of those rows that have none."""
    reasons: dict[str, str] = {}
    ready: list[ServingReady] = []
    for row in rows:
        try:
            ready.append(desk.prepare(row))
        except UnanswerableError as fault:
            reasons[row.id] = str(fault)
    tables = shipped_tables(desk)
    found: list[ServingPrediction] = []
    tight: list[ServingReady] = []
    for item, answers in zip(ready, Battery(desk, ready).answers(tables), strict=True):
        if refusal(answers) is None:
            found.append(prediction(item, answers))
        else:
            tight.append(item)
    # What ran did fit: our count of its memory is too high, or the row's layout is not what it says.
    for item, answers in zip(tight, Battery(desk, tight, ROOM).answers(tables), strict=True):
        why = refusal(answers)
        if why is None:
            found.append(prediction(item, answers, (ROOM_NOTE,)))
        else:
            reasons[item.row.id] = why
    return found, reasons


def prediction(item: ServingReady, answers: Answers, notes: tuple[str, ...] = ()) -> ServingPrediction:
    """The times of a row's figures from its answers."""
    times = tuple(seconds(answers, item.row, figure) for figure in item.figures)
    return ServingPrediction(item, answers, times, (*item.notes, *notes))
