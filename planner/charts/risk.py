"""Charts of what is uncertain: bands, tornado, goodput over the interval, the ramp of deliveries."""

from __future__ import annotations

import altair as alt

from planner.charts.style import HEIGHT, PALETTE, WIDTH, Drawn, data, empty, titled
from planner.plan.model import Plan
from planner.plan.supply import SupplyPlan

NAMES = {
    "cards": "cards needed",
    "days": "days",
    "facility_megawatts": "MW, annual mean",
    "facility_design_megawatts": "MW, design day",
    "capex_usd": "capital",
    "tco_usd_per_year": "cost of a year",
    "tokens_per_second": "tokens/s",
    "mfu": "MFU",
    "requests_per_second": "requests/s at most",
    "tpot_seconds": "TPOT",
    "ttft_seconds": "TTFT",
}


def bands(plan: Plan) -> Drawn:
    """P10 to P90 of every output over its P50."""
    found = dict(plan.risk.bands) if plan.risk is not None else {}
    if not found and plan.bands is not None:
        found = {name: getattr(plan.bands, name) for name in NAMES if hasattr(plan.bands, name)}
    rows = [
        {"output": NAMES.get(name, name), "p10": band.p10 / band.p50, "p90": band.p90 / band.p50, "p50": 1.0}
        for name, band in found.items()
        if band is not None and band.p50
    ]
    if not rows:
        return empty("Bands", "nothing has a band")
    y = alt.Y("output:N", title=None, sort=None)
    bars = (
        alt.Chart(data(rows))
        .mark_bar(height=14, color=PALETTE[0], opacity=0.6)
        .encode(x=alt.X("p10:Q", title="over the median", scale=alt.Scale(zero=False)), x2="p90:Q", y=y)
    )
    ticks = alt.Chart(data(rows)).mark_tick(color="black", thickness=2, size=22).encode(x="p50:Q", y=y)
    how = "draws of all ranges together" if plan.risk is None else f"{plan.risk.samples:,} draws"
    if plan.serving is not None and plan.risk is None:
        how = "one figure at a time, in quadrature"
    return alt.layer(bars, ticks).properties(
        title=titled("P10 to P90", how), width=WIDTH, height=max(60, 32 * len(rows))
    )


def tornado(plan: Plan, output: str = "days") -> Drawn:
    """What each input does to an output at the ends of its range, the largest on top."""
    swings = plan.swings.get(output, [])
    rows = [
        {"input": swing.label, "end": end, "change": 100 * value}
        for swing in swings
        for end, value in (("at low", swing.at_low), ("at high", swing.at_high))
    ]
    if not rows:
        return empty("Tornado", f"nothing moves {output}")
    chart = (
        alt.Chart(data(rows))
        .mark_bar(opacity=0.8)
        .encode(
            x=alt.X("change:Q", title=f"change of {NAMES.get(output, output)}, %"),
            y=alt.Y("input:N", title=None, sort=[swing.label for swing in swings]),
            color=alt.Color("end:N", title=None, scale=alt.Scale(range=list(PALETTE))),
        )
    )
    out: alt.Chart = chart.properties(
        title=titled("What moves it most", "each input alone, at the ends of its 80 % range"),
        width=WIDTH,
        height=max(60, 32 * len(swings)),
    )
    return out


def goodput(plan: Plan) -> Drawn:
    """Productive share over the interval between checkpoints."""
    failures = plan.reliability
    if failures is None or failures.checkpoint_interval_seconds is None or not failures.at_intervals:
        return empty("Goodput", "nothing fails, or there is no design")
    rows = [
        {"interval": at.interval_seconds / 60, "goodput": 100 * at.goodput} for at in failures.at_intervals
    ]
    best = [{"interval": failures.checkpoint_interval_seconds / 60, "goodput": 100 * failures.goodput}]
    x = alt.X("interval:Q", title="minutes between checkpoints", scale=alt.Scale(type="log", nice=False))
    y = alt.Y("goodput:Q", title="goodput, %", scale=alt.Scale(zero=False))
    shown = [alt.Tooltip("interval:Q", format=".3g"), alt.Tooltip("goodput:Q", format=".2f")]
    line = alt.Chart(data(rows)).mark_line(color=PALETTE[0], point=True).encode(x=x, y=y, tooltip=shown)
    point = alt.Chart(data(best)).mark_point(size=120, color="black").encode(x=x, y=y, tooltip=shown)
    return alt.layer(line, point).properties(
        title=titled("Goodput over the checkpoint interval", "the ring is the plan"),
        width=WIDTH,
        height=HEIGHT,
    )


def _stock(plan: SupplyPlan) -> dict[str, float]:
    """What is there when the order is placed."""
    stock = next((item for item in plan.figures if item.key == "stock"), None)
    if stock is None:
        return {"p10": 0.0, "p50": 0.0, "p90": 0.0}
    most = float(plan.cards)
    ends = {"p10": stock.low, "p50": stock.value, "p90": stock.high}
    return {name: min(float(value), most) for name, value in ends.items()}


def ramp(plan: SupplyPlan) -> Drawn:
    """Cards that have arrived by month, P10 to P90."""
    rows = [{"month": 0.0, **_stock(plan)}]
    rows += [{"month": p.month, "p10": p.p10, "p50": p.p50, "p90": p.p90} for p in plan.phases]
    x = alt.X("month:Q", title="months from the order")
    area = (
        alt.Chart(data(rows))
        .mark_area(opacity=0.3, color=PALETTE[0])
        .encode(x=x, y=alt.Y("p10:Q", title="cards"), y2="p90:Q")
    )
    line = alt.Chart(data(rows)).mark_line(color=PALETTE[0]).encode(x=x, y="p50:Q")
    wanted = alt.Chart(data([{"cards": plan.cards}])).mark_rule(strokeDash=[4, 4]).encode(y="cards:Q")
    return alt.layer(area, line, wanted).properties(
        title=titled("Deliveries", f"{plan.accelerator}: P10, P50, P90; estimates, not published figures"),
        width=WIDTH,
        height=HEIGHT,
    )
