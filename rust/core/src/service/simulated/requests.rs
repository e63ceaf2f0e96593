//! Requests of a simulated service: when they come, and how long they are.

use crate::service::traffic::{Histogram, Replay, Traffic};
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

/// Draws requests: arrivals by a Poisson process, prompts and outputs by their laws.
#[derive(Clone, Debug)]
pub struct Requests {
    lengths: Lengths,
    prompt: Tokens,
    output: Tokens,
    mean_gap: Seconds,
    gaps: Random,
    prompts: Random,
    outputs: Random,
}

impl Requests {
    /// Requests of `lengths` at `rate` per second; `traffic`: histograms in the place of log-normal lengths. Arrivals,
    /// prompts and outputs have a stream of numbers each.
    #[must_use]
    pub fn new(lengths: Lengths, traffic: Option<&Traffic>, rate: f64, seed: u64) -> Self {
        let law = |histogram: Option<&Histogram>, mean: f64, spread: f64| {
            histogram.filter(|list| !list.is_empty()).map_or(Tokens::Lognormal { mean, spread }, Tokens::of)
        };
        Self {
            lengths,
            prompt: law(traffic.map(|known| &known.input), lengths.input, lengths.input_spread),
            output: law(traffic.map(|known| &known.output), lengths.output, lengths.output_spread),
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
        let whole = self.prompt.draw(self.prompts.uniform());
        let output = self.output.draw(self.outputs.uniform());
        request(now, whole, output, self.lengths.prefix_hit)
    }

    /// A request found in decode at a random moment, and the output tokens that it still gets: long outputs are met in
    /// proportion to their length, and at a uniform place of it.
    pub fn under_way(&mut self) -> (Request, f64) {
        let prompt = self.prompt.draw(self.prompts.uniform());
        let output = self.output.draw_by_length(self.outputs.uniform());
        let left = output * self.outputs.uniform();
        let request =
            Request { arrived: -1.0, prompt: 0.0, cached: prompt + output - left, output, first: -1.0 };
        (request, left)
    }
}

fn request(now: f64, whole: f64, output: f64, prefix_hit: f64) -> Request {
    let hit = whole * prefix_hit;
    Request { arrived: now, prompt: whole - hit, cached: hit, output, first: now }
}

/// Requests of a trace between two of its indices, with a load of `rate` in the busiest window and the first at zero;
/// of a pool that gets a `share` of them, each is kept by chance.
#[must_use]
pub fn replayed(
    replay: &Replay,
    (from, to): (usize, usize),
    prefix_hit: f64,
    rate: f64,
    share: f64,
    seed: u64,
) -> Vec<(f64, Request)> {
    let stretch = replay.stretch(rate);
    let begin = replay.arrivals.get(from).copied().unwrap_or(0.0);
    let mut thin = Random::new(seed, 4);
    (from..to)
        .filter(|_| share >= 1.0 || thin.happens(share))
        .map(|index| {
            let at = (replay.arrivals[index] - begin) * stretch;
            let length = |lengths: &[f64]| lengths.get(index).copied().unwrap_or(1.0);
            (at, request(at, length(&replay.inputs), length(&replay.outputs), prefix_hit))
        })
        .collect()
}

/// How many tokens.
#[derive(Clone, Debug)]
enum Tokens {
    /// Log-normal about a mean, at least one.
    Lognormal { mean: f64, spread: f64 },
    /// Lengths with the share of the requests up to each, and the share of the tokens up to each.
    Histogram(Vec<(f64, f64, f64)>),
}

impl Tokens {
    fn of(histogram: &Histogram) -> Self {
        let requests: f64 = histogram.iter().map(|pair| pair.1).sum();
        let tokens: f64 = histogram.iter().map(|pair| pair.0 * pair.1).sum();
        let (mut some, mut sum) = (0.0, 0.0);
        let row = |(length, weight): &(f64, f64)| {
            some += weight / requests;
            sum += length * weight / tokens;
            (*length, some, sum)
        };
        Self::Histogram(histogram.iter().map(row).collect())
    }

    /// The length at a uniform number.
    fn draw(&self, uniform: f64) -> f64 {
        match self {
            Self::Lognormal { mean, spread } => lognormal(uniform, *mean, *spread),
            Self::Histogram(rows) => at(rows, |row| row.1 > uniform),
        }
    }

    /// The same where a length is met in proportion to itself: a log-normal law weighted by its value is one with its
    /// mean raised by 1 + spread^2.
    fn draw_by_length(&self, uniform: f64) -> f64 {
        match self {
            Self::Lognormal { mean, spread } => lognormal(uniform, mean * (1.0 + spread * spread), *spread),
            Self::Histogram(rows) => at(rows, |row| row.2 > uniform),
        }
    }
}

fn at(rows: &[(f64, f64, f64)], found: impl Fn(&(f64, f64, f64)) -> bool) -> f64 {
    rows.iter().find(|row| found(row)).or(rows.last()).map_or(1.0, |row| row.0)
}

/// A log-normal length of at least one token at a uniform number.
fn lognormal(uniform: f64, mean: f64, spread: f64) -> f64 {
    if spread <= 0.0 {
        return mean.max(1.0);
    }
    let variance = libm::log(1.0 + spread * spread);
    let normal = normal_quantile(uniform.clamp(1e-9, 1.0 - 1e-9));
    (mean * libm::exp(normal * libm::sqrt(variance) - variance / 2.0)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_drawn_by_its_weights_and_met_by_its_tokens() {
        // 100 and 900 tokens with weights 3 and 1: three in four are short, and 300 of 1,200 tokens are of short ones.
        let tokens = Tokens::of(&vec![(100.0, 3.0), (900.0, 1.0)]);
        assert_eq!([0.0, 0.7, 0.76, 0.999].map(|u| tokens.draw(u)), [100.0, 100.0, 900.0, 900.0]);
        assert_eq!([0.2, 0.3].map(|u| tokens.draw_by_length(u)), [100.0, 900.0]);
    }

    #[test]
    fn a_trace_comes_with_its_own_lengths_at_the_rate_asked_for() {
        let replay = Replay {
            arrivals: vec![5.0, 6.0, 8.0],
            inputs: vec![10.0, 20.0, 30.0],
            outputs: vec![1.0, 2.0, 3.0],
            peak_rate: 1.0,
        };
        let came = replayed(&replay, (0, 3), 0.5, 2.0, 1.0, 0);
        assert_eq!(came.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0.0, 0.5, 1.5]);
        assert_eq!((came[1].1.prompt, came[1].1.cached, came[2].1.output), (10.0, 10.0, 3.0));
    }
}
