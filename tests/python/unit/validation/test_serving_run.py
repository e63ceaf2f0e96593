"""Predictions and scores of serving rows in small case files, and of the shipped rows."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planner.cli.main import app
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.run import validate
from planner.validation.serving_predict import Battery, shipped_tables
from planner.validation.serving_request import ServingDesk
from planner.validation.serving_rows import ServingRow
from planner.validation.serving_run import folds

ROW: dict[str, Any] = {
    "id": "mine",
    "group": "mine",
    "phase": "mixed",
    "hardware": "nvidia-h100-sxm",
    "cards": 2,
    "model": "llama3.1-70b",
    "precision": "fp8",
    "framework": "TensorRT-LLM 1.0",
    "isl": 1024,
    "osl": 1024,
    "concurrency": 32,
    "tp": 2,
    "measured": {"output_tokens_per_s_total": 900.0, "tpot_ms": 30.0, "ttft_ms": 400.0},
}


def run(folder: Path, *rows: dict[str, Any]) -> dict[str, Any]:
    path = folder / "cases.json"
    path.write_text(json.dumps({"inference": list(rows)}))
    return validate(path=path)


def test_a_row_is_one_score_and_its_other_figures_stand_beside_it(tmp_path: Path) -> None:
    answer = run(tmp_path, ROW)
    first, *others = answer["cases"]
    assert (first["id"], first["metric"], first["primary"]) == ("mine", "output_tokens_per_s_total", True)
    assert [case["id"] for case in others] == ["mine#tpot_ms", "mine#ttft_ms", "mine#ttft_ms + tpot_ms"]
    assert answer["summary"]["inference"]["n"] == 1
    assert answer["inference"]["by_metric"]["tpot_ms"]["n"] == 1
    # 35 GB of weights per card are read at 3.35 TB/s: at least 10.5 ms a token, in all likelihood 12 to 35.
    tpot = others[0]["predicted"]
    assert 0.012 < tpot < 0.035
    assert others[0]["error"] == pytest.approx(tpot / 0.030 - 1.0)
    # Seconds per token and card: two cards share the rate of 32 sequences.
    assert first["predicted"] == pytest.approx(2 * tpot / 32, rel=0.25)
    assert first["low"] < first["predicted"] < first["high"]


def test_a_rate_at_fixed_batch_is_the_tokens_of_the_batch_in_its_time(tmp_path: Path) -> None:
    note = "latency at fixed batch"
    time = {**ROW, "id": "time", "note": note, "measured": {"e2e_ms": 20_000.0}}
    rate = {**ROW, "id": "rate", "note": note, "measured": {"output_tokens_per_s_total": 1_600.0}}
    first, second = run(tmp_path, time, rate)["cases"]
    assert second["metric"] == "output_tokens_per_s_total"
    # 32 requests of 1,024 tokens in the time of the batch, on two cards.
    assert second["predicted"] == pytest.approx(first["predicted"] * 2 / (32 * 1024))


def test_a_prediction_carries_mode_and_concurrency(tmp_path: Path) -> None:
    (case, *_) = run(tmp_path, ROW)["cases"]
    assert (case["mode"], case["concurrency"]) == ("mixed", 32)


def test_more_requests_wait_longer_for_their_tokens(tmp_path: Path) -> None:
    many = {**ROW, "id": "many", "concurrency": 128, "measured": {"tpot_ms": 50.0}}
    cases = {case["id"]: case for case in run(tmp_path, ROW, many)["cases"]}
    assert cases["many"]["predicted"] > cases["mine#tpot_ms"]["predicted"]


def test_a_prefill_pool_and_a_decode_pool_have_their_own_rates(tmp_path: Path) -> None:
    prefill = {**ROW, "id": "p", "phase": "prefill", "measured": {"prefill_tokens_per_s_per_card": 9000.0}}
    decode = {**ROW, "id": "d", "phase": "decode", "measured": {"decode_tokens_per_s_per_card": 700.0}}
    first, second = run(tmp_path, prefill, decode)["cases"]
    # 2 x 70e9 FLOPs a token at 1,979 TFLOP/s: at best 14,000 tokens/s per card, half of that is usual.
    assert 5000.0 < 1.0 / first["predicted"] < 12000.0
    assert 400.0 < 1.0 / second["predicted"] < 1500.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hardware": "no-such-chip"}, "no-such-chip"),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"model": None}, "model is missing"),
        ({"isl": None}, "isl is missing"),
        ({"measured": {"ttft_p99_ms": 3.0}}, "nothing was measured"),
        ({"cards": 3}, "contradicts the machine"),
        ({"precision": "fp3"}, "fp3"),
        ({"model": "llama3.1-405b", "cards": 1, "tp": 1}, "does not fit"),
        ({"concurrency": None, "measured": {"tpot_ms": 20.0}}, "concurrency is missing"),
        ({"osl": None}, "osl is missing"),
    ],
)
def test_what_cannot_be_answered_says_why(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    answer = run(tmp_path, {**ROW, **change})
    (case,) = answer["cases"]
    assert not case["answered"]
    assert reason in case["reason"]
    assert answer["summary"]["inference"]["answered"] == 0


def test_exit_code_one_says_that_a_row_was_not_answered(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"inference": [{**ROW, "hardware": "no-such-chip"}]}))
    result = CliRunner().invoke(app, ["validate", "--cases", str(path)])
    assert result.exit_code == 1
    assert "no-such-chip" in result.stdout


def test_what_was_filled_in_is_said(tmp_path: Path) -> None:
    row = {
        key: value for key, value in ROW.items() if key not in ("tp", "concurrency", "precision", "framework")
    }
    (case, *_) = run(tmp_path, row)["cases"]
    assert case["answered"]
    text = " ".join(case["notes"])
    for part in (
        "precision not given",
        "layout not given",
        "concurrency not given",
        "no profile of framework",
    ):
        assert part in text


def test_what_a_row_leaves_open_widens_its_band(tmp_path: Path) -> None:
    bands = []
    for change in ({}, {"framework": "some engine"}, {"framework": "some engine", "tp": None}):
        (case, *_) = run(tmp_path, {**ROW, **change})["cases"]
        bands.append(case["high"] / case["predicted"])
    assert bands[0] < bands[1] < bands[2]


def test_a_decoding_pool_at_a_known_cache_needs_no_lengths(tmp_path: Path) -> None:
    row = {**ROW, "phase": "decode", "isl": None, "osl": None, "kv_len_mean": 2000}
    short, long = (
        run(tmp_path, {**row, "kv_len_mean": tokens, "measured": {"decode_tokens_per_s_per_card": 700.0}})[
            "cases"
        ][0]["predicted"]
        for tokens in (2000, 20000)
    )
    assert 0.0 < short < long


@pytest.mark.parametrize(
    "change",
    [
        {"model": "qwen3-235b-a22b", "tp": 8, "dp": 8, "ep": 8},
        {"model": "gpt-oss-120b", "precision": "fp4", "tp": 8, "dp": 1, "ep": 1, "isl": 8192, "osl": 256},
    ],
)
def test_more_requests_are_not_served_slower_in_all_nor_faster_each(change: dict[str, Any]) -> None:
    """From one request, fewer than data-parallel ranks, to more than the cache holds."""
    desk = ServingDesk(SpecLibrary.from_environment())
    loads = (1, 2, 3, 8, 16, 64, 256, 1024, 4096)
    ready = [
        desk.prepare(ServingRow.model_validate({**ROW, "cards": 8, **change, "id": str(n), "concurrency": n}))
        for n in loads
    ]
    answers = [given["load"] for given in Battery(desk, ready).answers(shipped_tables(desk))]
    for fewer, more in itertools.pairwise(answers):
        assert more["output_tokens_per_second"] >= 0.99 * fewer["output_tokens_per_second"]
        assert more["tpot_seconds"] >= 0.99 * fewer["tpot_seconds"]


def test_a_latent_model_of_the_file_is_read_as_tables_print_it(tmp_path: Path) -> None:
    """Heads are printed without their rotated part, or as hidden over heads."""
    own = {
        "id": "own-v3", "layers": 61, "hidden": 7168, "heads": 128, "kv_heads": 128, "head_dim": 128,
        "ffn": 18432, "activation": "swiglu", "vocab": 129280, "attention": "MLA", "dense_layers": 3,
        "mla": {"q_lora": 1536, "kv_lora": 512, "nope": 128, "rope": 64, "v": 128},
        "moe": {"experts": 256, "topk": 8, "ffn": 2048, "shared_ffn": 2048},
    }  # fmt: skip
    row = {**ROW, "hardware": "nvidia-h200-sxm", "cards": 8, "tp": 8}
    path = tmp_path / "cases.json"
    rows = [{**row, "id": name, "model": name} for name in ("own-v3", "deepseek-v3")]
    vague = {**own, "id": "vague", "vocab": None}
    path.write_text(
        json.dumps({"inference": [*rows, {**row, "id": "vague", "model": "vague"}], "models": [own, vague]})
    )
    cases = {case["id"]: case for case in validate(SpecLibrary.from_environment(), path)["cases"]}
    assert cases["own-v3"]["predicted"] == pytest.approx(cases["deepseek-v3"]["predicted"], rel=1e-6)
    assert "vocab" in cases["vague"]["reason"]


def test_a_battery_answers_as_one_question_at_a_time() -> None:
    desk = ServingDesk(SpecLibrary.from_environment())
    rows = [ServingRow.model_validate({**ROW, "id": str(n), "concurrency": n}) for n in (4, 64)]
    ready = [desk.prepare(row) for row in rows]
    tables = shipped_tables(desk)
    both = Battery(desk, ready).answers(tables)
    assert [Battery(desk, [item]).answers(tables)[0] for item in ready] == both


def test_the_committed_folds_cover_every_answered_row() -> None:
    rows = read().inference
    known = folds(rows)
    assert len(known) >= 0.75 * len(rows)
    scored = [row.id for row in rows if row.scored and row.completeness is not None]
    assert sum(name in known for name in scored) >= 0.95 * len(scored)
