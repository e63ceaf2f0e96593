"""The account of a service: its figures can be worked again from the terms that it prints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from planner import api
from planner.plan.explained import ServiceExplanation
from planner.plan.service_explain import accepted
from planner.plan.service_parts import ServiceWorkload
from planner.report.service_explain import text

ROOT = Path(__file__).parents[4]
CHAT: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 40, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["hgx-h20"]},
    "layout": {"pp": 1, "tp": [1, 2], "mode": "aggregated"},
}
ITEMS: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "generic", "flops": "8.2G", "bytes": "60M", "weights": "50M", "precision": "int8"},
    "target": {"requests_per_second": 1000, "latency": "20 ms"},
    "hardware": {"systems": ["hgx-h20"]},
}


def explained(question: Any, cards: int | None = None) -> ServiceExplanation:
    found = api.explain(question, cards=cards)
    assert isinstance(found, ServiceExplanation)
    return found


@pytest.fixture(scope="module", params=["chat", "cloudmatrix"])
def account(request: pytest.FixtureRequest) -> ServiceExplanation:
    question = CHAT if request.param == "chat" else ROOT / "examples/deepseek-r1-cloudmatrix.toml"
    return explained(question)


def test_every_figure_is_what_its_formula_gives(account: ServiceExplanation) -> None:
    worked = {item["name"]: (item["value"], item["terms"]) for item in account.to_dict()["figures"]}
    sums = ("cards", "ttft_seconds", "capex_usd")
    for name in sums:
        value, terms = worked[name]
        assert sum(terms.values()) == pytest.approx(value)
    value, terms = worked["most_requests_per_second"]
    assert value == min(terms.values())
    value, terms = worked["tpot_seconds"]
    assert value == pytest.approx(terms["step_seconds"] / terms["tokens_of_a_step"])
    value, terms = worked["sequences_in_decode"]
    by_hand = terms["requests_per_second"] * (terms["output_tokens"] - 1) * terms["tpot_seconds"]
    assert value == pytest.approx(by_hand, rel=1e-6)
    value, terms = worked["request_seconds"]
    assert value == pytest.approx(
        terms["ttft_seconds"] + (terms["output_tokens"] - 1) * terms["tpot_seconds"]
    )
    for name in ("output_tokens_per_second", "facility_megawatts"):
        value, terms = worked[name]
        assert value == pytest.approx(math.prod(terms.values()))
    for load in (100, 50, 30):
        value, terms = worked[f"usd_per_million_at_{load}"]
        spent = terms.pop("tco_usd_per_year")
        assert value == pytest.approx(spent * 1e6 / math.prod(terms.values()))
        terms["tco_usd_per_year"] = spent


def test_time_and_memory_sum_and_resources_are_worth_something(account: ServiceExplanation) -> None:
    for pool in account.pools:
        assert sum(pool.time.values()) == pytest.approx(pool.step_seconds)
        use = pool.memory
        assert use.weights_bytes + use.reserve_bytes + use.cache_bytes == pytest.approx(use.capacity_bytes)
    # More of anything never serves less; the most is found by halving, to some 1e-5.
    assert all(change > -1e-4 for change in account.value.values())
    assert account.bound_by is not None
    assert account.value[account.bound_by] > 0.0


def test_sources_and_places_are_told(account: ServiceExplanation) -> None:
    anchors = (ROOT / "docs/physics.md").read_text()
    heads = {line.lstrip("# ").lower().replace(" ", "-") for line in anchors.splitlines() if line[:1] == "#"}
    for item in account.figures:
        assert item.where.partition("#")[2] in heads
    assert all(item.sources or item.method for item in account.sources)
    told = text(account)
    assert "Little's law" in told
    assert "memory bandwidth" in told


def test_tokens_of_a_step_are_a_geometric_sum() -> None:
    work = ServiceWorkload(
        kind="serving", model="m", precision="bf16", software="s", drafted_tokens=2, acceptance=0.5
    )
    assert accepted(work) == 1.75
    assert accepted(work.model_copy(update={"drafted_tokens": None})) == 1.0


def test_items_and_services_that_cannot_be_are_explained_too() -> None:
    account = explained(ITEMS)
    assert account.kind == "generic"
    assert account.feasible
    assert "requests/s" in text(account)
    never = explained({**CHAT, "target": {"requests_per_second": 40, "tpot": "10 us"}})
    assert not never.feasible
    assert text(never).strip()


def test_named_cards_are_explained_as_evaluate_judges_them() -> None:
    account = explained(CHAT, cards=64)
    assert account.cards == 64
    most = next(item for item in account.figures if item.name == "most_requests_per_second")
    plan = api.evaluate(CHAT, cards=64)
    assert plan.serving is not None
    assert most.value == plan.serving.most_requests_per_second
