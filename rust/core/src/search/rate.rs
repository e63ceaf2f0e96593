//! How fast candidates are evaluated, with every bound off: what `planner bench` prints.

use std::time::Instant;

use serde::Serialize;

use crate::error::CoreError;
use crate::problem::{Axis, Problem};
use crate::search::holding::Place;
use crate::search::tally::Tally;
use crate::search::units::{Best, Tables, Unit, Units};
use crate::search::variant::{Point, Variant, variants};
use crate::search::work::{Sink, work};

/// A rate measured on one core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Distinct feasible layouts whose time, memory, power and cost were worked out.
    pub evaluated: u64,
    /// Candidates disposed of in all, by rule or by evaluation.
    pub candidates: u64,
    /// Wall time.
    pub seconds: f64,
    /// Evaluations per second and core.
    pub evaluations_per_second: f64,
    /// Whether the space was worked through before the time was up.
    pub whole_space: bool,
}

/// Wants everything and costs each candidate on every cooling of its size.
struct Everything<'a> {
    variant: &'a Variant,
    tokens: f64,
    /// Keeps the costs alive; also a check that they are finite.
    sum: f64,
}

impl Sink for Everything<'_> {
    const EVERY_MEMORY: bool = true;

    fn last_size(&self) -> Option<usize> {
        self.variant.sizes.len().checked_sub(1)
    }

    fn floor(&self) -> f64 {
        0.0
    }

    fn out(&self, _sizes: (usize, usize), _per_card: f64) -> bool {
        false
    }

    /// Everything on the smallest size that holds it: the same layout is not evaluated twice.
    fn wants(&self, place: Place, _replicas: u64, _ceiling: f64) -> bool {
        self.variant.sizes[place.start].network == place.network
    }

    fn take(&mut self, variant: &Variant, place: Place, best: Best) {
        let Some((index, goodput)) = variant.holding(place, best.layout.replicas()).next() else { return };
        let size = &variant.sizes[index];
        for row in &size.rows {
            let point = Point { size, row, productive: best.rate * goodput, tokens: self.tokens };
            let energy = row.mean_megawatts * point.days();
            self.sum += energy + point.cost(Axis::FacilityMegawatts) + row.tco_usd_per_year.unwrap_or(0.0);
        }
    }
}

/// Evaluates layouts of `problem` one after another on this thread for about `seconds`, target and bounds off.
///
/// Units are taken with a stride, so that a part of the space is a fair sample of it.
///
/// # Errors
/// A problem that contradicts itself.
pub fn evaluation_rate(problem: &Problem, seconds: f64) -> Result<Rate, CoreError> {
    let mut open = problem.clone();
    open.target = crate::problem::Target::default();
    open.validate()?;
    let variants = variants(&open)?;
    let units = Units::new(&open, &variants);
    // A part of the largest spaces is enough to measure a rate.
    let all: Vec<Unit> = units.blocks().next().unwrap_or_default();
    let most = variants
        .iter()
        .map(|variant| variant.most_cards() * open.clusters[variant.cluster].devices_per_card)
        .max()
        .unwrap_or(0);
    let tables = Tables::new(&open, most);
    let mut sum = 0.0;
    let mut tally = Tally::default();
    let stride =
        (1..all.len()).rev().find(|step| coprime(*step, all.len()) && *step <= all.len() / 2).unwrap_or(1);
    let start = Instant::now();
    let mut done = 0;
    while done < all.len() && start.elapsed().as_secs_f64() < seconds {
        let unit: &Unit = &all[done * stride % all.len()];
        let tokens = open.training.tokens;
        let of = |index: usize| (index, Everything { variant: &variants[index], tokens, sum: 0.0 });
        let mut sinks: Vec<(usize, Everything)> = units.variants(unit.cluster).map(of).collect();
        work(&open, &variants, &tables, unit, &mut sinks, &mut tally);
        sum += sinks.iter().map(|(_, sink)| sink.sum).sum::<f64>();
        done += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    debug_assert!(sum.is_finite());
    Ok(Rate {
        evaluated: tally.timed,
        candidates: tally.enumerated,
        seconds: elapsed,
        evaluations_per_second: tally.timed as f64 / elapsed,
        whole_space: done == units.total,
    })
}

fn coprime(a: usize, b: usize) -> bool {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}
