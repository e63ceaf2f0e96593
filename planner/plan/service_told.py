"""A design of a service, as the core tells it, in the parts of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.plan import assemble
from planner.plan.account import Space
from planner.plan.parts import Target
from planner.plan.plant import HOURS_PER_YEAR, elevations, prices
from planner.plan.plant_parts import Cost, Fabric, Facility
from planner.plan.service_case import ServiceCase
from planner.plan.service_energy import energy_of
from planner.plan.service_parts import (
    CostPerMillion,
    InstanceLayout,
    InstanceMemory,
    InstancePerformance,
    Latency,
    Refuted,
    Service,
    ServicePool,
    ServicePrice,
    ServiceSummary,
    ServiceWorkload,
    Simulated,
    Stronger,
    TradePoint,
    precision_name,
)
from planner.plan.wiring import wired
from planner.problem import serving_wire
from planner.problem.evidence import Figure
from planner.problem.service import layout_numbers

Wire = Mapping[str, Any]


def facility_of(case: ServiceCase, design: Wire, site: str) -> Facility:
    """The building with the elevations of its racks; ``site``: id."""
    cluster = case.request.clusters[design["cluster"]].model_dump()
    found = assemble.facility(design, site)
    return found.model_copy(update={"elevations": elevations(found, design, cluster)})


def fabric_of(case: ServiceCase, design: Wire) -> Fabric:
    """The networks in every part."""
    country = case.library.site(case.problem.scenario.site.id).country
    cluster = case.request.clusters[design["cluster"]]
    return wired(assemble.fabric(design), cluster, design, case.library, country)


def cost_of(design: Wire, used: Sequence[Figure], request: serving_wire.ServiceRequest) -> Cost:
    """The cost with its rates at full load, and the prices it rests on."""
    found = assemble.cost(design, request)
    year = found.tco_usd_per_year
    return found.model_copy(
        update={
            "usd_per_card_hour": None if year is None else year / (design["cards"]["total"] * HOURS_PER_YEAR),
            "usd_per_million_tokens": (
                None if design["precisions"] is None else design["cost_per_million"][0]["usd"]
            ),
            "prices": prices(used),
        }
    )


def question_of(case: ServiceCase) -> Any:
    """``target``, ``limits`` or ``both``: which of them the scenario gives."""
    loaded = case.request.target.requests_per_second is not None
    if loaded:
        return "both" if case.problem.scenario.limits.any else "target"
    return "limits"


def target_of(case: ServiceCase) -> Target:
    """What the service must do; shares of requests as percentages."""
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


def workload_of(case: ServiceCase, design: Wire | None) -> ServiceWorkload:
    """What is served, in the formats of ``design`` (of the first choice where there is none)."""
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


def pool_of(item: Wire) -> ServicePool:
    """One pool."""
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


def service_of(result: Wire, design: Wire, prices: list[ServicePrice]) -> Service:
    """What the service of ``design`` does, and the other services of the search."""

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
        energy=energy_of(design),
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
        stronger=_stronger(result.get("stronger")),
        runners_up=[_summary(row) for row in result["runners_up"]],
        prices=prices,
    )  # fmt: skip


def _simulated(found: Wire | None) -> Simulated | None:
    return None if found is None else _simulated_of(found)


def _simulated_of(found: Wire) -> Simulated:
    return Simulated(**found)


def _stronger(found: Wire | None) -> Stronger | None:
    if found is None:
        return None
    most = found["most_requests_per_second"]
    return Stronger(service=_summary(found["service"]), most_requests_per_second=most)


def _summary(row: Wire) -> ServiceSummary:
    same = {name: row[name] for name in ServiceSummary.model_fields if name not in ("precision", "pools")}
    return ServiceSummary(
        **same,
        precision=precision_name(row["precisions"]),
        pools=[(count, InstanceLayout(**instance)) for count, instance in row["pools"]],
    )


def service_space(case: ServiceCase) -> Space:
    """The declared space."""
    request = case.request.model_dump(by_alias=True)
    plain = {**request, "space": {}}
    found = assemble.space(plain)
    return found.model_copy(update={"layout": layout_numbers(case.request.space)})
