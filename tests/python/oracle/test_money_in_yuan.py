"""A plan of domestic cards, its money by hand from prices in yuan: sixteen cabinets of 64 P800 in Guizhou.

A yuan is 0.14 USD throughout; capital is spread evenly over five years (the building over fifteen).
"""

from __future__ import annotations

import pytest

from planner import api

YUAN = 0.14


def test_the_money_of_sixteen_cabinets_of_p800() -> None:
    plan = api.size(
        {
            "workload": {"model": "llama2-7b", "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
            "limits": {"cards": {"exactly": 1024}},
            "hardware": {
                "systems": ["kunlun-p800-64"],
                "oversubscription": 1,
                "power_caps": 1.0,
                "cooling": "cold-plate",
            },
            "site": "guizhou",
            "layout": {"vpp": 1, "cp": 1, "recompute": "none"},
        }
    )
    fabric, hall, cost = plan.fabric, plan.facility, plan.cost
    assert fabric is not None
    assert hall is not None
    assert cost is not None
    # 512 host ports on boxes of 128: eight leaves of 64 down and 64 up, four spines.
    assert (fabric.switches, fabric.cables) == (12, 1024)
    # Two ports a twin module at switches (1,536 ports), one at hosts.
    assert (fabric.transceivers.switch_side, fabric.transceivers.host_side) == (768, 512)
    parts = {
        "servers_usd": 16 * 7.2e6 * YUAN,
        "switches_usd": 12 * 45_000,
        "transceivers_usd": 768 * 900 + 512 * 700,
        "cables_usd": 1024 * 130,
        "nics_usd": 0,  # sold in the cabinets
        "storage_usd": 10 * 50_000,  # 1,024 cards x 20 GB/s for 256 of them, over 8 GB/s
    }
    # 256 ports to ten storage servers: six leaves of 53 down and three up, one spine, 266 + 18 links. 256
    # of the front end: 64 down and 32 up of 128, four leaves and a spine, 256 + 128 links.
    sides = {side.name: (side.ports, side.switches, side.links) for side in fabric.side_networks}
    assert sides["storage"] == (266, 7, 284)
    assert sides["front-end"] == (256, 5, 384)
    management = sides["management"]
    parts["side_networks_usd"] = (
        (7 * 25_000 + 284 * 1110) + (5 * 25_000 + 384 * 810) + (management[1] * 4000 + management[2] * 10)
    )
    hardware = sum(parts.values())
    parts["installation_usd"] = 0.02 * hardware
    # 27 yuan a rated IT watt, 8.5 % more for liquid.
    assert hall.nameplate_megawatts is not None
    parts["building_usd"] = 27 * YUAN * 1.085 * hall.nameplate_megawatts * 1e6
    assert cost.parts == pytest.approx(parts)
    assert cost.capex_usd == pytest.approx(sum(parts.values()))
    year = {
        # A twentieth of the price comes back after five years.
        "hardware_usd": (hardware * (1.02 - 0.05)) / 5,
        "building_usd": parts["building_usd"] / 15,
        "maintenance_usd": 0.03 * hardware,
        "energy_usd": hall.facility_megawatts * 8760e3 * 0.40 * YUAN,
        # Below 1 MW a cluster pays its share of a crew of ten.
        "staff_usd": 10 * min(1, hall.nameplate_megawatts) * 220_000 * YUAN,
    }
    assert cost.year == pytest.approx(year)
    assert cost.tco_usd_per_year == pytest.approx(sum(year.values()))
    assert cost.usd_per_card_hour == pytest.approx(sum(year.values()) / 1024 / 8760)
