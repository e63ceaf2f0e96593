"""``planner validate``: predictions against measured runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from planner.errors import EXIT_ANSWER, EXIT_NO, PlannerError

CasesFile = Annotated[
    Path | None,
    typer.Option(
        "--cases", metavar="FILE", help="A case file, JSON or CSV; default: the shipped published runs."
    ),
]


def validate(
    cases: CasesFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/accuracy.md.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Also draw predicted against measured: .svg, .png or .html."
        ),
    ] = None,
    draws: Annotated[
        Path | None,
        typer.Option(
            "--draws",
            metavar="FILE",
            help="Also hold the bands of draws against the shipped runs (a minute), kept in FILE.",
        ),
    ] = None,
) -> None:
    """Predict measured runs of training and serving and say how far off the predictions are.

    Without --cases: the shipped runs, each predicted by a fit that had not seen its group. Exit code 0: every
    scored row was answered (of the shipped ones, known gaps do not count); 1: some were not (the reason
    stands beside them); 2: the file is not of the format.

    Example: planner validate --cases runs.json
    """
    from planner.validation.run import validate as check  # noqa: PLC0415 (keeps --help fast)

    if plot is not None:
        from planner.charts.save import check_path  # noqa: PLC0415 (an extra)

        check_path(plot)
    if draws is not None:
        _hold_draws(cases, draws)
    answer = check(path=cases)
    if plot is not None:
        from planner.charts.accuracy import accuracy  # noqa: PLC0415 (an extra)
        from planner.charts.save import save  # noqa: PLC0415

        save(accuracy(answer["cases"]), plot)
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=1, allow_nan=False) + "\n")
    else:
        from planner.validation.page import page, tables  # noqa: PLC0415 (not needed for --json)

        sys.stdout.write(page(answer) if markdown else tables(answer))
    raise typer.Exit(EXIT_NO if _unanswered(answer, shipped=cases is None) else EXIT_ANSWER)


def _hold_draws(cases: Path | None, kept: Path) -> None:
    """The bands of draws against the shipped runs, told and written down."""
    from planner.specs import SpecLibrary  # noqa: PLC0415 (keeps --help fast)
    from planner.validation import sampler  # noqa: PLC0415

    if cases is not None:
        raise PlannerError(
            "are held against the shipped runs, of which folds are known", file="--draws",
            hint="leave out --cases",
        )  # fmt: skip
    found = sampler.held_against(SpecLibrary.from_environment())
    sampler.keep(found, kept)
    typer.echo(f"{sampler.told(found)}; kept in {kept}", err=True)


def _unanswered(answer: dict[str, Any], shipped: bool) -> bool:
    """Among the shipped runs, what their table or the library lacks is a known gap, not a failure."""
    return any(
        item["scored"] and not item["answered"] and not (shipped and item.get("gap"))
        for item in answer["cases"]
    )
