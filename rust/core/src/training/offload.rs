//! What lives in host memory instead of the device's, and the traffic over the host link that it costs.
//!
//! Source: Rajbhandari et al. 2021 (ZeRO-Infinity, arXiv 2104.07857, section 5) for streaming states layer by layer;
//! Isaev et al. 2023 (Calculon, doi 10.1145/3581784.3607102) for doing so with weights, activations and optimizer
//! independently. The link is full duplex; each direction carries its own bytes.

use crate::training::layer::Bench;
use crate::training::layout::Layout;
use crate::training::memory::LocalParameters;
use crate::training::phases::LayerCost;
use crate::training::stages::{Stage, in_flight};
use crate::units::{Bytes, Seconds};
use crate::workload::Training;

/// Layers whose weights, activations or states stay on the device: one at work, one on the way.
pub const LAYERS_ON_DEVICE: f64 = 2.0;

/// Seconds for which a pass of `compute` seconds waits for `bytes` over the host link while the layer before it runs.
///
/// max(0, bytes/B - compute): layers are fetched one ahead, so only what outlasts a pass is seen.
fn waits(bench: &Bench, bytes: f64, compute: Seconds) -> Seconds {
    (bench.kernels.over_host_link(Bytes(bytes)) - compute).max(Seconds::ZERO)
}

/// Adds to a layer the waits for its offloaded weights (`parameters` of them) and activations.
///
/// Forward: weights come in while activations go out, so the larger counts. Backward: both come in.
pub fn add_waits(bench: &Bench, layout: &Layout, parameters: f64, cost: &mut LayerCost) {
    let switches = &layout.switches;
    let weights = if switches.offload_weights { bench.training.weight_bytes * parameters } else { 0.0 };
    let activations = if switches.offload_activations { cost.activations.0 } else { 0.0 };
    if weights + activations > 0.0 {
        cost.forward.offload = waits(bench, weights.max(activations), cost.forward.total());
        let compute = cost.backward.total() + cost.recompute.total();
        cost.backward.offload = waits(bench, weights + activations, compute);
    }
}

/// Seconds of the update when `owned` parameters' states stream through the device: in and out at the same time.
#[must_use]
pub fn optimizer_streams(bench: &Bench, layout: &Layout, owned: f64) -> Seconds {
    if layout.switches.offload_optimizer {
        bench.kernels.over_host_link(Bytes(bench.training.optimizer_bytes * owned))
    } else {
        Seconds::ZERO
    }
}

/// Parameters of weights on the device, of `all` there would be.
#[must_use]
pub fn weights_on_device(layout: &Layout, parameters: &LocalParameters, all: f64) -> f64 {
    if layout.switches.offload_weights {
        all - parameters.layers + parameters.layers.min(LAYERS_ON_DEVICE * parameters.largest_layer)
    } else {
        all
    }
}

/// Share of a stage's optimizer states on the device while it streams them.
#[must_use]
pub fn optimizer_on_device(layout: &Layout, parameters: &LocalParameters) -> f64 {
    if layout.switches.offload_optimizer {
        let all = parameters.dense + parameters.expert;
        (LAYERS_ON_DEVICE * parameters.largest_layer / all).min(1.0)
    } else {
        1.0
    }
}

/// Bytes of activations on the device, of `all` in flight; `largest` are those of its largest layer.
#[must_use]
pub fn activations_on_device(layout: &Layout, all: Bytes, largest: Bytes) -> Bytes {
    if layout.switches.offload_activations { all.min(largest * LAYERS_ON_DEVICE) } else { all }
}

/// Bytes in host memory for one device of `stage`, of which `layers` are a micro-batch's activations and `sharded`
/// the parameters whose optimizer states it keeps.
#[must_use]
pub fn host_bytes(
    training: &Training,
    layout: &Layout,
    stage: &Stage,
    parameters: &LocalParameters,
    layers: Bytes,
    sharded: f64,
    micro_batches: u64,
) -> Bytes {
    let switches = &layout.switches;
    let on = |switch: bool, bytes: f64| if switch { Bytes(bytes) } else { Bytes::ZERO };
    on(switches.offload_weights, training.weight_bytes * parameters.layers)
        + on(switches.offload_optimizer, training.optimizer_bytes * sharded)
        + on(switches.offload_activations, layers.0 * in_flight(layout, stage.index, micro_batches))
}
