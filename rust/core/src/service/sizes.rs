//! How many instances of which layouts carry a rate on one ground, with the fewest purchase units.

use std::cell::Cell;
use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::reliability::spares::spare_replicas;
use crate::service::ground::{Candidate, Ground, Misfit, Roles};
use crate::service::problem::{Served, ServiceProblem};
use crate::serving::case::{Instance, Mode};
use crate::serving::replica::lanes;

/// Rates that differ by less count as equal when instances are counted.
const SLACK: f64 = 1e-9;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// Instances of a pool beyond which nobody builds.
const MOST_INSTANCES: u64 = 1 << 24;

/// All candidates of a ground.
pub struct Field<'a> {
    /// The ground.
    pub ground: Ground<'a>,
    /// Candidates in the order of the space.
    pub candidates: Vec<Candidate>,
    /// How many layouts were looked at.
    pub enumerated: u64,
    /// How many did not do, by reason.
    pub rejected: BTreeMap<Misfit, u64>,
}

/// Instances of one layout in a pool: index of the candidate, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// Index into the candidates.
    pub candidate: usize,
    /// Instances at work, spares not counted.
    pub instances: u64,
}

/// One way to carry a rate. The derived order is the rule for ties: fewest units, then fewest devices at work, then
/// together before apart, then the order of the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Purchase units.
    pub units: u64,
    /// Devices at work.
    pub devices: u64,
    /// A pool for prompts of its own.
    pub prefill: Option<Group>,
    /// The pool that decodes.
    pub main: Group,
}

impl Way {
    /// Together or apart.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.prefill.is_some() { Mode::Disaggregated } else { Mode::Aggregated }
    }
}

/// The instances of a problem's space, in order.
#[must_use]
pub fn instances(problem: &ServiceProblem) -> Vec<Instance> {
    let experts = match &problem.served {
        Served::Generic { .. } => return vec![Instance { tp: 1, dp: 1, pp: 1, ep: 1, etp: 1 }],
        Served::Model { model, .. } => model.moe.is_some(),
    };
    let space = &problem.space;
    let mut found = Vec::new();
    for &pp in &space.pp {
        for &dp in &space.dp {
            for &tp in &space.tp {
                let stage = u64::from(tp) * u64::from(dp);
                let Ok(stage) = u32::try_from(stage) else { continue };
                let degrees = match &space.ep {
                    _ if !experts => vec![1],
                    Some(list) => list.clone(),
                    None if stage == 1 => vec![1],
                    None => vec![1, stage],
                };
                for ep in degrees {
                    if stage % ep == 0 && u64::from(stage) * u64::from(pp) <= 1 << 20 {
                        let etp = if experts { stage / ep } else { 1 };
                        found.push(Instance { tp, dp, pp, ep, etp });
                    }
                }
            }
        }
    }
    found
}

impl<'a> Field<'a> {
    /// A ground of which no layout is looked at.
    #[must_use]
    pub fn bare(ground: Ground<'a>) -> Self {
        Self { ground, candidates: Vec::new(), enumerated: 0, rejected: BTreeMap::new() }
    }

    /// All candidates of `ground`; `like`: the field of another fabric at the same clock and formats.
    #[must_use]
    pub fn new(ground: Ground<'a>, like: Option<&Field>) -> Self {
        let mut candidates = Vec::new();
        let mut rejected = BTreeMap::new();
        let space = instances(ground.problem);
        let roles = Roles::of(ground.problem);
        let known = |instance: &Instance| like?.candidates.iter().find(|item| item.instance == *instance);
        let found: Vec<Result<Candidate, Misfit>> =
            space.par_iter().map(|instance| ground.candidate(*instance, known(instance), roles)).collect();
        for result in found {
            match result {
                Ok(candidate) => candidates.push(candidate),
                Err(misfit) => *rejected.entry(misfit).or_insert(0) += 1,
            }
        }
        Self { enumerated: space.len() as u64, ground, candidates, rejected }
    }

    /// Whether the space has the mode.
    #[must_use]
    pub fn has(&self, mode: Mode) -> bool {
        self.ground.problem.space.modes.contains(&mode)
    }

    /// Instances that stand by beside those of `group`: as many as asked for, or as the availability needs if that is
    /// more. An instance is up while all of its servers are; each pool must be, so that pools share the target evenly.
    #[must_use]
    pub fn spares(&self, group: Group) -> u64 {
        let target = &self.ground.problem.target;
        let least = u64::from(target.spare_instances);
        let Some(wanted) = target.availability else { return least };
        let cluster = self.ground.cluster;
        let devices = self.candidates[group.candidate].devices as f64;
        let servers = devices / cluster.devices_per_server() as f64;
        let rate = cluster.failures_per_server_day / SECONDS_PER_DAY * servers.max(1.0);
        let up = 1.0 / (1.0 + rate * wanted.repair_seconds);
        let pools = if self.has(Mode::Disaggregated) { 2.0 } else { 1.0 };
        let share = libm::pow(wanted.share, 1.0 / pools);
        let needed = spare_replicas(group.instances, up, share);
        least.max(needed.unwrap_or(MOST_INSTANCES))
    }

    /// Servers that `instances` of a candidate and the spares fill: pools do not share servers.
    #[must_use]
    pub fn servers(&self, group: Group) -> u64 {
        let devices = self.candidates[group.candidate].devices * (group.instances + self.spares(group));
        devices.div_ceil(self.ground.cluster.devices_per_server())
    }

    /// The way of these groups.
    #[must_use]
    pub fn way(&self, prefill: Option<Group>, main: Group) -> Way {
        let cluster = self.ground.cluster;
        let groups = || prefill.iter().chain([&main]);
        let servers: u64 = groups().map(|group| self.servers(*group)).sum();
        Way {
            units: (servers * cluster.cards_per_server).div_ceil(cluster.unit_cards),
            devices: groups().map(|group| self.candidates[group.candidate].devices * group.instances).sum(),
            prefill,
            main,
        }
    }

    /// The best way to carry `rate` requests per second; exact over the candidates.
    #[must_use]
    pub fn best(&self, rate: f64) -> Option<Way> {
        self.best_of(rate, &|_| f64::INFINITY)
    }

    /// Of the ways to carry `rate` with the fewest units the one that could carry most.
    #[must_use]
    pub fn strongest(&self, rate: f64) -> Option<Way> {
        let best: Cell<Option<(Way, f64)>> = Cell::new(None);
        let worth = |units: u64| best.get().is_none_or(|(known, _)| units <= known.units);
        self.each_way(rate, &worth, &mut |way| {
            let Some((known, most)) = best.get() else {
                return best.set(Some((way, self.capacity(&way).0)));
            };
            if way.units > known.units || (way.units == known.units && self.most_together(&way) < most) {
                return;
            }
            let own = self.capacity(&way).0;
            if way.units < known.units || own > most || (own == most && way < known) {
                best.set(Some((way, own)));
            }
        });
        best.get().map(|(way, _)| way)
    }

    /// What the pool that decodes carries: no less than the way does.
    fn most_together(&self, way: &Way) -> f64 {
        let main = &self.candidates[way.main.candidate];
        let point = if way.prefill.is_some() { main.decoding } else { main.together };
        point.map_or(0.0, |point| point.rate * way.main.instances as f64)
    }

    /// As [`Self::best`], of the ways whose layouts are trusted with `rate`; `most`: how much a way is.
    fn best_of(&self, rate: f64, most: &dyn Fn(&Way) -> f64) -> Option<Way> {
        let best: Cell<Option<Way>> = Cell::new(None);
        let worth = |units: u64| best.get().is_none_or(|known| units <= known.units);
        self.each_way(rate, &worth, &mut |way| {
            if rate <= most(&way) && best.get().is_none_or(|known| way < known) {
                best.set(Some(way));
            }
        });
        best.get()
    }

    /// All ways to carry `rate`, one per layout together and pair of layouts apart.
    #[must_use]
    pub fn ways(&self, rate: f64) -> Vec<Way> {
        let mut found = Vec::new();
        self.each_way(rate, &|_| true, &mut |way| found.push(way));
        found
    }

    /// The ways to carry `rate` on at most `units`.
    #[must_use]
    pub fn ways_within(&self, rate: f64, units: u64) -> Vec<Way> {
        let mut found = Vec::new();
        self.each_way(rate, &|least| least <= units, &mut |way| found.push(way));
        found.retain(|way| way.units <= units);
        found
    }

    /// `worth`: whether a way of at least so many units is of interest; those that are not are left out before the
    /// queue of their prompts is solved.
    fn each_way(&self, rate: f64, worth: &dyn Fn(u64) -> bool, offer: &mut dyn FnMut(Way)) {
        if self.has(Mode::Aggregated) {
            for (candidate, item) in self.candidates.iter().enumerate() {
                if let Some(instances) = item.together.and_then(|point| needed(rate, point.rate)) {
                    offer(self.way(None, Group { candidate, instances }));
                }
            }
        }
        if self.has(Mode::Disaggregated) && self.ground.question().is_some() {
            self.apart(rate, worth, offer);
        }
    }

    /// All pairs of a prefill and a decode layout. Prefill instances depend on the decode layout only through the
    /// transfer of the cache, so they are counted once per prefill layout and transfer time.
    fn apart(&self, rate: f64, worth: &dyn Fn(u64) -> bool, offer: &mut dyn FnMut(Way)) {
        for (front, from) in self.candidates.iter().enumerate() {
            let mut counted: Vec<(f64, Option<u64>)> = Vec::new();
            let each = from.prompts.map_or(0.0, |round| lanes(&from.instance) / round.prompt_busy);
            let Some(least) = needed(rate, each) else { continue };
            for (candidate, to) in self.candidates.iter().enumerate() {
                let Some(instances) = to.decoding.and_then(|point| needed(rate, point.rate)) else {
                    continue;
                };
                let main = Group { candidate, instances };
                // No prefill pool of this layout is smaller: prompts come no faster than they are computed.
                let fewest = Group { candidate: front, instances: least };
                if !worth(self.way(Some(fewest), main).units) {
                    continue;
                }
                let transfer = self.ground.transfer(from, to);
                let known = counted.iter().find(|(time, _)| *time == transfer).map(|(_, count)| *count);
                let prompts = known.unwrap_or_else(|| {
                    let count = self.prefill_instances(from, rate, transfer);
                    counted.push((transfer, count));
                    count
                });
                if let Some(prompts) = prompts {
                    let prefill = Group { candidate: front, instances: prompts };
                    offer(self.way(Some(prefill), main));
                }
            }
        }
    }

    /// Fewest prefill instances that carry `rate`; none: not even without any queue. More instances never slow a
    /// request, so the count is found by doubling and halving.
    #[must_use]
    pub fn prefill_instances(&self, from: &Candidate, rate: f64, transfer: f64) -> Option<u64> {
        let allowed = |count: u64| {
            let found = self.ground.prefilling(from, count as f64, rate, transfer);
            self.ground.prefill_allowed(&found)
        };
        let mut high = 1;
        while !allowed(high) {
            high *= 2;
            if high > MOST_INSTANCES {
                return None;
            }
            // A lone prompt that is too slow stays so.
            if high == 4 && !allowed(MOST_INSTANCES) {
                return None;
            }
        }
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low.midpoint(high);
            if allowed(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    /// The highest rate that a way carries, and whether its prefill pool is what binds.
    #[must_use]
    pub fn capacity(&self, way: &Way) -> (f64, bool) {
        let own = self.most_together(way);
        let Some(prefill) = way.prefill else { return (own, false) };
        let main = &self.candidates[way.main.candidate];
        let from = &self.candidates[prefill.candidate];
        let transfer = self.ground.transfer(from, main);
        let allowed = |rate: f64| {
            let found = self.ground.prefilling(from, prefill.instances as f64, rate, transfer);
            self.ground.prefill_allowed(&found)
        };
        if allowed(own) {
            return (own, false);
        }
        let (mut low, mut high) = (0.0, own);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if allowed(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low, true)
    }

    /// The way with the highest rate inside `units`: since the units needed never fall with the rate, the rate is
    /// found by halving, to 1e-6 of itself.
    #[must_use]
    pub fn most(&self, units: u64) -> Option<(f64, Way)> {
        self.most_of(units, &|_| f64::INFINITY)
    }

    /// As [`Self::most`] where the layouts of a way are trusted with no more than `most` of it.
    #[must_use]
    pub fn most_of(&self, units: u64, most: &dyn Fn(&Way) -> f64) -> Option<(f64, Way)> {
        let cluster = self.ground.cluster;
        let devices = units * cluster.unit_cards * cluster.devices_per_card;
        let per_device = self.candidates.iter().flat_map(|item| {
            let points = item.together.iter().chain(&item.decoding);
            points.map(|point| point.rate / item.devices as f64)
        });
        let ceiling = per_device.fold(0.0, f64::max) * devices as f64 * (1.0 + SLACK);
        let fits = |rate: f64| self.best_of(rate, most).filter(|way| way.units <= units);
        let mut found = None;
        let mut low = ceiling;
        // Down to a rate that fits, then up again by halves.
        for _ in 0..40 {
            if let Some(way) = fits(low) {
                found = Some((low, way));
                break;
            }
            low /= 2.0;
        }
        let (mut low, mut way) = found?;
        let mut high = (2.0 * low).min(ceiling);
        for _ in 0..30 {
            if high - low <= 1e-6 * high {
                break;
            }
            let middle = f64::midpoint(low, high);
            if let Some(better) = fits(middle) {
                (low, way) = (middle, better);
            } else {
                high = middle;
            }
        }
        Some((self.capacity(&way).0.max(low).min(most(&way)), way))
    }
}

/// Whole instances for `rate` at `each`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below 2^24 and at least one
fn needed(rate: f64, each: f64) -> Option<u64> {
    let count = libm::ceil(rate / each * (1.0 - SLACK)).max(1.0);
    (count <= MOST_INSTANCES as f64).then_some(count as u64)
}
