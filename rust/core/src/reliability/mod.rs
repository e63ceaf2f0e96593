//! Failures, checkpoints and spares: what share of the time is useful work.
//!
//! [`causes`] counts what fails, [`spares`] what stands in for it, [`keeping`] what a job keeps, [`simulated`] is the
//! discrete-event oracle of both.
//! Failures are memoryless and each stops the whole job. Sources: Young, CACM 17(9), 1974; Daly, Future Generation
//! Computer Systems 22, 2006; Kokolis et al., arXiv 2410.21680 (rates and expected ETTR at Meta); Wang et al., SOSP
//! 2023 (checkpoints in the memory of peers).

pub mod causes;
pub mod keeping;
pub mod simulated;
pub mod spares;

use serde::Serialize;

use crate::units::{Bytes, BytesPerSecond, SECONDS_PER_DAY, Seconds};

/// Mean time to failure of a job: 1 / (servers · failures per server-day). Infinite where nothing fails.
///
/// Scales as 1/N by construction; measured small jobs fail sooner (arXiv 2410.21680: 7.9 h at 1,024 GPUs where this
/// gives 28.8 h), so it is not to be calibrated on them.
#[must_use]
pub fn job_mttf(servers: u64, failures_per_server_day: f64) -> Seconds {
    Seconds(SECONDS_PER_DAY / (servers as f64 * failures_per_server_day))
}

/// Young's interval between checkpoints: τ = sqrt(2·C·M). Valid for C much smaller than M.
#[must_use]
pub fn young_interval(stall: Seconds, mttf: Seconds) -> Seconds {
    Seconds((2.0 * stall.0 * mttf.0).sqrt())
}

/// Daly's interval: τ = sqrt(2CM)·(1 + sqrt(C/2M)/3 + C/18M) - C for C < 2M, else M.
#[must_use]
pub fn daly_interval(stall: Seconds, mttf: Seconds) -> Seconds {
    if stall.0 >= 2.0 * mttf.0 {
        return mttf;
    }
    let ratio = stall.0 / (2.0 * mttf.0);
    young_interval(stall, mttf) * (1.0 + ratio.sqrt() / 3.0 + ratio / 9.0) - stall
}

/// First-order waste: C/τ + τ/(2M) + R/M. Valid while the sum is far below 1; see [`goodput`] beyond.
#[must_use]
pub fn first_order_waste(stall: Seconds, interval: Seconds, mttf: Seconds, recovery: Seconds) -> f64 {
    stall / interval + interval / (2.0 * mttf) + recovery / mttf
}

/// Expected effective training time ratio: E = (1 - N·r·(u + τ/2)) / (1 + w/τ), with N·r the failures of the job per
/// time (1/MTTF), u the restart, τ the interval and w the blocking write (arXiv 2410.21680).
///
/// A small-loss approximation: keep (u + τ/2)/MTTF well below 1; turns negative beyond.
#[must_use]
pub fn expected_ettr(mttf: Seconds, restart: Seconds, interval: Seconds, write: Seconds) -> f64 {
    (1.0 - (restart + interval / 2.0) / mttf) / (1.0 + write / interval)
}

/// The interval between checkpoints that leaves the most useful time, without the assumptions of Young and Daly: the
/// root of exp(-(τ + C)/M) = 1 - τ/M, where the derivative of [`goodput`]'s share vanishes; it lies between 0 and M,
/// and the time to resume does not move it. Newton's method from Daly's interval.
#[must_use]
pub fn optimal_interval(stall: Seconds, mttf: Seconds) -> Seconds {
    let cost = stall / mttf;
    if cost <= 0.0 {
        return Seconds::ZERO;
    }
    // f(x) = 1 - x - exp(-(x + c)): above its root at x = 1, concave, so Newton from beyond the root cannot overshoot.
    let mut x = (daly_interval(stall, mttf) / mttf).clamp(1e-12, 1.0);
    for _ in 0..40 {
        let decay = libm::exp(-(x + cost));
        let next = x - (1.0 - x - decay) / (decay - 1.0);
        if (next - x).abs() <= 1e-14 * x {
            break;
        }
        x = next.clamp(1e-15, 1.0);
    }
    mttf * x
}

/// Copies of the state in the memory of peer servers, beside the checkpoints on storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryCopies {
    /// Time that training stands still per copy.
    pub stall: Seconds,
    /// From failure to the first new step where a copy survives.
    pub recovery: Seconds,
    /// Share of failures after which a copy survives.
    pub covers: f64,
}

/// How a job saves and resumes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checkpointing {
    /// State of the whole job.
    pub size: Bytes,
    /// Rate at which the whole job writes it.
    pub bandwidth: BytesPerSecond,
    /// Time that training stands still per checkpoint; `None` when it waits for the whole write.
    pub stall: Option<Seconds>,
    /// From failure to the first new step: detection, swap, restart, load.
    pub recovery: Seconds,
    /// Between checkpoints on storage, work only; `None`: the best. Never shorter than the write.
    pub interval: Option<Seconds>,
    /// Copies in memory; `None`: storage only.
    pub memory: Option<MemoryCopies>,
}

/// Where the time of a job goes; the shares sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Goodput {
    /// Useful work.
    pub goodput: f64,
    /// Standing still for checkpoints.
    pub checkpoint: f64,
    /// Work done again after failures.
    pub rework: f64,
    /// Detection, swap, restart and load.
    pub recovery: f64,
    /// Waiting for a repair, or going on with fewer replicas, for want of spares.
    pub waiting: f64,
    /// Lost to stragglers that nobody has noticed yet.
    pub stragglers: f64,
    /// Between the starts of checkpoints on storage, work only; `None` where nothing ever fails.
    pub interval: Option<Seconds>,
    /// Between copies in memory; `None` without them.
    pub memory_interval: Option<Seconds>,
    /// Time to write one checkpoint.
    pub write: Seconds,
    /// Mean time to failure of the job; `None` where nothing ever fails.
    pub mttf: Option<Seconds>,
}

impl Goodput {
    /// With a share of the time lost on top: the other shares shrink by it.
    #[must_use]
    pub fn losing(self, waiting: f64, stragglers: f64) -> Self {
        let left = (1.0 - waiting) * (1.0 - stragglers);
        Self {
            goodput: self.goodput * left,
            checkpoint: self.checkpoint * left,
            rework: self.rework * left,
            recovery: self.recovery * left,
            waiting: self.waiting * left + waiting,
            stragglers: self.stragglers * left + (1.0 - waiting) * stragglers,
            ..self
        }
    }
}

/// Share of useful time at the best interval (or that of `plan`), which is never shorter than the write of one
/// checkpoint.
///
/// With interval τ, stall C and resumption R' the expected time per τ of work is M·exp(R'/M)·(exp((τ+C)/M) - 1), exact
/// for memoryless failures that also strike during stalls and recoveries (Daly 2006), so the result stays
/// between 0 and 1 at any scale. A checkpoint counts once it is written: after an asynchronous one of stall C and write
/// W a failure loses W - C more work, so R' = R + W - C.
#[must_use]
pub fn goodput(mttf: Seconds, plan: &Checkpointing) -> Goodput {
    let write = plan.size / plan.bandwidth;
    let stall = plan.stall.map_or(write, |stall| stall.min(write));
    if mttf.0.is_infinite() {
        return Goodput {
            goodput: 1.0,
            checkpoint: 0.0,
            rework: 0.0,
            recovery: 0.0,
            waiting: 0.0,
            stragglers: 0.0,
            interval: None,
            memory_interval: None,
            write,
            mttf: None,
        };
    }
    match plan.memory {
        Some(copies) => with_memory(mttf, plan, copies, write, stall),
        None => storage_only(mttf, plan, write, stall),
    }
}

fn storage_only(mttf: Seconds, plan: &Checkpointing, write: Seconds, stall: Seconds) -> Goodput {
    let interval = plan.interval.unwrap_or_else(|| optimal_interval(stall, mttf)).max(write);
    let not_yet_written = write - stall;
    let resumption = plan.recovery + not_yet_written;
    let useful = useful_share(interval, stall, resumption, mttf);
    let checkpoint = if interval.0 > 0.0 { useful * (stall / interval) } else { 0.0 };
    // Failures come once per MTTF of any time, each attempt to resume lasts min(R', time to the next failure), whose
    // mean is M·(1 - exp(-R'/M)).
    let resuming = -libm::expm1(-(resumption / mttf));
    let recovery = if resumption.0 > 0.0 { resuming * (plan.recovery / resumption) } else { 0.0 };
    Goodput {
        goodput: useful,
        checkpoint,
        rework: (1.0 - useful - checkpoint - recovery).max(0.0),
        recovery,
        waiting: 0.0,
        stragglers: 0.0,
        interval: Some(interval),
        memory_interval: None,
        write,
        mttf: Some(mttf),
    }
}

/// Two levels: copies in memory for the share `covers` of the failures, checkpoints on storage for the others, each at
/// the best interval for its own failures (MTTF / share).
///
/// Time per unit of work, as failures of both kinds strike at any time: 1 + C1/τ1 + C2/τ2 of running, and
/// per failure the recovery and half an interval of its level: T = (1 + C1/τ1 + C2/τ2) / (1 - Σ share·(R + (τ + C)/2 +
/// W - C)/M). First order in the losses per failure (within 2 % of the simulation while they sum to below 0.2, see
/// `tests/oracle_simulation.rs`); beyond that it is pessimistic and ends at 0.
fn with_memory(
    mttf: Seconds,
    plan: &Checkpointing,
    copies: MemoryCopies,
    write: Seconds,
    stall: Seconds,
) -> Goodput {
    let seldom = (1.0 - copies.covers).max(0.0);
    let own = |share: f64| if share > 0.0 { mttf / share } else { Seconds(f64::INFINITY) };
    let interval = plan
        .interval
        .unwrap_or_else(|| if seldom > 0.0 { optimal_interval(stall, own(seldom)) } else { mttf * 100.0 })
        .max(write);
    let near =
        if copies.covers > 0.0 { optimal_interval(copies.stall, own(copies.covers)) } else { interval };
    let near = near.max(copies.stall);
    let stalls = copies.stall / near + stall / interval;
    let memory_loss = copies.covers * ((near + copies.stall) / mttf) / 2.0;
    let storage_loss = seldom * (((interval + stall) / mttf) / 2.0 + (write - stall) / mttf);
    let rework = memory_loss + storage_loss;
    let recovery = copies.covers * (copies.recovery / mttf) + seldom * (plan.recovery / mttf);
    let left = (1.0 - rework - recovery).max(0.0);
    let useful = left / (1.0 + stalls);
    let checkpoint = useful * stalls;
    let lost = 1.0 - useful - checkpoint;
    let of = |part: f64| if rework + recovery > 0.0 { lost * part / (rework + recovery) } else { 0.0 };
    Goodput {
        goodput: useful,
        checkpoint,
        rework: of(rework),
        recovery: of(recovery),
        waiting: 0.0,
        stragglers: 0.0,
        interval: Some(interval),
        memory_interval: Some(near),
        write,
        mttf: Some(mttf),
    }
}

/// τ / (M·exp(R/M)·(exp((τ+C)/M) - 1)); without writes, its limit exp(-R/M) as τ goes to 0.
fn useful_share(interval: Seconds, stall: Seconds, resumption: Seconds, mttf: Seconds) -> f64 {
    let resumed = libm::exp(-(resumption / mttf));
    if interval.0 <= 0.0 {
        return resumed;
    }
    resumed * (interval / mttf) / libm::expm1((interval + stall) / mttf)
}

/// Spare servers that cover those in repair with a probability: the smallest s with P(X <= s) >= `confidence`, X
/// Poisson with mean servers · failures per server-day · repair days (an M/G/∞ queue: any distribution of repairs).
///
/// Valid for a confidence from 0 up to, but not including, 1. Sums outwards from the mode, where terms do not
/// underflow, in about sqrt(mean) steps.
#[must_use]
pub fn spare_servers(servers: u64, failures_per_server_day: f64, repair: Seconds, confidence: f64) -> u64 {
    poisson_quantile(servers as f64 * failures_per_server_day * repair.days(), confidence)
}

/// P(X <= count) of a Poisson X: summed from `count` downwards, where terms fall, or as the rest of the upper tail.
#[must_use]
pub fn poisson_cdf(mean: f64, count: u64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let at = count as f64;
    let term = |k: f64| libm::exp(k * libm::log(mean) - mean - libm::lgamma(k + 1.0));
    let (mut sum, mut k) = (0.0, at);
    if at < mean {
        let mut now = term(at);
        while now > sum * 1e-17 && now > 0.0 {
            sum += now;
            if k == 0.0 {
                break;
            }
            now *= k / mean;
            k -= 1.0;
        }
        return sum;
    }
    k += 1.0;
    let mut now = term(k);
    while now > sum * 1e-17 && now > 0.0 {
        sum += now;
        k += 1.0;
        now *= mean / k;
    }
    1.0 - sum
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the mean is a count of servers")]
fn poisson_quantile(mean: f64, confidence: f64) -> u64 {
    if mean <= 0.0 {
        return 0;
    }
    let mode = mean.floor();
    let at_mode = libm::exp(mode * libm::log(mean) - mean - libm::lgamma(mode + 1.0));
    let negligible = at_mode * 1e-18;

    let mut lowest = mode;
    let mut lowest_term = at_mode;
    while lowest > 0.0 && lowest_term > negligible {
        lowest_term *= lowest / mean;
        lowest -= 1.0;
    }
    let (mut value, mut term, mut sum) = (lowest, lowest_term, lowest_term);
    while sum < confidence && (value < mode || term > negligible) {
        value += 1.0;
        term *= mean / value;
        sum += term;
    }
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(stall: Option<f64>, recovery: f64) -> Checkpointing {
        // 2.3 TB at 57.5 GB/s: 40 s (BLOOM-176B).
        Checkpointing {
            size: Bytes(2.3e12),
            bandwidth: BytesPerSecond(57.5e9),
            stall: stall.map(Seconds),
            recovery: Seconds(recovery),
            interval: None,
            memory: None,
        }
    }

    #[test]
    fn shares_of_time_sum_to_one() {
        for mttf in [600.0, 11_135.0, 1e6] {
            for plan in [plan(None, 300.0), plan(Some(0.5), 300.0), plan(Some(0.0), 0.0)] {
                let time = goodput(Seconds(mttf), &plan);
                let time = time.losing(0.1, 0.02);
                let sum = time.goodput
                    + time.checkpoint
                    + time.rework
                    + time.recovery
                    + time.waiting
                    + time.stragglers;
                assert!((sum - 1.0).abs() < 1e-12 && time.goodput > 0.0, "{time:?}");
            }
        }
    }

    #[test]
    fn goodput_agrees_with_first_order_waste_where_losses_are_small() {
        let mttf = Seconds(1e6);
        let plan = plan(None, 300.0);
        let time = goodput(mttf, &plan);
        let waste = first_order_waste(time.write, time.interval.unwrap(), mttf, plan.recovery);
        assert!((1.0 - time.goodput - waste).abs() < 0.02 * waste, "{time:?} {waste}");
    }

    #[test]
    fn the_write_time_is_the_floor_of_the_interval() {
        // Daly's interval for a stall of 1 ms at 3 h is 4.6 s, but a write takes 40 s.
        let time = goodput(Seconds(10_800.0), &plan(Some(0.001), 300.0));
        assert_eq!(time.interval, Some(Seconds(40.0)));
        assert_eq!(time.write, Seconds(40.0));
    }

    #[test]
    fn a_short_stall_beats_a_blocking_write() {
        let blocking = goodput(Seconds(10_800.0), &plan(None, 300.0));
        let asynchronous = goodput(Seconds(10_800.0), &plan(Some(0.5), 300.0));
        assert!(asynchronous.goodput > blocking.goodput);
    }

    #[test]
    fn without_failures_all_time_is_useful() {
        let time = goodput(job_mttf(1000, 0.0), &plan(None, 300.0));
        assert!((time.goodput - 1.0).abs() < f64::EPSILON && time.interval.is_none() && time.mttf.is_none());
    }

    #[test]
    fn goodput_stays_a_share_when_jobs_hardly_live() {
        let time = goodput(Seconds(1.0), &plan(None, 3600.0));
        assert!(time.goodput >= 0.0 && time.goodput < 1e-6, "{time:?}");
    }

    #[test]
    fn the_best_interval_is_where_a_scan_finds_it() {
        for (stall, mttf) in [(1.0, 1e5), (40.0, 11_135.0), (300.0, 600.0), (2000.0, 600.0)] {
            let share = |interval: f64| {
                useful_share(Seconds(interval), Seconds(stall), Seconds(300.0), Seconds(mttf))
            };
            let best = optimal_interval(Seconds(stall), Seconds(mttf)).0;
            let scanned = (1..200_000)
                .map(|i| f64::from(i) * mttf / 200_000.0)
                .max_by(|a, b| share(*a).total_cmp(&share(*b)));
            assert!((best / scanned.unwrap() - 1.0).abs() < 5e-3, "{stall} {mttf}: {best} {scanned:?}");
            assert!(share(best) >= share(daly_interval(Seconds(stall), Seconds(mttf)).0) - 1e-15);
        }
        assert_eq!(optimal_interval(Seconds(0.0), Seconds(100.0)), Seconds::ZERO);
    }

    #[test]
    fn copies_in_memory_beat_storage_alone() {
        let alone = plan(Some(2.0), 600.0);
        let copies = MemoryCopies { stall: Seconds(0.04), recovery: Seconds(120.0), covers: 0.9 };
        let both = Checkpointing { memory: Some(copies), ..alone };
        let (one, two) = (goodput(Seconds(10_800.0), &alone), goodput(Seconds(10_800.0), &both));
        assert!(two.goodput > one.goodput + 0.02);
        let sum = two.goodput + two.checkpoint + two.rework + two.recovery;
        assert!((sum - 1.0).abs() < 1e-12 && two.memory_interval.unwrap() < two.interval.unwrap());
    }

    #[test]
    fn poisson_sums_match_the_mass_function() {
        for mean in [0.01_f64, 1.0, 7.5, 60.0] {
            let (mut term, mut sum) = ((-mean).exp(), 0.0);
            for count in 0..150_u64 {
                sum += term;
                assert!((poisson_cdf(mean, count) - sum).abs() < 1e-12, "{mean} {count}");
                term *= mean / (count + 1) as f64;
            }
        }
        assert!((poisson_cdf(1e4, 10_000) - 0.502_66).abs() < 1e-4);
        assert!(poisson_cdf(1e4, 5000) < 1e-300);
    }

    #[test]
    fn daly_gives_the_mttf_where_a_write_takes_two_of_them() {
        assert_eq!(daly_interval(Seconds(20.0), Seconds(10.0)), Seconds(10.0));
    }

    #[test]
    fn poisson_quantiles_match_sums_of_the_mass_function() {
        for mean in [0.01_f64, 0.3, 1.0, 7.5, 60.0] {
            for confidence in [0.5, 0.9, 0.99, 0.9999] {
                let (mut quantile, mut term, mut sum) = (0_u64, (-mean).exp(), (-mean).exp());
                while sum < confidence {
                    quantile += 1;
                    term *= mean / quantile as f64;
                    sum += term;
                }
                assert_eq!(
                    poisson_quantile(mean, confidence),
                    quantile,
                    "mean {mean}, confidence {confidence}"
                );
            }
        }
        assert_eq!(poisson_quantile(0.0, 0.99), 0);
        // Normal approximation at a mean whose exp(-mean) underflows: 1e4 + 2.326 · 100.
        assert!(poisson_quantile(1e4, 0.99).abs_diff(10_233) <= 2);
    }
}
