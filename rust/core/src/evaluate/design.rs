//! The answer of an evaluation: a design with its speed, memory, fabric, facility, cost and failures.

use serde::Serialize;

use crate::chain::Chain;
use crate::cost::{Capex, YearlyCost};
use crate::draw::PhaseDraw;
use crate::fabric::{FabricKind, LinkTier, Tier, Transceivers};
use crate::facility::{ItPower, RackBound, Racks};
use crate::plant::HallUse;
use crate::reliability::causes::Causes;
use crate::training::layout::{Layout, Rule};
use crate::training::memory::Memory;
use crate::training::step::StepTimes;
use crate::units::Watts;

/// Cards of a design.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cards {
    /// Bought.
    pub total: u64,
    /// Computing.
    pub active: u64,
    /// Hot spares: what the layout leaves over in whole units.
    pub spare: u64,
    /// Devices the runtime exposes per card.
    pub devices_per_card: u64,
}

/// Speed of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Performance {
    /// One optimizer step.
    pub step_seconds: f64,
    /// While training (failures not counted).
    pub tokens_per_second: f64,
    /// Of the active cards.
    pub tokens_per_second_per_card: f64,
    /// Model FLOPs, causal, over the matrix-engine peak of the precision at full clock.
    pub mfu: f64,
    /// The same with the whole score matrix counted.
    pub mfu_full_attention: f64,
    /// With recomputation counted.
    pub hfu: f64,
    /// Share of calendar time that trains.
    pub goodput: f64,
    /// Training time alone.
    pub productive_days: f64,
    /// With failures, restarts and checkpoints.
    pub days: f64,
    /// Where the step goes, in seconds.
    pub breakdown: StepTimes,
}

/// Memory of the fullest device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MemoryUse {
    /// Needed.
    pub per_device_bytes: f64,
    /// There.
    pub capacity_bytes: f64,
    /// By cause.
    pub breakdown: Memory,
}

/// The fabric of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // the field names are those of the wire contract, documented in docs/plan.md
pub struct FabricAnswer {
    pub id: String,
    pub kind: FabricKind,
    pub oversubscription: f64,
    pub tiers: Vec<Tier>,
    pub links: Vec<LinkTier>,
    pub switches: u64,
    pub cables: u64,
    pub transceivers: Transceivers,
    pub nics: u64,
    pub ports_free: u64,
    pub watts: f64,
}

/// The facility of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct FacilityAnswer {
    pub it_megawatts: f64,
    pub peak_it_megawatts: f64,
    pub facility_megawatts: f64,
    pub facility_design_megawatts: f64,
    pub nameplate_megawatts: Option<f64>,
    pub nameplate_intake_megawatts: Option<f64>,
    pub transformer_megawatts: f64,
    pub ups_megawatts: f64,
    pub liquid_heat_megawatts: f64,
    pub air_heat_megawatts: f64,
    pub power: PowerAnswer,
    pub phases: Vec<PhaseDraw>,
    pub chain: Option<Chain>,
    pub servers_per_rack: u64,
    pub rack_bound: RackBound,
    pub white_space_m2: Option<f64>,
    pub switches_per_rack: u64,
    pub storage_servers: u64,
    pub storage_per_rack: u64,
    pub storage_height: f64,
    pub racks: RacksAnswer,
    pub halls: Vec<HallUse>,
    pub servers: u64,
    pub rack_kilowatts: f64,
    pub cooling: String,
    pub pue: f64,
    pub pue_design_day: f64,
    pub energy_mwh_per_year: f64,
    pub water_m3_per_year: Option<f64>,
    pub carbon_tonnes_per_year: f64,
    pub card_watts: f64,
}

/// Watts at the grid over the year, by part; they sum to the annual mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PowerAnswer {
    /// IT by part.
    #[serde(flatten)]
    pub it: ItPower,
    /// Transformers, uninterruptible supplies, distribution.
    pub chain_losses: Watts,
    /// Cooling, lighting, and all else in PUE.
    pub cooling: Watts,
}

/// Racks with their total.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RacksAnswer {
    /// By what they hold.
    #[serde(flatten)]
    pub by_kind: Racks,
    /// All.
    pub total: u64,
}

/// Money of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct CostAnswer {
    pub capex_usd: Option<f64>,
    pub energy_usd_per_year: f64,
    pub tco_usd_per_year: Option<f64>,
    pub parts: Capex,
    pub year: YearlyCost,
    pub missing: Vec<&'static str>,
}

/// Failures of a design; the shares of time sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct ReliabilityAnswer {
    pub mttf_hours: Option<f64>,
    pub failures_per_day: f64,
    pub checkpoint_interval_seconds: Option<f64>,
    pub memory_interval_seconds: Option<f64>,
    pub checkpoint_write_seconds: f64,
    pub checkpoint_bytes: f64,
    pub goodput: f64,
    pub checkpoint: f64,
    pub rework: f64,
    pub recovery: f64,
    pub waiting: f64,
    pub stragglers: f64,
    pub causes: Causes,
    pub spares: Option<SparesAnswer>,
}

/// Spares of a design, in servers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct SparesAnswer {
    pub servers_needed: u64,
    pub servers_had: u64,
    pub servers_usual: u64,
    pub servers_short: u64,
    pub per_domain: u64,
    pub spare_domains: u64,
    pub servers_in_repair: f64,
    pub covered: f64,
    pub kept: f64,
}

/// One level of the network as the collectives saw it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct LevelAnswer {
    pub name: String,
    pub devices: Option<f64>,
    pub bytes_per_second: f64,
    pub latency_seconds: f64,
}

/// A design, evaluated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct Design {
    pub cluster: usize,
    pub fabric_index: usize,
    pub cooling_index: usize,
    pub system: String,
    pub accelerator: String,
    pub power_cap: f64,
    pub clock: f64,
    pub layout: Layout,
    pub micro_batches: u64,
    pub micro_batch_group: Option<u64>,
    pub global_batch: u64,
    pub broken_rules: Vec<Rule>,
    pub over_limits: Vec<&'static str>,
    pub cards: Cards,
    pub performance: Performance,
    pub memory: MemoryUse,
    pub fabric: FabricAnswer,
    pub facility: FacilityAnswer,
    pub cost: CostAnswer,
    pub reliability: ReliabilityAnswer,
    pub network: Vec<LevelAnswer>,
}
