"""A report as a file: HTML, or the bill of materials as XLSX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from planner.errors import PlannerError
from planner.plan.model import Plan
from planner.report.words import Language
from planner.specs import SpecLibrary


def check(path: Path) -> None:
    """Refuse a file of another kind.

    Raises:
        PlannerError: it ends in neither .html nor .xlsx.
    """
    if path.suffix not in (".html", ".xlsx"):
        raise PlannerError("a report is .html or .xlsx", file=str(path), hint=f"-o {path.stem}.html")


def write(
    plans: Sequence[Plan],
    path: Path,
    *,
    language: Language = "en",
    names: Sequence[str] | None = None,
    library: SpecLibrary | None = None,
) -> None:
    """Write the report on one plan, or on several side by side, as the suffix of ``path`` asks.

    Raises:
        PlannerError: no plan, another suffix, the extra ``report`` is not installed, or it cannot be written.
    """
    check(path)
    if not plans:
        raise PlannerError("a report needs a plan", file=str(path))
    if path.suffix == ".xlsx":
        from planner.report import workbook  # noqa: PLC0415 (an extra)

        workbook.write(plans, path, language=language, library=library)
        return
    from planner.report import page  # noqa: PLC0415 (an extra)

    text = page.html(plans, language=language, names=names, library=library)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise PlannerError(
            f"cannot be written: {fault.strerror}", file=str(path), hint="give another place with -o"
        ) from fault
