"""How rows are read that leave something open, or print what cannot have run."""

from __future__ import annotations

from typing import Any

import pytest

from planner.architectures.library import architecture
from planner.calibrate.run import ridges
from planner.problem.figures import Figures
from planner.problem.workload import software
from planner.software import profile
from planner.specs import SpecLibrary
from planner.validation.predict import Prediction, choose
from planner.validation.request import Desk
from planner.validation.rows import Row

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
