"""What a notebook shows of each answer: the figures that people look at first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.plan.service_parts import Latency
from planner.plan.shown import (
    counted,
    days,
    duration,
    number,
    percent,
    power,
    rate,
    spread,
    usd,
)

if TYPE_CHECKING:
    from planner.plan.bill import FabricBill
    from planner.plan.compare import Comparison
    from planner.plan.model import Plan
    from planner.plan.result import Fact
    from planner.plan.supply import SupplyPlan

SHOWN_ESTIMATES = 6


def plan_facts(plan: Plan) -> list[Fact]:
    """Of a plan, of training or of a service."""
    rows: list[Fact] = []
    if plan.cards is not None:
        rows.append(("cards", f"{plan.cards.total:,} of {plan.accelerator} in {plan.system}"))
    rows += _trains(plan) if plan.serving is None else _serves(plan)
    if plan.fabric is not None:
        net = plan.fabric
        rows.append(("fabric", f"{net.id}, {net.kind}, {counted(net.switches, 'switch')}"))
    if plan.facility is not None:
        hall = plan.facility
        drawn = power(hall.facility_design_megawatts)
        rows.append(("power", f"{drawn} on the design day, {counted(hall.racks.total, 'rack')}"))
    if plan.cost is not None:
        capex = plan.cost.capex_usd
        known = usd(capex) if capex is not None else f"not known: no price for {', '.join(plan.cost.missing)}"
        rows.append(("capital", known))
    if plan.nearest is not None:
        rows.append((f"nearest ({plan.nearest.what})", plan.nearest.why))
    rows.append((f"evidence {plan.evidence.grade}", plan.evidence.why))
    if plan.estimates:
        labels = [item.label for item in plan.evidence.estimates[:SHOWN_ESTIMATES]]
        more = plan.estimates - len(labels)
        rows.append(("estimates", ", ".join(labels) + (f" and {more} more" if more > 0 else "")))
    return rows


def _trains(plan: Plan) -> Iterator[Fact]:
    bands = plan.bands
    if plan.layout is not None:
        yield "layout", plan.layout.short()
    if plan.performance is not None:
        speed = plan.performance
        yield "time", f"{days(speed.days)}{spread(bands.days if bands else None)}"
        yield "rate", f"{rate(speed.tokens_per_second)}, MFU {percent(speed.mfu)}"


def _serves(plan: Plan) -> Iterator[Fact]:
    served, bands = plan.serving, plan.bands
    assert served is not None
    yield "mode", f"{served.mode}, {plan.workload.precision}: {served.verdict}"
    most = f"{number(served.most_requests_per_second)}{spread(bands.requests_per_second if bands else None)}"
    yield "requests a second", f"{number(served.requests_per_second)}; most within the latencies {most}"
    for name, latency in (("TTFT", served.ttft), ("TPOT", served.tpot)):
        if latency is not None:
            yield name, _latency(latency)
    yield "yield", f"{number(served.output_tokens_per_second_per_card)} tokens/s of a card"
    for row in served.cost_per_million:
        if row.usd is not None:
            yield f"a million tokens at {percent(row.load, 0)} load", usd(row.usd)


def _latency(latency: Latency) -> str:
    return f"{duration(latency.mean)} on the mean, {duration(latency.quantile)} at the target's percentile"


def comparison_facts(found: Comparison) -> list[Fact]:
    """Of a comparison: what was asked; its contenders are a table."""
    rows = [("workload", found.workload), ("limit", found.limit)]
    rows += [(f"{item.system} has no plan", item.refused) for item in found.contenders if item.refused]
    return rows + [("note", note) for note in found.notes]


def bill_facts(bill: FabricBill) -> list[Fact]:
    """Of a bill of networks."""
    over = f", {number(bill.oversubscription)}:1" if bill.oversubscription > 1 else ""
    rows = [
        ("fabric", f"{bill.fabric}, {bill.kind}{over}, switches of {bill.radix} ports"),
        ("tiers", ", ".join(f"{tier.switches:,} {tier.name}" for tier in bill.tiers)),
        ("draw", power((bill.switch_watts + bill.transceiver_watts) / 1e6)),
    ]
    prices = (bill.switches_usd, bill.transceivers_usd, bill.cables_usd)
    known = [price for price in prices if price is not None]
    rows.append(("price", usd(sum(known)) if len(known) == len(prices) else "not known: a price is missing"))
    return [(label, text) for label, text in rows if text]


def supply_facts(plan: SupplyPlan) -> list[Fact]:
    """Of deliveries."""
    scarce = max(plan.limited_by, key=lambda name: plan.limited_by[name])
    middle = plan.packages_per_month
    rows = [
        ("good packages a month", f"{number(middle.p50)}{spread(middle)}"),
        ("scarcest", f"{scarce} ({percent(plan.limited_by[scarce], 0)} of the draws)"),
        ("yield of a die", f"{number(plan.die_yield.p50)}{spread(plan.die_yield)}"),
    ]
    if plan.by_probability is not None and plan.by_months is not None:
        rows.append((f"all by month {plan.by_months:g}", f"{percent(plan.by_probability, 0)} sure"))
    return [*rows, ("note", plan.note)]
