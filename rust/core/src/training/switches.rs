//! Choices of a layout that cut nothing: how traffic is hidden, what is kept, what lives in host memory, and on
//! which network each dimension talks. Their plain values leave everything as the software profile has it.
//!
//! The choices are those of Calculon (Isaev et al., SC 2023, doi 10.1145/3581784.3607102, section 3).

use serde::{Deserialize, Serialize};

use crate::collective::{Phases, all_gather};
use crate::network::Group;
use crate::training::layout::Layout;
use crate::units::{Bytes, Seconds};

/// Pieces into which a piped collective is cut (the default of Transformer Engine's user buffers).
const PIPE_PIECES: f64 = 4.0;

/// How tensor-parallel traffic hides behind the products next to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TensorOverlap {
    /// The share of the software profile.
    #[default]
    Profile,
    /// Not at all.
    None,
    /// Round a ring of as many pieces as ranks, each behind its part of the product.
    Ring,
    /// In four pieces, one behind the other.
    Pipe,
}

impl TensorOverlap {
    /// Pieces into which the neighbouring products are cut.
    #[must_use]
    pub fn pieces(self, tensor: f64) -> f64 {
        match self {
            Self::Profile | Self::None => 1.0,
            Self::Ring => tensor,
            Self::Pipe => PIPE_PIECES,
        }
    }

    /// What of `traffic` stays exposed beside `compute`, the products next to it; none: the profile says.
    ///
    /// Ring of n ranks: n-1 transfers of T/(n-1), each behind a piece C/n of the product: max(0, T - (n-1)/n C)
    /// (Wang et al., ASPLOS 2023, doi 10.1145/3567955.3567959). Pipe of q pieces: the first is exposed, the others
    /// run behind q-1 pieces of the product: T/q + max(0, (q-1)/q (T - C)).
    #[must_use]
    pub fn exposed(self, traffic: Seconds, compute: Seconds, tensor: f64) -> Option<Seconds> {
        match self {
            Self::Profile => None,
            Self::None => Some(traffic),
            Self::Ring => Some((traffic - compute * ((tensor - 1.0) / tensor)).max(Seconds::ZERO)),
            Self::Pipe => {
                let rest = (PIPE_PIECES - 1.0) / PIPE_PIECES;
                Some(traffic / PIPE_PIECES + ((traffic - compute) * rest).max(Seconds::ZERO))
            }
        }
    }
}

/// How the gathered inputs of the products come to the backward pass under sequence parallelism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SequenceGather {
    /// Gathered again, and hidden behind the backward products, as current frameworks do.
    #[default]
    Profile,
    /// Kept whole on every rank.
    Kept,
    /// Gathered again, which takes its time (Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.2).
    Redone,
}

/// The network that a dimension talks over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// As ranks fall: tensor first, then context, data and pipeline.
    #[default]
    Ranks,
    /// Inside one scale-up domain.
    ScaleUp,
    /// Over the scale-out network alone.
    ScaleOut,
}

/// All switches of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools)] // independent switches
pub struct Switches {
    /// How tensor-parallel traffic hides.
    pub tp_overlap: TensorOverlap,
    /// How gathered inputs come to the backward pass.
    pub sequence_gather: SequenceGather,
    /// Each tensor rank sends its part of an activation to the next stage, which gathers it; otherwise each sends
    /// the whole (Narayanan et al. 2021, arXiv 2104.04473, section 4.1).
    pub p2p_scatter: bool,
    /// Gradient traffic hides behind the backward pass, by the share of the software profile.
    pub dp_overlap: bool,
    /// Bias, activation and gate are one kernel.
    pub fused_activation: bool,
    /// Weights of the layers live in host memory.
    pub offload_weights: bool,
    /// Activations wait in host memory for the backward pass.
    pub offload_activations: bool,
    /// Master weights and moments live in host memory.
    pub offload_optimizer: bool,
    /// Network of the tensor ranks.
    pub tp_network: Tier,
    /// Network between pipeline stages.
    pub pp_network: Tier,
    /// Network of the data ranks.
    pub dp_network: Tier,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            tp_overlap: TensorOverlap::Profile,
            sequence_gather: SequenceGather::Profile,
            p2p_scatter: true,
            dp_overlap: true,
            fused_activation: true,
            offload_weights: false,
            offload_activations: false,
            offload_optimizer: false,
            tp_network: Tier::Ranks,
            pp_network: Tier::Ranks,
            dp_network: Tier::Ranks,
        }
    }
}

impl Switches {
    /// Whether anything lives in host memory.
    #[must_use]
    pub fn offloads(&self) -> bool {
        self.offload_weights || self.offload_activations || self.offload_optimizer
    }

    /// Whether networks are chosen by hand.
    #[must_use]
    pub fn placed(&self) -> bool {
        [self.tp_network, self.pp_network, self.dp_network].iter().any(|tier| *tier != Tier::Ranks)
    }
}

/// Devices between neighbours of each kind of group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Places {
    /// Tensor ranks.
    pub tensor: f64,
    /// Context ranks.
    pub context: f64,
    /// The group over which gradients of dense weights are reduced.
    pub data: f64,
    /// Pipeline stages.
    pub pipeline: f64,
}

/// Where the ranks of `layout` stand in scale-up domains of `domain` devices.
///
/// By rank order tensor is innermost, then context, data, pipeline. Placed by hand, the dimensions inside the domain
/// come first, in that order; a dimension on the scale-out network has its ranks at least a domain apart.
#[must_use]
pub fn places(layout: &Layout, domain: f64) -> Places {
    let (tp, cp, dp) = (layout.tp as f64, layout.cp as f64, layout.dp as f64);
    let switches = &layout.switches;
    if !switches.placed() {
        return Places { tensor: 1.0, context: tp, data: tp, pipeline: tp * cp * dp };
    }
    let dimensions =
        [(switches.tp_network, tp), (switches.dp_network, cp * dp), (switches.pp_network, layout.pp as f64)];
    let mut strides = [1.0; 3];
    let mut next = 1.0;
    for (stride, (tier, size)) in strides.iter_mut().zip(dimensions) {
        if tier != Tier::ScaleOut {
            *stride = next;
            next *= size;
        }
    }
    for (stride, (tier, size)) in strides.iter_mut().zip(dimensions) {
        if tier == Tier::ScaleOut {
            next = f64::max(next, domain);
            *stride = next;
            next *= size;
        }
    }
    let [tensor, data, pipeline] = strides;
    Places { tensor, context: data, data, pipeline }
}

/// Whether the dimensions placed in a scale-up domain of `domain` devices fill it evenly.
///
/// Placing by hand is defined for tensor, data and pipeline ranks only.
#[must_use]
pub fn placement_fits(layout: &Layout, domain: f64) -> bool {
    let switches = &layout.switches;
    if !switches.placed() {
        return true;
    }
    let dimensions = [
        (switches.tp_network, layout.tp),
        (switches.dp_network, layout.dp * layout.cp),
        (switches.pp_network, layout.pp),
    ];
    let inside: u64 =
        dimensions.iter().filter(|(tier, _)| *tier == Tier::ScaleUp).map(|(_, size)| size).product();
    layout.cp == 1 && layout.ep == 1 && domain % inside as f64 == 0.0
}

/// Seconds to gather `inputs` inputs of products again in the backward pass.
#[must_use]
pub fn gather_again(layout: &Layout, group: &Group, input: Bytes, inputs: f64) -> Seconds {
    if layout.switches.sequence_gather == SequenceGather::Redone && layout.sequence_parallel {
        return all_gather(group, input, Phases::Sequential) * inputs;
    }
    Seconds::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_hides_all_but_the_own_piece_and_a_pipe_all_but_the_first() {
        let (traffic, compute) = (Seconds(8.0), Seconds(4.0));
        let of = |overlap: TensorOverlap| overlap.exposed(traffic, compute, 4.0).unwrap().0;
        assert_eq!(of(TensorOverlap::None), 8.0);
        // 8 - 3/4 x 4.
        assert_eq!(of(TensorOverlap::Ring), 5.0);
        // 8/4 + 3/4 (8 - 4).
        assert_eq!(of(TensorOverlap::Pipe), 5.0);
        // Behind long products a ring hides everything, a pipe all but its first piece.
        let long = Seconds(100.0);
        assert_eq!(TensorOverlap::Ring.exposed(traffic, long, 4.0), Some(Seconds(0.0)));
        assert_eq!(TensorOverlap::Pipe.exposed(traffic, long, 4.0), Some(Seconds(2.0)));
        assert_eq!(TensorOverlap::Profile.exposed(traffic, compute, 4.0), None);
    }

    #[test]
    fn dimensions_on_the_scale_out_network_stand_a_domain_apart() {
        let switches = |tp_network, pp_network, dp_network| Switches {
            tp_network,
            pp_network,
            dp_network,
            ..Switches::default()
        };
        let base = Layout { tp: 4, dp: 8, pp: 2, ..Layout::default() };
        let at = |switches| places(&Layout { switches, ..base }, 8.0);
        let by_rank = Places { tensor: 1.0, context: 4.0, data: 4.0, pipeline: 32.0 };
        assert_eq!(at(Switches::default()), by_rank);
        // Tensor ranks and stages share a server; data ranks are a server apart.
        let mixed = switches(Tier::ScaleUp, Tier::ScaleUp, Tier::ScaleOut);
        assert_eq!(at(mixed), Places { tensor: 1.0, context: 8.0, data: 8.0, pipeline: 4.0 });
        assert!(placement_fits(&Layout { switches: mixed, ..base }, 8.0));
        // Two stages of 4 data ranks do not leave room for 8 of them.
        let crowded = switches(Tier::ScaleOut, Tier::ScaleUp, Tier::ScaleUp);
        assert!(!placement_fits(&Layout { switches: crowded, ..base }, 8.0));
        let alone = switches(Tier::ScaleOut, Tier::ScaleOut, Tier::ScaleUp);
        assert_eq!(at(alone), Places { tensor: 8.0, context: 1.0, data: 1.0, pipeline: 32.0 });
    }
}
