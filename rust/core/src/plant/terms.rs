//! What the plant needs to know beside the hardware: the site, the terms of money, and how a job is brought back.

use serde::{Deserialize, Serialize};

use super::side::SideNetwork;
use super::store::StorageSpec;
use crate::cost::Depreciation;
use crate::facility::PowerBy;
use crate::reliability::causes::Shares;
use crate::units::{Bytes, Usd, Watts};

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
    /// Watts of the feed of a rack.
    pub watts: Option<f64>,
    /// Watts of a busway over the racks on it.
    #[serde(default)]
    pub busway_watts: Option<f64>,
    /// Kilograms of machines: the floor's load on the area of a rack less the frame.
    pub kilograms: Option<f64>,
    /// Rack units of a rack; none: [`crate::facility::RACK_UNITS`].
    #[serde(default)]
    pub units: Option<f64>,
    /// Cables that may leave a rack.
    #[serde(default)]
    pub ports: Option<u64>,
    /// Square metres of a rack with its part of the aisles; 0: not known.
    #[serde(default)]
    pub floor_per_rack: f64,
    /// Heat that one coolant distribution unit moves; none: they are not placed.
    #[serde(default)]
    pub cdu: Option<f64>,
    /// Places for racks that one such unit takes.
    #[serde(default)]
    pub cdu_racks: f64,
    /// Heat that a unit inside a rack moves, which takes [`RackCeiling::IN_RACK_UNITS`] and no place of its own; none:
    /// not offered.
    #[serde(default)]
    pub cdu_in_rack: Option<f64>,
}

impl RackCeiling {
    /// Rack units of a coolant unit inside a rack.
    pub const IN_RACK_UNITS: f64 = 4.0;

    /// Power of one rack under a cooling kind, and who sets it: the least of cooling, busway and feed.
    #[must_use]
    pub fn power(&self, cooling: Watts) -> (Watts, PowerBy) {
        let mut least = (cooling, PowerBy::Cooling);
        for (watts, by) in [(self.busway_watts, PowerBy::Busway), (self.watts, PowerBy::Feed)] {
            if let Some(watts) = watts.map(Watts).filter(|watts| *watts < least.0) {
                least = (watts, by);
            }
        }
        least
    }
}

/// One of several halls: what it takes, and what one of its racks does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HallSpec {
    /// Name for people.
    pub name: String,
    /// Places for racks of all kinds.
    pub racks: u64,
    /// One of them.
    pub rack: RackCeiling,
    /// Heat that the liquid loop takes.
    #[serde(default)]
    pub liquid_watts: Option<f64>,
    /// Heat that the air takes.
    #[serde(default)]
    pub air_watts: Option<f64>,
    /// What the transformers carry on the design day.
    #[serde(default)]
    pub transformer_watts: Option<f64>,
    /// White space, aisles included.
    #[serde(default)]
    pub floor_m2: Option<f64>,
}

impl HallSpec {
    /// Its racks and no other limit: what would be asked of it.
    pub fn widen(&mut self) {
        self.racks = u64::MAX;
        (self.liquid_watts, self.air_watts, self.transformer_watts, self.floor_m2) = (None, None, None, None);
    }
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
    /// Pay of the crew that a site of its own needs around the clock, however few servers stand there.
    #[serde(default)]
    pub crew_usd_per_year: f64,
    /// Power from which a cluster has a site to itself; a smaller one shares the crew by its power.
    #[serde(default)]
    pub crew_watts: f64,
}

impl Economics {
    /// Pay of a year: max(servers · pay per server, crew · min(1, power / power of a site)). Never falls with either.
    /// `watts`: what the building is built for.
    #[must_use]
    pub fn staff(&self, servers: u64, watts: Watts) -> Usd {
        let share = if self.crew_watts > 0.0 { (watts.0 / self.crew_watts).min(1.0) } else { 1.0 };
        Usd((self.staff_usd_per_server_year * servers as f64).max(self.crew_usd_per_year * share))
    }

    /// How capital is spread over years.
    #[must_use]
    pub fn depreciation(&self) -> Depreciation {
        Depreciation {
            hardware_years: self.depreciation_years,
            building_years: self.building_years,
            rate: self.capital_rate,
            maintenance: self.maintenance_share,
            residual: self.residual_share,
        }
    }
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
    /// As many as the search finds best, and at least those that a confidence asks for. A job short of them waits for
    /// repairs or goes on smaller, and that is what the search weighs them against.
    #[default]
    Required,
    /// The same without a confidence.
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
pub struct Terms<'a> {
    /// Site.
    pub site: Site,
    /// Capital.
    pub economics: Economics,
    /// Checkpoints.
    pub recovery: Recovery,
    /// Parameters of the model that is trained.
    pub parameters: f64,
    /// Racks of the hall, or what racks of all halls have in common.
    pub rack: RackCeiling,
    /// Halls with racks of their own; fewer than two: `rack` and the limits of the problem say it all.
    pub halls: &'a [HallSpec],
    /// Networks beside the one of the cards.
    pub side_networks: &'a [SideNetwork],
    /// Storage servers; none: they are not counted.
    pub storage: Option<&'a StorageSpec>,
}

impl Terms<'_> {
    /// Bytes of a checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Bytes {
        Bytes(self.recovery.checkpoint_bytes_per_parameter * self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_needs_its_crew_however_few_servers_stand_there() {
        let terms = Economics {
            maintenance_share: 0.0,
            depreciation_years: 5.0,
            building_years: 15.0,
            capital_rate: 0.0,
            installation_share: 0.0,
            residual_share: 0.0,
            staff_usd_per_server_year: 225.0,
            crew_usd_per_year: 900_000.0,
            crew_watts: 1e6,
        };
        // 5,000 servers: 12.5 people at 90,000; 256 in 2.5 MW: the crew of ten; 20 kW: a fiftieth of it.
        assert_eq!(terms.staff(5000, Watts(50e6)), Usd(1_125_000.0));
        assert_eq!(terms.staff(256, Watts(2.5e6)), Usd(900_000.0));
        assert_eq!(terms.staff(2, Watts(20e3)), Usd(18_000.0));
        // Without a crew only servers count.
        assert_eq!(Economics { crew_usd_per_year: 0.0, ..terms }.staff(2, Watts(20e3)), Usd(450.0));
    }
}
