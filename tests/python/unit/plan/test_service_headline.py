"""The first line of a service says whose latencies it tells, at which percentiles, and on which software."""

from __future__ import annotations

from typing import Any

import pytest

from planner.plan.account import Evidence
from planner.plan.parts import Cards, Target
from planner.plan.service_headline import ServiceFacts, percentile, service_headline

SIMULATED: dict[str, Any] = {
    "confirmed": True, "arrivals": "poisson", "ttft_quantile_seconds": 1.51, "tpot_quantile_seconds": 0.0384,
}  # fmt: skip


def _line(simulated: dict[str, Any] | None, target: Target) -> str:
    evidence = Evidence(
        grade="B", why="runs", estimates=[], software="vllm-2025", tuning="default", calibrated="runs",
        runs_on_chip=9, runs_in_family=9, groups_in_family=4, residual_ln=0.2, nearest_measured=None,
    )  # fmt: skip
    design = {
        "most_requests_per_second": 51.7, "requests_per_second": 50.0, "verdict": "stable",
        "ttft": {"mean": 0.9, "quantile": 1.7}, "tpot": {"mean": 0.039, "quantile": 0.04},
        "simulated": simulated,
    }  # fmt: skip
    cards = Cards(total=40, active=40, spare=0, per_server=8, devices_per_card=1)
    return service_headline(
        ServiceFacts(
            question="target", chip="H100", generic=False, target=target, cards=cards, design=design,
            bands=None, evidence=evidence, confidence=None, nearest_why=None, comparison=None,
        )
    )  # fmt: skip


ASKED = Target(
    peak_requests_per_second=50.0,
    ttft_seconds=2.0,
    ttft_percentile=90.0,
    tpot_seconds=0.05,
    tpot_percentile=50.0,
)


def test_latencies_of_a_simulation_that_confirms_are_told_with_their_percentiles() -> None:
    assert "with simulated TTFT P90 1.51 s, TPOT P50 38.4 ms" in _line(SIMULATED, ASKED)


@pytest.mark.parametrize("simulated", [None, {**SIMULATED, "confirmed": False}])
def test_else_the_closed_forms_are_told_and_named(simulated: dict[str, Any] | None) -> None:
    assert "with TTFT P90 1.7 s, TPOT P50 40 ms (closed forms)" in _line(simulated, ASKED)


def test_without_latencies_asked_for_it_says_median_or_mean() -> None:
    assert percentile(None, simulated=True) == "P50"
    assert percentile(None, simulated=False) == "mean"
    assert percentile(99.9, simulated=False) == "P99.9"


def test_default_software_is_told() -> None:
    assert " · default software vllm-2025, as it comes · evidence B" in _line(SIMULATED, ASKED)
