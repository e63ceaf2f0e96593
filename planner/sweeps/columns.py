"""The columns of a row: name, unit, meaning, and where the figure stands in an evaluated design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel

from planner.scenario.schema import Scenario
from planner.specs.reading import model_at

Kind = Literal["whole", "number", "text", "truth"]


@dataclass(frozen=True)
class Column:
    """One column of the rows.

    Attributes:
        name: as in the files.
        unit: of the numbers; empty for plain numbers and texts.
        meaning: in a few words.
        kind: whole, number, text or truth (yes or no); every column but the first three may be null.
        path: keys to the figure in a design of the engine; empty: filled in elsewhere.
    """

    name: str
    unit: str
    meaning: str
    kind: Kind
    path: tuple[str, ...] = ()

    def described(self) -> dict[str, str]:
        """Name, unit, meaning and kind, for the files beside the rows."""
        return {key: value for key, value in asdict(self).items() if key != "path"}


def _column(path: str, unit: str, meaning: str, kind: Kind = "number", name: str | None = None) -> Column:
    keys = tuple(path.split("."))
    return Column(name or keys[-1], unit, meaning, kind, keys)


HEAD = (
    Column("index", "", "place in the sweep, from 0; points that constraints exclude have no row", "whole"),
    Column("key", "", "hash of the point's content: question, verb, planner version, spec library", "text"),
    Column("status", "", "ok; infeasible (the answer is no); error (no answer)", "text"),
    Column("reason", "", "why not, where status is not ok", "text"),
)

DESIGN = (
    _column("system", "", "id of the system in the spec library", "text"),
    _column("accelerator", "", "id of the card in the spec library", "text"),
    _column("cards.total", "cards", "cards bought", "whole", "cards_total"),
    _column("cards.active", "cards", "cards that compute", "whole", "cards_active"),
    _column("cards.spare", "cards", "hot spares", "whole", "cards_spare"),
    _column("power_cap", "", "enforced board power over nameplate"),
    _column("layout.tp", "devices", "tensor parallel", "whole", "tp"),
    _column("layout.pp", "devices", "pipeline stages", "whole", "pp"),
    _column("layout.vpp", "", "chunks per stage", "whole", "vpp"),
    _column("layout.dp", "devices", "data parallel", "whole", "dp"),
    _column("layout.cp", "devices", "context parallel", "whole", "cp"),
    _column("layout.ep", "devices", "expert parallel", "whole", "ep"),
    _column("layout.micro_batch", "sequences", "micro-batch", "whole", "micro_batch"),
    _column("layout.recompute", "", "none, selective or full", "text", "recompute"),
    _column("layout.sharding", "", "ZeRO stage", "whole", "sharding"),
    _column("performance.step_seconds", "s", "one optimizer step"),
    _column("performance.tokens_per_second", "tokens/s", "while training, failures not counted"),
    _column("performance.tokens_per_second_per_card", "tokens/s", "per active card"),
    _column("performance.mfu", "", "model FLOPs, causal attention, over the dense matrix-engine peak"),
    _column("performance.goodput", "", "productive share of calendar time"),
    _column("performance.days", "days", "calendar days, failures included"),
    _column("memory.per_device_bytes", "B", "memory of the fullest device", name="memory_bytes"),
    _column("memory.capacity_bytes", "B", "what a job can allocate", name="memory_capacity_bytes"),
    _column("fabric.id", "", "scale-out fabric", "text", "fabric"),
    _column("fabric.kind", "", "how the fabric is built", "text", "fabric_kind"),
    _column("fabric.oversubscription", "", "of the fabric's top tier"),
    _column("fabric.switches", "switches", "of all tiers", "whole"),
    _column("facility.cooling", "", "cooling kind", "text"),
    _column("facility.racks.total", "racks", "of all kinds", "whole", "racks"),
    _column("facility.it_megawatts", "MW", "typical draw at the servers' plugs"),
    _column("facility.facility_megawatts", "MW", "grid intake, annual mean"),
    _column("facility.facility_design_megawatts", "MW", "grid intake on the design day"),
    _column("facility.energy_mwh_per_year", "MWh", "energy of a year"),
    _column("facility.carbon_tonnes_per_year", "t", "CO2 of a year"),
    _column("facility.water_m3_per_year", "m3", "water of a year; null: not known"),
    _column("cost.capex_usd", "USD", "capital; null: a price is missing"),
    _column("cost.energy_usd_per_year", "USD", "electricity of a year"),
    _column("cost.tco_usd_per_year", "USD", "cost of a year; null: a price is missing"),
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


def outputs(verb: str, bands: bool) -> tuple[Column, ...]:
    """The columns of answers."""
    return (*DESIGN, *TAIL, *(CONTEST if verb == "compare" else ()), *(BANDS if bands else ()))


def columns(keys: Mapping[str, str], verb: str, bands: bool) -> tuple[Column, ...]:
    """All columns of a sweep, in the order of the files.

    Args:
        keys: name -> key of the axes.
        verb: what is done at each point.
        bands: whether the rows carry bands.
    """
    varied = tuple(Column(name, "", meaning_of(key), "text") for name, key in keys.items())
    taken = {column.name for column in varied}
    rest = outputs(verb, bands)
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
    head, _, last = key.rpartition(".")
    owner: type[BaseModel] | None = model_at(Scenario, tuple(head.split("."))) if head else Scenario
    field = owner.model_fields.get(last) if owner else None
    words = (field.description if field else None) or "as written in the sweep"
    return f"{key}: {words}"


def taken_from(design: Mapping[str, Any], column: Column) -> Any:
    """The figure of a column in a design; None where it is not known."""
    here: Any = design
    for key in column.path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here
