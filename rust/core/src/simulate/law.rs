//! Distributions of times: of arrivals, services, failures, repairs.

use crate::error::CoreError;
use crate::simulate::Random;
use crate::units::Seconds;

/// How long something takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// Always the same.
    Deterministic(Seconds),
    /// Memoryless with this mean. An infinite mean: it never happens.
    Exponential(Seconds),
    /// One of these, each as likely: measured values as they are.
    Empirical(Vec<Seconds>),
}

impl Law {
    /// A law of measured values.
    ///
    /// # Errors
    /// No values, or one that is negative or no number.
    pub fn empirical(values: Vec<Seconds>) -> Result<Self, CoreError> {
        if values.is_empty() {
            return Err(CoreError::invalid("law", "has no values"));
        }
        if let Some(bad) = values.iter().find(|value| !(value.0.is_finite() && value.0 >= 0.0)) {
            return Err(CoreError::invalid("law", format!("a time must be 0 or more, not {}", bad.0)));
        }
        Ok(Self::Empirical(values))
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Seconds {
        match self {
            Self::Deterministic(time) | Self::Exponential(time) => *time,
            Self::Empirical(values) => {
                Seconds(values.iter().map(|value| value.0).sum::<f64>() / values.len() as f64)
            }
        }
    }

    /// Variance over squared mean: 0 for a constant, 1 for a memoryless law.
    #[must_use]
    pub fn squared_variation(&self) -> f64 {
        match self {
            Self::Deterministic(_) => 0.0,
            Self::Exponential(_) => 1.0,
            Self::Empirical(values) => {
                let mean = self.mean().0;
                if mean == 0.0 {
                    return 0.0;
                }
                let square = values.iter().map(|value| (value.0 - mean) * (value.0 - mean)).sum::<f64>();
                square / values.len() as f64 / (mean * mean)
            }
        }
    }

    /// One time.
    pub fn draw(&self, random: &mut Random) -> Seconds {
        match self {
            Self::Deterministic(time) => *time,
            Self::Exponential(mean) => random.exponential(*mean),
            Self::Empirical(values) => values[random.below(values.len())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_know_their_mean_and_variation() {
        let measured = Law::empirical(vec![Seconds(1.0), Seconds(3.0)]).unwrap();
        assert_eq!(measured.mean(), Seconds(2.0));
        assert_eq!(measured.squared_variation(), 0.25);
        assert_eq!(Law::Deterministic(Seconds(5.0)).squared_variation(), 0.0);
        assert_eq!(Law::Exponential(Seconds(5.0)).squared_variation(), 1.0);
        let mut random = Random::new(1, 0);
        for _ in 0..100 {
            assert!([1.0, 3.0].contains(&measured.draw(&mut random).0));
        }
    }

    #[test]
    fn measured_values_must_be_times() {
        assert!(Law::empirical(vec![]).is_err());
        assert!(Law::empirical(vec![Seconds(-1.0)]).is_err());
        assert!(Law::empirical(vec![Seconds(f64::NAN)]).is_err());
    }
}
