//! The pieces that stages are made of, costed: layers, embedding, head.

use crate::model::LayerKind;
use crate::training::activations::largest_weight;
use crate::training::layer::{
    Bench, LayerWork, embedding_cost, head_cost_with, head_work, layer_cost_with, layer_work,
};
use crate::training::layout::Layout;
use crate::training::memory::Pieces;
use crate::training::phases::LayerCost;
use crate::units::Bytes;

/// The work of all pieces that no switch but the overlap of tensor-parallel traffic changes: worked out once for all
/// others.
#[derive(Clone, Copy, Debug)]
pub struct Works {
    dense: LayerWork,
    moe: Option<LayerWork>,
    head: LayerCost,
}

impl Works {
    /// That of `layout` (dp and pp do not matter).
    #[must_use]
    pub fn new(bench: &Bench, layout: &Layout) -> Self {
        Self {
            dense: layer_work(bench, layout, LayerKind::Dense),
            moe: bench.model.moe.map(|_| layer_work(bench, layout, LayerKind::Moe)),
            head: head_work(bench, layout),
        }
    }
}

/// Costs of the pieces under the part of `layout` that the layers see (tp, cp, ep, etp, micro-batch, recompute).
#[must_use]
pub fn pieces(bench: &Bench, layout: &Layout) -> Pieces {
    pieces_with(bench, layout, &Works::new(bench, layout))
}

/// The same with the work that no other switch changes at hand.
#[must_use]
pub fn pieces_with(bench: &Bench, layout: &Layout, works: &Works) -> Pieces {
    let cost = |kind, work: &LayerWork| layer_cost_with(bench, layout, kind, work);
    Pieces {
        dense: cost(LayerKind::Dense, &works.dense),
        moe: works.moe.as_ref().map_or_else(LayerCost::default, |work| cost(LayerKind::Moe, work)),
        embedding: embedding_cost(bench, layout),
        head: head_cost_with(bench, layout, works.head),
        largest_gradient: Bytes(
            (bench.training.weight_bytes + bench.training.gradient_bytes)
                * largest_weight(bench.model, layout),
        ),
    }
}
