//! The physical plant of a number of purchase units: fabric, racks, power, money, goodput.
//!
//! Everything here depends on the hardware, its fabric, cooling and cap, and the number of units, never on the
//! parallel layout: the search works it out once per size and times layouts against it.

mod drawn;
mod halls;
mod packing;
mod running;
pub mod side;
pub mod store;
mod terms;

pub use halls::{HallUse, most_servers};
pub use packing::{rated_server, servers_per_rack};
pub use running::{Upkeep, keeping, spare_rule, upkeep};
pub use terms::{
    Economics, FailureModel, HallSpec, PeerMemory, RackCeiling, Recovery, Save, Site, SparePolicy, Terms,
};

use crate::cost::{Capex, YearlyCost, building_price, energy_price, price_of};
use crate::fabric::{FabricDesign, FabricSpec, design};
use crate::facility::{ItLoad, ItPower, RackBound, Racks, energy_per_year, facility_power, water_per_year};
use crate::hardware::{Cluster, CoolingOption, FabricOption, HallAir};
use crate::reliability::Goodput;
use crate::reliability::causes::Causes;
use crate::units::{Bytes, Usd, Watts};
use halls::{Fill, filled};
use packing::{Stood, packed};
use side::{Joined, SideCounts, side_totals};
use store::StorageSpec;

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
    /// IT power while every card draws its board power, or what its cap or the cooling holds it to: the heat that
    /// coolant units, flows and chillers are built for.
    pub peak_it: Watts,
    /// What breakers see; none where the server's rating is not known.
    pub nameplate: Option<Watts>,
    /// Nameplate of the IT times the PUE of the design day: what the intake is contracted for.
    pub nameplate_intake: Option<Watts>,
    /// Servers in a full rack.
    pub servers_per_rack: u64,
    /// Scale-out switches in a full network rack.
    pub switches_per_rack: u64,
    /// Storage servers.
    pub storage_servers: u64,
    /// Of them in a full rack.
    pub storage_per_rack: u64,
    /// Rack units of one.
    pub storage_height: f64,
    /// Racks.
    pub racks: Racks,
    /// What each of several halls holds; empty: there is one.
    pub halls: Vec<HallUse>,
    /// PUE, WUE and chillers, of several halls the mean over where the load stands.
    pub air: HallAir,
    /// Which limit holds the servers of a rack down.
    pub rack_bound: RackBound,
    /// Floor of all racks with their aisles, in m²; none where that of one is not known.
    pub white_space: Option<f64>,
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

impl Plant {
    /// Of [`Plant::peak_it`] what leaves in a liquid, at the share of the mean.
    #[must_use]
    pub fn peak_liquid(&self) -> Watts {
        self.peak_it * (self.liquid_heat / self.it)
    }
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
    let servers = units * choice.cluster.unit_servers();
    let wired = fabric_design(choice.cluster, choice.fabric, servers)?;
    let upkeep = upkeep(choice.cluster, terms, &wired, servers);
    plant_on(choice, terms, units, (wired, &upkeep), &mut SideCounts::default())
}

/// The same on a fabric that is at hand: every cap and cooling of a size has the same one with the same upkeep, and mostly
/// the same side networks.
///
/// # Errors
/// In words: a rack of this cooling kind cannot take one server.
pub fn plant_on(
    choice: &Choice,
    terms: &Terms,
    units: u64,
    (wired, upkeep): (FabricDesign, &Result<Upkeep, String>),
    known: &mut SideCounts,
) -> Result<Plant, String> {
    let Choice { cluster, cooling, clock, .. } = *choice;
    let cards = units * cluster.unit_cards;
    let servers = units * cluster.unit_servers();
    let domains = cards.div_ceil(cluster.domain_cards);
    let card_power = cluster.card_power().draw(clock);
    let mut load = it_load(choice, &wired, (units, card_power));
    let checkpoint = terms.checkpoint();
    let storage = stored(terms, checkpoint, servers, cards);
    if let Some((each, count)) = storage {
        load.storage = each.power * count as f64;
    }
    let one = match terms.halls.len() {
        0 | 1 => Some(packed(choice, &load, domains, (&terms.rack, storage))?),
        _ => None,
    };
    let fill = |load: &ItLoad, it: Watts, switches: u64| {
        let peak = peak_it(choice, it, card_power, cards);
        filled(choice, terms, &Fill { load, storage, it, peak, switches, cards })
    };
    let before = match &one {
        Some(one) => one.racks,
        None => fill(&load, load.draw().total(), wired.switches())?.racks,
    };
    // Racks that the side networks themselves, storage and coolant add have no ports in the management network.
    let joined = Joined {
        servers,
        cards_per_server: cluster.cards_per_server,
        switches: wired.switches(),
        racks: before.compute + before.network + before.interconnect,
        storage: storage.map(|(_, count)| count),
    };
    let side = side_totals(terms.side_networks, &joined, known)?;
    load.side_networks = side.watts;
    let power = load.draw();
    let it = power.total();
    let liquid_heat = it * cooling.liquid_share;
    let peak_it = peak_it(choice, it, card_power, cards);
    let switches = wired.switches() + side.switches;
    let stood = match one {
        Some(one) => one.stood(switches, peak_it * cooling.liquid_share, &terms.rack, cooling.air()),
        None => fill(&load, it, switches)?,
    };
    let Stood { racks, air, .. } = stood;
    let facility = facility_power(it, air.pue);
    let energy = energy_per_year(facility);
    let it_energy = energy_per_year(it);
    // A capped server cannot draw more than its rating less what the cap takes from the cards.
    let nameplate = cluster.server_nameplate.map(|_| load.nameplate(rated_server(choice)));
    let stored = storage.map_or(Some(Usd::ZERO), |(each, count)| price_of(count, each.price));
    // Supplies, generators and switchgear are built for the ratings; the draw stands in where no rating is known.
    let capex = capital(choice, terms, (units, &wired), (nameplate.unwrap_or(it), side.usd, stored));
    let bill = energy_price(energy, terms.site.tariff_usd_per_kwh);
    let staff = terms.economics.staff(servers, nameplate.unwrap_or(it));
    let year = YearlyCost::of(&capex, &terms.economics.depreciation(), Some(bill), staff);
    let Upkeep { causes, time } = upkeep.clone()?;
    let facility_design_day = facility_power(it, air.pue_design_day);
    Ok(Plant {
        cards,
        servers,
        fabric_power: power.switches + power.transceivers,
        fabric: wired,
        card_power,
        rack_power: stood.power,
        it,
        facility,
        facility_design_day,
        transformer: facility_design_day * terms.site.transformer_efficiency,
        ups: it / terms.site.distribution_efficiency,
        liquid_heat,
        peak_it,
        power,
        nameplate,
        nameplate_intake: nameplate.map(|watts| facility_power(watts, air.pue_design_day)),
        servers_per_rack: stood.servers_per_rack,
        switches_per_rack: stood.switches_per_rack,
        storage_servers: storage.map_or(0, |(_, count)| count),
        storage_per_rack: stood.storage_per_rack,
        storage_height: storage.map_or(0.0, |(each, _)| each.height),
        rack_bound: stood.bound,
        white_space: (terms.rack.floor_per_rack > 0.0)
            .then(|| terms.rack.floor_per_rack * racks.total() as f64),
        racks,
        halls: stood.halls,
        air,
        energy_mwh_per_year: energy.0 / 1000.0,
        water_m3_per_year: air.wue.map(|wue| water_per_year(it_energy, wue).0 / 1000.0),
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

/// What draws power of `units` purchase units of cards of `card` watts, before storage and side networks.
fn it_load(choice: &Choice, wired: &FabricDesign, (units, card): (u64, Watts)) -> ItLoad {
    let Choice { cluster, fabric, cooling, .. } = *choice;
    ItLoad {
        servers: units * cluster.unit_servers(),
        cards_per_server: cluster.cards_per_server,
        card,
        host: cluster.host_power,
        fans: cluster.fan_power,
        fan_saving: cooling.fan_saving,
        conversion_loss: None,
        domains: (units * cluster.unit_cards).div_ceil(cluster.domain_cards),
        domain: cluster.domain_power,
        switches: wired.switches(),
        switch: fabric.switch_power,
        switch_modules: wired.transceivers.switch_side,
        switch_module: fabric.switch_module_power,
        host_modules: wired.transceivers.host_side,
        host_module: fabric.host_module_power,
        nics: 0,
        nic: Watts::ZERO,
        side_networks: Watts::ZERO,
        storage: Watts::ZERO,
    }
}

/// Storage servers, where they are counted. One server alone keeps its data and checkpoints on its own drives.
fn stored<'a>(
    terms: &Terms<'a>,
    checkpoint: Bytes,
    servers: u64,
    cards: u64,
) -> Option<(&'a StorageSpec, u64)> {
    let each = terms.storage?;
    Some((each, if servers > 1 { each.servers(&terms.recovery, checkpoint, servers, cards) } else { 0 }))
}

/// IT power at the hottest: P = mean + cards · (board power · cap - mean draw of a card).
///
/// Dense products hold cards at their board power for minutes, longer than a coolant loop or a hall stores heat; hosts
/// and networks are taken at their mean.
fn peak_it(choice: &Choice, mean: Watts, card: Watts, cards: u64) -> Watts {
    let held = choice.power_cap.min(choice.cooling.heat_cap);
    let busy = (choice.cluster.card_tdp * held - card).max(Watts::ZERO);
    mean + busy * cards as f64
}

/// Capital by part: `units` purchase units on `wired`, the IT watts that the building is built for, the side networks
/// and the storage.
fn capital(
    choice: &Choice,
    terms: &Terms,
    (units, wired): (u64, &FabricDesign),
    (it, side, storage): (Watts, Option<Usd>, Option<Usd>),
) -> Capex {
    let Choice { cluster, fabric, cooling, .. } = *choice;
    let mut capex = Capex {
        servers: price_of(units, cluster.unit_price),
        switches: price_of(wired.switches(), fabric.switch_price),
        transceivers: price_of(wired.transceivers.switch_side, fabric.switch_module_price)
            .zip(price_of(wired.transceivers.host_side, fabric.host_module_price))
            .map(|(switch, host)| switch + host),
        cables: price_of(wired.cables(), fabric.cable_price),
        nics: Some(Usd::ZERO),
        side_networks: side,
        storage,
        installation: Some(Usd::ZERO),
        building: building_price(it, cooling.building_usd_per_watt),
    };
    capex.installation = capex.hardware().map(|price| price * terms.economics.installation_share);
    capex
}
