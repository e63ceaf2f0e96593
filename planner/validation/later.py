"""Runs that no fit has seen: those read after the model was made, and those whose row leaves much open."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from planner.software import SoftwareProfile, default_profile
from planner.specs import SpecLibrary
from planner.validation.files import Cases
from planner.validation.rows import Row
from planner.validation.score import Case, summary

Part = Mapping[str, Any]
WIDTH = 100
"""Of a line of the page."""
SLOW = 0.3
"""Error from which one run is explained by itself."""
UNFITTED = ("partial", "aggregate")
"""Completeness of shipped rows that are predicted but neither fitted on nor scored."""


def planned_rows(cases: Cases, library: SpecLibrary) -> list[Row]:
    """The rows as a plan would take them: with the software that a chip of the vendor is planned with."""
    return [
        row.model_copy(update={"software": profile.id, "software_date": profile.dated})
        for row in cases.training
        for profile in [_planned(library, row)]
    ]


def _planned(library: SpecLibrary, row: Row) -> SoftwareProfile:
    return default_profile(library.accelerator(row.hardware).vendor)


def as_answer(own: Sequence[Case], planned: Sequence[Case]) -> dict[str, Any]:
    """``later`` of the JSON answer: every row counts, and tells its error with a plan's software too."""
    by_id = {case.id: case.error for case in planned}
    return {
        "summary": summary([replace(case, scored=True) for case in own]),
        "cases": [{**case.as_dict(), "error_with_planned_software": by_id.get(case.id)} for case in own],
    }


def later_lines(later: Part) -> list[str]:
    """The section of docs/accuracy.md about runs read later."""
    total, cases = later["summary"], later["cases"]
    answered = [case for case in cases if case["error_with_planned_software"] is not None]
    known = [case["error_with_planned_software"] for case in answered]
    dense = [case["error_with_planned_software"] for case in answered if not case["experts"]]
    text = (
        "Read after the model was made, some from memory or in secondary places as their rows say "
        f"(`planner/data/cases/later.json`): {total['answered']} runs of {total['groups']} sources, none of "
        f"them in a fit. Mean error {_percent(total['mape'])}, bias {_signed(total['bias'])}, "
        f"{_percent(total['coverage80'])} in their 80 % bands, which are wider for Megatron-LM since these "
        "runs were read. A run from elsewhere may meet this rather than the tables above: the name of a "
        "framework does not tell how far a team tuned it. The last column takes the software that a plan on "
        "the chip takes when its scenario names none (tuned, and younger than these runs): negative is a "
        f"plan faster than the run was. Its mean is {_signed(_mean(known))}, of dense models "
        f"{_signed(_mean(dense))}.{_why(cases, dense)}"
    )
    lines = [
        *textwrap.wrap(text, WIDTH, break_on_hyphens=False),
        "",
        "| run | software | error | in 80 % band | error with a plan's software |",
        "|---|---|---|---|---|",
    ]
    for case in cases:
        inside = "-" if case["error"] is None else _inside(case)
        lines.append(
            f"| {case['id']} | {case['software']} | {_signed(case['error'])} | {inside} | "
            f"{_signed(case['error_with_planned_software'])} |"
        )
    return lines


def _why(cases: Sequence[Part], dense: Sequence[float]) -> str:
    """What is known of these errors, while they show it."""
    told = ""
    if dense and _mean(dense) < 0.0:
        told += (
            " Teams that do not tune like the vendor take longer than such a plan, which its line on untuned "
            "software says."
        )
    slowest = max(cases, key=lambda case: case["error"] or 0.0, default=None)
    if slowest is not None and slowest["id"].endswith("-fsdp") and slowest["error"] > SLOW:
        told += (
            " Fully sharded experts across servers come out slowest: at the rate that the fit finds their "
            "gathers alone take longer than the run did."
        )
    return told


def open_lines(cases: Iterable[Part], rows: Mapping[str, Row]) -> list[str]:
    """Shipped rows whose layout is only partly known: predicted, not fitted, not scored."""
    groups: dict[str, list[Part]] = defaultdict(list)
    for case in cases:
        row = rows.get(case["id"])
        if row is not None and row.completeness in UNFITTED and case["error"] is not None:
            groups[row.source].append(case)
    lines = [
        "| rows only partly known | n | software | fastest | mean | slowest | in 80 % band |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, members in sorted(groups.items()):
        errors = [case["error"] for case in members]
        held = sum(_inside(case) == "yes" for case in members)
        software = ", ".join(sorted({case["software"] for case in members}))
        lines.append(
            f"| {name} | {len(members)} | {software} | {_signed(min(errors))} | "
            f"{_signed(sum(errors) / len(errors))} | {_signed(max(errors))} | {held} |"
        )
    return lines


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _inside(case: Part) -> str:
    return "yes" if case["low"] <= case["measured"] <= case["high"] else "no"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"
