"""What running in step adds to the band of a closed loop."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner.specs import SpecLibrary
from planner.validation.serving_in_step import excess, step_doubts
from planner.validation.serving_predict import Battery, shipped_tables
from planner.validation.serving_request import ServingDesk
from planner.validation.serving_rows import ServingRow


def _row(**more: Any) -> ServingRow:
    return ServingRow.model_validate(
        {
            "id": "loop", "model": "qwen3-32b", "hardware": "nvidia-h100-sxm", "cards": 2,
            "framework": "SGLang", "software_date": "2025-09", "precision": "bf16", "tp": 2, "isl": 2048,
            "osl": 128, "concurrency": 64, "measured": {"tpot_ms": 30.0, "ttft_ms": 2000.0},
            "source": "by hand",
        }
        | more
    )  # fmt: skip


def test_errors_within_what_the_step_explains_leave_nothing() -> None:
    assert excess(0.3, 0.0, 1.2816) == pytest.approx(0.3)
    assert excess(-0.3, 0.4, 1.2816) == 0.0
    # 0.5 is the root of 0.4 squared and 0.3 squared.
    assert excess(0.5, 0.3 / 1.2816, 1.2816) == pytest.approx(0.4)


def test_crowded_loops_of_even_lengths_hang_on_the_step_and_lone_requests_do_not() -> None:
    desk = ServingDesk(SpecLibrary())
    tables = shipped_tables(desk)
    ready = [desk.prepare(_row()), desk.prepare(_row(concurrency=1))]
    crowded, lone = step_doubts(Battery(desk, ready), tables)
    assert all(doubt < 0.02 for doubt in lone)
    # Prompts that wait for each other do not come between tokens: the first token moves more than the others.
    tpot, ttft = (
        crowded[[figure.quantity for figure in ready[0].figures].index(name)] for name in ("tpot", "ttft")
    )
    assert 0.05 < tpot < ttft
    share = float(tables.software[ready[0].software.id]["bunching"])
    assert ttft <= math.sqrt(share * (1.0 - share)) * math.log(1000.0)
