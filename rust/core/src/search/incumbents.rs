//! What is known so far: the best layout of every size, and which sizes can still matter.

use std::collections::HashMap;

use crate::problem::{Axis, Objective, Problem, Search};
use crate::search::objective_cost;
use crate::search::units::Best;
use crate::search::variant::{Point, Row, Size, Variant, size_cost};
use crate::search::work::Sink;

/// The table of incumbents, one column per variant, one entry per size.
pub struct Incumbents {
    /// Best layout by variant and size.
    pub best: Vec<Vec<Option<Best>>>,
    /// Whether a size can still be part of the answer.
    useful: Vec<Vec<bool>>,
    /// First and last useful size by variant.
    ranges: Vec<(usize, usize)>,
    /// Rate below which nothing matters, by variant and size; endless for sizes that do not matter.
    floors: Vec<Vec<f64>>,
    /// The least of them by variant.
    least: Vec<f64>,
    axes: Option<Vec<Axis>>,
    /// There is no front: only the best plan counts.
    scalar: Option<Search>,
    /// Only the fastest plan counts: no front, and the objective is the rate.
    fastest_only: bool,
    /// Best productive rate, failures included, if only the fastest plan counts.
    fastest: f64,
    /// A plan is known.
    any: bool,
}

impl Incumbents {
    /// Nothing known.
    #[must_use]
    pub fn new(problem: &Problem, variants: &[Variant]) -> Self {
        Self {
            best: variants.iter().map(|variant| vec![None; variant.sizes.len()]).collect(),
            useful: variants.iter().map(|variant| vec![true; variant.sizes.len()]).collect(),
            ranges: variants.iter().map(|variant| (0, variant.sizes.len())).collect(),
            floors: variants.iter().map(|variant| vec![0.0; variant.sizes.len()]).collect(),
            least: vec![0.0; variants.len()],
            axes: size_axes(problem),
            scalar: problem.search.front.is_empty().then(|| problem.search.clone()),
            fastest_only: problem.search.front.is_empty()
                && problem.search.weights.is_empty()
                && matches!(problem.search.objective, Objective::Days | Objective::Throughput),
            fastest: 0.0,
            any: false,
        }
    }

    /// Takes over what a unit found.
    pub fn merge(&mut self, variants: &[Variant], variant: usize, found: HashMap<usize, Best>) {
        self.any |= !found.is_empty();
        for (size, best) in found {
            if self.fastest_only {
                self.fastest = self.fastest.max(best.rate * variants[variant].sizes[size].goodput);
            }
            let entry = &mut self.best[variant][size];
            if best.beats(entry.as_ref()) {
                self.floors[variant][size] = self.floors[variant][size].max(best.rate);
                *entry = Some(best);
            }
        }
    }

    /// Whether any plan is known.
    #[must_use]
    pub fn found(&self) -> bool {
        self.any
    }

    /// What the next batch may rely on: sizes that cannot matter any more, and the least floors.
    pub fn settle(&mut self, variants: &[Variant]) {
        self.prune(variants);
        for ((floors, range), least) in self.floors.iter().zip(&self.ranges).zip(&mut self.least) {
            let useful = floors.get(range.0..=range.1.min(floors.len().saturating_sub(1))).unwrap_or(&[]);
            *least = useful.iter().copied().fold(f64::INFINITY, f64::min);
        }
    }

    /// Marks the sizes that cannot be part of the answer any more.
    ///
    /// Proof: where the objective and every axis of the front depend on the size alone, a size is out if under each
    /// of its coolings some feasible plan is no worse on every axis and better on one. That plan is in the answer
    /// or is itself beaten by one that is; ties are never pruned. `axes` holds the front, the objective, and the
    /// tie-breakers cards and power, so the scalar optimum with its tie-break is kept too.
    ///
    /// Without a front only the winner counts, so a size is out if under each of its coolings the least plan known
    /// comes before it in the order of the answer: objective, cards, power. Later tie-breakers are not looked at.
    fn prune(&mut self, variants: &[Variant]) {
        let Some(axes) = &self.axes else { return };
        if let Some(search) = self.scalar.clone() {
            if let Some(least) = self.least_key(variants, &search) {
                self.keep(variants, |size| size.rows.iter().any(|row| size_key(&search, size, row) <= least));
            }
            return;
        }
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
        let axes = axes.clone();
        self.keep(variants, |size| {
            size.rows.iter().any(|row| {
                let point: Vec<f64> = axes.iter().map(|axis| size_cost(size, row, *axis)).collect();
                !front.iter().any(|other| dominates(other, &point))
            })
        });
    }

    /// Of the sizes that were useful so far only those stay that `useful` says.
    fn keep(&mut self, variants: &[Variant], wanted: impl Fn(&Size) -> bool) {
        for (((variant, useful), range), floors) in
            variants.iter().zip(&mut self.useful).zip(&mut self.ranges).zip(&mut self.floors)
        {
            for (size, useful) in variant.sizes.iter().zip(useful.iter_mut()) {
                *useful = *useful && wanted(size);
            }
            for (floor, _) in floors.iter_mut().zip(useful.iter()).filter(|(_, useful)| !**useful) {
                *floor = f64::INFINITY;
            }
            let first = useful.iter().position(|useful| *useful);
            let last = useful.iter().rposition(|useful| *useful);
            *range = first.zip(last).unwrap_or((usize::MAX, 0));
        }
    }

    /// The first key of the plans known, in the order of the answer.
    fn least_key(&self, variants: &[Variant], search: &Search) -> Option<[f64; 3]> {
        let mut least: Option<[f64; 3]> = None;
        for (variant, best) in variants.iter().zip(&self.best) {
            for (size, _) in variant.sizes.iter().zip(best).filter(|(_, best)| best.is_some()) {
                for row in &size.rows {
                    let key = size_key(search, size, row);
                    least = Some(least.map_or(key, |known| if key < known { key } else { known }));
                }
            }
        }
        least
    }

    /// Takes over plans of another search whose sizes stand at the same places, and lets only those sizes matter
    /// that `wanted` names by variant and place.
    pub fn seed(
        &mut self,
        variants: &[Variant],
        plans: &[Vec<Option<Best>>],
        wanted: impl Fn(usize, usize) -> bool,
    ) {
        for (index, column) in plans.iter().enumerate() {
            let known = column.iter().enumerate().filter_map(|(size, best)| best.map(|best| (size, best)));
            self.merge(variants, index, known.collect());
        }
        for (index, useful) in self.useful.iter_mut().enumerate() {
            for (size, useful) in useful.iter_mut().enumerate() {
                *useful = wanted(index, size);
            }
        }
        self.keep(variants, |_| true);
        self.settle(variants);
    }

    /// Whether any size can still matter.
    #[must_use]
    pub fn open(&self) -> bool {
        self.ranges.iter().any(|(first, last)| first <= last)
    }
}

/// What decides between sizes whose objective does not depend on the layout, in order.
fn size_key(search: &Search, size: &Size, row: &Row) -> [f64; 3] {
    // Neither rate nor tokens enter such an objective.
    let point = Point { size, row, rate: 1.0, tokens: 1.0 };
    [objective_cost(search, &point), size.cards as f64, row.facility_megawatts]
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
        Objective::Cards => Some(Axis::Cards),
        Objective::Power => Some(Axis::FacilityMegawatts),
        Objective::Capex => Some(Axis::CapexUsd),
        Objective::Tco => Some(Axis::TcoUsdPerYear),
        Objective::Days | Objective::Throughput | Objective::Energy | Objective::TokensPerJoule => None,
    };
    let mut axes = vec![Axis::Cards, Axis::FacilityMegawatts];
    // A sum of costs with positive weights is no worse where no cost is.
    if problem.search.weights.is_empty() {
        axes.push(objective?);
    }
    axes.extend(problem.search.weights.iter().map(|weight| weight.axis));
    axes.extend(&problem.search.front);
    (!axes.iter().any(|axis| matches!(axis, Axis::Days | Axis::TokensPerSecond))).then_some(axes)
}

/// A unit's view: the incumbents of its variant as of the last barrier and what the unit itself found.
pub struct View<'a> {
    known: &'a Incumbents,
    variant: usize,
    /// Improvements of this unit by size.
    pub found: HashMap<usize, Best>,
}

impl<'a> View<'a> {
    /// Nothing found yet.
    #[must_use]
    pub fn new(known: &'a Incumbents, variant: usize) -> Self {
        Self { known, variant, found: HashMap::new() }
    }
}

impl Sink for View<'_> {
    fn sizes(&self) -> (usize, usize) {
        self.known.ranges[self.variant]
    }

    /// Where only the fastest plan counts, a rate below the best productive rate cannot beat it (goodput is at most
    /// 1); and none matters that is slower than the slowest incumbent of the sizes that do.
    fn floor(&self) -> f64 {
        self.known.fastest.max(self.known.least[self.variant])
    }

    fn wants(&self, size: usize, ceiling: f64) -> bool {
        ceiling >= self.known.floors[self.variant][size]
            && self.found.get(&size).is_none_or(|own| ceiling >= own.rate)
    }

    fn take(&mut self, size: usize, best: Best) {
        let known = self.known.best[self.variant][size];
        let own = self.found.get(&size).copied();
        if best.beats(known.as_ref()) && best.beats(own.as_ref()) {
            self.found.insert(size, best);
        }
    }
}
