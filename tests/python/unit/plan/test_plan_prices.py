"""Shadow prices: from the engine's SI units to those of a plan and to words."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import planner
from planner.plan.prices import price_list
from planner.problem import build
from planner.report.prices import price_rows
from planner.scenario import load
from planner.specs import SpecLibrary

SUMMARY = {
    "system": "dgx-h100", "fabric": "infiniband-ndr", "fabric_kind": "rail-optimised",
    "oversubscription": 1.0, "cooling": "cold-plate", "power_cap": 1.0, "cards": 520,
    "step_seconds": 1.0, "days": 9.0,
    "tokens_per_second": 1e6, "facility_megawatts": 1.0, "capex_usd": None, "tco_usd_per_year": None,
    "layout": {
        "tp": 8, "pp": 4, "vpp": 2, "dp": 16, "cp": 1, "ep": 1, "etp": 1, "micro_batch": 1,
        "recompute": "none", "sharding": 1, "sequence_parallel": True,
    },
}  # fmt: skip
REQUEST = {"search": {"objective": "throughput", "weights": []}}


def test_watts_become_megawatts_and_what_binds_comes_first() -> None:
    idle = {"constraint": "memory", "limit": 8e10, "step": 8e9, "before": 1e6, "after": 1e6, "per_unit": 0.0}
    power = {
        "constraint": "limits.it_watts", "limit": 2e7, "step": 1e6, "before": 1e6, "after": 1.1e6,
        "per_unit": 0.1,
    }  # fmt: skip
    first, last = price_list({"prices": [idle | {"plan": None}, power | {"plan": SUMMARY}]}, REQUEST)
    assert (first.constraint, first.unit, first.limit, first.step) == ("limits.it_watts", "MW", 20.0, 1.0)
    assert first.per_unit == pytest.approx(1e5)
    assert first.change == pytest.approx(0.1)
    assert (last.constraint, last.unit, last.step, last.plan) == ("memory", "GB", 8.0, None)


def test_the_hash_of_a_problem_does_not_say_whether_prices_are_asked(tmp_path: Path) -> None:
    request = build(load(_scenario(tmp_path)), SpecLibrary()).request
    search = request.search.model_copy(update={"prices": True})
    assert request.model_copy(update={"search": search}).hash == request.hash


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> planner.Plan:
    return planner.size(load(_scenario(tmp_path_factory.mktemp("prices"))))


def _scenario(folder: Path) -> Path:
    path = folder / "scenario.toml"
    path.write_text(
        textwrap.dedent(
            """
            site = "virginia"
            [workload]
            model = "llama3.1-8b"
            tokens = "1T"
            sequence = 8192
            batch_tokens = "4M"
            [limits]
            cards = 512
            power = "0.5 MW"
            [hardware]
            systems = ["dgx-h100"]
            """
        ),
        encoding="utf-8",
    )
    return path


def test_a_plan_under_a_power_limit_says_what_more_power_is_worth(plan: planner.Plan) -> None:
    by_name = {price.constraint: price for price in plan.prices}
    assert set(by_name) == {"limits.cards_max", "limits.facility_watts", "memory"}
    power = by_name["limits.facility_watts"]
    assert plan.performance is not None
    assert power.before == pytest.approx(plan.performance.tokens_per_second * plan.performance.goodput)
    assert power.plan is not None
    assert power.after > power.before
    assert power.plan.facility_megawatts > 0.5
    assert by_name["limits.cards_max"].plan is None


def test_the_memo_tells_prices_in_words(plan: planner.Plan) -> None:
    rows = dict(price_rows(plan))
    assert rows["+0.05 MW"].startswith(
        "power at the grid intake on the design day, typical draw (limits.facility_watts): "
    )
    assert "tokens/s per MW more" in rows["+0.05 MW"]
    assert "limits.cards_max" in rows["no gain from"]
