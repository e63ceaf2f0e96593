"""The bill of materials as an XLSX workbook: a sheet per plan, one for costs, one for sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planner.errors import PlannerError
from planner.plan.model import Plan
from planner.report import facts
from planner.report.page import bill, rate_of
from planner.report.words import Language, Words
from planner.specs import SpecLibrary

SHEET_NAME = 31
"""Longest name of a sheet."""


def write(
    plans: Sequence[Plan], path: Path, *, language: Language = "en", library: SpecLibrary | None = None
) -> None:
    """Write the workbook.

    Raises:
        PlannerError: xlsxwriter is not installed, or the file cannot be written.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 (an extra)
    except ImportError as fault:
        raise PlannerError("a workbook needs xlsxwriter", hint="pip install 'planner[report]'") from fault
    words = Words(language, rate_of(library or SpecLibrary()))
    # In memory: nothing is left half-written where the disk is full.
    book = xlsxwriter.Workbook(
        str(path), {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    formats = {
        "head": book.add_format({"bold": True, "bottom": 1, "bg_color": "#e8eef7"}),
        "bold": book.add_format({"bold": True}),
        "count": book.add_format({"num_format": "#,##0"}),
        "money": book.add_format({"num_format": "#,##0"}),
        "number": book.add_format({"num_format": "0.000E+00"}),
    }
    for place, plan in enumerate(plans):
        suffix = f" {place + 1}" if len(plans) > 1 else ""
        _bill(book, plan, words, formats, f"{words('bill')}{suffix}"[:SHEET_NAME])
        _costs(book, plan, words, formats, f"{words('money')}{suffix}"[:SHEET_NAME])
        _sources(book, plan, words, formats, f"{words('source')}{suffix}"[:SHEET_NAME])
    try:
        book.close()
    except (OSError, xlsxwriter.exceptions.FileCreateError) as fault:
        raise PlannerError(
            f"cannot be written: {fault}", file=str(path), hint="give another place"
        ) from fault


def _bill(book: Any, plan: Plan, words: Words, formats: dict[str, Any], name: str) -> None:
    sheet = book.add_worksheet(name)
    sheet.write_string(0, 0, facts.headline(plan, words), formats["bold"])
    english = words.language == "en"
    scale = 1.0 if english else 1.0 / (1e4 * words.rate.usd_per_cny)
    heads = [words(key) for key in ("part", "group", "count", "unit")]
    _heads(sheet, 2, [*heads, "W", "USD" if english else "万元"], formats)
    row = 2
    for row, (part, group, count, unit, watts, usd) in enumerate(bill(plan, words), start=3):
        sheet.write_string(row, 0, part)
        sheet.write_string(row, 1, group)
        sheet.write_number(row, 2, count, formats["count"])
        sheet.write_string(row, 3, unit)
        if watts is not None:
            sheet.write_number(row, 4, watts, formats["count"])
        if usd is not None:
            sheet.write_number(row, 5, usd * scale, formats["money"])
    if plan.facility is not None:
        sheet.write_string(row + 1, 0, words("all_parts"), formats["bold"])
        watts = plan.facility.it_megawatts * 1e6
        sheet.write_formula(row + 1, 4, f"=SUM(E4:E{row + 1})", formats["count"], watts)
        if plan.cost is not None and plan.cost.capex_usd is not None:
            total = plan.cost.capex_usd * scale
            sheet.write_formula(row + 1, 5, f"=SUM(F4:F{row + 1})", formats["money"], total)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 5, 14)
    sheet.freeze_panes(3, 0)


def _costs(book: Any, plan: Plan, words: Words, formats: dict[str, Any], name: str) -> None:
    sheet = book.add_worksheet(name)
    unit = 1.0 if words.language == "en" else 1.0 / (1e4 * words.rate.usd_per_cny)
    _heads(sheet, 0, [words("part"), "USD" if words.language == "en" else "万元"], formats)
    parts = plan.cost.parts if plan.cost else {}
    for row, (part, dollars) in enumerate(parts.items(), start=1):
        sheet.write_string(row, 0, words.translated(part.removesuffix("_usd").replace("_", " ")))
        if dollars is None:
            sheet.write_string(row, 1, words("unknown"))
        else:
            sheet.write_number(row, 1, dollars * unit, formats["money"])
    total = len(parts) + 1
    sheet.write_string(total, 0, words("capex"), formats["bold"])
    if plan.cost is not None and plan.cost.capex_usd is not None:
        # A formula with its value, so that a changed price moves the total.
        sheet.write_formula(total, 1, f"=SUM(B2:B{total})", formats["money"], plan.cost.capex_usd * unit)
    else:
        sheet.write_string(total, 1, words("unknown"))
    sheet.write_string(total + 2, 0, words.money_note())
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 18)


def _sources(book: Any, plan: Plan, words: Words, formats: dict[str, Any], name: str) -> None:
    sheet = book.add_worksheet(name)
    _heads(
        sheet, 0, [words(key) for key in ("figure", "value", "unit", "known_how", "where", "source")], formats
    )
    for row, item in enumerate(plan.figures, start=1):
        sheet.write_string(row, 0, words.label(item.label))
        sheet.write_number(row, 1, item.value, formats["number"])
        texts = (words.translated(item.unit), words.translated(item.kind), item.key)
        for column, text in enumerate(texts, start=2):
            sheet.write_string(row, column, text)
        method = item.method if words.language == "en" else words("method_in_file")
        sheet.write_string(row, 5, "; ".join(one.title for one in item.sources) or method or "")
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 3, 14)
    sheet.set_column(4, 5, 60)
    sheet.freeze_panes(1, 0)


def _heads(sheet: Any, row: int, heads: Sequence[str], formats: dict[str, Any]) -> None:
    for column, head in enumerate(heads):
        sheet.write_string(row, column, head, formats["head"])
