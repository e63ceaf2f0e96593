//! Shadow prices as they cross the boundary.

use std::time::Instant;

use serde::Serialize;

use super::{Summary, summary};
use crate::error::CoreError;
use crate::problem::Problem;
use crate::search::{self, Progress, Solved};

/// What relaxing one constraint changes, in SI units.
#[derive(Clone, Debug, Serialize)]
pub struct PriceAnswer {
    constraint: &'static str,
    limit: f64,
    step: f64,
    before: f64,
    after: f64,
    per_unit: f64,
    plan: Option<Summary>,
}

/// The price of every constraint; those are left out that an interruption or the time limit cuts off.
pub fn prices(
    problem: &Problem,
    solved: &Solved,
    start: Instant,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<PriceAnswer>, CoreError> {
    let mut go_on = |now: Progress| {
        let limit = problem.search.time_limit_seconds;
        progress(now) && limit.is_none_or(|limit| start.elapsed().as_secs_f64() < limit)
    };
    let told = search::prices::prices(problem, solved, &mut go_on)?;
    Ok(told
        .iter()
        .map(|price| PriceAnswer {
            constraint: price.constraint,
            limit: price.limit,
            step: price.step,
            before: price.before,
            after: price.after,
            per_unit: price.per_unit(),
            plan: price.plan.map(|found| summary(problem, &found)),
        })
        .collect())
}
