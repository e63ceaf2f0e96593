"""What a transformer is, as far as its cost goes: shapes, experts, attention kind and their source."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from planner.specs.quantity import Frozen, Source, Text

Read = Literal["looked_up", "recalled"]
"""``looked_up``: read in (a copy of) the source. ``recalled``: from memory of the named document, weaker."""

GATED_ACTIVATIONS = frozenset({"swiglu", "geglu", "reglu"})
PLAIN_ACTIVATIONS = frozenset({"gelu", "relu", "relu2"})


class Published(Frozen):
    """A parameter count that somebody printed, in units of 1e9 parameters (B)."""

    total_b: float = Field(gt=0)
    active_b: float | None = Field(default=None, gt=0, description="parameters a token touches")
    rounded_to_b: float = Field(default=0.0, ge=0, description="step of the printed total, e.g. 1 for '175B'")
    source: Text
    read: Read = "recalled"


class Mla(Frozen):
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): ranks and head widths."""

    q_lora: PositiveInt | None = Field(description="rank of the query compression; absent = none")
    kv_lora: PositiveInt
    nope: PositiveInt = Field(description="width per head without position")
    rope: PositiveInt = Field(description="width of the shared position part")
    value: PositiveInt = Field(description="value width per head")

    @model_validator(mode="before")
    @classmethod
    def _no_q_lora(cls, data: Any) -> Any:
        # TOML has no null: a missing q_lora means that queries are not compressed.
        return {"q_lora": None, **data} if isinstance(data, dict) else data


class Moe(Frozen):
    """Mixture of experts. Layer ``l`` (from 0) is sparse when ``l >= leading_dense_layers`` and
    ``(l + 1) % every == 0``."""

    experts: PositiveInt = Field(description="routed experts per layer")
    top_k: PositiveInt = Field(description="routed experts per token")
    ffn: PositiveInt = Field(description="width of one routed expert")
    shared_ffn: int = Field(default=0, ge=0, description="total width of the shared experts, 0 = none")
    shared_gate: bool = Field(default=False, description="a learned gate on the shared expert (Qwen1.5-MoE)")
    leading_dense_layers: int = Field(default=0, ge=0)
    every: PositiveInt = Field(default=1, description="every n-th layer is sparse")
    groups: PositiveInt | None = Field(default=None, description="expert groups for group-limited routing")
    top_groups: PositiveInt | None = Field(default=None, description="groups a token may use")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.top_k > self.experts:
            raise ValueError(f"top_k = {self.top_k} is more than experts = {self.experts}")
        if self.groups is not None and self.experts % self.groups:
            raise ValueError(f"experts = {self.experts} do not divide into groups = {self.groups}")
        if self.top_groups is not None and self.top_groups > (self.groups or 0):
            raise ValueError(f"top_groups = {self.top_groups} is more than groups = {self.groups or 0}")
        if self.shared_gate and not self.shared_ffn:
            raise ValueError("shared_gate without a shared expert (shared_ffn = 0)")
        return self


class SlidingWindow(Frozen):
    """Some layers see only the last ``window`` tokens."""

    window: PositiveInt = Field(description="tokens a query sees, itself included")
    share: float = Field(default=1.0, gt=0, le=1, description="share of the layers that are windowed")


class Architecture(Frozen):
    """One decoder-only transformer. Widths are counts of elements, never bytes.

    ``head_dim`` and ``kv_heads`` of an MLA model follow from ``mla`` and ``heads`` and need not be written.
    """

    id: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")
    name: Text
    aliases: list[str] = Field(default=[], description="other names, looked up in any case")
    source: Source
    read: Read = "recalled"
    note: str | None = None

    layers: int = Field(gt=0, le=10_000)
    hidden: PositiveInt
    heads: PositiveInt = Field(description="query heads")
    kv_heads: PositiveInt = Field(description="key-value heads: heads = MHA, 1 = MQA")
    head_dim: PositiveInt = Field(description="query and key width per head")
    value_head_dim: PositiveInt = Field(description="value width per head; default head_dim")
    attention: Literal["gqa", "mla"] = "gqa"
    mla: Mla | None = None
    sliding_window: SlidingWindow | None = None

    ffn: PositiveInt | None = Field(default=None, description="dense feed-forward width; absent = all sparse")
    activation: Text = Field(description="swiglu, geglu, gelu, relu, relu2 ...")
    gated: bool = Field(description="three feed-forward products, not two; follows from a known activation")
    moe: Moe | None = None

    vocab: PositiveInt
    tied_embeddings: bool = Field(description="the output head reuses the embedding table")
    max_positions: PositiveInt | None = Field(default=None, description="longest sequence of the base model")
    learned_positions: bool = Field(default=False, description="a table of max_positions x hidden is trained")
    alibi: bool = False

    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    norms_per_layer: PositiveInt = Field(default=2, description="4 for sandwich norms, 1 for some parallel")
    qk_norm: bool = Field(default=False, description="a norm of width head_dim on queries and on keys")
    qkv_bias: bool = False
    output_bias: bool = Field(default=False, description="bias of the attention output projection")
    ffn_bias: bool = Field(default=False, description="bias of feed-forward products, experts, router")
    attention_sinks: bool = Field(default=False, description="one learned sink per query head")
    expert_format: Literal["fp4"] | None = Field(
        default=None, description="experts are published in this format, all else at 16 bits"
    )
    parallel_block: bool = Field(default=False, description="attention and feed-forward read the same input")
    mtp_layers: int = Field(
        default=0, ge=0, le=1_000, description="multi-token-prediction layers, counted apart"
    )

    published: Published | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_what_follows(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        out = dict(data)
        mla = out.get("mla")
        if isinstance(mla, dict):
            out.setdefault("attention", "mla")
            out.setdefault("kv_heads", out.get("heads"))
            nope, rope = mla.get("nope"), mla.get("rope")
            if isinstance(nope, int) and isinstance(rope, int):
                out.setdefault("head_dim", nope + rope)
            out.setdefault("value_head_dim", mla.get("value"))
        if "head_dim" in out:
            out.setdefault("value_head_dim", out["head_dim"])
        if out.get("activation") in GATED_ACTIVATIONS | PLAIN_ACTIVATIONS:
            out.setdefault("gated", out["activation"] in GATED_ACTIVATIONS)
        return out

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.heads % self.kv_heads:
            raise ValueError(f"heads = {self.heads} is not a multiple of kv_heads = {self.kv_heads}")
        if self.activation in (PLAIN_ACTIVATIONS if self.gated else GATED_ACTIVATIONS):
            raise ValueError(f"gated = {str(self.gated).lower()} contradicts activation {self.activation!r}")
        if self.learned_positions and self.max_positions is None:
            raise ValueError("learned_positions needs max_positions, the size of the table")
        if self.learned_positions and self.alibi:
            raise ValueError("learned_positions and alibi exclude each other")
        self._check_attention()
        self._check_layers()
        return self

    def _check_attention(self) -> None:
        if (self.attention == "mla") != (self.mla is not None):
            raise ValueError('attention = "mla" and an [mla] table go together')
        if self.mla is None:
            return
        if self.head_dim != self.mla.nope + self.mla.rope or self.value_head_dim != self.mla.value:
            raise ValueError(
                f"with [mla], head_dim is nope + rope = {self.mla.nope + self.mla.rope} and value_head_dim "
                f"is value = {self.mla.value}; found {self.head_dim} and {self.value_head_dim}"
            )
        if self.kv_heads != self.heads:
            raise ValueError(f"with [mla], kv_heads equals heads = {self.heads}; found {self.kv_heads}")

    def _check_layers(self) -> None:
        if self.moe is None:
            if self.ffn is None:
                raise ValueError("a model without [moe] needs ffn, its feed-forward width")
            return
        if self.moe.leading_dense_layers >= self.layers:
            raise ValueError(f"leading_dense_layers = {self.moe.leading_dense_layers} leaves no sparse layer")
        if self.moe_layers == 0:
            raise ValueError(f"every = {self.moe.every} leaves no sparse layer of {self.layers}")
        if self.dense_layers and self.ffn is None:
            raise ValueError(f"{self.dense_layers} layers are dense, so ffn (their width) is needed")

    def is_moe_layer(self, index: int) -> bool:
        """Whether layer ``index`` (from 0) routes to experts."""
        return (
            self.moe is not None
            and index >= self.moe.leading_dense_layers
            and (index + 1) % self.moe.every == 0
        )

    @property
    def moe_layers(self) -> int:
        """Layers with experts, MTP layers not counted."""
        return sum(self.is_moe_layer(index) for index in range(self.layers))

    @property
    def dense_layers(self) -> int:
        """Layers with a dense feed-forward block."""
        return self.layers - self.moe_layers

    @property
    def ffn_products(self) -> int:
        """Matrix products of one feed-forward block: 3 when gated, else 2."""
        return 3 if self.gated else 2

    @property
    def windowed_layers(self) -> float:
        """Layers with a sliding window (a share, so not always whole)."""
        return self.layers * self.sliding_window.share if self.sliding_window else 0.0
