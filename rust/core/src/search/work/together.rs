//! All variants of a cluster at once: a pipeline that none of them needs falls in one look, before memory is worked out.

use super::{Border, Sink, Sweep};
use crate::search::tally::Tally;
use crate::search::variant::Variant;
use crate::units::Seconds;

/// Variants of one cluster that are looked at together.
#[derive(Clone, Copy)]
pub struct Together<'a> {
    /// All variants of the problem.
    pub variants: &'a [Variant],
    /// Their cluster.
    pub cluster: usize,
    /// Only those at this power cap; none: all.
    pub cap: Option<usize>,
}

impl<'a> Sweep<'a> {
    /// The pipeline on the variants of all `sinks`; those out by the mean stage on all of them, or on all of one power cap, are
    /// counted as bounded.
    ///
    /// Admissible: the sizes that a dp needs are the same on all variants of a cluster. A pipeline makes on each of them at
    /// most what the mean stage allows on the fastest network that any of them has, at the fastest of the clocks; and it is out
    /// only where that is below the least that any of them asks for.
    pub(super) fn on_all<S: Sink>(
        &mut self,
        variants: &'a [Variant],
        sinks: &mut [(usize, S)],
        tally: &mut Tally,
    ) {
        let mut held = std::mem::take(&mut self.room.held);
        held.clear();
        for (index, _) in &*sinks {
            self.variant = &variants[*index];
            held.push(self.within_limits(tally));
        }
        if let Some(most) = held.iter().copied().max().filter(|most| *most > 0) {
            self.cut_together(variants, sinks, (&held, most), tally);
        }
        self.room.held = held;
    }

    fn cut_together<S: Sink>(
        &mut self,
        variants: &'a [Variant],
        sinks: &mut [(usize, S)],
        (held, most): (&[usize], usize),
        tally: &mut Tally,
    ) {
        let cluster = variants[sinks[0].0].cluster;
        self.find_wholes(variants, sinks);
        let bounded = |held: usize| held as u64 * self.of.choices.lawful();
        self.whole = least(&self.room.wholes);
        let out = |sweep: &Self, sinks: &[(usize, S)], cap| {
            let of = Together { variants, cluster, cap };
            let by_mean = sweep.least_by_mean();
            sweep.ruled_out((0, most), by_mean, |sizes, rate| S::all_out(sinks, of, sizes, rate))
        };
        if out(self, sinks, None) {
            tally.bounded.stage += bounded(held.iter().sum());
            return;
        }
        let mut border = None;
        for cap in 0..self.room.wholes.len() {
            self.whole = self.room.wholes[cap];
            let apart = self.room.wholes.len() > 1;
            let cut = apart && self.whole.0.is_finite() && out(self, sinks, Some(cap));
            for ((index, sink), &held) in sinks.iter_mut().zip(held) {
                let variant = &variants[*index];
                if variant.cap != cap || held == 0 {
                    continue;
                }
                if cut {
                    tally.bounded.stage += held as u64 * self.of.choices.lawful();
                    continue;
                }
                self.variant = variant;
                let border: &Border = border.get_or_insert_with(|| self.border());
                let whole = self.room.costs.fastest(self.of.problem, variant, &self.shape);
                let (of, shape) = (self.of, self.shape);
                Sweep { of, variant, shape, whole, border, room: &mut *self.room }.run(held, sink, tally);
            }
        }
    }

    /// By power cap, all layers on the fastest network of any of the variants; endless where none has one.
    fn find_wholes<S>(&mut self, variants: &[Variant], sinks: &[(usize, S)]) {
        if !self.room.wholes.is_empty() {
            return;
        }
        let caps = self.of.problem.clusters[variants[sinks[0].0].cluster].power_caps.len();
        let mut wholes = vec![Seconds(f64::INFINITY); caps];
        for variant in sinks.iter().map(|(index, _)| &variants[*index]) {
            let whole = self.room.costs.fastest(self.of.problem, variant, &self.shape);
            wholes[variant.cap] = least(&[wholes[variant.cap], whole]);
        }
        self.room.wholes = wholes;
    }
}

fn least(times: &[Seconds]) -> Seconds {
    times.iter().copied().fold(Seconds(f64::INFINITY), |least, time| if time < least { time } else { least })
}
