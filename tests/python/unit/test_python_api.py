"""The Python API: tables, notebooks, hardware as objects, sweeps as iterators."""

from __future__ import annotations

from typing import Any

import pytest

import planner as pl
from planner import api
from planner.specs import SpecLibrary, custom, estimate
from planner.table import Field, of_records

QUESTION: dict[str, Any] = {
    "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "limits": {"cards": 1024},
    "hardware": {"systems": ["dgx-h100"]},
    "site": {"id": "texas"},
    "layout": {"tp": 8, "pp": [1, 2, 4], "vpp": 1, "cp": 1, "micro_batch": 1, "sharding": 1},
}


@pytest.fixture(scope="module")
def plan() -> pl.Plan:
    return pl.evaluate(QUESTION)


def test_set_takes_the_words_of_people_and_names_the_nearest_key(plan: pl.Plan) -> None:
    capped = pl.size(QUESTION, set={"site.power": "1 MW"})
    assert capped.limits.facility_megawatts == 1.0
    assert capped.facility is not None
    assert plan.facility is not None
    assert capped.facility.facility_design_megawatts <= 1.0 < plan.facility.facility_design_megawatts
    with pytest.raises(pl.PlannerError, match=r"did you mean 'limits\.cards'"):
        pl.size(QUESTION, set={"limits.card": 3})


def test_set_takes_tables_and_refuses_what_no_scenario_holds() -> None:
    hall = {"racks": 10, "rack_power": "40 kW"}
    changes = {"site": {"id": "guizhou", "hall": [hall]}, "target": {}, "limits": {"cards": {"exactly": 64}}}
    asked = api.read(QUESTION, changes)
    assert asked.site.id == "guizhou"
    assert [one.racks for one in asked.site.hall] == [10]
    assert asked.limits.cards is not None
    assert asked.limits.cards.exactly == 64
    with pytest.raises(pl.PlannerError, match="None cannot stand in a scenario"):
        pl.size(QUESTION, set={"target.days": None})


def test_the_bill_of_materials_counts_what_the_plan_counts(plan: pl.Plan) -> None:
    parts = {row["part"]: row["count"] for row in plan.table("parts")}
    assert plan.facility is not None
    assert plan.fabric is not None
    assert parts["server, dgx-h100"] == plan.facility.servers
    assert sum(n for part, n in parts.items() if part.startswith("switch, ")) == plan.fabric.switches
    assert sum(n for part, n in parts.items() if part.startswith("rack, ")) == plan.facility.racks.total
    assert parts.get("storage server", 0) == plan.facility.storage_servers
    assert plan.facility.chain is not None
    assert parts["coolant distribution unit"] == plan.facility.chain.cdus
    sides = {side.name: side for side in plan.fabric.side_networks}
    assert parts["side switch, management network"] == sides["management"].switches
    assert parts["side cable, storage network"] == sides["storage"].links


def test_shares_of_the_step_sum_to_one(plan: pl.Plan) -> None:
    table = plan.table("breakdown")
    assert sum(table.columns["share"]) == pytest.approx(1.0)
    assert [field.unit for field in table.fields] == ["", "s", ""]


@pytest.mark.parametrize("name", ["parts", "front", "runners_up", "figures", "estimates", "breakdown"])
def test_every_table_becomes_a_data_frame(plan: pl.Plan, name: str) -> None:
    table = plan.table(name)
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    assert isinstance(table.to_polars(), polars.DataFrame)
    assert table.to_polars().shape == (len(table), len(table.fields))
    assert isinstance(table.to_pandas(), pandas.DataFrame)
    assert table.to_pandas().shape == (len(table), len(table.fields))


def test_an_unknown_table_is_told_with_the_nearest(plan: pl.Plan) -> None:
    with pytest.raises(pl.PlannerError) as caught:
        plan.table("figure")
    assert "did you mean 'figures'?" in str(caught.value.hint)


def test_notebooks_show_headline_and_escape_what_they_show(plan: pl.Plan) -> None:
    shown = plan._repr_html_()
    assert plan.headline.split(" · ")[0] in shown
    assert "1,024 of nvidia-h100-sxm" in shown
    table = of_records(
        [{"a": "<script>", "b": 1234.5, "c": None}], [Field("a"), Field("b", "MW"), Field("c")]
    )
    html = table._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<small>MW</small>" in html
    numbers = of_records([{"a": 594_123.4, "b": 0.123456, "c": 64}], [Field("a"), Field("b"), Field("c")])
    for shown in (">594,123<", ">0.1235<", ">64<"):
        assert shown in numbers._repr_html_()


def test_plans_are_frozen(plan: pl.Plan) -> None:
    with pytest.raises(ValueError, match="frozen"):
        plan.feasible = False


def test_hardware_as_objects_answers_as_hardware_in_files_does() -> None:
    own = custom("accelerators", "h100-copy", extends="nvidia-h100-sxm", name="Copy of a card")
    server = custom(
        "systems", "dgx-copy", extends="dgx-h100", name="Copy of a server", accelerator="h100-copy"
    )
    library = SpecLibrary().adding(own, server)
    copied = pl.evaluate(QUESTION, set={"hardware.systems": "dgx-copy"}, library=library)
    plain = pl.evaluate(QUESTION)
    assert copied.days == plain.days
    assert copied.system == "dgx-copy"
    assert "dgx-copy" not in SpecLibrary().ids("systems")


def test_an_object_is_validated_like_a_file() -> None:
    bad = custom(
        "accelerators", "h100-odd", extends="nvidia-h100-sxm", name="Odd", memory={"bandwidth": "4 TB/s"}
    )
    with pytest.raises(pl.PlannerError, match=r"memory\.bandwidth: a figure is a table"):
        SpecLibrary().adding(bad)
    unsourced = custom(
        "accelerators", "h100-odd", extends="nvidia-h100-sxm", name="Odd",
        memory={"bandwidth": {"value": "4 TB/s", "kind": "vendor"}},
    )  # fmt: skip
    with pytest.raises(pl.PlannerError, match="needs a source"):
        SpecLibrary().adding(unsourced)
    taken = custom("accelerators", "nvidia-h100-sxm", name="Taken")
    with pytest.raises(pl.PlannerError, match="defined twice"):
        SpecLibrary().adding(taken)


def test_a_list_of_an_object_is_given_whole_and_its_faults_are_its_own() -> None:
    link = estimate("900 GB/s", low="800 GB/s", high="950 GB/s", method="twice as wide")
    entry = custom("systems", "dgx-wide", extends="dgx-h100", name="Wide", levels=[{"bandwidth": link}])
    table = custom("systems", "dgx-wide", extends="dgx-h100", name="Wide", levels={"bandwidth": link})
    for odd in (entry, table):
        with pytest.raises(pl.PlannerError, match="levels") as caught:
            SpecLibrary().adding(odd)
        assert caught.value.file == "python/systems/dgx-wide.toml"
        assert "whole" in (caught.value.hint or "")


def test_an_object_may_change_a_file_of_the_library() -> None:
    faster = custom(
        "accelerators", "nvidia-h100-sxm", extends="nvidia-h100-sxm",
        memory={"bandwidth": estimate("4 TB/s", low="3.9 TB/s", high="4.1 TB/s", method="guess")},
    )  # fmt: skip
    library = SpecLibrary().adding(faster)
    assert library.accelerator("nvidia-h100-sxm").figure_table["memory.bandwidth"].value == 4e12


def test_a_sweep_is_an_iterator_of_rows_and_a_table() -> None:
    axes = [{"name": "cards", "key": "limits.cards.max", "values": [256, 512]}]
    rows = pl.sweep({"base": QUESTION, "axes": axes})
    assert len(rows) == 2
    first = next(rows)
    assert (first["cards"], first["status"]) == (256, "ok")
    rest = rows.table()
    assert [row["cards"] for row in rest] == [512]
    assert next(field.unit for field in rest.fields if field.name == "facility_megawatts") == "MW"


def test_every_public_name_is_there_and_documented() -> None:
    for name in pl.__all__:
        assert getattr(pl, name).__doc__, name


def test_a_plan_tells_the_call_that_gives_it_again() -> None:
    question = {
        "workload": {"model": "llama3.1-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "target": {"days": 90},
        "limits": {"cards": 64},
        "hardware": {"systems": ["dgx-h100"]},
        "site": {"id": "texas"},
    }
    plan = pl.size(question, set={"target.days": 120})
    told = plan.provenance.command
    assert told is not None
    again = eval(told, {"planner": pl})
    assert again.cards == plan.cards
    assert again.provenance.problem_hash == plan.provenance.problem_hash
    assert pl.size(question, command="mine").provenance.command == "mine"
