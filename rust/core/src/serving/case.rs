//! What is asked of the serving model: lengths, precisions, software, constants, layout, load.

use serde::{Deserialize, Serialize};

use crate::precision::Precision;
use crate::units::{Bytes, Seconds};

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 16 bits.
    Bf16,
    /// 8-bit floating point.
    Fp8,
    /// 8-bit integers.
    Int8,
    /// 4-bit floating point with a scale per 16 values (4.5 bits).
    Fp4,
    /// 4-bit integers with a 16-bit scale per 128 values (4.125 bits).
    Int4,
}

impl Format {
    /// Bytes per number, scales included.
    #[must_use]
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Fp8 | Self::Int8 => 1.0,
            Self::Fp4 => 4.5 / 8.0,
            Self::Int4 => 4.125 / 8.0,
        }
    }
}

/// Formats of what is stored and precisions of what is computed. The head stays at 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precisions {
    /// Weights of the attention's projections.
    pub attention_weights: Format,
    /// Weights of dense and shared feed-forward networks.
    pub dense_weights: Format,
    /// Weights of routed experts.
    pub expert_weights: Format,
    /// Products of the attention's projections.
    pub attention_products: Precision,
    /// Products of dense and shared feed-forward networks.
    pub dense_products: Precision,
    /// Products of routed experts.
    pub expert_products: Precision,
    /// Attention scores and weighted values.
    pub scores: Precision,
    /// Key-value cache.
    pub cache: Format,
}

/// Tokens of a request: means, and spread as standard deviation over mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// Mean prompt.
    pub input: f64,
    /// Spread of prompts.
    #[serde(default)]
    pub input_spread: f64,
    /// Mean output.
    pub output: f64,
    /// Spread of outputs.
    #[serde(default)]
    pub output_spread: f64,
    /// Share of prompt tokens whose keys and values are in the prefix cache.
    #[serde(default)]
    pub prefix_hit: f64,
}

impl Lengths {
    /// Prompt tokens to compute.
    #[must_use]
    pub fn computed(&self) -> f64 {
        self.input * (1.0 - self.prefix_hit)
    }

    /// Mean cached tokens of a sequence in decode: input + E[L^2] / (2 E[L]).
    ///
    /// A long output is in flight longer, so the mean progress of what is in flight exceeds half the mean output.
    #[must_use]
    pub fn context(&self) -> f64 {
        self.input + self.output * (1.0 + self.output_spread * self.output_spread) / 2.0
    }

    /// Mean keys that a computed prompt token sees, all layers full: (E[S^2]/E[S] + prefix) / 2.
    #[must_use]
    pub fn keys(&self) -> f64 {
        let seen = self.input * (1.0 + self.input_spread * self.input_spread);
        f64::midpoint(seen, self.input * self.prefix_hit)
    }
}

/// Speculative decoding by draft layers (multi-token prediction and alike).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speculation {
    /// Tokens drafted per step.
    pub drafted: u32,
    /// Chance that a drafted token is accepted, given that those before it were.
    pub acceptance: f64,
    /// Layers run per drafted token, of the kind of the model's last.
    pub draft_layers: f64,
}

impl Speculation {
    /// Tokens a step yields: sum of `acceptance^i`, i = 0 to `drafted`.
    #[must_use]
    pub fn accepted(&self) -> f64 {
        (0..=self.drafted).map(|place| libm::pow(self.acceptance, f64::from(place))).sum()
    }
}

/// Laws shared by all chips and stacks: the constants that calibration moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Share of the peak that products reach on a chip with little arithmetic per byte (u0).
    pub peak_share: f64,
    /// FLOP per byte at which the share is halved: products of dense layers.
    pub ridge_dense: f64,
    /// The same of grouped (expert) products.
    pub ridge_grouped: f64,
    /// The same of attention over prompts.
    pub ridge_prefill_attention: f64,
    /// The same of attention over the cache, grouped-query.
    pub ridge_decode_attention: f64,
    /// The same of attention over the cache, latent (absorbed).
    pub ridge_latent_attention: f64,
    /// How far the ridge point follows the memory (1) or the peak alone (0); see `operators::ridge_bandwidth`.
    pub ridge_bandwidth: f64,
    /// Share of the 16-bit rate that products reach whose weights are stored narrower and widened on the way.
    pub unpacked_share: f64,
    /// p of the smooth roofline.
    pub smoothness: f64,
    /// Nominal memory bandwidth, bytes/s, at which requests in flight let through half of it; see
    /// `operators::reached_bandwidth`.
    pub memory_depth: f64,
    /// Share of the nominal memory bandwidth when weights are streamed.
    pub weight_share: f64,
    /// Share of it when the cache is read.
    pub cache_share: f64,
    /// Share of it in element-wise work.
    pub elementwise_share: f64,
    /// Element-wise bytes per token, hidden unit and layer.
    pub elementwise_bytes: f64,
    /// Bytes per routed token and hidden unit to permute and merge.
    pub routed_bytes: f64,
    /// Rows to which each expert's share of a grouped product is padded.
    pub group_rows: f64,
    /// Width of an expert (per device) at which its products reach half of their rate.
    pub grouped_width: f64,
    /// Spread of the experts' popularity: variance over squared mean of the tokens that pick each.
    pub expert_skew: f64,
    /// Fixed time of an all-reduce in one stage inside the scale-up domain.
    pub all_reduce_alpha: Seconds,
    /// Fixed time of an all-reduce in two stages there, which large messages take.
    pub two_stage_alpha: Seconds,
    /// Fixed time of an all-reduce per level beyond the scale-up domain: NICs and the host's or switch's hops.
    pub outer_alpha: Seconds,
    /// Fixed time of an all-to-all, per direction.
    pub exchange_alpha: Seconds,
    /// Fixed time of a send between pipeline stages.
    pub send_alpha: Seconds,
    /// Share of the specified latencies of the levels that adds to the fixed times.
    pub hop_share: f64,
    /// Share of scale-up bandwidth that collectives reach.
    pub link_share: f64,
    /// Share of the NIC rate that they reach.
    pub nic_share: f64,
    /// Cache transfer from prefill to decode: share of the NIC rate.
    pub transfer_share: f64,
}

/// What sets a chip family apart from the shared laws: factors on times, shrunk to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Time of dense products.
    pub products: f64,
    /// Time of grouped products.
    pub experts: f64,
    /// Time of attention's arithmetic.
    pub attention: f64,
    /// Time of memory traffic.
    pub memory: f64,
    /// Time of collectives.
    pub collectives: f64,
    /// Host times (slower processors, e.g. Grace).
    pub host: f64,
}

impl Default for Family {
    fn default() -> Self {
        Self { products: 1.0, experts: 1.0, attention: 1.0, memory: 1.0, collectives: 1.0, host: 1.0 }
    }
}

/// The serving framework: an explicit input with its own spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // independent switches of the framework
pub struct ServingSoftware {
    /// Decode steps are replayed from graphs; otherwise the host launches every layer.
    pub graphs: bool,
    /// Graphs are captured at few batches, and smaller ones filled up; otherwise at nearly every batch.
    #[serde(default)]
    pub graph_filling: bool,
    /// Steps with prompts are replayed as well, but for their attention, up to so many tokens; 0: never.
    #[serde(default)]
    pub graph_tokens: f64,
    /// Host time per step.
    pub host_step: Seconds,
    /// Host time per sequence and step.
    pub host_sequence: Seconds,
    /// Host time per request that starts: its blocks, its sampler, its answer. Those of all data-parallel ranks of an
    /// instance pass one process.
    pub host_start: Seconds,
    /// Host time per layer where nothing is replayed from a graph (prefill, or no graphs); layers with more
    /// kernels than a dense one take longer in proportion.
    pub host_layer: Seconds,
    /// How far the host runs ahead of the device: 0 their times add, 1 the longer counts (see `step`).
    pub host_hidden: f64,
    /// Host time per request before its first token (tokenizer, scheduling, HTTP), beside the device.
    pub host_request: Seconds,
    /// Floor per kernel.
    pub kernel_gap: Seconds,
    /// Time of dense products against a tuned stack.
    pub product_factor: f64,
    /// Time of grouped products against a tuned stack.
    pub expert_factor: f64,
    /// Time of attention against a tuned stack.
    pub attention_factor: f64,
    /// Time of collectives against a tuned stack.
    pub collective_factor: f64,
    /// Traffic of element-wise work against a tuned stack, which fuses it.
    pub elementwise_factor: f64,
    /// Share of the requests of a closed loop whose prompts come together: what started together ends together.
    pub bunching: f64,
    /// Share of tensor-parallel traffic hidden.
    pub tp_overlap: f64,
    /// Two halves of the batch in turn: exchange of one behind compute of the other.
    pub two_batch_overlap: bool,
    /// Share of the smaller of compute and exchange that this hides.
    pub overlap_share: f64,
    /// A token crosses to a server once and is forwarded inside.
    pub hierarchical_dispatch: bool,
    /// Groups of up to so many expert ranks gather all tokens and reduce-scatter the results; larger ones exchange.
    pub gather_ranks: f64,
    /// Bytes per element dispatched.
    pub dispatch_bytes: f64,
    /// Bytes per element combined.
    pub combine_bytes: f64,
    /// Load of the busiest expert rank: ranks^exponent.
    pub imbalance_exponent: f64,
    /// Prompts are cut and mixed into decode steps; otherwise they run in steps of their own.
    pub chunked_prefill: bool,
    /// Most tokens of a step and data-parallel rank.
    pub token_budget: f64,
    /// 1: data-parallel ranks prefill together; 0: at random, and all wait for any.
    pub prefill_coordination: f64,
    /// Share of the output length reserved in the cache when a request starts.
    pub cache_reservation: f64,
    /// Share of the usable memory that the engine may take.
    pub memory_share: f64,
    /// Memory of runtime, graphs and activations per device.
    pub memory_reserve: Bytes,
    /// Further memory of models with experts: permuted tokens and workspaces of grouped products.
    pub expert_reserve: Bytes,
    /// Share of the cache transfer hidden behind prefill (sent layer by layer).
    pub transfer_hidden: f64,
    /// Sequences at most per data-parallel rank.
    pub most_sequences: f64,
}

impl ServingSoftware {
    /// On the processors of a chip family: its host times.
    #[must_use]
    pub fn on(&self, family: &Family) -> Self {
        Self {
            host_step: self.host_step * family.host,
            host_sequence: self.host_sequence * family.host,
            host_start: self.host_start * family.host,
            host_layer: self.host_layer * family.host,
            host_request: self.host_request * family.host,
            ..*self
        }
    }
}

/// How one instance of the model lies on devices. tp x dp = ep x etp devices hold a pipeline stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Tensor parallelism of the attention.
    pub tp: u32,
    /// Data parallelism of the attention.
    pub dp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Expert parallelism.
    pub ep: u32,
    /// Tensor parallelism inside an expert.
    pub etp: u32,
}

impl Instance {
    /// Devices of the instance.
    #[must_use]
    pub fn devices(&self) -> u32 {
        self.tp * self.dp * self.pp
    }
}

/// Prefill and decode together or apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each instance does both, with continuous batching.
    Aggregated,
    /// Prompts only.
    Prefill,
    /// Outputs only.
    Decode,
    /// Pools of both kinds.
    Disaggregated,
}

/// How much is asked of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Load {
    /// So many requests are kept in the system, all instances together (a closed loop).
    Concurrency {
        /// Requests.
        requests: f64,
    },
    /// Requests arrive at random (an open loop).
    Rate {
        /// Per second, all instances together.
        requests_per_second: f64,
    },
    /// So many sequences are decoded at once, or prompts computed per step, per instance.
    Batch {
        /// Sequences.
        sequences: f64,
    },
    /// As many as the cache holds.
    Full,
}

/// One pool of a disaggregated deployment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Layout of an instance.
    pub instance: Instance,
    /// Instances.
    pub instances: u32,
    /// Most sequences (decode) or prompts (prefill) of an instance at once; none: what fits.
    #[serde(default)]
    pub batch: Option<f64>,
}

/// One question to the serving model, beside hardware, model, software and constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Prefill and decode together or apart.
    pub mode: Mode,
    /// Lengths of requests.
    pub lengths: Lengths,
    /// Formats and precisions.
    pub precisions: Precisions,
    /// Speculative decoding.
    #[serde(default)]
    pub speculation: Option<Speculation>,
    /// The pool (aggregated, decode), or the decode pool (disaggregated); prefill: the prefill pool.
    pub pool: Pool,
    /// The prefill pool of a disaggregated deployment.
    #[serde(default)]
    pub prefill: Option<Pool>,
    /// How much is asked.
    pub load: Load,
    /// Requests of a whole run that starts empty and ends when all are done; none: steady state.
    #[serde(default)]
    pub run_requests: Option<f64>,
    /// Experts are balanced perfectly.
    #[serde(default)]
    pub balanced_experts: bool,
    /// Steps between two looks of the scheduler at newcomers (1: it looks every step).
    #[serde(default = "one")]
    pub poll_steps: f64,
    /// Relative clock of the devices.
    #[serde(default = "one")]
    pub clock: f64,
}

fn one() -> f64 {
    1.0
}
