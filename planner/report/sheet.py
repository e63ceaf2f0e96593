"""Sections of labelled lines and plain tables, as text for a terminal, a pipe or a file."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from planner.report.memo import Section
from planner.report.text import LABEL_WIDTH, PLAIN_WIDTH

LONGEST_LABEL = 24
"""Characters of a label that stay on one line: ids of systems are up to so long."""


def sheet(headline: str, sections: Sequence[Section], footer: str, width: int = PLAIN_WIDTH) -> str:
    """A headline, sections and a last line, no line but the first wider than ``width``."""
    out = StringIO()
    console = Console(file=out, width=width, color_system=None, markup=False, highlight=False, emoji=False)
    console.print(Text(headline), soft_wrap=True)
    longest = max((len(label) for section in sections for label, _ in section.rows), default=0)
    label_width = max(LABEL_WIDTH, min(longest, LONGEST_LABEL))
    for section in sections:
        console.print(Text(f"\n{section.title}" + (f"  {section.anchor}" if section.anchor else "")))
        table = Table.grid(padding=(0, 1))
        table.add_column(width=label_width, overflow="fold")
        table.add_column(overflow="fold")
        for label, text in section.rows:
            table.add_row(Text(label), Text(text))
        console.print(Padding(table, (0, 0, 0, 2)))
    if footer:
        console.print(Text(f"\n{footer}"))
    return stripped(out)


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int = PLAIN_WIDTH) -> str:
    """A table: the first column to the left, the others to the right."""
    out = StringIO()
    console = Console(file=out, width=width, color_system=None, markup=False, highlight=False, emoji=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for index, heading in enumerate(headings):
        # Names stay whole: where room is short, other cells break.
        table.add_column(
            heading, justify="left" if index == 0 else "right", overflow="fold", no_wrap=index == 0
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    return stripped(out)


def stripped(out: StringIO) -> str:
    """Without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
