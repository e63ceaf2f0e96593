"""Predicted against measured step times, one small chart per chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from planner.charts.style import PALETTE, Drawn, data, empty, titled
from planner.software import profiles

SIDE = 130
COLUMNS = 4


def accuracy(cases: Sequence[Mapping[str, Any]]) -> Drawn:
    """Scored training cases of ``planner validate`` by chip, on logarithmic axes, with the line of no error.

    Args:
        cases: ``cases`` of the answer; those without a prediction, and serving, are left out.
    """
    training = {item.id for item in profiles()}
    rows = [
        {
            "chip": case["hardware"],
            "software": case["software"],
            "measured": float(f"{case['measured']:.4g}"),
            "predicted": float(f"{case['predicted']:.4g}"),
        }
        for case in cases
        if case.get("scored") and case.get("software") in training and case["error"] is not None
    ]
    if not rows:
        return empty("Predicted against measured", "no case has a prediction")
    ends = [min(row["measured"] for row in rows) / 1.5, max(row["measured"] for row in rows) * 1.5]
    scale = alt.Scale(type="log", domain=ends, nice=False)
    axis = alt.Axis(format="~g", tickCount=4, grid=False)
    base = alt.Chart().encode(x=alt.X("measured:Q", scale=scale, axis=axis, title="measured, s"))
    line = base.mark_line(color="#bbb", strokeWidth=1).encode(
        y=alt.Y("measured:Q", scale=scale, axis=axis, title="predicted, s")
    )
    points = base.mark_point(size=10, opacity=0.8).encode(
        y=alt.Y("predicted:Q", scale=scale, axis=axis, title="predicted, s"),
        color=alt.Color("software:N", scale=alt.Scale(range=list(PALETTE)), title="software"),
    )
    drawn: Drawn = (
        alt.layer(line, points, data=data(rows))
        .properties(width=SIDE, height=SIDE)
        .facet(facet=alt.Facet("chip:N", title=None), columns=COLUMNS)
        .properties(
            title=titled(
                "Predicted against measured step time", "grey: no error; a point above it is pessimistic"
            )
        )
    )
    return drawn
