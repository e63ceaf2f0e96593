//! What the cards of a service draw, by what each pool is doing.
//!
//! Prompts draw as products do, answers as memory-bound work does, and a card without work idles:
//!
//! ```text
//! P(pool) = busy (c P_compute + m P_memory + w P_communication) + (1 - busy) P_idle
//! ```
//!
//! c, m and w are shares of the pool's mean step: products, experts, head and prompt attention count as compute where
//! prompts are computed, as memory where tokens are decoded (an aggregated pool: by its share of steps with prompts); the
//! cache and element-wise work are memory; collectives, launches and the host are waiting. A prefill pool is busy for its
//! load, a lane that decodes as long as it has a sequence. Shares of board power, with sources: `phase_draw` of
//! `hardware_specs/parts/facility-base.toml`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::draw::phase_draw;
use crate::plant::{Choice, Plant};
use crate::problem::{Axis, Limits, Objective};
use crate::service::evaluate::point_at;
use crate::service::ground::{Candidate, Ground};
use crate::service::problem::ServiceProblem;
use crate::service::sizes::{Field, Group, Way};
use crate::serving::replica::lanes;
use crate::serving::step::StepTimes;
use crate::units::Watts;

/// A pool at a load: shares of its cards' time, and the mean draw of a card at work with its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PoolDraw {
    /// `serve`, `prefill` or `decode`.
    pub role: &'static str,
    /// Cards at work.
    pub cards: f64,
    /// Share of time in matrix products.
    pub compute: f64,
    /// Bound by memory.
    pub memory: f64,
    /// In collectives, launches and the host's work.
    pub communication: f64,
    /// Without work.
    pub idle: f64,
    /// Mean draw of a card, watts.
    pub card_watts: f64,
    /// With every phase at the low end of its range.
    pub card_watts_low: f64,
    /// With every phase at the high end.
    pub card_watts_high: f64,
}

/// All cards of a service at a load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceDraw {
    /// The load.
    pub requests_per_second: f64,
    /// The pools.
    pub pools: Vec<PoolDraw>,
    /// Cards bought that are at work in no pool; they idle.
    pub idle_cards: f64,
    /// IT power, everything beside the cards at its mean.
    pub it_megawatts: f64,
    /// With every phase at the low end of its range.
    pub it_megawatts_low: f64,
    /// With every phase at the high end.
    pub it_megawatts_high: f64,
}

/// Shares of a mean step in compute, memory and communication; `prompts`: share of its work that is prompts.
#[must_use]
pub fn time_by_phase(times: &StepTimes, prompts: f64) -> [f64; 3] {
    let total = times.total();
    let products = (times.products + times.experts + times.head + times.prompt_attention) / total;
    let memory = (times.cache_attention + times.elementwise + times.draft) / total;
    [products * prompts, products * (1.0 - prompts) + memory, (1.0 - products - memory).max(0.0)]
}

/// The draw of one pool of a way at `rate` requests per second in all; none where shares by phase are not known.
/// `prefill`: of the pool for prompts, else of the one that decodes.
#[must_use]
pub fn pool_draw(field: &Field, group: Group, role: &'static str, rate: f64) -> Option<PoolDraw> {
    let ground = &field.ground;
    let item = &field.candidates[group.candidate];
    let (spent, busy) = match role {
        "prefill" => {
            let round = item.prompts?;
            let each = lanes(&item.instance) / round.prompt_busy;
            (time_by_phase(&round.times, 1.0), rate / (each * group.instances as f64))
        }
        _ => decoding(ground, item, role == "serve", rate / group.instances as f64),
    };
    let busy = busy.clamp(0.0, 1.0);
    let cards = (item.devices * group.instances) as f64 / ground.cluster.devices_per_card as f64;
    let shares = ground.cluster.phase_shares?;
    let card = ground.cluster.card_power();
    let cap = ground.cluster.power_caps[ground.place.cap];
    let idle = phase_draw(&card, 0.0, cap).0;
    let at = |of: &dyn Fn(crate::draw::Share) -> f64| {
        let phases = [shares.compute, shares.memory, shares.communication];
        let work: f64 =
            phases.iter().zip(spent).map(|(share, time)| time * phase_draw(&card, of(*share), cap).0).sum();
        busy * work + (1.0 - busy) * idle
    };
    Some(PoolDraw {
        role,
        cards,
        compute: busy * spent[0],
        memory: busy * spent[1],
        communication: busy * spent[2],
        idle: 1.0 - busy,
        card_watts: at(&|share| share.value),
        card_watts_low: at(&|share| share.low),
        card_watts_high: at(&|share| share.high),
    })
}

/// Phases of the step and the busy share of an instance that decodes `each` requests per second.
fn decoding(ground: &Ground, item: &Candidate, together: bool, each: f64) -> ([f64; 3], f64) {
    let (point, _) = point_at(ground, item, together, each);
    if ground.question().is_none() {
        let most = item.together.map_or(each, |best| best.rate);
        return (time_by_phase(&point.round.times, 1.0), each / most);
    }
    let prompts = if together { point.round.mixed_share } else { 0.0 };
    (time_by_phase(&point.round.times, prompts), point.batch)
}

/// Watts of all cards at work in `pools` and of the others that were bought, which idle.
#[must_use]
pub fn all_cards(ground: &Ground, pools: &[PoolDraw], cards: u64) -> Watts {
    let idle = ground.cluster.card_power().idle;
    let working: f64 = pools.iter().map(|pool| pool.cards).sum();
    let drawn: f64 = pools.iter().map(|pool| pool.cards * pool.card_watts).sum();
    Watts(drawn) + idle * (cards as f64 - working).max(0.0)
}

/// The pools of a way at `rate`; none where shares by phase are not known.
#[must_use]
pub fn pools_at(field: &Field, way: &Way, rate: f64) -> Option<Vec<PoolDraw>> {
    let main = if way.prefill.is_some() { "decode" } else { "serve" };
    let groups = way.prefill.iter().map(|front| (*front, "prefill")).chain([(way.main, main)]);
    groups.map(|(group, role)| pool_draw(field, group, role, rate)).collect()
}

/// What a service on `built` draws at `rate`, with its range.
#[must_use]
pub fn service_draw(field: &Field, way: &Way, built: &Plant, rate: f64) -> Option<ServiceDraw> {
    let pools = pools_at(field, way, rate)?;
    let idle_watts = field.ground.cluster.card_power().idle.0;
    let idle_cards = built.cards as f64 - pools.iter().map(|pool| pool.cards).sum::<f64>();
    let beside = (built.it - built.power.cards).0;
    let it = |of: &dyn Fn(&PoolDraw) -> f64| {
        let working: f64 = pools.iter().map(|pool| pool.cards * of(pool)).sum();
        (beside + working + idle_cards * idle_watts) / 1e6
    };
    Some(ServiceDraw {
        requests_per_second: rate,
        idle_cards,
        it_megawatts: it(&|pool| pool.card_watts),
        it_megawatts_low: it(&|pool| pool.card_watts_low),
        it_megawatts_high: it(&|pool| pool.card_watts_high),
        pools,
    })
}

/// The pools of a way at the load that it is built for and at the mean of a year.
pub struct Drawn(Option<[Vec<PoolDraw>; 2]>);

impl Drawn {
    /// Of `way` built for `rate`.
    #[must_use]
    pub fn new(field: &Field, way: &Way, rate: f64) -> Self {
        let mean = field.ground.problem.mean_rate(rate);
        Self(pools_at(field, way, rate).and_then(|busiest| {
            let year = if mean < rate { pools_at(field, way, mean)? } else { busiest.clone() };
            Some([busiest, year])
        }))
    }

    /// `built` with the draw of these pools; as it is where shares by phase are not known.
    #[must_use]
    pub fn on(&self, ground: &Ground, at: &Choice, built: Plant) -> Plant {
        let Some([busiest, year]) = &self.0 else { return built };
        let cards = built.cards;
        let [busiest, year] = [busiest, year].map(|pools| all_cards(ground, pools, cards));
        built.drawing(at, &ground.problem.terms(), busiest, year)
    }
}

/// Whether anything that is asked for hangs on watts, so that the fewest units may not be best.
#[must_use]
pub fn matter(problem: &ServiceProblem) -> bool {
    let objective = problem.search.objective;
    let axes = [Axis::FacilityMegawatts, Axis::TcoUsdPerYear, Axis::EnergyMwhPerYear];
    matches!(objective, Objective::Power | Objective::Energy | Objective::Tco | Objective::TokensPerJoule)
        || limited(&problem.limits)
        || problem.search.front.iter().any(|axis| axes.contains(axis))
}

/// Whether a limit holds the draw of a load down.
#[must_use]
pub fn limited(limits: &Limits) -> bool {
    [limits.facility_watts, limits.it_watts, limits.transformer_watts, limits.ups_watts]
        .iter()
        .any(Option::is_some)
}

/// Of `ways` built for `rate`, in their order: those of which no other takes as few units and draws as little, at the
/// busiest and over the year.
///
/// On one ground and cooling all that is bought grows with the units, and watts are those of the units beside the cards
/// and those of the cards, so that no other way is better under any objective, limit or axis.
#[must_use]
pub fn thrifty(field: &Field, mut ways: Vec<Way>, rate: f64) -> Vec<Way> {
    ways.sort_unstable();
    let ground = &field.ground;
    let mean = ground.problem.mean_rate(rate);
    let idle = ground.cluster.card_power().idle.0;
    let least = ground.problem.limits.cards_min.div_ceil(ground.cluster.unit_cards);
    let mut known: BTreeMap<(bool, bool, Group), [f64; 2]> = BTreeMap::new();
    // Watts above those of an idle card.
    let mut above = |group: Group, role: &'static str| {
        *known.entry((role == "prefill", role == "serve", group)).or_insert_with(|| {
            let at = |rate| {
                let drawn = pool_draw(field, group, role, rate);
                drawn.map_or(0.0, |pool| pool.cards * (pool.card_watts - idle))
            };
            let busiest = at(rate);
            [busiest, if mean < rate { at(mean) } else { busiest }]
        })
    };
    let mut kept: Vec<(Way, [f64; 2])> = Vec::new();
    for way in ways {
        let main = above(way.main, if way.prefill.is_some() { "decode" } else { "serve" });
        let front = way.prefill.map_or([0.0, 0.0], |group| above(group, "prefill"));
        let cards = (way.units.max(least) * ground.cluster.unit_cards) as f64;
        let watts = [0, 1].map(|at| cards * idle + main[at] + front[at]);
        let beaten = kept.iter().any(|(_, other)| other[0] <= watts[0] && other[1] <= watts[1]);
        if !beaten {
            kept.push((way, watts));
        }
    }
    kept.into_iter().map(|(way, _)| way).collect()
}
