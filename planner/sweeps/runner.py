"""From points to rows: the work of a chunk, done in a thread here or in a process elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from planner.errors import PlannerError
from planner.plan.service import service_plan
from planner.plan.service_case import ServiceCase
from planner.plan.solve import plan_of
from planner.problem.evidence import leading_estimates
from planner.specs import SpecLibrary
from planner.sweeps.cases import AnyCase, Cases, answered
from planner.sweeps.columns import BANDED, DESIGN, outputs, taken_from
from planner.sweeps.contest import Contender, contests, told
from planner.sweeps.points import Job, Point, Question, question
from planner.sweeps.service_columns import SERVICE_BANDED, SERVICE_DESIGN, spread_out
from planner.sweeps.verbs import Finding

Row = dict[str, Any]
"""Column -> value; the columns of `planner.sweeps.columns.columns`, all of them, in their order."""


class Runner:
    """Makes rows; what points have in common (spec files, the base scenario) is read once."""

    def __init__(self, job: Job, library: SpecLibrary) -> None:
        """For one sweep over one library."""
        self.job = job
        self.library = library
        self._cases = Cases(job, library)
        taken = set(job.keys)
        self._names = {
            column.name: f"out.{column.name}" if column.name in taken else column.name
            for column in self._outputs
        }

    def rows(self, points: Sequence[Point], threads: int = 1) -> list[Row]:
        """The rows of points, in their order, the same for any number of threads.

        A point that cannot be answered is a row with its reason.
        """
        questions = [question(self.job, point, self.library) for point in points]
        if self.job.verb == "compare":
            fields = contests(questions, self.library, threads)
            return [self._contest(asked, field) for asked, field in zip(questions, fields, strict=True)]
        cases = [self._case(asked) for asked in questions]
        asked_of = {place: case for place, case in enumerate(cases) if case is not None}
        answers = answered(self.job.verb, list(asked_of.values()), threads)
        found = dict(zip(asked_of, answers, strict=True))
        return [
            self._row(asked, case, found.get(place, asked.fault))
            for place, (asked, case) in enumerate(zip(questions, cases, strict=True))
        ]

    def _contest(self, asked: Question, field: Sequence[Contender]) -> Row:
        """The row of the best system; of no system, where none has a plan."""
        if not field:
            return self._row(asked, None, asked.fault)
        best = field[0]
        row = self._row(asked, best.case, best.found if best.out is None else None)
        if best.out is not None:
            asked_at_all = any(isinstance(one.found, Finding) for one in field)
            row["status"] = "infeasible" if asked_at_all else "error"
            row["reason"] = "no system has a plan"
        self._put(row, told(field))
        return row

    def _case(self, asked: Question) -> AnyCase | None:
        if asked.scenario is None or asked.fault is not None:
            return None
        try:
            return self._cases.case_of(asked, asked.scenario)
        except PlannerError as fault:
            asked.fault = fault
            return None

    def _row(self, asked: Question, case: AnyCase | None, found: Finding | PlannerError | None) -> Row:
        row: Row = {"index": asked.point.index, "key": asked.key, "status": "error", "reason": None}
        row |= asked.point.values
        row |= dict.fromkeys(self._names[column.name] for column in self._outputs)
        if case is None or not isinstance(found, Finding):
            row["reason"] = _told(found)
            return row
        row["status"] = "ok" if found.feasible else "infeasible"
        row["reason"] = found.reason
        self._put(row, self._tail(case, found))
        if found.design is not None:
            design = spread_out(found.design) if self.job.service else found.design
            shown = SERVICE_DESIGN if self.job.service else DESIGN
            self._put(row, {column.name: taken_from(design, column) for column in shown})
            if self.job.bands:
                self._put(row, _bands(case, found))
        return row

    @property
    def _outputs(self) -> Iterable[Any]:
        return outputs(self.job.verb, self.job.bands, self.job.service)

    def _put(self, row: Row, values: Row) -> None:
        row.update((self._names[name], value) for name, value in values.items())

    def _tail(self, case: AnyCase, found: Finding) -> Row:
        design = found.design
        estimates = None
        if design is not None:
            names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
            guessed = leading_estimates(case.problem.figures)
            estimates = sum(figure.used_by(*names) for figure in guessed)
        return {
            "margin": found.margin,
            "binding": " ".join(found.binding) or None,
            "estimates": estimates,
            "problem_hash": case.problem.hash,
        }


def _bands(case: AnyCase, found: Finding) -> Row:
    if isinstance(case, ServiceCase):
        plan, names = service_plan(case, {**found.result, "best": found.design}), SERVICE_BANDED
    else:
        plan, names = plan_of(case, found.result, found.design, sure=False), BANDED
    row: Row = {"evidence_grade": plan.evidence.grade}
    for name in names:
        band = getattr(plan.bands, name) if plan.bands else None
        row[f"{name}_p10"] = band.p10 if band else None
        row[f"{name}_p90"] = band.p90 if band else None
    return row


def _told(fault: Finding | PlannerError | None) -> str:
    """The message in one line."""
    if not isinstance(fault, PlannerError):
        return "no answer"
    where = f"{fault.key}: " if fault.key else ""
    hint = f" ({fault.hint})" if fault.hint and "\n" not in fault.hint else ""
    return f"{where}{' '.join(fault.message.split())}{hint}"
