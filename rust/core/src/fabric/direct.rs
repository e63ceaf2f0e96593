//! Fabrics without tiers: dragonfly, Slim Fly and meshes of switches, sized for a number of host ports.
//!
//! Counted, not timed: the performance model knows fat trees and planes. Sources: Kim, Dally, Scott, Abts, ISCA 2008
//! (dragonfly); Besta, Hoefler, SC 2014 (Slim Fly); Ahn et al., SC 2009 (`HyperX`); arXiv 2505.09343, table 3.

use serde::{Deserialize, Serialize};

use super::counts::{TopologyCounts, dragonfly, slim_fly};

/// A fabric without tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectKind {
    /// Groups of switches, each group joined to each other.
    Dragonfly,
    /// Two hops between any switches at the least radix (MMS graphs).
    SlimFly,
    /// Every switch joined to every other of its row, in one to three dimensions.
    FullMesh,
}

/// A direct fabric counted to the last link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DirectDesign {
    /// Which one.
    pub kind: DirectKind,
    /// What sizes it, by the names of its paper: p, a, h, g; q, k', p; hosts per switch and sides.
    pub parameters: Vec<(&'static str, u64)>,
    /// Switches.
    pub switches: u64,
    /// Links to hosts.
    pub host_links: u64,
    /// Links inside groups or rows.
    pub local_links: u64,
    /// Links between groups; none where there are no groups.
    pub global_links: u64,
    /// Ports of a switch in use when full.
    pub ports_used: u64,
    /// Host ports that are left.
    pub ports_free: u64,
    /// Switches on the longest shortest path less one.
    pub diameter: u64,
    /// Links across an even split, where a closed form is known.
    pub bisection_links: Option<f64>,
}

/// The smallest fabric of `kind` with `radix`-port switches for `hosts` host ports.
///
/// # Errors
/// In words: the most that such a switch joins.
pub fn direct(kind: DirectKind, hosts: u64, radix: u64) -> Result<DirectDesign, String> {
    if hosts == 0 {
        return Err("the fabric has no hosts".into());
    }
    match kind {
        DirectKind::Dragonfly => balanced_dragonfly(hosts, radix),
        DirectKind::SlimFly => smallest_slim_fly(hosts, radix),
        DirectKind::FullMesh => smallest_mesh(hosts, radix),
    }
}

fn too_many(hosts: u64, most: u64, radix: u64, what: &str) -> String {
    format!("{hosts} host ports are more than the {most} that a {what} of {radix}-port switches joins")
}

/// a = 2p = 2h with p = floor((k + 1) / 4), so that global links carry what hosts send; as many groups as the hosts
/// fill, at least two. Global links are g·a·h/2: a build of fewer groups doubles links between them.
fn balanced_dragonfly(hosts: u64, radix: u64) -> Result<DirectDesign, String> {
    let p = (radix + 1) / 4;
    if p == 0 {
        return Err(format!("a dragonfly needs switches of at least 3 ports, not {radix}"));
    }
    let (a, h) = (2 * p, p);
    let groups = hosts.div_ceil(a * p).max(2);
    let Some(counts) = dragonfly(p, a, h, groups) else {
        return Err(too_many(hosts, a * p * (a * h + 1), radix, "balanced dragonfly"));
    };
    let local = groups * (a * (a - 1) / 2);
    let half = groups / 2;
    // Of the a·h global links of a group an even share goes to each of the others.
    let across = (half * (groups - half)) as f64 * (a * h) as f64 / (groups - 1) as f64;
    Ok(DirectDesign {
        kind: DirectKind::Dragonfly,
        parameters: vec![("p", p), ("a", a), ("h", h), ("g", groups)],
        switches: counts.switches,
        host_links: hosts,
        local_links: local,
        global_links: counts.links - local,
        ports_used: p + a - 1 + h,
        ports_free: counts.endpoints - hosts,
        diameter: 3,
        bisection_links: Some(across),
    })
}

/// The least q whose switches have the ports and whose graph has room. Like table 3 of arXiv 2505.09343 (q = 28) it
/// asks only that q = 4w + δ, not that q is a power of a prime, which the construction of the graph needs.
fn smallest_slim_fly(hosts: u64, radix: u64) -> Result<DirectDesign, String> {
    let mut most = 0;
    for q in 3..=radix {
        let Some(TopologyCounts { endpoints, switches, links }) = slim_fly(q) else { continue };
        let (network, p) = (2 * links / switches, endpoints / switches);
        if network + p > radix {
            break;
        }
        most = endpoints;
        if endpoints >= hosts {
            return Ok(DirectDesign {
                kind: DirectKind::SlimFly,
                parameters: vec![("q", q), ("k'", network), ("p", p)],
                switches,
                host_links: hosts,
                local_links: links,
                global_links: 0,
                ports_used: network + p,
                ports_free: endpoints - hosts,
                diameter: 2,
                bisection_links: None,
            });
        }
    }
    Err(too_many(hosts, most, radix, "Slim Fly"))
}

/// Switches in a cube of `dimensions` sides of `side`, each joined to every other of its rows: T hosts per switch,
/// T + dimensions · (side - 1) ports, `side`^dimensions switches. Fewest dimensions first, then fewest switches, with
/// T no larger than the side so that an even split carries what the hosts send.
fn smallest_mesh(hosts: u64, radix: u64) -> Result<DirectDesign, String> {
    let mut most = 0;
    for dimensions in 1..=3_u32 {
        for side in 2..=radix {
            let links_per_switch = u64::from(dimensions) * (side - 1);
            if links_per_switch >= radix {
                break;
            }
            let per_switch = (radix - links_per_switch).min(side);
            let switches = side.pow(dimensions);
            most = most.max(per_switch * switches);
            if per_switch * switches < hosts {
                continue;
            }
            let planes = switches / side;
            let half = side / 2;
            return Ok(DirectDesign {
                kind: DirectKind::FullMesh,
                parameters: vec![
                    ("hosts per switch", per_switch),
                    ("dimensions", u64::from(dimensions)),
                    ("side", side),
                ],
                switches,
                host_links: hosts,
                local_links: switches * links_per_switch / 2,
                global_links: 0,
                ports_used: per_switch + links_per_switch,
                ports_free: per_switch * switches - hosts,
                diameter: u64::from(dimensions),
                bisection_links: Some((planes * half * (side - half)) as f64),
            });
        }
    }
    Err(too_many(hosts, most, radix, "mesh of up to three dimensions"))
}
