//! What the plans of other plants ask of a size: the rate below which none of its plans is in the answer.
//!
//! Plants differ in cards, power and money before any layout is timed. Where a plan is known on one that takes no more of
//! any of these, a slower plan is worse on every axis that counts, whichever variants the two belong to.

use rayon::prelude::*;

use crate::problem::{Axis, Objective, Problem};
use crate::search::variant::{Row, Size, Variant, size_cost};

/// What bounds the sizes of one plant by plans on others.
pub enum Beyond {
    /// Nothing.
    Nothing,
    /// There is no front and the objective falls with the rate, so the best plan does.
    Best(Objective, f64),
    /// The front does: it has an axis of rate, and no more than two others count.
    Front(Ranked),
}

impl Beyond {
    /// That of the problem.
    ///
    /// Without a front only the best plan counts ([`Beyond::Best`]). With one a plan is out if another makes strictly more
    /// tokens per second and takes no more on every other axis of the front, and if it is no better by the objective and its
    /// tie-breakers: an objective of rate falls with the rate; one of energy per token also with the mean draw, which is why
    /// that is an axis then; others are axes themselves, cards and power being next. So the other is in the answer or beaten
    /// by one that is.
    #[must_use]
    pub fn new(problem: &Problem, variants: &[Variant]) -> Self {
        let search = &problem.search;
        let by_rate = !matches!(
            search.objective,
            Objective::Cards | Objective::Power | Objective::Capex | Objective::Tco
        );
        if search.front.is_empty() {
            let bounded = by_rate && search.weights.is_empty();
            return if bounded {
                Self::Best(search.objective, problem.training.tokens)
            } else {
                Self::Nothing
            };
        }
        if variants.len() < 2 && variants.first().is_none_or(|variant| variant.sizes.len() < 2) {
            return Self::Nothing;
        }
        let rated = |axis: &&Axis| matches!(axis, Axis::Days | Axis::TokensPerSecond);
        let mut axes: Vec<Axis> = search.front.iter().filter(|axis| !rated(axis)).copied().collect();
        if axes.len() == search.front.len() {
            return Self::Nothing;
        }
        let asked: &[Axis] = match search.objective {
            _ if !search.weights.is_empty() => &[Axis::Cards, Axis::FacilityMegawatts],
            Objective::Days | Objective::Throughput => &[],
            Objective::Energy | Objective::TokensPerJoule => &[Axis::EnergyMwhPerYear],
            Objective::Cards | Objective::Power => &[Axis::Cards, Axis::FacilityMegawatts],
            Objective::Capex => &[Axis::Cards, Axis::FacilityMegawatts, Axis::CapexUsd],
            Objective::Tco => &[Axis::Cards, Axis::FacilityMegawatts, Axis::TcoUsdPerYear],
        };
        let weighted = search.weights.iter().map(|weight| weight.axis);
        for axis in asked.iter().copied().chain(weighted).filter(|axis| !rated(&axis)) {
            if !axes.contains(&axis) {
                axes.push(axis);
            }
        }
        match axes[..] {
            [] => Self::Front(Ranked::new(variants, Axis::Cards, Axis::Cards)),
            [one] => Self::Front(Ranked::new(variants, one, one)),
            [one, other] => Self::Front(Ranked::new(variants, one, other)),
            _ => Self::Nothing,
        }
    }

    /// Whether a look at the plans known costs a pass over all sizes.
    #[must_use]
    pub fn is_front(&self) -> bool {
        matches!(self, Self::Front(_))
    }

    /// Whether the best plan known tells.
    #[must_use]
    pub fn is_best(&self) -> bool {
        matches!(self, Self::Best(..))
    }

    /// Sets `least` to the productive rates below which no plan of a size is in the answer, by variant and size;
    /// `productive` tells those of the plans known, 0 where there is none, and `best` the least objective among them.
    pub fn fill(
        &self,
        variants: &[Variant],
        best: Option<f64>,
        productive: impl Fn(usize, usize) -> f64,
        least: &mut [Vec<f64>],
    ) {
        match self {
            Self::Nothing => {}
            Self::Best(objective, tokens) => {
                let Some(best) = best else { return };
                for (variant, least) in variants.iter().zip(least) {
                    for (size, least) in variant.sizes.iter().zip(least) {
                        let rows = size.rows.iter().map(|row| rate_for(*objective, *tokens, row, best));
                        *least = rows.fold(f64::INFINITY, f64::min);
                    }
                }
            }
            Self::Front(ranked) => ranked.fill(productive, least),
        }
    }
}

/// The productive rate that a plan of this row needs to be as good as `best` by an objective that falls with the rate; 0 for
/// others.
fn rate_for(objective: Objective, tokens: f64, row: &Row, best: f64) -> f64 {
    match objective {
        Objective::Throughput => -best,
        Objective::Days => tokens / best / 86_400.0,
        Objective::Energy => row.mean_megawatts * (tokens / 86_400.0) / best,
        Objective::TokensPerJoule => row.mean_megawatts / best,
        Objective::Cards | Objective::Power | Objective::Capex | Objective::Tco => 0.0,
    }
}

/// All sizes under all coolings in the order of one axis, ranked by another.
pub struct Ranked {
    rows: Vec<Spot>,
    ranks: usize,
}

/// A size under one cooling.
#[derive(Clone, Copy)]
struct Spot {
    variant: u32,
    size: u32,
    /// Place among all values of the second axis, counted from 1; equal ones share it.
    rank: u32,
}

impl Ranked {
    fn new(variants: &[Variant], first: Axis, second: Axis) -> Self {
        let spot = |(size, row): (&Size, &Row)| [size_cost(size, row, first), size_cost(size, row, second)];
        let mut rows: Vec<([f64; 2], Spot)> = Vec::new();
        for (variant, of) in (0..).zip(variants) {
            for (place, size) in (0..).zip(&of.sizes) {
                let with = |row| (spot((size, row)), Spot { variant, size: place, rank: 0 });
                rows.extend(size.rows.iter().map(with));
            }
        }
        rows.par_sort_unstable_by(|(a, _), (b, _)| a[1].total_cmp(&b[1]));
        let (mut rank, mut last) = (0, f64::NAN);
        for (costs, spot) in &mut rows {
            if costs[1].total_cmp(&last).is_ne() {
                (rank, last) = (rank + 1, costs[1]);
            }
            spot.rank = rank;
        }
        // A plan beats those behind it alone: of equal ones on both axes any may come first.
        rows.par_sort_unstable_by(|(a, x), (b, y)| {
            a[0].total_cmp(&b[0]).then((x.rank, x.variant, x.size).cmp(&(y.rank, y.variant, y.size)))
        });
        Self { rows: rows.into_iter().map(|(_, spot)| spot).collect(), ranks: rank as usize }
    }

    /// Of every size the best productive rate known among plants that take no more on either axis, its own among them; of
    /// several coolings the least of these.
    ///
    /// One pass in the order of the first axis over a tree of maxima by rank (Fenwick 1994).
    fn fill(&self, productive: impl Fn(usize, usize) -> f64, least: &mut [Vec<f64>]) {
        for least in &mut *least {
            least.fill(f64::INFINITY);
        }
        let mut tree = vec![0.0_f64; self.ranks + 1];
        for spot in &self.rows {
            let (variant, size, rank) = (spot.variant as usize, spot.size as usize, spot.rank as usize);
            let own = productive(variant, size);
            let mut place = rank;
            // Whatever holds more already has only such above it.
            while place <= self.ranks && tree[place] < own {
                tree[place] = own;
                place += place & place.wrapping_neg();
            }
            let (mut most, mut place) = (0.0_f64, rank);
            while place > 0 {
                most = most.max(tree[place]);
                place &= place - 1;
            }
            let least = &mut least[variant][size];
            *least = least.min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_asks_for_the_best_rate_of_plants_that_take_no_more() {
        // (first, second, rate known) of four sizes of one variant, one cooling each.
        let sizes = [(1.0, 4.0, 10.0), (2.0, 3.0, 7.0), (3.0, 4.0, 0.0), (3.0, 2.0, 1.0)];
        let spot = |(place, rank)| Spot { variant: 0, size: place, rank };
        // In the order of the first axis; ranks of 2, 3, 4 are 1, 2, 3.
        let rows = [(0, 3), (1, 2), (3, 1), (2, 3)].map(spot).to_vec();
        let mut least = vec![vec![0.0; 4]];
        Ranked { rows, ranks: 3 }.fill(|_, size| sizes[size].2, &mut least);
        assert_eq!(least[0], [10.0, 7.0, 10.0, 1.0]);
    }

    #[test]
    fn of_two_coolings_the_one_that_asks_less_counts() {
        let rows = [(0, 1), (1, 1), (1, 2)].map(|(size, rank)| Spot { variant: 0, size, rank }).to_vec();
        let mut least = vec![vec![0.0; 2]];
        let mut swapped = rows.clone();
        swapped.swap(0, 1);
        Ranked { rows, ranks: 2 }.fill(|_, size| [5.0, 0.0][size], &mut least);
        assert_eq!(least[0], [5.0, 5.0]);
        // The second size under its first cooling takes less than the first size does.
        Ranked { rows: swapped, ranks: 2 }.fill(|_, size| [5.0, 0.0][size], &mut least);
        assert_eq!(least[0], [5.0, 0.0]);
    }
}
