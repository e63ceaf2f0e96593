"""``evaluate``: this many cards, in a layout that the user names or in the best one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.errors import EngineError, ScenarioError
from planner.plan import assemble
from planner.plan.account import Comparison
from planner.plan.case import Case
from planner.plan.model import Plan
from planner.plan.named import SWITCHES, Named
from planner.plan.solve import drawn_alone, plan_of
from planner.plan.storage import slow_storage
from planner.problem import wire

Wire = Mapping[str, Any]
STORAGE_HINT = 'reliability.checkpoint_bandwidth, or reliability.checkpoint = "memory"'
STILL_MEANT = {"memory", "batch", "target", "limits"}
"""A layout that breaks only these still has a step time and a memory need that mean something."""


def judge(case: Case, named: Named | None = None, cards: int | None = None) -> Plan:
    """The plan of so many cards; feasible if it is lawful, meets the target and keeps the limits.

    Args:
        case: the question; its target and limits judge the design but do not choose it.
        named: a layout, or part of one (the rest is chosen as the best); None: the best layout.
        cards: cards bought; None: those of the layout if it names dp, else what the scenario allows at most.

    Raises:
        ScenarioError: cards that are not whole units, no number of cards, a layout that cannot be built.
    """
    asked = settled(case, named, cards)
    best = _fastest(case, asked)
    # A named layout is judged with the spares it leaves: few of them cost time, not lawfulness.
    asked = asked if named is None else _spares_as_given(asked)
    if named is None:
        if best["best"] is None:
            slow = case.timed(
                "storage",
                lambda: (
                    slow_storage(case.problem, engine.size, asked)
                    or slow_storage(case.problem, engine.size, without_target(asked))
                ),
            )
            case.cause = slow.words if slow else None
            return plan_of(case, best, None)
        return _judged(case, asked, best, best["best"], None)
    fastest = _fastest(case, _restricted(asked, named))
    if fastest["best"] is not None:
        left = sorted(set(asked.space.model_fields_set) - set(named) - {"switches", "factorized"})
        if left:
            chosen = fastest["best"]["layout"]
            words = ", ".join(f"{name} {_word(chosen[name])}" for name in left if name in chosen)
            case.notes.append(f"dimensions that --layout leaves open, chosen as the best: {words}")
        return _judged(case, asked, fastest, fastest["best"], best["best"])
    return _unlawful(case, asked, fastest, named, best["best"])


def settled(case: Case, named: Named | None = None, cards: int | None = None) -> wire.Request:
    """The request with the number of cards settled; arguments and errors as for `judge`."""
    request, origin = case.request, case.problem.scenario.origin
    units = [cluster.unit_cards for cluster in request.clusters]
    limited = case.problem.scenario.limits.cards
    least: int
    if cards is not None:
        if all(cards % unit for unit in units):
            unit = units[0]
            near = (
                f"{cards // unit * unit} or {math.ceil(cards / unit) * unit}" if cards > unit else str(unit)
            )
            raise ScenarioError(
                f"{cards} cards are not whole units of {unit}, as they are bought",
                file="--cards",
                hint=f"try {near}",
            )
        least = most = cards
    elif named is not None and "dp" in named:
        devices = math.prod(named.get(name, 1) for name in ("tp", "pp", "cp", "dp"))
        cluster = request.clusters[0]
        needed = math.ceil(devices / cluster.devices_per_card)
        least = most = math.ceil(needed / cluster.unit_cards) * cluster.unit_cards
    elif limited is not None and limited.highest is not None:
        most = limited.highest
        least = max(1, min(most // unit * unit for unit in units))
    else:
        raise origin.error(
            "limits.cards", "how many cards?", "give --cards N, or limits.cards in the scenario"
        )
    if not request.limits.cards_min <= most <= request.limits.cards_max:
        what = "--cards" if cards is not None else "the layout"
        case.notes.append(f"{what} asks for {most:,} cards, which sets limits.cards of the scenario aside")
    limits = request.limits.model_copy(update={"cards_min": least, "cards_max": most})
    return request.model_copy(update={"limits": limits})


def _spares_as_given(request: wire.Request) -> wire.Request:
    terms = request.reliability
    if terms.failures is None or terms.failures.spares != "required":
        return request
    failures = terms.failures.model_copy(update={"spares": "as-given"})
    return request.model_copy(update={"reliability": terms.model_copy(update={"failures": failures})})


def _fastest(case: Case, request: wire.Request) -> Wire:
    """The fastest design on so many cards, whatever the target; over other limits only if none is within."""
    result = case.search(without_target(request))
    unlimited = without_other_limits(request)
    if result["best"] is None and unlimited is not None:
        result = case.search(without_target(unlimited))
    return result


def without_target(request: wire.Request) -> wire.Request:
    """The request for the fastest design, whatever the target."""
    return request.model_copy(
        update={
            "target": wire.Target(days=None, tokens_per_second=None),
            "search": request.search.model_copy(update={"objective": "throughput"}),
        }
    )


def without_other_limits(request: wire.Request) -> wire.Request | None:
    """The request without limits but that on cards; None where it has no others."""
    other = ("facility_watts", "it_watts", "nameplate_watts", "racks", "capex_usd")
    if all(getattr(request.limits, name) is None for name in other):
        return None
    return request.model_copy(update={"limits": request.limits.model_copy(update=dict.fromkeys(other))})


def _restricted(request: wire.Request, named: Named) -> wire.Request:
    """The request with the named dimensions fixed; with dp named, tp, pp and cp left out are 1."""
    fixed = dict.fromkeys(("tp", "pp", "cp"), 1) | named if "dp" in named else named
    switches = {name: (value,) for name, value in fixed.items() if name in SWITCHES}
    update: dict[str, Any] = {
        name: (value,) for name, value in fixed.items() if name != "etp" and name not in SWITCHES
    }
    update["switches"] = request.space.switches.model_copy(update=switches)
    if "etp" in named:
        update["etp"] = ("one",) if named["etp"] == 1 else ("tensor",)
    return request.model_copy(update={"space": request.space.model_copy(update=update)})


def _judged(case: Case, asked: wire.Request, result: Wire, found: Wire, best: Wire | None) -> Plan:
    """The plan of a lawful design, held against target and limits, and against the best design."""
    design = _evaluated(asked, found)
    behind = None
    if best is not None:
        behind = _productive(best) / _productive(design) - 1.0
    memory, free = design["memory"], asked.search.memory_headroom
    if memory["per_device_bytes"] > (1.0 - free) * memory["capacity_bytes"]:
        case.notes.append(
            f"fills more than {1.0 - free:.0%} of the memory, which size leaves aside while others leave "
            "room (search.memory_headroom)"
        )
    return _plan(case, asked, result, design, best, behind)


def _productive(design: Wire) -> float:
    """Tokens per second of calendar time."""
    speed = design["performance"]
    return float(speed["tokens_per_second"] * speed["goodput"])


def _unlawful(case: Case, asked: wire.Request, result: Wire, named: Named, best: Wire | None) -> Plan:
    """The plan of a layout that no search finds: evaluated as it is, to say which rules it breaks."""
    tp = named.get("tp", 1)
    layout: dict[str, Any] = {"tp": 1, "pp": 1, "vpp": 1, "cp": 1, "ep": 1, "etp": 1, "micro_batch": 1}
    layout |= {"recompute": "none", "sharding": 1, "sequence_parallel": tp > 1}
    layout |= {name: value for name, value in named.items() if name not in SWITCHES}
    if "dp" not in named:
        cluster = asked.clusters[0]
        devices = asked.limits.cards_max * cluster.devices_per_card
        layout["dp"] = max(1, devices // (layout["tp"] * layout["pp"] * layout["cp"]))
    first = {
        "cluster": 0,
        "fabric_index": 0,
        "cooling_index": 0,
        "power_cap": asked.clusters[0].power_caps[0],
    }
    basis = best or first
    cards = {"total": asked.limits.cards_max}
    try:
        chosen = {name: value for name, value in named.items() if name in SWITCHES}
        design = _evaluated(asked, {**basis, "cards": cards, "layout": {**layout, "switches": chosen}})
    except EngineError as fault:
        # Storage too slow for a failure rate is no fault of the layout, nor of ours.
        hint = STORAGE_HINT if "checkpoints:" in fault.message else fault.hint
        if "design.layout." in fault.message:
            hint = "no such layout can be built at all: change it, or leave it out to have it chosen"
        raise ScenarioError(fault.message, file="--layout", hint=hint) from fault
    taken = ", ".join(f"{name} {_word(layout[name])}" for name in layout if name not in named)
    case.notes.append(f"no lawful layout has what --layout names; dimensions left open are taken as {taken}")
    return _plan(case, asked, result, design, best, None)


def _evaluated(asked: wire.Request, found: Wire) -> Wire:
    choice = wire.DesignChoice.model_validate(assemble.choice(found))
    design: Wire = engine.evaluate(wire.EvaluateRequest(problem=asked, design=choice))
    return design


def _plan(  # noqa: PLR0917
    case: Case, asked: wire.Request, result: Wire, design: Wire, best: Wire | None, behind: float | None
) -> Plan:
    broken = list(design["broken_rules"])
    target = asked.target
    missed = "target" in broken
    wanted = target.days is not None or target.tokens_per_second is not None
    asked_for = "target.days" if target.days is not None else "target.tokens_per_second"
    margin = margin_of(design, target)
    comparison = Comparison(
        named=best is not None or bool(set(broken) - {"target", "limits"}),
        broken_rules=[rule for rule in broken if rule not in ("target", "limits")],
        over_limits=list(design["over_limits"]),
        meets_target=not missed if wanted else None,
        best=assemble.summary_of(best) if best is not None else None,
        behind_best=behind,
    )
    if missed and not set(broken) - {"target"}:
        case.cause = case.timed("storage", lambda: _storage(case, design))
    judged = {
        **result,
        "feasible": not broken,
        "nearest": None,
        "binding": [*([asked_for] if missed else []), *design["over_limits"]],
        "margin": margin,
    }
    kept = design if set(broken) <= STILL_MEANT else None
    if kept is None or not case.samples:
        return plan_of(case, judged, kept, comparison, sure=False, basis=design)
    studied, found = drawn_alone(case, kept)
    return plan_of(case, judged, kept, comparison, sure=False, basis=design, found=found, studied=studied)


def _storage(case: Case, design: Wire) -> str | None:
    """Whether this design misses the target for slow storage alone, in words."""
    choice = wire.DesignChoice.model_validate(assemble.choice(design))

    def same(request: wire.Request) -> Wire:
        found = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
        return {"best": None if found["broken_rules"] else found}

    held = case.request.limits.model_copy(
        update={"cards_min": design["cards"]["total"], "cards_max": design["cards"]["total"]}
    )
    slow = slow_storage(case.problem, same, case.request.model_copy(update={"limits": held}))
    return slow.words if slow else None


def margin_of(design: Wire, target: wire.Target) -> float | None:
    """Head-room of a design to the target as a fraction of it; negative: missed; None without a target."""
    speed = design["performance"]
    if target.days is not None:
        return float(target.days / speed["days"] - 1.0)
    if target.tokens_per_second is not None:
        return float(speed["tokens_per_second"] * speed["goodput"] / target.tokens_per_second - 1.0)
    return None


def _word(value: object) -> str:
    """A value as scenarios write it: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)
