//! One transformer layer on one device: seconds of each kind of work for one micro-batch, and bytes it keeps.

use crate::collective::{Phases, all_gather};
use crate::hardware::Precision;
use crate::kernel::{GROUP_PADDING, Kernels, Product};
use crate::model::{Attention, LayerKind, Model, Moe};
use crate::network::Network;
use crate::training::activations::{add_recompute, keep_activations};
use crate::training::layout::Layout;
use crate::training::memory::layer_parameters;
use crate::training::offload::add_waits;
use crate::training::phases::LayerCost;
use crate::training::schedule::ContextKind;
use crate::training::switches::places;
use crate::training::traffic::{add_context_traffic, add_expert_traffic, add_tensor_traffic, cut_products};
use crate::units::{Bytes, Flops, Seconds};
use crate::workload::{Software, Training};

/// Bytes of an activation in 16 bits.
pub(super) const ACTIVATION: f64 = 2.0;

/// Memory traffic of element-wise work in the backward pass over the forward pass (a fit on
/// the published runs of `planner/data/cases`).
const ELEMENTWISE_BACKWARD: f64 = 1.7;

/// Kernels launched per layer in the forward pass; the backward pass launches twice as many.
const KERNELS_DENSE: f64 = 18.0;
const KERNELS_MOE: f64 = 34.0;

/// Bytes alive per logit at the loss: 16-bit logits, their gradient, and parts of a 32-bit copy.
///
/// Read off allocated memory of eight B200 at 4,096 to 32,768 tokens (published `SimuMax` runs): 5 fits from end to end.
const LOSS_BYTES: f64 = 5.0;

/// Share of the staging of routed tokens that is left where every rank holds all experts.
///
/// A count of passes at 16 bits: tokens are permuted and put back (each read and written, 8 bytes); with other ranks
/// they also pass through send and receive buffers and are sorted by expert, both ways (16 bytes more).
const STAGING_ALONE: f64 = 1.0 / 3.0;

/// Bytes per routed token and unit of width that biases and a clamped activation add where they are not fused.
///
/// A count of the passes gives about 40 at 16-bit intermediates and 80 to 110 at 32-bit ones. 100 was chosen because
/// the published gpt-oss runs were still 20 to 40 % slower than predicted with 40: set by hand on one model family.
const UNFUSED_EXPERT_BYTES: f64 = 100.0;

/// Everything a layer's cost depends on.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// Architecture.
    pub model: &'a Model,
    /// Workload.
    pub training: &'a Training,
    /// Framework.
    pub software: &'a Software,
    /// Rates of the device.
    pub kernels: &'a Kernels,
    /// Levels.
    pub network: &'a Network,
    /// Devices of a scale-up domain.
    pub domain: f64,
}

/// Sizes that recur in the formulas of a layer, per device and micro-batch.
pub(super) struct Sizes {
    pub(super) tp: f64,
    /// Tokens of the micro-batch on this context rank.
    pub(super) tokens: f64,
    /// Tokens whose element-wise work falls on this device.
    pub(super) rows: f64,
    pub(super) hidden: f64,
    pub(super) heads: f64,
    pub(super) kv_heads: f64,
    pub(super) query: f64,
    pub(super) value: f64,
}

impl Sizes {
    fn new(model: &Model, training: &Training, layout: &Layout) -> Self {
        let tp = layout.tp as f64;
        let tokens = layout.micro_batch as f64 * f64::from(training.sequence) / layout.cp as f64;
        let (query, value) = model.head_sizes();
        Self {
            tp,
            tokens,
            rows: if layout.sequence_parallel { tokens / tp } else { tokens },
            hidden: f64::from(model.hidden),
            heads: f64::from(model.heads) / tp,
            kv_heads: (f64::from(model.kv_heads) / tp).max(1.0),
            query,
            value,
        }
    }
}

/// Cost of one layer of `kind` under `layout` (dp and pp do not matter here).
#[must_use]
pub fn layer_cost(bench: &Bench, layout: &Layout, kind: LayerKind) -> LayerCost {
    let sizes = Sizes::new(bench.model, bench.training, layout);
    let mut cost = LayerCost::default();
    let products = layer_products(bench.model, layout, &sizes, kind);
    for product in &products {
        add_product(bench, *product, &mut cost);
    }
    cut_products(bench, layout, &products, &mut cost);
    add_attention(bench, layout, &sizes, &mut cost);
    add_elementwise(bench, layout, &sizes, kind, &mut cost);
    add_tensor_traffic(bench, layout, &sizes, kind, &mut cost);
    add_context_traffic(bench, layout, &sizes, &mut cost);
    if let (LayerKind::Moe, Some(moe)) = (kind, bench.model.moe) {
        add_expert_traffic(bench, layout, &sizes, moe, &mut cost);
        wait_for_host(bench, layout, moe, &mut cost);
    }
    keep_activations(bench, layout, &sizes, kind, &mut cost);
    add_recompute(bench, layout, &sizes, products.last().copied(), &mut cost);
    add_waits(bench, layout, layer_parameters(bench.model, layout, kind), &mut cost);
    cost
}

/// Routed tokens that one expert group's rank works on, and its local experts.
pub(super) fn routed(moe: Moe, layout: &Layout, sizes: &Sizes, imbalance: f64) -> (f64, f64) {
    let per_rank = sizes.tokens / sizes.tp * f64::from(moe.top_k);
    (per_rank * layout.etp as f64 * imbalance, f64::from(moe.experts) / layout.ep as f64)
}

pub(super) fn layer_products(model: &Model, layout: &Layout, sizes: &Sizes, kind: LayerKind) -> Vec<Product> {
    let Sizes { tp, tokens, hidden, heads, kv_heads, query, value, .. } = *sizes;
    let mut products = Vec::with_capacity(8);
    match model.attention {
        Attention::Gqa => {
            products.push(Product::new(tokens, hidden, (heads + 2.0 * kv_heads) * query));
        }
        Attention::Mla { q_lora, kv_lora, rope, .. } => {
            let down = f64::from(q_lora.unwrap_or(0) + kv_lora + rope);
            products.push(Product::new(sizes.rows, hidden, down));
            if q_lora.is_none() {
                products.push(Product::new(tokens, hidden, heads * query));
            }
            products.extend(latent_products(model, sizes));
        }
    }
    products.push(Product::new(tokens, heads * value, hidden));
    let inputs = model.ffn_inputs();
    let dense = match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => f64::from(moe.shared_ffn),
        _ => f64::from(model.ffn),
    } / tp;
    if dense > 0.0 {
        products.push(Product::new(tokens, hidden, inputs * dense));
        products.push(Product::new(tokens, dense, hidden));
    }
    if let (LayerKind::Moe, Some(moe)) = (kind, model.moe) {
        let (rows, experts) = routed(moe, layout, sizes, 1.0);
        let rows = libm::ceil(rows / experts / GROUP_PADDING) * GROUP_PADDING;
        let width = f64::from(moe.ffn) / layout.etp as f64;
        products.push(Product { m: rows, k: hidden, n: inputs * width, groups: experts });
        products.push(Product { m: rows, k: width, n: hidden, groups: experts });
    }
    products
}

/// A product forward, its two backward products with their own shapes, gradient accumulation and quantisation.
fn add_product(bench: &Bench, shape: Product, cost: &mut LayerCost) {
    let Product { m, k, n, groups } = shape;
    let kernels = bench.kernels;
    let factor = bench.software.product_factor;
    let accumulate = Bytes(2.0 * bench.training.gradient_bytes * k * n * groups);
    cost.forward.matmul += kernels.product(shape, Bytes::ZERO) * factor;
    let weights = kernels.product(Product { m: k, k: m, n, groups }, accumulate) * factor;
    cost.backward.matmul +=
        kernels.product(Product { m, k: n, n: k, groups }, Bytes::ZERO) * factor + weights;
    cost.weight_gradient += weights;
    if bench.training.precision != Precision::Bf16 {
        let quantise = bench.software.quantisation_bytes * groups;
        cost.forward.elementwise += kernels.traffic(Bytes(quantise * m * k));
        cost.backward.elementwise += kernels.traffic(Bytes(quantise * m * n));
    }
}

/// Scores and weighted values: 2 tokens keys heads (`d_qk` + `d_v`), keys halved by the causal mask.
fn add_attention(bench: &Bench, layout: &Layout, sizes: &Sizes, cost: &mut LayerCost) {
    let sequence = f64::from(bench.training.sequence);
    let kernels = bench.kernels;
    let widths = sizes.heads * (sizes.query + sizes.value);
    if bench.software.fused_attention {
        let keys = bench.model.mean_keys_causal(sequence);
        let flops = Flops(2.0 * sizes.tokens * keys * widths);
        // A ring works on blocks of its own tokens, an exchange by heads on the whole sequence.
        let local = match layout.cp_kind {
            ContextKind::Ring => sequence / layout.cp as f64,
            ContextKind::AllToAll => sequence,
        };
        let factor = 1.0 / bench.software.attention_factor;
        cost.forward.attention += kernels.attention_forward(flops, local, sizes.query) * factor;
        cost.backward.attention += kernels.attention_backward(flops, local, sizes.query) * factor;
    } else {
        // The whole matrix is computed by plain products and its scores cross memory: 9 B each forward, 11 B
        // backward (a fit on published runs).
        let scores = sizes.tokens * sequence * sizes.heads;
        let products = [
            Product { m: sequence, k: sizes.query, n: sequence, groups: scores / (sequence * sequence) },
            Product { m: sequence, k: sequence, n: sizes.value, groups: scores / (sequence * sequence) },
        ];
        for product in products {
            let time = kernels.product_bf16(product, Bytes::ZERO);
            cost.forward.attention += time;
            cost.backward.attention += time * 2.0;
        }
        cost.forward.attention += kernels.traffic(Bytes(9.0 * scores));
        cost.backward.attention += kernels.traffic(Bytes(11.0 * scores));
    }
}

/// Norms, residuals, rotary, activation, permutation: bytes through memory (counts, in docs/physics.md).
fn add_elementwise(bench: &Bench, layout: &Layout, sizes: &Sizes, kind: LayerKind, cost: &mut LayerCost) {
    let model = bench.model;
    let rotary = 4.0 * (sizes.heads + sizes.kv_heads) * sizes.query * sizes.tokens;
    let activation = 2.0 * (model.ffn_inputs() + 1.0);
    let mut bytes = 20.0 * sizes.hidden * sizes.rows + rotary;
    let mut kernels = KERNELS_DENSE;
    if let Attention::Mla { q_lora, kv_lora, .. } = model.attention {
        bytes += 4.0 * f64::from(q_lora.unwrap_or(0) + kv_lora) * sizes.rows;
    }
    match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => {
            let (rows, _) = routed(moe, layout, sizes, 1.0);
            bytes += activation * f64::from(moe.shared_ffn) / sizes.tp * sizes.tokens;
            bytes += rows * activation * f64::from(moe.ffn) / layout.etp as f64;
            let staged = if layout.ep * layout.etp == 1 { STAGING_ALONE } else { 1.0 };
            bytes += rows * bench.software.moe_staging_bytes * staged * sizes.hidden;
            if moe.bias && !bench.software.fused_expert_bias {
                bytes += rows * UNFUSED_EXPERT_BYTES * f64::from(moe.ffn) / layout.etp as f64;
            }
            kernels = KERNELS_MOE;
        }
        _ => bytes += activation * f64::from(model.ffn) / sizes.tp * sizes.tokens,
    }
    if !layout.switches.fused_activation {
        // The inputs of the activation are written once more with their bias and read again.
        bytes += 2.0 * ACTIVATION * activation_inputs(model, layout, sizes, kind);
    }
    let forward = bench.kernels.traffic(Bytes(bytes * bench.software.elementwise_factor));
    cost.forward.elementwise += forward;
    cost.backward.elementwise += forward * ELEMENTWISE_BACKWARD;
    cost.forward.gaps += bench.software.kernel_gap * kernels;
    cost.backward.gaps += bench.software.kernel_gap * (2.0 * kernels);
}

/// Elements that enter the activation functions of a layer on this device.
pub(super) fn activation_inputs(model: &Model, layout: &Layout, sizes: &Sizes, kind: LayerKind) -> f64 {
    let inputs = model.ffn_inputs();
    match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => {
            let (rows, _) = routed(moe, layout, sizes, 1.0);
            let shared = f64::from(moe.shared_ffn) / sizes.tp * sizes.tokens;
            inputs * (shared + rows * f64::from(moe.ffn) / layout.etp as f64)
        }
        _ => inputs * f64::from(model.ffn) / sizes.tp * sizes.tokens,
    }
}

/// Launches run ahead of the device: only where the host needs longer for a layer's experts does the device wait.
fn wait_for_host(bench: &Bench, layout: &Layout, moe: Moe, cost: &mut LayerCost) {
    let host = bench.software.expert_host * (f64::from(moe.experts) / layout.ep as f64);
    for phase in [&mut cost.forward, &mut cost.backward] {
        let wait = (host - phase.total()).max(Seconds::ZERO);
        phase.gaps += wait;
    }
}

/// The up-projections from the latents of multi-head latent attention.
pub(super) fn latent_products(model: &Model, sizes: &Sizes) -> Vec<Product> {
    match model.attention {
        Attention::Gqa => Vec::new(),
        Attention::Mla { q_lora, kv_lora, nope, .. } => {
            let keys =
                Product::new(sizes.tokens, f64::from(kv_lora), sizes.heads * (f64::from(nope) + sizes.value));
            let queries =
                q_lora.map(|rank| Product::new(sizes.tokens, f64::from(rank), sizes.heads * sizes.query));
            queries.into_iter().chain([keys]).collect()
        }
    }
}

/// The output head with its loss, on the last stage.
#[must_use]
pub fn head_cost(bench: &Bench, layout: &Layout) -> LayerCost {
    let sizes = Sizes::new(bench.model, bench.training, layout);
    let vocab = f64::from(bench.model.vocab) / sizes.tp;
    let kernels = bench.kernels;
    let mut cost = LayerCost::default();
    let accumulate = Bytes(2.0 * bench.training.gradient_bytes * sizes.hidden * vocab);
    let factor = bench.software.product_factor;
    cost.forward.matmul =
        kernels.product_bf16(Product::new(sizes.tokens, sizes.hidden, vocab), Bytes::ZERO) * factor;
    cost.weight_gradient =
        kernels.product_bf16(Product::new(sizes.hidden, sizes.tokens, vocab), accumulate) * factor;
    cost.backward.matmul = kernels.product_bf16(Product::new(sizes.tokens, vocab, sizes.hidden), Bytes::ZERO)
        * factor
        + cost.weight_gradient;
    // Logits in 16 bits, cast to 32 bits; the gradient takes the place of the cast: 6 bytes live per logit.
    let logits = sizes.tokens * vocab;
    cost.forward.elementwise = kernels.traffic(Bytes(10.0 * logits));
    cost.backward.elementwise = kernels.traffic(Bytes(8.0 * logits));
    if layout.tp > 1 {
        let group = bench.network.group(places(layout, bench.domain).tensor, sizes.tp);
        let bytes = Bytes(ACTIVATION * sizes.tokens * sizes.hidden);
        let traffic = all_gather(&group, bytes, Phases::Sequential);
        cost.forward.tp = traffic;
        cost.backward.tp = traffic;
    }
    cost.working = Bytes(LOSS_BYTES * logits);
    cost
}

/// The input embedding, on the first stage: a gather forward, a scatter of gradients backward.
#[must_use]
pub fn embedding_cost(bench: &Bench, layout: &Layout) -> LayerCost {
    let sizes = Sizes::new(bench.model, bench.training, layout);
    let mut cost = LayerCost::default();
    let bytes = ACTIVATION * sizes.tokens * sizes.hidden;
    cost.forward.elementwise = bench.kernels.traffic(Bytes(2.0 * bytes));
    cost.backward.elementwise = bench.kernels.traffic(Bytes(4.0 * bytes));
    if layout.tp > 1 {
        let group = bench.network.group(places(layout, bench.domain).tensor, sizes.tp);
        cost.forward.tp = all_gather(&group, Bytes(bytes), Phases::Sequential);
        cost.backward.tp = cost.forward.tp;
    }
    cost
}
