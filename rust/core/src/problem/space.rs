//! The switches of the declared space, and which of them are choices at all under a layout.
//!
//! A switch with nothing to act on is no choice: its first value stands, and the others are not counted. No tensor
//! ranks, no overlap of their traffic; no pipeline, no network for it; whole layers recomputed, no activations to
//! offload or inputs to gather again; nothing to send whole under sequence parallelism; one data rank, nothing to
//! hide, shard or place.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::training::layout::{Layout, Recompute};
use crate::training::switches::{SequenceGather, Switches, TensorOverlap, Tier};

/// Values of each switch to choose from, the plain one alone unless the user widens it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // the fields are those of `Switches`
pub struct SwitchSpace {
    pub tp_overlap: Vec<TensorOverlap>,
    pub sequence_gather: Vec<SequenceGather>,
    pub p2p_scatter: Vec<bool>,
    pub dp_overlap: Vec<bool>,
    pub fused_activation: Vec<bool>,
    pub offload_weights: Vec<bool>,
    pub offload_activations: Vec<bool>,
    pub offload_optimizer: Vec<bool>,
    pub tp_network: Vec<Tier>,
    pub pp_network: Vec<Tier>,
    pub dp_network: Vec<Tier>,
}

impl Default for SwitchSpace {
    fn default() -> Self {
        let plain = Switches::default();
        Self {
            tp_overlap: vec![plain.tp_overlap],
            sequence_gather: vec![plain.sequence_gather],
            p2p_scatter: vec![plain.p2p_scatter],
            dp_overlap: vec![plain.dp_overlap],
            fused_activation: vec![plain.fused_activation],
            offload_weights: vec![plain.offload_weights],
            offload_activations: vec![plain.offload_activations],
            offload_optimizer: vec![plain.offload_optimizer],
            tp_network: vec![plain.tp_network],
            pp_network: vec![plain.pp_network],
            dp_network: vec![plain.dp_network],
        }
    }
}

/// All of `values` where they are a choice, else the first.
fn choices<T: Copy>(values: &[T], is_choice: bool) -> &[T] {
    if is_choice { values } else { &values[..1] }
}

impl SwitchSpace {
    /// Choices that the cost of a layer depends on, under the degrees, recomputation and sequence parallelism of
    /// `layout`.
    #[must_use]
    pub fn of_layers(&self, layout: &Layout) -> Vec<Switches> {
        let redone_whole = layout.recompute == Recompute::Full;
        let gathered = layout.sequence_parallel && !redone_whole;
        let tensor = layout.tp > 1;
        let mut found = Vec::new();
        for &tp_overlap in choices(&self.tp_overlap, tensor) {
            for &sequence_gather in choices(&self.sequence_gather, gathered) {
                for &fused_activation in &self.fused_activation {
                    for &offload_weights in &self.offload_weights {
                        for &offload_activations in choices(&self.offload_activations, !redone_whole) {
                            for &tp_network in choices(&self.tp_network, tensor) {
                                found.push(Switches {
                                    tp_overlap,
                                    sequence_gather,
                                    fused_activation,
                                    offload_weights,
                                    offload_activations,
                                    tp_network,
                                    ..Switches::default()
                                });
                            }
                        }
                    }
                }
            }
        }
        found
    }

    /// Refuses dimensions without a value.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with the key.
    pub fn validate(&self) -> Result<(), CoreError> {
        for (key, is_empty) in [
            ("tp_overlap", self.tp_overlap.is_empty()),
            ("sequence_gather", self.sequence_gather.is_empty()),
            ("p2p_scatter", self.p2p_scatter.is_empty()),
            ("dp_overlap", self.dp_overlap.is_empty()),
            ("fused_activation", self.fused_activation.is_empty()),
            ("offload_weights", self.offload_weights.is_empty()),
            ("offload_activations", self.offload_activations.is_empty()),
            ("offload_optimizer", self.offload_optimizer.is_empty()),
            ("tp_network", self.tp_network.is_empty()),
            ("pp_network", self.pp_network.is_empty()),
            ("dp_network", self.dp_network.is_empty()),
        ] {
            if is_empty {
                return Err(CoreError::invalid(format!("space.switches.{key}"), "is empty"));
            }
        }
        Ok(())
    }
}
