//! One transformer layer on one device: seconds of each kind of work for one micro-batch, and bytes it keeps.

use crate::collective::{Phases, all_gather, all_reduce, all_to_all};
use crate::hardware::Precision;
use crate::kernel::{GROUP_PADDING, Kernels, Product};
use crate::model::{Attention, LayerKind, Model, Moe};
use crate::network::Network;
use crate::training::layout::{Layout, Recompute};
use crate::training::memory::layer_parameters;
use crate::training::offload::add_waits;
use crate::training::schedule::{ContextKind, Schedule};
use crate::training::switches::{SequenceGather, gather_again, places};
use crate::units::{Bytes, Flops, Seconds};
use crate::workload::{Software, Training};

/// Bytes of an activation in 16 bits.
const ACTIVATION: f64 = 2.0;

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

/// Bytes per routed token and unit of width that biases and a clamped activation add where they are not fused.
///
/// A count of the passes gives about 40 at 16-bit intermediates and 80 to 110 at 32-bit ones. 100 was chosen because
/// the published gpt-oss runs were still 20 to 40 % slower than predicted with 40: set by hand on one model family.
const UNFUSED_EXPERT_BYTES: f64 = 100.0;

/// Seconds on the critical path of one pass over some layers, by cause; exposed parts only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    /// Matrix products.
    pub matmul: Seconds,
    /// Attention scores.
    pub attention: Seconds,
    /// Memory-bound work: norms, activations, rotary, permutation, quantisation, cross-entropy.
    pub elementwise: Seconds,
    /// Gaps between kernels and host work.
    pub gaps: Seconds,
    /// Tensor-parallel traffic.
    pub tp: Seconds,
    /// Context-parallel traffic.
    pub cp: Seconds,
    /// Expert dispatch and combine.
    pub ep: Seconds,
    /// Waiting for the link to the host.
    pub offload: Seconds,
}

impl Phase {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.matmul
            + self.attention
            + self.elementwise
            + self.gaps
            + self.tp
            + self.cp
            + self.ep
            + self.offload
    }

    /// The part that no network can change.
    #[must_use]
    pub fn on_device(&self) -> Seconds {
        self.matmul + self.attention + self.elementwise + self.gaps
    }

    /// `factor` times each part, added.
    #[must_use]
    pub fn plus(&self, other: &Self, factor: f64) -> Self {
        Self {
            matmul: self.matmul + other.matmul * factor,
            attention: self.attention + other.attention * factor,
            elementwise: self.elementwise + other.elementwise * factor,
            gaps: self.gaps + other.gaps * factor,
            tp: self.tp + other.tp * factor,
            cp: self.cp + other.cp * factor,
            ep: self.ep + other.ep * factor,
            offload: self.offload + other.offload * factor,
        }
    }
}

/// One layer, or the head, for one micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerCost {
    /// Forward pass.
    pub forward: Phase,
    /// Backward pass without recomputation.
    pub backward: Phase,
    /// Forward work redone in the backward pass.
    pub recompute: Phase,
    /// Of the backward pass, the products for the gradients of weights.
    pub weight_gradient: Seconds,
    /// Bytes kept from forward to backward pass.
    pub activations: Bytes,
    /// Bytes that a layer keeps which recomputes nothing.
    pub whole_activations: Bytes,
    /// Bytes that live only while the layer runs (all of its activations under full recomputation).
    pub working: Bytes,
}

impl LayerCost {
    /// Forward, backward and recomputation.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.forward.total() + self.backward.total() + self.recompute.total()
    }

    /// The part of it that no network can change.
    #[must_use]
    pub fn on_device(&self) -> Seconds {
        self.on_device_once() + self.recompute.on_device()
    }

    /// The same without recomputation.
    #[must_use]
    pub fn on_device_once(&self) -> Seconds {
        self.forward.on_device() + self.backward.on_device()
    }
}

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
struct Sizes {
    tp: f64,
    /// Tokens of the micro-batch on this context rank.
    tokens: f64,
    /// Tokens whose element-wise work falls on this device.
    rows: f64,
    hidden: f64,
    heads: f64,
    kv_heads: f64,
    query: f64,
    value: f64,
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
fn routed(moe: Moe, layout: &Layout, sizes: &Sizes, imbalance: f64) -> (f64, f64) {
    let per_rank = sizes.tokens / sizes.tp * f64::from(moe.top_k);
    (per_rank * layout.etp as f64 * imbalance, f64::from(moe.experts) / layout.ep as f64)
}

fn layer_products(model: &Model, layout: &Layout, sizes: &Sizes, kind: LayerKind) -> Vec<Product> {
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
            bytes += rows * bench.software.moe_staging_bytes * sizes.hidden;
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

/// What of `traffic` stays exposed when a share hides behind `compute`.
///
/// (1-h) T + max(0, h T - compute): keeps the trend with scale that max(0, T - h compute) loses.
#[must_use]
pub fn exposed(traffic: Seconds, hidden_share: f64, compute: Seconds) -> Seconds {
    traffic * (1.0 - hidden_share) + (traffic * hidden_share - compute).max(Seconds::ZERO)
}

/// Two collectives per block and pass: all-gather and reduce-scatter under sequence parallelism, else all-reduce.
fn add_tensor_traffic(bench: &Bench, layout: &Layout, sizes: &Sizes, kind: LayerKind, cost: &mut LayerCost) {
    if layout.tp == 1 {
        return;
    }
    let group = bench.network.group(places(layout, bench.domain).tensor, sizes.tp);
    let one = |tokens: f64| {
        let bytes = Bytes(ACTIVATION * tokens * sizes.hidden);
        if layout.sequence_parallel {
            all_gather(&group, bytes, Phases::Sequential) * 2.0
        } else {
            all_reduce(&group, bytes, Phases::Sequential)
        }
    };
    let mut traffic = one(sizes.tokens);
    match (kind, bench.model.moe) {
        (LayerKind::Moe, Some(moe)) => {
            if moe.shared_ffn > 0 {
                traffic += one(sizes.tokens);
            }
            if layout.etp > 1 {
                traffic += one(sizes.tokens * f64::from(moe.top_k));
            }
        }
        _ => traffic += one(sizes.tokens),
    }
    let share = bench.software.tp_overlap;
    let overlap = layout.switches.tp_overlap;
    let seen = |traffic: Seconds, compute: Seconds| {
        overlap.exposed(traffic, compute, sizes.tp).unwrap_or_else(|| exposed(traffic, share, compute))
    };
    cost.forward.tp += seen(traffic, cost.forward.matmul);
    let input = Bytes(ACTIVATION * sizes.tokens * sizes.hidden);
    let again = gather_again(layout, &group, input, gathered_inputs(bench.model, kind));
    cost.backward.tp += seen(traffic + again, cost.backward.matmul);
}

/// Inputs of a layer's products that sequence parallelism gathers: of attention and of the feed-forward network.
/// Latent attention projects down before it gathers.
fn gathered_inputs(model: &Model, kind: LayerKind) -> f64 {
    let attention = if matches!(model.attention, Attention::Gqa) { 1.0 } else { 0.0 };
    let feed_forward = match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => moe.shared_ffn > 0,
        _ => true,
    };
    attention + if feed_forward { 1.0 } else { 0.0 }
}

/// Elements that enter the activation functions of a layer on this device.
fn activation_inputs(model: &Model, layout: &Layout, sizes: &Sizes, kind: LayerKind) -> f64 {
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

/// Adds what products lose when they are cut into pieces to hide traffic: each piece reads the weights again.
fn cut_products(bench: &Bench, layout: &Layout, products: &[Product], cost: &mut LayerCost) {
    let pieces = layout.switches.tp_overlap.pieces(layout.tp as f64);
    if layout.tp == 1 || pieces <= 1.0 {
        return;
    }
    let factor = bench.software.product_factor;
    let lost = |shape: Product| {
        let piece = Product { m: shape.m / pieces, ..shape };
        bench.kernels.product(piece, Bytes::ZERO) * pieces - bench.kernels.product(shape, Bytes::ZERO)
    };
    for &product in products.iter().filter(|product| product.groups == 1.0) {
        let Product { m, k, n, groups } = product;
        cost.forward.matmul += lost(product).max(Seconds::ZERO) * factor;
        cost.backward.matmul += lost(Product { m, k: n, n: k, groups }).max(Seconds::ZERO) * factor;
    }
}

/// Ring attention: keys and values go round cp-1 times forward; backward their gradients go with them.
///
/// By heads (Ulysses): queries, keys, values and the output each cross once per pass, and nothing hides them.
fn add_context_traffic(bench: &Bench, layout: &Layout, sizes: &Sizes, cost: &mut LayerCost) {
    if layout.cp == 1 {
        return;
    }
    let cp = layout.cp as f64;
    let group = bench.network.group(places(layout, bench.domain).context, cp);
    let local =
        Bytes(ACTIVATION * sizes.tokens * sizes.kv_heads.min(sizes.heads) * (sizes.query + sizes.value));
    if layout.cp_kind == ContextKind::AllToAll {
        let outer = sizes.heads * (sizes.query + sizes.value);
        let inner = sizes.kv_heads.max(cp).min(sizes.heads) * (sizes.query + sizes.value);
        let bytes = Bytes(ACTIVATION * sizes.tokens * (outer + inner));
        let traffic = all_to_all(&group, bytes, (1.0, 1.0));
        cost.forward.cp += traffic;
        cost.backward.cp += traffic;
        return;
    }
    // A ring pass moves (cp-1) local blocks, which is an all-gather to cp blocks.
    let forward = all_gather(&group, local * cp, Phases::Pipelined);
    let hide = bench.software.cp_overlap;
    cost.forward.cp += (forward - cost.forward.attention * hide).max(Seconds::ZERO);
    cost.backward.cp += (forward * 2.0 - cost.backward.attention * hide).max(Seconds::ZERO);
}

/// Dispatch and combine, forward and backward.
fn add_expert_traffic(bench: &Bench, layout: &Layout, sizes: &Sizes, moe: Moe, cost: &mut LayerCost) {
    if layout.ep == 1 {
        return;
    }
    let ep = layout.ep as f64;
    let group = bench.network.group(layout.etp as f64, ep);
    let sent = sizes.tokens / sizes.tp * f64::from(moe.top_k) * sizes.hidden;
    let imbalance = libm::pow(ep, bench.software.imbalance_exponent);
    let copies = if bench.software.hierarchical_dispatch {
        let instances = group.spans().skip(1).map(|span| span.members).product::<f64>();
        let top_k = f64::from(moe.top_k);
        let beyond = copies_once_per_instance(instances, top_k);
        let limited = moe.top_groups.map_or(beyond, |groups| beyond.min(f64::from(groups) / top_k));
        (copies_once_per_instance(ep, top_k), limited)
    } else {
        (1.0, 1.0)
    };
    let dispatch = Bytes(bench.software.dispatch_bytes * sent * imbalance);
    let combine = Bytes(ACTIVATION * sent * imbalance);
    let traffic = all_to_all(&group, dispatch, copies) + all_to_all(&group, combine, copies);
    let hidden = bench.software.ep_overlap;
    let compute = |phase: &Phase| phase.matmul + phase.attention + phase.elementwise;
    if layout.schedule == Schedule::DualPipe {
        // The forward pass of one micro-batch runs beside the backward pass of another: traffic of both hides behind
        // the compute of both (arXiv 2412.19437, section 3.2.1).
        let both = compute(&cost.forward) + compute(&cost.backward);
        let left = exposed(traffic * 2.0, hidden, both) / 2.0;
        cost.forward.ep += left;
        cost.backward.ep += left;
    } else {
        cost.forward.ep += exposed(traffic, hidden, compute(&cost.forward));
        cost.backward.ep += exposed(traffic, hidden, compute(&cost.backward));
    }
    // The busiest rank's experts hold up the others.
    let experts = bench.model.ffn_inputs() + 1.0;
    let routed_share = {
        let all: f64 =
            layer_products(bench.model, layout, sizes, LayerKind::Moe).iter().map(|p| p.flops().0).sum();
        let (rows, _) = routed(moe, layout, sizes, 1.0);
        2.0 * rows * sizes.hidden * f64::from(moe.ffn) / layout.etp as f64 * experts / all
    };
    let wait = (imbalance - 1.0) * routed_share.min(1.0);
    cost.forward.ep += cost.forward.matmul * wait;
    cost.backward.ep += cost.backward.matmul * wait;
}

/// Launches run ahead of the device: only where the host needs longer for a layer's experts does the device wait.
fn wait_for_host(bench: &Bench, layout: &Layout, moe: Moe, cost: &mut LayerCost) {
    let host = bench.software.expert_host * (f64::from(moe.experts) / layout.ep as f64);
    for phase in [&mut cost.forward, &mut cost.backward] {
        let wait = (host - phase.total()).max(Seconds::ZERO);
        phase.gaps += wait;
    }
}

/// Copies that leave a server when a token goes once to each other server that holds one of its experts,
/// relative to one copy per expert: servers x (1 - (1 - 1/servers)^k) / k.
#[must_use]
pub fn copies_once_per_instance(instances: f64, top_k: f64) -> f64 {
    if instances <= 1.0 {
        return 1.0;
    }
    instances * (1.0 - libm::pow(1.0 - 1.0 / instances, top_k)) / top_k
}

/// Elements of the largest weight of a layer on one device.
#[must_use]
pub fn largest_weight(model: &Model, layout: &Layout) -> f64 {
    let tp = layout.tp as f64;
    let hidden = f64::from(model.hidden);
    let (query, value) = model.head_sizes();
    let heads = f64::from(model.heads);
    let attention = hidden * heads * value.max(query);
    let dense = hidden * model.ffn_inputs() * f64::from(model.ffn);
    let moe = model.moe.map_or(0.0, |moe| {
        let shared = f64::from(moe.shared_ffn) / tp;
        shared.max(f64::from(moe.ffn) / layout.etp as f64) * hidden * model.ffn_inputs()
    });
    let split = if model.moe.is_none() || model.moe_layers_before(model.layers) < model.layers {
        attention.max(dense)
    } else {
        attention
    };
    (split / tp).max(moe)
}

/// Bytes kept for the backward pass (Korthikanti et al. 2022, arXiv 2205.05198, with fused attention).
///
/// Per token at 16 bits: 8 h of norms and residuals, 4 (heads + kv heads) d of attention, 2 (g+1) ffn of the
/// feed-forward network with g input products; an expert's token adds 2 (h + (g+1) ffn). Inputs of products at 8
/// bits or less are kept at one byte. Selective recomputation drops what is cheap to redo: outputs of norms and of
/// the activation function, latent up-projections, and the score matrix if attention is not fused.
fn keep_activations(bench: &Bench, layout: &Layout, sizes: &Sizes, kind: LayerKind, cost: &mut LayerCost) {
    let model = bench.model;
    let input = if bench.training.precision == Precision::Bf16 { ACTIVATION } else { 1.0 };
    let residual = sizes.hidden * sizes.rows;
    // Two inputs of the residual sums, two outputs of norms (inputs of products).
    let mut kept = (2.0 * ACTIVATION + 2.0 * input) * residual;
    let mut cheap = 2.0 * input * residual;
    let out = input * sizes.heads * sizes.value * sizes.tokens;
    match model.attention {
        Attention::Gqa => {
            kept += ACTIVATION * (sizes.heads + 2.0 * sizes.kv_heads) * sizes.query * sizes.tokens + out;
        }
        Attention::Mla { q_lora, kv_lora, rope, .. } => {
            let latent = f64::from(q_lora.unwrap_or(0) + kv_lora + rope);
            let up = ACTIVATION * sizes.heads * (2.0 * sizes.query + sizes.value) * sizes.tokens;
            kept += up + out + 2.0 * ACTIVATION * latent * sizes.rows;
            cheap += up;
        }
    }
    // Scores, softmax and its dropout mask: 5 bytes per score.
    let scores = if bench.software.fused_attention {
        0.0
    } else {
        5.0 * sizes.tokens * f64::from(bench.training.sequence) * sizes.heads
    };
    kept += scores;
    cheap += scores;
    if layout.sequence_parallel && layout.switches.sequence_gather == SequenceGather::Kept {
        let others = (sizes.tokens - sizes.rows) * sizes.hidden;
        kept += input * others * gathered_inputs(model, kind);
    }
    if !layout.switches.fused_activation {
        let biased = ACTIVATION * activation_inputs(model, layout, sizes, kind);
        kept += biased;
        cheap += biased;
    }
    let mut ffn = |per_token_width: f64, tokens: f64| {
        kept += (ACTIVATION * model.ffn_inputs() + input) * per_token_width * tokens;
        cheap += input * per_token_width * tokens;
    };
    match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => {
            ffn(f64::from(moe.shared_ffn) / sizes.tp, sizes.tokens);
            let (rows, _) = routed(moe, layout, sizes, 1.0);
            ffn(f64::from(moe.ffn) / layout.etp as f64, rows);
            // The experts' outputs are not kept: router weights are applied to the inputs of their last product.
            kept += input * sizes.hidden * rows;
        }
        _ => ffn(f64::from(model.ffn) / sizes.tp, sizes.tokens),
    }
    cost.whole_activations = Bytes(kept);
    match layout.recompute {
        Recompute::None => cost.activations = Bytes(kept),
        Recompute::Attention => {
            // Queries, keys and values stay, and so does the output that the next product needs.
            cost.activations = Bytes(kept - scores);
            cost.working = Bytes(scores);
        }
        Recompute::Selective => {
            cost.activations = Bytes(kept - cheap);
            cost.working = Bytes(cheap);
        }
        Recompute::Full => {
            cost.activations = Bytes(ACTIVATION * residual);
            cost.working = Bytes(kept);
        }
    }
}

/// What is redone. `last`: the product that ends the layer, whose result nothing in the backward pass needs.
fn add_recompute(bench: &Bench, layout: &Layout, sizes: &Sizes, last: Option<Product>, cost: &mut LayerCost) {
    match layout.recompute {
        Recompute::None => {}
        Recompute::Full => {
            cost.recompute = cost.forward;
            if let (true, Some(last)) = (bench.software.recompute_stops_early, last) {
                let saved = bench.kernels.product(last, Bytes::ZERO) * bench.software.product_factor;
                cost.recompute.matmul = cost.recompute.matmul - saved;
            }
        }
        Recompute::Attention => {
            cost.recompute.attention = cost.forward.attention;
            cost.recompute.gaps = bench.software.kernel_gap * 3.0;
        }
        Recompute::Selective => {
            // Norms and activations are about half of the element-wise traffic; unfused scores are redone whole.
            cost.recompute.elementwise = cost.forward.elementwise * 0.5;
            cost.recompute.gaps = bench.software.kernel_gap * 3.0;
            if !bench.software.fused_attention {
                cost.recompute.attention = cost.forward.attention;
            }
            for product in latent_products(bench.model, sizes) {
                cost.recompute.matmul +=
                    bench.kernels.product(product, Bytes::ZERO) * bench.software.product_factor;
            }
        }
    }
}

/// The up-projections from the latents of multi-head latent attention.
fn latent_products(model: &Model, sizes: &Sizes) -> Vec<Product> {
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
