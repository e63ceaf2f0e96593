"""How many parameters a model has and how many operations a token costs. Closed forms, exact integers.

A multiply-add counts as two FLOPs. Norms, activations, rotations, softmax and the optimizer are not counted,
as in Narayanan et al. 2021 (arXiv 2104.04473, equations 2 and 3) and Korthikanti et al. 2022 (arXiv
2205.05198): for a GPT with ffn = 4 hidden the training step costs ``72 B s l h^2 (1 + s/(6h) + V/(12 l h))``,
and with full recompute of the layers ``96 B s l h^2 (1 + s/(6h) + V/(16 l h))``;
the output head is not recomputed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planner.architectures.schema import Architecture

Counting = Literal["full", "causal", "windowed"]
"""How attention scores are counted.

``full``: the whole s x s matrix. ``causal``: half of it (s/2 keys per query, the limit of (s + 1)/2).
``windowed``: causal, and layers with a sliding window only count keys inside it.
"""

Recompute = Literal["none", "selective", "full"]

BACKWARD_PER_FORWARD = 2
"""A backward pass does two products (for the input and for the weight) for each one of the forward pass."""


@dataclass(frozen=True)
class ParameterCounts:
    """Parameters by part. ``*_layer`` and ``expert`` are of one layer (one expert), others of the model."""

    attention_layer: int
    norms_layer: int
    dense_ffn_layer: int
    router_layer: int
    expert: int
    shared_experts_layer: int
    embedding: int
    positions: int
    head: int
    final_norm: int
    mtp: int
    dense_layers: int
    moe_layers: int
    experts: int
    top_k: int

    @property
    def dense_layer(self) -> int:
        """One layer with a dense feed-forward block."""
        return self.attention_layer + self.norms_layer + self.dense_ffn_layer

    @property
    def moe_layer(self) -> int:
        """One layer with all its experts."""
        return self._moe_layer_with(self.experts)

    @property
    def active_moe_layer(self) -> int:
        """One sparse layer as one token sees it: top-k experts only."""
        return self._moe_layer_with(self.top_k)

    @property
    def outside_layers(self) -> int:
        """Embedding, positions, final norm and output head (0 when tied)."""
        return self.embedding + self.positions + self.final_norm + self.head

    @property
    def total(self) -> int:
        """All parameters, MTP layers apart."""
        return self.dense_layers * self.dense_layer + self.moe_layers * self.moe_layer + self.outside_layers

    @property
    def active(self) -> int:
        """Parameters one token touches, embedding table and head included, MTP apart."""
        layers = self.dense_layers * self.dense_layer + self.moe_layers * self.active_moe_layer
        return layers + self.outside_layers

    @property
    def total_with_mtp(self) -> int:
        """All parameters that a pre-training run with MTP holds."""
        return self.total + self.mtp

    def _moe_layer_with(self, experts: int) -> int:
        shared = self.shared_experts_layer + self.router_layer
        return self.attention_layer + self.norms_layer + shared + experts * self.expert


def parameter_counts(model: Architecture) -> ParameterCounts:
    """Count the parameters of ``model``: weights, biases and norms, exactly as a checkpoint stores them.

    Not counted: buffers that are not trained (rotary tables) and the load-balancing bias of a router.
    """
    moe = model.moe
    norm = _norm_size(model, model.hidden)
    router = moe.experts * (model.hidden + int(model.ffn_bias)) if moe else 0
    shared = _ffn_parameters(model, moe.shared_ffn) if moe and moe.shared_ffn else 0
    gate = model.hidden if moe and moe.shared_gate else 0
    embedding = model.vocab * model.hidden
    partial = ParameterCounts(
        attention_layer=attention_weights(model) + _attention_extras(model),
        norms_layer=model.norms_per_layer * norm,
        dense_ffn_layer=_ffn_parameters(model, model.ffn) if model.ffn and model.dense_layers else 0,
        router_layer=router,
        expert=_ffn_parameters(model, moe.ffn) if moe else 0,
        shared_experts_layer=shared + gate,
        embedding=embedding,
        positions=(model.max_positions or 0) * model.hidden if model.learned_positions else 0,
        head=0 if model.tied_embeddings else embedding,
        final_norm=norm,
        mtp=0,
        dense_layers=model.dense_layers,
        moe_layers=model.moe_layers,
        experts=moe.experts if moe else 0,
        top_k=moe.top_k if moe else 0,
    )
    if not model.mtp_layers:
        return partial
    # One MTP layer: a layer like the last one, a 2h x h projection and three norms; it shares embedding
    # and head (DeepSeek-V3, arXiv 2412.19437 section 2.2).
    layer = partial.moe_layer if moe else partial.dense_layer
    one = layer + 2 * model.hidden**2 + 3 * norm
    return ParameterCounts(**{**partial.__dict__, "mtp": model.mtp_layers * one})


def attention_weights(model: Architecture) -> int:
    """Weights of the attention projections of one layer (biases and norms apart).

    GQA: ``h a d + h k d + h k v + a v h``. MLA (arXiv 2405.04434): query down and up (or one product), joint
    key-value down with the shared rotary key, key and value up, output.
    """
    h, a = model.hidden, model.heads
    if model.mla is None:
        keys_values = model.kv_heads * (model.head_dim + model.value_head_dim)
        return h * a * model.head_dim + h * keys_values + a * model.value_head_dim * h
    mla = model.mla
    query_width = a * (mla.nope + mla.rope)
    query = h * query_width if mla.q_lora is None else h * mla.q_lora + mla.q_lora * query_width
    key_value = h * (mla.kv_lora + mla.rope) + mla.kv_lora * a * (mla.nope + mla.value)
    return query + key_value + a * mla.value * h


def matmul_weights_per_token(model: Architecture, *, mtp: bool = False) -> int:
    """Weights that meet one token in a matrix product: layers (top-k experts), router and output head.

    The embedding is a look-up and costs nothing; the head counts even when it shares the table.
    """
    head = model.vocab * model.hidden
    weights = _layer_weights_per_token(model) + head
    if mtp and model.mtp_layers:
        last = attention_weights(model) + _ffn_weights_per_token(model, sparse=model.moe is not None)
        weights += model.mtp_layers * (last + 2 * model.hidden**2 + head)
    return weights


def score_flops_per_token(
    model: Architecture, sequence: int, counting: Counting = "causal", *, mtp: bool = False
) -> float:
    """Forward FLOPs of the two attention products (scores and values) per token, all layers.

    Per layer ``2 heads (head_dim + value_head_dim) keys``, with ``keys`` the mean number of keys per
    query. MLA is counted in its expanded form, as training and prefill run it.
    """
    layers = model.layers + (model.mtp_layers if mtp else 0)
    per_key = 2 * model.heads * (model.head_dim + model.value_head_dim)
    if counting != "windowed" or model.sliding_window is None:
        return per_key * layers * mean_keys(sequence, counting)
    windowed = model.windowed_layers
    inside = mean_keys(sequence, "windowed", model.sliding_window.window)
    return per_key * (windowed * inside + (layers - windowed) * mean_keys(sequence, "causal"))


def mean_keys(sequence: int, counting: Counting, window: int | None = None) -> float:
    """Keys a query attends to, averaged over a sequence of ``sequence`` tokens.

    A causal window of w tokens over s > w tokens keeps ``w - w^2/(2s)`` keys: the first w see half of w.
    """
    if counting == "full":
        return float(sequence)
    if counting == "causal" or window is None or window >= sequence:
        return sequence / 2
    return window - window**2 / (2 * sequence)


def forward_flops_per_token(
    model: Architecture, sequence: int, counting: Counting = "causal", *, mtp: bool = False
) -> float:
    """Model FLOPs of one forward pass per token: 2 per weight met, plus attention scores."""
    products = 2 * matmul_weights_per_token(model, mtp=mtp)
    return products + score_flops_per_token(model, sequence, counting, mtp=mtp)


def training_flops_per_token(
    model: Architecture,
    sequence: int,
    counting: Counting = "causal",
    *,
    recompute: Recompute = "none",
    mtp: bool = False,
) -> float:
    """FLOPs of one forward and backward pass per token: three forward passes, plus what is recomputed.

    With ``recompute="none"`` these are model FLOPs (MFU); otherwise hardware FLOPs (HFU):
    ``selective`` repeats the attention scores (arXiv 2205.05198 section 5), ``full`` the forward pass of the
    layers without the head.
    """
    scores = score_flops_per_token(model, sequence, counting, mtp=mtp)
    forward = 2 * matmul_weights_per_token(model, mtp=mtp) + scores
    again = 0.0
    if recompute == "selective":
        again = scores
    elif recompute == "full":
        heads = 1 + (model.mtp_layers if mtp else 0)
        again = forward - 2 * heads * model.vocab * model.hidden
    return (1 + BACKWARD_PER_FORWARD) * forward + again


def _layer_weights_per_token(model: Architecture) -> int:
    attention = model.layers * attention_weights(model)
    dense = model.dense_layers * _ffn_weights_per_token(model, sparse=False)
    sparse = model.moe_layers * _ffn_weights_per_token(model, sparse=True)
    return attention + dense + sparse


def _ffn_weights_per_token(model: Architecture, *, sparse: bool) -> int:
    if not sparse or model.moe is None:
        return model.ffn_products * model.hidden * (model.ffn or 0)
    moe = model.moe
    width = moe.top_k * moe.ffn + moe.shared_ffn
    return model.ffn_products * model.hidden * width + model.hidden * (moe.experts + int(moe.shared_gate))


def _ffn_parameters(model: Architecture, width: int) -> int:
    weights = model.ffn_products * model.hidden * width
    bias = (model.ffn_products - 1) * width + model.hidden if model.ffn_bias else 0
    return weights + bias


def _attention_extras(model: Architecture) -> int:
    """Biases and norms inside the attention block."""
    extras = model.hidden if model.output_bias else 0
    extras += model.heads if model.attention_sinks else 0
    if model.qkv_bias:
        extras += model.heads * model.head_dim + model.kv_heads * (model.head_dim + model.value_head_dim)
    if model.qk_norm:
        extras += 2 * _norm_size(model, model.head_dim)
    if model.mla is not None:
        extras += _norm_size(model, (model.mla.q_lora or 0) + model.mla.kv_lora)
    return extras


def _norm_size(model: Architecture, width: int) -> int:
    return width if model.norm == "rmsnorm" else 2 * width
