"""``compare/1``: many systems, one workload, one limit: who does most, by how much, why the others lose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from planner.errors import PlannerError, ScenarioError
from planner.plan.account import Band
from planner.plan.model import Plan
from planner.plan.parts import Part
from planner.plan.shown import number
from planner.plan.solve import open_case, solve
from planner.problem.market import excluded
from planner.scenario import Scenario
from planner.specs import SpecLibrary

PETA = 1e15
MEGA = 1e6


class Waterfall(Part):
    """From what is advertised to what trains, in dense PFLOP/s of all active cards at the precision used."""

    advertised: float
    matrix_engine: float = Field(description="of the matrix engine alone")
    kernel: float = Field(description="model FLOP/s while products and attention run")
    step: float = Field(description="model FLOP/s over the whole step: bubbles, traffic and host work too")
    goodput: float = Field(description="with failures and checkpoints: effective compute")


class Contender(Part):
    """One system under the common limit."""

    system: str
    name: str
    accelerator: str
    origin: str
    status: str
    released: str | None
    feasible: bool
    refused: str | None = Field(description="why there is no plan of it")
    rank: int | None = None
    cards: int | None = None
    racks: int | None = None
    facility_megawatts: float | None = Field(default=None, description="grid, design day")
    it_megawatts: float | None = None
    tokens_per_second: float | None = Field(default=None, description="with failures")
    tokens_per_second_band: Band | None = None
    days: float | None = None
    tokens_per_joule: float | None = Field(
        default=None, description="at the grid, annual mean, with failures"
    )
    capex_usd: float | None = None
    tco_usd_per_year: float | None = None
    usd_per_million_tokens: float | None = None
    power_cap: float | None = None
    cooling: str | None = None
    layout: str | None = None
    precision: str | None = None
    software: str | None = None
    evidence: str | None = Field(default=None, description="grade of what stands behind the numbers")
    binding: list[str] = Field(default=[])
    waterfall: Waterfall | None = None
    relative: float | None = Field(default=None, description="of the best on the measure of the comparison")
    why: str | None = Field(default=None, description="what separates it from the best")
    level_with: list[str] = Field(
        default=[], description="systems it cannot be told from: the 80 % ranges overlap"
    )


class Comparison(Part):
    """All contenders, the best first."""

    schema_: Literal["compare/1"] = Field(default="compare/1", alias="schema")
    workload: str
    limit: str = Field(description="what all of them keep")
    measure: Literal["tokens_per_second", "cards"] = Field(
        description="most of the one, or fewest of the other"
    )
    headline: str
    contenders: list[Contender]
    notes: list[str] = Field(default=[])


@dataclass(frozen=True)
class _Measured:
    """A contender with its plan."""

    contender: Contender
    plan: Plan


def compare(
    scenario: Scenario,
    library: SpecLibrary,
    *,
    limit: str,
    no_estimates: bool = False,
    seen: Callable[[str], None] | None = None,
) -> Comparison:
    """Answer the scenario for each of its systems alone, and set the answers side by side.

    Args:
        scenario: the question; its systems are the contenders.
        library: spec files.
        limit: the common limit in words.
        no_estimates: refuse estimates.
        seen: told the name of each system before it is worked out.

    Raises:
        PlannerError: the scenario cannot be used at all.
    """
    found: list[Contender] = []
    measured: list[_Measured] = []
    notes: list[str] = []
    for system_id in _systems(scenario, library):
        if seen is not None:
            seen(system_id)
        contender = _head(system_id, library)
        why = excluded(library.system(system_id), library.accelerator(contender.accelerator), scenario.limits)
        if why is not None:
            found.append(contender.model_copy(update={"refused": why}))
            continue
        try:
            plan = _plan(scenario, library, system_id, no_estimates)
        except PlannerError as fault:
            found.append(contender.model_copy(update={"refused": fault.message}))
            continue
        told = (f"{system_id}: {note.replace(f' for {system_id}', '')}" for note in plan.notes)
        notes += [note for note in told if note not in notes]
        if plan.feasible and plan.performance is not None:
            measured.append(_Measured(_filled(contender, plan), plan))
        else:
            found.append(contender.model_copy(update={"refused": _no(plan)}))
    by_cards = scenario.target.any
    ranked = _ranked(measured, by_cards)
    return Comparison(
        workload=_workload(scenario),
        limit=limit,
        measure="cards" if by_cards else "tokens_per_second",
        headline=_headline(ranked, by_cards, limit),
        contenders=[*ranked, *found],
        notes=notes,
    )


def _systems(scenario: Scenario, library: SpecLibrary) -> list[str]:
    ids: list[str] = []
    for name in scenario.hardware.systems:
        try:
            found = library.resolve_hardware(name)
        except PlannerError as fault:
            raise scenario.origin.error("hardware.systems", fault.message, fault.hint) from fault
        ids += [] if found in ids else [found]
    if not ids:
        raise ScenarioError("names no system to compare", key="hardware.systems")
    return ids


def _head(system_id: str, library: SpecLibrary) -> Contender:
    system = library.system(system_id)
    card = library.accelerator_of(system)
    return Contender(
        system=system.id,
        name=card.name.split("(")[0].strip(),
        accelerator=card.id,
        origin=card.origin,
        status=system.status,
        released=system.released,
        feasible=False,
        refused=None,
    )


def _plan(scenario: Scenario, library: SpecLibrary, system_id: str, no_estimates: bool) -> Plan:
    hardware = scenario.hardware.model_copy(update={"systems": (system_id,)})
    alone = scenario.model_copy(update={"hardware": hardware})
    return solve(open_case(alone, library, no_estimates=no_estimates))


def _no(plan: Plan) -> str:
    near = plan.nearest
    return "nothing fits" if near is None else f"{near.what}: {near.why}"


def _filled(contender: Contender, plan: Plan) -> Contender:
    performance, facility, cost = plan.performance, plan.facility, plan.cost
    assert performance is not None
    assert facility is not None
    assert plan.cards is not None
    rate = performance.tokens_per_second * performance.goodput
    band = plan.bands.tokens_per_second if plan.bands is not None else None
    return contender.model_copy(
        update={
            "feasible": True,
            "cards": plan.cards.total,
            "racks": facility.racks.total,
            "facility_megawatts": facility.facility_design_megawatts,
            "it_megawatts": facility.it_megawatts,
            "tokens_per_second": rate,
            "tokens_per_second_band": _scaled(band, performance.goodput),
            "days": performance.days,
            "tokens_per_joule": rate / (facility.facility_megawatts * MEGA),
            "capex_usd": cost.capex_usd if cost else None,
            "tco_usd_per_year": cost.tco_usd_per_year if cost else None,
            "usd_per_million_tokens": cost.usd_per_million_tokens if cost else None,
            "power_cap": plan.power_cap,
            "cooling": facility.cooling,
            "layout": plan.layout.short() if plan.layout else None,
            "precision": plan.workload.precision,
            "software": plan.workload.software,
            "evidence": plan.evidence.grade,
            "binding": list(plan.binding),
            "waterfall": waterfall(plan),
        }
    )


def _scaled(band: Band | None, factor: float) -> Band | None:
    if band is None:
        return None
    return Band(p10=band.p10 * factor, p50=band.p50 * factor, p90=band.p90 * factor)


def waterfall(plan: Plan) -> Waterfall | None:
    """Advertised, matrix-engine, kernel, step and goodput compute of a training plan.

    step = MFU x matrix peak; kernel = step x step time over the time of products and attention.
    """
    speed = plan.performance
    if speed is None or not speed.effective_pflops or not speed.mfu_advertised or speed.mfu <= 0.0:
        return None
    effective = speed.effective_pflops
    step = effective / speed.goodput
    matrix = step / speed.mfu
    busy = sum(speed.breakdown.get(f"{name}_seconds", 0.0) for name in ("matmul", "attention"))
    return Waterfall(
        advertised=step / speed.mfu_advertised,
        matrix_engine=matrix,
        kernel=step * speed.step_seconds / busy if busy else step,
        step=step,
        goodput=effective,
    )


def _ranked(measured: Sequence[_Measured], by_cards: bool) -> list[Contender]:
    def key(item: _Measured) -> tuple[float, str]:
        own = item.contender
        value = own.cards if by_cards else -(own.tokens_per_second or 0.0)
        return (value or 0.0, own.system)

    order = sorted(measured, key=key)
    return [
        item.contender.model_copy(
            update={
                "rank": place + 1,
                "relative": _relative(item.contender, order[0].contender, by_cards),
                "why": None if place == 0 else why_behind(item.contender, order[0].contender),
                "level_with": _level(item.contender, [other.contender for other in order]),
            }
        )
        for place, item in enumerate(order)
    ]


def _relative(own: Contender, best: Contender, by_cards: bool) -> float:
    if by_cards:
        return (own.cards or 1) / (best.cards or 1)
    return (own.tokens_per_second or 0.0) / (best.tokens_per_second or 1.0)


def _level(own: Contender, others: Sequence[Contender]) -> list[str]:
    """Systems whose 80 % range of throughput overlaps that of ``own``: the model cannot tell them apart."""
    mine = own.tokens_per_second_band
    if mine is None:
        return []
    return [
        other.system
        for other in others
        if other.system != own.system
        and (theirs := other.tokens_per_second_band) is not None
        and mine.p10 <= theirs.p90
        and theirs.p10 <= mine.p90
    ]


def why_behind(own: Contender, best: Contender) -> str:
    """The factors of throughput that ``own`` has less of than ``best``, the weightiest first.

    Tokens/s = matrix peak of all cards x (kernel / matrix) x (step / kernel) x goodput, up to the FLOPs of a
    token, which are the same for all.
    """
    mine, theirs = own.waterfall, best.waterfall
    if mine is None or theirs is None or not own.cards or not best.cards:
        return "not known: a figure of the comparison is missing"
    ratios: Mapping[str, float] = {
        _bought(own, best): mine.matrix_engine / theirs.matrix_engine,
        "kernels nearer to their peak": (mine.kernel / mine.matrix_engine)
        / (theirs.kernel / theirs.matrix_engine),
        "less traffic, bubble and overhead in the step": (mine.step / mine.kernel)
        / (theirs.step / theirs.kernel),
        "fewer failures": (mine.goodput / mine.step) / (theirs.goodput / theirs.step),
    }
    losses = sorted((math.log(ratio), words, ratio) for words, ratio in ratios.items() if ratio < 0.99)
    if not losses:
        return "behind by rounding only"
    return "; ".join(_loss(words, ratio) for _, words, ratio in losses[:2])


def _loss(words: str, ratio: float) -> str:
    if words.startswith(("kernels", "less", "fewer")):
        return f"x{ratio:.2f}: the best has {words}"
    return f"x{ratio:.2f}: {words}"


def _bought(own: Contender, best: Contender) -> str:
    """The compute that the limit buys, and what one card of each takes and gives."""
    sides = [_card(item) for item in (own, best)]
    return f"compute that the limit buys ({sides[0]} against {sides[1]})"


def _card(item: Contender) -> str:
    cards = item.cards or 1
    peak = item.waterfall.matrix_engine / cards * 1e3 if item.waterfall else 0.0
    power = (
        "" if item.facility_megawatts is None else f" at {number(item.facility_megawatts * 1e3 / cards)} kW"
    )
    return f"{cards:,} cards of {number(peak)} TFLOP/s{power}"


def _workload(scenario: Scenario) -> str:
    return f"{scenario.workload.model}, sequences of {scenario.workload.sequence:,}"


def _headline(ranked: Sequence[Contender], by_cards: bool, limit: str) -> str:
    if not ranked:
        return f"none of the systems has a plan within {limit}"
    best = ranked[0]
    what = (
        f"{best.cards:,} cards" if by_cards else f"{number((best.tokens_per_second or 0.0) / 1e6)} M tokens/s"
    )
    head = f"{best.name} ({best.system}) first within {limit}: {what}"
    if best.level_with:
        return f"{head} · not a rank: its range overlaps that of {', '.join(best.level_with)}"
    if len(ranked) > 1:
        second = ranked[1]
        head += f" · then {second.name} ({second.system}) at x{second.relative:.2f}"
    return head
