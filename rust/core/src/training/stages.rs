//! How layers are dealt to pipeline stages, and what each stage holds.

use crate::model::Model;
use crate::training::layout::Layout;
use crate::training::schedule::Schedule;
use crate::training::split::StageSplit;

/// A pipeline stage with its real contents; `count` stages are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Index of the first stage of this make-up (it holds the most micro-batches in flight).
    pub index: u64,
    /// Stages alike.
    pub count: f64,
    /// Dense layers.
    pub dense: f64,
    /// `MoE` layers.
    pub moe: f64,
    /// Holds the input embedding.
    pub first: bool,
    /// Output heads: 1 on the last stage, one more per multi-token-prediction layer.
    pub heads: f64,
}

impl Stage {
    /// Share of its layers that recompute under `layout`, which counts them per chunk.
    #[must_use]
    pub fn recomputed_share(&self, layout: &Layout) -> f64 {
        let layers = self.dense + self.moe;
        if layout.recompute_layers == 0 || layers <= 0.0 {
            return 1.0;
        }
        (layout.recompute_layers as f64 * layout.vpp as f64 / layers).min(1.0)
    }
}

/// The distinct stages of a pipeline of `pp` stages with `vpp` chunks each.
///
/// Chunks are equal where the layers divide; else the last chunk has one layer less, then the first, then the
/// others from the end. Chunk c belongs to stage c mod pp. Multi-token-prediction layers sit on the last stage.
/// A `split` by hand that fits takes the place of that rule; one that does not is refused by `layers_over_pipeline`.
#[must_use]
pub fn stages(model: &Model, pp: u64, vpp: u64, split: &StageSplit) -> Vec<Stage> {
    let chunks = pp * vpp;
    let layers = u64::from(model.layers);
    let mut found: Vec<Stage> = Vec::with_capacity(4);
    let mut contents = vec![(0_u64, 0_u64); usize::try_from(pp).unwrap_or(usize::MAX)];
    let mut start = 0_u64;
    let sizes = if split.is_even() || !split.fits(layers, pp, vpp) {
        chunk_sizes(layers, pp, chunks, reserved(model, pp, vpp))
    } else {
        let stage: Vec<u64> = split.layers().map(|count| count / vpp).collect();
        stage.iter().copied().cycle().take(stage.len() * usize::try_from(vpp).unwrap_or(1)).collect()
    };
    for (chunk, size) in (0_u64..).zip(sizes) {
        let end = start + size;
        let before =
            |count: u64| u64::from(model.moe_layers_before(u32::try_from(count).unwrap_or(u32::MAX)));
        let moe = before(end) - before(start);
        let stage = usize::try_from(chunk % pp).unwrap_or(0);
        contents[stage].0 += size - moe;
        contents[stage].1 += moe;
        start = end;
    }
    for (index, (mut dense, mut moe)) in (0_u64..).zip(contents) {
        let last = index + 1 == pp;
        if last {
            let extra = u64::from(model.mtp_layers);
            if model.moe.is_some() { moe += extra } else { dense += extra }
        }
        let stage = Stage {
            index,
            count: 1.0,
            dense: dense as f64,
            moe: moe as f64,
            first: index == 0,
            heads: if last { 1.0 + f64::from(model.mtp_layers) } else { 0.0 },
        };
        let same = |other: &&mut Stage| {
            other.dense == stage.dense
                && other.moe == stage.moe
                && other.first == stage.first
                && other.heads == stage.heads
        };
        match found.iter_mut().find(same) {
            Some(other) => other.count += 1.0,
            None => found.push(stage),
        }
    }
    found
}

/// Layers whose place on the last stage is taken by multi-token prediction: its own layers, and the heads beyond
/// the first layer's worth, each weighed by the parameters that a token passes through.
///
/// Frameworks place such models by hand so that the last stage is no heavier (arXiv 2412.19437, section 3.2.1);
/// without multi-token prediction layers are dealt evenly.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a handful of layers
pub fn reserved(model: &Model, pp: u64, vpp: u64) -> u64 {
    if model.mtp_layers == 0 || pp == 1 {
        return 0;
    }
    let extra = f64::from(model.mtp_layers);
    let table = f64::from(model.hidden) * f64::from(model.vocab);
    let layer = model.last_layer_active_parameters();
    let heads = libm::round((extra + 1.0) * table / layer);
    let most = u64::from(model.layers).div_ceil(pp);
    let wanted = ((extra + heads) as u64).min(most);
    // One place less where that makes every chunk a layer smaller.
    let fullest = |places: u64| (u64::from(model.layers) + places).div_ceil(pp * vpp);
    if fullest(wanted - 1) < fullest(wanted) { wanted - 1 } else { wanted }
}

/// Layers of each chunk: equal, with `reserved` places of the last stage taken by something else.
fn chunk_sizes(layers: u64, pp: u64, chunks: u64, reserved: u64) -> Vec<u64> {
    let full = (layers + reserved).div_ceil(chunks);
    let short = full * chunks - layers - reserved;
    let mut sizes: Vec<u64> =
        (0..chunks).map(|chunk| full - u64::from(is_short(chunk, chunks, short))).collect();
    let mut owed = reserved;
    let stride = usize::try_from(pp).unwrap_or(1);
    // The last stage's chunks give from the end; what they cannot, the others do.
    for place in (0..sizes.len()).rev().step_by(stride).chain((0..sizes.len()).rev()) {
        let given = owed.min(sizes[place]);
        sizes[place] -= given;
        owed -= given;
    }
    sizes
}

fn is_short(chunk: u64, chunks: u64, short: u64) -> bool {
    if chunk == 0 && chunks > 1 {
        return short >= 2;
    }
    let from_end = chunks - 1 - chunk;
    // The last chunk is the first to give, the first chunk the second, then the rest from the end.
    if from_end == 0 { short >= 1 } else { short >= from_end + 2 }
}

/// Micro-batches whose activations stage `index` holds at once, in units of the whole stage.
///
/// 1F1B: min(pp - i, m). Interleaved: (2 (pp-i-1) + (vpp-1) pp + 1) chunks of vpp, at most m
/// (Narayanan et al. 2021, section 2.2). From both ends: pp + 1 on every stage (arXiv 2412.19437, table 2).
#[must_use]
pub fn in_flight(layout: &Layout, index: u64, micro_batches: u64) -> f64 {
    let (pp, vpp) = (layout.pp as f64, layout.vpp as f64);
    let behind = pp - index as f64;
    let held = if layout.schedule == Schedule::DualPipe {
        pp + 1.0
    } else if layout.vpp == 1 {
        behind
    } else {
        (2.0 * (behind - 1.0) + (vpp - 1.0) * pp + 1.0) / vpp
    };
    held.min(micro_batches as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attention;

    fn model(layers: u32) -> Model {
        Model {
            id: "test".into(),
            layers,
            hidden: 64,
            heads: 8,
            kv_heads: 8,
            head_dim: 8,
            ffn: 256,
            gated: true,
            vocab: 1000,
            tied_embeddings: false,
            learned_positions: 0,
            attention: Attention::Gqa,
            moe: None,
            window: None,
            mtp_layers: 0,
        }
    }

    fn evenly(model: &Model, pp: u64) -> Vec<Stage> {
        stages(model, pp, 1, &StageSplit::default())
    }

    #[test]
    fn a_split_by_hand_gives_each_stage_its_layers_and_the_ends_the_tables() {
        let split = StageSplit::new(&[7, 8, 9, 10, 11, 11, 12, 12]).unwrap();
        let found = stages(&model(80), 8, 1, &split);
        let layers: Vec<(f64, f64)> = found.iter().map(|stage| (stage.dense, stage.count)).collect();
        // The last stage has twelve layers too, and the head: a make-up of its own.
        assert_eq!(
            layers,
            [(7.0, 1.0), (8.0, 1.0), (9.0, 1.0), (10.0, 1.0), (11.0, 2.0), (12.0, 1.0), (12.0, 1.0)]
        );
        assert!(found[0].first && found[6].heads == 1.0);
        // Two chunks a stage: 4 = 2 x 2 layers on the first and the last of three stages, 8 on the inner one.
        let chunks = stages(&model(16), 3, 2, &StageSplit::new(&[4, 8, 4]).unwrap());
        assert_eq!(chunks.iter().map(|stage| stage.dense).collect::<Vec<_>>(), [4.0, 8.0, 4.0]);
        // The head alone on the last stage.
        let alone = stages(&model(16), 3, 1, &StageSplit::new(&[8, 8, 0]).unwrap());
        assert_eq!((alone[2].dense, alone[2].heads), (0.0, 1.0));
    }

    #[test]
    fn llama_405b_on_16_stages_gives_the_first_and_last_stage_a_layer_less() {
        let found = stages(&model(126), 16, 1, &StageSplit::default());
        let layers: Vec<f64> = found.iter().map(|stage| stage.dense).collect();
        assert_eq!(layers, vec![7.0, 8.0, 7.0]);
        assert_eq!(found[1].count, 14.0);
    }

    #[test]
    fn all_layers_are_dealt_whatever_the_remainder() {
        for layers in 1..40 {
            for pp in 1..=u64::from(layers) {
                let total: f64 =
                    evenly(&model(layers), pp).iter().map(|stage| stage.count * stage.dense).sum();
                assert_eq!(total, f64::from(layers), "{layers} layers on {pp} stages");
            }
        }
    }

    #[test]
    fn the_first_stage_of_1f1b_holds_as_many_micro_batches_as_stages() {
        let mut layout = Layout { pp: 8, sharding: 1, ..Layout::default() };
        assert_eq!(in_flight(&layout, 0, 64), 8.0);
        assert_eq!(in_flight(&layout, 7, 64), 1.0);
        assert_eq!(in_flight(&layout, 0, 3), 3.0);
        // Interleaved by 2: (2 x 7 + 8 + 1)/2 = 11.5, i.e. pp (1 + (pp-1)/(pp vpp)) = 11.5.
        layout.vpp = 2;
        assert_eq!(in_flight(&layout, 0, 64), 11.5);
        // From both ends every stage holds 9.
        let both = Layout { pp: 8, schedule: Schedule::DualPipe, ..Layout::default() };
        assert_eq!(in_flight(&both, 0, 64), 9.0);
        assert_eq!(in_flight(&both, 7, 64), 9.0);
    }

    #[test]
    fn a_last_stage_with_an_extra_prediction_layer_holds_fewer_layers() {
        // Head of 1,000 x 64 over a layer of 4 x 64 x 64 + 3 x 64 x 256 + 128 parameters: 0.98, so two heads and one
        // layer take three places of the last stage.
        let mut heavy = model(29);
        heavy.mtp_layers = 1;
        assert_eq!(reserved(&heavy, 4, 1), 3);
        let found = evenly(&heavy, 4);
        let last = found.iter().find(|stage| stage.heads > 0.0).unwrap();
        // (29 + 3)/4 = 8 places a stage; the last holds 5 layers and the extra one.
        assert_eq!(last.dense, 6.0);
        let total: f64 = found.iter().map(|stage| stage.count * stage.dense).sum();
        assert_eq!(total, 30.0);
    }
}
