"""One measured training run of a case file, and its checking (planner/data/cases/README.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from planner.errors import PlannerError
from planner.scenario.split import split_of

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "cases" / "training.json"
SCORED = ("full", "near_full")
"""Completeness of the rows that count; a row that does not say (a user's own run) counts too."""

Degree = Annotated[int, Field(ge=1)]


class CaseFileError(PlannerError):
    """A case file is not of the format."""


def _one_word(value: Any) -> Any:
    """Precisions by their width, whatever the recipe."""
    return _PRECISIONS.get(str(value).strip().lower(), value) if value is not None else None


_PRECISIONS = {
    "bf16": "bf16", "fp16": "bf16", "bfloat16": "bf16", "float16": "bf16", "half": "bf16", "bf16-mixed":
    "bf16",
    "fp8": "fp8", "mxfp8": "fp8", "fp8_cs": "fp8", "fp8_mx": "fp8", "hif8": "fp8", "float8": "fp8",
    "fp4": "fp4", "nvfp4": "fp4", "mxfp4": "fp4",
}  # fmt: skip


_RECOMPUTE = {
    "no": "none", "off": "none", "false": "none", "uniform": "full", "block": "full", "all": "full",
    "true": "full", "core_attn": "attention", "core-attention": "attention",
}  # fmt: skip


def _recompute_word(value: Any) -> Any:
    """Recomputation in our words; one that we do not know stays, and its row is not answered."""
    word = str(value).strip().lower()
    return None if value is None else _RECOMPUTE.get(word, word)


_SHARDING = {
    "none": 0, "no": 0, "ddp": 0, "fsdp": 3, "fsdp2": 3, "hsdp": 3, "full": 3, "distributed-optimizer": 1,
    "shard-grad-op": 2,
}  # fmt: skip


def _sharding_stage(value: Any) -> Any:
    """ZeRO stages written as words: "zero-1", "fsdp" ..."""
    if not isinstance(value, str):
        return value
    word = value.strip().lower().replace("_", "-")
    return _SHARDING.get(word, word.removeprefix("zero").lstrip("- "))


def _split(value: Any) -> Any:
    """Layers per stage as a list, or as scripts write them: "7,8,9" or "7:9x3"."""
    return None if value is None else split_of(value.replace(",", ":") if isinstance(value, str) else value)


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
    network: str | None = Field(default=None, description="as printed")
    network_gbps_per_card: float | None = Field(default=None, gt=0, description="Gbit/s one way")
    model: str | None = None
    seq_len: Degree | None = None
    global_batch: Degree | None = None
    micro_batch: Degree | None = None
    tp: Degree | None = None
    pp: Degree | None = None
    vpp: Degree | None = None
    cp: Degree | None = None
    ep: Degree | None = None
    etp: Degree | None = None
    dp: Degree | None = None
    sequence_parallel: bool | None = None
    recompute: Annotated[str | None, BeforeValidator(_recompute_word)] = None
    recompute_parts: tuple[str, ...] | None = None
    recompute_layers: int | None = None
    stage_layers: Annotated[tuple[int, ...] | None, BeforeValidator(_split)] = Field(
        default=None, description="layers of each pipeline stage where they are not equal"
    )
    sharding: Annotated[Annotated[int, Field(ge=0, le=3)] | None, BeforeValidator(_sharding_stage)] = None
    sharding_group: Degree | None = None
    precision: Annotated[Literal["bf16", "fp8", "fp4"] | str | None, BeforeValidator(_one_word)] = None
    scaling_recipe: str | None = None
    block_scaled: bool = Field(default=False, description="scales per block of elements (MXFP8, NVFP4 ...)")
    gradient_bytes: Literal[2, 4] | None = Field(
        default=None, description="per accumulated and exchanged gradient, where the source says"
    )
    framework: str | None = None
    software_date: str | None = None
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


def training_row(path: Path, key: str, item: Mapping[str, Any], line: int | None) -> Row:
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
