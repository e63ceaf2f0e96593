"""Charts of a report as Vega-Lite specifications, each with a name that a screen reader can say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from planner.plan.account import Band, Bands
from planner.plan.model import Plan
from planner.report import service_graphs
from planner.report.words import Words

WIDTH = 460
LEAST_SHARE = 0.002
"""Leaves below this share of their whole are not drawn."""
MOST_STAGES = 64
LEAST_FRONT = 2
"""Points that make a front."""
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")
GIB = 2.0**30
Spec = dict[str, Any]


def charts(plan: Plan, words: Words) -> dict[str, Spec]:
    """The charts of one plan by name; those for which it has no figures are left out."""
    makers: dict[str, Callable[[Plan, Words], Any]] = {
        "step": _step,
        "trade": service_graphs.trade,
        "pools": service_graphs.pools,
        "load": service_graphs.load,
        "bands": _bands,
        "swings": _swings,
        "memory": _memory,
        "layout": _layout,
        "fabric": _drawn("fabric"),
        "racks": _drawn("racks"),
        "power": _drawn("power"),
        "cost": _cost,
        "front": _drawn("front"),
        "goodput": _goodput,
        "ramp": _ramp,
    }
    return {
        name: _named(made, words(_caption(name, plan)), words)
        for name, make in makers.items()
        if (made := make(plan, words)) is not None
    }


def _caption(name: str, plan: Plan) -> str:
    """Key of a chart's name: what moves a service are its requests, not its days."""
    return "movers_service" if name == "swings" and plan.serving is not None else f"chart_{name}"


def comparison(plans: Sequence[Plan], names: Sequence[str], words: Words) -> Spec | None:
    """What several plans take and do, side by side with their ranges: of services also latencies."""
    alt = _altair()
    rows = [
        {"plan": name, "what": what, **{key: value * scale for key, value in band.model_dump().items()}}
        for name, plan in zip(names, plans, strict=True)
        if plan.bands is not None
        for what, band, scale in _compared(plan.bands, words)
        if band is not None
    ]
    if not rows:
        return None
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("plan:N", title=None, scale=alt.Scale(domain=list(names))),
        tooltip=["plan:N", "what:N", "p10:Q", "p50:Q", "p90:Q"],
    )
    ranges = base.mark_rule(strokeWidth=3, color=COLOURS[0]).encode(
        x=alt.X("p10:Q", title=None, scale=alt.Scale(zero=False)), x2="p90:Q"
    )
    middles = base.mark_point(filled=True, size=90, color=COLOURS[2]).encode(x="p50:Q")
    layered = alt.layer(ranges, middles).properties(width=260, height=30 * len(plans))
    made = layered.facet(facet=alt.Facet("what:N", title=None), columns=3).resolve_scale(x="independent")
    return _named(made, words("chart_compare"), words)


def _compared(bands: Bands, words: Words) -> list[tuple[str, Band | None, float]]:
    """What plans are compared by, with its unit; money in the units of the language."""
    money, unit = (1e-6, "M USD") if words.language == "en" else (1e-8 / words.rate.usd_per_cny, "亿元")
    return [
        (f"{words('duration')} ({words('days')})", bands.days, 1.0),
        (words("most_short"), bands.requests_per_second, 1.0),
        ("TTFT (ms)", bands.ttft_seconds, 1e3),
        ("TPOT (ms)", bands.tpot_seconds, 1e3),
        (words("power_short"), bands.facility_megawatts, 1.0),
        (f"{words('capex')} ({unit})", bands.capex_usd, money),
    ]


def _drawn(name: str) -> Callable[[Plan, Words], Any]:
    """A chart of `planner.charts.plan`, which draws one also where there is nothing to show."""

    def draw(plan: Plan, _words: Words) -> Any:
        from planner.charts import plan as drawn  # noqa: PLC0415 (altair)

        if plan.cards is None or (name == "front" and len(plan.front) < LEAST_FRONT):
            return None
        return getattr(drawn, name)(plan)

    return draw


def _ramp(plan: Plan, _words: Words) -> Any:
    """Deliveries, where the scenario has a date for them."""
    from planner.charts.risk import ramp  # noqa: PLC0415 (altair)

    return None if plan.supply is None else ramp(plan.supply)


def _goodput(plan: Plan, _words: Words) -> Any:
    """What other intervals between checkpoints would leave, where anything fails."""
    from planner.charts.risk import goodput  # noqa: PLC0415 (altair)

    return goodput(plan) if plan.reliability is not None and plan.reliability.at_intervals else None


def _cost(plan: Plan, words: Words) -> Any:
    if plan.cost is None:
        return None
    scale = 1e6 if words.language == "en" else 1e8 * words.rate.usd_per_cny
    unit = "M USD" if words.language == "en" else "亿元"
    parts = {
        name.removesuffix("_usd"): dollars / scale for name, dollars in plan.cost.parts.items() if dollars
    }
    return _bars(parts, unit, unit)


def _step(plan: Plan, words: Words) -> Any:
    leaves = plan.performance.breakdown if plan.performance else {}
    return _bars(
        {name.removesuffix("_seconds"): value for name, value in leaves.items()}, words("axis_seconds"), "s"
    )


def _memory(plan: Plan, words: Words) -> Any:
    leaves = plan.memory.breakdown if plan.memory else {}
    return _bars(
        {name.removesuffix("_bytes"): value / GIB for name, value in leaves.items()}, words("axis_gib"), "GiB"
    )


def _bars(leaves: dict[str, float], title: str, unit: str) -> Any:
    alt = _altair()
    whole = sum(leaves.values())
    rows = [
        {"part": name.replace("_", " "), "value": value, "share": value / whole, "unit": unit}
        for name, value in sorted(leaves.items(), key=lambda item: -item[1])
        if whole > 0 and value > LEAST_SHARE * whole
    ]
    if not rows:
        return None
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("part:N", sort=[row["part"] for row in rows], title=None),
        x=alt.X("value:Q", title=title),
        tooltip=[
            "part:N",
            alt.Tooltip("value:Q", format=".4g", title=unit),
            alt.Tooltip("share:Q", format=".1%"),
        ],
    )
    labels = base.mark_text(align="left", dx=4, fontSize=10).encode(text=alt.Text("share:Q", format=".1%"))
    return alt.layer(base.mark_bar(color=COLOURS[0]), labels).properties(width=WIDTH, height=22 * len(rows))


def _bands(plan: Plan, words: Words) -> Any:
    alt = _altair()
    bands = plan.bands.model_dump(exclude={"runs", "met"}) if plan.bands else {}
    rows = [
        {
            "what": name.replace("_", " "),
            **band,
            **{f"r{key[1:]}": band[key] / band["p50"] - 1 for key in band},
        }
        for name, band in bands.items()
        if isinstance(band, dict) and band["p50"] > 0
    ]
    if not rows:
        return None
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("what:N", title=None, sort=[row["what"] for row in rows]),
        tooltip=["what:N", *(alt.Tooltip(f"p{share}:Q", format=",.4g") for share in (10, 50, 90))],
    )
    ranges = base.mark_bar(height=8, color=COLOURS[6]).encode(
        x=alt.X("r10:Q", title=words("axis_over"), axis=alt.Axis(format="+.0%")), x2="r90:Q"
    )
    middles = base.mark_tick(thickness=3, color=COLOURS[2]).encode(x="r50:Q")
    return alt.layer(ranges, middles).properties(width=WIDTH, height=26 * len(rows))


def _swings(plan: Plan, words: Words) -> Any:
    alt = _altair()
    ends = [words("end_low"), words("end_high")]
    rows = [
        {"what": words.label(item.label), "end": end, "change": change}
        for item in plan.swings.get("days" if plan.serving is None else "requests_per_second", [])
        for end, change in ((ends[0], item.at_low), (ends[1], item.at_high))
    ]
    if not rows:
        return None
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(height=12)
        .encode(
            y=alt.Y(
                "what:N", sort=[row["what"] for row in rows[::2]], title=None, axis=alt.Axis(labelLimit=260)
            ),
            x=alt.X(
                "change:Q",
                title=words("axis_relative" if plan.serving is None else "axis_requests"),
                axis=alt.Axis(format="+.0%"),
            ),
            color=alt.Color("end:N", scale=alt.Scale(domain=ends, range=list(COLOURS[:2])), title=None),
            tooltip=["what:N", "end:N", alt.Tooltip("change:Q", format="+.2%")],
        )
        .properties(width=WIDTH, height=13 * len(rows))
    )


def _layout(plan: Plan, words: Words) -> Any:
    """One copy of the model: a column for each pipeline stage, a row for each tensor-parallel rank."""
    alt = _altair()
    layout = plan.layout
    if layout is None or layout.pp > MOST_STAGES:
        return None
    rows = [
        {"stage": stage + 1, "rank": rank + 1, "devices": layout.cp, "copies": layout.dp}
        for stage in range(layout.pp)
        for rank in range(layout.tp)
    ]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_rect(stroke="white")
        .encode(
            x=alt.X("stage:O", title=words("axis_stage"), axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("rank:O", title=words("axis_tp")),
            color=alt.Color("stage:O", legend=None, scale=alt.Scale(scheme="tableau20")),
            tooltip=[
                "stage:O",
                "rank:O",
                alt.Tooltip("devices:Q", title="cp"),
                alt.Tooltip("copies:Q", title="dp"),
            ],
        )
        .properties(
            width=max(WIDTH * min(layout.pp, 16) / 16, 60),
            height=min(18 * layout.tp, 300),
            title=alt.TitleParams(
                "",
                subtitle=f"tp {layout.tp} x pp {layout.pp} x cp {layout.cp} x dp {layout.dp}",
                anchor="start",
            ),
        )
    )


def _named(made: Any, name: str, words: Words) -> Spec:
    """The specification with its name, and its words in the language of the report."""
    spec: Spec = made.to_dict(validate=False) if not isinstance(made, dict) else made
    title = spec.pop("title", None)
    # The caption of the figure says what it is; a line below the title stays, where it is of this language.
    if (
        isinstance(title, dict)
        and title.get("subtitle")
        and (words.language == "en" or not title.get("text"))
    ):
        spec["title"] = {**title, "text": ""}
    spec = _translated(spec, words)
    spec["description"] = name
    spec.setdefault("config", {}).update({"view": {"stroke": None}, "font": "system-ui, sans-serif"})
    return spec


_NAMING = ("title", "text", "subtitle", "part", "what", "label", "rack")
"""Keys of a specification, and of its rows, whose texts people read."""


def _translated(item: Any, words: Words) -> Any:
    if isinstance(item, dict):
        return {
            key: words.translated(value)
            if key in _NAMING and isinstance(value, str)
            else [words.translated(entry) if isinstance(entry, str) else entry for entry in value]
            if key == "sort" and isinstance(value, list)
            else _translated(value, words)
            for key, value in item.items()
        }
    return [_translated(value, words) for value in item] if isinstance(item, list) else item


def _altair() -> Any:
    import altair  # noqa: PLC0415 (an extra; half a second)

    return altair
