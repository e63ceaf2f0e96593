//! One switch, and two tiers.

use super::{
    FabricDesign, FabricSpec, LeafLayer, LinkTier, Spread, Tier, UpToFour, down_ports, spread, taper,
    uplinks_for,
};

/// Every host on one switch. Valid for hosts <= radix.
pub(super) fn one_switch(spec: &FabricSpec) -> FabricDesign {
    let hosts = spec.hosts();
    let modules = hosts.div_ceil(u64::from(spec.switch_module_ports));
    FabricDesign {
        tiers: [Tier { name: "leaf", switches: 1, down_ports: hosts, up_ports: 0 }].into(),
        links: [LinkTier { name: "host-leaf", count: hosts }].into(),
        transceivers: spec.transceivers(modules),
        ports_free: u64::from(spec.radix) - hosts,
        reach: [spec.reach("leaf", spec.servers, 1.0)].into(),
        bisection_ports: hosts as f64 / 2.0,
        pods: None,
        diameter: 0.0,
    }
}

/// Leaves of d ports down and u up, d / u <= s and d + u <= k; spines by the divisor rule. At s = 1 up to k²/2 hosts
/// with 3k/2 switches. Nothing when the leaves outnumber the ports of a spine.
///
/// Of all such leaves the build with the fewest switches is taken, of equals the one with the fewest leaves: the most
/// ports that may face down often leave a number of uplinks that spreads badly (128 ports at 2:1: 85 down and 43 up, a
/// prime, ask for 43 spines where 84 down and 42 up ask for six). What is lawful at one ratio is lawful at every larger
/// one and with more ports, so a cheaper ratio or a larger switch never takes more switches.
///
/// A lone group of leaves that is part-filled gets only the uplinks it needs; where there are more groups, every leaf
/// is wired in full, as the `SuperPOD` tables do, so that the last group can grow.
pub(super) fn two_tier(spec: &FabricSpec) -> Option<FabricDesign> {
    let radix = u64::from(spec.radix);
    let mut best: Option<Leaves> = None;
    for down in (1..=down_ports(radix, spec.oversubscription)).rev() {
        let layer = LeafLayer::fill(spec.hosts(), spec.leaf_group(), down);
        // Fewer ports down never mean fewer leaves, and there is a spine at least.
        if layer.leaves > radix || best.as_ref().is_some_and(|held| layer.leaves + 1 >= held.switches()) {
            break;
        }
        let needed = uplinks_for(layer.fullest(), spec.oversubscription);
        let Some(spines) = spread(layer.leaves, needed, radix - down, radix) else { continue };
        let found = Leaves { layer, down, spines };
        if best.as_ref().is_none_or(|held| found.switches() < held.switches()) {
            best = Some(found);
        }
    }
    best.map(|leaves| count_parts(spec, &leaves))
}

/// A lower tier and what it hangs from.
struct Leaves {
    layer: LeafLayer,
    /// Ports of a leaf that face down, used or not.
    down: u64,
    spines: Spread,
}

impl Leaves {
    fn switches(&self) -> u64 {
        self.layer.leaves + self.spines.parents
    }
}

fn count_parts(spec: &FabricSpec, &Leaves { layer, down, spines }: &Leaves) -> FabricDesign {
    let hosts = spec.hosts();
    let fullest = layer.fullest();
    let links = layer.leaves * spines.uplinks;
    let spine_ports = links / spines.parents;
    let module = u64::from(spec.switch_module_ports);
    let modules = layer.modules(spines.uplinks, module) + spines.parents * spine_ports.div_ceil(module);
    let share = taper(spines.uplinks, fullest);
    let reach: UpToFour<_> = [
        spec.reach("leaf", spec.servers_on(spec.leaf_group(), down), share),
        spec.reach("spine", spec.servers, 1.0),
    ]
    .into();
    FabricDesign {
        tiers: [
            Tier { name: "leaf", switches: layer.leaves, down_ports: fullest, up_ports: spines.uplinks },
            Tier { name: "spine", switches: spines.parents, down_ports: spine_ports, up_ports: 0 },
        ]
        .into(),
        links: [LinkTier { name: "host-leaf", count: hosts }, LinkTier { name: "leaf-spine", count: links }]
            .into(),
        transceivers: spec.transceivers(modules),
        ports_free: layer.free(),
        reach,
        bisection_ports: hosts as f64 / 2.0 * share,
        pods: None,
        diameter: 0.0,
    }
}
