//! What lies near the winner: layouts as good within the model's error, and the best of other kinds.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::problem::{Problem, RUNNERS_UP};
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

/// Collects layouts of one size.
struct Collector {
    size: usize,
    floor: f64,
    similar: u64,
    every: bool,
    kinds: BTreeMap<Key, Best>,
}

impl Collector {
    fn key(&self, best: &Best) -> Key {
        (kind(best), self.every.then_some(best.layout))
    }
}

/// Layouts slower than this share of the best are not looked for as runners-up.
const RUNNER_UP_FLOOR: f64 = 0.7;

impl Sink for Collector {
    fn sizes(&self) -> (usize, usize) {
        (self.size, self.size)
    }

    fn floor(&self) -> f64 {
        self.floor * RUNNER_UP_FLOOR
    }

    fn wants(&self, size: usize, ceiling: f64) -> bool {
        size == self.size && ceiling >= self.floor * RUNNER_UP_FLOOR
    }

    fn take(&mut self, _size: usize, best: Best) {
        if best.rate >= self.floor {
            self.similar += 1;
        }
        let entry = self.kinds.entry(self.key(&best)).or_insert(best);
        if best.beats(Some(entry)) {
            *entry = best;
        }
    }
}

/// Near the winner: how many layouts reach `1 - similar` of its rate on the same plant (itself not counted), and
/// the best others: up to [`RUNNERS_UP`] one of each kind, beyond that `search.runners_up` layouts of any kind.
#[must_use]
pub fn neighbours(
    problem: &Problem,
    variants: &[Variant],
    tables: &Tables,
    units: &Units,
    winner: (usize, usize, Best),
) -> (u64, Vec<Best>) {
    let (variant, size, best) = winner;
    let floor = best.rate * (1.0 - problem.search.similar);
    let mut similar = 0;
    let every = problem.search.runners_up > RUNNERS_UP;
    let mut kinds: BTreeMap<Key, Best> = BTreeMap::new();
    for block in units.blocks() {
        let collected: Vec<Collector> = block
            .par_iter()
            .filter(|unit| unit.variant == variant)
            .map(|unit| {
                let mut collector = Collector { size, floor, similar: 0, every, kinds: BTreeMap::new() };
                work(problem, variants, tables, unit, &mut collector, &mut Tally::default());
                collector
            })
            .collect();
        for collector in collected {
            similar += collector.similar;
            for (kind, best) in collector.kinds {
                let entry = kinds.entry(kind).or_insert(best);
                if best.beats(Some(entry)) {
                    *entry = best;
                }
            }
        }
    }
    kinds.remove(&(kind(&best), every.then_some(best.layout)));
    let mut others: Vec<Best> = kinds.into_values().collect();
    others.sort_by(|a, b| b.rate.total_cmp(&a.rate).then(a.layout.cmp(&b.layout)));
    others.truncate(problem.search.runners_up);
    (similar.saturating_sub(1), others)
}
