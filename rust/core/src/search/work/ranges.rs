//! Bounds that cut many data-parallel degrees at once.

use super::{ROUNDING, Sink, Sweep};
use crate::training::schedule::Schedule;
use crate::units::Seconds;

/// Degrees that are not cut further: as many are looked at one by one.
const FEW: usize = 3;

/// What a micro-batch and a step take at least on one variant, whatever dp.
#[derive(Clone, Copy)]
pub(super) struct Least {
    /// A micro-batch on the slowest stage.
    pub micro_batch: Seconds,
    /// Once a step.
    pub once: Seconds,
}

impl Sweep<'_> {
    /// The least over all networks of the variant that stages as long as the mean one allow: no layers are dealt.
    ///
    /// Admissible: the slowest stage takes at least the mean of all; the bubble of 1F1B is (pp-1)/vpp times the mean
    /// stage, of other schedules at least nothing; all other parts of a step only add.
    pub(super) fn least_by_mean(&self) -> Least {
        let (pp, vpp) = (self.shape.pp as f64, self.shape.vpp as f64);
        let micro_batch = self.whole / pp;
        let bubble = match self.shape.schedule {
            Schedule::OneForwardOneBackward => micro_batch * ((pp - 1.0) / vpp),
            _ => Seconds::ZERO,
        };
        Least { micro_batch, once: bubble + self.fixed() }
    }

    /// The least over all networks that the slowest stage, the bubble and the fixed time of a step allow.
    ///
    /// Admissible as [`Family::closer_bound`](crate::training::step::Family::closer_bound) is; the least of each part over
    /// the networks is no more than that of the sum.
    pub(super) fn least_by_stages(&mut self) -> Least {
        let mut least = Least { micro_batch: Seconds(f64::INFINITY), once: Seconds(f64::INFINITY) };
        let variant = self.variant;
        for network in variant.reached() {
            let (slowest, bubble) = self.family(network).floors();
            let smaller = |one: Seconds, other: Seconds| if other < one { other } else { one };
            least.micro_batch = smaller(least.micro_batch, slowest);
            least.once = smaller(least.once, bubble);
        }
        Least { once: least.once + self.fixed(), ..least }
    }

    fn fixed(&self) -> Seconds {
        let cluster = &self.of.problem.clusters[self.variant.cluster];
        self.of.problem.software_of(cluster).fixed_step
    }

    /// Tokens per second and card that a layout of `micro_batches` or fewer cannot exceed.
    ///
    /// Admissible: rate = dp b s m / (m t + T) on tp cp pp dp devices, with m micro-batches of b sequences of s tokens, at
    /// least t each and T once a step: b s / (tp cp pp (t + T/m)) per device, which falls with dp, as m does.
    fn rate_per_card(&self, least: Least, micro_batches: u64) -> f64 {
        let ranks = (self.shape.tp * self.shape.cp * self.shape.pp) as f64;
        let tokens = self.shape.micro_batch as f64 * f64::from(self.of.problem.training.sequence);
        let device = tokens / (ranks * (least.micro_batch + least.once / micro_batches as f64).0);
        let cluster = &self.of.problem.clusters[self.variant.cluster];
        device * cluster.devices_per_card as f64 * (1.0 + ROUNDING)
    }

    /// Whether `least` rules out the whole range of dp.
    ///
    /// So it is where on every size from that of the first to that of the last degree more is asked of each card than the
    /// layouts can give: a layout has at most the cards of the smallest size that holds it.
    pub(super) fn ruled_out(
        &self,
        (from, to): (usize, usize),
        least: Least,
        out: impl Fn((usize, usize), f64) -> bool,
    ) -> bool {
        let lawful = self.of.part;
        let sizes = self.size(lawful[from].0).zip(self.size(lawful[to - 1].0));
        sizes.is_some_and(|sizes| out(sizes, self.rate_per_card(least, lawful[from].1)))
    }

    /// Of a range of dp the parts that `least` does not rule out are added to `kept`, one behind the other.
    pub(super) fn not_ruled_out(
        &self,
        sink: &impl Sink,
        (from, to): (usize, usize),
        least: Least,
        kept: &mut Vec<(usize, usize)>,
    ) {
        if from >= to || self.ruled_out((from, to), least, |sizes, rate| sink.out(sizes, rate)) {
            return;
        }
        if to - from <= FEW {
            match kept.last_mut().filter(|last| last.1 == from) {
                Some(last) => last.1 = to,
                None => kept.push((from, to)),
            }
            return;
        }
        let middle = usize::midpoint(from, to);
        self.not_ruled_out(sink, (from, middle), least, kept);
        self.not_ruled_out(sink, (middle, to), least, kept);
    }
}
