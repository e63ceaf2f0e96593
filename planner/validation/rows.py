"""One measured training run of a case file, and its checking (planner/data/cases/README.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from planner.errors import PlannerError
from planner.scenario.split import split_of
from planner.scenario.vocabulary import PRINTED_SCHEDULES

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "cases" / "training.json"
LATER = SHIPPED.with_name("later.json")
"""Runs read after the model was made: predicted, never fitted on."""
SCORED = ("full", "near_full")
"""Completeness of the rows that count; a row that does not say (a user's own run) counts too."""

Degree = Annotated[int, Field(ge=1)]


class CaseFileError(PlannerError):
    """A case file is not of the format."""


def _one_word(value: Any) -> Any:
    """Precisions by their width, whatever the recipe; a word that we do not know stays."""
    word = str(value).strip().lower()
    found = [width for width, names in _PRECISIONS.items() if any(name in word for name in names)]
    return found[0] if value is not None and len(found) == 1 else value


_PRECISIONS = {
    "bf16": ("bf16", "fp16", "bfloat16", "float16", "half"),
    "fp8": ("fp8", "hif8", "float8", "e4m3", "e5m2"),
    "fp4": ("fp4", "float4", "e2m1"),
}


_RECOMPUTE = {
    "no": "none", "off": "none", "false": "none", "uniform": "full", "block": "full", "all": "full",
    "true": "full", "core_attn": "attention", "core-attention": "attention",
}  # fmt: skip


def _recompute_word(value: Any) -> Any:
    """Recomputation in our words; one that we do not know stays, and its row is not answered."""
    word = str(value).strip().lower()
    known = "selective" if "select" in word else _RECOMPUTE.get(word, word)
    return None if value is None else known


_SHARDING = {
    "none": 0, "no": 0, "ddp": 0, "fsdp": 3, "fsdp2": 3, "hsdp": 3, "full": 3, "distributed-optimizer": 1,
    "shard-grad-op": 2,
}  # fmt: skip


def _sharding_stage(value: Any) -> Any:
    """ZeRO stages written as words: "zero-1", "fsdp" ..."""
    if value is None:
        return None
    word = str(value).strip().lower().replace("_", "-")
    stage = str(_SHARDING.get(word, word.removeprefix("zero").lstrip("- ").removesuffix(".0")))
    return int(stage) if stage in ("0", "1", "2", "3") else word


def _degree(value: Any) -> Any:
    """A degree of 0 means that there is none of it: 1."""
    return 1 if value in (0, "0") and not isinstance(value, bool) else value


def _date(value: Any) -> Any:
    """A year, a year-month or a day, however it is separated."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.]\d{1,2}(?:[T ].*)?)?)?", str(value).strip())
    if match is None or not 1 <= int(match[2] or 1) <= 12:
        raise ValueError("is no date: write 2025-03, or 2025")
    return f"{match[1]}-{int(match[2]):02d}" if match[2] else match[1]


def _words(value: Any) -> Any:
    """A list of words, or one."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _split(value: Any) -> Any:
    """Layers per stage as a list, or as scripts write them: "7,8,9" or "7:9x3"."""
    return None if value is None else split_of(value.replace(",", ":") if isinstance(value, str) else value)


_SCHEDULES = {
    **PRINTED_SCHEDULES, "interleaved": "1f1b", "vpp": "1f1b", "zb": "zero-bubble", "zb-h1": "zero-bubble",
    "zerobubble": "zero-bubble", "dual-pipe": "dualpipe",
}  # fmt: skip


def _schedule(value: Any) -> Any:
    """Pipeline schedules in our words; one that we do not know stays, and its row is not answered."""
    word = str(value).strip().lower().replace("_", "-").replace(" ", "-")
    return None if value is None else _SCHEDULES.get(word, word)


Parallel = Annotated[Degree, BeforeValidator(_degree)]


class Row(BaseModel):
    """One measured run. Columns that are not listed here are kept out; absent means the same as null."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    group: str | None = None
    kind: str | None = None
    hardware: str
    hardware_variant: str | None = None
    cards: Degree | None = None
    cards_per_server: Degree | None = None
    scaleup_domain: Degree | None = Field(default=None, description="in cards")
    power_limit_watts: float | None = Field(
        default=None, gt=0, description="per card, where the run was capped below its board power"
    )
    network: str | None = Field(default=None, description="as printed")
    network_gbps_per_card: float | None = Field(default=None, gt=0, description="Gbit/s one way")
    model: str | None = None
    seq_len: Degree | None = None
    global_batch: Degree | None = None
    micro_batch: Degree | None = None
    tp: Parallel | None = None
    pp: Parallel | None = None
    vpp: Parallel | None = None
    cp: Parallel | None = None
    ep: Parallel | None = None
    etp: Parallel | None = None
    dp: Parallel | None = None
    sequence_parallel: bool | None = None
    recompute: Annotated[str | None, BeforeValidator(_recompute_word)] = None
    recompute_parts: Annotated[tuple[str, ...] | None, BeforeValidator(_words)] = None
    recompute_layers: int | None = None
    schedule: Annotated[str | None, BeforeValidator(_schedule)] = Field(
        default=None, description="of the pipeline, where the source says: 1f1b, zero-bubble or dualpipe"
    )
    stage_layers: Annotated[tuple[int, ...] | None, BeforeValidator(_split)] = Field(
        default=None, description="layers of each pipeline stage where they are not equal"
    )
    sharding: Annotated[int | str | None, BeforeValidator(_sharding_stage)] = Field(
        default=None, description="ZeRO stage 0 to 3; a word that we do not know stays"
    )
    sharding_group: Degree | None = None
    precision: Annotated[Literal["bf16", "fp8", "fp4"] | str | None, BeforeValidator(_one_word)] = None
    scaling_recipe: str | None = None
    block_scaled: bool = Field(default=False, description="scales per block of elements (MXFP8, NVFP4 ...)")
    gradient_bytes: Literal[2, 4] | None = Field(
        default=None, description="per accumulated and exchanged gradient, where the source says"
    )
    framework: str | None = None
    software_date: Annotated[str | None, BeforeValidator(_date)] = Field(
        default=None, description="year, year-month or day"
    )
    software: str | None = Field(
        default=None, description="id of its software profile, where framework and date do not tell it"
    )
    measured: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    metric_definition: str | None = None
    source_table: str | None = Field(default=None, description="where in the source the row stands")
    completeness: str | None = None
    note: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _blocks(cls, values: Any) -> Any:
        if isinstance(values, dict):
            named = f"{values.get('precision')} {values.get('scaling_recipe')}".lower()
            return {**values, "block_scaled": any(word in named for word in ("mxfp", "nvfp", "block"))}
        return values

    @property
    def scored(self) -> bool:
        """Whether the row counts in the summary."""
        return self.completeness is None or self.completeness in SCORED

    @property
    def compute_gbps_per_card(self) -> float | None:
        """Gbit/s one way per card of the compute network.

        Where the printed text names the compute NICs ("Compute: 8x ... 400Gb/s, Management: 100Gb/s") it
        decides:
        collectors took the last figure of such texts for the network of the cards.
        """
        named = re.search(r"Compute:\s*(\d+)x[^,;]*?(\d+)\s*Gb", self.network or "")
        if named and self.cards_per_server:
            return int(named[1]) * int(named[2]) / self.cards_per_server
        return self.network_gbps_per_card

    @property
    def source(self) -> str:
        """What rows must share to lie on one side of a split."""
        return self.group or self.id


def training_row(path: Path, key: str, item: Mapping[str, Any], line: int | None = None) -> Row:
    """A row, checked.

    Raises:
        CaseFileError: naming the key (and the line where it is known).
    """
    given = {name: value for name, value in item.items() if value is not None}
    try:
        return Row.model_validate(given)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join([key, *(str(part) for part in first["loc"][:1])])
        raise CaseFileError(
            f"{first['msg'].removeprefix('Value error, ')}"
            + (f", not {first['input']!r}" if first["type"] != "missing" else ""),
            file=str(path),
            key=where,
            line=line,
            hint="the columns are those of planner/data/cases/README.md",
        ) from fault
