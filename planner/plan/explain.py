"""Where the time and the memory of a plan go, and what 10 % more of each resource is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from planner import engine
from planner.plan import assemble
from planner.plan.case import Case
from planner.plan.evidence import tight_memory
from planner.plan.explained import ExplainedMemory, Explanation
from planner.plan.explained_doubt import doubt_of
from planner.plan.model import Plan
from planner.plan.rivals import choice_of
from planner.plan.studied import only_this
from planner.problem import build, wire

MORE = 1.10
UNLIMITED = 1e9
"""Times the bandwidth of a level that no longer holds anything up."""
TRAFFIC = ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_sends", "data_parallel")
OUTSIDE = "scale-out"
LEAST_SAVED = 1e-5
"""Of a step; less is not told."""

RESOURCES = (
    ("matrix engine", ("device", "peak")),
    ("memory bandwidth", ("device", "memory_bandwidth")),
    ("scale-up bandwidth", ("levels",)),
    ("scale-out bandwidth", ("fabrics",)),
    ("latency of all links (10 % less)", ("latency",)),
)
CAUSES = {
    "matmul": "matrix products",
    "attention": "attention",
    "elementwise": "element-wise work",
    "kernel_gaps": "gaps between kernels, host",
    "recompute": "recomputation",
    "tensor_parallel": "exposed tensor-parallel traffic",
    "context_parallel": "exposed context-parallel traffic",
    "expert_parallel": "exposed expert traffic and waiting",
    "pipeline_sends": "exposed pipeline sends",
    "pipeline_bubble": "pipeline bubble",
    "stage_imbalance": "slowest stage over the mean",
    "data_parallel": "exposed gradient and weight traffic",
    "optimizer": "optimizer",
    "fixed": "fixed time per step",
    "stragglers": "stragglers",
}


def explain(case: Case, plan: Plan) -> Explanation:
    """The account of a plan of the case's question.

    Raises:
        PlannerError: a figure cannot be used.
    """
    if plan.layout is None or plan.cards is None:
        return Explanation(
            feasible=False, why="no design answers the scenario; `planner size` says what is nearest"
        )
    asked = wire.EvaluateRequest(problem=case.request, design=choice_of(case.request, plan))
    design = engine.evaluate(asked)
    memory = design["memory"]
    value = _value(case, design)
    time = {name: design["performance"]["breakdown"][name] for name in CAUSES}
    tight = tight_memory(memory["per_device_bytes"], memory["capacity_bytes"])
    return Explanation(
        feasible=not design["broken_rules"] and (plan.supply is None or plan.supply.feasible),
        system=design["system"],
        cards=design["cards"]["total"],
        layout=assemble.layout_core(design["layout"]),
        step_seconds=design["performance"]["step_seconds"],
        time=time,
        exposed=_by_level(case, design, time),
        memory=ExplainedMemory(
            capacity_bytes=memory["capacity_bytes"],
            share=memory["per_device_bytes"] / memory["capacity_bytes"],
            **memory["breakdown"],
        ),
        network=assemble.network(design),
        reliability=assemble.reliability(design),
        value=value,
        bound_by=min(value, key=lambda name: value[name]),
        warnings=[tight] if tight else [],
        doubt=doubt_of(plan, case.library),
    )


def _value(case: Case, design: Mapping[str, Any]) -> dict[str, float]:
    """Relative change of the step time with 10 % more of each resource, the same design."""
    plant, choice = only_this(case, design)
    request = build(plant, case.library).request
    found = {}
    for name, place in RESOURCES:
        better = request.model_copy(update={"clusters": (_more(request.clusters[0], place),)})
        moved = engine.evaluate(wire.EvaluateRequest(problem=better, design=choice))
        found[name] = moved["performance"]["step_seconds"] / design["performance"]["step_seconds"] - 1.0
    return found


def _by_level(
    case: Case, design: Mapping[str, Any], time: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Cause of exposed traffic -> level of the network -> seconds that it would save without any limit."""
    plant, choice = only_this(case, design)
    request = build(plant, case.library).request
    cluster = request.clusters[0]
    freed = {
        level.name: cluster.model_copy(
            update={"levels": tuple(_free(x) if x is level else x for x in cluster.levels)}
        )
        for level in cluster.levels
    }
    fabrics = tuple(
        _free(x).model_copy(update={"latency_per_tier": x.latency_per_tier / UNLIMITED})
        for x in cluster.fabrics
    )
    freed[OUTSIDE] = cluster.model_copy(update={"fabrics": fabrics})
    found: dict[str, dict[str, float]] = {name: {} for name in TRAFFIC}
    for level_name, without in freed.items():
        better = request.model_copy(update={"clusters": (without,)})
        moved = engine.evaluate(wire.EvaluateRequest(problem=better, design=choice))
        for name in TRAFFIC:
            saved = time[name] - moved["performance"]["breakdown"][name]
            if saved > LEAST_SAVED * design["performance"]["step_seconds"]:
                found[name][level_name] = saved
    return {name: levels for name, levels in found.items() if levels}


_Link = TypeVar("_Link", wire.ScaleUpLevel, wire.FabricOption)


def _free(link: _Link) -> _Link:
    """The link without any limit."""
    return link.model_copy(
        update={"bandwidth": link.bandwidth * UNLIMITED, "latency": link.latency / UNLIMITED}
    )


def _more(cluster: wire.Cluster, place: tuple[str, ...]) -> wire.Cluster:
    """The cluster with 10 % more of one resource."""
    if place == ("device", "peak"):
        peak = cluster.device.peak
        faster = peak.model_copy(
            update={name: rate * MORE for name, rate in peak.model_dump().items() if rate is not None}
        )
        return cluster.model_copy(update={"device": cluster.device.model_copy(update={"peak": faster})})
    if place == ("device", "memory_bandwidth"):
        device = cluster.device
        wider = device.model_copy(update={"memory_bandwidth": device.memory_bandwidth * MORE})
        return cluster.model_copy(update={"device": wider})
    if place == ("capacity",):
        device = cluster.device
        larger = device.model_copy(update={"memory": device.memory * MORE})
        return cluster.model_copy(update={"device": larger})
    if place == ("latency",):
        levels = tuple(x.model_copy(update={"latency": x.latency / MORE}) for x in cluster.levels)
        fabrics = tuple(
            x.model_copy(update={"latency": x.latency / MORE, "latency_per_tier": x.latency_per_tier / MORE})
            for x in cluster.fabrics
        )
        return cluster.model_copy(update={"levels": levels, "fabrics": fabrics})
    (name,) = place
    links = getattr(cluster, name)
    return cluster.model_copy(
        update={name: tuple(x.model_copy(update={"bandwidth": x.bandwidth * MORE}) for x in links)}
    )
