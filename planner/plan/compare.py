"""``compare/1``: many systems, one workload, one limit: who does most, by how much, why the others lose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from planner.errors import PlannerError, ScenarioError
from planner.plan.account import Band
from planner.plan.case import open_case
from planner.plan.draws import check_samples
from planner.plan.maturity import CLASS_OF, maturity_of
from planner.plan.model import Plan
from planner.plan.parts import Part
from planner.plan.rivals import rivals
from planner.plan.shown import number, spaced
from planner.problem.market import excluded
from planner.scenario import Scenario
from planner.specs import SpecLibrary
from planner.specs.export_control import export_figures
from planner.specs.schema.part import WorkloadClass

SECONDS_PER_YEAR = 365 * 86400.0
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
    maturity: str | None = Field(default=None, description="level of its software for this class of workload")
    porting_months: float | None = Field(default=None, description="estimate; in no measure and no rank")
    porting_engineer_months: float | None = Field(default=None, description="estimate; the work of a port")
    porting_usd: Band | None = Field(default=None, description="estimate; in no total and no rank")
    days_with_port: Band | None = Field(
        default=None, description="calendar days of port and run together; null for a service"
    )
    export_control: str | None = Field(
        default=None, description="ECCN 3A090 of October 2023 by arithmetic; not legal advice"
    )
    best_probability: float | None = Field(
        default=None, description="of being the best, of draws that all contenders share (--samples)"
    )
    difference_band: Band | None = Field(
        default=None, description="of the measure to that of the central best, minus 1, of the same draws"
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
    answer: Callable[[Scenario], Plan],
    *,
    limit: str,
    seen: Callable[[str], None] | None = None,
    samples: int = 0,
) -> Comparison:
    """Answer the scenario for each of its systems alone, and set the answers side by side.

    Args:
        scenario: the question; its systems are the contenders.
        library: spec files.
        answer: the plan of a scenario, of training or of a service.
        limit: the common limit in words.
        seen: told the name of each system before it is worked out.
        samples: draws of everything uncertain, the same for all contenders; 0: none.

    Raises:
        PlannerError: the scenario cannot be used at all.
    """
    if samples:
        check_samples(samples, scenario.search.seed)
    found: list[Contender] = []
    measured: list[_Measured] = []
    answered: dict[str, tuple[Scenario, Plan]] = {}
    notes: list[str] = []
    for system_id in _systems(scenario, library):
        if seen is not None:
            seen(system_id)
        contender = _head(system_id, library, CLASS_OF.get(scenario.workload.kind))
        why = excluded(library.system(system_id), library.accelerator(contender.accelerator), scenario.limits)
        if why is not None:
            found.append(contender.model_copy(update={"refused": why}))
            continue
        try:
            hardware = scenario.hardware.model_copy(update={"systems": (system_id,)})
            alone = scenario.model_copy(update={"hardware": hardware})
            plan = answer(alone)
        except PlannerError as fault:
            found.append(contender.model_copy(update={"refused": fault.message}))
            continue
        told = (f"{system_id}: {note.replace(f' for {system_id}', '')}" for note in plan.notes)
        notes += [note for note in told if note not in notes]
        rated = _rate(plan)
        if plan.feasible and rated is not None:
            measured.append(_Measured(_filled(contender, plan, *rated), plan))
            answered[system_id] = (alone, plan)
        else:
            found.append(contender.model_copy(update={"refused": _no(plan)}))
    by_cards = scenario.target.any
    ranked = _ranked(measured, by_cards)
    if samples and ranked:
        ranked = _drawn(ranked, answered, library, samples)
    return Comparison(
        workload=_workload(scenario),
        limit=limit,
        measure="cards" if by_cards else "tokens_per_second",
        headline=_headline(ranked, by_cards, limit),
        contenders=[*ranked, *found],
        notes=notes,
    )


def _drawn(
    ranked: Sequence[Contender],
    answered: Mapping[str, tuple[Scenario, Plan]],
    library: SpecLibrary,
    samples: int,
) -> list[Contender]:
    """With the chance of being best (most tokens per second) and the band of the difference to the first.

    Raises:
        ScenarioError: a service, which is not drawn.
    """
    if any(plan.performance is None for _, plan in answered.values()):
        raise ScenarioError("only training plans are drawn", file="--samples", hint="leave --samples out")
    cases = {name: (open_case(alone, library), plan) for name, (alone, plan) in answered.items()}
    seed = next(iter(answered.values()))[0].search.seed
    found = rivals(cases, ranked[0].system, samples, seed, "tokens_per_second")
    return [
        item.model_copy(
            update={
                "best_probability": found[item.system].best,
                "difference_band": found[item.system].difference,
            }
        )
        for item in ranked
    ]


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


def _head(system_id: str, library: SpecLibrary, workload: WorkloadClass | None) -> Contender:
    system = library.system(system_id)
    card = library.accelerator_of(system)
    mature = maturity_of(library, card, workload) if workload else None
    months, staff = (mature.porting_months, mature.porting_staff) if mature else (None, None)
    export = export_figures(card)
    return Contender(
        system=system.id,
        name=card.name.split("(")[0].strip(),
        accelerator=card.id,
        origin=card.origin,
        status=system.status,
        released=system.released,
        feasible=False,
        refused=None,
        maturity=mature.level if mature else None,
        porting_months=months.value if months else None,
        porting_engineer_months=months.value * staff.value if months and staff else None,
        export_control=export.classified if export else None,
    )


def _rate(plan: Plan) -> tuple[float, Band | None] | None:
    """Tokens per second and their range: of training with failures; of a service, output tokens at its most.

    A service is evaluated at some load; its most is that load over the share of it in use.
    """
    if plan.performance is not None:
        goodput = plan.performance.goodput
        band = plan.bands.tokens_per_second if plan.bands is not None else None
        return plan.performance.tokens_per_second * goodput, _scaled(band, goodput)
    served = getattr(plan, "serving", None)
    if served is None:
        return None
    most, load = served.most_requests_per_second, served.requests_per_second
    rate = served.output_tokens_per_second * (most / load if load else 1.0)
    band = getattr(plan.bands, "requests_per_second", None)
    return rate, _scaled(band, rate / most if most else 0.0)


def _no(plan: Plan) -> str:
    near = plan.nearest
    return "nothing fits" if near is None else f"{near.what}: {near.why}"


def _filled(contender: Contender, plan: Plan, rate: float, band: Band | None) -> Contender:
    facility, cost = plan.facility, plan.cost
    assert facility is not None
    assert plan.cards is not None
    year = cost.tco_usd_per_year if cost else None
    layouts = [pool.layout.short() for pool in plan.pools]
    port = plan.maturity.port if plan.maturity else None
    return contender.model_copy(
        update={
            "feasible": True,
            "cards": plan.cards.total,
            "racks": facility.racks.total,
            "facility_megawatts": facility.facility_design_megawatts,
            "it_megawatts": facility.it_megawatts,
            "tokens_per_second": rate,
            "tokens_per_second_band": band,
            "days": plan.performance.days if plan.performance else None,
            "tokens_per_joule": rate / (facility.facility_megawatts * MEGA),
            "capex_usd": cost.capex_usd if cost else None,
            "tco_usd_per_year": year,
            "usd_per_million_tokens": None if year is None else year / (rate * SECONDS_PER_YEAR) * 1e6,
            "power_cap": plan.power_cap,
            "cooling": facility.cooling,
            "layout": " + ".join(layouts) or None,
            "precision": plan.workload.precision,
            "software": plan.workload.software,
            "evidence": plan.evidence.grade,
            "binding": list(plan.binding),
            "waterfall": waterfall(plan),
            "porting_usd": port.usd if port else None,
            "days_with_port": port.days_to_finish if port else None,
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
    if not own.cards or not best.cards:
        return "not known: a figure of the comparison is missing"
    if mine is None or theirs is None:
        return _yields(own, best)
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


def _yields(own: Contender, best: Contender) -> str:
    """Of services, and where no peak is known: cards within the limit, and tokens/s of one."""
    cards = (own.cards or 1) / (best.cards or 1)
    each = (own.tokens_per_second or 0.0) / (best.tokens_per_second or 1.0) / cards
    sides = [(item.tokens_per_second or 0.0) / (item.cards or 1) for item in (own, best)]
    return (
        f"x{each:.2f} a card ({number(sides[0])} against {number(sides[1])} tokens/s), "
        f"x{cards:.2f} the cards ({own.cards:,} against {best.cards:,})"
    )


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
    """The model and, of training, the length of its sequences."""
    model = getattr(scenario.workload, "model", None) or scenario.workload.kind
    sequence = getattr(scenario.workload, "sequence", None)
    return f"{model}, {scenario.workload.kind}" if sequence is None else f"{model}, sequences of {sequence:,}"


def _headline(ranked: Sequence[Contender], by_cards: bool, limit: str) -> str:
    if not ranked:
        return f"none of the systems has a plan within {limit}"
    best = ranked[0]
    what = f"{best.cards:,} cards" if by_cards else spaced(best.tokens_per_second or 0.0, "tokens/s")
    head = f"{best.name} ({best.system}) first within {limit}: {what}"
    if best.level_with:
        return f"{head} · not a rank: its range overlaps that of {', '.join(best.level_with)}"
    if len(ranked) > 1:
        second = ranked[1]
        head += f" · then {second.name} ({second.system}) at x{second.relative:.2f}"
    return head
