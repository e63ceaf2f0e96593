"""Services under their own traffic, from the scenario to the plan; searches of services cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import planner
from planner.cli.main import app
from planner.engine import Interrupt
from planner.errors import ScenarioError
from planner.plan.model import Plan
from planner.report.memo import sections

EXAMPLE = Path(__file__).parents[3] / "examples" / "vision-310p.toml"

SMALL: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 20, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["dgx-h100"]},
    "layout": {"pp": 1},
}


def _changed(**tables: dict[str, Any]) -> dict[str, Any]:
    return {**SMALL, **{name: {**SMALL.get(name, {}), **table} for name, table in tables.items()}}


def _text(plan: Plan) -> str:
    return "\n".join(f"{label}: {text}" for section in sections(plan) for label, text in section.rows)


@pytest.mark.parametrize(
    "system", ["atlas-300i-duo-8", "hanguang-800-8", "mtt-s3000-server", "mlu370-x8-server"]
)
def test_chips_built_for_items_plan_them(system: str) -> None:
    """Each is sized, simulated and told in items; nobody measured such items, so nothing is well known."""
    plan = planner.size(EXAMPLE, set={"hardware.systems": system})
    assert plan.feasible
    assert plan.serving is not None
    assert plan.serving.ttft is not None
    assert plan.serving.ttft.quantile <= 0.02
    ran = plan.serving.simulated
    assert ran is not None
    assert ran.confirmed
    assert ran.tpot_mean_seconds is None
    assert "confirmed by simulation" in plan.headline
    assert plan.evidence.grade == "D"
    text = _text(plan)
    assert "a million items" in text
    assert "tokens/s" not in text
    assert "a million tokens" not in text


def test_an_integer_chip_is_not_planned_in_another_precision() -> None:
    """Hanguang 800 has no 16-bit peak."""
    with pytest.raises(planner.PlannerError, match="peak"):
        planner.size(EXAMPLE, set={"hardware.systems": "hanguang-800-8", "workload.precision": "bf16"})


def test_items_larger_than_the_memory_of_the_chip_do_not_fit() -> None:
    """300 MB of weights on 192 MB."""
    plan = planner.size(EXAMPLE, set={"hardware.systems": "hanguang-800-8", "workload.weights": "300M"})
    assert not plan.feasible
    assert plan.nearest is not None
    assert plan.nearest.what == "memory"


def _trace(path: Path, bursts: bool, columns: str = "arrival_seconds,input_tokens,output_tokens") -> str:
    """Ten minutes at four a second; or the same requests in bursts of 120, each within a second."""
    lengths = ",1000,200" if "," in columns else ""
    times = [(number // 120 * 30 + (number % 120) / 120) if bursts else number / 4 for number in range(2400)]
    rows = "\n".join(f"{time:.4f}{lengths}" for time in times)
    path.write_text(f"{columns}\n{rows}\n", encoding="utf-8")
    return str(path)


def test_percentiles_of_a_trace_come_from_its_own_arrivals(tmp_path: Path) -> None:
    """The same load in bursts waits longer, needs more, and the plan says that the trace was replayed."""
    plans = []
    for bursts in (False, True):
        trace = _trace(tmp_path / f"{bursts}.csv", bursts)
        work = {"kind": "serving", "model": "llama3.1-8b", "trace": trace, "peak_window": "60 s"}
        target = {"ttft": {"value": "1 s", "percentile": 95}, "tpot": "50 ms"}
        plans.append(planner.size({**SMALL, "workload": work, "target": target}))
    even, burst = (plan.serving for plan in plans)
    assert even is not None
    assert burst is not None
    assert even.simulated is not None
    assert burst.simulated is not None
    assert burst.simulated.arrivals == "trace"
    assert 0.0 < (burst.simulated.share_of_trace or 0.0) <= 1.0
    assert burst.simulated.confirmed
    assert burst.refuted[0].simulated.ttft_p99_seconds > 2.0 * even.simulated.ttft_p99_seconds
    assert len(burst.refuted) > len(even.refuted)
    assert "confirmed by replay of the trace" in plans[1].headline
    assert "trace replayed: " in _text(plans[1])
    assert "gaps with spread" in _text(plans[1])


def test_items_take_a_trace_of_arrivals_alone(tmp_path: Path) -> None:
    """No lengths are asked for, and the busiest window is the peak."""
    trace = _trace(tmp_path / "items.csv", bursts=False, columns="arrival_seconds")
    plan = planner.size(EXAMPLE, set={"workload.trace": trace, "target.requests_per_second": 1000})
    assert plan.serving is not None
    assert plan.serving.simulated is not None
    assert plan.serving.simulated.arrivals == "trace"
    (tmp_path / "items.csv").write_text("when\n1\n2\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="arrival_seconds"):
        planner.size(EXAMPLE, set={"workload.trace": trace})


def test_lengths_beyond_the_context_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    """The longest of a histogram or a trace counts, not its mean."""
    table = _changed(workload={"input_tokens": {"histogram": [[100, 0.99], [200_000, 0.01]]}})
    with pytest.raises(ScenarioError, match="longer than the") as fault:
        planner.size(table)
    assert fault.value.key == "workload.input_tokens"
    path = tmp_path / "long.csv"
    rows = "arrival_seconds,input_tokens,output_tokens\n0,10,10\n1,200000,10\n"
    path.write_text(rows, encoding="utf-8")
    work = {"kind": "serving", "model": "llama3.1-8b", "trace": str(path)}
    with pytest.raises(ScenarioError, match="longest request of 200,010") as fault:
        planner.size({**SMALL, "workload": work})
    assert fault.value.key == "workload.trace"


def test_a_histogram_is_simulated_as_it_is() -> None:
    """Its tail is in the percentiles: a log-normal law of the same moments has another."""
    histogram = [[200, 0.9], [8200, 0.1]]
    told = planner.size(_changed(workload={"input_tokens": {"histogram": histogram}})).serving
    alike = planner.size(_changed(workload={"input_tokens": {"mean": 1000, "spread": 2.4}})).serving
    assert told is not None
    assert alike is not None
    assert told.simulated is not None
    assert alike.simulated is not None
    assert told.simulated.ttft_p50_seconds != alike.simulated.ttft_p50_seconds


MANY = {"systems": ["dgx-h100", "dgx-h200", "atlas-800t-a2"], "power_caps": [1.0, 0.9, 0.8]}


def test_a_time_limit_ends_a_search_with_the_best_so_far() -> None:
    """The first ground is worked through, the plan says that it is not complete, and what that means."""
    plan = planner.size(_changed(hardware=MANY, search={"time_limit": "1 us"}))
    assert plan.feasible
    assert not plan.complete
    assert "search not complete" in plan.headline
    assert any("cut short" in note for note in plan.notes)
    assert plan.system == "dgx-h100"
    full = planner.size(_changed(hardware=MANY, search={"time_limit": "10 min"}))
    assert full.complete
    assert full.search.enumerated > plan.search.enumerated


def test_a_search_cut_short_does_not_prove_a_no() -> None:
    """No plan so far is told as such."""
    plan = planner.size(_changed(hardware=MANY, search={"time_limit": "1 us"}, target={"tpot": "0.1 ms"}))
    assert not plan.feasible
    assert plan.nearest is not None
    assert "proves nothing" in plan.nearest.why


def test_progress_of_a_search_is_told_and_an_interrupt_is_noted() -> None:
    """As for training: counts that grow. What an interrupt leaves depends on the clock; it is told."""
    seen: list[dict[str, Any]] = []
    plan = planner.size(_changed(hardware=MANY), progress=seen.append)
    assert plan.complete
    assert 0 <= seen[-1]["done"] < max(2, seen[-1]["total"])
    interrupt = Interrupt()
    interrupt.pressed = True
    cut = planner.size(_changed(hardware=MANY), interrupt=interrupt)
    assert cut.run.interrupted


def test_a_probability_that_nothing_reaches_is_a_no() -> None:
    """Exit code 1, and the central plan as the nearest."""
    words = ["--set", "limits.cards=8", "--set", "target.requests_per_second=40000", "--samples", "64"]
    answer = CliRunner().invoke(app, ["size", str(EXAMPLE), *words, "--confidence", "0.95"])
    assert answer.exit_code == 1, answer.output
    assert answer.output.startswith(
        "No: no service tried, of up to 8 cards, carries the load with 95 % certainty"
    )
    sure = CliRunner().invoke(app, ["size", str(EXAMPLE), "--samples", "64", "--confidence", "0.5"])
    assert sure.exit_code == 0, sure.output
