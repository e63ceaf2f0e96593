"""Charts of a service: speed of a user against yield of a card, its pools, their load, what moves it."""

from __future__ import annotations

from typing import Any

from planner.plan.model import Plan
from planner.plan.service_parts import ServicePool
from planner.report.words import Words

WIDTH = 460
LEAST_TRADE = 2
LEAST_SHARE = 0.002
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")


def trade(plan: Plan, words: Words) -> Any:
    """Tokens per second of a card against those of a user; the cross is the plan at its most."""
    alt = _altair()
    points = plan.serving.trade if plan.serving else []
    if len(points) < LEAST_TRADE or plan.serving is None:
        return None
    rows = [
        {
            "user": point.tokens_per_second_per_user,
            "card": point.tokens_per_second_per_card,
            "mode": words.name(point.mode),
            "layout": point.layout.short(),
            "batch": point.batch,
        }
        for point in points
    ]
    x = alt.X("user:Q", title=words("axis_user"), scale=alt.Scale(zero=False))
    y = alt.Y("card:Q", title=words("axis_card"))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, y=y)
    line = base.mark_line(color=COLOURS[8], strokeWidth=1)
    dots = base.mark_point(filled=True, size=60).encode(
        color=alt.Color("mode:N", title=None, scale=alt.Scale(range=list(COLOURS))),
        tooltip=[
            alt.Tooltip("user:Q", format=".3g"), alt.Tooltip("card:Q", format=".3g"), "mode:N", "layout:N",
            alt.Tooltip("batch:Q", format=".3g"),
        ],
    )  # fmt: skip
    layers = [line, dots]
    if plan.serving.tpot is not None:
        chosen = {
            "user": 1.0 / plan.serving.tpot.mean,
            "card": plan.serving.most_tokens_per_second_per_card,
        }
        layers.append(
            alt.Chart(alt.Data(values=[chosen]))
            .mark_point(shape="cross", size=180, color="black", strokeWidth=2)
            .encode(x="user:Q", y="card:Q")
        )
    return alt.layer(*layers).properties(width=WIDTH, height=260)


def pools(plan: Plan, words: Words) -> Any:
    """Where the time of a step of each pool goes."""
    alt = _altair()
    rows = [
        {"pool": _title(pool, words), "part": name.removesuffix("_seconds").replace("_", " "), "share": share}
        for pool in _pools(plan)
        for name, seconds in pool.performance.breakdown.items()
        if (share := seconds / (pool.performance.step_seconds or 1.0)) > LEAST_SHARE
    ]
    if not rows:
        return None
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("pool:N", title=None, axis=alt.Axis(labelLimit=200)),
            x=alt.X("share:Q", title=words("axis_step"), axis=alt.Axis(format="%")),
            color=alt.Color("part:N", title=None, scale=alt.Scale(range=[*COLOURS, "#b5a642", "#7a7a52"])),
            tooltip=["pool:N", "part:N", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(width=WIDTH - 80, height=50 * len(_pools(plan)) + 20)
    )


def load(plan: Plan, words: Words) -> Any:
    """Cards of the pools, and the share of what each carries that is in use."""
    alt = _altair()
    rows = [
        {"pool": _title(pool, words), "cards": pool.cards, "load": pool.performance.load}
        for pool in _pools(plan)
    ]
    if not rows:
        return None
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("pool:N", title=None, axis=alt.Axis(labelLimit=200))
    )
    bars = base.mark_bar(color=COLOURS[0]).encode(
        x=alt.X(
            "load:Q", title=words("axis_load"), axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1.15])
        ),
        tooltip=["pool:N", "cards:Q", alt.Tooltip("load:Q", format=".1%")],
    )
    labels = base.mark_text(align="left", dx=4).encode(x="load:Q", text=alt.Text("load:Q", format=".0%"))
    return alt.layer(bars, labels).properties(width=WIDTH - 80, height=40 * len(rows))


def _pools(plan: Plan) -> list[ServicePool]:
    return [pool for pool in plan.pools if isinstance(pool, ServicePool)]


def _title(pool: ServicePool, words: Words) -> str:
    return f"{words.name(pool.role)}: {pool.replicas:,} x {pool.layout.short()}"


def _altair() -> Any:
    import altair  # noqa: PLC0415 (an extra; half a second)

    return altair
