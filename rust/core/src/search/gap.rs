//! How far an unfinished search may be from the best: a bound that needs no layout.

use crate::kernel::Kernels;
use crate::problem::Problem;
use crate::search::objective_cost;
use crate::search::variant::{Point, Size, Variant};
use crate::units::{Flops, FlopsPerSecond};

/// Tokens per second that one device cannot exceed, whatever the layout.
///
/// Admissible: every token costs its matrix products and attention scores, forward and backward. A product takes at
/// least its FLOPs over the rate of endlessly deep products at the workload's precision (16-bit ones are slower),
/// scores at least theirs over the rate of endless sequences times the framework's `factor`; everything else only
/// adds.
fn device_rate(problem: &Problem, kernels: &Kernels, factor: f64) -> f64 {
    let model = &problem.model;
    let sequence = f64::from(problem.training.sequence);
    let (query, value) = model.head_sizes();
    let layers = f64::from(model.layers);
    let scores = 6.0 * layers * f64::from(model.heads) * (query + value) * model.mean_keys_causal(sequence);
    let products = model.training_flops_per_token(sequence) - scores;
    let fastest = |flops: f64, rate: FlopsPerSecond| (Flops(flops) / rate).0;
    let (product, score) = kernels.fastest_rates();
    1.0 / (fastest(products, product) + fastest(scores, score * factor))
}

/// The least objective that any plan could have: every size at the rate that its devices cannot exceed.
///
/// Admissible: at a given size and cooling every objective improves with the rate, and a size whose ceiling misses the
/// target has no plan. Infinite where no size can reach it.
#[must_use]
pub fn objective_bound(problem: &Problem, variants: &[Variant]) -> f64 {
    let bounds = variants.iter().flat_map(|variant| {
        let per_card = card_rate(problem, variant);
        variant.sizes.iter().map(move |size| size_bound(problem, per_card, size))
    });
    bounds.fold(f64::INFINITY, f64::min)
}

/// Tokens per second that one card of a variant cannot exceed.
#[must_use]
pub fn card_rate(problem: &Problem, variant: &Variant) -> f64 {
    let cluster = &problem.clusters[variant.cluster];
    let factor = problem.software_of(cluster).attention_factor.max(1.0);
    device_rate(problem, &variant.kernels, factor) * cluster.devices_per_card as f64
}

/// The least objective that a plan of this size could have, whose cards reach at most `per_card` tokens per second.
#[must_use]
pub fn size_bound(problem: &Problem, per_card: f64, size: &Size) -> f64 {
    let rate = per_card * size.cards as f64;
    if rate < problem.needed_rate(size.goodput) {
        return f64::INFINITY;
    }
    let costs = size.rows.iter().map(|row| {
        let point = Point { size, row, productive: rate * size.goodput, tokens: problem.training.tokens };
        objective_cost(&problem.search, &point)
    });
    costs.fold(f64::INFINITY, f64::min)
}

/// The share of the best objective known by which the answer could still improve, at least 0.
#[must_use]
pub fn share(bound: f64, best: Option<f64>) -> Option<f64> {
    let best = best.filter(|best| best.is_finite() && bound.is_finite() && *best != 0.0)?;
    // A rate is a negative cost: what could be added is told as a share of what could be reached.
    let whole = if best < 0.0 { bound.abs() } else { best };
    Some(((best - bound) / whole).max(0.0))
}
