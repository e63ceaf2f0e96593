//! What is told of a service.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluate::design::{
    Cards, CostAnswer, FabricAnswer, FacilityAnswer, LevelAnswer, ReliabilityAnswer,
};
use crate::fabric::FabricKind;
use crate::service::simulated::Simulated;
use crate::service::watts::ServiceDraw;
use crate::serving::answer::Verdict;
use crate::serving::case::{Instance, Mode, Precisions};
use crate::serving::memory::ServingMemory;
use crate::serving::operating::Latency;
use crate::serving::step::StepTimes;

/// One pool of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolAnswer {
    /// `serve`, `prefill` or `decode`.
    pub role: &'static str,
    /// Layout of an instance.
    pub instance: Instance,
    /// Instances at work.
    pub instances: u64,
    /// Further ones that stand by.
    pub spare_instances: u64,
    /// Cards of the instances at work.
    pub active_cards: f64,
    /// Cards of the pool's servers.
    pub cards: u64,
    /// Requests per second that the pool carries at most.
    pub most_requests_per_second: f64,
    /// Share of that in use.
    pub load: f64,
    /// Sequences in decode per instance (prefill: prompts in a full step).
    pub batch: f64,
    /// Sequences that an instance holds at most.
    pub batch_limit: f64,
    /// Mean step by cause.
    pub step: StepTimes,
    /// Mean step.
    pub step_seconds: f64,
    /// Share of the steps that hold prompt tokens.
    pub mixed_share: f64,
    /// Tokens per second and card of the pool at its most: prompt tokens for prefill, output tokens else.
    pub tokens_per_second_per_card: f64,
    /// Memory of the fullest device.
    pub memory: ServingMemory,
}

/// Cost of a million output tokens (generic: items) at shares of what the service could do all year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CostPerMillion {
    /// Load as a share of the most the service carries.
    pub load: f64,
    /// US dollars; none: some prices are not known.
    pub usd: Option<f64>,
    /// Cost of a year at that load.
    pub tco_usd_per_year: Option<f64>,
}

impl ServiceDesign {
    /// Says that no more than `rate` is carried: a simulation refuted what the closed forms say, or a limit on power is
    /// met.
    pub fn hold_to(&mut self, rate: f64) {
        let share = rate / self.most_requests_per_second;
        self.most_requests_per_second = rate;
        self.most_tokens_per_second_per_card *= share;
        for cost in &mut self.cost_per_million {
            cost.usd = cost.usd.map(|usd| usd / share);
        }
    }
}

/// A service in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceDesign {
    /// Index into the problem's clusters.
    pub cluster: usize,
    /// Index into the cluster's fabrics.
    pub fabric_index: usize,
    /// Index into the cluster's coolings.
    pub cooling_index: usize,
    /// Index into the sets of formats.
    pub precision_index: usize,
    /// System id.
    pub system: String,
    /// Accelerator id.
    pub accelerator: String,
    /// Share of the board power.
    pub power_cap: f64,
    /// Clock under it.
    pub clock: f64,
    /// Formats; none for generic items.
    pub precisions: Option<Precisions>,
    /// Together or apart.
    pub mode: Mode,
    /// The pools.
    pub pools: Vec<PoolAnswer>,
    /// Which pool runs full first.
    pub binding_pool: &'static str,
    /// Cards bought.
    pub cards: Cards,
    /// Load that it was evaluated at.
    pub requests_per_second: f64,
    /// Highest load within the latencies.
    pub most_requests_per_second: f64,
    /// The same by the closed forms, where a simulation refuted it and confirmed less.
    pub closed_requests_per_second: Option<f64>,
    /// How the load sits.
    pub verdict: Verdict,
    /// Time to the first token (generic: of an item).
    pub ttft: Option<Latency>,
    /// The part of its mean that is service; the rest is queue.
    pub ttft_service_seconds: Option<f64>,
    /// Transfer of the cache that a request waits for.
    pub transfer_seconds: f64,
    /// Time per output token.
    pub tpot: Option<Latency>,
    /// From arrival to the last token, mean.
    pub request_seconds: Option<f64>,
    /// Output tokens (generic: items) per second at the load.
    pub output_tokens_per_second: f64,
    /// The same per card bought: all pools, spares included.
    pub output_tokens_per_second_per_card: f64,
    /// At the highest load, per card at work.
    pub most_tokens_per_second_per_card: f64,
    /// Prefill instances per decode instance; none: together.
    pub prefill_per_decode: Option<f64>,
    /// What it draws at its mean load; none: shares by phase are not known.
    pub draw: Option<ServiceDraw>,
    /// Cost at full, half and 30 % load.
    pub cost_per_million: Vec<CostPerMillion>,
    /// What a simulation of it measured; none: not simulated.
    pub simulated: Option<Simulated>,
    /// Rules that it breaks.
    pub broken_rules: Vec<&'static str>,
    /// Limits that it exceeds.
    pub over_limits: Vec<&'static str>,
    /// Network.
    pub fabric: FabricAnswer,
    /// Building.
    pub facility: FacilityAnswer,
    /// Money.
    pub cost: CostAnswer,
    /// Failures.
    pub reliability: ReliabilityAnswer,
    /// Levels of the network.
    pub network: Vec<LevelAnswer>,
}

/// A service in one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceSummary {
    /// System id.
    pub system: String,
    /// Fabric id.
    pub fabric: String,
    /// Its kind.
    pub fabric_kind: FabricKind,
    /// Its oversubscription.
    pub oversubscription: f64,
    /// Cooling kind.
    pub cooling: String,
    /// Share of the board power.
    pub power_cap: f64,
    /// Formats; none for generic items.
    pub precisions: Option<Precisions>,
    /// Together or apart.
    pub mode: Mode,
    /// Instances and layouts, prefill first.
    pub pools: Vec<(u64, Instance)>,
    /// Cards bought.
    pub cards: u64,
    /// The load.
    pub requests_per_second: f64,
    /// On the design day.
    pub facility_megawatts: f64,
    /// Capital.
    pub capex_usd: Option<f64>,
    /// A year.
    pub tco_usd_per_year: Option<f64>,
}

/// A service of as many cards as the answer that could carry more: the answer draws less at the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stronger {
    /// The service.
    pub service: ServiceSummary,
    /// The most that it carries by the closed forms.
    pub most_requests_per_second: f64,
}

/// A service that the closed forms put first and a simulation refuted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refuted {
    /// The service.
    pub service: ServiceSummary,
    /// What the simulation measured.
    pub simulated: Simulated,
}

/// A point of the trade between users' speed and cards' yield.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TradePoint {
    /// Output tokens per second of one user: 1 / TPOT.
    pub tokens_per_second_per_user: f64,
    /// Output tokens per second and card at work, prefill cards included.
    pub tokens_per_second_per_card: f64,
    /// Together or apart.
    pub mode: Mode,
    /// Layout of the decoding instance.
    pub instance: Instance,
    /// Sequences in decode per instance.
    pub batch: f64,
}

/// What comes nearest when the answer is no.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceNearest {
    /// `target`, `limits`, `memory` or `layout`.
    pub what: &'static str,
    /// In words.
    pub why: String,
    /// The design, if there is one.
    pub design: Option<ServiceDesign>,
    /// Least time per output token that any layout reaches, seconds.
    pub best_tpot_seconds: Option<f64>,
    /// Least time to the first token that any layout reaches, seconds.
    pub best_ttft_seconds: Option<f64>,
}

/// Counts of the search.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServiceCounts {
    /// Layouts on all grounds.
    pub enumerated: u64,
    /// Those that did not do, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Operating points worked out.
    pub timed: u64,
    /// Of a search that was cut short: the share by which its answer could still be improved, by a bound that needs no
    /// layout.
    pub bound_gap: Option<f64>,
}

/// `service-result/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceResult {
    /// Version.
    pub schema: &'static str,
    /// The answer: yes or no.
    pub feasible: bool,
    /// Whether the whole space was worked through and the best simulated, where it is to be.
    pub complete: bool,
    /// The best service.
    pub best: Option<ServiceDesign>,
    /// Pareto front over the axes asked for.
    pub front: Vec<ServiceSummary>,
    /// What would have come first, had a simulation not refuted it.
    pub refuted: Vec<Refuted>,
    /// The best of other kinds.
    pub runners_up: Vec<ServiceSummary>,
    /// Of as many cards as the best, the one that carries most, if that is more by [`crate::service::sized::WORTH_TELLING`].
    pub stronger: Option<Stronger>,
    /// Trade between users' speed and cards' yield, on the ground of the best.
    pub trade: Vec<TradePoint>,
    /// When the answer is no.
    pub nearest: Option<ServiceNearest>,
    /// What binds.
    pub binding: Vec<String>,
    /// Most load over the load asked for, minus 1.
    pub margin: Option<f64>,
    /// Counts.
    pub search: ServiceCounts,
}
