//! One layer of a step on one device: attention, feed-forward network or experts, and their collectives.

use serde::Serialize;

use crate::model::{Attention, LayerKind, Model};
use crate::serving::case::{Constants, Instance, Precisions, Question, ServingSoftware};
use crate::serving::exchange::{Exchange, Routed};
use crate::serving::operators::{ProductClass, Rates, activation_bytes};
use crate::serving::units::expert_coverage;
use crate::units::{Bytes, Flops, Seconds};

/// Kernels of the attention block. Grouped-query: norm, product of queries, keys and values, rotation with writing the
/// cache, attention, merging its parts, output product. Latent (absorbed): norm, compressing product, two norms,
/// queries' product, rotation with writing, absorbing product, attention, merging, expanding product, output product,
/// and three that quantise what goes into the products.
const ATTENTION_KERNELS: (f64, f64) = (6.0, 14.0);
/// Kernels of a layer for which a framework's host time per layer is stated: grouped-query attention, dense block.
pub const USUAL_KERNELS: f64 = ATTENTION_KERNELS.0 + FEED_FORWARD_KERNELS.0;
/// Kernels of a dense block (norm, product, activation, product) and of one of experts: norm, router, choice, counting,
/// sorting, permuting, grouped product, activation, grouped product, merging.
const FEED_FORWARD_KERNELS: (f64, f64) = (4.0, 10.0);
/// Kernels of shared experts beside the routed ones: product, activation, product, sum.
const SHARED_KERNELS: f64 = 4.0;

/// What one instance works with.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// Model.
    pub model: &'a Model,
    /// The question: lengths, precisions.
    pub question: &'a Question,
    /// Layout of the instance.
    pub instance: &'a Instance,
    /// Rates of a device.
    pub rates: &'a Rates,
    /// Collectives.
    pub exchange: &'a Exchange,
    /// Constants.
    pub constants: &'a Constants,
    /// Framework.
    pub software: &'a ServingSoftware,
}

/// Work of a step on the busiest data-parallel rank (one pipeline stage's micro-batch).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Sequences decoded.
    pub sequences: f64,
    /// Share of the ranks that decode at all.
    pub busy: f64,
    /// Tokens per sequence (1, more with speculation).
    pub width: f64,
    /// Cached tokens per sequence.
    pub context: f64,
    /// Prompt tokens on this rank.
    pub prompt: f64,
    /// Prompt tokens per rank, mean over the ranks.
    pub prompt_mean: f64,
    /// Keys that a prompt token sees, full attention.
    pub keys: f64,
    /// Prompts that end in this step, on this rank.
    pub finished: f64,
    /// Sequences that only fill the graph up to the size it was captured at, on every rank.
    pub filling: f64,
}

impl Work {
    /// Tokens of the busiest rank.
    #[must_use]
    pub fn tokens(&self) -> f64 {
        (self.sequences + self.filling) * self.width + self.prompt
    }

    /// Tokens of the mean rank.
    #[must_use]
    pub fn mean_tokens(&self) -> f64 {
        (self.sequences * self.busy + self.filling) * self.width + self.prompt_mean
    }

    /// A part of the batch.
    #[must_use]
    pub fn part(&self, share: f64) -> Self {
        Self {
            sequences: self.sequences * share,
            prompt: self.prompt * share,
            prompt_mean: self.prompt_mean * share,
            finished: self.finished * share,
            filling: self.filling * share,
            ..*self
        }
    }
}

/// Time of a layer by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LayerTimes {
    /// Dense products.
    pub products: Seconds,
    /// Attention over prompts.
    pub prompt_attention: Seconds,
    /// Attention over the cache.
    pub cache_attention: Seconds,
    /// Grouped products of experts.
    pub experts: Seconds,
    /// Norms, residuals, permutation.
    pub elementwise: Seconds,
    /// Floors of kernels.
    pub launches: Seconds,
    /// Tensor-parallel collectives, exposed.
    pub tensor_parallel: Seconds,
    /// Dispatch and combine.
    pub expert_exchange: Seconds,
}

impl LayerTimes {
    /// Everything but dispatch and combine.
    #[must_use]
    pub fn compute(&self) -> Seconds {
        self.products
            + self.prompt_attention
            + self.cache_attention
            + self.experts
            + self.elementwise
            + self.launches
            + self.tensor_parallel
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.compute() + self.expert_exchange
    }

    /// `self` + `other` x `count`.
    pub fn add(&mut self, other: &Self, count: f64) {
        self.products += other.products * count;
        self.prompt_attention += other.prompt_attention * count;
        self.cache_attention += other.cache_attention * count;
        self.experts += other.experts * count;
        self.elementwise += other.elementwise * count;
        self.launches += other.launches * count;
        self.tensor_parallel += other.tensor_parallel * count;
        self.expert_exchange += other.expert_exchange * count;
    }
}

/// One layer: as one batch, or as two halves whose exchanges hide behind each other's compute if that is faster.
#[must_use]
pub fn layer(bench: &Bench, kind: LayerKind, work: &Work) -> LayerTimes {
    let plain = one_batch(bench, kind, work);
    if !bench.software.two_batch_overlap || plain.expert_exchange.0 <= 0.0 {
        return plain;
    }
    let half = one_batch(bench, kind, &work.part(0.5));
    let mut halves = LayerTimes::default();
    halves.add(&half, 2.0);
    let hidden = halves.expert_exchange.min(halves.compute()) * bench.software.overlap_share;
    halves.expert_exchange = halves.expert_exchange - hidden;
    if halves.total() < plain.total() { halves } else { plain }
}

fn one_batch(bench: &Bench, kind: LayerKind, work: &Work) -> LayerTimes {
    let mut times = LayerTimes::default();
    if work.tokens() <= 0.0 && work.mean_tokens() <= 0.0 {
        return times;
    }
    attention_block(bench, work, &mut times);
    match kind {
        LayerKind::Dense => dense_block(bench, work, bench.model.ffn, &mut times),
        LayerKind::Moe => expert_block(bench, work, &mut times),
    }
    let hidden = f64::from(bench.model.hidden);
    let moved = Bytes(bench.constants.elementwise_bytes * hidden * work.tokens());
    times.elementwise += bench.rates.traffic(moved);
    times
}

/// Bytes of keys and values of one token and layer on one device. A grouped-query head is cut to one at most;
/// the latent of MLA is on every tensor-parallel rank.
#[must_use]
pub fn cache_bytes(model: &Model, precisions: &Precisions, tp: f64) -> f64 {
    let element = precisions.cache.bytes();
    match model.attention {
        Attention::Gqa => {
            2.0 * (f64::from(model.kv_heads) / tp).max(1.0) * f64::from(model.head_dim) * element
        }
        Attention::Mla { kv_lora, rope, .. } => f64::from(kv_lora + rope) * element,
    }
}

/// Mean over the layers of the keys seen, of `keys` where the window lets them.
#[must_use]
pub fn windowed(model: &Model, keys: f64) -> f64 {
    model
        .window
        .map_or(keys, |window| window.share * keys.min(f64::from(window.size)) + (1.0 - window.share) * keys)
}

fn attention_block(bench: &Bench, work: &Work, times: &mut LayerTimes) {
    let model = bench.model;
    let precisions = &bench.question.precisions;
    let tp = f64::from(bench.instance.tp);
    let heads = f64::from(model.heads) / tp;
    let (hidden, tokens) = (f64::from(model.hidden), work.tokens());
    let (query, value) = model.head_sizes();
    let weight = precisions.attention_weights.bytes();
    let activation = activation_bytes(precisions.attention_products);
    let product =
        |k: f64, n: f64| bench.rates.product(ProductClass::Attention, (tokens, k, n), weight, activation);
    let decoded = work.sequences * work.width;
    let context = windowed(model, work.context);
    let cached = Bytes(work.sequences * context * cache_bytes(model, precisions, tp));
    let (flops_per_key, kernels) = match model.attention {
        Attention::Gqa => {
            let kv = (f64::from(model.kv_heads) / tp).max(1.0);
            times.products += product(hidden, (heads + 2.0 * kv) * query) + product(heads * value, hidden);
            (2.0 * (query + value), ATTENTION_KERNELS.0)
        }
        Attention::Mla { q_lora, kv_lora, nope, rope, .. } => {
            let latent = f64::from(kv_lora);
            let down = latent + f64::from(rope);
            times.products += match q_lora {
                Some(rank) => {
                    product(hidden, f64::from(rank) + down) + product(f64::from(rank), heads * query)
                }
                None => product(hidden, heads * query + down),
            };
            // Absorbed for decoded tokens, expanded for prompts: the same products per head either way.
            times.products += product(latent, heads * (f64::from(nope) + value));
            times.products += product(heads * value, hidden);
            (2.0 * (2.0 * latent + f64::from(rope)), ATTENTION_KERNELS.1)
        }
    };
    times.cache_attention +=
        bench.rates.cache_attention(Flops(decoded * heads * flops_per_key * context), cached);
    if work.prompt > 0.0 {
        let keys = windowed(model, work.keys);
        let flops = Flops(2.0 * work.prompt * heads * (query + value) * keys);
        let kv = (f64::from(model.kv_heads) / tp).max(1.0);
        let read = Bytes(2.0 * work.prompt * (2.0 * heads * query + 2.0 * kv * (query + value)));
        times.prompt_attention += bench.rates.prompt_attention(flops, read);
    }
    times.launches += bench.software.kernel_gap * kernels;
    if tp > 1.0 {
        reduce(bench, work, times);
    }
}

/// An all-reduce of the tensor-parallel group, less what hides behind products.
fn reduce(bench: &Bench, work: &Work, times: &mut LayerTimes) {
    let bytes = Bytes(2.0 * work.tokens() * f64::from(bench.model.hidden));
    times.tensor_parallel += bench.exchange.tensor_all_reduce(bytes) * (1.0 - bench.software.tp_overlap);
}

fn dense_products(bench: &Bench, tokens: f64, width: f64) -> Seconds {
    let precisions = &bench.question.precisions;
    let (hidden, inputs) = (f64::from(bench.model.hidden), bench.model.ffn_inputs());
    let weight = precisions.dense_weights.bytes();
    let activation = activation_bytes(precisions.dense_products);
    let own = width / f64::from(bench.instance.tp);
    let rates = bench.rates;
    rates.product(ProductClass::Dense, (tokens, hidden, inputs * own), weight, activation)
        + rates.product(ProductClass::Dense, (tokens, own, hidden), weight, activation)
}

/// Kernels of a layer.
#[must_use]
pub fn kernels(model: &Model, kind: LayerKind) -> f64 {
    let attention = if matches!(model.attention, Attention::Mla { .. }) {
        ATTENTION_KERNELS.1
    } else {
        ATTENTION_KERNELS.0
    };
    attention + if kind == LayerKind::Moe { expert_kernels(model) } else { FEED_FORWARD_KERNELS.0 }
}

fn expert_kernels(model: &Model) -> f64 {
    let shared = model.moe.is_some_and(|moe| moe.shared_ffn > 0);
    FEED_FORWARD_KERNELS.1 + if shared { SHARED_KERNELS } else { 0.0 }
}

fn dense_block(bench: &Bench, work: &Work, width: u32, times: &mut LayerTimes) {
    times.products += dense_products(bench, work.tokens(), f64::from(width));
    times.launches += bench.software.kernel_gap * FEED_FORWARD_KERNELS.0;
    if bench.instance.tp > 1 {
        reduce(bench, work, times);
    }
}

fn expert_block(bench: &Bench, work: &Work, times: &mut LayerTimes) {
    let Some(moe) = bench.model.moe else { return };
    let (model, instance, software) = (bench.model, bench.instance, bench.software);
    let precisions = &bench.question.precisions;
    let (hidden, experts, top_k) = (f64::from(model.hidden), f64::from(moe.experts), f64::from(moe.top_k));
    let (ep, etp) = (f64::from(instance.ep), f64::from(instance.etp));
    let spread = f64::from(instance.dp);
    if moe.shared_ffn > 0 {
        times.products += dense_products(bench, work.tokens(), f64::from(moe.shared_ffn));
    }
    times.products += bench.rates.product(ProductClass::Head, (work.tokens(), hidden, experts), 2.0, 2.0);
    let imbalance =
        if bench.question.balanced_experts { 1.0 } else { libm::pow(ep, software.imbalance_exponent) };
    let all = work.mean_tokens() * spread;
    let rows = all * top_k / ep * imbalance;
    // More ranks than experts: copies, at least one expert each.
    let local = (experts / ep).max(1.0);
    let used = local * expert_coverage(experts.max(ep), top_k, all, bench.constants.expert_skew);
    let width = f64::from(moe.ffn) / etp;
    let inputs = model.ffn_inputs();
    let elements = (inputs + 1.0) * hidden * width;
    let activation = activation_bytes(precisions.expert_products);
    let moved = Bytes(rows * (hidden * activation + 2.0 * (inputs + 1.0) * width + 2.0 * hidden));
    // Narrow experts fill the tiles of the matrix engine badly.
    let charged = rows * (1.0 + bench.constants.grouped_width / width);
    times.experts += bench.rates.grouped(charged, used, elements, precisions.expert_weights.bytes(), moved);
    times.elementwise += bench.rates.traffic(Bytes(bench.constants.routed_bytes * rows * hidden));
    times.launches += software.kernel_gap * expert_kernels(model);
    if instance.dp == 1 {
        if instance.tp > 1 {
            reduce(bench, work, times);
        }
        return;
    }
    let tp = f64::from(instance.tp);
    times.expert_exchange += bench.exchange.experts(
        &Routed {
            tokens: work.tokens() / tp,
            hidden,
            top_k,
            top_groups: moe.top_groups.map_or(0.0, f64::from),
            imbalance,
        },
        software,
    );
    if tp > 1.0 {
        let bytes = Bytes(2.0 * work.tokens() * hidden);
        times.tensor_parallel += bench.exchange.tensor_all_gather(bytes) * (1.0 - software.tp_overlap);
    }
}
