"""Rows of measured serving: JSON as collected, and the CSV of published points."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.validation.files import read
from planner.validation.rows import CaseFileError
from planner.validation.serving_measured import figures
from planner.validation.serving_rows import SHIPPED_INFERENCE, SHIPPED_POINTS, ServingRow

POINT = "id,backend,model_path,system,precision,mode,isl,osl,tp_size,moe_ep_size,silicon_ttft_ms,silicon_tpot_ms,concurrency,measured_on\n"  # noqa: E501


def _row(**columns: object) -> ServingRow:
    return ServingRow.model_validate({"id": "a", "hardware": "h100", **columns})


def test_the_shipped_files_hold_all_rows() -> None:
    assert len(read(SHIPPED_INFERENCE).inference) == 393
    points = read(SHIPPED_POINTS)
    assert len(points.inference) == 3043
    assert points.training == ()
    assert len({row.id for row in points.inference}) == 3043


def test_a_rate_becomes_seconds_per_token_and_card_and_comes_first() -> None:
    found = figures(_row(cards=4, measured={"output_tokens_per_s_total": 200, "tpot_ms": 50, "ttft_ms": 300}))
    assert [(item.metric, item.quantity) for item in found] == [
        ("output_tokens_per_s_total", "throughput"),
        ("tpot_ms", "tpot"),
        ("ttft_ms", "ttft"),
    ]
    assert found[0].seconds == pytest.approx(4 / 200)
    assert found[1].seconds == pytest.approx(0.05)


def test_the_rate_of_one_pool_is_not_that_of_a_deployment() -> None:
    assert figures(_row(phase="decode", cards=2, measured={"output_tokens_per_s_total": 10}))[0].quantity == (
        "decode_rate"
    )


def test_input_and_output_tokens_together_are_scaled_to_output() -> None:
    """25,000 tokens/s of 8,192 in and 1,024 out hold 25,000 / 9 of output."""
    found = figures(_row(isl=8192, osl=1024, measured={"total_tokens_per_s_per_card": 25000}))
    assert found[0].seconds == pytest.approx(9 / 25000)


def test_a_point_with_both_latencies_has_the_latency_of_its_requests(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text(POINT + "p,vllm,m,h100_sxm,fp8,agg,1024,101,2,0,500,20,8,2026-01-01\n")
    (row,) = read(file).inference
    assert (row.framework, row.tp, row.ep, row.concurrency) == ("vLLM", 2, None, 8)
    assert row.length_spread == 0.8
    assert [(item.quantity, item.seconds) for item in figures(row)] == [
        ("tpot", 0.02),
        ("ttft", 0.5),
        ("latency", pytest.approx(0.5 + 0.02 * (0.9 * 101 - 1))),
    ]


def test_a_bad_cell_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text(POINT + "p,vllm,m,h100_sxm,fp8,agg,many,101,2,0,500,20,8,\n")
    with pytest.raises(CaseFileError, match="number") as fault:
        read(file)
    assert fault.value.line == 2
    assert fault.value.key == "p.isl"


def test_what_notes_say_about_a_run() -> None:
    assert _row(note="offline throughput with 30000 requests of fixed length").requests == 30000
    assert _row(note="prompt time and mean token time at fixed batch").fixed_batch
    assert _row(note="expert load forced to be even").balanced
    assert _row(note="profile-data run: batch 128 per card").balanced
    assert not _row(note=None).balanced


def test_the_batch_of_a_submission_to_mlperf_is_that_of_one_engine() -> None:
    found = {"concurrency": 896, "tp": 2, "dp": 4, "cards": 8}
    assert _row(**found).in_flight == 896
    assert _row(**found, source_url="https://github.com/mlcommons/inference_results_v4.1").in_flight == 3584


def test_names_of_formats_are_understood() -> None:
    for name, known in (("W4A16", "int4"), ("awq", "int4"), ("fp8_block", "fp8"), ("MXFP8", "fp8")):
        assert _row(precision=name).precision == known
