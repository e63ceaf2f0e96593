//! What a layer keeps for the backward pass, and what it redoes there.

use crate::hardware::Precision;
use crate::kernel::Product;
use crate::model::{Attention, LayerKind, Model};
use crate::training::layer::{ACTIVATION, Bench, Sizes, activation_inputs, latent_products, routed};
use crate::training::layout::{Layout, Recompute};
use crate::training::phases::LayerCost;
use crate::training::switches::SequenceGather;
use crate::training::traffic::gathered_inputs;
use crate::units::Bytes;

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
/// the activation function, latent up-projections, and the score matrix if attention is not fused. The busiest rank of
/// an expert group keeps more of its routed tokens by the imbalance that the layer's time knows ([`LayerCost::excess`]).
pub(super) fn keep_activations(
    bench: &Bench,
    layout: &Layout,
    sizes: &Sizes,
    kind: LayerKind,
    cost: &mut LayerCost,
) {
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
    let mut routed_kept = (0.0, 0.0);
    let mut ffn = |per_token_width: f64, tokens: f64| {
        let one = (ACTIVATION * model.ffn_inputs() + input) * per_token_width * tokens;
        kept += one;
        cheap += input * per_token_width * tokens;
        (one, input * per_token_width * tokens)
    };
    match (kind, model.moe) {
        (LayerKind::Moe, Some(moe)) => {
            ffn(f64::from(moe.shared_ffn) / sizes.tp, sizes.tokens);
            let (rows, _) = routed(moe, layout, sizes, 1.0);
            let (whole, redone) = ffn(f64::from(moe.ffn) / layout.etp as f64, rows);
            // The experts' outputs are not kept: router weights are applied to the inputs of their last product.
            let inputs = input * sizes.hidden * rows;
            kept += inputs;
            routed_kept = (whole + inputs, redone);
        }
        _ => {
            ffn(f64::from(model.ffn) / sizes.tp, sizes.tokens);
        }
    }
    let uneven = libm::pow(layout.ep as f64, bench.software.imbalance_exponent) - 1.0;
    cost.whole_excess = Bytes(routed_kept.0 * uneven);
    cost.excess = Bytes(match layout.recompute {
        Recompute::None | Recompute::Attention => cost.whole_excess.0,
        Recompute::Selective => (routed_kept.0 - routed_kept.1) * uneven,
        Recompute::Full => 0.0,
    });
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
            cost.working = Bytes(kept) + cost.whole_excess;
        }
    }
}

/// What is redone. `last`: the product that ends the layer, whose result nothing in the backward pass needs.
pub(super) fn add_recompute(
    bench: &Bench,
    layout: &Layout,
    sizes: &Sizes,
    last: Option<Product>,
    cost: &mut LayerCost,
) {
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
