"""One whole plan's money, line by line, from the prices of the spec files: 127 DGX H100 in Virginia.

Counts are those of the DGX SuperPOD; every amount is worked by hand beside its line, at a rate of 8 % a year
and a tariff of six peak and eight valley hours.
"""

from __future__ import annotations

import pytest

from planner import api
from planner.plan.model import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return api.size(
        {
            "workload": {"model": "llama2-7b", "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
            "limits": {"cards": {"exactly": 1016}, "pue": 2.0},
            "hardware": {
                "systems": ["dgx-h100"],
                "oversubscription": 1,
                "power_caps": 1.0,
                "cooling": "cold-plate",
            },
            "site": {
                "id": "virginia",
                "tariff_peak": "0.12 USD/kWh",
                "tariff_valley": "0.04 USD/kWh",
                "peak_hours": 6,
                "valley_hours": 8,
            },
            "money": {"rate": 0.08},
            "layout": {"vpp": 1, "cp": 1, "recompute": "none"},
        }
    )


HARDWARE = {
    "servers_usd": 127 * 310_000,
    "switches_usd": 48 * 43_000,
    "transceivers_usd": (1536 + 508) * 900,
    "cables_usd": 2040 * 130,
    "nics_usd": 0,  # sold in the servers
    # Switches and links with a module of 500 or 350 USD at each end: storage, front end, management. Ten
    # storage servers are behind five leaves of 53 down and three up, and one spine: 254 + 10 + 15 links.
    "side_networks_usd": (6 * 25_000 + 279 * 1110) + (5 * 25_000 + 382 * 810) + (8 * 4000 + 322 * 10),
    "storage_usd": 10 * 50_000,  # 1,016 cards x 20 GB/s for 256 of them, 79.4 GB/s, over 8 GB/s
}
PRICE = 44_968_130
"""The sum of the lines above."""


def test_capital_is_counts_times_prices(plan: Plan) -> None:
    assert plan.cost is not None
    assert plan.facility is not None
    assert plan.facility.nameplate_megawatts is not None
    parts = plan.cost.parts
    assert {name: parts[name] for name in HARDWARE} == pytest.approx(HARDWARE)
    assert sum(HARDWARE.values()) == PRICE
    assert parts["installation_usd"] == pytest.approx(0.02 * PRICE)
    # 11.7 USD per rated IT watt and 8.5 % more for liquid.
    building = 12.6945 * plan.facility.nameplate_megawatts * 1e6
    assert parts["building_usd"] == pytest.approx(building)
    assert plan.cost.capex_usd == pytest.approx(1.02 * PRICE + building)


def test_a_year_is_capital_maintenance_energy_and_staff(plan: Plan) -> None:
    assert plan.cost is not None
    assert plan.facility is not None
    year, building = plan.cost.year, plan.cost.parts["building_usd"]
    assert building is not None
    # At 8 %: 0.2504565 a year over five, 0.1168295 over fifteen; 5 % sold after five is worth 3.40292 %.
    hardware = (PRICE * (1 - 0.0340292) + 0.02 * PRICE) * 0.2504565
    tariff = (0.12 * 6 + 0.04 * 8 + 0.078 * 10) / 24
    expected = {
        "hardware_usd": hardware,
        "building_usd": building * 0.1168295,
        "maintenance_usd": 0.03 * PRICE,
        "energy_usd": plan.facility.facility_megawatts * 8760e3 * tariff,
        # Ten people round the clock: 127 servers draw more than the smallest site, 1 MW.
        "staff_usd": 10 * 90_000,
    }
    assert year == pytest.approx(expected, rel=1e-5)
    assert plan.cost.tco_usd_per_year == pytest.approx(sum(expected.values()), rel=1e-5)
    assert plan.facility.carbon_tonnes_per_year == pytest.approx(
        plan.facility.facility_megawatts * 8760 * 0.29
    )


def test_rates_are_the_year_over_hours_tokens_and_effective_compute(plan: Plan) -> None:
    cost, speed = plan.cost, plan.performance
    assert cost is not None
    assert speed is not None
    assert cost.tco_usd_per_year is not None
    year = cost.tco_usd_per_year
    assert cost.usd_per_card_hour == pytest.approx(year / 1016 / 8760)
    tokens = speed.tokens_per_second * speed.goodput * 8760 * 3600
    assert cost.usd_per_million_tokens == pytest.approx(year / tokens * 1e6)
    # 989.4 TFLOP/s of a card's matrix engine, over the cards at work.
    assert plan.cards is not None
    effective = speed.mfu * speed.goodput * 0.9894 * plan.cards.active
    assert cost.usd_per_effective_pflops_year == pytest.approx(year / effective, rel=1e-3)
    assert all(price.currency and price.date for price in cost.prices)
