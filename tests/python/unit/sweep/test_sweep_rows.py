"""Rows: the same answers as `planner evaluate` and `planner size`, whatever the threads and the chunks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from planner import api
from planner.errors import PlannerError
from planner.specs import SpecLibrary
from planner.sweeps import Sweep
from planner.sweeps.points import Point
from planner.sweeps.runner import Runner
from planner.sweeps.schema import from_table, load

ROOT = Path(__file__).resolve().parents[4]
BASE: dict[str, Any] = {
    "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "target": {"days": 40},
    "hardware": {"systems": ["dgx-h100"]},
    "limits": {"cards": 4096},
    "site": {"id": "texas"},
    "layout": {"tp": 8, "pp": [1, 2, 4], "vpp": 1, "cp": 1, "micro_batch": 1, "sharding": 1},
}
AXES = [
    {"name": "system", "key": "hardware.systems", "values": ["dgx-h100", "kunlun-p800-8", "no-such-server"]},
    {"name": "cards", "key": "limits.cards.max", "values": [256, 1024, 4]},
]


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


def rows_of(library: SpecLibrary, **more: Any) -> list[dict[str, Any]]:
    table = {"base": BASE, "axes": AXES, **more}
    sweep = Sweep(from_table(table), library)
    return [row for rows, _ in sweep.rows(threads=more.get("threads", 1)) for row in rows]


@pytest.mark.parametrize("verb", ["evaluate", "size"])
def test_a_row_says_what_the_plan_says(library: SpecLibrary, verb: str) -> None:
    rows = rows_of(library, verb=verb)
    assert [row["index"] for row in rows] == list(range(9))
    for row in rows[:2] + rows[3:5]:
        table = copy.deepcopy(BASE)
        changes = {"hardware.systems": row["system"], "limits.cards.max": row["cards"]}
        plan = getattr(api, verb)(table, set=changes, library=library)
        assert (row["status"] == "ok") is plan.feasible
        assert row["problem_hash"] == plan.provenance.problem_hash
        assert row["margin"] == plan.margin
        if plan.performance is not None:
            assert plan.cards is not None
            assert plan.facility is not None
            assert plan.cost is not None
            assert row["days"] == plan.performance.days
            assert row["mfu"] == plan.performance.mfu
            assert row["cards_total"] == plan.cards.total
            assert row["facility_design_megawatts"] == plan.facility.facility_design_megawatts
            assert row["capex_usd"] == plan.cost.capex_usd


def test_a_comparison_ranks_as_planner_compare_does(library: SpecLibrary) -> None:
    systems = ["kunlun-p800-8", "dgx-h100", "no-such-server"]
    base = {**BASE, "target": {}, "limits": {"cards": 512}, "hardware": {"systems": systems}}
    axes = [{"name": "cards", "key": "limits.cards.max", "values": [4, 512]}]
    none, row = rows_of(library, base=base, axes=axes, verb="compare")
    assert none["status"] == "error"
    assert "less than one unit" in none["refused"]
    wanted = api.compare(base, systems=systems[:2], limit={"cards": 512}, library=library)
    names = [one.system for one in wanted.contenders]
    assert [entry.split()[0] for entry in row["ranking"].split("; ")] == names
    assert row["system"] == names[0]
    assert row["days"] == wanted.contenders[0].days
    assert f"{names[1]} {wanted.contenders[1].relative:.4f}" in row["ranking"]
    assert row["refused"].startswith("no-such-server: there is no")
    assert row["contenders"] == 3


def test_a_point_that_fails_is_a_row_with_its_reason(library: SpecLibrary) -> None:
    rows = rows_of(library)
    missed, small, unknown = rows[0], rows[2], rows[6]
    assert missed["status"] == "infeasible"
    assert "target is missed" in missed["reason"]
    assert missed["days"] > 40
    assert small["status"] == "error"
    assert "less than one unit" in small["reason"]
    assert unknown["status"] == "error"
    assert "no-such-server" in unknown["reason"]
    assert unknown["days"] is None


def test_rows_do_not_depend_on_threads_or_chunks(library: SpecLibrary) -> None:
    sweep = Sweep(from_table({"base": BASE, "axes": AXES}), library)
    one = [row for rows, _ in sweep.rows(threads=1) for row in rows]
    many = [row for rows, _ in sweep.rows(threads=3) for row in rows]
    runner = Runner(sweep.job, library)
    alone = [runner.rows([Point(index, sweep.points.at(index))])[0] for index in reversed(range(9))]
    assert one == many == alone[::-1]
    assert len({row["key"] for row in one}) == 9


def test_a_key_is_that_of_the_content(library: SpecLibrary) -> None:
    first = rows_of(library)[0]["key"]
    assert rows_of(library, constraints="cards > 4")[0]["key"] == first
    assert rows_of(library, set={"target.days": 41})[0]["key"] != first
    assert rows_of(library, verb="size")[0]["key"] != first


def test_constraints_leave_points_out_and_indices_stay(library: SpecLibrary) -> None:
    rows = rows_of(library, constraints=["cards % 256 == 0", "system != 'no-such-server'"])
    assert [row["index"] for row in rows] == [0, 1, 3, 4]


def test_a_spec_figure_is_an_axis(library: SpecLibrary) -> None:
    key = "accelerators/nvidia-h100-sxm: memory.bandwidth"
    axes = [{"name": "bandwidth", "key": key, "values": ["3.35 TB/s", "1 TB/s", "1 W"]}]
    plain, slow, wrong = rows_of(library, axes=axes, set={"limits.cards.max": 1024})
    assert slow["step_seconds"] > plain["step_seconds"]
    assert wrong["status"] == "error"
    assert "unit" in wrong["reason"]


def test_bands_stand_around_the_figure(library: SpecLibrary) -> None:
    axes = [{"key": "limits.cards.max", "values": [1024]}]
    (row,) = rows_of(library, axes=axes, bands=True)
    plan = api.evaluate(BASE, set={"limits.cards.max": 1024}, library=library)
    assert plan.bands is not None
    assert plan.bands.days is not None
    assert (row["days_p10"], row["days_p90"]) == (plan.bands.days.p10, plan.bands.days.p90)
    assert row["evidence_grade"] == plan.evidence.grade


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("limits.card", "limits.cards"),
        ("accelerators/kunlun-p80: power.tdp", "kunlun-p800"),
        ("accelerators/kunlun-p800: power.tpd", "power.tdp"),
        ("acelerators/kunlun-p800: power.tdp", "accelerators"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(library: SpecLibrary, key: str, hint: str) -> None:
    with pytest.raises(PlannerError) as caught:
        Sweep(from_table({"base": BASE, "axes": [{"key": key, "values": [1]}]}), library)
    assert hint in str(caught.value.hint)


def test_a_base_that_is_not_there_is_told_by_its_name(library: SpecLibrary, tmp_path: Path) -> None:
    asked = from_table({"base": "nope.toml", "axes": [{"key": "limits.cards.max", "values": [1]}]})
    with pytest.raises(PlannerError, match=r"nope\.toml: no such file") as caught:
        Sweep(asked, library, tmp_path)
    assert caught.value.key == "base"
    assert "scenario file" in (caught.value.hint or "")


def test_the_example_has_ten_thousand_points_of_which_a_sample_is_feasible(library: SpecLibrary) -> None:
    sweep = Sweep(load(ROOT / "examples" / "whatif-10k.toml"), library)
    assert sweep.count == 10_000
    chosen = range(0, 10_000, 479)
    rows = Runner(sweep.job, library).rows([Point(index, sweep.points.at(index)) for index in chosen])
    assert {row["status"] for row in rows} == {"ok"}
    assert len({row["problem_hash"] for row in rows}) == len(chosen)
    cards = [sweep.points.at(index)["cards"] for index in range(10_000)]
    assert (min(cards), max(cards)) == (1024, 30_000)
