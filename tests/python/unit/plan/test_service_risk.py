"""Services under draws: the same numbers as evaluating them one by one, and cards that are sure enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner
from planner import engine
from planner.errors import PlannerError
from planner.plan import service_fewest, service_risk, service_sure
from planner.plan.risk import MEGAWATTS
from planner.plan.service_case import open_service
from planner.plan.service_draws import RATE
from planner.plan.service_solve import draws_of
from planner.plan.service_study import choice_of
from planner.problem import serving_wire
from planner.problem.service import build_service
from planner.scenario import load
from planner.specs import SpecLibrary

EXAMPLE = Path(__file__).parents[4] / "examples/deepseek-r1-p800-service.toml"
SMALL = ["target.requests_per_second=20"]
FEW = 8


def test_a_draw_of_a_service_is_the_evaluation_of_its_rebuilt_problem() -> None:
    case = open_service(load(EXAMPLE, SMALL), SpecLibrary.from_environment(), samples=64)
    design = engine.size_service(case.request)["best"]
    choice = choice_of(design, case.request)
    draws = draws_of(case, design)
    assert draws.leaves.approximate == ()
    columns = draws.of(choice, design["requests_per_second"])
    # In some draws the model does not fit.
    fitting = [int(place) for place in np.flatnonzero(columns[:, RATE] > 0.0)]
    for place in (fitting[0], fitting[-1]):
        values = {item.place: float(column[place]) for item, column in draws.values}
        request = build_service(case.problem.scenario, case.library, values).request
        slower = draws.factor[place]
        # Slower steps leave less room in the latencies, too.
        request = request.model_copy(update={"target": request.target.slowed(float(slower))})
        answer = engine.evaluate_service(serving_wire.EvaluateServiceRequest(problem=request, design=choice))
        assert columns[place, MEGAWATTS] == pytest.approx(answer["facility"]["facility_megawatts"], rel=1e-9)
        assert columns[place, RATE] * slower == pytest.approx(answer["most_requests_per_second"], rel=1e-6)


def test_a_draw_needs_the_smallest_pool_of_each_kind_that_carries_the_load() -> None:
    kind = service_fewest.Kind("prefill", None, 4.0, 1)  # type: ignore[arg-type]
    # 100 requests/s at 30 each: 4 instances and a spare, 20 cards, in servers of 8: 24. None at a rate of 0.
    instances = service_fewest.instances_of(np.array([30.0, 100.0, 0.0]), 100.0)
    assert instances.tolist() == [4.0, 1.0, np.inf]
    assert service_fewest.cards_of(kind, instances, 8).tolist() == [24.0, 8.0, np.inf]


def test_cards_of_draws_agree_with_full_searches_of_them() -> None:
    case = open_service(load(EXAMPLE, SMALL), SpecLibrary.from_environment(), samples=64)
    design = engine.size_service(case.request)["best"]
    draws = draws_of(case, design)
    tried = service_fewest.kinds_of(draws, design, 20.0)
    found, check = service_fewest.fewest_of(draws, design, 20.0, tried)
    assert len(found.cards) == 64
    assert check.samples == FEW
    # In a draw far on the slow side a latency may want a layout that no pilot chose: the check, which every
    # answer prints, then says so.
    assert check.missed <= 1
    assert check.mean is not None
    assert check.agreeing >= FEW - 2


def test_a_service_for_a_probability_is_the_smallest_of_all_counts_that_reach_it() -> None:
    case = open_service(load(EXAMPLE, SMALL), SpecLibrary.from_environment(), samples=64)
    design = engine.size_service(case.request)["best"]
    draws = draws_of(case, design)
    tried = service_fewest.kinds_of(draws, design, 20.0)
    needed = 45
    for option in service_sure._options(draws, tried, 20.0, needed):
        counts = [count for _, count in option.pools]
        rates = [next(rates for kind, rates in tried.rates if kind is own) for own, _ in option.pools]

        def reached(counts: list[int], rates: list[service_fewest.Floats] = rates) -> int:
            enough = [count * each >= 20.0 * (1 - 1e-9) for count, each in zip(counts, rates, strict=True)]
            return int(np.all(enough, axis=0).sum())

        assert reached(counts) >= needed
        # One instance less of any pool reaches it in fewer draws.
        for place in range(len(counts)):
            fewer = [count - (index == place) for index, count in enumerate(counts)]
            assert reached(fewer) < needed
    sure, nearest = service_sure.surest(draws, tried, 0.7, 10_000)
    assert sure is not None
    assert (sure.met >= 0.7, nearest) == (True, None)
    nothing, reach = service_sure.surest(draws, tried, 0.999, sure.cards)
    assert nothing is None
    assert reach is not None
    assert 0.0 < reach.met < 0.999
    assert reach.cards <= sure.cards


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full searches of a service take a tenth of a second each: a few of them say what many would."""
    monkeypatch.setattr(service_fewest, "CHECKED", FEW)
    monkeypatch.setattr(service_fewest, "SERVICE_PILOT", FEW)
    monkeypatch.setattr(service_risk, "INDEX_SAMPLES", 64)


def test_planning_a_service_for_a_probability_buys_what_carries_it_in_so_many_draws() -> None:
    plain = planner.size(EXAMPLE, set=SMALL, samples=64)
    sure = planner.size(EXAMPLE, set=SMALL, samples=64, confidence=0.6)
    for plan in (plain, sure):
        assert plan.risk is not None
        assert plan.cards is not None
        assert {"cards", "requests_per_second", "facility_megawatts", "capex_usd"} <= set(plan.risk.bands)
    assert plain.risk is not None
    assert sure.risk is not None
    assert plain.cards is not None
    assert sure.cards is not None
    assert sure.cards.total > plain.cards.total
    assert (sure.risk.planned_for, sure.risk.cards) == (True, sure.cards.total)
    assert plain.risk.met is not None
    assert sure.risk.met is not None
    assert plain.risk.met < 0.6 <= sure.risk.met
    again = planner.size(EXAMPLE, set=[*SMALL, "search.threads=1"], samples=64)
    assert again.risk == plain.risk
    drivers = plain.risk.indices["requests_per_second"]
    assert drivers[0].total > 0.1
    assert {item.label for item in drivers} >= {"the serving model's own error"}
    assert sure.risk.measure_first[0].share >= sure.risk.measure_first[-1].share
    assert any("requests/s" in line.test for line in sure.risk.acceptance)


def test_a_service_that_is_there_is_drawn_alone_and_a_probability_needs_a_load() -> None:
    plan = planner.evaluate(EXAMPLE, cards=128, set=SMALL, samples=64)
    assert plan.risk is not None
    assert plan.risk.met is not None
    assert "cards" not in plan.risk.bands
    with pytest.raises(PlannerError, match="between 0 and 1"):
        planner.size(EXAMPLE, set=SMALL, confidence=0.0)


def test_a_probability_that_no_service_reaches_is_a_no_with_the_best_that_does() -> None:
    plan = planner.size(EXAMPLE, set=[*SMALL, "limits.cards=136"], samples=64, confidence=0.99)
    assert not plan.feasible
    assert "carries the load with 99 % certainty, at best " in plan.headline
