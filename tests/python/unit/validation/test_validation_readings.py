"""How rows are read that leave something open, or print what cannot have run."""

from __future__ import annotations

from typing import Any

import pytest

from planner.architectures.library import architecture
from planner.calibrate.run import ridges
from planner.problem.figures import Figures
from planner.problem.workload import software
from planner.software import profile, profile_of_run
from planner.software.age import usual_date
from planner.specs import SpecLibrary
from planner.validation.layouts import UnanswerableError
from planner.validation.predict import Prediction, choose
from planner.validation.request import Desk
from planner.validation.rows import Row
from planner.validation.uneven import uneven_splits

ROW: dict[str, Any] = {
    "id": "mine",
    "hardware": "nvidia-gb300-nvl72",
    "cards": 64,
    "model": "llama3-70b",
    "seq_len": 8192,
    "global_batch": 256,
    "micro_batch": 2,
    "tp": 1,
    "pp": 1,
    "dp": 64,
    "precision": "fp8",
    "framework": "megatron-bridge",
    "software_date": "2026-02",
    "recompute": "none",
    "sharding": 1,
    "measured": {"iteration_time_s": 5.0},
}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(SpecLibrary.from_environment())


def read(desk: Desk, **changes: Any) -> Prediction:
    return choose(desk, Row.model_validate({**ROW, **changes}))


def test_a_layout_that_no_card_holds_is_read_as_wholly_sharded_and_gets_a_wider_band(desk: Desk) -> None:
    # 70.6e9 weights and 16-bit gradients take 282 GB beside the states; a GB300 has 298.
    found = read(desk)
    assert found.design["layout"]["sharding"] == 3
    assert any("wholly sharded" in note for note in found.engine.ready.notes)
    stated = read(desk, sharding=3)
    assert found.predicted == stated.predicted
    assert found.engine.ready.doubt > stated.engine.ready.doubt


# Eight stages of ten layers: the first needs 63 of 60 GiB (planner/data/cases, the run whose script deals
# 7 to 12 layers).
TIGHT: dict[str, Any] = {
    "hardware": "ascend-910b", "model": "msl-qwen1.5-110b", "global_batch": 64, "micro_batch": 1, "tp": 8,
    "pp": 8, "vpp": 1, "dp": 1, "sequence_parallel": True, "precision": "bf16", "framework": "mindspeed-llm",
    "software_date": "2024-09", "measured": {"iteration_time_s": 36.7},
}  # fmt: skip


def test_a_run_that_does_not_fit_in_equal_stages_is_read_with_fewer_layers_on_the_first(desk: Desk) -> None:
    found = read(desk, **TIGHT)
    dealt = found.design["layout"]["stage_layers"]
    assert sum(dealt) == 80
    assert dealt[0] < 10 <= dealt[1]
    memory = found.design["memory"]
    assert memory["per_device_bytes"] <= memory["capacity_bytes"]
    assert any("equal stages" in note for note in found.engine.ready.notes)
    # A split that the row states is kept, and so are equal stages that fit.
    stated = read(desk, **TIGHT, stage_layers="7:8:9:10:11:11:12:12")
    assert stated.design["layout"]["stage_layers"] == [7, 8, 9, 10, 11, 11, 12, 12]
    assert not stated.engine.ready.contradicts
    assert read(desk, **TIGHT | {"seq_len": 4096}).design["layout"]["stage_layers"] == []


def test_where_stages_cannot_be_dealt_gradients_are_taken_to_be_short(desk: Desk) -> None:
    # One stage of a 20-billion model with 32-bit gradients needs 88 of 79 GiB.
    row = {"hardware": "nvidia-h100-sxm", "model": "nemo-gpt3-20b", "seq_len": 2048, "micro_batch": 4}
    row |= {"tp": 2, "dp": 32, "framework": "megatron-lm", "software_date": "2024-07"}
    row |= {"sequence_parallel": True}
    found = read(desk, **row)
    assert any("16-bit" in note for note in found.engine.ready.notes)
    assert found.predicted == read(desk, **row, gradient_bytes=2).predicted
    # Stated gradients are kept, whatever we count.
    assert not any("16-bit" in note for note in read(desk, **row, gradient_bytes=4).engine.ready.notes)


def test_uneven_splits_deal_all_layers_and_give_the_first_stage_the_least() -> None:
    splits = list(uneven_splits(80, 8))
    assert splits[0] == (9, 10, 10, 10, 10, 10, 11, 10)
    assert (7, 8, 9, 10, 10, 11, 12, 13) in splits
    for layers, stages, chunks in ((80, 8, 1), (61, 16, 1), (96, 8, 6), (32, 2, 4)):
        found = list(uneven_splits(layers, stages, chunks))
        assert found
        assert len(set(found)) == len(found)
        for split in found:
            assert sum(split) == layers
            assert len(split) == stages
            assert split[0] == min(split) > 0
            assert all(count % chunks == 0 for count in split)
    assert not list(uneven_splits(80, 4, 20))
    assert not list(uneven_splits(80, 1))
    assert not list(uneven_splits(126, 16, 4))


def test_a_layout_that_fits_keeps_its_sharding(desk: Desk) -> None:
    found = read(desk, pp=4, dp=16, vpp=5, micro_batch=1)
    assert found.design["layout"]["sharding"] == 1
    assert not found.engine.ready.contradicts


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("README table; script examples/aquila/pretrain_aquila_7b_ptd.sh", "mindspeed-legacy"),
        ("README table; script examples/mcore/qwen15/pretrain_qwen15_7b_ptd.sh", "mindspeed-2024"),
        (None, "mindspeed-2024"),
    ],
)
def test_scripts_outside_of_megatron_core_are_of_the_older_back_end(
    desk: Desk, table: str | None, wanted: str
) -> None:
    row = {
        "hardware": "ascend-910b",
        "cards": 8,
        "model": "llama2-7b",
        "tp": 8,
        "dp": 1,
        "seq_len": 4096,
        "precision": "bf16",
        "framework": "mindspeed-llm",
        "software_date": "2024-09",
        "source_table": table,
    }
    assert read(desk, **row).engine.ready.software.id == wanted


def test_a_row_may_name_its_software_profile(desk: Desk) -> None:
    found = read(desk, software="megatron-lm-2025")
    assert found.engine.ready.software.id == "megatron-lm-2025"
    with pytest.raises(UnanswerableError, match="no software profile 'megatron-3000'"):
        read(desk, software="megatron-3000")


@pytest.mark.parametrize("framework", [None, "a-framework-of-tomorrow"])
def test_a_framework_that_nobody_knows_is_not_taken_to_be_tuned(desk: Desk, framework: str | None) -> None:
    layout = {"pp": 4, "dp": 16, "vpp": 5, "micro_batch": 1}
    unknown = read(desk, framework=framework, **layout)
    assert unknown.engine.ready.software.id == "generic"
    assert unknown.predicted > read(desk, **layout).predicted


def test_full_recomputation_of_one_layer_is_of_all_layers_one_by_one(desk: Desk) -> None:
    layout = {"pp": 4, "dp": 16, "vpp": 5, "micro_batch": 1, "recompute": "full"}
    assert read(desk, recompute_layers=1, **layout).predicted == read(desk, **layout).predicted
    assert read(desk, recompute_layers=2, **layout).predicted < read(desk, **layout).predicted


def test_models_with_a_bias_by_position_go_without_fused_attention_where_the_profile_says_so() -> None:
    figures = Figures(SpecLibrary.from_environment())
    bloom, llama = architecture("msl-bloom-7b1"), architecture("llama2-7b")
    for name, shape, fused in (
        ("mindspeed-legacy", bloom, False),
        ("mindspeed-legacy", llama, True),
        ("mindspeed-2024", bloom, True),
    ):
        assert software(profile(name), shape, "bf16", figures).fused_attention is fused


def test_the_ridge_point_of_a_family_is_that_of_its_chips_with_runs() -> None:
    library = SpecLibrary.from_environment()
    # H100: 989.4 TFLOP/s over 3.35 TB/s = 295 FLOP per byte, whatever other Hoppers the library knows.
    assert ridges(library, {"nvidia-h100-sxm"})["nvidia-hopper"] == pytest.approx(295.3, abs=0.1)
    assert ridges(library)["nvidia-hopper"] != pytest.approx(295.3, abs=1.0)


def test_a_degree_that_is_left_out_is_what_dp_leaves_of_the_machine(desk: Desk) -> None:
    stated = {"pp": 4, "dp": 16, "vpp": 5, "micro_batch": 1, "cp": 1}
    for key in ("pp", "tp", "cp"):
        found = read(desk, **{**stated, key: None})
        assert found.design["layout"][key] == (4 if key == "pp" else 1)
    half = read(desk, **{**stated, "dp": 8, "cp": None})
    assert half.design["layout"]["cp"] == 2
    assert any(note == "cp not given: 2" for note in half.engine.ready.notes)


def test_chunks_are_tried_where_the_embedding_or_the_head_takes_the_place_of_a_layer(desk: Desk) -> None:
    # 126 layers and two tables are 128 = 16 stages x 8; without interleaving half of the step would be idle.
    row = {"hardware": "nvidia-h100-sxm", "cards": 16384, "model": "llama3-405b", "global_batch": 2048}
    row |= {"tp": 8, "pp": 16, "dp": 128, "precision": "bf16", "framework": "meta", "micro_batch": 1}
    open_chunks = read(desk, **row, vpp=None)
    assert open_chunks.design["layout"]["vpp"] in (2, 4, 8)
    assert open_chunks.predicted < 0.7 * read(desk, **row, vpp=1).predicted


def test_an_open_layout_that_fits_nowhere_is_not_answered(desk: Desk) -> None:
    row = {"hardware": "ascend-910b", "cards": 8, "tp": None, "pp": None, "dp": None, "precision": "bf16"}
    with pytest.raises(UnanswerableError, match="give tp and pp"):
        read(desk, **row, framework="mindspeed", micro_batch=1)


def test_a_run_without_a_date_is_of_the_usual_age_on_its_chip_and_gets_a_wider_band(desk: Desk) -> None:
    # GB300 of 2025-07: September 2026.
    layout = {"pp": 4, "dp": 16, "vpp": 5, "micro_batch": 1}
    found = read(desk, **layout, software_date=None)
    date = usual_date("2025-07")
    assert date == "2026-09"
    assert any(note.startswith("software_date not given") for note in found.engine.ready.notes)
    assert found.engine.ready.doubt > read(desk, **layout).engine.ready.doubt


def test_a_date_before_the_first_profile_takes_the_nearest_one() -> None:
    nearest = profile_of_run("megatron-bridge", "2024-01")
    assert nearest is not None
    assert nearest.id == "megatron-2025-summer"
    assert profile_of_run("FlagPerf", "2026-01") == profile("flagperf")
    assert profile_of_run("Megatron LM v0.9", "2024-01") == profile("megatron-lm-2023")
    assert profile_of_run("nobody's", "2024-01") is None


@pytest.mark.parametrize("name", ["Qwen3 8B", "Qwen/Qwen3-8B", "qwen3_8b"])
def test_models_are_found_by_their_bare_names(desk: Desk, name: str) -> None:
    found = read(desk, model=name, pp=1, dp=64, micro_batch=1)
    assert found.engine.ready.request.problem.model.id == "qwen3-8b"
