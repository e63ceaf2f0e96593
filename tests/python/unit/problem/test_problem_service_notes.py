"""What a question about a service leaves open is said: precision, cache, software of items."""

from __future__ import annotations

from typing import Any

import pytest

from planner.problem.service_notes import taken_unasked
from planner.report import chinese
from planner.scenario import ServiceScenario, from_table


def _notes(**workload: Any) -> list[str]:
    model = {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200}
    item = {"kind": "generic", "flops": "8 GFLOP", "bytes": "60 MB", "weights": "50 MB"}
    base = item if workload.get("kind") == "generic" else model
    found = from_table(
        {
            "site": "shanghai",
            "workload": {**base, **workload},
            "target": {"requests_per_second": 40},
            "hardware": {"systems": ["hgx-h20"]},
        }
    )
    assert isinstance(found, ServiceScenario)
    return taken_unasked(found.workload)


@pytest.mark.parametrize(
    ("workload", "said"),
    [
        ({}, "workload.precisions is not given: weights, products and cache are bf16"),
        ({"precisions": ["fp8"]}, "the cache is bf16 beside weights in fp8"),
        ({"kind": "generic"}, "workload.software is not given: host times"),
    ],
)
def test_a_default_that_moves_the_answer_is_said_in_both_languages(
    workload: dict[str, Any], said: str
) -> None:
    (note,) = _notes(**workload)
    assert note.startswith(said)
    assert chinese.sentence(note) is not None


@pytest.mark.parametrize(
    "workload",
    [
        {"precisions": ["bf16"]},
        {"precisions": [{"weights": "fp8", "cache": "bf16"}]},
        {"kind": "generic", "software": "vllm-2025"},
    ],
)
def test_what_is_asked_for_needs_no_remark(workload: dict[str, Any]) -> None:
    assert _notes(**workload) == []
