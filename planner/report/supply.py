"""Deliveries for people."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.account import Band
from planner.plan.mix import Mix
from planner.plan.model import Plan
from planner.plan.shown import number, percent, rate, usd
from planner.plan.supply import SupplyPlan


def text(plan: SupplyPlan) -> str:
    """The answer as lines."""
    out = [plan.headline, ""]
    out.append(f"  good packages a month   {_band(plan.packages_per_month)} (of this buyer)")
    causes = ", ".join(f"{name} {percent(share, 0)}" for name, share in plan.limited_by.items() if share)
    out.append(f"  scarcest                {causes} (share of the draws)")
    out.append(f"  yield of a die          {_band(plan.die_yield)}")
    if plan.months is not None:
        out.append(f"  months until all        {_band(plan.months)}")
    if plan.package_usd is not None:
        band = plan.package_usd
        out.append(
            f"  cost of a good package  P10 {usd(band.p10)} · P50 {usd(band.p50)} · "
            f"P90 {usd(band.p90)} to its maker"
        )
    if plan.by_cards is not None and plan.by_probability is not None:
        out.append(
            f"  by month {plan.by_months:g}".ljust(26)
            + f"{_band(plan.by_cards)} cards; all of them with {percent(plan.by_probability, 0)}"
        )
    if plan.mix is not None:
        out += ["", *_mix(plan.mix)]
    out += ["", "  month        cards that have arrived (P10 - P50 - P90)"]
    for phase in plan.phases:
        trained = ""
        if phase.tokens_done is not None:
            speed = "" if phase.tokens_per_second is None else f"{rate(phase.tokens_per_second)}, "
            trained = f"   {speed}{number(phase.tokens_done)} tokens done"
        out.append(
            f"  {phase.month:5.0f}   {phase.p10:10,.0f} - {phase.p50:,.0f} - {phase.p90:,.0f}{trained}"
        )
    if plan.finished_month is not None:
        waiting = (
            "" if plan.waiting_month is None else f"; waiting for all cards: month {plan.waiting_month:.1f}"
        )
        out.append(f"  trained on what has arrived: done in month {plan.finished_month:.1f}{waiting}")
    out += ["", "  figures (value, low - high)"]
    for item in plan.figures:
        out.append(
            f"  {item.key:18}{number(item.value):>10} {item.unit:18} "
            f"{number(item.low)} - {number(item.high)}  {item.kind}, {item.file}"
        )
    out += ["", f"  {plan.note}"]
    return "\n".join(line.rstrip() for line in out) + "\n"


def rows(plan: Plan) -> Iterator[tuple[str, str]]:
    """Deliveries in the memo of a plan that has a date."""
    if plan.supply is not None and plan.supply.by_probability is not None:
        yield from told(plan.supply)
        yield "it rests on", plan.supply.note


def told(found: SupplyPlan) -> Iterator[tuple[str, str]]:
    """Deliveries held against a date, in a few rows."""
    months = "not all in sight" if found.months is None else f"{_band(found.months)} months"
    yield (
        "deliveries",
        f"{months}; by month {found.by_months or 0.0:g} with {percent(found.by_probability or 0.0, 0)}",
    )
    if found.by_cards is not None:
        yield "there by then", f"{_band(found.by_cards)} cards"
    if found.mix is not None:
        mix = found.mix
        ordered = ", ".join(f"{source.cards:,} {source.system}" for source in mix.sources)
        yield (
            "mix of suppliers",
            f"{ordered}: there by then with {percent(mix.probability, 0)}; {mix.meaning}",
        )


def _mix(mix: Mix) -> list[str]:
    """Who delivers what, how surely, and what the mix means."""
    verdict = "is there by then" if mix.meets else "is not sure enough by then"
    later = "" if mix.meets or mix.month is None else f", in month {mix.month:g} it would be"
    out = [
        f"  mix of suppliers        {verdict}: {percent(mix.probability, 0)} sure{later} "
        f"({mix.tried:,} mixes tried, {percent(mix.ordered, 0)} of what is wanted ordered)"
    ]
    for source in mix.sources:
        out.append(
            f"    {source.system:22}{source.cards:>9,} cards, {percent(source.share, 0)} of the compute; "
            f"one is worth {source.worth:.2f}; there by then {_band(source.by_cards)}, all of them with "
            f"{percent(source.probability, 0)}"
        )
    for item in mix.common:
        out.append(f"  slips go together       {item.cause} of {' and '.join(item.systems)}: {item.name}")
    if mix.common and mix.independent is not None:
        out.append(f"  were they independent   {percent(mix.independent, 0)} sure (the same orders)")
    out.append(f"  it means                {mix.meaning}")
    out.append(f"  cards are weighed by    {mix.worth_by}")
    return out


def _band(band: Band) -> str:
    return f"P10 {number(band.p10)} · P50 {number(band.p50)} · P90 {number(band.p90)}"
