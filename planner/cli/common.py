"""What the verbs share: options, progress on stderr, writing the answer, exit codes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.cli import complete
from planner.errors import EXIT_ANSWER, EXIT_INTERRUPTED, EXIT_NO, PlannerError

if TYPE_CHECKING:
    from planner.engine import Interrupt
    from planner.plan.model import Plan

ScenarioFile = Annotated[
    Path, typer.Argument(metavar="SCENARIO", help="The scenario, a TOML file; - reads stdin.")
]
SystemName = Annotated[
    str,
    typer.Argument(
        metavar="SYSTEM", help="Id or name of a system or a card.", autocompletion=complete.systems
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=VALUE",
        help="Change one key of the scenario; may be repeated.",
        autocompletion=complete.scenario_keys,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the plan as JSON (plan/1) instead of a memo.")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Also write it as JSON into FILE; - prints it."),
]
NoEstimates = Annotated[
    bool, typer.Option("--no-estimates", help="Refuse to answer on estimated figures; list them instead.")
]
ShowSpace = Annotated[bool, typer.Option("--space", help="Print the space that would be searched, and stop.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, metavar="N", help="Threads of the search; default: all cores."),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        metavar="TIME",
        help='End the search after this time, e.g. "10 s", with the best so far and its gap to the best.',
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Samples = Annotated[
    int,
    typer.Option(
        "--samples",
        min=0,
        metavar="N",
        help="Draw everything uncertain N times together (a power of two, e.g. 4096).",
    ),
]
PlanFor = Annotated[
    float | None,
    typer.Option(
        "--confidence",
        metavar="P",
        help="Plan for the cards that meet the target with this probability, e.g. 0.9.",
    ),
]

CLEAR_LINE = "\r\033[K"
PROGRESS_AFTER = 0.5
"""Seconds of silence before progress is shown: most answers are there sooner."""


ChartFile = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Also draw the answer into FILE (.svg, .png or .html)."),
]


ChartsFolder = Annotated[
    Path | None,
    typer.Option(
        "--charts",
        metavar="DIR",
        help="Also draw bands, tornado, goodput over the checkpoint interval and an overview into DIR (SVG).",
    ),
]


SheetFile = Annotated[
    Path | None,
    typer.Option(
        "--sheet",
        metavar="FILE",
        help="Also write the acceptance sheet, to be filled in; needs --samples.",
    ),
]


def overrides(sets: list[str] | None, threads: int | None) -> list[str]:
    """The ``--set`` texts with the number of threads put in."""
    return [*(sets or []), *([f"search.threads={threads}"] if threads is not None else [])]


def limited(sets: list[str] | None, time_limit: str | None) -> list[str]:
    """The ``--set`` texts with the time limit of the search put in."""
    return [*(sets or []), *([f"search.time_limit={time_limit}"] if time_limit is not None else [])]


def command_line(verb: str, scenario: Path, sets: list[str] | None, more: Mapping[str, object]) -> str:
    """The command that asks the same question again; what does not change the answer is left out."""
    words = ["planner", verb, str(scenario)]
    for text in sets or []:
        words += ["--set", text]
    for name, value in more.items():
        if value is True:
            words.append(name)
        elif value not in (None, False):
            words += [name, str(value)]
    return " ".join(f"'{word}'" if set(word) & set(' "\\$;&|<>()*?[]#~') else word for word in words)


class Watch:
    """Progress of a search on stderr, where somebody may look at it."""

    def __init__(self, quiet: bool) -> None:
        """Shows nothing when ``quiet`` or when stderr is not a terminal."""
        self.shown = not quiet and sys.stderr.isatty()
        self._started = time.monotonic()
        self._last = 0.0

    def __call__(self, counts: Mapping[str, Any]) -> None:
        """Called by the search now and then."""
        now = time.monotonic()
        if not self.shown or now - self._started < PROGRESS_AFTER or now - self._last < 0.1:
            return
        self._last = now
        done, total = counts.get("done", 0), counts.get("total", 0)
        share = f" {100 * done / total:.0f} %" if total else ""
        typer.echo(
            f"{CLEAR_LINE}searching{share}, {_standing(counts, now - self._started)}", err=True, nl=False
        )

    def done(self) -> None:
        """Leave the line empty."""
        if self._last:
            typer.echo(CLEAR_LINE, err=True, nl=False)


def _standing(counts: Mapping[str, Any], seconds: float) -> str:
    """How many candidates, how fast, and how good the best plan is known to be."""
    candidates = counts.get("candidates", 0)
    words = f"{candidates:,} candidates, {candidates / seconds:.2g} a second"
    if not counts.get("found"):
        return f"{words}, no plan yet"
    gap = counts.get("gap")
    return words if gap is None else f"{words}, at most {100 * gap:.0f} % better is possible"


def answer(
    ask: Callable[[Watch, Interrupt], Plan],
    *,
    as_json: bool,
    output: Path | None,
    quiet: bool,
    chart: Path | None = None,
    charts: Path | None = None,
    sheet: Path | None = None,
) -> None:
    """Ask, write the answer to stdout (and FILE), and leave with the exit code that it means.

    Raises:
        PlannerError: bad input; FILE cannot be written.
        typer.Exit: the answer is no (1), or the search was interrupted (130).
    """
    as_json, output = place(as_json, output)
    if output is not None:
        check_output(output)
    if chart is not None:
        from planner.charts import check_path  # noqa: PLC0415 (keeps --help fast)

        check_path(chart)
    if charts is not None:
        check_folder(charts)
    if sheet is not None:
        check_output(sheet)
    from planner.engine import Interrupt  # noqa: PLC0415 (keeps --help fast)

    watch, interrupt = Watch(quiet), Interrupt()
    try:
        plan = ask(watch, interrupt)
    finally:
        watch.done()
    if output is not None:
        write(output, plan.to_json() + "\n")
    if chart is not None:
        from planner.charts import save  # noqa: PLC0415 (an extra)
        from planner.charts.plan import overview  # noqa: PLC0415 (an extra)

        save(overview(plan), chart)
    if charts is not None:
        from planner.charts.folder import draw  # noqa: PLC0415 (an extra)

        for path in draw(plan, charts):
            typer.echo(f"wrote {path}", err=True)
    if sheet is not None:
        _write_sheet(sheet, plan)
    try:
        _print(plan, as_json)
    except BrokenPipeError:
        # The reader went away (`planner ... | head`); the exit code still tells the answer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if interrupt.pressed:
        typer.echo("interrupted: this is the best so far", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(EXIT_ANSWER if plan.feasible else EXIT_NO)


def _print(plan: Plan, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(plan.to_json() + "\n")
    else:
        from planner.report.text import show  # noqa: PLC0415 (rich is not needed for --json)

        show(plan, sys.stdout)
    sys.stdout.flush()


def place(as_json: bool, output: Path | None) -> tuple[bool, Path | None]:
    """Whether JSON goes to stdout, and into which file: ``-o -`` means JSON on stdout."""
    return (True, None) if output is not None and str(output) == "-" else (as_json, output)


def check_output(path: Path) -> None:
    """Refuse a FILE that cannot be written, before the work is done.

    Raises:
        PlannerError: its folder does not exist, or it is a folder.
    """
    if not path.parent.is_dir():
        raise PlannerError(
            "cannot be written: its folder does not exist", file=str(path), hint=f"mkdir -p {path.parent}"
        )
    if path.is_dir():
        raise PlannerError(
            "cannot be written: it is a folder", file=str(path), hint="give the name of a file"
        )


def _write_sheet(path: Path, plan: Plan) -> None:
    if plan.cards is None:
        typer.echo(f"{path}: not written, for there is no design to accept", err=True)
        return
    from planner.calibrate.acceptance import sheet_text  # noqa: PLC0415 (seldom wanted)

    write(path, sheet_text(plan))


def check_folder(path: Path) -> None:
    """Make the DIR of ``--charts``, and refuse it before the work is done where nothing can be drawn.

    Raises:
        PlannerError: it cannot be made, it is a file, or the drawing libraries are missing.
    """
    from planner.charts import check_path  # noqa: PLC0415 (keeps --help fast)

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise PlannerError(
            f"cannot be a folder of charts: {fault.strerror}", file=str(path), hint="give another DIR"
        ) from fault
    check_path(path / "bands.svg")


def write(path: Path, text: str) -> None:
    """Write the whole file.

    Raises:
        PlannerError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise PlannerError(
            f"cannot be written: {fault.strerror}", file=str(path), hint="give another place with -o"
        ) from fault
