"""What a service does, as labelled facts of a report."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.account import Band
from planner.plan.model import Plan
from planner.plan.service_parts import ServicePool
from planner.plan.shown import duration, number, percent
from planner.report.words import Words

Fact = tuple[str, str]


def lengths(plan: Plan, words: Words) -> Iterator[Fact]:
    """Of a service's requests."""
    for key in ("input_tokens", "output_tokens"):
        length = getattr(plan.workload, key, None)
        if length is not None:
            yield words(key), number(length)


def targets(plan: Plan, words: Words) -> list[str]:
    """Load and latencies asked for."""
    target = plan.target
    wanted = []
    if target.requests_per_second is not None:
        wanted.append(words("target_requests", rate=number(target.requests_per_second)))
    for name, seconds in (("TTFT", target.ttft_seconds), ("TPOT", target.tpot_seconds)):
        if seconds is not None:
            wanted.append(f"{name} {duration(seconds)}")
    return wanted


def serves(plan: Plan, words: Words) -> Iterator[Fact]:
    """Load, latencies, yield and pools."""
    served, bands = plan.serving, plan.bands
    if served is None:
        return
    yield words("requests"), number(served.requests_per_second)
    most = _spread(words, bands.requests_per_second if bands else None, served.most_requests_per_second)
    yield words("most_requests"), most
    yield words("verdict"), words.name(served.verdict)
    yield words("mode"), words.name(served.mode)
    for name, latency in (("TTFT", served.ttft), ("TPOT", served.tpot)):
        if latency is not None:
            said = words("latency_value", mean=duration(latency.mean), quantile=duration(latency.quantile))
            yield name, said
    if served.ttft_queue_seconds is not None:
        yield words("queue"), duration(served.ttft_queue_seconds)
    if served.tpot is not None:
        yield words("user_rate"), words("rate_value", rate=number(1.0 / served.tpot.mean))
        each = number(served.output_tokens_per_second_per_card)
        yield words("card_rate"), words("rate_value", rate=each)
    for pool in plan.pools:
        if isinstance(pool, ServicePool):
            said = words(
                "pool_value", cards=f"{pool.cards:,}", replicas=f"{pool.replicas:,}",
                layout=pool.layout.short().replace(",", ", "),
            )  # fmt: skip
            use = words(
                "pool_use", load=percent(pool.performance.load), batch=number(pool.performance.batch),
                step=duration(pool.performance.step_seconds),
            )  # fmt: skip
            yield words("pool", role=words.name(pool.role)), f"{said}; {use}"
    for row in served.cost_per_million:
        yield words("per_million", load=percent(row.load, 0)), words.money(row.usd)


def _spread(words: Words, band: Band | None, value: float) -> str:
    if band is None:
        return number(value)
    return words("band", value=number(value), low=number(band.p10), high=number(band.p90))
