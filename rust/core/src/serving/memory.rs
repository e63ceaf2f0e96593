//! Memory of a device that serves: weights, reserve, and what is left for keys and values.

use serde::Serialize;

use crate::model::Model;
use crate::serving::case::{Instance, Precisions, Question, ServingSoftware};
use crate::serving::layer::{cache_bytes, windowed};
use crate::units::Bytes;

/// Memory of the fullest device of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ServingMemory {
    /// What the engine may take.
    pub capacity: Bytes,
    /// Weights.
    pub weights: Bytes,
    /// Runtime, graphs, activations.
    pub reserve: Bytes,
    /// Left for the cache; negative: the model does not fit.
    pub cache: Bytes,
    /// Cache of one token, all layers of a stage.
    pub cache_per_token: Bytes,
    /// Tokens that the cache of one data-parallel rank holds.
    pub cache_tokens: f64,
}

/// Weights of one device: attention and dense parts over tp, experts over ep and etp, embeddings over tp; a stage
/// holds 1/pp of the layers. Draft layers lie on the last stage and count where speculation is on.
#[must_use]
pub fn weight_bytes(model: &Model, instance: &Instance, question: &Question) -> Bytes {
    let precisions = &question.precisions;
    let tp = f64::from(instance.tp);
    let (split, replicated) = model.attention_parameters();
    let attention = (split / tp + replicated) * precisions.attention_weights.bytes();
    let sparse = f64::from(model.moe_layers_before(model.layers));
    let dense = f64::from(model.layers) - sparse;
    let dense_layer = attention + model.ffn_parameters(model.ffn) / tp * precisions.dense_weights.bytes();
    let sparse_layer = model.moe.map_or(0.0, |moe| {
        let local = (f64::from(moe.experts) / f64::from(instance.ep)).max(1.0);
        attention
            + model.ffn_parameters(moe.shared_ffn) / tp * precisions.dense_weights.bytes()
            + local * model.ffn_parameters(moe.ffn) / f64::from(instance.etp)
                * precisions.expert_weights.bytes()
            + 2.0 * f64::from(model.hidden) * f64::from(moe.experts)
    });
    let embeddings = 2.0 * (model.embedding_parameters() + model.head_parameters()) / tp;
    let drafts = question.speculation.map_or(0.0, |speculation| {
        let one = if model.moe.is_some() { sparse_layer } else { dense_layer };
        speculation.draft_layers.min(f64::from(model.mtp_layers).max(1.0)) * one
    });
    let stages = f64::from(instance.pp);
    let ends = if instance.pp > 1 { embeddings / 2.0 } else { embeddings };
    Bytes((dense * dense_layer + sparse * sparse_layer) / stages + ends + drafts)
}

/// Bytes of keys and values of a token over all layers and heads, once (what a transfer moves).
#[must_use]
pub fn cache_bytes_of_token(model: &Model, precisions: &Precisions) -> Bytes {
    Bytes(cache_bytes(model, precisions, 1.0) * f64::from(model.layers))
}

/// Memory of the fullest device.
#[must_use]
pub fn memory(
    model: &Model,
    instance: &Instance,
    question: &Question,
    software: &ServingSoftware,
    usable: Bytes,
) -> ServingMemory {
    let capacity = usable * software.memory_share;
    let weights = weight_bytes(model, instance, question);
    let experts = if model.moe.is_some() { software.expert_reserve } else { Bytes(0.0) };
    let reserve = software.memory_reserve + experts;
    let cache = capacity - weights - reserve;
    let layers = f64::from(model.layers) / f64::from(instance.pp);
    let per_token = cache_bytes(model, &question.precisions, f64::from(instance.tp)) * layers;
    ServingMemory {
        capacity,
        weights,
        reserve,
        cache,
        cache_per_token: Bytes(per_token),
        // All stages hold a part of every sequence of their data-parallel rank.
        cache_tokens: cache.0.max(0.0) / per_token,
    }
}

/// Sequences that the cache of a data-parallel rank holds: windowed layers keep the window only.
#[must_use]
pub fn most_sequences(
    model: &Model,
    question: &Question,
    software: &ServingSoftware,
    memory: &ServingMemory,
) -> f64 {
    let lengths = &question.lengths;
    let reserved = lengths.input + lengths.output * software.cache_reservation;
    let kept = windowed(model, reserved);
    (memory.cache_tokens / kept).min(software.most_sequences)
}
