//! Scale-out fabrics: exact counts of switches, links and optical modules for a number of servers.
//!
//! One switch where every host port fits on it, else two tiers (leaf, spine), three (leaf, spine, core) or four (with
//! super-cores). All switches are alike; every port runs at the port rate. A design never allocates.
//!
//! Sources: Al-Fares, Loukissas, Vahdat, SIGCOMM 2008 (k-ary fat tree); NVIDIA RA-11333-001 V11 and the DGX
//! `SuperPOD` reference architectures of the H100, B200 and B300 (partial builds and the divisor rule, see `spread`).

pub mod counts;
pub mod direct;
mod few;
mod four_tier;
mod leaf_spine;
mod leaves;
mod planes;
pub mod scale_up;
mod three_tier;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use few::UpToFour;
pub use three_tier::Pods;

use direct::DirectKind;
use leaves::LeafLayer;

/// How the ports of a server meet the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FabricKind {
    /// Port i of every server goes to leaf i of its group: same-rail traffic of a group stays one hop.
    RailOptimised,
    /// All ports of a server go to the same leaf as far as it has room.
    LeafSpine,
    /// The ports of a server are dealt over separate fabrics, port i into plane i mod p. Planes meet only in the
    /// servers: traffic changes planes through the scale-up links.
    MultiPlane,
    /// See [`DirectKind`].
    Dragonfly,
    /// See [`DirectKind`].
    SlimFly,
    /// See [`DirectKind`].
    FullMesh,
    /// See [`DirectKind`].
    Torus,
}

impl FabricKind {
    /// The fabric without tiers, if it is one.
    #[must_use]
    pub fn direct(self) -> Option<DirectKind> {
        match self {
            Self::Dragonfly => Some(DirectKind::Dragonfly),
            Self::SlimFly => Some(DirectKind::SlimFly),
            Self::FullMesh => Some(DirectKind::FullMesh),
            Self::Torus => Some(DirectKind::Torus),
            Self::RailOptimised | Self::LeafSpine | Self::MultiPlane => None,
        }
    }
}

impl From<DirectKind> for FabricKind {
    fn from(kind: DirectKind) -> Self {
        match kind {
            DirectKind::Dragonfly => Self::Dragonfly,
            DirectKind::SlimFly => Self::SlimFly,
            DirectKind::FullMesh => Self::FullMesh,
            DirectKind::Torus => Self::Torus,
        }
    }
}

/// What is to be connected, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FabricSpec {
    /// Ports of one switch at the port rate of the hosts (64 for an NVIDIA QM9700 at 400G).
    pub radix: u32,
    /// Fabric ports of one server; in a rail-optimised fabric, the number of rails.
    pub ports_per_server: u32,
    /// Servers to connect.
    pub servers: u64,
    /// Cards in one server; only says how many cards a reach holds.
    pub cards_per_server: u32,
    /// Rails or plain leaves.
    pub kind: FabricKind,
    /// Bandwidth into the top tier's lower neighbour over bandwidth out of it, at least 1. Without meaning when one
    /// switch is enough.
    pub oversubscription: f64,
    /// Ports served by one switch-side module: 2 for twin-port 800G modules, 1 for single ones.
    pub switch_module_ports: u32,
    /// Ports served by one host-side module.
    pub host_module_ports: u32,
    /// Leaf ports kept for other machines (fabric managers and the like).
    #[serde(default)]
    pub reserved_ports: u32,
    /// Planes of the kind `multi-plane`; without meaning for the others.
    #[serde(default = "one")]
    pub planes: u32,
    /// Host ports over uplinks of a leaf in three tiers or more, at least 1; two tiers have only [`Self::oversubscription`].
    #[serde(default = "level")]
    pub leaf_oversubscription: f64,
}

/// As much up as down.
pub(crate) const fn level() -> f64 {
    1.0
}

/// One plane: a fabric that is not split.
pub(crate) const fn one() -> u32 {
    1
}

/// The switches of one tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tier {
    /// `leaf`, `spine`, `core` or `super-core`.
    pub name: &'static str,
    /// Switches in the tier.
    pub switches: u64,
    /// Ports in use towards the hosts on the fullest switch.
    pub down_ports: u64,
    /// Ports in use away from the hosts on the fullest switch.
    pub up_ports: u64,
}

/// The links between two neighbouring tiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkTier {
    /// `host-leaf`, `leaf-spine`, `spine-core` or `core-super`.
    pub name: &'static str,
    /// Links, one cable each.
    pub count: u64,
}

/// Optical modules, if every link is optical.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transceivers {
    /// In the switches; a module may serve one port up and one down.
    pub switch_side: u64,
    /// In the servers.
    pub host_side: u64,
    /// In the machines on reserved ports, one each.
    pub reserved_side: u64,
}

/// The servers that one tier joins, and what a server keeps of its bandwidth towards them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Reach {
    /// The tier that joins them: `leaf`, `spine`, `core` or `super-core`.
    pub name: &'static str,
    /// Servers that reach each other without going above this tier. Under rails and `leaf`: on the same rail.
    pub servers: u64,
    /// The same in cards.
    pub cards: u64,
    /// Share of the hosts' bandwidth that leaves this tier upwards: 1 without oversubscription, never below one over
    /// the oversubscription. Traffic joined by a tier is held to the taper of the tier below it; nothing lies above
    /// the last tier, whose taper is 1.
    pub taper: f64,
}

/// A fabric counted to the last part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FabricDesign {
    /// Lowest tier first.
    pub tiers: UpToFour<Tier>,
    /// Lowest first.
    pub links: UpToFour<LinkTier>,
    /// Optical modules.
    pub transceivers: Transceivers,
    /// Leaf ports that more hosts could take without another switch.
    pub ports_free: u64,
    /// Smallest first; the last holds every server.
    pub reach: UpToFour<Reach>,
    /// Port rates that cross an even split of the servers, one way: half the host ports times the least taper.
    pub bisection_ports: f64,
    /// The pods of a three-tier fabric.
    pub pods: Option<Pods>,
    /// Hops between switches at most, without tiers; 0 with them.
    pub diameter: f64,
}

impl FabricDesign {
    /// Switches of all tiers.
    #[must_use]
    pub fn switches(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.switches).sum()
    }

    /// Links of all tiers, those to the hosts included.
    #[must_use]
    pub fn cables(&self) -> u64 {
        self.links.iter().map(|link| link.count).sum()
    }

    /// Links between switches, without those to the hosts.
    #[must_use]
    pub fn interswitch_links(&self) -> u64 {
        self.links.iter().skip(1).map(|link| link.count).sum()
    }
}

/// Why a fabric cannot be designed.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum FabricError {
    /// Nothing to connect.
    #[error("the fabric has no hosts: servers and ports per server must be at least 1")]
    NoHosts,
    /// A switch needs two ports to lie between others.
    #[error("a switch of {radix} ports cannot build a fabric; the least is 2")]
    RadixTooSmall {
        /// Ports of a switch.
        radix: u32,
    },
    /// Oversubscription below 1, infinite, or not a number.
    #[error("oversubscription must be a finite number of at least 1, not {0}")]
    BadOversubscription(f64),
    /// Planes that the ports of a server cannot be dealt over evenly.
    #[error("{ports} ports of a server cannot be dealt over {planes} planes evenly")]
    UnevenPlanes {
        /// Ports per server.
        ports: u32,
        /// Planes.
        planes: u32,
    },
    /// A module without ports.
    #[error("an optical module must serve at least one port")]
    NoModulePorts,
    /// A pod of leaves cannot hold every rail.
    #[error(
        "{rails} rails do not fit a pod of {pod_leaves} leaves; use a larger switch or the leaf-spine kind"
    )]
    TooManyRails {
        /// Ports per server.
        rails: u64,
        /// Leaves of the largest pod.
        pod_leaves: u64,
    },
    /// More host ports than a fabric without tiers joins.
    #[error("{hosts} host ports are more than the {limit} that a {kind} of {radix}-port switches joins")]
    TooManyForDirect {
        /// Host ports wanted, reserved ones included.
        hosts: u64,
        /// Most that fit.
        limit: u64,
        /// Ports of a switch.
        radix: u32,
        /// Which fabric.
        kind: &'static str,
    },
    /// More host ports than four tiers join.
    #[error("{hosts} host ports are more than the {limit} that four tiers of {radix}-port switches join")]
    TooManyHosts {
        /// Host ports wanted, reserved ones included.
        hosts: u64,
        /// Most that fit.
        limit: u64,
        /// Ports of a switch.
        radix: u32,
    },
}

impl FabricSpec {
    /// Host ports of all servers and the reserved ports; saturates instead of overflowing.
    #[must_use]
    pub fn hosts(&self) -> u64 {
        self.servers
            .saturating_mul(u64::from(self.ports_per_server))
            .saturating_add(u64::from(self.reserved_ports))
    }

    /// Leaves that are added together: one per rail, or single ones.
    fn leaf_group(&self) -> u64 {
        match self.kind {
            FabricKind::RailOptimised | FabricKind::MultiPlane => u64::from(self.ports_per_server),
            _ => 1,
        }
    }

    /// Servers whose ports `leaves` leaves of `down` host ports each take.
    fn servers_on(&self, leaves: u64, down: u64) -> u64 {
        let ports = u64::from(self.ports_per_server);
        let servers = match self.kind {
            FabricKind::RailOptimised | FabricKind::MultiPlane => leaves / ports * down,
            _ => leaves * down / ports,
        };
        servers.clamp(1, self.servers)
    }

    fn reach(&self, name: &'static str, servers: u64, taper: f64) -> Reach {
        Reach { name, servers, cards: servers.saturating_mul(u64::from(self.cards_per_server)), taper }
    }

    fn transceivers(&self, switch_side: u64) -> Transceivers {
        let per_server = u64::from(self.ports_per_server.div_ceil(self.host_module_ports));
        Transceivers {
            switch_side,
            host_side: self.servers * per_server,
            reserved_side: u64::from(self.reserved_ports),
        }
    }

    fn check(&self) -> Result<(), FabricError> {
        if self.servers == 0 || self.ports_per_server == 0 {
            return Err(FabricError::NoHosts);
        }
        if self.radix < 2 {
            return Err(FabricError::RadixTooSmall { radix: self.radix });
        }
        for ratio in [self.oversubscription, self.leaf_oversubscription] {
            if !ratio.is_finite() || ratio < 1.0 {
                return Err(FabricError::BadOversubscription(ratio));
            }
        }
        if self.switch_module_ports == 0 || self.host_module_ports == 0 {
            return Err(FabricError::NoModulePorts);
        }
        Ok(())
    }
}

/// The smallest fabric of the kind that joins the servers: one switch, or two to four tiers.
///
/// # Errors
/// [`FabricError`] when the spec is not a fabric or needs more than four tiers.
pub fn design(spec: &FabricSpec) -> Result<FabricDesign, FabricError> {
    spec.check()?;
    if spec.kind == FabricKind::MultiPlane {
        return planes::multi_plane(spec);
    }
    if let Some(kind) = spec.kind.direct() {
        return direct::designed(kind, spec);
    }
    single(spec)
}

/// The smallest fabric of one plane.
fn single(spec: &FabricSpec) -> Result<FabricDesign, FabricError> {
    if spec.hosts() <= u64::from(spec.radix) {
        return Ok(leaf_spine::one_switch(spec));
    }
    if let Some(fabric) = leaf_spine::two_tier(spec) {
        return Ok(fabric);
    }
    match three_tier::three_tier(spec) {
        Err(FabricError::TooManyHosts { .. }) => four_tier::four_tier(spec),
        found => found,
    }
}

/// Ports of a leaf down and up below three tiers or four: half and half, or by its oversubscription.
fn leaf_ports(spec: &FabricSpec) -> (u64, u64) {
    let radix = u64::from(spec.radix);
    if spec.leaf_oversubscription > 1.0 {
        let down = down_ports(radix, spec.leaf_oversubscription);
        (down, radix - down)
    } else {
        (radix / 2, radix / 2)
    }
}

/// Ports of a leaf down and up below three tiers or four, the most ports down first: half and half, and, where leaves are
/// oversubscribed, every split within the ratio: the ports down and the numbers of uplinks they may have, the fewest first.
/// Few numbers of uplinks divide into pods well.
fn leaf_splits(spec: &FabricSpec) -> impl Iterator<Item = (u64, RangeInclusive<u64>)> {
    let radix = u64::from(spec.radix);
    let (most, up) = leaf_ports(spec);
    let (ratio, half) = (spec.leaf_oversubscription, radix / 2);
    let splits = move |down: u64| {
        let fewest = if ratio > 1.0 { uplinks_for(down, ratio) } else { up };
        (down, fewest..=(radix - down).min(half))
    };
    let least = if ratio > 1.0 { half } else { most };
    (least..=most).rev().map(splits)
}

/// Ratios that a spec may be built at: its own, and none, which is lawful at every ratio and may take fewer switches.
fn ratios(spec: &FabricSpec) -> impl Iterator<Item = f64> {
    let none = (spec.oversubscription > 1.0).then_some(1.0);
    std::iter::once(spec.oversubscription).chain(none)
}

/// Upper switches over which every lower switch spreads its uplinks evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spread {
    parents: u64,
    uplinks: u64,
}

/// The divisor rule: the fewest `parents` p with a number of uplinks u, needed <= u <= limit, such that p divides u
/// (each child has the same number of links to each parent) and children · u <= p · radix.
///
/// This alone yields every row of the `SuperPOD` tables: 24 leaves of 32 uplinks need 16 spines of 64 ports, not the
/// 12 that have the ports. A leaf may be given more uplinks than it needs where that saves a spine (31 hosts: 32).
fn spread(children: u64, needed: u64, limit: u64, radix: u64) -> Option<Spread> {
    let fewest = (children * needed).div_ceil(radix).max(1);
    (fewest..=limit).find_map(|parents| {
        let uplinks = needed.next_multiple_of(parents);
        (uplinks <= limit && children * uplinks <= parents * radix).then_some(Spread { parents, uplinks })
    })
}

/// Least whole number of uplinks for `down` links at the oversubscription; at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "port counts are small and positive"
)]
fn uplinks_for(down: u64, oversubscription: f64) -> u64 {
    // Ratios such as 7/3 must not gain a port by rounding.
    ((down as f64 / oversubscription - 1e-9).ceil() as u64).max(1)
}

/// Most ports of a switch that can face down when the rest face up at the oversubscription: floor(k·s / (s + 1)).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "port counts are small and positive"
)]
fn down_ports(radix: u64, oversubscription: f64) -> u64 {
    let share = oversubscription / (oversubscription + 1.0);
    let down = (radix as f64 * share + 1e-9).floor() as u64;
    down.min(radix - 1)
}

/// Uplinks over downlinks, at most 1.
fn taper(uplinks: u64, downlinks: u64) -> f64 {
    (uplinks as f64 / downlinks as f64).min(1.0)
}
