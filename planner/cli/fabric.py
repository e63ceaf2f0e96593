"""``planner fabric``: the bill of materials of a network."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.cli import common, complete

KINDS = "rail-optimised, leaf-spine, multi-plane, dragonfly, slim-fly, full-mesh, torus"


def fabric(  # noqa: PLR0917 (the command line names them)
    system: common.SystemName,
    cards: Annotated[int, typer.Option("--cards", min=1, metavar="N", help="Cards to connect.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--fabric",
            metavar="ID",
            help="A file in fabrics/; default: the system's own.",
            autocompletion=complete.fabrics,
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help=f"One of {KINDS}; default: the fabric's usual.")
    ] = None,
    oversubscription: Annotated[
        float, typer.Option("--oversubscription", min=1, metavar="S", help="Of the top tier.")
    ] = 1.0,
    leaf_oversubscription: Annotated[
        float,
        typer.Option(
            "--leaf-oversubscription", min=1, metavar="S", help="Of the leaves, where there are three tiers."
        ),
    ] = 1.0,
    planes: Annotated[
        int | None,
        typer.Option("--planes", min=1, metavar="P", help="Of multi-plane; default: one per server port."),
    ] = None,
    reserved: Annotated[
        int, typer.Option("--reserved-ports", min=0, metavar="N", help="Leaf ports for other machines.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (fabric/1) instead of text.")] = False,
    output: common.Output = None,
) -> None:
    """Count the switches, cables, transceivers and ports that connect so many cards of a system.

    Exit code 0: the bill; 2: unknown names, or a fabric that cannot reach so far.

    Example: planner fabric dgx-h100 --cards 16384
    """
    from planner import api  # noqa: PLC0415 (keeps --help fast)

    as_json, output = common.place(as_json, output)
    if output is not None:
        common.check_output(output)
    found = api.fabric(
        system,
        cards=cards,
        fabric=name,
        kind=kind,
        oversubscription=oversubscription,
        leaf_oversubscription=leaf_oversubscription,
        planes=planes,
        reserved_ports=reserved,
    )
    text = found.model_dump_json(by_alias=True, indent=2) + "\n"
    if output is not None:
        common.write(output, text)
    if not as_json:
        from planner.report.bill import render  # noqa: PLC0415 (rich is not needed for --json)

        text = render(found)
    sys.stdout.write(text)
