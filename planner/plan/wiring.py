"""The networks of a plan in every part: cables by length and medium, scale-up links, networks beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner import engine
from planner.plan.bill import scale_up, scale_up_estimate
from planner.plan.plant_parts import CableLine, Fabric, FabricPart, MediumTotal, ReachSaving, SideNetwork
from planner.problem import wire
from planner.problem.bill import detail_request
from planner.problem.figures import Figures
from planner.specs import SpecLibrary


def wired(
    fabric: Fabric, cluster: wire.Cluster, design: Mapping[str, Any], library: SpecLibrary, country: str
) -> Fabric:
    """The fabric of a design with the layout of its hall worked out, as `planner fabric` does it alone.

    Args:
        fabric: its counts, as the search has them.
        cluster: the design's, with all fabrics of the question.
        design: as the engine evaluated it.
        library: spec files.
        country: of the site: its facility file has the floor and the networks beside.

    Raises:
        EngineError: the hall cannot be laid out.
    """
    chosen = cluster.fabrics[design["fabric_index"]]
    racks = design["facility"]
    request = detail_request(
        cluster.model_copy(update={"fabrics": (chosen,)}),
        library,
        Figures(library),
        cards=design["cards"]["total"],
        servers_per_rack=racks["servers_per_rack"],
        switches_per_rack=racks["switches_per_rack"],
        parts=(library.system(cluster.system), library.fabric(chosen.id)),
        facility=library.part(f"facility-{country.lower()}"),
        storage_servers=racks["storage_servers"],
    )
    if racks["halls"]:
        request = _over_halls(request, racks["halls"], library, f"facility-{country.lower()}")
    found = engine.fabric(request)
    return fabric.model_copy(
        update={
            "cable_lines": [CableLine(**line) for line in found["cable_lines"]],
            "media": [MediumTotal(**total) for total in found["media"]],
            "by_reach": None if found["by_reach"] is None else ReachSaving(**found["by_reach"]),
            "bisection_bytes_per_second": found["bisection_bytes_per_second"],
            "scale_up": scale_up(found["scale_up"], request.scale_up is not None),
            "scale_up_estimate": scale_up_estimate(library.system(cluster.system), request.cards),
            "parts": [_valued(part, chosen) for part in fabric.parts],
            "side_networks": [SideNetwork(**side) for side in found["side_networks"]],
        }
    )


def _over_halls(
    request: wire.DetailRequest, halls: Sequence[Mapping[str, Any]], library: SpecLibrary, facility: str
) -> wire.DetailRequest:
    """With the servers of each hall in its own racks and the way from hall to hall."""
    sheet = Figures(library).of("parts", library.part(facility))
    gap = sheet.need("floor.hall_gap", "space", "way between halls")
    standing = tuple(
        wire.HallPacking(servers=hall["servers"], servers_per_rack=hall["servers_per_rack"])
        for hall in halls
        if hall["servers"]
    )
    floor = request.geometry.model_copy(update={"hall_gap": gap})
    return request.model_copy(update={"halls": standing, "geometry": floor})


def _valued(part: FabricPart, option: wire.FabricOption) -> FabricPart:
    """A line of the bill with its draw and price; NICs are in those of the servers."""
    each: dict[str, tuple[float, float | None]] = {
        "switch": (option.switch_power, option.switch_price),
        "transceiver, switch side": (option.switch_module_power, option.switch_module_price),
        "transceiver, host side": (option.host_module_power, option.host_module_price),
        "cable": (0.0, option.cable_price),
    }
    found = each.get(part.name) or each.get(part.name.partition(",")[0])
    if found is None:
        return part
    watts, usd = found
    return part.model_copy(
        update={"watts": watts * part.count, "usd": None if usd is None else usd * part.count}
    )
