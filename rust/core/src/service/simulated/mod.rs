//! A seeded simulation of a service: requests one by one, step by step, as the check of the closed forms.
//!
//! Arrivals are Poisson, prompts and outputs log-normal, each as far as its spread says, or from a histogram; a trace is
//! replayed with its own arrivals and lengths. A router sends a request where least is in hand. Ranks of an instance step together; how long a step takes is asked of the model of one instance,
//! with the sequences, the cached tokens and the prompt tokens that are there. Apart, prompts go through the prefill
//! pool, then their cache is moved, then they decode: the decode pool sees the departures of the prefill pool. Sequences
//! in decode are there from the start, as many as the closed form says and with the ages that a random moment finds, so
//! that little time is lost until the pool is in balance.

pub mod items;
pub mod machine;
pub mod pool;
pub mod requests;

use serde::Serialize;

use crate::service::evaluate::point_at;
use crate::service::ground::Ground;
use crate::service::problem::LatencyTarget;
use crate::service::simulated::machine::{Duty, Job};
use crate::service::simulated::pool::{Measured, Pool, Source};
use crate::service::simulated::requests::{Request, Requests, replayed};
use crate::service::sizes::{Field, Way};
use crate::service::traffic::Traffic;
use crate::serving::layer::Bench;
use crate::serving::replica::steps_of_request;
use crate::serving::units::whole;
use crate::simulate::Random;

/// A latency of the simulation may exceed its target by this share before it counts as a refutation: runs are short.
pub const TOLERANCE: f64 = 0.05;
/// Mean stays before the end of a replay in which what comes is still there at the end, and no sign of a backlog.
const LATE_STAYS: f64 = 2.0;

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
    /// Steps of all instances at most in a replay; a longer trace is replayed where it is busiest.
    pub steps: f64,
}

impl Effort {
    /// To confirm a finalist: tens of milliseconds.
    pub const QUICK: Self =
        Self { requests: 4_000.0, stays: 1.5, instances: 6, prefill_instances: 48, steps: 60_000.0 };
    /// As the oracle of tests.
    pub const LONG: Self =
        Self { requests: 20_000.0, stays: 8.0, instances: 12, prefill_instances: 96, steps: 500_000.0 };
}

/// What the simulation measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// Requests behind the latencies.
    pub requests: u64,
    /// Seed.
    pub seed: u64,
    /// `poisson` or `trace`.
    pub arrivals: &'static str,
    /// Time of the service that was measured.
    pub seconds: f64,
    /// Share of the trace's requests that was replayed: its busiest part.
    pub share_of_trace: Option<f64>,
    /// Share of the instances of the main pool that was simulated, under as much of the load.
    pub share_of_instances: f64,
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
    /// Mean time per output token; none for items.
    pub tpot_mean_seconds: Option<f64>,
    /// Median.
    pub tpot_p50_seconds: Option<f64>,
    /// 90th percentile.
    pub tpot_p90_seconds: Option<f64>,
    /// 99th percentile.
    pub tpot_p99_seconds: Option<f64>,
    /// At the target's percentage of the requests.
    pub tpot_quantile_seconds: Option<f64>,
    /// Sequences in decode per instance, mean over the time.
    pub batch: f64,
    /// Both latencies are within their targets here too, up to [`TOLERANCE`], and no backlog grows.
    pub confirmed: bool,
}

impl Simulated {
    /// The latencies at the target's percentages.
    #[must_use]
    pub fn words(&self) -> String {
        let first = self.ttft_quantile_seconds * 1e3;
        self.tpot_quantile_seconds.map_or_else(
            || format!("latency {first:.1} ms"),
            |tokens| format!("TTFT {first:.0} ms, TPOT {:.1} ms", tokens * 1e3),
        )
    }
}

/// Simulates `way` at `rate`; none where nothing arrives.
#[must_use]
pub fn simulate(field: &Field, way: &Way, rate: f64, seed: u64, effort: Effort) -> Option<Simulated> {
    let ground = &field.ground;
    if ground.item().is_some() {
        return items::simulate(field, way, rate, seed, effort);
    }
    let main = &field.candidates[way.main.candidate];
    let bench = ground.bench(main)?;
    let traffic = ground.problem.search.traffic.as_ref();
    let together = way.prefill.is_none();
    let lengths = ground.question()?.lengths;
    let at = |rate: f64| point_at(ground, main, together, rate / way.main.instances as f64).0;
    let point = at(rate);
    let stay = steps_of_request(&bench) * point.round.step;
    // As many instances of the main pool as the effort allows, and the share of the load that they get.
    let count = effort.instances.min(way.main.instances);
    let share = count as f64 / way.main.instances as f64;
    let span = Span::of(traffic, rate, (rate * share, stay, point.round.step / count as f64), effort);
    let source = |share: f64| match (&span.excerpt, traffic.and_then(|known| known.replay.as_ref())) {
        (Some(excerpt), Some(replay)) => {
            let range = (excerpt.from, excerpt.to);
            Source::Listed(replayed(replay, range, lengths.prefix_hit, rate, share, seed))
        }
        _ => Source::Drawn(Box::new(Requests::new(lengths, traffic, rate * share, seed))),
    };
    let start = span.excerpt.map_or(point, |excerpt| at(excerpt.rate));
    let mut young = Requests::new(lengths, traffic, 1.0, seed ^ 0x5eed);
    let duty = |job: Job| Duty { bench, job, limit: main.limit };
    let mut measured = if together {
        let mut pool = span.pool(duty(Job::Both), count, source(share));
        pool.fill(&mut young, start.batch);
        pool.run(span.warm, span.seconds)
    } else {
        let before = prompts(field, way, &span, &source, (share, effort))?;
        let mut thin = Random::new(seed, 3);
        let kept = share / before.share;
        let arrivals = before.measured.passed.iter().filter(|_| kept >= 1.0 || thin.happens(kept));
        let transfer = before.transfer;
        let listed: Vec<_> = arrivals
            .map(|(at, asked)| (at + transfer, Request { first: *at + transfer, ..*asked }))
            .collect();
        let begins = listed.iter().map(|come| come.0).reduce(f64::min).unwrap_or(0.0);
        let mut pool = span.pool(duty(Job::Outputs), count, Source::Listed(listed));
        pool.fill(&mut young, start.batch);
        let mut after = pool.run(begins + span.warm, span.seconds);
        after.first = before.measured.first.iter().map(|time| time + transfer).collect();
        if (before.measured.left as f64) < 0.97 * before.measured.came as f64 {
            after.left = after.left.min(before.measured.left);
        }
        after
    };
    let host = ground.software().host_request.0;
    measured.first.iter_mut().for_each(|time| *time += host);
    told(ground, measured, &span, (rate, seed, count as f64, share))
}

/// How long is simulated and measured, in seconds of the service.
struct Span {
    warm: f64,
    seconds: f64,
    /// The part of the trace that is replayed; none: Poisson arrivals.
    excerpt: Option<Excerpt>,
    /// Share of the requests that come so late that they are still there at the end.
    late: f64,
}

/// The busiest part of a trace that the effort allows, with what comes just before it.
#[derive(Clone, Copy)]
struct Excerpt {
    from: usize,
    to: usize,
    /// Mean load of it.
    rate: f64,
    /// Its share of the requests of the trace, what comes before it left out.
    share: f64,
}

impl Span {
    /// `rate`: of the service; `own`: of the simulated instances; `stay`: of a request; `step`: one step of an instance
    /// over the instances.
    fn of(traffic: Option<&Traffic>, rate: f64, (own, stay, step): (f64, f64, f64), effort: Effort) -> Self {
        let warm = 0.5 * stay;
        let Some(replay) = traffic.and_then(|known| known.replay.as_ref()) else {
            let seconds = (effort.requests / own).max(effort.stays * stay);
            return Self { warm, seconds, excerpt: None, late: 0.0 };
        };
        let stretch = replay.stretch(rate);
        let most = (effort.steps * step - warm).max(effort.stays * stay);
        let times = &replay.arrivals;
        let (first, to) = replay.busiest(most / stretch);
        let begin = times[first] - warm / stretch;
        let from = times.partition_point(|time| *time < begin);
        let seconds = (times[to - 1] - times[first]) * stretch;
        let rate = (to - first) as f64 / seconds.max(f64::MIN_POSITIVE);
        let share = (to - first) as f64 / times.len() as f64;
        Self {
            warm: (times[first] - times[from]) * stretch,
            // The last arrival is inside.
            seconds: seconds * (1.0 + 1e-9) + f64::MIN_POSITIVE,
            excerpt: Some(Excerpt { from, to, rate, share }),
            late: late(&times[first..to], LATE_STAYS * stay / stretch),
        }
    }

    /// A pool that follows requests of a trace to their end.
    fn pool<'a>(&self, duty: Duty<'a>, instances: u64, source: Source) -> Pool<'a> {
        let pool = Pool::new(duty, usize::try_from(instances).unwrap_or(1), source);
        if self.excerpt.is_some() { pool.drained() } else { pool }
    }
}

/// Share of the arrivals that come in the last `seconds`.
fn late(times: &[f64], seconds: f64) -> f64 {
    let end = times.last().copied().unwrap_or(0.0) - seconds;
    (times.len() - times.partition_point(|time| *time < end)) as f64 / times.len().max(1) as f64
}

/// A prefill pool that was simulated.
struct Before {
    measured: Measured,
    transfer: f64,
    /// Share of the whole load.
    share: f64,
}

/// The prefill pool; `decoded`: the share of the load that the decode pool is to see.
fn prompts(
    field: &Field,
    way: &Way,
    span: &Span,
    source: &dyn Fn(f64) -> Source,
    (decoded, effort): (f64, Effort),
) -> Option<Before> {
    let ground = &field.ground;
    let front = way.prefill?;
    let from = &field.candidates[front.candidate];
    let bench: Bench = ground.bench(from)?;
    // At least the share of the load that the decode pool is to see.
    let fed = whole(libm::ceil(front.instances as f64 * decoded), u32::MAX);
    let count = front.instances.min(effort.prefill_instances.max(u64::from(fed)));
    let share = count as f64 / front.instances as f64;
    let duty = Duty { bench, job: Job::Prompts, limit: from.limit };
    let mut pool = span.pool(duty, count, source(share));
    // A pool of prompts is in balance after some steps.
    let step = from.prompts?.step;
    let measured = if span.excerpt.is_some() {
        pool.run(span.warm, span.seconds)
    } else {
        pool.run(20.0 * step, span.warm + span.seconds + 4.0 * step)
    };
    let transfer = ground.transfer(from, &field.candidates[way.main.candidate]);
    Some(Before { measured, transfer, share })
}

fn told(
    ground: &Ground,
    measured: Measured,
    span: &Span,
    (rate, seed, instances, share): (f64, u64, f64, f64),
) -> Option<Simulated> {
    let items = ground.item().is_some();
    let (mut first, mut per_token) = (measured.first, measured.per_token);
    if first.is_empty() || (per_token.is_empty() && !items) {
        return None;
    }
    first.sort_by(f64::total_cmp);
    per_token.sort_by(f64::total_cmp);
    let target = &ground.problem.target;
    let asked = |wanted: Option<LatencyTarget>| wanted.map_or(0.5, |wanted| wanted.quantile);
    let ttft = quantile(&first, asked(target.ttft));
    let tokens = |share: f64| (!items).then(|| quantile(&per_token, share));
    let tpot = tokens(asked(target.tpot));
    let served = measured.left as f64 / (measured.came.max(1)) as f64;
    let within = |wanted: Option<LatencyTarget>, found: f64| {
        wanted.is_none_or(|wanted| found <= wanted.seconds * (1.0 + TOLERANCE))
    };
    Some(Simulated {
        requests: if items { first.len() } else { per_token.len() } as u64,
        seed,
        arrivals: if span.excerpt.is_some() { "trace" } else { "poisson" },
        seconds: span.seconds,
        share_of_trace: span.excerpt.map(|excerpt| excerpt.share),
        share_of_instances: share,
        requests_per_second: rate,
        served_share: served,
        ttft_mean_seconds: mean(&first),
        ttft_p50_seconds: quantile(&first, 0.5),
        ttft_p90_seconds: quantile(&first, 0.9),
        ttft_p99_seconds: quantile(&first, 0.99),
        ttft_quantile_seconds: ttft,
        tpot_mean_seconds: (!items).then(|| mean(&per_token)),
        tpot_p50_seconds: tokens(0.5),
        tpot_p90_seconds: tokens(0.9),
        tpot_p99_seconds: tokens(0.99),
        tpot_quantile_seconds: tpot,
        batch: measured.in_flight / instances,
        confirmed: within(target.ttft, ttft)
            && tpot.is_none_or(|tpot| within(target.tpot, tpot))
            && served > 0.9 - span.late,
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
