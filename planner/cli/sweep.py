"""``planner sweep``: thousands of what-ifs from one file."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from planner.cli import common
from planner.errors import EXIT_INTERRUPTED, PlannerError

if TYPE_CHECKING:
    from planner.sweeps.engines import Engine
    from planner.sweeps.journal import Journal
    from planner.sweeps.sweep import Row, Sweep
    from planner.sweeps.tables import Table

SweepText = Annotated[Path, typer.Argument(metavar="FILE", help="The sweep, a TOML file; - reads stdin.")]
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Rows as .jsonl (a journal that --resume goes on with), .csv or .parquet; may be repeated. "
        "A table has its journal beside it. Default: JSON lines on stdout.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the journal of an interrupted sweep.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N points of the sweep.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Start even beyond 100,000 points.")]
EngineName = Annotated[
    Literal["threads", "dask"],
    typer.Option("--engine", help="threads: this process; dask: a Dask cluster that runs already."),
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="Of the Dask cluster, e.g. tcp://host:8786."),
]


def sweep(  # noqa: PLR0917 (the command line names them)
    file: SweepText,
    outputs: Outputs = None,
    resume: Resume = False,
    limit: Limit = None,
    yes: Yes = False,
    threads: common.Threads = None,
    engine: EngineName = "threads",
    scheduler: Scheduler = None,
    quiet: common.Quiet = False,
) -> None:
    """Answer thousands of what-ifs: a base scenario, axes that vary it, one row per point.

    A point that fails is a row with its reason. Rows come in the order of the points and are the same for any
    number of threads and any engine. Exit code 0: done; 2: bad input, or a file that cannot be written;
    130: interrupted (the rows so far are safe; go on with --resume).

    Example: planner sweep examples/whatif-10k.toml --limit 20 -o rows.csv
    """
    from planner.sweeps.sweep import Sweep  # noqa: PLC0415 (keeps --help fast)

    if (engine == "dask") != (scheduler is not None):
        raise PlannerError(
            "--engine dask and --scheduler ADDRESS go together",
            hint="e.g. --engine dask --scheduler tcp://host:8786",
        )
    whole = _read(file, limit, Sweep)
    _refuse_explosion(whole, yes, limit)
    outputs = [path for path in outputs or () if str(path) != "-"]  # that is where rows go without -o
    journal, tables, start = _places(whole, outputs, resume)
    workers = whole.dask(scheduler) if scheduler is not None else whole.threads(threads)
    talk = _Talk(whole, quiet, start)
    with _stopping(quiet) as press:
        try:
            for rows, upto in whole.rows(start=start, workers=workers, stopping=press):
                _write(rows, journal, tables)
                talk(rows, upto)
            stopped = press()
        except BrokenPipeError:
            # The reader went away (`planner sweep ... | head`): there is nobody left to answer.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            stopped = False
        finally:
            _close(workers, journal, press())
    talk.done()
    if stopped:
        _tell_interrupted(talk, journal)
        raise typer.Exit(EXIT_INTERRUPTED)
    if not talk.rows and not resume:
        from planner.sweeps.sweep import empty  # noqa: PLC0415

        fault = empty(whole)
        fault.file = str(file)
        raise fault
    with _journal_is_safe(journal):
        for table in tables:
            table.finish()
    talk.sum_up(outputs)


def _read(file: Path, limit: int | None, kind: type[Sweep]) -> Sweep:
    from planner.specs import SpecLibrary  # noqa: PLC0415
    from planner.sweeps import schema  # noqa: PLC0415

    text = sys.stdin.read() if str(file) == "-" else None
    asked = schema.load(file) if text is None else schema.from_text(text)
    try:
        return kind(asked, SpecLibrary.from_environment(), Path() if str(file) == "-" else file.parent, limit)
    except PlannerError as fault:
        if fault.file is None:
            fault.file = str(file)
            fault.line = fault.line or schema.line_of(fault.key or "", file if text is None else text)
        raise


def _refuse_explosion(whole: Sweep, yes: bool, limit: int | None) -> None:
    from planner.sweeps.schema import MOST_POINTS  # noqa: PLC0415

    if whole.count > MOST_POINTS and not yes and limit is None:
        raise PlannerError(
            f"{whole.size_words} are more than {MOST_POINTS:,}",
            hint="--yes starts all the same, --limit N takes the first N; or sample: [sample] points = 10000",
        )


def _places(whole: Sweep, outputs: list[Path], resume: bool) -> tuple[Journal | None, list[Table], int]:
    """The journal, the tables, and the index to begin with.

    Raises:
        PlannerError: a place cannot be written, or there is nothing to go on with.
    """
    from planner.sweeps import journal as journals  # noqa: PLC0415
    from planner.sweeps import tables as files  # noqa: PLC0415

    for path in outputs:
        files.check_suffix(path)
        common.check_output(path)
    names = [path for path in outputs if path.suffix not in (".csv", ".parquet")]
    if len(names) > 1:
        raise PlannerError("-o names two journals", hint="one .jsonl is enough; others are .csv or .parquet")
    if resume and not outputs:
        raise PlannerError("--resume needs the file to go on with", hint="give it with -o")
    if not outputs:
        return None, [], 0
    path = names[0] if names else outputs[0].with_suffix(".jsonl")
    journal = journals.Journal(path, whole.meta, resume)
    tables = [files.table(item, whole.columns, whole.meta) for item in outputs if item != path]
    if tables and journal.rows:
        for row in journals.read(path):
            for table in tables:
                table.append([row])
    start = 0
    if journal.last is not None:
        start = int(journal.last["index"]) + 1
    return journal, tables, start


def _write(rows: list[Row], journal: Journal | None, tables: list[Table]) -> None:
    if journal is None:
        from planner.sweeps.journal import line  # noqa: PLC0415

        sys.stdout.write("".join(map(line, rows)))
        sys.stdout.flush()
        return
    journal.append(rows)
    with _journal_is_safe(journal):
        for table in tables:
            table.append(rows)


@contextmanager
def _journal_is_safe(journal: Journal | None) -> Iterator[None]:
    """Where a table cannot be written, say that its rows stand in the journal."""
    try:
        yield
    except PlannerError as fault:
        if journal is not None:
            fault.hint = (
                f"{journal.rows:,} rows are safe in {journal.path}: mend that, then go on with --resume"
            )
        raise


def _close(workers: Engine, journal: Journal | None, at_once: bool) -> None:
    workers.close(at_once=at_once)
    if journal is not None:
        journal.close()


class _Press:
    """Whether Ctrl-C was pressed: once ends the sweep after what runs, twice at once."""

    def __init__(self, quiet: bool) -> None:
        self.pressed = False
        self._quiet = quiet

    def __call__(self) -> bool:
        return self.pressed

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.pressed:
            # Rows are whole lines, flushed chunk by chunk: leaving now loses none that was written.
            os.write(2, b"\nstopped at once; the rows written are safe, --resume goes on\n")
            os._exit(EXIT_INTERRUPTED)
        self.pressed = True
        if not self._quiet:
            os.write(2, b"\nstopping after the points in work; Ctrl-C again stops at once\n")


@contextmanager
def _stopping(quiet: bool) -> Iterator[_Press]:
    press = _Press(quiet)
    before = signal.signal(signal.SIGINT, press.handle)
    try:
        yield press
    finally:
        # Once pressed, everything is safe: another press on the way out must not change the exit code.
        signal.signal(signal.SIGINT, signal.SIG_IGN if press.pressed else before)


class _Talk:
    """What is said on stderr: the count before, progress with rate and time left, the sum in the end."""

    def __init__(self, whole: Sweep, quiet: bool, start: int) -> None:
        self._whole, self._quiet, self._start = whole, quiet, start
        self._begun = time.monotonic()
        self._last = 0.0
        self._shown = False
        self.rows = 0
        self._by_status: dict[str, int] = {}
        if not quiet:
            rest = f", going on at {start:,}" if start else ""
            some = f", the first {whole.count:,}" if whole.count < whole.points.count else ""
            typer.echo(f"{whole.size_words}{some}, {whole.file.verb} at each{rest}", err=True)

    def __call__(self, rows: list[Row], upto: int) -> None:
        self.rows += len(rows)
        for row in rows:
            self._by_status[row["status"]] = self._by_status.get(row["status"], 0) + 1
        now = time.monotonic()
        # A terminal is told often, a log now and then.
        pause = 0.2 if sys.stderr.isatty() else 10.0
        if self._quiet or now - self._last < pause or now - self._begun < common.PROGRESS_AFTER:
            return
        self._last = now
        done, total = upto - self._start, self._whole.count - self._start
        pace = self.rows / (now - self._begun)
        left = (now - self._begun) * (total - done) / max(done, 1)
        share = f"{100 * upto / self._whole.count:.0f} %"
        text = f"{self._told(self.rows)}, {share}, {pace:,.0f}/s, {_time(left)} left"
        self._shown = sys.stderr.isatty()
        typer.echo(f"{common.CLEAR_LINE}{text}" if self._shown else text, err=True, nl=not self._shown)

    @staticmethod
    def _told(rows: int) -> str:
        from planner.plan.shown import counted  # noqa: PLC0415 (keeps --help fast)

        return counted(rows, "row")

    def done(self) -> None:
        if self._shown:
            typer.echo(common.CLEAR_LINE, err=True, nl=False)

    def sum_up(self, places: list[Path]) -> None:
        if self._quiet:
            return
        seconds = time.monotonic() - self._begun
        kinds = ", ".join(
            f"{count:,} {status}" for status, count in sorted(self._by_status.items(), reverse=True)
        )
        where = f" in {', '.join(map(str, places))}" if places else ""
        typer.echo(f"{self._told(self.rows)} ({kinds}) in {seconds:.1f} s{where}", err=True)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _tell_interrupted(talk: _Talk, journal: Journal | None) -> None:
    from planner.plan.shown import counted  # noqa: PLC0415 (keeps --help fast)

    if journal is None:
        typer.echo(f"interrupted after {counted(talk.rows, 'row')}", err=True)
        return
    safe = f"{counted(journal.rows, 'row')} safe in {journal.path}"
    typer.echo(f"interrupted: {safe}; the same command with --resume goes on", err=True)
