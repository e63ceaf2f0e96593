//! The best of the closed forms is simulated; what the simulation refutes is not recommended.
//!
//! A refuted service is replaced by the best for a load that is higher by steps of [`STEP`], on every fabric of its
//! chip, clock and formats: a few more instances. Where the limits are given and the load is not, the load falls by
//! those steps instead. The first that the simulation confirms is the answer; if none is, there is no answer.

use crate::service::answer::{Refuted, ServiceSummary};
use crate::service::problem::ServiceProblem;
use crate::service::search::{Found, lawful, loaded, sort, summary, throughput};
use crate::service::simulated::{Effort, Simulated, simulate};
use crate::service::sizes::{Field, Way};

/// By how much the load is raised for the next try.
const STEP: f64 = 1.05;
/// Simulations at most.
const MOST_TRIES: usize = 10;
/// Load at most over the one asked for.
const MOST_STRAIN: f64 = 3.0;

/// What the simulation said of the best.
#[derive(Debug, Default)]
pub struct Confirmation {
    /// Of the first of the list, confirmed or not; none: not simulated.
    pub simulated: Option<Simulated>,
    /// Refuted on the way.
    pub refuted: Vec<Refuted>,
}

/// Simulates the first of `good`, replaces what is refuted, and leaves the list in order.
pub fn confirm(problem: &ServiceProblem, fields: &[Field], good: &mut Vec<Found>) -> Confirmation {
    let mut told = Confirmation::default();
    let Some(seed) = problem.search.seed else { return told };
    let mut tried: Vec<(usize, Way)> = Vec::new();
    while let Some(first) = good.first().cloned() {
        let found = simulate(&fields[first.field], &first.way, first.rate, seed, Effort::QUICK);
        let Some(found) = found else { return told };
        if found.confirmed || told.refuted.len() + 1 >= MOST_TRIES {
            told.simulated = Some(found);
            return told;
        }
        let service: ServiceSummary = summary(fields, &first);
        told.refuted.push(Refuted { service, simulated: found });
        tried.push((first.field, first.way));
        replace(problem, fields, good, &first, &tried);
        if good.is_empty() {
            // Nothing within the limits has room for more: the last one is told as the nearest.
            good.push(first);
            told.simulated = Some(found);
            told.refuted.pop();
            return told;
        }
        sort(problem, fields, good);
    }
    told
}

/// Puts a stronger service in the place of all that are on the ground of `first`, or the same one at a lower load.
fn replace(
    problem: &ServiceProblem,
    fields: &[Field],
    good: &mut Vec<Found>,
    first: &Found,
    tried: &[(usize, Way)],
) {
    let ground = |index: usize| {
        let place = fields[index].ground.place;
        (place.cluster, place.cap, place.precision)
    };
    let same = ground(first.field);
    let strain = first.strain * STEP;
    if throughput(problem) {
        for item in good.iter_mut().filter(|item| ground(item.field) == same) {
            item.rate *= item.strain / strain;
            item.strain = strain;
        }
        let wanted = problem.target.requests_per_second;
        good.retain(|item| wanted.is_none_or(|wanted| item.rate >= wanted) && lawful(problem, item));
        return;
    }
    good.retain(|item| ground(item.field) != same);
    for (index, field) in fields.iter().enumerate().filter(|(index, _)| ground(*index) == same) {
        let mut strain = strain;
        while strain <= MOST_STRAIN {
            let found = loaded(problem, index, field, strain);
            let known = |item: &Found| {
                tried.iter().any(|(at, way)| {
                    ground(*at) == same && way.main == item.way.main && way.prefill == item.way.prefill
                })
            };
            if found.iter().any(known) {
                strain *= STEP;
                continue;
            }
            good.extend(found.into_iter().filter(|item| lawful(problem, item)));
            break;
        }
    }
}
