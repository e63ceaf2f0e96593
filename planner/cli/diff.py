"""``planner diff``: what changed between two answers, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli import common
from planner.errors import EXIT_ANSWER, EXIT_NO

if TYPE_CHECKING:
    from planner.difference import Side
    from planner.specs import SpecLibrary

First = Annotated[
    Path, typer.Argument(metavar="A", help="A plan (.json) or a scenario (.toml); - reads a plan.")
]
Second = Annotated[Path, typer.Argument(metavar="B", help="The other one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (difference/1) instead of text.")]


def diff(a: First, b: Second, sets: common.Sets = None, as_json: AsJson = False) -> None:
    """What changed from A to B and why: waterfalls in days, MW and money, with paired bands.

    Scenarios are sized; --set changes scenarios on both sides. A plan's question is asked again by its own
    command, where that still gives the same problem. Exit code 0: both are feasible; 1: one is not; 2: bad
    input.

    Example: planner diff plan.json examples/cloudmatrix-384.toml
    """
    from planner.difference import difference  # noqa: PLC0415 (keeps --help fast)
    from planner.difference.text import text  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415

    library = SpecLibrary.from_environment()
    found = difference(_side(a, library, sets or []), _side(b, library, sets or []))
    typer.echo(found.to_json() if as_json else text(found), nl=as_json)
    raise typer.Exit(EXIT_ANSWER if all(found.feasible) else EXIT_NO)


def _side(path: Path, library: SpecLibrary, sets: list[str]) -> Side:
    from planner.cli.report import read_plan  # noqa: PLC0415
    from planner.difference import side_of_plan, side_of_scenario  # noqa: PLC0415

    if path.suffix == ".toml":
        return side_of_scenario(path, library, sets)
    return side_of_plan(path.stem if str(path) != "-" else "stdin", read_plan(path), library)
