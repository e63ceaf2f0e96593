"""Scenario and spec library become SI numbers per device, or a refusal that says what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.errors import EXIT_BAD_INPUT, MissingFigureError, PlannerError, ScenarioError
from planner.problem import FigureKey, Problem, build
from planner.scenario import from_table
from planner.scenario.limits import CardLimit
from planner.specs import SpecLibrary

TABLE: dict[str, Any] = {
    "workload": {"model": "llama3.1-405b", "tokens": "15.6T", "sequence": 8192, "batch_sequences": 2048},
    "target": {"days": 180},
    "limits": {"cards": 30_720},
    "hardware": {"systems": "kunlun-p800-8"},
    "site": "guizhou",
}


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


def problem(library: SpecLibrary, *sets: str, **options: Any) -> Problem:
    return build(from_table(TABLE, sets), library, **options)


def test_a_card_of_two_devices_is_halved(library: SpecLibrary) -> None:
    found = problem(library, "hardware.systems=cloudmatrix-384")
    cluster, card = found.request.clusters[0], library.accelerator("ascend-910c")
    level = library.system("cloudmatrix-384").levels[1]
    assert card.peak.bf16
    assert card.memory.capacity
    assert card.memory.bandwidth
    assert level.bandwidth
    assert cluster.devices_per_card == 2
    assert cluster.device.peak.bf16 == card.peak.bf16.value / 2
    assert cluster.device.memory_bandwidth == card.memory.bandwidth.value / 2
    assert cluster.levels[1].bandwidth == level.bandwidth.value / 2
    assert cluster.levels[1].size == 768
    assert cluster.unit_cards == cluster.domain_cards == 384


def test_memory_is_what_a_job_can_allocate(library: SpecLibrary) -> None:
    # 96 GiB x 0.94
    assert problem(library).request.clusters[0].device.memory == pytest.approx(0.94 * 96 * 2**30)


def test_only_the_usual_kind_is_taken_unless_others_are_named(library: SpecLibrary) -> None:
    options = problem(library, "hardware.fabrics=['roce-400']").request.clusters[0].fabrics
    assert {option.kind for option in options} == {library.fabric("roce-400").kinds[0]}


def test_kinds_and_oversubscriptions_make_one_option_each(library: SpecLibrary) -> None:
    cluster = problem(
        library,
        "hardware.fabrics=['roce-400','roce-200']",
        "hardware.kinds=['rail-optimised','leaf-spine']",
        "hardware.oversubscription=[1, 3]",
    ).request.clusters[0]
    options = [(option.id, option.kind, option.oversubscription) for option in cluster.fabrics]
    assert options == [
        (name, kind, ratio)
        for name in ("roce-400", "roce-200")
        for kind in ("rail-optimised", "leaf-spine")
        for ratio in (1.0, 3.0)
    ]


def test_a_fabric_of_half_the_port_rate_gives_half_the_bandwidth(library: SpecLibrary) -> None:
    options = problem(library, "hardware.fabrics=['roce-400','roce-200']").request.clusters[0].fabrics
    # 200 Gb/s per card in the server's file
    assert {(o.id, o.bandwidth) for o in options} == {("roce-400", 25e9), ("roce-200", 12.5e9)}


def test_money_is_in_dollars_by_the_library_s_rates(library: SpecLibrary) -> None:
    request = problem(library, "limits.pue=1.3").request
    yuan = library.part("exchange-rates").usd_per_unit["CNY"].value
    assert request.site.tariff_usd_per_kwh == pytest.approx(library.site("guizhou").tariff.value * yuan)
    facility = library.part("facility-cn")
    assert facility.building
    assert facility.liquid_premium
    by_kind = {room.kind: room.building_usd_per_watt for room in request.clusters[0].coolings}
    assert by_kind["contained-air"] == pytest.approx(facility.building.value * yuan)
    assert by_kind["cold-plate"] == pytest.approx(
        facility.building.value * yuan * (1 + facility.liquid_premium.value)
    )


def test_redundancy_has_a_price_of_its_own(library: SpecLibrary) -> None:
    facility = library.part("facility-cn")

    def price(*sets: str) -> float:
        room = problem(library, *sets).request.clusters[0].coolings[-1]
        assert room.building_usd_per_watt is not None
        return room.building_usd_per_watt

    usual = price()
    assert price('site.redundancy="N+1"') == usual
    assert price('site.redundancy="2N"') == pytest.approx(usual * facility.redundancy["2N"].value)
    assert price('site.redundancy="N"') == pytest.approx(usual * facility.redundancy["N"].value)


def test_cooling_kinds_are_those_of_system_and_site(library: SpecLibrary) -> None:
    kinds = [room.kind for room in problem(library, "limits.pue=2").request.clusters[0].coolings]
    assert kinds == list(library.system("kunlun-p800-8").cooling)


def test_a_cooling_kind_above_the_legal_pue_is_left_out_and_named(library: SpecLibrary) -> None:
    # The law of the western hubs: at most 1.20 (site file); contained air in Guizhou is above it.
    found = problem(library)
    assert [room.kind for room in found.request.clusters[0].coolings] == ["rear-door", "cold-plate"]
    assert any("contained-air is left out" in note and "1.2" in note for note in found.notes)


def test_an_illegal_pue_is_refused_by_its_limit(library: SpecLibrary) -> None:
    with pytest.raises(ScenarioError, match=r"no cooling of kunlun-p800-8 keeps to a PUE of 1.2 \(the legal"):
        problem(library, "site.pue=1.5")
    with pytest.raises(ScenarioError, match="contained-air at guizhou has a PUE of"):
        problem(library, 'hardware.cooling=["contained-air", "cold-plate"]')


def test_halls_bound_racks_heat_weight_and_transformers(library: SpecLibrary) -> None:
    hall = (
        'site.hall=[{racks = 100, rack_power = "60 kW", liquid_power = "4 MW", air_power = "1 MW", '
        'floor_load = 1200, transformers = 4, transformer_kva = 2500, redundancy = "N+1"}, '
        '{racks = 50, rack_power = "40 kW", liquid_power = "2 MW", air_power = "1 MW", floor_load = 1500, '
        "transformers = 2, transformer_kva = 2000}]"
    )
    request = problem(library, hall).request
    limits, facility = request.limits, library.part("facility-cn")
    assert facility.chain
    assert facility.floor
    assert facility.rack_frame
    first, second = request.halls
    assert (first.racks, first.liquid_watts, first.air_watts) == (100, 4e6, 1e6)
    assert (second.racks, second.liquid_watts, second.air_watts) == (50, 2e6, 1e6)
    # 3 of 4 x 2,500 and both of 2,000 kVA at the power factor.
    assert first.transformer_watts == pytest.approx(7.5e6 * facility.chain.power_factor.value)
    assert second.transformer_watts == pytest.approx(4e6 * facility.chain.power_factor.value)
    floor = facility.floor.rack_pitch.value * facility.floor.rack_depth.value
    assert (first.rack.watts, second.rack.watts) == (60e3, 40e3)
    assert first.rack.kilograms == pytest.approx(1200 * floor - facility.rack_frame.value)
    # What each hall takes is its own: nothing bounds them together.
    assert (limits.racks, limits.liquid_watts, limits.transformer_watts) == (None, None, None)
    only = problem(library, 'site.hall=[{racks = 100, rack_power = "60 kW", liquid_power = "4 MW"}]').request
    assert (only.halls, only.limits.racks, only.limits.liquid_watts) == ((), 100, 4e6)
    assert only.rack.watts == 60e3


def test_lower_caps_are_searched_where_power_is_limited(library: SpecLibrary) -> None:
    assert problem(library).request.clusters[0].power_caps == (1.0,)
    assert problem(library, 'limits.power="20 MW"').request.clusters[0].power_caps == (1.0, 0.9, 0.8, 0.7)
    assert problem(library, 'limits.power="20 MW"', "hardware.power_caps=[1.0]").request.clusters[
        0
    ].power_caps == (1.0,)


def test_the_tariff_is_the_mean_over_the_hours_of_a_day(library: SpecLibrary) -> None:
    sets = (
        'site.tariff="0.06 USD/kWh"',
        'site.tariff_peak="0.10 USD/kWh"',
        'site.tariff_valley="0.03 USD/kWh"',
    )
    # 8 h of each.
    assert problem(library, *sets).request.site.tariff_usd_per_kwh == pytest.approx(0.19 / 3)


def test_a_pue_of_the_user_replaces_the_site_s_and_its_estimate(library: SpecLibrary) -> None:
    found = problem(library, "site.pue=1.5", "limits.pue=1.6")
    assert {room.pue for room in found.request.clusters[0].coolings} == {1.5}
    assert all(room.pue_design_day >= 1.5 for room in found.request.clusters[0].coolings)
    assert not any(figure.key.key.endswith(".pue") for figure in found.figures)


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        ('"30 MW"', "facility_watts"),
        ('{ value = "30 MW", boundary = "it" }', "it_watts"),
        ('{ value = "30 MW", basis = "nameplate" }', "nameplate_watts"),
        ('{ value = "30 MW", boundary = "transformer" }', "transformer_watts"),
        ('{ value = "30 MW", boundary = "ups" }', "ups_watts"),
        ('{ value = "30 MW", boundary = "grid", basis = "nameplate" }', "nameplate_intake_watts"),
    ],
)
def test_a_power_limit_stands_at_its_boundary(library: SpecLibrary, limit: str, field: str) -> None:
    limits = problem(library, f"limits.power={limit}").request.limits.model_dump()
    assert limits[field] == 30e6
    assert [k for k in limits if k.endswith("watts") and limits[k] is not None] == [field]


def test_capital_in_yuan_is_converted(library: SpecLibrary) -> None:
    yuan = library.part("exchange-rates").usd_per_unit["CNY"].value
    limits = problem(library, "limits.capex=1000 MCNY").request.limits
    assert limits.capex_usd == pytest.approx(1e9 * yuan)


def test_the_layout_table_narrows_the_space(library: SpecLibrary) -> None:
    space = problem(library, "layout.tp=8", "layout.pp=[16]", "layout.dp=[64, 128]").request.space
    assert (space.tp, space.pp, space.dp) == ((8,), (16,), (64, 128))


def test_the_vendor_decides_on_the_software(library: SpecLibrary) -> None:
    assert problem(library).softwares[0].id == "domestic-default"
    assert problem(library, "hardware.systems=dgx-h100").softwares[0].id == "megatron-2026-spring"
    assert problem(library, "hardware.systems=atlas-800t-a2").softwares[0].id == "mindspeed-2024"
    assert problem(library, "workload.software=deepspeed").softwares[0].id == "deepspeed"


def test_each_system_is_planned_with_the_software_of_its_vendor(library: SpecLibrary) -> None:
    both = "hardware.systems=['dgx-h100', 'kunlun-p800-8']"
    found = problem(library, both)
    assert [item.id for item in found.softwares] == ["megatron-2026-spring", "domestic-default"]
    first, second = found.request.clusters
    assert first.software is None
    assert second.software is not None
    assert second.software != found.request.software
    named = problem(library, both, "workload.software=megatron-2024")
    first, second = named.request.clusters
    assert first.software is None
    assert second.software is not None
    # The same profile: a chip two years younger is all that differs.
    assert second.software.kernel_gap == named.request.software.kernel_gap
    assert second.software.product_factor > named.request.software.product_factor


@pytest.mark.parametrize(
    ("override", "key", "near"),
    [
        ("hardware.systems=kunlum-p800-8", "hardware.systems", "kunlun-p800-8"),
        ("hardware.fabrics=roce-4000", "hardware.fabrics", "roce-400"),
        ("site=guizou", "site.id", "guizhou"),
        ("workload.model=llama3.1-404b", "workload.model", "llama3.1-405b"),
        ("workload.software=megatron-2023", "workload.software", "megatron-2024"),
        ("hardware.cooling=immersion", "hardware.cooling", "cold-plate"),
        ("limits.cards={ exactly = 100 }", "limits.cards.exactly", "96 or 104"),
        ("limits.cards=4", "limits.cards.max", "8"),
    ],
)
def test_names_and_wishes_that_do_not_exist_are_told(
    library: SpecLibrary, override: str, key: str, near: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        problem(library, override)
    assert caught.value.key == key
    assert near in (caught.value.hint or "")
    assert caught.value.exit_code == EXIT_BAD_INPUT


def test_a_sequence_beyond_learned_positions_is_refused(library: SpecLibrary) -> None:
    with pytest.raises(ScenarioError, match="positions"):
        problem(library, "workload.model=gpt3-175b")


def test_a_missing_price_drops_the_axis_and_refuses_the_objective(library: SpecLibrary) -> None:
    unpriced = "hardware.systems=metax-c600-server"
    found = problem(library, unpriced)
    assert found.request.search.front == ("cards", "facility_megawatts")
    assert found.dropped_axes == ("capex_usd",)
    assert found.missing_prices
    for wish in ("search.objective=capex", "search.objective=tco", "limits.capex=200 MUSD"):
        with pytest.raises(MissingFigureError, match="price"):
            problem(library, unpriced, wish)


def test_no_estimates_refuses_with_the_list(library: SpecLibrary) -> None:
    with pytest.raises(MissingFigureError, match="host power"):
        problem(library, no_estimates=True)


def test_estimates_are_those_of_the_chosen_design(library: SpecLibrary) -> None:
    found = problem(library)
    keys = [figure.key.key for figure in found.estimates(0, "roce-400", "cold-plate")]
    assert "cooling.cold-plate.pue" in keys
    assert "cooling.contained-air.pue" not in keys
    assert "usd_per_unit.CNY" not in keys


def test_an_experts_figure_is_no_estimate_of_a_dense_model(library: SpecLibrary) -> None:
    dense = {figure.key.key for figure in problem(library).figures}
    sparse = {figure.key.key for figure in problem(library, "workload.model=deepseek-v3").figures}
    assert "moe_staging_bytes" not in dense
    assert "moe_staging_bytes" in sparse


def test_a_figure_can_be_given_another_value(library: SpecLibrary) -> None:
    found = problem(library)
    key = FigureKey("accelerators", "kunlun-p800", "power.tdp")
    assert found.with_figures({key: 350.0}).request.clusters[0].card_tdp == 350.0
    for figure in found.figures:
        same = found.with_figures({figure.key: figure.quantity.value})
        assert same.hash == found.hash, figure.key


def test_an_override_of_an_unused_figure_is_refused(library: SpecLibrary) -> None:
    with pytest.raises(PlannerError, match="uses no figure"):
        problem(library).with_figures({FigureKey("accelerators", "nvidia-h100-sxm", "power.tdp"): 1.0})


def test_every_system_of_the_library_makes_a_problem(library: SpecLibrary) -> None:
    served_only = {"atlas-300i-duo-8", "hanguang-800-8"}  # nobody trains on those
    for name in set(library.ids("systems")) - served_only:
        assert problem(library, f"hardware.systems={name}", "limits.cards=100000").request.clusters


def test_every_site_of_the_library_makes_a_problem(library: SpecLibrary) -> None:
    for name in library.ids("sites"):
        assert problem(library, f"site={name}").request.site.tariff_usd_per_kwh > 0


def test_the_hash_is_that_of_the_question_not_of_the_machine(library: SpecLibrary) -> None:
    base = problem(library)
    assert base.hash == problem(library).hash
    assert base.hash == problem(library, "search.threads=2", "search.time_limit=1").hash
    assert base.hash != problem(library, "target.days=120").hash
    canonical = base.request.encoded()
    assert (
        canonical
        == json.dumps(
            json.loads(canonical), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
    )


def test_a_model_file_is_looked_for_beside_the_scenario(library: SpecLibrary, tmp_path: Path) -> None:
    from planner.scenario import load  # noqa: PLC0415 (only this test reads a file)

    shipped = Path(__file__).parents[4] / "planner/data/architectures/llama3.1-8b.toml"
    (tmp_path / "mine.toml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "scenario.toml").write_text(
        '[workload]\nmodel = "mine.toml"\ntokens = "1T"\nsequence = 8192\nbatch_sequences = 512\n'
        '[target]\ndays = 30\n[hardware]\nsystems = "dgx-h100"\n[site]\nid = "texas"\n',
        encoding="utf-8",
    )
    assert build(load(tmp_path / "scenario.toml"), library).request.model.id == "llama3.1-8b"


def test_a_cap_below_idle_is_a_fault_of_the_scenario(library: SpecLibrary) -> None:
    # 0.2 x 400 W is below the 90 W of an idle P800.
    with pytest.raises(ScenarioError, match="draws when idle") as caught:
        problem(library, "hardware.power_caps=[1.0, 0.2]")
    assert caught.value.key == "hardware.power_caps"


def test_a_system_that_is_sold_in_more_cards_than_the_limit_is_left_out_by_name(library: SpecLibrary) -> None:
    both = 'hardware.systems=["dgx-h100","cloudmatrix-384"]'
    found = problem(library, both, "limits.cards=128")
    assert [cluster.system for cluster in found.request.clusters] == ["dgx-h100"]
    assert "cloudmatrix-384 is left out: 384 cards are the least that are sold of it" in found.notes
    with pytest.raises(ScenarioError, match="one unit of 384"):
        problem(library, 'hardware.systems=["cloudmatrix-384"]', "limits.cards=128")


def test_a_system_of_another_cooling_is_left_out_where_one_remains(library: SpecLibrary) -> None:
    both = 'hardware.systems=["kunlun-p800-64","kunlun-p800-8"]'
    found = problem(library, both, "hardware.cooling=rear-door")
    assert [cluster.system for cluster in found.request.clusters] == ["kunlun-p800-8"]
    assert sum("kunlun-p800-64 is left out: it is sold for cold-plate" in note for note in found.notes) == 1
    with pytest.raises(ScenarioError, match="sold with rear-door"):
        problem(library, 'hardware.systems=["kunlun-p800-64"]', "hardware.cooling=rear-door")


def test_fewer_tokens_than_a_step_are_refused_for_a_forgotten_suffix(library: SpecLibrary) -> None:
    with pytest.raises(ScenarioError, match="less than one step"):
        problem(library, "workload.tokens=15.6")
    problem(library, "workload.tokens=16777216")


def test_sequences_beyond_the_published_positions_are_noted(library: SpecLibrary) -> None:
    assert not any("stretched" in note for note in problem(library, "workload.sequence=131072").notes)
    assert any("131,072 positions" in note for note in problem(library, "workload.sequence=131073").notes)


@pytest.mark.parametrize(
    "sets", [(), ("layout.factorized=true",), ("site.id=shanghai",), ("limits.power=80 MW",)]
)
def test_another_limit_on_cards_gives_the_problem_that_is_built_with_it(
    library: SpecLibrary, sets: tuple[str, ...]
) -> None:
    base = problem(library, *sets)
    for cards in ("{max = 4096}", "{min = 1024, max = 30000}", "{exactly = 512}"):
        other = problem(library, *sets, f"limits.cards={cards}")
        assert other.scenario.limits.cards is not None
        quick = base.with_cards(other.scenario.limits.cards)
        assert quick.request == other.request
        assert (quick.figures, quick.notes, quick.hash) == (other.figures, other.notes, other.hash)
        assert quick.scenario.model_dump() == other.scenario.model_dump()
    with pytest.raises(ScenarioError, match="not whole units of 8"):
        base.with_cards(CardLimit(exactly=1001))
