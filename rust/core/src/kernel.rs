//! Times of kernels on one device: one law for every operation.
//!
//! t = (tc^p + tm^p)^(1/p): tc the compute bound and tm the memory bound, each over the share of its peak that
//! software reaches. Source: the roofline of Williams, Waterman and Patterson 2009 (CACM 52(4)), made smooth; p (1.2 to 1.4) and
//! the shape terms are fits on the published runs in `planner/data/cases`.

use crate::hardware::{Device, Precision};
use crate::units::{Bytes, BytesPerSecond, Flops, FlopsPerSecond, Seconds};

/// p of the smooth roofline.
pub const SMOOTHNESS: f64 = 1.4;

/// Rows of a grouped (expert) product are padded to this.
pub const GROUP_PADDING: f64 = 64.0;

/// The smooth maximum of a compute and a memory bound.
#[must_use]
pub fn roofline(compute: Seconds, memory: Seconds) -> Seconds {
    if compute.0 <= 0.0 {
        return memory;
    }
    let ratio = memory / compute;
    compute * libm::pow(1.0 + libm::pow(ratio, SMOOTHNESS), 1.0 / SMOOTHNESS)
}

/// A device at a clock, with the rates that the formulas need worked out once.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    product_rate: FlopsPerSecond,
    bf16_product_rate: FlopsPerSecond,
    half_depth: f64,
    operand_bytes: f64,
    attention_rate: FlopsPerSecond,
    attention_backward: f64,
    attention_half_length: f64,
    memory_rate: BytesPerSecond,
    host_rate: Option<BytesPerSecond>,
}

/// Shape of a matrix product [m, k] x [k, n], `groups` of them.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Rows.
    pub m: f64,
    /// Inner size.
    pub k: f64,
    /// Columns.
    pub n: f64,
    /// Equal products run as one grouped kernel.
    pub groups: f64,
}

impl Product {
    /// A single product.
    #[must_use]
    pub fn new(m: f64, k: f64, n: f64) -> Self {
        Self { m, k, n, groups: 1.0 }
    }

    /// 2 m k n over all groups.
    #[must_use]
    pub fn flops(&self) -> Flops {
        Flops(2.0 * self.m * self.k * self.n * self.groups)
    }
}

impl Kernels {
    /// Rates of `device` at relative `clock` for products at `precision`; none if the chip lacks the precision.
    #[must_use]
    pub fn new(device: &Device, precision: Precision, clock: f64) -> Option<Self> {
        let efficiency = &device.efficiency;
        let peak = device.peak.at(precision)?;
        let share = efficiency.matmul.at(precision).unwrap_or(efficiency.matmul.bf16);
        Some(Self {
            product_rate: peak * (share * clock),
            bf16_product_rate: device.peak.bf16 * (efficiency.matmul.bf16 * clock),
            half_depth: efficiency.matmul_half_depth,
            operand_bytes: match precision {
                Precision::Bf16 => 2.0,
                Precision::Fp8 | Precision::Int8 => 1.0,
                Precision::Fp4 => 0.5,
            },
            attention_rate: device.peak.bf16 * (efficiency.attention_forward * clock),
            attention_backward: efficiency.attention_backward_ratio,
            attention_half_length: efficiency.attention_half_length,
            memory_rate: device.memory_bandwidth * efficiency.memory,
            host_rate: device.host_bandwidth,
        })
    }

    /// A product at the workload's precision, with `extra` bytes beside its operands (gradient accumulation).
    ///
    /// tc = 2 m k n / (peak e) (1 + `K_half/K`); tm = (operands + 16-bit result + extra) / (bandwidth share).
    #[must_use]
    pub fn product(&self, shape: Product, extra: Bytes) -> Seconds {
        self.product_at(shape, extra, self.product_rate, self.operand_bytes)
    }

    /// A product that stays at 16 bits whatever the recipe (head, router).
    #[must_use]
    pub fn product_bf16(&self, shape: Product, extra: Bytes) -> Seconds {
        self.product_at(shape, extra, self.bf16_product_rate, 2.0)
    }

    fn product_at(&self, shape: Product, extra: Bytes, rate: FlopsPerSecond, operand_bytes: f64) -> Seconds {
        let Product { m, k, n, groups } = shape;
        let compute = shape.flops() / rate * (1.0 + self.half_depth / k);
        let bytes = groups * (operand_bytes * (m * k + k * n) + 2.0 * m * n);
        roofline(compute, (Bytes(bytes) + extra) / self.memory_rate)
    }

    /// Fused attention, forward: FLOPs over a rate that grows with the sequence and with small heads falls.
    ///
    /// rate = peak x share x s/(s + half) x min(1, d/128)^0.46; the form and its exponent are a fit on published runs.
    #[must_use]
    pub fn attention_forward(&self, flops: Flops, sequence: f64, head: f64) -> Seconds {
        let length = sequence / (sequence + self.attention_half_length);
        let width = libm::pow((head / 128.0).min(1.0), 0.46);
        flops / (self.attention_rate * (length * width))
    }

    /// Fused attention, backward: 2.5 times the forward FLOPs (five products for two) at the backward rate.
    #[must_use]
    pub fn attention_backward(&self, forward_flops: Flops, sequence: f64, head: f64) -> Seconds {
        self.attention_forward(forward_flops * 2.5, sequence, head) / self.attention_backward
    }

    /// Rates that no matrix product and no attention score exceeds, whatever its shape or kernel.
    #[must_use]
    pub fn fastest_rates(&self) -> (FlopsPerSecond, FlopsPerSecond) {
        let product = self.product_rate.max(self.bf16_product_rate);
        (product, self.attention_rate.max(product))
    }

    /// Bytes over the link to the host, one way; nothing where no link is known: the rule `switches` refuses layouts that
    /// need it, so this time is never shown.
    #[must_use]
    pub fn over_host_link(&self, bytes: Bytes) -> Seconds {
        self.host_rate.map_or(Seconds::ZERO, |rate| bytes / rate)
    }

    /// Memory-bound work.
    #[must_use]
    pub fn traffic(&self, bytes: Bytes) -> Seconds {
        bytes / self.memory_rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roofline_tends_to_the_larger_bound() {
        assert!((roofline(Seconds(1.0), Seconds(0.0)).0 - 1.0).abs() < 1e-12);
        assert!((roofline(Seconds(0.0), Seconds(2.0)).0 - 2.0).abs() < 1e-12);
        let equal = roofline(Seconds(1.0), Seconds(1.0)).0;
        assert!((equal - libm::pow(2.0, 1.0 / SMOOTHNESS)).abs() < 1e-12);
    }
}
