"""Model, training and software of a problem."""

from __future__ import annotations

from planner.architectures import Architecture
from planner.problem import wire
from planner.problem.evidence import SOFTWARE
from planner.problem.figures import Figures
from planner.scenario.schema import Workload
from planner.software import SoftwareProfile
from planner.software.age import on_young_chip


def model(architecture: Architecture) -> wire.Model:
    """The architecture as the core sees it: biases, kinds of norms and rotary positions do not count."""
    mla, moe, window = architecture.mla, architecture.moe, architecture.sliding_window
    return wire.Model(
        id=architecture.id,
        layers=architecture.layers,
        hidden=architecture.hidden,
        heads=architecture.heads,
        kv_heads=architecture.kv_heads,
        head_dim=architecture.head_dim,
        ffn=architecture.ffn or 0,
        gated=architecture.gated,
        vocab=architecture.vocab,
        tied_embeddings=architecture.tied_embeddings,
        learned_positions=(architecture.max_positions or 0) if architecture.learned_positions else 0,
        attention=wire.Gqa()
        if mla is None
        else wire.Mla(q_lora=mla.q_lora, kv_lora=mla.kv_lora, nope=mla.nope, rope=mla.rope, value=mla.value),
        moe=None
        if moe is None
        else wire.Moe(
            experts=moe.experts,
            top_k=moe.top_k,
            ffn=moe.ffn,
            shared_ffn=moe.shared_ffn,
            leading_dense_layers=moe.leading_dense_layers,
            every=moe.every,
            top_groups=moe.top_groups,
            bias=architecture.ffn_bias,
        ),
        window=None if window is None else wire.Window(size=window.window, share=window.share),
        mtp_layers=architecture.mtp_layers,
    )


def training(workload: Workload) -> wire.Training:
    """The training run; the batch in whole sequences."""
    return wire.Training(
        tokens=workload.tokens,
        sequence=workload.sequence,
        global_batch=workload.global_batch,
        batch_tolerance=workload.batch_tolerance,
        batch_at_most=workload.batch_at_most,
        precision=workload.precision,
        weight_bytes=workload.weight_bytes,
        gradient_bytes=workload.gradient_bytes,
        optimizer_bytes=workload.optimizer_bytes,
    )


_SWITCHES = (
    "ring_repeats_heads",
    "recompute_stops_early",
    "fused_attention",
    "hierarchical_dispatch",
    "fused_expert_bias",
    "dispatch_bytes",
)
_EXPERTS_ONLY = ("ep_overlap", "imbalance_exponent", "moe_staging_bytes", "expert_host")
_QUANTISED_ONLY = ("quantisation_bytes",)


KNOWN_AFTER = 3.0
"""Years after which software loses nothing worth counting on a chip (less than 1 % of a tenth)."""
BLOCK = "_block"
"""Suffix of a profile's figures for recipes with scales per block (MXFP8, NVFP4)."""


def software(  # noqa: PLR0917
    profile: SoftwareProfile,
    architecture: Architecture,
    precision: str,
    figures: Figures,
    block_scaled: bool = False,
    age: float | None = None,
) -> wire.Software:
    """The profile's figures; recorded are those that this model and precision make use of.

    Args:
        profile: the framework.
        architecture: the model.
        precision: of its products.
        figures: where the figures are recorded.
        block_scaled: the recipe has a scale per block of elements, not one per tensor.
        age: years since the chip was released; None: not known, taken as long known.
    """
    idle = (() if architecture.moe else _EXPERTS_ONLY) + (_QUANTISED_ONLY if precision == "bf16" else ())
    values: dict[str, float | bool] = {name: getattr(profile, name) for name in _SWITCHES}
    values["fused_attention"] = profile.fused_attention and (profile.fused_alibi or not architecture.alibi)
    sheet = figures.of(SOFTWARE, profile)
    for name in wire.Software.model_fields:
        if name in idle:
            values[name] = sheet.peek(name)
        elif name not in _SWITCHES:
            key = name + BLOCK if block_scaled and getattr(profile, name + BLOCK, None) else name
            values[name] = sheet.need(key, "timing", name.replace("_", " "))
    if age is not None and age < KNOWN_AFTER:
        loss = sheet.need("immaturity", "timing", "loss on a young chip")
        values = on_young_chip(values, loss, age)
    return wire.Software.model_validate(values)
