//! One unit of work: its candidates by rule, by bound and by timing.

use crate::problem::Problem;
use crate::problem::space::StepChoice;
use crate::search::tally::Tally;
use crate::search::units::{Best, Tables, Unit};
use crate::search::variant::{Variant, bench};
use crate::training::layout::{Host, Layout, Rule, broken_rule, broken_rule_at};
use crate::training::memory::Pieces;
use crate::training::phases::LayerCost;
use crate::training::step::{Family, pieces};
use crate::units::Seconds;

/// Says which candidates of a unit's variant are worth timing, and receives those that are lawful, fit and meet the
/// target.
pub trait Sink {
    /// Whether memory is worked out for every candidate, though halving has already found those that fit.
    const EVERY_MEMORY: bool = false;

    /// First and last size that may still matter; the others count as bounded.
    fn sizes(&self) -> (usize, usize);

    /// A rate below which no candidate matters, whatever its size.
    fn floor(&self) -> f64;

    /// Whether a candidate of this size whose rate is at most `ceiling` may still matter. A refusal counts as
    /// bounded.
    fn wants(&self, size: usize, ceiling: f64) -> bool;

    /// A timed candidate.
    fn take(&mut self, size: usize, best: Best);
}

/// Works through all candidates of `unit`.
///
/// Order of the rules: divisibility of the family; then in bulk the batch, sizes that do not matter, and the rate
/// that any network would allow, memory; then one by one divisibility at dp, limits, target by its bound, incumbent
/// by its bound, target by timing.
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
    let mut pieces: Vec<Option<(Pieces, Seconds)>> = vec![None; variant.networks.len()];
    let mut families: Vec<Option<Family>> = vec![None; variant.networks.len()];
    let pairs = tables.batches(unit.layout.micro_batch);
    let space = &problem.space;
    let steps = [false, true]
        .map(|staged| space.switches.of_steps(unit.layout.sequence_parallel, staged, unit.layout.switches));
    for &pp in &space.pp {
        for &vpp in &space.vpp {
            let shape = Layout { pp, vpp, ..unit.layout };
            let declared = declared(problem, &shape, devices, pairs);
            if declared.count == 0 {
                continue;
            }
            families.fill(None);
            for (index, &sharding) in space.sharding.iter().enumerate() {
                for choice in &steps[usize::from(pp > 1)] {
                    let layout = Layout { sharding, switches: choice.switches, ..shape };
                    let declared = declared.of(choice, index == 0);
                    tally.enumerated += declared.count;
                    if let Some(rule) = broken_rule(&problem.model, &problem.training, host, &layout) {
                        tally.reject(rule, declared.count);
                        continue;
                    }
                    tally.reject(Rule::Batch, declared.count - declared.lawful.len() as u64);
                    let (pieces, families) = (&mut pieces, &mut families);
                    let mut sweep = Sweep { problem, variant, tables, unit, layout, host, pieces, families };
                    sweep.run(declared.lawful, sink, tally);
                }
            }
        }
    }
}

/// The dp of a layout that the space declares.
#[derive(Clone, Copy)]
struct Declared<'a> {
    /// How many.
    count: u64,
    /// Those whose batch is lawful, with their micro-batches, ascending.
    lawful: &'a [(u64, u64)],
    /// A single data rank is one of them, and has nothing to shard or hide.
    single: bool,
}

impl<'a> Declared<'a> {
    /// Those that are candidates under `choice`: a single data rank counts once, under the first choices.
    fn of(&self, choice: &StepChoice, first_sharding: bool) -> Self {
        if !self.single || (choice.first && first_sharding) {
            return *self;
        }
        let lawful: &'a [(u64, u64)] = match self.lawful {
            [(1, _), rest @ ..] => rest,
            all => all,
        };
        Self { count: self.count - 1, lawful, single: false }
    }
}

/// The declared dp of `shape` on up to `devices` devices; `pairs` are the lawful ones of any shape.
fn declared<'a>(problem: &Problem, shape: &Layout, devices: u64, pairs: &'a [(u64, u64)]) -> Declared<'a> {
    let ranks = shape.tp * shape.cp * shape.pp;
    let most = devices / ranks;
    let listed = |dp: u64| problem.space.dp.as_ref().is_none_or(|list| list.contains(&dp));
    // Experts are sharded over the tensor ranks too.
    let single = |has_one: bool| has_one && shape.cp == 1 && problem.model.moe.is_none();
    if problem.space.factorized {
        let (layers, batch) = (u64::from(problem.model.layers), problem.training.global_batch);
        let chunks = shape.pp * shape.vpp;
        let even = devices.is_multiple_of(ranks)
            && layers.is_multiple_of(chunks)
            && (shape.pp > 1 || shape.vpp == 1)
            && most > 0
            && batch >= most
            && (batch / most).is_multiple_of(shape.micro_batch);
        if !even || !listed(most) {
            return Declared { count: 0, lawful: &[], single: false };
        }
        let at = pairs.partition_point(|(dp, _)| *dp < most);
        let found = pairs.get(at).is_some_and(|(dp, _)| *dp == most);
        let lawful = if found { &pairs[at..=at] } else { &[] };
        return Declared { count: 1, lawful, single: single(most == 1) };
    }
    let count =
        problem.space.dp.as_ref().map_or(most, |list| list.iter().filter(|dp| **dp <= most).count() as u64);
    let lawful = &pairs[..pairs.partition_point(|(dp, _)| *dp <= most)];
    Declared { count, lawful, single: single(most > 0 && listed(1)) }
}

/// All dp of one layout.
struct Sweep<'a> {
    problem: &'a Problem,
    variant: &'a Variant,
    tables: &'a Tables,
    unit: &'a Unit,
    layout: Layout,
    host: Host,
    /// Costs of the layers by network, with the seconds of all of them on the device, made when first needed.
    pieces: &'a mut [Option<(Pieces, Seconds)>],
    /// Timed stages by network, made when first needed.
    families: &'a mut [Option<Family>],
}

impl Sweep<'_> {
    fn run(&mut self, lawful: &[(u64, u64)], sink: &mut impl Sink, tally: &mut Tally) {
        let Some(&(largest, _)) = lawful.last() else { return };
        let cluster = &self.problem.clusters[self.variant.cluster];
        let size = |dp: u64| {
            let active = Layout { dp, ..self.layout }.devices().div_ceil(cluster.devices_per_card);
            self.variant.size_for(cluster.unit_cards, active)
        };
        // Sizes grow with dp: those that may matter are a range of it.
        let (first, last) = sink.sizes();
        let from = lawful.partition_point(|(dp, _)| size(*dp).is_some_and(|index| index < first));
        let to = lawful.partition_point(|(dp, _)| size(*dp).is_none_or(|index| index <= last)).max(from);
        tally.bounded.size += (lawful.len() - (to - from)) as u64;
        let lawful = &lawful[from..to];
        let reached = lawful.iter().find_map(|(dp, _)| size(*dp)).or_else(|| size(largest));
        // Where the fabric reaches none of the sizes there is no network to time anything on.
        if self.variant.networks.is_empty() {
            tally.reject(Rule::Limits, lawful.len() as u64);
            return;
        }
        let Some(network) = reached else {
            // No size holds any of them: those that would fit bare lack the room for their spares.
            let bare = lawful.partition_point(|(dp, _)| self.fits_bare(*dp)) as u64;
            tally.reject(Rule::Spares, bare);
            tally.reject(Rule::Limits, lawful.len() as u64 - bare);
            return;
        };
        // Rate <= dp x micro-batch x sequence / time of a micro-batch: the smallest dp that reaches the floor. First
        // with the mean stage, which needs no dealing of layers, then with the slowest.
        let tokens = self.layout.micro_batch as f64 * f64::from(self.problem.training.sequence);
        let needed = self.problem.needed_rate(1.0);
        let wanted = needed.max(sink.floor());
        let reaches = |rate: f64, micro_batch: Seconds| {
            lawful.partition_point(|(dp, _)| *dp as f64 * tokens / micro_batch.0 < rate * (1.0 - ROUNDING))
        };
        let network = self.variant.sizes[network].network;
        let mut floor = self.mean_stage(network);
        if reaches(wanted, floor) < lawful.len() {
            floor = self.family(network).micro_batch_floor();
        }
        let too_slow = reaches(needed, floor);
        let start = too_slow.max(reaches(wanted, floor));
        tally.reject(Rule::Target, too_slow as u64);
        tally.bounded.stage += (start - too_slow) as u64;
        let lawful = &lawful[start..];
        let (fitting, hosted) = self.first_that_fits(lawful);
        tally.reject(Rule::Memory, fitting as u64);
        tally.reject(Rule::HostMemory, (hosted - fitting) as u64);
        for &(dp, count) in &lawful[hosted..] {
            self.candidate(dp, count, sink, tally);
        }
    }

    /// Whether the cards alone, without spares, would fit the largest size.
    fn fits_bare(&self, dp: u64) -> bool {
        let cluster = &self.problem.clusters[self.variant.cluster];
        let active = Layout { dp, ..self.layout }.devices().div_ceil(cluster.devices_per_card);
        active.div_ceil(cluster.unit_cards) * cluster.unit_cards <= self.variant.most_cards()
    }

    /// Where the dp begin that fit into the device's memory, and where those that fit into the host's too.
    ///
    /// What fits at one dp fits at every larger one: shards grow with dp, and micro-batches, hence those in flight,
    /// do not. So the border is found by halving.
    fn first_that_fits(&mut self, lawful: &[(u64, u64)]) -> (usize, usize) {
        let (problem, variant) = (self.problem, self.variant);
        let device = &problem.clusters[variant.cluster].device;
        if lawful.is_empty() {
            return (0, 0);
        }
        // Memory does not depend on the network: any of them will do.
        let bench = bench(problem, variant, 0);
        let family = self.family(0);
        let fits =
            lawful.partition_point(|(dp, count)| family.memory(&bench, *dp, *count).total() > device.memory);
        let Some(there) = device.host_memory.filter(|_| family.offloads()) else { return (fits, fits) };
        let over = |pair: &(u64, u64)| family.host_memory(&bench, pair.0, pair.1) > there;
        (fits, fits + lawful[fits..].partition_point(over))
    }

    /// Costs of the layers on a network, and the seconds that all of them take on the device.
    fn pieces(&mut self, network: usize) -> &(Pieces, Seconds) {
        let (problem, variant, unit) = (self.problem, self.variant, self.unit);
        self.pieces[network].get_or_insert_with(|| {
            let pieces = pieces(&bench(problem, variant, network), &unit.layout);
            let moe = f64::from(problem.model.moe_layers_before(problem.model.layers));
            let dense = f64::from(problem.model.layers) - moe;
            // Where only some layers of a stage recompute, the bound counts none of it.
            let layer = |piece: &LayerCost| {
                if unit.layout.recompute_layers == 0 { piece.on_device() } else { piece.on_device_once() }
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
        self.pieces(network).1 / self.layout.pp as f64
    }

    fn candidate<S: Sink>(&mut self, dp: u64, count: u64, sink: &mut S, tally: &mut Tally) {
        let (problem, variant) = (self.problem, self.variant);
        let cluster = &problem.clusters[variant.cluster];
        let layout = Layout { dp, ..self.layout };
        if let Some(rule) = broken_rule_at(self.host, &layout, count) {
            tally.reject(rule, 1);
            return;
        }
        let active = layout.devices().div_ceil(cluster.devices_per_card);
        let lawful_size = variant
            .size_for(cluster.unit_cards, active)
            .filter(|index| !variant.sizes[*index].rows.is_empty());
        let Some(index) = lawful_size else {
            let no_room = variant.size_for(cluster.unit_cards, active).is_none();
            let spares = no_room && self.fits_bare(dp);
            tally.reject(if spares { Rule::Spares } else { Rule::Limits }, 1);
            return;
        };
        let size = &variant.sizes[index];
        let tokens = problem.tokens_per_step(dp, layout.micro_batch, count);
        let needed = problem.needed_rate(size.goodput);
        let bench = bench(problem, variant, size.network);
        let family = self.family(size.network);
        let mut ceiling = tokens / family.lower_bound(count).0;
        if ceiling >= needed && sink.wants(index, ceiling) {
            ceiling = tokens / (family.closer_bound(&bench, dp, count).0 * (1.0 - ROUNDING));
        }
        if ceiling < needed {
            tally.reject(Rule::Target, 1);
            return;
        }
        if !sink.wants(index, ceiling) {
            tally.bounded.step += 1;
            return;
        }
        if S::EVERY_MEMORY {
            std::hint::black_box(family.memory(&bench, dp, count));
        }
        let rate = tokens / family.step(&bench, dp, count).total().0;
        tally.timed += 1;
        if rate < needed {
            tally.reject(Rule::Target, 1);
            return;
        }
        sink.take(index, Best { rate, layout });
    }

    /// The layout on a network, its stages timed.
    fn family(&mut self, network: usize) -> &Family {
        let layout = self.layout;
        if self.families[network].is_none() {
            let pieces = self.pieces(network).0;
            let stages = self.tables.stages(&layout);
            self.families[network] = Some(Family::with_stages(&self.problem.model, layout, pieces, stages));
        }
        let family = self.families[network].get_or_insert_with(|| unreachable!("made above"));
        family.set_step(&layout);
        family
    }
}

/// Slack for the rounding of the bulk bound, which is worked out in another order than the rate.
const ROUNDING: f64 = 1e-9;
