"""What all charts share: colours, sizes, and tables of rows as data."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import altair as alt

WIDTH, HEIGHT = 420, 240
PALETTE = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")
"""Colours that stay apart in print and for most colour-blind readers, largest part first."""

SPACED = alt.Axis(labelOverlap="greedy", labelSeparation=8)
"""Numbers that would touch are left out."""
FEW = alt.Axis(tickCount=3, format=",.3~r", labelOverlap="greedy", labelSeparation=8)
"""Of a narrow chart."""

Row = Mapping[str, object]


def data(rows: Sequence[Row]) -> alt.InlineData:
    """Rows as inline data: no data frame is needed."""
    return alt.InlineData(values=[dict(row) for row in rows])


def words(name: str) -> str:
    """``side_networks_watts`` as people write it."""
    for unit in ("_usd", "_watts", "_megawatts", "_seconds", "_bytes"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


Drawn = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart | alt.VConcatChart
"""What the chart functions give."""


LINE = 108
"""Letters of a headline that fit over a page of charts."""


def headed(headline: str) -> alt.TitleParams:
    """The first line of an answer over a page of charts, broken where it is too long for the page."""
    return alt.TitleParams(textwrap.wrap(headline, LINE), anchor="start", fontSize=13, offset=14)


def empty(title: str, why: str) -> Drawn:
    """A chart that says why there is nothing to show."""
    base = alt.Chart(data([{"why": why}]), title=titled(title, ""), width=WIDTH, height=40)
    drawn: Drawn = base.mark_text(size=12, color="#555").encode(text="why:N")
    return drawn


def titled(title: str, subtitle: str) -> alt.TitleParams:
    """A title, broken where it is too long, with a grey line under it."""
    lines = textwrap.wrap(title, LINE)
    return alt.TitleParams(
        lines if len(lines) > 1 else title, subtitle=subtitle, anchor="start", subtitleColor="#666"
    )
