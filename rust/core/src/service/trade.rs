//! Speed of a user against yield of a card.

use rayon::prelude::*;

use crate::service::answer::TradePoint;
use crate::service::evaluate::output_tokens;
use crate::service::ground::Candidate;
use crate::service::sizes::Field;
use crate::serving::case::Mode;

/// Points kept at most.
const POINTS: usize = 50;
/// Batches at which the trade is looked at, as powers of this.
const TRADE_STEP: f64 = 1.5;

/// The Pareto front of users' speed against cards' yield over all layouts and batches of a ground, within no
/// latency: what the hardware could trade. Apart, each decode layout takes the most prefill-efficient layout.
#[must_use]
pub fn trade(field: &Field) -> Vec<TradePoint> {
    let ground = &field.ground;
    if ground.question().is_none() {
        return Vec::new();
    }
    let per_card = ground.cluster.devices_per_card as f64;
    let output = output_tokens(ground.problem);
    // Cards per unit of prompt rate, of the layout that takes in most per card.
    let prompts = field
        .candidates
        .iter()
        .filter_map(|item| {
            let round = item.prompts?;
            let rate = f64::from(item.instance.dp * item.instance.pp) / round.prompt_busy;
            Some(item.devices as f64 / per_card / rate)
        })
        .fold(f64::INFINITY, f64::min);
    let of = |item: &Candidate| {
        let mut points = Vec::new();
        for mode in [Mode::Aggregated, Mode::Disaggregated].into_iter().filter(|mode| field.has(*mode)) {
            let mut batch = 1.0;
            while batch <= item.limit {
                if let Some(point) = ground.at(item, mode == Mode::Aggregated, batch) {
                    let mut cards = item.devices as f64 / per_card;
                    if mode == Mode::Disaggregated {
                        cards += point.rate * prompts;
                    }
                    if point.load <= 1.0 && point.tpot.mean > 0.0 {
                        points.push(TradePoint {
                            tokens_per_second_per_user: 1.0 / point.tpot.mean,
                            tokens_per_second_per_card: point.rate * output / cards,
                            mode,
                            instance: item.instance,
                            batch: batch * f64::from(item.instance.dp * item.instance.pp),
                        });
                    }
                }
                batch *= TRADE_STEP;
            }
        }
        points
    };
    let each: Vec<Vec<TradePoint>> = field.candidates.par_iter().map(of).collect();
    let mut points = each.concat();
    points.sort_by(|a, b| {
        b.tokens_per_second_per_user
            .total_cmp(&a.tokens_per_second_per_user)
            .then(b.tokens_per_second_per_card.total_cmp(&a.tokens_per_second_per_card))
    });
    let mut kept: Vec<TradePoint> = Vec::new();
    for point in points {
        if kept.last().is_none_or(|last| point.tokens_per_second_per_card > last.tokens_per_second_per_card) {
            kept.push(point);
        }
    }
    thinned(kept)
}

/// At most so many points, evenly over the front, ends kept.
fn thinned(points: Vec<TradePoint>) -> Vec<TradePoint> {
    let count = points.len();
    if count <= POINTS {
        return points;
    }
    (0..POINTS).map(|place| points[place * (count - 1) / (POINTS - 1)]).collect()
}
