"""``planner doctor``: whether this installation is sound, and what it would use."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Annotated, Literal

import typer

from planner.cli import settings
from planner.errors import EXIT_ANSWER, EXIT_NO, PlannerError

State = Literal["ok", "note", "fault"]
Finding = tuple[State, str, str]
EXTRAS = {
    "calibrate": ("scipy",),
    "charts": ("altair", "vl_convert"),
    "dask": ("distributed",),
    "parquet": ("arro3.core", "arro3.io"),
    "report": ("jinja2", "altair", "vl_convert", "xlsxwriter"),
    "risk": ("scipy",),
    "sample": ("scipy",),
}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Check the installation: core, spec library, configuration, extras; say what counts.

    Exit code 0: sound; 1: something is broken (each with its remedy).

    Example: planner doctor
    """
    found = [finding for check in CHECKS for finding in check()]
    if as_json:
        names = ("state", "what", "detail")
        typer.echo(
            json.dumps([dict(zip(names, item, strict=True)) for item in found], indent=2, ensure_ascii=False)
        )
    else:
        for state, what, detail in found:
            typer.echo(f"{state:5s}  {what:14s} {detail}")
    raise typer.Exit(EXIT_NO if any(state == "fault" for state, *_ in found) else EXIT_ANSWER)


def _core() -> Iterator[Finding]:
    from planner import engine  # noqa: PLC0415

    yield "ok", "python", f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    try:
        yield "ok", "core", f"planner {engine.version()}"
    except PlannerError as fault:
        yield "fault", "core", " ".join(str(fault).split())


def _library() -> Iterator[Finding]:
    from planner.specs import SpecLibrary  # noqa: PLC0415

    try:
        library = SpecLibrary.from_environment()
        problems = library.problems
    except PlannerError as fault:
        yield "fault", "spec library", " ".join(str(fault).split())
        return
    for directory in library.directories:
        yield "ok", "spec library", str(directory)
    for problem in problems:
        yield "fault", "spec library", " ".join(str(problem).split())
    if not problems:
        counts = ", ".join(f"{len(library.ids(kind))} {kind}" for kind in library.kinds)
        yield "ok", "spec files", f"{counts} (`planner specs check` reads them all)"


def _settings() -> Iterator[Finding]:
    path = settings.config_path(os.environ)
    try:
        table = settings.read(os.environ)
    except PlannerError as fault:
        yield "fault", "configuration", " ".join(str(fault).split())
    else:
        said = f"{path}: {', '.join(table)}" if table else f"none ({path} is looked for)"
        yield "ok" if table else "note", "configuration", said
    for name, value in sorted(os.environ.items()):
        if name.startswith(f"{settings.PREFIX}_"):
            yield "note", "environment", f"{name}={value}"


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        lacking = [name for name in modules if not _is_there(name)]
        if lacking:
            yield (
                "note",
                f"extra {extra}",
                f"not installed ({', '.join(lacking)}): pip install 'planner[{extra}]'",
            )
        else:
            yield "ok", f"extra {extra}", "installed"


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (_core, _library, _settings, _extras)
