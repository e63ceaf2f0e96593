//! Failures, checkpoints and spares: what share of the time is useful work.
//!
//! Failures are memoryless and each stops the whole job. Sources: Young, CACM 17(9), 1974; Daly, Future Generation
//! Computer Systems 22, 2006; Kokolis et al., arXiv 2410.21680 (rates and expected ETTR at Meta).

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
    /// Between the starts of checkpoints, work only; `None` where nothing ever fails.
    pub interval: Option<Seconds>,
    /// Time to write one checkpoint.
    pub write: Seconds,
    /// Mean time to failure of the job; `None` where nothing ever fails.
    pub mttf: Option<Seconds>,
}

/// Share of useful time at Daly's interval, which is never shorter than the write of one checkpoint.
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
            interval: None,
            write,
            mttf: None,
        };
    }
    let interval = daly_interval(stall, mttf).max(write);
    let not_yet_written = write - stall;
    let resumption = plan.recovery + not_yet_written;
    let useful = useful_share(interval, stall, resumption, mttf);
    let checkpoint = useful * (stall / interval);
    // Failures come once per MTTF of any time, each attempt to resume lasts min(R', time to the next failure), whose
    // mean is M·(1 - exp(-R'/M)).
    let resuming = -libm::expm1(-(resumption / mttf));
    let recovery = if resumption.0 > 0.0 { resuming * (plan.recovery / resumption) } else { 0.0 };
    Goodput {
        goodput: useful,
        checkpoint,
        rework: (1.0 - useful - checkpoint - recovery).max(0.0),
        recovery,
        interval: Some(interval),
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
        }
    }

    #[test]
    fn shares_of_time_sum_to_one() {
        for mttf in [600.0, 11_135.0, 1e6] {
            for plan in [plan(None, 300.0), plan(Some(0.5), 300.0), plan(Some(0.0), 0.0)] {
                let time = goodput(Seconds(mttf), &plan);
                let sum = time.goodput + time.checkpoint + time.rework + time.recovery;
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
