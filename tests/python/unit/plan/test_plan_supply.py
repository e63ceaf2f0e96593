"""Deliveries: bands, the ramp, the date to meet, a second source, training on what has arrived."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import planner
from planner import api
from planner.errors import PlannerError
from planner.plan.supply import KEYS

EXACT = {
    "wafer_starts": 1000,
    "share": 0.5,
    "die_area": 665.6,
    "dies": 2,
    "die_yield": 0.4,
    "packaging_yield": 0.9,
    "packaging_limit": 1e9,
    "stack_limit": 1e9,
    "stock": 100,
    "lead_time": 4,
    "wafer_price": 10000,
    "stack_price": 100,
    "packaging_price": 200,
    "stacks": 8,
    "wafer_diameter": 300,
    "defect_density": 0,
    "ramp": 0,
}


def test_with_every_figure_given_deliveries_are_arithmetic() -> None:
    # 1,000 wafers x 0.5 x 80 dies x 0.4 / 2 x 0.9 = 7,200 packages a month from month 4 on.
    plan = api.supply("ascend-910c", cards=14500, set=EXACT, by_months=6)
    assert plan.packages_per_month.p10 == plan.packages_per_month.p90 == pytest.approx(7200)
    assert plan.months is not None
    assert plan.months.p50 == pytest.approx(4 + 14400 / 7200)
    assert plan.by_probability == 1.0
    assert plan.package_usd is not None
    assert plan.package_usd.p50 == pytest.approx((10000 / 32 * 2 + 800 + 200) / 0.9)
    assert plan.limited_by == {"wafers": 1.0, "packaging": 0.0, "memory": 0.0}
    assert [phase.p50 for phase in plan.phases][-1] == 14500
    assert {figure.kind for figure in plan.figures} == {"given"}


def test_estimates_have_bands_and_labels_and_the_same_bytes_every_time() -> None:
    plan = api.supply("cloudmatrix-384", cards=30000)
    assert plan.packages_per_month.p10 < plan.packages_per_month.p50 < plan.packages_per_month.p90
    assert any(figure.kind == "estimate" for figure in plan.figures)
    assert all(figure.method for figure in plan.figures if figure.kind == "estimate")
    assert "estimates" in plan.headline
    assert plan.model_dump_json() == api.supply("cloudmatrix-384", cards=30000).model_dump_json()
    more = api.supply("cloudmatrix-384", cards=60000)
    assert more.months is None or plan.months is None or more.months.p50 > plan.months.p50


def test_a_date_before_the_first_delivery_is_a_no_with_what_is_there() -> None:
    plan = api.supply("ascend-910c", cards=5000, set=EXACT, by_months=3)
    assert not plan.feasible
    assert "before the first delivery (month 4)" in plan.headline
    assert plan.by_cards is not None
    assert plan.by_cards.p50 == 100


def test_a_second_source_fills_what_the_first_lacks() -> None:
    plan = api.supply("ascend-910c", cards=14500, set=EXACT, by_months=5, second="dgx-h100")
    assert plan.second is not None
    assert plan.second.first_cards == 7300
    assert plan.second.worth > 1.0
    if plan.second.meets:
        assert plan.second.cards is not None
        assert plan.second.cards >= (14500 - 7300) / plan.second.worth
        assert plan.second.cards % 8 == 0


def test_training_on_what_has_arrived_ends_before_waiting_for_all(tmp_path: Path) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        '[workload]\nmodel = "llama2-70b"\ntokens = "2T"\nsequence = 4096\nbatch_sequences = 1024\n'
        '[limits]\ncards = 4096\n[hardware]\nsystems = ["atlas-800t-a2"]\n'
        '[site]\nid = "guizhou"\n[layout]\ntp = 8\npp = [2, 4]\nvpp = 1\nmicro_batch = 1\n'
        'recompute = "full"\n',
        encoding="utf-8",
    )
    figures = EXACT | {"dies": 1, "wafer_starts": 60, "lead_time": 1}
    plan = planner.supply("atlas-800t-a2", cards=2000, set=figures, scenario=scenario)
    assert plan.finished_month is not None
    assert plan.waiting_month is not None
    assert plan.finished_month < plan.waiting_month
    done = [phase.tokens_done for phase in plan.phases]
    assert all(later >= sooner for sooner, later in pairwise(done))


def test_bad_figures_are_refused_by_name() -> None:
    with pytest.raises(PlannerError, match="no such figure"):
        api.supply("ascend-910c", cards=10, set={"wafers": 3})
    with pytest.raises(PlannerError, match="0 or more"):
        api.supply("ascend-910c", cards=10, set={"stock": -1})
    for key in ("share", "die_yield", "packaging_yield"):
        for value in (0.0, 1.5):
            with pytest.raises(PlannerError, match="above 0 and at most 1") as caught:
                api.supply("ascend-910c", cards=10, set={key: value})
            assert (caught.value.file, caught.value.key) == ("--set", key)
    for key in ("wafer_starts", "wafer_diameter", "die_area", "dies"):
        with pytest.raises(PlannerError, match="must be above 0, not 0") as caught:
            api.supply("ascend-910c", cards=10, set={key: 0.0})
        assert (caught.value.file, caught.value.key) == ("--set", key)
    with pytest.raises(PlannerError, match="not KEY=NUMBER"):
        api.supply("ascend-910c", cards=10, set=["stock=many"])
    with pytest.raises(PlannerError, match="above 0"):
        api.supply("ascend-910c", cards=10, by_months=-2)
    assert set(EXACT) == set(KEYS)


@pytest.mark.filterwarnings("error")
def test_a_stock_that_is_enough_needs_nothing_more() -> None:
    plan = api.supply("ascend-910c", cards=10, set={**EXACT, "stock": 20.0, "stack_limit": 0.0})
    assert plan.months is not None
    assert plan.months.p90 == 0.0


def test_the_command_answers_with_its_exit_code() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "planner", "supply", "ascend-910c", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    sets = [word for key, value in EXACT.items() for word in ("--set", f"{key}={value}")]
    yes = run("--cards", "14500", "--by", "7", *sets, "--json")
    assert yes.returncode == 0, yes.stderr
    assert json.loads(yes.stdout)["format"] == "supply/1"
    no = run("--cards", "14500", "--by", "3", *sets)
    assert no.returncode == 1
    assert "before the first delivery" in no.stdout
    bad = run("--cards", "10", "--set", "share=2")
    assert bad.returncode == 2
    assert "Traceback" not in bad.stderr


def test_a_rate_that_rises_delivers_half_of_it_while_it_does() -> None:
    # 7,200 a month at full rate, reached 2 months after month 4: 7,200 by month 6, then 7,200 a month.
    plan = api.supply("ascend-910c", cards=14500, set={**EXACT, "ramp": 2}, by_months=6)
    assert plan.by_cards is not None
    assert plan.by_cards.p50 == pytest.approx(100 + 7200)
    assert plan.months is not None
    assert plan.months.p50 == pytest.approx(7.0)
    at_five = api.supply("ascend-910c", cards=14500, set={**EXACT, "ramp": 2}, by_months=5).by_cards
    assert at_five is not None
    assert at_five.p50 == pytest.approx(100 + 7200 / 4)
    # 1,800 of them are there when half of the rise is over.
    early = api.supply("ascend-910c", cards=1900, set={**EXACT, "ramp": 2}).months
    assert early is not None
    assert early.p50 == pytest.approx(5.0)
