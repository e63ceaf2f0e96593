//! Layers dealt to pipeline stages by hand.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Stages that a split by hand may have.
pub const MOST_STAGES: usize = 64;

/// Layers of each stage, first to last; empty: dealt evenly ([`crate::training::stages::stages`]).
///
/// What Megatron-LM's `--decoder-first-pipeline-num-layers`, `--decoder-last-pipeline-num-layers` and
/// `MindSpeed`'s `--num-layer-list` say. A stage without layers holds the embedding or the head alone.
/// Copied with every layout, hence of fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageSplit {
    stages: u8,
    layers: [u8; MOST_STAGES],
}

impl Default for StageSplit {
    fn default() -> Self {
        Self { stages: 0, layers: [0; MOST_STAGES] }
    }
}

impl StageSplit {
    /// A split of `layers`; none with more than [`MOST_STAGES`] stages or 255 layers on one.
    #[must_use]
    pub fn new(layers: &[u64]) -> Option<Self> {
        let mut split = Self { stages: u8::try_from(layers.len()).ok()?, ..Self::default() };
        for (place, &count) in layers.iter().enumerate() {
            *split.layers.get_mut(place)? = u8::try_from(count).ok()?;
        }
        Some(split)
    }

    /// Whether layers are dealt evenly.
    #[must_use]
    pub fn is_even(&self) -> bool {
        self.stages == 0
    }

    /// Layers of each stage; nothing where they are dealt evenly.
    #[must_use]
    pub fn layers(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.layers[..usize::from(self.stages)].iter().map(|&count| u64::from(count))
    }

    /// Whether it deals `layers` to `pp` stages of `vpp` equal chunks, none of the inner ones empty.
    #[must_use]
    pub fn fits(&self, layers: u64, pp: u64, vpp: u64) -> bool {
        let inner = self.layers().skip(1).take(usize::from(self.stages).saturating_sub(2));
        self.is_even()
            || (u64::from(self.stages) == pp
                && self.layers().sum::<u64>() == layers
                && self.layers().all(|count| count % vpp == 0)
                && { inner }.all(|count| count > 0))
    }
}

impl Serialize for StageSplit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.layers())
    }
}

impl<'de> Deserialize<'de> for StageSplit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let layers = Vec::<u64>::deserialize(deserializer)?;
        Self::new(&layers).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "at most {MOST_STAGES} stages of at most 255 layers can be dealt by hand"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_deals_every_layer_to_as_many_stages_and_leaves_no_inner_stage_empty() {
        let split = StageSplit::new(&[7, 8, 9, 10, 11, 11, 12, 12]).unwrap();
        assert!(split.fits(80, 8, 1));
        assert!(!split.fits(81, 8, 1) && !split.fits(80, 4, 1) && !split.fits(80, 8, 2));
        assert!(StageSplit::new(&[0, 4, 4, 0]).unwrap().fits(8, 4, 2));
        assert!(!StageSplit::new(&[4, 0, 4, 4]).unwrap().fits(12, 4, 1));
        assert!(StageSplit::default().fits(80, 8, 1));
    }

    #[test]
    fn it_crosses_the_boundary_as_a_list() {
        let split: StageSplit = serde_json::from_str("[3,4,1]").unwrap();
        assert_eq!(serde_json::to_string(&split).unwrap(), "[3,4,1]");
        assert_eq!(serde_json::to_string(&StageSplit::default()).unwrap(), "[]");
        assert!(serde_json::from_str::<StageSplit>("[300]").is_err());
        assert!(StageSplit::new(&[1; MOST_STAGES + 1]).is_none());
    }
}
