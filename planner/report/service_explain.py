"""The account of a service for people: figures with formula and terms, pools, the value of each resource."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.explained import ExplainedPool, ServiceExplanation
from planner.plan.shown import counted, duration, number, percent, scaled, usd
from planner.report import explain_doubt
from planner.report.prices import service_price

SHOWN_SOURCES = 12
_SMALL = 5e-3
"""Causes below this share of a step are not listed."""


def text(answer: ServiceExplanation) -> str:
    """For people."""
    if answer.why is not None:
        return f"{answer.why}\n"
    return "\n".join(_lines(answer)).rstrip("\n") + "\n"


def _lines(answer: ServiceExplanation) -> Iterator[str]:
    yield (
        f"{counted(answer.cards or 0, 'card')} of {answer.system}, {answer.mode}, {answer.precision}: "
        f"{answer.verdict}"
    )
    yield ""
    yield "Figures, each with its formula"
    for item in answer.figures:
        yield f"  {item.name.replace('_', ' '):28s} {_shown(item.value, item.unit)}"
        yield f"    = {item.formula}  [{item.where}]"
        yield f"    {', '.join(f'{name} {_plain(value)}' for name, value in item.terms.items())}"
    for pool in answer.pools:
        yield ""
        yield from _pool(pool)
    if answer.value:
        yield ""
        yield "10 % more of each resource changes the most requests per second by"
        for name, change in sorted(answer.value.items(), key=lambda item: -item[1]):
            yield f"  {100 * change:+6.2f} %  {name}"
        yield f"Most is gained from: {answer.bound_by}."
    if answer.prices:
        yield ""
        yield "One step more of each constraint, all else kept (on this plant, by the closed forms)"
        for price in answer.prices:
            yield f"  {service_price(price)}"
    yield ""
    yield "What timing rests on (all with their sources in --json)"
    timing = [one for one in answer.sources if one.role == "timing"]
    own = [one for one in timing if not one.key.startswith("serving-")]
    for one in own[:SHOWN_SOURCES]:
        source = "; ".join(one.sources) or one.method or ""
        yield f"  {one.label}: {_figure(one.value, one.unit)} ({one.kind}) {source}".rstrip()
    rest = len(timing) - min(len(own), SHOWN_SOURCES)
    yield f"  and {rest} more, of the serving model and the framework"
    for warning in answer.warnings:
        yield f"Warning: {warning}."
    if answer.doubt is not None:
        yield ""
        yield from explain_doubt.lines(answer.doubt)


def _pool(pool: ExplainedPool) -> Iterator[str]:
    yield (
        f"{pool.role}: {counted(pool.instances, 'instance')} of {pool.layout} on "
        f"{counted(pool.cards, 'card')}, {percent(pool.load)} in use; step {duration(pool.step_seconds)}"
    )
    step = pool.step_seconds or 1.0
    for name, seconds in sorted(pool.time.items(), key=lambda item: -item[1]):
        if seconds > _SMALL * step:
            yield f"  {100 * seconds / step:5.1f} %  {duration(seconds):>9s}  {name.replace('_', ' ')}"
    use = pool.memory
    yield (
        f"  memory of a device: weights {number(use.weights_bytes / 1e9)} + reserve "
        f"{number(use.reserve_bytes / 1e9)} + cache {number(use.cache_bytes / 1e9)} = "
        f"{number(use.capacity_bytes / 1e9)} GB"
    )


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    if unit == "USD":
        return usd(value)
    return duration(value) if unit == "s" else f"{number(value)} {unit}"


def _figure(value: float, unit: str) -> str:
    if unit == "fraction":
        return number(value)
    return duration(value) if unit == "s" and value else scaled(value, unit)


def _plain(value: float | None) -> str:
    return "not known" if value is None else number(value)
