//! Machines in racks: what a rack takes by power, height, weight and ports, and how many racks there are.

use serde::Serialize;
use thiserror::Error;

use crate::units::Watts;

/// Rack units of a common rack.
pub const RACK_UNITS: f64 = 42.0;

/// Rack units kept for power distribution, cable management and the out-of-band switch: a planning allowance.
pub const RESERVED_RACK_UNITS: f64 = 4.0;

/// Who sets the power of a rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerBy {
    /// What the cooling kind removes.
    Cooling,
    /// Busway shared by a row of racks.
    Busway,
    /// The feed of one rack: its breakers.
    Feed,
}

impl PowerBy {
    const fn words(self) -> &'static str {
        match self {
            Self::Cooling => "this cooling takes from a rack",
            Self::Busway => "the busway carries to a rack",
            Self::Feed => "the feed of a rack carries",
        }
    }
}

/// What holds the number of machines in a rack down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RackBound {
    /// What the cooling kind removes.
    Cooling,
    /// The busway.
    Busway,
    /// The feed of the rack.
    Feed,
    /// Rack units.
    Height,
    /// The floor under it.
    Weight,
    /// Ports of its patch panel.
    Ports,
    /// The vendor's packing.
    Vendor,
}

/// What one rack takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RackLimits {
    /// Power of one rack.
    pub power: Watts,
    /// Who sets it.
    pub power_by: PowerBy,
    /// Cables that may leave it to other racks, where a limit is known.
    pub ports: Option<u64>,
    /// Usable rack units, usually [`RACK_UNITS`] - [`RESERVED_RACK_UNITS`].
    pub units: f64,
    /// Kilograms that the floor carries, where a limit is known.
    pub kilograms: Option<f64>,
}

/// A machine to put into a rack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// What the rack is sized for: nameplate or enforced cap.
    pub power: Watts,
    /// Rack units.
    pub height: f64,
    /// Kilograms; not known: not checked against the floor.
    pub mass: Option<f64>,
    /// Cables to other racks.
    pub ports: u64,
}

/// Why machines do not fit a rack.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum RackError {
    /// The cooling kind cannot take the heat, or the feed not carry the power.
    #[error("{} of {:.1} kW exceed{} the {:.1} kW that {}", counted(*.machines), .each.0 / 1e3, verb(*.machines), .limit.0 / 1e3, .by.words())]
    TooHot {
        /// Machines in the rack: the vendor's packing, or one.
        machines: u64,
        /// Power of each.
        each: Watts,
        /// Limit of the rack.
        limit: Watts,
        /// Who sets it.
        by: PowerBy,
    },
    /// Heavier than the floor carries.
    #[error("{} of {each} kg exceed{} the {limit:.0} kg that the floor carries under a rack", counted(*.machines), verb(*.machines))]
    TooHeavy {
        /// Machines in the rack: the vendor's packing, or one.
        machines: u64,
        /// Kilograms of each.
        each: f64,
        /// Limit of the rack.
        limit: f64,
    },
    /// More cables than the patch panel has ports.
    #[error("{} of {each} ports exceed{} the {limit} ports of a rack", counted(*.machines), verb(*.machines))]
    TooManyPorts {
        /// Machines in the rack: the vendor's packing, or one.
        machines: u64,
        /// Ports of each.
        each: u64,
        /// Ports of the rack.
        limit: u64,
    },
    /// Taller than the rack.
    #[error("a machine of {height} rack units exceeds the {units} usable ones")]
    TooTall {
        /// Rack units of the machine.
        height: f64,
        /// Usable rack units.
        units: f64,
    },
}

fn counted(machines: u64) -> String {
    if machines == 1 { "one machine".into() } else { format!("{machines} machines") }
}

fn verb(machines: u64) -> &'static str {
    if machines == 1 { "s" } else { "" }
}

impl RackLimits {
    /// Machines of one kind that a rack takes, and which limit holds them down:
    /// min(floor(kW / kW each), floor(units / height), floor(kg / kg each), floor(ports / ports each)), or the vendor's
    /// fixed packing, which must still be coolable, fed, carried and wired.
    ///
    /// # Errors
    /// [`RackError`] when not even one fits, or the fixed packing breaks a limit.
    pub fn machines_per_rack(
        &self,
        machine: &Machine,
        fixed: Option<u64>,
    ) -> Result<(u64, RackBound), RackError> {
        let Machine { power: each, height, mass, ports } = *machine;
        let machines = fixed.unwrap_or(1);
        let by_power = whole(self.power / each);
        let weights = self.kilograms.zip(mass);
        let by_weight = weights.map_or(u64::MAX, |(limit, each)| whole(limit / each));
        let by_ports = self.ports.map_or(u64::MAX, |limit| limit.checked_div(ports).unwrap_or(u64::MAX));
        if let Some((limit, each)) = weights.filter(|_| by_weight < machines) {
            return Err(RackError::TooHeavy { machines, each, limit });
        }
        if let Some(limit) = self.ports.filter(|_| by_ports < machines) {
            return Err(RackError::TooManyPorts { machines, each: ports, limit });
        }
        let by_height = whole(self.units / height);
        if fixed.is_none() && by_height == 0 {
            return Err(RackError::TooTall { height, units: self.units });
        }
        if by_power < machines {
            return Err(RackError::TooHot { machines, each, limit: self.power, by: self.power_by });
        }
        if let Some(machines) = fixed {
            return Ok((machines, RackBound::Vendor));
        }
        let power = match self.power_by {
            PowerBy::Cooling => RackBound::Cooling,
            PowerBy::Busway => RackBound::Busway,
            PowerBy::Feed => RackBound::Feed,
        };
        // Of equals the first is named.
        let limits = [
            (by_power, power),
            (by_height, RackBound::Height),
            (by_weight, RackBound::Weight),
            (by_ports, RackBound::Ports),
        ];
        Ok(limits.into_iter().min_by_key(|(count, _)| *count).unwrap_or((by_power, power)))
    }
}

/// Racks by what they hold. Those of management servers are not counted: their machines are not designed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Racks {
    /// Servers.
    pub compute: u64,
    /// Scale-out switches.
    pub network: u64,
    /// Only scale-up interconnect.
    pub interconnect: u64,
    /// Coolant distribution units.
    pub cooling: u64,
    /// Storage servers.
    pub storage: u64,
}

impl Racks {
    /// These and `others`.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self {
            compute: self.compute + others.compute,
            network: self.network + others.network,
            interconnect: self.interconnect + others.interconnect,
            cooling: self.cooling + others.cooling,
            storage: self.storage + others.storage,
        }
    }

    /// All racks.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.compute + self.network + self.interconnect + self.cooling + self.storage
    }
}

/// Racks for a number of machines: ceil(machines / per rack). Valid for `per_rack` >= 1.
#[must_use]
pub fn racks_for(machines: u64, per_rack: u64) -> u64 {
    machines.div_ceil(per_rack)
}

/// Racks that hold only scale-up interconnect: ceil(domains · racks per domain).
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of racks")]
pub fn interconnect_racks(domains: u64, per_domain: f64) -> u64 {
    (domains as f64 * per_domain - 1e-9).ceil() as u64
}

/// Whole machines in a ratio. Saturates, so a part without height or draw is bound by the other limit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is meant")]
fn whole(ratio: f64) -> u64 {
    (ratio + 1e-9).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIR: RackLimits = RackLimits {
        power: Watts(41e3),
        power_by: PowerBy::Cooling,
        units: RACK_UNITS - RESERVED_RACK_UNITS,
        kilograms: None,
        ports: None,
    };

    fn packed(rack: &RackLimits, power: Watts, height: f64, fixed: Option<u64>) -> Result<u64, RackError> {
        Ok(rack.machines_per_rack(&Machine { power, height, mass: None, ports: 0 }, fixed)?.0)
    }

    #[test]
    fn a_floor_of_1000_kilograms_carries_seven_servers_of_130() {
        let light = RackLimits { power: Watts(200e3), kilograms: Some(1000.0), ..AIR };
        let server = Machine { power: Watts(10e3), height: 4.0, mass: Some(130.0), ports: 8 };
        assert_eq!(light.machines_per_rack(&server, None), Ok((7, RackBound::Weight)));
        let refused = light.machines_per_rack(&server, Some(8)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "8 machines of 130 kg exceed the 1000 kg that the floor carries under a rack"
        );
        assert_eq!(
            light.machines_per_rack(&Machine { mass: None, ..server }, None),
            Ok((9, RackBound::Height))
        );
    }

    #[test]
    fn four_dgx_h100_fill_a_rack_by_power_and_by_height() {
        assert_eq!(packed(&AIR, Watts(10_200.0), 8.0, None), Ok(4));
        assert_eq!(racks_for(127, 4), 32);
        let cooler = RackLimits { power: Watts(20e3), ..AIR };
        assert_eq!(packed(&cooler, Watts(10_200.0), 8.0, None), Ok(1));
        // 48 compute switches of 1 U and 1.3 kW: 31 per rack by power.
        assert_eq!(packed(&AIR, Watts(1300.0), 1.0, None), Ok(31));
        assert_eq!(racks_for(48, 31), 2);
    }

    #[test]
    fn a_packing_fixed_by_the_vendor_holds_only_where_it_can_be_cooled() {
        let liquid = RackLimits { power: Watts(150e3), ..AIR };
        assert_eq!(packed(&liquid, Watts(7500.0), 1.0, Some(18)), Ok(18));
        let too_hot =
            RackError::TooHot { machines: 18, each: Watts(7500.0), limit: Watts(41e3), by: PowerBy::Cooling };
        assert_eq!(packed(&AIR, Watts(7500.0), 1.0, Some(18)), Err(too_hot));
        assert_eq!(
            too_hot.to_string(),
            "18 machines of 7.5 kW exceed the 41.0 kW that this cooling takes from a rack"
        );
    }

    #[test]
    fn a_machine_that_fits_no_rack_is_refused() {
        assert!(matches!(packed(&AIR, Watts(50e3), 8.0, None), Err(RackError::TooHot { .. })));
        assert!(matches!(packed(&AIR, Watts(1e3), 40.0, None), Err(RackError::TooTall { .. })));
    }

    #[test]
    fn a_cloudmatrix_has_twelve_compute_and_four_interconnect_racks() {
        let racks =
            Racks { compute: racks_for(48, 4), interconnect: interconnect_racks(1, 4.0), ..Racks::default() };
        assert_eq!((racks.compute, racks.interconnect, racks.total()), (12, 4, 16));
    }

    #[test]
    fn a_patch_panel_of_48_ports_takes_six_servers_of_eight_and_the_busway_names_itself() {
        let server = Machine { power: Watts(5e3), height: 4.0, mass: None, ports: 8 };
        let panel = RackLimits { power: Watts(100e3), ports: Some(48), ..AIR };
        assert_eq!(panel.machines_per_rack(&server, None), Ok((6, RackBound::Ports)));
        let refused = panel.machines_per_rack(&server, Some(7)).unwrap_err();
        assert_eq!(refused.to_string(), "7 machines of 8 ports exceed the 48 ports of a rack");
        let busway = RackLimits { power: Watts(12e3), power_by: PowerBy::Busway, ..AIR };
        assert_eq!(busway.machines_per_rack(&server, None), Ok((2, RackBound::Busway)));
        let refused = busway.machines_per_rack(&server, Some(4)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "4 machines of 5.0 kW exceed the 12.0 kW that the busway carries to a rack"
        );
    }
}
