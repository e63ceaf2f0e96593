//! The parallel layout of a training job and the rules that make one lawful.

use serde::{Deserialize, Serialize};

use crate::model::Model;
use crate::workload::Training;

/// What is recomputed in the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// Nothing.
    None,
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
}

impl Layout {
    /// Devices that compute.
    #[must_use]
    pub fn devices(&self) -> u64 {
        self.tp * self.cp * self.dp * self.pp
    }
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
    /// At least one layer per model chunk (the first and last may have one less than the rest).
    LayersOverPipeline,
    /// Interleaving needs more than one stage, and equal chunks save the first and last.
    Interleaving,
    /// ep must divide the experts; ep x etp must divide tp x cp x dp; etp is 1 or tp.
    Experts,
    /// Sharding stages 2 and 3 are not combined with a pipeline.
    ShardingWithPipeline,
    /// dp x micro-batch must have a multiple within the tolerance of the global batch.
    Batch,
    /// Interleaving needs at least as many micro-batches as stages.
    FewMicroBatches,
    /// The device's memory does not hold it.
    Memory,
    /// Cards, power, racks or money over the limit.
    Limits,
    /// Slower than the target.
    Target,
    /// Fewer spares than it needs: only of designs whose cards are given, since the search buys enough.
    Spares,
}

/// All rules, in the order in which the search applies them.
pub const RULES: [Rule; 13] = [
    Rule::HeadsOverTensor,
    Rule::WidthOverTensor,
    Rule::SequenceOverContext,
    Rule::LayersOverPipeline,
    Rule::Interleaving,
    Rule::Experts,
    Rule::ShardingWithPipeline,
    Rule::Batch,
    Rule::FewMicroBatches,
    Rule::Limits,
    Rule::Memory,
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
            Self::Batch => "batch",
            Self::FewMicroBatches => "few_micro_batches",
            Self::Memory => "memory",
            Self::Limits => "limits",
            Self::Target => "target",
            Self::Spares => "spares",
        }
    }
}

/// Rules that do not depend on dp; the first one broken, if any.
#[must_use]
pub fn broken_rule(model: &Model, training: &Training, layout: &Layout) -> Option<Rule> {
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
    if sequence % parts != 0 || (layout.sequence_parallel && !(sequence / layout.cp).is_multiple_of(tp)) {
        return Some(Rule::SequenceOverContext);
    }
    let (layers, chunks) = (u64::from(model.layers), layout.pp * layout.vpp);
    let short = layers.div_ceil(chunks) * chunks - layers;
    if layers < layout.pp || (layout.vpp > 1 && layers + 2 < chunks) {
        return Some(Rule::LayersOverPipeline);
    }
    if layout.vpp > 1 && (layout.pp == 1 || (short > 2 && model.mtp_layers == 0)) {
        return Some(Rule::Interleaving);
    }
    match model.moe {
        None if layout.ep != 1 || layout.etp != 1 => return Some(Rule::Experts),
        Some(moe) if u64::from(moe.experts) % layout.ep != 0 || (layout.etp != 1 && layout.etp != tp) => {
            return Some(Rule::Experts);
        }
        _ => {}
    }
    (layout.sharding >= 2 && layout.pp > 1).then_some(Rule::ShardingWithPipeline)
}

/// Rules that depend on dp and the number of micro-batches; the first one broken, if any.
#[must_use]
pub fn broken_rule_at(layout: &Layout, micro_batches: u64) -> Option<Rule> {
    if !(layout.tp * layout.cp * layout.dp).is_multiple_of(layout.ep * layout.etp) {
        return Some(Rule::Experts);
    }
    (layout.vpp > 1 && micro_batches < layout.pp).then_some(Rule::FewMicroBatches)
}

/// Micro-batches per step whose batch comes nearest to the user's, if within the tolerance.
///
/// The nearest multiple of dp x micro-batch; a tie goes to the smaller batch.
#[must_use]
pub fn micro_batches(training: &Training, dp: u64, micro_batch: u64) -> Option<u64> {
    let unit = dp * micro_batch;
    let below = training.global_batch / unit;
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
}
