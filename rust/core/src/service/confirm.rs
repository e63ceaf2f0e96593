//! The best of the closed forms is simulated; what the simulation refutes is not recommended.
//!
//! A refuted service is replaced by the best for a load that is higher by steps of [`STEP`], on every fabric of its
//! chip, clock and formats: a few more instances. Steps grow after some refutations, and are halved back once one holds.
//! Where the limits are given and the load is not, the load falls by those steps instead. The first that the simulation
//! confirms is the answer, unless one of the next best layouts is smaller and holds too: what a simulation refutes is
//! often a layout, not a size. If none is confirmed, there is no answer.

use crate::service::answer::Refuted;
use crate::service::problem::{LatencyTarget, ServiceProblem};
use crate::service::search::{Found, lawful, loaded, smaller, sort, summary, throughput};
use crate::service::simulated::{Effort, Simulated, simulate};
use crate::service::sizes::{Field, Group, Way};

/// By how much the load is raised for the next try.
const STEP: f64 = 1.05;
/// Refutations on one ground after which the steps double: what fell short so often falls short by much.
const PATIENCE: u32 = 3;
/// Simulations at most.
const MOST_TRIES: usize = 16;
/// Simulations of other layouts that may be smaller than what was confirmed.
const MOST_OTHERS: usize = 6;
/// Load at most over the one asked for: bursts may be far above the busiest window.
const MOST_STRAIN: f64 = 100.0;

/// What the simulation said of the best.
#[derive(Debug, Default)]
pub struct Confirmation {
    /// Of the first of the list, confirmed or not; none: not simulated.
    pub simulated: Option<Simulated>,
    /// Refuted on the way.
    pub refuted: Vec<Refuted>,
}

/// A simulation at work: what was tried, and what is left of the effort.
struct Trial<'a> {
    problem: &'a ServiceProblem,
    fields: &'a [Field<'a>],
    seed: u64,
    tried: Vec<(usize, Way)>,
    refuted: Vec<Refuted>,
    tries: usize,
}

/// Simulates the first of `good`, replaces what is refuted, and leaves the list in order. `go_on`: asked before each
/// simulation; once it says no, nothing further is simulated.
pub fn confirm(
    problem: &ServiceProblem,
    fields: &[Field],
    good: &mut Vec<Found>,
    go_on: &mut dyn FnMut() -> bool,
) -> Confirmation {
    let Some(seed) = problem.search.seed else { return Confirmation::default() };
    let mut trial = Trial { problem, fields, seed, tried: Vec::new(), refuted: Vec::new(), tries: 0 };
    let mut simulated = None;
    while let Some(first) = good.first().cloned()
        && go_on()
    {
        let Some(found) = trial.simulate(&first) else { break };
        if found.confirmed {
            simulated = Some(found);
            if first.jump > STEP
                && let Some((nearer, found)) = trial.nearer(&first, go_on)
            {
                good.retain(|item| trial.ground(item.field) != trial.ground(first.field));
                good.push(nearer);
                sort(problem, fields, good);
                simulated = Some(found);
            }
            if let Some((other, found)) = trial.other(&good[0], true, go_on) {
                good.retain(|item| trial.ground(item.field) != trial.ground(other.field));
                good.push(other);
                sort(problem, fields, good);
                simulated = Some(found);
            }
            break;
        }
        if trial.tries >= MOST_TRIES {
            simulated = Some(found);
            break;
        }
        let own = trial.refuted.len();
        trial.refute(&first, found);
        trial.replace(good, &first);
        if good.is_empty()
            && let Some((other, found)) = trial.other(&first, false, go_on)
        {
            good.push(other);
            simulated = Some(found);
            break;
        }
        if good.is_empty() {
            // Nothing within the limits has room for more: the last one is told as the nearest.
            good.push(first);
            simulated = Some(found);
            trial.refuted.remove(own);
            break;
        }
        sort(problem, fields, good);
    }
    Confirmation { simulated, refuted: trial.refuted }
}

impl Trial<'_> {
    fn simulate(&mut self, item: &Found) -> Option<Simulated> {
        self.tries += 1;
        simulate(&self.fields[item.field], &item.way, item.rate, self.seed, Effort::QUICK)
    }

    fn refute(&mut self, item: &Found, simulated: Simulated) {
        self.refuted.push(Refuted { service: summary(self.fields, item), simulated });
        self.tried.push((item.field, item.way));
    }

    /// What a simulation depends on: a fabric and a cooling change nothing inside an instance.
    fn ground(&self, index: usize) -> (usize, usize, usize) {
        let place = self.fields[index].ground.place;
        (place.cluster, place.cap, place.precision)
    }

    fn known(&self, item: &Found) -> bool {
        self.tried.iter().any(|(at, way)| {
            self.ground(*at) == self.ground(item.field)
                && way.main == item.way.main
                && way.prefill == item.way.prefill
        })
    }

    /// The services on the ground of `first` for a load that is `strain` times as high, all of them.
    fn stronger(&self, first: &Found, strain: f64) -> Vec<Found> {
        let same = self.ground(first.field);
        let fields = self.fields.iter().enumerate().filter(|(index, _)| self.ground(*index) == same);
        fields.flat_map(|(index, field)| loaded(self.problem, index, field, strain)).collect()
    }

    /// Puts a stronger service in the place of all that are on the ground of `first`, or the same at a lower load.
    fn replace(&self, good: &mut Vec<Found>, first: &Found) {
        let same = self.ground(first.field);
        let refutations = first.refutations + 1;
        let jump = libm::pow(STEP, f64::from(1_u32 << refutations.saturating_sub(PATIENCE).min(8)));
        let mut strain = first.strain * jump;
        if throughput(self.problem) {
            for item in good.iter_mut().filter(|item| self.ground(item.field) == same) {
                item.rate *= item.strain / strain;
                (item.strain, item.refutations, item.jump) = (strain, refutations, STEP);
            }
            let wanted = self.problem.target.requests_per_second;
            good.retain(|item| wanted.is_none_or(|wanted| item.rate >= wanted) && lawful(self.problem, item));
            return;
        }
        good.retain(|item| self.ground(item.field) != same);
        while strain <= MOST_STRAIN {
            let found = self.stronger(first, strain);
            if found.iter().any(|item| self.known(item)) {
                strain *= STEP;
                continue;
            }
            let raised = found.into_iter().map(|item| Found { refutations, jump, ..item });
            good.extend(raised.filter(|item| lawful(self.problem, item)));
            return;
        }
    }

    /// A weaker service than `first` that holds too, where the step to it was a large one; by halving.
    fn nearer(&mut self, first: &Found, go_on: &mut dyn FnMut() -> bool) -> Option<(Found, Simulated)> {
        if throughput(self.problem) {
            return None;
        }
        let (mut low, mut high, mut best) = (first.strain / first.jump, first.strain, None);
        while high > low * STEP && self.tries < MOST_TRIES && go_on() {
            let middle = libm::sqrt(low * high);
            let mut found = self.stronger(first, middle);
            found.retain(|item| lawful(self.problem, item));
            sort(self.problem, self.fields, &mut found);
            let item = found.into_iter().next()?;
            if self.known(&item) {
                low = middle;
                continue;
            }
            let ran = self.simulate(&item)?;
            if ran.confirmed {
                high = middle;
                best = Some((item, ran));
            } else {
                low = middle;
                self.refute(&item, ran);
            }
        }
        best
    }

    /// A service of other layouts than those refuted, the best that holds: a smaller one than `first` where that is
    /// `confirmed`, else one up to half larger. Only where something was refuted: else `first` is the smallest of the
    /// closed forms.
    fn other(
        &mut self,
        first: &Found,
        confirmed: bool,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Option<(Found, Simulated)> {
        if throughput(self.problem) || self.tried.is_empty() {
            return None;
        }
        let same = self.ground(first.field);
        let below = if confirmed { first.way.units } else { first.way.units * 3 / 2 + 1 };
        let fields = self.fields.iter().enumerate().filter(|(index, _)| self.ground(*index) == same);
        let mut found: Vec<Found> = fields
            .flat_map(|(index, field)| smaller(self.problem, index, field, below))
            .filter(|item| lawful(self.problem, item))
            .collect();
        if confirmed {
            // What comes after it is no better by the objective.
            found.push(first.clone());
        }
        sort(self.problem, self.fields, &mut found);
        let mut others = 0;
        for item in found {
            if confirmed && item.field == first.field && item.way == first.way {
                return None;
            }
            if self.hopeless(&item) {
                continue;
            }
            if others == MOST_OTHERS || !go_on() {
                return None;
            }
            others += 1;
            let ran = self.simulate(&item)?;
            if ran.confirmed {
                return Some((item, ran));
            }
            self.refute(&item, ran);
        }
        None
    }

    /// Whether a service has no more of a pool than one that was refuted for it: prompts too late by the pool that
    /// computes them, tokens by the one that decodes.
    fn hopeless(&self, item: &Found) -> bool {
        let no_more =
            |own: Group, known: Group| own.candidate == known.candidate && own.instances <= known.instances;
        let target = &self.problem.target;
        self.tried.iter().zip(&self.refuted).any(|((at, way), refuted)| {
            let late = |wanted: Option<LatencyTarget>, found: f64| {
                wanted.is_some_and(|wanted| found > wanted.seconds)
            };
            let slow = refuted.simulated.tpot_quantile_seconds.is_some_and(|found| late(target.tpot, found));
            let first = late(target.ttft, refuted.simulated.ttft_quantile_seconds);
            let front = |way: &Way| way.prefill.unwrap_or(way.main);
            self.ground(*at) == self.ground(item.field)
                && way.mode() == item.way.mode()
                && ((first && no_more(front(&item.way), front(way)))
                    || ((slow || !first) && no_more(item.way.main, way.main)))
        })
    }
}
