"""From a scenario of a service to a plan: the problem is built, searched, and the winner is studied."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import Any

from planner import engine
from planner.errors import EXIT_BUG, EngineError
from planner.plan import assemble, evidence, figures
from planner.plan.account import Comparison, Confidence, Evidence, Nearest, Provenance, Run, Search, Space
from planner.plan.bands import Z90, ModelError, Study, Uncertain
from planner.plan.case import DEFAULT_SAMPLES, Clocked, refuse_no_target
from planner.plan.draws import check_samples
from planner.plan.maturity import CLASS_OF, PlanMaturity, maturity_of
from planner.plan.model import Plan
from planner.plan.parts import Target
from planner.plan.plant import HOURS_PER_YEAR, elevations, prices
from planner.plan.plant_parts import Cost, Facility
from planner.plan.port import port_errors, port_of
from planner.plan.risk_parts import Risk
from planner.plan.service_bands import study_service
from planner.plan.service_headline import ServiceFacts, refuted, service_headline
from planner.plan.service_parts import (
    CostPerMillion,
    InstanceLayout,
    InstanceMemory,
    InstancePerformance,
    Latency,
    Refuted,
    Service,
    ServicePool,
    ServiceSummary,
    ServiceWorkload,
    Simulated,
    TradePoint,
    precision_name,
)
from planner.problem import serving_wire
from planner.problem.evidence import SERVING_CONSTANTS, SERVING_SOFTWARE, Figure
from planner.problem.service import ServiceProblem, build_service, layout_numbers
from planner.scenario.service import ServiceScenario
from planner.software.serving import serving_constants
from planner.specs import SpecLibrary

Wire = Mapping[str, Any]
MOST_TIMES = 8
"""Times the cards of the central answer that "90 % sure" looks at, at most."""


@dataclass
class ServiceCase(Clocked):
    """A scenario of a service with its problem, and what is noted on the way to the plan."""

    problem: ServiceProblem
    command: str | None
    interrupt: engine.Interrupt | None = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    samples: int = 0
    """Draws of everything uncertain; 0: one figure at a time."""
    plan_for: float | None = None
    """Plan for the cards that carry the load with this probability, not for the central answer."""

    @property
    def library(self) -> SpecLibrary:
        """Where the figures come from."""
        return self.problem.library

    @property
    def request(self) -> serving_wire.ServiceRequest:
        """``service/1``."""
        return self.problem.request


def open_service(
    scenario: ServiceScenario,
    library: SpecLibrary,
    *,
    command: str | None = None,
    no_estimates: bool = False,
    interrupt: engine.Interrupt | None = None,
    samples: int = 0,
    plan_for: float | None = None,
) -> ServiceCase:
    """Build the problem of a scenario; ``samples`` and ``plan_for`` as for `planner.plan.case.open_case`.

    Raises:
        ScenarioError: names or wishes that cannot be.
        MissingFigureError: a figure is missing, or ``no_estimates`` and some are estimated (they are listed).
    """
    started = time.perf_counter()
    if samples or plan_for is not None:
        samples = samples or DEFAULT_SAMPLES
        check_samples(samples, scenario.search.seed)
        loaded = (
            scenario.target.requests_per_second is not None or scenario.target.tokens_per_second is not None
        )
        refuse_no_target(loaded, plan_for, "target.requests_per_second")
    problem = build_service(scenario, library, no_estimates=no_estimates)
    case = ServiceCase(problem, command, interrupt, list(problem.notes), started=started)
    case.samples, case.plan_for = samples, plan_for
    case.seconds["problem"] = time.perf_counter() - started
    return case


def service_plan(
    case: ServiceCase,
    result: Wire,
    comparison: Comparison | None = None,
    *,
    found: Risk | None = None,
    studied: Study | None = None,
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
        sure = case.timed("confidence", lambda: _confidence(case, design, central))
    proof = _evidence(case, basis, used, studied)
    cards = None
    if design:
        per_server = case.request.clusters[design["cluster"]].cards_per_server
        cards = assemble.cards(design, per_server)
    question = _question(case)
    target = _target(case)
    chip = _chip(case, basis)
    mature = _maturity(case, basis, design)
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
    )
    site = case.library.site(case.problem.scenario.site.id).id
    request = case.request.model_dump(by_alias=True)
    nearest = _nearest(result)
    return Plan(
        feasible=result["feasible"]
        and not (comparison is None and design and refuted(design, target))
        and (comparison is None or comparison.meets_target is not False)
        and not (comparison and comparison.over_limits),
        complete=True,
        question=question,
        binding=list(result["binding"]),
        margin=result["margin"],
        headline=service_headline(facts),
        evidence=proof,
        workload=_workload(case, design),
        target=target,
        limits=assemble.limits(request),
        cards=cards,
        **{
            name: design[name] if design else None for name in ("system", "accelerator", "power_cap", "clock")
        },
        pools=[_pool(item) for item in design["pools"]] if design else [],
        layout=None,
        performance=None,
        memory=None,
        serving=_service(result, design) if design else None,
        bands=studied.bands if studied else None,
        swings=studied.swings if studied else {},
        confidence=sure,
        maturity=mature,
        network=assemble.network(design) if design else [],
        fabric=assemble.fabric(design) if design else None,
        facility=_facility(case, design, site) if design else None,
        cost=_cost(design, used) if design else None,
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


def _maturity(case: ServiceCase, basis: Wire | None, design: Wire | None) -> PlanMaturity | None:
    """Of the chip for serving language models; generic items do not say what class of workload they are."""
    if isinstance(case.request.served, serving_wire.ServedItem):
        return None
    card = case.library.accelerator(_accelerator(case, basis))
    mature = maturity_of(case.library, card, CLASS_OF["serving"])
    if design is None:
        return mature
    country = case.library.site(case.problem.scenario.site.id).country
    port = port_of(mature, case.library, country, None, design["cost"]["capex_usd"])
    return mature.model_copy(update={"port": port})


def _facility(case: ServiceCase, design: Wire, site: str) -> Facility:
    cluster = case.request.clusters[design["cluster"]].model_dump()
    found = assemble.facility(design, site)
    return found.model_copy(update={"elevations": elevations(found, design, cluster)})


def _cost(design: Wire, used: Sequence[Figure]) -> Cost:
    """The cost with its rates at full load, and the prices it rests on."""
    found = assemble.cost(design)
    year = found.tco_usd_per_year
    return found.model_copy(
        update={
            "usd_per_card_hour": None if year is None else year / (design["cards"]["total"] * HOURS_PER_YEAR),
            "usd_per_million_tokens": design["cost_per_million"][0]["usd"],
            "prices": prices(used),
        }
    )


def used_of(case: ServiceCase, design: Wire | None) -> list[Figure]:
    """The figures that a design rests on; all of the problem's where there is no design."""
    if design is None:
        return list(case.problem.figures)
    names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
    return [figure for figure in case.problem.figures if figure.used_by(*names)]


def _question(case: ServiceCase) -> Any:
    loaded = case.request.target.requests_per_second is not None
    if loaded:
        return "both" if case.problem.scenario.limits.any else "target"
    return "limits"


def _chip(case: ServiceCase, design: Wire | None) -> str:
    return case.library.accelerator(_accelerator(case, design)).name.split("(")[0].strip()


def _accelerator(case: ServiceCase, design: Wire | None) -> str:
    return str(design["accelerator"]) if design else case.request.clusters[0].accelerator


def _target(case: ServiceCase) -> Target:
    wanted = case.request.target

    def of(latency: serving_wire.LatencyTarget | None) -> tuple[float | None, float | None]:
        return (None, None) if latency is None else (latency.seconds, latency.quantile * 100.0)

    (ttft, ttft_share), (tpot, tpot_share) = of(wanted.ttft), of(wanted.tpot)
    return Target(
        tokens_per_second=case.problem.scenario.target.tokens_per_second,
        requests_per_second=case.problem.mean_rate,
        peak_requests_per_second=wanted.requests_per_second,
        ttft_seconds=ttft,
        ttft_percentile=ttft_share,
        tpot_seconds=tpot,
        tpot_percentile=tpot_share,
        tokens_per_second_per_card=wanted.tokens_per_second_per_card,
    )


def _workload(case: ServiceCase, design: Wire | None) -> ServiceWorkload:
    served = case.request.served
    software = case.problem.softwares[design["cluster"] if design else 0].id
    if isinstance(served, serving_wire.ServedItem):
        item = {name: float(value) for name, value in served.item.model_dump().items() if name != "precision"}
        name = getattr(case.problem.scenario.workload, "name", "items")
        return ServiceWorkload(
            kind="generic", model=name, precision=served.item.precision, software=software, item=item
        )
    precisions = design["precisions"] if design else served.precisions[0].model_dump()
    draft = served.speculation
    lengths = served.lengths
    return ServiceWorkload(
        kind="serving",
        model=served.model.id,
        precision=precision_name(precisions) or "",
        software=software,
        input_tokens=lengths.input,
        input_spread=lengths.input_spread,
        output_tokens=lengths.output,
        output_spread=lengths.output_spread,
        prefix_hit=lengths.prefix_hit,
        drafted_tokens=draft.drafted if draft else None,
        acceptance=draft.acceptance if draft else None,
    )


def _pool(item: Wire) -> ServicePool:
    use = item["memory"]
    return ServicePool(
        role=item["role"],
        cards=item["cards"],
        replicas=item["instances"],
        spare_instances=item["spare_instances"],
        active_cards=item["active_cards"],
        layout=InstanceLayout(**item["instance"]),
        performance=InstancePerformance(
            most_requests_per_second=item["most_requests_per_second"],
            load=item["load"],
            batch=item["batch"],
            batch_limit=item["batch_limit"],
            mixed_share=item["mixed_share"],
            step_seconds=item["step_seconds"],
            tokens_per_second_per_card=item["tokens_per_second_per_card"],
            breakdown={f"{name}_seconds": value for name, value in item["step"].items()},
        ),
        memory=InstanceMemory(
            capacity_bytes=use["capacity"],
            weights_bytes=use["weights"],
            reserve_bytes=use["reserve"],
            cache_bytes=use["cache"],
            cache_bytes_per_token=use["cache_per_token"],
        ),
    )


def _service(result: Wire, design: Wire) -> Service:
    def latency(found: Wire | None) -> Latency | None:
        return None if found is None else Latency(**found)

    ttft, service = design["ttft"], design["ttft_service_seconds"]
    return Service(
        **{
            name: design[name]
            for name in (
                "mode", "verdict", "binding_pool", "requests_per_second", "most_requests_per_second",
                "ttft_service_seconds", "transfer_seconds", "request_seconds", "output_tokens_per_second",
                "output_tokens_per_second_per_card", "most_tokens_per_second_per_card", "prefill_per_decode",
            )
        },
        precision=design["precisions"],
        ttft=latency(ttft),
        ttft_queue_seconds=max(0.0, ttft["mean"] - service) if ttft and service is not None else None,
        tpot=latency(design["tpot"]),
        simulated=_simulated(design["simulated"]),
        refuted=[
            Refuted(service=_summary(row["service"]), simulated=_simulated_of(row["simulated"]))
            for row in result.get("refuted", ())
        ],
        cost_per_million=[CostPerMillion(**row) for row in design["cost_per_million"]],
        trade=[
            TradePoint(
                tokens_per_second_per_user=row["tokens_per_second_per_user"],
                tokens_per_second_per_card=row["tokens_per_second_per_card"],
                mode=row["mode"],
                layout=InstanceLayout(**row["instance"]),
                batch=row["batch"],
            )
            for row in result["trade"]
        ],
        front=[_summary(row) for row in result["front"]],
        runners_up=[_summary(row) for row in result["runners_up"]],
    )  # fmt: skip


def _simulated(found: Wire | None) -> Simulated | None:
    return None if found is None else _simulated_of(found)


def _simulated_of(found: Wire) -> Simulated:
    return Simulated(**found)


def _summary(row: Wire) -> ServiceSummary:
    same = {name: row[name] for name in ServiceSummary.model_fields if name not in ("precision", "pools")}
    return ServiceSummary(
        **same,
        precision=precision_name(row["precisions"]),
        pools=[(count, InstanceLayout(**instance)) for count, instance in row["pools"]],
    )


def _nearest(result: Wire) -> Nearest | None:
    found = result["nearest"]
    if found is None:
        return None
    design = found["design"]
    return Nearest(
        what=found["what"],
        why=found["why"],
        design=None,
        broken_rules=list(design["broken_rules"]) if design else [],
        over_limits=list(design["over_limits"]) if design else [],
    )


def service_space(case: ServiceCase) -> Space:
    """The declared space."""
    request = case.request.model_dump(by_alias=True)
    plain = {**request, "space": {}}
    found = assemble.space(plain)
    return found.model_copy(update={"layout": layout_numbers(case.request.space)})


def choice_of(design: Wire, request: serving_wire.ServiceRequest) -> serving_wire.ServiceChoice:
    """A design as the engine takes it: what to evaluate again."""
    named = [
        serving_wire.NamedPool(
            instance=serving_wire.Instance(**item["instance"]), instances=item["instances"]
        )
        for item in design["pools"]
    ]
    caps = request.clusters[design["cluster"]].power_caps
    return serving_wire.ServiceChoice(
        cluster=design["cluster"],
        fabric=design["fabric_index"],
        cooling=design["cooling_index"],
        cap=caps.index(design["power_cap"]),
        precision=design["precision_index"],
        cards=design["cards"]["total"],
        prefill=named[0] if len(named) > 1 else None,
        main=named[-1],
    )


def only_this_service(case: ServiceCase, design: Wire) -> ServiceScenario:
    """The scenario with nothing but the plant of ``design`` to choose from."""
    scenario, fabric = case.problem.scenario, design["fabric"]
    hardware = {
        "systems": (design["system"],),
        "fabrics": (fabric["id"],),
        "kinds": (fabric["kind"],),
        "oversubscription": (fabric["oversubscription"],),
        "cooling": (design["facility"]["cooling"],),
        "power_caps": (design["power_cap"],),
    }
    software = case.problem.softwares[design["cluster"]].id
    return scenario.model_copy(
        update={
            "hardware": scenario.hardware.model_copy(update=hardware),
            "workload": scenario.workload.model_copy(update={"software": software}),
        }
    )


def unsimulated(search: serving_wire.ServiceSearch, **update: Any) -> serving_wire.ServiceSearch:
    """What is asked only to see how figures move an answer is not simulated again."""
    return search.model_copy(update={"seed": None, **update})


def study_of(case: ServiceCase, design: Wire, used: Sequence[Figure]) -> Study:
    """The chosen service again, with every figure of the hardware at the ends of its range."""
    plant = only_this_service(case, design)
    base = build_service(plant, case.library).request
    # At the load of the plan: where none is asked for, that which it carries at most.
    loaded = base.target.model_copy(update={"requests_per_second": design["requests_per_second"]})
    base = base.model_copy(update={"target": loaded, "search": unsimulated(base.search)})
    choice = choice_of(design, case.request).model_copy(
        update={"cluster": 0, "fabric": 0, "cooling": 0, "cap": 0}
    )

    def moved(figure: Uncertain, value: float) -> Wire | None:
        try:
            request = build_service(plant, case.library, {figure.place: value}).request
            request = request.model_copy(update={"target": loaded, "search": unsimulated(request.search)})
            return engine.evaluate_service(
                serving_wire.EvaluateServiceRequest(problem=request, design=choice)
            )
        except EngineError as fault:
            if fault.exit_code == EXIT_BUG:
                raise
            return None

    return study_service(design, moving(used), moved, errors(case, design))


def moving(used: Sequence[Figure]) -> list[Uncertain]:
    """Figures with a range that are not the serving model's own.

    The residual and the spread are scatter of runs that neither constants nor profile had seen: they hold
    their errors, which are not counted again.
    """
    held = (SERVING_CONSTANTS, SERVING_SOFTWARE)
    return [item for item in figures.uncertain(used) if item.place.kind not in held]


def errors(case: ServiceCase, design: Wire) -> list[ModelError]:
    """The model's own errors on time, and what a first port adds."""
    software = case.problem.softwares[design["cluster"]]
    return [
        ModelError("the serving model's own error", serving_constants().residual.value),
        ModelError(f"software ({software.id})", software.spread.value),
        *_port_errors(case, design),
    ]


def _port_errors(case: ServiceCase, design: Wire) -> list[ModelError]:
    """What a first port adds to the slow side, where no published run is on the chip or its kin."""
    mature = _maturity(case, design, None)
    if mature is None:
        return []
    card = case.library.accelerator(design["accelerator"])
    known = evidence.runs_on(_kin(case, card.efficiency), published_serving_runs())
    return port_errors(mature, "runs" if known else "none", 1.0, None)


def _confidence(case: ServiceCase, design: Wire, studied: Study) -> Confidence | None:
    """Cards that carry the load with the probability asked for: the load is raised by the slow end."""
    rate, band = case.request.target.requests_per_second, studied.bands.requests_per_second
    if rate is None or band is None or band.p10 <= 0.0:
        return None
    probability = case.problem.scenario.search.confidence
    reach = NormalDist().inv_cdf(probability) / Z90
    factor = (band.p50 / band.p10) ** reach
    tightened = at_load(case, design, rate * factor)
    most = tightened.limits.cards_max
    best = engine.size_service(tightened)["best"]
    return Confidence(
        probability=probability,
        cards=None if best is None else best["cards"]["total"],
        cards_tried=most,
        system=None if best is None else best["system"],
        days_p50=None,
        facility_megawatts=None if best is None else best["facility"]["facility_megawatts"],
    )


def at_load(case: ServiceCase, design: Wire, load: float) -> serving_wire.ServiceRequest:
    """The problem on the plant of ``design``, for another load and the fewest cards."""
    cluster = case.request.clusters[design["cluster"]]
    index = design["cluster"]
    only = cluster.model_copy(
        update={
            "fabrics": (cluster.fabrics[design["fabric_index"]],),
            "coolings": (cluster.coolings[design["cooling_index"]],),
            "power_caps": (design["power_cap"],),
        }
    )
    limits = case.request.limits
    most = min(limits.cards_max, design["cards"]["total"] * MOST_TIMES)
    return case.request.model_copy(
        update={
            "clusters": (only,),
            "software": (case.request.software[index],),
            "families": (case.request.families[index],),
            "target": case.request.target.model_copy(update={"requests_per_second": load}),
            "limits": limits.model_copy(update={"cards_max": most}),
            "search": unsimulated(case.request.search).model_copy(update={"objective": "cards", "front": ()}),
        }
    )


@cache
def published_serving_runs() -> list[dict[str, Any]]:
    """Rows of the shipped serving cases that are complete enough to be scored."""
    path = evidence.CASES.parent / "inference.json"
    if not path.is_file():
        return []
    table = json.loads(path.read_text(encoding="utf-8"))
    rows = table.get("inference", [])
    return [row for row in rows if row.get("completeness") in evidence.SCORED]


def _evidence(
    case: ServiceCase, design: Wire | None, used: Sequence[Figure], studied: Study | None
) -> Evidence:
    card = case.library.accelerator(_accelerator(case, design))
    rows = published_serving_runs()
    names = (card.id, card.name, *card.aliases)
    own = evidence.runs_on(names, rows)
    kin = evidence.runs_on(_kin(case, card.efficiency), rows)
    groups = len({str(row.get("group")) for row in kin})
    found = figures.estimates(used, studied.weight if studied else None)
    timing = sum(item.role == "timing" for item in found)
    calibrated = "runs" if serving_constants().runs else "none"
    grade, why = evidence.grade(evidence.Calibration(calibrated, len(kin), groups), len(own), timing)
    model = case.problem.architecture
    models = () if model is None else (model.id, *model.aliases)
    cards = design["cards"]["total"] if design else None
    return Evidence(
        grade=grade,
        why=f"serving: {why}",
        estimates=found,
        software=case.problem.softwares[design["cluster"] if design else 0].id,
        calibrated=calibrated,
        runs_on_chip=len(own),
        runs_in_family=len(kin),
        groups_in_family=groups,
        residual_ln=serving_constants().residual.value,
        nearest_measured=evidence.nearest_run(
            names, lambda: _kin(case, card.efficiency), models, cards, rows
        ),
        risks=studied.risks if studied else [],
    )


def _kin(case: ServiceCase, efficiency: str) -> list[str]:
    library = case.library
    heads = {card: library.head("accelerators", card) for card in library.ids("accelerators")}
    kin = {card: head for card, head in heads.items() if head.get("efficiency") == efficiency}
    return [name for card, head in kin.items() for name in (card, *head.get("aliases", []))]
