"""Paired bands: how far the *difference* of two answers may be off.

Both answers rest on many of the same figures, and an error in one of those moves both. So every figure goes
to its low and its high in both problems at once, both designs are evaluated again, and what counts is the
change of the logarithm of their ratio. Deviations of different figures are independent and add in quadrature,
upwards and downwards apart, as for the bands of one plan. The model's own error and that of the software are
common to both sides, and cancel, where the chip family (or the profile) is the same; else both count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from planner import engine
from planner.difference.causes import OUTPUTS
from planner.errors import EXIT_BUG, EngineError, PlannerError
from planner.plan import figures
from planner.plan.bands import Z90, Uncertain, outputs_of
from planner.plan.case import Case
from planner.plan.studied import only_this
from planner.problem import build, wire

Logs = Mapping[str, float]
Ratios = dict[str, tuple[float, float]]


def ratios(a: Case, b: Case) -> Ratios:
    """P10 and P90 of ln(output of b / output of a), by output; empty where one side has no design."""
    if a.design is None or b.design is None:
        return {}
    squares = {name: [0.0, 0.0] for name in OUTPUTS}
    for low, high in _moves(a, b):
        for name, (down, up) in squares.items():
            changes = (low.get(name, 0.0), high.get(name, 0.0))
            squares[name] = [down + min(0.0, *changes) ** 2, up + max(0.0, *changes) ** 2]
    for sigma in _own_errors(a, b):
        down, up = squares["days"]
        squares["days"] = [down + (Z90 * sigma) ** 2, up + (Z90 * sigma) ** 2]
    found: Ratios = {}
    for name, (down, up) in squares.items():
        first, second = outputs_of(a.design)[name], outputs_of(b.design)[name]
        if first and second:
            middle = math.log(second / first)
            found[name] = (middle - math.sqrt(down), middle + math.sqrt(up))
    return found


def _moves(a: Case, b: Case) -> list[tuple[Logs, Logs]]:
    """For each uncertain figure: change of ln(b/a) with it at its low and at its high."""
    sides = [_Moved(case) for case in (a, b)]
    everything: dict[Any, Uncertain] = {}
    for side in sides:
        everything |= {figure.place: figure for figure in side.figures.values()}
    ordered = [everything[place] for place in sorted(everything)]
    logs = [side.logs(ordered) for side in sides]
    return [
        tuple(_minus(logs[1][place, end], logs[0][place, end]) for end in (0, 1))  # type: ignore[misc]
        for place in range(len(ordered))
    ]


def _minus(second: Logs, first: Logs) -> Logs:
    return {name: second.get(name, 0.0) - first.get(name, 0.0) for name in OUTPUTS}


class _Moved:
    """One side with its figures moved."""

    def __init__(self, case: Case) -> None:
        assert case.design is not None
        self._case, self._design = case, case.design
        design = case.design
        names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
        used = [figure for figure in case.problem.figures if figure.used_by(*names)]
        self.figures = {figure.place: figure for figure in figures.uncertain(used)}

    def logs(self, wanted: list[Uncertain]) -> dict[tuple[int, int], Logs]:
        """ln(moved / central) by place and end; nothing moves where the side has no such figure."""
        plant, choice = only_this(self._case, self._design)
        asked: dict[tuple[int, int], wire.EvaluateRequest] = {}
        for place, figure in enumerate(wanted):
            if figure.place not in self.figures:
                continue
            for end, value in enumerate((figure.low, figure.high)):
                try:
                    request = build(plant, self._case.library, {figure.place: value}).request
                except PlannerError:
                    continue
                asked[place, end] = wire.EvaluateRequest(problem=request, design=choice)
        answers = dict(zip(asked, engine.evaluate_many(list(asked.values()), threads=0), strict=True))
        centre = outputs_of(self._design)
        return {
            (place, end): self._log(answers.get((place, end)), centre)
            for place in range(len(wanted))
            for end in (0, 1)
        }

    def _log(self, answer: Any, centre: Mapping[str, float | None]) -> Logs:
        if isinstance(answer, EngineError) and answer.exit_code == EXIT_BUG:
            raise answer
        if answer is None or isinstance(answer, EngineError):
            return {}
        moved = outputs_of(answer)
        pairs = {name: (moved.get(name), centre.get(name)) for name in OUTPUTS}
        return {name: math.log(new / old) for name, (new, old) in pairs.items() if new and old}


def _own_errors(a: Case, b: Case) -> list[float]:
    """Sigmas of ln(time) that do not cancel."""
    assert a.design is not None
    assert b.design is not None
    chips = [case.problem.calibrations[case.design["cluster"]] for case in (a, b) if case.design]
    tools = [case.problem.softwares[case.design["cluster"]] for case in (a, b) if case.design]
    own: list[float] = []
    if chips[0].efficiency != chips[1].efficiency:
        own += [chip.residual for chip in chips]
    if tools[0].id != tools[1].id:
        own += [tool.spread.value for tool in tools]
    return own
