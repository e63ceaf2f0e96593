"""Where the time and the memory of a plan go, and what 10 % more of each resource is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner import engine
from planner.api import Question, read
from planner.plan.judge import judge
from planner.plan.named import parse
from planner.plan.solve import Case, only_this, open_case
from planner.problem import build, wire
from planner.specs import SpecLibrary

MORE = 1.10
TIGHT_MEMORY = 0.92
"""Share of the memory above which allocators start to thrash and steps slow down (published runs at the limit
are 22-29 % slower than their trend)."""

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


def explain(
    scenario: Question,
    sets: Sequence[str] | None = None,
    layout: str | None = None,
    cards: int | None = None,
    library: SpecLibrary | None = None,
) -> dict[str, Any]:
    """The account of the plan that `planner.size` (or, with a layout or cards, `planner.evaluate`) finds.

    Returns:
        ``time`` and ``memory`` by cause, ``groups`` (bandwidth that each parallel group sees), ``value`` of
        each
        resource as a relative change of step time, ``bound_by`` and ``warnings``.

    Raises:
        PlannerError: the scenario, a spec file or the layout cannot be used.
    """
    question = read(scenario, sets)
    case = open_case(question, library or SpecLibrary.from_environment())
    design = _design(case, layout, cards)
    if design is None:
        return {
            "feasible": False,
            "why": "no design answers the scenario; `planner size` says what is nearest",
        }
    plant, choice = only_this(case, design)
    request = build(plant, case.library).request
    step = design["performance"]["step_seconds"]
    memory = design["memory"]
    share = memory["per_device_bytes"] / memory["capacity_bytes"]
    value = {}
    for name, place in RESOURCES:
        better = request.model_copy(update={"clusters": (_more(request.clusters[0], place),)})
        moved = engine.evaluate(wire.EvaluateRequest(problem=better, design=choice))
        value[name] = moved["performance"]["step_seconds"] / step - 1.0
    time = {name: design["performance"]["breakdown"][name] for name in CAUSES}
    warnings = []
    if TIGHT_MEMORY < share <= 1.0:
        warnings.append(
            f"memory is {100 * share:.0f} % full: above {100 * TIGHT_MEMORY:.0f} % allocators "
            "thrash and steps slow down"
        )
    return {
        "feasible": not design["broken_rules"],
        "system": design["system"],
        "cards": design["cards"]["total"],
        "layout": design["layout"],
        "step_seconds": step,
        "time": time,
        "memory": {"capacity_bytes": memory["capacity_bytes"], "share": share, **memory["breakdown"]},
        "network": design["network"],
        "value": value,
        "bound_by": min(value, key=lambda name: value[name]),
        "warnings": warnings,
    }


def _design(case: Case, layout: str | None, cards: int | None) -> Mapping[str, Any] | None:
    if layout is None and cards is None:
        found: Mapping[str, Any] | None = case.search(case.request)["best"]
        return found
    plan = judge(case, None if layout is None else parse(layout), cards)
    if plan.layout is None or plan.cards is None:
        return None
    chosen = wire.LayoutOfDesign.model_validate(
        {name: getattr(plan.layout, name) for name in wire.LayoutOfDesign.model_fields}
    )
    assert plan.fabric is not None
    assert plan.facility is not None
    wanted = (plan.fabric.id, plan.fabric.kind, plan.fabric.oversubscription)
    cluster = next(i for i, item in enumerate(case.request.clusters) if item.system == plan.system)
    offered = case.request.clusters[cluster]
    place = wire.DesignChoice(
        cluster=cluster,
        fabric=next(
            i
            for i, item in enumerate(offered.fabrics)
            if (item.id, item.kind, item.oversubscription) == wanted
        ),
        cooling=next(i for i, item in enumerate(offered.coolings) if item.kind == plan.facility.cooling),
        power_cap=plan.power_cap or 1.0,
        cards=plan.cards.total,
        layout=chosen,
    )
    return engine.evaluate(wire.EvaluateRequest(problem=case.request, design=place))


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


def text(answer: Mapping[str, Any]) -> str:
    """For people."""
    if "time" not in answer:
        return f"{answer['why']}\n"
    layout = answer["layout"]
    named = ", ".join(f"{key}={value}" for key, value in layout.items())
    out = [
        f"{answer['cards']:,} cards of {answer['system']}: {named}",
        "",
        f"Step {answer['step_seconds']:.3f} s",
    ]
    for name, seconds in sorted(answer["time"].items(), key=lambda item: -item[1]):
        if seconds > 5e-4 * answer["step_seconds"]:
            out.append(f"  {100 * seconds / answer['step_seconds']:5.1f} %  {seconds:8.3f} s  {CAUSES[name]}")
    memory = answer["memory"]
    out += [
        "",
        f"Memory of the fullest device: {100 * memory['share']:.1f} % of "
        f"{memory['capacity_bytes'] / 2**30:.1f} GiB",
    ]
    for name in ("weights", "gradients", "optimizer", "activations", "working", "overhead"):
        if memory[name] > 0:
            out.append(f"  {memory[name] / 2**30:8.2f} GiB  {name}")
    out += ["", "10 % more of each resource changes the step time by"]
    for name, change in sorted(answer["value"].items(), key=lambda item: item[1]):
        out.append(f"  {100 * change:+6.2f} %  {name}")
    out += [f"Most is gained from: {answer['bound_by']}."]
    out += [f"Warning: {warning}." for warning in answer["warnings"]]
    return "\n".join(out) + "\n"
