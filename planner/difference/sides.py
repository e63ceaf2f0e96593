"""The two sides of a difference: a plan, and where it can be had, the question that gave it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

from planner.errors import PlannerError
from planner.plan.case import Case, open_case
from planner.plan.judge import judge
from planner.plan.model import Plan
from planner.plan.solve import solve
from planner.scenario.load import from_table, load
from planner.scenario.overrides import apply, parse
from planner.specs import SpecLibrary
from planner.specs.reading import parse_table, read_text

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
        table: its scenario's tables.
        verb: size or evaluate.
        why_not: why there is no question.
    """

    name: str
    plan: Plan
    case: Case | None = None
    table: Mapping[str, Any] | None = None
    verb: Verb = "size"
    why_not: str | None = None


def side_of_scenario(path: Path, library: SpecLibrary, sets: Sequence[str] = ()) -> Side:
    """The side of a scenario file: sized.

    Raises:
        PlannerError: the scenario cannot be used.
    """
    case = open_case(load(path, sets), library, command=None)
    plan = solve(case)
    return Side(path.stem, plan, case, _table(path, sets), "size")


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
    if verb == "size":
        solve(case)
    else:
        judge(case)
    side.case, side.table, side.verb = case, table, verb
    return side


def _again(plan: Plan, library: SpecLibrary) -> tuple[Case, Mapping[str, Any], Verb] | None:
    words = shlex.split(plan.provenance.command or "")
    if len(words) < WORDS or words[1] not in ("size", "evaluate") or words[2] == "-":
        return None
    path, rest = Path(words[2]), words[3:]
    sets = [value for option, value in pairwise(rest) if option == "--set"]
    if set(rest) - set(sets) - {"--set", "--no-estimates"}:
        return None
    case = open_case(load(path, sets), library)
    return case, _table(path, sets), cast(Verb, words[1])


def _table(path: Path, sets: Sequence[str]) -> Mapping[str, Any]:
    return apply(parse_table(read_text(path)), [parse(text) for text in sets])


def case_of_table(table: Mapping[str, Any], library: SpecLibrary) -> Case:
    """The question of a table that lies between two sides.

    Raises:
        PlannerError: it is no lawful scenario.
    """
    return open_case(from_table(table), library)
