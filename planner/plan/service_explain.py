"""The account of a service: figures with formula and terms, the time of a step, what more is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner import engine
from planner.plan.dated import held_to_date
from planner.plan.evidence import tight_memory
from planner.plan.explain import RESOURCES, _more
from planner.plan.explained import ExplainedFigure, ExplainedPool, ExplainedSource, ServiceExplanation, Value
from planner.plan.explained_doubt import doubt_of
from planner.plan.model import Plan
from planner.plan.placed import place_of
from planner.plan.plant import HOURS_PER_YEAR
from planner.plan.service import service_plan
from planner.plan.service_case import ServiceCase
from planner.plan.service_judge import judge_service
from planner.plan.service_parts import InstanceLayout, ServicePool, ServicePrice, ServiceWorkload
from planner.plan.service_prices import prices_of
from planner.plan.service_study import choice_of
from planner.problem import serving_wire

PHYSICS = "docs/physics.md"


def explain_service(
    case: ServiceCase, layout: str | None = None, cards: int | None = None
) -> ServiceExplanation:
    """The account of the service that `planner.size` (or, with a layout or cards, `planner.evaluate`) finds.

    Raises:
        PlannerError: the scenario, a spec file or the layout cannot be used.
    """
    if layout is None and cards is None:
        result = engine.size_service(case.request)
        plan = service_plan(case, result)
    else:
        plan = judge_service(case, layout, cards)
    plan = held_to_date(plan, case.problem.scenario, case.library)
    kind: Any = plan.workload.kind
    if plan.serving is None or plan.cards is None:
        why = plan.nearest.why if plan.nearest else "no service answers the scenario"
        return ServiceExplanation(kind=kind, feasible=False, why=why)
    value = _value(case, plan)
    return ServiceExplanation(
        kind=kind,
        feasible=plan.feasible,
        system=plan.system,
        cards=plan.cards.total,
        mode=plan.serving.mode,
        precision=plan.workload.precision,
        verdict=plan.serving.verdict,
        binding=list(plan.binding),
        figures=list(_figures(plan)),
        pools=[_pool(pool) for pool in plan.pools if isinstance(pool, ServicePool)],
        network=plan.network,
        value=value,
        bound_by=max(value, key=lambda name: value[name]) if value else None,
        prices=_prices(case, plan),
        sources=[ExplainedSource.of(item) for item in plan.figures],
        warnings=_warnings(plan),
        doubt=doubt_of(plan, case.library),
    )


def _figures(plan: Plan) -> Iterator[ExplainedFigure]:
    """Every headline figure: formula over terms, so that it can be worked again by hand."""
    served, work = plan.serving, plan.workload
    assert served is not None
    assert isinstance(work, ServiceWorkload)
    yield from _bought(plan)
    pools = [pool for pool in plan.pools if isinstance(pool, ServicePool)]
    yield _one(
        "most_requests_per_second", served.most_requests_per_second, "requests/s", "queues",
        "the least of what the pools carry within the latencies",
        {pool.role: pool.performance.most_requests_per_second for pool in pools},
    )  # fmt: skip
    if work.kind == "serving":
        yield from _latencies(plan, pools[-1])
    yield from _money(plan)


def _bought(plan: Plan) -> Iterator[ExplainedFigure]:
    assert plan.cards is not None
    hall = plan.facility
    active = {
        f"{pool.role} ({pool.replicas} x {pool.layout.short()})": pool.active_cards
        for pool in plan.pools
        if isinstance(pool, ServicePool)
    }
    yield _one(
        "cards", plan.cards.total, "cards", "a-replica",
        "cards of the instances at work + spare instances and cards that fill whole servers",
        {**active, "spare and unfilled": plan.cards.total - sum(active.values())},
    )  # fmt: skip
    if hall is not None:
        yield _one(
            "facility_megawatts", hall.facility_megawatts, "MW", "facility", "IT power x PUE",
            {"it_megawatts": hall.it_megawatts, "pue": hall.pue},
        )  # fmt: skip


def _latencies(plan: Plan, pool: ServicePool) -> Iterator[ExplainedFigure]:
    served, work = plan.serving, plan.workload
    assert served is not None
    assert isinstance(work, ServiceWorkload)
    output = work.output_tokens or 0.0
    if served.tpot is not None:
        yield _one(
            "tpot_seconds", served.tpot.mean, "s", "a-replica", "mean step / tokens of a step and request",
            {"step_seconds": pool.performance.step_seconds, "tokens_of_a_step": accepted(work)},
        )  # fmt: skip
        yield _one(
            "sequences_in_decode", pool.replicas * pool.performance.batch, "sequences", "queues",
            "Little's law: requests/s x (output tokens - 1) x time per token",
            {
                "requests_per_second": served.requests_per_second,
                "output_tokens": output,
                "tpot_seconds": served.tpot.mean,
            },
        )  # fmt: skip
    if served.ttft is not None and served.ttft_service_seconds is not None:
        yield _one(
            "ttft_seconds", served.ttft.mean, "s", "queues", "service + queue (M/G/c of the prompts)",
            {
                "service_seconds": served.ttft_service_seconds,
                "queue_seconds": served.ttft.mean - served.ttft_service_seconds,
            },
        )  # fmt: skip
    if served.ttft is not None and served.tpot is not None:
        yield _one(
            "request_seconds", served.request_seconds, "s", "queues",
            "time to the first token + (output tokens - 1) x time per token",
            {"ttft_seconds": served.ttft.mean, "output_tokens": output, "tpot_seconds": served.tpot.mean},
        )  # fmt: skip
    yield _one(
        "output_tokens_per_second", served.output_tokens_per_second, "tokens/s", "serving",
        "requests/s x output tokens",
        {"requests_per_second": served.requests_per_second, "output_tokens": output},
    )  # fmt: skip


def _money(plan: Plan) -> Iterator[ExplainedFigure]:
    served, cost, work = plan.serving, plan.cost, plan.workload
    assert served is not None
    assert isinstance(work, ServiceWorkload)
    if cost is None:
        return
    yield _one(
        "capex_usd",
        cost.capex_usd,
        "USD",
        "cost",
        "sum of the parts",
        {k: v for k, v in cost.parts.items() if v},
    )
    tokens = work.output_tokens if work.kind == "serving" else 1.0
    for row in served.cost_per_million:
        yield _one(
            f"usd_per_million_at_{row.load:.0%}".rstrip("%"), row.usd, "USD", "cost",
            "cost of a year x 10^6 / (load x most requests/s x tokens of a request x seconds of a year)",
            {
                "tco_usd_per_year": row.tco_usd_per_year,
                "load": row.load,
                "most_requests_per_second": served.most_requests_per_second,
                "tokens_of_a_request": tokens,
                "seconds_of_a_year": HOURS_PER_YEAR * 3600.0,
            },
        )  # fmt: skip


def accepted(work: ServiceWorkload) -> float:
    """Tokens that a decode step yields per request: 1, or 1 + a + ... + a^q with q drafted."""
    if not work.drafted_tokens or work.acceptance is None:
        return 1.0
    return float(sum(work.acceptance**power for power in range(work.drafted_tokens + 1)))


def _one(  # noqa: PLR0917 (a row of a table)
    name: str, value: Value, unit: str, anchor: str, formula: str, terms: Mapping[str, Value]
) -> ExplainedFigure:
    where = f"{PHYSICS}#{anchor}"
    return ExplainedFigure(name=name, value=value, unit=unit, formula=formula, terms=dict(terms), where=where)


def _pool(pool: ServicePool) -> ExplainedPool:
    speed = pool.performance
    return ExplainedPool(
        role=pool.role,
        instances=pool.replicas,
        layout=pool.layout.short(),
        cards=pool.cards,
        load=speed.load,
        batch=speed.batch,
        step_seconds=speed.step_seconds,
        time={name.removesuffix("_seconds"): value for name, value in speed.breakdown.items()},
        memory=pool.memory,
    )


def _value(case: ServiceCase, plan: Plan) -> dict[str, float]:
    """Change of the most requests per second with 10 % more of each resource, the same pools."""
    assert plan.serving is not None
    choice = choice_of_plan(case, plan)
    most = plan.serving.most_requests_per_second
    if not most:
        return {}
    asked = case.request
    target = asked.target.model_copy(update={"requests_per_second": plan.serving.requests_per_second})
    asked = asked.model_copy(update={"target": target, "search": asked.search.unsimulated()})
    requests = []
    for _, place in (*RESOURCES, ("memory capacity", ("capacity",))):
        clusters = list(asked.clusters)
        clusters[choice.cluster] = _more(clusters[choice.cluster], place)
        better = asked.model_copy(update={"clusters": tuple(clusters)})
        requests.append(serving_wire.EvaluateServiceRequest(problem=better, design=choice))
    answers = engine.evaluate_services(requests, threads=0)
    names = [*(name for name, _ in RESOURCES), "memory capacity"]
    found: dict[str, float] = {}
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, Exception):
            raise answer
        found[name] = answer["most_requests_per_second"] / most - 1.0
    return found


def _prices(case: ServiceCase, plan: Plan) -> list[ServicePrice]:
    """What each constraint of the scenario is worth on the plant of the plan."""
    choice = choice_of_plan(case, plan)
    plant = {
        "cluster": choice.cluster,
        "fabric_index": choice.fabric,
        "cooling_index": choice.cooling,
        "power_cap": plan.power_cap,
    }
    return prices_of(case.request, plant)


def choice_of_plan(case: ServiceCase, plan: Plan) -> serving_wire.ServiceChoice:
    """The plan's service as the engine takes it."""
    request = case.request
    assert plan.serving is not None
    place = place_of(request.clusters, plan)
    precisions = getattr(request.served, "precisions", ())
    design = {
        "cluster": place.cluster,
        "fabric_index": place.fabric,
        "cooling_index": place.cooling,
        "power_cap": plan.power_cap,
        "precision_index": next(
            (i for i, x in enumerate(precisions) if x.model_dump() == plan.serving.precision), 0
        ),
        "cards": {"total": place.cards},
        "pools": [
            {"instance": _instance(pool.layout), "instances": pool.replicas}
            for pool in plan.pools
            if isinstance(pool, ServicePool)
        ],
    }
    return choice_of(design, request)


def _instance(layout: InstanceLayout) -> dict[str, int]:
    return layout.model_dump()


def _warnings(plan: Plan) -> list[str]:
    found = list(plan.notes)
    for pool in plan.pools:
        if isinstance(pool, ServicePool):
            use = pool.memory
            tight = tight_memory(use.weights_bytes + use.reserve_bytes, use.capacity_bytes)
            found += [f"{pool.role}: {tight}"] if tight else []
    return found
