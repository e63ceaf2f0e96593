"""Every part of a bill draws what the hall draws and costs what the capital counts, in each example.

Nothing may be in one list and not in the other: watts of the parts sum to the IT power, their prices to
the capital, in the plan, its table of parts and its workbook.
"""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from planner import api
from planner.plan.model import Plan
from planner.report import workbook

ROOT = Path(__file__).parents[3]
EXAMPLES = [
    "cloudmatrix-384", "kunlun-30k", "llama3-405b-h100", "vision-310p", "deepseek-r1-cloudmatrix",
    "deepseek-r1-p800-service", "power-20mw",
]  # fmt: skip
FEWER: dict[str, dict[str, str]] = {"power-20mw": {"hardware.systems": "kunlun-p800-64"}}
"""One of many systems: the bill is that of the best."""
NETWORK = ("switches", "transceivers", "cables")
UPSTREAM = ("chain_losses_watts", "cooling_watts")


@pytest.fixture(scope="module", params=EXAMPLES)
def plan(request: pytest.FixtureRequest) -> Plan:
    return api.size(ROOT / "examples" / f"{request.param}.toml", set=FEWER.get(request.param))


def _sum(values: list[float | None]) -> float:
    return sum(value for value in values if value is not None)


def test_watts_of_the_parts_sum_to_the_it_power(plan: Plan) -> None:
    hall, fabric = plan.facility, plan.fabric
    assert hall is not None
    assert fabric is not None
    it = hall.it_megawatts * 1e6
    assert _sum([watts for name, watts in hall.power.items() if name not in UPSTREAM]) == pytest.approx(it)
    assert sum(hall.power.values()) == pytest.approx(hall.facility_megawatts * 1e6)
    assert _sum(plan.table("parts").columns["watts"]) == pytest.approx(it)
    assert _sum([part.watts for part in fabric.parts]) == pytest.approx(fabric.watts)
    assert fabric.watts == pytest.approx(hall.power["switches_watts"] + hall.power["transceivers_watts"])
    beside = sum(side.watts for side in fabric.side_networks)
    assert beside == pytest.approx(hall.power["side_networks_watts"])


def test_prices_of_the_parts_sum_to_the_capital(plan: Plan) -> None:
    cost, fabric = plan.cost, plan.fabric
    assert cost is not None
    assert fabric is not None
    parts = cost.parts
    known = [parts[f"{name}_usd"] for name in NETWORK]
    assert _sum([part.usd for part in fabric.parts]) == pytest.approx(_sum(known))
    assert _sum([side.usd for side in fabric.side_networks]) == pytest.approx(parts["side_networks_usd"])
    lines = _sum(plan.table("parts").columns["usd"])
    assert lines == pytest.approx(_sum(list(parts.values())))
    if not cost.missing:
        assert lines == pytest.approx(cost.capex_usd)


def test_storage_is_in_the_rack_count_the_draw_the_price_and_the_network_or_in_none(plan: Plan) -> None:
    hall, fabric, cost = plan.facility, plan.fabric, plan.cost
    assert hall is not None
    assert fabric is not None
    assert cost is not None
    network = {side.name: side for side in fabric.side_networks}["storage"]
    servers = hall.storage_servers
    assert (hall.power["storage_watts"] > 0) == (servers > 0)
    assert (cost.parts["storage_usd"] != 0) == (servers > 0)
    assert (network.switches > 0) == (servers > 0)
    if servers:
        # A port of every storage server, beside those of the servers of cards.
        assert (network.ports - servers) % hall.servers == 0


def test_the_workbook_holds_the_same_bill(plan: Plan, tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    path = tmp_path / "bill.xlsx"
    workbook.write([plan], path)
    with ZipFile(path) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    cells = re.findall(r'<c r="([EF])\d+"(?![^>]*t="s")[^>]*><v>([^<]+)</v>', sheet)
    columns = {name: [float(value) for column, value in cells if column == name] for name in ("E", "F")}
    sums = dict(re.findall(r'<c r="([EF])\d+"[^>]*><f>[^<]*</f><v>([^<]+)</v>', sheet))
    assert plan.facility is not None
    assert plan.cost is not None
    it = plan.facility.it_megawatts * 1e6
    assert [sum(columns["E"]), float(sums["E"])] == pytest.approx([it, it])
    assert sum(columns["F"]) == pytest.approx(_sum(plan.table("parts").columns["usd"]))
    if plan.cost.capex_usd is not None:
        assert float(sums["F"]) == pytest.approx(plan.cost.capex_usd)
