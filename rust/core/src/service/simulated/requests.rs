//! Requests of a simulated service: when they come, and how long they are.

use crate::serving::case::Lengths;
use crate::serving::units::normal_quantile;
use crate::simulate::Random;
use crate::units::Seconds;

/// One request on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// When it came; before zero for one that was there from the start.
    pub arrived: f64,
    /// Prompt tokens still to compute.
    pub prompt: f64,
    /// Tokens in the cache: prefix hits and what is computed.
    pub cached: f64,
    /// Output tokens.
    pub output: f64,
    /// When its first token came.
    pub first: f64,
}

impl Request {
    /// Whether it came during the simulation, so that its latencies are known.
    #[must_use]
    pub fn measured(&self) -> bool {
        self.arrived >= 0.0
    }
}

/// Draws requests: arrivals by a Poisson process, prompts and outputs log-normal about their means.
#[derive(Clone, Debug)]
pub struct Requests {
    lengths: Lengths,
    mean_gap: Seconds,
    gaps: Random,
    prompts: Random,
    outputs: Random,
}

impl Requests {
    /// Requests of `lengths` at `rate` per second. Arrivals, prompts and outputs have a stream of numbers each.
    #[must_use]
    pub fn new(lengths: Lengths, rate: f64, seed: u64) -> Self {
        Self {
            lengths,
            mean_gap: Seconds(1.0 / rate),
            gaps: Random::new(seed, 0),
            prompts: Random::new(seed, 1),
            outputs: Random::new(seed, 2),
        }
    }

    /// Time to the next arrival.
    pub fn gap(&mut self) -> Seconds {
        self.gaps.exponential(self.mean_gap)
    }

    /// A request that comes `now`.
    pub fn come(&mut self, now: f64) -> Request {
        let lengths = &self.lengths;
        let whole = lognormal(&mut self.prompts, lengths.input, lengths.input_spread);
        let output = lognormal(&mut self.outputs, lengths.output, lengths.output_spread);
        let hit = whole * lengths.prefix_hit;
        Request { arrived: now, prompt: whole - hit, cached: hit, output, first: now }
    }

    /// A request found in decode at a random moment, and the output tokens that it still gets.
    ///
    /// Long outputs are met in proportion to their length (a log-normal law weighted by its value is one with its
    /// mean raised by 1 + spread^2), and at a uniform place of it.
    pub fn under_way(&mut self) -> (Request, f64) {
        let lengths = &self.lengths;
        let spread = lengths.output_spread;
        let prompt = lognormal(&mut self.prompts, lengths.input, lengths.input_spread);
        let output = lognormal(&mut self.outputs, lengths.output * (1.0 + spread * spread), spread);
        let left = output * self.outputs.uniform();
        let request =
            Request { arrived: -1.0, prompt: 0.0, cached: prompt + output - left, output, first: -1.0 };
        (request, left)
    }
}

/// A log-normal length of at least one token.
fn lognormal(random: &mut Random, mean: f64, spread: f64) -> f64 {
    if spread <= 0.0 {
        return mean.max(1.0);
    }
    let variance = libm::log(1.0 + spread * spread);
    let normal = normal_quantile(random.uniform().clamp(1e-9, 1.0 - 1e-9));
    (mean * libm::exp(normal * libm::sqrt(variance) - variance / 2.0)).max(1.0)
}
