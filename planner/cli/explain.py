"""``planner explain``: where the time and the memory go, and what one more unit of each resource is worth."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.cli import common
from planner.errors import EXIT_ANSWER, EXIT_NO

LayoutText = Annotated[
    str | None,
    typer.Option("--layout", metavar="tp=8,pp=16,...", help="As for evaluate; default: the best layout."),
]


def explain(  # noqa: PLR0917 (the command line names them)
    scenario: common.ScenarioFile,
    layout: LayoutText = None,
    cards: Annotated[int | None, typer.Option("--cards", min=1, metavar="N", help="As for evaluate.")] = None,
    sets: common.Sets = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (explain/1).")] = False,
    threads: common.Threads = None,
) -> None:
    """Explain a plan: its step time and memory by cause, and the value of 10 % more of each resource.

    Of a service also the formula and the terms of each figure.

    Exit code 0: explained; 1: no design answers the scenario; 2: bad input.

    Example: planner explain examples/cloudmatrix-384.toml --json > account.json
    """
    from planner import api  # noqa: PLC0415 (keeps --help fast)
    from planner.plan.explained import Explanation  # noqa: PLC0415
    from planner.report import explain as trained  # noqa: PLC0415
    from planner.report import service_explain as served  # noqa: PLC0415

    answer = api.explain(scenario, set=common.overrides(sets, threads), layout=layout, cards=cards)
    if as_json:
        text = answer.to_json(1) + "\n"
    else:
        text = trained.text(answer) if isinstance(answer, Explanation) else served.text(answer)
    sys.stdout.write(text)
    raise typer.Exit(EXIT_ANSWER if answer.feasible else EXIT_NO)
