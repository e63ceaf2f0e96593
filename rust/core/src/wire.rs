//! The boundary: a versioned JSON request in, a versioned JSON result out.

mod nearest;
mod prices;

use std::collections::BTreeMap;
use std::time::Instant;

use nearest::{Nearest, nearest};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::detail::{DetailRequest, detail};
use crate::error::CoreError;
use crate::evaluate::design::Design;
use crate::evaluate::{DesignChoice, evaluate};
use crate::hardware::Cluster;
use crate::model::Model;
use crate::problem::Problem;
use crate::search::rate::evaluation_rate;
use crate::search::{Found, Outcome, Progress, solved};
use crate::service;
use crate::service::evaluate::ServiceChoice;
use crate::service::problem::ServiceProblem;
use crate::serving::answer::{ServingAnswer, Setting, answer};
use crate::serving::case::{Constants, Family, Question, ServingSoftware};
use crate::supply::{SupplyInputs, supply};
use crate::training::layout::Layout;

/// A request to evaluate one design.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluateRequest {
    problem: Problem,
    design: DesignChoice,
}

/// A plan of the front or a runner-up, in brief.
#[derive(Clone, Debug, Serialize)]
struct Summary {
    system: String,
    fabric: String,
    fabric_kind: crate::fabric::FabricKind,
    oversubscription: f64,
    cooling: String,
    power_cap: f64,
    cards: u64,
    layout: Layout,
    step_seconds: f64,
    days: f64,
    tokens_per_second: f64,
    facility_megawatts: f64,
    capex_usd: Option<f64>,
    tco_usd_per_year: Option<f64>,
}

/// Counts of the search.
#[derive(Clone, Debug, Serialize)]
struct Counts {
    enumerated: u64,
    rejected: std::collections::BTreeMap<&'static str, u64>,
    bounded: u64,
    bounded_by: std::collections::BTreeMap<&'static str, u64>,
    timed: u64,
    bound_gap: Option<f64>,
    refused_sizes: Vec<(String, u64)>,
}

/// The best plan on the plant of the answer with another number of spares.
#[derive(Clone, Debug, Serialize)]
struct SpareChoice {
    servers: u64,
    days: f64,
    tokens_per_second: f64,
}

fn spare_choice(problem: &Problem, found: &Found) -> SpareChoice {
    let cluster = &problem.clusters[found.cluster];
    let active = found.best.layout.devices().div_ceil(cluster.devices_per_card);
    SpareChoice {
        servers: (found.cards - active) / cluster.cards_per_server,
        days: found.days,
        tokens_per_second: found.effective_rate,
    }
}

/// `result/1`.
#[derive(Clone, Debug, Serialize)]
struct Answer {
    schema: &'static str,
    feasible: bool,
    complete: bool,
    best: Option<Design>,
    front: Vec<Summary>,
    front_total: usize,
    runners_up: Vec<Summary>,
    similar_layouts: u64,
    other_spares: Vec<SpareChoice>,
    nearest: Option<Nearest>,
    binding: Vec<String>,
    margin: Option<f64>,
    prices: Option<Vec<prices::PriceAnswer>>,
    search: Counts,
}

fn read<'a, T: Deserialize<'a>>(request: &'a [u8]) -> Result<T, CoreError> {
    serde_json::from_slice(request).map_err(|error| CoreError::Wire(error.to_string()))
}

fn write(answer: &impl Serialize) -> Result<Vec<u8>, CoreError> {
    serde_json::to_vec(answer).map_err(|error| CoreError::Wire(error.to_string()))
}

/// Answers a `problem/1` with a `result/1`.
///
/// # Errors
/// A request that cannot be read or contradicts itself.
pub fn size_json(
    request: &[u8],
    progress: &mut (dyn FnMut(Progress) -> bool + Send),
) -> Result<Vec<u8>, CoreError> {
    let problem: Problem = read(request)?;
    let threads = problem.search.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| CoreError::invalid("search.threads", error.to_string()))?;
    pool.install(|| size(&problem, progress)).and_then(|answer| write(&answer))
}

/// Like [`size_json`], in the pool of the caller: `search.threads` does not count.
///
/// # Errors
/// As for [`size_json`].
pub fn search_json(request: &[u8], progress: &mut dyn FnMut(Progress) -> bool) -> Result<Vec<u8>, CoreError> {
    size(&read(request)?, progress).and_then(|answer| write(&answer))
}

/// Evaluates one design of a problem.
///
/// # Errors
/// A request that cannot be read, or a design that cannot be built at all.
pub fn evaluate_json(request: &[u8]) -> Result<Vec<u8>, CoreError> {
    let request: EvaluateRequest = read(request)?;
    request.problem.validate()?;
    write(&evaluate(&request.problem, &request.design)?)
}

/// Supply of many inputs: a list of `SupplyInputs` to a list of answers.
///
/// # Errors
/// A request that cannot be read, or a number that makes no sense.
pub fn supply_json(request: &[u8]) -> Result<Vec<u8>, CoreError> {
    let inputs: Vec<SupplyInputs> = read(request)?;
    write(&inputs.iter().map(supply).collect::<Result<Vec<_>, _>>()?)
}

/// Counts the parts of a fabric.
///
/// # Errors
/// A request that cannot be read, or a fabric that cannot be built.
pub fn fabric_json(request: &[u8]) -> Result<Vec<u8>, CoreError> {
    let request: DetailRequest = read(request)?;
    write(&detail(&request).map_err(|why| CoreError::invalid("fabric", why))?)
}

/// Measures how many layouts of a problem are evaluated per second on one core.
///
/// # Errors
/// A request that cannot be read or contradicts itself.
pub fn rate_json(request: &[u8], seconds: f64) -> Result<Vec<u8>, CoreError> {
    let problem: Problem = read(request)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| CoreError::invalid("search.threads", error.to_string()))?;
    pool.install(|| evaluation_rate(&problem, seconds)).and_then(|rate| write(&rate))
}

fn size(problem: &Problem, progress: &mut dyn FnMut(Progress) -> bool) -> Result<Answer, CoreError> {
    let start = Instant::now();
    let solved = solved(problem, progress)?;
    let prices =
        if problem.search.prices { Some(prices::prices(problem, &solved, start, progress)?) } else { None };
    let outcome = solved.outcome;
    let best = outcome.best.map(|found| design(problem, &found)).transpose()?;
    let nearest = if best.is_none() && outcome.complete { Some(nearest(problem, &outcome)?) } else { None };
    let (binding, margin) = best.as_ref().map_or((Vec::new(), None), |best| binding(problem, best));
    Ok(Answer {
        schema: "result/1",
        feasible: best.is_some(),
        complete: outcome.complete,
        front: outcome.front.iter().map(|found| summary(problem, found)).collect(),
        front_total: outcome.front_total,
        runners_up: outcome.runners_up.iter().map(|found| summary(problem, found)).collect(),
        similar_layouts: outcome.similar,
        other_spares: outcome.other_spares.iter().map(|found| spare_choice(problem, found)).collect(),
        binding: nearest.as_ref().map_or(binding, |nearest| vec![nearest.what.to_string()]),
        nearest,
        best,
        margin,
        prices,
        search: counts(&outcome),
    })
}

fn counts(outcome: &Outcome) -> Counts {
    let Outcome { tally, refusals, gap, .. } = outcome;
    Counts {
        enumerated: tally.enumerated,
        rejected: tally.rejected.iter().map(|(rule, count)| (rule.name(), count)).collect(),
        bounded: tally.bounded.total(),
        bounded_by: tally.bounded.iter().filter(|(_, count)| *count > 0).collect(),
        timed: tally.timed,
        bound_gap: *gap,
        refused_sizes: refusals.iter().map(|refusal| (refusal.example.clone(), refusal.count)).collect(),
    }
}

fn choice(found: &Found) -> DesignChoice {
    DesignChoice {
        cluster: found.cluster,
        fabric: found.fabric,
        cooling: found.cooling,
        power_cap: found.power_cap,
        cards: Some(found.cards),
        layout: found.best.layout,
    }
}

fn design(problem: &Problem, found: &Found) -> Result<Design, CoreError> {
    evaluate(problem, &choice(found))
}

fn summary(problem: &Problem, found: &Found) -> Summary {
    let cluster = &problem.clusters[found.cluster];
    let fabric = &cluster.fabrics[found.fabric];
    let layout = found.best.layout;
    let count =
        crate::training::layout::micro_batches(&problem.training, layout.dp, layout.micro_batch).unwrap_or(1);
    Summary {
        system: cluster.system.clone(),
        fabric: fabric.id.clone(),
        fabric_kind: fabric.kind,
        oversubscription: fabric.oversubscription,
        cooling: cluster.coolings[found.cooling].kind.clone(),
        power_cap: found.power_cap,
        cards: found.cards,
        layout,
        step_seconds: problem.tokens_per_step(layout.dp, layout.micro_batch, count) / found.best.rate,
        days: found.days,
        tokens_per_second: found.best.rate,
        facility_megawatts: found.facility_megawatts,
        capex_usd: found.capex_usd,
        tco_usd_per_year: found.tco_usd_per_year,
    }
}

/// What stops the plan from being better: the target met with little to spare, limits nearly used up.
fn binding(problem: &Problem, best: &Design) -> (Vec<String>, Option<f64>) {
    let mut binding = Vec::new();
    let performance = &best.performance;
    let needed = problem.needed_rate(performance.goodput);
    let margin = (needed > 0.0).then(|| performance.tokens_per_second / needed - 1.0);
    if problem.target.days.is_some_and(|days| performance.days > 0.97 * days) {
        binding.push("target.days".into());
    }
    let wanted = problem.target.tokens_per_second;
    if wanted.is_some_and(|rate| performance.tokens_per_second * performance.goodput < rate / 0.97) {
        binding.push("target.tokens_per_second".into());
    }
    let limits = &problem.limits;
    // Nearly used up: within one purchase unit, or 3 %, of the limit.
    let unit = problem.clusters[best.cluster].unit_cards;
    if limits.cards_max < best.cards.total + unit {
        binding.push("limits.cards_max".into());
    }
    let full = |racks: u64, most: f64, each: f64| {
        let taken = racks as f64 * each;
        taken > 0.97 * most || taken + each > most
    };
    let near = |limit: Option<f64>, value: f64| limit.is_some_and(|limit| value > 0.97 * limit);
    let megawatt = 1e6;
    for (name, used_up) in [
        (
            "limits.facility_watts",
            near(limits.facility_watts, best.facility.facility_design_megawatts * megawatt),
        ),
        ("limits.it_watts", near(limits.it_watts, best.facility.it_megawatts * megawatt)),
        (
            "limits.nameplate_watts",
            near(limits.nameplate_watts, best.facility.nameplate_megawatts.unwrap_or(0.0) * megawatt),
        ),
        (
            "limits.transformer_watts",
            near(limits.transformer_watts, best.facility.transformer_megawatts * megawatt),
        ),
        ("limits.ups_watts", near(limits.ups_watts, best.facility.ups_megawatts * megawatt)),
        (
            "limits.nameplate_intake_watts",
            near(
                limits.nameplate_intake_watts,
                best.facility.nameplate_intake_megawatts.unwrap_or(0.0) * megawatt,
            ),
        ),
        ("limits.liquid_watts", near(limits.liquid_watts, best.facility.liquid_heat_megawatts * megawatt)),
        ("limits.air_watts", near(limits.air_watts, best.facility.air_heat_megawatts * megawatt)),
        // Racks are few and whole: a hall with no place for one more is full.
        // Several halls are full when none takes a server, or a scale-up domain, more.
        (
            "limits.halls",
            !best.facility.halls.is_empty()
                && best.facility.halls.iter().all(|hall| hall.full.is_some() || hall.holds_none.is_some()),
        ),
        ("limits.racks", limits.racks.is_some_and(|most| full(best.facility.racks.total, most as f64, 1.0))),
        (
            "limits.floor_m2",
            limits.floor_m2.zip(best.facility.white_space_m2).is_some_and(|(most, taken)| {
                let racks = best.facility.racks.total;
                full(racks, most, taken / racks as f64)
            }),
        ),
        ("limits.capex_usd", near(limits.capex_usd, best.cost.capex_usd.unwrap_or(0.0))),
    ] {
        if used_up {
            binding.push(name.into());
        }
    }
    if best.memory.per_device_bytes > 0.92 * best.memory.capacity_bytes {
        binding.push("memory".into());
    }
    (binding, margin)
}

/// A thing in full, or the name under which the request has it once for all questions.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Shared<T> {
    /// Looked up in the request's table.
    Name(String),
    /// Here.
    Own(Box<T>),
}

impl<T> Shared<T> {
    fn find<'a>(&'a self, kind: &str, table: &'a BTreeMap<String, T>) -> Result<&'a T, CoreError> {
        match self {
            Self::Own(item) => Ok(item),
            Self::Name(name) => table
                .get(name)
                .ok_or_else(|| CoreError::invalid(kind, format!("the request has no {kind} called {name}"))),
        }
    }
}

/// One question of `serving/1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServingCase {
    cluster: Shared<Cluster>,
    #[serde(default)]
    fabric: usize,
    model: Shared<Model>,
    software: Shared<ServingSoftware>,
    #[serde(default)]
    family: Option<Shared<Family>>,
    question: Question,
}

/// `serving/1`: questions to the serving model, with tables of what they share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServingRequest {
    schema: String,
    constants: Constants,
    #[serde(default)]
    clusters: BTreeMap<String, Cluster>,
    #[serde(default)]
    models: BTreeMap<String, Model>,
    #[serde(default)]
    software: BTreeMap<String, ServingSoftware>,
    #[serde(default)]
    families: BTreeMap<String, Family>,
    cases: Vec<ServingCase>,
}

/// An answer, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ServingResult {
    Answer(Box<ServingAnswer>),
    Refused { error: String },
}

/// Answers all questions of a `serving/1` request, in order; a question that makes no sense gets `error`.
///
/// # Errors
/// A request that cannot be read, or a name that its tables lack.
pub fn serving_json(request: &[u8]) -> Result<Vec<u8>, CoreError> {
    let request: ServingRequest = read(request)?;
    if request.schema != "serving/1" {
        return Err(CoreError::invalid("schema", format!("must be serving/1, not {}", request.schema)));
    }
    let same = Family::default();
    let answers: Result<Vec<ServingResult>, CoreError> = request
        .cases
        .par_iter()
        .map(|case| {
            let family = match &case.family {
                Some(family) => family.find("family", &request.families)?,
                None => &same,
            };
            let setting = Setting {
                cluster: case.cluster.find("cluster", &request.clusters)?,
                fabric: case.fabric,
                model: case.model.find("model", &request.models)?,
                software: case.software.find("software", &request.software)?,
                constants: &request.constants,
                family,
                question: &case.question,
            };
            Ok(match answer(&setting) {
                Ok(found) => ServingResult::Answer(Box::new(found)),
                Err(refusal) => ServingResult::Refused { error: refusal.to_string() },
            })
        })
        .collect();
    write(&answers?)
}

/// A request to evaluate one service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluateServiceRequest {
    problem: ServiceProblem,
    design: ServiceChoice,
}

/// Answers a `service/1` with a `service-result/1`.
///
/// # Errors
/// A request that cannot be read or contradicts itself.
pub fn size_service_json(
    request: &[u8],
    progress: &mut (dyn FnMut(Progress) -> bool + Send),
) -> Result<Vec<u8>, CoreError> {
    let problem: ServiceProblem = read(request)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(problem.search.threads.unwrap_or(0))
        .build()
        .map_err(|error| CoreError::invalid("search.threads", error.to_string()))?;
    let mut watch = |step: service::search::Step| {
        let service::search::Step { done, total, candidates, found } = step;
        progress(Progress { done, total, candidates, found, gap: None })
    };
    pool.install(|| service::search::watched(&problem, &mut watch)).and_then(|answer| write(&answer))
}

/// Evaluates one service of a problem.
///
/// # Errors
/// A request that cannot be read, or a service that cannot be built at all.
pub fn evaluate_service_json(request: &[u8]) -> Result<Vec<u8>, CoreError> {
    let request: EvaluateServiceRequest = read(request)?;
    request.problem.validate()?;
    write(&service::evaluate::evaluate(&request.problem, &request.design)?)
}
