"""Models that a case file defines itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.architectures import Architecture
from planner.architectures.library import validate

_DROPPED = (
    "params_total_b",
    "params_active_b",
    "how",
    "source",
    "note",
    "dense_layers",
    "mla",
    "moe",
    "attention",
)


def bare_name(name: str) -> str:
    """What is left of a model's name without its publisher, punctuation and what follows pre-training."""
    words = name.rsplit("/", 1)[-1].casefold()
    return re.sub(r"[^a-z0-9.]+|(?<=[^a-z])(?:instruct|base|chat|hf)$", "", words)


def architecture_of_file(table: Mapping[str, Any]) -> Architecture:
    """An entry of ``models`` of a case file as an architecture.

    Raises:
        SpecError: a shape is missing or impossible.
    """
    name = str(table.get("id") or table.get("name"))
    shape: dict[str, Any] = {
        key: value
        for key, value in table.items()
        if value is not None and key not in _DROPPED and key != "sliding_window"
    }
    shape["id"] = name
    shape.setdefault("name", name)
    shape["source"] = {"title": str(table.get("source") or "the case file"), "date": "unknown"}
    shape.setdefault("kv_heads", table.get("heads"))
    shape.setdefault("tied_embeddings", False)
    if not table.get("head_dim") and table.get("hidden") and table.get("heads"):
        shape["head_dim"] = table["hidden"] // table["heads"]
    latent = table.get("mla")
    if isinstance(latent, Mapping):
        shape["attention"] = "mla"
        shape["mla"] = {
            "q_lora": latent.get("q_lora"),
            "kv_lora": latent["kv_lora"],
            "nope": latent.get("nope"),
            "rope": latent.get("rope"),
            "value": latent.get("value") or latent.get("v"),
        }
        parts = shape["mla"]
        if parts["nope"] and parts["rope"] and parts["value"]:
            # Tables print the head without its rotated part, or hidden over heads.
            shape["head_dim"] = parts["nope"] + parts["rope"]
            shape["value_head_dim"] = parts["value"]
    experts = table.get("moe")
    if isinstance(experts, Mapping):
        shape["moe"] = {
            "experts": experts["experts"],
            "top_k": experts.get("top_k") or experts.get("topk"),
            "ffn": experts["ffn"],
            "shared_ffn": experts.get("shared_ffn") or 0,
            "leading_dense_layers": experts.get("leading_dense_layers") or table.get("dense_layers") or 0,
            "every": experts.get("every") or 1,
        }
    window = table.get("sliding_window")
    if isinstance(window, Mapping):
        shape["sliding_window"] = dict(window)
    return validate(shape, f"model {name!r} of the case file")
