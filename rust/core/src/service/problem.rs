//! A service as the caller states it: `service/1` of the wire, in SI numbers.

use serde::{Deserialize, Serialize};

use crate::chain::ChainSpec;
use crate::error::CoreError;
use crate::hardware::Cluster;
use crate::model::Model;
use crate::plant::side::SideNetwork;
use crate::plant::{Economics, HallSpec, RackCeiling, Recovery, Site, Terms};
use crate::precision::Precision;
use crate::problem::{Axis, Limits, Objective};
use crate::service::traffic::Traffic;
use crate::serving::case::{Constants, Family, Lengths, Mode, Precisions, ServingSoftware, Speculation};

/// A latency that a share of the requests must meet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyTarget {
    /// At most.
    pub seconds: f64,
    /// For this share of the requests, below 1.
    pub quantile: f64,
}

/// How surely the instances that are needed are up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// Probability, below 1.
    pub share: f64,
    /// From the failure of a server until its instance is back.
    pub repair_seconds: f64,
}

/// What the service must do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTarget {
    /// Requests (or items) per second at the peak, headroom included; none: as many as the limits allow.
    pub requests_per_second: Option<f64>,
    /// The mean over a year, for energy; none: the service runs at that load all year.
    #[serde(default)]
    pub mean_requests_per_second: Option<f64>,
    /// Time to the first token (generic: of the whole item).
    pub ttft: Option<LatencyTarget>,
    /// Time per output token.
    pub tpot: Option<LatencyTarget>,
    /// Output tokens per second and card at least.
    pub tokens_per_second_per_card: Option<f64>,
    /// No latency matters: batches as large as the cache holds, no room for random arrivals.
    pub offline: bool,
    /// Instances of each pool beyond those needed, at least.
    pub spare_instances: u32,
    /// As many instances as are needed are up with this probability; none: only the spares above stand by.
    #[serde(default)]
    pub availability: Option<Availability>,
}

/// Items of a generic load: vision, recommendation, speech.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenericItem {
    /// Arithmetic per item.
    pub flops: f64,
    /// Memory traffic per item, weights not counted.
    pub bytes: f64,
    /// Memory per item in flight.
    pub memory: f64,
    /// Weights: held once per device, read once per batch.
    pub weights: f64,
    /// Of the arithmetic.
    pub precision: Precision,
    /// Items at most in a batch.
    pub most_batch: u32,
}

/// What is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[allow(clippy::large_enum_variant)] // one per problem
pub enum Served {
    /// A language model.
    Model {
        /// Architecture.
        model: Model,
        /// Lengths of requests.
        lengths: Lengths,
        /// Formats and precisions to choose from: the user's whitelist.
        precisions: Vec<Precisions>,
        /// Speculative decoding.
        speculation: Option<Speculation>,
        /// Experts are balanced perfectly.
        balanced_experts: bool,
    },
    /// Items that each run on one device.
    Generic {
        /// An item.
        item: GenericItem,
    },
}

/// The declared space: every lawful combination of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpace {
    /// Tensor parallel degrees of the attention.
    pub tp: Vec<u32>,
    /// Data parallel degrees of the attention (1 for dense models).
    pub dp: Vec<u32>,
    /// Pipeline stages.
    pub pp: Vec<u32>,
    /// Expert parallel degrees; none: 1 and all devices of a stage.
    pub ep: Option<Vec<u32>>,
    /// Together, apart, or both to choose from.
    pub modes: Vec<Mode>,
    /// Sequences of an instance at most; none: what fits.
    pub most_batch: Option<f64>,
}

/// How to search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSearch {
    /// What is best.
    pub objective: Objective,
    /// At most four.
    pub front: Vec<Axis>,
    /// Threads; none: all cores.
    pub threads: Option<usize>,
    /// Of the simulation that confirms the best; none: nothing is simulated.
    #[serde(default)]
    pub seed: Option<u64>,
    /// What it draws or replays; none: Poisson arrivals, log-normal lengths.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// The search is cut short after so long.
    #[serde(default)]
    pub time_limit_seconds: Option<f64>,
}

/// The whole problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceProblem {
    /// `service/1`.
    pub schema: String,
    /// What is served.
    pub served: Served,
    /// Constants of the serving model.
    pub constants: Constants,
    /// What must be met.
    pub target: ServiceTarget,
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
    /// Storage servers, for weights and logs; none: they are not counted.
    #[serde(default)]
    pub storage: Option<crate::plant::store::StorageSpec>,
    /// Pieces of the power chain; none: it is not sized.
    #[serde(default)]
    pub chain: Option<ChainSpec>,
    /// Alternatives of the hardware.
    pub clusters: Vec<Cluster>,
    /// The framework of each.
    pub software: Vec<ServingSoftware>,
    /// The chip family of each.
    pub families: Vec<Family>,
    /// Site.
    pub site: Site,
    /// Capital.
    pub economics: Economics,
    /// Not used by services yet, but part of a plant.
    pub reliability: Recovery,
    /// Layouts.
    pub space: ServiceSpace,
    /// Search.
    pub search: ServiceSearch,
}

impl ServiceProblem {
    /// The load that energy is counted at, of a service built for `rate`.
    #[must_use]
    pub fn mean_rate(&self, rate: f64) -> f64 {
        self.target.mean_requests_per_second.map_or(rate, |mean| mean.min(rate))
    }

    /// What the plant needs.
    #[must_use]
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            site: self.site,
            economics: self.economics,
            recovery: self.reliability,
            parameters: 0.0,
            rack: self.rack,
            halls: &self.halls,
            side_networks: &self.side_networks,
            storage: self.storage.as_ref(),
        }
    }

    /// Sets of formats to choose from; one for generic items.
    #[must_use]
    pub fn precision_choices(&self) -> usize {
        match &self.served {
            Served::Model { precisions, .. } => precisions.len(),
            Served::Generic { .. } => 1,
        }
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with the key.
    pub fn validate(&self) -> Result<(), CoreError> {
        if self.schema != "service/1" {
            return Err(CoreError::invalid("schema", format!("must be service/1, not {}", self.schema)));
        }
        let count = self.clusters.len();
        if count == 0 || self.software.len() != count || self.families.len() != count {
            return Err(CoreError::invalid("clusters", "each needs its software and its family"));
        }
        let positive = |key: &str, value: Option<f64>| match value {
            Some(value) if !(value.is_finite() && value > 0.0) => {
                Err(CoreError::invalid(key, format!("must be a positive number, not {value}")))
            }
            _ => Ok(()),
        };
        positive("target.requests_per_second", self.target.requests_per_second)?;
        positive("target.mean_requests_per_second", self.target.mean_requests_per_second)?;
        positive("target.tokens_per_second_per_card", self.target.tokens_per_second_per_card)?;
        for (key, latency) in [("target.ttft", self.target.ttft), ("target.tpot", self.target.tpot)] {
            positive(key, latency.map(|latency| latency.seconds))?;
            if latency.is_some_and(|latency| !(0.0..1.0).contains(&latency.quantile)) {
                return Err(CoreError::invalid(key, "its quantile must be 0 or more and below 1"));
            }
        }
        if let Some(wanted) = self.target.availability {
            positive("target.availability.repair_seconds", Some(wanted.repair_seconds))?;
            if !(wanted.share > 0.0 && wanted.share < 1.0) {
                return Err(CoreError::invalid("target.availability", "must be above 0 and below 1"));
            }
        }
        if self.limits.cards_min > self.limits.cards_max {
            return Err(CoreError::invalid("limits.cards_min", "is above limits.cards_max"));
        }
        positive("search.time_limit_seconds", self.search.time_limit_seconds)?;
        self.validate_served()?;
        if let Some(traffic) = &self.search.traffic {
            traffic.validate(matches!(self.served, Served::Generic { .. }))?;
        }
        let space = &self.space;
        for (key, degrees) in [
            ("space.tp", Some(&space.tp)),
            ("space.dp", Some(&space.dp)),
            ("space.pp", Some(&space.pp)),
            ("space.ep", space.ep.as_ref()),
        ] {
            if degrees.is_some_and(|list| list.is_empty() || list.iter().any(|d| !(1..=4096).contains(d))) {
                return Err(CoreError::invalid(key, "needs at least one degree, each 1 to 4096"));
            }
        }
        if space.modes.is_empty()
            || space.modes.iter().any(|mode| matches!(mode, Mode::Prefill | Mode::Decode))
        {
            return Err(CoreError::invalid("space.modes", "are aggregated and disaggregated"));
        }
        Ok(())
    }

    fn validate_served(&self) -> Result<(), CoreError> {
        match &self.served {
            Served::Model { lengths, precisions, speculation, .. } => {
                if precisions.is_empty() {
                    return Err(CoreError::invalid("served.precisions", "is empty"));
                }
                let sound = lengths.input.is_finite() && lengths.input >= 1.0 && lengths.output >= 1.0;
                if !sound || !lengths.output.is_finite() {
                    return Err(CoreError::invalid("served.lengths", "must be at least one token each"));
                }
                if !(0.0..1.0).contains(&lengths.prefix_hit) {
                    return Err(CoreError::invalid(
                        "served.lengths.prefix_hit",
                        "must be 0 or more, below 1",
                    ));
                }
                if speculation.is_some_and(|draft| !(0.0..=1.0).contains(&draft.acceptance)) {
                    return Err(CoreError::invalid("served.speculation.acceptance", "must be 0 to 1"));
                }
            }
            Served::Generic { item } => {
                let sizes = [item.flops, item.bytes, item.memory, item.weights];
                if sizes.iter().any(|size| !(size.is_finite() && *size >= 0.0))
                    || item.flops + item.bytes <= 0.0
                {
                    return Err(CoreError::invalid("served.item", "needs flops or bytes above zero"));
                }
            }
        }
        Ok(())
    }
}
