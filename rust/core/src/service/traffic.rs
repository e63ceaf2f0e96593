//! What the simulation of a service sees of its requests beyond means and spreads: a trace, histograms of lengths.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;

/// Requests as they came: a trace to be replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// When each came, in seconds from any zero, in order.
    pub arrivals: Vec<f64>,
    /// Prompt tokens of each; empty for items.
    pub inputs: Vec<f64>,
    /// Output tokens of each; empty for items.
    pub outputs: Vec<f64>,
    /// Requests per second in the busiest window: time is stretched so that this becomes the load of the service.
    pub peak_rate: f64,
}

/// Lengths with their weights; empty: log-normal by mean and spread.
pub type Histogram = Vec<(f64, f64)>;

/// Requests as the simulation draws or replays them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// A trace; none: Poisson arrivals.
    pub replay: Option<Replay>,
    /// Prompt tokens.
    pub input: Histogram,
    /// Output tokens.
    pub output: Histogram,
}

impl Traffic {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] with the key.
    pub fn validate(&self, items: bool) -> Result<(), CoreError> {
        for (key, lengths) in [("input", &self.input), ("output", &self.output)] {
            let sound = lengths.iter().all(|(tokens, weight)| *tokens >= 1.0 && *weight >= 0.0);
            if !sound || (!lengths.is_empty() && lengths.iter().map(|pair| pair.1).sum::<f64>() <= 0.0) {
                return Err(CoreError::invalid(
                    format!("search.traffic.{key}"),
                    "needs lengths of at least one token and weights above zero",
                ));
            }
        }
        self.replay.as_ref().map_or(Ok(()), |replay| replay.validate(items))
    }
}

impl Replay {
    fn validate(&self, items: bool) -> Result<(), CoreError> {
        let wrong = |why: &str| Err(CoreError::invalid("search.traffic.replay", why));
        let count = self.arrivals.len();
        if count < 2 {
            return wrong("needs at least two arrivals");
        }
        if self.arrivals.windows(2).any(|pair| !(pair[0] <= pair[1] && pair[1].is_finite())) {
            return wrong("must be in the order of arrival");
        }
        let lengths = if items { 0 } else { count };
        if self.inputs.len() != lengths || self.outputs.len() != lengths {
            return wrong("needs lengths for each arrival of a language model, and none for items");
        }
        if self.inputs.iter().chain(&self.outputs).any(|tokens| !(tokens.is_finite() && *tokens >= 1.0)) {
            return wrong("lengths must be at least one token");
        }
        if !(self.peak_rate.is_finite() && self.peak_rate > 0.0) {
            return wrong("peak_rate must be a positive number");
        }
        Ok(())
    }

    /// Seconds of the service per second of the trace, where the busiest window is to come at `rate`.
    #[must_use]
    pub fn stretch(&self, rate: f64) -> f64 {
        self.peak_rate / rate
    }

    /// Indices [from, to) of the arrivals in the busiest stretch of at most `seconds` of the trace; all, if it is no
    /// longer.
    #[must_use]
    pub fn busiest(&self, seconds: f64) -> (usize, usize) {
        let times = &self.arrivals;
        let (mut best, mut first) = ((0, 0), 0);
        for (last, time) in times.iter().enumerate() {
            while times[first] < time - seconds {
                first += 1;
            }
            if last + 1 - first > best.1 - best.0 {
                best = (first, last + 1);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(arrivals: &[f64]) -> Replay {
        let ones = vec![1.0; arrivals.len()];
        Replay { arrivals: arrivals.to_vec(), inputs: ones.clone(), outputs: ones, peak_rate: 2.0 }
    }

    #[test]
    fn the_busiest_stretch_holds_the_burst() {
        let burst = replay(&[0.0, 10.0, 20.0, 20.5, 21.0, 21.5, 30.0, 40.0]);
        assert_eq!(burst.busiest(2.0), (2, 6));
        assert_eq!(burst.busiest(40.0), (0, 8));
        assert!((burst.stretch(4.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn traces_out_of_order_or_without_lengths_are_refused() {
        let traffic = |replay: Replay| Traffic { replay: Some(replay), ..Traffic::default() };
        assert!(traffic(replay(&[0.0, 1.0])).validate(false).is_ok());
        assert!(traffic(replay(&[1.0, 0.0])).validate(false).is_err());
        assert!(traffic(replay(&[0.0])).validate(false).is_err());
        assert!(traffic(replay(&[0.0, 1.0])).validate(true).is_err());
        assert!(traffic(Replay { inputs: vec![0.5, 1.0], ..replay(&[0.0, 1.0]) }).validate(false).is_err());
    }
}
