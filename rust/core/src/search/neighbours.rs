//! What lies near the winner: layouts as good within the model's error, and the best of other kinds.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::problem::{Problem, RUNNERS_UP};
use crate::search::holding::{Place, Placed};
use crate::search::tally::Tally;
use crate::search::units::{Best, Tables, Units};
use crate::search::variant::Variant;
use crate::search::work::{Sink, work};
use crate::training::layout::{Layout, Recompute};
use crate::training::schedule::{ContextKind, Schedule};
use crate::training::switches::Switches;

/// Layouts of one kind differ only in batch details, interleaving, sharding and how many layers recompute.
type Kind = (([u64; 5], Recompute), (bool, Schedule, ContextKind, Switches));

fn kind(best: &Best) -> Kind {
    let layout = best.layout;
    let degrees = [layout.tp, layout.pp, layout.cp, layout.ep, layout.etp];
    let manner = (layout.sequence_parallel, layout.schedule, layout.cp_kind, layout.switches);
    ((degrees, layout.recompute), manner)
}

/// What a runner-up has to differ in: its kind, or where many are asked for any part of its layout.
type Key = (Kind, Option<Layout>);

/// Layouts slower than this share of the best are not looked for as runners-up.
const RUNNER_UP_FLOOR: f64 = 0.7;

/// Units between two looks at how good a runner-up has to be.
const BATCH: usize = 64;

/// The plant of the winner, and how good a layout on it must be to be looked at.
#[derive(Clone, Copy)]
struct Near<'a> {
    variant: &'a Variant,
    size: usize,
    /// Productive rate of layouts that are as good as the best.
    similar: f64,
    /// Of those that may still be runners-up.
    floor: f64,
    /// Of those that meet the target.
    target: f64,
    every: bool,
}

impl Near<'_> {
    fn key(&self, best: &Best) -> Key {
        (kind(best), self.every.then_some(best.layout))
    }
}

/// What was found on one plant.
#[derive(Default)]
struct Found {
    similar: u64,
    kinds: BTreeMap<Key, Placed>,
    /// The best layout by servers at work.
    by_servers: BTreeMap<u64, Placed>,
}

/// Sets `placed` where it is the best of its key.
fn improve<K: Ord>(best: &mut BTreeMap<K, Placed>, key: K, placed: Placed) {
    let entry = best.entry(key).or_insert(placed);
    if placed.beats(Some(entry)) {
        *entry = placed;
    }
}

impl Found {
    /// The productive rate of the runner-up that stands at `rank` so far, counted from 1.
    fn at_rank(&self, rank: usize) -> f64 {
        let mut rates: Vec<f64> = self.kinds.values().map(Placed::productive).collect();
        rates.sort_by(|a, b| b.total_cmp(a));
        rates.get(rank).copied().unwrap_or(0.0)
    }
}

/// Collects layouts of one size.
struct Collector<'a> {
    near: Near<'a>,
    found: Found,
}

impl Sink for Collector<'_> {
    fn last_size(&self) -> Option<usize> {
        Some(self.near.size)
    }

    fn floor(&self) -> f64 {
        self.near.floor / self.near.variant.sizes[self.near.size].goodput
    }

    fn out(&self, sizes: (usize, usize), per_card: f64) -> bool {
        // The size of the winner has no more cards than any that is needed beyond.
        let last = sizes.1.min(self.near.size);
        per_card * (self.near.variant.sizes[last].cards as f64) < self.floor()
    }

    fn wants(&self, place: Place, _replicas: u64, ceiling: f64) -> bool {
        let size = &self.near.variant.sizes[self.near.size];
        place.network == size.network
            && place.start <= self.near.size
            && ceiling * size.goodput >= self.near.floor
    }

    fn take(&mut self, variant: &Variant, place: Place, best: Best) {
        let size = &variant.sizes[self.near.size];
        let active = place.servers * variant.cards_per_server;
        let placed = Placed { best, goodput: variant.goodput(size, active, best.layout.replicas()) };
        if self.near.target > 0.0 && best.rate < self.near.target / placed.goodput {
            return;
        }
        if placed.productive() >= self.near.similar {
            self.found.similar += 1;
        }
        if placed.productive() >= self.near.floor {
            improve(&mut self.found.kinds, self.near.key(&best), placed);
            improve(&mut self.found.by_servers, place.servers, placed);
        }
    }
}

/// Near the winner: how many layouts reach `1 - similar` of its productive rate on the same plant (itself not counted),
/// and the best others: up to [`RUNNERS_UP`] one of each kind, beyond that `search.runners_up` layouts of any kind.
///
/// A layout that is worse than as many kinds as are asked for is none of them, so what is known after each batch of units
/// bounds the next. Where neither runners-up nor similar layouts are asked for, nothing is looked for.
#[must_use]
pub fn neighbours(
    problem: &Problem,
    variants: &[Variant],
    tables: &Tables,
    units: &Units,
    winner: (usize, usize, Placed),
) -> Neighbours {
    if problem.search.runners_up == 0 && problem.search.similar <= 0.0 {
        return Neighbours::default();
    }
    let (index, size, placed) = winner;
    let every = problem.search.runners_up > RUNNERS_UP;
    let rate = placed.productive();
    let similar = rate * (1.0 - problem.search.similar);
    let (floor, target) = (rate * RUNNER_UP_FLOOR, problem.needed_rate(1.0));
    let mut near = Near { variant: &variants[index], size, similar, floor, target, every };
    let mut known = Found::default();
    for block in units.blocks() {
        let cluster = near.variant.cluster;
        let own: Vec<_> = block.into_iter().filter(|unit| unit.cluster == cluster).collect();
        for batch in own.chunks(BATCH) {
            let collected: Vec<Found> = batch
                .par_iter()
                .map(|unit| {
                    let mut sinks = [(index, Collector { near, found: Found::default() })];
                    work(problem, variants, tables, unit, &mut sinks, &mut Tally::default());
                    let [(_, collector)] = sinks;
                    collector.found
                })
                .collect();
            for found in collected {
                known.similar += found.similar;
                for (key, placed) in found.kinds {
                    improve(&mut known.kinds, key, placed);
                }
                for (servers, placed) in found.by_servers {
                    improve(&mut known.by_servers, servers, placed);
                }
            }
            // The winner's own kind is one of them.
            near.floor = near.floor.max(known.at_rank(problem.search.runners_up).min(similar));
        }
    }
    known.kinds.remove(&near.key(&placed.best));
    let mut others: Vec<Placed> = known.kinds.into_values().collect();
    others.sort_by(|a, b| b.productive().total_cmp(&a.productive()).then(a.best.layout.cmp(&b.best.layout)));
    others.truncate(problem.search.runners_up);
    // Below the last floor not all of a number of servers were looked at.
    known.by_servers.retain(|_, other| other.productive() >= near.floor);
    let cluster = &problem.clusters[near.variant.cluster];
    let own = placed.best.layout.devices().div_ceil(cluster.devices_per_card);
    let own = own.div_ceil(near.variant.cards_per_server);
    let best = |placed: Option<&Placed>, other: &Placed| {
        if other.beats(placed) { *other } else { *placed.unwrap_or(other) }
    };
    let of = |range: &mut dyn Iterator<Item = (&u64, &Placed)>| {
        range.fold(None, |found: Option<Placed>, (_, other)| Some(best(found.as_ref(), other)))
    };
    Neighbours {
        similar: known.similar.saturating_sub(1),
        runners_up: others,
        more_spares: of(&mut known.by_servers.range(..own)),
        fewer_spares: of(&mut known.by_servers.range(own + 1..)),
    }
}

/// What lies near the winner on its plant.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    /// Layouts that are as good.
    pub similar: u64,
    /// The best of other kinds.
    pub runners_up: Vec<Placed>,
    /// The best layout with fewer servers at work, if it comes near.
    pub more_spares: Option<Placed>,
    /// The best layout with more servers at work, if it comes near.
    pub fewer_spares: Option<Placed>,
}
