"""The most that a service carries is what a simulation confirms, not what the closed forms hope."""

from __future__ import annotations

import pytest

import planner
from planner.scenario import from_table

ASKED = {
    "workload": {
        "kind": "serving",
        "model": "llama2-70b",
        "input_tokens": 294,
        "output_tokens": 294,
        "precisions": [{"weights": "fp8", "cache": "fp8"}],
        "software": "tensorrt-llm-2025",
    },
    "target": {"ttft": "60 s", "tpot": "300 ms"},
    "limits": {"cards": 8},
    "hardware": {"systems": ["dgx-h100"]},
    "site": {"id": "shanghai"},
}


def test_the_headline_rests_on_the_load_that_was_confirmed() -> None:
    plan = planner.size(from_table(ASKED))
    served = plan.serving
    assert served is not None
    assert served.simulated is not None
    assert served.simulated.confirmed
    # Long queues are allowed, so the closed forms promise a pool that is full to the brim; it is refuted.
    assert served.refuted
    assert served.most_requests_per_second == served.requests_per_second
    assert served.simulated.requests_per_second == pytest.approx(served.most_requests_per_second)
    band = plan.bands.requests_per_second if plan.bands else None
    assert band is not None
    assert band.p50 == pytest.approx(served.most_requests_per_second)
    # Cost of a million tokens is of that load all year.
    tokens = served.most_requests_per_second * 294 * 365 * 86_400
    tco = plan.cost.tco_usd_per_year if plan.cost else None
    assert tco is not None
    assert served.cost_per_million[0].usd == pytest.approx(tco / tokens * 1e6, rel=1e-6)
    # No less than what a question for that load is answered with.
    asked = {**ASKED, "target": {**ASKED["target"], "requests_per_second": 75}}
    assert planner.size(from_table(asked)).feasible
    assert served.most_requests_per_second >= 75
