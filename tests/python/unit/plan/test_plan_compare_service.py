"""Comparisons of services: cards, latencies and cost side by side, each in a precision that its card has."""

from __future__ import annotations

from typing import Any

import pytest

from planner import api
from planner.plan.account import Band
from planner.plan.compare import Comparison, Contender, ServiceTerms
from planner.plan.compare_why import level_with, why_behind
from planner.report.compare import QUALITY, render

CHAT: dict[str, Any] = {
    "site": "shanghai",
    "workload": {
        "kind": "serving",
        "model": "llama3.1-8b",
        "input_tokens": 1000,
        "output_tokens": 200,
        "precisions": ["bf16", "fp8"],
    },
    "target": {"requests_per_second": 20, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["hgx-h20", "ascend-910b"]},
    "layout": {"pp": 1, "tp": [1, 2], "mode": "aggregated"},
}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return api.compare(CHAT)


def test_a_service_shows_latencies_and_the_cost_of_tokens_at_three_loads(comparison: Comparison) -> None:
    for item in comparison.contenders:
        assert item.feasible
        served = item.service
        assert served is not None
        assert served.ttft_seconds is not None
        assert served.tpot_seconds is not None
        assert served.ttft_seconds <= 2.0
        assert served.tpot_seconds <= 0.05
        assert [row.load for row in served.usd_per_million] == [1.0, 0.5, 0.3]
        full = served.usd_per_million[0].usd
        assert full is not None
        assert item.tco_usd_per_year is not None
        # 200 output tokens a request, at the most requests within the latencies, all year.
        tokens = served.requests_per_second * 200 * 365 * 86400
        # The year is that of the load asked for, which takes a little less energy than the most.
        assert full == pytest.approx(item.tco_usd_per_year / tokens * 1e6, rel=0.01)
        assert item.usd_per_million_tokens == pytest.approx(full)


def test_a_latency_over_its_target_is_marked(comparison: Comparison) -> None:
    """A simulation passes what is at most 5 % over: the table says which those are."""
    assert "over its target" not in render(comparison)
    first = comparison.contenders[0]
    assert first.service is not None
    late = first.service.model_copy(update={"over_ttft": True})
    changed = [first.model_copy(update={"service": late}), *comparison.contenders[1:]]
    text = render(comparison.model_copy(update={"contenders": changed}))
    assert " s + " in text or " ms + " in text
    assert "over its target" in text


def test_a_card_without_a_precision_is_asked_with_the_others_of_the_whitelist(comparison: Comparison) -> None:
    by_card = {item.accelerator: item for item in comparison.contenders}
    assert by_card["ascend-910b"].precision == "bf16"
    assert any("ascend-910b has no fp8 peak" in note for note in comparison.notes)


def test_it_says_that_quality_is_not_judged_and_names_latencies(comparison: Comparison) -> None:
    text = render(comparison)
    assert " ".join(QUALITY.split()[:12]) in " ".join(text.split())
    assert "TTFT" in text
    assert "TPOT" in text
    assert "prec" in text
    assert "20 requests/s, TTFT 2 s" in text


def terms(active: int) -> ServiceTerms:
    return ServiceTerms(
        mode="aggregated",
        requests_per_second=20.0,
        active_cards=active,
        tokens_per_second_per_card=10.0,
        ttft_seconds=1.0,
        tpot_seconds=0.04,
        usd_per_million=[],
    )


def test_the_same_load_is_no_tie_where_a_card_yields_twice_as_much() -> None:
    def one(system: str, cards: int) -> Contender:
        return Contender(
            system=system,
            name=system,
            accelerator=system,
            origin="CN",
            status="shipping",
            released=None,
            feasible=True,
            refused=None,
            cards=cards,
            tokens_per_second=1000.0,
            tokens_per_second_band=Band(p10=800.0, p50=1000.0, p90=1200.0),
        )

    few, many = one("few", 10), one("many", 20)
    # Sold by the hundred, a fifth of them at work: that is told, and not where most are.
    whole = one("whole", 100).model_copy(update={"service": terms(20)})
    assert why_behind(whole, few).endswith("20 of its 100 cards are at work, it is sold in such steps")
    most = one("most", 25).model_copy(update={"service": terms(20)})
    assert "at work" not in why_behind(most, few)
    # 80-120 tokens/s a card against 40-60.
    assert level_with(few, [few, many], by_cards=True) == []
    assert level_with(few, [few, many], by_cards=False) == ["many"]
    # 80-120 against 1,000/11: 73-109.
    assert level_with(few, [few, one("near", 11)], by_cards=True) == ["near"]


def test_items_are_no_tokens_and_a_remedy_stands_beside_what_is_left_out() -> None:
    """Of three chips one has no products at 8 bit; names of systems stay on one line."""
    found = api.compare(
        {
            "site": "shanghai",
            "workload": {"kind": "generic", "flops": "8 GFLOP", "bytes": "60 MB", "weights": "25 MB"},
            "target": {"latency": "20 ms"},
            "limits": {"cards": 16},
            "hardware": {"systems": ["l20", "mlu370-x8", "kuae2-s5000-8"]},
        },
        limit=["cards=16"],
    )
    text = render(found)
    assert "tokens" not in text
    assert "TPOT" not in text
    assert "mlu370-x8-server x0." in text
    assert "items/s" in found.headline
    left = next(item for item in found.contenders if item.accelerator == "mthreads-mtt-s5000")
    assert left.remedy is not None
    assert "known there: bf16, fp8" in left.remedy
    assert "known there: bf16, fp8" in text
