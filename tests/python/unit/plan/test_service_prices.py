"""What one step more of each constraint of a service is worth: the same as asking the relaxed question."""

from __future__ import annotations

from pathlib import Path

import pytest

import planner
from planner import engine
from planner.plan.service_case import open_service
from planner.plan.service_prices import prices_of
from planner.plan.service_study import narrowed
from planner.report.text import render
from planner.scenario import load
from planner.specs import SpecLibrary

EXAMPLES = Path(__file__).parents[4] / "examples"


def test_a_step_of_a_latency_or_a_load_buys_what_the_relaxed_question_does() -> None:
    case = open_service(load(EXAMPLES / "deepseek-r1-p800-service.toml"), SpecLibrary.from_environment())
    plain = narrowed(case.request, engine.size_service(case.request)["best"])
    design = {"cluster": 0, "fabric_index": 0, "cooling_index": 0, "power_cap": 1.0}
    prices = prices_of(plain, design)
    assert {price.constraint for price in prices if price.per_unit} >= {"target.tpot"}
    assert {price.constraint for price in prices} == {
        "target.requests_per_second", "target.ttft", "target.tpot", "memory",
    }  # fmt: skip
    for price in prices:
        if price.constraint != "target.tpot":
            continue
        slower = plain.target.tpot.model_copy(update={"seconds": price.limit + price.step})
        asked = plain.model_copy(update={"target": plain.target.model_copy(update={"tpot": slower})})
        answer = engine.size_service(asked)["best"]
        assert price.after == price.cards == answer["cards"]["total"]
        assert price.per_unit == pytest.approx((price.before - price.after) / price.step)


def test_the_answer_itself_says_what_a_step_is_worth() -> None:
    plan = planner.size(EXAMPLES / "llama70b-compare.toml", set={"hardware.systems": "nvidia-h100-sxm"})
    assert plan.serving is not None
    prices = {price.constraint: price for price in plan.serving.prices}
    assert set(prices) == {"target.requests_per_second", "target.ttft", "target.tpot", "memory"}
    # A tenth less load, 45 requests/s, needs a server less.
    fewer = prices["target.requests_per_second"]
    assert (fewer.step, fewer.before, fewer.after) == (-5.0, 40.0, 32.0)
    assert "target.requests_per_second: -5 of 50 requests/s makes 40 into 32 cards" in " ".join(
        render(plan, 200).split()
    )


def test_the_most_load_inside_limits_has_prices_in_requests() -> None:
    changes = ["limits.cards=96", "hardware.systems=nvidia-h100-sxm"]
    scenario = load(EXAMPLES / "llama70b-compare.toml", changes)
    case = open_service(scenario, SpecLibrary.from_environment())
    target = case.request.target.model_copy(update={"requests_per_second": None})
    search = case.request.search.model_copy(update={"objective": "throughput"})
    asked = case.request.model_copy(update={"target": target, "search": search})
    design = {"cluster": 0, "fabric_index": 0, "cooling_index": 0, "power_cap": 1.0}
    cards = next(price for price in prices_of(asked, design) if price.constraint == "limits.cards_max")
    assert (cards.limit, cards.step, cards.objective_unit) == (96.0, 8.0, "requests/s")
    assert cards.after > cards.before
    assert cards.per_unit == pytest.approx((cards.after - cards.before) / 8.0)
