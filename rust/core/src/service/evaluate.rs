//! One service evaluated: the function that the search calls for its winner and `evaluate` for the user's.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::evaluate::design::Cards;
use crate::evaluate::standby::Standby;
use crate::evaluate::{
    cost_answer, exceeded, fabric_answer, facility_answer, network_answer, reliability_answer,
};
use crate::plant::{Choice, Plant, fabric_design, plant};
use crate::service::answer::{CostPerMillion, PoolAnswer, ServiceDesign};
use crate::service::ground::{Candidate, Ground, Place, Roles};
use crate::service::problem::{Served, ServiceProblem};
use crate::service::simulated::{Effort, simulate};
use crate::service::sizes::{Field, Group, Way};
use crate::service::watts::{Drawn, all_cards, pools_at, service_draw};
use crate::serving::answer::Verdict;
use crate::serving::case::Instance;
use crate::serving::exchange::serving_network;
use crate::serving::operating::{Latency, Operating};
use crate::serving::replica::{lanes, steps_of_request};

const SECONDS_PER_YEAR: f64 = 365.0 * 86_400.0;
/// Loads at which a million tokens is priced.
const LOADS: [f64; 3] = [1.0, 0.5, 0.3];

/// Instances of one layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedPool {
    /// Layout.
    pub instance: Instance,
    /// Instances at work.
    pub instances: u64,
}

/// A service to evaluate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceChoice {
    /// Index into the problem's clusters.
    pub cluster: usize,
    /// Index into the cluster's fabrics.
    pub fabric: usize,
    /// Index into the cluster's coolings.
    pub cooling: usize,
    /// Index into the cluster's power caps.
    pub cap: usize,
    /// Index into the sets of formats.
    pub precision: usize,
    /// Cards bought; none: the fewest that hold the pools.
    pub cards: Option<u64>,
    /// A prefill pool of its own.
    pub prefill: Option<NamedPool>,
    /// The pool that decodes.
    pub main: NamedPool,
}

/// Evaluates a named service, within its latencies or not.
///
/// # Errors
/// Indices out of range, layouts that are not lawful or do not fit, a plant that cannot be built.
pub fn evaluate(problem: &ServiceProblem, choice: &ServiceChoice) -> Result<ServiceDesign, CoreError> {
    let place = Place {
        cluster: choice.cluster,
        fabric: choice.fabric,
        cap: choice.cap,
        precision: choice.precision,
    };
    let cluster = problem
        .clusters
        .get(place.cluster)
        .ok_or_else(|| CoreError::invalid("design.cluster", "is out of range"))?;
    let inside = place.fabric < cluster.fabrics.len()
        && choice.cooling < cluster.coolings.len()
        && place.cap < cluster.power_caps.len()
        && place.precision < problem.precision_choices();
    if !inside {
        return Err(CoreError::invalid("design", "an index is out of range"));
    }
    let ground = Ground::new(problem, place)?
        .ok_or_else(|| CoreError::invalid("design.precision", "the chip has no peak at this precision"))?;
    let mut candidates = Vec::new();
    for pool in choice.prefill.iter().chain([&choice.main]) {
        let roles = Roles { together: choice.prefill.is_none(), apart: choice.prefill.is_some() };
        let found = ground.candidate(pool.instance, None, roles).map_err(|misfit| {
            CoreError::invalid(
                "design.layout",
                format!("{:?} breaks the rule {}", pool.instance, misfit.name()),
            )
        })?;
        candidates.push(found);
    }
    let main = Group { candidate: candidates.len() - 1, instances: choice.main.instances.max(1) };
    let prefill = choice.prefill.map(|pool| Group { candidate: 0, instances: pool.instances.max(1) });
    let field = Field { ground, candidates, enumerated: 0, rejected: std::collections::BTreeMap::new() };
    let way = field.way(prefill, main);
    let units = choice.cards.map_or(way.units, |cards| cards.div_ceil(cluster.unit_cards));
    if units < way.units {
        let needed = way.units * cluster.unit_cards;
        return Err(CoreError::invalid("design.cards", format!("the pools need {needed} cards")));
    }
    let mut told = design(&field, &way, choice.cooling, units, problem.target.requests_per_second)?;
    if let Some(seed) = problem.search.seed.filter(|_| told.verdict == Verdict::Stable) {
        told.simulated = simulate(&field, &way, told.requests_per_second, seed, Effort::QUICK);
    }
    Ok(told)
}

/// The whole answer for a way on `units` purchase units at `rate`; none: at the most it carries.
///
/// # Errors
/// A plant that cannot be built.
pub fn design(
    field: &Field,
    way: &Way,
    cooling: usize,
    units: u64,
    rate: Option<f64>,
) -> Result<ServiceDesign, CoreError> {
    let ground = &field.ground;
    let (problem, cluster, place) = (ground.problem, ground.cluster, ground.place);
    let at = Choice {
        cluster,
        fabric: ground.fabric,
        cooling: &cluster.coolings[cooling],
        clock: ground.clock,
        power_cap: cluster.power_caps[place.cap],
    };
    let built = plant(&at, &problem.terms(), units).map_err(|why| CoreError::invalid("design", why))?;
    let (most, prefill_binds) = field.capacity(way);
    let rate = rate.unwrap_or(most);
    let built = Drawn::new(field, way, rate).on(ground, &at, built);
    let told = Told::new(field, way, rate, most);
    let active = way.devices.div_ceil(cluster.devices_per_card);
    let mut over_limits = exceeded(&problem.limits, &built);
    if !at.cooling.holds(at.power_cap) {
        over_limits.push("site.hot_day");
    }
    let output = output_tokens(problem);
    let mut broken = told.broken(field, rate);
    let per_card = rate * output / built.cards as f64;
    if problem.target.tokens_per_second_per_card.is_some_and(|least| per_card < least) {
        broken.push("tokens_per_second_per_card");
    }
    if !over_limits.is_empty() {
        broken.push("limits");
    }
    let million = |load: f64| {
        let year = match pools_at(field, way, most * load) {
            Some(pools) => {
                let watts = all_cards(ground, &pools, built.cards);
                built.clone().drawing(&at, &problem.terms(), watts, watts).tco_usd_per_year
            }
            None => built.tco_usd_per_year,
        };
        let tokens = most * output * load * SECONDS_PER_YEAR / 1e6;
        let tco_usd_per_year = year.map(|usd| usd.0);
        CostPerMillion { load, usd: tco_usd_per_year.map(|usd| usd / tokens), tco_usd_per_year }
    };
    let design_of_instance = fabric_design(cluster, ground.fabric, built.servers.max(2));
    let network = design_of_instance
        .map(|tiers| network_answer(&serving_network(cluster, ground.fabric, &tiers, &problem.constants)))
        .unwrap_or_default();
    Ok(ServiceDesign {
        cluster: place.cluster,
        fabric_index: place.fabric,
        cooling_index: cooling,
        precision_index: place.precision,
        system: cluster.system.clone(),
        accelerator: cluster.accelerator.clone(),
        power_cap: at.power_cap,
        clock: ground.clock,
        precisions: ground.question().map(|question| question.precisions),
        mode: way.mode(),
        binding_pool: match (way.prefill.is_some(), prefill_binds) {
            (false, _) => "serve",
            (true, true) => "prefill",
            (true, false) => "decode",
        },
        prefill_per_decode: way.prefill.map(|front| front.instances as f64 / way.main.instances as f64),
        pools: told.pools,
        cards: Cards {
            total: built.cards,
            active,
            spare: built.cards - active,
            devices_per_card: cluster.devices_per_card,
        },
        requests_per_second: rate,
        most_requests_per_second: most,
        closed_requests_per_second: None,
        verdict: told.verdict,
        ttft: told.ttft,
        ttft_service_seconds: told.service,
        transfer_seconds: told.transfer,
        tpot: told.tpot,
        request_seconds: told.request,
        output_tokens_per_second: rate * output,
        output_tokens_per_second_per_card: per_card,
        most_tokens_per_second_per_card: most * output / active as f64,
        draw: service_draw(field, way, &built, problem.mean_rate(rate)),
        cost_per_million: LOADS.iter().map(|&load| million(load)).collect(),
        simulated: None,
        broken_rules: broken,
        over_limits,
        fabric: fabric_answer(&at, &built),
        facility: facility_answer(&at, &built, &problem.site, problem.chain.as_ref(), None),
        cost: cost_answer(&built),
        reliability: reliability_answer(&built, &Standby::none(cluster, active), 1),
        network,
    })
}

/// Output tokens of a request; 1 for an item.
#[must_use]
pub fn output_tokens(problem: &ServiceProblem) -> f64 {
    match &problem.served {
        Served::Model { lengths, .. } => lengths.output,
        Served::Generic { .. } => 1.0,
    }
}

/// How a load is served.
struct Told {
    pools: Vec<PoolAnswer>,
    verdict: Verdict,
    ttft: Option<Latency>,
    service: Option<f64>,
    transfer: f64,
    tpot: Option<Latency>,
    request: Option<f64>,
}

impl Told {
    fn new(field: &Field, way: &Way, rate: f64, most: f64) -> Self {
        let ground = &field.ground;
        let main = &field.candidates[way.main.candidate];
        let together = way.prefill.is_none();
        let each = rate / way.main.instances as f64;
        let (point, within) = point_at(ground, main, together, each);
        let generic = ground.question().is_none();
        let mut told = Self {
            pools: Vec::new(),
            verdict: Verdict::Stable,
            ttft: point.ttft,
            service: together.then_some(point.round.prompt_service + ground.software().host_request.0),
            transfer: 0.0,
            tpot: (!generic).then_some(point.tpot),
            request: None,
        };
        if generic {
            told.service = Some(point.round.step);
        }
        let mut load = point.load;
        if let Some(front) = way.prefill {
            let from = &field.candidates[front.candidate];
            told.transfer = ground.transfer(from, main);
            let (used, first) = ground.prefilling(from, front.instances as f64, rate, told.transfer);
            told.ttft = first;
            load = used;
            if let Some(pool) = prefill_answer(field, front, used, rate) {
                told.service = Some(
                    pool.step_seconds.min(pool.alone) + told.transfer + ground.software().host_request.0,
                );
                told.pools.push(pool.answer);
            }
        }
        told.pools.push(main_answer(field, way, &point, rate));
        told.verdict = if !within || load >= 1.0 {
            Verdict::Overloaded
        } else if rate > most * (1.0 + 1e-6) {
            Verdict::Backlogged
        } else {
            Verdict::Stable
        };
        if told.verdict == Verdict::Overloaded {
            told.ttft = None;
        }
        let steps = field.ground.bench(main).map_or(0.0, |bench| steps_of_request(&bench));
        told.request = told.ttft.map(|first| first.mean + steps * point.round.step);
        if generic {
            told.request = told.ttft.map(|first| first.mean);
        }
        told
    }

    /// Targets that are missed at `rate`.
    fn broken(&self, field: &Field, rate: f64) -> Vec<&'static str> {
        let target = &field.ground.problem.target;
        let mut broken = Vec::new();
        if target.offline {
            return if self.verdict == Verdict::Overloaded { vec!["target"] } else { broken };
        }
        if self.verdict == Verdict::Overloaded && rate > 0.0 {
            broken.push("target");
        }
        let late = |wanted: Option<crate::service::problem::LatencyTarget>, found: Option<Latency>| {
            wanted.is_some_and(|wanted| {
                found.is_none_or(|found| found.quantile > wanted.seconds * (1.0 + 1e-3))
            })
        };
        if late(target.ttft, self.ttft) {
            broken.push("ttft");
        }
        if self.tpot.is_some() && late(target.tpot, self.tpot) {
            broken.push("tpot");
        }
        broken
    }
}

/// The operating point at `each` requests per second and instance, and whether the instance can do so much.
///
/// # Panics
/// A candidate of another ground: it has no bench here.
#[must_use]
pub fn point_at(ground: &Ground, candidate: &Candidate, together: bool, each: f64) -> (Operating, bool) {
    let at = |batch: f64| ground.at(candidate, together, batch);
    let top = at(candidate.limit).expect("a candidate has a bench");
    if top.rate <= each {
        return (top, top.rate >= each * (1.0 - 1e-6));
    }
    let (mut low, mut high) = (0.0, candidate.limit);
    let mut best = top;
    for _ in 0..50 {
        let middle = at(f64::midpoint(low, high)).expect("a candidate has a bench");
        if middle.rate < each {
            low = middle.batch;
        } else {
            high = middle.batch;
            best = middle;
        }
        if high - low < 1e-7 * high {
            break;
        }
    }
    (best, true)
}

/// A prefill pool, and the time of a lone prompt.
struct PrefillAnswer {
    answer: PoolAnswer,
    alone: f64,
    step_seconds: f64,
}

fn prefill_answer(field: &Field, group: Group, load: f64, rate: f64) -> Option<PrefillAnswer> {
    let ground = &field.ground;
    let candidate = &field.candidates[group.candidate];
    let round = candidate.prompts?;
    let question = ground.question()?;
    let most = rate / load;
    let active = active_cards(ground, candidate, group);
    let answer = PoolAnswer {
        role: "prefill",
        instance: candidate.instance,
        instances: group.instances,
        spare_instances: field.spares(group),
        active_cards: active,
        cards: field.servers(group) * ground.cluster.cards_per_server,
        most_requests_per_second: most,
        load,
        batch: round.step / round.prompt_busy * lanes(&candidate.instance),
        batch_limit: candidate.limit * lanes(&candidate.instance),
        step: round.times,
        step_seconds: round.step,
        mixed_share: 1.0,
        tokens_per_second_per_card: most * question.lengths.input / active,
        memory: candidate.memory,
    };
    Some(PrefillAnswer { answer, alone: round.prompt_service, step_seconds: round.step })
}

fn active_cards(ground: &Ground, candidate: &Candidate, group: Group) -> f64 {
    (candidate.devices * group.instances) as f64 / ground.cluster.devices_per_card as f64
}

fn main_answer(field: &Field, way: &Way, point: &Operating, rate: f64) -> PoolAnswer {
    let ground = &field.ground;
    let candidate = &field.candidates[way.main.candidate];
    let best = if way.prefill.is_some() { candidate.decoding } else { candidate.together };
    let most = best.map_or(0.0, |best| best.rate * way.main.instances as f64);
    let active = active_cards(ground, candidate, way.main);
    PoolAnswer {
        role: if way.prefill.is_some() { "decode" } else { "serve" },
        instance: candidate.instance,
        instances: way.main.instances,
        spare_instances: field.spares(way.main),
        active_cards: active,
        cards: field.servers(way.main) * ground.cluster.cards_per_server,
        most_requests_per_second: most,
        load: if most > 0.0 { rate / most } else { f64::MAX },
        batch: point.batch * lanes(&candidate.instance),
        batch_limit: candidate.limit * lanes(&candidate.instance),
        step: point.round.times,
        step_seconds: point.round.step,
        mixed_share: point.round.mixed_share,
        tokens_per_second_per_card: most * output_tokens(ground.problem) / active,
        memory: candidate.memory,
    }
}

/// Whether a plant is inside the limits.
#[must_use]
pub fn inside(problem: &ServiceProblem, built: &Plant) -> bool {
    exceeded(&problem.limits, built).is_empty()
}
