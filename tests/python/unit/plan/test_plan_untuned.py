"""A plan on tuned software says what it takes where nobody tunes it."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.report.memo import sections
from planner.software import profile, profiles

ASKED: dict[str, Any] = {
    "site": "virginia",
    "workload": {"model": "llama3.1-8b", "tokens": "1T", "sequence": 8192, "batch_tokens": "4Mi"},
    "limits": {"cards": {"exactly": 64}},
    "hardware": {"systems": ["dgx-h100"]},
    "layout": {"tp": 2, "pp": 1, "cp": 1, "micro_batch": 1},
}


def _with(software: str) -> dict[str, Any]:
    return {**ASKED, "workload": {**ASKED["workload"], "software": software}}


def test_the_default_is_timed_again_as_it_comes() -> None:
    plan = planner.size(ASKED)
    found = plan.evidence.untuned
    assert found is not None
    assert plan.layout is not None
    assert plan.performance is not None
    other = planner.evaluate(_with(found.software), layout=plan.layout.short(), cards=64)
    assert other.performance is not None
    assert found.step_seconds == pytest.approx(other.performance.step_seconds, rel=1e-9)
    assert found.step_seconds is not None
    assert found.step_seconds > plan.performance.step_seconds
    told = {label: text for section in sections(plan) for label, text in section.rows}["tuned"]
    assert f"as it comes ({found.software})" in told


def test_software_that_is_named_is_the_user_s_own() -> None:
    assert planner.size(_with("megatron-2024")).evidence.untuned is None


def test_the_profile_as_it_comes_is_one_that_nobody_tuned() -> None:

    tuned = [item for item in profiles() if item.as_it_comes is not None]
    assert tuned
    for item in tuned:
        assert item.tuning == "tuned"
        assert profile(item.as_it_comes or "").tuning != "tuned"
