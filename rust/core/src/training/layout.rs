//! The parallel layout of a training job and the rules that make one lawful.

use serde::{Deserialize, Serialize};

use crate::hardware::Cluster;
use crate::model::Model;
use crate::training::schedule::{ContextKind, Schedule};
use crate::training::split::StageSplit;
use crate::training::switches::{Switches, placement_fits};
use crate::workload::Training;

/// What is recomputed in the backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// Nothing.
    #[default]
    None,
    /// Attention between its projections: scores if it is not fused, the whole fused kernel if it is.
    Attention,
    /// What is cheap to redo: the score matrix if attention is not fused, norm and activation outputs.
    Selective,
    /// Whole layers; only their inputs are kept.
    Full,
}

/// How a job is cut over devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Pipeline stages.
    pub pp: u64,
    /// Model chunks per stage (interleaving); 1 is plain 1F1B.
    pub vpp: u64,
    /// Tensor parallel.
    pub tp: u64,
    /// Context parallel.
    pub cp: u64,
    /// Expert parallel (taken from tp x cp x dp).
    pub ep: u64,
    /// Tensor parallel inside an expert.
    pub etp: u64,
    /// Data parallel.
    pub dp: u64,
    /// Sequences per micro-batch.
    pub micro_batch: u64,
    /// Recomputation.
    pub recompute: Recompute,
    /// `ZeRO` stage: 0 none, 1 optimizer states, 2 gradients, 3 weights (FSDP).
    pub sharding: u8,
    /// Sequence parallelism along the tensor group.
    pub sequence_parallel: bool,
    /// Layers of each chunk that recompute; 0: all of them.
    #[serde(default)]
    pub recompute_layers: u64,
    /// Order of the passes over the pipeline.
    #[serde(default)]
    pub schedule: Schedule,
    /// How context ranks exchange keys and values.
    #[serde(default)]
    pub cp_kind: ContextKind,
    /// Layers of each stage, dealt by hand; empty: evenly.
    #[serde(default)]
    pub stage_layers: StageSplit,
    /// Choices that cut nothing: overlap, what is kept or offloaded, networks by hand.
    #[serde(default)]
    pub switches: Switches,
}

impl Default for Layout {
    /// One device, one sequence at a time, nothing recomputed or sharded.
    fn default() -> Self {
        Self {
            pp: 1,
            vpp: 1,
            tp: 1,
            cp: 1,
            ep: 1,
            etp: 1,
            dp: 1,
            micro_batch: 1,
            recompute: Recompute::None,
            sharding: 0,
            sequence_parallel: false,
            recompute_layers: 0,
            schedule: Schedule::default(),
            cp_kind: ContextKind::default(),
            stage_layers: StageSplit::default(),
            switches: Switches::default(),
        }
    }
}

impl Layout {
    /// Devices that compute.
    #[must_use]
    pub fn devices(&self) -> u64 {
        self.tp * self.cp * self.dp * self.pp
    }

    /// Copies of the model that a job can give up one at a time: data ranks, but those that hold each other's experts
    /// stop together. Dense groups are of tp x cp devices of a stage and expert groups of ep x etp, so the least that
    /// both leave whole is their least common multiple: tp x cp x dp / lcm(tp x cp, ep x etp).
    #[must_use]
    pub fn replicas(&self) -> u64 {
        let (dense, expert) = (self.tp * self.cp, self.ep * self.etp);
        (dense * self.dp / lcm(dense, expert)).max(1)
    }
}

/// The least common multiple of two positive counts.
fn lcm(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a / divisor * b
}

/// Why a layout is not lawful. Names are those of the plan's `search.rejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// tp must divide the query heads, and kv heads must divide or be divided by tp.
    HeadsOverTensor,
    /// tp must divide the width of the feed-forward network.
    WidthOverTensor,
    /// cp halves must divide the sequence; with sequence parallelism tp must divide what is left.
    SequenceOverContext,
    /// At least one layer per model chunk (the first and last may have one less than the rest); a split by hand deals
    /// all layers to as many stages, each a multiple of its chunks, and leaves no inner stage empty.
    LayersOverPipeline,
    /// Interleaving needs more than one stage, and equal chunks save the first and last; zero-bubble and
    /// bidirectional schedules take one chunk a stage, the latter an even number of stages.
    Interleaving,
    /// ep must divide the experts; ep x etp must divide tp x cp x dp; etp is 1 or tp.
    Experts,
    /// Sharding stages 2 and 3 are not combined with a pipeline.
    ShardingWithPipeline,
    /// Sequence-parallel ranks send only their part between stages; stage 3 shards the weights that it would offload;
    /// what is offloaded needs a host memory and a link to it that are known.
    Switches,
    /// Dimensions placed in a scale-up domain by hand must fill it evenly; cp and ep are not placed by hand.
    Placement,
    /// dp x micro-batch must have a multiple within the tolerance of the global batch.
    Batch,
    /// Interleaving needs at least as many micro-batches as stages, a bidirectional schedule too.
    FewMicroBatches,
    /// The device's memory does not hold it.
    Memory,
    /// The host's memory does not hold what is offloaded.
    HostMemory,
    /// Cards, power, racks or money over the limit.
    Limits,
    /// Slower than the target.
    Target,
    /// Fewer spares than it needs: only of designs whose cards are given, since the search buys enough.
    Spares,
}

/// All rules, in the order in which the search applies them.
pub const RULES: [Rule; 16] = [
    Rule::HeadsOverTensor,
    Rule::WidthOverTensor,
    Rule::SequenceOverContext,
    Rule::LayersOverPipeline,
    Rule::Interleaving,
    Rule::Experts,
    Rule::ShardingWithPipeline,
    Rule::Switches,
    Rule::Placement,
    Rule::Batch,
    Rule::FewMicroBatches,
    Rule::Limits,
    Rule::Memory,
    Rule::HostMemory,
    Rule::Target,
    Rule::Spares,
];

impl Rule {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HeadsOverTensor => "heads_over_tensor",
            Self::WidthOverTensor => "width_over_tensor",
            Self::SequenceOverContext => "sequence_over_context",
            Self::LayersOverPipeline => "layers_over_pipeline",
            Self::Interleaving => "interleaving",
            Self::Experts => "experts",
            Self::ShardingWithPipeline => "sharding_with_pipeline",
            Self::Switches => "switches",
            Self::Placement => "placement",
            Self::Batch => "batch",
            Self::FewMicroBatches => "few_micro_batches",
            Self::Memory => "memory",
            Self::HostMemory => "host_memory",
            Self::Limits => "limits",
            Self::Target => "target",
            Self::Spares => "spares",
        }
    }
}

/// What lawfulness needs to know of the hardware.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Host memory and the link to it are known.
    pub known: bool,
    /// Devices of a scale-up domain.
    pub domain: f64,
}

impl Host {
    /// That of `cluster`.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let device = &cluster.device;
        Self {
            known: device.host_memory.is_some() && device.host_bandwidth.is_some(),
            domain: cluster.domain_devices(),
        }
    }
}

/// Rules that do not depend on dp; the first one broken, if any.
#[must_use]
pub fn broken_rule(model: &Model, training: &Training, host: Host, layout: &Layout) -> Option<Rule> {
    broken_by_shape(model, training, layout).or_else(|| broken_by_choice(host, layout))
}

/// Rules that depend neither on dp nor on sharding and switches; the first one broken, if any.
#[must_use]
pub fn broken_by_shape(model: &Model, training: &Training, layout: &Layout) -> Option<Rule> {
    let tp = layout.tp;
    let (heads, kv_heads) = (u64::from(model.heads), u64::from(model.kv_heads));
    if heads % tp != 0 || (kv_heads % tp != 0 && !tp.is_multiple_of(kv_heads)) {
        return Some(Rule::HeadsOverTensor);
    }
    if u64::from(model.ffn) % tp != 0 {
        return Some(Rule::WidthOverTensor);
    }
    let sequence = u64::from(training.sequence);
    let parts = if layout.cp > 1 { 2 * layout.cp } else { 1 };
    // An exchange by heads leaves every rank whole heads.
    if layout.cp > 1 && layout.cp_kind == ContextKind::AllToAll && !heads.is_multiple_of(tp * layout.cp) {
        return Some(Rule::SequenceOverContext);
    }
    if sequence % parts != 0 || (layout.sequence_parallel && !(sequence / layout.cp).is_multiple_of(tp)) {
        return Some(Rule::SequenceOverContext);
    }
    let (layers, chunks) = (u64::from(model.layers), layout.pp * layout.vpp);
    let short = layers.div_ceil(chunks) * chunks - layers;
    let even = layout.stage_layers.is_even();
    if !layout.stage_layers.fits(layers, layout.pp, layout.vpp)
        || (even && (layers < layout.pp || (layout.vpp > 1 && layers + 2 < chunks)))
    {
        return Some(Rule::LayersOverPipeline);
    }
    if layout.vpp > 1 && (layout.pp == 1 || (even && short > 2 && model.mtp_layers == 0)) {
        return Some(Rule::Interleaving);
    }
    if !layout.schedule.allows(layout.pp, layout.vpp) {
        return Some(Rule::Interleaving);
    }
    match model.moe {
        None if layout.ep != 1 || layout.etp != 1 => return Some(Rule::Experts),
        Some(moe) if u64::from(moe.experts) % layout.ep != 0 || (layout.etp != 1 && layout.etp != tp) => {
            return Some(Rule::Experts);
        }
        _ => {}
    }
    None
}

/// Rules that depend on sharding and switches, and on the degrees only by whether there is a pipeline; the first
/// one broken, if any.
#[must_use]
pub fn broken_by_choice(host: Host, layout: &Layout) -> Option<Rule> {
    if layout.sharding >= 2 && layout.pp > 1 {
        return Some(Rule::ShardingWithPipeline);
    }
    let switches = &layout.switches;
    let sound = (switches.p2p_scatter || !layout.sequence_parallel)
        && !(switches.offload_weights && layout.sharding == 3)
        && (host.known || !switches.offloads());
    (!sound).then_some(Rule::Switches)
}

/// Rules that depend on dp and the number of micro-batches; the first one broken, if any.
#[must_use]
pub fn broken_rule_at(host: Host, layout: &Layout, micro_batches: u64) -> Option<Rule> {
    if !(layout.tp * layout.cp * layout.dp).is_multiple_of(layout.ep * layout.etp) {
        return Some(Rule::Experts);
    }
    if !placement_fits(layout, host.domain) {
        return Some(Rule::Placement);
    }
    let least = if layout.vpp > 1 { layout.pp } else { layout.schedule.least_micro_batches(layout.pp) };
    (micro_batches < least).then_some(Rule::FewMicroBatches)
}

/// Micro-batches per step whose batch comes nearest to the user's, if within the tolerance.
///
/// The nearest multiple of dp x micro-batch; a tie goes to the smaller batch. Where the batch is the most: the
/// largest multiple up to it.
#[must_use]
pub fn micro_batches(training: &Training, dp: u64, micro_batch: u64) -> Option<u64> {
    let unit = dp * micro_batch;
    let below = training.global_batch / unit;
    if training.batch_at_most {
        return (below > 0).then_some(below);
    }
    let off = |count: u64| (count * unit).abs_diff(training.global_batch);
    let count = if below == 0 || off(below + 1) < off(below) { below + 1 } else { below };
    (off(count) as f64 <= training.batch_tolerance * training.global_batch as f64).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Precision;

    fn training(batch: u64, tolerance: f64) -> Training {
        Training {
            tokens: 1e12,
            sequence: 8192,
            global_batch: batch,
            batch_tolerance: tolerance,
            batch_at_most: false,
            precision: Precision::Bf16,
            weight_bytes: 2.0,
            gradient_bytes: 4.0,
            optimizer_bytes: 12.0,
        }
    }

    #[test]
    fn the_batch_is_the_nearest_multiple_within_the_tolerance() {
        assert_eq!(micro_batches(&training(2048, 0.0), 128, 1), Some(16));
        assert_eq!(micro_batches(&training(2048, 0.0), 100, 1), None);
        assert_eq!(micro_batches(&training(2048, 0.03), 100, 1), Some(20));
        assert_eq!(micro_batches(&training(2048, 0.02), 2000, 2), None);
    }

    #[test]
    fn data_ranks_that_share_experts_are_one_replica() {
        let dense = Layout { tp: 8, pp: 16, dp: 64, ..Layout::default() };
        assert_eq!(dense.replicas(), 64);
        // Experts over 64 devices of a stage: DeepSeek-V3 on 2,048 cards, 16 stages of 128 devices, is two copies.
        assert_eq!(Layout { pp: 16, dp: 128, ep: 64, ..Layout::default() }.replicas(), 2);
        // Experts inside the tensor and context group share no data ranks.
        assert_eq!(Layout { tp: 8, cp: 2, dp: 6, ep: 2, etp: 8, ..Layout::default() }.replicas(), 6);
        // 4 devices of a dense group, 6 of an expert group: 12 hold whole ones of both.
        assert_eq!(Layout { tp: 4, dp: 9, ep: 6, ..Layout::default() }.replicas(), 3);
    }
}
