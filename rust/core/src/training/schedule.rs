//! Order of the passes over a pipeline, and how context ranks exchange: dimensions of a layout.

use serde::{Deserialize, Serialize};

use crate::units::Seconds;

/// In which order a stage runs its forward and backward passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Schedule {
    /// One forward, one backward; interleaved where a stage has several chunks (Narayanan et al. 2021).
    #[default]
    #[serde(rename = "1f1b")]
    OneForwardOneBackward,
    /// Weight gradients fill the bubble: ZB-H1, at the memory of 1F1B (Qi et al. 2023, arXiv 2401.10241).
    #[serde(rename = "zero-bubble")]
    ZeroBubble,
    /// Micro-batches from both ends, two copies of the weights (`DeepSeek-V3`, arXiv 2412.19437, section 3.2.1).
    #[serde(rename = "dualpipe")]
    DualPipe,
}

/// How context ranks share a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextKind {
    /// Keys and values go round (Liu, Zaharia, Abbeel 2023, arXiv 2310.01889).
    #[default]
    Ring,
    /// Heads are exchanged for tokens before and after attention (Ulysses, arXiv 2309.14509).
    AllToAll,
}

/// Seconds that a mean stage spends on one micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StagePasses {
    /// Forward pass.
    pub forward: Seconds,
    /// Whole backward pass with recomputation, weight gradients included.
    pub backward: Seconds,
    /// Products for the gradients of weights alone.
    pub weights: Seconds,
}

impl Schedule {
    /// Seconds that a stage stands idle while the pipeline fills and drains.
    ///
    /// With F, B, W the passes above (arXiv 2412.19437, table 2; Narayanan et al. 2021, section 2.2):
    /// 1F1B (pp-1)(F+B)/vpp; zero bubble (pp-1)(F+B-2W); `DualPipe` (pp/2-1)(F+B + B-3W). Not below 0.
    #[must_use]
    pub fn bubble(self, pp: u64, vpp: u64, passes: StagePasses) -> Seconds {
        let StagePasses { forward, backward, weights } = passes;
        let stages = pp as f64;
        let idle = match self {
            Self::OneForwardOneBackward => (forward + backward) * ((stages - 1.0) / vpp as f64),
            Self::ZeroBubble => (forward + backward - weights * 2.0) * (stages - 1.0),
            Self::DualPipe => (forward + backward * 2.0 - weights * 3.0) * (stages / 2.0 - 1.0),
        };
        idle.max(Seconds::ZERO)
    }

    /// Copies of a stage's weights on a device.
    #[must_use]
    pub fn copies(self) -> f64 {
        if self == Self::DualPipe { 2.0 } else { 1.0 }
    }

    /// Whether it is defined for that many stages and chunks.
    #[must_use]
    pub fn allows(self, pp: u64, vpp: u64) -> bool {
        match self {
            Self::OneForwardOneBackward => true,
            Self::ZeroBubble => vpp == 1,
            Self::DualPipe => vpp == 1 && pp.is_multiple_of(2),
        }
    }

    /// Micro-batches it needs at least.
    #[must_use]
    pub fn least_micro_batches(self, pp: u64) -> u64 {
        if self == Self::DualPipe { pp } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F : B : W = 1 : 2 : 1, the ratio of plain products.
    const PASSES: StagePasses =
        StagePasses { forward: Seconds(1.0), backward: Seconds(2.0), weights: Seconds(1.0) };

    #[test]
    fn bubbles_of_16_stages_are_those_of_the_published_table() {
        let of = |schedule: Schedule| schedule.bubble(16, 1, PASSES).0;
        assert_eq!(of(Schedule::OneForwardOneBackward), 45.0);
        assert_eq!(of(Schedule::ZeroBubble), 15.0);
        assert_eq!(of(Schedule::DualPipe), 14.0);
    }

    #[test]
    fn two_chunks_halve_the_bubble_of_1f1b_and_no_bubble_is_negative() {
        assert_eq!(Schedule::OneForwardOneBackward.bubble(16, 2, PASSES).0, 22.5);
        let odd = StagePasses { weights: Seconds(2.0), ..PASSES };
        assert_eq!(Schedule::ZeroBubble.bubble(8, 1, odd), Seconds::ZERO);
        assert_eq!(Schedule::DualPipe.bubble(2, 1, PASSES), Seconds::ZERO);
    }

    #[test]
    fn a_bidirectional_pipeline_needs_even_stages_and_single_chunks() {
        assert!(Schedule::DualPipe.allows(4, 1));
        assert!(!Schedule::DualPipe.allows(5, 1));
        assert!(!Schedule::ZeroBubble.allows(4, 2));
    }
}
