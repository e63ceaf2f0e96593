"""Charts of a comparison."""

from __future__ import annotations

import altair as alt

from planner.charts.style import FEW, PALETTE, WIDTH, Drawn, data, empty, titled
from planner.plan.compare import Comparison, Contender

STEPS = ("advertised", "matrix engine", "kernel", "step", "goodput")
MEASURES = (
    ("cards", "cards"),
    ("facility_megawatts", "MW, grid"),
    ("racks", "racks"),
    ("capex_usd", "capital, M USD"),
    ("tokens_per_joule", "tokens/J"),
)


def _ranked(comparison: Comparison) -> list[Contender]:
    return [item for item in comparison.contenders if item.feasible]


def throughput(comparison: Comparison) -> Drawn:
    """Effective throughput with its 80 % range, the best first."""
    ranked = _ranked(comparison)
    if not ranked:
        return empty("Throughput", "no system has a plan")
    most = max(item.tokens_per_second or 0.0 for item in ranked)
    unit, name = (1e6, "M tokens/s") if most >= 1e6 else (1e3, "k tokens/s")
    rows = [
        {
            "system": item.system,
            "rate": (item.tokens_per_second or 0.0) / unit,
            "low": None if item.tokens_per_second_band is None else item.tokens_per_second_band.p10 / unit,
            "high": None if item.tokens_per_second_band is None else item.tokens_per_second_band.p90 / unit,
            "origin": item.origin,
        }
        for item in ranked
    ]
    counted = "failures included" if comparison.kind == "training" else "output at the most"
    y = alt.Y("system:N", sort=[item.system for item in ranked], title=None)
    base = alt.Chart(data(rows)).encode(y=y)
    bars = base.mark_bar().encode(
        x=alt.X("rate:Q", title=f"{name}, {counted}"),
        color=alt.Color("origin:N", scale=alt.Scale(range=list(PALETTE)), title="origin"),
    )
    ranges = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    return alt.layer(bars, ranges).properties(
        title=titled(comparison.headline, f"{comparison.workload}; black: P10 to P90"),
        width=WIDTH,
        height=28 * len(rows),
    )


def measures(comparison: Comparison) -> Drawn:
    """Cards, power, racks, capital and tokens per joule of each, side by side."""
    ranked = _ranked(comparison)
    if not ranked:
        return empty("Measures", "no system has a plan")
    order = [item.system for item in ranked]
    charts = []
    for place, (name, title) in enumerate(MEASURES):
        scale = 1e6 if name == "capex_usd" else 1.0
        rows = [
            {"system": item.system, "value": value / scale}
            for item in ranked
            if (value := getattr(item, name)) is not None
        ]
        axis = alt.Axis() if place == 0 else alt.Axis(labels=False, ticks=False)
        charts.append(
            alt.Chart(data(rows), title=title)
            .mark_bar(color=PALETTE[0])
            .encode(
                y=alt.Y("system:N", sort=order, title=None, axis=axis, scale=alt.Scale(domain=order)),
                x=alt.X("value:Q", title=None, axis=FEW),
            )
            .properties(width=110, height=24 * len(order))
        )
    row: Drawn = alt.hconcat(*charts, spacing=8)
    return row


def latencies(comparison: Comparison) -> Drawn:
    """Of services: TTFT and TPOT at the target's percentile, yield of a card, cost of a million tokens."""
    ranked = [item for item in _ranked(comparison) if item.service is not None]
    if not ranked:
        return empty("Latencies", "no service has a plan")
    order = [item.system for item in ranked]
    rows = [
        {"system": item.system, "what": what, "value": value}
        for item in ranked
        if item.service is not None
        for what, value in (
            ("TTFT, s", item.service.ttft_seconds),
            ("TPOT, ms", None if item.service.tpot_seconds is None else 1e3 * item.service.tpot_seconds),
            ("tokens/s of a card", item.service.tokens_per_second_per_card),
            ("USD for a million at full load", item.service.usd_per_million[0].usd),
        )
        if value is not None
    ]
    drawn: Drawn = (
        alt.Chart(data(rows))
        .mark_bar(color=PALETTE[2])
        .encode(
            y=alt.Y("system:N", sort=order, title=None),
            x=alt.X("value:Q", title=None, axis=FEW),
            tooltip=["system:N", "what:N", alt.Tooltip("value:Q", format=",.4g")],
        )
        .properties(width=150, height=24 * len(order))
        .facet(
            facet=alt.Facet("what:N", title=None),
            columns=4,
        )
        .resolve_scale(x="independent")
    )
    return drawn


def waterfall(comparison: Comparison) -> Drawn:
    """From advertised to effective compute, as shares of what is advertised."""
    rows = [
        {"system": item.system, "step": step, "share": value / fall.advertised}
        for item in _ranked(comparison)
        if (fall := item.waterfall) is not None
        for step, value in zip(
            STEPS, (fall.advertised, fall.matrix_engine, fall.kernel, fall.step, fall.goodput), strict=True
        )
    ]
    if not rows:
        return empty("Effective compute", "no system has a plan")
    drawn: Drawn = (
        alt.Chart(data(rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("step:N", sort=list(STEPS), title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("share:Q", title="of the advertised dense peak", axis=alt.Axis(format="%")),
            color=alt.Color("system:N", scale=alt.Scale(range=list(PALETTE)), title=None),
        )
        .properties(
            title=titled("From advertised to effective compute", "dense, all active cards"),
            width=WIDTH + 120,
            height=220,
        )
    )
    return drawn


def overview(comparison: Comparison) -> Drawn:
    """All charts of a comparison on one page: of services with latencies, of training with its waterfall."""
    last = waterfall if comparison.kind == "training" else latencies
    page: Drawn = (
        alt.vconcat(throughput(comparison), measures(comparison), last(comparison))
        .resolve_scale(color="independent", y="independent")
        .configure_view(stroke=None)
        .configure_axis(gridColor="#eee")
    )
    return page
