"""Published runs collected to judge the model.

Method: runs that stood in no file of the project were looked for, written down as their sources print
them, and dropped only for a reason that its source shows, before its error was known (``dropped`` in
the file's meta). Each was predicted once before anybody tuned to it: ``first_error`` and ``first_in_band``
of its row. Sources were numbered in the order they were found. Odd ones were then shown to those who work
on the model (development), even ones were held back from them until the work of the day was done. No fit of
the training model takes either, and no spread counts them. Those of serving decide a few profiles that no
other run uses, and what a source unknown to the fit adds to the bands of serving
(`planner.calibrate.serving_later`): each is shown by a fit without its source.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from planner.software.serving import serving_constants
from planner.validation.rows import SCORED, SHIPPED
from planner.validation.score import Case, quantile, summary
from planner.validation.serving_run import later_coverage

JUDGED = SHIPPED.with_name("judged.json")
KINDS = {"training": "training", "inference": "serving"}
SIDES = ("development", "held back")
FIRST = ("answered first", "mean first", "bias first", "in band first")
FAR = 1.0 / 3.0
"""Bias from which a source is named."""
WIDTH = 100
"""Of a line of the page."""
Part = Mapping[str, Any]
Rows = Mapping[str, tuple[str, Part]]
"""Row id -> its list in the file, and the row."""
FIGURES = ("n", "answered", "mape", "bias", "abs_error_p50", "abs_error_p90", "coverage80")


def table(path: Path = JUDGED) -> dict[str, Any]:
    """The file as it stands: its rows hold columns that no prediction reads."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def as_answer(cases: Iterable[Case], file: Part) -> dict[str, Any]:
    """``judged`` of the JSON answer: ``parts`` by kind and side, ``sources``, ``cases``; every row counts.

    Args:
        cases: of the file's rows, training and serving.
        file: see `table`.
    """
    rows = {row["id"]: (kind, row) for kind in KINDS for row in file.get(kind, ())}
    known = [replace(case, scored=True) for case in cases if case.primary and case.id in rows]

    def part(kind: str, side: str, whole: bool) -> dict[str, Any]:
        return _told(
            [
                case
                for case in known
                for of_kind, row in [rows[case.id]]
                if (of_kind, row["split"]) == (kind, side) and (row["completeness"] in SCORED or not whole)
            ],
            rows,
        )

    parts = {
        kind: {side: {"all": part(kind, side, False), "whole": part(kind, side, True)} for side in SIDES}
        for kind in KINDS
    }
    sources = [
        {**source, **_told(members, rows)}
        for source in file.get("meta", {}).get("sources", ())
        for members in [[case for case in known if rows[case.id][1]["source_number"] == source["number"]]]
        if members
    ]
    return {
        "parts": parts,
        "sources": sources,
        "dropped": list(file.get("meta", {}).get("dropped", ())),
        "cases": [
            {
                **case.as_dict(),
                **{
                    name: rows[case.id][1].get(name)
                    for name in ("split", "source_number", "first_error", "first_in_band")
                },
            }
            for case in known
        ],
    }


def _told(cases: Sequence[Case], rows: Rows) -> dict[str, Any]:
    now = summary(cases)
    return {
        "sources": len({rows[case.id][1]["source_number"] for case in cases}),
        "now": {name: now[name] for name in FIGURES},
        "first": _first([rows[case.id][1] for case in cases]),
        "mape_by_source": _by_source(cases, rows),
    }


def _first(rows: Sequence[Part]) -> dict[str, Any]:
    """The figures of `summary` from what the rows say of their first prediction."""
    answered = [row for row in rows if row.get("first_error") is not None]
    errors = [row["first_error"] for row in answered]
    sizes = [abs(error) for error in errors]
    return {
        "n": len(rows),
        "answered": len(answered),
        "mape": _mean(sizes),
        "bias": _mean(errors),
        "abs_error_p50": quantile(sizes, 0.5),
        "abs_error_p90": quantile(sizes, 0.9),
        "coverage80": _mean([float(row["first_in_band"]) for row in answered]),
    }


def _by_source(cases: Sequence[Case], rows: Rows) -> float | None:
    """Mean over the sources of their mean errors: the longest table does not decide."""
    found: dict[str, list[float]] = {}
    for case in cases:
        if case.error is not None:
            found.setdefault(rows[case.id][1]["source_number"], []).append(abs(case.error))
    return _mean([sum(sizes) / len(sizes) for sizes in found.values()])


def judged_lines(judged: Part) -> list[str]:
    """The section of docs/accuracy.md."""
    total = sum(part["all"]["now"]["n"] for sides in judged["parts"].values() for part in sides.values())
    text = (
        f"{total} published runs of {len(judged['sources'])} sources that stood in no file of the project "
        "(`planner/data/cases/judged.json`), collected to judge the model. Each was "
        "predicted once before anybody tuned to it: the columns *first*. Sources of odd number were then "
        "shown to those who work on the model (development), those of even number were held back until "
        "the work of the day was done; since December 2026 single rows of the latter have been looked at "
        "too, so that *held back* tells their past. No fit and no spread of training takes either. Serving "
        "rows decide profiles that no other run uses, and what an unknown source adds to serving's bands "
        f"({_elsewhere()}); each is predicted by a fit without its source. With that, too, found without the "
        f"source, bands hold {_percent(later_coverage())} of the runs, every source counting the same. "
        f"{_too_fast(judged['sources'])}A row was dropped only "
        "for a reason that its source shows, before its error was known; the file lists them "
        f"({len(judged['dropped'])} reasons). *Layout known*: rows that say (nearly) all a prediction needs. "
        "*By source*: every source counts the same."
    )
    head = [
        "rows", "sources", "n", "answered", "mean", "by source", "bias", "P50", "P90", "in 80 % band",
        *FIRST,
    ]  # fmt: skip
    lines = [*textwrap.wrap(text, WIDTH, break_on_hyphens=False), "", *_head(head)]
    for kind, sides in judged["parts"].items():
        for side, part in sides.items():
            for name, one in (("", part["all"]), (", layout known", part["whole"])):
                if one["now"]["n"] and (not name or one["now"]["n"] != part["all"]["now"]["n"]):
                    lines.append(_line([f"{KINDS[kind]}, {side}{name}", str(one["sources"]), *_figures(one)]))
    lines += ["", *_head(["source", "what", "side", "n", "answered", "mean", "bias", *head[9:]])]
    for source in judged["sources"]:
        now, first = source["now"], source["first"]
        lines.append(
            _line(
                [
                    source["number"], source["what"], source["side"], str(now["n"]), str(now["answered"]),
                    _percent(now["mape"]), _signed(now["bias"]), _percent(now["coverage80"]),
                    *_at_first(first),
                ]
            )
        )  # fmt: skip
    return lines


def _too_fast(sources: Sequence[Part]) -> str:
    """The sources of serving that are predicted too fast by more than `FAR`, in a sentence; empty: none."""
    far = [
        f"{source['what']} ({_signed(source['now']['bias'])})"
        for source in sources
        if source["number"].startswith("S") and (source["now"]["bias"] or 0.0) < -FAR
    ]
    return f"Predicted more than a third too fast: {'; '.join(far)}. " if far else ""


def _elsewhere() -> str:
    laws = serving_constants()
    sides = (laws.elsewhere_fast.value, laws.elsewhere_slow.value)
    return "standard deviations of ln(time) of {:.2f} on the fast and {:.2f} on the slow side".format(*sides)


def _figures(one: Part) -> list[str]:
    now, first = one["now"], one["first"]
    return [
        str(now["n"]), str(now["answered"]), _percent(now["mape"]), _percent(one["mape_by_source"]),
        _signed(now["bias"]), _percent(now["abs_error_p50"]), _percent(now["abs_error_p90"]),
        _percent(now["coverage80"]), *_at_first(first),
    ]  # fmt: skip


def _at_first(first: Part) -> list[str]:
    return [
        str(first["answered"]), _percent(first["mape"]), _signed(first["bias"]), _percent(first["coverage80"])
    ]  # fmt: skip


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|" + "---|" * len(names)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"
