"""Charts of one plan."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from planner.charts.style import (
    HEIGHT,
    PALETTE,
    SPACED,
    WIDTH,
    Drawn,
    Row,
    data,
    empty,
    headed,
    titled,
    words,
)
from planner.plan.model import Plan

AXIS_WORDS = {
    "cards": "cards",
    "facility_megawatts": "MW at the grid, design day",
    "capex_usd": "capital, M USD",
    "days": "days",
    "tokens_per_second": "tokens/s",
    "tco_usd_per_year": "cost of a year, M USD",
    "energy_mwh_per_year": "MWh a year",
}
_IN_MILLIONS = ("capex_usd", "tco_usd_per_year")
LEAST_SHARE = 0.002
"""Parts below this share of their whole are not labelled."""
RACK_UNITS = 42


def front(plan: Plan) -> Drawn:
    """The Pareto front over its first two axes that differ; colour is the cooling kind, shape the system."""
    rows = [_front_row(plan, index) for index in range(len(plan.front))]
    axes = [name for name in plan.front_axes if len({row[name] for row in rows}) > 1]
    if not rows:
        return empty("Pareto front", "there is no plan")
    if len(axes) < 2:
        return empty("Pareto front", "the front is one point: one plan is best on every axis")
    x, y = axes[:2]
    points = (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=70, opacity=0.85)
        .encode(
            x=alt.X(f"{x}:Q", title=AXIS_WORDS.get(x, x), axis=SPACED, scale=alt.Scale(zero=False)),
            y=alt.Y(f"{y}:Q", title=AXIS_WORDS.get(y, y), scale=alt.Scale(zero=False)),
            color=alt.Color("cooling:N", scale=alt.Scale(range=list(PALETTE)), title="cooling"),
            shape=alt.Shape("system:N", title="system"),
            tooltip=[f"{name}:{'Q' if name in AXIS_WORDS else 'N'}" for name in rows[0]],
        )
    )
    chosen = (
        alt.Chart(data([_chosen(plan)]))
        .mark_point(shape="cross", size=220, color="black", strokeWidth=2)
        .encode(x=f"{x}:Q", y=f"{y}:Q")
    )
    title = titled("Pareto front", f"{plan.front_total:,} points, {len(rows):,} shown; the cross is the plan")
    return alt.layer(points, chosen).properties(title=title, width=WIDTH, height=HEIGHT)


def _front_row(plan: Plan, index: int) -> dict[str, object]:
    summary = plan.front[index]
    row: dict[str, object] = {name: _axis(summary, name) for name in plan.front_axes}
    return {**row, "system": summary.system, "cooling": summary.cooling, "power cap": summary.power_cap}


def _axis(holder: object, name: str) -> float | None:
    value = getattr(holder, name, None)
    return value / 1e6 if value is not None and name in _IN_MILLIONS else value


def _chosen(plan: Plan) -> Row:
    facility, cost, performance = plan.facility, plan.cost, plan.performance
    assert plan.cards is not None
    assert facility is not None
    assert cost is not None
    assert performance is not None
    values: dict[str, float | None] = {
        "cards": plan.cards.total,
        "facility_megawatts": facility.facility_design_megawatts,
        "capex_usd": None if cost.capex_usd is None else cost.capex_usd / 1e6,
        "days": performance.days,
        "tokens_per_second": performance.tokens_per_second,
        "tco_usd_per_year": None if cost.tco_usd_per_year is None else cost.tco_usd_per_year / 1e6,
    }
    return values


def power(plan: Plan) -> Drawn:
    """Where the power goes, in megawatts at the grid over the year."""
    if plan.facility is None:
        return empty("Power", "there is no plan")
    small = plan.facility.facility_megawatts < 1.0
    unit, watts_each = ("kW", 1e3) if small else ("MW", 1e6)
    parts = {words(name): watts / watts_each for name, watts in plan.facility.power.items()}
    title = titled(
        "Power at the grid, annual mean",
        f"{plan.facility.facility_megawatts * 1e6 / watts_each:.4g} {unit}, of them "
        f"{plan.facility.it_megawatts * 1e6 / watts_each:.4g} {unit} of IT",
    )
    return _bars(parts, unit, title)


def caps(plan: Plan) -> Drawn:
    """Clock, throughput and power of the same design under power caps, as shares of those at full power."""
    points = plan.facility.caps if plan.facility is not None else []
    if len(points) < 2:
        return empty("Power caps", "there is no curve")
    full = points[0]
    rows = [
        {"cap": point.power_cap, "what": what, "share": share}
        for point in points
        for what, share in (
            ("clock", point.clock / full.clock),
            ("tokens/s", point.tokens_per_second / full.tokens_per_second),
            ("MW at the grid", point.facility_design_megawatts / full.facility_design_megawatts),
            ("tokens/J", point.tokens_per_joule / full.tokens_per_joule),
        )
    ]
    drawn: Drawn = (
        alt.Chart(data(rows))
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "cap:Q", title="cap, of board power", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)
            ),
            y=alt.Y("share:Q", title="of full power", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)),
            color=alt.Color("what:N", scale=alt.Scale(range=list(PALETTE)), title=None),
        )
        .properties(
            title=titled("Under a power cap", "the same cards in the same layout"), width=WIDTH, height=HEIGHT
        )
    )
    return drawn


def cost(plan: Plan) -> Drawn:
    """What a year costs, in millions of dollars, by part; parts without a price are named in the title."""
    if plan.cost is None:
        return empty("Cost", "there is no plan")
    parts = {words(name): usd / 1e6 for name, usd in plan.cost.parts.items() if usd is not None}
    missing = f"; no price for {', '.join(plan.cost.missing)}" if plan.cost.missing else ""
    total = "not known" if plan.cost.capex_usd is None else f"{plan.cost.capex_usd / 1e6:,.4g} M USD"
    return _bars(parts, "M USD", titled("Capital", f"{total}{missing}"))


def _bars(parts: dict[str, float], unit: str, title: alt.TitleParams) -> Drawn:
    whole = sum(parts.values())
    kept = {name: value for name, value in parts.items() if value > LEAST_SHARE * whole}
    if not kept:
        return empty(str(title.text), "no part is known")
    rows = [
        {"part": name, "value": value, "label": f"{value:,.3g} {unit} ({value / whole:.0%})"}
        for name, value in sorted(kept.items(), key=lambda item: -item[1])
    ]
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("part:N", sort=[str(row["part"]) for row in rows], title=None),
        x=alt.X("value:Q", title=unit, scale=alt.Scale(domainMax=1.35 * max(kept.values()), nice=False)),
    )
    bars = base.mark_bar(color=PALETTE[0])
    labels = base.mark_text(align="left", dx=4).encode(text="label:N")
    return alt.layer(bars, labels).properties(title=title, width=WIDTH, height=26 * len(rows))


def racks(plan: Plan) -> Drawn:
    """Elevations of one rack of each type, with what it holds."""
    facility = plan.facility
    if facility is None or not facility.elevations:
        return empty("Racks", "there is no plan")
    rows: list[Row] = []
    order = []
    for rack in facility.elevations:
        name = f"{rack.kind} ({rack.racks:,})"
        order.append(name)
        place = 1.0
        for block in rack.blocks:
            for _ in range(block.count):
                rows.append(
                    {
                        "rack": name,
                        "from": place,
                        "to": place + block.units - min(0.12, 0.1 * block.units),
                        "what": block.name,
                    }
                )
                place += block.units
    base = alt.Chart(data(rows)).encode(
        x=alt.X("rack:N", sort=order, title=None, axis=alt.Axis(labelAngle=0, labelLimit=180)),
    )
    boxes = base.mark_bar(size=90, stroke="#444", strokeWidth=0.5).encode(
        y=alt.Y("from:Q", title="rack units", scale=alt.Scale(domain=[1, RACK_UNITS + 1])),
        y2="to:Q",
        color=alt.Color("what:N", scale=alt.Scale(range=list(PALETTE)), title="holds"),
    )
    heat = ", ".join(f"{rack.kind} {rack.kilowatts:.3g} kW" for rack in facility.elevations if rack.kilowatts)
    return alt.layer(boxes).properties(
        title=titled("One rack of each type", f"as drawn full: {heat}"), width=130 * len(order), height=340
    )


def fabric(plan: Plan) -> Drawn:
    """A sketch of the fabric: its tiers, and the links between them."""
    net = plan.fabric
    if net is None or plan.facility is None:
        return empty("Fabric", "there is no plan")
    tiers = [("servers", plan.facility.servers), *((tier.name, tier.switches) for tier in net.tiers)]
    return sketch(tiers, [link.count for link in net.links], f"{net.id}, {net.kind}")


MOST_DOTS = 16


def sketch(tiers: Sequence[tuple[str, int]], links: Sequence[int], subtitle: str) -> Drawn:
    """Tiers as rows of boxes, at most 16 drawn of each, with lines between neighbours and the true counts."""
    boxes: list[dict[str, object]] = []
    places: list[list[float]] = []
    for level, (name, count) in enumerate(tiers):
        drawn = min(count, MOST_DOTS)
        row = [(index + 0.5) / drawn for index in range(drawn)]
        places.append(row)
        boxes += [{"x": x, "y": level, "tier": name} for x in row]
    lines = [
        {"x": low, "y": level, "x2": high, "y2": level + 1}
        for level in range(len(tiers) - 1)
        for low in places[level]
        for high in places[level + 1]
    ]
    names = [
        {"x": 1.03, "y": level, "label": f"{count:,} {name}" + (" (16 drawn)" if count > MOST_DOTS else "")}
        for level, (name, count) in enumerate(tiers)
    ] + [
        {"x": 1.03, "y": level + 0.5, "label": f"{count:,} links"}
        for level, count in enumerate(links)
        if level + 1 < len(tiers)
    ]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, 1.45]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.3, len(tiers) - 0.7]))
    wires = (
        alt.Chart(data(lines))
        .mark_rule(color="#999", opacity=0.35, strokeWidth=0.6)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    )
    dots = (
        alt.Chart(data(boxes))
        .mark_square(size=170, opacity=1)
        .encode(x=x, y=y, color=alt.Color("tier:N", scale=alt.Scale(range=list(PALETTE)), legend=None))
    )
    text = alt.Chart(data(names)).mark_text(align="left", size=12).encode(x=x, y=y, text="label:N")
    return alt.layer(wires, dots, text).properties(
        title=titled("Fabric", subtitle), width=WIDTH + 160, height=70 * len(tiers)
    )


def overview(plan: Plan) -> Drawn:
    """All charts of a plan on one page."""
    facility = plan.facility
    # Services have no front and no curve of caps: a chart that says nothing is left out.
    charts = [front(plan)] if plan.front or facility is None else []
    if facility is not None:
        curve = [caps(plan)] if len(facility.caps) > 1 else []
        charts += [power(plan), *curve, cost(plan), racks(plan), fabric(plan)]
    page: Drawn = (
        alt.vconcat(*charts)
        .resolve_scale(color="independent", shape="independent")
        .properties(title=headed(plan.headline))
        .configure_view(stroke=None)
        .configure_axis(gridColor="#eee")
    )
    return page
