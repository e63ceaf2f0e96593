"""Deliveries: bands, the ramp, the date to meet, a second source, training on what has arrived."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import planner
from planner import api
from planner.errors import PlannerError
from planner.plan.draws import Floats
from planner.plan.mix import Supplier, mix_of
from planner.plan.supply_figures import KEYS, drawn_supply, supply_inputs
from planner.specs import SpecLibrary

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
    "shared": 0,
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


def sure(system: str, unit: int, worth: float, stock: float, per_month: float) -> Supplier:
    """A supplier whose deliveries are certain: a stock, then so many a month from month 4 on."""
    ones = np.ones(64)
    rows = {"stock": stock, "packages_per_month": per_month, "lead_time": 4.0, "ramp": 0.0}
    return Supplier(system, system, unit, worth, {name: value * ones for name, value in rows.items()})


def test_a_mix_takes_most_of_the_first_that_is_there_by_the_date() -> None:
    # By month 6 the first has 100 + 2 x 100 = 300 of 800 cards; of the second, worth half each, 1,200 are.
    found = mix_of([sure("a", 8, 1.0, 100, 100), sure("b", 8, 0.5, 0, 600)], 800, 6.0, 0.9, "hand")
    assert found.meets
    assert [source.system for source in found.sources] == ["a", "b"]
    # In steps of a fortieth of 800, whole units: 35 % are 280 cards, the rest 520 / 0.5 = 1,040.
    assert [source.cards for source in found.sources] == [280, 1040]
    assert found.sources[0].by_cards.p50 == 280
    assert found.meaning.startswith("separate clusters")
    # With none but the first it is a matter of waiting: 700 cards at 100 a month from month 4 on.
    alone = mix_of([sure("a", 8, 1.0, 100, 100)], 800, 6.0, 0.9, "hand")
    assert (alone.meets, alone.probability, alone.month) == (False, 0.0, 11.0)


def test_in_one_job_every_card_counts_as_the_slowest() -> None:
    both = [sure("a", 8, 1.0, 400, 0), sure("b", 8, 0.5, 4000, 0)]
    apart = mix_of(both, 800, 6.0, 0.9, "hand")
    together = mix_of(both, 800, 6.0, 0.9, "hand", one_job=True)
    # 400 x 1 + 800 x 0.5 apart; in one job 1,600 cards of any kind, at most 400 of them of the first.
    assert [source.cards for source in apart.sources] == [400, 800]
    assert sum(source.cards for source in together.sources) == 1600
    assert together.sources[0].cards == 400
    assert together.meaning.startswith("one job")


def test_a_mix_orders_more_where_not_every_card_comes() -> None:
    # Half of the draws bring 500 of each, half 1,000: 600 and 600 ordered of 800 wanted are there only if ...
    drawn = {"lead_time": np.zeros(64), "ramp": np.zeros(64), "packages_per_month": np.zeros(64)}
    early = np.tile([500.0, 1000.0], 32)
    late = np.repeat([500.0, 1000.0], 32)
    both = [
        Supplier("a", "a", 1, 1.0, {**drawn, "stock": early}),
        Supplier("b", "b", 1, 1.0, {**drawn, "stock": late}),
    ]
    certain = mix_of(both, 1000, 1.0, 0.99, "hand")
    assert (certain.meets, certain.ordered) == (True, 1.0)
    assert [source.cards for source in certain.sources] == [500, 500]
    # 1,400 of both: all four cases but the one with 500 + 500 (0.75), given 900 to 1,000 of each are ordered.
    likely = mix_of(both, 1400, 1.0, 0.7, "hand")
    assert likely.meets
    assert likely.probability == 0.75
    assert likely.ordered > 1.0
    assert not mix_of(both, 1400, 1.0, 0.8, "hand").meets


def test_suppliers_of_one_fab_slip_together_and_each_alone_as_before() -> None:
    library = SpecLibrary()
    inputs = supply_inputs(library, library.accelerator("ascend-910b"), {"shared": 1.0})
    one, other = (drawn_supply(inputs, 0, {"fab": "F"}, place) for place in (0, 1))
    apart = drawn_supply(inputs, 0, {"fab": "G"}, 1)

    def together(first: Floats, second: Floats) -> float:
        return float(np.corrcoef(np.argsort(np.argsort(first)), np.argsort(np.argsort(second)))[0, 1])

    # All of the variance is the fab's: lead times are the same, packaging and memory stay each one's own.
    assert together(one["lead_time"], other["lead_time"]) == pytest.approx(1.0)
    assert abs(together(one["lead_time"], apart["lead_time"])) < 0.1
    # Half of it: a rank correlation of (6/pi) asin(0.5 / 2).
    half = supply_inputs(library, library.accelerator("ascend-910b"), {"shared": 0.5})
    pair = [drawn_supply(half, 0, {"fab": "F"}, place)["lead_time"] for place in (0, 1)]
    assert together(*pair) == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.05)
    # The range of each is what its file says, shared or not.
    for drawn in (one, *({"lead_time": item} for item in pair)):
        low, high = np.percentile(drawn["lead_time"], [10, 90])
        assert (low, high) == pytest.approx((2.96, 8.88), rel=0.05)


def test_a_mix_of_one_fab_is_less_sure_than_independent_suppliers() -> None:
    plan = api.supply(
        "ascend-910c", cards=30000, by_months=24, confidence=0.8, second="kunlun-p800-8", set={"shared": 1.0}
    )
    assert plan.mix is not None
    assert {item.cause for item in plan.mix.common} == {"fab", "memory"}
    assert plan.mix.independent is not None
    assert plan.mix.independent > plan.mix.probability + 0.02
    assert api.supply("ascend-910c", cards=8, set={"shared": 0.0}).feasible
    with pytest.raises(PlannerError, match="must be 0 to 1"):
        api.supply("ascend-910c", cards=8, set={"shared": 1.2})


def test_a_mix_from_the_library_says_what_it_means_and_never_mixes_one_card_with_itself() -> None:
    plan = api.supply(
        "ascend-910c", cards=14500, set=EXACT, by_months=5, second=["kunlun-p800-8", "dgx-h100"]
    )
    assert plan.mix is not None
    assert plan.mix.sources[0].cards <= 7300 + 16
    assert plan.mix.tried >= 231
    assert all(source.worth > 0.0 for source in plan.mix.sources)
    with pytest.raises(PlannerError, match="same supply"):
        api.supply("kunlun-p800-8", cards=100, by_months=5, second="kunlun-p800-64")
    with pytest.raises(PlannerError, match="for a date"):
        api.supply("kunlun-p800-8", cards=100, second="dgx-h100")
    with pytest.raises(PlannerError, match="between 0 and 1"):
        api.supply("kunlun-p800-8", cards=100, by_months=5, confidence=1.0)


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
