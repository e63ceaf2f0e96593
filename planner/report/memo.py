"""A plan as an engineer's memo: sections of labelled lines, without any thought of how they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from planner.plan.account import Band, Measured, Summary, Swing
from planner.plan.confidence import RELAXED
from planner.plan.headline import surest
from planner.plan.model import Plan
from planner.plan.names import limit_words, rule_words
from planner.plan.parts import Layout, Performance, Workload
from planner.plan.shown import (
    ALL,
    counted,
    days,
    duration,
    number,
    number_in,
    percent,
    power,
    rate,
    scaled,
    signed_percent,
    spaced,
    usd,
)
from planner.report.doubt import draws, ported, untuned
from planner.report.plant import boundaries, rates
from planner.report.prices import price_rows
from planner.report.screen import arranged, short
from planner.report.shares import shares
from planner.report.spares import cards_told, spares_told
from planner.report.supply import rows as delivered
from planner.report.wiring import wire
from planner.scenario.split import split_text

PHYSICS = "docs/physics.md"
SHOWN_ESTIMATES = 6
LOSSES = ("checkpoint", "rework", "recovery", "waiting", "stragglers")

Row = tuple[str, str]


@dataclass(frozen=True)
class Section:
    """A heading, where its formulas stand, and lines of (label, text)."""

    title: str
    anchor: str
    rows: list[Row]


def sections(plan: Plan) -> list[Section]:
    """The memo below the headline. A plan without a design says only why, how sure, and what was searched."""
    if plan.workload.kind != "training":
        from planner.report.service_memo import service_sections  # noqa: PLC0415 (it builds on this room)

        return service_sections(plan)
    makers: list[tuple[str, str, Callable[[Plan], Iterator[Row]]]] = [
        ("In short", "", short),
        ("What is asked", "", _asked),
        ("Why not, and what is nearest", "search", _nearest),
        ("What to buy", "fabric", _buy),
        ("How to wire it", "fabric", wire),
        ("Power and cooling", "facility", _power),
        ("How it is used", "training-step", _use),
        ("When it is done", "reliability", _when),
        ("What it costs", "cost", _money),
        ("How sure this is", "uncertainty", _sure),
        ("What binds, and what else would do", "search", _binds),
        ("What was searched", "search", _search),
    ]
    made = [
        Section(title, anchor and f"{PHYSICS}#{anchor}", list(rows(plan))) for title, anchor, rows in makers
    ]
    return arranged(made)


def footer(plan: Plan) -> str:
    """Where the answer comes from."""
    origin = f"planner {plan.provenance.version} · problem {plan.provenance.problem_hash[:12]}"
    return f"{origin} · {len(plan.figures)} figures used, each with its source in the JSON (figures)"


def _asked(plan: Plan) -> Iterator[Row]:
    work = plan.workload
    yield (
        "workload",
        f"{work.model}{_parameters(work)} on {spaced(work.tokens, 'tokens')}, "
        f"sequences of {work.sequence_tokens:,}, batch {work.global_batch_sequences:,}, {work.precision}"
        + (f", software {work.software}" if work.software else ""),
    )
    wanted = []
    if plan.target.days is not None:
        wanted.append(days(plan.target.days))
    if plan.target.tokens_per_second is not None:
        wanted.append(rate(plan.target.tokens_per_second))
    limits = plan.limits
    if limits.cards_min is not None and limits.cards_min == limits.cards_max:
        wanted.append(f"exactly {limits.cards_max:,} cards")
    elif limits.cards_max is not None:
        wanted.append(f"at most {limits.cards_max:,} cards")
    for name, value in (
        ("MW at the grid on the design day", limits.facility_megawatts),
        ("MW of IT", limits.it_megawatts),
        ("MW nameplate", limits.nameplate_megawatts),
        ("MW at the transformers on the design day", limits.transformer_megawatts),
        ("MW at the uninterruptible supplies", limits.ups_megawatts),
        ("MW nameplate at the intake", limits.nameplate_intake_megawatts),
        ("MW of heat into liquid", limits.liquid_megawatts),
        ("MW of heat into air", limits.air_megawatts),
        ("racks", limits.racks),
        ("m2 of white space", limits.floor_m2),
    ):
        if value is not None:
            wanted.append(f"at most {number(value)} {name}")
    if limits.capex_usd is not None:
        wanted.append(f"at most {usd(limits.capex_usd)} of capital")
    yield "target, limits", ", ".join(wanted)
    for note in plan.notes:
        yield "note", note


def _parameters(work: Workload) -> str:
    if work.parameters is None:
        return ""
    active = work.active_parameters
    sparse = f", {number(active / 1e9)} B active" if active and active < 0.9 * work.parameters else ""
    return f" ({number(work.parameters / 1e9)} B parameters{sparse})"


def _nearest(plan: Plan) -> Iterator[Row]:
    if plan.comparison is not None and (plan.comparison.broken_rules or plan.comparison.over_limits):
        for rule in plan.comparison.broken_rules:
            yield "breaks", rule_words(rule)
        for limit in plan.comparison.over_limits:
            yield "over", limit_words(limit)
        if plan.comparison.best is not None:
            yield "best lawful", _row(plan.comparison.best)
    if plan.nearest is None:
        return
    yield plan.nearest.what, plan.nearest.why
    if plan.nearest.design is not None:
        yield "nearest", _row(plan.nearest.design)
    for rule in plan.nearest.broken_rules:
        yield "breaks", rule_words(rule)
    for limit in plan.nearest.over_limits:
        yield "over", limit_words(limit)


def _buy(plan: Plan) -> Iterator[Row]:
    if plan.cards is None or plan.facility is None:
        return
    yield "cards", f"{plan.cards.total:,} x {plan.accelerator}{cards_told(plan)}"
    racks = plan.facility.racks
    held = [f"{racks.compute:,} compute"]
    held += [f"{racks.network:,} network"] if racks.network else []
    held += [f"{racks.interconnect:,} scale-up interconnect"] if racks.interconnect else []
    held += [f"{racks.cooling:,} coolant distribution"] if racks.cooling else []
    held += [f"{racks.storage:,} storage"] if racks.storage else []
    yield (
        "servers, racks",
        f"{counted(plan.facility.servers, 'server')} of {plan.cards.per_server} cards ({plan.system}); "
        f"{counted(racks.total, 'rack')} ({', '.join(held)})",
    )
    if plan.facility.storage_servers:
        yield (
            "storage",
            f"{counted(plan.facility.storage_servers, 'server')} for {_stored(plan)}",
        )
    fabric = plan.fabric
    if fabric is not None:
        modules = fabric.transceivers
        yield (
            "network",
            f"{counted(fabric.switches, 'switch')}, {modules.switch_side + modules.host_side:,} transceivers "
            f"({modules.switch_side:,} switch side, {modules.host_side:,} host side), "
            f"{fabric.cables:,} cables, {fabric.nics:,} NIC ports",
        )


def _stored(plan: Plan) -> str:
    if plan.serving is not None:
        return "weights and logs, as many as copies need"
    return (
        "checkpoints and training data, by the rates of sizing guides for so many cards, checkpoints and room"
    )


def _power(plan: Plan) -> Iterator[Row]:
    hall = plan.facility
    if hall is None:
        return
    nameplate = "not known" if hall.nameplate_megawatts is None else power(hall.nameplate_megawatts)
    yield (
        "IT",
        f"{power(hall.it_megawatts)} typical, nameplate {nameplate}; {number(hall.card_watts)} W a card",
    )
    cap = (
        ""
        if plan.power_cap in (None, 1.0)
        else f"; power cap {percent(plan.power_cap or 0, 0)} of board power"
    )
    yield (
        "at the grid",
        f"{power(hall.facility_megawatts)} annual mean (PUE {hall.pue:.2f}), "
        f"{power(hall.facility_design_megawatts)} on the design day (PUE {hall.pue_design_day:.2f}){cap}",
    )
    yield from boundaries(hall)
    water = "not known" if hall.water_m3_per_year is None else f"{number(hall.water_m3_per_year)} m3 a year"
    yield (
        "cooling",
        f"{hall.cooling}, {number(hall.rack_kilowatts)} kW a rack in typical draw, water {water}",
    )
    yield (
        "a year",
        f"{scaled(hall.energy_mwh_per_year * 1e6, 'Wh')}, {scaled(hall.carbon_tonnes_per_year, 't')} CO2"
        + (f" ({hall.site})" if hall.site else ""),
    )


def _use(plan: Plan) -> Iterator[Row]:
    layout, performance, memory = plan.layout, plan.performance, plan.memory
    if layout is None:
        return
    yield "layout", _layout(layout)
    if performance is not None:
        yield (
            "step",
            f"{duration(performance.step_seconds)}, {rate(performance.tokens_per_second)} "
            f"({number(performance.tokens_per_second_per_card)} a card at work) while nothing fails, "
            f"batch {layout.global_batch_sequences:,} in {counted(layout.micro_batches, 'micro-batch')}"
            f"{_groups(layout)}",
        )
        yield "goes to", shares(performance.breakdown, performance.step_seconds)
        yield "MFU", _utilisation(performance)
    if memory is not None:
        yield (
            "memory",
            f"{number(memory.per_device_bytes / 1e9)} of {number(memory.capacity_bytes / 1e9)} GB a device: "
            + shares(memory.breakdown, memory.per_device_bytes),
        )


def _groups(layout: Layout) -> str:
    """Groups that interleaving must be told of: where pp divides the micro-batches they are the default."""
    group = layout.micro_batch_group
    if group is None or group == layout.pp:
        return ""
    return f" (interleaved in groups of {group})"


def _layout(layout: Layout) -> str:
    degrees = [f"{name} {getattr(layout, name)}" for name in ("tp", "pp", "vpp", "dp", "cp", "ep", "etp")]
    kept = [word for word in degrees if not word.endswith(" 1")] or ["dp 1"]
    kept.append(f"micro-batch {layout.micro_batch}")
    some = f" on {layout.recompute_layers} layers a chunk" if layout.recompute_layers else ""
    kept.append(f"recompute {layout.recompute}{some}")
    kept.append(f"sharding stage {layout.sharding}")
    kept += ["sequence parallel"] if layout.sequence_parallel else []
    kept += [f"{name.replace('_', ' ')} {value}" for name, value in layout.switches.changed().items()]
    kept += [layout.schedule] if layout.schedule != "none" else []
    kept += [f"context by {layout.cp_kind}"] if layout.cp_kind != "ring" else []
    kept += [f"layers per stage {split_text(layout.stage_layers)}"] if layout.stage_layers else []
    return ", ".join(kept)


def _utilisation(performance: Performance) -> str:
    words = [
        f"{percent(performance.mfu)} (causal attention, matrix peak)",
        f"{percent(performance.mfu_full_attention)} (whole score matrix)",
    ]
    if performance.mfu_advertised is not None:
        words.append(f"{percent(performance.mfu_advertised)} (advertised peak)")
    return ", ".join(words) + f"; HFU {percent(performance.hfu)}"


def _when(plan: Plan) -> Iterator[Row]:
    performance, failures = plan.performance, plan.reliability
    if performance is None:
        return
    yield (
        "days",
        f"{number(performance.productive_days)} productive, {number(performance.days)} on the calendar "
        f"(goodput {percent(performance.goodput)})",
    )
    if failures is not None:
        pause = (
            "no checkpoints needed"
            if failures.checkpoint_interval_seconds is None
            else f"a checkpoint of {scaled(failures.checkpoint_bytes, 'B')} "
            f"every {duration(failures.checkpoint_interval_seconds)}"
        )
        between = "" if failures.mttf_hours is None else f", one every {duration(failures.mttf_hours * 3600)}"
        yield "failures", f"{number(failures.failures_per_day)} a day that stop the job{between}; {pause}"
        if failures.causes and failures.failures_per_day > 0:
            yield "by cause", shares(failures.causes, failures.failures_per_day)
        lost = {name.replace("checkpoint", "checkpoints"): getattr(failures, name) for name in LOSSES}
        if all(share is not None for share in lost.values()):
            yield "time lost", ", ".join(f"{name} {percent(share)}" for name, share in lost.items() if share)
        if failures.spares is not None:
            yield "spares", spares_told(failures.spares)


def _money(plan: Plan) -> Iterator[Row]:
    cost = plan.cost
    if cost is None:
        return
    capital = "not known" if cost.capex_usd is None else usd(cost.capex_usd)
    known = [
        f"{name.removesuffix('_usd').replace('_', ' ')} {usd(value)}"
        for name, value in cost.parts.items()
        if value
    ]
    missing = f"; no price for {', '.join(cost.missing)}" if cost.missing else ""
    yield "capital", f"{capital}: {', '.join(known) or 'no part has a price'}{missing}"
    total = "not known" if cost.tco_usd_per_year is None else f"{usd(cost.tco_usd_per_year)} a year"
    if cost.capital_rate is not None and cost.tco_usd_per_year is not None:
        total += f" at {number(100 * cost.capital_rate)} % cost of capital (money.rate)"
    year = [
        f"{name.removesuffix('_usd').replace('_', ' ')} {usd(value)}"
        for name, value in cost.year.items()
        if value
    ]
    yield (
        "running",
        f"energy {usd(cost.energy_usd_per_year)} a year, total cost of ownership {total}"
        + (f": {', '.join(year)}" if year and cost.tco_usd_per_year is not None else ""),
    )
    yield from rates(cost)


def _sure(plan: Plan) -> Iterator[Row]:
    evidence = plan.evidence
    yield f"evidence {evidence.grade}", evidence.why
    yield from ported(plan)
    yield from untuned(plan)
    if plan.bands is not None:
        for label, band, show in _bands(plan):
            yield label, f"P10 {show(band.p10)} · P50 {show(band.p50)} · P90 {show(band.p90)}"
        if plan.bands.runs is not None and plan.bands.runs <= ALL:
            yield "of the draws", f"{percent(plan.bands.runs, 0)} leave it room in memory: days are of these"
        if plan.bands.met is not None:
            yield "in time", f"in {percent(plan.bands.met, 0)} of the draws of all ranges together"
    sure = plan.confidence
    if sure is not None:
        share = percent(sure.probability, 0)
        if sure.cards is None:
            near = "" if sure.nearest is None else f"; {surest(sure.nearest, share)}"
            yield (
                f"{share} sure",
                f"none up to {sure.cards_tried:,} cards{near} (tried: {RELAXED} x the limit)",
            )
        else:
            drawn = "" if sure.facility_megawatts is None else f", {power(sure.facility_megawatts)}"
            middle = "" if sure.days_p50 is None else f", {days(sure.days_p50)} expected"
            yield f"{share} sure", f"{sure.cards:,} cards{middle}{drawn}"
    yield from draws(plan)
    yield from delivered(plan)
    if evidence.estimates:
        words = [
            f"{item.label} {number_in(item.value, item.unit)} ({number_in(item.low, item.unit)} - "
            f"{number_in(item.high, item.unit)})"
            for item in evidence.estimates[:SHOWN_ESTIMATES]
        ]
        more = len(evidence.estimates) - len(words)
        yield (
            "estimates",
            "; ".join(words) + (f"; {more} more in the JSON (evidence.estimates)" if more else ""),
        )
    for output, label in (("days", "moves days"), ("facility_megawatts", "moves power")):
        moved = plan.swings.get(output, [])[: 5 if output == "days" else 3]
        if moved:
            yield label, "; ".join(_swing(swing) for swing in moved)
    for risk in evidence.risks[:2]:
        yield "risk", risk
    if evidence.nearest_measured is not None:
        yield "nearest run", _nearest_run(plan, evidence.nearest_measured)


def _nearest_run(plan: Plan, near: Measured) -> str:
    """What was published nearest to the plan, and the rate of both where it is the same model."""
    kin = "" if near.same_chip else " (kin)"
    cards = "" if near.cards is None else f", {near.cards:,} cards"
    told = f"{near.model or 'unknown model'} on {near.hardware}{kin}{cards}: {near.id}"
    if near.tokens_per_second_per_card is None:
        return told
    sequence = None if near.sequence is None else f"sequences of {near.sequence:,}"
    how = [near.framework, near.precision, sequence]
    told += f", {number(near.tokens_per_second_per_card)} tokens/s a card ({', '.join(filter(None, how))})"
    if near.same_model and near.same_chip and plan.performance is not None:
        told += f"; here {number(plan.performance.tokens_per_second_per_card)}"
    return told


def _bands(plan: Plan) -> Iterator[tuple[str, Band, Callable[[float], str]]]:
    bands = plan.bands
    assert bands is not None
    shown: list[tuple[str, Band | None, Callable[[float], str]]] = [
        ("days", bands.days, number),
        ("tokens/s", bands.tokens_per_second, lambda value: scaled(value, "")),
        ("MFU", bands.mfu, percent),
        ("facility", bands.facility_megawatts, power),
        ("capital", bands.capex_usd, usd),
    ]
    for label, band, show in shown:
        if band is not None:
            yield label, band, show


def _swing(swing: Swing) -> str:
    return f"{swing.label} {signed_percent(swing.at_low)} / {signed_percent(swing.at_high)}"


def _binds(plan: Plan) -> Iterator[Row]:
    if plan.binding:
        head = "" if plan.margin is None else f" (margin to the target {signed_percent(plan.margin)})"
        yield "binding", ", ".join(limit_words(item) for item in plan.binding) + head
    yield from price_rows(plan)
    if plan.similar_layouts > 1:
        within = f"{100 * plan.similar_within:.1f} %"
        words = f"{plan.similar_layouts:,} layouts within {within} of the best"
        yield "alike", words + ", the model's error between two of one chip"
    if plan.comparison is not None and plan.comparison.best is not None and plan.feasible:
        yield "best", _row(plan.comparison.best)
    for summary in plan.runners_up[:2]:
        yield "runner-up", _row(summary)


def _row(row: Summary) -> str:
    over = "" if row.oversubscription == 1 else f" {number(row.oversubscription)}:1"
    cap = "" if row.power_cap == 1 else f", cap {percent(row.power_cap, 0)}"
    price = "" if row.capex_usd is None else f", {usd(row.capex_usd)}"
    return (
        f"{row.cards:,} cards {row.system}, {row.fabric}{over} {row.fabric_kind}, {row.cooling}{cap}: "
        f"{days(row.days)}, {power(row.facility_megawatts)}{price} [{row.layout.short()}]"
    )


def _search(plan: Plan) -> Iterator[Row]:
    search = plan.search
    gap = "" if search.bound_gap is None else f", at most {percent(search.bound_gap)} better is possible"
    state = "complete" if plan.complete else f"NOT complete{gap}"
    yield (
        "candidates",
        f"{search.enumerated:,} enumerated, {sum(search.rejected.values()):,} rejected, "
        f"{search.bounded:,} bounded, {search.timed:,} timed; {state}",
    )
    if search.rejected:
        causes = sorted(search.rejected.items(), key=lambda item: (-item[1], item[0]))
        yield (
            "rejected by",
            ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in causes if count),
        )
    if search.bounded_by:
        yield "bounded by", ", ".join(f"{name} {count:,}" for name, count in search.bounded_by.items())
    for refused in search.refused_sizes[:2]:
        yield "not built", f"{refused.count:,} sizes: {refused.why}"
    if plan.front_total > 1:
        yield (
            "front",
            f"{counted(plan.front_total, 'point')} over {', '.join(plan.front_axes)} "
            f"({len(plan.front)} in the JSON)",
        )
