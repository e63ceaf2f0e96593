"""Case files: what is read, and how faults are told."""

import json
from pathlib import Path

import pytest

from planner.validation.files import read
from planner.validation.rows import CaseFileError
from planner.validation.run import validate

ROW = {
    "id": "mine-1",
    "group": "mine",
    "hardware": "nvidia-h100-sxm",
    "cards": 8,
    "model": "llama3-8b",
    "seq_len": 8192,
    "global_batch": 128,
    "micro_batch": 1,
    "tp": 1,
    "pp": 1,
    "dp": 8,
    "precision": "fp16",
    "framework": "nemo",
    "software_date": "2024-06",
    "recompute": "full",
    "sharding": 1,
    "measured": {"iteration_time_s": 20.0},
}


def case_file(folder: Path, *rows: dict[str, object]) -> Path:
    path = folder / "cases.json"
    path.write_text(json.dumps({"training": list(rows)}, indent=1))
    return path


def test_half_precision_names_mean_sixteen_bits(tmp_path: Path) -> None:
    (row,) = read(case_file(tmp_path, ROW)).training
    assert row.precision == "bf16"


def test_a_row_without_completeness_counts(tmp_path: Path) -> None:
    rows = read(case_file(tmp_path, ROW, {**ROW, "id": "b", "completeness": "partial"})).training
    assert [row.scored for row in rows] == [True, False]


def test_a_wrong_value_is_told_with_line_and_key(tmp_path: Path) -> None:
    path = case_file(tmp_path, ROW, {**ROW, "id": "second", "tp": -2})
    with pytest.raises(CaseFileError) as caught:
        read(path)
    assert caught.value.key == "training[1].tp"
    assert caught.value.line == next(
        n for n, text in enumerate(path.read_text().split("\n"), 1) if '"tp": -2' in text
    )


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ('{"models": [],\n"training": [\n{"hardware": "a100"}]}', "training[0].id", 3),
        ('[\n{"id": "a", "hardware": "h"},\n{"id": "b", "hardware": "h",\n"tp": -1}]', "training[1].tp", 4),
        ('{"training": [],\n"inference":\n7}', "inference", 3),
        ('{"training": [{"id": "a", "hardware": "a100"},\n7]}', "training[1]", 2),
        ('{"cases": []}', None, 1),
    ],
)  # fmt: skip
def test_faults_of_form_name_line_and_key(tmp_path: Path, text: str, key: str | None, line: int) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text)
    with pytest.raises(CaseFileError) as caught:
        read(path)
    assert (caught.value.key, caught.value.line) == (key, line)


def test_a_capped_row_runs_at_the_clock_of_its_cap(tmp_path: Path) -> None:
    """500 of 700 W: ((500 - 70) / (700 - 70))^(1/n) of the clock, n between 2.4 and 3: 15 to 12 % less."""
    capped = {**ROW, "hardware": "nvidia-h100-sxm", "id": "capped", "power_limit_watts": 500}
    cases = validate(path=case_file(tmp_path, {**ROW, "hardware": "nvidia-h100-sxm"}, capped))["cases"]
    assert 1.05 < cases[1]["predicted"] / cases[0]["predicted"] < 1 / 0.85


def test_a_schedule_that_nobody_knows_is_not_answered(tmp_path: Path) -> None:
    rows = {**ROW, "schedule": "zebra"}, {**ROW, "id": "b", "schedule": "Interleaved"}
    first, second = validate(path=case_file(tmp_path, *rows))["cases"]
    assert "schedule" in first["reason"]
    assert second["answered"]


@pytest.mark.parametrize(
    ("name", "text"), [("c.json", "[]"), ("c.json", '{"training": []}'), ("c.csv", "id,hardware")]
)
def test_a_file_without_a_row_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CaseFileError, match="holds no row"):
        validate(path=path)


def test_broken_json_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"training": [\n{"id": }\n]}')
    with pytest.raises(CaseFileError) as caught:
        read(path)
    assert caught.value.line == 2


def test_a_file_without_rows_of_the_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"results": []}')
    with pytest.raises(CaseFileError, match="neither a list"):
        read(path)


def test_csv_holds_the_same_columns(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(
        "id,hardware,cards,model,seq_len,global_batch,tp,sequence_parallel,vpp,iteration_time_s,measured.mfu\n"
        "a,nvidia-h100-sxm,8,llama3-8b,8192,128,1.0,true,,20.5,0.4\n"
    )
    (row,) = read(path).training
    assert (row.tp, row.sequence_parallel, row.vpp) == (1, True, None)
    assert row.measured == {"iteration_time_s": 20.5, "mfu": 0.4}


def test_a_csv_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("id,hardware,cards\na,nvidia-h100-sxm,8\nb,nvidia-h100-sxm,many\n")
    with pytest.raises(CaseFileError) as caught:
        read(path)
    assert caught.value.line == 3


def test_compute_nics_named_in_the_text_decide_the_bandwidth(tmp_path: Path) -> None:
    text = "Compute: 8x ConnectX-7 IB NDR 400Gb/s, Management: 100Gb/s Ethernet NIC"
    row = {**ROW, "network": text, "network_gbps_per_card": 100.0, "cards_per_server": 8}
    (read_row,) = read(case_file(tmp_path, row)).training
    assert read_row.compute_gbps_per_card == 400.0


@pytest.mark.parametrize(
    ("written", "stage"), [("fsdp", 3), ("zero-1", 1), ("ZeRO3", 3), ("ddp", 0), (2, 2), ("2", 2)]
)
def test_sharding_stages_are_read_as_people_write_them(tmp_path: Path, written: object, stage: int) -> None:
    (row,) = read(case_file(tmp_path, {**ROW, "sharding": written})).training
    assert row.sharding == stage


def test_an_unknown_sharding_leaves_its_row_alone_unanswered(tmp_path: Path) -> None:
    cases = validate(path=case_file(tmp_path, {**ROW, "sharding": "zero-9"}))["cases"]
    assert "sharding 'zero-9' is not known" in cases[0]["reason"]


@pytest.mark.parametrize(
    ("column", "written", "meant"),
    [
        ("software_date", "2024/7", "2024-07"),
        ("software_date", 2024, "2024"),
        ("software_date", "2024-07-31T10:00", "2024-07"),
        ("vpp", 0, 1),
        ("precision", "fp8_hybrid", "fp8"),
        ("precision", "E4M3", "fp8"),
        ("precision", "bf16-mixed", "bf16"),
        ("precision", "int8", "int8"),
        ("recompute", "selective_core", "selective"),
        ("recompute_parts", "core_attn, mlp", ("core_attn", "mlp")),
    ],
)
def test_columns_are_read_as_people_write_them(
    tmp_path: Path, column: str, written: object, meant: object
) -> None:
    (row,) = read(case_file(tmp_path, {**ROW, column: written})).training
    assert getattr(row, column) == meant


def test_a_date_that_is_none_is_told_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError) as caught:
        read(case_file(tmp_path, {**ROW, "software_date": "May 2024"}))
    assert caught.value.key == "training[0].software_date"


@pytest.mark.parametrize(
    ("precision", "recipe", "blocks"),
    [("mxfp8", None, True), ("nvfp4", None, True), ("fp8", "current", False), ("fp8", "block", True)],
)
def test_recipes_with_scales_per_block_are_told_apart(
    tmp_path: Path, precision: str, recipe: str | None, blocks: bool
) -> None:
    (row,) = read(case_file(tmp_path, {**ROW, "precision": precision, "scaling_recipe": recipe})).training
    assert row.block_scaled is blocks
