//! One switch, and two tiers.

use super::{
    FabricDesign, FabricSpec, LeafLayer, LinkTier, Tier, UpToFour, down_ports, spread, taper, uplinks_for,
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
/// A lone group of leaves that is part-filled gets only the uplinks it needs; where there are more groups, every leaf
/// is wired in full, as the `SuperPOD` tables do, so that the last group can grow.
pub(super) fn two_tier(spec: &FabricSpec) -> Option<FabricDesign> {
    let radix = u64::from(spec.radix);
    let hosts = spec.hosts();
    let down = down_ports(radix, spec.oversubscription);
    let layer = LeafLayer::fill(hosts, spec.leaf_group(), down);
    if layer.leaves > radix {
        return None;
    }
    let fullest = layer.fullest();
    let needed = uplinks_for(fullest, spec.oversubscription);
    let spines = spread(layer.leaves, needed, radix - down, radix)?;
    let links = layer.leaves * spines.uplinks;
    let spine_ports = links / spines.parents;
    let module = u64::from(spec.switch_module_ports);
    let modules = layer.modules(spines.uplinks, module) + spines.parents * spine_ports.div_ceil(module);
    let group = spec.leaf_group();
    let share = taper(spines.uplinks, fullest);
    let reach: UpToFour<_> =
        [spec.reach("leaf", spec.servers_on(group, down), share), spec.reach("spine", spec.servers, 1.0)]
            .into();
    Some(FabricDesign {
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
    })
}
