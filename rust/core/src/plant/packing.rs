//! Servers, switches and coolant units of a plant in racks.

use super::Choice;
use super::halls::HallUse;
use super::store::StorageSpec;
use super::terms::RackCeiling;
use crate::chain::coolant_units;
use crate::facility::{
    ItLoad, Machine, RACK_UNITS, RESERVED_RACK_UNITS, RackBound, RackLimits, Racks, interconnect_racks,
    racks_for,
};
use crate::hardware::HallAir;
use crate::units::Watts;

/// How machines stand in racks.
pub(super) struct Packed {
    /// Racks of servers and of what joins them; those of coolant units and side networks come by [`Packed::with`].
    pub(super) racks: Racks,
    pub(super) servers_per_rack: u64,
    /// Which limit holds the servers of a rack down.
    pub(super) bound: RackBound,
    pub(super) switches_per_rack: u64,
    pub(super) storage_per_rack: u64,
    /// Where all servers stand in one rack: its watts and rack units that they and storage leave.
    left: Option<(Watts, f64)>,
    /// One switch.
    switch: Machine,
    /// Draw of a full compute rack.
    pub(super) power: Watts,
}

/// Racks of a whole plant, in one hall or several.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stood {
    pub(super) racks: Racks,
    pub(super) servers_per_rack: u64,
    pub(super) bound: RackBound,
    pub(super) switches_per_rack: u64,
    pub(super) storage_per_rack: u64,
    pub(super) power: Watts,
    pub(super) air: HallAir,
    pub(super) halls: Vec<HallUse>,
}

impl Packed {
    /// The plant in one hall, with `switches` in all and `liquid` heat.
    pub(super) fn stood(self, switches: u64, liquid: Watts, ceiling: &RackCeiling, air: HallAir) -> Stood {
        let racks = self.with(switches, (cdus(liquid, ceiling), liquid), ceiling);
        let Self { servers_per_rack, bound, switches_per_rack, storage_per_rack, power, .. } = self;
        Stood {
            racks,
            servers_per_rack,
            bound,
            switches_per_rack,
            storage_per_rack,
            power,
            air,
            halls: Vec::new(),
        }
    }

    /// All racks, with those that `switches` in all and `units` of coolant for `liquid` heat take. What is left of the
    /// only rack of servers takes all of them where it can, as a small cluster is built.
    pub(super) fn with(&self, switches: u64, (units, liquid): (u64, Watts), ceiling: &RackCeiling) -> Racks {
        let apart = Racks {
            network: racks_for(switches, self.switches_per_rack),
            cooling: interconnect_racks(units, ceiling.cdu_racks),
            ..self.racks
        };
        let Some((watts, height)) = self.left else { return apart };
        let inside = units == 0 || ceiling.cdu_in_rack.is_some_and(|most| liquid.0 <= most);
        let coolant = if inside { units as f64 * RackCeiling::IN_RACK_UNITS } else { 0.0 };
        let taken = self.switch.height * switches as f64 + coolant;
        if taken > height || (self.switch.power * switches as f64).0 > watts.0 {
            return apart;
        }
        let cooling = if inside { 0 } else { apart.cooling };
        Racks { network: 0, storage: 0, cooling, ..apart }
    }
}

/// Coolant units for the heat that leaves in a liquid; none where they are not placed.
pub(super) fn cdus(liquid: Watts, ceiling: &RackCeiling) -> u64 {
    ceiling.cdu.map_or(0, |each| coolant_units(liquid, Watts(each)))
}

/// What a rack is sized for by one server: its rated power where that is known, else its cards beside the host's draw,
/// less what the cap takes from the cards.
#[must_use]
pub fn rated_server(choice: &Choice) -> Watts {
    let Choice { cluster, power_cap, .. } = *choice;
    let capped = cluster.card_tdp * ((1.0 - power_cap) * cluster.cards_per_server as f64);
    cluster
        .server_nameplate
        .unwrap_or_else(|| cluster.card_tdp * cluster.cards_per_server as f64 + cluster.host_power)
        - capped
}

/// What one rack takes under the choice's cooling.
fn rack_limits(choice: &Choice, ceiling: &RackCeiling) -> RackLimits {
    let (power, power_by) = ceiling.power(choice.cooling.rack_limit);
    RackLimits {
        power,
        power_by,
        units: ceiling.units.unwrap_or(RACK_UNITS) - RESERVED_RACK_UNITS,
        kilograms: ceiling.kilograms,
        ports: ceiling.ports,
    }
}

/// Servers in a full rack, and which limit holds them down.
///
/// # Errors
/// In words: a rack does not take one, or not the vendor's packing.
pub fn servers_per_rack(choice: &Choice, ceiling: &RackCeiling) -> Result<(u64, RackBound), String> {
    let Choice { cluster, fabric, cooling, .. } = *choice;
    let server = Machine {
        power: rated_server(choice),
        height: cluster.server_height,
        mass: cluster.server_mass,
        ports: u64::from(fabric.ports_per_server),
    };
    rack_limits(choice, ceiling)
        .machines_per_rack(&server, cluster.servers_per_rack)
        .map_err(|error| format!("{}: {error}", cooling.kind))
}

/// Packs servers, switches and storage.
pub(super) fn packed(
    choice: &Choice,
    load: &ItLoad,
    domains: u64,
    (ceiling, storage): (&RackCeiling, Option<(&StorageSpec, u64)>),
) -> Result<Packed, String> {
    let Choice { cluster, fabric, cooling, .. } = *choice;
    let limits = rack_limits(choice, ceiling);
    let (per_rack, bound) = servers_per_rack(choice, ceiling)?;
    let switch = fabric.switch_power + fabric.switch_module_power * (f64::from(fabric.radix) / 2.0);
    // A network rack is where cables come together: its panel is not held to that of a compute rack.
    let switch = Machine { power: switch, height: fabric.switch_height, mass: None, ports: 0 };
    let (switches_per_rack, _) = limits
        .machines_per_rack(&switch, None)
        .map_err(|error| format!("{}: switches: {error}", cooling.kind))?;
    // Storage servers are light and few: their panel and floor are not held to those of a compute rack.
    let storage_per_rack = match storage {
        Some((each, _)) => {
            let server = Machine { power: each.power, height: each.height, mass: None, ports: 0 };
            limits
                .machines_per_rack(&server, None)
                .map_err(|error| format!("{}: storage: {error}", cooling.kind))?
                .0
        }
        None => 1,
    };
    let racks = Racks {
        compute: racks_for(load.servers, per_rack),
        network: racks_for(load.switches, switches_per_rack),
        interconnect: interconnect_racks(domains, cluster.domain_interconnect_racks),
        cooling: 0,
        storage: racks_for(storage.map_or(0, |(_, servers)| servers), storage_per_rack),
    };
    let stored = storage.map_or((Watts::ZERO, 0.0), |(each, servers)| {
        (each.power * servers as f64, each.height * servers as f64)
    });
    let count = load.servers as f64;
    let left = (racks.compute == 1 && racks.interconnect == 0).then(|| {
        (
            limits.power - rated_server(choice) * count - stored.0,
            limits.units - cluster.server_height * count - stored.1,
        )
    });
    // Switch trays without racks of their own stand among the servers.
    let trays = if racks.interconnect == 0 { load.domain * domains as f64 } else { Watts::ZERO };
    let full = per_rack.min(load.servers);
    Ok(Packed {
        racks,
        servers_per_rack: per_rack,
        bound,
        switches_per_rack,
        storage_per_rack,
        left,
        switch,
        power: load.server_draw() * full as f64 + trays / racks.compute as f64,
    })
}
