//! Precisions of matrix products, and numbers that come one per precision.

use serde::{Deserialize, Serialize};

/// Precision of the large matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 16-bit: bfloat16 or half (same rate on every chip of the library).
    Bf16,
    /// 8-bit floating point.
    Fp8,
    /// 8-bit integers.
    Int8,
    /// 4-bit floating point.
    Fp4,
}

/// A number for each precision; absent where the chip cannot or nobody said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerPrecision<T> {
    /// At 16 bits.
    pub bf16: T,
    /// At 8 bits.
    pub fp8: Option<T>,
    /// At 4 bits.
    pub fp4: Option<T>,
    /// With 8-bit integers.
    #[serde(default = "none")]
    pub int8: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T: Copy> PerPrecision<T> {
    /// The number at `precision`, if there is one.
    pub fn at(&self, precision: Precision) -> Option<T> {
        match precision {
            Precision::Bf16 => Some(self.bf16),
            Precision::Fp8 => self.fp8,
            Precision::Int8 => self.int8,
            Precision::Fp4 => self.fp4,
        }
    }
}
