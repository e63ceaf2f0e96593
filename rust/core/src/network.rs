//! The hierarchy of interconnect levels and how a communication group lies on it.
//!
//! Ranks are laid out tensor first, then context, data and pipeline (the default order of Megatron-LM): a group
//! of `size` ranks `stride` devices apart is cut by each level into as many members as fit into one instance.

use crate::fabric::{FabricDesign, FabricKind};
use crate::hardware::{Cluster, FabricOption, Topology};
use crate::units::{BytesPerSecond, Seconds};

/// In-network all-reduce moves less but runs at this share of the ring's rate, where the level does not say.
///
/// NCCL on 8 H200: 480 GB/s bus bandwidth against 367 GB/s for the ring, where the traffic ratio
/// 2(n-1)/(n+1) = 1.56 would allow 571 (oracle `h200_collectives`). Levels of Blackwell state their own.
pub const IN_NETWORK_EFFICIENCY: f64 = 0.84;

/// One level: devices joined, what a device gets there, latency of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Name for people: `NVLink`, `leaf`, `spine` ...
    pub name: String,
    /// Devices in one instance; infinite for the outermost.
    pub size: f64,
    /// One way per device in large collectives (share of line rate applied).
    pub bandwidth: BytesPerSecond,
    /// Per step.
    pub latency: Seconds,
    /// Full mesh of that many devices: a group uses only the links to its own members.
    pub mesh: Option<f64>,
    /// Switches reduce in flight, at this share of the ring's rate.
    pub reduction: Option<f64>,
}

/// All levels, innermost first, with growing sizes; the last one is infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The levels.
    pub levels: Vec<Level>,
}

/// Levels that a network may have: four scale-up and four fabric tiers.
pub const MAX_LEVELS: usize = 8;

/// A group's share of one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Subgroups joined at this level (at least 1; 1 costs nothing).
    pub members: f64,
    /// Of what all of them hold, the share that one of them lacks: (n-1)/n.
    pub lacking: f64,
    /// One way per device for this group.
    pub bandwidth: BytesPerSecond,
    /// Per step.
    pub latency: Seconds,
    /// Switches reduce in flight, at this share of the ring's rate.
    pub reduction: Option<f64>,
}

/// How a communication group lies on the network, innermost level first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    spans: [Span; MAX_LEVELS],
    levels: usize,
    /// Ranks in the group.
    pub size: f64,
}

impl Network {
    /// The scale-up levels of `cluster` with the tiers of `design` above them.
    #[must_use]
    pub fn new(cluster: &Cluster, fabric: &FabricOption, design: &FabricDesign) -> Self {
        let efficiency = cluster.device.efficiency;
        let mut levels: Vec<Level> = cluster
            .levels
            .iter()
            .map(|level| Level {
                name: level.name.clone(),
                size: level.size as f64,
                bandwidth: level.bandwidth * efficiency.scale_up,
                latency: level.latency,
                mesh: (level.topology == Topology::FullMesh).then_some(level.size as f64),
                reduction: level
                    .in_network_reduction
                    .then(|| level.reduction_efficiency.unwrap_or(IN_NETWORK_EFFICIENCY)),
            })
            .collect();
        let line = fabric.bandwidth * (efficiency.scale_out * fabric.share_of_line_rate);
        if fabric.kind.direct().is_some() {
            levels.extend(direct_levels(cluster, fabric, design, line));
            return Self { levels };
        }
        let inner = levels.last().map_or(1.0, |level| level.size);
        let tiers = design.reach.len();
        for (index, reach) in design.reach.iter().enumerate() {
            let size = if index + 1 == tiers {
                f64::INFINITY
            } else {
                nominal_reach(fabric, index, tiers) * cluster.devices_per_server() as f64
            };
            if size <= inner {
                continue;
            }
            // A tier is entered through the one below. The nominal taper counts: a partial build may do a little
            // better, which is not relied on.
            let taper: f64 = (1..=index)
                .filter(|above| design.reach[above - 1].taper < 1.0)
                .map(|above| {
                    let top = above + 1 == tiers;
                    1.0 / if top { fabric.oversubscription } else { fabric.leaf_oversubscription }
                })
                .product();
            levels.push(Level {
                name: reach.name.to_string(),
                size,
                bandwidth: line * taper,
                latency: fabric.latency + fabric.latency_per_tier * index as f64,
                mesh: None,
                reduction: fabric.in_network_reduction.then_some(IN_NETWORK_EFFICIENCY),
            });
        }
        Self { levels }
    }

    /// The group of `size` ranks that lie `stride` devices apart.
    #[must_use]
    pub fn group(&self, stride: f64, size: f64) -> Group {
        let nothing = Span {
            members: 1.0,
            lacking: 0.0,
            bandwidth: BytesPerSecond(f64::INFINITY),
            latency: Seconds::ZERO,
            reduction: None,
        };
        let mut spans = [nothing; MAX_LEVELS];
        let mut inside = 1.0;
        for (span, level) in spans.iter_mut().zip(&self.levels) {
            let reached = libm::floor(level.size / stride).clamp(1.0, size).max(inside);
            let members = reached / inside;
            let links = level.mesh.map_or(1.0, |peers| ((members - 1.0) / (peers - 1.0)).min(1.0));
            if members > 1.0 {
                *span = Span {
                    members,
                    lacking: (members - 1.0) / members,
                    bandwidth: level.bandwidth * links,
                    latency: level.latency,
                    reduction: level.reduction,
                };
            }
            inside = reached;
        }
        Group { spans, levels: self.levels.len().min(MAX_LEVELS), size }
    }

    /// Bandwidth and latency between two devices `distance` apart (one way, per device).
    #[must_use]
    pub fn between(&self, distance: f64) -> (BytesPerSecond, Seconds) {
        self.levels.iter().find(|level| level.size > distance).or(self.levels.last()).map_or(
            (BytesPerSecond(f64::INFINITY), Seconds::ZERO),
            |level| {
                let links = level.mesh.map_or(1.0, |peers| 1.0 / (peers - 1.0));
                (level.bandwidth * links, level.latency)
            },
        )
    }
}

/// Levels of a fabric without tiers: its groups at the full rate where it has some, and all at what any pattern gets.
///
/// A hop from switch to switch costs half of what a tier does, up and down. Switches do not reduce: there is no tree.
fn direct_levels(
    cluster: &Cluster,
    fabric: &FabricOption,
    design: &FabricDesign,
    line: BytesPerSecond,
) -> Vec<Level> {
    let inner = cluster.levels.last().map_or(1.0, |level| level.size as f64);
    let last = design.reach.len() - 1;
    let level = |index: usize| {
        let reach = design.reach[index];
        let below = if last > 0 { design.reach[0].taper } else { reach.taper };
        let hops = if index < last { 1.0 } else { design.diameter };
        Level {
            name: reach.name.to_string(),
            size: if index == last {
                f64::INFINITY
            } else {
                reach.servers as f64 * cluster.devices_per_server() as f64
            },
            bandwidth: line * if index == last { below } else { 1.0 },
            latency: fabric.latency + fabric.latency_per_tier * (hops / 2.0),
            mesh: None,
            reduction: None,
        }
    };
    (0..=last).map(level).filter(|level| level.size > inner).collect()
}

/// Servers under one switch (or pod) of a tier in a full build.
///
/// How a partial build fills its last leaves or cuts its pods moves some hops up or down a tier; timing does not
/// count on it, so that all sizes with the same number of tiers share one network. Below the top tier, a leaf gives
/// half of its radix to hosts, or s/(s+1) of it where it is the oversubscribed one; a pod has radix/2 leaves.
fn nominal_reach(fabric: &FabricOption, tier: usize, tiers: usize) -> f64 {
    let radix = f64::from(fabric.radix);
    // Of several planes each is a fabric of its own; their traffic meets in the servers.
    let planes = if fabric.kind == FabricKind::MultiPlane { fabric.planes.max(1) } else { 1 };
    let ports = f64::from((fabric.ports_per_server / planes).max(1));
    let half = libm::floor(radix / 2.0).max(1.0);
    let ratio = if tiers == 2 { fabric.oversubscription } else { fabric.leaf_oversubscription };
    let down = if tiers == 1 { radix } else { libm::floor(radix * ratio / (ratio + 1.0) + 1e-9).max(half) };
    let per_leaf = match fabric.kind {
        FabricKind::RailOptimised | FabricKind::MultiPlane => down,
        _ => libm::floor(down / ports).max(1.0),
    };
    // Spines of half the ports down join that many leaves of radix - down uplinks; below super-cores a leaf has one
    // link to each spine of its pod, and a region half the radix of pods.
    let pod = match (tiers, tier) {
        (4, 1) => half,
        (4, _) => half * half,
        _ => libm::floor(half * half / (radix - down).clamp(1.0, half)),
    };
    let leaves = if tier == 0 {
        1.0
    } else {
        match fabric.kind {
            FabricKind::RailOptimised | FabricKind::MultiPlane => pod / ports,
            _ => pod,
        }
    };
    libm::floor(per_leaf * leaves).max(1.0)
}

impl Group {
    /// The levels at which the group has more than one member, innermost first.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans[..self.levels].iter().filter(|span| span.members > 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(size: f64, bandwidth: f64, mesh: Option<f64>) -> Level {
        Level {
            name: String::new(),
            size,
            bandwidth: BytesPerSecond(bandwidth),
            latency: Seconds(1e-6),
            mesh,
            reduction: None,
        }
    }

    fn two_levels() -> Network {
        Network { levels: vec![level(8.0, 100.0, None), level(f64::INFINITY, 10.0, None)] }
    }

    #[test]
    fn a_group_of_16_neighbours_is_8_inside_and_2_across() {
        let group = two_levels().group(1.0, 16.0);
        let members: Vec<f64> = group.spans().map(|span| span.members).collect();
        assert_eq!(members, vec![8.0, 2.0]);
    }

    #[test]
    fn ranks_a_server_apart_meet_only_outside() {
        let group = two_levels().group(8.0, 4.0);
        let spans: Vec<_> = group.spans().collect();
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].members, 4.0);
        assert_eq!(spans[0].bandwidth, BytesPerSecond(10.0));
    }

    #[test]
    fn a_pair_in_a_mesh_of_8_sees_one_link_of_seven() {
        let network = Network { levels: vec![level(8.0, 196.0, Some(8.0))] };
        let pair = network.group(1.0, 2.0);
        assert!((pair.spans().next().unwrap().bandwidth.0 - 28.0).abs() < 1e-9);
        assert!((network.between(1.0).0.0 - 28.0).abs() < 1e-9);
    }
}
