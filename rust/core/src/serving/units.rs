//! Small sums that the serving rooms share.

use crate::units::Seconds;

/// The smooth maximum of a compute and a memory bound: (tc^p + tm^p)^(1/p).
#[must_use]
pub fn smooth_maximum(compute: Seconds, memory: Seconds, smoothness: f64) -> Seconds {
    let (large, small) = if compute > memory { (compute, memory) } else { (memory, compute) };
    if large.0 <= 0.0 {
        return Seconds::ZERO;
    }
    if small.0 <= 0.0 {
        return large;
    }
    // x^p as exp(p ln x): a third of the time of a general power, which is exact to the last bit for nobody's use.
    let share = libm::exp(smoothness * libm::log(small / large));
    large * libm::exp(libm::log1p(share) / smoothness)
}

/// Share of the peak that an operator reaches: u0 / (1 + (F/B)/R).
///
/// F peak FLOP/s, B memory bytes/s, R the ridge of the operator class in FLOP per byte. Chips with much arithmetic
/// per byte of bandwidth reach a smaller share of it. Valid for F/B of 20 to 1,200; fitted on published serving runs.
#[must_use]
pub fn ridge_share(peak_share: f64, flops_per_byte: f64, ridge: f64) -> f64 {
    peak_share / (1.0 + flops_per_byte / ridge)
}

/// Expected share of `experts` that at least one of `tokens` uses, each picking `top_k`.
///
/// Experts alike: 1 - (1 - k/E)^T = 1 - exp(-l), l = -T ln(1 - k/E). Experts differ in popularity, so few tokens meet
/// the same popular ones: with popularity gamma-distributed of squared spread c, the mean of 1 - exp(-l w) over w is
/// 1 - (1 + c l)^(-1/c), which tends to the first for c to 0.
#[must_use]
pub fn expert_coverage(experts: f64, top_k: f64, tokens: f64, skew: f64) -> f64 {
    let picked = (top_k / experts).min(1.0);
    let even = 1.0 - libm::pow(1.0 - picked, tokens);
    if skew < 1e-9 || even >= 1.0 {
        return even;
    }
    let load = -tokens * libm::log1p(-picked);
    1.0 - libm::pow(1.0 + skew * load, -1.0 / skew)
}

/// The quantile of a standard normal distribution (Abramowitz and Stegun 26.2.23, within 4.5e-4), `share` in (0, 1).
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    let tail = share.min(1.0 - share).max(1e-12);
    let t = libm::sqrt(-2.0 * libm::log(tail));
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let bottom = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let far = t - top / bottom;
    if share < 0.5 { -far } else { far }
}

/// The quantile of a log-normal number over its mean, for a standard deviation of `spread` means.
#[must_use]
pub fn lognormal_quantile(spread: f64, share: f64) -> f64 {
    let variance = libm::log(1.0 + spread * spread);
    libm::exp(normal_quantile(share) * libm::sqrt(variance) - variance / 2.0)
}

/// The whole number below `value`, between 1 and `most`.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and `most`
pub fn whole(value: f64, most: u32) -> u32 {
    libm::floor(value).clamp(1.0, f64::from(most)) as u32
}

/// The batch at which a decode step of `sequences` is replayed: graphs are captured at multiples of 8 up to 128, at 256,
/// 384 and 512, and at powers of two beyond.
///
/// Source: TensorRT-LLM, captured sizes of its default and of its published benchmarks (`performance/perf-overview.md`).
#[must_use]
pub fn captured_batch(sequences: f64) -> f64 {
    if sequences <= 4.0 {
        return libm::ceil(sequences);
    }
    if sequences <= 128.0 {
        return libm::ceil(sequences / 8.0) * 8.0;
    }
    if sequences <= 512.0 {
        return libm::ceil(sequences / 128.0 - 1e-9) * 128.0;
    }
    libm::exp2(libm::ceil(libm::log2(sequences) - 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_replayed_at_the_next_captured_batch() {
        for (sequences, captured) in [
            (3.0, 3.0),
            (9.0, 16.0),
            (128.0, 128.0),
            (129.0, 256.0),
            (257.0, 384.0),
            (512.0, 512.0),
            (513.0, 1024.0),
        ] {
            assert!((captured_batch(sequences) - captured).abs() < 1e-9, "{sequences}");
        }
    }

    #[test]
    fn smooth_maximum_tends_to_the_larger_and_is_symmetric() {
        assert!((smooth_maximum(Seconds(1.0), Seconds::ZERO, 1.3).0 - 1.0).abs() < 1e-12);
        assert_eq!(
            smooth_maximum(Seconds(1.0), Seconds(2.0), 1.3),
            smooth_maximum(Seconds(2.0), Seconds(1.0), 1.3)
        );
        let equal = smooth_maximum(Seconds(1.0), Seconds(1.0), 2.0).0;
        assert!((equal - 2.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        assert!((normal_quantile(0.9) - 1.2816).abs() < 5e-4);
        assert!((normal_quantile(0.01) + 2.3263).abs() < 5e-4);
        assert!((lognormal_quantile(0.0, 0.99) - 1.0).abs() < 1e-9);
        // Median over mean: 1 / sqrt(1 + cv^2).
        assert!((lognormal_quantile(1.0, 0.5) - 0.5_f64.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn a_chip_at_the_ridge_reaches_half_of_the_share() {
        assert!((ridge_share(0.86, 367.0, 367.0) - 0.43).abs() < 1e-12);
    }

    #[test]
    fn one_token_covers_its_own_experts_and_many_cover_all() {
        assert!((expert_coverage(256.0, 8.0, 1.0, 0.0) - 8.0 / 256.0).abs() < 1e-12);
        assert!(expert_coverage(256.0, 8.0, 1000.0, 0.0) > 0.999_999);
    }

    #[test]
    fn popular_experts_leave_others_idle() {
        // Exponential popularity (c = 1) at a load of ln 2 per expert: ln 2 / (1 + ln 2) instead of 1/2.
        let load = 2.0_f64.ln();
        let tokens = load / -(1.0 - 0.25_f64).ln();
        assert!((expert_coverage(4.0, 1.0, tokens, 0.0) - 0.5).abs() < 1e-12);
        assert!((expert_coverage(4.0, 1.0, tokens, 1.0) - load / (1.0 + load)).abs() < 1e-12);
    }
}
