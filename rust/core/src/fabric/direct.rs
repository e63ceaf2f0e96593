//! Fabrics without tiers: dragonfly, Slim Fly, meshes and tori of switches, sized for a number of host ports.
//!
//! Timed at what routing can promise for any pattern (see [`DirectDesign::taper`]). Sources: Kim, Dally, Scott, Abts, ISCA 2008
//! (dragonfly); Besta, Hoefler, SC 2014 (Slim Fly); Ahn et al., SC 2009 (`HyperX`); arXiv 2505.09343, table 3.

use serde::{Deserialize, Serialize};

use super::counts::{TopologyCounts, dragonfly, slim_fly};
use super::{FabricDesign, FabricError, FabricSpec, LinkTier, Tier, Transceivers};

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
    /// Switches in a cube, each joined to its two neighbours in three dimensions.
    Torus,
}

impl DirectKind {
    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dragonfly => "dragonfly",
            Self::SlimFly => "slim-fly",
            Self::FullMesh => "full-mesh",
            Self::Torus => "torus",
        }
    }
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
    /// Share of the hosts' rate that any pattern gets between groups (or switches, where there are no groups).
    ///
    /// Valiant's detour over a random switch makes every pattern look like two of the even one, so half of what the
    /// even pattern gets is safe: 1/2 where links carry what hosts send (dragonfly with p = h, Slim Fly with p = k'/2,
    /// meshes with no more hosts than sides). A torus is held to its even pattern, min(1, 8 m / (T S)) with m links
    /// to a neighbour and T hosts per switch: an even pattern crosses S/4 switches a dimension; rings laid along it
    /// would do better.
    pub taper: f64,
    /// Host ports of a group of switches with the full rate among them; none where there are no groups.
    pub group_hosts: Option<u64>,
}

/// The design of a fabric without tiers for the search and the plant.
///
/// # Errors
/// [`FabricError::TooManyForDirect`].
pub(super) fn designed(kind: DirectKind, spec: &FabricSpec) -> Result<FabricDesign, FabricError> {
    let hosts = spec.hosts();
    let found = direct(kind, hosts, u64::from(spec.radix)).map_err(|most| FabricError::TooManyForDirect {
        hosts,
        limit: most,
        radix: spec.radix,
        kind: kind.name(),
    })?;
    let between = found.local_links + found.global_links;
    let module = u64::from(spec.switch_module_ports);
    let link = |name, count| LinkTier { name, count };
    let tier = Tier {
        name: "switch",
        switches: found.switches,
        down_ports: hosts.div_ceil(found.switches),
        up_ports: 2 * between / found.switches,
    };
    let all = spec.reach(kind.name(), spec.servers, 1.0);
    let own =
        found.group_hosts.map(|ports| (ports / u64::from(spec.ports_per_server)).clamp(1, spec.servers));
    let links =
        [link("host-switch", hosts), link("local", found.local_links), link("global", found.global_links)];
    Ok(FabricDesign {
        tiers: [tier].into(),
        links: if found.global_links > 0 { links.into() } else { [links[0], links[1]].into() },
        transceivers: Transceivers {
            switch_side: (hosts + 2 * between).div_ceil(module),
            ..spec.transceivers(0)
        },
        ports_free: found.ports_free,
        reach: match own {
            Some(servers) => [spec.reach("group", servers, found.taper), all].into(),
            None => [super::Reach { taper: found.taper, ..all }].into(),
        },
        bisection_ports: found.bisection_links.unwrap_or(hosts as f64 / 2.0 * found.taper),
        pods: None,
        diameter: found.diameter as f64,
    })
}

/// The smallest fabric of `kind` with `radix`-port switches for `hosts` host ports.
///
/// # Errors
/// The most host ports that such a switch joins.
pub fn direct(kind: DirectKind, hosts: u64, radix: u64) -> Result<DirectDesign, u64> {
    match kind {
        DirectKind::Torus => smallest_torus(hosts, radix),
        DirectKind::Dragonfly => balanced_dragonfly(hosts, radix),
        DirectKind::SlimFly => smallest_slim_fly(hosts, radix),
        DirectKind::FullMesh => smallest_mesh(hosts, radix),
    }
}

/// a = 2p = 2h with p = floor((k + 1) / 4), so that global links carry what hosts send; as many groups as the hosts
/// fill, at least two. Global links are g·a·h/2: a build of fewer groups doubles links between them.
fn balanced_dragonfly(hosts: u64, radix: u64) -> Result<DirectDesign, u64> {
    let p = (radix + 1) / 4;
    if p == 0 {
        return Err(0);
    }
    let (a, h) = (2 * p, p);
    let groups = hosts.div_ceil(a * p).max(2);
    let Some(counts) = dragonfly(p, a, h, groups) else {
        return Err(a * p * (a * h + 1));
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
        taper: VALIANT,
        group_hosts: Some(a * p),
    })
}

/// The least q whose switches have the ports and whose graph has room. Like table 3 of arXiv 2505.09343 (q = 28) it
/// asks only that q = 4w + δ, not that q is a power of a prime, which the construction of the graph needs.
fn smallest_slim_fly(hosts: u64, radix: u64) -> Result<DirectDesign, u64> {
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
                taper: VALIANT,
                group_hosts: None,
            });
        }
    }
    Err(most)
}

/// Switches in a cube of `dimensions` sides of `side`, each joined to every other of its rows: T hosts per switch,
/// T + dimensions · (side - 1) ports, `side`^dimensions switches. Fewest dimensions first, then fewest switches, with
/// T no larger than the side so that an even split carries what the hosts send.
fn smallest_mesh(hosts: u64, radix: u64) -> Result<DirectDesign, u64> {
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
                taper: VALIANT,
                group_hosts: None,
            });
        }
    }
    Err(most)
}

/// A cube of S switches a side with T = m = floor(k / 7) hosts and links to each of six neighbours, the smallest S from
/// 3 that holds the hosts. Links are 3 m S³; across an even split run 2 m S² (S odd: a little more than half).
fn smallest_torus(hosts: u64, radix: u64) -> Result<DirectDesign, u64> {
    let each = radix / 7;
    let most = each * LARGEST_SIDE.pow(3);
    if hosts > most {
        return Err(most);
    }
    let side = (3..=LARGEST_SIDE).find(|side| each * side.pow(3) >= hosts).unwrap_or(LARGEST_SIDE);
    let switches = side.pow(3);
    Ok(DirectDesign {
        kind: DirectKind::Torus,
        parameters: vec![("hosts per switch", each), ("links to a neighbour", each), ("side", side)],
        switches,
        host_links: hosts,
        local_links: 3 * each * switches,
        global_links: 0,
        ports_used: 7 * each,
        ports_free: each * switches - hosts,
        diameter: 3 * (side / 2),
        bisection_links: Some((2 * each * side * side) as f64),
        taper: (8.0 / side as f64).min(1.0),
        group_hosts: None,
    })
}

/// Share of the even pattern's rate that random detours keep for any pattern (Valiant).
const VALIANT: f64 = 0.5;

/// Switches of a torus in a row at most: beyond, the even pattern gets less than an eighth.
const LARGEST_SIDE: u64 = 64;
