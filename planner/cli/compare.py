"""``planner compare``: many systems, one workload, one limit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.cli import common, complete
from planner.errors import EXIT_ANSWER, EXIT_NO

Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="KEY=VALUE",
        help="The common limit: power=20MW (at the grid), money=200MUSD, racks=100, cards=1024, "
        "date=2026-12. It stands in place of the scenario's target and limits; may be repeated.",
    ),
]
Systems = Annotated[
    str | None,
    typer.Option(
        "--systems",
        metavar="A,B,...",
        help="Contenders; default: the scenario's systems.",
        autocompletion=complete.several_systems,
    ),
]


def compare(  # noqa: PLR0917 (the command line names them)
    scenario: common.ScenarioFile,
    limit: Limit = None,
    systems: Systems = None,
    sets: common.Sets = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (compare/1) instead of text.")] = False,
    output: common.Output = None,
    chart: common.ChartFile = None,
    no_estimates: common.NoEstimates = False,
    quiet: common.Quiet = False,
    samples: common.Samples = 0,
) -> None:
    """Set systems side by side under one limit: throughput, power, racks, cost, and why each loses.

    Exit code 0: at least one system has a plan; 1: none has; 2: bad input.

    Example: planner compare examples/cloudmatrix-384.toml --limit cards=384
    """
    from planner import api  # noqa: PLC0415 (keeps --help fast)

    as_json, output = common.place(as_json, output)
    _check(output, chart)
    shown = not quiet and sys.stderr.isatty()

    def seen(system: str) -> None:
        if shown:
            typer.echo(f"{common.CLEAR_LINE}{system}", err=True, nl=False)

    found = api.compare(
        scenario,
        limit=limit or (),
        systems=None if systems is None else [name.strip() for name in systems.split(",") if name.strip()],
        set=sets,
        no_estimates=no_estimates,
        seen=seen,
        samples=samples,
    )
    if shown:
        typer.echo(common.CLEAR_LINE, err=True, nl=False)
    text = found.model_dump_json(by_alias=True, indent=2) + "\n"
    if output is not None:
        common.write(output, text)
    if chart is not None:
        from planner.charts import save  # noqa: PLC0415 (an extra)
        from planner.charts.compare import overview  # noqa: PLC0415 (an extra)

        save(overview(found), chart)
    if not as_json:
        from planner.report.compare import render  # noqa: PLC0415 (rich is not needed for --json)

        text = render(found)
    sys.stdout.write(text)
    raise typer.Exit(EXIT_ANSWER if any(item.feasible for item in found.contenders) else EXIT_NO)


def _check(output: Path | None, chart: Path | None) -> None:
    if output is not None:
        common.check_output(output)
    if chart is not None:
        from planner.charts import check_path  # noqa: PLC0415 (keeps --help fast)

        check_path(chart)
