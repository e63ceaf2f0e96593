"""Answers of one token: no second one follows, so nothing limits the time per token."""

from __future__ import annotations

from typing import Any

import pytest

import planner

TABLE: dict[str, Any] = {
    "site": "ulanqab",
    "workload": {"kind": "serving", "model": "qwen3-32b", "input_tokens": 2000, "precisions": ["bf16"]},
    "limits": {"cards": {"exactly": 64}},
    "hardware": {"systems": ["kunlun-p800-8"]},
    "layout": {"mode": "aggregated"},
}


def rate(output: int, **target: str) -> float:
    table = {
        **TABLE,
        "workload": {**TABLE["workload"], "output_tokens": output},
        "target": {"ttft": "3 s", **target},
    }
    served = planner.size(table).serving
    assert served is not None
    return float(served.most_requests_per_second)


def test_a_limit_per_token_limits_no_answer_of_one_token() -> None:
    assert rate(1, tpot="50 ms") == pytest.approx(rate(1))


def test_it_limits_longer_answers() -> None:
    assert rate(64, tpot="50 ms") < rate(64)
