//! Which sizes hold a layout, and what it keeps of their time: spares as a dimension of the search.
//!
//! A layout with a servers at work can stand on every size of N >= a servers; what is left over stands by. Its
//! productive rate there is rate x goodput(N) x kept(N, a, dp) ([`crate::reliability::keeping`]): more spares
//! cover more repairs, but are bought, powered and fail like the rest. So the search keeps the most productive layout of
//! every size over all a <= N.

use crate::problem::Problem;
use crate::search::units::Best;
use crate::search::variant::{Size, Variant};

/// The sizes of one network that hold a number of active servers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Index of the network.
    pub network: usize,
    /// Servers at work.
    pub servers: u64,
    /// Index of the first size that may hold them on this network.
    pub start: usize,
}

/// A layout on a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Layout and rate.
    pub best: Best,
    /// Share of calendar time that trains there, with the spares that are left.
    pub goodput: f64,
}

impl Placed {
    /// Tokens per second of calendar time.
    #[must_use]
    pub fn productive(&self) -> f64 {
        self.best.rate * self.goodput
    }

    /// More productive, or as productive with the layout that sorts first (fewest stages, chunks, tensor ranks ...).
    #[must_use]
    pub fn beats(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| {
            let (own, others) = (self.productive(), other.productive());
            own > others || (own == others && self.best.layout < other.best.layout)
        })
    }
}

impl Variant {
    /// The smallest size that holds `active_cards` and the spares of a confidence, as an index into `sizes`; none if the
    /// limits end below. Never falls with active cards.
    #[must_use]
    pub fn size_for(&self, unit_cards: u64, active_cards: u64) -> Option<usize> {
        let servers = active_cards.div_ceil(self.cards_per_server);
        let spare_cards = (self.keeping.least(servers) - servers) * self.cards_per_server;
        let units = (active_cards + spare_cards).div_ceil(unit_cards).max(self.first_units);
        let index = usize::try_from(units - self.first_units).ok()?;
        (index < self.sizes.len()).then_some(index)
    }

    /// The places of `active_cards` that need the size `first` at least, by network.
    pub fn places(&self, active_cards: u64, first: usize) -> impl Iterator<Item = Place> + '_ {
        let servers = active_cards.div_ceil(self.cards_per_server);
        let place = move |(network, reach): (usize, &(usize, usize))| Place {
            network,
            servers,
            start: first.max(reach.0),
        };
        self.reaches
            .iter()
            .enumerate()
            .map(place)
            .filter(|place| place.start <= self.reaches[place.network].1)
    }

    /// What a layout of so many replicas makes of the sizes of a place, smallest first: index of the size, share of
    /// calendar time that trains.
    pub fn holding(&self, place: Place, replicas: u64) -> impl Iterator<Item = (usize, f64)> + '_ {
        let mut along = self.keeping.along(place.servers);
        let last = self.reaches[place.network].1;
        (place.start..=last).filter_map(move |index| {
            let size = &self.sizes[index];
            if size.rows.is_empty() || size.network != place.network {
                return None;
            }
            let kept = along.kept(size.cards / self.cards_per_server, replicas);
            Some((index, with_spares(size, kept)))
        })
    }

    /// Whether a layout of that rate meets the target on some size of its place.
    #[must_use]
    pub fn meets(&self, problem: &Problem, place: Place, replicas: u64, rate: f64) -> bool {
        let least = problem.needed_rate(1.0);
        if least <= 0.0 {
            return true;
        }
        for (index, goodput) in self.holding(place, replicas) {
            if rate >= problem.needed_rate(goodput) {
                return true;
            }
            if rate * self.goodput_from[index] < least * (1.0 - SLACK) {
                return false;
            }
        }
        false
    }

    /// The share of calendar time that trains on one size with a layout of so many active cards and replicas.
    #[must_use]
    pub fn goodput(&self, size: &Size, active_cards: u64, replicas: u64) -> f64 {
        let bought = size.cards / self.cards_per_server;
        with_spares(size, self.keeping.kept(bought, active_cards.div_ceil(self.cards_per_server), replicas))
    }
}

/// As [`crate::reliability::Goodput::losing`] has it, to the bit.
fn with_spares(size: &Size, kept: f64) -> f64 {
    size.goodput * (1.0 - (1.0 - kept))
}

/// Covers the rounding of products in another order.
pub const SLACK: f64 = 1e-12;
