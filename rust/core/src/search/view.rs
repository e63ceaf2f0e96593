//! What a unit of work sees of the incumbents, and what it finds itself.

use std::collections::HashMap;

use crate::search::holding::{Place, Placed, SLACK};
use crate::search::incumbents::Incumbents;
use crate::search::units::Best;
use crate::search::variant::Variant;
use crate::search::work::{Sink, Together};

/// What a unit found: by network and servers at work, the fastest layout and those that are slower but have more
/// replicas, hence lose less with each that is given up.
pub type Found = HashMap<(usize, u64), Vec<(Place, Best)>>;

/// A unit's view: the incumbents of its variant as of the last barrier and what the unit itself found.
pub struct View<'a> {
    known: &'a Incumbents,
    variant: usize,
    /// Improvements of this unit.
    pub found: Found,
    /// Rate below which nothing matters for what the unit itself found, where a single size is left.
    own_floor: f64,
    /// The same over the cards of that size.
    own_per_card: f64,
}

impl<'a> View<'a> {
    /// Nothing found yet.
    #[must_use]
    pub fn new(known: &'a Incumbents, variant: usize) -> Self {
        Self { known, variant, found: Found::new(), own_floor: 0.0, own_per_card: 0.0 }
    }

    /// Whether only one size of the variant may still matter.
    fn single(&self) -> bool {
        let (first, last) = self.known.ranges[self.variant];
        first == last || self.known.best[self.variant].len() == 1
    }
}

impl Sink for View<'_> {
    fn last_size(&self) -> Option<usize> {
        let (first, last) = self.known.ranges[self.variant];
        (first <= last).then_some(last)
    }

    /// Where only the fastest plan counts, a rate below the best productive rate cannot beat it (goodput is at most
    /// 1); and none matters that is below the floor of all sizes.
    fn floor(&self) -> f64 {
        let least = self.known.floors[self.variant].first().copied();
        self.known.fastest.max(least.unwrap_or(f64::INFINITY)).max(self.own_floor)
    }

    /// Exact: a layout that needs a size has at most its cards, and none larger than the one that is left; floors hold for all sizes from their own on.
    fn out(&self, sizes: (usize, usize), per_card: f64) -> bool {
        per_card < self.own_per_card || per_card < self.known.per_card[self.variant].between(sizes.0, sizes.1)
    }

    fn wants(&self, place: Place, replicas: u64, ceiling: f64) -> bool {
        // As many replicas on as many servers at a higher rate are at least as productive on every size.
        let beaten = |(_, own): &(Place, Best)| own.rate > ceiling && own.layout.replicas() >= replicas;
        ceiling >= self.known.floors[self.variant][place.start].max(self.own_floor)
            && self.found.get(&(place.network, place.servers)).is_none_or(|own| !own.iter().any(beaten))
    }

    /// Of several variants by the least of their floors; what the unit itself found is not looked at.
    fn all_out(sinks: &[(usize, Self)], of: Together, sizes: (usize, usize), per_card: f64) -> bool {
        match sinks {
            [(_, sink)] => sink.out(sizes, per_card),
            [(_, sink), ..] => {
                let lowest = &sink.known.together[of.cluster][of.cap.map_or(0, |cap| cap + 1)];
                per_card < lowest.between(sizes.0, sizes.1)
            }
            [] => true,
        }
    }

    fn take(&mut self, variant: &Variant, place: Place, best: Best) {
        let floors = &self.known.floors[self.variant];
        if best.rate < floors[place.start].max(self.own_floor) {
            return;
        }
        let improves = |(size, goodput): &(usize, f64)| {
            let placed = Placed { best, goodput: *goodput };
            self.known.useful[self.variant][*size]
                && placed.beats(self.known.at(self.variant, *size).as_ref())
        };
        let mut sizes =
            variant.holding(place, best.layout.replicas()).take_while(|(size, _)| best.rate >= floors[*size]);
        let Some((size, goodput)) = sizes.find(improves) else { return };
        if self.single() {
            let reached = best.rate * goodput / variant.sizes[size].goodput;
            self.own_floor = self.own_floor.max(reached * (1.0 - SLACK));
            self.own_per_card = self.own_floor / variant.sizes[size].cards as f64;
        }
        let own = self.found.entry((place.network, place.servers)).or_default();
        let no_worse = |a: &Best, b: &Best| {
            a.layout.replicas() >= b.layout.replicas()
                && (a.rate > b.rate || (a.rate == b.rate && a.layout <= b.layout))
        };
        if !own.iter().any(|(_, other)| no_worse(other, &best)) {
            own.retain(|(_, other)| !no_worse(&best, other));
            own.push((place, best));
        }
    }
}
