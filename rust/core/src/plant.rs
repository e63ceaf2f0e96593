//! The physical plant of a number of purchase units: fabric, racks, power, money, goodput.
//!
//! Everything here depends on the hardware, its fabric, cooling and cap, and the number of units, never on the
//! parallel layout: the search works it out once per size and times layouts against it.

use serde::{Deserialize, Serialize};

use crate::cost::{Capex, Depreciation, YearlyCost, building_price, energy_price, price_of};
use crate::fabric::{FabricDesign, FabricSpec, design};
use crate::facility::{
    ItLoad, ItPower, Machine, RACK_UNITS, RESERVED_RACK_UNITS, RackLimits, Racks, energy_per_year,
    facility_power, interconnect_racks, racks_for, water_per_year,
};
use crate::hardware::{Cluster, CoolingOption, FabricOption};
use crate::reliability::causes::{Causes, Exposed, Shares, straggler_loss};
use crate::reliability::spares::SpareRule;
use crate::reliability::{Checkpointing, Goodput, MemoryCopies, goodput};
use crate::units::{Bytes, BytesPerSecond, Seconds, Usd, Watts};

/// Energy price and carbon of the site.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// All-in energy price.
    pub tariff_usd_per_kwh: f64,
    /// Grid average.
    pub carbon_kg_per_kwh: f64,
    /// Output over input of the transformers, on the load of the whole site.
    #[serde(default = "lossless")]
    pub transformer_efficiency: f64,
    /// Output over input of the uninterruptible supplies, which carry the IT load alone.
    #[serde(default = "lossless")]
    pub ups_efficiency: f64,
    /// From the output of the uninterruptible supplies to the servers' plugs: busway, distribution.
    #[serde(default = "lossless")]
    pub distribution_efficiency: f64,
}

const fn lossless() -> f64 {
    1.0
}

/// What one rack of the halls takes, beside the limit of its cooling kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackCeiling {
    /// Watts of the busway to a rack.
    pub watts: Option<f64>,
    /// Kilograms of machines: the floor's load on the area of a rack less the frame.
    pub kilograms: Option<f64>,
}

/// Terms on which capital is spread over years.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Economics {
    /// Share of the hardware's price per year.
    pub maintenance_share: f64,
    /// Life of the hardware.
    pub depreciation_years: f64,
    /// Life of the building.
    pub building_years: f64,
    /// Cost of capital per year; 0: straight-line depreciation.
    #[serde(default)]
    pub capital_rate: f64,
    /// Of the hardware's price, to install it.
    #[serde(default)]
    pub installation_share: f64,
    /// Of the hardware's price, what it sells for at the end of its life.
    #[serde(default)]
    pub residual_share: f64,
    /// Pay of the people who run it, per server.
    #[serde(default)]
    pub staff_usd_per_server_year: f64,
}

/// How a job is checkpointed and brought back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// Write rate of the whole job.
    pub checkpoint_bytes_per_second: f64,
    /// Time the job stands per asynchronous checkpoint.
    pub checkpoint_stall_seconds: f64,
    /// Detection, swap and restart per failure; with no `load_bytes_per_second`, loading too.
    pub recovery_seconds: f64,
    /// Weights, master weights and moments.
    pub checkpoint_bytes_per_parameter: f64,
    /// Rate at which the whole job reads a checkpoint.
    #[serde(default)]
    pub load_bytes_per_second: Option<f64>,
    /// Whether the job waits for the whole write.
    #[serde(default)]
    pub save: Save,
    /// Copies in the memory of peers, beside the checkpoints.
    #[serde(default)]
    pub memory: Option<PeerMemory>,
    /// Between checkpoints; none: the best.
    #[serde(default)]
    pub interval_seconds: Option<f64>,
    /// What fails and what stands in; none: servers fail at their rate and are replaced at once.
    #[serde(default)]
    pub failures: Option<FailureModel>,
}

/// How a checkpoint is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Save {
    /// Training stands for the stall only and the write goes on behind it.
    #[default]
    Asynchronous,
    /// Training waits for the whole write.
    Blocking,
}

/// Copies of the state in the memory of peers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerMemory {
    /// Time the job stands per copy.
    pub stall_seconds: f64,
    /// Detection, swap and restart where a copy survives.
    pub recovery_seconds: f64,
    /// Share of failures after which one does.
    pub covers: f64,
}

/// Whether a plan has to hold spares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SparePolicy {
    /// As many as pay, or as a confidence asks for: the search keeps them free.
    #[default]
    Required,
    /// Those that are there; a job with too few waits for repairs or goes on smaller.
    AsGiven,
    /// Failed servers are replaced at once by somebody else.
    Ignored,
}

/// What fails by piece, and how long until it is back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureModel {
    /// Parts of a server's rate.
    pub shares: Shares,
    /// Optical links, per link-day.
    pub per_link_day: f64,
    /// Switches, per switch-day.
    pub per_switch_day: f64,
    /// Until a failed server is back.
    pub repair_seconds: f64,
    /// Until a failed scale-up domain (its switches) is back.
    pub domain_repair_seconds: f64,
    /// Whether spares are kept.
    pub spares: SparePolicy,
    /// Spares cover the servers in repair with at least that probability.
    pub spare_confidence: f64,
    /// Servers that turn slow unnoticed, per server-day.
    pub straggler_per_server_day: f64,
    /// Until they are found.
    pub straggler_seconds: f64,
    /// Time of a step with one over that without.
    pub straggler_slowdown: f64,
}

/// What the plant needs to know beside the hardware.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Site.
    pub site: Site,
    /// Capital.
    pub economics: Economics,
    /// Checkpoints.
    pub recovery: Recovery,
    /// Parameters of the model that is trained.
    pub parameters: f64,
    /// Racks of the halls.
    pub rack: RackCeiling,
}

/// The plant of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Plant {
    /// Cards bought.
    pub cards: u64,
    /// Servers bought.
    pub servers: u64,
    /// The scale-out fabric.
    pub fabric: FabricDesign,
    /// Draw of the scale-out switches and optics.
    pub fabric_power: Watts,
    /// Mean draw of one card.
    pub card_power: Watts,
    /// Draw of a full compute rack.
    pub rack_power: Watts,
    /// IT power, typical.
    pub it: Watts,
    /// At the grid intake, annual mean.
    pub facility: Watts,
    /// At the grid intake, on the design day.
    pub facility_design_day: Watts,
    /// IT power by part; sums to `it`.
    pub power: ItPower,
    /// At the output of the transformers, on the design day.
    pub transformer: Watts,
    /// At the output of the uninterruptible supplies.
    pub ups: Watts,
    /// IT heat that leaves in a liquid; the rest warms the air.
    pub liquid_heat: Watts,
    /// What breakers see; none where the server's rating is not known.
    pub nameplate: Option<Watts>,
    /// Nameplate of the IT times the PUE of the design day: what the intake is contracted for.
    pub nameplate_intake: Option<Watts>,
    /// Servers in a full rack.
    pub servers_per_rack: u64,
    /// Scale-out switches in a full network rack.
    pub switches_per_rack: u64,
    /// Racks.
    pub racks: Racks,
    /// Energy per year at the grid intake.
    pub energy_mwh_per_year: f64,
    /// Water per year.
    pub water_m3_per_year: Option<f64>,
    /// Operational carbon per year.
    pub carbon_tonnes_per_year: f64,
    /// Capital by part.
    pub capex: Capex,
    /// Cost of a year by part; sums to the total where all parts are known.
    pub year: YearlyCost,
    /// Energy bill of a year.
    pub energy_usd_per_year: Usd,
    /// Total cost of a year.
    pub tco_usd_per_year: Option<Usd>,
    /// Share of calendar time that trains.
    pub goodput: Goodput,
    /// Failures of the whole job per day, by cause.
    pub causes: Causes,
    /// Bytes of a checkpoint.
    pub checkpoint: Bytes,
}

/// One choice of plant options of a cluster.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// The hardware.
    pub cluster: &'a Cluster,
    /// Its fabric.
    pub fabric: &'a FabricOption,
    /// Its cooling.
    pub cooling: &'a CoolingOption,
    /// Clock at its power cap.
    pub clock: f64,
    /// The cap, as a share of board power.
    pub power_cap: f64,
}

/// The fabric of `servers` servers; an error where four tiers do not reach.
///
/// # Errors
/// The reason in words.
pub fn fabric_design(cluster: &Cluster, fabric: &FabricOption, servers: u64) -> Result<FabricDesign, String> {
    design(&FabricSpec {
        radix: fabric.radix,
        ports_per_server: fabric.ports_per_server,
        servers,
        cards_per_server: u32::try_from(cluster.cards_per_server).unwrap_or(u32::MAX),
        kind: fabric.kind,
        oversubscription: fabric.oversubscription,
        switch_module_ports: fabric.switch_module_ports,
        host_module_ports: fabric.host_module_ports,
        reserved_ports: 0,
        planes: fabric.planes,
        leaf_oversubscription: fabric.leaf_oversubscription,
    })
    .map_err(|error| error.to_string())
}

/// The plant of `units` purchase units.
///
/// # Errors
/// In words: the fabric does not reach so far, or a rack of this cooling kind cannot take one server.
pub fn plant(choice: &Choice, terms: &Terms, units: u64) -> Result<Plant, String> {
    let Choice { cluster, fabric, cooling, clock, power_cap } = *choice;
    let cards = units * cluster.unit_cards;
    let servers = units * cluster.unit_servers();
    let wired = fabric_design(cluster, fabric, servers)?;
    let domains = cards.div_ceil(cluster.domain_cards);
    let card_power = cluster.card_power().draw(clock);
    let load = ItLoad {
        servers,
        cards_per_server: cluster.cards_per_server,
        card: card_power,
        host: cluster.host_power,
        fans: cluster.fan_power,
        fan_saving: cooling.fan_saving,
        conversion_loss: None,
        domains,
        domain: cluster.domain_power,
        switches: wired.switches(),
        switch: fabric.switch_power,
        switch_modules: wired.transceivers.switch_side,
        switch_module: fabric.switch_module_power,
        host_modules: wired.transceivers.host_side,
        host_module: fabric.host_module_power,
        nics: 0,
        nic: Watts::ZERO,
        storage_management_share: cluster.storage_management_share,
    };
    let power = load.draw();
    let it = power.total();
    let racks = racks(choice, &load, domains, &terms.rack)?;
    let facility = facility_power(it, cooling.pue);
    let energy = energy_per_year(facility);
    let it_energy = energy_per_year(it);
    let mut capex = Capex {
        servers: price_of(units, cluster.unit_price),
        switches: price_of(wired.switches(), fabric.switch_price),
        transceivers: price_of(wired.transceivers.switch_side, fabric.switch_module_price)
            .zip(price_of(wired.transceivers.host_side, fabric.host_module_price))
            .map(|(switch, host)| switch + host),
        cables: price_of(wired.cables(), fabric.cable_price),
        nics: Some(Usd::ZERO),
        installation: Some(Usd::ZERO),
        building: building_price(it, cooling.building_usd_per_watt),
    };
    capex.installation = capex.hardware().map(|price| price * terms.economics.installation_share);
    let bill = energy_price(energy, terms.site.tariff_usd_per_kwh);
    let depreciation = Depreciation {
        hardware_years: terms.economics.depreciation_years,
        building_years: terms.economics.building_years,
        rate: terms.economics.capital_rate,
        maintenance: terms.economics.maintenance_share,
        residual: terms.economics.residual_share,
    };
    let staff = Usd(terms.economics.staff_usd_per_server_year * servers as f64);
    let year = YearlyCost::of(&capex, &depreciation, Some(bill), staff);
    let checkpoint = Bytes(terms.recovery.checkpoint_bytes_per_parameter * terms.parameters);
    let causes = causes(cluster, &terms.recovery, &wired, servers);
    let time = goodput_of(cluster, &terms.recovery, &causes, checkpoint, servers)?;
    // A capped server cannot draw more than its rating less what the cap takes from the cards.
    let capped = cluster.card_tdp * ((1.0 - power_cap) * cluster.cards_per_server as f64);
    let facility_design_day = facility_power(it, cooling.pue_design_day);
    let nameplate = cluster.server_nameplate.map(|rated| load.nameplate(rated - capped));
    Ok(Plant {
        cards,
        servers,
        fabric_power: power.switches + power.transceivers,
        fabric: wired,
        card_power,
        rack_power: racks.power,
        it,
        facility,
        facility_design_day,
        transformer: facility_design_day * terms.site.transformer_efficiency,
        ups: it / terms.site.distribution_efficiency,
        liquid_heat: it * cooling.liquid_share,
        power,
        nameplate,
        nameplate_intake: nameplate.map(|watts| facility_power(watts, cooling.pue_design_day)),
        servers_per_rack: racks.servers_per_rack,
        switches_per_rack: racks.switches_per_rack,
        racks: racks.racks,
        energy_mwh_per_year: energy.0 / 1000.0,
        water_m3_per_year: cooling.wue.map(|wue| water_per_year(it_energy, wue).0 / 1000.0),
        carbon_tonnes_per_year: energy.0 * terms.site.carbon_kg_per_kwh / 1000.0,
        energy_usd_per_year: bill,
        tco_usd_per_year: year.total(),
        year,
        capex,
        goodput: time,
        causes,
        checkpoint,
    })
}

/// Failures of the whole job per day. Spares count: they are powered and fail like the others.
fn causes(cluster: &Cluster, recovery: &Recovery, wired: &FabricDesign, servers: u64) -> Causes {
    let Some(model) = recovery.failures else {
        let shares = Shares { card: 1.0, host: 0.0, nic: 0.0, software: 0.0 };
        return Causes::of(&Exposed {
            servers: servers as f64,
            per_server_day: cluster.failures_per_server_day,
            shares,
            links: 0.0,
            per_link_day: 0.0,
            switches: 0.0,
            per_switch_day: 0.0,
        });
    };
    let domains = (servers * cluster.cards_per_server).div_ceil(cluster.domain_cards);
    Causes::of(&Exposed {
        servers: servers as f64,
        per_server_day: cluster.failures_per_server_day,
        shares: model.shares,
        links: wired.cables() as f64,
        per_link_day: model.per_link_day,
        switches: wired.switches() as f64 + domains as f64 * cluster.domain_switches,
        per_switch_day: model.per_switch_day,
    })
}

/// The spares that a job on this hardware has to hold; none where somebody else replaces what fails.
#[must_use]
pub fn spare_rule(cluster: &Cluster, recovery: &Recovery) -> Option<SpareRule> {
    let model = recovery.failures.filter(|model| model.spares != SparePolicy::Ignored)?;
    let domain_days = model.domain_repair_seconds / crate::units::SECONDS_PER_DAY;
    Some(SpareRule {
        repairs_per_server_day: cluster.failures_per_server_day * model.shares.hardware(),
        repair: Seconds(model.repair_seconds),
        domain_servers: (cluster.domain_cards / cluster.cards_per_server).max(1),
        domain_down: -libm::expm1(-cluster.domain_switches * model.per_switch_day * domain_days),
        least_confidence: model.spare_confidence,
    })
}

/// Share of calendar time that trains, with the needed spares at hand.
///
/// # Errors
/// In words: a checkpoint takes longer to write than the job lives, so it never gets anywhere.
fn goodput_of(
    cluster: &Cluster,
    recovery: &Recovery,
    causes: &Causes,
    size: Bytes,
    servers: u64,
) -> Result<Goodput, String> {
    let mttf = Seconds(crate::units::SECONDS_PER_DAY / causes.total());
    let bandwidth = BytesPerSecond(recovery.checkpoint_bytes_per_second);
    let write = size / bandwidth;
    if write > mttf {
        return Err(format!(
            "checkpoints: writing {:.3} TB at {:.3} GB/s takes {:.3} h, but something fails every {:.3} h; storage \
             of at least {:.3} GB/s would do",
            size.0 / 1e12,
            bandwidth.0 / 1e9,
            write.0 / 3600.0,
            mttf.0 / 3600.0,
            10.0 * size.0 / mttf.0 / 1e9,
        ));
    }
    let load = recovery.load_bytes_per_second.map_or(Seconds::ZERO, |rate| size / BytesPerSecond(rate));
    let memory = recovery.memory.map(|copies| MemoryCopies {
        stall: Seconds(copies.stall_seconds),
        recovery: Seconds(copies.recovery_seconds),
        covers: copies.covers,
    });
    let plan = Checkpointing {
        size,
        bandwidth,
        stall: (recovery.save == Save::Asynchronous).then_some(Seconds(recovery.checkpoint_stall_seconds)),
        recovery: Seconds(recovery.recovery_seconds) + load,
        interval: recovery.interval_seconds.map(Seconds),
        memory,
    };
    let time = goodput(mttf, &plan);
    let Some(model) = recovery.failures else { return Ok(time) };
    let waiting = match spare_rule(cluster, recovery) {
        Some(rule) => 1.0 - rule.needed(servers).covered,
        None => 0.0,
    };
    let stragglers = straggler_loss(
        servers as f64,
        model.straggler_per_server_day,
        Seconds(model.straggler_seconds).days(),
        model.straggler_slowdown,
    );
    Ok(time.losing(waiting, stragglers))
}

/// How machines stand in racks.
struct Packed {
    racks: Racks,
    servers_per_rack: u64,
    switches_per_rack: u64,
    /// Draw of a full compute rack.
    power: Watts,
}

/// Packs servers and switches. Racks are sized for the rated power where it is known, else for the cards at their cap
/// beside the host's draw.
fn racks(choice: &Choice, load: &ItLoad, domains: u64, ceiling: &RackCeiling) -> Result<Packed, String> {
    let Choice { cluster, fabric, cooling, power_cap, .. } = *choice;
    let limits = RackLimits {
        power: ceiling.watts.map_or(cooling.rack_limit, |watts| cooling.rack_limit.min(Watts(watts))),
        units: RACK_UNITS - RESERVED_RACK_UNITS,
        kilograms: ceiling.kilograms,
    };
    let capped = cluster.card_tdp * ((1.0 - power_cap) * cluster.cards_per_server as f64);
    let rated = cluster
        .server_nameplate
        .unwrap_or_else(|| cluster.card_tdp * cluster.cards_per_server as f64 + cluster.host_power)
        - capped;
    let server = Machine { power: rated, height: cluster.server_height, mass: cluster.server_mass };
    let per_rack = limits
        .machines_per_rack(&server, cluster.servers_per_rack)
        .map_err(|error| format!("{}: {error}", cooling.kind))?;
    let switch = fabric.switch_power + fabric.switch_module_power * (f64::from(fabric.radix) / 2.0);
    let switch = Machine { power: switch, height: fabric.switch_height, mass: None };
    let switches_per_rack = limits
        .machines_per_rack(&switch, None)
        .map_err(|error| format!("{}: switches: {error}", cooling.kind))?;
    let racks = Racks {
        compute: racks_for(load.servers, per_rack),
        network: racks_for(load.switches, switches_per_rack),
        interconnect: interconnect_racks(domains, cluster.domain_interconnect_racks),
    };
    // Switch trays without racks of their own stand among the servers.
    let trays = if racks.interconnect == 0 { load.domain * domains as f64 } else { Watts::ZERO };
    let full = per_rack.min(load.servers);
    Ok(Packed {
        racks,
        servers_per_rack: per_rack,
        switches_per_rack,
        power: load.server_draw() * full as f64 + trays / racks.compute as f64,
    })
}
