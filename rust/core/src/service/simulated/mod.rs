//! A seeded simulation of a service: requests one by one, step by step, as the check of the closed forms.
//!
//! Arrivals are Poisson, prompts and outputs log-normal, each as far as its spread says. A router sends a request where
//! least is in hand. Ranks of an instance step together; how long a step takes is asked of the model of one instance,
//! with the sequences, the cached tokens and the prompt tokens that are there. Apart, prompts go through the prefill
//! pool, then their cache is moved, then they decode: the decode pool sees the departures of the prefill pool. Sequences
//! in decode are there from the start, as many as the closed form says and with the ages that a random moment finds, so
//! that little time is lost until the pool is in balance.

pub mod machine;
pub mod pool;
pub mod requests;

use serde::Serialize;

use crate::service::evaluate::point_at;
use crate::service::ground::Ground;
use crate::service::problem::LatencyTarget;
use crate::service::simulated::machine::{Duty, Job};
use crate::service::simulated::pool::{Measured, Pool, Source};
use crate::service::simulated::requests::Requests;
use crate::service::sizes::{Field, Way};
use crate::serving::layer::Bench;
use crate::serving::replica::steps_of_request;
use crate::serving::units::whole;
use crate::simulate::Random;

/// A latency of the simulation may exceed its target by this share before it counts as a refutation: runs are short.
pub const TOLERANCE: f64 = 0.05;

/// How much is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Requests measured, about, and at least.
    pub requests: f64,
    /// Mean stays in decode that are measured at least.
    pub stays: f64,
    /// Decoding instances that are simulated at most: more of the same are alike.
    pub instances: u64,
    /// Prefill instances that are simulated at most.
    pub prefill_instances: u64,
}

impl Effort {
    /// To confirm a finalist: tens of milliseconds.
    pub const QUICK: Self = Self { requests: 4_000.0, stays: 1.5, instances: 6, prefill_instances: 48 };
    /// As the oracle of tests.
    pub const LONG: Self = Self { requests: 20_000.0, stays: 8.0, instances: 12, prefill_instances: 96 };
}

/// What the simulation measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// Requests behind the latencies.
    pub requests: u64,
    /// Seed.
    pub seed: u64,
    /// Load that was simulated.
    pub requests_per_second: f64,
    /// Requests that left over those that came, while it was measured; far below 1: a backlog grows.
    pub served_share: f64,
    /// Mean time to the first token.
    pub ttft_mean_seconds: f64,
    /// Median.
    pub ttft_p50_seconds: f64,
    /// 90th percentile.
    pub ttft_p90_seconds: f64,
    /// 99th percentile.
    pub ttft_p99_seconds: f64,
    /// At the target's percentage of the requests.
    pub ttft_quantile_seconds: f64,
    /// Mean time per output token.
    pub tpot_mean_seconds: f64,
    /// Median.
    pub tpot_p50_seconds: f64,
    /// 90th percentile.
    pub tpot_p90_seconds: f64,
    /// 99th percentile.
    pub tpot_p99_seconds: f64,
    /// At the target's percentage of the requests.
    pub tpot_quantile_seconds: f64,
    /// Sequences in decode per instance, mean over the time.
    pub batch: f64,
    /// Both latencies are within their targets here too, up to [`TOLERANCE`], and no backlog grows.
    pub confirmed: bool,
}

/// Simulates `way` at `rate`; none for generic items, or where nothing arrives.
#[must_use]
pub fn simulate(field: &Field, way: &Way, rate: f64, seed: u64, effort: Effort) -> Option<Simulated> {
    let ground = &field.ground;
    let lengths = ground.question()?.lengths;
    let main = &field.candidates[way.main.candidate];
    let bench = ground.bench(main)?;
    let together = way.prefill.is_none();
    let (point, _) = point_at(ground, main, together, rate / way.main.instances as f64);
    let stay = steps_of_request(&bench) * point.round.step;
    // As many instances of the main pool as the effort allows, and the share of the load that they get.
    let count = effort.instances.min(way.main.instances);
    let share = count as f64 / way.main.instances as f64;
    let span = (effort.requests / (rate * share)).max(effort.stays * stay);
    let warm = 0.5 * stay;
    let duty = |job: Job| Duty { bench, job, limit: main.limit };
    let mut young = Requests::new(lengths, 1.0, seed ^ 0x5eed);
    let mut measured = if together {
        let mut pool = Pool::new(
            duty(Job::Both),
            count_of(count),
            Source::Drawn(Box::new(Requests::new(lengths, rate * share, seed))),
        );
        pool.fill(&mut young, point.batch);
        pool.run(warm, span)
    } else {
        let before = prompts(field, way, rate, seed, (warm + span, share, effort))?;
        let mut thin = Random::new(seed, 3);
        let kept = share / before.share;
        let arrivals = before.measured.passed.iter().filter(|_| kept >= 1.0 || thin.happens(kept));
        let transfer = before.transfer;
        let listed: Vec<_> = arrivals
            .map(|(at, request)| {
                (
                    at + transfer,
                    crate::service::simulated::requests::Request { first: *at + transfer, ..*request },
                )
            })
            .collect();
        let begins = listed.first().map_or(0.0, |first| first.0);
        let mut pool = Pool::new(duty(Job::Outputs), count_of(count), Source::Listed(listed));
        pool.fill(&mut young, point.batch);
        let mut after = pool.run(begins + warm, span);
        after.first = before.measured.first.iter().map(|time| time + transfer).collect();
        if (before.measured.left as f64) < 0.97 * before.measured.came as f64 {
            after.left = after.left.min(before.measured.left);
        }
        after
    };
    let host = ground.software().host_request.0;
    measured.first.iter_mut().for_each(|time| *time += host);
    told(ground, measured, rate, seed, count as f64)
}

/// A prefill pool that was simulated.
struct Before {
    measured: Measured,
    transfer: f64,
    /// Share of the whole load.
    share: f64,
}

/// The prefill pool for `span` seconds; `decoded`: the share of the load that the decode pool is to see.
fn prompts(
    field: &Field,
    way: &Way,
    rate: f64,
    seed: u64,
    (span, decoded, effort): (f64, f64, Effort),
) -> Option<Before> {
    let ground = &field.ground;
    let front = way.prefill?;
    let from = &field.candidates[front.candidate];
    let bench: Bench = ground.bench(from)?;
    let lengths = ground.question()?.lengths;
    // At least the share of the load that the decode pool is to see.
    let fed = whole(libm::ceil(front.instances as f64 * decoded), u32::MAX);
    let count = front.instances.min(effort.prefill_instances.max(u64::from(fed)));
    let share = count as f64 / front.instances as f64;
    let duty = Duty { bench, job: Job::Prompts, limit: from.limit };
    let mut pool =
        Pool::new(duty, count_of(count), Source::Drawn(Box::new(Requests::new(lengths, rate * share, seed))));
    // A pool of prompts is in balance after some steps.
    let step = from.prompts?.step;
    let measured = pool.run(20.0 * step, span + 4.0 * step);
    let transfer = ground.transfer(from, &field.candidates[way.main.candidate]);
    Some(Before { measured, transfer, share })
}

fn count_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(1)
}

fn told(ground: &Ground, measured: Measured, rate: f64, seed: u64, instances: f64) -> Option<Simulated> {
    let (mut first, mut per_token) = (measured.first, measured.per_token);
    if first.is_empty() || per_token.is_empty() {
        return None;
    }
    first.sort_by(f64::total_cmp);
    per_token.sort_by(f64::total_cmp);
    let target = &ground.problem.target;
    let share = |wanted: Option<LatencyTarget>| wanted.map_or(0.5, |wanted| wanted.quantile);
    let ttft = quantile(&first, share(target.ttft));
    let tpot = quantile(&per_token, share(target.tpot));
    let served = measured.left as f64 / (measured.came.max(1)) as f64;
    let within = |wanted: Option<LatencyTarget>, found: f64| {
        wanted.is_none_or(|wanted| found <= wanted.seconds * (1.0 + TOLERANCE))
    };
    Some(Simulated {
        requests: per_token.len() as u64,
        seed,
        requests_per_second: rate,
        served_share: served,
        ttft_mean_seconds: mean(&first),
        ttft_p50_seconds: quantile(&first, 0.5),
        ttft_p90_seconds: quantile(&first, 0.9),
        ttft_p99_seconds: quantile(&first, 0.99),
        ttft_quantile_seconds: ttft,
        tpot_mean_seconds: mean(&per_token),
        tpot_p50_seconds: quantile(&per_token, 0.5),
        tpot_p90_seconds: quantile(&per_token, 0.9),
        tpot_p99_seconds: quantile(&per_token, 0.99),
        tpot_quantile_seconds: tpot,
        batch: measured.in_flight / instances,
        confirmed: within(target.ttft, ttft) && within(target.tpot, tpot) && served > 0.9,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The value that a share of the sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = whole(libm::ceil(share * sorted.len() as f64), u32::MAX) as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}
