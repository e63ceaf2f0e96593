"""The plan of a service as an engineer's memo."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from planner.plan.model import Plan
from planner.plan.names import limit_words
from planner.plan.parts import Pool
from planner.plan.service_parts import Service, ServicePool, ServiceSummary, ServiceWorkload, Simulated
from planner.plan.shown import counted, duration, number, number_in, percent, rate, signed_percent, usd
from planner.report.doubt import draws, ported
from planner.report.memo import (
    PHYSICS,
    SHOWN_ESTIMATES,
    Row,
    Section,
    _buy,
    _money,
    _power,
    _search,
    _swing,
)
from planner.report.prices import service_price, service_step
from planner.report.screen import arranged, short
from planner.report.shares import shares
from planner.report.supply import rows as delivered
from planner.report.wiring import wire

SHOWN_TRADE = 5
APART = 1.5
"""Ratio of simulated and closed-form latencies from which it is told that they differ."""
NO_LIMIT = 1_000_000
"""Cards of a scenario without a limit on them."""


def service_sections(plan: Plan) -> list[Section]:
    """The memo of a service below the headline."""
    makers: list[tuple[str, str, Callable[[Plan], Iterator[Row]]]] = [
        ("In short", "", short),
        ("What is asked", "", _asked),
        ("Why not, and what is nearest", "search", _nearest),
        ("What to buy", "fabric", _buy),
        ("How it serves", "serving", _serves),
        ("Pools", "a-replica", _pools),
        ("How to wire it", "fabric", wire),
        ("Power and cooling", "facility", _powered),
        ("What it costs", "cost", _cost),
        ("How sure this is", "uncertainty", _sure),
        ("What binds, and what else would do", "search", _binds),
        ("What was searched", "search", _search),
    ]
    made = [
        Section(title, anchor and f"{PHYSICS}#{anchor}", list(rows(plan))) for title, anchor, rows in makers
    ]
    return arranged(made)


def _asked(plan: Plan) -> Iterator[Row]:
    work = plan.workload
    assert isinstance(work, ServiceWorkload)
    words = [work.model]
    if work.kind == "generic" and work.item is not None:
        words.append(
            ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in work.item.items())
        )
    else:
        words.append(
            f"{number(work.input_tokens or 0)} tokens in (spread {number(work.input_spread or 0)}), "
            f"{number(work.output_tokens or 0)} out (spread {number(work.output_spread or 0)})"
        )
        if work.prefix_hit:
            words.append(f"{percent(work.prefix_hit, 0)} of the prompt cached")
        if work.drafted_tokens:
            words.append(f"{work.drafted_tokens} drafted, accepted {percent(work.acceptance or 0, 0)}")
    words.append(work.precision)
    words.append(f"software {work.software}")
    yield "workload", ", ".join(words)
    yield "target, limits", ", ".join([*_wanted(plan), *_limited(plan)])
    for note in plan.notes:
        yield "note", note


def _wanted(plan: Plan) -> Iterator[str]:
    target = plan.target
    mean, peak = target.requests_per_second, target.peak_requests_per_second
    if target.tokens_per_second is not None:
        yield f"offline, {rate(target.tokens_per_second)}"
    elif mean is not None:
        more = f", {number(peak)}/s at the peak" if peak and peak > mean * 1.0001 else ""
        yield f"{number(mean)} {'items' if _generic(plan) else 'requests'}/s{more}"
    for label, seconds, share in (
        ("latency" if _generic(plan) else "TTFT", target.ttft_seconds, target.ttft_percentile),
        ("TPOT", target.tpot_seconds, target.tpot_percentile),
    ):
        if seconds is not None:
            yield f"{label} {duration(seconds)} for {number(share or 0)} %"
    if target.tokens_per_second_per_card is not None:
        yield f"{number(target.tokens_per_second_per_card)} tokens/s per card"


def _limited(plan: Plan) -> Iterator[str]:
    limits = plan.limits
    for name, value in (
        ("cards", limits.cards_max if (limits.cards_max or 0) < NO_LIMIT else None),
        ("MW at the grid on the design day", limits.facility_megawatts),
        ("MW of IT", limits.it_megawatts),
        ("MW nameplate", limits.nameplate_megawatts),
        ("racks", limits.racks),
        ("m2 of white space", limits.floor_m2),
    ):
        if value is not None:
            yield f"at most {number(value)} {name}"
    if limits.capex_usd is not None:
        yield f"at most {usd(limits.capex_usd)} of capital"


def _nearest(plan: Plan) -> Iterator[Row]:
    if plan.comparison is not None:
        for rule in plan.comparison.broken_rules:
            yield "misses", rule
        for limit in plan.comparison.over_limits:
            yield "over", limit_words(limit)
    if plan.nearest is not None:
        yield plan.nearest.what, plan.nearest.why
        for limit in plan.nearest.over_limits:
            yield "over", limit_words(limit)


def _generic(plan: Plan) -> bool:
    return isinstance(plan.workload, ServiceWorkload) and plan.workload.kind == "generic"


def _serves(plan: Plan) -> Iterator[Row]:
    found = plan.serving
    if found is None:
        return
    generic = _generic(plan)
    things = "items/s" if generic else "requests/s"
    yield (
        "load",
        f"{number(found.requests_per_second)} {things}, at most {number(found.most_requests_per_second)} "
        f"within the latencies{_at_work(plan)}: {found.verdict}",
    )
    yield from _simulated(found)
    said = _closed(found)
    if found.ttft is not None:
        queue = (
            ""
            if found.ttft_queue_seconds is None
            else f", of which queue {duration(found.ttft_queue_seconds)}"
        )
        moved = f", cache transfer {duration(found.transfer_seconds)}" if found.transfer_seconds else ""
        yield (
            "latency" if generic else "first token",
            f"{said}mean {duration(found.ttft.mean)}{queue}{moved}"
            f"{_at(found.ttft.quantile, plan.target.ttft_percentile)}",
        )
    if found.tpot is not None:
        yield (
            "per token",
            f"{said}mean {duration(found.tpot.mean)} ({number(1 / found.tpot.mean)} tokens/s a user)"
            f"{_at(found.tpot.quantile, plan.target.tpot_percentile)}",
        )
    yield from _apart(found)
    if not generic:
        yield (
            "tokens",
            f"{rate(found.output_tokens_per_second)} out, "
            f"{number(found.output_tokens_per_second_per_card)} a card over all cards bought; at most "
            f"{number(found.most_tokens_per_second_per_card)} a card at work, prefill included",
        )
    if found.mode == "disaggregated":
        ratio = found.prefill_per_decode or 0.0
        yield (
            "pools",
            f"{number(ratio)} prefill instances per decode instance; {found.binding_pool} runs full first",
        )
    if found.precision is not None:
        yield "precision", f"{plan.workload.precision}; whether quality is the same is not judged"


def _closed(found: Service) -> str:
    """Says whose figures these are where a simulation has others, which are the answer."""
    return "by the closed form, " if found.simulated is not None else ""


def _at(seconds: float, share: float | None) -> str:
    """A latency at the percentile asked for; nothing where none is, as it is the mean then."""
    return "" if share is None else f"; P{share:g} {duration(seconds)}"


def _apart(found: Service) -> Iterator[Row]:
    """That a simulation and the closed forms differ by much, and which of them to take."""
    ran = found.simulated
    if ran is None or found.ttft is None or found.ttft.mean <= 0.0:
        return
    ratio = ran.ttft_mean_seconds / found.ttft.mean
    if max(ratio, 1.0 / ratio) >= APART:
        yield (
            "they differ",
            f"the simulated first result takes {number(ratio)} times as long as by the closed form: so near "
            "to full load small queues grow by chance; plan with the simulated figures",
        )


def _at_work(plan: Plan) -> str:
    cards = plan.cards
    if cards is None or cards.active == cards.total:
        return ""
    return f" on the {counted(cards.active, 'card')} at work ({counted(cards.total, 'card')} bought)"


def _simulated(found: Service) -> Iterator[Row]:
    ran = found.simulated
    if ran is None:
        return
    generic = ran.tpot_mean_seconds is None
    late = f"{'latency' if generic else 'first token'} mean {duration(ran.ttft_mean_seconds)}, " + ", ".join(
        f"{name} {duration(value)}"
        for name, value in (
            ("P50", ran.ttft_p50_seconds), ("P90", ran.ttft_p90_seconds), ("P99", ran.ttft_p99_seconds),
        )
    )  # fmt: skip
    tokens = ", ".join(
        f"{name} {duration(value)}"
        for name, value in (
            ("mean", ran.tpot_mean_seconds), ("P50", ran.tpot_p50_seconds),
            ("P90", ran.tpot_p90_seconds), ("P99", ran.tpot_p99_seconds),
        )
        if value is not None
    )  # fmt: skip
    verdict = "confirmed; these figures are the answer" if ran.confirmed else "NOT confirmed"
    yield (
        "simulated" if ran.arrivals == "poisson" else "trace replayed",
        f"{ran.requests:,} {'items' if generic else 'requests'} at {_load(ran)}: {late}"
        f"{f'; per token {tokens}' if tokens else ''}: {verdict}",
    )
    if found.refuted:
        row, seen = found.refuted[0].service, found.refuted[0].simulated
        more = f"; {len(found.refuted) - 1} more after it" if len(found.refuted) > 1 else ""
        first = f"{'latency' if generic else 'first token'} {duration(seen.ttft_quantile_seconds)}"
        token = seen.tpot_quantile_seconds
        yield (
            "not taken",
            f"{_row(row)}: first by the closed forms, but simulated at {first}"
            f"{'' if token is None else f', per token {duration(token)}'}{more}",
        )


def _load(ran: Simulated) -> str:
    """The load of a simulation; of a trace, how much of it that was."""
    if ran.arrivals == "poisson" or ran.share_of_trace is None or ran.seconds is None:
        return f"{number(ran.requests_per_second)}/s"
    whole = "all of it" if ran.share_of_trace >= 1.0 else f"its busiest {percent(ran.share_of_trace)}"
    part = ran.share_of_instances
    some = "" if part >= 1.0 else f", by chance those of {percent(part)} of the instances"
    return (
        f"{number(ran.requests_per_second)}/s in the busiest window ({whole}, {duration(ran.seconds)}{some})"
    )


def _powered(plan: Plan) -> Iterator[Row]:
    yield from _power(plan)
    found = plan.serving.energy if plan.serving else None
    if found is None:
        return
    cards = ", ".join(
        f"{item.role} cards {number(item.card_watts)} W "
        f"({number(item.card_watts_low)}-{number(item.card_watts_high)})"
        for item in found.pools
    )
    idle = f", {number(found.idle_cards)} cards idle" if found.idle_cards >= 1.0 else ""
    things = "items" if _generic(plan) else "requests"
    yield (
        "at the load",
        f"{number(found.requests_per_second)} {things}/s on the mean: {cards}{idle}; IT "
        f"{number(found.it_megawatts * 1e3)} kW ({number(found.it_megawatts_low * 1e3)}-"
        f"{number(found.it_megawatts_high * 1e3)}), {number(found.energy_mwh_per_year / 1e3)} GWh a year "
        f"({number(found.energy_mwh_per_year_low / 1e3)}-{number(found.energy_mwh_per_year_high / 1e3)})"
        + ("" if found.energy_usd_per_year is None else f", {usd(found.energy_usd_per_year)}"),
    )


def _pools(plan: Plan) -> Iterator[Row]:
    for item in plan.pools:
        yield from _pool(item, plan)


def _cards_of(pool: ServicePool) -> str:
    """Cards of a pool; where servers are bought whole, those at work too."""
    bought = counted(pool.cards, "card")
    active = pool.active_cards
    return bought if active == pool.cards else f"{bought}, {number(active)} at work"


def _pool(item: Pool, plan: Plan) -> Iterator[Row]:
    if not isinstance(item, ServicePool):
        return
    generic = _generic(plan)
    speed, use = item.performance, item.memory
    come, held, kept = ("items", "items", "items") if generic else ("requests", "sequences", "cache")
    things = "items/s" if generic else f"{'prompt' if item.role == 'prefill' else 'output'} tokens/s"
    spare = f", {item.spare_instances} spare" if item.spare_instances else ""
    yield (
        item.role,
        f"{counted(item.replicas, 'instance')}{spare} of {item.layout.short()} on {_cards_of(item)}; "
        f"{percent(speed.load)} of {number(speed.most_requests_per_second)} {come}/s in use; "
        f"{number(speed.tokens_per_second_per_card)} {things} a card at most",
    )
    work = plan.workload
    if isinstance(work, ServiceWorkload) and work.drafted_tokens and item.role != "prefill":
        drafted, accepted = work.drafted_tokens, work.acceptance or 0.0
        kept_tokens = sum(float(accepted**place) for place in range(drafted + 1))
        yield (
            "drafts",
            f"a step yields {number(kept_tokens)} tokens of a sequence ({drafted} drafted): time per token "
            "is that of a step over it",
        )
    # Prompts are timed in the fullest step that the pool runs; answers at the load asked for.
    full = " at full load" if item.role == "prefill" else ""
    yield (
        "step",
        f"{duration(speed.step_seconds)}{full}, {number(speed.batch)} {held} at once (at most "
        f"{number(speed.batch_limit)}): " + shares(speed.breakdown, speed.step_seconds),
    )
    yield (
        "memory",
        f"weights {number(use.weights_bytes / 1e9)}, reserve {number(use.reserve_bytes / 1e9)}, {kept} "
        f"{number(use.cache_bytes / 1e9)} of {number(use.capacity_bytes / 1e9)} GB a device",
    )


def _cost(plan: Plan) -> Iterator[Row]:
    yield from _money(plan)
    found = plan.serving
    if found is None:
        return
    words = [
        f"{usd(row.usd) if row.usd is not None else 'not known'} at {percent(row.load, 0)} load"
        for row in found.cost_per_million
    ]
    thing = "items" if _generic(plan) else "output tokens"
    yield f"a million {thing}", ", ".join(words)


def _sure(plan: Plan) -> Iterator[Row]:
    evidence = plan.evidence
    yield f"evidence {evidence.grade}", evidence.why
    yield from ported(plan)
    if plan.bands is not None:
        bands = plan.bands
        generic = _generic(plan)
        for label, band, show in (
            ("items/s at most" if generic else "requests/s at most", bands.requests_per_second, number),
            ("latency" if generic else "first token", bands.ttft_seconds, duration),
            ("per token", bands.tpot_seconds, duration),
            ("facility MW", bands.facility_megawatts, number),
            ("capital", bands.capex_usd, usd),
        ):
            if band is not None:
                yield label, f"P10 {show(band.p10)} · P50 {show(band.p50)} · P90 {show(band.p90)}"
    yield from draws(plan)
    yield from delivered(plan)
    sure = plan.confidence
    if sure is not None:
        share = percent(sure.probability, 0)
        text = (
            f"no cluster within the limits, up to {sure.cards_tried:,} cards"
            if sure.cards is None
            else f"{sure.cards:,} cards"
        )
        yield f"{share} sure", text
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
    moves = f"moves {'items' if _generic(plan) else 'requests'}/s"
    for output, label in (("requests_per_second", moves), ("facility_megawatts", "moves power")):
        moved = plan.swings.get(output, [])[:5]
        if moved:
            yield label, "; ".join(_swing(swing) for swing in moved)
    for risk in evidence.risks[:2]:
        yield "risk", risk
    near = evidence.nearest_measured
    if near is not None:
        kin = "" if near.same_chip else " (kin)"
        yield "nearest run", f"{near.model or 'unknown model'} on {near.hardware}{kin}: {near.id}"


def _binds(plan: Plan) -> Iterator[Row]:
    if plan.binding:
        head = "" if plan.margin is None else f" (margin to the load {signed_percent(plan.margin)})"
        yield "binding", ", ".join(limit_words(item) for item in plan.binding) + head
    found = plan.serving
    if found is None:
        return
    gaining = [price for price in found.prices if price.after != price.before]
    for price in gaining:
        yield "one step", service_price(price)
    idle = [service_step(price) for price in found.prices if price not in gaining]
    if idle:
        yield "no gain from", "; ".join(idle)
    if found.stronger is not None:
        most = found.stronger.most_requests_per_second
        more = f"could carry {number(most)} a second by the closed forms, at more power"
        yield "as many cards", f"{more}: {_row(found.stronger.service)}"
    for row in found.runners_up[:4]:
        yield "other", _row(row)
    if found.trade:
        count = len(found.trade)
        places = sorted({round(step * (count - 1) / (SHOWN_TRADE - 1)) for step in range(SHOWN_TRADE)})
        yield (
            "trade",
            "; ".join(
                f"{number(found.trade[p].tokens_per_second_per_user)} a user at "
                f"{number(found.trade[p].tokens_per_second_per_card)} a card "
                f"({found.trade[p].layout.short()}, "
                f"{found.trade[p].mode})"
                for p in places
            )
            + " tokens/s",
        )


def _row(row: ServiceSummary) -> str:
    pools = " + ".join(f"{count} x {layout.short()}" for count, layout in row.pools)
    money = "" if row.tco_usd_per_year is None else f", {usd(row.tco_usd_per_year)} a year"
    how = f"{row.precision} {row.mode} " if row.precision else ""
    return (
        f"{row.cards:,} cards of {row.system}, {how}{pools}, "
        f"{row.fabric} {number(row.oversubscription)}:1, {number(row.facility_megawatts)} MW{money}"
    )
