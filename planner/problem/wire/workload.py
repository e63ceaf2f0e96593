"""The job: model, training run, framework, target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.problem.wire.base import Unsigned, Wire


class Gqa(Wire):
    """Multi-head, grouped-query or multi-query attention."""

    kind: Literal["gqa"] = "gqa"


class Mla(Wire):
    """Multi-head latent attention."""

    kind: Literal["mla"] = "mla"
    q_lora: Unsigned | None
    kv_lora: Unsigned
    nope: Unsigned
    rope: Unsigned
    value: Unsigned


class Moe(Wire):
    """Mixture of experts."""

    experts: Unsigned
    top_k: Unsigned
    ffn: Unsigned
    shared_ffn: Unsigned
    leading_dense_layers: Unsigned
    every: Unsigned
    top_groups: Unsigned | None = None
    bias: bool = False


class Window(Wire):
    """Sliding-window attention."""

    size: Unsigned
    share: float


class Model(Wire):
    """A decoder-only transformer."""

    id: str
    layers: Unsigned
    hidden: Unsigned
    heads: Unsigned
    kv_heads: Unsigned
    head_dim: Unsigned
    ffn: Unsigned
    gated: bool
    vocab: Unsigned
    tied_embeddings: bool
    learned_positions: Unsigned
    attention: Annotated[Gqa | Mla, Field(discriminator="kind")]
    moe: Moe | None
    window: Window | None
    mtp_layers: Unsigned


class Training(Wire):
    """LLM training."""

    tokens: float
    sequence: Unsigned
    global_batch: Unsigned
    batch_tolerance: float
    batch_at_most: bool = False
    precision: Literal["bf16", "fp8", "fp4"]
    weight_bytes: float
    gradient_bytes: float
    optimizer_bytes: float


class Software(Wire):
    """What the training framework does well or badly."""

    fused_attention: bool
    attention_factor: float
    product_factor: float
    elementwise_factor: float
    kernel_gap: float
    fixed_step: float
    tp_overlap: float
    dp_overlap: float
    fsdp_overlap: float
    ep_overlap: float
    pp_overlap: float
    cp_overlap: float
    ring_repeats_heads: bool
    recompute_stops_early: bool
    hierarchical_dispatch: bool
    fused_expert_bias: bool
    dispatch_bytes: float
    imbalance_exponent: float
    moe_staging_bytes: float
    expert_host: float
    quantisation_bytes: float
    jitter_per_doubling: float
    memory_overhead: float
    fragmentation: float


class Target(Wire):
    """What must be met."""

    days: float | None
    tokens_per_second: float | None
