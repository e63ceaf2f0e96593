"""The memo on a terminal, or as plain text in a pipe or file."""

from __future__ import annotations

from io import StringIO
from typing import IO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from planner.plan.model import Plan
from planner.report.memo import footer, sections

PLAIN_WIDTH = 110
LABEL_WIDTH = 15
NARROWEST = 40


def render(plan: Plan, width: int = PLAIN_WIDTH) -> str:
    """The memo as plain text, no line wider than ``width`` columns but the headline, which is one line."""
    out = StringIO()
    console = Console(
        file=out, width=max(width, NARROWEST), color_system=None, markup=False, highlight=False, emoji=False
    )
    _write(plan, console)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def show(plan: Plan, file: IO[str], width: int | None = None) -> None:
    """Write the memo to ``file``: with colour on a terminal, plain otherwise."""
    if not file.isatty():
        file.write(render(plan, width or PLAIN_WIDTH))
        return
    _write(plan, Console(file=file, width=width, markup=False, highlight=False, emoji=False))


def _write(plan: Plan, console: Console) -> None:
    console.print(Text(plan.headline, style="bold green" if plan.feasible else "bold red"), soft_wrap=True)
    for section in sections(plan):
        heading = Text(f"\n{section.title}", style="bold")
        if section.anchor:
            heading.append(f"  {section.anchor}", style="dim")
        console.print(heading)
        table = Table.grid(padding=(0, 1))
        table.add_column(width=LABEL_WIDTH, overflow="fold", style="cyan")
        table.add_column(overflow="fold")
        for label, text in section.rows:
            table.add_row(Text(label), Text(text))
        console.print(Padding(table, (0, 0, 0, 2)))
    console.print(Text(f"\n{footer(plan)}", style="dim"))
