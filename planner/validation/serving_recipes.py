"""What the published recipes of the InferenceX benchmark say of a point whose columns leave it open.

The points of disaggregated runs state the devices of an instance of either pool, but mostly not how
many instances ran,
how many sequences one took, nor how many tokens were drafted. The benchmark publishes the
configurations that it runs;
`planner/data/cases/serving_recipes.csv` holds those of DeepSeek-R1. Nothing in it was measured.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RECIPES = Path(__file__).resolve().parent.parent / "data" / "cases" / "serving_recipes.csv"
MODELS = {"deepseek-r1": ("DeepSeek-R1", "DeepSeek-V3")}
"""Names under which the points of a recipe's model are published."""


@dataclass(frozen=True)
class Side:
    """One pool of a recipe: "5xDEP8" is five instances of eight devices, attention data-parallel (D),
    experts spread (E).

    T stands for tensor-parallel attention; without E the experts are cut over the devices.
    """

    instances: int
    devices: int
    data_parallel: bool
    spread: bool

    @classmethod
    def read(cls, text: str) -> Side:
        """From the notation above."""
        found = re.fullmatch(r"(\d+)x([TD])(E?)P(\d+)", text)
        if found is None:
            raise ValueError(f"{text!r} is not a pool such as 5xDEP8")
        return cls(int(found[1]), int(found[4]), found[2] == "D", found[3] == "E")

    def layout(self) -> dict[str, int]:
        """Degrees and instances as in a row."""
        n = self.devices
        return {
            "tp": 1 if self.data_parallel else n,
            "dp": n if self.data_parallel else 1,
            "ep": n if self.spread else 1,
            "etp": 1 if self.spread else n,
            "workers": self.instances,
        }


@dataclass(frozen=True)
class Recipe:
    """One configuration.

    Attributes:
        drafted: tokens drafted per step.
        limit: sequences at most per data-parallel rank (or instance) of the decode pool; None: not stated.
    """

    drafted: int
    prefill: Side
    decode: Side
    limit: int | None


Key = tuple[str, str, str, str, str, str, int]


@cache
def _recipes(path: Path = RECIPES) -> Mapping[Key, tuple[Recipe, ...]]:
    found: dict[Key, list[Recipe]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            recipe = Recipe(
                int(line["drafted"]),
                Side.read(line["prefill"]),
                Side.read(line["decode"]),
                int(line["decode_batch"]) if line["decode_batch"] else None,
            )
            for name in MODELS[line["model"]]:
                for load in line["concurrency"].split():
                    key = (
                        name,
                        line["system"],
                        line["backend"],
                        line["precision"],
                        line["isl"],
                        line["osl"],
                        int(load),
                    )
                    found.setdefault(key, []).append(recipe)
    return {key: tuple(listed) for key, listed in found.items()}


def matching(cells: Mapping[str, str]) -> tuple[Recipe, ...]:
    """The recipes that the columns of a disaggregated point allow, the likeliest first: without drafts,
    and of the degrees printed, which are not always those that ran."""
    load = cells.get("concurrency", "")
    if not cells.get("measured_on") or not load.isdigit():
        return ()
    name = cells.get("model_path", "").rpartition("/")[2]
    system, backend, precision, isl, osl = (
        cells.get(column, "") for column in ("system", "backend", "precision", "isl", "osl")
    )
    key: Key = (name, system, backend, precision, isl, osl, int(load))
    fits = [
        recipe
        for recipe in _recipes().get(key, ())
        if _could_be(recipe.prefill, cells, "prefill_") and _could_be(recipe.decode, cells, "decode_")
    ]
    printed = [
        recipe for recipe in fits if recipe.decode.layout()["ep"] == _degree(cells, "decode_moe_ep_size")
    ]
    chosen = printed or fits
    return tuple(sorted(chosen, key=lambda recipe: recipe.drafted > 0))


def polling(cells: Mapping[str, str]) -> float | None:
    """Steps between two looks of the scheduler at newcomers, as the benchmark's scripts set them; None:
    every step.

    SGLang on B200 runs with ``--scheduler-recv-interval`` 30, 10 below 16 requests and on four cards at
    8 bits; Llama
    70B in TensorRT-LLM with ``batch_wait_timeout_iters`` 20 where prompts and outputs are 1,024 tokens
    on fewer than
    eight cards: a newcomer waits 20 steps, as long as one that is looked for every 40 on the mean.
    """
    if not cells.get("measured_on") or cells.get("mode") == "disagg":
        return None
    requests, cards = _degree(cells, "concurrency"), _degree(cells, "tp_size")
    if cells.get("backend") == "sglang" and cells.get("system") == "b200_sxm":
        few = requests < 16 or (cells.get("precision") == "fp8" and cards == 4)
        return 10.0 if few else 30.0
    short = cells.get("isl") == cells.get("osl") == "1024"
    llama = "Llama-3" in cells.get("model_path", "") and "70B" in cells.get("model_path", "")
    return 40.0 if cells.get("backend") == "trtllm" and llama and short and cards < 8 else None


DRAFTS_SINCE = "2026-01-01"


def drafts_open(cells: Mapping[str, str]) -> bool:
    """Whether nobody can tell if a point of one pool drafted tokens.

    For DeepSeek-R1 in TensorRT-LLM the benchmark has a script with drafts beside the one without
    (``dsr1_fp8_h200_trt_mtp.sh``, since January 2026), and the columns do not say which ran: at 64 requests,
    1024/8192 tokens and eight H200 with spread experts 19 and 32 ms per token are printed.
    """
    name = cells.get("model_path", "").rpartition("/")[2]
    together = cells.get("mode") != "disagg" and cells.get("backend") == "trtllm"
    return together and name in MODELS["deepseek-r1"] and cells.get("measured_on", "") >= DRAFTS_SINCE


_EIGHT_BIT_CACHE = (("sglang", "DeepSeek"), ("vllm", "MiniMax"))


def cache_of_script(cells: Mapping[str, str]) -> str | None:
    """Format of the key-value cache that the benchmark's scripts ask for beyond the framework's default.

    On B200 DeepSeek in SGLang and MiniMax-M2.5 in vLLM run with ``--kv-cache-dtype fp8``
    (``dsr1_fp8_b200.sh``, ``dsr1_fp4_b200.sh``, ``minimaxm2.5_fp8_b200.sh``, ``minimaxm2.5_fp4_b200.sh``);
    the same models on H100 and H200 do not. None: the scripts leave it.
    """
    if not cells.get("measured_on") or cells.get("mode") == "disagg" or cells.get("system") != "b200_sxm":
        return None
    name = cells.get("model_path", "").rpartition("/")[2]
    asked = any(
        cells.get("backend") == backend and name.startswith(model) for backend, model in _EIGHT_BIT_CACHE
    )
    return "fp8" if asked else None


def _could_be(side: Side, cells: Mapping[str, str], prefix: str) -> bool:
    """Whether a point's pool may be this one: as many devices, and as many instances where they are
    stated."""
    tp, dp = _degree(cells, f"{prefix}tp_size"), _degree(cells, f"{prefix}attention_dp_size")
    if tp * dp != side.devices:
        return False
    stated = cells.get(f"{prefix}num_workers", "")
    if not stated:
        return True
    return int(float(stated)) == side.instances and (dp > 1) == side.data_parallel


def _degree(cells: Mapping[str, str], column: str) -> int:
    text = cells.get(column, "")
    return max(int(float(text)), 1) if text else 1
