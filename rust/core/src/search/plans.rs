//! The plans known: the best of them, and the front.

use std::cmp::Ordering;

use crate::problem::{Axis, Problem};
use crate::search::incumbents::{Incumbents, dominates};
use crate::search::variant::{Point, Variant};
use crate::search::{Found, objective_cost};

/// Axes that a front may have.
pub const MOST_AXES: usize = 4;

/// A plan that meets the target: a size under a cooling with its best layout.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    variant: usize,
    size: usize,
    row: usize,
    /// Objective, cards, power, productive rate: smaller is better.
    pub key: [f64; 4],
    /// Costs on the axes of the front; 0 beyond them.
    costs: [f64; MOST_AXES],
}

impl Plan {
    /// With its layout.
    pub fn found(&self, problem: &Problem, variants: &[Variant], known: &Incumbents) -> Found {
        let variant = &variants[self.variant];
        let size = &variant.sizes[self.size];
        let row = &size.rows[self.row];
        let placed = known.at(self.variant, self.size).unwrap_or_else(|| unreachable!("a plan has a layout"));
        let productive = placed.productive();
        Found {
            variant: self.variant,
            cluster: variant.cluster,
            fabric: variant.fabric,
            cooling: row.cooling,
            power_cap: variant.power_cap,
            cards: size.cards,
            best: placed.best,
            goodput: placed.goodput,
            days: Point { size, row, productive, tokens: problem.training.tokens }.days(),
            effective_rate: productive,
            facility_megawatts: row.facility_megawatts,
            capex_usd: row.capex_usd,
            tco_usd_per_year: row.tco_usd_per_year,
        }
    }

    /// What decides beside the layout, in the order of docs/search.md.
    fn before(&self, other: &Self) -> Ordering {
        in_turn(&self.key, &other.key)
            .then(self.variant.cmp(&other.variant))
            .then(self.row.cmp(&other.row))
            .then(self.size.cmp(&other.size))
    }
}

/// The first numbers that differ decide.
fn in_turn(left: &[f64], right: &[f64]) -> Ordering {
    left.iter().zip(right).map(|(x, y)| x.total_cmp(y)).fold(Ordering::Equal, Ordering::then)
}

/// The best plan, ties broken as stated in docs/search.md, and the undominated ones, ordered by their costs; of equal
/// points the first by variant and cooling.
#[derive(Default)]
pub struct Plans {
    /// Of all.
    pub best: Option<Plan>,
    /// Undominated ones.
    pub front: Vec<Plan>,
}

impl Plans {
    /// Those of all variants, one after the other: a plan beaten on its variant is beaten on all, so that never more
    /// than the plans of one variant are held at a time.
    pub fn of(problem: &Problem, variants: &[Variant], known: &Incumbents) -> Self {
        let axes = &problem.search.front;
        let mut all = Self::default();
        for index in 0..variants.len() {
            let plans = of_variant(problem, variants, known, index);
            let least = plans.iter().min_by(|a, b| a.before(b)).copied();
            all.best = all.best.into_iter().chain(least).min_by(Plan::before);
            if !axes.is_empty() || all.front.is_empty() {
                all.front.extend(undominated(plans, axes));
            }
        }
        all.front = undominated(std::mem::take(&mut all.front), axes);
        all
    }
}

fn of_variant(problem: &Problem, variants: &[Variant], known: &Incumbents, index: usize) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (place, size) in variants[index].sizes.iter().enumerate() {
        let Some(placed) = known.at(index, place) else { continue };
        let productive = placed.productive();
        for (row_index, row) in size.rows.iter().enumerate() {
            let point = Point { size, row, productive, tokens: problem.training.tokens };
            let objective = objective_cost(&problem.search, &point);
            let mut costs = [0.0; MOST_AXES];
            for (cost, axis) in costs.iter_mut().zip(&problem.search.front) {
                *cost = point.cost(*axis);
            }
            plans.push(Plan {
                variant: index,
                size: place,
                row: row_index,
                key: [objective, size.cards as f64, row.facility_megawatts, -productive],
                costs,
            });
        }
    }
    plans
}

fn undominated(mut plans: Vec<Plan>, axes: &[Axis]) -> Vec<Plan> {
    plans.sort_by(|a, b| in_turn(&a.costs, &b.costs).then(a.variant.cmp(&b.variant)).then(a.row.cmp(&b.row)));
    let mut kept = Kept::default();
    plans.retain(|plan| kept.add(&plan.costs[..axes.len().min(MOST_AXES)]));
    plans
}

/// Points of a front that come in lexicographic order: one is in unless an earlier one is no worse on all axes but
/// the first, on which earlier ones are no worse anyway.
#[derive(Default)]
struct Kept {
    /// Undominated (second, third) costs: the second rises, the third falls. For up to three axes.
    stairs: Vec<(f64, f64)>,
    /// All costs. For four axes.
    all: Vec<Vec<f64>>,
}

impl Kept {
    /// Whether the point is undominated; it then counts for those to come.
    fn add(&mut self, costs: &[f64]) -> bool {
        if costs.len() > 3 {
            let beaten = self.all.iter().rev().any(|other| other == costs || dominates(other, costs));
            if !beaten {
                self.all.push(costs.to_vec());
            }
            return !beaten;
        }
        let at = |index: usize| costs.get(index).copied().unwrap_or(0.0);
        let (second, third) = (at(1), at(2));
        let after = self.stairs.partition_point(|stair| stair.0 <= second);
        if after > 0 && self.stairs[after - 1].1 <= third {
            return false;
        }
        let from = self.stairs.partition_point(|stair| stair.0 < second);
        let to = from + self.stairs[from..].partition_point(|stair| stair.1 >= third);
        self.stairs.splice(from..to, [(second, third)]);
        true
    }
}
