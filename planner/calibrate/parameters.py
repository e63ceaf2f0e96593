"""The few parameters that runs decide, with their priors: which figures of which files they set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from planner.software.age import on_young_chip

Vector = Sequence[float]
IMMATURITY = "immaturity"


@dataclass(frozen=True)
class Parameter:
    """One fitted number.

    It is fitted as u, with value = prior exp(u) (``log``) or the logistic of logit(prior) + u (``logit``);
    u is
    held at 0 by a normal prior of width ``sigma``.
    """

    name: str
    kind: Literal["efficiency", "software"]
    ids: tuple[str, ...]
    """Files whose figure it is."""
    key: tuple[str, ...]
    prior: float
    sigma: float
    form: Literal["log", "logit", "tilt"] = "log"
    blocks: bool | None = None
    """Only rows with (without) scales per block; None: all rows."""
    scales: bool = False
    """Multiplies the figure (of several keys) instead of being it."""

    def value(self, u: float) -> float:
        """The figure at ``u``; shares stay below 1."""
        if self.form == "logit":
            odds = self.prior / (1.0 - self.prior) * math.exp(u)
            return odds / (1.0 + odds)
        if self.form == "tilt":
            return self.prior + u
        return self.prior * math.exp(u)

    def factor(self, u: float, ridge: float) -> float:
        """What a parameter that scales multiplies with, on a chip of that ridge point."""
        if self.form == "tilt":
            return math.exp(-self.value(u) * tilt(ridge))
        return self.value(u)


def tilt(ridge: float) -> float:
    """ln of a ridge point over `RIDGE`, within `RIDGES`."""
    return math.log(min(max(ridge, RIDGES[0]), RIDGES[1]) / RIDGE)


RIDGE = 220.0
"""FLOP per byte of 16-bit peak over memory bandwidth at which a tilt changes nothing."""
RIDGES = (100.0, 450.0)
"""Beyond these the tilt is not followed: no run lies there."""

FAMILIES = ("nvidia-ampere", "nvidia-hopper", "nvidia-blackwell", "nvidia-blackwell-ultra", "ascend-910b")
BOARDS = {"nvidia-blackwell": "nvidia-blackwell-hgx", "nvidia-blackwell-ultra": "nvidia-blackwell-ultra-hgx"}
"""Air-cooled boards of a family: the same figures times one factor on matrix products."""
BRIDGE_2026 = ("megatron-2026-spring", "megatron-2026")
TUNED = ("megatron-2024", "megatron-2025-summer", "megatron-2025", *BRIDGE_2026, "nemo-mlperf")
MEGATRON_LM = ("megatron-lm-2023", "megatron-lm-2025")
MEGATRON = (*MEGATRON_LM, *TUNED)
ERA_2025 = ("megatron-2025", "megatron-lm-2025")
ALL_2025 = ("megatron-2025-summer", *ERA_2025)
RECENT = ("megatron-lm-2025", "hai-llm-2024", *TUNED)
"""Attention kernels since mid-2024 (third generation of flash attention, cuDNN 9)."""
FOUNDRY = ("llm-foundry-2023",)
BEFORE_FLASH = ("megatron-2021", "megatron-deepspeed-2021")
MINDSPEED = ("mindspeed-2024", "mindspeed-legacy")
UNTUNED_SOFTWARE = (*MEGATRON_LM, "megatron-deepspeed-2021", "flagperf", "mindspeed-legacy")
UNTUNED = 1.05
"""Time of matrix products in software that nobody tuned for the run, where tuned software is 1."""
NOT_FOUNDRY = (*MEGATRON, *BEFORE_FLASH, "flagperf", "torchtitan", *MINDSPEED)
ALL_SOFTWARE = (*NOT_FOUNDRY, *FOUNDRY)
LIKE_MEGATRON = (*MEGATRON, "megascale-2024", "hai-llm-2024")
EVERY_SOFTWARE = tuple(dict.fromkeys((*ALL_SOFTWARE, *LIKE_MEGATRON)))


def _files(family: str) -> tuple[str, ...]:
    return (family, BOARDS[family]) if family in BOARDS else (family,)


def _of_family(family: str, key: str, prior: float, sigma: float) -> Parameter:
    return Parameter(f"{family} {key}", "efficiency", _files(family), tuple(key.split(".")), prior, sigma)


def _of_software(  # noqa: PLR0917
    name: str, ids: Sequence[str], key: str, prior: float, sigma: float, form: str = "log"
) -> Parameter:
    return Parameter(name, "software", tuple(ids), (key,), prior, sigma, form)  # type: ignore[arg-type]


BOARD_NAMES = tuple(f"{board} over {family}" for family, board in BOARDS.items())
BLACKWELL = tuple(file for family in BOARDS for file in _files(family))
EVERY_FAMILY = tuple(file for family in FAMILIES for file in _files(family))

PARAMETERS: tuple[Parameter, ...] = (
    *(_of_family(family, "matmul.bf16", 0.66, 0.10) for family in FAMILIES),
    *(_of_family(family, "matmul.fp8", 0.68, 0.10) for family in FAMILIES[1:4]),
    Parameter("Blackwell matmul.fp4", "efficiency", BLACKWELL, ("matmul", "fp4"), 0.55, 0.15),
    *(_of_family(family, "attention_forward", 0.45, 0.20) for family in FAMILIES),
    Parameter("matmul of all", "efficiency", EVERY_FAMILY, ("matmul",), 1.0, 0.1, scales=True),
    Parameter("attention of all", "efficiency", EVERY_FAMILY, ("attention_forward",), 1.0, 0.2, scales=True),
    Parameter("matmul over ridge", "efficiency", EVERY_FAMILY, ("matmul",), 0.25, 0.15, "tilt", scales=True),
    Parameter(
        "attention over ridge",
        "efficiency",
        EVERY_FAMILY,
        ("attention_forward",),
        0.5,
        0.3,
        "tilt",
        scales=True,
    ),
    Parameter("scale_up", "efficiency", EVERY_FAMILY, ("scale_up",), 0.65, 0.15),
    Parameter("scale_out", "efficiency", EVERY_FAMILY, ("scale_out",), 0.65, 0.15),
    *(
        Parameter(f"{board} over {family}", "efficiency", (board,), ("matmul",), 0.88, 0.10, scales=True)
        for family, board in BOARDS.items()
    ),
    _of_software("elementwise Megatron", LIKE_MEGATRON, "elementwise_factor", 1.1, 0.2),
    _of_software("elementwise llm-foundry", ("llm-foundry-2023",), "elementwise_factor", 1.2, 0.2),
    _of_software("elementwise FlagPerf", ("flagperf",), "elementwise_factor", 1.3, 0.2),
    _of_software("elementwise MindSpeed", MINDSPEED, "elementwise_factor", 1.4, 0.2),
    _of_software("products untuned", UNTUNED_SOFTWARE, "product_factor", UNTUNED, 0.07),
    _of_software("products llm-foundry", ("llm-foundry-2023",), "product_factor", UNTUNED, 0.07),
    _of_software("products MindSpeed", ("mindspeed-2024",), "product_factor", UNTUNED, 0.07),
    _of_software("attention since 2024", RECENT, "attention_factor", 1.15, 0.15),
    _of_software("attention llm-foundry", ("llm-foundry-2023",), "attention_factor", 0.6, 0.2),
    _of_software("attention FlagPerf", ("flagperf",), "attention_factor", 0.85, 0.15),
    _of_software("TP overlap tuned", TUNED, "tp_overlap", 0.67, 0.6, "logit"),
    _of_software("TP overlap MindSpeed", MINDSPEED, "tp_overlap", 0.33, 0.6, "logit"),
    _of_software("DP overlap", ALL_SOFTWARE, "dp_overlap", 0.75, 0.6, "logit"),
    _of_software("FSDP overlap", FOUNDRY, "fsdp_overlap", 0.45, 0.6, "logit"),
    _of_software("FSDP overlap others", NOT_FOUNDRY, "fsdp_overlap", 0.75, 0.4, "logit"),
    _of_software("imbalance", EVERY_SOFTWARE, "imbalance_exponent", 0.04, 0.4),
    _of_software("EP overlap", (*ALL_2025, *BRIDGE_2026), "ep_overlap", 0.4, 0.6, "logit"),
    _of_software("staging summer 2025", ("megatron-2025-summer",), "moe_staging_bytes", 30.0, 0.4),
    _of_software("staging 2025", ERA_2025, "moe_staging_bytes", 24.0, 0.4),
    _of_software("staging spring 2026", ("megatron-2026-spring",), "moe_staging_bytes", 17.0, 0.4),
    _of_software("staging summer 2026", ("megatron-2026",), "moe_staging_bytes", 12.0, 0.4),
    _of_software("immaturity of young chips", EVERY_SOFTWARE, IMMATURITY, 0.1, 0.6),
    replace(_of_software("quantisation", ALL_SOFTWARE, "quantisation_bytes", 5.0, 0.3), blocks=False),
    replace(
        _of_software("quantisation in blocks", ALL_SOFTWARE, "quantisation_bytes_block", 8.0, 0.3),
        blocks=True,
    ),
    _of_software("jitter", ALL_SOFTWARE, "jitter_per_doubling", 0.0073, 0.3),
    _of_software("fixed step", MEGATRON, "fixed_step", 0.02, 0.4),
    _of_software("fixed step MindSpeed", MINDSPEED, "fixed_step", 0.06, 0.8),
)


def apply(  # noqa: PLR0917
    parameters: Sequence[Parameter],
    u: Vector,
    efficiency_id: str,
    software_id: str,
    efficiency: Mapping[str, Any],
    software: Mapping[str, Any],
    ridge: float = RIDGE,
    block_scaled: bool = False,
    age: float | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of one row with the parameters put in."""
    chip: dict[str, Any] = {**efficiency, "matmul": dict(efficiency["matmul"])}
    tools: dict[str, Any] = dict(software)
    for parameter, at in zip(parameters, u, strict=True):
        if parameter.kind == "software":
            if software_id in parameter.ids and parameter.blocks in (None, block_scaled):
                tools[parameter.key[0].removesuffix("_block")] = parameter.value(at)
        elif efficiency_id in parameter.ids:
            _set(chip, parameter, parameter.factor(at, ridge) if parameter.scales else parameter.value(at))
    return chip, on_young_chip(tools, tools.pop(IMMATURITY, 0.0), age)


def _set(chip: dict[str, Any], parameter: Parameter, value: float) -> None:
    if parameter.scales:
        if parameter.key[0] == "matmul":
            chip["matmul"] = {
                key: v if v is None else min(v * value, 0.97) for key, v in chip["matmul"].items()
            }
        if parameter.key[0] == "attention_forward" or parameter.name in BOARD_NAMES:
            chip["attention_forward"] = min(chip["attention_forward"] * value, 0.97)
    elif parameter.key[0] == "matmul":
        if chip["matmul"].get(parameter.key[1]) is not None:
            chip["matmul"][parameter.key[1]] = min(value, 0.97)
    else:
        chip[parameter.key[0]] = min(value, 0.97)
