//! All variants of a cluster at once: a pipeline that none of them needs falls in one look, before memory is worked out.

use super::{Border, Sink, Sweep};
use crate::search::tally::Tally;
use crate::search::variant::Variant;
use crate::training::layout::Rule;
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

/// The variants of a unit, by what they have in common.
pub(super) struct Crew {
    /// Last lawful sizes, each once, and how many variants end there.
    ends: Vec<(Option<usize>, u64)>,
    /// For each variant the place of its end.
    end_of: Vec<usize>,
    /// Variants by power cap.
    by_cap: Vec<Vec<usize>>,
}

impl Crew {
    /// That of the variants of `sinks`.
    pub(super) fn new<S>(variants: &[Variant], sinks: &[(usize, S)], caps: usize) -> Self {
        let mut crew = Self { ends: Vec::new(), end_of: Vec::new(), by_cap: vec![Vec::new(); caps] };
        for (place, (index, _)) in sinks.iter().enumerate() {
            let variant = &variants[*index];
            let known = crew.ends.iter().position(|(end, _)| *end == variant.last_lawful);
            let end = known.unwrap_or_else(|| {
                crew.ends.push((variant.last_lawful, 0));
                crew.ends.len() - 1
            });
            crew.ends[end].1 += 1;
            crew.end_of.push(end);
            crew.by_cap[variant.cap].push(place);
        }
        crew
    }
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
        crew: &Crew,
        sinks: &mut [(usize, S)],
        tally: &mut Tally,
    ) {
        let mut held = std::mem::take(&mut self.room.held);
        held.clear();
        let (mut most, mut all) = (0, 0);
        for (end, count) in &crew.ends {
            let found = self.within_limits(*end);
            tally.reject(Rule::Spares, count * found.spares);
            tally.reject(Rule::Limits, count * found.limits);
            held.push(found.dp);
            most = most.max(found.dp);
            all += count * found.dp as u64;
        }
        if most > 0 {
            // First without a network, then on the fastest of all: to cost layers on each takes longer.
            self.whole = self.on_device(variants, sinks);
            let out = self.out_together(variants, sinks, None, most) || {
                self.whole = self.on_fastest(variants, sinks);
                self.out_together(variants, sinks, None, most)
            };
            if out {
                tally.bounded.stage += all * self.of.choices.lawful();
            } else {
                self.by_cap(variants, crew, sinks, (&held, most), tally);
            }
        }
        self.room.held = held;
    }

    /// Whether the mean stage puts all dp out on the variants of a cap, or on all of them.
    fn out_together<S: Sink>(
        &self,
        variants: &[Variant],
        sinks: &[(usize, S)],
        cap: Option<usize>,
        most: usize,
    ) -> bool {
        let of = Together { variants, cluster: self.variant.cluster, cap };
        self.ruled_out((0, most), self.least_by_mean(), |sizes, rate| S::all_out(sinks, of, sizes, rate))
    }

    /// The variants of each cap together, then each by itself.
    fn by_cap<S: Sink>(
        &mut self,
        variants: &'a [Variant],
        crew: &Crew,
        sinks: &mut [(usize, S)],
        (held, most): (&[usize], usize),
        tally: &mut Tally,
    ) {
        let mut border = None;
        let several = crew.by_cap.len() > 1;
        for (cap, places) in crew.by_cap.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
            self.whole = self.room.wholes[cap];
            if several && self.out_together(variants, sinks, Some(cap), most) {
                let held: usize = places.iter().map(|place| held[crew.end_of[*place]]).sum();
                tally.bounded.stage += held as u64 * self.of.choices.lawful();
                continue;
            }
            let border: &Border = border.get_or_insert_with(|| self.border());
            for &place in places {
                let (whole, held) = (self.room.by_variant[place], held[crew.end_of[place]]);
                if held == 0 {
                    continue;
                }
                let (index, sink) = &mut sinks[place];
                let (of, shape, variant) = (self.of, self.shape, &variants[*index]);
                Sweep { of, variant, shape, whole, border, room: &mut *self.room }.run(held, sink, tally);
            }
        }
    }

    /// All layers on the device alone, at the fastest of the clocks.
    fn on_device<S>(&mut self, variants: &[Variant], sinks: &[(usize, S)]) -> Seconds {
        if let Some(device) = self.room.device {
            return device;
        }
        let mut device = Seconds(f64::INFINITY);
        let mut seen = vec![false; self.caps()];
        for variant in sinks.iter().map(|(index, _)| &variants[*index]) {
            let Some(network) = variant.reached().next().filter(|_| !seen[variant.cap]) else { continue };
            seen[variant.cap] = true;
            let cost = self.room.costs.of(self.of.problem, variant, network, &self.shape);
            device = least(&[device, cost.device]);
        }
        self.room.device = Some(device);
        device
    }

    /// All layers on the fastest network of any of the variants; it is also told for each cap and each variant.
    fn on_fastest<S>(&mut self, variants: &[Variant], sinks: &[(usize, S)]) -> Seconds {
        if self.room.wholes.is_empty() {
            let mut wholes = vec![Seconds(f64::INFINITY); self.caps()];
            self.room.by_variant.clear();
            for variant in sinks.iter().map(|(index, _)| &variants[*index]) {
                let whole = self.room.costs.fastest(self.of.problem, variant, &self.shape);
                wholes[variant.cap] = least(&[wholes[variant.cap], whole]);
                self.room.by_variant.push(whole);
            }
            self.room.wholes = wholes;
        }
        least(&self.room.wholes)
    }

    fn caps(&self) -> usize {
        self.of.problem.clusters[self.variant.cluster].power_caps.len()
    }
}

fn least(times: &[Seconds]) -> Seconds {
    times.iter().copied().fold(Seconds(f64::INFINITY), |least, time| if time < least { time } else { least })
}
