"""``planner evaluate``: this many cards, in this layout or the best one."""

from __future__ import annotations

from typing import Annotated

import typer

from planner.cli import common

LayoutText = Annotated[
    str | None,
    typer.Option(
        "--layout",
        metavar="tp=8,pp=16,...",
        help="The layout: tp, pp, vpp, dp, cp, ep, etp, micro_batch, recompute, sharding, sequence_parallel, "
        "and the switches of docs/scenario.md. "
        "What is left out is chosen as the best (with dp given: tp, pp and cp left out are 1). "
        "Default: the best layout.",
    ),
]
CardCount = Annotated[
    int | None,
    typer.Option(
        "--cards", min=1, metavar="N", help="Cards bought; default: what the scenario allows at most."
    ),
]


def evaluate(  # noqa: PLR0917 (the command line names them)
    scenario: common.ScenarioFile,
    layout: LayoutText = None,
    cards: CardCount = None,
    sets: common.Sets = None,
    as_json: common.AsJson = False,
    output: common.Output = None,
    no_estimates: common.NoEstimates = False,
    space: common.ShowSpace = False,
    threads: common.Threads = None,
    quiet: common.Quiet = False,
    samples: common.Samples = 0,
    charts: common.ChartsFolder = None,
) -> None:
    """Evaluate a cluster of a given size, in a named layout or the best one.

    A named layout is evaluated exactly, lawful or not: the answer says which rule it breaks, or how far
    behind the best it is. Exit code 0: it works and meets the target; 1: it does not; 2: bad input.

    Example: planner evaluate examples/llama3-405b-h100.toml --layout tp=8,pp=16
    """
    from planner import api  # noqa: PLC0415 (keeps --help fast)

    sets_and_threads = common.overrides(sets, threads)
    if space:
        typer.echo(api.space(scenario, set=sets_and_threads).model_dump_json(indent=2))
        return
    more = {"--layout": layout, "--cards": cards, "--no-estimates": no_estimates}
    more |= {"--samples": samples or None}
    common.answer(
        lambda watch, interrupt: api.evaluate(
            scenario,
            layout=layout,
            cards=cards,
            set=sets_and_threads,
            no_estimates=no_estimates,
            progress=watch,
            interrupt=interrupt,
            command=common.command_line("evaluate", scenario, sets, more),
            samples=samples,
        ),
        as_json=as_json,
        output=output,
        quiet=quiet,
        charts=charts,
    )
