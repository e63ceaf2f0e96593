"""From a scenario to a plan: the problem is built, searched, and the winner is studied for how sure it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner import engine
from planner.architectures.counts import parameter_counts
from planner.plan import assemble, evidence, figures
from planner.plan import risk as risks
from planner.plan.account import Band, Bands, Comparison, Confidence, Evidence, Provenance, Run
from planner.plan.candidates import candidates_of, chosen
from planner.plan.caps import cap_curve, hot_day
from planner.plan.case import Case
from planner.plan.confidence import confidence, days_allowed
from planner.plan.drawn import inputs_of, prepared
from planner.plan.fewest import families_of, fewest
from planner.plan.headline import Facts, headline, sure_share, unsure
from planner.plan.interval import curve
from planner.plan.maturity import CLASS_OF, maturity_of
from planner.plan.model import FRONT_POINTS, Plan
from planner.plan.other_racks import nearest_in_other_racks
from planner.plan.parts import Workload
from planner.plan.plant import effective, elevations, rated
from planner.plan.port import port_of
from planner.plan.prices import price_list
from planner.plan.risk_parts import Risk
from planner.plan.storage import slow_storage
from planner.plan.studied import DesignStudy, all_errors, software_of, study_design
from planner.plan.untuned import as_it_comes
from planner.plan.warned import risks_of, warned
from planner.plan.wiring import wired
from planner.problem import Figure, wire
from planner.scenario import Scenario

Wire = Mapping[str, Any]
MANY_IDLE = 0.2
"""Share of the cards from which those without work are remarked on: spares are a few per cent."""
KNOWN = 24
"""Of the central designs, those whose layouts every draw tries besides the winners of the pilot."""


def solve(case: Case) -> Plan:
    """The answer to a scenario: the best plan, or no; sampled where the case says so."""
    search = case.request.search.model_copy(update={"prices": True})
    result = case.search(case.request.model_copy(update={"search": search}))
    design = result["best"]
    if design is not None and result["memory_headroom"] < search.memory_headroom:
        case.notes.append(
            f"no layout leaves {search.memory_headroom:.0%} of the memory free (search.memory_headroom): "
            "this one fills more, and may not fit where allocators fragment"
        )
    if design is not None and design["cards"]["spare"] > MANY_IDLE * design["cards"]["total"]:
        case.notes.append(
            f"{design['cards']['spare']:,} of {design['cards']['total']:,} cards have no work in the fastest "
            "layout; they are counted as drawing power and failing like the others, so fewer cards "
            "(limits.cards as a most) do as well"
        )
    if design is None:
        result = case.timed("racks", lambda: nearest_in_other_racks(case, result))
    if design is None and case.problem.scenario.target.any and result["complete"]:
        slow = case.timed("storage", lambda: slow_storage(case.problem, engine.size))
        case.cause = slow.words if slow else None
    if not case.samples or design is None:
        if case.samples:
            case.notes.append("no design meets target and limits at the central figures: nothing is sampled")
        return plan_of(case, result, design)
    return sampled_plan(case, result, design)


def sampled_plan(case: Case, result: Wire, design: Wire) -> Plan:
    """The plan of ``design``, or of the cards that the case plans for, with what draws say of it."""
    problem, seed = case.problem, case.problem.scenario.search.seed
    limit = days_allowed(case.request)
    of = prepared(problem, inputs_of(problem, all_errors(case, design)))
    draws = of.draws(case.samples, seed)
    least = None
    if limit is not None:
        allowed = limit
        known = candidates_of(problem, result, design)[:KNOWN]
        families = case.timed("pilot", lambda: families_of(of, known, allowed, seed))
        least = case.timed("fewest", lambda: fewest(draws, families, allowed))
    ladder = least.ladder() if least else []
    candidates = case.timed("candidates", lambda: candidates_of(problem, result, design, ladder))
    drawn = case.timed("samples", lambda: risks.draw(draws, candidates))
    place = 0
    if case.plan_for is not None:
        surest = risks.surest(drawn, case.request, case.plan_for)
        if surest is None:
            tried = max(choice.cards or 0 for choice in candidates)
            near = risks.nearest(drawn, case.request, case.plan_for)
            case.unsure = unsure(case.plan_for, tried, near)
        else:
            place = surest
            needed, most = candidates[place].cards or 0, case.request.limits.cards_max
            if needed > most:
                share = sure_share(case.plan_for)
                case.unsure = f"{share} sure needs {needed:,} cards, over the limit of {most:,}"
            design = engine.evaluate(wire.EvaluateRequest(problem=case.request, design=candidates[place]))
        case.notes += [case.unsure] if case.unsure else []
    probability = case.plan_for or problem.scenario.search.confidence
    studied = case.timed("bands", lambda: study_design(case, design, _used(case, design)))
    found = case.timed(
        "risk",
        lambda: risks.risk(
            drawn,
            place,
            studied,
            probability,
            seed,
            planned_for=place != 0,
            tokens_per_second_per_card=design["performance"]["tokens_per_second_per_card"],
            found=least,
        ),
    )
    return plan_of(case, result, design, found=found, studied=studied)


def drawn_alone(case: Case, design: Wire) -> tuple[DesignStudy, Risk]:
    """What draws of everything uncertain say of one design, others left aside."""
    problem, seed = case.problem, case.problem.scenario.search.seed
    of = prepared(problem, inputs_of(problem, all_errors(case, design)))
    draws = of.draws(case.samples, seed)
    drawn = case.timed("samples", lambda: risks.draw(draws, [chosen(design)]))
    studied = case.timed("bands", lambda: study_design(case, design, _used(case, design)))
    found = case.timed(
        "risk",
        lambda: risks.risk(
            drawn,
            0,
            studied,
            problem.scenario.search.confidence,
            seed,
            planned_for=False,
            tokens_per_second_per_card=design["performance"]["tokens_per_second_per_card"],
        ),
    )
    return studied, found


def plan_of(
    case: Case,
    result: Wire,
    design: Wire | None,
    comparison: Comparison | None = None,
    *,
    sure: bool = True,
    basis: Wire | None = None,
    found: Risk | None = None,
    studied: DesignStudy | None = None,
) -> Plan:
    """The plan of ``design`` (None: nothing fits), found by the search ``result``.

    Args:
        case: the question.
        result: ``result/1``.
        design: what the plan describes.
        comparison: of `evaluate`.
        sure: also find the cards that meet the target with 90 %.
        basis: the design whose figures count where there is no ``design``; default: the nearest one.
        found: what draws say of it.
        studied: one figure at a time, where that is known already.
    """
    case.design = design
    basis = design or basis or (result["nearest"] or {}).get("design")
    used = _used(case, basis)
    if studied is None and design:
        studied = case.timed("bands", lambda: study_design(case, design, used))
    confident = None
    if found is not None and sure:
        confident = _sampled_confidence(found, design)
    elif found is None and design and studied and sure and result["feasible"]:
        confident = case.timed("confidence", lambda: _confidence(case, design, studied))
    proof = _evidence(case, basis, used, studied)
    return _assembled(case, _Answer(result, design, used, studied, confident, proof, comparison, found))


def _sampled_confidence(found: Risk, design: Wire | None) -> Confidence | None:
    if found.met is None or design is None:
        return None
    return Confidence(
        probability=found.probability,
        cards=found.cards,
        cards_tried=found.cards_tried,
        system=design["system"] if found.cards is not None else None,
        days_p50=None,
        facility_megawatts=None,
        nearest=found.nearest,
    )


def _used(case: Case, design: Wire | None) -> list[Figure]:
    """The figures that a design rests on; all of the problem's where there is no design."""
    if design is None:
        return list(case.problem.figures)
    names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
    return [figure for figure in case.problem.figures if figure.used_by(*names)]


@dataclass
class _Answer:
    """What was found out about a design."""

    result: Wire
    design: Wire | None
    used: Sequence[Figure]
    studied: DesignStudy | None
    confident: Confidence | None
    proof: Evidence
    comparison: Comparison | None
    found: Risk | None


def _assembled(case: Case, answer: _Answer) -> Plan:
    result, design, studied = answer.result, answer.design, answer.studied
    request = case.request.model_dump(by_alias=True)
    parts = _design_parts(case, design, request, answer.used) if design else dict(_NO_DESIGN)
    if design and _is_best(result, design):
        parts["reliability"] = assemble.reliability(design, result["other_spares"])
    if design and studied:
        around = curve(studied.spread.drawn.of.request, design)
        parts["reliability"] = parts["reliability"].model_copy(update={"at_intervals": around})
    performance = parts["performance"]
    days = performance.days if performance else None
    proof = warned(answer.proof, parts["fabric"], _band_of(answer, "days"), days)
    nearest = assemble.nearest(result, assemble.summary_of)
    card = case.library.accelerator(_accelerator(case, design))
    mature = maturity_of(case.library, card, CLASS_OF[case.problem.scenario.workload.kind])
    if design is not None:
        cost = parts["cost"]
        port = port_of(
            mature, case.library, _country(case), _band_of(answer, "days"), cost and cost.capex_usd
        )
        mature = mature.model_copy(update={"port": port})
    facts = Facts(
        question=_question(case.problem.scenario),
        chip=_chip(case, design),
        target=assemble.target(request),
        limits=assemble.limits(request),
        cards=parts["cards"],
        performance=parts["performance"],
        days=_band_of(answer, "days"),
        evidence=proof,
        confidence=answer.confident,
        nearest=nearest,
        nearest_chip=_chip(case, (result["nearest"] or {}).get("design")),
        comparison=answer.comparison,
        complete=result["complete"],
        warning=mature.warning,
        cause=case.cause,
        runs=studied.bands.runs if studied else None,
        met=_met(answer),
        unsure=case.unsure,
    )
    return Plan(
        feasible=result["feasible"] and case.unsure is None,
        complete=result["complete"],
        question=facts.question,
        binding=list(result["binding"]),
        margin=result["margin"],
        headline=headline(facts),
        evidence=proof,
        workload=_workload(case, design),
        target=facts.target,
        limits=facts.limits,
        **parts,
        bands=_bands(answer),
        swings=studied.swings if studied else {},
        confidence=answer.confident,
        front=assemble.summaries(result["front"], FRONT_POINTS),
        front_axes=list(request["search"]["front"]),
        front_total=result["front_total"],
        runners_up=assemble.summaries(result["runners_up"], FRONT_POINTS),
        similar_layouts=result["similar_layouts"],
        similar_within=request["search"]["similar"],
        prices=price_list(result, request),
        nearest=nearest,
        comparison=answer.comparison,
        risk=answer.found,
        maturity=mature,
        search=assemble.search(result),
        space=assemble.space(request),
        figures=[figures.record(item, case.library, case.problem.softwares) for item in answer.used],
        notes=case.notes,
        provenance=Provenance(
            version=engine.version(),
            spec_hashes=dict(sorted(case.problem.spec_hashes.items())),
            problem_hash=case.problem.hash,
            command=case.command,
        ),
        run=Run(
            seconds=time.perf_counter() - case.started,
            threads=request["search"]["threads"],
            interrupted=case.interrupt is not None and case.interrupt.pressed,
            detail=dict(case.seconds),
        ),
    )


def _is_best(result: Wire, design: Wire) -> bool:
    """Whether a design is the one that the search found."""
    best = result.get("best")
    return best is not None and (best["layout"], best["cards"]) == (design["layout"], design["cards"])


def _country(case: Case) -> str:
    return case.library.site(case.problem.scenario.site.id).country


def _band_of(answer: _Answer, name: str) -> Band | None:
    """The sampled band where there is one."""
    if answer.found is not None and answer.found.bands.get(name) is not None:
        return answer.found.bands[name]
    return getattr(answer.studied.bands, name) if answer.studied else None


def _met(answer: _Answer) -> float | None:
    """Share of the draws in which the target is met: of those asked for, else of those behind the bands."""
    if answer.found is not None and answer.found.met is not None:
        return answer.found.met
    return answer.studied.bands.met if answer.studied is not None else None


def _bands(answer: _Answer) -> Bands | None:
    """Those of the draws asked for, where they were drawn; else those that every answer draws."""
    if answer.studied is None:
        return None
    own = answer.studied.bands
    sampled = answer.found.bands if answer.found else {}
    update: dict[str, object] = {name: sampled[name] for name in Bands.model_fields if name in sampled}
    return own.model_copy(update=update | {"met": _met(answer)})


_NO_DESIGN: Mapping[str, Any] = {
    **dict.fromkeys(
        ("cards", "system", "accelerator", "power_cap", "clock", "layout", "performance", "memory")
    ),
    **dict.fromkeys(("fabric", "facility", "cost", "reliability")),
    "pools": [],
    "network": [],
}


def _design_parts(case: Case, design: Wire, request: Wire, used: Sequence[Figure]) -> dict[str, Any]:
    """The fields of a plan that describe its design."""
    cards = assemble.cards(design, request["clusters"][design["cluster"]]["cards_per_server"])
    layout = assemble.layout(design, request["software"])
    performance = assemble.performance(design, _advertised(case, design))
    memory = assemble.memory(design)
    site = case.library.site(case.problem.scenario.site.id).id
    cluster = request["clusters"][design["cluster"]]
    facility, climate = assemble.facility(design, site), case.problem.climate
    peaks = cluster["device"]["peak"]
    precision = request["training"]["precision"]
    performance = effective(
        performance, (peaks[precision] or peaks["bf16"]) * cards.active * cards.devices_per_card
    )
    return {
        "cards": cards,
        **{name: design[name] for name in ("system", "accelerator", "power_cap", "clock")},
        "pools": [assemble.pool(cards, layout, performance, memory)],
        "layout": layout,
        "performance": performance,
        "memory": memory,
        "network": assemble.network(design),
        "fabric": wired(
            assemble.fabric(design),
            case.request.clusters[design["cluster"]],
            design,
            case.library,
            _country(case),
        ),
        "facility": facility.model_copy(
            update={
                "caps": cap_curve(case.request, design),
                "elevations": elevations(facility, design, cluster),
                "pue_by_month": _about(climate.pue_by_month.get(facility.cooling, ()), facility.pue),
                "wue_by_month": list(climate.wue_by_month.get(facility.cooling, ())),
                "hot_day": hot_day(case.request, design, climate.hot_days.get(facility.cooling)),
            }
        ),
        "cost": rated(assemble.cost(design, case.request), performance, cards.total, used),
        "reliability": assemble.reliability(design),
    }


def _about(months: Sequence[float], mean: float) -> list[float]:
    """PUE of the months about ``mean``: where halls differ that of the plan is not that of any of them."""
    shift = mean - sum(months) / len(months) if months else 0.0
    return [month + shift if abs(shift) > ROUNDING else month for month in months]


ROUNDING = 1e-9


def _question(scenario: Scenario) -> str:
    if scenario.target.any:
        return "both" if scenario.limits.any else "target"
    return "limits"


def _chip(case: Case, design: Wire | None) -> str:
    """Name for people, without what the file adds in brackets."""
    return case.library.accelerator(_accelerator(case, design)).name.split("(")[0].strip()


def _accelerator(case: Case, design: Wire | None) -> str:
    """Of the design; of the first alternative where there is none."""
    return str(design["accelerator"]) if design else case.request.clusters[0].accelerator


def _workload(case: Case, design: Wire | None) -> Workload:
    training = case.request.training
    counts = parameter_counts(case.problem.architecture)
    return Workload(
        model=case.request.model.id,
        parameters=counts.total,
        active_parameters=counts.active,
        tokens=training.tokens,
        sequence_tokens=training.sequence,
        global_batch_sequences=training.global_batch,
        precision=training.precision,
        software=software_of(case, design).id,
    )


def _advertised(case: Case, design: Wire) -> float | None:
    """Advertised dense peak over matrix-engine peak at the precision used; 1 where they are the same."""
    card = case.library.accelerator(design["accelerator"])
    precision = case.request.training.precision
    matrix, advertised = getattr(card.peak, precision), getattr(card.peak_advertised, precision)
    if precision == "bf16":
        # The core takes 16 bits alike; a chip may list only half precision.
        matrix, advertised = matrix or card.peak.fp16, advertised or card.peak_advertised.fp16
    if matrix is None:
        return None
    return 1.0 if advertised is None else float(advertised.value / matrix.value)


def _confidence(case: Case, design: Wire, studied: DesignStudy) -> Confidence | None:
    probability = case.problem.scenario.search.confidence
    return confidence(
        case.request,
        design,
        studied.spread,
        probability,
        lambda request: engine.size(request, case.progress),
    )


def _evidence(
    case: Case, design: Wire | None, used: Sequence[Figure], studied: DesignStudy | None
) -> Evidence:
    card = case.library.accelerator(_accelerator(case, design))
    family = case.problem.calibrations[design["cluster"] if design else 0]
    rows = evidence.published_runs()
    names = evidence.names_of(case.library, [card.id])
    own = evidence.runs_on(names, rows)
    found = figures.estimates(used, studied.weight if studied else None)
    timing = sum(item.role == "timing" for item in found)
    grade, why = evidence.grade(
        evidence.Calibration(family.calibrated, family.runs, family.groups, family.own_runs),
        len(own),
        evidence.groups_of(own),
        timing,
    )
    cards = design["cards"]["total"] if design else None
    model = case.problem.architecture
    used_software = software_of(case, design)
    return Evidence(
        grade=grade,
        why=why,
        estimates=found,
        software=used_software.id,
        tuning=used_software.tuning,
        software_asked=case.problem.scenario.workload.software is not None,
        untuned=as_it_comes(case, design) if studied is not None and design else None,
        calibrated=family.calibrated,
        runs_on_chip=len(own),
        runs_in_family=family.runs,
        groups_in_family=family.groups,
        residual_ln=family.residual,
        nearest_measured=evidence.nearest_run(
            names,
            lambda: evidence.kin_of(case.library, card.efficiency),
            (model.id, *model.aliases),
            cards,
            rows,
            precision=case.problem.scenario.workload.precision,
        ),
        risks=risks_of(case, design, studied),
    )
