"""The command ``planner``: its verbs, and what becomes of errors."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from planner.cli import settings
from planner.cli.bench import bench
from planner.cli.calibrate import calibrate
from planner.cli.compare import compare
from planner.cli.diff import diff
from planner.cli.doctor import doctor
from planner.cli.evaluate import evaluate
from planner.cli.explain import explain
from planner.cli.fabric import fabric
from planner.cli.report import report
from planner.cli.size import size
from planner.cli.specs import app as specs
from planner.cli.supply import supply
from planner.cli.sweep import sweep
from planner.cli.validate import validate
from planner.errors import EXIT_BAD_INPUT, EXIT_BUG, EXIT_INTERRUPTED, PlannerError

DEBUG_VARIABLE = "PLANNER_DEBUG"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Faults of the place that an answer is written to, not ours."""

YOUNG_OBJECTS = 100_000
"""Before the collector of cycles looks again: an answer makes some 300,000 objects and next to no cycles."""

app = typer.Typer(
    name="planner",
    help="Which cluster of AI accelerators meets this target, and what does it take?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(size)
app.command()(evaluate)
app.command()(sweep)
app.command()(report)
app.command()(diff)
app.command()(doctor)
app.command()(compare)
app.command()(fabric)
app.command()(explain)
app.command()(validate)
app.command()(calibrate)
app.command()(bench)
app.command()(supply)
app.add_typer(specs, name="specs")


def _version(wanted: bool) -> None:
    if wanted:
        from planner import version  # noqa: PLC0415

        typer.echo(f"planner {version()}")
        raise typer.Exit


@app.callback()
def planner(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which cluster of AI accelerators meets this target, and what does it take?"""


def run() -> None:
    """Console entry. Bad input is told on stderr (exit 2), a bug of ours without a traceback (exit 70)."""
    # We use no plugins of pydantic; looking for them reads the metadata of every package installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _collect_rarely()
    try:
        # A broken configuration must not keep anybody from help, or from finding out what is broken.
        plain = {"doctor", "--help", "--version"} & set(sys.argv[1:])
        app(default_map={} if plain else _settings(), prog_name="planner")
    except PlannerError as error:
        _leave(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _leave("interrupted", EXIT_INTERRUPTED)
    except OSError as error:
        if error.errno not in FULL:
            _bug(error)
        # What is left in the buffer would be tried, and told, once more on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _leave(f"error: the answer cannot be written: {error.strerror}", EXIT_BAD_INPUT)
    except Exception as error:
        _bug(error)


def _collect_rarely() -> None:
    """Spare a short process what is a fifth of its time: searching for cycles, most of it when it ends."""
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


def _bug(error: Exception) -> NoReturn:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exc()
    _leave(
        f"internal error: {type(error).__name__}: {str(error)[:300]}\n"
        "  This is a bug in planner, not in your input. Please report it with the command, the scenario\n"
        f"  and the output of a run with {DEBUG_VARIABLE}=1.{_stale()}",
        EXIT_BUG,
    )


def _stale() -> str:
    """What to do first in a checkout, whose compiled core may be that of other sources."""
    if not (Path(__file__).parents[2] / "Cargo.toml").exists():
        return ""
    return (
        "\n  If the sources changed since the core was built, build it first: maturin develop --release"
        " (or pip install .)."
    )


def _settings(verbs: typer.Typer = app) -> dict[str, Any]:
    """Defaults of options from the environment and the configuration file (`planner.cli.settings`)."""
    command: Any = typer.main.get_command(verbs)
    options = {
        verb: {
            opt.removeprefix("--"): parameter.name
            for parameter in found.params
            for opt in parameter.opts
            if opt.startswith("--")
        }
        for verb, found in command.commands.items()
        if not hasattr(found, "commands")
    }
    if os.environ.keys().isdisjoint({settings.SPEC_PATH_VARIABLE}):
        path = settings.spec_path(os.environ)
        if path is not None:
            os.environ[settings.SPEC_PATH_VARIABLE] = path
    return settings.defaults(os.environ, options)


def _leave(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)
