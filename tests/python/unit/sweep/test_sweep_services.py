"""Sweeps of services: rows say what the plans say; figures of software profiles are axes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from planner import api
from planner.errors import ScenarioError
from planner.plan.service_parts import ServicePool
from planner.specs import SpecLibrary
from planner.sweeps import Sweep
from planner.sweeps.schema import from_table

CHAT: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 20, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["dgx-h100"]},
    "limits": {"cards": {"max": 64}},
    "layout": {"pp": 1, "tp": [1, 2]},
}
RATES = {"name": "rate", "key": "target.requests_per_second", "values": [20, 100_000]}


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


def rows_of(library: SpecLibrary, axes: list[dict[str, Any]], threads: int = 1, **more: Any) -> list[Any]:
    sweep = Sweep(from_table({"base": CHAT, "axes": axes, **more}), library)
    return [row for rows, _ in sweep.rows(threads=threads) for row in rows]


@pytest.mark.parametrize("verb", ["size", "evaluate"])
def test_a_row_says_what_the_plan_of_the_service_says(library: SpecLibrary, verb: str) -> None:
    rows = rows_of(library, [RATES], verb=verb, bands=True)
    for row in rows:
        plan = getattr(api, verb)(
            copy.deepcopy(CHAT), set={"target.requests_per_second": row["rate"]}, library=library
        )
        assert (row["status"] == "ok") is plan.feasible
        assert (row["reason"] is None) is plan.feasible
        assert row["problem_hash"] == plan.provenance.problem_hash
        assert row["margin"] == plan.margin
        if plan.serving is None:
            continue
        served, pool = plan.serving, plan.pools[-1]
        assert isinstance(pool, ServicePool)
        assert served.tpot is not None
        assert row["cards_total"] == plan.cards.total
        assert row["tpot_seconds"] == served.tpot.quantile
        assert row["most_requests_per_second"] == served.most_requests_per_second
        assert row["layout"] == pool.layout.short()
        assert row["instances"] == pool.replicas
        assert row["usd_per_million_at_50"] == served.cost_per_million[1].usd
        assert row["facility_megawatts"] == plan.facility.facility_megawatts
        assert plan.bands.requests_per_second is not None
        assert row["requests_per_second_p10"] == plan.bands.requests_per_second.p10
        assert row["evidence_grade"] == plan.evidence.grade
    assert rows[0]["status"] == "ok"
    assert rows[1]["status"] == "infeasible"


def test_every_column_of_a_service_has_a_meaning_and_rows_hold_them_in_order(library: SpecLibrary) -> None:
    sweep = Sweep(from_table({"base": CHAT, "axes": [RATES]}), library)
    ((row, *_), _) = next(iter(sweep.rows()))
    assert list(row) == [column.name for column in sweep.columns]
    assert all(column.meaning for column in sweep.columns)
    units = {column.name: column.unit for column in sweep.columns}
    assert units["tpot_seconds"] == "s"
    assert units["usd_per_million_at_100"] == "USD"
    told = next(column for column in sweep.columns if column.name == "rate")
    assert "mean rate" in told.meaning


def test_a_comparison_ranks_services_as_planner_compare_does(library: SpecLibrary) -> None:
    systems = ["ascend-910b", "dgx-h100"]
    axes = [{"name": "chips", "key": "hardware.systems", "values": [systems]}]
    (row,) = rows_of(library, axes, verb="compare")
    wanted = api.compare(CHAT, systems=systems, library=library)
    assert row["out.system" if "out.system" in row else "system"] == wanted.contenders[0].system
    assert [part.split()[0] for part in row["ranking"].split("; ")] == [
        item.system for item in wanted.contenders
    ]


def test_threads_change_no_row(library: SpecLibrary) -> None:
    axes = [{"name": "rate", "key": "target.requests_per_second", "values": [1, 2, 5, 10, 20, 50, 100, 200]}]
    assert rows_of(library, axes, threads=1) == rows_of(library, axes, threads=3)


def test_figures_of_the_profile_in_use_are_axes(library: SpecLibrary) -> None:
    axes = [{"name": "host", "key": "software.host_step", "values": ["0 ms", "20 ms"]}]
    quick, slow = rows_of(library, axes, verb="evaluate")
    assert quick["most_requests_per_second"] > slow["most_requests_per_second"]
    axes[0]["key"] = "serving-software/vllm-2025: host_step"
    named = rows_of(library, axes, verb="evaluate")
    assert [row["most_requests_per_second"] for row in named] == [
        row["most_requests_per_second"] for row in (quick, slow)
    ]


def test_a_figure_of_software_in_training_moves_the_days(library: SpecLibrary) -> None:
    base = {
        "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "hardware": {"systems": ["dgx-h100"]},
        "limits": {"cards": 256},
        "site": {"id": "texas"},
        "layout": {"tp": 8, "pp": 1, "vpp": 1, "cp": 1, "micro_batch": 1, "sharding": 1},
    }
    axes = [{"key": "software.tp_overlap", "values": [0.0, 0.8, 1.5]}]
    slow, quick, wrong = rows_of(library, axes, base=base)
    assert slow["days"] > quick["days"]
    assert (wrong["status"], wrong["days"]) == ("error", None)
    assert "a share, and above 1" in wrong["reason"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("software.tp_overlop", "tp_overlap"),
        ("serving-software/vllm-2026: host_step", "vllm-2025"),
        ("software.spread", "no software profile has a figure"),
        ("workload.kind", "different columns"),
    ],
)
def test_axes_that_cannot_be_are_told_before_anything_starts(
    library: SpecLibrary, key: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as told:
        Sweep(from_table({"base": CHAT, "axes": [{"key": key, "values": [1]}]}), library)
    assert said in f"{told.value.message} {told.value.hint}"
