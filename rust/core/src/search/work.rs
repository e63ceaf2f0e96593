//! One unit of work: its candidates by rule, by bound and by timing.

use std::sync::Arc;

use crate::problem::Problem;
use crate::search::choices::{Choices, Networks, States, with};
use crate::search::holding::{Place, SLACK};
use crate::search::shapes::shapes;
use crate::search::tally::Tally;
use crate::search::units::{Best, Tables, Unit};
use crate::search::variant::{Variant, bench};
use crate::training::layout::{Host, Layout, Rule, broken_rule_at};
use crate::training::memory::{LocalParameters, Pieces, passing_memory};
use crate::training::phases::LayerCost;
use crate::training::pieces::{Works, pieces_with};
use crate::training::stages::Stage;
use crate::training::step::{Family, Passes};
use crate::training::switches::{Places, places};
use crate::units::Seconds;

/// Says which candidates of a unit's variant are worth timing, and receives those that are lawful, fit and meet the
/// target.
pub trait Sink {
    /// Whether memory is worked out for every candidate, though halving has already found those that fit.
    const EVERY_MEMORY: bool = false;

    /// The last size that may still matter, if any does; layouts that only larger ones hold count as bounded.
    fn last_size(&self) -> Option<usize>;

    /// A rate below which no candidate matters, whatever its size.
    fn floor(&self) -> f64;

    /// Whether a candidate of this place with so many replicas whose rate is at most `ceiling` may still matter. A
    /// refusal counts as bounded.
    fn wants(&self, place: Place, replicas: u64, ceiling: f64) -> bool;

    /// A timed candidate that meets the target on some size of its place.
    fn take(&mut self, variant: &Variant, place: Place, best: Best);
}

/// Works through all candidates of `unit`.
///
/// Order of the rules: divisibility of the family; then in bulk the batch, sizes that do not matter, and the rate
/// that any network would allow, memory; then one by one divisibility at dp, limits, target by its bound, incumbent
/// by its bound, memory again where interleaving passes larger groups than pp, target by timing.
pub fn work(
    problem: &Problem,
    variants: &[Variant],
    tables: &Tables,
    unit: &Unit,
    sink: &mut impl Sink,
    tally: &mut Tally,
) {
    let variant = &variants[unit.variant];
    let cluster = &problem.clusters[variant.cluster];
    let host = Host::of(cluster);
    let devices = variant.most_cards() * cluster.devices_per_card;
    let mut room = Room::new(variant.networks.len());
    let shapes = shapes(problem, &unit.layout, devices, tables);
    let mut overlap = None;
    for switches in problem.space.switches.of_layers(&unit.layout) {
        if overlap != Some(switches.tp_overlap) {
            room.works.fill(None);
            overlap = Some(switches.tp_overlap);
        }
        room.pieces.fill(None);
        let layout = Layout { switches, ..unit.layout };
        let choices = |staged, single| Choices::new(problem, host, &layout, staged, single);
        let lists = [false, true].map(|single| [false, true].map(|staged| choices(staged, single)));
        for shape in &shapes {
            room.families.fill(None);
            let staged = usize::from(shape.pp > 1);
            for (part, lists) in shape.declared.iter().zip(&lists) {
                let choices = &lists[staged];
                tally.enumerated += part.count * choices.total();
                if let Some(rule) = shape.broken {
                    tally.reject(rule, part.count * choices.total());
                    continue;
                }
                for (rule, count) in choices.refused() {
                    tally.reject(rule, part.count * count);
                }
                tally.reject(Rule::Batch, (part.count - part.lawful.len() as u64) * choices.lawful());
                let layout = Layout { pp: shape.pp, vpp: shape.vpp, ..layout };
                let (stages, room) = (&shape.stages, &mut room);
                let mut sweep = Sweep { problem, variant, stages, shape: layout, host, choices, room };
                sweep.run(part.lawful, sink, tally);
            }
        }
    }
}

/// What is worked out once for many candidates of a unit, and room for it; by network, made when first needed.
struct Room {
    /// Products and attention.
    works: Vec<Option<Works>>,
    /// Costs of the layers, with the seconds of all of them on the device.
    pieces: Vec<Option<(Pieces, Seconds)>>,
    /// Timed stages.
    families: Vec<Option<Family>>,
    /// Where the dp that fit begin, by states.
    fits_from: Vec<usize>,
    /// States that fit.
    fitting: Vec<States>,
    /// Room for those of them that fit in the groups of interleaving too.
    kept: Vec<States>,
    /// Room for where the candidates of one dp stand.
    spots: Vec<Spot>,
    /// Room for those about to be timed.
    timings: Vec<Timing>,
}

impl Room {
    fn new(networks: usize) -> Self {
        Self {
            works: vec![None; networks],
            pieces: vec![None; networks],
            families: vec![None; networks],
            fits_from: Vec::new(),
            fitting: Vec::new(),
            kept: Vec::new(),
            spots: Vec::new(),
            timings: Vec::new(),
        }
    }
}

/// All dp of one layout, under all choices of a step.
struct Sweep<'a> {
    problem: &'a Problem,
    variant: &'a Variant,
    stages: &'a Arc<[(Stage, LocalParameters)]>,
    /// The layout without dp and choices of a step.
    shape: Layout,
    host: Host,
    choices: &'a Choices,
    room: &'a mut Room,
}

/// What the candidates of one dp have in common on the sizes of one network.
#[derive(Clone, Copy)]
struct Spot {
    dp: u64,
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
        (!sink.wants(self.place, self.dp, ceiling)).then_some(Cut::Bound)
    }
}

/// Candidates about to be timed on the sizes of one network.
struct Timing {
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
    fn run(&mut self, lawful: &[(u64, u64)], sink: &mut impl Sink, tally: &mut Tally) {
        let Some(&(largest, _)) = lawful.last() else { return };
        let each = self.choices.lawful();
        if each == 0 {
            return;
        }
        let cluster = &self.problem.clusters[self.variant.cluster];
        let size = |dp: u64| {
            let active = Layout { dp, ..self.shape }.devices().div_ceil(cluster.devices_per_card);
            self.variant.size_for(cluster.unit_cards, active)
        };
        // Sizes grow with dp: those that no size which may matter holds are its end.
        let all = self.variant.sizes.len();
        let to = match sink.last_size() {
            Some(last) if last + 1 >= all => lawful.len(),
            Some(last) => lawful.partition_point(|(dp, _)| size(*dp).is_some_and(|index| index <= last)),
            None => 0,
        };
        tally.bounded.size += (lawful.len() - to) as u64 * each;
        let lawful = &lawful[..to];
        let reached = lawful.iter().find_map(|(dp, _)| size(*dp)).or_else(|| size(largest));
        // Where the fabric reaches none of the sizes there is no network to time anything on.
        if self.variant.networks.is_empty() {
            tally.reject(Rule::Limits, lawful.len() as u64 * each);
            return;
        }
        let Some(network) = reached else {
            // No size holds any of them: those that would fit bare lack the room for their spares.
            let bare = lawful.partition_point(|(dp, _)| self.fits_bare(*dp)) as u64;
            tally.reject(Rule::Spares, bare * each);
            tally.reject(Rule::Limits, (lawful.len() as u64 - bare) * each);
            return;
        };
        // Rate <= dp x micro-batch x sequence / time of a micro-batch: the smallest dp that reaches the floor. First
        // with the mean stage, which needs no dealing of layers, then with the slowest.
        let tokens = self.shape.micro_batch as f64 * f64::from(self.problem.training.sequence);
        let needed = self.problem.needed_rate(1.0);
        let wanted = needed.max(sink.floor());
        let reaches = |rate: f64, micro_batch: Seconds| {
            lawful.partition_point(|(dp, _)| *dp as f64 * tokens / micro_batch.0 < rate * (1.0 - ROUNDING))
        };
        let network = self.variant.sizes[network].network;
        let mut floor = self.mean_stage(network);
        if wanted > 0.0 && reaches(wanted, floor) < lawful.len() {
            floor = self.family(network).micro_batch_floor();
        }
        let too_slow = reaches(needed, floor);
        let start = too_slow.max(reaches(wanted, floor));
        tally.reject(Rule::Target, too_slow as u64 * each);
        tally.bounded.stage += (start - too_slow) as u64 * each;
        self.timed(&lawful[start..], sink, tally);
    }

    /// Those dp that no bulk bound has cut.
    fn timed<S: Sink>(&mut self, lawful: &[(u64, u64)], sink: &mut S, tally: &mut Tally) {
        if lawful.is_empty() {
            return;
        }
        let per_states = self.choices.per_states();
        if self.overflows(lawful) {
            tally.reject(Rule::Memory, lawful.len() as u64 * self.choices.lawful());
            return;
        }
        self.room.fits_from.clear();
        for &states in &self.choices.states {
            let (fitting, hosted) = self.first_that_fits(lawful, states);
            tally.reject(Rule::Memory, fitting as u64 * per_states);
            tally.reject(Rule::HostMemory, (hosted - fitting) as u64 * per_states);
            self.room.fits_from.push(hosted);
        }
        let first = self.room.fits_from.iter().copied().min().unwrap_or(lawful.len());
        let all_from = self.room.fits_from.iter().copied().max().unwrap_or(lawful.len());
        let experts = self.shape.ep * self.shape.etp;
        for (index, &(dp, count)) in lawful.iter().enumerate().skip(first) {
            if index <= all_from {
                self.room.fitting.clear();
                let with_border = self.choices.states.iter().zip(&self.room.fits_from);
                let fitting = with_border.filter(|(_, from)| **from <= index).map(|(states, _)| *states);
                self.room.fitting.extend(fitting);
            }
            // Most dp of a model with experts fall here, before anything is worked out for them.
            if !(self.shape.tp * self.shape.cp * dp).is_multiple_of(experts) {
                tally.reject(Rule::Experts, self.room.fitting.len() as u64 * per_states);
                continue;
            }
            self.candidates(dp, count, sink, tally);
        }
    }

    /// Whether the cards alone, without spares, would fit the largest size.
    fn fits_bare(&self, dp: u64) -> bool {
        let cluster = &self.problem.clusters[self.variant.cluster];
        let active = Layout { dp, ..self.shape }.devices().div_ceil(cluster.devices_per_card);
        active.div_ceil(cluster.unit_cards) * cluster.unit_cards <= self.variant.most_cards()
    }

    /// Whether what the first stage holds beside states is too much at every dp, whatever the choices.
    ///
    /// Exact: states only add to it, and whole groups in flight do not grow with dp, so the largest dp holds the least.
    /// The slack covers the other order of the sum.
    fn overflows(&mut self, lawful: &[(u64, u64)]) -> bool {
        let (problem, variant, shape) = (self.problem, self.variant, self.shape);
        let cluster = &problem.clusters[variant.cluster];
        let (Some(&(_, count)), Some(&(stage, _))) = (lawful.last(), self.stages.first()) else {
            return false;
        };
        let count = whole_groups(&self.shape, count);
        let pieces = &self.pieces(0).0;
        let least = passing_memory(problem.software_of(cluster), &shape, &stage, pieces, count).total();
        least * (1.0 - ROUNDING) > cluster.device.memory
    }

    /// The fitting states of one dp that still fit where interleaving must pass `count` in groups larger than pp: that
    /// memory does not fall with dp, so halving cannot find it. Asked only of what no bound has cut.
    fn in_groups(&mut self, dp: u64, count: u64, tally: &mut Tally) -> Vec<States> {
        let mut fitting = std::mem::take(&mut self.room.kept);
        fitting.clone_from(&self.room.fitting);
        if whole_groups(&self.shape, count) == count {
            return fitting;
        }
        let (problem, variant, shape) = (self.problem, self.variant, self.shape);
        let each = (self.choices.overlaps.len() * self.choices.sends.len()) as u64;
        let device = &problem.clusters[variant.cluster].device;
        let bench = bench(problem, variant, 0);
        let (networks, sends) = (self.choices.networks[0], self.choices.sends[0]);
        let family = self.family(0);
        fitting.retain(|states| {
            family.set_step(&with(&shape, *states, networks, sends));
            let over = family.memory(&bench, dp, count).total() > device.memory;
            let there = device.host_memory.filter(|_| family.offloads());
            let over_host = there.is_some_and(|there| family.host_memory(&bench, dp, count) > there);
            if over {
                tally.reject(Rule::Memory, each);
            } else if over_host {
                tally.reject(Rule::HostMemory, each);
            }
            !over && !over_host
        });
        fitting
    }

    /// Where the dp begin that fit into the device's memory, and where those that fit into the host's too.
    ///
    /// What fits at one dp in [whole groups](whole_groups) fits at every larger one: shards grow with dp, and
    /// micro-batches, hence those in flight, do not. So the border is found by halving.
    fn first_that_fits(&mut self, lawful: &[(u64, u64)], states: States) -> (usize, usize) {
        let (problem, variant) = (self.problem, self.variant);
        let device = &problem.clusters[variant.cluster].device;
        // Memory does not depend on the network: any of them will do.
        let bench = bench(problem, variant, 0);
        let layout = with(&self.shape, states, self.choices.networks[0], self.choices.sends[0]);
        let shape = self.shape;
        let whole = |pair: &(u64, u64)| whole_groups(&shape, pair.1);
        let family = self.family(0);
        family.set_step(&layout);
        let fits =
            lawful.partition_point(|pair| family.memory(&bench, pair.0, whole(pair)).total() > device.memory);
        let Some(there) = device.host_memory.filter(|_| family.offloads()) else { return (fits, fits) };
        let over = |pair: &(u64, u64)| family.host_memory(&bench, pair.0, whole(pair)) > there;
        (fits, fits + lawful[fits..].partition_point(over))
    }

    /// Costs of the layers on a network, and the seconds that all of them take on the device.
    fn pieces(&mut self, network: usize) -> &(Pieces, Seconds) {
        let (problem, variant, layout) = (self.problem, self.variant, self.shape);
        let works = &mut self.room.works[network];
        self.room.pieces[network].get_or_insert_with(|| {
            let bench = bench(problem, variant, network);
            let works = works.get_or_insert_with(|| Works::new(&bench, &layout));
            let pieces = pieces_with(&bench, &layout, works);
            let moe = f64::from(problem.model.moe_layers_before(problem.model.layers));
            let dense = f64::from(problem.model.layers) - moe;
            // Where only some layers of a stage recompute, the bound counts none of it.
            let layer = |piece: &LayerCost| {
                if layout.recompute_layers == 0 { piece.on_device() } else { piece.on_device_once() }
            };
            let all = layer(&pieces.dense) * dense
                + layer(&pieces.moe) * moe
                + pieces.embedding.on_device()
                + pieces.head.on_device();
            (pieces, all)
        })
    }

    /// A micro-batch's time on the mean stage, whatever the network; multi-token-prediction layers not counted.
    fn mean_stage(&mut self, network: usize) -> Seconds {
        self.pieces(network).1 / self.shape.pp as f64
    }

    /// All choices that fit at one dp.
    fn candidates<S: Sink>(&mut self, dp: u64, count: u64, sink: &mut S, tally: &mut Tally) {
        let mut spots = std::mem::take(&mut self.room.spots);
        spots.clear();
        let refused = self.find_spots(dp, count, sink, &mut spots);
        let sends = self.choices.sends.len() as u64;
        let all = (self.room.fitting.len() * self.choices.overlaps.len()) as u64 * sends;
        for &networks in &self.choices.networks {
            let mut layout = Layout { dp, ..self.shape };
            layout.switches.pp_network = networks.pipeline;
            layout.switches.dp_network = networks.data;
            if let Some(rule) = broken_rule_at(self.host, &layout, count).or(refused) {
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
        let (problem, variant) = (self.problem, self.variant);
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
        let (problem, variant, choices) = (self.problem, self.variant, self.choices);
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
        let (problem, variant, overlaps) = (self.problem, self.variant, &self.choices.overlaps);
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
                if rate >= spot.needed && variant.meets(problem, spot.place, spot.dp, rate) {
                    met |= 1 << place;
                    sink.take(variant, spot.place, Best { rate, layout });
                }
            }
        }
        tally.timed += overlaps.len() as u64;
        tally.reject(Rule::Target, overlaps.len() as u64 - u64::from(met.count_ones()));
    }

    /// The layout on a network, its stages timed.
    fn family(&mut self, network: usize) -> &mut Family {
        if self.room.families[network].is_none() {
            let pieces = self.pieces(network).0;
            let family = Family::with_stages(self.shape, pieces, Arc::clone(self.stages));
            self.room.families[network] = Some(family);
        }
        self.room.families[network].get_or_insert_with(|| unreachable!("made above"))
    }
}

/// The most micro-batches, at most `count`, that interleaving passes in groups of pp; `count` without interleaving.
///
/// They are in flight at the least whatever the groups of `count` are, and never grow with dp, as `count` does not.
fn whole_groups(layout: &Layout, count: u64) -> u64 {
    if layout.vpp == 1 || count < layout.pp { count } else { count - count % layout.pp }
}

/// Slack for the rounding of the bulk bound, which is worked out in another order than the rate.
const ROUNDING: f64 = 1e-9;
