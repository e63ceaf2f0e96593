"""Every answer of the Python API: frozen, typed, plain types and tables of it, and a page in a notebook."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import planner as pl
from planner import api
from planner.plan.result import Result, unit_of

TRAIN: dict[str, Any] = {
    "workload": {"model": "llama3.1-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "limits": {"cards": 64},
    "hardware": {"systems": ["dgx-h100", "hgx-h20"]},
    "site": {"id": "texas"},
    "layout": {"tp": [1, 2], "pp": 1, "cp": 1, "micro_batch": 1, "sharding": 1},
}
CHAT: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 40, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["hgx-h20"]},
    "layout": {"pp": 1, "tp": [1, 2], "mode": "aggregated"},
}
MAKERS = {
    "plan": lambda: pl.size(TRAIN),
    "service": lambda: pl.size(CHAT),
    "infeasible": lambda: pl.size({**TRAIN, "target": {"days": 1}}),
    "comparison": lambda: pl.compare(TRAIN, limit={"cards": 64}),
    "difference": lambda: pl.diff(TRAIN, {**TRAIN, "limits": {"cards": 128}}),
    "services": lambda: pl.diff(CHAT, CHAT, set={"limits.cards": 64}, names=("old", "new")),
    "bill": lambda: pl.fabric("dgx-h100", cards=1024),
    "supply": lambda: pl.supply("kunlun-p800-8", cards=1024),
    "explanation": lambda: pl.explain(TRAIN),
    "account": lambda: pl.explain(CHAT),
}


@cache
def made(name: str) -> Any:
    return MAKERS[name]()


@pytest.mark.parametrize("name", MAKERS)
def test_an_answer_is_frozen_and_becomes_plain_json(name: str) -> None:
    answer = made(name)
    assert isinstance(answer, Result)
    with pytest.raises(ValueError, match="frozen"):
        answer.feasible = False
    assert json.loads(answer.to_json()) == answer.to_dict()
    assert json.dumps(answer.to_dict(), allow_nan=False)


@pytest.mark.parametrize("name", MAKERS)
def test_every_table_becomes_a_data_frame_of_its_shape(name: str) -> None:
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    answer = made(name)
    assert answer.MAIN in answer.tables
    for table in answer.tables:
        shape = (len(answer.table(table)), len(answer.table(table).fields))
        first, second = answer.to_polars(table), answer.to_pandas(table)
        assert isinstance(first, polars.DataFrame)
        assert isinstance(second, pandas.DataFrame)
        assert first.shape == shape
        assert second.shape == shape
    assert answer.to_polars().columns == [field.name for field in answer.table().fields]
    with pytest.raises(pl.PlannerError, match="has no table"):
        answer.table("no-such")


@pytest.mark.parametrize("name", MAKERS)
def test_a_notebook_shows_what_people_look_at_first(name: str) -> None:
    answer = made(name)
    shown = answer._repr_html_()
    assert shown.startswith("<div><p><b>")
    headline, facts = answer._facts()
    assert headline
    assert all(label and text for label, text in facts)
    assert "None" not in " ".join(text for _, text in facts)


def test_a_page_escapes_what_it_shows() -> None:
    nasty = made("comparison").model_copy(update={"headline": "<script>", "notes": ["a <b>"]})
    assert "<script>" not in nasty._repr_html_()
    assert "a &lt;b&gt;" in nasty._repr_html_()


def test_the_page_of_a_service_says_latencies_and_pools() -> None:
    shown = made("service")._repr_html_()
    for word in ("TTFT", "TPOT", "a million tokens", "stable", "serve"):
        assert word in shown


def test_the_tables_of_a_service_hold_its_front_pools_and_causes() -> None:
    plan = made("service")
    assert len(plan.table("front")) == len(plan.serving.front) > 0
    assert [row["role"] for row in plan.table("pools")] == [pool.role for pool in plan.pools]
    shares = [row["share"] for row in plan.table("breakdown")]
    assert sum(shares) == pytest.approx(len(plan.pools))
    assert {row["requests_per_second"] for row in plan.table("front")} == {
        row.requests_per_second for row in plan.serving.front
    }


def test_steps_of_a_waterfall_stand_in_a_table_and_lead_to_the_other_side() -> None:
    found = made("difference")
    days = next(item for item in found.outputs if item.name == "days")
    steps = [
        row for row in found.table("causes") if row["output"] == "days" and row["waterfall"] == "by_part"
    ]
    assert sum(row["change"] for row in steps) == pytest.approx(days.after - days.before)
    assert {row["unit"] for row in steps} == {"days"}


def test_a_difference_takes_plans_files_and_tables(tmp_path: Path) -> None:
    plan = made("plan")
    file = tmp_path / "old.json"
    file.write_text(plan.to_json())
    found = pl.diff(file, plan)
    assert found.names == ("old", "B")
    assert all(item.relative == 0.0 for item in found.outputs if item.before)
    with pytest.raises(pl.PlannerError, match="about training"):
        pl.diff(plan, made("service"))


def test_a_report_is_written_from_python(tmp_path: Path) -> None:
    for name in ("jinja2", "altair", "vl_convert", "xlsxwriter"):
        pytest.importorskip(name)
    for name in ("r.html", "bill.xlsx"):
        assert pl.write_report(made("service"), tmp_path / name).stat().st_size > 1000
    with pytest.raises(pl.PlannerError, match=r"\.html or \.xlsx"):
        pl.write_report(made("service"), tmp_path / "r.docx")
    with pytest.raises(pl.PlannerError, match="needs a plan"):
        pl.write_report([], tmp_path / "r.html")


def test_showing_a_sweep_works_nothing_out() -> None:
    rows = pl.sweep({"base": TRAIN, "axes": [{"key": "limits.cards.max", "values": [32, 64]}]})
    assert "2 points" in rows._repr_html_()
    assert "limits.cards.max" in rows._repr_html_()
    assert [row["index"] for row in rows] == [0, 1]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("capex_usd", "USD"), ("step_seconds", "s"), ("facility_megawatts", "MW"), ("switch_watts", "W"),
        ("tokens_per_second_per_card", "tokens/s"), ("tco_usd_per_year", "USD"), ("days", "days"),
        ("relative", ""),
    ],
)  # fmt: skip
def test_names_say_their_unit(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_ends_of_a_band_carry_the_unit_of_what_they_bound() -> None:
    fields = {field.name: field.unit for field in made("comparison").table("contenders").fields}
    assert fields["tokens_per_second_band_p90"] == "tokens/s"


@pytest.mark.parametrize(
    "name", ["size", "evaluate", "compare", "sweep", "explain", "diff", "fabric", "supply", "write_report"]
)
def test_every_function_says_what_it_takes_and_raises(name: str) -> None:
    function = getattr(api, name)
    told = inspect.getdoc(function) or ""
    assert "Raises:" in told
    listed = told.partition("Args:")[2].partition("Raises:")[0]
    if name != "fabric":
        assert all(parameter in listed for parameter in inspect.signature(function).parameters)
    assert "return" in function.__annotations__
