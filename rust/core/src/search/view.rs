//! What a unit of work sees of the incumbents, and what it finds itself.

use std::collections::HashMap;

use crate::search::holding::{Place, Placed, SLACK};
use crate::search::incumbents::Incumbents;
use crate::search::units::Best;
use crate::search::variant::Variant;
use crate::search::work::{Sink, Together};
use crate::training::layout::Layout;

/// What a unit found on one variant: by network and servers at work, the fastest layout and those that are slower but have
/// more replicas, hence lose less with each that is given up.
///
/// A batch holds this of every unit on every variant at once, so a layout is kept apart from its dp: the candidates of a
/// unit have few others.
#[derive(Default)]
pub struct Found {
    by_place: HashMap<(u32, u32), Few>,
    /// With a dp of one, each once in a row.
    layouts: Vec<Layout>,
}

/// One layout mostly.
enum Few {
    One(Kept),
    More(Vec<Kept>),
}

#[derive(Clone, Copy)]
struct Kept {
    rate: f64,
    dp: u32,
    /// See [`Layout::replicas`].
    replicas: u32,
    /// Place among the layouts.
    layout: u32,
    /// First size of its place.
    start: u32,
}

impl Few {
    fn all(&self) -> &[Kept] {
        match self {
            Self::One(kept) => std::slice::from_ref(kept),
            Self::More(kept) => kept,
        }
    }
}

impl Found {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// What was found, in no order.
    pub fn plans(&self) -> impl Iterator<Item = (Place, Best)> + '_ {
        self.by_place.iter().flat_map(move |(&(network, servers), few)| {
            few.all().iter().map(move |kept| {
                let place = Place {
                    network: network as usize,
                    servers: u64::from(servers),
                    start: kept.start as usize,
                };
                (place, self.best(kept))
            })
        })
    }

    fn best(&self, kept: &Kept) -> Best {
        let layout = Layout { dp: u64::from(kept.dp), ..self.layouts[kept.layout as usize] };
        Best { rate: kept.rate, layout }
    }

    /// Whether a layout on as many servers with as many replicas is faster than `ceiling`.
    fn beats(&self, place: Place, replicas: u64, ceiling: f64) -> bool {
        let few = self.by_place.get(&key(place));
        few.is_some_and(|few| {
            few.all().iter().any(|kept| kept.rate > ceiling && u64::from(kept.replicas) >= replicas)
        })
    }

    /// Takes a layout unless one that is there is no worse; drops those that it is no worse than.
    fn add(&mut self, place: Place, best: Best) {
        let alone = Layout { dp: 1, ..best.layout };
        if self.layouts.last() != Some(&alone) {
            self.layouts.push(alone);
        }
        let layout = small(self.layouts.len() - 1);
        let (dp, replicas) = (small(best.layout.dp), small(best.layout.replicas()));
        let kept = Kept { rate: best.rate, dp, replicas, layout, start: small(place.start) };
        let no_worse = |a: &Best, b: &Best| {
            a.layout.replicas() >= b.layout.replicas()
                && (a.rate > b.rate || (a.rate == b.rate && a.layout <= b.layout))
        };
        let Some(few) = self.by_place.get(&key(place)) else {
            self.by_place.insert(key(place), Few::One(kept));
            return;
        };
        if few.all().iter().any(|other| no_worse(&self.best(other), &best)) {
            return;
        }
        let others = few.all().iter().filter(|other| !no_worse(&best, &self.best(other)));
        let all: Vec<Kept> = others.copied().chain([kept]).collect();
        let few = if all.len() == 1 { Few::One(kept) } else { Few::More(all) };
        self.by_place.insert(key(place), few);
    }
}

fn key(place: Place) -> (u32, u32) {
    (small(place.network), small(place.servers))
}

/// A count far below 2^32: ranks, servers, places.
fn small<T: TryInto<u32>>(count: T) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}

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
        Self { known, variant, found: Found::default(), own_floor: 0.0, own_per_card: 0.0 }
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
        ceiling >= self.known.floors[self.variant][place.start].max(self.own_floor)
            && !self.found.beats(place, replicas, ceiling)
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
        self.found.add(place, best);
    }
}
