//! What is to be done, and with which software.

use serde::{Deserialize, Serialize};

use crate::precision::Precision;
use crate::units::{Bytes, Seconds};

/// LLM training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Tokens to train on.
    pub tokens: f64,
    /// Sequence length in tokens.
    pub sequence: u32,
    /// Sequences per optimizer step.
    pub global_batch: u64,
    /// Largest relative departure from that batch which the user accepts.
    pub batch_tolerance: f64,
    /// The batch is the most: each layout takes its largest multiple up to it, whatever the tolerance.
    #[serde(default)]
    pub batch_at_most: bool,
    /// Of the large matrix products.
    pub precision: Precision,
    /// Bytes per weight used in products.
    pub weight_bytes: f64,
    /// Bytes per accumulated gradient.
    pub gradient_bytes: f64,
    /// Bytes per parameter of optimizer state (master weights and moments).
    pub optimizer_bytes: f64,
}

/// What the training framework does well or badly: an explicit input with its own spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // independent switches of the framework
pub struct Software {
    /// Attention in one kernel (flash); otherwise scores go through memory.
    pub fused_attention: bool,
    /// Attention rate against the chip family's.
    pub attention_factor: f64,
    /// Time of matrix products against what the chip family reaches with tuned software.
    pub product_factor: f64,
    /// Traffic of element-wise work against the fused ideal.
    pub elementwise_factor: f64,
    /// Gap between kernels.
    pub kernel_gap: Seconds,
    /// Fixed time per optimizer step (data, logging, clipping, host).
    pub fixed_step: Seconds,
    /// Share of tensor-parallel traffic hidden behind products.
    pub tp_overlap: f64,
    /// Share of gradient and parameter traffic hidden behind compute (sharding stages 0 to 2).
    pub dp_overlap: f64,
    /// The same for stage 3 (weights gathered layer by layer).
    pub fsdp_overlap: f64,
    /// Share of expert dispatch and combine hidden.
    pub ep_overlap: f64,
    /// Share of pipeline sends hidden.
    pub pp_overlap: f64,
    /// Share of attention time behind which context-parallel traffic hides.
    pub cp_overlap: f64,
    /// Context-parallel rings carry keys and values repeated for every query head, not one per group.
    #[serde(default)]
    pub ring_repeats_heads: bool,
    /// Full recomputation ends before the layer's last product, whose result no gradient needs.
    #[serde(default)]
    pub recompute_stops_early: bool,
    /// Dispatch sends a token once per server and forwards inside.
    pub hierarchical_dispatch: bool,
    /// Biases and clamped activations of experts are part of their kernels.
    pub fused_expert_bias: bool,
    /// Bytes per element on dispatch (1 with FP8 dispatch); combining takes 2.
    pub dispatch_bytes: f64,
    /// Expert load of the busiest rank: ranks^exponent.
    pub imbalance_exponent: f64,
    /// Bytes moved per routed token and hidden unit for permutation and staging.
    pub moe_staging_bytes: f64,
    /// Host time per local expert, layer and micro-batch.
    pub expert_host: Seconds,
    /// Bytes moved per quantised element (FP8 and FP4 recipes).
    pub quantisation_bytes: f64,
    /// Slow-down per doubling of cards above 8: stragglers, jitter.
    pub jitter_per_doubling: f64,
    /// Memory taken by runtime, communication buffers and fragmentation.
    pub memory_overhead: Bytes,
    /// Share of the activations lost to fragmentation.
    pub fragmentation: f64,
}
