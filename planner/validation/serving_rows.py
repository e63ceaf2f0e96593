"""Rows of measured serving: the ``inference`` list of a case file, and the CSV of serving points "
"(planner/data/cases/README.md)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from planner.validation.rows import SCORED, SHIPPED, CaseFileError, Degree
from planner.validation.serving_recipes import Recipe, cache_of_script, drafts_open, matching, polling

SHIPPED_INFERENCE = SHIPPED.with_name("inference.json")
SHIPPED_POINTS = SHIPPED.with_name("serving_points.csv")

POINTS_SIGN = "silicon_tpot_ms"
"""A CSV with this column is one of serving points."""
BACKENDS = {"trtllm": "TensorRT-LLM", "sglang": "SGLang", "vllm": "vLLM"}
BENCHMARK_ROUNDS = 10.0
"""Requests per slot that the InferenceX benchmark sends, all slots at once at the start."""
EVEN = ("forced to be even", "expert balance simulated", "profile-data run")
"""Words of a note that say that experts got equal loads."""
_FORMATS = {
    "fp16": "bf16", "bfloat16": "bf16", "w8a8": "int8", "nvfp4": "fp4", "mxfp4": "fp4", "mxfp8": "fp8",
    "fp8_block": "fp8", "fp8-block": "fp8", "e4m3": "fp8", "w4a16": "int4", "awq": "int4", "gptq": "int4",
}  # fmt: skip

Positive = Annotated[float, Field(gt=0)]


def _format(value: Any) -> Any:
    text = str(value).strip().lower()
    return _FORMATS.get(text, text) if value is not None else None


def _number_or_none(value: Any) -> Any:
    # "engine maximum" says that no number was set.
    return None if isinstance(value, str) and value.startswith("engine") else value


class PoolLayout(BaseModel):
    """Instances of one pool. Degrees count devices."""

    model_config = ConfigDict(frozen=True)

    tp: Degree | None = Field(default=None, description="tensor parallelism of the attention")
    dp: Degree | None = Field(default=None, description="data parallelism of the attention")
    etp: Degree | None = Field(default=None, description="tensor parallelism inside an expert")
    ep: Degree | None = Field(default=None, description="expert parallelism")
    workers: Degree | None = Field(default=None, description="instances")
    batch: Positive | None = Field(default=None, description="sequences per instance or data-parallel rank")
    limit: Positive | None = Field(
        default=None, description="sequences at most per instance or data-parallel rank, as configured"
    )


class ServingRow(BaseModel):
    """One measured deployment. Absent means the same as null: the source does not say."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    group: str | None = None
    source_number: str | None = Field(
        default=None, description="publication, where several groups come from one"
    )
    source_url: str | None = None
    phase: Literal["mixed", "prefill", "decode", "disaggregated"] = "mixed"
    hardware: str
    hardware_variant: str | None = None
    cards: Degree | None = None
    cards_per_server: Degree | None = None
    scaleup_domain: Degree | None = Field(default=None, description="in cards")
    network_gbps_per_card: float | None = Field(default=None, gt=0)
    model: str | None = None
    precision: Annotated[str | None, BeforeValidator(_format)] = None
    kv_precision: Annotated[str | None, BeforeValidator(_format)] = None
    framework: str | None = None
    software_date: str | None = None
    isl: Positive | None = Field(default=None, description="mean prompt tokens")
    osl: Positive | None = Field(default=None, description="mean output tokens")
    kv_len_mean: Positive | None = Field(default=None, description="cached tokens per sequence in decode")
    concurrency: Annotated[float | None, BeforeValidator(_number_or_none)] = Field(
        default=None, description="requests in the system, all instances together; null: the most that fits"
    )
    tp: Degree | None = None
    pp: Degree | None = None
    ep: Degree | None = None
    dp: Degree | None = None
    etp: Degree | None = None
    prefill_pool: PoolLayout | None = None
    decode_pool: PoolLayout | None = None
    length_spread: float | None = Field(default=None, description="lowest over highest length, drawn evenly")
    mtp_tokens: int | None = Field(default=None, ge=0, description="tokens drafted per step")
    acceptance: float | None = Field(default=None, ge=0, le=1)
    measured: dict[str, Any] = {}
    completeness: str | None = None
    note: str | None = None
    recipe: str | None = Field(default=None, description="what the benchmark's published recipe added")
    poll_steps: Positive | None = Field(
        default=None, description="steps between two looks of the scheduler at newcomers, as configured"
    )
    drafts_open: bool = Field(default=False, description="nobody can tell whether tokens were drafted")
    recipes: int = Field(default=0, ge=0, description="recipes that the columns allow")

    @property
    def scored(self) -> bool:
        """Whether the row counts in the summary."""
        return self.completeness is None or self.completeness in SCORED

    @property
    def source(self) -> str:
        """What rows must share to lie on one side of a split."""
        return self.source_number or self.group or self.id

    @property
    def in_flight(self) -> float | None:
        """Requests in the system, all instances together: ``concurrency``, or a batch said per card."""
        if self.per_engine and self.concurrency:
            return self.concurrency * (self.dp or 1)
        per_card = re.search(r"\bbatch (\d+) per card\b", self.note or "")
        if per_card and self.cards and self.concurrency == float(per_card[1]):
            return self.concurrency * self.cards
        return self.concurrency

    @property
    def per_engine(self) -> bool:
        """Whether ``concurrency`` is the batch of one engine, as configurations of MLPerf submissions set it
        (``gpu_batch_size`` of NVIDIA's: the same for one engine of two GPUs and for four of them)."""
        return "mlcommons/inference_results" in (self.source_url or "")

    @property
    def requests(self) -> float | None:
        """Requests of the run: as the note says, "with N requests", or ten per slot in InferenceX runs."""
        found = re.search(r"\b(?:with )?(\d+) requests\b", self.note or "")
        if found:
            return float(found[1])
        return BENCHMARK_ROUNDS * self.concurrency if self.length_spread and self.concurrency else None

    @property
    def mean_output(self) -> float | None:
        """Mean output tokens: ``osl``, or less where lengths are drawn evenly from a share of it to all
        of it."""
        return None if self.osl is None else self.osl * (1.0 + (self.length_spread or 1.0)) / 2.0

    @property
    def unstated(self) -> bool:
        """Pools apart, and neither the row nor the benchmark's recipe says how many instances of each ran."""
        pools = (self.prefill_pool, self.decode_pool)
        return self.phase == "disaggregated" and any(pool is None or pool.workers is None for pool in pools)

    @property
    def doubtful(self) -> bool:
        """Several of the benchmark's recipes, which differ in layout or in drafts, have all of the
        row's columns."""
        return self.drafts_open or (self.recipes > 1 and "layout" in (self.recipe or ""))

    @property
    def queued(self) -> bool:
        """Its requests wait for each other, so that the time to the first token holds a queue."""
        return self.phase in ("mixed", "disaggregated") and not self.fixed_batch

    @property
    def fixed_batch(self) -> bool:
        """One batch at a time: all prompts together, then all tokens."""
        return "at fixed batch" in (self.note or "")

    @property
    def balanced(self) -> bool:
        """The load of the experts was forced to be even, as in the profiles that DeepSeek publishes
        (github.com/deepseek-ai/profile-data: "an absolutely balanced MoE routing strategy")."""
        note = (self.note or "").lower()
        return any(said in note for said in EVEN)


def serving_row(path: Path, key: str, item: Mapping[str, Any], line: int | None = None) -> ServingRow:
    """One row, checked.

    Raises:
        CaseFileError: naming the key (and the line where it is known).
    """
    given = {name: value for name, value in item.items() if value is not None}
    try:
        return ServingRow.model_validate(given)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join([key, *(str(part) for part in first["loc"][:2])])
        raise CaseFileError(
            f"{first['msg'].removeprefix('Value error, ')}"
            + (f", not {first['input']!r}" if first["type"] != "missing" else ""),
            file=str(path),
            key=where,
            line=line,
            hint="the columns are those of planner/data/cases/README.md",
        ) from fault


def is_points(header: str) -> bool:
    """Whether a CSV with this first line holds serving points."""
    return POINTS_SIGN in header.split(",")


def points(path: Path, text: str) -> tuple[ServingRow, ...]:
    """The rows of a CSV of serving points (columns as ai-dynamo/aiconfigurator publishes them).

    Raises:
        CaseFileError: a cell is not of the format; with its line.
    """
    reader = csv.DictReader(io.StringIO(text))
    rows = []
    for record in reader:
        cells = {name: (value or "").strip() for name, value in record.items() if name}
        rows.append(serving_row(path, cells.get("id", ""), _point(cells), reader.line_num))
    return tuple(rows)


def _point(cells: Mapping[str, str]) -> dict[str, Any]:
    apart = cells.get("mode") == "disagg"
    measured = {
        key: _number(cells.get(column, ""))
        for key, column in (("ttft_ms", "silicon_ttft_ms"), ("tpot_ms", POINTS_SIGN))
    }
    item: dict[str, Any] = {
        "id": cells.get("id"),
        "group": "|".join(cells.get(key, "") for key in ("model_path", "system", "backend")),
        "phase": "disaggregated" if apart else "mixed",
        "hardware": cells.get("system"),
        "model": cells.get("model_path"),
        "precision": cells.get("precision") or _FROM_PRODUCTS.get(cells.get("gemm_quant_mode", "")),
        "framework": _framework(cells),
        "software_date": cells.get("measured_on") or None,
        "isl": _number(cells.get("isl", "")),
        "osl": _number(cells.get("osl", "")),
        "concurrency": _number(cells.get("concurrency", "")),
        # Runs with a date are of the InferenceX benchmark, which draws lengths from 0.8 to 1 of the nominal.
        "length_spread": 0.8 if cells.get("measured_on") else None,
        "measured": {key: value for key, value in measured.items() if value is not None},
        "mtp_tokens": None,
        "poll_steps": polling(cells),
        "kv_precision": cache_of_script(cells),
        "drafts_open": drafts_open(cells) or None,
    }
    if apart:
        item["prefill_pool"] = _pool(cells, "prefill_")
        item["decode_pool"] = _pool(cells, "decode_")
        item |= _by_recipe(item, matching(cells))
    else:
        pool = _pool(cells, "")
        item |= {"tp": pool["tp"], "dp": pool["dp"], "ep": pool["ep"], "etp": pool["etp"]}
        item["concurrency"] = item["concurrency"] or pool["batch"]
    return {key: value for key, value in item.items() if value not in (None, "")}


def _framework(cells: Mapping[str, str]) -> str | None:
    """The framework, with its version where a release is told apart by it."""
    name = BACKENDS.get(cells.get("backend", ""), cells.get("backend"))
    return (
        f"{name} 1.0"
        if name == "TensorRT-LLM" and cells.get("backend_version", "").startswith("1.0.")
        else name
    )


def _by_recipe(item: Mapping[str, Any], found: tuple[Recipe, ...]) -> dict[str, Any]:
    """What the first of the recipes that a point allows adds to it: instances and layouts where the
    point does not
    state them, drafted tokens, and how many sequences an instance took at most."""
    if not found:
        return {}
    recipe = found[0]
    prefill, decode = dict(item["prefill_pool"]), dict(item["decode_pool"])
    said = []
    if not decode["workers"] or not prefill["workers"]:
        prefill |= recipe.prefill.layout()
        decode |= recipe.decode.layout()
        said.append("layout and instances")
    if recipe.limit:
        decode["limit"] = recipe.limit
        said.append(f"at most {recipe.limit} sequences")
    said.append(f"{recipe.drafted} drafted tokens")
    alike = len({(other.prefill, other.decode, other.drafted) for other in found})
    doubt = f" (the likeliest of {alike} recipes)" if alike > 1 else ""
    return {
        "prefill_pool": prefill,
        "decode_pool": decode,
        "mtp_tokens": recipe.drafted,
        "recipe": f"by the benchmark's published recipe: {', '.join(said)}{doubt}",
        "recipes": alike,
    }


def _pool(cells: Mapping[str, str], prefix: str) -> dict[str, Any]:
    named = {
        "tp": "tp_size",
        "dp": "attention_dp_size",
        "etp": "moe_tp_size",
        "ep": "moe_ep_size",
        "workers": "num_workers",
        "batch": "batch_size",
    }
    found = {key: _number(cells.get(prefix + column, "")) for key, column in named.items()}
    # A degree of 0 is how the table says "not used".
    return {key: value or None for key, value in found.items()}


_FROM_PRODUCTS = {"fp8": "fp8", "fp8_block": "fp8", "nvfp4": "fp4"}


def _number(text: str) -> Any:
    """The number; other text as it stands, for the check of the row to refuse."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value == int(value) and "." not in text else value
