//! What comes nearest when the answer is no.

use serde::Serialize;

use super::{choice, design};
use crate::error::CoreError;
use crate::evaluate::design::Design;
use crate::evaluate::evaluate;
use crate::evaluate::over::{grouped, over_words, short};
use crate::plant::HallSpec;
use crate::problem::Problem;
use crate::search::{Outcome, Progress, search};
use crate::training::layout::Rule;

/// What comes nearest when the answer is no.
#[derive(Clone, Debug, Serialize)]
pub struct Nearest {
    pub what: &'static str,
    pub design: Option<Design>,
    pub why: String,
}

/// What keeps sizes inside the limits from being built, if anything but a limit does.
fn unbuilt(outcome: &Outcome) -> String {
    let cause = outcome.refusals.iter().find(|refusal| !refusal.cause.starts_with("limits."));
    cause.map_or_else(String::new, |refusal| format!("{}; ", refusal.example))
}

/// Relaxes one thing after the other until there is a plan: the target, then the limits.
pub fn nearest(problem: &Problem, outcome: &Outcome) -> Result<Nearest, CoreError> {
    let mut relaxed = problem.clone();
    relaxed.search.front.clear();
    let mut silent = |_: Progress| true;
    if problem.target.any() {
        // With the limits kept: the fastest plan inside them.
        relaxed.target = crate::problem::Target::default();
        relaxed.search.objective = crate::problem::Objective::Days;
        if let Some(found) = search(&relaxed, &mut silent)?.best {
            let design = design(&relaxed, &found)?;
            let why = format!(
                "inside the limits the fastest plan takes {} days at {} tokens/s",
                short(design.performance.days),
                short(design.performance.tokens_per_second)
            );
            return Ok(Nearest { what: "target", design: Some(design), why });
        }
        relaxed.target = problem.target;
    }
    if problem.limits.cards_min > 1 {
        // So many cards cannot be joined, powered or paid for: the most of what can, with the other limits kept.
        relaxed.limits.cards_min = 1;
        relaxed.search.objective = crate::problem::Objective::Throughput;
        if let Some(found) = search(&relaxed, &mut silent)?.best {
            let design = evaluate(problem, &choice(&found))?;
            let why = format!(
                "{}inside the other limits {} cards are the best",
                unbuilt(outcome),
                grouped(found.cards)
            );
            return Ok(Nearest { what: "limits", design: Some(design), why });
        }
    }
    relaxed.search.objective = crate::problem::Objective::Cards;
    relaxed.limits =
        crate::problem::Limits::cards(1, (problem.limits.cards_max.saturating_mul(16)).min(1_000_000));
    relaxed.halls.iter_mut().for_each(HallSpec::widen);
    if let Some(found) = search(&relaxed, &mut silent)?.best {
        let design = evaluate(problem, &choice(&found))?;
        let why = format!(
            "{}without the limits {} cards do it; over: {}",
            unbuilt(outcome),
            grouped(found.cards),
            over_words(&design.over_limits, &problem.limits, found.cards, &design.facility, &design.cost)
        );
        return Ok(Nearest { what: "limits", design: Some(design), why });
    }
    // Rules are looked at in their order: the last one broken stopped those that came furthest.
    let last = outcome.tally.rejected.iter().last().map(|(rule, _)| rule);
    let what = if last == Some(Rule::Memory) { "memory" } else { "layout" };
    // What cannot be built says more than that larger sizes are over a limit.
    let unbuilt = outcome.refusals.iter().find(|refusal| !refusal.cause.starts_with("limits."));
    let why = match (unbuilt.or(outcome.refusals.first()), last) {
        (Some(refusal), _) => format!("no size can be built: {}", refusal.example),
        (None, Some(Rule::Memory)) => "no lawful layout fits into the memory of a device".to_string(),
        (None, Some(rule)) => {
            format!(
                "no layout of the space is lawful; those that come furthest fail the rule {}",
                rule.name()
            )
        }
        (None, None) => "no layout of the space is lawful: the space is empty".to_string(),
    };
    Ok(Nearest { what, design: None, why })
}
