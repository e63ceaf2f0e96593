//! Seconds of a layer by cause, and the bytes it keeps.

use crate::units::{Bytes, Seconds};

/// Seconds on the critical path of one pass over some layers, by cause; exposed parts only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    /// Matrix products.
    pub matmul: Seconds,
    /// Attention scores.
    pub attention: Seconds,
    /// Memory-bound work: norms, activations, rotary, permutation, quantisation, cross-entropy.
    pub elementwise: Seconds,
    /// Gaps between kernels and host work.
    pub gaps: Seconds,
    /// Tensor-parallel traffic.
    pub tp: Seconds,
    /// Context-parallel traffic.
    pub cp: Seconds,
    /// Expert dispatch and combine.
    pub ep: Seconds,
    /// Waiting for the link to the host.
    pub offload: Seconds,
}

impl Phase {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.matmul
            + self.attention
            + self.elementwise
            + self.gaps
            + self.tp
            + self.cp
            + self.ep
            + self.offload
    }

    /// The part that no network can change.
    #[must_use]
    pub fn on_device(&self) -> Seconds {
        self.matmul + self.attention + self.elementwise + self.gaps
    }

    /// `factor` times each part, added.
    #[must_use]
    pub fn plus(&self, other: &Self, factor: f64) -> Self {
        Self {
            matmul: self.matmul + other.matmul * factor,
            attention: self.attention + other.attention * factor,
            elementwise: self.elementwise + other.elementwise * factor,
            gaps: self.gaps + other.gaps * factor,
            tp: self.tp + other.tp * factor,
            cp: self.cp + other.cp * factor,
            ep: self.ep + other.ep * factor,
            offload: self.offload + other.offload * factor,
        }
    }
}

/// One layer, or the head, for one micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerCost {
    /// Forward pass.
    pub forward: Phase,
    /// Backward pass without recomputation.
    pub backward: Phase,
    /// Forward work redone in the backward pass.
    pub recompute: Phase,
    /// Of the backward pass, the products for the gradients of weights.
    pub weight_gradient: Seconds,
    /// Seconds of both passes in which the layer's traffic, hidden or not, fills the network between domains.
    pub scale_out: Seconds,
    /// Bytes kept from forward to backward pass.
    pub activations: Bytes,
    /// Bytes that a layer keeps which recomputes nothing.
    pub whole_activations: Bytes,
    /// Bytes that live only while the layer runs (all of its activations under full recomputation).
    pub working: Bytes,
}

impl LayerCost {
    /// Forward, backward and recomputation.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.forward.total() + self.backward.total() + self.recompute.total()
    }

    /// The part of it that no network can change.
    #[must_use]
    pub fn on_device(&self) -> Seconds {
        self.on_device_once() + self.recompute.on_device()
    }

    /// The same without recomputation.
    #[must_use]
    pub fn on_device_once(&self) -> Seconds {
        self.forward.on_device() + self.backward.on_device()
    }
}
