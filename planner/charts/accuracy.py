"""Predicted against measured step times, one small chart per chip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from planner.charts.style import PALETTE, Drawn, data, empty, titled
from planner.software import profiles

SIDE = 150
COLUMNS = 4
ROOM = 1.25
"""Factor by which the axes of a chart reach beyond its runs."""
KINDS = {False: "dense", True: "mixture of experts"}


def accuracy(cases: Sequence[Mapping[str, Any]]) -> Drawn:
    """Scored training cases of ``planner validate``, one chart a chip.

    Each has logarithmic axes of its own, the line of no error and a band of 20 % about it.

    Args:
        cases: ``cases`` of the answer; those without a prediction, and serving, are left out.
    """
    training = {item.id for item in profiles()}
    chips: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        if case.get("scored") and case.get("software") in training and case["error"] is not None:
            chips.setdefault(case["hardware"], []).append(
                {
                    "id": case["id"],
                    "kind": KINDS[bool(case.get("experts"))],
                    "measured": float(f"{case['measured']:.4g}"),
                    "predicted": float(f"{case['predicted']:.4g}"),
                }
            )
    if not chips:
        return empty("Predicted against measured", "no case has a prediction")
    drawn = [_chip(name, chips[name]) for name in sorted(chips)]
    rows = [alt.hconcat(*drawn[i : i + COLUMNS], spacing=14) for i in range(0, len(drawn), COLUMNS)]
    whole: Drawn = (
        alt.vconcat(*rows, spacing=12)
        .resolve_scale(color="shared")
        .properties(
            title=titled(
                "Predicted against measured seconds of a step",
                "line: no error; band: 20 % either way; a point above the line is pessimistic",
            )
        )
    )
    return whole


def _chip(name: str, rows: Sequence[Mapping[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    values = [row[key] for row in rows for key in ("measured", "predicted")]
    low, high = min(values) / ROOM, max(values) * ROOM
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    axis = alt.Axis(format="~g", values=_ticks(low, high), grid=False)
    ends = [{"measured": end, "low": end / 1.2, "none": end, "high": end * 1.2} for end in (low, high)]
    x = alt.X("measured:Q", scale=scale, axis=axis, title=None)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis, title=None)

    base = alt.Chart(data(ends)).encode(x=x)
    band = base.mark_area(color="#eee", clip=True).encode(y=y("low"), y2="high:Q")
    line = base.mark_line(color="#999", strokeWidth=1).encode(y=y("none"))
    colours = alt.Scale(domain=list(KINDS.values()), range=[PALETTE[0], PALETTE[2]])
    points = (
        alt.Chart(data(rows))
        .mark_circle(size=14, opacity=0.75, clip=True, aria=False)
        .encode(
            x=x,
            y=y("predicted"),
            color=alt.Color("kind:N", scale=colours, title=None),
        )
    )
    title = alt.TitleParams(f"{name} ({len(rows)})", fontSize=10, anchor="start")
    return alt.layer(band, line, points, width=SIDE, height=SIDE, title=title)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten within the axis; more apart where there are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [step * 10.0**power for power in decades for step in (1, 2, 5)]
    fine = [tick for tick in fine if low <= tick <= high]
    return fine if len(fine) <= 5 else [10.0**power for power in decades if low <= 10.0**power <= high]
