"""Services from the scenario to the plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import planner
from planner import api
from planner.errors import PlannerError, ScenarioError
from planner.plan.model import Plan
from planner.plan.service_parts import ServicePool
from planner.plan.shown import number
from planner.report.memo import sections

EXAMPLES = Path(__file__).parents[3] / "examples"

SMALL: dict[str, Any] = {
    "site": "shanghai",
    "workload": {
        "kind": "serving",
        "model": "llama3.1-8b",
        "input_tokens": 1000,
        "output_tokens": 200,
    },
    "target": {"requests_per_second": 20, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["dgx-h100"]},
    "layout": {"pp": 1},
}


def _changed(**tables: dict[str, Any]) -> dict[str, Any]:
    return {**SMALL, **{name: {**SMALL.get(name, {}), **table} for name, table in tables.items()}}


def _text(plan: Plan) -> str:
    return "\n".join(f"{label}: {text}" for section in sections(plan) for label, text in section.rows)


def test_a_service_is_a_plan_with_pools_costs_and_bands() -> None:
    """Whole instances in whole servers, within both latencies, and the same bytes again."""
    plan = planner.size(SMALL)
    assert plan.feasible
    service = plan.serving
    assert service is not None
    assert service.tpot is not None
    assert service.ttft is not None
    assert service.tpot.quantile <= 0.05
    assert service.ttft.quantile <= 2.0
    assert service.most_requests_per_second >= 20
    assert plan.cards is not None
    assert plan.cards.total % 8 == 0
    for pool in plan.pools:
        assert isinstance(pool, ServicePool)
        assert sum(pool.performance.breakdown.values()) == pytest.approx(pool.performance.step_seconds)
    costs = [row.usd for row in service.cost_per_million]
    assert costs[0] is not None
    assert costs[1] is not None
    # Cards at half load draw less: a little under twice as much a token.
    assert 1.8 * costs[0] < costs[1] < 2.0 * costs[0]
    assert plan.bands is not None
    band = plan.bands.requests_per_second
    assert band is not None
    assert band.p10 < band.p50 < band.p90
    assert plan.confidence is not None
    assert (plan.confidence.cards or 0) >= plan.cards.total
    assert Plan.from_json(plan.to_json()) == plan
    again, first = planner.size(SMALL).to_dict(), plan.to_dict()
    assert {**again, "run": None} == {**first, "run": None}
    assert "a million output tokens" in _text(plan)


def test_limits_alone_ask_for_the_most_requests() -> None:
    """The same cards serve at least what they were bought for."""
    bought = planner.size(SMALL)
    assert bought.cards is not None
    target = {"ttft": "2 s", "tpot": "50 ms"}
    plan = planner.size({**SMALL, "target": target, "limits": {"cards": bought.cards.total}})
    assert plan.serving is not None
    assert plan.serving.requests_per_second >= 20
    assert plan.question == "limits"


def test_evaluate_says_what_a_cluster_serves_and_whether_that_is_enough() -> None:
    """The load judges the cluster; it does not choose it."""
    enough = planner.evaluate(SMALL, cards=8, layout="tp=1,mode=aggregated")
    assert enough.feasible
    assert enough.comparison is not None
    assert enough.comparison.meets_target
    short = planner.evaluate(_changed(target={"requests_per_second": 2000}), cards=8)
    assert not short.feasible
    assert short.serving is not None
    assert short.serving.verdict == "overloaded"
    assert short.headline.startswith("No:")


def test_of_a_whitelist_what_the_chip_lacks_is_left_out_and_said() -> None:
    """An H100 has no 4-bit peak: asked for 4 and 8 bits it serves with 8."""
    plan = planner.size(_changed(workload={"precisions": ["fp4", "fp8"]}))
    assert plan.feasible
    assert plan.serving is not None
    assert plan.serving.precision is not None
    assert plan.serving.precision["dense_products"] == "fp8"
    assert any("no fp4 peak: not considered" in note for note in plan.notes)


def test_cached_prefixes_are_said_to_need_a_place() -> None:
    """A share of the prompts found in a cache is taken as given: what holds it is not bought."""
    plan = planner.size(_changed(workload={"prefix_hit": 0.5}))
    assert any("50 % of prompt tokens" in note and "neither sized nor bought" in note for note in plan.notes)


def test_an_impossible_latency_names_the_best_reachable() -> None:
    """The answer is no, with the latency that binds."""
    plan = planner.size(_changed(target={"tpot": "0.1 ms"}))
    assert not plan.feasible
    assert plan.nearest is not None
    assert "tpot binds" in plan.nearest.why
    assert plan.headline.startswith("No: tpot binds")


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ({"workload": {"input_tokens": 200_000}}, "workload.input_tokens", "longer than the"),
        ({"workload": {"precisions": ["fp4"]}}, "workload.precisions", "has no fp4 peak"),
        (
            {"workload": {"speculation": {"acceptance": 1.2}}},
            "workload.speculation.acceptance",
            "between 0 and 1",
        ),
        ({"workload": {"trace": "t.csv"}}, "workload.trace", "leave input_tokens"),
        ({"workload": {"prefix_hit": 1.0}}, "workload.prefix_hit", "less than 1"),
        ({"workload": {"software": "sglan-2025"}}, "workload.software", "no serving profile"),
        ({"target": {"days": 3}}, "target.days", "belongs to training"),
        ({"target": {"latency": "1 s"}}, "target.latency", "generic items"),
        ({"target": {"tokens_per_second": 5}}, "target.tokens_per_second", "excludes"),
        ({"layout": {"mode": "split"}}, "layout.mode[0]", "must be"),
        ({"workload": {"tokens": 5}}, "workload.tokens", "unknown key"),
        ({"search": {"time_limit": "-5 s"}}, "search.time_limit", "above zero"),
    ],
)
def test_bad_input_is_told_with_its_key(change: dict[str, Any], key: str, message: str) -> None:
    """File, key and remedy; never a traceback."""
    with pytest.raises(PlannerError) as fault:
        planner.size(_changed(**change))
    assert fault.value.key == key
    assert message in fault.value.message


def test_a_trace_gives_lengths_and_peak(tmp_path: Path) -> None:
    """The service is sized for the busiest window."""
    rows = [f"{second},1000,200" for second in range(0, 200, 2)]
    rows += [f"{200 + tenth / 10},1000,200" for tenth in range(100)]
    (tmp_path / "t.csv").write_text(
        "arrival_seconds,input_tokens,output_tokens\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    text = (
        'site = "shanghai"\n[workload]\nkind = "serving"\nmodel = "llama3.1-8b"\ntrace = "t.csv"\n'
        'peak_window = "10 s"\n[target]\ntpot = "50 ms"\n'
        '[hardware]\nsystems = ["dgx-h100"]\n[layout]\npp = 1\n'
    )
    path = tmp_path / "service.toml"
    path.write_text(text, encoding="utf-8")
    plan = planner.size(path)
    assert plan.target.peak_requests_per_second == pytest.approx(10.0, rel=0.02)
    assert plan.target.requests_per_second is not None
    assert plan.target.requests_per_second < 1.0
    (tmp_path / "t.csv").write_text("arrival_seconds,input_tokens,output_tokens\n", encoding="utf-8")
    with pytest.raises(ScenarioError) as fault:
        planner.size(path)
    assert fault.value.key == "workload.trace"
    (tmp_path / "t.csv").write_text(
        "arrival_seconds,input_tokens,output_tokens\n5,10,10\n4,10,10\n", encoding="utf-8"
    )
    with pytest.raises(ScenarioError, match=r"line 3|order") as fault:
        planner.size(path)
    assert fault.value.key == "workload.trace"


def test_a_model_that_fits_nowhere_is_a_no() -> None:
    """Weights beyond every instance of the space: an answer, not an error."""
    plan = planner.size(_changed(workload={"model": "llama3.1-405b"}, layout={"tp": 1, "pp": 1}))
    assert not plan.feasible
    assert plan.nearest is not None
    assert plan.nearest.what == "memory"
    assert "fit on no instance" in plan.headline


def test_the_most_that_some_of_the_bought_cards_carry_is_said_to_be_of_those() -> None:
    """Two H100 of a server of eight carry the load: the figure is no figure of the server."""
    plan = planner.size(_changed(target={"requests_per_second": 1}))
    assert plan.cards is not None
    assert plan.cards.active < plan.cards.total == 8
    words = f"{plan.cards.active} card{'' if plan.cards.active == 1 else 's'} at work"
    assert f"requests/s on the {words}" in plan.headline
    assert f"within the latencies on the {words} (8 cards bought)" in _text(plan)


def test_a_step_of_prompts_is_said_to_be_one_at_full_load() -> None:
    plan = planner.size(_changed(layout={"mode": "disaggregated"}))
    told = dict(row for section in sections(plan) if section.title == "Pools" for row in section.rows[:2])
    assert " at full load, " in told["step"]


def test_generic_items_are_sized_for_chips_built_for_them() -> None:
    """Images a second on Hanguang 800 alike cards: one device each, latency at the percentile."""
    plan = planner.size(
        {
            "site": "shanghai",
            "workload": {
                "kind": "generic",
                "name": "resnet-50",
                "flops": "8.2 GFLOP",
                "bytes": "25 MB",
                "memory": "10 MB",
                "weights": "26M",
                "precision": "int8",
            },
            "target": {"requests_per_second": 50_000, "latency": {"value": "20 ms", "percentile": 99}},
            "hardware": {"systems": ["mlu370-x8-server"]},
        }
    )
    assert plan.feasible
    assert plan.serving is not None
    assert plan.serving.ttft is not None
    assert plan.serving.ttft.quantile <= 0.02
    assert "a million items" in _text(plan)


def test_a_named_layout_of_training_is_no_layout_of_a_service() -> None:
    """No traceback where a dimension is of training only."""
    with pytest.raises(ScenarioError, match="no dimension of a service"):
        api.explain(SMALL, layout="micro_batch=4", cards=8)


@pytest.mark.parametrize("name", ["deepseek-r1-p800-service", "deepseek-r1-cloudmatrix", "llama70b-compare"])
def test_the_examples_of_services_have_an_answer(name: str) -> None:
    """They run as shipped."""
    plan = planner.size(EXAMPLES / f"{name}.toml")
    assert plan.feasible
    assert json.loads(plan.to_json())["serving"]["verdict"] == "stable"


def test_a_service_is_simulated_and_the_first_line_says_so() -> None:
    """Percentiles of the simulation stand beside the closed forms, in order; another seed gives others."""
    plan = planner.size(SMALL)
    assert plan.serving is not None
    ran = plan.serving.simulated
    assert ran is not None
    assert ran.confirmed
    assert ran.ttft_p50_seconds <= ran.ttft_p90_seconds <= ran.ttft_p99_seconds
    late = [ran.tpot_p50_seconds, ran.tpot_p90_seconds, ran.tpot_p99_seconds]
    assert late == sorted(late, key=lambda seconds: seconds or 0.0)
    assert (ran.tpot_quantile_seconds or 1.0) <= 0.05 * 1.05
    # What was simulated is the load that is asked for, not the most that the closed forms find room for.
    assert (
        f"confirmed by simulation at {number(plan.serving.requests_per_second)} requests/s" in plan.headline
    )
    assert "NOT" not in plan.headline
    assert "simulated: " in _text(plan)
    other = planner.size(_changed(search={"seed": 7})).serving
    assert other is not None
    assert other.simulated is not None
    assert other.simulated.seed == 7
    assert other.simulated.ttft_mean_seconds != ran.ttft_mean_seconds


def test_an_availability_adds_spare_instances() -> None:
    """More of them the surer the service must be, on top of what the load needs."""
    counts = []
    for share in (None, 0.99, 0.99999):
        target = {} if share is None else {"availability": share}
        plan = planner.size(_changed(target=target))
        counts.append(sum(pool.spare_instances for pool in plan.pools if isinstance(pool, ServicePool)))
    assert counts[0] == 0
    assert counts[0] < counts[1] < counts[2]
    with pytest.raises(ScenarioError, match="less than 1"):
        planner.size(_changed(target={"availability": 1.0}))
