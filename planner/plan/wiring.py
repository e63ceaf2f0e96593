"""The networks of a plan in every part: cables by length and medium, scale-up links, networks beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.plan.bill import scale_up, scale_up_estimate
from planner.plan.plant_parts import CableLine, Fabric, MediumTotal, ReachSaving, SideNetwork
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
    )
    found = engine.fabric(request)
    return fabric.model_copy(
        update={
            "cable_lines": [CableLine(**line) for line in found["cable_lines"]],
            "media": [MediumTotal(**total) for total in found["media"]],
            "by_reach": None if found["by_reach"] is None else ReachSaving(**found["by_reach"]),
            "bisection_bytes_per_second": found["bisection_bytes_per_second"],
            "scale_up": scale_up(found["scale_up"], request.scale_up is not None),
            "scale_up_estimate": scale_up_estimate(library.system(cluster.system), request.cards),
            "side_networks": [SideNetwork(**side) for side in found["side_networks"]],
        }
    )
