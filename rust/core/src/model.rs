//! Model architectures and their parameter counts.

use serde::{Deserialize, Serialize};

/// Attention variants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Attention {
    /// Multi-head, grouped-query or multi-query attention.
    Gqa,
    /// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434 section 2.1).
    Mla {
        /// Rank of the query compression; none: queries are projected directly.
        q_lora: Option<u32>,
        /// Rank of the key-value compression.
        kv_lora: u32,
        /// Head size without position.
        nope: u32,
        /// Head size with rotary position.
        rope: u32,
        /// Value head size.
        value: u32,
    },
}

/// Mixture of experts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moe {
    /// Routed experts.
    pub experts: u32,
    /// Experts per token.
    pub top_k: u32,
    /// Width of one routed expert.
    pub ffn: u32,
    /// Total width of the shared experts, 0 if none.
    pub shared_ffn: u32,
    /// Leading layers that are dense.
    pub leading_dense_layers: u32,
    /// Every how many layers one is `MoE` (after the leading dense ones).
    pub every: u32,
    /// Routing is limited to experts of so many groups per token (DeepSeek-V3, arXiv 2412.19437, section 2.1.2),
    /// where a group of experts sits on one server; none: any experts.
    pub top_groups: Option<u32>,
    /// Experts with biases and an activation that is no single kernel (clamped, as gpt-oss).
    pub bias: bool,
}

/// Sliding-window attention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Window length in tokens.
    pub size: u32,
    /// Share of layers that use it.
    pub share: f64,
}

/// A decoder-only transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Id in the library.
    pub id: String,
    /// Transformer layers.
    pub layers: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// Key-value heads.
    pub kv_heads: u32,
    /// Head size of queries and keys.
    pub head_dim: u32,
    /// Width of the dense feed-forward network (0 if every layer is `MoE`).
    pub ffn: u32,
    /// Gated (`SwiGLU`): two input products.
    pub gated: bool,
    /// Vocabulary.
    pub vocab: u32,
    /// Input and output embeddings share weights.
    pub tied_embeddings: bool,
    /// Rows of a learned position table, 0 if none.
    pub learned_positions: u32,
    /// Attention variant.
    pub attention: Attention,
    /// Experts, if any.
    pub moe: Option<Moe>,
    /// Sliding window, if any.
    pub window: Option<Window>,
    /// Extra multi-token-prediction layers trained with the model.
    pub mtp_layers: u32,
}

/// A layer is dense or `MoE`; everything else about the layers of a model is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// Dense feed-forward.
    Dense,
    /// Routed experts.
    Moe,
}

impl Model {
    /// Input products of the feed-forward network: 2 if gated, else 1.
    #[must_use]
    pub fn ffn_inputs(&self) -> f64 {
        if self.gated { 2.0 } else { 1.0 }
    }

    /// Head sizes (query-key, value).
    #[must_use]
    pub fn head_sizes(&self) -> (f64, f64) {
        match self.attention {
            Attention::Gqa => (f64::from(self.head_dim), f64::from(self.head_dim)),
            Attention::Mla { nope, rope, value, .. } => (f64::from(nope + rope), f64::from(value)),
        }
    }

    /// `MoE` layers among the first `count` layers: layer l (from 0) is one if it is not a leading dense layer and
    /// l + 1 is a multiple of `every`.
    #[must_use]
    pub fn moe_layers_before(&self, count: u32) -> u32 {
        self.moe.map_or(0, |moe| {
            let leading = moe.leading_dense_layers.min(count);
            count / moe.every - leading / moe.every
        })
    }

    /// Attention parameters of one layer that tensor parallelism divides, and those it replicates.
    #[must_use]
    pub fn attention_parameters(&self) -> (f64, f64) {
        let hidden = f64::from(self.hidden);
        let heads = f64::from(self.heads);
        match self.attention {
            Attention::Gqa => {
                let head = f64::from(self.head_dim);
                (hidden * head * (2.0 * heads + 2.0 * f64::from(self.kv_heads)), 0.0)
            }
            Attention::Mla { q_lora, kv_lora, nope, rope, value } => {
                let (kv_lora, rope) = (f64::from(kv_lora), f64::from(rope));
                let query = f64::from(nope) + rope;
                let up_kv = kv_lora * heads * (f64::from(nope) + f64::from(value));
                let out = heads * f64::from(value) * hidden;
                let down_kv = hidden * (kv_lora + rope);
                match q_lora {
                    Some(rank) => {
                        let rank = f64::from(rank);
                        (rank * heads * query + up_kv + out, hidden * rank + down_kv)
                    }
                    None => (hidden * heads * query + up_kv + out, down_kv),
                }
            }
        }
    }

    /// Parameters of the up-projections from the latents of one layer.
    #[must_use]
    pub fn latent_parameters(&self) -> f64 {
        match self.attention {
            Attention::Gqa => 0.0,
            Attention::Mla { q_lora, kv_lora, nope, rope, value } => {
                let heads = f64::from(self.heads);
                f64::from(q_lora.unwrap_or(0)) * heads * f64::from(nope + rope)
                    + f64::from(kv_lora) * heads * f64::from(nope + value)
            }
        }
    }

    /// Parameters of a dense feed-forward network of width `ffn`.
    #[must_use]
    pub fn ffn_parameters(&self, ffn: u32) -> f64 {
        f64::from(self.hidden) * f64::from(ffn) * (self.ffn_inputs() + 1.0)
    }

    /// Parameters of one layer outside the routed experts (attention, norms, dense or shared FFN, router).
    #[must_use]
    pub fn layer_parameters_outside_experts(&self, kind: LayerKind) -> f64 {
        let (split, replicated) = self.attention_parameters();
        let hidden = f64::from(self.hidden);
        let ffn = match (kind, self.moe) {
            (LayerKind::Moe, Some(moe)) => {
                self.ffn_parameters(moe.shared_ffn) + hidden * f64::from(moe.experts)
            }
            _ => self.ffn_parameters(self.ffn),
        };
        split + replicated + ffn + 2.0 * hidden
    }

    /// Parameters of the routed experts of one `MoE` layer.
    #[must_use]
    pub fn expert_parameters(&self) -> f64 {
        self.moe.map_or(0.0, |moe| f64::from(moe.experts) * self.ffn_parameters(moe.ffn))
    }

    /// Parameters of the input embedding (with learned positions).
    #[must_use]
    pub fn embedding_parameters(&self) -> f64 {
        f64::from(self.hidden) * (f64::from(self.vocab) + f64::from(self.learned_positions))
    }

    /// Parameters of the output head; 0 if tied.
    #[must_use]
    pub fn head_parameters(&self) -> f64 {
        if self.tied_embeddings { 0.0 } else { f64::from(self.hidden) * f64::from(self.vocab) }
    }

    /// All parameters, without multi-token-prediction layers.
    #[must_use]
    pub fn parameters(&self) -> f64 {
        let moe = f64::from(self.moe_layers_before(self.layers));
        let dense = f64::from(self.layers) - moe;
        dense * self.layer_parameters_outside_experts(LayerKind::Dense)
            + moe * (self.layer_parameters_outside_experts(LayerKind::Moe) + self.expert_parameters())
            + self.embedding_parameters()
            + self.head_parameters()
            + f64::from(self.hidden)
    }

    /// All that is trained and stored: with the multi-token-prediction layers, each of the last layer's kind with a
    /// projection of two hidden states into one (arXiv 2412.19437, section 2.2); they share embedding and head.
    #[must_use]
    pub fn trained_parameters(&self) -> f64 {
        let hidden = f64::from(self.hidden);
        let layer = match self.moe {
            Some(_) => self.layer_parameters_outside_experts(LayerKind::Moe) + self.expert_parameters(),
            None => self.layer_parameters_outside_experts(LayerKind::Dense),
        };
        self.parameters() + f64::from(self.mtp_layers) * (layer + 2.0 * hidden * hidden)
    }

    /// Parameters that one token passes through.
    #[must_use]
    pub fn active_parameters(&self) -> f64 {
        let idle_experts =
            self.moe.map_or(0.0, |moe| f64::from(moe.experts - moe.top_k) * self.ffn_parameters(moe.ffn));
        self.parameters() - f64::from(self.moe_layers_before(self.layers)) * idle_experts
    }

    /// Mean number of keys that a query sees per layer, causal, over a sequence of `sequence` tokens.
    #[must_use]
    pub fn mean_keys_causal(&self, sequence: f64) -> f64 {
        let full = sequence / 2.0;
        match self.window {
            Some(window) if f64::from(window.size) < sequence => {
                let size = f64::from(window.size);
                // Queries before the window fills see half of it on average, later ones all of it.
                let windowed = size - size * size / (2.0 * sequence);
                window.share * windowed + (1.0 - window.share) * full
            }
            _ => full,
        }
    }

    /// Model FLOPs per trained token: three times the forward products plus attention scores, causal, without
    /// recompute. Narayanan et al. 2021 (arXiv 2104.04473, eq. 2) with attention halved by the causal mask and
    /// the input embedding not counted.
    #[must_use]
    pub fn training_flops_per_token(&self, sequence: f64) -> f64 {
        self.training_flops_per_token_with_keys(self.mean_keys_causal(sequence))
    }

    /// The same with the whole score matrix counted, as many publications do.
    #[must_use]
    pub fn training_flops_per_token_full_attention(&self, sequence: f64) -> f64 {
        self.training_flops_per_token_with_keys(2.0 * self.mean_keys_causal(sequence))
    }

    fn training_flops_per_token_with_keys(&self, keys: f64) -> f64 {
        let hidden = f64::from(self.hidden);
        let norms = hidden * (2.0 * f64::from(self.layers) + 1.0);
        let products =
            self.active_parameters() - self.embedding_parameters() - self.head_parameters() - norms
                + hidden * f64::from(self.vocab);
        let (query, value) = self.head_sizes();
        let scores = 2.0 * f64::from(self.layers) * f64::from(self.heads) * (query + value) * keys;
        let mtp = f64::from(self.mtp_layers)
            * (2.0 * self.last_layer_active_parameters()
                + 2.0 * hidden * f64::from(self.vocab)
                + 4.0 * hidden * hidden);
        3.0 * (2.0 * products + scores + mtp)
    }

    /// Parameters of the last layer that one token passes through.
    #[must_use]
    pub fn last_layer_active_parameters(&self) -> f64 {
        match self.moe {
            Some(moe) => {
                self.layer_parameters_outside_experts(LayerKind::Moe)
                    + f64::from(moe.top_k) * self.ffn_parameters(moe.ffn)
            }
            None => self.layer_parameters_outside_experts(LayerKind::Dense),
        }
    }
}
