//! What is known so far: the most productive layout of every size, and which sizes can still matter.

use std::ops::Range;

use crate::problem::{Axis, Objective, Problem, Search};
use crate::search::beyond::Beyond;
use crate::search::holding::{Place, Placed, SLACK};
use crate::search::lowest::Lowest;
use crate::search::units::Best;
use crate::search::variant::{Point, Row, Size, Variant, size_cost};
use crate::search::view::Found;
use crate::search::{best_value, objective_cost};

/// The table of incumbents, one column per variant, one entry per size.
pub struct Incumbents {
    /// Best layout by variant and size.
    pub(super) best: Vec<Vec<Slot>>,
    /// The layouts that these point at, by variant: mostly the same one for many sizes.
    layouts: Vec<Vec<Best>>,
    /// Whether a size can still be part of the answer.
    pub(super) useful: Vec<Vec<bool>>,
    /// First and last useful size by variant.
    pub(super) ranges: Vec<(usize, usize)>,
    /// Rate below which nothing matters on any useful size from this one on, by variant and size; endless where none is
    /// useful.
    pub(super) floors: Vec<Vec<f64>>,
    /// The floors over the cards of their size, by variant: the least of any range of sizes is asked for.
    pub(super) per_card: Vec<Lowest>,
    /// The least of these over the variants of a cluster together: of all of them, then of those at each power cap.
    pub(super) together: Vec<Vec<Lowest>>,
    /// Productive rate below which plans on other plants put a size out, by variant and size.
    beyond: Vec<Vec<f64>>,
    /// What tells them.
    bounds: Beyond,
    /// The best objective known when they were told last.
    least: Option<f64>,
    /// Barriers so far at which something was better, and the next at which `beyond` is looked at.
    barriers: (u32, u32),
    /// Whether the floors of a variant lag behind what is known.
    stale: Vec<bool>,
    axes: Option<Vec<Axis>>,
    /// There is no front: only the best plan counts.
    scalar: Option<Search>,
    /// Only the fastest plan counts: no front, and the objective is the rate.
    fastest_only: bool,
    /// Best productive rate, failures included, if only the fastest plan counts.
    pub(super) fastest: f64,
    /// Least productive rate that meets the target.
    target: f64,
    /// A plan is known.
    any: bool,
}

/// The best layout of a size: a place among the layouts of its variant ([`Slot::NONE`]: none), and its goodput there.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    layout: u32,
    goodput: f64,
}

impl Slot {
    const NONE: Self = Self { layout: u32::MAX, goodput: 0.0 };
}

/// Layouts of a variant beyond twice its sizes: those that nothing points at any more are dropped.
const SUPERSEDED: usize = 1024;

impl Incumbents {
    /// Nothing known.
    #[must_use]
    pub fn new(problem: &Problem, variants: &[Variant]) -> Self {
        Self {
            best: variants.iter().map(|variant| vec![Slot::NONE; variant.sizes.len()]).collect(),
            layouts: vec![Vec::new(); variants.len()],
            useful: variants.iter().map(|variant| vec![true; variant.sizes.len()]).collect(),
            ranges: variants.iter().map(|variant| (0, variant.sizes.len())).collect(),
            floors: variants.iter().map(|variant| vec![0.0; variant.sizes.len()]).collect(),
            per_card: vec![Lowest::default(); variants.len()],
            together: problem
                .clusters
                .iter()
                .map(|cluster| vec![Lowest::default(); cluster.power_caps.len() + 1])
                .collect(),
            beyond: variants.iter().map(|variant| vec![0.0; variant.sizes.len()]).collect(),
            bounds: Beyond::new(problem, variants),
            least: None,
            barriers: (0, 1),
            stale: vec![false; variants.len()],
            axes: size_axes(problem),
            scalar: problem.search.front.is_empty().then(|| problem.search.clone()),
            fastest_only: problem.search.front.is_empty()
                && problem.search.weights.is_empty()
                && matches!(problem.search.objective, Objective::Days | Objective::Throughput),
            fastest: 0.0,
            target: problem.needed_rate(1.0),
            any: false,
        }
    }

    /// The best layout of a size.
    #[must_use]
    pub fn at(&self, variant: usize, size: usize) -> Option<Placed> {
        let slot = self.best[variant][size];
        let best = self.layouts[variant].get(slot.layout as usize)?;
        Some(Placed { best: *best, goodput: slot.goodput })
    }

    /// Drops layouts that no size has any more.
    fn compact(&mut self, variant: usize) {
        let old = std::mem::take(&mut self.layouts[variant]);
        let mut moved = vec![u32::MAX; old.len()];
        for slot in self.best[variant].iter_mut().filter(|slot| slot.layout != u32::MAX) {
            let place = &mut moved[slot.layout as usize];
            if *place == u32::MAX {
                *place = place_of(self.layouts[variant].len());
                self.layouts[variant].push(old[slot.layout as usize]);
            }
            slot.layout = *place;
        }
    }

    /// Takes over what a unit found.
    ///
    /// Every layout goes onto all sizes that hold it, up to where nothing larger can be improved by its rate (the floors,
    /// renewed whenever as many sizes were looked at in vain as there are). The order does not change the outcome.
    pub fn merge(&mut self, variants: &[Variant], index: usize, found: &Found) {
        let variant = &variants[index];
        let mut plans: Vec<(Place, Best)> = found.plans().collect();
        plans.sort_by(|a, b| b.1.rate.total_cmp(&a.1.rate).then(a.1.layout.cmp(&b.1.layout)));
        let mut in_vain = 0;
        for (place, best) in plans {
            if in_vain >= variant.sizes.len() {
                self.renew(variant, index);
                in_vain = 0;
            }
            in_vain += self.offer(variant, index, place, best);
        }
        if self.layouts[index].len() > 2 * variant.sizes.len() + SUPERSEDED {
            self.compact(index);
        }
    }

    /// Sets a layout on all sizes of its place where it is the best; the sizes looked at in vain.
    fn offer(&mut self, variant: &Variant, index: usize, place: Place, best: Best) -> usize {
        // Floors rise with sizes: below that of the first no other need be worked out.
        if best.rate < self.floors[index][place.start] {
            return 0;
        }
        let mut in_vain = 0;
        let mut own = None;
        for (size, goodput) in variant.holding(place, best.layout.replicas()) {
            if best.rate < self.floors[index][size] {
                break;
            }
            in_vain += 1;
            let placed = Placed { best, goodput };
            let meets = self.target <= 0.0 || best.rate >= self.target / goodput;
            if !meets || !self.useful[index][size] || !placed.beats(self.at(index, size).as_ref()) {
                continue;
            }
            in_vain -= 1;
            self.any = true;
            self.stale[index] = true;
            if self.fastest_only {
                self.fastest = self.fastest.max(placed.productive());
            }
            let layout = *own.get_or_insert_with(|| {
                self.layouts[index].push(best);
                place_of(self.layouts[index].len() - 1)
            });
            self.best[index][size] = Slot { layout, goodput };
        }
        in_vain
    }

    /// Whether any plan is known.
    #[must_use]
    pub fn found(&self) -> bool {
        self.any
    }

    /// What the next batch may rely on: sizes that cannot matter any more, and floors.
    pub fn settle(&mut self, problem: &Problem, variants: &[Variant]) {
        self.prune(variants);
        if !self.stale.contains(&true) {
            return;
        }
        self.look_beyond(problem, variants);
        for (index, variant) in variants.iter().enumerate() {
            if !self.stale[index] {
                continue;
            }
            self.renew(variant, index);
            let cards = variant.sizes.iter().map(|size| size.cards as f64);
            self.per_card[index]
                .fill(self.floors[index].iter().zip(cards).map(|(floor, cards)| floor / cards));
        }
        let first = |cluster: usize| variants.partition_point(|variant| variant.cluster < cluster);
        for cluster in 0..self.together.len() {
            let members = first(cluster)..first(cluster + 1);
            if members.len() > 1 && self.stale[members.clone()].contains(&true) {
                self.join(variants, cluster, members);
            }
        }
        self.stale.fill(false);
    }

    /// What plans on other plants ask: of a front after the first, second, fourth ... barrier at which something was
    /// better, since it takes a pass over all sizes; without one, where the best is a better one.
    fn look_beyond(&mut self, problem: &Problem, variants: &[Variant]) {
        let (barrier, next) = &mut self.barriers;
        *barrier += 1;
        if self.bounds.is_front() {
            if *barrier < *next {
                return;
            }
            *next = 2 * *barrier;
        }
        let best = if self.bounds.is_best() { best_value(problem, variants, self) } else { None };
        if self.bounds.is_best() && best == std::mem::replace(&mut self.least, best) {
            return;
        }
        let mut beyond = std::mem::take(&mut self.beyond);
        let productive = |variant, size| self.at(variant, size).map_or(0.0, |placed| placed.productive());
        self.bounds.fill(variants, best, productive, &mut beyond);
        self.beyond = beyond;
        self.stale.fill(true);
    }

    /// The least floors over the cards of a size among the variants `members` of a cluster.
    fn join(&mut self, variants: &[Variant], cluster: usize, members: Range<usize>) {
        let sizes = &variants[members.start].sizes;
        let mut all = vec![f64::INFINITY; sizes.len()];
        for (cap, lowest) in self.together[cluster].iter_mut().skip(1).enumerate() {
            let mut least = vec![f64::INFINITY; sizes.len()];
            for index in members.clone().filter(|index| variants[*index].cap == cap) {
                least
                    .iter_mut()
                    .zip(&self.floors[index])
                    .for_each(|(least, floor)| *least = least.min(*floor));
            }
            let cards = sizes.iter().map(|size| size.cards as f64);
            least.iter_mut().zip(cards).for_each(|(least, cards)| *least /= cards);
            all.iter_mut().zip(&least).for_each(|(all, least)| *all = all.min(*least));
            lowest.fill(least.into_iter());
        }
        self.together[cluster][0].fill(all.into_iter());
    }

    /// The floors of one variant: on a size of goodput g whose best layout makes E tokens per second of calendar time,
    /// a rate below E / g is worse, since no layout keeps more than all; likewise one below the target's, or below what
    /// plans on other plants ask ([`Beyond`]). A floor holds for all sizes from its own on, so it is the least of theirs.
    fn renew(&mut self, variant: &Variant, index: usize) {
        let mut least = f64::INFINITY;
        for (place, size) in variant.sizes.iter().enumerate().rev() {
            if self.useful[index][place] && !size.rows.is_empty() {
                let known = self.at(index, place).map_or(0.0, |placed| placed.productive());
                least = least.min(
                    known.max(self.target).max(self.beyond[index][place]) / size.goodput * (1.0 - SLACK),
                );
            }
            self.floors[index][place] = least;
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
                if best.layout != u32::MAX {
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
        for (((variant, useful), range), stale) in
            variants.iter().zip(&mut self.useful).zip(&mut self.ranges).zip(&mut self.stale)
        {
            for (size, useful) in variant.sizes.iter().zip(useful.iter_mut()).filter(|(_, useful)| **useful) {
                *useful = wanted(size);
                *stale |= !*useful;
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
            for (size, _) in variant.sizes.iter().zip(best).filter(|(_, best)| best.layout != u32::MAX) {
                for row in &size.rows {
                    let key = size_key(search, size, row);
                    least = Some(least.map_or(key, |known| if key < known { key } else { known }));
                }
            }
        }
        least
    }

    /// Takes over plans of another search whose sizes stand at the same places, and lets only those sizes matter
    /// that `wanted` names by variant and place. On these, the layouts of smaller sizes are plans too.
    pub fn seed(
        &mut self,
        problem: &Problem,
        variants: &[Variant],
        known: &Self,
        wanted: impl Fn(usize, usize) -> bool,
    ) {
        self.layouts.clone_from(&known.layouts);
        for (index, (own, column)) in self.best.iter_mut().zip(&known.best).enumerate() {
            for (size, (own, slot)) in own.iter_mut().zip(column).enumerate() {
                *own = *slot;
                let Some(placed) = known.at(index, size) else { continue };
                self.any = true;
                if self.fastest_only {
                    self.fastest = self.fastest.max(placed.productive());
                }
            }
        }
        for (index, useful) in self.useful.iter_mut().enumerate() {
            for (size, useful) in useful.iter_mut().enumerate() {
                *useful = wanted(index, size);
            }
        }
        self.stale.fill(true);
        self.keep(variants, |_| true);
        self.settle(problem, variants);
    }

    /// Whether any size can still matter.
    #[must_use]
    pub fn open(&self) -> bool {
        self.ranges.iter().any(|(first, last)| first <= last)
    }
}

/// A place among layouts.
fn place_of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// What decides between sizes whose objective does not depend on the layout, in order.
fn size_key(search: &Search, size: &Size, row: &Row) -> [f64; 3] {
    // Neither rate nor tokens enter such an objective.
    let point = Point { size, row, productive: 1.0, tokens: 1.0 };
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
