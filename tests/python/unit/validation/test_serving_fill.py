"""What a serving row leaves open: layouts read back, formats chosen, and what contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.architectures import Architecture, architecture
from planner.validation.serving_fill import (
    ContradictionError,
    Machine,
    Shape,
    cache_format,
    instance_of,
    shape_of,
    weights_format,
)
from planner.validation.serving_rows import PoolLayout, ServingRow

SERVER = Machine(devices_per_card=1, server_devices=8, domain_devices=8, memory=80e9)
EXPERTS = architecture("deepseek-r1")
DENSE = architecture("llama3.1-70b")


def _row(**columns: object) -> ServingRow:
    return ServingRow.model_validate({"id": "a", "hardware": "h100", **columns})


def _shape(model: Architecture, devices: int | None = None, **degrees: int) -> tuple[Shape, int, list[str]]:
    notes: list[str] = []
    shape, replicas = shape_of(PoolLayout(**degrees), model, SERVER, 1, devices, notes)
    return shape, replicas, notes


def test_degrees_that_were_multiplied_are_read_back() -> None:
    """ "TP8 EP8" on a server of eight stands as tp = 64 in the published points; so do its kin."""
    assert _shape(EXPERTS, tp=64, dp=1, etp=8, ep=8)[0] == Shape(8, 1, 1, 8, 1)
    assert _shape(EXPERTS, tp=16, dp=1, etp=4, ep=4)[0] == Shape(4, 1, 1, 4, 1)
    assert _shape(EXPERTS, tp=4, dp=4, etp=1, ep=16)[0] == Shape(1, 4, 1, 4, 1)
    shape, _, notes = _shape(EXPERTS, tp=1, dp=64, etp=8, ep=8)
    assert shape == Shape(1, 8, 1, 8, 1)
    assert notes


def test_degrees_that_make_sense_are_kept() -> None:
    assert _shape(EXPERTS, tp=4, dp=1, etp=2, ep=2)[0] == Shape(4, 1, 1, 2, 2)
    assert _shape(EXPERTS, tp=1, dp=32, etp=1, ep=32)[0] == Shape(1, 32, 1, 32, 1)
    assert _shape(EXPERTS, tp=8, dp=1, etp=8, ep=1)[0] == Shape(8, 1, 1, 1, 8)


def test_dp_of_a_dense_model_counts_replicas() -> None:
    assert _shape(DENSE, tp=2, dp=4)[:2] == (Shape(2, 1, 1, 1, 1), 4)


def test_tp_printed_beside_dp_over_the_same_devices_is_attention_data_parallel() -> None:
    shape, instances = instance_of(_row(cards=8, tp=8, dp=8, ep=8), EXPERTS, SERVER, "fp8", [])
    assert (shape, instances) == (Shape(1, 8, 1, 8, 1), 1)


def test_cards_beyond_the_instance_are_further_instances() -> None:
    assert instance_of(_row(cards=8, tp=2, pp=1), DENSE, SERVER, "fp8", []) == (Shape(2, 1, 1, 1, 1), 4)


def test_a_missing_layout_is_the_fewest_cards_that_hold_the_weights() -> None:
    """70.55e9 bytes need two cards of 80 GB where 85 % may hold weights, one of 96 GB for few requests; as
    many as fit ask for room: 65 % of 96 GB are 62 GB."""
    notes: list[str] = []
    assert instance_of(_row(cards=8), DENSE, SERVER, "fp8", notes) == (Shape(2, 1, 1, 1, 1), 4)
    assert notes == ["layout not given: tp=2"]
    larger = replace(SERVER, memory=96e9)
    one = {"cards": 8, "dp": 1, "ep": 1, "isl": 1000, "osl": 1000}
    assert instance_of(_row(**one, concurrency=8), DENSE, larger, "fp8", [])[0].tp == 1
    assert instance_of(_row(**one), DENSE, larger, "fp8", [])[0].tp == 2


def test_a_missing_tp_beside_a_stated_dp_is_what_is_left() -> None:
    notes: list[str] = []
    assert instance_of(_row(cards=8, dp=2), DENSE, SERVER, "fp8", notes) == (Shape(4, 1, 1, 1, 1), 2)
    assert notes == ["tp not given: 4, the devices over dp and pp"]


@pytest.mark.parametrize(
    ("model", "degrees", "reason"),
    [
        (EXPERTS, {"tp": 72, "dp": 1, "etp": 72, "ep": 1}, "does not divide the 128 heads"),
        (EXPERTS, {"tp": 8, "dp": 1, "etp": 1, "ep": 3}, "does not divide tp x dp"),
        (DENSE, {"tp": 8, "ep": 8}, "without experts"),
    ],
)
def test_contradictions_are_named(model: Architecture, degrees: dict[str, int], reason: str) -> None:
    with pytest.raises(ContradictionError, match=reason):
        _shape(model, **degrees)


def test_cards_that_hold_no_whole_instance_contradict_the_layout() -> None:
    with pytest.raises(ContradictionError, match="12 devices, but instances of 8"):
        instance_of(_row(cards=12, tp=8), DENSE, SERVER, "fp8", [])


def test_weights_are_as_stated_or_as_the_name_says_or_as_published() -> None:
    peaks = frozenset({"fp8"})
    notes: list[str] = []
    assert weights_format(_row(precision="nvfp4"), DENSE, peaks, notes) == "fp4"
    assert notes == []
    assert weights_format(_row(model="Qwen/Qwen3-235B-A22B-FP8"), DENSE, peaks, notes) == "fp8"
    assert weights_format(_row(), EXPERTS, peaks, notes) == "fp8"
    assert weights_format(_row(), EXPERTS, frozenset({"int8"}), notes) == "int8"
    assert weights_format(_row(), DENSE, peaks, notes) == "bf16"
    assert len(notes) == 4
    with pytest.raises(ContradictionError, match="'fp3' is not predicted"):
        weights_format(_row(precision="fp3"), DENSE, peaks, notes)


def test_the_cache_is_as_stated_or_as_the_framework_is_run() -> None:
    notes: list[str] = []
    assert cache_format(_row(kv_precision="fp8"), "bf16", "bf16", False, notes) == "fp8"
    assert cache_format(_row(), "fp4", "fp8", False, notes) == "fp8"
    assert cache_format(_row(), "bf16", "fp8", False, notes) == "bf16"
    assert cache_format(_row(), "fp8", "bf16", False, notes) == "bf16"


def test_the_cache_stays_at_16_bits_where_the_chip_does_not_compute_in_the_format_of_the_weights() -> None:
    assert cache_format(_row(), "fp4", "fp8", True, []) == "bf16"
    assert cache_format(_row(kv_precision="fp8"), "fp4", "fp8", True, []) == "fp8"
