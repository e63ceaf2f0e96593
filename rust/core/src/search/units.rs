//! Work units: the part of a layout that decides the cost of a layer, and the candidates that share it.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::problem::{ExpertTensor, Problem};
use crate::search::variant::{Variant, bench};
use crate::training::layout::{Layout, micro_batches};
use crate::training::pieces::pieces;
use crate::training::split::StageSplit;
use crate::training::stages::{Stage, stages};

/// A layout and its speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Tokens per second while training.
    pub rate: f64,
    /// The layout.
    pub layout: Layout,
}

/// A part of the space whose layers do the same products: one cluster, on all its variants, and one choice of tp, cp, ep,
/// etp, micro-batch, recomputation and sequence parallelism.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Index of the cluster.
    pub cluster: usize,
    /// The choice; pp, vpp, dp, sharding and switches are set while it is worked through.
    pub layout: Layout,
}

/// Plain layouts beyond this many are taken in declared order: costing them all would take longer than it saves.
const MOST_SORTED: usize = 20_000;

/// Units that are laid out in memory at a time; a larger space is streamed in such blocks.
const BLOCK: usize = 65_536;

/// All units of the space, the most promising first, without holding them in memory.
pub struct Units {
    clusters: usize,
    /// First variant of each cluster, and the end of the last.
    first: Vec<usize>,
    /// Layouts with plain switches.
    plains: Vec<Layout>,
    /// How many units there are.
    pub total: usize,
}

impl Units {
    /// Layouts that are fast per device, by their layers alone, come first: good plans are known early, which is what
    /// the bounds live on. The order is the same for any number of threads, and the answer for any order.
    #[must_use]
    pub fn new(problem: &Problem, variants: &[Variant]) -> Self {
        let mut plains = plain_layouts(problem);
        if let (Some(variant), true) = (variants.first(), plains.len() <= MOST_SORTED)
            && !variant.networks.is_empty()
        {
            let mut rated: Vec<(f64, Layout)> = plains
                .par_iter()
                .map(|plain| (seconds_per_sequence(problem, variant, plain), *plain))
                .collect();
            // A stable sort: declared order among equals.
            rated.sort_by(|a, b| a.0.total_cmp(&b.0));
            plains = rated.into_iter().map(|(_, plain)| plain).collect();
        }
        let clusters = problem.clusters.len();
        let first = (0..=clusters).map(|cluster| variants.partition_point(|v| v.cluster < cluster)).collect();
        let total = plains.len() * clusters;
        Self { clusters, first, plains, total }
    }

    /// The variants of a cluster: they stand one after another.
    #[must_use]
    pub fn variants(&self, cluster: usize) -> Range<usize> {
        self.first[cluster]..self.first[cluster + 1]
    }

    /// Clusters.
    #[must_use]
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// The units in blocks.
    pub fn blocks(&self) -> impl Iterator<Item = Vec<Unit>> + '_ {
        let clusters = 0..self.clusters;
        self.plains.chunks((BLOCK / self.clusters.max(1)).max(1)).map(move |plains| {
            let with = |layout: &Layout| {
                let layout = *layout;
                clusters.clone().map(move |cluster| Unit { cluster, layout })
            };
            plains.iter().flat_map(with).collect()
        })
    }
}

/// Device-seconds that the layers of a sequence take under `layout`, network included, pipeline and data not.
fn seconds_per_sequence(problem: &Problem, variant: &Variant, layout: &Layout) -> f64 {
    // Where the fabric reaches none of the sizes nothing is timed, and the order of units does not matter.
    let Some(outermost) = variant.networks.len().checked_sub(1) else { return 0.0 };
    let pieces = pieces(&bench(problem, variant, outermost), layout);
    let moe = f64::from(problem.model.moe_layers_before(problem.model.layers));
    let dense = f64::from(problem.model.layers) - moe;
    let all = pieces.dense.total() * dense + pieces.moe.total() * moe + pieces.head.total();
    all.0 * (layout.tp * layout.cp) as f64 / layout.micro_batch as f64
}

/// All layouts with plain switches of the part that layers see, in declared order.
fn plain_layouts(problem: &Problem) -> Vec<Layout> {
    let space = &problem.space;
    let manners = space.manners();
    let mut found = Vec::new();
    for &tp in &space.tp {
        for &cp in &space.cp {
            for &ep in &space.ep {
                for &etp in &space.etp {
                    for &micro_batch in &space.micro_batch {
                        for &recompute in &space.recompute {
                            for &sequence_parallel in &space.sequence_parallel {
                                let etp = if etp == ExpertTensor::Tensor { tp } else { 1 };
                                found.extend(manners.iter().map(|manner| Layout {
                                    tp,
                                    cp,
                                    ep,
                                    etp,
                                    micro_batch,
                                    recompute,
                                    sequence_parallel,
                                    ..*manner
                                }));
                            }
                        }
                    }
                }
            }
        }
    }
    found
}

/// What all units share: lawful batches, and how layers are dealt to stages.
pub struct Tables {
    batches: BTreeMap<u64, Vec<(u64, u64)>>,
    stages: BTreeMap<(u64, u64, StageSplit), Vec<Stage>>,
}

impl Tables {
    /// Those of the problem on up to `devices` devices.
    #[must_use]
    pub fn new(problem: &Problem, devices: u64) -> Self {
        let layers = u64::from(problem.model.layers);
        let mut dealt = BTreeMap::new();
        let splits = problem.space.splits();
        for &pp in problem.space.pp.iter().filter(|pp| **pp <= layers + 2) {
            for &vpp in problem.space.vpp.iter().filter(|vpp| **vpp * pp <= layers + 2) {
                for &split in splits.iter().filter(|split| split.fits(layers, pp, vpp)) {
                    dealt.insert((pp, vpp, split), stages(&problem.model, pp, vpp, &split));
                }
            }
        }
        Self { batches: batches(problem, devices), stages: dealt }
    }

    /// Lawful (dp, micro-batches) pairs of a micro-batch size, dp ascending.
    #[must_use]
    pub fn batches(&self, micro_batch: u64) -> &[(u64, u64)] {
        self.batches.get(&micro_batch).map_or(&[], Vec::as_slice)
    }

    /// The stages of a layout; none where the layers do not reach.
    #[must_use]
    pub fn stages(&self, layout: &Layout) -> &[Stage] {
        self.stages.get(&(layout.pp, layout.vpp, layout.stage_layers)).map_or(&[], Vec::as_slice)
    }
}

/// The lawful pairs of the problem up to `devices` devices.
fn batches(problem: &Problem, devices: u64) -> BTreeMap<u64, Vec<(u64, u64)>> {
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
