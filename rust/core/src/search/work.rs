//! One unit of work: its candidates by rule and by bounds in bulk; what is left is timed ([`candidates`]).

mod candidates;
mod costs;
mod ranges;
mod together;

use crate::problem::Problem;
use crate::search::choices::{Choices, States, with};
use crate::search::holding::Place;
use crate::search::shapes::{Shape, shapes};
use crate::search::tally::Tally;
use crate::search::units::{Best, Tables, Unit};
use crate::search::variant::{Variant, bench};
use crate::training::layout::{Host, Layout, Rule};
use crate::training::memory::passing_memory;
use crate::training::step::Family;
use crate::units::Seconds;
use candidates::{Spot, Timing};
use costs::{Cost, Costs};
use together::Crew;
pub use together::Together;

/// Says which candidates of a unit's variant are worth timing, and receives those that are lawful, fit and meet the
/// target.
pub trait Sink {
    /// Whether memory is worked out for every candidate, though halving has already found those that fit.
    const EVERY_MEMORY: bool = false;

    /// The last size that may still matter, if any does; layouts that only larger ones hold count as bounded.
    fn last_size(&self) -> Option<usize>;

    /// A rate below which no candidate matters, whatever its size.
    fn floor(&self) -> f64;

    /// Whether nothing that needs one of the sizes from the first to the last of `sizes`, both counted, matters if it makes at
    /// most `per_card` tokens per second for each card at work.
    fn out(&self, sizes: (usize, usize), per_card: f64) -> bool;

    /// Whether a candidate of this place with so many replicas whose rate is at most `ceiling` may still matter. A
    /// refusal counts as bounded.
    fn wants(&self, place: Place, replicas: u64, ceiling: f64) -> bool;

    /// A timed candidate that meets the target on some size of its place.
    fn take(&mut self, variant: &Variant, place: Place, best: Best);

    /// Whether [`Sink::out`] holds for the variants of all `sinks`, or for those of one power cap.
    fn all_out(sinks: &[(usize, Self)], of: Together, sizes: (usize, usize), per_card: f64) -> bool
    where
        Self: Sized,
    {
        let mut asked =
            sinks.iter().filter(|(index, _)| of.cap.is_none_or(|cap| of.variants[*index].cap == cap));
        asked.all(|(_, sink)| sink.out(sizes, per_card))
    }
}

/// Works through all candidates of `unit` on the variants of its cluster that `sinks` name.
///
/// Order of the rules: divisibility of the family; then in bulk the batch and limits; whole pipelines by the mean stage, on all
/// variants together and on all of a power cap ([`together`]); memory, for all variants at once; sizes that do not matter, and
/// the rate that any network would allow; then ranges of dp by the mean and by the slowest stage; then one by one divisibility at dp, limits, target by its bound, incumbent by its bound, memory again where
/// interleaving passes larger groups than pp, target by timing.
pub fn work<S: Sink>(
    problem: &Problem,
    variants: &[Variant],
    tables: &Tables,
    unit: &Unit,
    sinks: &mut [(usize, S)],
    tally: &mut Tally,
) {
    let cluster = &problem.clusters[unit.cluster];
    let host = Host::of(cluster);
    let Some(&(first, _)) = sinks.first() else { return };
    // All variants of a cluster have the same sizes, if not the same lawful ones.
    let devices = variants[first].most_cards() * cluster.devices_per_card;
    let on_all = sinks.len() as u64;
    let mut room = Room::new(cluster.power_caps.len());
    let crew = Crew::new(variants, sinks, cluster.power_caps.len());
    let shapes = shapes(problem, &unit.layout, devices, tables);
    let built = sinks.iter().map(|(index, _)| &variants[*index]).find(|variant| !variant.networks.is_empty());
    let mut overlap = None;
    for switches in problem.space.switches.of_layers(&unit.layout) {
        room.forget(overlap != Some(switches.tp_overlap));
        overlap = Some(switches.tp_overlap);
        let layout = Layout { switches, ..unit.layout };
        let choices = |staged, single| Choices::new(problem, host, &layout, staged, single);
        let lists = [false, true].map(|single| [false, true].map(|staged| choices(staged, single)));
        for (number, shape) in shapes.iter().enumerate() {
            let staged = usize::from(shape.pp > 1);
            for (part, lists) in shape.declared.iter().zip(&lists) {
                let choices = &lists[staged];
                tally.enumerated += on_all * part.count * choices.total();
                if let Some(rule) = shape.broken {
                    tally.reject(rule, on_all * part.count * choices.total());
                    continue;
                }
                for (rule, count) in choices.refused() {
                    tally.reject(rule, on_all * part.count * count);
                }
                let unlawful = part.count - part.lawful.len() as u64;
                tally.reject(Rule::Batch, on_all * unlawful * choices.lawful());
                if part.lawful.is_empty() || choices.lawful() == 0 {
                    continue;
                }
                // Where the fabric reaches none of the sizes there is no network to time anything on.
                let Some(variant) = built else {
                    tally.reject(Rule::Limits, on_all * part.lawful.len() as u64 * choices.lawful());
                    continue;
                };
                let of = Pipeline { shape, number, part: part.lawful, choices, host, tables, problem };
                let layout = Layout { pp: shape.pp, vpp: shape.vpp, ..layout };
                let whole = Seconds::ZERO;
                Sweep { of, variant, shape: layout, whole, border: &Border::default(), room: &mut room }
                    .on_all(variants, &crew, sinks, tally);
            }
        }
    }
}

/// What is worked out once for many candidates of a unit, and room for it.
struct Room {
    /// Costs of the layers.
    costs: Costs,
    /// All layers on the device alone, at the fastest of the clocks.
    device: Option<Seconds>,
    /// All layers on the fastest network of all variants of a cap, by cap.
    wholes: Vec<Seconds>,
    /// The same of each variant.
    by_variant: Vec<Seconds>,
    /// Room for how many dp the lawful sizes hold.
    held: Vec<usize>,
    /// Room for the dp that the bounds leave.
    ranges: Vec<(usize, usize)>,
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
    fn new(caps: usize) -> Self {
        Self {
            costs: Costs::new(caps),
            device: None,
            wholes: Vec::new(),
            by_variant: Vec::new(),
            held: Vec::new(),
            ranges: Vec::new(),
            fitting: Vec::new(),
            kept: Vec::new(),
            spots: Vec::new(),
            timings: Vec::new(),
        }
    }

    /// Forgets what depends on switches of the layers; all of it, if products do too.
    fn forget(&mut self, products_too: bool) {
        self.costs.forget(products_too);
        self.device = None;
        self.wholes.clear();
    }
}

/// Which of the lawful dp of a pipeline fit: memory depends on neither clock nor network.
#[derive(Clone, Default)]
struct Border {
    /// The first dp that fits under any choice.
    first: usize,
    /// By states: where the dp that fit the device begin, and where those that fit its host too.
    from: Vec<(usize, usize)>,
}

impl Border {
    /// Candidates of the range that fit.
    fn fitting(&self, (from, to): (usize, usize), choices: &Choices) -> u64 {
        let fitting: usize = self.from.iter().map(|(_, hosted)| to - (*hosted).clamp(from, to)).sum();
        fitting as u64 * choices.per_states()
    }

    /// Counts those of all dp up to `end` that do not.
    fn count(&self, end: usize, choices: &Choices, tally: &mut Tally) {
        if self.from.is_empty() {
            tally.reject(Rule::Memory, end as u64 * choices.lawful());
        }
        for &(fits, hosted) in &self.from {
            let (fits, hosted) = (fits.min(end), hosted.min(end));
            tally.reject(Rule::Memory, fits as u64 * choices.per_states());
            tally.reject(Rule::HostMemory, (hosted - fits) as u64 * choices.per_states());
        }
    }
}

/// How many dp of a pipeline some lawful size holds, and why the other candidates are refused.
#[derive(Clone, Copy)]
struct Held {
    dp: usize,
    spares: u64,
    limits: u64,
}

/// A pipeline of a unit under all choices of a step.
#[derive(Clone, Copy)]
struct Pipeline<'a> {
    problem: &'a Problem,
    tables: &'a Tables,
    shape: &'a Shape<'a>,
    /// Its number among those of the unit.
    number: usize,
    /// The lawful dp with their micro-batches.
    part: &'a [(u64, u64)],
    host: Host,
    choices: &'a Choices,
}

/// All dp of one layout on one variant, under all choices of a step.
struct Sweep<'a> {
    of: Pipeline<'a>,
    variant: &'a Variant,
    /// The layout without dp and choices of a step.
    shape: Layout,
    /// All layers on the network that is fastest for them.
    whole: Seconds,
    border: &'a Border,
    room: &'a mut Room,
}

impl Sweep<'_> {
    /// The dp that lawful sizes hold, of which there are `held`.
    fn run(&mut self, held: usize, sink: &mut impl Sink, tally: &mut Tally) {
        self.border.count(held, self.of.choices, tally);
        let first = self.border.first.min(held);
        // Sizes grow with dp: those that no size which may matter holds are its end.
        let all = self.variant.sizes.len();
        let lawful = &self.of.part[..held];
        let to = match sink.last_size() {
            Some(last) if last + 1 >= all => held,
            Some(last) => lawful.partition_point(|(dp, _)| self.size(*dp).is_some_and(|index| index <= last)),
            None => 0,
        };
        let to = to.max(first);
        tally.bounded.size += self.border.fitting((to, held), self.of.choices);
        let from = self.fast_enough(sink, (first, to), tally);
        if from == to {
            return;
        }
        let least = self.least_by_mean();
        if self.ruled_out((from, to), least, |sizes, rate| sink.out(sizes, rate)) {
            tally.bounded.stage += self.border.fitting((from, to), self.of.choices);
            return;
        }
        self.ranges(sink, (from, to), tally);
    }

    /// The size that `dp` needs.
    fn size(&self, dp: u64) -> Option<usize> {
        let cluster = &self.of.problem.clusters[self.variant.cluster];
        let active = Layout { dp, ..self.shape }.devices().div_ceil(cluster.devices_per_card);
        self.variant.size_for(cluster.unit_cards, active)
    }

    /// How many dp some lawful size holds where `last` is the last of them.
    fn within_limits(&self, last: Option<usize>) -> Held {
        let (part, all) = (self.of.part, self.of.choices.lawful());
        let Some(last) = last else {
            return Held { dp: 0, spares: 0, limits: part.len() as u64 * all };
        };
        let holds = |dp: u64| self.size(dp).is_some_and(|size| size <= last);
        if part.last().is_some_and(|(dp, _)| holds(*dp)) {
            return Held { dp: part.len(), spares: 0, limits: 0 };
        }
        let end = part.partition_point(|(dp, _)| holds(*dp));
        // Where no size holds them, those that would fit bare lack the room for their spares.
        let sized = end + part[end..].partition_point(|(dp, _)| self.size(*dp).is_some());
        let bare = sized + part[sized..].partition_point(|(dp, _)| self.fits_bare(*dp));
        let limits = (part.len() - bare + sized - end) as u64 * all;
        Held { dp: end, spares: (bare - sized) as u64 * all, limits }
    }

    /// Where the dp of the range begin that are fast enough for target and floor on any network.
    ///
    /// Rate <= dp x micro-batch x sequence / time of a micro-batch: the smallest dp that reaches the floor. First
    /// with the mean stage, which needs no dealing of layers, then with the slowest.
    fn fast_enough(&mut self, sink: &impl Sink, (from, to): (usize, usize), tally: &mut Tally) -> usize {
        let tokens = self.shape.micro_batch as f64 * f64::from(self.of.problem.training.sequence);
        let needed = self.of.problem.needed_rate(1.0);
        let wanted = needed.max(sink.floor());
        if wanted <= 0.0 || from == to {
            return from;
        }
        let range = &self.of.part[from..to];
        let reaches = |rate: f64, micro_batch: Seconds| {
            let slow = |dp: u64| dp as f64 * tokens / micro_batch.0 < rate * (1.0 - ROUNDING);
            from + range.partition_point(|(dp, _)| slow(*dp))
        };
        let network = self.size(range[0].0).map_or(0, |size| self.variant.sizes[size].network);
        let mut floor = self.cost(network).device / self.shape.pp as f64;
        if needed > 0.0 && reaches(wanted, floor) < to {
            floor = self.family(network).micro_batch_floor();
        }
        let too_slow = reaches(needed, floor);
        let start = too_slow.max(reaches(wanted, floor));
        tally.reject(Rule::Target, self.border.fitting((from, too_slow), self.of.choices));
        tally.bounded.stage += self.border.fitting((too_slow, start), self.of.choices);
        start
    }

    /// The range of dp that the bounds in bulk have left: first cut further, then one by one.
    fn ranges<S: Sink>(&mut self, sink: &mut S, (from, to): (usize, usize), tally: &mut Tally) {
        let mut ranges = std::mem::take(&mut self.room.ranges);
        ranges.clear();
        let least = self.least_by_stages();
        self.not_ruled_out(sink, (from, to), least, &mut ranges);
        let mut end = to;
        for &range in ranges.iter().rev() {
            tally.bounded.stage += self.border.fitting((range.1, end), self.of.choices);
            self.range(range, sink, tally);
            end = range.0;
        }
        tally.bounded.stage += self.border.fitting((from, end), self.of.choices);
        self.room.ranges = ranges;
    }

    /// One range of dp, each looked at by itself.
    fn range<S: Sink>(&mut self, (from, to): (usize, usize), sink: &mut S, tally: &mut Tally) {
        let per_states = self.of.choices.per_states();
        let experts = self.shape.ep * self.shape.etp;
        // The largest first: mostly the fastest, which bounds the others where a single size is left.
        for (index, &(dp, count)) in self.of.part.iter().enumerate().take(to).skip(from).rev() {
            self.room.fitting.clear();
            let with_border = self.of.choices.states.iter().zip(&self.border.from);
            let fitting = with_border.filter(|(_, from)| from.1 <= index).map(|(states, _)| *states);
            self.room.fitting.extend(fitting);
            // Most dp of a model with experts fall here, before anything is worked out for them.
            if !(self.shape.tp * self.shape.cp * dp).is_multiple_of(experts) {
                tally.reject(Rule::Experts, self.room.fitting.len() as u64 * per_states);
                continue;
            }
            self.candidates(dp, count, sink, tally);
        }
    }

    /// Which dp fit.
    fn border(&mut self) -> Border {
        let (part, choices) = (self.of.part, self.of.choices);
        if self.overflows(part) {
            return Border { first: part.len(), from: Vec::new() };
        }
        let states = choices.states.iter();
        let from: Vec<(usize, usize)> = states.map(|states| self.first_that_fits(part, *states)).collect();
        Border { first: from.iter().map(|(_, hosted)| *hosted).min().unwrap_or(part.len()), from }
    }

    /// Whether the cards alone, without spares, would fit the largest size.
    fn fits_bare(&self, dp: u64) -> bool {
        let cluster = &self.of.problem.clusters[self.variant.cluster];
        let active = Layout { dp, ..self.shape }.devices().div_ceil(cluster.devices_per_card);
        active.div_ceil(cluster.unit_cards) * cluster.unit_cards <= self.variant.most_cards()
    }

    /// Whether what the first stage holds beside states is too much at every dp, whatever the choices.
    ///
    /// Exact: states only add to it, and whole groups in flight do not grow with dp, so the largest dp holds the least.
    /// The slack covers the other order of the sum.
    fn overflows(&mut self, lawful: &[(u64, u64)]) -> bool {
        let (problem, variant, shape) = (self.of.problem, self.variant, self.shape);
        let cluster = &problem.clusters[variant.cluster];
        let stages = self.of.shape.stages(problem, &shape, self.of.tables);
        let (Some(&(_, count)), Some(&(stage, _))) = (lawful.last(), stages.first()) else {
            return false;
        };
        let count = whole_groups(&self.shape, count);
        let pieces = &self.cost(0).pieces;
        let least = passing_memory(problem.software_of(cluster), &shape, &stage, pieces, count).total();
        least * (1.0 - ROUNDING) > problem.room(cluster)
    }

    /// The fitting states of one dp that still fit where interleaving must pass `count` in groups larger than pp: that
    /// memory does not fall with dp, so halving cannot find it. Asked only of what no bound has cut.
    fn in_groups(&mut self, dp: u64, count: u64, tally: &mut Tally) -> Vec<States> {
        let mut fitting = std::mem::take(&mut self.room.kept);
        fitting.clone_from(&self.room.fitting);
        if whole_groups(&self.shape, count) == count {
            return fitting;
        }
        let (problem, variant, shape) = (self.of.problem, self.variant, self.shape);
        let each = (self.of.choices.overlaps.len() * self.of.choices.sends.len()) as u64;
        let cluster = &problem.clusters[variant.cluster];
        let (device, room) = (&cluster.device, problem.room(cluster));
        let bench = bench(problem, variant, 0);
        let (networks, sends) = (self.of.choices.networks[0], self.of.choices.sends[0]);
        let family = self.family(0);
        fitting.retain(|states| {
            family.set_step(&with(&shape, *states, networks, sends));
            let over = family.memory(&bench, dp, count).total() > room;
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
        let (problem, variant) = (self.of.problem, self.variant);
        let cluster = &problem.clusters[variant.cluster];
        let (device, room) = (&cluster.device, problem.room(cluster));
        // Memory does not depend on the network: any of them will do.
        let bench = bench(problem, variant, 0);
        let layout = with(&self.shape, states, self.of.choices.networks[0], self.of.choices.sends[0]);
        let shape = self.shape;
        let whole = |pair: &(u64, u64)| whole_groups(&shape, pair.1);
        let family = self.family(0);
        family.set_step(&layout);
        let fits = lawful.partition_point(|pair| family.memory(&bench, pair.0, whole(pair)).total() > room);
        let Some(there) = device.host_memory.filter(|_| family.offloads()) else { return (fits, fits) };
        let over = |pair: &(u64, u64)| family.host_memory(&bench, pair.0, whole(pair)) > there;
        (fits, fits + lawful[fits..].partition_point(over))
    }

    /// Costs of the layers on a network.
    fn cost(&mut self, network: usize) -> &mut Cost {
        self.room.costs.of(self.of.problem, self.variant, network, &self.shape)
    }

    /// The layout on a network, its stages timed.
    fn family(&mut self, network: usize) -> &mut Family {
        let (number, shape) = (self.of.number, self.shape);
        let stages = self.of.shape.stages(self.of.problem, &shape, self.of.tables);
        self.cost(network).family(number, &shape, stages)
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
