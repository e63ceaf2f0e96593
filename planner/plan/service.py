"""From the best service of a search to a plan: the winner is studied, and everything is put together."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.plan import assemble, figures
from planner.plan.account import Comparison, Confidence, Provenance, Run, Search
from planner.plan.model import Plan
from planner.plan.risk_parts import Risk
from planner.plan.service_bands import ServiceStudy
from planner.plan.service_case import ServiceCase, chip_of, used_of
from planner.plan.service_evidence import evidence_of, maturity
from planner.plan.service_headline import ServiceFacts, refuted, service_headline
from planner.plan.service_notes import notes_on
from planner.plan.service_parts import ServicePrice
from planner.plan.service_prices import prices_of
from planner.plan.service_slow import confidence_of
from planner.plan.service_study import study_of
from planner.plan.service_told import (
    cost_of,
    fabric_of,
    facility_of,
    pool_of,
    question_of,
    service_of,
    service_space,
    target_of,
    workload_of,
)

Wire = Mapping[str, Any]
CUT_SHORT = (
    "the search was cut short: hardware, formats, caps and fabrics that it did not come to may do better, "
    "{best}; what was not simulated rests on the closed forms"
)


def service_plan(
    case: ServiceCase,
    result: Wire,
    comparison: Comparison | None = None,
    *,
    found: Risk | None = None,
    studied: ServiceStudy | None = None,
) -> Plan:
    """The plan of the best service of a search; ``found`` and ``studied``: what is known of it already."""
    design = result["best"]
    basis = design or (result["nearest"] or {}).get("design")
    used = used_of(case, basis)
    if studied is None and design:
        studied = case.timed("bands", lambda: study_of(case, design, used))
    sure = None
    if found is not None and found.met is not None and comparison is None:
        sure = Confidence(
            probability=found.probability,
            cards=found.cards,
            cards_tried=found.cards_tried,
            system=design["system"] if found.cards is not None else None,
            days_p50=None,
            facility_megawatts=None,
        )
    elif found is None and design and studied and comparison is None:
        central = studied
        sure = case.timed("confidence", lambda: confidence_of(case, design, central))
    prices: list[ServicePrice] = []
    # The most that limits allow takes a search in each step of a halving: `explain` takes that time.
    loaded = case.request.target.requests_per_second is not None
    if design and comparison is None and loaded and case.request.search.objective != "throughput":
        priced = design
        prices = case.timed("prices", lambda: prices_of(case.request, priced))
    if not result["complete"]:
        gap = result["search"]["bound_gap"]
        best = "by how much is not known"
        if gap is not None:
            best = f"by at most {100.0 * gap:.0f} % (a bound, not a plan)"
        case.notes.append(CUT_SHORT.format(best=best))
    if design:
        case.notes += notes_on(case.request, design)
    proof = evidence_of(case, basis, used, studied)
    cards = None
    if design:
        per_server = case.request.clusters[design["cluster"]].cards_per_server
        cards = assemble.cards(design, per_server)
    question = question_of(case)
    target = target_of(case)
    chip = chip_of(case, basis)
    mature = maturity(case, basis, design)
    facts = ServiceFacts(
        question=question,
        chip=chip,
        generic=case.request.served.kind == "generic",
        target=target,
        cards=cards,
        design=design,
        bands=studied.bands if studied else None,
        evidence=proof,
        confidence=sure,
        warning=mature.warning if mature else None,
        nearest_why=(result["nearest"] or {}).get("why"),
        comparison=comparison,
        unsure=case.unsure,
        complete=result["complete"],
    )
    site = case.library.site(case.problem.scenario.site.id).id
    request = case.request.model_dump(by_alias=True)
    nearest = assemble.nearest(result)
    return Plan(
        feasible=result["feasible"]
        and case.unsure is None
        and not (comparison is None and design and refuted(design, target))
        and (comparison is None or comparison.meets_target is not False)
        and not (comparison and comparison.over_limits),
        complete=result["complete"],
        question=question,
        binding=list(result["binding"]),
        margin=result["margin"],
        headline=service_headline(facts),
        evidence=proof,
        workload=workload_of(case, design),
        target=target,
        limits=assemble.limits(request),
        cards=cards,
        **{
            name: design[name] if design else None for name in ("system", "accelerator", "power_cap", "clock")
        },
        pools=[pool_of(item) for item in design["pools"]] if design else [],
        layout=None,
        performance=None,
        memory=None,
        serving=service_of(result, design, prices) if design else None,
        bands=studied.bands if studied else None,
        swings=studied.swings if studied else {},
        confidence=sure,
        maturity=mature,
        network=assemble.network(design) if design else [],
        fabric=fabric_of(case, design) if design else None,
        facility=facility_of(case, design, site) if design else None,
        cost=cost_of(design, used, case.request) if design else None,
        reliability=assemble.reliability(design) if design else None,
        front=[],
        front_axes=list(request["search"]["front"]),
        front_total=len(result["front"]),
        runners_up=[],
        similar_layouts=0,
        nearest=nearest,
        comparison=comparison,
        risk=found,
        search=Search(
            enumerated=result["search"]["enumerated"],
            rejected=dict(sorted(result["search"]["rejected"].items())),
            bounded=0,
            timed=result["search"]["timed"],
            bound_gap=result["search"]["bound_gap"],
        ),
        space=service_space(case),
        figures=[figures.record(item, case.library, ()) for item in used],
        notes=case.notes,
        provenance=Provenance(
            version=engine.version(),
            spec_hashes=dict(sorted(case.problem.spec_hashes.items())),
            problem_hash=case.problem.hash,
            command=case.command,
        ),
        run=Run(
            seconds=time.perf_counter() - case.started,
            threads=case.request.search.threads,
            interrupted=case.interrupt is not None and case.interrupt.pressed,
            detail=dict(case.seconds),
        ),
    )
