"""The schema derives what follows and refuses what contradicts itself, in plain words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from planner.architectures import Architecture

DENSE: dict[str, Any] = {
    "id": "tiny",
    "name": "Tiny",
    "source": {"title": "made up for the test", "date": "2026-01"},
    "layers": 4,
    "hidden": 64,
    "heads": 8,
    "kv_heads": 2,
    "head_dim": 8,
    "ffn": 128,
    "activation": "swiglu",
    "vocab": 100,
    "tied_embeddings": False,
}
MLA = {"q_lora": 16, "kv_lora": 8, "nope": 8, "rope": 4, "value": 6}


def _model(**changes: Any) -> Architecture:
    table = {key: value for key, value in (DENSE | changes).items() if value is not None}
    return Architecture.model_validate(table)


def test_value_width_and_gate_follow_from_what_is_written() -> None:
    """The value width defaults to the head width, and a SwiGLU block is gated."""
    model = _model()
    assert (model.value_head_dim, model.gated, model.ffn_products) == (8, True, 3)
    assert _model(activation="gelu").ffn_products == 2


def test_mla_fixes_the_head_widths() -> None:
    """With [mla], head_dim = nope + rope, the value width is its own and every head has its keys."""
    model = _model(mla=MLA, kv_heads=None, head_dim=None)
    assert (model.attention, model.head_dim, model.value_head_dim, model.kv_heads) == ("mla", 12, 6, 8)


def test_missing_q_lora_means_uncompressed_queries() -> None:
    """TOML has no null, so absence says it."""
    table = {key: value for key, value in MLA.items() if key != "q_lora"}
    model = _model(mla=table, kv_heads=None, head_dim=None)
    assert model.mla is not None
    assert model.mla.q_lora is None


@pytest.mark.parametrize(
    ("moe", "sparse"),
    [
        ({}, [0, 1, 2, 3]),
        ({"leading_dense_layers": 1}, [1, 2, 3]),
        ({"every": 2}, [1, 3]),
        ({"every": 2, "leading_dense_layers": 2}, [3]),
    ],
)
def test_sparse_layers_follow_the_pattern(moe: dict[str, int], sparse: list[int]) -> None:
    """Layer l is sparse from the leading dense layers on, every n-th."""
    model = _model(moe={"experts": 8, "top_k": 2, "ffn": 32} | moe)
    assert [index for index in range(4) if model.is_moe_layer(index)] == sparse
    assert (model.moe_layers, model.dense_layers) == (len(sparse), 4 - len(sparse))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kv_heads": 3}, "heads = 8 is not a multiple of kv_heads = 3"),
        ({"moe": {"experts": 2, "top_k": 4, "ffn": 32}}, "top_k = 4 is more than experts = 2"),
        ({"moe": {"experts": 8, "top_k": 2, "ffn": 32, "groups": 3}}, "do not divide into groups = 3"),
        (
            {"moe": {"experts": 8, "top_k": 2, "ffn": 32, "groups": 2, "top_groups": 4}},
            "more than groups = 2",
        ),
        ({"moe": {"experts": 8, "top_k": 2, "ffn": 32, "top_groups": 4}}, "more than groups = 0"),
        ({"moe": {"experts": 8, "top_k": 2, "ffn": 32, "shared_gate": True}}, "without a shared expert"),
        ({"moe": {"experts": 8, "top_k": 2, "ffn": 32, "leading_dense_layers": 4}}, "leaves no sparse layer"),
        ({"moe": {"experts": 8, "top_k": 2, "ffn": 32, "every": 9}}, "leaves no sparse layer"),
        ({"moe": {"experts": 8, "top_k": 2, "ffn": 32, "every": 2}, "ffn": None}, "2 layers are dense"),
        ({"ffn": None}, "needs ffn"),
        ({"gated": False}, "contradicts activation"),
        ({"activation": "gelu", "gated": True}, "contradicts activation"),
        ({"learned_positions": True}, "needs max_positions"),
        ({"learned_positions": True, "max_positions": 8, "alibi": True}, "exclude each other"),
        ({"attention": "mla"}, "go together"),
        ({"mla": MLA, "kv_heads": 8, "head_dim": 8}, "head_dim is nope"),
        ({"mla": MLA, "kv_heads": 2, "head_dim": None}, "kv_heads equals heads"),
        ({"layers": 0}, "greater than 0"),
        ({"widht": 3}, "Extra inputs"),
        ({"activation": "mystery"}, "gated"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    """Each impossible combination names the keys and values at fault."""
    with pytest.raises(ValidationError, match=message):
        _model(**changes)
