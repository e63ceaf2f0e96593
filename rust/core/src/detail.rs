//! The bill of a fabric: every part of the scale-out, scale-up and side networks of a number of cards, by count,
//! length, watt and dollar. Worked out once for an answer, never in the search.

use serde::{Deserialize, Serialize};

use crate::fabric::direct::{DirectDesign, DirectKind, direct};
use crate::fabric::scale_up::{ScaleUpDesign, ScaleUpSpec, scale_up};
use crate::fabric::{FabricDesign, FabricKind, FabricSpec, LinkTier, Reach, Tier, Transceivers, design};
use crate::hall::{CableRow, Geometry, HallPacking, Packing, cable_rows, scale_up_rows};
use crate::hardware::{Cluster, FabricOption};
use crate::network::Network;
use crate::plant::side::{Joined, SideBill, SideNetwork};
use crate::units::{Usd, Watts};

/// A way to bridge a distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medium {
    /// Part id of the cable.
    pub cable: String,
    /// `dac`, `aec`, `aoc`, `multimode` or `singlemode`.
    pub medium: String,
    /// Metres it reaches.
    pub reach: f64,
    /// Whether modules go at its ends; copper has its own.
    pub modules: bool,
    /// Draw of the cable with both ends, modules apart.
    pub power: Watts,
    /// Price of the cable with both ends, modules apart.
    #[serde(default)]
    pub price: Option<Usd>,
}

/// What is to be counted.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DetailRequest {
    /// The hardware; of its fabrics the first one counts.
    pub cluster: Cluster,
    /// Cards.
    pub cards: u64,
    /// A fabric without tiers in place of the cluster's kind.
    #[serde(default)]
    pub direct: Option<DirectKind>,
    /// Leaf ports kept for other machines.
    pub reserved_ports: u32,
    /// The scale-up fabric of a domain, where its make-up is published.
    pub scale_up: Option<ScaleUpSpec>,
    /// Beside the fabric of the cards.
    pub side_networks: Vec<SideNetwork>,
    /// Storage servers of the plan; none: they are not counted.
    #[serde(default)]
    pub storage_servers: Option<u64>,
    /// Servers in a full rack.
    pub servers_per_rack: u64,
    /// Switches in a full network rack.
    pub switches_per_rack: u64,
    /// Several halls, in the order of their servers; empty: one.
    #[serde(default)]
    pub halls: Vec<HallPacking>,
    /// Floor.
    pub geometry: Geometry,
    /// Ways to bridge a distance, the cheapest first.
    pub media: Vec<Medium>,
}

/// Cables of one length, with the cheapest medium that reaches so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CableLine {
    /// Link and length.
    #[serde(flatten)]
    pub row: CableRow,
    /// The cheapest medium that reaches; none: nothing offered does.
    pub medium: Option<String>,
    /// Its cable, a part id.
    pub cable: Option<String>,
}

/// All cables of one medium, where every link takes the cheapest that reaches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MediumTotal {
    /// `dac`, `aec`, `aoc`, `multimode`, `singlemode`; none: nothing offered reaches.
    pub medium: Option<String>,
    /// Part id of the cable.
    pub cable: Option<String>,
    /// Cables.
    pub links: u64,
    /// The longest of them, as sold.
    pub longest_metres: u64,
    /// Draw of the cables with all that is at their ends.
    pub watts: f64,
    /// Price of the same; none where one is not known.
    pub usd: Option<f64>,
}

/// What cables with ends of their own (DAC, AEC, AOC) at the links that they reach save against modules everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReachSaving {
    /// Links that they reach.
    pub links: u64,
    /// Links of them that copper (DAC, AEC) reaches.
    pub copper_links: u64,
    /// Module ends left out.
    pub module_ends: u64,
    /// Watts: modules left out less the draw of the cables.
    pub watts: f64,
    /// Price of modules and fibre left out less that of the cables; none where one is not known.
    pub usd: Option<f64>,
}

/// A level of the network as collectives use it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelLine {
    /// Name for people.
    pub name: String,
    /// Devices in one instance; none: all.
    pub devices: Option<f64>,
    /// One way, per device.
    pub bytes_per_second: f64,
    /// Per step of a collective.
    pub latency_seconds: f64,
}

/// The scale-up fabrics of all domains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScaleUpBill {
    /// Domains.
    pub domains: u64,
    /// Counts of one domain.
    pub each: ScaleUpDesign,
    /// Racks of one domain that hold only interconnect.
    pub racks: u64,
    /// Cables of one domain by length.
    pub cables: Vec<CableRow>,
}

/// The bill, `fabric/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // the field names are those of the wire contract, documented in docs/plan.md
pub struct Detail {
    pub schema: &'static str,
    pub cards: u64,
    pub servers: u64,
    pub kind: String,
    pub planes: u32,
    pub tiers: Vec<Tier>,
    pub links: Vec<LinkTier>,
    pub direct: Option<DirectDesign>,
    pub switches: u64,
    pub cables: u64,
    pub transceivers: Transceivers,
    pub nics: u64,
    pub ports_free: u64,
    pub reach: Vec<Reach>,
    pub bisection_bytes_per_second: Option<f64>,
    pub network: Vec<LevelLine>,
    pub cable_lines: Vec<CableLine>,
    pub media: Vec<MediumTotal>,
    pub by_reach: Option<ReachSaving>,
    pub switch_watts: f64,
    pub transceiver_watts: f64,
    pub switches_usd: Option<f64>,
    pub transceivers_usd: Option<f64>,
    pub cables_usd: Option<f64>,
    pub scale_up: Option<ScaleUpBill>,
    pub side_networks: Vec<SideBill>,
    pub compute_racks: u64,
    pub network_racks: u64,
    pub interconnect_racks: u64,
    pub white_space_m2: f64,
}

/// Counts what `request` asks for.
///
/// # Errors
/// In words: why the fabric cannot be built.
pub fn detail(request: &DetailRequest) -> Result<Detail, String> {
    let cluster = &request.cluster;
    let servers = request.cards.div_ceil(cluster.cards_per_server.max(1));
    let fabric = cluster.fabrics.first().ok_or("the cluster has no fabric")?;
    let spec = FabricSpec {
        radix: fabric.radix,
        ports_per_server: fabric.ports_per_server,
        servers,
        cards_per_server: u32::try_from(cluster.cards_per_server).unwrap_or(u32::MAX),
        kind: fabric.kind,
        oversubscription: fabric.oversubscription,
        leaf_oversubscription: fabric.leaf_oversubscription,
        switch_module_ports: fabric.switch_module_ports,
        host_module_ports: fabric.host_module_ports,
        reserved_ports: request.reserved_ports,
        planes: fabric.planes,
    };
    let shape = match request.direct.or(fabric.kind.direct()) {
        Some(kind) => Shape::direct(kind, &spec)?,
        None => Shape::tiered(&design(&spec).map_err(|error| error.to_string())?, request, servers),
    };
    let domains = request.cards.div_ceil(cluster.domain_cards.max(1));
    let scale_up = scale_up_bill(request, domains)?;
    let interconnect = scale_up.as_ref().map_or_else(
        || crate::facility::interconnect_racks(domains, cluster.domain_interconnect_racks),
        |bill| bill.racks * bill.domains,
    );
    let compute_racks = servers.div_ceil(request.servers_per_rack.max(1));
    let per_rack = request.switches_per_rack.max(1);
    // As in a plant: racks that the side networks add have no ports in the management network.
    let joined = Joined {
        servers,
        cards_per_server: cluster.cards_per_server,
        switches: shape.switches,
        racks: compute_racks + shape.switches.div_ceil(per_rack) + interconnect,
        storage: request.storage_servers,
    };
    let side = request
        .side_networks
        .iter()
        .map(|network| network.bill(&joined))
        .collect::<Result<Vec<SideBill>, String>>()?;
    let beside: u64 = side.iter().map(|bill| bill.switches).sum();
    let network_racks = (shape.switches + beside).div_ceil(per_rack);
    let modules = |count: u64, each: Watts| count as f64 * each.0;
    let price = |count: u64, each: Option<Usd>| each.map(|usd| usd.0 * count as f64);
    let racks = compute_racks + network_racks + interconnect;
    let lines = lines(&shape.rows, &request.media);
    Ok(Detail {
        schema: "fabric/1",
        cards: servers * cluster.cards_per_server,
        servers,
        kind: shape.kind,
        planes: if fabric.kind == FabricKind::MultiPlane { fabric.planes } else { 1 },
        switches: shape.switches,
        cables: shape.cables,
        transceivers: shape.transceivers,
        nics: servers * u64::from(fabric.ports_per_server),
        ports_free: shape.ports_free,
        bisection_bytes_per_second: shape.bisection_ports.map(|ports| ports * port_rate(cluster)),
        network: shape
            .design
            .as_ref()
            .map_or_else(Vec::new, |design| levels(cluster, request.direct, design)),
        media: media_totals(request, &lines),
        by_reach: by_reach(request, &lines),
        cable_lines: lines,
        switch_watts: modules(shape.switches, fabric.switch_power),
        transceiver_watts: modules(shape.transceivers.switch_side, fabric.switch_module_power)
            + modules(shape.transceivers.host_side, fabric.host_module_power),
        switches_usd: price(shape.switches, fabric.switch_price),
        transceivers_usd: price(shape.transceivers.switch_side, fabric.switch_module_price)
            .zip(price(shape.transceivers.host_side, fabric.host_module_price))
            .map(|(near, far)| near + far),
        cables_usd: price(shape.cables, fabric.cable_price),
        side_networks: side,
        tiers: shape.tiers,
        links: shape.links,
        reach: shape.reach,
        direct: shape.direct,
        scale_up,
        compute_racks,
        network_racks,
        interconnect_racks: interconnect,
        white_space_m2: request.geometry.white_space(racks),
    })
}

/// One way, of one fabric port: what all devices of a server have together over its ports.
fn port_rate(cluster: &Cluster) -> f64 {
    let fabric = &cluster.fabrics[0];
    fabric.bandwidth.0 * cluster.devices_per_server() as f64 / f64::from(fabric.ports_per_server)
}

/// What fabrics with and without tiers have in common.
struct Shape {
    kind: String,
    tiers: Vec<Tier>,
    links: Vec<LinkTier>,
    switches: u64,
    cables: u64,
    transceivers: Transceivers,
    ports_free: u64,
    reach: Vec<Reach>,
    bisection_ports: Option<f64>,
    rows: Vec<CableRow>,
    design: Option<FabricDesign>,
    direct: Option<DirectDesign>,
}

impl Shape {
    fn tiered(design: &FabricDesign, request: &DetailRequest, servers: u64) -> Self {
        let cluster = &request.cluster;
        let compute_racks = servers.div_ceil(request.servers_per_rack.max(1));
        let domains = request.cards.div_ceil(cluster.domain_cards.max(1));
        let interconnect = crate::facility::interconnect_racks(domains, cluster.domain_interconnect_racks);
        let packing = Packing {
            servers,
            servers_per_rack: request.servers_per_rack.max(1),
            switches_per_rack: request.switches_per_rack.max(1),
            interconnect_share: interconnect as f64 / compute_racks as f64,
            halls: request.halls.clone(),
        };
        let kind = match cluster.fabrics[0].kind {
            FabricKind::RailOptimised => "rail-optimised",
            FabricKind::LeafSpine => "leaf-spine",
            _ => "multi-plane",
        };
        Self {
            kind: kind.into(),
            tiers: design.tiers.to_vec(),
            links: design.links.to_vec(),
            switches: design.switches(),
            cables: design.cables(),
            transceivers: design.transceivers,
            ports_free: design.ports_free,
            reach: design.reach.to_vec(),
            bisection_ports: Some(design.bisection_ports),
            rows: cable_rows(design, &packing, &request.geometry),
            design: Some(*design),
            direct: None,
        }
    }

    /// Every link optical, as in the tiered fabrics; no layout is drawn, so lengths stay unknown.
    fn direct(kind: DirectKind, given: &FabricSpec) -> Result<Self, String> {
        let spec = &FabricSpec { kind: kind.into(), ..*given };
        let built = design(spec).map_err(|error| error.to_string())?;
        let found = direct(kind, spec.hosts(), u64::from(spec.radix)).map_err(|most| most.to_string())?;
        Ok(Self {
            kind: kind.name().into(),
            tiers: built.tiers.to_vec(),
            links: built.links.to_vec(),
            switches: built.switches(),
            cables: built.cables(),
            transceivers: built.transceivers,
            ports_free: built.ports_free,
            reach: built.reach.to_vec(),
            bisection_ports: found.bisection_links,
            rows: Vec::new(),
            design: Some(built),
            direct: Some(found),
        })
    }
}

fn levels(cluster: &Cluster, direct: Option<DirectKind>, design: &FabricDesign) -> Vec<LevelLine> {
    let mut fabric = cluster.fabrics[0].clone();
    if let Some(kind) = direct {
        fabric.kind = kind.into();
    }
    let network = Network::new(cluster, &fabric, design);
    let line = |level: &crate::network::Level| LevelLine {
        name: level.name.clone(),
        devices: level.size.is_finite().then_some(level.size),
        bytes_per_second: level.bandwidth.0,
        latency_seconds: level.latency.0,
    };
    network.levels.iter().map(line).collect()
}

fn lines(rows: &[CableRow], media: &[Medium]) -> Vec<CableLine> {
    let reaching = |row: &CableRow| media.iter().find(|medium| medium.reach >= row.metres as f64);
    let line = |row: &CableRow| {
        let found = reaching(row);
        CableLine {
            row: row.clone(),
            medium: found.map(|medium| medium.medium.clone()),
            cable: found.map(|medium| medium.cable.clone()),
        }
    };
    rows.iter().map(line).collect()
}

/// Draw and price of the modules at both ends of one link with modules.
fn module_ends(fabric: &FabricOption, link: &str) -> (f64, Option<f64>) {
    let share = |price: Option<Usd>, ports: u32| price.map(|usd| usd.0 / f64::from(ports));
    let near = fabric.switch_module_power.0 / f64::from(fabric.switch_module_ports);
    let far = fabric.host_module_power.0 / f64::from(fabric.host_module_ports);
    let near_usd = share(fabric.switch_module_price, fabric.switch_module_ports);
    let far_usd = share(fabric.host_module_price, fabric.host_module_ports);
    if link == "host-leaf" {
        (near + far, near_usd.zip(far_usd).map(|(near, far)| near + far))
    } else {
        (2.0 * near, near_usd.map(|usd| 2.0 * usd))
    }
}

fn media_totals(request: &DetailRequest, lines: &[CableLine]) -> Vec<MediumTotal> {
    let fabric = &request.cluster.fabrics[0];
    let mut totals: Vec<MediumTotal> = Vec::new();
    for line in lines {
        let medium = request.media.iter().find(|medium| Some(&medium.cable) == line.cable.as_ref());
        let (mut watts, mut usd) =
            medium.map_or((0.0, None), |medium| (medium.power.0, medium.price.map(|usd| usd.0)));
        if medium.is_some_and(|medium| medium.modules) {
            let (ends, ends_usd) = module_ends(fabric, line.row.link);
            watts += ends;
            usd = usd.zip(ends_usd).map(|(cable, ends)| cable + ends);
        }
        let count = line.row.count as f64;
        let place = totals.iter().position(|total| total.cable == line.cable).unwrap_or_else(|| {
            totals.push(MediumTotal {
                medium: line.medium.clone(),
                cable: line.cable.clone(),
                links: 0,
                longest_metres: 0,
                watts: 0.0,
                usd: Some(0.0),
            });
            totals.len() - 1
        });
        let found = &mut totals[place];
        found.links += line.row.count;
        found.longest_metres = found.longest_metres.max(line.row.metres);
        found.watts += count * watts;
        found.usd = found.usd.zip(usd).map(|(sum, each)| sum + count * each);
    }
    totals
}

/// None where no link is short enough, or no cable with ends of its own is offered.
fn by_reach(request: &DetailRequest, lines: &[CableLine]) -> Option<ReachSaving> {
    let fabric = &request.cluster.fabrics[0];
    let mut saving = ReachSaving { links: 0, copper_links: 0, module_ends: 0, watts: 0.0, usd: Some(0.0) };
    for line in lines {
        let medium = request.media.iter().find(|medium| Some(&medium.cable) == line.cable.as_ref());
        let Some(medium) = medium.filter(|medium| !medium.modules) else { continue };
        let (ends, ends_usd) = module_ends(fabric, line.row.link);
        let count = line.row.count;
        saving.links += count;
        saving.copper_links += if medium.medium == "aoc" { 0 } else { count };
        saving.module_ends += 2 * count;
        saving.watts += count as f64 * (ends - medium.power.0);
        let each = ends_usd.zip(fabric.cable_price).zip(medium.price);
        saving.usd = saving
            .usd
            .zip(each)
            .map(|(sum, ((ends, fibre), own))| sum + count as f64 * (ends + fibre.0 - own.0));
    }
    (saving.links > 0).then_some(saving)
}

fn scale_up_bill(request: &DetailRequest, domains: u64) -> Result<Option<ScaleUpBill>, String> {
    let Some(spec) = &request.scale_up else { return Ok(None) };
    let cluster = &request.cluster;
    let servers = cluster.domain_cards.div_ceil(cluster.cards_per_server.max(1));
    let each = scale_up(spec, servers)?;
    let racks = crate::facility::interconnect_racks(1, cluster.domain_interconnect_racks);
    let cables = if spec.links_per_module == 0 { each.links } else { each.modules / 2 };
    let compute_racks = servers.div_ceil(request.servers_per_rack.max(1));
    Ok(Some(ScaleUpBill {
        domains,
        each,
        racks,
        cables: scale_up_rows(cables, compute_racks, racks, &request.geometry),
    }))
}
