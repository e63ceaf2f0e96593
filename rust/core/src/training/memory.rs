//! Bytes that a training job needs on the fullest device.

use serde::Serialize;

use crate::model::{LayerKind, Model};
use crate::training::layout::Layout;
use crate::training::offload::{activations_on_device, host_bytes, optimizer_on_device, weights_on_device};
use crate::training::phases::LayerCost;
use crate::training::stages::{Stage, in_flight};
use crate::units::Bytes;
use crate::workload::{Software, Training};

/// Bytes on one device by cause; they add up to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Weights used in products.
    pub weights: Bytes,
    /// Accumulated gradients.
    pub gradients: Bytes,
    /// Master weights and moments.
    pub optimizer: Bytes,
    /// Kept from forward to backward pass, over all micro-batches in flight.
    pub activations: Bytes,
    /// Living only while a layer or the head runs, and the largest weight's gradient while it is added up.
    pub working: Bytes,
    /// Runtime, communication buffers, fragmentation.
    pub overhead: Bytes,
}

impl Memory {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Bytes {
        self.weights + self.gradients + self.optimizer + self.activations + self.working + self.overhead
    }
}

/// Parameters of a stage that sit on one device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LocalParameters {
    /// Outside the routed experts.
    pub dense: f64,
    /// Of the routed experts.
    pub expert: f64,
    /// The largest single layer (what stage-3 sharding gathers at a time).
    pub largest_layer: f64,
    /// Of all layers, without embedding and head.
    pub layers: f64,
    /// Another stage of the pipeline has as many of each kind: its gradient traffic and its update take as long at least.
    pub outdone: bool,
}

/// Parameters of one layer on one device.
#[must_use]
pub fn layer_parameters(model: &Model, layout: &Layout, kind: LayerKind) -> f64 {
    let local = |dense: f64, moe: f64| {
        let stage = Stage { index: 1, count: 1.0, dense, moe, first: false, heads: 0.0 };
        let parameters = local_parameters(model, layout, &stage);
        parameters.dense + parameters.expert
    };
    match kind {
        LayerKind::Dense => local(1.0, 0.0),
        LayerKind::Moe => local(0.0, 1.0),
    }
}

/// Parameters of `stage` on one device.
#[must_use]
pub fn local_parameters(model: &Model, layout: &Layout, stage: &Stage) -> LocalParameters {
    let tp = layout.tp as f64;
    let (split, replicated) = model.attention_parameters();
    let norms = 2.0 * f64::from(model.hidden);
    let attention = split / tp + replicated + norms;
    let dense_layer = attention + model.ffn_parameters(model.ffn) / tp;
    let (moe_layer, experts) = model.moe.map_or((0.0, 0.0), |moe| {
        let router = f64::from(model.hidden) * f64::from(moe.experts);
        (
            attention + model.ffn_parameters(moe.shared_ffn) / tp + router,
            model.expert_parameters() / (layout.ep * layout.etp) as f64,
        )
    });
    let mut dense = stage.dense * dense_layer + stage.moe * moe_layer;
    let layers = dense + stage.moe * experts;
    let table = f64::from(model.hidden) * f64::from(model.vocab) / tp;
    if stage.first {
        dense += model.embedding_parameters() / tp;
    }
    // A tied head on another stage than the embedding needs its own copy; on the same one it shares.
    if stage.heads > 0.0 && (!model.tied_embeddings || !stage.first) {
        dense += table;
    }
    let kind = if stage.moe > 0.0 { LayerKind::Moe } else { LayerKind::Dense };
    let largest_layer = match kind {
        LayerKind::Moe => moe_layer + experts,
        LayerKind::Dense => dense_layer,
    };
    LocalParameters { dense, expert: stage.moe * experts, largest_layer, layers, outdone: false }
}

/// Costs of the pieces a stage is made of.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    /// A dense layer.
    pub dense: LayerCost,
    /// A `MoE` layer.
    pub moe: LayerCost,
    /// The input embedding.
    pub embedding: LayerCost,
    /// The output head.
    pub head: LayerCost,
    /// Gradient of the largest weight, as its product leaves it and as it is added up.
    pub largest_gradient: Bytes,
}

/// Bytes on a device of `stage`.
#[must_use]
pub fn stage_memory(
    training: &Training,
    software: &Software,
    layout: &Layout,
    stage: &Stage,
    parameters: &LocalParameters,
    pieces: &Pieces,
    micro_batches: u64,
) -> Memory {
    let shards = (layout.cp * layout.dp) as f64;
    let expert_shards = (layout.tp * layout.cp * layout.dp) as f64 / (layout.ep * layout.etp) as f64;
    // Two copies of a stage's weights share one set of optimizer states.
    let copies = layout.schedule.copies();
    let all = parameters.dense + parameters.expert;
    let sharded = parameters.dense / shards + parameters.expert / expert_shards;
    let at = |stage: u8| if layout.sharding >= stage { sharded } else { all };
    let gathered = if layout.sharding >= 3 { 2.0 * parameters.largest_layer.min(all) } else { 0.0 };
    Memory {
        weights: Bytes(
            training.weight_bytes * copies * (weights_on_device(layout, parameters, at(3)) + gathered),
        ),
        gradients: Bytes(training.gradient_bytes * copies * at(2)),
        optimizer: Bytes(training.optimizer_bytes * at(1) * optimizer_on_device(layout, parameters)),
        ..passing_memory(software, layout, stage, pieces, micro_batches)
    }
}

/// What of a stage's memory does not depend on dp, sharding and where states live: activations, what lives while a layer
/// runs, and overhead; no states.
#[must_use]
pub fn passing_memory(
    software: &Software,
    layout: &Layout,
    stage: &Stage,
    pieces: &Pieces,
    micro_batches: u64,
) -> Memory {
    let redone = stage.recomputed_share(layout);
    let kept = |piece: &LayerCost| piece.activations * redone + piece.whole_activations * (1.0 - redone);
    // Which rank is busy differs from layer to layer, so what exceeds the mean adds up like a random walk.
    let excess =
        (pieces.moe.excess * redone + pieces.moe.whole_excess * (1.0 - redone)) * libm::sqrt(stage.moe);
    let layers = kept(&pieces.dense) * stage.dense + kept(&pieces.moe) * stage.moe + excess;
    let working =
        if stage.moe > 0.0 { pieces.moe.working.max(pieces.dense.working) } else { pieces.dense.working };
    let head = if stage.heads > 0.0 { pieces.head.working } else { Bytes::ZERO };
    let largest = if stage.moe > 0.0 {
        pieces.moe.activations.max(pieces.dense.activations)
    } else {
        pieces.dense.activations
    };
    let in_flight = layers * in_flight(layout, stage.index, micro_batches);
    let activations = activations_on_device(layout, in_flight, largest);
    Memory {
        activations,
        working: working.max(head) + pieces.largest_gradient,
        overhead: software.memory_overhead + activations * software.fragmentation,
        ..Memory::default()
    }
}

/// Bytes in host memory for a device of `stage`.
#[must_use]
pub fn stage_host_bytes(
    training: &Training,
    layout: &Layout,
    stage: &Stage,
    parameters: &LocalParameters,
    pieces: &Pieces,
    micro_batches: u64,
) -> Bytes {
    let layers = pieces.dense.activations * stage.dense + pieces.moe.activations * stage.moe;
    let sharded = if layout.sharding >= 1 {
        parameters.dense / (layout.cp * layout.dp) as f64
            + parameters.expert * (layout.ep * layout.etp) as f64 / (layout.tp * layout.cp * layout.dp) as f64
    } else {
        parameters.dense + parameters.expert
    };
    host_bytes(training, layout, stage, parameters, layers, sharded, micro_batches)
}
