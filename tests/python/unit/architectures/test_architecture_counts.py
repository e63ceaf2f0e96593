"""Counts of small models, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from planner.architectures import Architecture
from planner.architectures.counts import (
    forward_flops_per_token,
    matmul_weights_per_token,
    mean_keys,
    parameter_counts,
    score_flops_per_token,
    training_flops_per_token,
)


def _model(**changes: Any) -> Architecture:
    table: dict[str, Any] = {
        "id": "tiny",
        "name": "Tiny",
        "source": {"title": "made up for the test", "date": "2026-01"},
        "layers": 2,
        "hidden": 10,
        "heads": 4,
        "kv_heads": 2,
        "head_dim": 3,
        "ffn": 7,
        "activation": "swiglu",
        "vocab": 50,
        "tied_embeddings": False,
    }
    return Architecture.model_validate({k: v for k, v in (table | changes).items() if v is not None})


def test_dense_layer_by_hand() -> None:
    """Query 10x12, key and value 10x6 each, output 12x10: 360; feed-forward 3x10x7 = 210; two norms of 10."""
    counts = parameter_counts(_model())
    assert (counts.attention_layer, counts.dense_ffn_layer, counts.norms_layer) == (360, 210, 20)
    assert counts.total == 2 * (360 + 210 + 20) + 500 + 10 + 500
    assert counts.active == counts.total


def test_tied_head_is_counted_once_but_still_multiplied() -> None:
    """Tying saves the head's 500 parameters and none of its FLOPs."""
    tied, untied = _model(tied_embeddings=True), _model()
    assert parameter_counts(untied).total - parameter_counts(tied).total == 500
    assert matmul_weights_per_token(tied) == matmul_weights_per_token(untied) == 2 * 570 + 500


def test_biases_positions_and_layer_norms_by_hand() -> None:
    """Biases: qkv 12+6+6, output 10, feed-forward 7+10 (plain); positions 16x10; five norms of 20."""
    model = _model(
        activation="gelu",
        norm="layernorm",
        qkv_bias=True,
        output_bias=True,
        ffn_bias=True,
        learned_positions=True,
        max_positions=16,
    )
    counts = parameter_counts(model)
    assert (counts.attention_layer, counts.dense_ffn_layer) == (360 + 24 + 10, 140 + 17)
    assert (counts.positions, counts.norms_layer, counts.final_norm) == (160, 40, 20)


def test_moe_layer_by_hand() -> None:
    """Router 10x4, experts 3x10x5 = 150 each, shared 3x10x6 = 180; one token meets two of four experts."""
    counts = parameter_counts(_model(ffn=None, moe={"experts": 4, "top_k": 2, "ffn": 5, "shared_ffn": 6}))
    assert (counts.router_layer, counts.expert, counts.shared_experts_layer) == (40, 150, 180)
    assert counts.moe_layer - counts.active_moe_layer == 2 * 150
    assert counts.total - counts.active == 2 * 2 * 150


def test_mla_by_hand() -> None:
    """Query 10x6 + 6x4x(2+1); joint 10x(5+1) + 5x4x(2+3); output 4x3x10; norms 6 + 5."""
    model = _model(
        kv_heads=None, head_dim=None, mla={"q_lora": 6, "kv_lora": 5, "nope": 2, "rope": 1, "value": 3}
    )
    assert parameter_counts(model).attention_layer == 60 + 72 + 60 + 100 + 120 + 11


def test_mtp_is_counted_apart() -> None:
    """One MTP layer is a layer, a 20x10 projection and three norms; its FLOPs count only when asked for."""
    model = _model(mtp_layers=1)
    counts = parameter_counts(model)
    assert counts.mtp == (360 + 210 + 20) + 200 + 30
    assert counts.total_with_mtp - counts.total == counts.mtp
    assert matmul_weights_per_token(model, mtp=True) - matmul_weights_per_token(model) == 570 + 200 + 500


def test_scores_by_hand() -> None:
    """Two products per key: 2 x 4 heads x (3 + 3) = 48 FLOPs; 16 keys in full, 8 when causal; two layers."""
    model = _model()
    assert score_flops_per_token(model, 16, "full") == 2 * 48 * 16
    assert score_flops_per_token(model, 16, "causal") == 2 * 48 * 8


@pytest.mark.parametrize(("sequence", "window"), [(1000, 100), (1000, 1000), (64, 1000)])
def test_mean_keys_in_a_window_is_the_limit_of_the_sum(sequence: int, window: int) -> None:
    """Against the sum over queries, which the closed form exceeds or falls short of by half a key."""
    summed = sum(min(query + 1, window) for query in range(sequence)) / sequence
    assert mean_keys(sequence, "windowed", window) == pytest.approx(summed, abs=0.5 + 1e-9)


def test_window_counts_only_where_asked_for() -> None:
    """Half of the layers see 4 - 16/32 = 3.5 keys, the others 8; plain causal counting ignores the window."""
    model = _model(sliding_window={"window": 4, "share": 0.5})
    assert score_flops_per_token(model, 16, "windowed") == 48 * (3.5 + 8)
    assert score_flops_per_token(model, 16, "causal") == 2 * 48 * 8


def test_training_is_three_forward_passes_and_recompute_adds_to_it() -> None:
    """Full recompute repeats the layers, not the head; selective repeats the scores."""
    model = _model()
    forward, scores = forward_flops_per_token(model, 16), score_flops_per_token(model, 16)
    assert training_flops_per_token(model, 16) == 3 * forward
    assert training_flops_per_token(model, 16, recompute="selective") == 3 * forward + scores
    assert training_flops_per_token(model, 16, recompute="full") == 4 * forward - 2 * 500
