//! The search for a service: exact over grounds (cluster, fabric, cap, formats), coolings, layouts, pools.
//!
//! On one ground and cooling everything bought grows with the purchase units, so the fewest units are best at a given load
//! under every objective that hangs on what is bought, and the highest load inside the limits uses the most units that
//! they allow. Watts hang on what the cards do too: where they matter, all ways are kept of which no other takes as few
//! units and draws as little ([`crate::service::watts::thrifty`]).

use std::time::Instant;

use crate::error::CoreError;
use crate::problem::{Axis, Objective};
use crate::service::answer::{ServiceCounts, ServiceDesign, ServiceResult, ServiceSummary, Stronger};
use crate::service::confirm::{Confirmation, confirm};
use crate::service::evaluate::{design, inside, output_tokens};
use crate::service::floor::gap;
use crate::service::ground::{Ground, Place};
use crate::service::problem::ServiceProblem;
use crate::service::sized::{on_field, stronger};
use crate::service::sizes::Field;
use crate::service::trade::trade;
use crate::service::verdict::{binding, cut_short, nearest, unconfirmed};
use crate::service::watts::limited;

pub use crate::service::sized::{Found, loaded, smaller, throughput, trusted};

const FRONT_POINTS: usize = 50;
const RUNNERS_UP: usize = 8;

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Grounds worked through, then simulations run.
    pub done: usize,
    /// Grounds in all, and one for the simulation.
    pub total: usize,
    /// Layouts looked at.
    pub candidates: u64,
    /// Whether a service that meets target and limits is known.
    pub found: bool,
}

/// Answers a `service/1`.
///
/// # Errors
/// A problem that contradicts itself.
pub fn search(problem: &ServiceProblem) -> Result<ServiceResult, CoreError> {
    watched(problem, &mut |_| true)
}

/// Looks whether the search goes on: the user's word, then the time limit.
struct Watch<'a> {
    progress: &'a mut dyn FnMut(Step) -> bool,
    begun: Instant,
    limit: Option<f64>,
}

impl Watch<'_> {
    fn goes_on(&mut self, step: Step) -> bool {
        let late = self.limit.is_some_and(|limit| self.begun.elapsed().as_secs_f64() >= limit);
        (self.progress)(step) && !late
    }
}

/// As [`search`]; `progress` is called before each ground and each simulation, and ends the search with the best so far
/// by `false`. The first ground is always worked through.
///
/// # Errors
/// As for [`search`].
pub fn watched(
    problem: &ServiceProblem,
    progress: &mut dyn FnMut(Step) -> bool,
) -> Result<ServiceResult, CoreError> {
    problem.validate()?;
    let mut watch = Watch { progress, begun: Instant::now(), limit: problem.search.time_limit_seconds };
    let space = grounds(problem);
    let total = space.len() + 1;
    let mut ours: Vec<Field> = Vec::new();
    let (mut found, mut counts) = (Vec::new(), ServiceCounts::default());
    let (mut step, mut complete) = (Step { done: 0, total, candidates: 0, found: false }, true);
    for place in space {
        if step.done > 0 && !watch.goes_on(step) {
            complete = false;
            break;
        }
        match field(problem, place, &ours)? {
            Some(next) => {
                found.extend(on_field(problem, ours.len(), &next));
                count(&mut counts, &next);
                ours.push(next);
            }
            None => *counts.rejected.entry("precision").or_insert(0) += 1,
        }
        step.done += 1;
        step.candidates = counts.enumerated;
        step.found = step.found || found.iter().any(|item| lawful(problem, item));
    }
    let (mut good, bad): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|item| lawful(problem, item));
    sort(problem, &ours, &mut good);
    let grounds = (step.done, total - 1);
    let confirmation = confirm(problem, &ours, &mut good, &mut || {
        let goes_on = complete && watch.goes_on(step);
        complete &= goes_on;
        goes_on
    });
    let bound_gap = if complete { None } else { gap(problem, good.first())? };
    let mut answer = answered(problem, &ours, good, bad, (confirmation, counts))?;
    answer.complete = complete;
    answer.search.bound_gap = bound_gap.filter(|_| answer.feasible);
    if !complete && !answer.feasible {
        answer.nearest = answer.nearest.map(|nearest| cut_short(nearest, grounds));
    }
    Ok(answer)
}

/// The answer from what was found; `good` in order.
fn answered(
    problem: &ServiceProblem,
    fields: &[Field],
    mut good: Vec<Found>,
    bad: Vec<Found>,
    (confirmation, counts): (Confirmation, ServiceCounts),
) -> Result<ServiceResult, CoreError> {
    let mut told = good.first().map(|item| told(problem, fields, item)).transpose()?;
    if let Some(told) = &mut told {
        told.simulated = confirmation.simulated;
    }
    let nearest = match told.take_if(|told| told.simulated.is_some_and(|ran| !ran.confirmed)) {
        // Nothing that was tried holds: the last is no recommendation.
        Some(refuted) => Some(unconfirmed(fields, refuted)),
        None if told.is_none() => Some(nearest(problem, fields, bad, &counts)?),
        None => None,
    };
    if told.is_none() {
        good.clear();
    }
    let best = good.first();
    let margin = told
        .as_ref()
        .filter(|_| problem.target.requests_per_second.is_some())
        .map(|best| best.most_requests_per_second / best.requests_per_second - 1.0);
    Ok(ServiceResult {
        schema: "service-result/1",
        feasible: told.is_some(),
        complete: true,
        front: front(problem, fields, &good),
        refuted: confirmation.refuted,
        runners_up: runners_up(fields, &good),
        stronger: best
            .and_then(|item| stronger(problem, &fields[item.field], item))
            .map(|(item, most)| Stronger { service: summary(fields, &item), most_requests_per_second: most }),
        // Searches for a number of cards alone, which ask for no front, are many: the trade would be half of their time.
        trade: best
            .filter(|_| !problem.search.front.is_empty())
            .map(|item| trade(&fields[item.field]))
            .unwrap_or_default(),
        binding: match (&told, &nearest) {
            (Some(best), _) => binding(problem, best),
            (None, Some(nearest)) => vec![nearest.what.to_string()],
            (None, None) => Vec::new(),
        },
        nearest,
        margin,
        best: told,
        search: counts,
    })
}

/// All grounds with their candidates.
///
/// # Errors
/// A power cap below what a card draws when idle.
pub fn fields(problem: &ServiceProblem) -> Result<Vec<Field<'_>>, CoreError> {
    let mut found = Vec::new();
    for place in grounds(problem) {
        if let Some(next) = field(problem, place, &found)? {
            found.push(next);
        }
    }
    Ok(found)
}

fn count(counts: &mut ServiceCounts, field: &Field) {
    counts.enumerated += field.enumerated;
    for (misfit, count) in &field.rejected {
        *counts.rejected.entry(misfit.name()).or_insert(0) += count;
    }
    for item in &field.candidates {
        let points = u64::from(item.together.is_some()) + u64::from(item.decoding.is_some());
        counts.timed += points;
        if points == 0 {
            *counts.rejected.entry("latency").or_insert(0) += 1;
        }
    }
}

/// All grounds, in order: fabrics of one clock and set of formats follow one another.
#[must_use]
pub fn grounds(problem: &ServiceProblem) -> Vec<Place> {
    let mut found = Vec::new();
    for (cluster, hardware) in problem.clusters.iter().enumerate() {
        for cap in 0..hardware.power_caps.len() {
            for precision in 0..problem.precision_choices() {
                let fabrics = 0..hardware.fabrics.len();
                found.extend(fabrics.map(|fabric| Place { cluster, fabric, cap, precision }));
            }
        }
    }
    found
}

/// The candidates of a ground; none if the chip lacks a peak. `before`: the fields so far.
fn field<'a>(
    problem: &'a ServiceProblem,
    place: Place,
    before: &[Field<'a>],
) -> Result<Option<Field<'a>>, CoreError> {
    let twin = |other: &&Field| Place { fabric: place.fabric, ..other.ground.place } == place;
    Ok(Ground::new(problem, place)?.map(|ground| Field::new(ground, before.iter().find(twin))))
}

/// Whether a service keeps the limits, carries the load asked for and yields enough per card.
#[must_use]
pub fn lawful(problem: &ServiceProblem, found: &Found) -> bool {
    let per_card = found.rate * output_tokens(problem) / found.plant.cards as f64;
    inside(problem, &found.plant)
        && problem.target.requests_per_second.is_none_or(|wanted| found.rate >= wanted)
        && problem.target.tokens_per_second_per_card.is_none_or(|least| per_card >= least)
}

/// Smaller is better; unknown prices come last.
#[must_use]
pub fn score(problem: &ServiceProblem, found: &Found) -> f64 {
    let built = &found.plant;
    let tokens = found.rate * output_tokens(problem);
    match problem.search.objective {
        Objective::Cards | Objective::Days => built.cards as f64,
        Objective::Throughput => -found.rate,
        Objective::Power => built.facility_design_day.0,
        Objective::Energy => built.energy_mwh_per_year,
        Objective::Capex => built.capex.total().map_or(f64::INFINITY, |usd| usd.0),
        Objective::Tco => built.tco_usd_per_year.map_or(f64::INFINITY, |usd| usd.0),
        Objective::TokensPerJoule => built.facility.0 / tokens,
    }
}

/// By the objective, then cards, then power, then the order of fields and coolings.
pub fn sort(problem: &ServiceProblem, fields: &[Field], found: &mut [Found]) {
    let key = |item: &Found| (score(problem, item), item.plant.cards, item.plant.facility_design_day.0);
    found.sort_by(|left, right| {
        let (a, b) = (key(left), key(right));
        a.0.total_cmp(&b.0)
            .then(a.1.cmp(&b.1))
            .then(left.way.devices.cmp(&right.way.devices))
            .then(a.2.total_cmp(&b.2))
            .then(fields[left.field].ground.place.cmp(&fields[right.field].ground.place))
            .then(left.cooling.cmp(&right.cooling))
    });
}

/// The whole answer for `found`.
///
/// # Errors
/// A plant that cannot be built.
pub fn told(problem: &ServiceProblem, fields: &[Field], found: &Found) -> Result<ServiceDesign, CoreError> {
    let at =
        |rate: Option<f64>| design(&fields[found.field], &found.way, found.cooling, found.way.units, rate);
    if !throughput(problem) {
        return at(problem.target.requests_per_second);
    }
    if found.strain <= 1.0 && !limited(&problem.limits) {
        return at(None);
    }
    let mut told = at(Some(found.rate))?;
    let closed = told.most_requests_per_second;
    told.hold_to(found.rate);
    // Otherwise it is a limit on power that holds the load down.
    told.closed_requests_per_second = (found.strain > 1.0).then_some(closed);
    Ok(told)
}

/// A service in one row.
#[must_use]
pub fn summary(fields: &[Field], found: &Found) -> ServiceSummary {
    let field = &fields[found.field];
    let ground = &field.ground;
    let pools = found.way.prefill.iter().chain([&found.way.main]);
    ServiceSummary {
        system: ground.cluster.system.clone(),
        fabric: ground.fabric.id.clone(),
        fabric_kind: ground.fabric.kind,
        oversubscription: ground.fabric.oversubscription,
        cooling: ground.cluster.coolings[found.cooling].kind.clone(),
        power_cap: ground.cluster.power_caps[ground.place.cap],
        precisions: ground.question().map(|question| question.precisions),
        mode: found.way.mode(),
        pools: pools.map(|group| (group.instances, field.candidates[group.candidate].instance)).collect(),
        cards: found.plant.cards,
        requests_per_second: found.rate,
        facility_megawatts: found.plant.facility_design_day.0 / 1e6,
        capex_usd: found.plant.capex.total().map(|usd| usd.0),
        tco_usd_per_year: found.plant.tco_usd_per_year.map(|usd| usd.0),
    }
}

/// Values on the axes of the front, smaller is better.
fn axes(problem: &ServiceProblem, found: &Found) -> Vec<f64> {
    let built = &found.plant;
    let unknown = f64::INFINITY;
    problem
        .search
        .front
        .iter()
        .map(|axis| match axis {
            Axis::Cards | Axis::Days => built.cards as f64,
            Axis::FacilityMegawatts => built.facility_design_day.0,
            Axis::CapexUsd => built.capex.total().map_or(unknown, |usd| usd.0),
            Axis::TokensPerSecond => -found.rate,
            Axis::TcoUsdPerYear => built.tco_usd_per_year.map_or(unknown, |usd| usd.0),
            Axis::EnergyMwhPerYear => built.energy_mwh_per_year,
        })
        .collect()
}

fn front(problem: &ServiceProblem, fields: &[Field], good: &[Found]) -> Vec<ServiceSummary> {
    if problem.search.front.is_empty() {
        return Vec::new();
    }
    let values: Vec<Vec<f64>> = good.iter().map(|item| axes(problem, item)).collect();
    let beaten = |own: usize| {
        values.iter().enumerate().any(|(other, value)| {
            let no_worse = value.iter().zip(&values[own]).all(|(a, b)| a <= b);
            let better = value.iter().zip(&values[own]).any(|(a, b)| a < b);
            no_worse && (better || other < own)
        })
    };
    (0..good.len())
        .filter(|&own| !beaten(own))
        .map(|own| summary(fields, &good[own]))
        .take(FRONT_POINTS)
        .collect()
}

/// The best of each other system, cap, fabric and set of formats.
fn runners_up(fields: &[Field], good: &[Found]) -> Vec<ServiceSummary> {
    let mut seen = Vec::new();
    let mut rows = Vec::new();
    for item in good {
        let place = fields[item.field].ground.place;
        if !seen.contains(&place) {
            if !seen.is_empty() {
                rows.push(summary(fields, item));
            }
            seen.push(place);
        }
    }
    rows.truncate(RUNNERS_UP);
    rows
}
