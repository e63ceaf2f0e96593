"""``compare/1``: many systems, one workload, one limit: who does most, by how much, why the others lose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from planner.errors import PlannerError, ScenarioError
from planner.plan.account import Band
from planner.plan.case import open_case
from planner.plan.compare_why import level_with, rate_words, why_behind
from planner.plan.draws import check_samples
from planner.plan.maturity import class_of, maturity_of
from planner.plan.model import Plan
from planner.plan.parts import Part
from planner.plan.prices import Price
from planner.plan.result import Fact, Result
from planner.plan.rivals import rivals
from planner.plan.service_case import open_service
from planner.plan.service_parts import CostPerMillion
from planner.plan.service_rivals import service_rivals
from planner.plan.shown import duration, number, spaced
from planner.problem.contender import alone
from planner.problem.market import excluded
from planner.scenario import Scenario, ServiceScenario
from planner.specs import SpecLibrary
from planner.specs.export_control import export_figures
from planner.specs.schema.part import WorkloadClass
from planner.table import Table

SECONDS_PER_YEAR = 365 * 86400.0
MEGA = 1e6


class Waterfall(Part):
    """From what is advertised to what trains, in dense PFLOP/s of all active cards at the precision used."""

    advertised: float
    matrix_engine: float = Field(description="of the matrix engine alone")
    kernel: float = Field(description="model FLOP/s while products and attention run")
    step: float = Field(description="model FLOP/s over the whole step: bubbles, traffic and host work too")
    goodput: float = Field(description="with failures and checkpoints: effective compute")


class ServiceTerms(Part):
    """What only a service has, at the load asked for (else at its most)."""

    mode: str
    requests_per_second: float = Field(description="most within the latencies")
    tokens_per_second_per_card: float = Field(description="output (generic: items), over all cards bought")
    active_cards: int = Field(default=0, description="that carry it")
    ttft_seconds: float | None = Field(
        description="at the percentile of the target, simulated where that confirms it; generic: latency"
    )
    tpot_seconds: float | None = Field(description="at the percentile of the target")
    over_ttft: bool = Field(
        default=False, description="TTFT is over its target, by less than a short run is sure of"
    )
    over_tpot: bool = Field(default=False, description="the same of TPOT")
    usd_per_million: list[CostPerMillion] = Field(
        description="output tokens (generic: items), at shares of the most the service could do"
    )


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
    remedy: str | None = Field(default=None, description="what would let a refused one take part")
    rank: int | None = None
    cards: int | None = None
    racks: int | None = None
    facility_megawatts: float | None = Field(default=None, description="grid, design day")
    it_megawatts: float | None = None
    nameplate_megawatts: float | None = Field(
        default=None, description="rated: what breakers see; like published ratings of racks and supernodes"
    )
    tokens_per_second: float | None = Field(default=None, description="with failures")
    tokens_per_second_band: Band | None = None
    days: float | None = None
    tokens_per_joule: float | None = Field(
        default=None, description="at the grid, annual mean, with failures"
    )
    capex_usd: float | None = None
    tco_usd_per_year: float | None = None
    usd_per_million_tokens: float | None = None
    service: ServiceTerms | None = Field(default=None, description="of a service: latencies and cost")
    power_cap: float | None = None
    cooling: str | None = None
    layout: str | None = None
    precision: str | None = None
    software: str | None = None
    evidence: str | None = Field(default=None, description="grade of what stands behind the numbers")
    binding: list[str] = Field(default=[])
    prices: list[Price] = Field(
        default=[], description="what relaxing each constraint would gain; empty: no objective was searched"
    )
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


class Comparison(Result):
    """All contenders, the best first. Tables: ranking, contenders (every figure)."""

    MAIN: ClassVar[str] = "ranking"

    schema_: Literal["compare/1"] = Field(default="compare/1", alias="schema")
    workload: str
    limit: str = Field(description="what all of them keep")
    kind: Literal["training", "serving", "generic"] = Field(default="training")
    measure: Literal["tokens_per_second", "cards"] = Field(
        description="most of the one, or fewest of the other"
    )
    headline: str
    contenders: list[Contender]
    notes: list[str] = Field(default=[])

    def _tables(self) -> Mapping[str, Callable[[], Table]]:
        from planner.plan.tables import ranking  # noqa: PLC0415 (it knows this type)

        return {"ranking": lambda: ranking(self), **super()._tables()}

    def _facts(self) -> tuple[str, list[Fact]]:
        from planner.plan.notebook import comparison_facts  # noqa: PLC0415 (notebooks alone)

        return self.headline, comparison_facts(self)


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
    notes: dict[str, list[str]] = {}
    for system_id in _systems(scenario, library):
        if seen is not None:
            seen(system_id)
        contender = _head(system_id, library, class_of(scenario.workload))
        why = excluded(library.system(system_id), library.accelerator(contender.accelerator), scenario.limits)
        if why is not None:
            found.append(contender.model_copy(update={"refused": why}))
            continue
        try:
            asked, dropped = alone(scenario, system_id, library)
            plan = answer(asked)
        except PlannerError as fault:
            found.append(contender.model_copy(update={"refused": fault.message, "remedy": fault.hint}))
            continue
        for note in (*dropped, *plan.notes):
            names = notes.setdefault(note.replace(f" for {system_id}", ""), [])
            names += [system_id] if system_id not in names else []
        rated = _rate(plan)
        if plan.feasible and rated is not None:
            measured.append(_Measured(_filled(contender, plan, *rated), plan))
            answered[system_id] = (asked, plan)
        else:
            found.append(contender.model_copy(update={"refused": _no(plan)}))
    by_cards = scenario.target.any
    ranked = _ranked(measured, by_cards)
    if samples and ranked:
        ranked = _drawn(ranked, answered, library, samples, by_cards=by_cards)
    return Comparison(
        workload=_workload(scenario),
        limit=limit,
        kind=scenario.workload.kind,
        measure="cards" if by_cards else "tokens_per_second",
        headline=_headline(ranked, by_cards, limit),
        contenders=[*ranked, *found],
        notes=_told(notes, len(answered) + len(found)),
    )


def _told(notes: Mapping[str, Sequence[str]], contenders: int) -> list[str]:
    """Each note once, with the systems of which it was said where it was not said of all."""
    return [
        note if 1 < contenders == len(names) else f"{', '.join(names)}: {note}"
        for note, names in notes.items()
    ]


def _drawn(
    ranked: Sequence[Contender],
    answered: Mapping[str, tuple[Scenario, Plan]],
    library: SpecLibrary,
    samples: int,
    *,
    by_cards: bool,
) -> list[Contender]:
    """With the chance of being best and the band of the difference to the first.

    Of training: in tokens per second. Of services: in cards for the load carried where the fewest cards win,
    else in the highest load.
    """
    seed = next(iter(answered.values()))[0].search.seed
    served = {
        name: (open_service(asked, library), plan)
        for name, (asked, plan) in answered.items()
        if isinstance(asked, ServiceScenario)
    }
    if served:
        found = service_rivals(served, ranked[0].system, samples, seed, by_cards=by_cards)
    else:
        cases = {name: (open_case(asked, library), plan) for name, (asked, plan) in answered.items()}
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
            "nameplate_megawatts": facility.nameplate_megawatts,
            "service": _service_terms(plan, rate),
            "tokens_per_joule": rate / (facility.facility_megawatts * MEGA),
            "capex_usd": cost.capex_usd if cost else None,
            "tco_usd_per_year": year,
            "usd_per_million_tokens": _a_million(plan, year, rate),
            "power_cap": plan.power_cap,
            "cooling": facility.cooling,
            "layout": " + ".join(layouts) or None,
            "precision": plan.workload.precision,
            "software": plan.workload.software,
            "evidence": plan.evidence.grade,
            "binding": list(plan.binding),
            "prices": list(plan.prices),
            "waterfall": waterfall(plan),
            "porting_usd": port.usd if port else None,
            "days_with_port": port.days_to_finish if port else None,
        }
    )


def _a_million(plan: Plan, year: float | None, rate: float) -> float | None:
    """USD for a million tokens: of a service those at full load, whose energy is that of full load too."""
    if plan.serving is not None:
        return plan.serving.cost_per_million[0].usd
    return None if year is None else year / (rate * SECONDS_PER_YEAR) * 1e6


def _service_terms(plan: Plan, rate: float) -> ServiceTerms | None:
    served = plan.serving
    if served is None or plan.cards is None:
        return None
    ran = served.simulated if served.simulated and served.simulated.confirmed else None
    ttft = served.ttft.quantile if served.ttft else None
    tpot = served.tpot.quantile if served.tpot else None
    return ServiceTerms(
        mode=served.mode,
        requests_per_second=served.most_requests_per_second,
        active_cards=plan.cards.active,
        tokens_per_second_per_card=rate / plan.cards.total,
        ttft_seconds=(first := ran.ttft_quantile_seconds if ran else ttft),
        tpot_seconds=(tokens := ran.tpot_quantile_seconds if ran else tpot),
        over_ttft=_over(first, plan.target.ttft_seconds),
        over_tpot=_over(tokens, plan.target.tpot_seconds),
        usd_per_million=served.cost_per_million,
    )


def _over(found: float | None, wanted: float | None) -> bool:
    return found is not None and wanted is not None and found > wanted * (1.0 + 1e-3)


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
                "level_with": level_with(item.contender, [other.contender for other in order], by_cards),
            }
        )
        for place, item in enumerate(order)
    ]


def _relative(own: Contender, best: Contender, by_cards: bool) -> float:
    if by_cards:
        return (own.cards or 1) / (best.cards or 1)
    return (own.tokens_per_second or 0.0) / (best.tokens_per_second or 1.0)


def _workload(scenario: Scenario) -> str:
    """The model and, of training, the length of sequences; of a service lengths, load and latencies."""
    work = scenario.workload
    model = getattr(work, "model", None) or getattr(work, "name", None) or work.kind
    sequence = getattr(work, "sequence", None)
    if sequence is not None:
        return f"{model}, sequences of {sequence:,}"
    words = [f"{model}, {work.kind}"]
    for name, what in (("input_tokens", "in"), ("output_tokens", "out")):
        length = getattr(work, name, None)
        if length is not None:
            words.append(f"{number(length.moments[0])} tokens {what}")
    rate = getattr(scenario.target, "requests_per_second", None)
    if rate is not None:
        words.append(f"{number(rate)} requests/s")
    for name in ("ttft", "tpot", "latency"):
        wanted = getattr(scenario.target, name, None)
        if wanted is not None:
            label = name if name == "latency" else name.upper()
            words.append(f"{label} {duration(wanted.value)} for {number(wanted.percentile)} %")
    return ", ".join(words)


def _headline(ranked: Sequence[Contender], by_cards: bool, limit: str) -> str:
    if not ranked:
        return f"none of the systems has a plan within {limit}"
    best = ranked[0]
    what = f"{best.cards:,} cards" if by_cards else spaced(best.tokens_per_second or 0.0, rate_words(best))
    head = f"{best.name} ({best.system}) first within {limit}: {what}"
    if best.level_with:
        return f"{head} · not a rank: its range overlaps that of {', '.join(best.level_with)}"
    if len(ranked) > 1:
        second = ranked[1]
        head += f" · then {second.name} ({second.system}) at x{second.relative:.2f}"
    return head
