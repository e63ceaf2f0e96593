"""A point where systems are compared: each is sized alone, as by `planner compare`; the best has the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planner.errors import PlannerError
from planner.plan.service_case import ServiceCase
from planner.problem.contender import alone
from planner.problem.market import excluded
from planner.specs import SpecLibrary
from planner.sweeps.cases import AnyCase, answered, case_of
from planner.sweeps.points import Question
from planner.sweeps.verbs import Finding, Outcome


@dataclass
class Contender:
    """One system at one point: its question, or why it is out."""

    system: str
    case: AnyCase | None = None
    out: str | None = None
    found: Outcome | None = None


def contests(questions: Sequence[Question], library: SpecLibrary, threads: int) -> list[list[Contender]]:
    """The contenders of every point, answered; the best first, those without a plan last."""
    fields = [_contenders(asked, library) for asked in questions]
    cases = [(one, one.case) for field in fields for one in field if one.case is not None]
    for (one, _), found in zip(cases, answered("size", [case for _, case in cases], threads), strict=True):
        one.found = found
        if isinstance(found, PlannerError):
            one.out = " ".join(found.message.split())
        elif not found.feasible:
            one.out = found.reason
    return [sorted(field, key=_rank) for field in fields]


def _contenders(asked: Question, library: SpecLibrary) -> list[Contender]:
    """Every system of the point's scenario; a name that no system has is one that is out."""
    found: dict[str, Contender] = {}
    for name in asked.scenario.hardware.systems if asked.scenario is not None else ():
        try:
            system = library.resolve_hardware(name)
            found.setdefault(system, _contender(asked, system, library))
        except PlannerError as fault:
            found.setdefault(name, Contender(name, out=" ".join(fault.message.split())))
    return list(found.values())


def _contender(asked: Question, system: str, library: SpecLibrary) -> Contender:
    assert asked.scenario is not None
    spec = library.system(system)
    why = excluded(spec, library.accelerator(spec.accelerator), asked.scenario.limits)
    if why is not None:
        return Contender(system, out=why)
    question, _ = alone(asked.scenario, system, library)
    case = case_of(question, library)
    # A figure of one system's card is none of another's: it changes the problems that use it.
    used = {figure.key for figure in case.problem.figures}
    figures = {key: value for key, value in asked.figures.items() if key in used}
    return Contender(system, case_of(question, library, figures) if figures else case)


def _rank(one: Contender) -> tuple[bool, float, str]:
    measure = value(one)
    if measure is None:
        return True, 0.0, one.system
    return False, measure if _by_cards(one) else -measure, one.system


def _by_cards(one: Contender) -> bool:
    return one.case is not None and one.case.problem.scenario.target.any


def value(one: Contender) -> float | None:
    """What systems are ranked by: cards where there is a target, else tokens per second with failures."""
    found = one.found
    if not isinstance(found, Finding) or not found.feasible or found.design is None:
        return None
    if _by_cards(one):
        return float(found.design["cards"]["total"])
    if isinstance(one.case, ServiceCase):
        most, load = (found.design[name] for name in ("most_requests_per_second", "requests_per_second"))
        return float(found.design["output_tokens_per_second"] * (most / load if load else 1.0))
    speed = found.design["performance"]
    return float(speed["tokens_per_second"] * speed["goodput"])


def told(field: Sequence[Contender]) -> dict[str, Any]:
    """The columns that only a comparison has."""
    ranked = [(one.system, measure) for one in field if (measure := value(one)) is not None]
    return {
        "contenders": len(field),
        "ranking": "; ".join(f"{name} {measure / ranked[0][1]:.4f}" for name, measure in ranked) or None,
        "refused": "; ".join(f"{one.system}: {one.out}" for one in field if one.out) or None,
    }
