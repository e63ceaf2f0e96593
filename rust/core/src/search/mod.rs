//! The search: exact over the declared space, parallel, the same bytes for any number of threads.
//!
//! A plan is a layout on a plant: cluster, fabric, cap, cooling and number of units. For a given plant the faster
//! layout is never worse, whatever the objective, so the search keeps the most productive layout of every size, spares
//! counted ([`holding`], [`incumbents`]), and merges the sizes at the end. Units of work are dealt in fixed batches; incumbents are
//! exchanged only between batches, so that neither answers nor counts depend on the number of threads.

pub mod beyond;
pub mod choices;
pub mod gap;
pub mod holding;
pub mod incumbents;
pub mod least;
pub mod lowest;
pub mod neighbours;
mod plans;
pub mod prices;
pub mod rate;
pub mod shapes;
mod sizes;
pub mod tally;
pub mod units;
pub mod variant;
pub mod view;
pub mod work;

use std::time::Instant;

use rayon::prelude::*;

use crate::error::CoreError;
use crate::problem::{Axis, Objective, Problem, Search};
use holding::Placed;
use incumbents::Incumbents;
use neighbours::{Neighbours, neighbours};
use plans::{Plan, Plans};
use tally::Tally;
use units::{Best, Tables, Unit, Units};
use variant::{Point, Refusal, Variant, add_refusal, variants};
use view::View;
use work::work;

/// Units between the first two barriers; each batch is twice the one before. Small, so that a first plan and good
/// incumbents are known early.
const FIRST_BATCH: usize = 8;

/// Units of the largest batch, each counted once for every variant of its cluster.
const LARGEST_BATCH: usize = 256;

/// Units of a batch that grows no larger: enough for the cores of most machines.
const LEAST_BATCH: usize = 16;

/// A plan found: where it stands in the problem, and its layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Index of the variant.
    pub variant: usize,
    /// Index of the cluster.
    pub cluster: usize,
    /// Index of the fabric.
    pub fabric: usize,
    /// Index of the cooling.
    pub cooling: usize,
    /// Share of the board power.
    pub power_cap: f64,
    /// Cards bought.
    pub cards: u64,
    /// Layout and rate.
    pub best: Best,
    /// Share of calendar time that trains.
    pub goodput: f64,
    /// Calendar days.
    pub days: f64,
    /// Productive tokens per second with failures.
    pub effective_rate: f64,
    /// Grid intake on the design day.
    pub facility_megawatts: f64,
    /// Capital.
    pub capex_usd: Option<f64>,
    /// Cost of a year.
    pub tco_usd_per_year: Option<f64>,
}

/// The answer of a search.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The best plan.
    pub best: Option<Found>,
    /// The front, thinned to the points asked for.
    pub front: Vec<Found>,
    /// Points of the whole front.
    pub front_total: usize,
    /// Best plans of other kinds on the same plant.
    pub runners_up: Vec<Found>,
    /// Layouts as good within the share asked for.
    pub similar: u64,
    /// The best plans on the same plant with fewer and with more spares, where they come near.
    pub other_spares: Vec<Found>,
    /// Counts.
    pub tally: Tally,
    /// Whether the whole space was worked through.
    pub complete: bool,
    /// Of an unfinished search: the share by which the answer could still improve, where a bound is known.
    pub gap: Option<f64>,
    /// Why sizes were refused, and how many.
    pub refusals: Vec<Refusal>,
}

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Units done.
    pub done: usize,
    /// Units in all.
    pub total: usize,
    /// Candidates disposed of.
    pub candidates: u64,
    /// Whether a plan that meets the target is known.
    pub found: bool,
    /// How much better than the best plan known the answer can be at most, as a share of the objective.
    pub gap: Option<f64>,
}

/// Seconds between two looks at the gap, which takes a pass over all sizes.
const GAP_EVERY: f64 = 0.05;

/// Searches the space of `problem`. `progress` is called between batches and may stop the search by `false`.
///
/// # Errors
/// A problem that contradicts itself.
pub fn search(problem: &Problem, progress: &mut dyn FnMut(Progress) -> bool) -> Result<Outcome, CoreError> {
    Ok(solved(problem, progress)?.outcome)
}

/// An outcome with what a search of a slightly different problem can build on.
pub struct Solved {
    /// The answer.
    pub outcome: Outcome,
    /// Objective of the best plan as a cost.
    cost: Option<f64>,
    variants: Vec<Variant>,
    known: Incumbents,
}

/// As [`search`], with what was learned.
///
/// # Errors
/// A problem that contradicts itself.
pub fn solved(problem: &Problem, progress: &mut dyn FnMut(Progress) -> bool) -> Result<Solved, CoreError> {
    problem.validate()?;
    let start = Instant::now();
    let variants = variants(problem)?;
    let units = Units::new(problem, &variants);
    let tables = Tables::new(problem, most_devices(problem, &variants));
    let mut known = Incumbents::new(problem, &variants);
    let space = Explored { problem, variants: &variants, units: &units, tables: &tables };
    let (tally, complete) = space.explore(start, &mut known, progress);
    let outcome = answer(problem, &variants, &tables, &units, &known, tally, complete);
    let cost = best_value(problem, &variants, &known);
    Ok(Solved { outcome, cost, variants, known })
}

/// A space laid out for a search.
struct Explored<'a> {
    problem: &'a Problem,
    variants: &'a [Variant],
    units: &'a Units,
    tables: &'a Tables,
}

impl Explored<'_> {
    /// Works through the space until it ends, time is up, or `progress` says no; the counts, and whether it ended.
    fn explore(
        &self,
        start: Instant,
        known: &mut Incumbents,
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> (Tally, bool) {
        let (problem, variants, units) = (self.problem, self.variants, self.units);
        let mut tally = Tally::default();
        let mut done = 0;
        let bound = gap::objective_bound(problem, variants);
        let (mut gap_now, mut looked) = (None, f64::NEG_INFINITY);
        let mut size = FIRST_BATCH;
        let largest = (LARGEST_BATCH * units.clusters() / variants.len().max(1)).max(LEAST_BATCH);
        for block in units.blocks() {
            let mut rest = &block[..];
            while !rest.is_empty() {
                let (batch, others) = rest.split_at(size.min(rest.len()));
                rest = others;
                size = (size * 2).min(largest);
                for (found, counts) in worked(problem, variants, self.units, self.tables, batch, known) {
                    for (variant, found) in found {
                        known.merge(variants, variant, &found);
                    }
                    tally.add(&counts);
                }
                known.settle(problem, variants);
                done += batch.len();
                let seconds = start.elapsed().as_secs_f64();
                if known.found() && seconds - looked >= GAP_EVERY {
                    gap_now = gap::share(bound, best_value(problem, variants, known));
                    looked = seconds;
                }
                let (total, candidates, found) = (units.total, tally.enumerated, known.found());
                let wanted = progress(Progress { done, total, candidates, found, gap: gap_now });
                let late = problem.search.time_limit_seconds.is_some_and(|limit| seconds >= limit);
                if done < units.total && (late || !wanted) {
                    return (tally, false);
                }
            }
        }
        (tally, true)
    }
}

/// What a unit found on its variants, with its counts.
type Worked = (Vec<(usize, view::Found)>, Tally);

/// Works through a batch of units on all cores; the results stand in the order of the units.
fn worked(
    problem: &Problem,
    variants: &[Variant],
    units: &Units,
    tables: &Tables,
    batch: &[Unit],
    known: &Incumbents,
) -> Vec<Worked> {
    batch
        .par_iter()
        .with_max_len(1)
        .map(|unit| {
            let open = units.variants(unit.cluster).map(|variant| (variant, View::new(known, variant)));
            let mut views: Vec<(usize, View)> = open.collect();
            let mut tally = Tally::default();
            work(problem, variants, tables, unit, &mut views, &mut tally);
            let found = views.into_iter().map(|(variant, view)| (variant, view.found));
            (found.filter(|(_, found)| !found.is_empty()).collect(), tally)
        })
        .collect()
}

/// Devices of the largest size of any variant.
fn most_devices(problem: &Problem, variants: &[Variant]) -> u64 {
    variants
        .iter()
        .map(|variant| variant.most_cards() * problem.clusters[variant.cluster].devices_per_card)
        .max()
        .unwrap_or(0)
}

fn answer(
    problem: &Problem,
    variants: &[Variant],
    tables: &Tables,
    units: &Units,
    known: &Incumbents,
    tally: Tally,
    complete: bool,
) -> Outcome {
    let plans = Plans::of(problem, variants, known);
    let best = plans.best.map(|plan| plan.found(problem, variants, known));
    let front_total = plans.front.len();
    let front: Vec<Found> = thin(plans.front, problem.search.front_points)
        .into_iter()
        .map(|plan| plan.found(problem, variants, known))
        .collect();
    let near = best.map_or_else(Neighbours::default, |found| {
        let index = variants[found.variant].sizes.iter().position(|size| size.cards == found.cards);
        let winner = Placed { best: found.best, goodput: found.goodput };
        neighbours(problem, variants, tables, units, (found.variant, index.unwrap_or(0), winner))
    });
    let near_plans = |placed: &mut dyn Iterator<Item = Placed>| -> Vec<Found> {
        best.map_or_else(Vec::new, |found| placed.map(|other| with_layout(problem, &found, other)).collect())
    };
    let mut refusals = Vec::new();
    for refusal in variants.iter().flat_map(|variant| &variant.refusals) {
        add_refusal(&mut refusals, refusal.clone());
    }
    Outcome {
        best,
        front,
        front_total,
        runners_up: near_plans(&mut near.runners_up.into_iter()),
        similar: near.similar,
        other_spares: near_plans(&mut near.fewer_spares.into_iter().chain(near.more_spares)),
        tally,
        complete,
        gap: if complete {
            None
        } else {
            gap::share(gap::objective_bound(problem, variants), best_value(problem, variants, known))
        },
        refusals,
    }
}

/// The same plant with another layout.
fn with_layout(problem: &Problem, found: &Found, placed: Placed) -> Found {
    Found {
        best: placed.best,
        goodput: placed.goodput,
        days: problem.training.tokens / placed.productive() / 86_400.0,
        effective_rate: placed.productive(),
        ..*found
    }
}

/// The least objective among the plans known.
fn best_value(problem: &Problem, variants: &[Variant], known: &Incumbents) -> Option<f64> {
    let mut least: Option<f64> = None;
    for (index, variant) in variants.iter().enumerate() {
        for (place, size) in variant.sizes.iter().enumerate() {
            let Some(best) = known.at(index, place) else { continue };
            for row in &size.rows {
                let point =
                    Point { size, row, productive: best.productive(), tokens: problem.training.tokens };
                let cost = objective_cost(&problem.search, &point);
                least = Some(least.map_or(cost, |known| known.min(cost)));
            }
        }
    }
    least
}

/// The objective as a cost, smaller is better.
fn objective_cost(search: &Search, point: &Point) -> f64 {
    if !search.weights.is_empty() {
        return search.weights.iter().map(|part| part.weight * point.cost(part.axis)).sum();
    }
    match search.objective {
        Objective::Cards => point.cost(Axis::Cards),
        Objective::Days => point.days(),
        Objective::Throughput => point.cost(Axis::TokensPerSecond),
        Objective::Power => point.cost(Axis::FacilityMegawatts),
        Objective::Energy => point.row.mean_megawatts * point.days(),
        Objective::Capex => point.cost(Axis::CapexUsd),
        Objective::Tco => point.cost(Axis::TcoUsdPerYear),
        Objective::TokensPerJoule => point.row.mean_megawatts / -point.cost(Axis::TokensPerSecond),
    }
}

/// At most `points` of an ordered front: its ends and evenly spaced ranks between.
fn thin(front: Vec<Plan>, points: usize) -> Vec<Plan> {
    if front.len() <= points || points < 2 {
        return front.into_iter().take(points.max(1)).collect();
    }
    let last = front.len() - 1;
    (0..points).map(|rank| front[rank * last / (points - 1)]).collect()
}
