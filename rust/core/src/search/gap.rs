//! How far an unfinished search may be from the best: a bound that needs no layout.

use crate::kernel::Kernels;
use crate::problem::{Objective, Problem};
use crate::search::Found;
use crate::search::variant::Variant;
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

/// The share by which the answer could still improve: (best - bound) / best on the objective, at least 0.
///
/// Known for the fewest cards, the fewest days and the most throughput; none for other objectives, or without a
/// plan.
#[must_use]
pub fn gap(problem: &Problem, variants: &[Variant], best: Option<&Found>) -> Option<f64> {
    let best = best?;
    let per_card = |variant: &Variant| {
        let cluster = &problem.clusters[variant.cluster];
        device_rate(problem, &variant.kernels, problem.software_of(cluster).attention_factor.max(1.0))
            * cluster.devices_per_card as f64
    };
    let share = match problem.search.objective {
        Objective::Cards => {
            let fastest = variants.iter().map(per_card).fold(0.0, f64::max);
            let fewest = problem.needed_rate(1.0) / fastest;
            1.0 - fewest.max(problem.limits.cards_min as f64) / best.cards as f64
        }
        Objective::Days | Objective::Throughput => {
            let most = variants.iter().map(|variant| per_card(variant) * variant.most_cards() as f64);
            1.0 - best.effective_rate / most.fold(0.0, f64::max)
        }
        _ => return None,
    };
    Some(share.max(0.0))
}
