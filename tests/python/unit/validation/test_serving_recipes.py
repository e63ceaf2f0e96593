"""Points whose columns leave open what ran take it from the benchmark's published recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.validation.files import read
from planner.validation.serving_recipes import Side, cache_of_script, drafts_open, polling
from planner.validation.serving_rows import ServingRow

COLUMNS = (
    "id,backend,model_path,system,precision,mode,isl,osl,prefill_num_workers,prefill_tp_size,"
    "prefill_attention_dp_size,prefill_moe_ep_size,decode_num_workers,decode_tp_size,decode_attention_dp_size,"
    "decode_moe_ep_size,silicon_ttft_ms,silicon_tpot_ms,concurrency,measured_on"
)


def _point(
    tmp_path: Path, prefill: str, decode: str, concurrency: int, date: str = "2026-02-01"
) -> ServingRow:
    file = tmp_path / "points.csv"
    start = "p,trtllm,deepseek-ai/DeepSeek-R1,b200_sxm,fp4,disagg,1024,1024"
    file.write_text(f"{COLUMNS}\n{start},{prefill},{decode},500,20,{concurrency},{date}\n")
    return read(file).inference[0]


def test_a_pool_is_read_from_its_notation() -> None:
    assert Side.read("5xDEP8") == Side(5, 8, data_parallel=True, spread=True)
    assert Side.read("3xTP4").layout() == {"tp": 4, "dp": 1, "ep": 1, "etp": 4, "workers": 3}
    with pytest.raises(ValueError, match="not a pool"):
        Side.read("5 x 8")


def test_what_is_left_open_comes_from_the_only_recipe_that_fits(tmp_path: Path) -> None:
    """875 requests are run in one way alone: five decode instances of eight ranks with three drafts."""
    row = _point(tmp_path, ",4,1,4", ",8,1,4", 875)
    assert row.decode_pool is not None
    assert row.prefill_pool is not None
    assert (row.decode_pool.workers, row.decode_pool.dp, row.decode_pool.limit) == (5, 8, 16)
    assert (row.prefill_pool.workers, row.prefill_pool.dp, row.mtp_tokens) == (1, 4, 3)
    assert not row.unstated
    assert not row.doubtful
    assert "published recipe" in (row.recipe or "")


def test_of_several_recipes_one_without_drafts_is_taken_and_doubted(tmp_path: Path) -> None:
    row = _point(tmp_path, ",4,1,4", ",8,1,4", 10)
    assert row.mtp_tokens == 0
    assert row.doubtful


def test_stated_instances_stay_and_another_number_of_devices_fits_no_recipe(tmp_path: Path) -> None:
    stated = _point(tmp_path, "1,1,4,4", "5,8,1,8", 10)
    assert stated.decode_pool is not None
    assert (stated.decode_pool.workers, stated.decode_pool.limit) == (5, 32)
    assert not stated.doubtful
    assert _point(tmp_path, ",4,1,4", ",16,1,4", 875).unstated


def test_a_point_without_a_date_is_not_of_the_benchmark(tmp_path: Path) -> None:
    assert _point(tmp_path, ",4,1,4", ",8,1,4", 875, date="").unstated


def test_schedulers_that_look_rarely_are_told_by_the_scripts() -> None:
    cells = {"measured_on": "2026-01-01", "backend": "sglang", "system": "b200_sxm", "tp_size": "8"}
    assert polling({**cells, "concurrency": "64"}) == 30.0
    assert polling({**cells, "concurrency": "8"}) == 10.0
    assert polling({**cells, "concurrency": "64", "mode": "disagg"}) is None
    assert polling({**cells, "concurrency": "64", "system": "h200_sxm"}) is None


def test_scripts_that_ask_for_an_eight_bit_cache_are_known() -> None:
    cells = {"measured_on": "2026-04-06", "backend": "vllm", "system": "b200_sxm"}
    assert cache_of_script({**cells, "model_path": "MiniMaxAI/MiniMax-M2.5"}) == "fp8"
    assert cache_of_script({**cells, "model_path": "MiniMaxAI/MiniMax-M2.5", "system": "h100_sxm"}) is None
    assert cache_of_script({**cells, "model_path": "openai/gpt-oss-120b"}) is None
    assert cache_of_script({**cells, "model_path": "MiniMaxAI/MiniMax-M2.5", "measured_on": ""}) is None


def test_points_of_which_nobody_knows_the_drafts_are_told() -> None:
    cells = {"measured_on": "2026-01-14", "backend": "trtllm", "model_path": "deepseek-ai/DeepSeek-R1"}
    assert drafts_open(cells)
    assert not drafts_open({**cells, "measured_on": "2025-11-02"})
    assert not drafts_open({**cells, "mode": "disagg"})
    assert not drafts_open({**cells, "backend": "sglang"})
