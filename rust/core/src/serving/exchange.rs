//! Collectives of a serving step: all-reduces of tensor parallelism, dispatch and combine of experts, sends.

use crate::collective::{Phases, all_gather, all_reduce, all_to_all};
use crate::fabric::FabricDesign;
use crate::hardware::{Cluster, FabricOption};
use crate::network::{Group, Network};
use crate::serving::case::{Constants, Family, Instance, ServingSoftware};
use crate::units::{Bytes, Seconds};

/// The network of an instance with the shares and fixed times of serving.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    tensor: Group,
    experts: Group,
    whole: Group,
    instances: f64,
    send_bandwidth: crate::units::BytesPerSecond,
    outer_bandwidth: crate::units::BytesPerSecond,
    send_latency: Seconds,
    all_reduce_alpha: Seconds,
    two_stage_alpha: Seconds,
    outer_alpha: Seconds,
    alpha: Seconds,
    send_alpha: Seconds,
    transfer_share: f64,
    nic_share: f64,
    factor: f64,
}

/// What dispatch and combine of one layer move.
#[derive(Clone, Copy, Debug)]
pub struct Routed {
    /// Tokens that a device sends (its share of a tensor-parallel group's).
    pub tokens: f64,
    /// Hidden size.
    pub hidden: f64,
    /// Experts per token.
    pub top_k: f64,
    /// Groups of experts a token may use, 0 if any.
    pub top_groups: f64,
    /// Load of the busiest rank over the mean.
    pub imbalance: f64,
}

/// The levels of the cluster with the shares of serving in place of training's.
#[must_use]
pub fn serving_network(
    cluster: &Cluster,
    fabric: &FabricOption,
    design: &FabricDesign,
    constants: &Constants,
) -> Network {
    let mut own = cluster.clone();
    own.device.efficiency.scale_up = constants.link_share;
    own.device.efficiency.scale_out = constants.nic_share;
    let mut network = Network::new(&own, fabric, design);
    for level in &mut network.levels {
        level.latency = level.latency * constants.hop_share;
    }
    network
}

impl Exchange {
    /// The groups of `instance` on `network`.
    #[must_use]
    pub fn new(
        network: &Network,
        instance: &Instance,
        constants: &Constants,
        software: &ServingSoftware,
        family: &Family,
    ) -> Self {
        let stage = f64::from(instance.tp * instance.dp);
        let experts = network.group(f64::from(instance.etp), f64::from(instance.ep));
        let (send_bandwidth, send_latency) = network.between(stage);
        let outer = network.levels.last().map_or(send_bandwidth, |level| level.bandwidth);
        Self {
            tensor: network.group(1.0, f64::from(instance.tp)),
            instances: experts.spans().skip(1).map(|span| span.members).product(),
            experts,
            whole: network.group(1.0, stage),
            send_bandwidth,
            outer_bandwidth: outer,
            send_latency,
            all_reduce_alpha: constants.all_reduce_alpha,
            two_stage_alpha: constants.two_stage_alpha,
            outer_alpha: constants.outer_alpha,
            alpha: constants.exchange_alpha,
            send_alpha: constants.send_alpha,
            transfer_share: constants.transfer_share,
            nic_share: constants.nic_share,
            factor: software.collective_factor * family.collectives,
        }
    }

    /// Whether steps take the same time on both: all is equal but the way out of the instance.
    #[must_use]
    pub fn same_inside(&self, other: &Self) -> bool {
        *self == Self { outer_bandwidth: self.outer_bandwidth, ..*other }
    }

    /// All-reduce over the tensor-parallel group of M bytes per rank.
    ///
    /// Inside the scale-up domain the faster of one stage, in which each of n ranks reads the whole of all others
    /// (alpha + (n - 1) M / W), and two stages, reduce-scatter and all-gather (alpha2 + 2 M (n - 1) / n / W): small
    /// messages take the first. Beyond it the hierarchical one, with a fixed time per level.
    #[must_use]
    pub fn tensor_all_reduce(&self, bytes: Bytes) -> Seconds {
        let two = all_reduce(&self.tensor, bytes, Phases::Sequential) + self.reduce_alpha(&self.tensor);
        let mut spans = self.tensor.spans();
        let inner = match (spans.next(), spans.next()) {
            (Some(only), None) => {
                let one =
                    bytes * (only.members - 1.0) / only.bandwidth + only.latency + self.all_reduce_alpha;
                two.min(one)
            }
            _ => two,
        };
        inner * self.factor
    }

    /// All-gather over the tensor-parallel group to `total` bytes: half the fixed time of a two-stage all-reduce.
    #[must_use]
    pub fn tensor_all_gather(&self, total: Bytes) -> Seconds {
        let transfer = all_gather(&self.tensor, total, Phases::Sequential);
        (self.reduce_alpha(&self.tensor) * 0.5 + transfer) * self.factor
    }

    /// Fixed time of a two-stage all-reduce: both stages inside the scale-up domain, and every level beyond it.
    fn reduce_alpha(&self, group: &Group) -> Seconds {
        let beyond = group.spans().count().saturating_sub(1) as f64;
        self.two_stage_alpha + self.outer_alpha * beyond
    }

    /// Dispatch and combine of one layer: the fastest of sending each token to each of its experts, of sending it
    /// once per server with forwarding inside, and of gathering all tokens everywhere (and reducing back). Small
    /// groups of frameworks that know no better always gather.
    #[must_use]
    pub fn experts(&self, routed: &Routed, software: &ServingSoftware) -> Seconds {
        if self.whole.size <= 1.0 {
            return Seconds::ZERO;
        }
        let everywhere = routed.tokens * self.whole.size * routed.hidden;
        let gathered = |element: f64| {
            all_gather(&self.whole, Bytes(everywhere * element), Phases::Sequential)
                + self.reduce_alpha(&self.whole) * 0.5
        };
        let gathering = gathered(software.dispatch_bytes) + gathered(software.combine_bytes);
        // Experts that are cut over all devices need every token everywhere.
        if self.experts.size <= 1.0 || self.whole.size <= software.gather_ranks {
            return gathering * self.factor;
        }
        // Devices that share an expert each need its tokens.
        let cut = self.whole.size / self.experts.size;
        let sent = routed.tokens * routed.top_k * routed.hidden * routed.imbalance * cut;
        let both = |copies: (f64, f64), stages: f64| {
            let bytes = |element: f64| Bytes(sent * element);
            let dispatch = all_to_all(&self.experts, bytes(software.dispatch_bytes), copies);
            let combine = all_to_all(&self.experts, bytes(software.combine_bytes), copies);
            dispatch + combine + self.alpha * (2.0 * stages)
        };
        let mut best = both((1.0, 1.0), 1.0);
        if software.hierarchical_dispatch && self.instances > 1.0 {
            let once =
                |places: f64| places * (1.0 - libm::pow(1.0 - 1.0 / places, routed.top_k)) / routed.top_k;
            let mut beyond = once(self.instances);
            if routed.top_groups > 0.0 {
                beyond = beyond.min(routed.top_groups / routed.top_k);
            }
            best = best.min(both((once(self.experts.size), beyond), 2.0));
        }
        best.min(gathering) * self.factor
    }

    /// A send of activations to the next pipeline stage.
    #[must_use]
    pub fn send(&self, bytes: Bytes) -> Seconds {
        (bytes / self.send_bandwidth + self.send_latency + self.send_alpha) * self.factor
    }

    /// Transfer of a prompt's cache over the NICs of `devices` devices.
    #[must_use]
    pub fn cache_transfer(&self, bytes: Bytes, devices: f64) -> Seconds {
        let rate = self.outer_bandwidth * (self.transfer_share / self.nic_share * devices);
        bytes / rate + self.send_latency + self.send_alpha
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::BytesPerSecond;

    #[test]
    fn small_all_reduces_take_one_stage_and_large_ones_two() {
        let level = crate::network::Level {
            name: "switch".to_string(),
            size: 8.0,
            bandwidth: BytesPerSecond(100e9),
            latency: Seconds::ZERO,
            mesh: None,
            reduction: None,
        };
        let network = Network { levels: vec![level] };
        let group = network.group(1.0, 8.0);
        let none = Seconds::ZERO;
        let exchange = Exchange {
            tensor: group,
            experts: group,
            whole: group,
            instances: 1.0,
            send_bandwidth: BytesPerSecond(100e9),
            outer_bandwidth: BytesPerSecond(100e9),
            send_latency: none,
            all_reduce_alpha: Seconds(5e-6),
            two_stage_alpha: Seconds(10e-6),
            outer_alpha: none,
            alpha: none,
            send_alpha: none,
            transfer_share: 1.0,
            nic_share: 1.0,
            factor: 1.0,
        };
        // 8 ranks, 1 MB: one stage 5 us + 7 x 10 us, two 10 us + 2 x 7/8 x 10 us.
        let large = exchange.tensor_all_reduce(Bytes(1e6));
        assert!((large.0 - 27.5e-6).abs() < 1e-12, "{large:?}");
        // 10 kB: one stage 5 us + 0.7 us, two 10.175 us.
        let small = exchange.tensor_all_reduce(Bytes(1e4));
        assert!((small.0 - 5.7e-6).abs() < 1e-12, "{small:?}");
    }
}
