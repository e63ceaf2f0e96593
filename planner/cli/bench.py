"""``planner bench``: how fast this machine searches and evaluates."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def bench(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases by name; all if none is named.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="About how long to evaluate with the bounds off, per case.")
    ] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per case.")] = False,
) -> None:
    """How fast this machine searches (all cores, bounds on) and evaluates (one core, bounds off).

    Example: planner bench gpt3-175b-1024-a100 --seconds 0.1
    """
    from planner.bench import CASES, measure  # noqa: PLC0415

    if not as_json:
        typer.echo(
            f"{'case':34s} {'search':>9s} {'first plan':>10s} {'peak':>8s} {'candidates':>17s} "
            f"{'disposed/s':>12s} "
            f"{'evaluated':>10s} {'per s and core':>15s} {'one, cold':>10s}"
        )
    for case in cases or CASES:
        found = measure(case, seconds)
        if as_json:
            typer.echo(json.dumps(asdict(found)))
            continue
        peak = "-" if found.peak_bytes is None else f"{found.peak_bytes / 1e6:.0f} MB"
        typer.echo(
            f"{found.case:34s} {found.search_seconds:7.2f} s {found.first_plan_seconds * 1e3:7.0f} ms "
            f"{peak:>8s} "
            f"{found.candidates:17,d} {found.candidates_per_second:12.3g} {found.evaluated:10,d} "
            f"{found.evaluations_per_second:15,.0f} {found.cold_evaluation_seconds * 1e3:7.2f} ms"
        )
