"""A plan with a date: deliveries judge it, and choose nothing."""

from __future__ import annotations

from typing import Any

import pytest

import planner
from planner.errors import PlannerError
from planner.plan.mix import SEPARATE
from planner.report.explain import text

CERTAIN = {
    "wafer_starts": 1000, "share": 0.5, "die_area": 665.6, "dies": 1, "die_yield": 0.4,
    "packaging_yield": 0.9, "packaging_limit": 1e9, "stack_limit": 1e9, "stock": 0, "lead_time": 4, "ramp": 0,
}  # fmt: skip
"""14,400 packages a month from month 4 on."""


def question(**supply: Any) -> dict[str, Any]:
    table = {"figures": CERTAIN, **supply}
    return {
        "workload": {"model": "llama2-70b", "tokens": "200B", "sequence": 4096, "batch_sequences": 512},
        "target": {"days": 60},
        "limits": {"cards": 2048},
        "hardware": {"systems": ["atlas-800t-a2"], "cooling": "cold-plate"},
        "site": {"id": "guizhou"},
        "layout": {"tp": 8, "pp": [2, 4], "vpp": 1, "micro_batch": 1, "recompute": "full"},
        **({"supply": table} if supply else {}),
    }


def test_a_date_that_is_met_changes_nothing_but_says_so() -> None:
    plain, dated = planner.size(question()), planner.size(question(by_months=6))
    assert dated.feasible
    assert dated.supply is not None
    assert dated.supply.by_probability == 1.0
    assert {figure.kind for figure in dated.supply.figures} >= {"given"}
    assert plain.supply is None
    assert dated.cards == plain.cards
    assert dated.headline == plain.headline


def test_a_date_before_the_first_delivery_is_a_no_with_the_months_that_would_do() -> None:
    plan = planner.size(question(by_months=3))
    assert not plan.feasible
    assert plan.binding[0] == "supply.by_months"
    assert plan.headline.startswith("No: month 3 is before the first delivery (month 4)")
    assert "the plan: " in plan.headline
    assert plan.cards is not None


def test_what_is_there_by_the_date_is_timed() -> None:
    # A hundredth of the rate: 72 cards half a month after the first delivery.
    slow = {**CERTAIN, "wafer_starts": 10}
    plan = planner.size(question(by_months=4.5, figures=slow))
    assert plan.headline.startswith("No: 72 of them by month 4.5")
    assert "the 72 there by then would take" in plan.headline


def test_separate_clusters_do_not_help_one_training_job_and_a_declared_one_does() -> None:
    slow = {**CERTAIN, "wafer_starts": 10}
    asked = {"by_months": 10, "figures": {**slow, "lead_time": 9.5}, "second": ["dgx-h100"]}
    apart = planner.size(question(**asked))
    assert not apart.feasible
    assert SEPARATE in apart.headline
    together = planner.size(question(**asked, one_job=True))
    assert together.feasible
    assert together.supply is not None
    assert together.supply.mix is not None
    assert "one job over all cards" in together.supply.mix.meaning
    assert together.headline.count("by month 10") == 1


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"by_months": 0}, "supply.by_months"),
        ({"by_months": 6, "confidence": 1.0}, "supply.confidence"),
        ({"by_months": 6, "second": ["nonsense"]}, "supply.second"),
        ({"by_months": 6, "figures": {"share": 1.5}}, "share"),
        ({"by_months": 6, "figures": {"wafers": 1}}, "wafers"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(PlannerError) as fault:
        planner.size(question(**wrong))
    assert fault.value.exit_code == 2
    assert key in str(fault.value)


def test_an_account_carries_deliveries_software_and_export_control() -> None:
    found = planner.explain(question(by_months=3))
    assert not found.feasible
    doubt = found.doubt
    assert doubt is not None
    assert doubt.supply is not None
    assert "before the first delivery" in doubt.supply.headline
    assert doubt.maturity is not None
    assert doubt.maturity.workload_class == "llm-training"
    assert doubt.export_control is not None
    assert doubt.export_control.tpp > 0.0
    assert doubt.bands is not None
    assert isinstance(found, planner.Explanation)
    told = text(found)
    for heading in (
        "How sure it is: evidence",
        "Software for LLM training",
        "Deliveries: No",
        "Export control:",
    ):
        assert heading in told
