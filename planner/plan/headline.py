"""The first line of every answer: the answer itself, how sure it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from planner.plan.account import Band, Comparison, Confidence, Evidence, Nearest, Summary, Sureness
from planner.plan.names import rule_words
from planner.plan.parts import Cards, Limits, Performance, Target
from planner.plan.shown import days, percent, rate, signed_percent, spread

NAMED_ESTIMATES = 3
SAME = 0.03
"""A median so near to the central answer is not told beside it."""
LIKELY = 0.5
"""Shares of the draws from which a target is rather met than missed."""
GRADES = {
    "A": "runs on this chip, no timing estimated",
    "B": "runs on this chip, some estimates",
    "C": "few runs, or only on its kin",
    "D": "no run on this chip",
}


@dataclass(frozen=True)
class Facts:
    """What a headline is made of."""

    question: str
    chip: str
    target: Target
    limits: Limits
    cards: Cards | None
    performance: Performance | None
    days: Band | None
    evidence: Evidence
    confidence: Confidence | None
    nearest: Nearest | None
    nearest_chip: str | None = None
    comparison: Comparison | None = None
    complete: bool = True
    warning: str | None = None
    """What has to be said before anything else."""
    cause: str | None = None
    """Of a no: what one thing is to blame, and what would do."""
    runs: float | None = None
    """The share of draws in which the design fits; its days are banded over these."""
    met: float | None = None
    """The share of draws in which the design meets the target."""
    unsure: str | None = None
    """Why there is no plan for the probability asked for."""


def headline(facts: Facts) -> str:
    """One line, parts joined by middle dots."""
    parts = [facts.warning] if facts.warning else []
    answer = _answer(facts)
    if facts.unsure is not None:
        answer = f"No: {facts.unsure}: {answer}"
    step = facts.performance.step_seconds if facts.performance is not None else None
    parts += [answer, *software(facts.evidence, step), _grade(facts.evidence)]
    estimates = _estimates(facts.evidence)
    parts += [estimates] if estimates else []
    sure = _sure(facts.confidence) if facts.unsure is None else ""
    parts += [sure] if sure else []
    if not facts.complete:
        parts.append("search not complete")
    return " · ".join(parts)


def _answer(facts: Facts) -> str:
    if facts.comparison is not None:
        return _named(facts)
    if facts.cards is None or facts.performance is None:
        return _no(facts)
    cards = f"{facts.cards.total:,} {facts.chip}"
    took = _took(facts, facts.performance.days)
    if facts.target.days is not None:
        if not _shifted(facts.days, facts.performance.days):
            return f"{cards} meet {days(facts.target.days)}: {took}{_in_time(facts)}"
        return f"{cards} meet {days(facts.target.days)} {_stated(facts, facts.days, facts.performance.days)}"
    if facts.target.tokens_per_second is not None:
        # The target counts calendar time, so failures are taken off.
        reached = rate(facts.performance.tokens_per_second * facts.performance.goodput)
        return f"{cards} meet {rate(facts.target.tokens_per_second)}: {reached}{_rate_spread(facts)}"
    return f"{took} · {cards}"


def _took(facts: Facts, central: float) -> str:
    """Days of the central figures with the band; the median of the draws too, where it is another number."""
    text, band = days(central), facts.days
    if _shifted(band, central):
        text += f" if every figure is as stated, {days(band.p50)} in the median of the draws"
    return text + spread(band, facts.runs)


def _shifted(band: Band | None, central: float) -> TypeGuard[Band]:
    """Whether the median of the draws is another number than the central answer."""
    return band is not None and abs(band.p50 / central - 1.0) > SAME


def _stated(facts: Facts, band: Band, central: float) -> str:
    """Met by the central figures is not yet met: how often it is, and what to expect."""
    exact = "" if days(central) == days(facts.target.days or central) else f" ({days(central)})"
    stated, middle = f"if every figure is as stated{exact}", f"{days(band.p50)}{spread(band, facts.runs)}"
    if facts.met is None:
        return f"{stated}; {middle} in the median of the draws"
    often = f"in {percent(facts.met, 0)} of the draws of all ranges: half take up to {middle}"
    if facts.met >= LIKELY:
        return f"{often}, {days(central)} if every figure is as stated"
    return f"{stated}, but only {often}"


def _in_time(facts: Facts) -> str:
    """How often the draws are in time: central figures say yes or no, and not how likely that is."""
    return "" if facts.met is None else f", in time in {percent(facts.met, 0)} of the draws"


def _rate_spread(facts: Facts) -> str:
    """The band of days, as rates: failures included."""
    band, speed = facts.days, facts.performance
    if band is None or speed is None:
        return ""
    work = speed.tokens_per_second * speed.goodput * speed.days
    slow, fast = (rate(work / end) for end in (band.p90, band.p10))
    return f" (P10-P90 {slow} - {fast})"


def _no(facts: Facts) -> str:
    wanted = _wanted(facts.target)
    nearest = facts.nearest
    if facts.cause is not None:
        return f"No: {facts.cause}"
    if nearest is None or nearest.design is None:
        if not facts.complete:
            return "No plan is known: the search was ended before it found one, which proves nothing"
        return f"No: {nearest.why if nearest else 'nothing ' + (wanted or 'fits the limits')}"
    row = _row(nearest.design, facts.nearest_chip or facts.chip)
    wanted = f"nothing inside the limits {wanted}" if wanted else "nothing fits the limits"
    if nearest.what == "target":
        return f"No: {wanted}; nearest: {row}"
    if nearest.over_limits == ["limits.cards_min"]:
        return f"No: {wanted}; nearest, with fewer cards than asked for: {row}"
    over = ", ".join(_over(limit) for limit in nearest.over_limits) or "the limits"
    return f"No: {wanted}; nearest, over {over}: {row}"


_OVER = {
    "site.hall": "what a rack of the halls carries",
    "site.hot_day": "what cooling holds cards at on the hot design day",
}


def _over(limit: str) -> str:
    """``limits.facility_watts`` -> ``facility power``."""
    return _OVER.get(limit) or limit.removeprefix("limits.").replace("_watts", " power").replace(
        "_usd", ""
    ).replace("_", " ")


def _wanted(target: Target) -> str:
    if target.days is not None:
        return f"meets {days(target.days)}"
    if target.tokens_per_second is not None:
        return f"meets {rate(target.tokens_per_second)}"
    return ""


def _row(design: Summary, chip: str) -> str:
    return f"{design.cards:,} {chip} in {days(design.days)}"


def _named(facts: Facts) -> str:
    """An evaluated design: what it does or breaks, and how far behind the best it is."""
    comparison = facts.comparison
    assert comparison is not None
    if comparison.broken_rules or facts.performance is None or facts.cards is None:
        broken = "; ".join(rule_words(rule) for rule in comparison.broken_rules)
        return f"No: the layout breaks {broken or 'a rule'}"
    took = _took(facts, facts.performance.days)
    text = (
        f"{took} · {facts.cards.total:,} {facts.chip} in the {'named' if comparison.named else 'best'} layout"
    )
    if comparison.over_limits:
        text = f"No: over {', '.join(_over(limit) for limit in comparison.over_limits)}; {text}"
    elif comparison.meets_target is False:
        text = f"No: {facts.cause or 'misses the target'}; {text}"
    if comparison.behind_best is not None:
        behind = comparison.behind_best
        text += f", {percent(behind)} behind the best" if behind >= 5e-4 else ", as fast as the best"
    if facts.met is not None:
        text += f", meets the target in {percent(facts.met, 0)} of the draws"
    return text


TUNING = {"tuned": "tuned", "default": "as it comes", "tutorial": "as in tutorials"}


def software(evidence: Evidence, step_seconds: float | None = None) -> list[str]:
    """On which software the answer rests, whether experts tuned it, and what it takes where nobody does."""
    if evidence.software is None:
        return []
    text = f"{'' if evidence.software_asked else 'default '}software {evidence.software}"
    if evidence.tuning is not None:
        text += f", {TUNING[evidence.tuning]}"
    untuned = evidence.untuned
    if untuned is not None and step_seconds is not None:
        if untuned.step_seconds is None:
            text += " (as it comes this layout does not run)"
        else:
            slower = untuned.step_seconds / step_seconds - 1.0
            text += f" (as it comes a step takes {signed_percent(slower)})"
    return [text]


def _grade(evidence: Evidence) -> str:
    return f"evidence {evidence.grade}: {GRADES[evidence.grade]}"


def _estimates(evidence: Evidence) -> str:
    labels: Sequence[str] = [estimate.label for estimate in evidence.estimates]
    if not labels:
        return ""
    named = ", ".join(labels[:NAMED_ESTIMATES]) + (", ..." if len(labels) > NAMED_ESTIMATES else "")
    return f"{len(labels)} estimate{'' if len(labels) == 1 else 's'} ({named})"


def _sure(confidence: Confidence | None) -> str:
    if confidence is None:
        return ""
    share = sure_share(confidence.probability)
    if confidence.cards is None:
        near = "" if confidence.nearest is None else f"; {surest(confidence.nearest, share)}"
        return f"{share} sure: none tried up to {confidence.cards_tried:,} cards{near}"
    return f"{share} sure needs {confidence.cards:,} cards"


def sure_share(probability: float) -> str:
    """0.9 -> ``90 %``."""
    return f"{100.0 * probability:g} %"


def surest(near: Sureness, share: str) -> str:
    """How sure at most, and what date would be sure enough."""
    when = "at no date" if near.days is None else f"in {days(near.days)}"
    return f"at best {percent(near.met, 0)} with {near.cards:,}, {share} {when}"


def unsure(probability: float, tried: int, near: Sureness | None) -> str:
    """Why there is no plan for a probability, and what comes nearest."""
    share = sure_share(probability)
    best = "" if near is None else f"; {surest(near, share)}"
    return f"no cluster tried, up to {tried:,} cards, meets the target with {share} certainty{best}"
