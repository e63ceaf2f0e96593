"""Services under draws: the same numbers as evaluating them one by one, and cards that are sure enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner
from planner import engine
from planner.errors import PlannerError
from planner.plan import service_risk
from planner.plan.service_case import open_service
from planner.plan.service_solve import draws_of
from planner.plan.service_study import choice_of
from planner.problem import serving_wire
from planner.problem.service import build_service
from planner.scenario import load
from planner.specs import SpecLibrary

EXAMPLE = Path(__file__).parents[4] / "examples/deepseek-r1-p800-service.toml"
SMALL = ["target.requests_per_second=20"]


def test_a_draw_of_a_service_is_the_evaluation_of_its_rebuilt_problem() -> None:
    case = open_service(load(EXAMPLE, SMALL), SpecLibrary.from_environment(), samples=64)
    design = engine.size_service(case.request)["best"]
    choice = choice_of(design, case.request)
    draws = draws_of(case, design)
    assert draws.approximate == []
    columns = draws.of(choice, design["requests_per_second"])
    for place in (0, 31):
        values = {item.place: float(column[place]) for item, column in draws.values}
        request = build_service(case.problem.scenario, case.library, values).request
        answer = engine.evaluate_service(serving_wire.EvaluateServiceRequest(problem=request, design=choice))
        assert columns[place, service_risk.MEGAWATTS] == pytest.approx(
            answer["facility"]["facility_megawatts"], rel=1e-9
        )
        slower = draws.factor[place]
        assert columns[place, service_risk.RATE] * slower == pytest.approx(
            answer["most_requests_per_second"], rel=1e-6
        )


def test_the_smallest_copy_that_carries_the_load_is_what_a_draw_needs() -> None:
    ladder = [(8, 0.5), (16, 1.0), (32, 2.1)]
    rates = np.array([100.0, 50.0, 210.0, 10.0])
    needed = service_risk.cards_needed(ladder, rates, 100.0)
    assert needed.tolist() == [16.0, 32.0, 8.0, np.inf]


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
    assert sure.risk.measure_first[0].share >= sure.risk.measure_first[-1].share
    assert any("requests/s" in line.test for line in sure.risk.acceptance)


def test_a_service_that_is_there_is_drawn_alone_and_a_probability_needs_a_load() -> None:
    plan = planner.evaluate(EXAMPLE, cards=128, set=SMALL, samples=64)
    assert plan.risk is not None
    assert plan.risk.met is not None
    assert "cards" not in plan.risk.bands
    with pytest.raises(PlannerError, match="between 0 and 1"):
        planner.size(EXAMPLE, set=SMALL, confidence=0.0)
