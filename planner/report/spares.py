"""Cards without work in words: hot spares bought on purpose, and what the layout cannot use."""

from __future__ import annotations

from planner.plan.model import Plan
from planner.plan.parts import Spares
from planner.plan.shown import counted, number, percent


def standing_by(plan: Plan) -> int:
    """Of the cards without work, those that a job of that size is worth or asked to hold as hot spares."""
    cards, failures = plan.cards, plan.reliability
    spares = failures.spares if failures is not None else None
    if cards is None or spares is None or spares.servers_usual is None:
        return 0
    return min(cards.spare, spares.servers_usual * cards.per_server)


def cards_told(plan: Plan) -> str:
    """Cards at work, those that stand by on purpose, and those for which the layout has no work."""
    cards = plan.cards
    assert cards is not None, "asked only of a plan with cards"
    if not cards.spare:
        return " (all at work)"
    standby = standing_by(plan)
    left = cards.spare - standby
    told = [f"{cards.active:,} at work"]
    told += [f"{standby:,} hot spares"] if standby else []
    told += [f"{left:,} that the layout leaves without work"] if left else []
    return f" ({', '.join(told)})"


def spares_told(spares: Spares) -> str:
    """How many servers stand by, where, and for how much of the time they are enough."""
    where = ""
    if spares.per_domain or spares.spare_domains:
        where = f" ({spares.per_domain} in each domain, {spares.spare_domains} whole domains)"
    asked = f" of {spares.servers_needed:,} needed" if spares.servers_needed else ""
    short = f", {spares.servers_short:,} SHORT" if spares.servers_short else ""
    kept = "" if spares.kept is None else f", {percent(spares.kept)} of it kept"
    words = (
        f"{counted(spares.servers_had, 'server')}{asked}{where}{short}; "
        f"{number(spares.servers_in_repair)} in repair on average; "
        f"enough {percent(spares.covered)} of the time{kept}"
    )
    if spares.others:
        others = (f"{number(other.days)} days with {other.servers:,}" for other in spares.others)
        words += f"; else at best {', '.join(others)}"
    return words
