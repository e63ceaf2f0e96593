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

#[cfg(test)]
mod tests {
    use super::*;

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
