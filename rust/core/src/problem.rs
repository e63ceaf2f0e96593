//! The problem as the caller states it: `problem/1` of the wire, in SI numbers.

pub mod aim;
pub mod space;

use serde::{Deserialize, Serialize};

pub use aim::{Axis, Objective, RUNNERS_UP, Search, Weight};
pub use space::SwitchSpace;

use crate::chain::ChainSpec;
use crate::error::CoreError;
use crate::hardware::Cluster;
use crate::model::Model;
use crate::plant::side::SideNetwork;
use crate::plant::{Economics, HallSpec, RackCeiling, Recovery, Site, Terms};
use crate::training::layout::{Layout, Recompute};
use crate::training::schedule::{ContextKind, Schedule};
use crate::training::split::StageSplit;
use crate::workload::{Software, Training};

/// Degrees beyond this are slips of the pen; with [`MOST_RANKS`] it keeps every product below 2^64.
pub const MOST_DEGREE: u64 = 4096;

/// Data-parallel ranks and cards beyond this are slips of the pen.
pub const MOST_RANKS: u64 = 4_000_000;

/// What must be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Calendar days for all tokens, failures included.
    pub days: Option<f64>,
    /// Productive tokens per second, failures included.
    pub tokens_per_second: Option<f64>,
}

impl Target {
    /// Whether anything is asked.
    #[must_use]
    pub fn any(&self) -> bool {
        self.days.is_some() || self.tokens_per_second.is_some()
    }
}

/// What may not be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Cards at least.
    pub cards_min: u64,
    /// Cards at most.
    pub cards_max: u64,
    /// Grid intake on the design day.
    pub facility_watts: Option<f64>,
    /// IT power, typical draw.
    pub it_watts: Option<f64>,
    /// IT power by nameplate.
    pub nameplate_watts: Option<f64>,
    /// At the output of the transformers on the design day.
    #[serde(default)]
    pub transformer_watts: Option<f64>,
    /// At the output of the uninterruptible supplies, typical draw.
    #[serde(default)]
    pub ups_watts: Option<f64>,
    /// Rated IT power times the PUE of the design day.
    #[serde(default)]
    pub nameplate_intake_watts: Option<f64>,
    /// IT heat that leaves in a liquid.
    #[serde(default)]
    pub liquid_watts: Option<f64>,
    /// IT heat that warms the air.
    #[serde(default)]
    pub air_watts: Option<f64>,
    /// Racks of all kinds.
    pub racks: Option<u64>,
    /// Floor of all racks with their aisles.
    #[serde(default)]
    pub floor_m2: Option<f64>,
    /// Capital.
    pub capex_usd: Option<f64>,
}

impl Limits {
    /// Nothing but a number of cards.
    #[must_use]
    pub fn cards(cards_min: u64, cards_max: u64) -> Self {
        Self {
            cards_min,
            cards_max,
            facility_watts: None,
            it_watts: None,
            nameplate_watts: None,
            transformer_watts: None,
            ups_watts: None,
            nameplate_intake_watts: None,
            liquid_watts: None,
            air_watts: None,
            racks: None,
            floor_m2: None,
            capex_usd: None,
        }
    }
}

/// Tensor parallelism inside an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpertTensor {
    /// An expert is whole on a device.
    One,
    /// An expert is cut like the attention.
    Tensor,
}

/// The declared space of layouts: every combination of these choices and every dp that the cards allow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// Tensor parallel degrees.
    pub tp: Vec<u64>,
    /// Pipeline stages.
    pub pp: Vec<u64>,
    /// Chunks per stage.
    pub vpp: Vec<u64>,
    /// Context parallel degrees.
    pub cp: Vec<u64>,
    /// Expert parallel degrees.
    pub ep: Vec<u64>,
    /// Tensor parallelism inside experts.
    pub etp: Vec<ExpertTensor>,
    /// Data parallel degrees; none: every one.
    #[serde(default)]
    pub dp: Option<Vec<u64>>,
    /// Sequences per micro-batch.
    pub micro_batch: Vec<u64>,
    /// Recomputation.
    pub recompute: Vec<Recompute>,
    /// Sharding stages.
    pub sharding: Vec<u8>,
    /// Sequence parallelism.
    pub sequence_parallel: Vec<bool>,
    /// Layers per chunk that recompute (0: all); empty: all.
    #[serde(default)]
    pub recompute_layers: Vec<u64>,
    /// Pipeline schedules; empty: 1F1B.
    #[serde(default)]
    pub schedule: Vec<Schedule>,
    /// Kinds of context parallelism; empty: ring.
    #[serde(default)]
    pub cp_kind: Vec<ContextKind>,
    /// Layers of each stage by hand, for as many stages as are listed (an empty list: evenly); none: evenly.
    #[serde(default)]
    pub stage_layers: Vec<StageSplit>,
    /// Switches.
    #[serde(default)]
    pub switches: SwitchSpace,
    /// Only layouts that use every device, with equal stages and chunks and a micro-batch that divides the data
    /// rank's part of the batch.
    #[serde(default)]
    pub factorized: bool,
}

impl Space {
    /// Layouts that differ in what most spaces leave alone, in declared order: layers that recompute, schedule,
    /// kind of context parallelism, layers dealt by hand. All other dimensions are those of [`Layout::default`].
    #[must_use]
    pub fn manners(&self) -> Vec<Layout> {
        let plain = Layout::default();
        let or = |given: &[u64], usual: u64| if given.is_empty() { vec![usual] } else { given.to_vec() };
        let schedules = if self.schedule.is_empty() { vec![plain.schedule] } else { self.schedule.clone() };
        let kinds = if self.cp_kind.is_empty() { vec![plain.cp_kind] } else { self.cp_kind.clone() };
        let mut found = Vec::new();
        for recompute_layers in or(&self.recompute_layers, plain.recompute_layers) {
            for &schedule in &schedules {
                for &cp_kind in &kinds {
                    for &stage_layers in &self.splits() {
                        found.push(Layout { recompute_layers, schedule, cp_kind, stage_layers, ..plain });
                    }
                }
            }
        }
        found
    }

    /// How layers may be dealt to stages.
    #[must_use]
    pub fn splits(&self) -> Vec<StageSplit> {
        if self.stage_layers.is_empty() { vec![StageSplit::default()] } else { self.stage_layers.clone() }
    }
}

/// The whole problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// `problem/1`.
    pub schema: String,
    /// Architecture.
    pub model: Model,
    /// Workload.
    pub training: Training,
    /// Framework.
    pub software: Software,
    /// What must be met.
    pub target: Target,
    /// What may not be exceeded.
    pub limits: Limits,
    /// What one rack of the halls takes.
    #[serde(default)]
    pub rack: RackCeiling,
    /// Several halls, in the order in which they are filled; empty: one, whose limits stand in `limits`.
    #[serde(default)]
    pub halls: Vec<HallSpec>,
    /// Networks beside the one of the cards.
    #[serde(default)]
    pub side_networks: Vec<SideNetwork>,
    /// Storage servers; none: they are not counted.
    #[serde(default)]
    pub storage: Option<crate::plant::store::StorageSpec>,
    /// Pieces of the power chain; none: it is not sized.
    #[serde(default)]
    pub chain: Option<ChainSpec>,
    /// Alternatives of the hardware.
    pub clusters: Vec<Cluster>,
    /// Site.
    pub site: Site,
    /// Capital.
    pub economics: Economics,
    /// Checkpoints.
    pub reliability: Recovery,
    /// Layouts.
    pub space: Space,
    /// Search.
    pub search: Search,
}

impl Problem {
    /// The framework on `cluster`.
    #[must_use]
    pub fn software_of<'a>(&'a self, cluster: &'a Cluster) -> &'a Software {
        cluster.software.as_ref().unwrap_or(&self.software)
    }

    /// What the plant needs.
    #[must_use]
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            site: self.site,
            economics: self.economics,
            recovery: self.reliability,
            rack: self.rack,
            halls: &self.halls,
            side_networks: &self.side_networks,
            storage: self.storage.as_ref(),
            parameters: self.model.trained_parameters(),
        }
    }

    /// Tokens of an optimizer step with `micro_batches` at `dp` and `micro_batch`.
    #[must_use]
    pub fn tokens_per_step(&self, dp: u64, micro_batch: u64, micro_batches: u64) -> f64 {
        (dp * micro_batch * micro_batches) as f64 * f64::from(self.training.sequence)
    }

    /// Productive tokens per second that the target asks of a plant with that goodput, before failures.
    #[must_use]
    pub fn needed_rate(&self, goodput: f64) -> f64 {
        let by_days = self.target.days.map_or(0.0, |days| self.training.tokens / (days * 86_400.0));
        by_days.max(self.target.tokens_per_second.unwrap_or(0.0)) / goodput
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with the key.
    pub fn validate(&self) -> Result<(), CoreError> {
        let positive = |key: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(CoreError::invalid(key, format!("must be a positive number, not {value}")))
            }
        };
        if self.schema != "problem/1" {
            return Err(CoreError::invalid("schema", format!("must be problem/1, not {}", self.schema)));
        }
        positive("training.tokens", self.training.tokens)?;
        positive("training.sequence", f64::from(self.training.sequence))?;
        positive("training.global_batch", self.training.global_batch as f64)?;
        if !(0.0..1.0).contains(&self.training.batch_tolerance) {
            let message = format!("must be 0 or more and below 1, not {}", self.training.batch_tolerance);
            return Err(CoreError::invalid("training.batch_tolerance", message));
        }
        for (key, count) in [
            ("model.layers", self.model.layers),
            ("model.hidden", self.model.hidden),
            ("model.heads", self.model.heads),
            ("model.kv_heads", self.model.kv_heads),
            ("model.vocab", self.model.vocab),
        ] {
            positive(key, f64::from(count))?;
        }
        if let Some(moe) = self.model.moe {
            positive("model.moe.experts", f64::from(moe.experts))?;
            positive("model.moe.every", f64::from(moe.every))?;
        }
        for (key, value) in
            [("target.days", self.target.days), ("target.tokens_per_second", self.target.tokens_per_second)]
        {
            if let Some(value) = value {
                positive(key, value)?;
            }
        }
        for weight in &self.search.weights {
            positive("search.weights", weight.weight)?;
        }
        if self.search.front.len() > 4 {
            return Err(CoreError::invalid("search.front", "has more than four axes"));
        }
        if self.limits.cards_max > MOST_RANKS {
            return Err(CoreError::invalid("limits.cards_max", format!("is beyond {MOST_RANKS}")));
        }
        if self.limits.cards_min > self.limits.cards_max {
            return Err(CoreError::invalid("limits.cards_min", "is above limits.cards_max"));
        }
        if self.clusters.is_empty() {
            return Err(CoreError::invalid("clusters", "is empty"));
        }
        for (index, cluster) in self.clusters.iter().enumerate() {
            validate_cluster(index, cluster, self)?;
        }
        self.validate_reliability()?;
        self.validate_space()
    }

    fn validate_reliability(&self) -> Result<(), CoreError> {
        let terms = &self.reliability;
        let refuse = |key: &str, value: f64, what: &str| {
            Err(CoreError::invalid(format!("reliability.{key}"), format!("must be {what}, not {value}")))
        };
        let mut positive = vec![("checkpoint_bytes_per_second", terms.checkpoint_bytes_per_second)];
        positive.extend(terms.load_bytes_per_second.map(|rate| ("load_bytes_per_second", rate)));
        positive.extend(terms.interval_seconds.map(|time| ("interval_seconds", time)));
        let mut not_negative = vec![
            ("checkpoint_stall_seconds", terms.checkpoint_stall_seconds),
            ("recovery_seconds", terms.recovery_seconds),
        ];
        let mut shares = Vec::new();
        if let Some(copies) = terms.memory {
            not_negative.push(("memory.stall_seconds", copies.stall_seconds));
            not_negative.push(("memory.recovery_seconds", copies.recovery_seconds));
            shares.push(("memory.covers", copies.covers));
        }
        if let Some(model) = terms.failures {
            not_negative.extend([
                ("failures.per_link_day", model.per_link_day),
                ("failures.per_switch_day", model.per_switch_day),
                ("failures.repair_seconds", model.repair_seconds),
                ("failures.domain_repair_seconds", model.domain_repair_seconds),
                ("failures.straggler_per_server_day", model.straggler_per_server_day),
                ("failures.straggler_seconds", model.straggler_seconds),
            ]);
            let parts = model.shares;
            shares.extend([
                ("failures.shares.card", parts.card),
                ("failures.shares.host", parts.host),
                ("failures.shares.nic", parts.nic),
                ("failures.shares.software", parts.software),
                ("failures.shares", parts.hardware() + parts.software - 1e-9),
            ]);
            if !(0.0..1.0).contains(&model.spare_confidence) {
                return refuse("failures.spare_confidence", model.spare_confidence, "0 or more and below 1");
            }
            if !(model.straggler_slowdown.is_finite() && model.straggler_slowdown >= 1.0) {
                return refuse("failures.straggler_slowdown", model.straggler_slowdown, "1 or more");
            }
        }
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return refuse(key, value, "a positive number");
            }
        }
        for (key, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(key, value, "0 or more");
            }
        }
        for (key, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return refuse(key, value, "between 0 and 1");
            }
        }
        Ok(())
    }

    fn validate_space(&self) -> Result<(), CoreError> {
        let space = &self.space;
        for (key, degrees) in [
            ("space.tp", &space.tp),
            ("space.pp", &space.pp),
            ("space.vpp", &space.vpp),
            ("space.cp", &space.cp),
            ("space.ep", &space.ep),
            ("space.micro_batch", &space.micro_batch),
        ] {
            if degrees.is_empty() || degrees.iter().any(|degree| !(1..=MOST_DEGREE).contains(degree)) {
                let message = format!("needs at least one degree, each 1 to {MOST_DEGREE}");
                return Err(CoreError::invalid(key, message));
            }
        }
        let empty = [
            ("space.etp", space.etp.is_empty()),
            ("space.recompute", space.recompute.is_empty()),
            ("space.sharding", space.sharding.is_empty()),
            ("space.sequence_parallel", space.sequence_parallel.is_empty()),
        ];
        for (key, is_empty) in empty {
            if is_empty {
                return Err(CoreError::invalid(key, "is empty"));
            }
        }
        if space.sharding.iter().any(|&stage| stage > 3) {
            return Err(CoreError::invalid("space.sharding", "stages are 0 to 3"));
        }
        space.switches.validate()
    }
}

fn validate_cluster(index: usize, cluster: &Cluster, problem: &Problem) -> Result<(), CoreError> {
    let key = |name: &str| format!("clusters[{index}].{name}");
    let positive = |name: &str, value: f64| {
        if value.is_finite() && value > 0.0 {
            Ok(())
        } else {
            Err(CoreError::invalid(key(name), format!("must be a positive number, not {value}")))
        }
    };
    positive("device.memory", cluster.device.memory.0)?;
    positive("device.memory_bandwidth", cluster.device.memory_bandwidth.0)?;
    positive("device.peak.bf16", cluster.device.peak.bf16.0)?;
    positive("card_tdp", cluster.card_tdp.0)?;
    for (name, count) in [
        ("devices_per_card", cluster.devices_per_card),
        ("cards_per_server", cluster.cards_per_server),
        ("unit_cards", cluster.unit_cards),
        ("domain_cards", cluster.domain_cards),
    ] {
        positive(name, count as f64)?;
    }
    for (name, is_empty) in [
        ("fabrics", cluster.fabrics.is_empty()),
        ("coolings", cluster.coolings.is_empty()),
        ("power_caps", cluster.power_caps.is_empty()),
    ] {
        if is_empty {
            return Err(CoreError::invalid(key(name), "is empty"));
        }
    }
    if cluster.levels.len() + 4 > crate::network::MAX_LEVELS {
        return Err(CoreError::invalid(key("levels"), "has more levels than a network may have"));
    }
    for cap in &cluster.power_caps {
        if cluster.card_power().clock_at_cap(*cap).is_none_or(|clock| clock <= 0.0) {
            return Err(CoreError::invalid(
                key("power_caps"),
                format!("a cap of {cap} of the board power is below what the card draws when idle"),
            ));
        }
    }
    if cluster.device.peak.at(problem.training.precision).is_none() {
        return Err(CoreError::invalid(
            key("device.peak"),
            format!("{} has no peak at the precision asked for", cluster.accelerator),
        ));
    }
    Ok(())
}
