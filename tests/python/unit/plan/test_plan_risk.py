"""Sampled plans: the leaves of a request are exact, and draws are evaluations of the rebuilt problem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planner
from planner import engine
from planner.errors import PlannerError
from planner.plan import case as cases
from planner.plan import risk as risks
from planner.plan.candidates import CANDIDATES, RUNNERS_UP, candidates_of
from planner.plan.drawn import Drawn, Inputs, Prepared, inputs_of, prepared, untargeted
from planner.plan.draws import normals
from planner.plan.fewest import Fewest, checked, families_of, fewest
from planner.plan.leaves import Leaves, numbers
from planner.problem import build, wire
from planner.scenario import load
from planner.specs import SpecLibrary

SMALL = """
[workload]
model = "llama2-70b"
tokens = "200B"
sequence = 4096
batch_sequences = 512
[target]
days = 30
[limits]
cards = 2048
[hardware]
systems = ["kunlun-p800-8"]
fabrics = ["roce-400"]
cooling = "cold-plate"
[site]
id = "guizhou"
[layout]
tp = 8
pp = [2, 4, 8]
vpp = 1
micro_batch = 1
recompute = "full"
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("risk") / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def case(scenario: Path) -> cases.Case:
    return cases.open_case(load(scenario), SpecLibrary.from_environment(), samples=64)


def test_a_draw_is_the_evaluation_of_the_problem_built_with_its_figures(case: cases.Case) -> None:
    problem = case.problem
    result = case.search(case.request)
    inputs = inputs_of(problem, [[]])
    candidates = candidates_of(problem, result, result["best"])[:3]
    z = normals(inputs.keys, 64, 0)
    draws = prepared(problem, inputs).draws(64, 0, z)
    drawn = risks.draw(draws, candidates)
    assert draws.of.leaves.approximate == ()
    for place in (0, 17, 63):
        values = {item.place: float(span.at(z[item.key])[place]) for item, span in inputs.figures}
        request = untargeted(build(problem.scenario, problem.library, values).request)
        rebuilt = numbers(request)
        for pointer, value in zip(draws.of.leaves.pointers, draws.matrix[place], strict=True):
            assert value == pytest.approx(rebuilt[pointer], rel=1e-9), pointer
        for index, choice in enumerate(candidates):
            design = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
            assert drawn.columns[place, index, risks.DAYS] == pytest.approx(
                design["performance"]["days"], rel=1e-9
            )
            assert drawn.columns[place, index, risks.CAPEX] == pytest.approx(
                design["cost"]["capex_usd"], rel=1e-9
            )


def test_a_sampled_plan_says_how_sure_it_is(scenario: Path) -> None:
    plan = planner.size(scenario, samples=256)
    found = plan.risk
    assert found is not None
    assert found.samples == 256
    assert found.met is not None
    assert 0.0 < found.met < 1.0
    band = found.bands["days"]
    assert band is not None
    assert band.p10 < band.p50 < band.p90
    assert found.check is not None
    assert found.check.samples == 64
    assert found.check.agreeing >= 58
    assert found.check.missed == 0
    assert found.check.mean is not None
    assert found.check.mean < 0.01
    assert found.indices["days"]
    assert found.measure_first[0].share >= found.measure_first[-1].share
    assert any("GEMM" in line.test for line in found.acceptance)
    again = planner.size(scenario, samples=256, set={"search.threads": 1})
    assert again.risk == found


def test_every_draw_looks_at_200_runners_up_where_the_space_has_them() -> None:
    examples = Path(__file__).parents[4] / "examples"
    for name in ("cloudmatrix-384.toml", "llama3-405b-h100.toml"):
        opened = cases.open_case(load(examples / name), SpecLibrary.from_environment(), samples=64)
        result = opened.search(opened.request)
        found = candidates_of(opened.problem, result, result["best"])
        assert RUNNERS_UP < len(found) <= CANDIDATES
        assert found[0].layout == wire.LayoutOfDesign.model_validate(result["best"]["layout"])
        assert len({choice.model_dump_json() for choice in found}) == len(found)


def test_a_cluster_that_is_there_is_drawn_alone(scenario: Path) -> None:
    plan = planner.evaluate(scenario, cards=1024, samples=128)
    assert plan.risk is not None
    assert (plan.risk.candidates, plan.risk.samples) == (1, 128)
    assert plan.risk.met is not None
    assert "cards" not in plan.risk.bands
    assert f"meets the target in {100 * plan.risk.met:.0f} % of the draws" in plan.headline
    days = plan.risk.bands["days"]
    assert days is not None
    assert days.p10 < plan.days < days.p90


def test_planning_for_a_probability_buys_more_cards_that_meet_it(scenario: Path) -> None:
    plain = planner.size(scenario, samples=256)
    sure = planner.size(scenario, samples=256, confidence=0.7)
    assert plain.risk is not None
    assert sure.risk is not None
    assert sure.cards is not None
    assert plain.cards is not None
    assert sure.risk.planned_for
    assert sure.cards.total > plain.cards.total
    assert sure.risk.met is not None
    assert sure.risk.met >= 0.7
    assert sure.risk.cards == sure.cards.total


def test_a_probability_out_of_reach_is_a_no_that_names_what_comes_nearest(scenario: Path) -> None:
    hard = {"target.days": 5, "limits.cards": 16384}
    plan = planner.size(scenario, samples=128, confidence=0.99, set=hard)
    assert not plan.feasible
    assert plan.risk is not None
    assert plan.risk.cards is None
    near = plan.risk.nearest
    assert near is not None
    assert plan.confidence is not None
    assert plan.confidence.nearest == near
    assert plan.headline.startswith("No: no cluster tried, up to")
    # The nearest is surer than the central plan; asked for no more than it reaches, the answer is yes.
    assert plan.risk.met is not None
    assert plan.risk.met < near.met < 0.99
    assert near.days is not None
    assert near.days > 5
    sure = planner.size(scenario, samples=128, confidence=near.met, set=hard | {"limits.cards": near.cards})
    assert sure.feasible
    assert sure.risk is not None
    assert sure.risk.met is not None
    assert sure.risk.met >= near.met
    capped = planner.size(
        scenario, samples=128, confidence=near.met, set=hard | {"limits.cards": near.cards // 2}
    )
    assert not capped.feasible
    assert "over the limit of" in capped.headline


def test_a_probability_needs_a_target_and_lies_between_0_and_1(scenario: Path) -> None:
    with pytest.raises(PlannerError, match="between 0 and 1"):
        planner.size(scenario, confidence=1.5)
    with pytest.raises(PlannerError, match="powers of two"):
        planner.size(scenario, samples=100)


def test_the_surest_candidate_is_the_smallest_that_is_sure_enough(case: cases.Case) -> None:
    choices = tuple(
        wire.DesignChoice(
            cluster=0, fabric=0, cooling=0, power_cap=1.0, cards=cards,
            layout=wire.LayoutOfDesign(
                pp=1, vpp=1, tp=8, cp=1, ep=1, etp=1, dp=1, micro_batch=1,
                recompute="full", sharding=1, sequence_parallel=True,
            ),
        )
        for cards in (800, 400, 600)
    )  # fmt: skip
    columns = np.zeros((10, 3, engine.OUTPUTS))
    # Days: 800 cards meet 30 always, 400 in half of the draws, 600 in nine of ten.
    columns[:, 0, risks.DAYS] = 20.0
    columns[:, 1, risks.DAYS] = [20.0] * 5 + [40.0] * 5
    columns[:, 2, risks.DAYS] = [20.0] * 9 + [40.0]
    of = Prepared(case.problem, Inputs((), ()), case.request, Leaves((), ()))
    drawn = risks.Sampled(choices, columns, Drawn(of, np.zeros((10, 0)), np.ones((10, 1))))
    assert [risks.surest(drawn, case.request, p) for p in (0.5, 0.9, 0.95, 0.9999)] == [1, 2, 0, 0]


def test_the_check_counts_what_a_full_search_does_better(case: cases.Case) -> None:
    problem = case.problem
    result = case.search(case.request)
    of = prepared(problem, inputs_of(problem, [[]]))
    known = candidates_of(problem, result, result["best"])[:4]
    families = families_of(of, known, 30.0, 0)
    assert len(families) == len({family.model_dump_json() for family in families})
    draws = of.draws(64, 0)
    found = fewest(draws, families, 30.0)
    assert checked(draws, found, 30.0).agreeing >= 60
    # Told to need a tenth more, or none at all, the search finds what is there.
    finite = np.isfinite(found.cards)
    more = Fewest(found.families, np.ceil(found.cards * 1.1 / 8) * 8, found.family, found.ranks)
    over = checked(draws, more, 30.0)
    assert over.mean == pytest.approx(0.1, abs=0.02)
    nothing = Fewest(found.families, np.full(64, np.inf), found.family, found.ranks)
    assert checked(draws, nothing, 30.0).missed == int(finite.sum())


def test_designs_of_draws_are_those_that_the_draws_need(case: cases.Case) -> None:
    problem = case.problem
    best = case.search(case.request)["best"]
    of = prepared(problem, inputs_of(problem, [[]]))
    families = families_of(of, [], 30.0, 0)
    draws = of.draws(64, 0)
    found = fewest(draws, families, 30.0)
    ladder = found.ladder()
    assert {choice.cards for choice in ladder} == {int(cards) for cards in found.cards if np.isfinite(cards)}
    sampled = risks.draw(draws, [*candidates_of(problem, {"front": [], "runners_up": []}, best, ladder)])
    # Every draw is met with the cards found for it; some designs hold fewer spares than a draw asks for.
    cards = np.array([float(choice.cards or 0) for choice in sampled.candidates])
    least = np.where(sampled.meets(case.request), cards, np.inf).min(axis=1)
    assert (least <= found.cards).all()
    assert (least >= 0.85 * found.cards).all()
