//! What a layer sends: tensor, context and expert groups, and what of it stays exposed.

use crate::collective::{Phases, all_gather, all_reduce, all_to_all};
use crate::kernel::Product;
use crate::model::{Attention, LayerKind, Model, Moe};
use crate::training::layer::{ACTIVATION, Bench, Sizes, layer_products, routed};
use crate::training::layout::Layout;
use crate::training::phases::{LayerCost, Phase};
use crate::training::schedule::{ContextKind, Schedule};
use crate::training::switches::{gather_again, places};
use crate::units::{Bytes, Seconds};

/// What of `traffic` stays exposed when a share hides behind `compute`.
///
/// (1-h) T + max(0, h T - compute): keeps the trend with scale that max(0, T - h compute) loses.
#[must_use]
pub fn exposed(traffic: Seconds, hidden_share: f64, compute: Seconds) -> Seconds {
    traffic * (1.0 - hidden_share) + (traffic * hidden_share - compute).max(Seconds::ZERO)
}

/// Two collectives per block and pass: all-gather and reduce-scatter under sequence parallelism, else all-reduce.
pub(super) fn add_tensor_traffic(
    bench: &Bench,
    layout: &Layout,
    sizes: &Sizes,
    kind: LayerKind,
    cost: &mut LayerCost,
) {
    if layout.tp == 1 {
        return;
    }
    let stride = places(layout, bench.domain).tensor;
    let group = bench.network.group(stride, sizes.tp);
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
    occupy(bench, stride * sizes.tp, traffic * 2.0 + again, cost);
}

/// Counts `traffic` of a group that reaches over `reach` devices where it leaves the scale-up domain: gradients cannot
/// use the network at the same time.
fn occupy(bench: &Bench, reach: f64, traffic: Seconds, cost: &mut LayerCost) {
    if reach > bench.domain {
        cost.scale_out += traffic;
    }
}

/// Inputs of a layer's products that sequence parallelism gathers: of attention and of the feed-forward network.
/// Latent attention projects down before it gathers.
pub(super) fn gathered_inputs(model: &Model, kind: LayerKind) -> f64 {
    let attention = if matches!(model.attention, Attention::Gqa) { 1.0 } else { 0.0 };
    let feed_forward = match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => moe.shared_ffn > 0,
        _ => true,
    };
    attention + if feed_forward { 1.0 } else { 0.0 }
}

/// Adds what products lose when they are cut into pieces to hide traffic: each piece reads the weights again.
pub(super) fn cut_products(bench: &Bench, layout: &Layout, products: &[Product], cost: &mut LayerCost) {
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
pub(super) fn add_context_traffic(bench: &Bench, layout: &Layout, sizes: &Sizes, cost: &mut LayerCost) {
    if layout.cp == 1 {
        return;
    }
    let cp = layout.cp as f64;
    let stride = places(layout, bench.domain).context;
    let group = bench.network.group(stride, cp);
    let carried =
        if bench.software.ring_repeats_heads { sizes.heads } else { sizes.kv_heads.min(sizes.heads) };
    let local = Bytes(ACTIVATION * sizes.tokens * carried * (sizes.query + sizes.value));
    if layout.cp_kind == ContextKind::AllToAll {
        let outer = sizes.heads * (sizes.query + sizes.value);
        let inner = sizes.kv_heads.max(cp).min(sizes.heads) * (sizes.query + sizes.value);
        let bytes = Bytes(ACTIVATION * sizes.tokens * (outer + inner));
        let traffic = all_to_all(&group, bytes, (1.0, 1.0));
        cost.forward.cp += traffic;
        cost.backward.cp += traffic;
        occupy(bench, stride * cp, traffic * 2.0, cost);
        return;
    }
    // A ring pass moves (cp-1) local blocks, which is an all-gather to cp blocks.
    let forward = all_gather(&group, local * cp, Phases::Pipelined);
    let hide = bench.software.cp_overlap;
    cost.forward.cp += (forward - cost.forward.attention * hide).max(Seconds::ZERO);
    cost.backward.cp += (forward * 2.0 - cost.backward.attention * hide).max(Seconds::ZERO);
    occupy(bench, stride * cp, forward * 3.0, cost);
}

/// How much more of a network port the kernels of a hierarchical dispatch reach than a general collective does.
///
/// `DeepEP` prints 43 to 58 GB/s per card between servers of 50 GB/s ports (<https://github.com/deepseek-ai/DeepEP>,
/// 2025); the share of its port that a collective reaches is fitted at a little over half.
const DISPATCH_KERNELS: f64 = 1.5;

/// Dispatch and combine, forward and backward.
pub(super) fn add_expert_traffic(
    bench: &Bench,
    layout: &Layout,
    sizes: &Sizes,
    moe: Moe,
    cost: &mut LayerCost,
) {
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
        (copies_once_per_instance(ep, top_k), limited / DISPATCH_KERNELS)
    } else {
        (1.0, 1.0)
    };
    let dispatch = Bytes(bench.software.dispatch_bytes * sent * imbalance);
    let combine = Bytes(ACTIVATION * sent * imbalance);
    let traffic = all_to_all(&group, dispatch, copies) + all_to_all(&group, combine, copies);
    occupy(bench, layout.etp as f64 * ep, traffic * 2.0, cost);
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

/// Copies that leave a server when a token goes once to each other server that holds one of its experts,
/// relative to one copy per expert: servers x (1 - (1 - 1/servers)^k) / k.
#[must_use]
pub fn copies_once_per_instance(instances: f64, top_k: f64) -> f64 {
    if instances <= 1.0 {
        return 1.0;
    }
    instances * (1.0 - libm::pow(1.0 - 1.0 / instances, top_k)) / top_k
}
