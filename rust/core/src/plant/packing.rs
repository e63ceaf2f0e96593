//! Servers and switches of a plant in racks.

use super::Choice;
use super::terms::RackCeiling;
use crate::facility::{
    ItLoad, Machine, RACK_UNITS, RESERVED_RACK_UNITS, RackLimits, Racks, interconnect_racks, racks_for,
};
use crate::units::Watts;

/// How machines stand in racks.
pub(super) struct Packed {
    pub(super) racks: Racks,
    pub(super) servers_per_rack: u64,
    pub(super) switches_per_rack: u64,
    /// Draw of a full compute rack.
    pub(super) power: Watts,
}

/// Packs servers and switches. Racks are sized for the rated power where it is known, else for the cards at their cap
/// beside the host's draw.
pub(super) fn racks(
    choice: &Choice,
    load: &ItLoad,
    domains: u64,
    ceiling: &RackCeiling,
) -> Result<Packed, String> {
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
