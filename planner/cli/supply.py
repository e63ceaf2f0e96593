"""``planner supply``: when so many cards can be delivered, and what bounds it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.cli import common, complete


def supply(  # noqa: PLR0917 (the command line names them)
    system: common.SystemName,
    cards: Annotated[int, typer.Option("--cards", min=1, metavar="N", help="Cards wanted.")],
    by: Annotated[
        float | None,
        typer.Option("--by", metavar="MONTHS", help="The date to meet, in months from the order."),
    ] = None,
    second: Annotated[
        list[str] | None,
        typer.Option(
            "--second",
            metavar="SYSTEM",
            help="Another supplier's system, for a mix by then; may be repeated.",
            autocompletion=complete.systems,
        ),
    ] = None,
    confidence: Annotated[
        float,
        typer.Option("--confidence", metavar="P", help="Probability with which the cards have to be there."),
    ] = 0.5,
    one_job: Annotated[
        bool,
        typer.Option(
            "--one-job", help="One job spans the mix; else each kind of card is a cluster of its own."
        ),
    ] = False,
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", metavar="FILE", help="Train its workload on what has arrived."),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=NUMBER", help="A figure known better: wafer_starts=30000."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (supply/1) instead of text.")] = False,
    output: common.Output = None,
    chart: common.ChartFile = None,
) -> None:
    """Months until so many cards are delivered, the ramp, what bounds it, and the cost of a good package.

    Nearly all figures behind it are estimates with wide ranges; they are listed and can be replaced.
    Exit code 0: an answer; 1: not by the date; 2: bad input.

    Example: planner supply kunlun-p800-8 --cards 8192 --by 12 --second atlas-800t-a2
    """
    from planner import api  # noqa: PLC0415 (keeps --help fast)
    from planner.report.supply import text  # noqa: PLC0415

    as_json, output = common.place(as_json, output)
    if output is not None:
        common.check_output(output)
    if chart is not None:
        from planner.charts import check_path  # noqa: PLC0415

        check_path(chart)
    found = api.supply(
        system,
        cards=cards,
        by_months=by,
        second=second,
        confidence=confidence,
        one_job=one_job,
        scenario=scenario,
        set=sets,
    )
    answer = found.model_dump_json(indent=2) + "\n"
    if output is not None:
        common.write(output, answer)
    if chart is not None:
        from planner.charts import save  # noqa: PLC0415 (an extra)
        from planner.charts.risk import ramp  # noqa: PLC0415 (an extra)

        save(ramp(found), chart)
    sys.stdout.write(answer if as_json else text(found))
    raise typer.Exit(0 if found.feasible else 1)
