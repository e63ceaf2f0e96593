//! Shadow prices: what one more of each thing that binds would be worth, by exact search with that limit relaxed.

use std::time::Instant;

use crate::error::CoreError;
use crate::hardware::Cluster;
use crate::problem::{MOST_RANKS, Objective, Problem, Search};
use crate::search::gap;
use crate::search::incumbents::Incumbents;
use crate::search::plans::Plans;
use crate::search::units::{Tables, Units};
use crate::search::variant::variants;
use crate::search::{Explored, Found, Progress, Solved, most_devices};

/// Steps are one unit, or this share of the limit where that is less or where a unit changes nothing, since plants
/// and layouts come in lumps.
const SHARE: f64 = 0.1;

/// What relaxing one constraint by a step changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// A key of the scenario: `target.days`, `limits.facility_watts` ..., or `memory`.
    pub constraint: &'static str,
    /// What it was, in SI units (cards, days, tokens/s, watts, racks, dollars, bytes of a device).
    pub limit: f64,
    /// By how much it was relaxed, likewise; negative where less is asked.
    pub step: f64,
    /// The objective before, as people read it: a rate is positive.
    pub before: f64,
    /// The objective after; equal where the step changes nothing.
    pub after: f64,
    /// The plan after, if it is better.
    pub plan: Option<Found>,
}

impl Price {
    /// Objective gained per unit of the constraint, 0 or more; a loss of a cost counts as a gain.
    #[must_use]
    pub fn per_unit(&self) -> f64 {
        ((self.after - self.before) / self.step).abs()
    }
}

/// One constraint: how far it reaches and how to relax it.
struct Constraint {
    name: &'static str,
    limit: f64,
    /// One unit, with the sign in which it relaxes.
    unit: f64,
    /// Comes in whole numbers.
    counted: bool,
    relax: fn(&mut Problem, f64),
}

/// The prices of all constraints of the problem, in the order of its keys.
///
/// Exact: a relaxed problem holds every plan of the problem, so its best is the best of the plans known and of those
/// that the relaxation adds. Limits add plans only on sizes and coolings that they refused, target and memory
/// only such as beat what is known of their size; and no size matters whose devices could not beat the best at
/// their bare rate ([`gap::size_bound`]). The search of what is added starts from all plans known.
///
/// Prices that `progress` or the time limit cuts short are left out.
///
/// # Errors
/// A relaxed problem that contradicts itself.
pub fn prices(
    problem: &Problem,
    solved: &Solved,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Price>, CoreError> {
    let Some(found) = solved.outcome.best.filter(|_| solved.outcome.complete) else { return Ok(Vec::new()) };
    let mut told = Vec::new();
    for constraint in constraints(problem, &problem.clusters[found.cluster]) {
        let (small, large) = steps(&constraint);
        // A larger step allows all that a smaller one does: where it gains nothing, neither does the other.
        let Some(mut one) = price(problem, solved, &constraint, large, progress)? else { break };
        if one.plan.is_some() && small.abs() < large.abs() {
            let Some(other) = price(problem, solved, &constraint, small, progress)? else { break };
            one = if other.plan.is_some() { other } else { one };
        }
        told.push(one);
    }
    Ok(told)
}

/// One unit, or a tenth of the limit where that is less; and a tenth, or one unit where that comes in whole numbers.
fn steps(constraint: &Constraint) -> (f64, f64) {
    let (unit, tenth) = (constraint.unit, constraint.limit * SHARE * constraint.unit.signum());
    let shorter = |one: f64, other: f64| if one.abs() < other.abs() { one } else { other };
    if constraint.counted {
        return (unit, tenth.round().max(unit));
    }
    (shorter(unit, tenth), tenth)
}

/// The constraints that the problem states. A limit on cards relaxes to the next purchase unit.
fn constraints(problem: &Problem, cluster: &Cluster) -> Vec<Constraint> {
    let mut found = Vec::new();
    let mut add = |name: &'static str, limit: Option<f64>, unit: f64, relax: fn(&mut Problem, f64)| {
        let counted = matches!(name, "limits.cards_max" | "limits.racks");
        found.extend(limit.map(|limit| Constraint { name, limit, unit, counted, relax }));
    };
    let target = &problem.target;
    add("target.days", target.days, 1.0, |problem, step| add_to(&mut problem.target.days, step));
    let rate = target.tokens_per_second;
    add("target.tokens_per_second", rate, rate.unwrap_or(0.0) * -0.01, |problem, step| {
        add_to(&mut problem.target.tokens_per_second, step);
    });
    let limits = &problem.limits;
    let unit = cluster.unit_cards;
    let most = limits.cards_max;
    let open = cluster.max_cards.is_none_or(|end| end > most) && most + most / 10 + unit <= MOST_RANKS;
    // A factorized space uses every card: with more of them it is another space.
    if open && !problem.space.factorized {
        let next = (most / unit + 1) * unit - most;
        add("limits.cards_max", Some(most as f64), next as f64, |problem, step| {
            problem.limits.cards_max += whole(step);
        });
    }
    let megawatt = 1e6;
    add("limits.facility_watts", limits.facility_watts, megawatt, |p, s| {
        add_to(&mut p.limits.facility_watts, s);
    });
    add("limits.it_watts", limits.it_watts, megawatt, |p, s| add_to(&mut p.limits.it_watts, s));
    add("limits.nameplate_watts", limits.nameplate_watts, megawatt, |p, s| {
        add_to(&mut p.limits.nameplate_watts, s);
    });
    add("limits.transformer_watts", limits.transformer_watts, megawatt, |p, s| {
        add_to(&mut p.limits.transformer_watts, s);
    });
    add("limits.ups_watts", limits.ups_watts, megawatt, |p, s| add_to(&mut p.limits.ups_watts, s));
    add("limits.nameplate_intake_watts", limits.nameplate_intake_watts, megawatt, |p, s| {
        add_to(&mut p.limits.nameplate_intake_watts, s);
    });
    add("limits.liquid_watts", limits.liquid_watts, megawatt, |p, s| add_to(&mut p.limits.liquid_watts, s));
    add("limits.air_watts", limits.air_watts, megawatt, |p, s| add_to(&mut p.limits.air_watts, s));
    add("limits.racks", limits.racks.map(|racks| racks as f64), 1.0, |problem, step| {
        problem.limits.racks = problem.limits.racks.map(|racks| racks + whole(step));
    });
    add("limits.floor_m2", limits.floor_m2, 10.0, |p, s| add_to(&mut p.limits.floor_m2, s));
    add("limits.capex_usd", limits.capex_usd, 1e6, |p, s| add_to(&mut p.limits.capex_usd, s));
    add("memory", Some(cluster.device.memory.0), 1e9, |problem, step| {
        for cluster in &mut problem.clusters {
            cluster.device.memory.0 += step;
        }
    });
    found
}

fn add_to(limit: &mut Option<f64>, step: f64) {
    *limit = limit.map(|limit| limit + step);
}

/// A step of things that are counted.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive, and far below 2^52
fn whole(step: f64) -> u64 {
    step.max(1.0) as u64
}

/// The price of one step; none where the search was cut short.
fn price(
    problem: &Problem,
    solved: &Solved,
    constraint: &Constraint,
    step: f64,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Option<Price>, CoreError> {
    let mut relaxed = problem.clone();
    relaxed.search.front.clear();
    (constraint.relax)(&mut relaxed, step);
    let before = solved.cost.unwrap_or(f64::INFINITY);
    let Some(better) = better(&relaxed, solved, !constraint.name.starts_with("limits."), progress)? else {
        return Ok(None);
    };
    Ok(Some(Price {
        constraint: constraint.name,
        limit: constraint.limit,
        step,
        before: value(&problem.search, before),
        after: value(&problem.search, better.map_or(before, |(after, _)| after)),
        plan: better.map(|(_, plan)| plan),
    }))
}

/// The best plan of a relaxed problem and its cost, if it beats that of the problem; the outer none: cut short.
#[allow(clippy::option_option)] // cut short, no better, better: three answers
fn better(
    relaxed: &Problem,
    solved: &Solved,
    adds_layouts: bool,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Option<Option<(f64, Found)>>, CoreError> {
    relaxed.validate()?;
    let start = Instant::now();
    let fresh = if adds_layouts { Vec::new() } else { variants(relaxed)? };
    let variants = if adds_layouts { &solved.variants } else { &fresh };
    let mut known = Incumbents::new(relaxed, variants);
    let before = solved.cost.unwrap_or(f64::INFINITY);
    let rates: Vec<f64> = variants.iter().map(|variant| gap::card_rate(relaxed, variant)).collect();
    known.seed(relaxed, variants, &solved.known, |variant, index| {
        let size = &variants[variant].sizes[index];
        // The best layout of a plant that was allowed before is known, unless layouts are what the step adds.
        let added = adds_layouts || solved.variants[variant].sizes.get(index) != Some(size);
        added && gap::size_bound(relaxed, rates[variant], size) < before
    });
    if known.open() {
        let units = Units::new(relaxed, variants);
        let tables = Tables::new(relaxed, most_devices(relaxed, variants));
        let space = Explored { problem: relaxed, variants, units: &units, tables: &tables };
        if !space.explore(start, &mut known, progress).1 {
            return Ok(None);
        }
    }
    let best = Plans::of(relaxed, variants, &known).best;
    let found = best.map(|plan| (plan.key[0], plan.found(relaxed, variants, &known)));
    Ok(Some(found.filter(|(cost, _)| *cost < before)))
}

/// A cost of the search as people read the objective.
fn value(search: &Search, cost: f64) -> f64 {
    match search.objective {
        _ if !search.weights.is_empty() => cost,
        Objective::Throughput => -cost,
        // Megawatts over tokens a second.
        Objective::TokensPerJoule => 1.0 / (cost * 1e6),
        // Megawatts times days.
        Objective::Energy => cost * 24.0,
        Objective::Cards | Objective::Days | Objective::Power | Objective::Capex | Objective::Tco => cost,
    }
}
