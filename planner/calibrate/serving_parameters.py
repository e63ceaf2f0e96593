"""The few numbers of the serving model that published runs decide, with their priors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from planner.validation.serving_predict import Tables

TENSORRT, SGLANG, VLLM = "tensorrt-llm-2025", "sglang-2025", "vllm-2025"
NEWER = "tensorrt-llm-2026"
OLD, EAGER = "vllm-2023", "vllm-ascend-eager-2025"
STATIC = "fastertransformer-2023"
ASCEND = "vllm-ascend-2025"
ROCM = "vllm-rocm-2025"
OWN = ("deepseek-2025", "cloudmatrix-infer-2025")
RACK = ("nvidia-blackwell", "nvidia-blackwell-ultra")
BOARD = ("nvidia-blackwell-hgx", "nvidia-blackwell-ultra-hgx")
REFERENCE = "nvidia-hopper"
"""The family whose factors are 1 by definition."""


@dataclass(frozen=True)
class ServingParameter:
    """One fitted number: value = prior exp(u), or the logistic of logit(prior) + u for shares.

    u is held at 0 by a normal prior of width ``sigma``.

    Attributes:
        table: constants, software or families.
        ids: profiles or families whose figure it is; empty for constants.
        heirs: profiles that inherit it from the first of ``ids`` and take the same value.
    """

    table: Literal["constants", "software", "families"]
    key: str
    prior: float
    sigma: float
    ids: tuple[str, ...] = ()
    share: bool = False

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{'+'.join(self.ids) or 'laws'}: {self.key}"

    def value(self, u: float) -> float:
        """The figure at ``u``."""
        if self.share:
            odds = self.prior / (1.0 - self.prior) * math.exp(u)
            return odds / (1.0 + odds)
        return self.prior * math.exp(u)

    def place(self, value: float) -> float:
        """The u at which the figure is ``value``."""
        if self.share:
            return math.log(value / (1.0 - value)) - math.log(self.prior / (1.0 - self.prior))
        return math.log(value / self.prior)


def parameters() -> tuple[ServingParameter, ...]:
    """All of them. Priors of constants: exploratory fits and physics; factors of families are drawn to 1."""
    law, soft, chip = _law, _soft, _chip
    return (
        law("peak_share", 0.84, 0.25, share=True),
        law("ridge_dense", 1690.0, 0.3),
        law("ridge_grouped", 500.0, 0.5),
        law("group_rows", 32.0, 0.4),
        law("grouped_width", 150.0, 0.7),
        law("ridge_prefill_attention", 367.0, 0.25),
        law("ridge_latent_attention", 580.0, 0.2),
        law("ridge_bandwidth", 0.8, 0.4, share=True),
        law("unpacked_share", 0.6, 0.6, share=True),
        law("smoothness", 1.6, 0.3),
        law("memory_depth", 25e12, 0.4),
        law("weight_share", 0.95, 0.4, share=True),
        law("cache_share", 0.93, 0.4, share=True),
        law("elementwise_bytes", 20.0, 0.3),
        law("expert_skew", 0.7, 0.6),
        law("all_reduce_alpha", 5e-6, 0.4),
        law("two_stage_alpha", 20e-6, 0.5),
        law("outer_alpha", 30e-6, 0.4),
        law("exchange_alpha", 33e-6, 0.25),
        law("link_share", 0.72, 0.4, share=True),
        law("nic_share", 0.82, 0.3, share=True),
        soft("kernel_gap", 3.0e-6, 0.3, TENSORRT),
        soft("kernel_gap", 3.0e-6, 0.3, NEWER),
        soft("kernel_gap", 3.0e-6, 0.3, SGLANG),
        soft("kernel_gap", 3.0e-6, 0.3, VLLM),
        soft("host_step", 0.6e-3, 0.5, TENSORRT, SGLANG, VLLM),
        soft("host_sequence", 14e-6, 0.3, TENSORRT, SGLANG, VLLM),
        soft("host_start", 0.4e-3, 0.6, TENSORRT, SGLANG, VLLM),
        soft("host_layer", 0.25e-3, 0.4, TENSORRT, SGLANG, VLLM),
        soft("host_hidden", 0.75, 0.6, TENSORRT, share=True),
        soft("host_hidden", 0.6, 0.6, SGLANG, share=True),
        soft("host_hidden", 0.5, 0.6, VLLM, share=True),
        soft("host_request", 50e-3, 0.6, TENSORRT),
        soft("host_request", 40e-3, 0.6, NEWER),
        soft("host_request", 60e-3, 0.6, SGLANG),
        soft("host_request", 20e-3, 0.5, VLLM),
        soft("bunching", 0.25, 0.8, TENSORRT, share=True),
        soft("bunching", 0.2, 0.8, NEWER, share=True),
        soft("bunching", 0.5, 1.0, SGLANG, share=True),
        soft("bunching", 0.2, 0.8, VLLM, share=True),
        soft("memory_share", 0.96, 0.5, TENSORRT, share=True),
        soft("expert_reserve", 6e9, 0.8, TENSORRT),
        soft("expert_reserve", 3e9, 0.8, VLLM),
        soft("prefill_coordination", 0.6, 0.8, TENSORRT, SGLANG, VLLM, share=True),
        soft("imbalance_exponent", 0.064, 0.15, TENSORRT),
        soft("imbalance_exponent", 0.035, 0.4, *OWN),
        soft("host_step", 9e-3, 0.3, OLD),
        soft("host_layer", 0.3e-3, 0.3, OLD),
        soft("kernel_gap", 7e-6, 0.25, OLD),
        soft("elementwise_factor", 2.5, 0.3, OLD),
        soft("host_sequence", 150e-6, 0.5, OLD),
        soft("collective_factor", 1.5, 0.3, OLD),
        soft("host_layer", 0.8e-3, 0.2, EAGER),
        soft("product_factor", 0.95, 0.08, *OWN),
        soft("attention_factor", 0.9, 0.1, *OWN),
        chip("memory", RACK),
        chip("memory", BOARD),
        chip("products", ("nvidia-ampere",)),
        chip("memory", ("nvidia-ampere",)),
        chip("host", ("nvidia-ampere",), prior=1.2, sigma=0.2),
        chip("products", ("ascend-910b",)),
        chip("host", RACK, prior=1.7, sigma=0.2),
    )


def later_parameters() -> tuple[ServingParameter, ...]:
    """Figures of profiles that runs collected later decide, the laws and all other profiles held."""
    soft = _soft
    return (
        soft("product_factor", 1.1, 0.15, ROCM),
        soft("host_request", 5e-3, 0.8, STATIC),
        soft("host_step", 1e-3, 0.6, STATIC),
        soft("kernel_gap", 5e-6, 0.3, STATIC),
        soft("elementwise_factor", 1.5, 0.4, STATIC),
        soft("attention_factor", 1.3, 0.4, STATIC),
        soft("collective_factor", 1.2, 0.4, STATIC),
        soft("product_factor", 1.1, 0.2, ASCEND),
        soft("host_step", 2e-3, 0.5, ASCEND),
    )


def _law(key: str, prior: float, sigma: float, share: bool = False) -> ServingParameter:
    return ServingParameter("constants", key, prior, sigma, share=share)


def _soft(key: str, prior: float, sigma: float, *ids: str, share: bool = False) -> ServingParameter:
    return ServingParameter("software", key, prior, sigma, ids, share)


def _chip(key: str, ids: tuple[str, ...], prior: float = 1.0, sigma: float = 0.08) -> ServingParameter:
    return ServingParameter("families", key, prior, sigma, ids)


def heirs(
    parents: Mapping[str, str | None], ids: Sequence[str], own: Mapping[str, set[str]], key: str
) -> set[str]:
    """Profiles that take a figure of ``ids``: those and whoever extends them without one of their own."""
    found = set(ids)
    grown = True
    while grown:
        more = {
            name
            for name, parent in parents.items()
            if parent in found and name not in found and key not in own[name]
        }
        found |= more
        grown = bool(more)
    return found


def moved(
    base: Tables, chosen: Sequence[ServingParameter], u: Sequence[float], reach: Sequence[set[str]]
) -> Tables:
    """The tables with every parameter at its ``u``; ``reach``: see `heirs`, one per parameter."""
    constants = dict(base.constants)
    software: dict[str, dict[str, Any]] = {name: dict(item) for name, item in base.software.items()}
    families = {name: dict(item) for name, item in base.families.items()}
    for parameter, step, names in zip(chosen, u, reach, strict=True):
        value = parameter.value(step)
        if parameter.table == "constants":
            constants[parameter.key] = value
            continue
        table = software if parameter.table == "software" else families
        for name in names:
            if name in table:
                table[name][parameter.key] = value
    return Tables(constants, software, families)
