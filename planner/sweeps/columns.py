"""The columns of a row: name, unit, meaning, and where the figure stands in an evaluated design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from planner.scenario.schema import Scenario
from planner.scenario.service import SERVICE_TABLES, ServiceScenario
from planner.specs.reading import model_at
from planner.sweeps.column import PLANT, Column, Kind, column_at
from planner.sweeps.profiles import IN_USE
from planner.sweeps.service_columns import SERVICE_DESIGN, service_columns

HEAD = (
    Column("index", "", "place in the sweep, from 0; points that constraints exclude have no row", "whole"),
    Column("key", "", "hash of the point's content: question, verb, planner version, spec library", "text"),
    Column("status", "", "ok; infeasible (the answer is no); error (no answer)", "text"),
    Column("reason", "", "why not, where status is not ok", "text"),
)

DESIGN = (
    column_at("system", "", "id of the system in the spec library", "text"),
    column_at("accelerator", "", "id of the card in the spec library", "text"),
    column_at("cards.total", "cards", "cards bought", "whole", "cards_total"),
    column_at("cards.active", "cards", "cards that compute", "whole", "cards_active"),
    column_at("cards.spare", "cards", "hot spares", "whole", "cards_spare"),
    column_at("power_cap", "", "enforced board power over nameplate"),
    column_at("layout.tp", "devices", "tensor parallel", "whole", "tp"),
    column_at("layout.pp", "devices", "pipeline stages", "whole", "pp"),
    column_at("layout.vpp", "", "chunks per stage", "whole", "vpp"),
    column_at("layout.dp", "devices", "data parallel", "whole", "dp"),
    column_at("layout.cp", "devices", "context parallel", "whole", "cp"),
    column_at("layout.ep", "devices", "expert parallel", "whole", "ep"),
    column_at("layout.micro_batch", "sequences", "micro-batch", "whole", "micro_batch"),
    column_at("layout.recompute", "", "none, selective or full", "text", "recompute"),
    column_at("layout.sharding", "", "ZeRO stage", "whole", "sharding"),
    column_at("performance.step_seconds", "s", "one optimizer step"),
    column_at("performance.tokens_per_second", "tokens/s", "while training, failures not counted"),
    column_at("performance.tokens_per_second_per_card", "tokens/s", "per active card"),
    column_at("performance.mfu", "", "model FLOPs, causal attention, over the dense matrix-engine peak"),
    column_at("performance.goodput", "", "productive share of calendar time"),
    column_at("performance.days", "days", "calendar days, failures included"),
    column_at("memory.per_device_bytes", "B", "memory of the fullest device", name="memory_bytes"),
    column_at("memory.capacity_bytes", "B", "what a job can allocate", name="memory_capacity_bytes"),
    *PLANT,
)
"""Taken from the design; null where there is none."""

TAIL = (
    Column("margin", "", "head-room to the target as a fraction of it; null without a target", "number"),
    Column("binding", "", "what keeps the answer from being better, parted by blanks", "text"),
    Column("estimates", "", "estimated figures in timing, power and failures behind the row", "whole"),
    Column("problem_hash", "", "SHA-256 of the resolved problem, as in a plan", "text"),
)

CONTEST = (
    Column("contenders", "systems", "systems compared", "whole"),
    Column(
        "ranking", "", "systems with a plan, the best first, each over the best (cards, or tokens/s)", "text"
    ),
    Column("refused", "", "systems without a plan, and why", "text"),
)
"""Of the verb compare; the other columns are those of the best system."""

BANDED = {
    "step_seconds": "s", "days": "days", "tokens_per_second": "tokens/s", "facility_megawatts": "MW",
    "capex_usd": "USD",
}  # fmt: skip
BANDS = (
    *(
        Column(f"{name}_p{share}", unit, f"P{share} of {name}", "number")
        for name, unit in BANDED.items()
        for share in (10, 90)
    ),
    Column("evidence_grade", "", "A to D: how sure the answer is (docs/plan.md)", "text"),
)


def outputs(verb: str, bands: bool, service: bool = False) -> tuple[Column, ...]:
    """The columns of answers."""
    contest = CONTEST if verb == "compare" else ()
    if service:
        return (*SERVICE_DESIGN, *TAIL, *contest, *service_columns(bands))
    return (*DESIGN, *TAIL, *contest, *(BANDS if bands else ()))


def columns(keys: Mapping[str, str], verb: str, bands: bool, service: bool = False) -> tuple[Column, ...]:
    """All columns of a sweep, in the order of the files.

    Args:
        keys: name -> key of the axes.
        verb: what is done at each point.
        bands: whether the rows carry bands.
        service: whether the points ask about services.
    """
    varied = tuple(Column(name, "", meaning_of(key), "text") for name, key in keys.items())
    taken = {column.name for column in varied}
    rest = outputs(verb, bands, service)
    # An axis called like an output keeps its name; the output is told apart.
    told = tuple(
        column if column.name not in taken else Column(f"out.{column.name}", *_rest(column))
        for column in rest
    )
    return (*HEAD, *varied, *told)


def _rest(column: Column) -> tuple[str, str, Kind, tuple[str, ...]]:
    return column.unit, column.meaning, column.kind, column.path


def meaning_of(key: str) -> str:
    """What an axis varies, in the words of the scenario's schema."""
    if "/" in key:
        return f"value given for the spec figure {key}, as written in the sweep"
    if key.startswith(IN_USE):
        return f"value given for {key} of the profile in use, as written in the sweep"
    for root in (Scenario, ServiceScenario):
        words = _described(root, key)
        if words is not None:
            return f"{key}: {words}"
    return f"{key}: as written in the sweep"


def _described(root: type[BaseModel], key: str) -> str | None:
    """What the schema says of a key; of a service's workload, which has two forms, what the first says."""
    head, _, last = key.rpartition(".")
    if root is ServiceScenario and head in SERVICE_TABLES:
        owners: Sequence[type[BaseModel] | None] = SERVICE_TABLES[head]
    else:
        owners = [model_at(root, tuple(head.split("."))) if head else root]
    fields = [owner.model_fields.get(last) for owner in owners if owner is not None]
    return next((field.description for field in fields if field and field.description), None)


def taken_from(design: Mapping[str, Any], column: Column) -> Any:
    """The figure of a column in a design; None where it is not known."""
    here: Any = design
    for key in column.path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here
