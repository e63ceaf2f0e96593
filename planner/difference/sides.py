"""The two sides of a difference: a plan, and where it can be had, the question that gave it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

from planner.errors import PlannerError
from planner.plan.case import open_case
from planner.plan.judge import judge
from planner.plan.model import Plan
from planner.plan.service import service_plan
from planner.plan.service_case import ServiceCase, open_service
from planner.plan.service_judge import judge_service
from planner.plan.solve import solve
from planner.scenario import Scenario, ServiceScenario
from planner.scenario.load import from_table, load
from planner.scenario.overrides import apply, parse
from planner.specs import SpecLibrary
from planner.specs.reading import parse_table, read_text
from planner.sweeps.cases import AnyCase, case_of
from planner.sweeps.service_verbs import SERVICE_VERBS

Verb = Literal["size", "evaluate"]
WORDS = 3
"""planner, verb and scenario: the least that a command holds."""


@dataclass
class Side:
    """One side.

    Attributes:
        name: how it is called.
        plan: the answer.
        case: the question, asked again; None where it cannot be had.
        design: of a service, the engine's evaluation that the plan was made of.
        table: its scenario's tables.
        verb: size or evaluate.
        why_not: why there is no question.
    """

    name: str
    plan: Plan
    case: AnyCase | None = None
    table: Mapping[str, Any] | None = None
    verb: Verb = "size"
    why_not: str | None = None
    design: Mapping[str, Any] | None = None


def side_of_scenario(path: Path, library: SpecLibrary, sets: Sequence[str] = ()) -> Side:
    """The side of a scenario file: sized.

    Raises:
        PlannerError: the scenario cannot be used.
    """
    return _sized(path.stem, load(path, sets), _table(path, sets), library)


def _sized(name: str, question: Scenario, table: Mapping[str, Any], library: SpecLibrary) -> Side:
    if isinstance(question, ServiceScenario):
        served = open_service(question, library)
        plan, design = answer_service(served, "size")
        return Side(name, plan, served, table, "size", design=design)
    case = open_case(question, library, command=None)
    return Side(name, solve(case), case, table, "size")


def side_of_table(
    name: str, table: Mapping[str, Any], library: SpecLibrary, sets: Sequence[str] = ()
) -> Side:
    """The side of a scenario given as its tables: sized.

    Raises:
        PlannerError: the scenario cannot be used.
    """
    whole = apply(table, [parse(text) for text in sets])
    return _sized(name, from_table(table, list(sets)), whole, library)


def answer_service(case: ServiceCase, verb: Verb) -> tuple[Plan, Mapping[str, Any] | None]:
    """A service sized, or judged on the cards that its scenario allows: the plan, and its design.

    Raises:
        PlannerError: as `size_service` and `judge_service`.
    """
    (found,) = SERVICE_VERBS[verb]([case], 0)
    if isinstance(found, PlannerError):
        raise found
    if verb == "evaluate":
        return judge_service(case), found.design
    return service_plan(case, {**found.result, "best": found.design}), found.design


def side_of_plan(name: str, plan: Plan, library: SpecLibrary) -> Side:
    """The side of a plan: its question is asked again by the plan's own command.

    The question counts only if it still gives the same problem, hash by hash: a scenario or a spec file that
    changed since then would explain another plan.
    """
    side = Side(name, plan)
    try:
        found = _again(plan, library)
    except PlannerError as fault:
        side.why_not = f"its command does not run here: {' '.join(fault.message.split())}"
        return side
    if found is None:
        side.why_not = "it does not say which command made it, or one with --layout or --cards"
        return side
    case, table, verb = found
    if case.problem.hash != plan.provenance.problem_hash:
        side.why_not = "its scenario or the spec files changed since it was made"
        return side
    if isinstance(case, ServiceCase):
        _, side.design = answer_service(case, verb)
    elif verb == "size":
        solve(case)
    else:
        judge(case)
    side.case, side.table, side.verb = case, table, verb
    return side


def _again(plan: Plan, library: SpecLibrary) -> tuple[AnyCase, Mapping[str, Any], Verb] | None:
    words = shlex.split(plan.provenance.command or "")
    if len(words) < WORDS or words[1] not in ("size", "evaluate") or words[2] == "-":
        return None
    path, rest = Path(words[2]), words[3:]
    sets = [value for option, value in pairwise(rest) if option == "--set"]
    if set(rest) - set(sets) - {"--set", "--no-estimates"}:
        return None
    question = load(path, sets)
    case: AnyCase
    if isinstance(question, ServiceScenario):
        case = open_service(question, library)
    else:
        case = open_case(question, library)
    return case, _table(path, sets), cast(Verb, words[1])


def _table(path: Path, sets: Sequence[str]) -> Mapping[str, Any]:
    return apply(parse_table(read_text(path)), [parse(text) for text in sets])


def case_of_table(table: Mapping[str, Any], library: SpecLibrary) -> AnyCase:
    """The question of a table that lies between two sides.

    Raises:
        PlannerError: it is no lawful scenario.
    """
    return case_of(from_table(table), library)
