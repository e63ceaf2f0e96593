"""The benchmark cases and what is measured on each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner import engine
from planner.bench.memory import peak_bytes, reset_peak
from planner.errors import PlannerError
from planner.problem import build, wire
from planner.scenario import load
from planner.specs import SpecLibrary

FOLDER = Path(__file__).resolve().parents[1] / "data" / "bench"
CASES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
"""Names of the cases: scenarios in ``planner/data/bench``."""


@dataclass(frozen=True)
class Measured:
    """What one case took.

    Attributes:
        case: its name.
        search_seconds: wall time of the whole search, all threads.
        first_plan_seconds: until a plan that meets the target was known and told, of the same search.
        peak_bytes: most memory of the process during the search, Python and the spec library included.
        candidates: layouts of the declared space.
        candidates_per_second: disposed of per second, all threads, bounds on.
        evaluated: distinct feasible layouts evaluated with the bounds off, one thread.
        evaluations_per_second: time, memory, power and cost, per second and core.
        cold_evaluation_seconds: one design through the boundary, request and answer encoded.
    """

    case: str
    search_seconds: float
    first_plan_seconds: float
    peak_bytes: int | None
    candidates: int
    candidates_per_second: float
    evaluated: int
    evaluations_per_second: float
    cold_evaluation_seconds: float


def measure(case: str, seconds: float, library: SpecLibrary | None = None) -> Measured:
    """Run one case: its search, then evaluations on one core for about ``seconds``.

    Raises:
        PlannerError: the case does not exist or the library is broken.
    """
    if case not in CASES:
        raise PlannerError(f"there is no benchmark case {case!r}", hint=f"cases: {', '.join(CASES)}")
    scenario = load(FOLDER / f"{case}.toml")
    problem = build(scenario, library or SpecLibrary())
    found_after: list[float] = []

    def watch(told: Mapping[str, Any]) -> None:
        if told["found"] and not found_after:
            found_after.append(time.perf_counter() - start)

    reset_peak()
    start = time.perf_counter()
    result = engine.size(problem.request, watch)
    took = time.perf_counter() - start
    peak = peak_bytes()
    if result["best"] is None:
        raise PlannerError(f"benchmark case {case!r} has no design: {(result['nearest'] or {}).get('why')}")
    rate = engine.evaluation_rate(problem.request, seconds)
    candidates = int(result["search"]["enumerated"])
    return Measured(
        case=case,
        search_seconds=took,
        first_plan_seconds=found_after[0] if found_after else took,
        peak_bytes=peak,
        candidates=candidates,
        candidates_per_second=candidates / took,
        evaluated=int(rate["evaluated"]),
        evaluations_per_second=float(rate["evaluations_per_second"]),
        cold_evaluation_seconds=_cold(problem.request, result["best"]),
    )


def _cold(request: wire.Request, design: Mapping[str, Any]) -> float:
    choice = wire.DesignChoice.model_validate(
        {
            "cluster": design["cluster"],
            "fabric": design["fabric_index"],
            "cooling": design["cooling_index"],
            "power_cap": design["power_cap"],
            "cards": None,
            "layout": design["layout"],
        }
    )
    start = time.perf_counter()
    engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
    return time.perf_counter() - start
