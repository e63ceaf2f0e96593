//! The search for a service: exact over grounds (cluster, fabric, cap, formats), coolings, layouts, pools.
//!
//! On one ground and cooling everything bought grows with the purchase units, so the fewest units are best under
//! every objective at a given load, and the highest load inside the limits uses the most units that they allow.

use std::collections::BTreeMap;

use crate::error::CoreError;
use crate::plant::{Choice, Plant, plant};
use crate::problem::{Axis, Objective};
use crate::service::answer::{ServiceCounts, ServiceDesign, ServiceNearest, ServiceResult, ServiceSummary};
use crate::service::confirm::confirm;
use crate::service::evaluate::{design, inside, output_tokens};
use crate::service::ground::{Ground, Place, SMALLEST_BATCH};
use crate::service::problem::ServiceProblem;
use crate::service::sizes::{Field, Way};
use crate::service::trade::trade;
use crate::serving::case::Mode;

const FRONT_POINTS: usize = 50;
const RUNNERS_UP: usize = 8;

/// One found service.
#[derive(Clone)]
pub struct Found {
    /// Index into the fields.
    pub field: usize,
    /// Index into the cluster's coolings.
    pub cooling: usize,
    /// Pools.
    pub way: Way,
    /// Requests per second that it is sized for.
    pub rate: f64,
    /// What is bought.
    pub plant: Plant,
    /// By how much it is stronger than the closed forms say it must be; 1 before any simulation.
    pub strain: f64,
}

/// Answers a `service/1`.
///
/// # Errors
/// A problem that contradicts itself.
pub fn search(problem: &ServiceProblem) -> Result<ServiceResult, CoreError> {
    problem.validate()?;
    let (fields, lacking) = fields(problem)?;
    let mut found: Vec<Found> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        found.extend(on_field(problem, index, field));
    }
    let mut counts = ServiceCounts { enumerated: 0, rejected: BTreeMap::new(), timed: 0 };
    if lacking > 0 {
        counts.rejected.insert("precision", lacking);
    }
    for field in &fields {
        counts.enumerated += field.enumerated;
        for (misfit, count) in &field.rejected {
            *counts.rejected.entry(misfit.name()).or_insert(0) += count;
        }
        for item in &field.candidates {
            let points = u64::from(item.together.is_some()) + u64::from(item.decoding.is_some());
            counts.timed += points;
            if points == 0 {
                *counts.rejected.entry("latency").or_insert(0) += 1;
            }
        }
    }
    let (mut good, bad): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|item| lawful(problem, item));
    sort(problem, &fields, &mut good);
    let confirmation = confirm(problem, &fields, &mut good);
    let mut told = good.first().map(|item| told(problem, &fields, item)).transpose()?;
    if let Some(told) = &mut told {
        told.simulated = confirmation.simulated;
    }
    let nearest = match told.take_if(|told| told.simulated.is_some_and(|ran| !ran.confirmed)) {
        // Nothing that was tried holds: the last is no recommendation.
        Some(refuted) => Some(unconfirmed(&fields, refuted)),
        None if told.is_none() => Some(nearest(problem, &fields, bad, &counts)?),
        None => None,
    };
    if told.is_none() {
        good.clear();
    }
    let best = good.first();
    let margin = told
        .as_ref()
        .filter(|_| problem.target.requests_per_second.is_some())
        .map(|best| best.most_requests_per_second / best.requests_per_second - 1.0);
    Ok(ServiceResult {
        schema: "service-result/1",
        feasible: told.is_some(),
        front: front(problem, &fields, &good),
        refuted: confirmation.refuted,
        runners_up: runners_up(&fields, &good),
        trade: best.map(|item| trade(&fields[item.field])).unwrap_or_default(),
        binding: match (&told, &nearest) {
            (Some(best), _) => binding(problem, best),
            (None, Some(nearest)) => vec![nearest.what.to_string()],
            (None, None) => Vec::new(),
        },
        nearest,
        margin,
        best: told,
        search: counts,
    })
}

/// All grounds with their candidates, and how many grounds lack a peak.
///
/// # Errors
/// A power cap below what a card draws when idle.
pub fn fields(problem: &ServiceProblem) -> Result<(Vec<Field<'_>>, u64), CoreError> {
    let mut fields: Vec<Field> = Vec::new();
    let mut lacking = 0;
    for (cluster, hardware) in problem.clusters.iter().enumerate() {
        for cap in 0..hardware.power_caps.len() {
            for precision in 0..problem.precision_choices() {
                let first = fields.len();
                for fabric in 0..hardware.fabrics.len() {
                    match Ground::new(problem, Place { cluster, fabric, cap, precision })? {
                        Some(ground) => fields.push(Field::new(ground, fields.get(first))),
                        None => lacking += 1,
                    }
                }
            }
        }
    }
    Ok((fields, lacking))
}

/// Whether the most load inside the limits is asked for, and not the least that carries a load.
#[must_use]
pub fn throughput(problem: &ServiceProblem) -> bool {
    problem.target.requests_per_second.is_none() || problem.search.objective == Objective::Throughput
}

/// The service of `way` on at least `units`, for `rate`.
fn at_units(index: usize, field: &Field, cooling: usize, way: Way, rate: f64) -> Option<Found> {
    let least = field.ground.problem.limits.cards_min.div_ceil(field.ground.cluster.unit_cards);
    let units = way.units.max(least);
    let built = build(field, cooling, units)?;
    Some(Found { field: index, cooling, way: Way { units, ..way }, rate, plant: built, strain: 1.0 })
}

/// The smallest service of a ground for each cooling that the closed forms let carry `strain` times the load.
#[must_use]
pub fn loaded(problem: &ServiceProblem, index: usize, field: &Field, strain: f64) -> Vec<Found> {
    let Some(rate) = problem.target.requests_per_second else { return Vec::new() };
    let Some(way) = field.best(rate * strain) else { return Vec::new() };
    (0..field.ground.cluster.coolings.len())
        .filter_map(|cooling| at_units(index, field, cooling, way, rate))
        .map(|found| Found { strain, ..found })
        .collect()
}

/// The best service of a ground for each cooling.
fn on_field(problem: &ServiceProblem, index: usize, field: &Field) -> Vec<Found> {
    if !throughput(problem) {
        return loaded(problem, index, field, 1.0);
    }
    let coolings = 0..field.ground.cluster.coolings.len();
    let wanted = problem.target.requests_per_second;
    let mut known: BTreeMap<u64, Option<(f64, Way)>> = BTreeMap::new();
    coolings
        .filter_map(|cooling| {
            let units = most_units(problem, field, cooling)?;
            let (rate, way) = (*known.entry(units).or_insert_with(|| field.most(units)))?;
            let enough = wanted.is_none_or(|wanted| rate >= wanted);
            enough.then(|| at_units(index, field, cooling, way, rate))?
        })
        .collect()
}

fn build(field: &Field, cooling: usize, units: u64) -> Option<Plant> {
    let ground = &field.ground;
    let at = Choice {
        cluster: ground.cluster,
        fabric: ground.fabric,
        cooling: &ground.cluster.coolings[cooling],
        clock: ground.clock,
        power_cap: ground.cluster.power_caps[ground.place.cap],
    };
    if ground.cluster.max_cards.is_some_and(|most| units * ground.cluster.unit_cards > most) {
        return None;
    }
    plant(&at, &ground.problem.terms(), units).ok()
}

/// The most units that the limits allow, by halving: what is bought grows with the units.
fn most_units(problem: &ServiceProblem, field: &Field, cooling: usize) -> Option<u64> {
    let fits = |units: u64| {
        build(field, cooling, units).is_some_and(|built| {
            let small = problem.limits.cards_min > built.cards;
            small || inside(problem, &built)
        })
    };
    let ceiling = problem.limits.cards_max / field.ground.cluster.unit_cards;
    if ceiling == 0 || !fits(1) {
        return None;
    }
    if fits(ceiling) {
        return Some(ceiling);
    }
    let (mut low, mut high) = (1, ceiling);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

/// Whether a service keeps the limits and yields enough per card.
#[must_use]
pub fn lawful(problem: &ServiceProblem, found: &Found) -> bool {
    let per_card = found.rate * output_tokens(problem) / found.plant.cards as f64;
    inside(problem, &found.plant)
        && problem.target.tokens_per_second_per_card.is_none_or(|least| per_card >= least)
}

/// Smaller is better; unknown prices come last.
fn score(problem: &ServiceProblem, found: &Found) -> f64 {
    let built = &found.plant;
    let tokens = found.rate * output_tokens(problem);
    match problem.search.objective {
        Objective::Cards | Objective::Days => built.cards as f64,
        Objective::Throughput => -found.rate,
        Objective::Power => built.facility_design_day.0,
        Objective::Energy => built.energy_mwh_per_year,
        Objective::Capex => built.capex.total().map_or(f64::INFINITY, |usd| usd.0),
        Objective::Tco => built.tco_usd_per_year.map_or(f64::INFINITY, |usd| usd.0),
        Objective::TokensPerJoule => built.facility.0 / tokens,
    }
}

/// By the objective, then cards, then power, then the order of fields and coolings.
pub fn sort(problem: &ServiceProblem, fields: &[Field], found: &mut [Found]) {
    let key = |item: &Found| (score(problem, item), item.plant.cards, item.plant.facility_design_day.0);
    found.sort_by(|left, right| {
        let (a, b) = (key(left), key(right));
        a.0.total_cmp(&b.0)
            .then(a.1.cmp(&b.1))
            .then(left.way.devices.cmp(&right.way.devices))
            .then(a.2.total_cmp(&b.2))
            .then(fields[left.field].ground.place.cmp(&fields[right.field].ground.place))
            .then(left.cooling.cmp(&right.cooling))
    });
}

fn told(problem: &ServiceProblem, fields: &[Field], found: &Found) -> Result<ServiceDesign, CoreError> {
    let lowered = || (found.strain > 1.0).then_some(found.rate);
    let rate = if throughput(problem) { lowered() } else { problem.target.requests_per_second };
    design(&fields[found.field], &found.way, found.cooling, found.way.units, rate)
}

/// A service in one row.
#[must_use]
pub fn summary(fields: &[Field], found: &Found) -> ServiceSummary {
    let field = &fields[found.field];
    let ground = &field.ground;
    let pools = found.way.prefill.iter().chain([&found.way.main]);
    ServiceSummary {
        system: ground.cluster.system.clone(),
        fabric: ground.fabric.id.clone(),
        fabric_kind: ground.fabric.kind,
        oversubscription: ground.fabric.oversubscription,
        cooling: ground.cluster.coolings[found.cooling].kind.clone(),
        power_cap: ground.cluster.power_caps[ground.place.cap],
        precisions: ground.question().map(|question| question.precisions),
        mode: found.way.mode(),
        pools: pools.map(|group| (group.instances, field.candidates[group.candidate].instance)).collect(),
        cards: found.plant.cards,
        requests_per_second: found.rate,
        facility_megawatts: found.plant.facility_design_day.0 / 1e6,
        capex_usd: found.plant.capex.total().map(|usd| usd.0),
        tco_usd_per_year: found.plant.tco_usd_per_year.map(|usd| usd.0),
    }
}

/// Values on the axes of the front, smaller is better.
fn axes(problem: &ServiceProblem, found: &Found) -> Vec<f64> {
    let built = &found.plant;
    let unknown = f64::INFINITY;
    problem
        .search
        .front
        .iter()
        .map(|axis| match axis {
            Axis::Cards | Axis::Days => built.cards as f64,
            Axis::FacilityMegawatts => built.facility_design_day.0,
            Axis::CapexUsd => built.capex.total().map_or(unknown, |usd| usd.0),
            Axis::TokensPerSecond => -found.rate,
            Axis::TcoUsdPerYear => built.tco_usd_per_year.map_or(unknown, |usd| usd.0),
            Axis::EnergyMwhPerYear => built.energy_mwh_per_year,
        })
        .collect()
}

fn front(problem: &ServiceProblem, fields: &[Field], good: &[Found]) -> Vec<ServiceSummary> {
    if problem.search.front.is_empty() {
        return Vec::new();
    }
    let values: Vec<Vec<f64>> = good.iter().map(|item| axes(problem, item)).collect();
    let beaten = |own: usize| {
        values.iter().enumerate().any(|(other, value)| {
            let no_worse = value.iter().zip(&values[own]).all(|(a, b)| a <= b);
            let better = value.iter().zip(&values[own]).any(|(a, b)| a < b);
            no_worse && (better || other < own)
        })
    };
    (0..good.len())
        .filter(|&own| !beaten(own))
        .map(|own| summary(fields, &good[own]))
        .take(FRONT_POINTS)
        .collect()
}

/// The best of each other system, cap, fabric and set of formats.
fn runners_up(fields: &[Field], good: &[Found]) -> Vec<ServiceSummary> {
    let mut seen = Vec::new();
    let mut rows = Vec::new();
    for item in good {
        let place = fields[item.field].ground.place;
        if !seen.contains(&place) {
            if !seen.is_empty() {
                rows.push(summary(fields, item));
            }
            seen.push(place);
        }
    }
    rows.truncate(RUNNERS_UP);
    rows
}

/// What stops the service from being smaller: latencies nearly used up, limits, the cache.
fn binding(problem: &ServiceProblem, best: &ServiceDesign) -> Vec<String> {
    let mut found = Vec::new();
    let near = |wanted: Option<crate::service::problem::LatencyTarget>,
                got: Option<crate::serving::operating::Latency>| {
        wanted.zip(got).is_some_and(|(wanted, got)| got.quantile > 0.9 * wanted.seconds)
    };
    if near(problem.target.tpot, best.tpot) {
        found.push("target.tpot".to_string());
    }
    if near(problem.target.ttft, best.ttft) {
        found.push("target.ttft".to_string());
    }
    if problem.target.requests_per_second.is_some() {
        found.push(format!("pool.{}", best.binding_pool));
    }
    if best.pools.last().is_some_and(|pool| pool.batch > 0.8 * pool.batch_limit) {
        found.push("memory".to_string());
    }
    let limits = &problem.limits;
    if best.cards.total + problem.clusters[best.cluster].unit_cards > limits.cards_max {
        found.push("limits.cards_max".to_string());
    }
    let used = |limit: Option<f64>, value: f64| limit.is_some_and(|limit| value > 0.97 * limit);
    if used(limits.facility_watts, best.facility.facility_design_megawatts * 1e6) {
        found.push("limits.facility_watts".to_string());
    }
    if used(limits.it_watts, best.facility.it_megawatts * 1e6) {
        found.push("limits.it_watts".to_string());
    }
    if used(limits.capex_usd, best.cost.capex_usd.unwrap_or(0.0)) {
        found.push("limits.capex_usd".to_string());
    }
    found
}

/// What comes nearest where a simulation refuted every service that was tried.
fn unconfirmed(fields: &[Field], last: ServiceDesign) -> ServiceNearest {
    let (tpot, ttft) = best_latencies(fields);
    let ran = last.simulated;
    let why = ran.map_or_else(String::new, |ran| {
        format!(
            "a simulation refutes every service tried; of {} cards it measures TTFT {:.0} ms, TPOT {:.1} ms",
            last.cards.total,
            ran.ttft_quantile_seconds * 1e3,
            ran.tpot_quantile_seconds * 1e3
        )
    });
    let design = Some(last);
    ServiceNearest { what: "target", why, design, best_tpot_seconds: tpot, best_ttft_seconds: ttft }
}

/// Why nothing fits, and what comes nearest.
fn nearest(
    problem: &ServiceProblem,
    fields: &[Field],
    mut bad: Vec<Found>,
    counts: &ServiceCounts,
) -> Result<ServiceNearest, CoreError> {
    let (tpot, ttft) = best_latencies(fields);
    let blank = |what: &'static str, why: String| ServiceNearest {
        what,
        why,
        design: None,
        best_tpot_seconds: tpot,
        best_ttft_seconds: ttft,
    };
    sort(problem, fields, &mut bad);
    if let Some(found) = bad.first() {
        let shown = told(problem, fields, found)?;
        let over = shown.over_limits.join(", ");
        let why = if shown.over_limits.is_empty() {
            let per_card = shown.output_tokens_per_second_per_card;
            format!("the best service yields {per_card:.1} tokens/s per card, less than asked for")
        } else {
            format!("without the limits {} cards do it; over: {over}", shown.cards.total)
        };
        let what = if shown.over_limits.is_empty() { "target" } else { "limits" };
        return Ok(ServiceNearest { design: Some(shown), ..blank(what, why) });
    }
    if fields.is_empty() {
        return Ok(blank("layout", "no chip here has a peak at the precisions asked for".to_string()));
    }
    if fields.iter().all(|field| field.candidates.is_empty()) {
        let memory = counts.rejected.get("memory").copied().unwrap_or(0);
        return Ok(if memory > 0 {
            blank("memory", "the weights and one request fit on no instance of the space".to_string())
        } else {
            blank("layout", "no layout of the space is lawful for the model and the servers".to_string())
        });
    }
    let target = &problem.target;
    let misses = |wanted: Option<crate::service::problem::LatencyTarget>, best: Option<f64>| {
        wanted.zip(best).filter(|(wanted, best)| *best > wanted.seconds)
    };
    let mut words = Vec::new();
    if let Some((wanted, best)) = misses(target.tpot, tpot) {
        words.push(format!(
            "tpot binds: at best {:.1} ms, {:.1} ms are asked for",
            best * 1e3,
            wanted.seconds * 1e3
        ));
    }
    if let Some((wanted, best)) = misses(target.ttft, ttft) {
        words.push(format!(
            "ttft binds: at best {:.0} ms, {:.0} ms are asked for",
            best * 1e3,
            wanted.seconds * 1e3
        ));
    }
    if words.is_empty() {
        words.push("no layout meets all latencies at once, or the limits leave no room for one".to_string());
    }
    Ok(blank("target", words.join("; ")))
}

/// The least latencies that any layout reaches, alone on its instance.
fn best_latencies(fields: &[Field]) -> (Option<f64>, Option<f64>) {
    let (mut tpot, mut ttft) = (f64::INFINITY, f64::INFINITY);
    for field in fields {
        for item in &field.candidates {
            let together = field.has(Mode::Aggregated);
            if let Some(point) = field.ground.at(item, together, SMALLEST_BATCH) {
                tpot = tpot.min(point.tpot.quantile);
                ttft = ttft.min(point.ttft.map_or(f64::INFINITY, |first| first.quantile));
            }
            if field.has(Mode::Disaggregated) && field.ground.question().is_some() {
                let transfer = field.ground.transfer(item, item);
                let (_, first) = field.ground.prefilling(item, 1.0, 1e-9, transfer);
                ttft = ttft.min(first.map_or(f64::INFINITY, |first| first.quantile));
            }
        }
    }
    let known = |value: f64| value.is_finite().then_some(value);
    (known(tpot).filter(|value| *value > 0.0), known(ttft))
}
