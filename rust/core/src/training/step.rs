//! One optimizer step: pipeline, gradient traffic, optimizer, stragglers.

use std::sync::Arc;

use serde::Serialize;

use crate::collective::{Phases, all_gather, all_reduce};
use crate::model::Model;
use crate::training::layer::Bench;
use crate::training::layout::{Layout, Recompute};
use crate::training::memory::{
    LocalParameters, Memory, Pieces, local_parameters, stage_host_bytes, stage_memory,
};
use crate::training::offload::optimizer_streams;
use crate::training::phases::Phase;
use crate::training::schedule::StagePasses;
use crate::training::stages::{Stage, stages};
use crate::training::switches::{Places, places};
use crate::training::traffic::exposed;
use crate::units::{Bytes, Seconds};

/// Bytes that the optimizer moves per parameter: reads gradient, master and two moments, writes the latter three
/// and the 16-bit weight.
const OPTIMIZER_TRAFFIC: f64 = 30.0;

/// Seconds of a step by cause; they add up to the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StepTimes {
    /// Matrix products, forward and backward, on the mean stage.
    pub matmul: Seconds,
    /// Attention scores.
    pub attention: Seconds,
    /// Memory-bound work.
    pub elementwise: Seconds,
    /// Kernel gaps and host work.
    pub kernel_gaps: Seconds,
    /// Work and traffic redone in the backward pass.
    pub recompute: Seconds,
    /// Exposed tensor-parallel traffic.
    pub tensor_parallel: Seconds,
    /// Exposed context-parallel traffic.
    pub context_parallel: Seconds,
    /// Exposed expert dispatch and combine, and waiting for the busiest expert.
    pub expert_parallel: Seconds,
    /// Waiting for weights and activations that live in host memory.
    pub offload: Seconds,
    /// Exposed pipeline sends.
    pub pipeline_sends: Seconds,
    /// Filling and draining the pipeline.
    pub pipeline_bubble: Seconds,
    /// The slowest stage over the mean one.
    pub stage_imbalance: Seconds,
    /// Exposed gradient and parameter traffic.
    pub data_parallel: Seconds,
    /// Optimizer update.
    pub optimizer: Seconds,
    /// Host work once a step.
    pub fixed: Seconds,
    /// Stragglers and jitter, growing with scale.
    pub stragglers: Seconds,
}

impl StepTimes {
    /// The step.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.matmul
            + self.attention
            + self.elementwise
            + self.kernel_gaps
            + self.recompute
            + self.tensor_parallel
            + self.context_parallel
            + self.expert_parallel
            + self.offload
            + self.pipeline_sends
            + self.pipeline_bubble
            + self.stage_imbalance
            + self.data_parallel
            + self.optimizer
            + self.fixed
            + self.stragglers
    }
}

/// What of a step does not depend on sharding and the switches of a step ([`Family::passes`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passes {
    /// Micro-batches.
    pub micro_batches: f64,
    /// All passes over the mean stage.
    stages: Seconds,
    /// The slowest stage over the mean one.
    imbalance: Seconds,
    /// What stragglers add, as a share.
    straggling: f64,
}

/// Everything about a layout but its data-parallel degree, timed.
#[derive(Clone, Debug)]
pub struct Family {
    layout: Layout,
    pieces: Pieces,
    stages: Arc<[(Stage, LocalParameters)]>,
    forward: Phase,
    backward: Phase,
    recompute: Seconds,
    weight_gradient: Seconds,
    scale_out: Seconds,
    mean: Seconds,
    bubble: Seconds,
    slowest: Seconds,
    slowest_on_device: Seconds,
}

impl Family {
    /// Times the stages of `layout`; its dp is ignored.
    #[must_use]
    pub fn new(model: &Model, layout: Layout, pieces: Pieces) -> Self {
        let dealt = stages(model, layout.pp, layout.vpp, &layout.stage_layers);
        Self::with_stages(layout, pieces, filled(model, &layout, &dealt))
    }

    /// The same with the stages at hand ([`filled`]).
    #[must_use]
    pub fn with_stages(layout: Layout, pieces: Pieces, stages: Arc<[(Stage, LocalParameters)]>) -> Self {
        let mut forward = Phase::default();
        let mut backward = Phase::default();
        let mut recompute = Seconds::ZERO;
        let mut weight_gradient = Seconds::ZERO;
        let mut scale_out = Seconds::ZERO;
        let mut slowest = Seconds::ZERO;
        let mut slowest_on_device = Seconds::ZERO;
        let pp = layout.pp as f64;
        for (stage, _) in &*stages {
            let share = stage.count / pp;
            let mut total = Seconds::ZERO;
            let mut on_device = Seconds::ZERO;
            let first = if stage.first { 1.0 } else { 0.0 };
            let redone = stage.recomputed_share(&layout);
            for (piece, count) in [
                (&pieces.dense, stage.dense),
                (&pieces.moe, stage.moe),
                (&pieces.embedding, first),
                (&pieces.head, stage.heads),
            ] {
                forward = forward.plus(&piece.forward, count * share);
                backward = backward.plus(&piece.backward, count * share);
                recompute += piece.recompute.total() * (count * share * redone);
                weight_gradient += piece.weight_gradient * (count * share);
                scale_out += piece.scale_out * (count * share);
                total += (piece.forward.total() + piece.backward.total()) * count
                    + piece.recompute.total() * (count * redone);
                on_device += piece.on_device_once() * count + piece.recompute.on_device() * (count * redone);
            }
            slowest = slowest.max(total);
            slowest_on_device = slowest_on_device.max(on_device);
        }
        let mean = forward.total() + backward.total() + recompute;
        let mut family = Self {
            layout,
            pieces,
            stages,
            forward,
            backward,
            recompute,
            weight_gradient,
            scale_out,
            mean,
            bubble: Seconds::ZERO,
            slowest,
            slowest_on_device,
        };
        family.bubble = family.idle();
        family
    }

    /// Takes over from `layout` what the times of the stages do not depend on: sharding and the switches of a step.
    pub fn set_step(&mut self, layout: &Layout) {
        self.layout.sharding = layout.sharding;
        self.layout.switches = layout.switches;
    }

    /// The layout with `dp`.
    #[must_use]
    pub fn layout_at(&self, dp: u64) -> Layout {
        Layout { dp, ..self.layout }
    }

    /// Share of the forward FLOPs that is done twice.
    #[must_use]
    pub fn recomputed_share(&self, bench: &Bench) -> f64 {
        let model = bench.model;
        let sequence = f64::from(bench.training.sequence);
        let (query, value) = model.head_sizes();
        let scores = 2.0 * f64::from(model.heads) * (query + value) * model.mean_keys_causal(sequence);
        let of_layers =
            |redone: f64| 3.0 * f64::from(model.layers) * redone / model.training_flops_per_token(sequence);
        let share = match self.layout.recompute {
            Recompute::Full => 1.0,
            Recompute::Attention => of_layers(scores),
            Recompute::Selective => {
                let attention = if bench.software.fused_attention { 0.0 } else { scores };
                of_layers(attention + 2.0 * model.latent_parameters())
            }
            Recompute::None => 0.0,
        };
        let pp = self.layout.pp as f64;
        let stages = self.stages.iter();
        share * stages.map(|(stage, _)| stage.recomputed_share(&self.layout) * stage.count / pp).sum::<f64>()
    }

    /// A lower bound of a micro-batch's time on the slowest stage, whatever the network.
    #[must_use]
    pub fn micro_batch_floor(&self) -> Seconds {
        self.slowest_on_device
    }

    /// A micro-batch on the slowest stage, and the bubble: what [`Family::closer_bound`] is made of beside sends.
    #[must_use]
    pub fn floors(&self) -> (Seconds, Seconds) {
        (self.slowest, self.bubble)
    }

    /// A lower bound of the step time at `micro_batches`.
    ///
    /// Admissible: [`Family::step`] adds only non-negative terms (sends, gradient traffic, optimizer, fixed time,
    /// stragglers) to micro-batches x slowest stage + bubble.
    #[must_use]
    pub fn lower_bound(&self, micro_batches: u64) -> Seconds {
        self.slowest * micro_batches as f64 + self.bubble
    }

    /// A closer lower bound of the step whose sends take `sends`.
    ///
    /// Admissible: it is [`Family::seconds`] without the exposed gradient traffic and the optimizer's update, which are
    /// not negative; stragglers are a share of the rest. Summed in another order, so rounding may lift it by some 1e-15
    /// of itself: take a slack off it before cutting by it.
    #[must_use]
    pub fn closer_bound(&self, bench: &Bench, passes: &Passes, sends: Seconds) -> Seconds {
        let all = self.slowest * passes.micro_batches + self.bubble + sends + bench.software.fixed_step;
        all * (1.0 + passes.straggling)
    }

    /// What of a step at `dp` does not depend on sharding and the switches of a step.
    #[must_use]
    pub fn passes(&self, bench: &Bench, dp: u64, micro_batches: u64) -> Passes {
        let m = micro_batches as f64;
        let times = self.stage_times(m);
        Passes {
            micro_batches: m,
            stages: times.total(),
            imbalance: (self.slowest - self.mean) * m,
            straggling: stragglers_share(bench, &self.layout_at(dp)),
        }
    }

    /// The step whose sends, exposed gradient traffic and optimizer update are known: the same bits as the total of
    /// [`Family::step`], since the sum is taken in the same order.
    #[must_use]
    pub fn seconds(
        &self,
        bench: &Bench,
        passes: &Passes,
        sends: Seconds,
        traffic: Seconds,
        update: Seconds,
    ) -> Seconds {
        let smooth = passes.stages
            + sends
            + self.bubble
            + passes.imbalance
            + traffic
            + update
            + bench.software.fixed_step;
        smooth + smooth * passes.straggling
    }

    /// The leaves of [`StepTimes`] up to the pipeline: passes over the mean stage.
    fn stage_times(&self, m: f64) -> StepTimes {
        let both = self.forward.plus(&self.backward, 1.0);
        StepTimes {
            matmul: both.matmul * m,
            attention: both.attention * m,
            elementwise: both.elementwise * m,
            kernel_gaps: both.gaps * m,
            recompute: self.recompute * m,
            tensor_parallel: both.tp * m,
            context_parallel: both.cp * m,
            expert_parallel: both.ep * m,
            offload: both.offload * m,
            ..StepTimes::default()
        }
    }

    /// Of the mean stage under the layout's schedule.
    fn idle(&self) -> Seconds {
        if self.layout.pp == 1 {
            return Seconds::ZERO;
        }
        let passes = StagePasses {
            forward: self.forward.total(),
            backward: self.backward.total() + self.recompute,
            weights: self.weight_gradient,
        };
        self.layout.schedule.bubble(self.layout.pp, self.layout.vpp, passes)
    }

    /// The fullest device.
    #[must_use]
    pub fn memory(&self, bench: &Bench, dp: u64, micro_batches: u64) -> Memory {
        let layout = self.layout_at(dp);
        let (mut fullest, mut most) = (Memory::default(), Bytes::ZERO);
        for (stage, parameters) in &*self.stages {
            let memory = stage_memory(
                bench.training,
                bench.software,
                &layout,
                stage,
                parameters,
                &self.pieces,
                micro_batches,
            );
            let total = memory.total();
            if total > most {
                (fullest, most) = (memory, total);
            }
        }
        fullest
    }

    /// Whether anything lives in host memory.
    #[must_use]
    pub fn offloads(&self) -> bool {
        self.layout.switches.offloads()
    }

    /// Host memory for the device that offloads most.
    #[must_use]
    pub fn host_memory(&self, bench: &Bench, dp: u64, micro_batches: u64) -> Bytes {
        let layout = self.layout_at(dp);
        if !layout.switches.offloads() {
            return Bytes::ZERO;
        }
        let of = |(stage, parameters): &(Stage, LocalParameters)| {
            stage_host_bytes(bench.training, &layout, stage, parameters, &self.pieces, micro_batches)
        };
        self.stages.iter().map(of).fold(Bytes::ZERO, Bytes::max)
    }

    /// One step at `dp` with `micro_batches`.
    #[must_use]
    pub fn step(&self, bench: &Bench, dp: u64, micro_batches: u64) -> StepTimes {
        let layout = self.layout_at(dp);
        let m = micro_batches as f64;
        let places = places(&layout, bench.domain);
        let traffic = self.traffic(bench, &layout, &places, m);
        let mut times = StepTimes {
            pipeline_sends: Self::sends(bench, &layout, &places, m),
            pipeline_bubble: self.bubble,
            stage_imbalance: (self.slowest - self.mean) * m,
            data_parallel: self.exposed_traffic(bench, &layout, &places, traffic, m),
            optimizer: self.update(bench, &layout),
            fixed: bench.software.fixed_step,
            ..self.stage_times(m)
        };
        times.stragglers = times.total() * stragglers_share(bench, &layout);
        times
    }

    /// Sends between stages: two per chunk and micro-batch on the way, two per stage to fill and drain.
    #[must_use]
    pub fn sends(bench: &Bench, layout: &Layout, places: &Places, micro_batches: f64) -> Seconds {
        if layout.pp == 1 {
            return Seconds::ZERO;
        }
        let tokens = layout.micro_batch as f64 * f64::from(bench.training.sequence) / layout.cp as f64;
        // Tensor ranks hold the same tokens: each sends its part, unless all send the whole.
        let parts = if layout.switches.p2p_scatter { layout.tp as f64 } else { 1.0 };
        let bytes = Bytes(2.0 * tokens * f64::from(bench.model.hidden) / parts);
        let (bandwidth, latency) = bench.network.between(places.pipeline);
        let one = bytes / bandwidth + latency;
        let steady = one * (2.0 * micro_batches * layout.vpp as f64 * (1.0 - bench.software.pp_overlap));
        steady + one * (2.0 * (layout.pp - 1) as f64)
    }

    /// Parameters of the stages among which the one is whose traffic and update take longest: both never fall with
    /// parameters of either kind, in rounded numbers too.
    fn heaviest(&self) -> impl Iterator<Item = &LocalParameters> {
        self.stages.iter().map(|(_, parameters)| parameters).filter(|parameters| !parameters.outdone)
    }

    /// Gradient and parameter traffic of the slowest stage, hidden or not. It depends on sharding and places.
    #[must_use]
    pub fn traffic(&self, bench: &Bench, layout: &Layout, places: &Places, micro_batches: f64) -> Seconds {
        let dense_group = bench.network.group(places.data, (layout.cp * layout.dp) as f64);
        let inside_expert = (layout.ep * layout.etp) as f64;
        let expert_ranks = (layout.tp * layout.cp * layout.dp) as f64 / inside_expert;
        let expert_group = bench.network.group(inside_expert, expert_ranks.max(1.0));
        let training = bench.training;
        let copies = layout.schedule.copies();
        let mut traffic = Seconds::ZERO;
        for parameters in self.heaviest() {
            let over = |bytes: f64| {
                let gather =
                    |group, count: f64| all_gather(group, Bytes(bytes * copies * count), Phases::Pipelined);
                gather(&dense_group, parameters.dense) + gather(&expert_group, parameters.expert)
            };
            let gradient = training.gradient_bytes;
            let total = match layout.sharding {
                0 => {
                    let reduce = |group, count: f64| {
                        all_reduce(group, Bytes(gradient * copies * count), Phases::Pipelined)
                    };
                    reduce(&dense_group, parameters.dense) + reduce(&expert_group, parameters.expert)
                }
                // Without a pipeline, sharded gradients leave after every micro-batch; with one, only the last
                // micro-batch's are exchanged (MegaScale, arXiv 2402.15627).
                2 if layout.pp == 1 => over(gradient) * micro_batches + over(training.weight_bytes),
                1 | 2 => over(gradient) + over(training.weight_bytes),
                // Stage 3 gathers weights for the forward and the backward pass of every micro-batch and reduces
                // 16-bit gradients.
                _ => over(training.weight_bytes) * (3.0 * micro_batches),
            };
            traffic = traffic.max(total);
        }
        traffic
    }

    /// Optimizer update of the slowest stage. It depends on sharding and where the states live.
    #[must_use]
    pub fn update(&self, bench: &Bench, layout: &Layout) -> Seconds {
        let expert_ranks = (layout.tp * layout.cp * layout.dp) as f64 / (layout.ep * layout.etp) as f64;
        let mut update = Seconds::ZERO;
        for parameters in self.heaviest() {
            let shards = if layout.sharding == 0 { 1.0 } else { (layout.cp * layout.dp) as f64 };
            let expert_shards = if layout.sharding == 0 { 1.0 } else { expert_ranks.max(1.0) };
            let owned = parameters.dense / shards + parameters.expert / expert_shards;
            let on_device = bench.kernels.traffic(Bytes(OPTIMIZER_TRAFFIC * owned));
            update = update.max(on_device.max(optimizer_streams(bench, layout, owned)));
        }
        update
    }

    /// What of the gradient traffic does not hide behind the backward pass.
    #[must_use]
    pub fn exposed_traffic(
        &self,
        bench: &Bench,
        layout: &Layout,
        places: &Places,
        traffic: Seconds,
        micro_batches: f64,
    ) -> Seconds {
        let busy = if places.data * (layout.cp * layout.dp) as f64 > bench.domain {
            self.scale_out
        } else {
            Seconds::ZERO
        };
        let whole = self.forward.total() + self.backward.total() + self.recompute;
        // Gradients find the network between domains free only where no other traffic fills it.
        let one = (whole - busy).max(Seconds::ZERO);
        // Gradients leave chunk by chunk: all chunks but the last to finish have the drain of the pipeline, about pp
        // micro-batches, to hide in; that last one only its own backward pass.
        let chunks = layout.vpp as f64;
        let drain = (layout.pp as f64).min(micro_batches);
        let window = one * ((chunks - 1.0) / chunks * drain + 1.0 / chunks);
        match layout.sharding {
            _ if !layout.switches.dp_overlap => traffic,
            0 | 1 => exposed(traffic, bench.software.dp_overlap, window),
            2 if layout.pp > 1 => exposed(traffic, bench.software.dp_overlap, window),
            2 => exposed(traffic, bench.software.dp_overlap, one * micro_batches),
            _ => exposed(traffic, bench.software.fsdp_overlap, one * micro_batches),
        }
    }
}

/// Stages with the parameters of each on one device, which only the degrees of `layout` decide.
#[must_use]
pub fn filled(model: &Model, layout: &Layout, stages: &[Stage]) -> Arc<[(Stage, LocalParameters)]> {
    let mut all: Vec<_> =
        stages.iter().map(|stage| (*stage, local_parameters(model, layout, stage))).collect();
    for place in 0..all.len() {
        let own = all[place].1;
        let as_many = |other: &LocalParameters| other.dense >= own.dense && other.expert >= own.expert;
        // Of stages alike one stays: those outdone before are no reason.
        all[place].1.outdone = all
            .iter()
            .enumerate()
            .any(|(index, (_, other))| index != place && !other.outdone && as_many(other));
    }
    all.into()
}

/// What stragglers and jitter add to a step, as a share of it: so much per doubling of the devices above 8.
fn stragglers_share(bench: &Bench, layout: &Layout) -> f64 {
    bench.software.jitter_per_doubling * libm::log2(layout.devices() as f64 / 8.0).max(0.0)
}
