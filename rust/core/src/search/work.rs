//! One unit of work: its candidates by rule and by bounds in bulk; what is left is timed ([`candidates`]).

mod candidates;

use std::sync::Arc;

use crate::problem::Problem;
use crate::search::choices::{Choices, States, with};
use crate::search::holding::Place;
use crate::search::shapes::shapes;
use crate::search::tally::Tally;
use crate::search::units::{Best, Tables, Unit};
use crate::search::variant::{Variant, bench};
use crate::training::layout::{Host, Layout, Rule};
use crate::training::memory::{LocalParameters, Pieces, passing_memory};
use crate::training::phases::LayerCost;
use crate::training::pieces::{Works, pieces_with};
use crate::training::stages::Stage;
use crate::training::step::Family;
use crate::units::Seconds;
use candidates::{Spot, Timing};

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
        // The largest first: mostly the fastest, which bounds the others where a single size is left.
        for (index, &(dp, count)) in lawful.iter().enumerate().skip(first).rev() {
            if index < all_from || index + 1 == lawful.len() {
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
