//! Items of a generic load (vision, recommendation, speech): each runs on one device, in batches of what waits.

use crate::service::ground::{Candidate, Ground, Misfit};
use crate::service::problem::GenericItem;
use crate::serving::case::Instance;
use crate::serving::memory::ServingMemory;
use crate::serving::operating::{Latency, Operating};
use crate::serving::queue::{left_over, wait_quantile};
use crate::serving::replica::Round;
use crate::serving::step::StepTimes;
use crate::serving::units::{normal_quantile, smooth_maximum};
use crate::units::{Bytes, Flops, FlopsPerSecond, Seconds};

/// A device as a candidate, with its best operating point.
///
/// # Errors
/// The weights or a single item do not fit.
pub fn candidate(ground: &Ground, instance: Instance) -> Result<Candidate, Misfit> {
    let item = ground.item().ok_or(Misfit::Layout)?;
    let software = ground.software();
    let capacity = ground.cluster.device.memory * software.memory_share;
    let reserve = reserve(capacity, software.memory_reserve);
    let cache = capacity - Bytes(item.weights) - reserve;
    let fits = if item.memory > 0.0 { libm::floor(cache.0 / item.memory) } else { f64::INFINITY };
    if cache.0 < 0.0 || fits < 1.0 {
        return Err(Misfit::Memory);
    }
    let limit = fits.min(f64::from(item.most_batch));
    let mut found = Candidate {
        instance,
        devices: 1,
        memory: ServingMemory {
            capacity,
            weights: Bytes(item.weights),
            reserve,
            cache,
            cache_per_token: Bytes(item.memory),
            cache_tokens: limit,
        },
        limit,
        together: None,
        decoding: None,
        prompts: None,
        exchange: None,
    };
    found.together = ground.best(&found, true);
    Ok(found)
}

/// A device with no more memory than an engine for language models reserves has no such engine: chips that work from
/// on-chip memory run compiled graphs. Their weights and items are all that lies there.
fn reserve(capacity: Bytes, engine: Bytes) -> Bytes {
    if capacity.0 <= engine.0 { Bytes::ZERO } else { engine }
}

/// Time of a batch on a device, and the part of it on the device itself.
///
/// t(b) = smooth maximum of b flops / (F u) and (weights + b bytes) / (B share), plus the host's time that is not
/// hidden. The host's time is that of a step: what an engine for language models does per sequence is not there, and
/// what decodes images or tokens of items stands before the service.
#[must_use]
pub fn batch_time(ground: &Ground, item: &GenericItem, rate: f64, count: f64) -> (f64, Seconds) {
    let constants = &ground.problem.constants;
    let software = ground.software();
    let memory = ground.cluster.device.memory_bandwidth.0 * constants.weight_share
        / ground.problem.families[ground.place.cluster].memory;
    let device = smooth_maximum(
        Flops(count * item.flops) / FlopsPerSecond(rate),
        Seconds((item.weights + count * item.bytes) / memory),
        constants.smoothness,
    );
    let host = software.host_step;
    (device.0 + (host * (1.0 - software.host_hidden)).max(host - device).0, device)
}

/// A device that takes whatever waits as its next batch, `limit` items at most, with `batch` items to a cycle on the
/// mean (below 1: busy for that share of the time).
///
/// A newcomer waits for the rest of the batch under way, then for the batches of those that full batches left behind
/// ([`left_over`]): with batches of one this is M/D/1. The excesses at the percentile, and that
/// of the size of batches, add in quadrature.
#[must_use]
pub fn operating(ground: &Ground, item: &GenericItem, rate: f64, limit: f64, batch: f64) -> Operating {
    let count = batch.max(1.0);
    let (time, device) = batch_time(ground, item, rate, count);
    let quantile = ground.quantiles().ttft;
    let busy = (batch / count).min(1.0);
    let (full, _) = batch_time(ground, item, rate, limit);
    // Arrivals while a full batch runs; at full use a service has no finite wait, and is not allowed either.
    let (behind, any) = left_over(limit, (batch / time * full).min(limit * (1.0 - 1e-3)));
    let wait = behind / limit * full;
    // Batches are as large as the number that came in the cycle before: each a Poisson number about a mean that follows
    // the last one by `slope`, so their variance is the mean over 1 - slope^2. A newcomer is more often in a large one.
    let each = batch_time(ground, item, rate, (count + 1.0).min(limit)).0 - time;
    let slope = (batch / time * each).min(0.98);
    let inflated = 1.0 / (1.0 - slope * slope);
    let longer = each * libm::sqrt(count * inflated);
    let own = batch_time(ground, item, rate, (count + busy * inflated).min(limit)).0;
    let rest = time * busy / 2.0 * (1.0 + longer * longer / (time * time));
    let mean = own + rest + wait;
    let late = (wait_quantile(wait, any, quantile) - wait).max(0.0);
    // The rest of a batch is uniform, for those that find the device busy.
    let residual = if busy > 1.0 - quantile { time * (1.0 - (1.0 - quantile) / busy) - rest } else { 0.0 };
    // The newcomer's own batch, and half of the one before.
    let crowd = 1.5 * (normal_quantile(quantile) * longer).max(0.0);
    let times = StepTimes { products: device, host: Seconds(time) - device, ..Default::default() };
    Operating {
        batch,
        rate: batch / time,
        round: Round {
            times,
            step: time,
            pure: time,
            mixed_share: 0.0,
            prompt_service: time,
            prompt_busy: time / count,
        },
        load: 0.0,
        ttft: Some(Latency {
            mean,
            quantile: mean + libm::hypot(libm::hypot(late, residual.max(0.0)), crowd),
        }),
        tpot: Latency { mean: 0.0, quantile: 0.0 },
    }
}
