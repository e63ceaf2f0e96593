//! The scale-up fabric of one domain: `NVLink` switches, the UB planes of Huawei's super-nodes.
//!
//! p planes alike. In a plane every server has one first-tier chip (or none: its cards reach the second tier
//! themselves), and second-tier chips join all servers without oversubscription. Source of the shape: arXiv 2506.12708
//! (`CloudMatrix` 384) and NVIDIA's descriptions of the NVL72.

use serde::{Deserialize, Serialize};

/// How a domain is wired.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleUpSpec {
    /// Planes.
    pub planes: u64,
    /// First-tier chips per server and plane; 0 where cards reach the upper tier themselves.
    pub server_chips: u64,
    /// Links from a server up into one plane: of its first-tier chips, or of its cards.
    pub links_per_server: u64,
    /// Ports of an upper-tier chip.
    pub chip_ports: u64,
    /// Links that one optical module carries; 0 where the links are copper.
    pub links_per_module: u64,
    /// One way, of one link.
    pub link_bandwidth: f64,
}

/// A domain's fabric, counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ScaleUpDesign {
    /// First-tier chips of all servers.
    pub server_chips: u64,
    /// Upper-tier chips.
    pub upper_chips: u64,
    /// Links between servers and the upper tier.
    pub links: u64,
    /// Optical modules at both ends.
    pub modules: u64,
    /// Upper-tier ports that are left.
    pub ports_free: u64,
    /// Across an even split of the servers, one way, in B/s.
    pub bisection: f64,
}

/// The scale-up fabric of a domain of `servers` servers.
///
/// Upper chips of a plane: the fewest c that divide the links of a server (each server has as many links to each
/// chip) and have the ports, servers · links <= c · ports. 48 servers with 16 links and chips of 48 ports: 16 chips.
///
/// # Errors
/// In words, when no such c exists.
pub fn scale_up(spec: &ScaleUpSpec, servers: u64) -> Result<ScaleUpDesign, String> {
    if servers == 0 || spec.planes == 0 || spec.links_per_server == 0 {
        return Err("a scale-up domain needs servers, planes and links".into());
    }
    let chips = (1..=spec.links_per_server)
        .filter(|chips| spec.links_per_server.is_multiple_of(*chips))
        .find(|chips| servers * spec.links_per_server <= chips * spec.chip_ports)
        .ok_or_else(|| {
            format!("{servers} servers are more than a scale-up chip of {} ports joins", spec.chip_ports)
        })?;
    let links = spec.planes * servers * spec.links_per_server;
    let ends = if spec.links_per_module == 0 { 0 } else { 2 * links.div_ceil(spec.links_per_module) };
    Ok(ScaleUpDesign {
        server_chips: spec.planes * spec.server_chips * servers,
        upper_chips: spec.planes * chips,
        links,
        modules: ends,
        ports_free: spec.planes * (chips * spec.chip_ports - servers * spec.links_per_server),
        bisection: links as f64 / 2.0 * spec.link_bandwidth,
    })
}
