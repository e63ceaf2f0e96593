"""Compared services under the same draws, as `rivals` for training."""

from __future__ import annotations

from collections.abc import Mapping

from planner import engine
from planner.plan.drawn import error_key
from planner.plan.draws import Floats, normals
from planner.plan.model import Plan
from planner.plan.rivals import Rival, told
from planner.plan.service_case import ServiceCase
from planner.plan.service_draws import RATE
from planner.plan.service_explain import choice_of_plan
from planner.plan.service_solve import draws_of, spans_of
from planner.plan.service_study import errors
from planner.problem import serving_wire


def service_rivals(
    plans: Mapping[str, tuple[ServiceCase, Plan]], leader: str, samples: int, seed: int, *, by_cards: bool
) -> dict[str, Rival]:
    """Draw everything uncertain of all services together.

    Args:
        plans: by name, each with the case that it answers.
        leader: the central best, which the others are set against.
        samples: draws, a power of two.
        seed: of the Sobol points.
        by_cards: the measure is cards for the load carried; else the highest load within latencies.
    """
    designs = {}
    keys: set[str] = set()
    for name, (case, plan) in plans.items():
        choice = choice_of_plan(case, plan)
        question = serving_wire.EvaluateServiceRequest(problem=case.request, design=choice)
        design = engine.evaluate_service(question)
        designs[name] = (choice, design)
        keys |= {item.key for item, _ in spans_of(case, design)}
        keys |= {error_key(error) for error in errors(case, design)}
    z = normals(sorted(keys), samples, seed)
    values: dict[str, Floats] = {}
    for name, (case, _) in plans.items():
        choice, design = designs[name]
        rates = draws_of(case, design, z, samples).of(choice, design["requests_per_second"])[:, RATE]
        values[name] = rates / design["cards"]["total"] if by_cards else rates
    return told(values, leader, least=by_cards)
