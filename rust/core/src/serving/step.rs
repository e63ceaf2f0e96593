//! A step of an instance: all layers, head, draft layers, pipeline and host.

use serde::Serialize;

use crate::model::LayerKind;
use crate::serving::layer::{Bench, LayerTimes, USUAL_KERNELS, Work, kernels, layer};
use crate::serving::operators::ProductClass;
use crate::serving::units::{captured_batch, smooth_maximum};
use crate::units::{Bytes, Seconds};

/// Kernels of sampling and of gathering logits.
const HEAD_KERNELS: f64 = 6.0;

/// Time of a step by cause; the causes sum to the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StepTimes {
    /// Dense products.
    pub products: Seconds,
    /// Attention over prompts.
    pub prompt_attention: Seconds,
    /// Attention over the cache.
    pub cache_attention: Seconds,
    /// Grouped products of experts.
    pub experts: Seconds,
    /// Norms, residuals, permutation.
    pub elementwise: Seconds,
    /// Floors of kernels, and waiting for the host where no step is replayed from graphs: it launches layer by layer.
    pub launches: Seconds,
    /// Tensor-parallel collectives, exposed.
    pub tensor_parallel: Seconds,
    /// Dispatch and combine, exposed.
    pub expert_exchange: Seconds,
    /// Head and sampling.
    pub head: Seconds,
    /// Draft layers of speculation.
    pub draft: Seconds,
    /// Sends between pipeline stages.
    pub pipeline: Seconds,
    /// Host time that the device waits for: scheduling, and launching the steps with prompts of a stack with graphs.
    pub host: Seconds,
}

impl StepTimes {
    fn parts(&self) -> [Seconds; 12] {
        [
            self.products,
            self.prompt_attention,
            self.cache_attention,
            self.experts,
            self.elementwise,
            self.launches,
            self.tensor_parallel,
            self.expert_exchange,
            self.head,
            self.draft,
            self.pipeline,
            self.host,
        ]
    }

    /// Sum of the causes.
    #[must_use]
    pub fn total(&self) -> Seconds {
        self.parts().into_iter().sum()
    }

    /// `self` x `a` + `other` x `b`, cause by cause.
    #[must_use]
    pub fn mix(&self, a: f64, other: &Self, b: f64) -> Self {
        let own = self.parts();
        let theirs = other.parts();
        let at = |place: usize| own[place] * a + theirs[place] * b;
        Self {
            products: at(0),
            prompt_attention: at(1),
            cache_attention: at(2),
            experts: at(3),
            elementwise: at(4),
            launches: at(5),
            tensor_parallel: at(6),
            expert_exchange: at(7),
            head: at(8),
            draft: at(9),
            pipeline: at(10),
            host: at(11),
        }
    }
}

/// The step in which every lane (data-parallel rank of a micro-batch) does `work`. With pp stages, pp micro-batches
/// take turns: the time is that of a whole round, after which every sequence has advanced once. A step without prompts
/// is replayed from a graph, at the batch it was captured at; one with prompts only up to `graph_tokens`.
#[must_use]
pub fn step(bench: &Bench, work: &Work) -> StepTimes {
    let work = &replayed(bench, work);
    let model = bench.model;
    let sparse = f64::from(model.moe_layers_before(model.layers));
    let dense = f64::from(model.layers) - sparse;
    let stages = f64::from(bench.instance.pp);
    let graphed = work.prompt <= 0.0 || work.tokens() <= bench.software.graph_tokens;
    let eager = !(bench.software.graphs && graphed);
    let mut layers = LayerTimes::default();
    let (mut launching, mut waits) = (Seconds::ZERO, Seconds::ZERO);
    for (kind, count) in [(LayerKind::Dense, dense), (LayerKind::Moe, sparse)] {
        if count <= 0.0 {
            continue;
        }
        let one = layer(bench, kind, work);
        layers.add(&one, count);
        if eager {
            let own = bench.software.host_layer * (kernels(model, kind) / USUAL_KERNELS);
            if bench.software.graphs {
                launching += own * count;
            } else {
                waits += (own - one.total()).max(Seconds::ZERO) * count;
            }
        }
    }
    let mut times = StepTimes {
        products: layers.products,
        prompt_attention: layers.prompt_attention,
        cache_attention: layers.cache_attention,
        experts: layers.experts,
        elementwise: layers.elementwise,
        launches: layers.launches + waits,
        tensor_parallel: layers.tensor_parallel,
        expert_exchange: layers.expert_exchange,
        head: head(bench, work.sequences * work.width + work.finished),
        draft: draft(bench, work),
        ..StepTimes::default()
    };
    if stages > 1.0 {
        let bytes = Bytes(2.0 * work.tokens() * f64::from(model.hidden) / f64::from(bench.instance.tp));
        times.pipeline = bench.exchange.send(bytes) * stages;
    }
    let software = bench.software;
    let per_request = software.host_sequence * (work.sequences + work.finished);
    // Requests of all data-parallel ranks start and are answered through one process, and the ranks wait for it.
    let computed = bench.question.lengths.computed().max(1.0);
    let started = (work.prompt_mean / computed * f64::from(bench.instance.dp)).max(work.finished);
    let host = (software.host_step + per_request + software.host_start * started) * stages + launching;
    let device = times.total();
    times.host = exposed_host(host, device, bench.software.host_hidden);
    times
}

/// Shares of a batch at which it runs as sequences end and others take their places: where it is captured is their mean.
const SCATTER: [f64; 3] = [0.8, 0.9, 1.0];

/// The work as a graph replays it: filled up to the batch captured, where the framework captures few.
fn replayed(bench: &Bench, work: &Work) -> Work {
    let software = bench.software;
    if !(software.graphs && software.graph_filling) || work.prompt > 0.0 || work.sequences <= 0.0 {
        return *work;
    }
    let captured: f64 = SCATTER.iter().map(|share| captured_batch(work.sequences * share)).sum();
    let filling = (captured / SCATTER.len() as f64 - work.sequences).max(0.0);
    Work { filling, ..*work }
}

/// Host time that adds to the device's: (host^p + device^p)^(1/p) - device, p = 1 / (1 - hidden).
///
/// Without overlap (hidden 0) the times add; the better the scheduler runs ahead, the nearer the step comes to the
/// longer of the two.
fn exposed_host(host: Seconds, device: Seconds, hidden: f64) -> Seconds {
    let overlap = 1.0 / (1.0 - hidden.min(0.99));
    smooth_maximum(host, device, overlap) - device
}

fn head(bench: &Bench, tokens: f64) -> Seconds {
    let columns = f64::from(bench.model.vocab) / f64::from(bench.instance.tp);
    let shape = (tokens, f64::from(bench.model.hidden), columns);
    bench.rates.product(ProductClass::Head, shape, 2.0, 2.0) + bench.software.kernel_gap * HEAD_KERNELS
}

/// Draft layers run one after the other, each with a projection of hidden state and embedding, and a head.
fn draft(bench: &Bench, work: &Work) -> Seconds {
    let Some(speculation) = bench.question.speculation else { return Seconds::ZERO };
    if work.sequences <= 0.0 {
        return Seconds::ZERO;
    }
    let kind = if bench.model.moe.is_some() { LayerKind::Moe } else { LayerKind::Dense };
    let one = Work { width: 1.0, prompt: 0.0, prompt_mean: 0.0, finished: 0.0, ..*work };
    let hidden = f64::from(bench.model.hidden);
    let weight = bench.question.precisions.dense_weights.bytes();
    let joined =
        bench.rates.product(ProductClass::Dense, (work.sequences, 2.0 * hidden, hidden), weight, 2.0);
    let per_token =
        layer(bench, kind, &one).total() * speculation.draft_layers + joined + head(bench, work.sequences);
    per_token * f64::from(speculation.drafted)
}
