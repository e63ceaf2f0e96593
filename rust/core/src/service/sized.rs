//! The services of one ground, each on its plant: the smallest for a load, those that draw less, the most inside limits.

use std::collections::BTreeMap;

use crate::plant::{Choice, Plant, plant};
use crate::problem::Objective;
use crate::service::evaluate::inside;
use crate::service::problem::ServiceProblem;
use crate::service::sizes::{Field, Group, Way};
use crate::service::watts::{Drawn, limited, matter, thrifty};

/// Layouts that are looked at beside one that a simulation refuted.
const MOST_SMALLER: usize = 256;

/// Times the load of the answer from which another of as many cards is told.
pub const WORTH_TELLING: f64 = 1.02;

/// One found service.
#[derive(Clone)]
pub struct Found {
    /// Index into the fields.
    pub field: usize,
    /// Index into the cluster's coolings.
    pub cooling: usize,
    /// Pools.
    pub way: Way,
    /// Requests per second that it is sized for.
    pub rate: f64,
    /// What is bought.
    pub plant: Plant,
    /// By how much it is stronger than the closed forms say it must be; 1 before any simulation.
    pub strain: f64,
    /// How often a simulation refuted a service on its ground before.
    pub refutations: u32,
    /// The step of `strain` that led to it.
    pub jump: f64,
}

/// Whether the most load inside the limits is asked for, and not the least that carries a load.
#[must_use]
pub fn throughput(problem: &ServiceProblem) -> bool {
    problem.target.requests_per_second.is_none() || problem.search.objective == Objective::Throughput
}

/// What the plants of a field are built of with one of its coolings.
fn options<'a>(field: &Field<'a>, cooling: usize) -> Choice<'a> {
    let ground = &field.ground;
    Choice {
        cluster: ground.cluster,
        fabric: ground.fabric,
        cooling: &ground.cluster.coolings[cooling],
        clock: ground.clock,
        power_cap: ground.cluster.power_caps[ground.place.cap],
    }
}

/// The service of `way` for `rate` with each cooling that holds it.
fn with_coolings(index: usize, field: &Field, way: Way, rate: f64) -> Vec<Found> {
    let drawn = Drawn::new(field, &way, rate);
    let coolings = 0..field.ground.cluster.coolings.len();
    coolings.filter_map(|cooling| at_units(index, field, cooling, way, (rate, &drawn))).collect()
}

/// The service of `way` on at least its units, for a rate at which its pools draw so much.
fn at_units(
    index: usize,
    field: &Field,
    cooling: usize,
    way: Way,
    (rate, drawn): (f64, &Drawn),
) -> Option<Found> {
    let least = field.ground.problem.limits.cards_min.div_ceil(field.ground.cluster.unit_cards);
    let units = way.units.max(least);
    let built = build(field, cooling, units)?;
    Some(Found {
        field: index,
        cooling,
        way: Way { units, ..way },
        rate,
        plant: drawn.on(&field.ground, &options(field, cooling), built),
        strain: 1.0,
        refutations: 0,
        jump: 1.0,
    })
}

/// The best services of a ground for each cooling that the closed forms let carry `strain` times the load: the smallest,
/// and where watts matter those that draw less.
#[must_use]
pub fn loaded(problem: &ServiceProblem, index: usize, field: &Field, strain: f64) -> Vec<Found> {
    let Some(rate) = problem.target.requests_per_second else { return Vec::new() };
    let ways = if matter(problem) {
        thrifty(field, field.ways(rate * strain), rate)
    } else {
        field.best(rate * strain).into_iter().collect()
    };
    let found = ways.into_iter().flat_map(|way| with_coolings(index, field, way, rate));
    found.map(|item| Found { strain, ..item }).collect()
}

/// The smallest services on a ground, of any layouts, that the closed forms let carry the load with fewer units than
/// `below`.
#[must_use]
pub fn smaller(problem: &ServiceProblem, index: usize, field: &Field, below: u64) -> Vec<Found> {
    let Some(rate) = problem.target.requests_per_second.filter(|_| below > 1) else { return Vec::new() };
    let mut ways = field.ways_within(rate, below - 1);
    ways.sort_unstable();
    ways.truncate(MOST_SMALLER);
    ways.into_iter().flat_map(|way| with_coolings(index, field, way, rate)).collect()
}

/// Of as many cards as `own`, with its cooling, the service that carries most, and how much that is; none where that
/// is hardly more.
#[must_use]
pub fn stronger(problem: &ServiceProblem, field: &Field, own: &Found) -> Option<(Found, f64)> {
    if throughput(problem) {
        return None;
    }
    let way = field.strongest(own.rate).filter(|way| way.units <= own.way.units)?;
    let most = field.capacity(&way).0;
    let drawn = Drawn::new(field, &way, own.rate);
    let found = at_units(own.field, field, own.cooling, way, (own.rate, &drawn))?;
    let more = most > field.capacity(&own.way).0 * WORTH_TELLING && found.plant.cards == own.plant.cards;
    (more && inside(problem, &found.plant)).then_some((found, most))
}

/// The best service of a ground for each cooling.
#[must_use]
pub fn on_field(problem: &ServiceProblem, index: usize, field: &Field) -> Vec<Found> {
    if !throughput(problem) {
        return loaded(problem, index, field, 1.0);
    }
    trusted(problem, index, field, &|_| f64::INFINITY)
}

/// The service with the most load inside the limits for each cooling; `most`: what the layouts of a way are trusted with.
#[must_use]
pub fn trusted(
    problem: &ServiceProblem,
    index: usize,
    field: &Field,
    most: &dyn Fn(&Way) -> f64,
) -> Vec<Found> {
    let coolings = 0..field.ground.cluster.coolings.len();
    let mut known: BTreeMap<u64, Option<(f64, Way)>> = BTreeMap::new();
    coolings
        .filter_map(|cooling| {
            let units = most_units(problem, field, cooling)?;
            let (rate, way) = (*known.entry(units).or_insert_with(|| field.most_of(units, most)))?;
            let found = at_units(index, field, cooling, way, (rate, &Drawn::new(field, &way, rate)))?;
            let found = if limited(&problem.limits) && !inside(problem, &found.plant) {
                within_watts(problem, index, field, (cooling, units, rate), most)?
            } else {
                found
            };
            let strain =
                if most(&found.way).is_finite() { field.capacity(&found.way).0 / found.rate } else { 1.0 };
            Some(Found { strain, ..found })
        })
        .collect()
}

/// The service with the most load inside limits on power, on at most `units` and for less than `ceiling`; by halving to
/// 1e-4 of itself: what carries a rate carries less with no more watts.
fn within_watts(
    problem: &ServiceProblem,
    index: usize,
    field: &Field,
    (cooling, units, ceiling): (usize, u64, f64),
    most: &dyn Fn(&Way) -> f64,
) -> Option<Found> {
    let fits = |rate: f64| {
        let mut ways = field.ways_within(rate, units);
        ways.retain(|way| rate <= most(way));
        let made = thrifty(field, ways, rate)
            .into_iter()
            .filter_map(|way| at_units(index, field, cooling, way, (rate, &Drawn::new(field, &way, rate))));
        made.into_iter().find(|found| inside(problem, &found.plant))
    };
    let (mut high, mut found) = (ceiling, None);
    for _ in 0..20 {
        let low = high / 2.0;
        found = fits(low);
        if found.is_some() {
            break;
        }
        high = low;
    }
    let mut best = found?;
    while high > best.rate * (1.0 + 1e-4) {
        let middle = f64::midpoint(best.rate, high);
        match fits(middle) {
            Some(better) => best = better,
            None => high = middle,
        }
    }
    Some(best)
}

fn build(field: &Field, cooling: usize, units: u64) -> Option<Plant> {
    let ground = &field.ground;
    let at = options(field, cooling);
    if !at.cooling.holds(at.power_cap) {
        return None;
    }
    if ground.cluster.max_cards.is_some_and(|most| units * ground.cluster.unit_cards > most) {
        return None;
    }
    plant(&at, &ground.problem.terms(), units).ok()
}

/// `built` with all cards idle, which no load falls below.
fn resting(at: &Choice, problem: &ServiceProblem, built: Plant) -> Plant {
    if at.cluster.phase_shares.is_none() {
        return built;
    }
    let idle = at.cluster.card_power().idle * built.cards as f64;
    built.drawing(at, &problem.terms(), idle, idle)
}

/// A stand-in on at least so many units, whose cards idle; its way holds no pools that could be built.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // units of a bound, below 2^53
pub fn least_at(field: &Field, cooling: usize, (units, rate): (f64, f64)) -> Option<Found> {
    let problem = field.ground.problem;
    let least = problem.limits.cards_min.div_ceil(field.ground.cluster.unit_cards).max(1);
    let units = (libm::ceil(units - 1e-9) as u64).max(least);
    let built = build(field, cooling, units)?;
    let main = Group { candidate: 0, instances: 0 };
    Some(Found {
        field: 0,
        cooling,
        way: Way { units, devices: 0, prefill: None, main },
        rate,
        plant: resting(&options(field, cooling), problem, built),
        strain: 1.0,
        refutations: 0,
        jump: 1.0,
    })
}

/// The most units that the limits allow, by halving: what is bought grows with the units. Watts count as those of idle
/// cards, which no load falls below.
#[must_use]
pub fn most_units(problem: &ServiceProblem, field: &Field, cooling: usize) -> Option<u64> {
    let at = options(field, cooling);
    let fits = |units: u64| {
        build(field, cooling, units).is_some_and(|built| {
            let small = problem.limits.cards_min > built.cards;
            small || inside(problem, &resting(&at, problem, built))
        })
    };
    let ceiling = problem.limits.cards_max / field.ground.cluster.unit_cards;
    if ceiling == 0 || !fits(1) {
        return None;
    }
    if fits(ceiling) {
        return Some(ceiling);
    }
    let (mut low, mut high) = (1, ceiling);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}
