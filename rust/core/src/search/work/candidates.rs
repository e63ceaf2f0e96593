//! The candidates of one dp: on which sizes they may stand, by bound and by timing.

use super::{ROUNDING, Sink, Sweep};
use crate::search::choices::{Networks, with};
use crate::search::holding::{Place, SLACK};
use crate::search::tally::Tally;
use crate::search::units::Best;
use crate::search::variant::bench;
use crate::training::layout::{Layout, Rule, broken_rule_at};
use crate::training::step::{Family, Passes};
use crate::training::switches::{Places, places};
use crate::units::Seconds;

/// What the candidates of one dp have in common on the sizes of one network.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    dp: u64,
    /// See [`Layout::replicas`].
    replicas: u64,
    micro_batches: u64,
    place: Place,
    tokens: f64,
    /// Tokens per second below which no size of the place meets the target.
    needed: f64,
    /// Tokens per second that the passes over the stages alone allow.
    ceiling: f64,
}

impl Spot {
    /// Why candidates whose rate is at most `ceiling` need not be timed here, if they need not.
    fn cut(&self, sink: &impl Sink, ceiling: f64) -> Option<Cut> {
        if ceiling < self.needed {
            return Some(Cut::Target);
        }
        (!sink.wants(self.place, self.replicas, ceiling)).then_some(Cut::Bound)
    }
}

/// Candidates about to be timed on the sizes of one network.
pub(super) struct Timing {
    spot: Spot,
    passes: Passes,
    sends: Seconds,
}

/// Why candidates are cut that are timed on no network: by the target on all, else by a bound.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Target,
    Bound,
}

impl Cut {
    fn count(self, tally: &mut Tally, candidates: u64) {
        match self {
            Self::Target => tally.reject(Rule::Target, candidates),
            Self::Bound => tally.bounded.step += candidates,
        }
    }
}

impl Sweep<'_> {
    /// All choices that fit at one dp.
    pub(super) fn candidates<S: Sink>(&mut self, dp: u64, count: u64, sink: &mut S, tally: &mut Tally) {
        let mut spots = std::mem::take(&mut self.room.spots);
        spots.clear();
        let refused = self.find_spots(dp, count, sink, &mut spots);
        let sends = self.of.choices.sends.len() as u64;
        let all = (self.room.fitting.len() * self.of.choices.overlaps.len()) as u64 * sends;
        for &networks in &self.of.choices.networks {
            let mut layout = Layout { dp, ..self.shape };
            layout.switches.pp_network = networks.pipeline;
            layout.switches.dp_network = networks.data;
            if let Some(rule) = broken_rule_at(self.of.host, &layout, count).or(refused) {
                tally.reject(rule, all);
                continue;
            }
            let cuts = spots.iter().map(|spot| spot.cut(sink, spot.ceiling));
            match cuts.clone().flatten().max() {
                Some(cut) if cuts.clone().all(|cut| cut.is_some()) => cut.count(tally, all),
                cut => self.on_networks(&spots, cut, networks, sink, tally),
            }
        }
        self.room.spots = spots;
    }

    /// Where the candidates of one dp may stand, by network; a rule that refuses them all.
    fn find_spots(&mut self, dp: u64, count: u64, sink: &impl Sink, spots: &mut Vec<Spot>) -> Option<Rule> {
        let (problem, variant) = (self.of.problem, self.variant);
        let cluster = &problem.clusters[variant.cluster];
        let layout = Layout { dp, ..self.shape };
        let active = layout.devices().div_ceil(cluster.devices_per_card);
        let Some(first) = variant.size_for(cluster.unit_cards, active) else {
            return Some(if self.fits_bare(dp) { Rule::Spares } else { Rule::Limits });
        };
        let tokens = problem.tokens_per_step(dp, layout.micro_batch, count);
        let target = problem.needed_rate(1.0);
        for place in variant.places(active, first) {
            let mut spot = Spot {
                dp,
                replicas: layout.replicas(),
                micro_batches: count,
                place,
                tokens,
                needed: target / variant.goodput_from[place.start] * (1.0 - SLACK),
                ceiling: f64::INFINITY,
            };
            // Sizes of networks far beyond the first are mostly out of reach whatever their speed.
            if !spots.is_empty() {
                let floor = self.family(spots[0].place.network).micro_batch_floor();
                spot.ceiling = tokens / (floor * count as f64).0 * (1.0 + ROUNDING);
            }
            if spot.cut(sink, spot.ceiling).is_none() {
                spot.ceiling = tokens / self.family(place.network).lower_bound(count).0;
            }
            spots.push(spot);
        }
        spots.is_empty().then_some(Rule::Limits)
    }

    /// The choices of one dp on one choice of networks, on the sizes of all `spots`; `cut`: why some of these are out.
    fn on_networks<S: Sink>(
        &mut self,
        spots: &[Spot],
        cut: Option<Cut>,
        networks: Networks,
        sink: &mut S,
        tally: &mut Tally,
    ) {
        let (problem, variant, choices) = (self.of.problem, self.variant, self.of.choices);
        let (dp, count) = (spots[0].dp, spots[0].micro_batches);
        let shape = Layout { dp, ..self.shape };
        let fitting = self.in_groups(dp, count, tally);
        let mut timings = std::mem::take(&mut self.room.timings);
        let per_sends = (fitting.len() * choices.overlaps.len()) as u64;
        for &p2p_scatter in &choices.sends {
            let layout = with(&shape, choices.states[0], networks, p2p_scatter);
            let places = places(&layout, variant.domain);
            timings.clear();
            let mut cut = cut.unwrap_or(Cut::Target);
            for &spot in spots.iter().filter(|spot| spot.cut(sink, spot.ceiling).is_none()) {
                let bench = bench(problem, variant, spot.place.network);
                let family = self.family(spot.place.network);
                let passes = family.passes(&bench, dp, count);
                let sends = Family::sends(&bench, &layout, &places, passes.micro_batches);
                let bound = family.closer_bound(&bench, &passes, sends).0 * (1.0 - ROUNDING);
                match spot.cut(sink, spot.tokens / bound) {
                    Some(why) => cut = cut.max(why),
                    None => timings.push(Timing { spot, passes, sends }),
                }
            }
            if timings.is_empty() {
                cut.count(tally, per_sends);
                continue;
            }
            for &states in &fitting {
                let layout = with(&shape, states, networks, p2p_scatter);
                self.time(&timings, layout, &places, sink, tally);
            }
        }
        self.room.kept = fitting;
        self.room.timings = timings;
    }

    /// Times a layout under all overlaps on all networks of `timings`. A candidate is counted once, and misses the target
    /// where it does on all of them.
    fn time<S: Sink>(
        &mut self,
        timings: &[Timing],
        mut layout: Layout,
        places: &Places,
        sink: &mut S,
        tally: &mut Tally,
    ) {
        let (problem, variant, overlaps) = (self.of.problem, self.variant, &self.of.choices.overlaps);
        // One bit for each overlap.
        let mut met = 0_u32;
        for Timing { spot, passes, sends } in timings {
            let bench = bench(problem, variant, spot.place.network);
            let family = self.family(spot.place.network);
            if S::EVERY_MEMORY {
                family.set_step(&layout);
                std::hint::black_box(family.memory(&bench, spot.dp, spot.micro_batches));
            }
            let traffic = family.traffic(&bench, &layout, places, passes.micro_batches);
            let update = family.update(&bench, &layout);
            for (place, &dp_overlap) in overlaps.iter().enumerate() {
                layout.switches.dp_overlap = dp_overlap;
                let exposed = family.exposed_traffic(&bench, &layout, places, traffic, passes.micro_batches);
                let rate = spot.tokens / family.seconds(&bench, passes, *sends, exposed, update).0;
                if rate >= spot.needed && variant.meets(problem, spot.place, spot.replicas, rate) {
                    met |= 1 << place;
                    sink.take(variant, spot.place, Best { rate, layout });
                }
            }
        }
        tally.timed += overlaps.len() as u64;
        tally.reject(Rule::Target, overlaps.len() as u64 - u64::from(met.count_ones()));
    }
}
