"""The first line of the answer to a service: the answer, how sure it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.plan.account import Band, Bands, Comparison, Confidence, Evidence
from planner.plan.headline import _estimates, _grade, _over, _sure, software
from planner.plan.parts import Cards, Target
from planner.plan.shown import counted, duration, number

SAME_LOAD = 0.005
"""Loads that differ by less read alike."""


@dataclass(frozen=True)
class ServiceFacts:
    """What the headline of a service is made of."""

    question: str
    chip: str
    generic: bool
    target: Target
    cards: Cards | None
    design: Mapping[str, Any] | None
    bands: Bands | None
    evidence: Evidence
    confidence: Confidence | None
    nearest_why: str | None
    comparison: Comparison | None
    complete: bool = True
    unsure: str | None = None
    """Why no plan has the probability asked for."""
    warning: str | None = None
    """What has to be said before anything else."""


def service_headline(facts: ServiceFacts) -> str:
    """One line, parts joined by middle dots."""
    warning = [facts.warning] if facts.warning else []
    answer = _answer(facts)
    if facts.unsure is not None and facts.design is not None:
        answer = f"No: {facts.unsure}: {answer}"
    parts = [*warning, answer, *_simulated(facts), *software(facts.evidence), _grade(facts.evidence)]
    parts += [text for text in (_estimates(facts.evidence), _sure(facts.confidence)) if text]
    if not facts.complete:
        parts.append("search not complete")
    return " · ".join(parts)


def _answer(facts: ServiceFacts) -> str:
    design, cards = facts.design, facts.cards
    if design is None or cards is None:
        return f"No: {facts.nearest_why or 'nothing fits'}"
    things = "items/s" if facts.generic else "requests/s"
    most = f"{number(design['most_requests_per_second'])}{_spread(facts.bands)} {things}{_idle(cards)}"
    latencies = _latencies(facts)
    many = f"{cards.total:,} {facts.chip}"
    comparison = facts.comparison
    if comparison is not None:
        head = f"{many} serve at most {most}{latencies}"
        if comparison.over_limits:
            return f"No: over {', '.join(_over(limit) for limit in comparison.over_limits)}; {head}"
        if comparison.meets_target is False:
            return f"No: {design['verdict']} or too slow at the load asked for; {head}"
        return head
    if facts.target.peak_requests_per_second is None:
        return f"{most} · {many}{latencies}"
    asked = number(facts.target.peak_requests_per_second)
    no = "No: a simulation refutes that " if refuted(design, facts.target) else ""
    return f"{no}{many} serve {asked} {things}{latencies}: at most {most}"


def _idle(cards: Cards) -> str:
    """Servers are bought whole: what the cards at work carry is not all that the bought ones could."""
    return "" if cards.active == cards.total else f" on the {counted(cards.active, 'card')} at work"


def refuted(design: Mapping[str, Any], target: Target) -> bool:
    """Whether a simulation found that a design does not carry the load asked for within its latencies."""
    found = design.get("simulated")
    return target.peak_requests_per_second is not None and found is not None and not found["confirmed"]


def _simulated(facts: ServiceFacts) -> list[str]:
    """Whether a simulation confirms the latencies; nothing where none was run."""
    found = (facts.design or {}).get("simulated")
    if found is None:
        return []
    how = "simulation" if found["arrivals"] == "poisson" else "replay of the trace"
    if found["confirmed"]:
        return [f"confirmed by {how}{_load(facts)}"]
    words = [f"{'latency' if facts.generic else 'TTFT'} {duration(found['ttft_quantile_seconds'])}"]
    if found["tpot_quantile_seconds"] is not None:
        words.append(f"TPOT {duration(found['tpot_quantile_seconds'])}")
    return [f"NOT confirmed by {how} ({', '.join(words)})"]


def _load(facts: ServiceFacts) -> str:
    """The load that was simulated, where it is not the one that the line says the service carries at most."""
    design = facts.design or {}
    rate, most = design["requests_per_second"], design["most_requests_per_second"]
    if abs(rate / most - 1.0) < SAME_LOAD:
        return ""
    return f" at {number(rate)} {'items/s' if facts.generic else 'requests/s'}"


def _spread(bands: Bands | None) -> str:
    band: Band | None = bands.requests_per_second if bands else None
    return "" if band is None else f" (P10-P90 {number(band.p10)}-{number(band.p90)})"


def _latencies(facts: ServiceFacts) -> str:
    """At the percentages asked for (else the median, or the mean of closed forms), and who says so.

    A simulation that confirms them speaks where there is one, else the closed forms.
    """
    design = facts.design or {}
    ran = design.get("simulated")
    ran = ran if ran is not None and ran["confirmed"] else None
    target, words = facts.target, []
    names = [("latency", "ttft")] if facts.generic else [("TTFT", "ttft"), ("TPOT", "tpot")]
    for label, key in names:
        form = design.get(key)
        seconds = ran[f"{key}_quantile_seconds"] if ran is not None else form and form["quantile"]
        share = getattr(target, f"{key}_percentile")
        if seconds is not None:
            words.append(f"{label} {percentile(share, simulated=ran is not None)} {duration(seconds)}")
    if not words:
        return ""
    text = ", ".join(words)
    return f" with simulated {text}" if ran is not None else f" with {text} (closed forms)"


def percentile(share: float | None, *, simulated: bool) -> str:
    """``P90``; where no latency is asked for, a simulation tells its median and closed forms their mean."""
    if share is None and not simulated:
        return "mean"
    return f"P{50.0 if share is None else share:g}"
