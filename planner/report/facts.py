"""A plan as labelled facts in one language, in the order of the memo; plans side by side share the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from planner.plan.account import Band, Confidence
from planner.plan.headline import SAME
from planner.plan.model import Plan
from planner.plan.shown import ALL, number, percent, scaled, signed_percent
from planner.report import plant_facts, service_facts, sure_facts
from planner.report.spares import standing_by
from planner.report.words import Words

SHOWN = 6
"""Names listed in one cell."""
GIB = 2.0**30
NO_LIMIT = 1_000_000
"""Cards of a scenario without a limit on them."""
Fact = tuple[str, str]


@dataclass(frozen=True)
class Section:
    """A heading and rows: a label, and one value for each plan (empty where it has none)."""

    key: str
    title: str
    rows: list[tuple[str, list[str]]]


def sections(plans: list[Plan], words: Words) -> list[Section]:
    """The memo of one plan, or of several side by side."""
    made = []
    for key, facts in MAKERS:
        columns = [dict(facts(plan, words)) for plan in plans]
        labels = list(dict.fromkeys(label for column in columns for label in column))
        rows = [(label, [column.get(label, "") for column in columns]) for label in labels]
        if rows:
            made.append(Section(key, words(key), rows))
    return made


def headline(plan: Plan, words: Words) -> str:
    """The first line: days or no, cards, power, evidence and how many estimates."""
    parts = list(sure_facts.unproven(plan, words))
    if not plan.feasible:
        parts.append(words("headline_no"))
    if plan.performance is not None:
        band = plan.bands.days if plan.bands else None
        days = number(plan.performance.days)
        if band is None:
            parts.append(words("target_days", days=days))
        else:
            values = {"days": days, "middle": number(band.p50)}
            other = abs(band.p50 / plan.performance.days - 1.0) > SAME
            key = "headline_days_median" if other else "headline_days"
            parts.append(words(key, **values, low=number(band.p10), high=number(band.p90)))
    if plan.bands is not None and plan.bands.met is not None:
        parts.append(words("headline_met", share=percent(plan.bands.met, 0)))
    if plan.serving is not None:
        parts.append(words("target_requests", rate=number(plan.serving.requests_per_second)))
        parts.extend(sure_facts.latencies(plan, words))
    if plan.cards is not None:
        parts.append(words("headline_cards", cards=f"{plan.cards.total:,}"))
    if plan.facility is not None:
        parts.append(words("headline_power", power=number(plan.facility.facility_design_megawatts)))
    parts.extend(sure_facts.software(plan, words))
    parts.append(words("headline_evidence", grade=plan.evidence.grade))
    if plan.evidence.estimates:
        parts.append(words("headline_estimates", n=len(plan.evidence.estimates)))
    if not plan.complete:
        parts.append(words("incomplete"))
    return " · ".join(parts)


def _asked(plan: Plan, words: Words) -> Iterator[Fact]:
    work = plan.workload
    yield words("model"), work.model
    if work.kind == "training":
        yield words("tokens"), scaled(work.tokens, "").strip()
        batch, length = f"{work.global_batch_sequences:,}", f"{work.sequence_tokens:,}"
        yield words("batch"), words("batch_value", sequences=batch, tokens=length)
    yield from service_facts.lengths(plan, words)
    yield words("precision"), words.precision(work.precision)
    if work.software:
        yield words("software"), work.software
    target = plan.target
    wanted = [words("target_days", days=number(target.days))] if target.days is not None else []
    if target.tokens_per_second is not None:
        wanted.append(words("target_rate", rate=scaled(target.tokens_per_second, "")))
    wanted += service_facts.targets(plan, words)
    yield words("target"), words.parted(wanted) or words("none")
    yield words("limits"), words.parted(_limits(plan, words)) or words("none")


def _limits(plan: Plan, words: Words) -> Iterator[str]:
    limits = plan.limits
    if limits.cards_max is not None and limits.cards_max < NO_LIMIT:
        exact = limits.cards_min == limits.cards_max
        yield words("limit_exact" if exact else "limit_cards", n=f"{limits.cards_max:,}")
    for key, value in (
        ("limit_grid", limits.facility_megawatts),
        ("limit_it", limits.it_megawatts),
        ("limit_nameplate", limits.nameplate_megawatts),
        ("limit_racks", limits.racks),
    ):
        if value is not None:
            yield words(key, n=number(value))
    if limits.capex_usd is not None:
        yield words("limit_capex", n=words.money(limits.capex_usd))


def _buy(plan: Plan, words: Words) -> Iterator[Fact]:
    cards, hall = plan.cards, plan.facility
    if cards is None:
        return
    yield (
        words("accelerators"),
        words(
            "accelerators_value", total=f"{cards.total:,}", chip=plan.accelerator, active=f"{cards.active:,}",
            spare=f"{standing_by(plan):,}", left=f"{cards.spare - standing_by(plan):,}",
        ),
    )  # fmt: skip
    if hall is not None:
        yield words("servers"), f"{hall.servers:,} x {plan.system}"
        racks = {name: f"{count:,}" for name, count in hall.racks.model_dump().items()}
        yield words("racks"), words("racks_value", **racks)


def _wire(plan: Plan, words: Words) -> Iterator[Fact]:
    fabric = plan.fabric
    if fabric is None:
        return
    yield (
        words("fabric"),
        words(
            "fabric_value", id=fabric.id, kind=words.name(fabric.kind), ratio=number(fabric.oversubscription)
        ),
    )
    tiers = words.listed(f"{words.name(tier.name)} {tier.switches:,}" for tier in fabric.tiers)
    yield words("switches"), f"{fabric.switches:,} ({tiers})"
    yield words("modules"), f"{fabric.transceivers.switch_side + fabric.transceivers.host_side:,}"
    yield words("cables"), f"{fabric.cables:,}"
    yield from plant_facts.wired(fabric, words)


def _power(plan: Plan, words: Words) -> Iterator[Fact]:
    hall = plan.facility
    if hall is None:
        return
    yield words("it_power"), words.amount(hall.it_megawatts, "MW")
    yield words("design_power"), words.amount(hall.facility_design_megawatts, "MW")
    band = plan.bands.facility_megawatts if plan.bands else None
    yield words("mean_power"), _banded(words, band, hall.facility_megawatts, "MW")
    yield from plant_facts.fed(hall, words)
    yield words("pue"), f"{hall.pue:.2f}"
    yield words("cooling"), words.name(hall.cooling)
    yield words("energy"), words.amount(hall.energy_mwh_per_year, "MWh")
    yield words("water"), _known(words, hall.water_m3_per_year, "m³")
    yield words("carbon"), words.amount(hall.carbon_tonnes_per_year, "t")


def _use(plan: Plan, words: Words) -> Iterator[Fact]:
    if plan.layout is not None:
        yield words("layout"), plan.layout.short().replace(",", ", ")
    speed = plan.performance
    if speed is not None:
        band = plan.bands.step_seconds if plan.bands else None
        yield words("step"), _banded(words, band, speed.step_seconds, "s")
        yield words("rate"), words("rate_value", rate=scaled(speed.tokens_per_second, "").strip())
        yield words("mfu"), percent(speed.mfu)
    if plan.memory is not None:
        used, capacity = plan.memory.per_device_bytes, plan.memory.capacity_bytes
        yield words("memory"), words("memory_value", used=number(used / GIB), capacity=number(capacity / GIB))


def _when(plan: Plan, words: Words) -> Iterator[Fact]:
    yield from _trained(plan, words)
    yield from sure_facts.delivered(plan, words)


def _trained(plan: Plan, words: Words) -> Iterator[Fact]:
    speed = plan.performance
    if speed is None:
        return
    yield (
        words("duration"),
        _banded(words, plan.bands.days if plan.bands else None, speed.days, words("days")),
    )
    if plan.bands is not None and plan.bands.runs is not None and plan.bands.runs <= ALL:
        yield words("runs"), words("runs_value", share=percent(plan.bands.runs, 0))
    if plan.bands is not None and plan.bands.met is not None:
        yield words("in_time"), words("in_time_value", share=percent(plan.bands.met, 0))
    yield words("goodput"), percent(speed.goodput)
    if plan.reliability is not None:
        yield words("failures"), number(plan.reliability.failures_per_day)
        yield from sure_facts.failing(plan.reliability, words)
    sure = plan.confidence
    if sure is not None:
        said = (
            _not_sure(sure, words)
            if sure.cards is None
            else words("confidence_value", cards=f"{sure.cards:,}")
        )
        yield words("confidence", share=percent(sure.probability, 0)), said


def _not_sure(sure: Confidence, words: Words) -> str:
    """That no cluster is sure enough, and what comes nearest."""
    told, near = words("confidence_none", cards=f"{sure.cards_tried:,}"), sure.nearest
    if near is None:
        return told
    best = words("confidence_nearest", cards=f"{near.cards:,}", share=percent(near.met, 0))
    if near.days is None:
        return told + best
    return told + best + words("confidence_days", share=percent(sure.probability, 0), days=number(near.days))


def _money(plan: Plan, words: Words) -> Iterator[Fact]:
    cost = plan.cost
    if cost is None:
        return
    band = plan.bands.capex_usd if plan.bands else None
    capex = words.money(cost.capex_usd)
    if band is not None and cost.capex_usd is not None:
        capex = words("band", value=capex, low=words.money(band.p10), high=words.money(band.p90))
    yield words("capex"), capex
    yield words("energy_cost"), words.money(cost.energy_usd_per_year)
    yield words("tco"), words.money(cost.tco_usd_per_year)
    if cost.missing:
        yield words("missing_prices"), words.listed(words.label(item) for item in cost.missing)


def _sure(plan: Plan, words: Words) -> Iterator[Fact]:
    proof = plan.evidence
    yield words("grade"), words(f"grade_{proof.grade}")
    yield from sure_facts.simulated(plan, words)
    yield from sure_facts.ported(plan, words)
    yield from sure_facts.drawn(plan, words)
    names = [words.label(item.label) for item in proof.estimates]
    if names:
        listed = words.listed(names[:SHOWN])
        more = len(names) - SHOWN
        yield words("rests_on"), words("and_more", names=listed, n=more) if more > 0 else listed
    swings = plan.swings.get("days" if plan.serving is None else "requests_per_second", [])
    if swings:
        yield (
            words("movers" if plan.serving is None else "movers_service"),
            words.parted(
                f"{words.label(item.label)} {signed_percent(item.at_low)} / {signed_percent(item.at_high)}"
                for item in swings
            ),
        )
    if proof.nearest_measured is not None:
        run = proof.nearest_measured
        cards = f", {run.cards:,}" if run.cards else ""
        rate = run.tokens_per_second_per_card
        told = "" if rate is None else f"; {number(rate)} {words('axis_card')}"
        yield words("nearest_run"), f"{run.id}: {run.hardware}{cards}{told}"
    if proof.risks:
        yield words("risks"), words.parted(words.sentences(proof.risks[:SHOWN]))


def _binds(plan: Plan, words: Words) -> Iterator[Fact]:
    if plan.binding:
        yield words("binding"), words.listed(words.limit(item) for item in plan.binding)
    if plan.margin is not None:
        yield words("margin"), signed_percent(plan.margin)
    yield from sure_facts.prices(plan, words)
    if plan.similar_layouts > 1:
        yield words("similar"), f"{plan.similar_layouts:,}"
    near = plan.nearest
    if near is not None:
        yield (
            words("why_not"),
            f"{words.name(near.what)}: {words.reasons(near.why)}".rstrip(": "),
        )
        if near.design is not None:
            yield (
                words("nearest"),
                words(
                    "nearest_value", cards=f"{near.design.cards:,}", system=near.design.system,
                    days=number(near.design.days), power=number(near.design.facility_megawatts),
                ),
            )  # fmt: skip
    if plan.notes:
        yield words("notes"), words.parted(words.sentences(plan.notes))


MAKERS: tuple[tuple[str, Callable[[Plan, Words], Iterator[Fact]]], ...] = (
    ("asked", _asked),
    ("buy", _buy),
    ("wire", _wire),
    ("power", _power),
    ("use", _use),
    ("serve", service_facts.serves),
    ("when", _when),
    ("money", _money),
    ("sure", _sure),
    ("binds", _binds),
)


def _banded(words: Words, band: Band | None, value: float, unit: str) -> str:
    shown = f"{number(value)} {unit}"
    return words("band", value=shown, low=number(band.p10), high=number(band.p90)) if band else shown


def _known(words: Words, value: float | None, unit: str) -> str:
    return words("unknown") if value is None else words.amount(value, unit)
