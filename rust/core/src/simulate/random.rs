//! Random numbers that are the same for a seed on every host and for any number of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::units::Seconds;

/// 2^-53: the spacing of the numbers of [`Random::uniform`].
const SPACING: f64 = 1.0 / 9_007_199_254_740_992.0;

/// A stream of random numbers (`ChaCha8`).
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream number `stream` of `seed`. Streams of one seed are independent: give each source of randomness its
    /// own (arrivals 0, services 1 ...), so that a change of one leaves the draws of the others as they were.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * SPACING
    }

    /// Exponential with this mean, by inversion: -mean · ln(1 - u). A mean of zero gives zero, an infinite one never.
    pub fn exponential(&mut self, mean: Seconds) -> Seconds {
        if mean.0.is_infinite() {
            return mean;
        }
        Seconds(-mean.0 * libm::log1p(-self.uniform()))
    }

    /// A whole number below `count`, each as likely as the next. `count` must not be zero.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below count by construction"
    )]
    pub fn below(&mut self, count: usize) -> usize {
        ((self.uniform() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_streams_differ() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..4).map(|_| random.uniform()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 0), draw(7, 0));
        assert_ne!(draw(7, 0), draw(7, 1));
        assert_ne!(draw(7, 0), draw(8, 0));
    }

    #[test]
    fn exponential_times_have_their_mean_and_deviation() {
        let mut random = Random::new(1, 0);
        let times: Vec<f64> = (0..200_000).map(|_| random.exponential(Seconds(3.0)).0).collect();
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let square = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / times.len() as f64;
        assert!((mean - 3.0).abs() < 0.03, "{mean}");
        assert!((square.sqrt() - 3.0).abs() < 0.05, "{}", square.sqrt());
        assert_eq!(random.exponential(Seconds(0.0)).0, 0.0);
        assert!(random.exponential(Seconds(f64::INFINITY)).0.is_infinite());
    }

    #[test]
    fn below_reaches_every_number_and_none_beyond() {
        let mut random = Random::new(3, 0);
        let mut seen = [0_u32; 5];
        for _ in 0..5000 {
            seen[random.below(5)] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
    }
}
