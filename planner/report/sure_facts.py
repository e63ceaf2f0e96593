"""Facts of a report on how sure a plan is and what its limits cost, in one language."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.account import Band
from planner.plan.model import Plan
from planner.plan.parts import Reliability
from planner.plan.prices import Price
from planner.plan.service_headline import percentile
from planner.plan.shown import duration, number, percent, scaled, signed_percent
from planner.report.words import Words

Fact = tuple[str, str]
_COUNTED = {"cards": "cards", "days": "days", "racks": "racks_unit"}
"""Units of things that are counted -> their phrase."""


def software(plan: Plan, words: Words) -> Iterator[str]:
    """On which software the plan rests, and whether experts tuned it."""
    found = plan.evidence
    if found.software is not None and found.tuning is not None:
        key = "headline_software" if found.software_asked else "headline_software_default"
        yield words(key, software=found.software, tuning=words(f"tuning_{found.tuning}"))


def latencies(plan: Plan, words: Words) -> Iterator[str]:
    """Latencies of a service at the percentages asked for: simulated where that confirms them."""
    served, target = plan.serving, plan.target
    if served is None:
        return
    ran = served.simulated if served.simulated is not None and served.simulated.confirmed else None
    shown = []
    for label, key in (("TTFT", "ttft"), ("TPOT", "tpot")):
        form = getattr(served, key)
        value = getattr(ran, f"{key}_quantile_seconds") if ran is not None else form and form.quantile
        at = percentile(getattr(target, f"{key}_percentile"), simulated=ran is not None)
        if value is not None:
            shown.append(f"{label} {at} {duration(value)}")
    if shown:
        key = "headline_closed" if ran is None else "headline_simulated"
        yield words(key, latencies=words.listed(shown))


def simulated(plan: Plan, words: Words) -> Iterator[Fact]:
    """What a simulation of a service measured, and what it refuted."""
    served = plan.serving
    if served is None or served.simulated is None:
        return
    found = served.simulated
    shown = {
        "requests": f"{found.requests:,}",
        "ttft": duration(found.ttft_quantile_seconds),
        "verdict": words("confirmed" if found.confirmed else "not_confirmed"),
    }
    if found.tpot_quantile_seconds is None:
        yield words("simulated"), words("simulated_items", **shown)
    else:
        tpot = duration(found.tpot_quantile_seconds)
        yield words("simulated"), words("simulated_value", tpot=tpot, **shown)
    if served.refuted:
        yield words("refuted"), f"{len(served.refuted):,}"


def ported(plan: Plan, words: Words) -> Iterator[Fact]:
    """How far software carries the pair of chip and workload, and what a first port takes."""
    mature = plan.maturity
    if mature is None:
        return
    yield words("maturity"), words("unknown") if mature.level is None else words.name(mature.level)
    months, staff = mature.porting_months, mature.porting_staff
    if months is None or staff is None:
        return
    said = words(
        "port_value", months=f"{number(months.low)}–{number(months.high)}",
        staff=f"{number(staff.low)}–{number(staff.high)}",
    )  # fmt: skip
    port = mature.port
    if port is not None:
        said += words("port_money", low=words.money(port.usd.p10), high=words.money(port.usd.p90))
    yield words("port"), said


def unproven(plan: Plan, words: Words) -> Iterator[str]:
    """What stands first where nobody has shown the pair of chip and workload to work."""
    mature = plan.maturity
    if mature is None or mature.warning is None:
        return
    said = words("unproven", work=words(mature.workload_class))
    if mature.porting_months is not None:
        months = mature.porting_months
        said += words("unproven_port", months=f"{number(months.low)}–{number(months.high)}")
    yield said


def failing(found: Reliability, words: Words) -> Iterator[Fact]:
    """Checkpoints, what failures cost in time, and spares."""
    if found.checkpoint_interval_seconds is not None:
        size, interval = scaled(found.checkpoint_bytes, "B"), duration(found.checkpoint_interval_seconds)
        yield words("checkpoints"), words("checkpoints_value", size=size, interval=interval)
    names = ("checkpoint", "rework", "recovery", "waiting", "stragglers")
    lost = {name: percent(getattr(found, name) or 0.0) for name in names}
    yield words("losses"), words("losses_value", **lost)
    kept = found.spares
    if kept is not None:
        yield (
            words("spares"),
            words(
                "spares_value", needed=f"{kept.servers_needed:,}", had=f"{kept.servers_had:,}",
                short=f"{kept.servers_short:,}",
            ),
        )  # fmt: skip


def delivered(plan: Plan, words: Words) -> Iterator[Fact]:
    """Deliveries, where the scenario has a date for the cards."""
    found = plan.supply
    if found is None or found.by_probability is None:
        return
    by, share = number(found.by_months or 0.0), percent(found.by_probability, 0)
    if found.months is None:
        yield words("deliveries"), words("deliveries_never", by=by, share=share)
    else:
        months = _ranged(found.months, words)
        yield words("deliveries"), words("deliveries_value", months=months, by=by, share=share)
    if found.by_cards is not None:
        yield words("there_by", by=by), f"{_ranged(found.by_cards, words)} {words('cards')}"
    if found.mix is not None:
        ordered = words.listed(f"{source.cards:,} {source.system}" for source in found.mix.sources)
        meaning = words("one_job" if found.mix.one_job else "separate")
        share = percent(found.mix.probability, 0)
        yield words("mix"), words("mix_value", ordered=ordered, share=share, meaning=meaning)
    yield words("supply_note"), words("supply_note_value")


def _ranged(band: Band, words: Words) -> str:
    return words("band", value=number(band.p50), low=number(band.p10), high=number(band.p90))


def drawn(plan: Plan, words: Words) -> Iterator[Fact]:
    """What many draws of everything uncertain say, where they were made."""
    found = plan.risk
    if found is None:
        return
    said = words("drawn_value", samples=f"{found.samples:,}", works=percent(found.works, 0))
    if found.met is not None:
        said += words("drawn_met", met=percent(found.met, 0))
    yield words("drawn"), said
    if found.cards is not None:
        share = percent(found.probability, 0)
        yield words("confidence", share=share), words("confidence_value", cards=f"{found.cards:,}")
    if found.measure_first:
        names = [f"{words.label(item.label)} {percent(item.share, 0)}" for item in found.measure_first[:3]]
        yield words("measure_first"), words.parted(names)


def prices(plan: Plan, words: Words) -> Iterator[Fact]:
    """What relaxing each limit by a step would gain; limits of which nothing is gained together."""
    for price in plan.prices:
        if price.plan is not None:
            yield words("price", limit=words.limit(price.constraint)), _worth(price, words)
    idle = [
        f"{words.limit(price.constraint)} {_step(price, words)}"
        for price in plan.prices
        if price.plan is None
    ]
    if idle:
        yield words("no_gain"), words.parted(idle)


def _worth(price: Price, words: Words) -> str:
    before, after, each = (
        _amount(words, value, price.objective_unit) for value in (price.before, price.after, price.per_unit)
    )
    unit = _one(words, price.unit)
    if price.unit == "USD":
        # A dollar is too little to say anything of: what a million (yuan: 万元) gains.
        scale = 1e6 if words.language == "en" else 1e4 * words.rate.usd_per_cny
        each = _amount(words, price.per_unit * scale, price.objective_unit)
    return words(
        "price_value", step=_step(price, words), before=before, after=after,
        change=signed_percent(price.change), each=each, unit=unit,
    )  # fmt: skip


def _step(price: Price, words: Words) -> str:
    return ("+" if price.step > 0 else "−") + _amount(words, abs(price.step), price.unit)


def _amount(words: Words, value: float, unit: str) -> str:
    if unit == "USD":
        return words.money(value)
    if unit == "USD a year":
        return words("a_year", amount=words.money(value))
    return f"{number(value)} {_named(words, unit)}".rstrip()


def _named(words: Words, unit: str) -> str:
    return words(_COUNTED[unit]) if unit in _COUNTED else words.translated(unit)


def _one(words: Words, unit: str) -> str:
    """One of a unit, after "per"."""
    if unit == "USD":
        return words("money_unit")
    if words.language == "en":
        return unit.removesuffix("s") if unit in _COUNTED else unit
    return _named(words, unit)
