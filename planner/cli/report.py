"""``planner report``: one file that explains plans to somebody else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from planner.cli import common

if TYPE_CHECKING:
    from planner.plan.model import Plan

PlanFiles = Annotated[
    list[Path], typer.Argument(metavar="PLAN...", help="Plans as JSON (planner size --json); - reads stdin.")
]
ReportFile = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="report.html, or bill.xlsx: the bill of materials; - prints the HTML.",
    ),
]
Lang = Annotated[Literal["en", "zh"], typer.Option("--lang", help="Language of labels, numbers and money.")]


def report(plans: PlanFiles, output: ReportFile, lang: Lang = "en", quiet: common.Quiet = False) -> None:
    """Write one self-contained file on one plan, or on several side by side.

    The HTML needs no network and prints: the memo, charts, bill of materials, sources of every figure, and
    the command that reproduces it. Exit code 0: written; 2: a plan cannot be read, or the file not
    written.

    Example: planner size examples/cloudmatrix-384.toml --json | planner report - -o report.html
    """
    from planner.report.write import check, write  # noqa: PLC0415 (an extra)
    from planner.specs import SpecLibrary  # noqa: PLC0415 (keeps --help fast)

    printed = str(output) == "-"
    if not printed:
        check(output)
        common.check_output(output)
    read = [read_plan(path) for path in plans]
    stems = [path.stem for path in plans]
    # Files name the plans where they tell them apart.
    names = stems if len(plans) > 1 and "-" not in stems and len(set(stems)) == len(stems) else None
    library = SpecLibrary.from_environment()
    if printed:
        from planner.report import page  # noqa: PLC0415 (an extra)

        sys.stdout.write(page.html(read, language=lang, names=names, library=library))
        return
    write(read, output, language=lang, names=names, library=library)
    if not quiet:
        typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.2f} MB)", err=True)


def read_plan(path: Path) -> Plan:
    """A plan from a file, or from standard input where the path is ``-``.

    Raises:
        PlannerError: it cannot be read, or is no plan/1.
    """
    from planner.plan import model  # noqa: PLC0415

    return model.plan_of(sys.stdin.read(), "-") if str(path) == "-" else model.read_plan(path)
