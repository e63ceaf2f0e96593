//! How far an unfinished search may be from the best: a bound that needs no layout.

use crate::service::ground::{Ground, Kind};
use crate::service::problem::ServiceProblem;
use crate::service::search::{Found, grounds, score, throughput};
use crate::service::sized::{least_at, most_units};
use crate::service::sizes::Field;
use crate::serving::memory::cache_bytes_of_token;
use crate::units::Flops;

/// Device-seconds that a request takes at least, whatever the layout and batch.
///
/// Admissible: every prompt token that is not cached and every output token costs its matrix products, at the rate of
/// endlessly deep products of the fastest class; every step of an answer reads its keys and values once, in models
/// without a window. Everything else (heads, weights, scores, waits, exchanges) only adds. An item costs its arithmetic
/// at the rate of the chip.
#[must_use]
pub fn least_seconds(ground: &Ground) -> f64 {
    match &ground.kind {
        Kind::Generic { item, rate } => item.flops / rate,
        Kind::Model { model, rates, question } => {
            let lengths = &question.lengths;
            let outside = model.embedding_parameters() + model.head_parameters();
            let products = 2.0 * (model.active_parameters() - outside).max(0.0);
            let tokens = lengths.input * (1.0 - lengths.prefix_hit) + lengths.output - 1.0;
            let computed = (Flops(products * tokens.max(0.0)) / rates.fastest()).0;
            let drafted = question.speculation.map_or(0.0, |draft| f64::from(draft.drafted));
            let steps = (lengths.output - 1.0).max(0.0) / (1.0 + drafted);
            let held = cache_bytes_of_token(model, &question.precisions) * lengths.input;
            let read = if model.window.is_some() { 0.0 } else { (held / rates.cache_rate()).0 * steps };
            computed + read
        }
    }
}

/// The share by which the best service known could still be improved; none without one.
///
/// Of every ground, looked at or not, the least units that carry the load at [`least_seconds`] with idle cards, or the
/// most load on the units that limits allow: no service of it is better.
///
/// # Errors
/// A power cap below what a card draws when idle.
pub fn gap(problem: &ServiceProblem, best: Option<&Found>) -> Result<Option<f64>, crate::error::CoreError> {
    let Some(best) = best else { return Ok(None) };
    let mut bound = f64::INFINITY;
    for place in grounds(problem) {
        let Some(ground) = Ground::new(problem, place)? else { continue };
        let devices = least_seconds(&ground);
        let field = Field::bare(ground);
        let cluster = field.ground.cluster;
        for cooling in 0..cluster.coolings.len() {
            let value = if throughput(problem) {
                most_units(problem, &field, cooling).map(|units| {
                    let cards = units * cluster.unit_cards * cluster.devices_per_card;
                    -(cards as f64) / devices
                })
            } else {
                let rate = problem.target.requests_per_second.unwrap_or(0.0);
                let cards = rate * devices / cluster.devices_per_card as f64;
                least_at(&field, cooling, (cards / cluster.unit_cards as f64, rate))
                    .map(|found| score(problem, &found))
            };
            bound = bound.min(value.unwrap_or(f64::INFINITY));
        }
    }
    let known = if throughput(problem) { -best.rate } else { score(problem, best) };
    // A rate is a negative cost: what could be added is told as a share of what could be reached.
    let whole = if known < 0.0 { -bound } else { known };
    let sound = known.is_finite() && bound.is_finite() && whole > 0.0;
    Ok(sound.then(|| ((known - bound) / whole).max(0.0)))
}
