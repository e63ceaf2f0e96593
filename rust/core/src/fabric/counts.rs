//! Closed forms of full topologies: endpoints, switches and links between switches.
//!
//! Links exclude those to the endpoints, as in table 3 of the DeepSeek-V3 insights paper (arXiv 2505.09343), whose rows
//! these forms yield.

use serde::Serialize;

/// What a full topology holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TopologyCounts {
    /// Host ports.
    pub endpoints: u64,
    /// Switches of all tiers.
    pub switches: u64,
    /// Links between switches.
    pub links: u64,
}

/// Two-tier fat tree of even radix k, non-blocking: k²/2 endpoints, 3k/2 switches, k²/2 links.
#[must_use]
pub fn fat_tree_2(radix: u64) -> TopologyCounts {
    let half = radix / 2;
    TopologyCounts { endpoints: radix * half, switches: 3 * half, links: radix * half }
}

/// Three-tier fat tree of even radix k, non-blocking: k³/4 endpoints, 5k²/4 switches, k³/2 links
/// (Al-Fares, Loukissas, Vahdat, SIGCOMM 2008).
#[must_use]
pub fn fat_tree_3(radix: u64) -> TopologyCounts {
    let half = radix / 2;
    TopologyCounts {
        endpoints: radix * half * half,
        switches: 5 * half * half,
        links: 2 * radix * half * half,
    }
}

/// Racks with a switch each, pods of racks under cluster switches, pods under an aggregation layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RackPods {
    /// Racks, each with one switch.
    pub racks: u64,
    /// Racks of a full pod.
    pub racks_per_pod: u64,
    /// Pods, the last one perhaps part-filled.
    pub pods: u64,
    /// Links at the hosts' rate from a rack up into its pod.
    pub rack_uplinks: u64,
    /// Links at the hosts' rate from a full pod up into the aggregation layer.
    pub pod_uplinks: u64,
}

/// Counts of a fabric by rack and pod, as Meta builds its clusters: a ratio is host ports over uplinks at one rate, below
/// 1 where a rack has more uplinks than hosts. Valid for `per_pod` a multiple of `per_rack`, both at least 1.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of links")]
pub fn rack_pods(hosts: u64, per_rack: u64, per_pod: u64, rack_ratio: f64, pod_ratio: f64) -> RackPods {
    let uplinks = |hosts: u64, ratio: f64| (hosts as f64 / ratio - 1e-9).ceil() as u64;
    RackPods {
        racks: hosts.div_ceil(per_rack),
        racks_per_pod: per_pod / per_rack,
        pods: hosts.div_ceil(per_pod),
        rack_uplinks: uplinks(per_rack, rack_ratio),
        pod_uplinks: uplinks(per_pod, pod_ratio),
    }
}

/// `planes` two-tier fat trees side by side, each endpoint in one plane. Traffic between planes goes through the
/// scale-up domain.
#[must_use]
pub fn multi_plane(radix: u64, planes: u64) -> TopologyCounts {
    let plane = fat_tree_2(radix);
    TopologyCounts {
        endpoints: planes * plane.endpoints,
        switches: planes * plane.switches,
        links: planes * plane.links,
    }
}

/// Slim Fly on the MMS graph of q = 4w + δ, δ in {-1, 0, 1}: 2q² switches of network radix k' = (3q - δ)/2 and
/// ceil(k'/2) endpoints each (Besta, Hoefler, SC 2014). `None` when no such δ fits (q = 2 mod 4); that a graph exists
/// needs a prime power as well, which is not checked: the paper's table itself uses q = 28.
#[must_use]
pub fn slim_fly(q: u64) -> Option<TopologyCounts> {
    let network_radix = match q % 4 {
        0 => 3 * q / 2,
        1 => (3 * q - 1) / 2,
        3 => 3_u64.checked_mul(q)?.div_ceil(2),
        _ => return None,
    };
    let switches = 2 * q * q;
    Some(TopologyCounts {
        endpoints: switches * network_radix.div_ceil(2),
        switches,
        links: switches * network_radix / 2,
    })
}

/// Dragonfly with p endpoints per switch, a switches per group, h global links per switch and g groups: a·p·g
/// endpoints, a·g switches, g·a(a-1)/2 local and g·a·h/2 global links (Kim, Dally, Scott, Abts, ISCA 2008).
/// `None` when g exceeds a·h + 1, the most that are all joined.
#[must_use]
pub fn dragonfly(p: u64, a: u64, h: u64, g: u64) -> Option<TopologyCounts> {
    if a == 0 || g == 0 || g > a * h + 1 {
        return None;
    }
    Some(TopologyCounts {
        endpoints: a * p * g,
        switches: a * g,
        links: g * (a * (a - 1) / 2) + g * a * h / 2,
    })
}
