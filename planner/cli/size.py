"""``planner size``: the cluster that meets a target, or the most that limits allow."""

from __future__ import annotations

import typer

from planner.cli import common


def size(  # noqa: PLR0917 (the command line names them)
    scenario: common.ScenarioFile,
    sets: common.Sets = None,
    as_json: common.AsJson = False,
    output: common.Output = None,
    no_estimates: common.NoEstimates = False,
    space: common.ShowSpace = False,
    threads: common.Threads = None,
    chart: common.ChartFile = None,
    charts: common.ChartsFolder = None,
    quiet: common.Quiet = False,
    samples: common.Samples = 0,
    confidence: common.PlanFor = None,
    sheet: common.SheetFile = None,
    time_limit: common.TimeLimit = None,
) -> None:
    """Find the cluster that meets a target, or the most that limits allow.

    A target alone: the fewest cards. Limits alone: the most throughput inside them. Both: yes or no, with
    the margin. Exit code 0: an answer; 1: the answer is no; 2: bad input; 130: interrupted (the best so far
    is printed).

    Example: planner size examples/kunlun-30k.toml --set target.days=240
    """
    from planner import api  # noqa: PLC0415 (keeps --help fast)

    sets = common.limited(sets, time_limit)
    sets_and_threads = common.overrides(sets, threads)
    if space:
        typer.echo(api.space(scenario, set=sets_and_threads).model_dump_json(indent=2))
        return
    command = common.command_line(
        "size",
        scenario,
        sets,
        {"--no-estimates": no_estimates, "--samples": samples or None, "--confidence": confidence},
    )
    common.answer(
        lambda watch, interrupt: api.size(
            scenario,
            set=sets_and_threads,
            no_estimates=no_estimates,
            progress=watch,
            interrupt=interrupt,
            command=command,
            samples=samples,
            confidence=confidence,
        ),
        as_json=as_json,
        output=output,
        quiet=quiet,
        chart=chart,
        charts=charts,
        sheet=sheet,
    )
