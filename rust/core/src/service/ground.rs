//! Instances on one ground: a cluster with a fabric, a clock and a set of formats. What each layout does at its best.

use crate::error::CoreError;
use crate::hardware::{Cluster, FabricOption};
use crate::model::{Attention, Model};
use crate::plant::fabric_design;
use crate::service::generic;
use crate::service::problem::{GenericItem, LatencyTarget, Served, ServiceProblem, ServiceTarget};
use crate::serving::case::{Instance, Load, Mode, Pool, Question, ServingSoftware};
use crate::serving::exchange::{Exchange, serving_network};
use crate::serving::layer::Bench;
use crate::serving::memory::{ServingMemory, cache_bytes_of_token, memory, most_sequences};
use crate::serving::operating::{Latency, Operating, Quantiles, aggregated_at, decode_at, prefill_pool};
use crate::serving::operators::Rates;
use crate::serving::replica::{Round, lanes, prefill};
use crate::serving::units::ridge_share;

/// Load of the prompts up to which a service counts as stable.
pub const STABLE_LOAD: f64 = 0.9;
/// Batches below which nothing is gained: a lane that decodes a hundredth of the time.
pub const SMALLEST_BATCH: f64 = 0.01;

/// Where instances stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index into the problem's clusters.
    pub cluster: usize,
    /// Index into the cluster's fabrics.
    pub fabric: usize,
    /// Index into the cluster's power caps.
    pub cap: usize,
    /// Index into the sets of formats.
    pub precision: usize,
}

/// One ground.
pub struct Ground<'a> {
    /// Where.
    pub place: Place,
    /// The problem.
    pub problem: &'a ServiceProblem,
    /// Hardware.
    pub cluster: &'a Cluster,
    /// Its fabric.
    pub fabric: &'a FabricOption,
    /// Clock at the cap.
    pub clock: f64,
    software: ServingSoftware,
    /// What is served.
    pub kind: Kind<'a>,
}

/// What is served on a ground.
#[allow(clippy::large_enum_variant)] // one per ground
pub enum Kind<'a> {
    /// A language model.
    Model {
        /// The model.
        model: &'a Model,
        /// Rates of a device.
        rates: Rates,
        /// The question, of one device.
        question: Question,
    },
    /// Items that each run on one device.
    Generic {
        /// An item.
        item: &'a GenericItem,
        /// FLOP/s that large batches reach.
        rate: f64,
    },
}

/// An instance layout on a ground, with its best operating points.
pub struct Candidate {
    /// Layout.
    pub instance: Instance,
    /// Devices of an instance.
    pub devices: u64,
    /// Memory of its fullest device.
    pub memory: ServingMemory,
    /// Sequences of a lane at most.
    pub limit: f64,
    /// At the highest rate within the latencies, prompts and outputs together.
    pub together: Option<Operating>,
    /// The same for outputs alone.
    pub decoding: Option<Operating>,
    /// The step of an instance that only computes prompts, at full use.
    pub prompts: Option<Round>,
    pub(super) exchange: Option<Exchange>,
}

/// What is to be known of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Prompts and outputs together.
    pub together: bool,
    /// Prompts alone, outputs alone.
    pub apart: bool,
}

impl Roles {
    /// All that a layout may do.
    pub const ALL: Self = Self { together: true, apart: true };

    /// What the space of a problem has.
    #[must_use]
    pub fn of(problem: &ServiceProblem) -> Self {
        let has = |mode: Mode| problem.space.modes.contains(&mode);
        Self { together: has(Mode::Aggregated), apart: has(Mode::Disaggregated) }
    }
}

/// Why a candidate does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// Heads, experts or layers do not divide so, or the pieces do not make whole servers.
    Layout,
    /// The weights or a single request do not fit.
    Memory,
    /// No batch meets the latencies.
    Latency,
}

impl Misfit {
    /// Name for people and machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Layout => "layout",
            Self::Memory => "memory",
            Self::Latency => "latency",
        }
    }
}

impl<'a> Ground<'a> {
    /// The ground at `place`; none if the chip has no peak at a precision.
    ///
    /// # Errors
    /// A power cap below the idle power.
    pub fn new(problem: &'a ServiceProblem, place: Place) -> Result<Option<Self>, CoreError> {
        let cluster = &problem.clusters[place.cluster];
        let clock = cluster
            .card_power()
            .clock_at_cap(cluster.power_caps[place.cap])
            .filter(|clock| *clock > 0.0)
            .ok_or_else(|| CoreError::invalid("power_caps", "is below what the card draws when idle"))?;
        let software = problem.software[place.cluster].on(&problem.families[place.cluster]);
        let family = &problem.families[place.cluster];
        let constants = &problem.constants;
        let kind = match &problem.served {
            Served::Model { model, lengths, precisions, speculation, balanced_experts } => {
                let precisions = precisions[place.precision];
                let latent = matches!(model.attention, Attention::Mla { .. });
                let rates =
                    Rates::new(&cluster.device, clock, latent, &precisions, constants, &software, family);
                let Ok(rates) = rates else { return Ok(None) };
                let one = Instance { tp: 1, dp: 1, pp: 1, ep: 1, etp: 1 };
                let question = Question {
                    mode: Mode::Aggregated,
                    lengths: *lengths,
                    precisions,
                    speculation: *speculation,
                    pool: Pool { instance: one, instances: 1, batch: None },
                    prefill: None,
                    load: Load::Full,
                    run_requests: None,
                    balanced_experts: *balanced_experts,
                    poll_steps: 1.0,
                    clock,
                };
                Kind::Model { model, rates, question }
            }
            Served::Generic { item } => {
                let peak = cluster.device.peak.at(item.precision).filter(|peak| peak.0 > 0.0);
                let Some(peak) = peak else { return Ok(None) };
                let bandwidth = cluster.device.memory_bandwidth.0;
                let share =
                    ridge_share(constants.peak_share, peak.0 * clock / bandwidth, constants.ridge_dense);
                let slower = software.product_factor * family.products;
                Kind::Generic { item, rate: peak.0 * clock * share / slower }
            }
        };
        let fabric = &cluster.fabrics[place.fabric];
        Ok(Some(Self { place, problem, cluster, fabric, clock, software, kind }))
    }

    /// The question in the terms of the serving model; none for generic items.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        match &self.kind {
            Kind::Model { question, .. } => Some(question),
            Kind::Generic { .. } => None,
        }
    }

    /// What is served, where it is items.
    #[must_use]
    pub fn item(&self) -> Option<&GenericItem> {
        match &self.kind {
            Kind::Model { .. } => None,
            Kind::Generic { item, .. } => Some(item),
        }
    }

    /// Arithmetic per second that a device reaches on items.
    #[must_use]
    pub fn item_rate(&self) -> Option<f64> {
        match &self.kind {
            Kind::Model { .. } => None,
            Kind::Generic { rate, .. } => Some(*rate),
        }
    }

    /// The framework with the family's host times.
    #[must_use]
    pub fn software(&self) -> &ServingSoftware {
        &self.software
    }

    /// The bench of a candidate; none for generic items.
    #[must_use]
    pub fn bench<'b>(&'b self, candidate: &'b Candidate) -> Option<Bench<'b>> {
        let Kind::Model { model, rates, question } = &self.kind else { return None };
        Some(Bench {
            model,
            question,
            instance: &candidate.instance,
            rates,
            exchange: candidate.exchange.as_ref()?,
            constants: &self.problem.constants,
            software: &self.software,
        })
    }

    /// Whether `instance` is lawful here.
    #[must_use]
    pub fn lawful(&self, instance: &Instance) -> bool {
        let Instance { tp, dp, pp, ep, etp } = *instance;
        let per_server = self.cluster.devices_per_server();
        let devices = u64::from(instance.devices());
        let placed = if devices <= per_server {
            per_server.is_multiple_of(devices)
        } else {
            devices.is_multiple_of(per_server)
        };
        let Kind::Model { model, .. } = &self.kind else {
            return devices == 1;
        };
        let experts = match model.moe {
            Some(moe) => tp * dp == ep * etp && ep <= moe.experts.max(tp * dp) && moe.ffn % etp == 0,
            None => dp == 1 && ep == 1 && etp == 1,
        };
        placed && experts && model.heads % tp == 0 && pp <= model.layers
    }

    /// The candidate of a lawful layout with its operating points. `like`: the same layout at the same clock and
    /// formats on another fabric; where that makes no difference inside an instance, its points are taken over. `roles`:
    /// what is worked out.
    ///
    /// # Errors
    /// Why there is none.
    pub fn candidate(
        &self,
        instance: Instance,
        like: Option<&Candidate>,
        roles: Roles,
    ) -> Result<Candidate, Misfit> {
        if !self.lawful(&instance) {
            return Err(Misfit::Layout);
        }
        let Kind::Model { model, question, .. } = &self.kind else {
            return generic::candidate(self, instance);
        };
        let memory = memory(model, &instance, question, &self.software, self.cluster.device.memory);
        let stages = f64::from(instance.pp);
        let fits = most_sequences(model, question, &self.software, &memory);
        if fits < 1.0 {
            return Err(Misfit::Memory);
        }
        let asked = self.problem.space.most_batch.map_or(fits, |most| most / f64::from(instance.dp));
        let servers = u64::from(instance.devices()).div_ceil(self.cluster.devices_per_server()).max(2);
        let design = fabric_design(self.cluster, self.fabric, servers).map_err(|_| Misfit::Layout)?;
        let network = serving_network(self.cluster, self.fabric, &design, &self.problem.constants);
        let family = &self.problem.families[self.place.cluster];
        let exchange = Exchange::new(&network, &instance, &self.problem.constants, &self.software, family);
        let mut candidate = Candidate {
            instance,
            devices: u64::from(instance.devices()),
            memory,
            limit: (fits.min(asked) / stages).max(1.0),
            together: None,
            decoding: None,
            prompts: None,
            exchange: Some(exchange),
        };
        let twin = like.filter(|twin| twin.exchange.is_some_and(|other| exchange.same_inside(&other)));
        if let Some(twin) = twin {
            (candidate.together, candidate.decoding, candidate.prompts) =
                (twin.together, twin.decoding, twin.prompts);
            return Ok(candidate);
        }
        candidate.prompts = self.bench(&candidate).filter(|_| roles.apart).map(|bench| prefill(&bench, None));
        candidate.together = roles.together.then(|| self.best(&candidate, true)).flatten();
        candidate.decoding = roles.apart.then(|| self.best(&candidate, false)).flatten();
        Ok(candidate)
    }

    /// Shares of the requests for which latencies are asked; the median where none is.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let target = &self.problem.target;
        let of = |latency: Option<LatencyTarget>| latency.map_or(0.5, |latency| latency.quantile);
        Quantiles { ttft: of(target.ttft), tpot: of(target.tpot) }
    }

    /// What an instance does at `batch` sequences per lane.
    #[must_use]
    pub fn at(&self, candidate: &Candidate, together: bool, batch: f64) -> Option<Operating> {
        match &self.kind {
            Kind::Generic { item, rate } => {
                Some(generic::operating(self, item, *rate, candidate.limit, batch))
            }
            Kind::Model { .. } => {
                let bench = self.bench(candidate)?;
                let run = if together { aggregated_at } else { decode_at };
                Some(run(&bench, batch, self.quantiles()))
            }
        }
    }

    /// The largest batch within the latencies, the cache and a stable load, to a thousandth.
    pub(super) fn best(&self, candidate: &Candidate, together: bool) -> Option<Operating> {
        let at = |batch: f64| self.at(candidate, together, batch);
        let good = |point: &Operating| self.allowed(candidate, together, point);
        let mut low = at(SMALLEST_BATCH.min(candidate.limit)).filter(&good)?;
        let top = at(candidate.limit)?;
        if good(&top) {
            return Some(top);
        }
        let mut high = candidate.limit;
        for _ in 0..30 {
            let middle = at(libm::sqrt(low.batch * high))?;
            if good(&middle) {
                low = middle;
            } else {
                high = middle.batch;
            }
            if high < low.batch * (1.0 + 1e-3) {
                break;
            }
        }
        Some(low)
    }

    /// Whether an operating point meets the latencies, keeps its load stable and its requests in the cache.
    #[must_use]
    pub fn allowed(&self, candidate: &Candidate, together: bool, point: &Operating) -> bool {
        let target = &self.problem.target;
        let number = point.batch * lanes(&candidate.instance);
        let room = candidate.limit * lanes(&candidate.instance);
        if target.offline {
            return point.load <= 1.0;
        }
        let generic = self.item().is_some();
        if generic && point.batch > STABLE_LOAD * candidate.limit {
            return false;
        }
        let held = generic || number + 2.0 * number.sqrt() <= room || room <= 4.0;
        let first = !together
            || target
                .ttft
                .is_none_or(|wanted| point.ttft.is_some_and(|found| found.quantile <= wanted.seconds));
        held && first && point.load <= STABLE_LOAD && meets(target, &point.tpot)
    }

    /// The transfer of a prompt's cache that a request waits for, from an instance of `from` to one of `to`.
    #[must_use]
    pub fn transfer(&self, from: &Candidate, to: &Candidate) -> f64 {
        let Kind::Model { model, question, .. } = &self.kind else { return 0.0 };
        let Some(exchange) = &from.exchange else { return 0.0 };
        let bytes = cache_bytes_of_token(model, &question.precisions) * question.lengths.input;
        let devices = from.instance.tp.min(to.instance.tp) * from.instance.pp;
        exchange.cache_transfer(bytes, f64::from(devices)).0 * (1.0 - self.software.transfer_hidden)
    }

    /// Load and time to the first token of `instances` prefill instances at `rate` in all.
    #[must_use]
    pub fn prefilling(
        &self,
        candidate: &Candidate,
        instances: f64,
        rate: f64,
        transfer: f64,
    ) -> (f64, Option<Latency>) {
        let quantile = self.quantiles().ttft;
        let ready = self.bench(candidate).zip(candidate.prompts.as_ref());
        ready.map_or((1.0, None), |(bench, round)| {
            prefill_pool(&bench, round, instances, rate, transfer, quantile)
        })
    }

    /// Whether `instances` prefill instances carry `rate`.
    #[must_use]
    pub fn prefill_allowed(&self, found: &(f64, Option<Latency>)) -> bool {
        let target = &self.problem.target;
        if target.offline {
            return found.0 <= 1.0;
        }
        let first =
            target.ttft.is_none_or(|wanted| found.1.is_some_and(|first| first.quantile <= wanted.seconds));
        found.0 <= STABLE_LOAD && first
    }
}

fn meets(target: &ServiceTarget, tpot: &Latency) -> bool {
    target.tpot.is_none_or(|wanted| tpot.quantile <= wanted.seconds)
}
