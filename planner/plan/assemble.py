"""From the engine's answer (``result/1``, a design of it) to the parts of ``plan/1``.

Nothing is computed here that the engine can say; what is added is names, units in the names, and the bill of
materials as lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from planner.plan.account import Alternative, Nearest, RefusedSize, Search, Space, Summary
from planner.plan.parts import (
    Cards,
    Layout,
    LayoutCore,
    Limits,
    Memory,
    Overlap,
    Performance,
    Pool,
    Reliability,
    Target,
)
from planner.plan.plant_parts import (
    Cost,
    Fabric,
    FabricPart,
    Facility,
    HallUse,
    Link,
    NetworkLevel,
    Racks,
    Tier,
    Transceivers,
)
from planner.problem.serving_wire import ServiceRequest
from planner.problem.wire import Request
from planner.scenario.split import split_text

Wire = Mapping[str, Any]
MEGAWATT = 1e6


def cards(design: Wire, cards_per_server: int) -> Cards:
    """Cards of a design."""
    found = design["cards"]
    return Cards(
        total=found["total"],
        active=found["active"],
        spare=found["spare"],
        per_server=cards_per_server,
        devices_per_card=found["devices_per_card"],
    )


def layout(design: Wire, software: Wire) -> Layout:
    """The layout of a design, with the schedule it implies and the overlap that the software claims."""
    core = layout_core(design["layout"])
    data_parallel = "fsdp_overlap" if core.sharding == 3 else "dp_overlap"
    return Layout(
        **core.model_dump(),
        offload=core.switches.offload,
        micro_batches=design["micro_batches"],
        micro_batch_group=design["micro_batch_group"],
        global_batch_sequences=design["global_batch"],
        overlap=Overlap(
            tensor_parallel=software.get("tp_overlap"),
            context_parallel=software.get("cp_overlap"),
            expert_parallel=software.get("ep_overlap"),
            pipeline=software.get("pp_overlap"),
            data_parallel=software.get(data_parallel),
        ),
    )


def layout_core(wire: Wire) -> LayoutCore:
    """A layout as the engine writes it."""
    shown = {name: wire[name] for name in LayoutCore.model_fields if name in wire}
    if wire["pp"] == 1:
        shown["schedule"] = "none"
    elif shown.get("schedule", "1f1b") == "1f1b":
        shown["schedule"] = "interleaved-1f1b" if wire["vpp"] > 1 else "1f1b"
    return LayoutCore(**shown)


def performance(design: Wire, advertised_over_matrix: float | None) -> Performance:
    """Performance of a design.

    Args:
        design: as the engine evaluated it.
        advertised_over_matrix: advertised dense peak over matrix-engine peak; None where not known.
    """
    found = design["performance"]
    names = [
        name
        for name in Performance.model_fields
        if name not in ("breakdown", "mfu_advertised", "effective_pflops")
    ]
    return Performance(
        **{name: found[name] for name in names},
        mfu_advertised=found["mfu"] / advertised_over_matrix if advertised_over_matrix else None,
        breakdown=_with_unit(found["breakdown"], "seconds"),
    )


def memory(design: Wire) -> Memory:
    """Memory of a design's fullest device."""
    found = design["memory"]
    return Memory(
        per_device_bytes=found["per_device_bytes"],
        capacity_bytes=found["capacity_bytes"],
        breakdown=_with_unit(found["breakdown"], "bytes"),
    )


def pool(plan_cards: Cards, plan_layout: Layout, speed: Performance, use: Memory) -> Pool:
    """The one pool of a training plan."""
    return Pool(
        role="train",
        cards=plan_cards.total,
        replicas=plan_layout.dp,
        layout=plan_layout,
        performance=speed,
        memory=use,
    )


def _with_unit(leaves: Wire, unit: str) -> dict[str, float]:
    return {name if name.endswith(unit) else f"{name}_{unit}": float(value) for name, value in leaves.items()}


def fabric(design: Wire) -> Fabric:
    """The scale-out network of a design, with its bill of materials."""
    found = design["fabric"]
    tiers = [Tier(**{name: tier[name] for name in Tier.model_fields}) for tier in found["tiers"]]
    links = [Link(**{name: link[name] for name in Link.model_fields}) for link in found["links"]]
    modules = Transceivers(
        switch_side=found["transceivers"]["switch_side"], host_side=found["transceivers"]["host_side"]
    )
    lines = [(f"switch, {tier.name}", tier.switches) for tier in tiers]
    lines += [
        ("transceiver, switch side", modules.switch_side),
        ("transceiver, host side", modules.host_side),
    ]
    lines += [(f"cable, {link.name}", link.count) for link in links]
    lines += [("NIC port", found["nics"])]
    same = ("id", "kind", "oversubscription", "switches", "cables", "nics", "ports_free", "watts")
    return Fabric(
        **{name: found[name] for name in same},
        tiers=tiers,
        links=links,
        transceivers=modules,
        parts=[FabricPart(name=name, count=count) for name, count in lines if count],
    )


def network(design: Wire) -> list[NetworkLevel]:
    """Levels of the network as the collectives saw them."""
    return [
        NetworkLevel(
            name=level["name"],
            devices=None if level["devices"] is None else int(level["devices"]),
            bytes_per_second=level["bytes_per_second"],
            latency_seconds=level["latency_seconds"],
        )
        for level in design["network"]
    ]


def facility(design: Wire, site: str | None) -> Facility:
    """Building, power and cooling of a design."""
    found = design["facility"]
    mine = (
        "site",
        "racks",
        "power",
        "elevations",
        "pue_by_month",
        "wue_by_month",
        "hot_day",
        "caps",
        "halls",
    )
    names = [name for name in Facility.model_fields if name not in mine]
    return Facility(
        site=site,
        power={f"{name}_watts": float(watts) for name, watts in found["power"].items()},
        racks=Racks(**{name: found["racks"][name] for name in Racks.model_fields}),
        halls=[_hall(hall) for hall in found["halls"]],
        **{name: found[name] for name in names},
    )


def _hall(found: Wire) -> HallUse:
    """What one of several halls holds."""
    own = {name: found[name] for name in HallUse.model_fields if name != "racks"}
    return HallUse(racks=Racks(**found["racks"], total=found["racks_total"]), **own)


def cost(design: Wire, request: Request | ServiceRequest) -> Cost:
    """Money of a design on the terms of its request."""
    found = design["cost"]
    return Cost(
        capex_usd=found["capex_usd"],
        energy_usd_per_year=found["energy_usd_per_year"],
        tco_usd_per_year=found["tco_usd_per_year"],
        capital_rate=request.economics.capital_rate,
        parts={f"{name}_usd": value for name, value in found["parts"].items()},
        year={f"{name}_usd": value for name, value in found["year"].items()},
        missing=list(found["missing"]),
    )


def reliability(design: Wire, other_spares: Sequence[Wire] = ()) -> Reliability:
    """Failures of a design; ``other_spares``: of its plant, what the search says of more or fewer."""
    found = {name: design["reliability"][name] for name in Reliability.model_fields if name != "at_intervals"}
    if found["spares"] is not None:
        found["spares"] = {**found["spares"], "others": [dict(choice) for choice in other_spares]}
    return Reliability.model_validate(found)


def summary(wire: Wire) -> Summary:
    """A summary as the engine writes it."""
    same = {name: wire[name] for name in Summary.model_fields if name != "layout"}
    return Summary(layout=layout_core(wire["layout"]), **same)


def nearest(result: Wire, summary: Callable[[Wire], Summary] | None = None) -> Nearest | None:
    """What comes nearest where the answer is no; ``summary``: its design as a row, if plans have such."""
    found = result["nearest"]
    if found is None:
        return None
    design = found["design"]
    return Nearest(
        what=found["what"],
        why=found["why"],
        design=summary(design) if design and summary else None,
        broken_rules=list(design["broken_rules"]) if design else [],
        over_limits=list(design["over_limits"]) if design else [],
    )


def plant_keys(design: Wire) -> dict[str, tuple[Any, ...]]:
    """Keys of ``[hardware]`` that leave nothing but the plant of a design to choose from."""
    fabric = design["fabric"]
    return {
        "systems": (design["system"],),
        "fabrics": (fabric["id"],),
        "kinds": (fabric["kind"],),
        "oversubscription": (fabric["oversubscription"],),
        "cooling": (design["facility"]["cooling"],),
        "power_caps": (design["power_cap"],),
    }


def summary_of(design: Wire) -> Summary:
    """A whole design in one row; power as in the engine's summaries, on the design day."""
    speed, net, hall, money = (design[name] for name in ("performance", "fabric", "facility", "cost"))
    return Summary(
        system=design["system"],
        fabric=net["id"],
        fabric_kind=net["kind"],
        oversubscription=net["oversubscription"],
        cooling=hall["cooling"],
        power_cap=design["power_cap"],
        cards=design["cards"]["total"],
        layout=layout_core(design["layout"]),
        step_seconds=speed["step_seconds"],
        days=speed["days"],
        tokens_per_second=speed["tokens_per_second"],
        facility_megawatts=hall["facility_design_megawatts"],
        capex_usd=money["capex_usd"],
        tco_usd_per_year=money["tco_usd_per_year"],
    )


def search(result: Wire) -> Search:
    """Counts of a search."""
    found = result["search"]
    return Search(
        enumerated=found["enumerated"],
        rejected={name: count for name, count in sorted(found["rejected"].items()) if count},
        bounded=found["bounded"],
        bounded_by=dict(sorted(found.get("bounded_by", {}).items())),
        timed=found["timed"],
        bound_gap=found.get("bound_gap"),
        refused_sizes=_refused_sizes(found.get("refused_sizes", [])),
    )


def _refused_sizes(refusals: Iterable[tuple[str, int]]) -> list[RefusedSize]:
    """Refusals that differ only in their numbers counted together, under the words of the first."""
    first: dict[str, str] = {}
    counts: dict[str, int] = {}
    for why, count in refusals:
        kind = re.sub(r"\d[\d.,]*", "#", why)
        first.setdefault(kind, why)
        counts[kind] = counts.get(kind, 0) + count
    return [RefusedSize(why=why, count=counts[kind]) for kind, why in first.items()]


def space(request: Wire) -> Space:
    """The declared space of a problem."""
    choices = dict(request["space"])
    factorized = choices.pop("factorized", False)
    choices |= choices.pop("switches", {})
    choices["stage_layers"] = [split_text(split) for split in choices.get("stage_layers", ())]
    return Space(
        cards_min=request["limits"]["cards_min"],
        cards_max=request["limits"]["cards_max"],
        clusters=[_alternative(cluster) for cluster in request["clusters"]],
        layout={name: list(values) for name, values in choices.items() if values},
        factorized=factorized,
        memory_headroom=request["search"].get("memory_headroom", 0.0),
        objective=request["search"]["objective"],
    )


def _alternative(cluster: Wire) -> Alternative:
    return Alternative(
        system=cluster["system"],
        accelerator=cluster["accelerator"],
        unit_cards=cluster["unit_cards"],
        max_cards=cluster.get("max_cards"),
        fabrics=_distinct(
            f"{option['id']} {option['kind']} {option['oversubscription']:g}:1"
            for option in cluster["fabrics"]
        ),
        coolings=_distinct(option["kind"] for option in cluster["coolings"]),
        power_caps=list(cluster["power_caps"]),
    )


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def target(request: Wire) -> Target:
    """The target of a problem."""
    return Target(days=request["target"]["days"], tokens_per_second=request["target"]["tokens_per_second"])


def limits(request: Wire) -> Limits:
    """The limits of a problem; power in megawatts."""
    found = request["limits"]

    def megawatts(name: str) -> float | None:
        return None if found.get(name) is None else found[name] / MEGAWATT

    return Limits(
        cards_min=found["cards_min"],
        cards_max=found["cards_max"],
        facility_megawatts=megawatts("facility_watts"),
        it_megawatts=megawatts("it_watts"),
        nameplate_megawatts=megawatts("nameplate_watts"),
        transformer_megawatts=megawatts("transformer_watts"),
        ups_megawatts=megawatts("ups_watts"),
        nameplate_intake_megawatts=megawatts("nameplate_intake_watts"),
        liquid_megawatts=megawatts("liquid_watts"),
        air_megawatts=megawatts("air_watts"),
        racks=found.get("racks"),
        floor_m2=found.get("floor_m2"),
        capex_usd=found.get("capex_usd"),
    )


def choice(design: Wire) -> dict[str, Any]:
    """A design as the engine takes it: what to evaluate again."""
    return {
        "cluster": design["cluster"],
        "fabric": design["fabric_index"],
        "cooling": design["cooling_index"],
        "power_cap": design["power_cap"],
        "cards": design["cards"]["total"],
        "layout": dict(design["layout"]),
    }


def summaries(rows: Sequence[Wire], most: int) -> list[Summary]:
    """At most ``most`` rows."""
    return [summary(row) for row in rows[:most]]
