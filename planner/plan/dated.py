"""A plan held against the date by which its cards have to be there (``[supply]`` of the scenario).

Deliveries rest on estimates that nobody published; they judge a plan only where its scenario asks, and never
choose one.
"""

from __future__ import annotations

import math

from planner.errors import PlannerError
from planner.plan.deliveries import SECONDS_PER_MONTH
from planner.plan.mix import SEPARATE
from planner.plan.model import Plan
from planner.plan.shown import days
from planner.plan.supply import Dated, SupplyPlan, rates_of, supply, worth_in
from planner.problem.hardware import unit_cards
from planner.scenario import Scenario, ServiceScenario
from planner.specs import SpecLibrary, System


def held_to_date(plan: Plan, scenario: Scenario, library: SpecLibrary) -> Plan:
    """The plan with its deliveries; a no where neither the system nor a mix is there by the date."""
    asked = scenario.supply
    if asked is None or plan.system is None or plan.cards is None:
        return plan
    system = library.system(plan.system)
    trains = not isinstance(scenario, ServiceScenario)
    dated = Dated(asked.by_months, _others(scenario, library), asked.confidence, asked.one_job)
    if dated.second and trains:
        dated = worth_in(dated, scenario, library, plan.cards.total)
    found = supply(
        library,
        system,
        plan.cards.total,
        given=asked.figures,
        dated=dated,
        seed=scenario.search.seed,
    )
    alone = found.by_probability is not None and found.by_probability >= asked.confidence
    if alone:
        return plan.model_copy(update={"supply": found})
    spans = asked.one_job or not trains
    if found.feasible and spans:
        return plan.model_copy(update={"supply": found, "headline": f"{plan.headline} · {found.headline}"})
    nearest = _with_what_is_there(plan, scenario, library, system, found)
    if found.feasible:
        nearest = f" · but {SEPARATE} (supply.one_job declares that one does){nearest}"
        found = found.model_copy(update={"feasible": False, "headline": f"No: {found.headline}"})
    return plan.model_copy(
        update={
            "supply": found,
            "feasible": False,
            "binding": ["supply.by_months", *plan.binding],
            "headline": f"{found.headline}{nearest} · the plan: {plan.headline}",
        }
    )


def _others(scenario: Scenario, library: SpecLibrary) -> tuple[System, ...]:
    assert scenario.supply is not None
    try:
        return tuple(library.system(library.resolve_hardware(name)) for name in scenario.supply.second)
    except PlannerError as fault:
        raise scenario.origin.error("supply.second", fault.message, fault.hint) from fault


def _with_what_is_there(
    plan: Plan, scenario: Scenario, library: SpecLibrary, system: System, found: SupplyPlan
) -> str:
    """What the cards that are there by the date would do, in the words of the first line."""
    if found.by_cards is None or isinstance(scenario, ServiceScenario) or plan.performance is None:
        return ""
    unit = unit_cards(system)
    there = math.floor(found.by_cards.p50 / unit) * unit
    if there <= 0:
        return ""
    rates, tokens = rates_of(scenario, library, system, [there])
    if there not in rates:
        return f" · no layout fits {there:,} cards"
    took = tokens / rates[there] / SECONDS_PER_MONTH * 365 / 12
    return f" · the {there:,} there by then would take {days(took)}"
