//! How far an unfinished search may be from the best: a bound that needs no layout.

use crate::kernel::Kernels;
use crate::problem::Problem;
use crate::search::objective_cost;
use crate::search::variant::{Point, Variant};
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
    let mut least = f64::INFINITY;
    for variant in variants {
        let cluster = &problem.clusters[variant.cluster];
        let factor = problem.software_of(cluster).attention_factor.max(1.0);
        let per_card = device_rate(problem, &variant.kernels, factor) * cluster.devices_per_card as f64;
        for size in &variant.sizes {
            let rate = per_card * size.cards as f64;
            if rate < problem.needed_rate(size.goodput) {
                continue;
            }
            for row in &size.rows {
                let point = Point { size, row, rate, tokens: problem.training.tokens };
                least = least.min(objective_cost(&problem.search, &point));
            }
        }
    }
    least
}

/// The share of the best objective known by which the answer could still improve, at least 0.
#[must_use]
pub fn share(bound: f64, best: Option<f64>) -> Option<f64> {
    let best = best.filter(|best| best.is_finite() && bound.is_finite() && *best != 0.0)?;
    // A rate is a negative cost: what could be added is told as a share of what could be reached.
    let whole = if best < 0.0 { bound.abs() } else { best };
    Some(((best - bound) / whole).max(0.0))
}
