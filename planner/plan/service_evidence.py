"""How well a service is known: published runs, calibration, what the software of the chip has proven."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from planner.plan import evidence, figures
from planner.plan.account import Evidence
from planner.plan.bands import ModelError, Study
from planner.plan.maturity import PlanMaturity, class_of, maturity_of
from planner.plan.port import port_errors, port_of
from planner.plan.service_case import ServiceCase, accelerator_of
from planner.problem.evidence import Figure
from planner.software.serving import serving_constants

Wire = Mapping[str, Any]


@cache
def published_serving_runs() -> list[dict[str, Any]]:
    """Rows of the shipped serving cases that are complete enough to be scored."""
    path = evidence.CASES.parent / "inference.json"
    if not path.is_file():
        return []
    table = json.loads(path.read_text(encoding="utf-8"))
    rows = table.get("inference", [])
    return [row for row in rows if row.get("completeness") in evidence.SCORED]


@cache
def measured_points() -> list[dict[str, Any]]:
    """Hardware, model and group (chip and model) of the shipped measured serving points."""
    path = evidence.CASES.parent / "serving_points.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {
                "id": row["id"],
                "hardware": row["system"],
                "model": row["model_path"],
                "group": f"{row['system']} {row['model_path']}",
            }
            for row in csv.DictReader(stream)
        ]


def evidence_of(
    case: ServiceCase, design: Wire | None, used: Sequence[Figure], studied: Study | None
) -> Evidence:
    """The grade, the estimates and the runs behind a service; ``used``: figures that it rests on."""
    card = case.library.accelerator(accelerator_of(case, design))
    rows = published_serving_runs()
    names = evidence.names_of(case.library, [card.id])
    own = evidence.runs_on(names, rows) or evidence.runs_on(names, measured_points())
    kin_names = evidence.kin_of(case.library, card.efficiency)
    kin = evidence.runs_on(kin_names, rows)
    groups = evidence.groups_of(kin)
    found = figures.estimates(used, studied.weight if studied else None)
    timing = sum(item.role == "timing" for item in found)
    calibrated = "runs" if serving_constants().runs else "none"
    grade, why = evidence.grade(
        evidence.Calibration(calibrated, len(kin), groups), len(own), evidence.groups_of(own), timing
    )
    if case.request.served.kind == "generic":
        grade, why = "D", "no run of such items; chips are taken to reach what they do on language models"
    model = case.problem.architecture
    models = () if model is None else (model.id, *model.aliases)
    cards = design["cards"]["total"] if design else None
    software = case.problem.softwares[design["cluster"] if design else 0]
    return Evidence(
        grade=grade,
        why=f"serving: {why}",
        estimates=found,
        software=software.id,
        tuning=software.tuning,
        software_asked=case.problem.scenario.workload.software is not None,
        calibrated=calibrated,
        runs_on_chip=len(own),
        runs_in_family=len(kin),
        groups_in_family=groups,
        residual_ln=serving_constants().residual.value,
        # A language model says nothing of how fast other items run.
        nearest_measured=None
        if case.request.served.kind == "generic"
        else evidence.nearest_run(names, lambda: kin_names, models, cards, rows),
        risks=studied.risks if studied else [],
    )


def maturity(case: ServiceCase, basis: Wire | None, design: Wire | None) -> PlanMaturity | None:
    """Of the chip for the class of what is served; None where generic items do not say theirs."""
    wanted = class_of(case.problem.scenario.workload)
    if wanted is None:
        return None
    card = case.library.accelerator(accelerator_of(case, basis))
    mature = maturity_of(case.library, card, wanted)
    if design is None:
        return mature
    country = case.library.site(case.problem.scenario.site.id).country
    port = port_of(mature, case.library, country, None, design["cost"]["capex_usd"])
    return mature.model_copy(update={"port": port})


def first_port_errors(case: ServiceCase, design: Wire) -> list[ModelError]:
    """What a first port adds to the slow side, where no published run is on the chip or its kin."""
    mature = maturity(case, design, None)
    if mature is None:
        return []
    card = case.library.accelerator(design["accelerator"])
    known = evidence.runs_on(evidence.kin_of(case.library, card.efficiency), published_serving_runs())
    return port_errors(mature, "runs" if known else "none", 1.0, None)
