//! Times of single operators on one device: products, attention over prompts and over the cache, traffic.

use crate::error::CoreError;
use crate::hardware::Device;
use crate::precision::{PerPrecision, Precision};
use crate::serving::case::{Constants, Family, Format, Precisions, ServingSoftware};
use crate::serving::units::{ridge_share, smooth_maximum};
use crate::units::{Bytes, BytesPerSecond, Flops, FlopsPerSecond, Seconds};

/// Rates of a device for one question, worked out once.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    attention_products: FlopsPerSecond,
    dense_products: FlopsPerSecond,
    expert_products: FlopsPerSecond,
    head: FlopsPerSecond,
    prompt_attention: FlopsPerSecond,
    cache_attention: FlopsPerSecond,
    weights: BytesPerSecond,
    cache: BytesPerSecond,
    elementwise: BytesPerSecond,
    smoothness: f64,
    group_rows: f64,
}

/// Which rate a product runs at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductClass {
    /// Projections of the attention.
    Attention,
    /// Dense and shared feed-forward networks.
    Dense,
    /// Head and router, at 16 bits.
    Head,
}

/// Bytes per element of activations at a precision.
#[must_use]
pub fn activation_bytes(precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 => 2.0,
        Precision::Fp8 | Precision::Int8 => 1.0,
        Precision::Fp4 => 4.5 / 8.0,
    }
}

/// Memory bandwidth of the chip on which the ridge constants were first read off (H100 SXM), bytes/s.
const REFERENCE_BANDWIDTH: f64 = 3.35e12;

/// Bandwidth that enters the ridge point: B^a x B0^(1-a), bytes/s, B0 that of an H100.
///
/// With a = 1 the ridge point is F/B; with a = 0 the share of the peak depends on the peak alone. Products that are
/// bound by arithmetic run at the same rate on an H100 and on an H200, which differ in memory only, so a is below 1.
#[must_use]
pub fn ridge_bandwidth(bandwidth: BytesPerSecond, follows: f64) -> BytesPerSecond {
    BytesPerSecond(REFERENCE_BANDWIDTH * libm::pow(bandwidth.0 / REFERENCE_BANDWIDTH, follows))
}

/// Bandwidth that kernels reach before their own share: B / (1 + B / `B_half`), bytes/s.
///
/// A chip keeps so many bytes in flight (registers, queues); over the latency of the memory that is a rate of its
/// own, `B_half`, and time per byte adds: 1/B + 1/`B_half`. The faster the memory, the smaller the share reached.
#[must_use]
pub fn reached_bandwidth(bandwidth: BytesPerSecond, depth: f64) -> BytesPerSecond {
    BytesPerSecond(bandwidth.0 / (1.0 + bandwidth.0 / depth))
}

/// Share of the rate of products that is left where weights are widened to the width they are computed in.
///
/// Weights stored in a format that the matrix engine does not take are widened to 16 bits on the vector units for every
/// tile of rows. Products of many rows wait for it; where the memory is the limit it is hidden.
#[must_use]
pub fn widening_share(
    peak: &PerPrecision<FlopsPerSecond>,
    weights: Format,
    products: Precision,
    unpacked_share: f64,
) -> f64 {
    let taken = match weights {
        Format::Bf16 => true,
        Format::Fp8 => peak.at(Precision::Fp8).is_some(),
        Format::Int8 => peak.at(Precision::Int8).is_some(),
        Format::Fp4 => peak.at(Precision::Fp4).is_some(),
        Format::Int4 => false,
    };
    if products != Precision::Bf16 || taken { 1.0 } else { unpacked_share }
}

impl Rates {
    /// Rates of `device` at relative `clock`; `latent`: the model's attention is latent (MLA).
    ///
    /// # Errors
    /// The chip has no peak at a precision asked for; names the key.
    pub fn new(
        device: &Device,
        clock: f64,
        latent: bool,
        precisions: &Precisions,
        constants: &Constants,
        software: &ServingSoftware,
        family: &Family,
    ) -> Result<Self, CoreError> {
        let rate = |key: &str, precision: Precision, ridge: f64, factor: f64| {
            let peak = device.peak.at(precision).ok_or_else(|| {
                CoreError::invalid(format!("precisions.{key}"), format!("the chip has no {precision:?} peak"))
            })? * clock;
            let bandwidth = ridge_bandwidth(device.memory_bandwidth, constants.ridge_bandwidth);
            let law = ridge_share(constants.peak_share, peak.0 / bandwidth.0, ridge);
            let best = device.measured.and_then(|measured| measured.at(precision));
            let share = best.map_or(law, |best| law.min(best.0 * clock / peak.0));
            Ok::<_, CoreError>(peak * (share / factor))
        };
        let products = software.product_factor * family.products;
        let experts = software.expert_factor * family.experts;
        let widened =
            |weights, products| widening_share(&device.peak, weights, products, constants.unpacked_share);
        let attention = software.attention_factor * family.attention;
        let cache_ridge =
            if latent { constants.ridge_latent_attention } else { constants.ridge_decode_attention };
        let reached = reached_bandwidth(device.memory_bandwidth, constants.memory_depth);
        let memory = reached * (1.0 / family.memory);
        Ok(Self {
            attention_products: rate(
                "attention_products",
                precisions.attention_products,
                constants.ridge_dense,
                products / widened(precisions.attention_weights, precisions.attention_products),
            )?,
            dense_products: rate(
                "dense_products",
                precisions.dense_products,
                constants.ridge_dense,
                products / widened(precisions.dense_weights, precisions.dense_products),
            )?,
            expert_products: rate(
                "expert_products",
                precisions.expert_products,
                constants.ridge_grouped,
                experts / widened(precisions.expert_weights, precisions.expert_products),
            )?,
            head: rate("head", Precision::Bf16, constants.ridge_dense, products)?,
            prompt_attention: rate(
                "scores",
                precisions.scores,
                constants.ridge_prefill_attention,
                attention,
            )?,
            cache_attention: rate("scores", precisions.scores, cache_ridge, attention)?,
            weights: memory * constants.weight_share,
            cache: memory * (constants.cache_share / software.attention_factor),
            elementwise: memory * (constants.elementwise_share / software.elementwise_factor),
            smoothness: constants.smoothness,
            group_rows: constants.group_rows,
        })
    }

    /// The rate that no matrix product exceeds, whatever its class and shape.
    #[must_use]
    pub fn fastest(&self) -> FlopsPerSecond {
        let classes = [self.attention_products, self.dense_products, self.expert_products, self.head];
        classes.into_iter().fold(FlopsPerSecond(0.0), FlopsPerSecond::max)
    }

    /// The rate at which keys and values are read.
    #[must_use]
    pub fn cache_rate(&self) -> BytesPerSecond {
        self.cache
    }

    /// A product [m, k] x [k, n]: tc = 2 m k n / rate, tm = (weights + operands + 16-bit result) / (B share).
    #[must_use]
    pub fn product(
        &self,
        class: ProductClass,
        shape: (f64, f64, f64),
        weight_bytes: f64,
        activation: f64,
    ) -> Seconds {
        let (m, k, n) = shape;
        if m <= 0.0 {
            return Seconds::ZERO;
        }
        let rate = match class {
            ProductClass::Attention => self.attention_products,
            ProductClass::Dense => self.dense_products,
            ProductClass::Head => self.head,
        };
        let bytes = Bytes(k * n * weight_bytes + m * k * activation + 2.0 * m * n);
        smooth_maximum(Flops(2.0 * m * k * n) / rate, bytes / self.weights, self.smoothness)
    }

    /// Grouped products over `groups` experts in use, `rows` tokens in all, `elements` weights per expert.
    ///
    /// Each expert's rows are padded, by half a tile on average.
    #[must_use]
    pub fn grouped(&self, rows: f64, groups: f64, elements: f64, weight_bytes: f64, moved: Bytes) -> Seconds {
        if rows <= 0.0 {
            return Seconds::ZERO;
        }
        let padded = rows + groups * self.group_rows / 2.0;
        let bytes = Bytes(groups * elements * weight_bytes) + moved;
        smooth_maximum(
            Flops(2.0 * padded * elements) / self.expert_products,
            bytes / self.weights,
            self.smoothness,
        )
    }

    /// Attention of prompt tokens: `flops`, and the `bytes` of keys and values read.
    #[must_use]
    pub fn prompt_attention(&self, flops: Flops, bytes: Bytes) -> Seconds {
        smooth_maximum(flops / self.prompt_attention, bytes / self.cache, self.smoothness)
    }

    /// Attention of decoded tokens over the cache.
    #[must_use]
    pub fn cache_attention(&self, flops: Flops, bytes: Bytes) -> Seconds {
        smooth_maximum(flops / self.cache_attention, bytes / self.cache, self.smoothness)
    }

    /// Memory-bound work.
    #[must_use]
    pub fn traffic(&self, bytes: Bytes) -> Seconds {
        bytes / self.elementwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_as_fast_as_the_requests_in_flight_reaches_half() {
        assert!((reached_bandwidth(BytesPerSecond(4e12), 4e12).0 - 2e12).abs() < 1.0);
        assert!((reached_bandwidth(BytesPerSecond(1e12), 1e30).0 - 1e12).abs() < 1.0);
    }

    #[test]
    fn weights_that_the_engine_does_not_take_are_widened() {
        let hopper = PerPrecision {
            bf16: FlopsPerSecond(1e15),
            fp8: Some(FlopsPerSecond(2e15)),
            fp4: None,
            int8: Some(FlopsPerSecond(2e15)),
        };
        let blackwell = PerPrecision { fp4: Some(FlopsPerSecond(9e15)), ..hopper };
        for (peak, weights, products, share) in [
            (hopper, Format::Bf16, Precision::Bf16, 1.0),
            (hopper, Format::Fp4, Precision::Bf16, 0.6),
            (hopper, Format::Int4, Precision::Bf16, 0.6),
            (hopper, Format::Fp8, Precision::Fp8, 1.0),
            (hopper, Format::Fp8, Precision::Bf16, 1.0),
            (blackwell, Format::Fp4, Precision::Bf16, 1.0),
        ] {
            assert!((widening_share(&peak, weights, products, 0.6) - share).abs() < 1e-15);
        }
    }

    #[test]
    fn the_ridge_follows_the_memory_by_its_exponent() {
        // Four times an H100's memory: as it is, by its square root, or not at all.
        let fast = BytesPerSecond(4.0 * REFERENCE_BANDWIDTH);
        for (follows, times) in [(1.0, 4.0), (0.5, 2.0), (0.0, 1.0)] {
            assert!((ridge_bandwidth(fast, follows).0 / REFERENCE_BANDWIDTH - times).abs() < 1e-12);
        }
    }
}
