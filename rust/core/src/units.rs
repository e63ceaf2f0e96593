//! Quantities as types, so that bytes are never added to seconds. Values are SI: bytes, seconds, watts, FLOP.
//!
//! All bandwidths in the core are bytes per second, one way. Bits exist only in the Python unit table.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

use serde::{Deserialize, Serialize};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0.0);

            /// The larger of two.
            #[must_use]
            #[inline]
            pub fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }

            /// The smaller of two.
            #[must_use]
            #[inline]
            pub fn min(self, other: Self) -> Self {
                Self(self.0.min(other.0))
            }
        }

        impl Add for $name {
            type Output = Self;
            #[inline]
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            #[inline]
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl Sub for $name {
            type Output = Self;
            #[inline]
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl Mul<f64> for $name {
            type Output = Self;
            #[inline]
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }

        impl Mul<$name> for f64 {
            type Output = $name;
            #[inline]
            fn mul(self, quantity: $name) -> $name {
                $name(self * quantity.0)
            }
        }

        impl Div<f64> for $name {
            type Output = Self;
            #[inline]
            fn div(self, divisor: f64) -> Self {
                Self(self.0 / divisor)
            }
        }

        impl Div for $name {
            type Output = f64;
            #[inline]
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                Self(items.map(|item| item.0).sum())
            }
        }
    };
}

quantity!(
    /// Bytes.
    Bytes
);
quantity!(
    /// Bytes per second, one way.
    BytesPerSecond
);
quantity!(
    /// Floating-point operations; a multiply-add counts two.
    Flops
);
quantity!(
    /// Floating-point operations per second, dense.
    FlopsPerSecond
);
quantity!(
    /// Seconds.
    Seconds
);
quantity!(
    /// Watts.
    Watts
);
quantity!(
    /// US dollars.
    Usd
);

/// Seconds in a day.
pub const SECONDS_PER_DAY: f64 = 86_400.0;

/// Hours in a year of 365 days.
pub const HOURS_PER_YEAR: f64 = 8_760.0;

impl Seconds {
    /// In days.
    #[must_use]
    pub fn days(self) -> f64 {
        self.0 / SECONDS_PER_DAY
    }
}

impl Div<BytesPerSecond> for Bytes {
    type Output = Seconds;
    #[inline]
    fn div(self, rate: BytesPerSecond) -> Seconds {
        Seconds(self.0 / rate.0)
    }
}

impl Div<FlopsPerSecond> for Flops {
    type Output = Seconds;
    #[inline]
    fn div(self, rate: FlopsPerSecond) -> Seconds {
        Seconds(self.0 / rate.0)
    }
}

/// A value with three digits and the prefix that suits it: 5.68 TB, 12 MB/s.
#[must_use]
pub fn scaled(value: f64, unit: &str) -> String {
    let steps = [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)];
    let (prefix, size) = steps.into_iter().find(|(_, size)| value >= *size).unwrap_or(("", 1.0));
    format!("{} {prefix}{unit}", three_digits(value / size))
}

/// Seconds in the unit that suits them: 18.1 s, 76.8 min, 11.5 h, 5.48 days.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let (size, unit) = match seconds {
        at if at < 120.0 => (1.0, "s"),
        at if at < 7200.0 => (60.0, "min"),
        at if at < 2.0 * SECONDS_PER_DAY => (3600.0, "h"),
        _ => (SECONDS_PER_DAY, "days"),
    };
    format!("{} {unit}", three_digits(seconds / size))
}

fn three_digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_with_three_digits() {
        assert_eq!(scaled(5.682e12, "B"), "5.68 TB");
        assert_eq!(scaled(12e6, "B/s"), "12 MB/s");
        assert_eq!(scaled(502.932e9, "B/s"), "503 GB/s");
        assert_eq!(duration(18.05), "18.1 s");
        assert_eq!(duration(4608.0), "76.8 min");
        assert_eq!(duration(473_500.0), "5.48 days");
    }

    #[test]
    fn bytes_over_rate_are_seconds() {
        assert_eq!(Bytes(100.0) / BytesPerSecond(50.0), Seconds(2.0));
        assert_eq!(Flops(6.0) / FlopsPerSecond(3.0), Seconds(2.0));
    }

    #[test]
    fn a_day_has_86400_seconds() {
        assert!((Seconds(172_800.0).days() - 2.0).abs() < 1e-12);
    }
}
