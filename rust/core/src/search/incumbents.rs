//! What is known so far: the best layout of every size, and which sizes can still matter.

use std::collections::HashMap;

use crate::problem::{Axis, Objective, Problem};
use crate::search::units::{Best, Sink};
use crate::search::variant::{Variant, size_cost};

/// The table of incumbents, one column per variant, one entry per size.
pub struct Incumbents {
    /// Best layout by variant and size.
    pub best: Vec<Vec<Option<Best>>>,
    /// Whether a size can still be part of the answer.
    useful: Vec<Vec<bool>>,
    /// First and last useful size by variant.
    ranges: Vec<(usize, usize)>,
    axes: Option<Vec<Axis>>,
    /// Only the fastest plan counts: no front, and the objective is the rate.
    fastest_only: bool,
    /// Best productive rate, failures included, if only the fastest plan counts.
    fastest: f64,
}

impl Incumbents {
    /// Nothing known.
    #[must_use]
    pub fn new(problem: &Problem, variants: &[Variant]) -> Self {
        Self {
            best: variants.iter().map(|variant| vec![None; variant.sizes.len()]).collect(),
            useful: variants.iter().map(|variant| vec![true; variant.sizes.len()]).collect(),
            ranges: variants.iter().map(|variant| (0, variant.sizes.len())).collect(),
            axes: size_axes(problem),
            fastest_only: problem.search.front.is_empty()
                && matches!(problem.search.objective, Objective::Days | Objective::Throughput),
            fastest: 0.0,
        }
    }

    /// Takes over what a unit found.
    pub fn merge(&mut self, variants: &[Variant], found: HashMap<(usize, usize), Best>) {
        for ((variant, size), best) in found {
            if self.fastest_only {
                self.fastest = self.fastest.max(best.rate * variants[variant].sizes[size].goodput);
            }
            let entry = &mut self.best[variant][size];
            if best.beats(entry.as_ref()) {
                *entry = Some(best);
            }
        }
    }

    /// Marks the sizes that cannot be part of the answer any more.
    ///
    /// Proof: where the objective and every axis of the front depend on the size alone, a size is out if under each
    /// of its coolings some feasible plan is no worse on every axis and better on one. That plan is in the answer
    /// or is itself beaten by one that is; ties are never pruned. `axes` holds the front, the objective, and the
    /// tie-breakers cards and power, so the scalar optimum with its tie-break is kept too.
    pub fn prune(&mut self, variants: &[Variant]) {
        let Some(axes) = &self.axes else { return };
        let mut front: Vec<Vec<f64>> = Vec::new();
        for (variant, best) in variants.iter().zip(&self.best) {
            for (size, best) in variant.sizes.iter().zip(best) {
                if best.is_some() {
                    for row in &size.rows {
                        add_to_front(
                            &mut front,
                            axes.iter().map(|axis| size_cost(size, row, *axis)).collect(),
                        );
                    }
                }
            }
        }
        for ((variant, useful), range) in variants.iter().zip(&mut self.useful).zip(&mut self.ranges) {
            for (size, useful) in variant.sizes.iter().zip(useful.iter_mut()) {
                *useful = *useful
                    && size.rows.iter().any(|row| {
                        let point: Vec<f64> = axes.iter().map(|axis| size_cost(size, row, *axis)).collect();
                        !front.iter().any(|other| dominates(other, &point))
                    });
            }
            let first = useful.iter().position(|useful| *useful);
            let last = useful.iter().rposition(|useful| *useful);
            *range = first.zip(last).unwrap_or((usize::MAX, 0));
        }
    }
}

/// Adds `point` to a front of mutually undominated points, dropping what it dominates.
fn add_to_front(front: &mut Vec<Vec<f64>>, point: Vec<f64>) {
    if front.iter().any(|other| dominates(other, &point) || *other == point) {
        return;
    }
    front.retain(|other| !dominates(&point, other));
    front.push(point);
}

/// No worse on every axis and better on one.
#[must_use]
pub fn dominates(left: &[f64], right: &[f64]) -> bool {
    left.iter().zip(right).all(|(a, b)| a <= b) && left.iter().zip(right).any(|(a, b)| a < b)
}

/// Objective, tie-breakers and front, if all of them depend on the size alone.
fn size_axes(problem: &Problem) -> Option<Vec<Axis>> {
    let objective = match problem.search.objective {
        Objective::Cards => Axis::Cards,
        Objective::Power => Axis::FacilityMegawatts,
        Objective::Capex => Axis::CapexUsd,
        Objective::Tco => Axis::TcoUsdPerYear,
        Objective::Days | Objective::Throughput | Objective::Energy | Objective::TokensPerJoule => {
            return None;
        }
    };
    let mut axes = vec![objective, Axis::Cards, Axis::FacilityMegawatts];
    axes.extend(&problem.search.front);
    (!axes.iter().any(|axis| matches!(axis, Axis::Days | Axis::TokensPerSecond))).then_some(axes)
}

/// A unit's view: the incumbents as of the last barrier and what the unit itself found.
pub struct View<'a> {
    known: &'a Incumbents,
    /// Improvements of this unit.
    pub found: HashMap<(usize, usize), Best>,
}

impl<'a> View<'a> {
    /// Nothing found yet.
    #[must_use]
    pub fn new(known: &'a Incumbents) -> Self {
        Self { known, found: HashMap::new() }
    }
}

impl Sink for View<'_> {
    fn sizes(&self, variant: usize) -> (usize, usize) {
        self.known.ranges[variant]
    }

    /// Goodput is at most 1, so a rate below the best productive rate cannot beat it.
    fn floor(&self) -> f64 {
        self.known.fastest
    }

    fn wants(&self, variant: usize, size: usize, ceiling: f64) -> bool {
        let own = self.found.get(&(variant, size)).map_or(0.0, |best| best.rate);
        let known = self.known.best[variant][size].map_or(0.0, |best| best.rate);
        self.known.useful[variant][size] && ceiling >= own.max(known)
    }

    fn take(&mut self, variant: usize, size: usize, best: Best) {
        let known = self.known.best[variant][size];
        let own = self.found.get(&(variant, size)).copied();
        if best.beats(known.as_ref()) && best.beats(own.as_ref()) {
            self.found.insert((variant, size), best);
        }
    }
}
