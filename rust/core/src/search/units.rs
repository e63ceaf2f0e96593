//! Work units: the part of a layout that decides the cost of a layer, and the candidates that share it.

use std::collections::BTreeMap;

use crate::problem::{ExpertTensor, Problem};
use crate::search::variant::Variant;
use crate::training::layer::Bench;
use crate::training::layout::{Layout, Rule, broken_rule, broken_rule_at, micro_batches};
use crate::training::memory::Pieces;
use crate::training::step::{Family, pieces};

/// The best layout known for a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Tokens per second while training.
    pub rate: f64,
    /// The layout.
    pub layout: Layout,
}

impl Best {
    /// Faster, or as fast with the layout that sorts first (fewest stages, chunks, tensor ranks ...).
    #[must_use]
    pub fn beats(&self, other: Option<&Self>) -> bool {
        other.is_none_or(|other| {
            self.rate > other.rate || (self.rate == other.rate && self.layout < other.layout)
        })
    }
}

/// What happened to the candidates, by count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Candidates of the declared space.
    pub enumerated: u64,
    /// Refused by a rule.
    pub rejected: BTreeMap<Rule, u64>,
    /// Proven no better than one known, without timing.
    pub bounded: u64,
    /// Timed end to end.
    pub timed: u64,
}

impl Tally {
    fn reject(&mut self, rule: Rule, count: u64) {
        if count > 0 {
            *self.rejected.entry(rule).or_default() += count;
        }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.enumerated += other.enumerated;
        self.bounded += other.bounded;
        self.timed += other.timed;
        for (rule, count) in &other.rejected {
            self.reject(*rule, *count);
        }
    }
}

/// A part of the space whose layers cost the same: one variant and one choice of tp, cp, ep, etp, micro-batch,
/// recomputation and sequence parallelism.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Index of the variant.
    pub variant: usize,
    /// The choice; pp, vpp, dp and sharding are set while it is worked through.
    pub layout: Layout,
}

/// All units of the space, in its declared order.
#[must_use]
pub fn units(problem: &Problem, variants: usize) -> Vec<Unit> {
    let space = &problem.space;
    let mut found = Vec::new();
    for variant in 0..variants {
        for &tp in &space.tp {
            for &cp in &space.cp {
                for &ep in &space.ep {
                    for &etp in &space.etp {
                        for &micro_batch in &space.micro_batch {
                            for &recompute in &space.recompute {
                                for &sequence_parallel in &space.sequence_parallel {
                                    let etp = if etp == ExpertTensor::Tensor { tp } else { 1 };
                                    found.push(Unit {
                                        variant,
                                        layout: Layout {
                                            pp: 1,
                                            vpp: 1,
                                            tp,
                                            cp,
                                            ep,
                                            etp,
                                            dp: 1,
                                            micro_batch,
                                            recompute,
                                            sharding: 0,
                                            sequence_parallel,
                                        },
                                    });
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    found
}

/// Lawful (dp, micro-batches) pairs per micro-batch size, dp ascending.
pub type Batches = BTreeMap<u64, Vec<(u64, u64)>>;

/// The lawful pairs of the problem up to `devices` devices.
#[must_use]
pub fn batches(problem: &Problem, devices: u64) -> Batches {
    // Beyond twice the batch no multiple can be within a tolerance below 1.
    let most = 2 * problem.training.global_batch;
    problem
        .space
        .micro_batch
        .iter()
        .map(|&micro_batch| {
            let pairs = (1..=devices.min(most / micro_batch))
                .filter(|dp| problem.space.dp.as_ref().is_none_or(|list| list.contains(dp)))
                .filter_map(|dp| micro_batches(&problem.training, dp, micro_batch).map(|count| (dp, count)))
                .collect();
            (micro_batch, pairs)
        })
        .collect()
}

/// Receives every candidate that is lawful, fits and meets the target, and says beforehand which are worth timing.
pub trait Sink {
    /// Whether a candidate of this size whose rate is at most `ceiling` may still matter. A refusal counts as
    /// bounded.
    fn wants(&self, variant: usize, size: usize, ceiling: f64) -> bool;
    /// A timed candidate.
    fn take(&mut self, variant: usize, size: usize, best: Best);
}

/// Works through all candidates of `unit`.
///
/// Order of the rules: divisibility of the family, batch, divisibility at dp, limits, target by its bound, memory,
/// incumbent by its bound, target by timing.
pub fn work(
    problem: &Problem,
    variants: &[Variant],
    batches: &Batches,
    unit: &Unit,
    sink: &mut impl Sink,
    tally: &mut Tally,
) {
    let variant = &variants[unit.variant];
    let cluster = &problem.clusters[variant.cluster];
    let most_cards = variant.sizes.last().map_or(0, |size| size.cards);
    let devices = most_cards * cluster.devices_per_card;
    let mut cached: Vec<Option<Pieces>> = vec![None; variant.networks.len()];
    let pairs = &batches[&unit.layout.micro_batch];
    for &pp in &problem.space.pp {
        let stage = unit.layout.tp * unit.layout.cp * pp;
        let most_dp = devices / stage;
        if most_dp == 0 {
            continue;
        }
        let declared = problem
            .space
            .dp
            .as_ref()
            .map_or(most_dp, |list| list.iter().filter(|dp| **dp <= most_dp).count() as u64);
        let lawful = &pairs[..pairs.partition_point(|(dp, _)| *dp <= most_dp)];
        for &vpp in &problem.space.vpp {
            let mut families: Vec<Option<Family>> = vec![None; variant.networks.len()];
            for &sharding in &problem.space.sharding {
                tally.enumerated += declared;
                let layout = Layout { pp, vpp, sharding, ..unit.layout };
                if let Some(rule) = broken_rule(&problem.model, &problem.training, &layout) {
                    tally.reject(rule, declared);
                    continue;
                }
                tally.reject(Rule::Batch, declared - lawful.len() as u64);
                for &(dp, count) in lawful {
                    let layout = Layout { dp, ..layout };
                    if let Some(rule) = broken_rule_at(&layout, count) {
                        tally.reject(rule, 1);
                        continue;
                    }
                    let active = layout.devices().div_ceil(cluster.devices_per_card);
                    let lawful_size = variant
                        .size_for(cluster.unit_cards, active)
                        .filter(|index| !variant.sizes[*index].rows.is_empty());
                    let Some(index) = lawful_size else {
                        tally.reject(Rule::Limits, 1);
                        continue;
                    };
                    let size = &variant.sizes[index];
                    let bench = Bench {
                        model: &problem.model,
                        training: &problem.training,
                        software: &problem.software,
                        kernels: &variant.kernels,
                        network: &variant.networks[size.network],
                    };
                    let family = families[size.network].get_or_insert_with(|| {
                        let pieces =
                            *cached[size.network].get_or_insert_with(|| pieces(&bench, &unit.layout));
                        Family::new(&problem.model, layout, pieces)
                    });
                    family.set_sharding(sharding);
                    let tokens = problem.tokens_per_step(dp, layout.micro_batch, count);
                    let needed = problem.needed_rate(size.goodput);
                    let ceiling = tokens / family.lower_bound(count).0;
                    if ceiling < needed {
                        tally.reject(Rule::Target, 1);
                        continue;
                    }
                    if family.memory(&bench, dp, count).total() > cluster.device.memory {
                        tally.reject(Rule::Memory, 1);
                        continue;
                    }
                    if !sink.wants(unit.variant, index, ceiling) {
                        tally.bounded += 1;
                        continue;
                    }
                    let rate = tokens / family.step(&bench, dp, count).total().0;
                    tally.timed += 1;
                    if rate < needed {
                        tally.reject(Rule::Target, 1);
                        continue;
                    }
                    sink.take(unit.variant, index, Best { rate, layout });
                }
            }
        }
    }
}
