//! Bounds by themselves: none is below what it bounds, on random small spaces and where nothing but the bounded part of a
//! step is left. A search that agrees with nested loops does not show it: a bound a per cent too bold is mostly harmless.

mod common;

use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::problem::{Axis, Limits, Objective, Problem};
use planner_core::search::holding::Place;
use planner_core::search::incumbents::Incumbents;
use planner_core::search::tally::Tally;
use planner_core::search::units::{Best, Tables, Unit, Units};
use planner_core::search::variant::{Variant, bench, variants};
use planner_core::search::view::View;
use planner_core::search::work::{Sink, Together, work};
use planner_core::search::{Found, search};
use planner_core::training::layout::{Layout, Recompute};
use planner_core::training::memory::LocalParameters;
use planner_core::training::pieces::pieces;
use planner_core::training::schedule::Schedule;
use planner_core::training::stages::stages;
use planner_core::training::step::{Family, filled};
use planner_core::training::switches::places;
use planner_core::units::{Bytes, Seconds};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Cards of a server: every layout of [`single`] fills one, so that each dp has a size of its own.
const SERVERS: u64 = 40;

/// Keeps what bounds it is shown, refuses nothing above its floor, and holds every plan against them.
struct Witness {
    floor: f64,
    cards_per_server: f64,
    /// Sizes from the first to the last, and the rate per card that nothing on them exceeds.
    out: Vec<(usize, usize, f64)>,
    taken: Vec<(u64, usize, Best)>,
    /// Plan and bound of each kind that came nearest to one another, as a share of the bound.
    nearest: [f64; 2],
    ceilings: std::cell::RefCell<Vec<(Place, f64)>>,
    asked: std::cell::RefCell<Vec<(usize, usize, f64)>>,
}

impl Witness {
    fn new(floor: f64, cards_per_server: u64) -> Self {
        Self {
            floor,
            cards_per_server: cards_per_server as f64,
            out: Vec::new(),
            taken: Vec::new(),
            nearest: [0.0; 2],
            ceilings: std::cell::RefCell::default(),
            asked: std::cell::RefCell::default(),
        }
    }
}

impl Sink for Witness {
    fn last_size(&self) -> Option<usize> {
        Some(usize::MAX - 1)
    }

    fn floor(&self) -> f64 {
        self.floor
    }

    fn out(&self, (first, last): (usize, usize), per_card: f64) -> bool {
        self.asked.borrow_mut().push((first, last, per_card));
        false
    }

    fn wants(&self, place: Place, _replicas: u64, ceiling: f64) -> bool {
        self.ceilings.borrow_mut().push((place, ceiling));
        true
    }

    fn take(&mut self, _variant: &Variant, place: Place, best: Best) {
        self.out.append(&mut self.asked.borrow_mut());
        let per_card = best.rate / (place.servers as f64 * self.cards_per_server);
        let own = usize::try_from(place.servers).unwrap() - 1;
        for &(first, last, most) in self.out.iter().filter(|(first, last, _)| (*first..=*last).contains(&own))
        {
            assert!(per_card <= most, "{per_card} a card on sizes {first} to {last}, bound {most}: {best:?}");
            self.nearest[0] = self.nearest[0].max(per_card / most);
        }
        for (at, ceiling) in self.ceilings.borrow().iter().filter(|(at, _)| *at == place) {
            assert!(best.rate <= *ceiling * (1.0 + 1e-12), "{} above {ceiling} on {at:?}", best.rate);
            self.nearest[1] = self.nearest[1].max(best.rate / ceiling);
        }
        self.taken.push((place.servers, place.network, best));
    }
}

/// One pipeline on servers that it fills, on two fabrics at two clocks.
#[derive(Debug, Clone)]
struct Single {
    moe: bool,
    layers: u32,
    degrees: (u64, u64, u64),
    micro_batch: u64,
    batch: u64,
    recompute: Recompute,
    sharding: Vec<u8>,
    schedule: Schedule,
    /// No latency, no fixed time, no stragglers, sends hidden: passes and bubble are the whole step.
    bare: bool,
}

fn single() -> impl Strategy<Value = Single> {
    let schedules = vec![Schedule::OneForwardOneBackward, Schedule::ZeroBubble, Schedule::DualPipe];
    let degrees = (
        prop::sample::select(vec![1_u64, 2, 4]),
        prop::sample::select(vec![1_u64, 1, 2, 4]),
        prop::sample::select(vec![1_u64, 1, 2]),
    );
    (
        (any::<bool>(), 4..17_u32, degrees, prop::sample::select(vec![1_u64, 2]), 8..400_u64),
        prop::sample::select(vec![Recompute::None, Recompute::Selective, Recompute::Full]),
        prop::sample::subsequence(vec![0_u8, 1, 3], 1..=3),
        prop::sample::select(schedules),
        any::<bool>(),
    )
        .prop_map(|(job, recompute, sharding, schedule, bare)| Single {
            moe: job.0,
            layers: job.1,
            degrees: job.2,
            micro_batch: job.3,
            batch: job.4,
            recompute,
            sharding,
            schedule,
            bare,
        })
}

fn problem(v: &Single) -> Problem {
    let mut problem = common::problem();
    let (tp, pp, vpp) = v.degrees;
    problem.model = if v.moe { common::moe_model() } else { common::dense_model() };
    problem.model.layers = v.layers;
    problem.training.global_batch = v.batch;
    problem.training.batch_tolerance = 0.1;
    problem.target.days = None;
    problem.limits = Limits::cards(1, SERVERS * tp * pp);
    let cluster = &mut problem.clusters[0];
    cluster.device.memory.0 = 1e13;
    cluster.cards_per_server = tp * pp;
    cluster.unit_cards = tp * pp;
    cluster.domain_cards = tp * pp;
    cluster.levels[0].size = tp * pp;
    cluster.fabrics[0].ports_per_server = 1;
    cluster.fabrics.push(cluster.fabrics[0].clone());
    cluster.fabrics[1].oversubscription = 3.0;
    cluster.power_caps = vec![1.0, 0.8];
    if v.bare {
        cluster.levels[0].latency = Seconds::ZERO;
        for fabric in &mut cluster.fabrics {
            (fabric.latency, fabric.latency_per_tier) = (Seconds::ZERO, Seconds::ZERO);
        }
        let software = &mut problem.software;
        software.fixed_step = Seconds::ZERO;
        software.jitter_per_doubling = 0.0;
        software.pp_overlap = 1.0;
        software.dp_overlap = 1.0;
    }
    let space = &mut problem.space;
    (space.tp, space.pp, space.vpp) = (vec![tp], vec![pp], vec![vpp]);
    space.micro_batch = vec![v.micro_batch];
    space.recompute = vec![v.recompute];
    space.sharding.clone_from(&v.sharding);
    space.schedule = vec![v.schedule];
    problem
}

/// A space laid out, with the units of it.
struct Laid {
    problem: Problem,
    variants: Vec<Variant>,
    units: Units,
    tables: Tables,
}

impl Laid {
    fn new(problem: Problem) -> Self {
        let variants = variants(&problem).unwrap();
        let units = Units::new(&problem, &variants);
        let most = variants.iter().map(Variant::most_cards).max().unwrap_or(0);
        let tables = Tables::new(&problem, most * problem.clusters[0].devices_per_card);
        Self { problem, variants, units, tables }
    }

    fn all(&self) -> Vec<Unit> {
        self.units.blocks().flatten().collect()
    }

    /// What the variants see of all units, with a floor for each of them.
    fn witnessed(&self, floors: &[f64]) -> Vec<(usize, Witness)> {
        let servers = self.problem.clusters[0].cards_per_server;
        let mut sinks: Vec<_> = (floors.iter().enumerate())
            .map(|(index, floor)| (index, Witness::new(*floor, servers)))
            .collect();
        for unit in self.all() {
            work(&self.problem, &self.variants, &self.tables, &unit, &mut sinks, &mut Tally::default());
        }
        sinks
    }
}

/// The nearest that a bound on ranges and a bound on single candidates came to what they bound.
fn hold(v: &Single) -> [f64; 2] {
    let laid = Laid::new(problem(v));
    let count = laid.variants.len();
    let seen = laid.witnessed(&vec![0.0; count]);
    // Whoever asks for a rate gets every layout that has it: what bounds cut in bulk is slower.
    for tenth in [0, 3, 9, 10] {
        let floor = |(_, witness): &(usize, Witness)| {
            let mut rates: Vec<f64> = witness.taken.iter().map(|(.., best)| best.rate).collect();
            rates.sort_by(f64::total_cmp);
            rates.get((rates.len() * tenth / 10).min(rates.len().saturating_sub(1))).copied().unwrap_or(0.0)
        };
        let floors: Vec<f64> = seen.iter().map(floor).collect();
        for ((of, (_, all)), (_, some)) in (0..).zip(&seen).zip(&laid.witnessed(&floors)) {
            for plan in all.taken.iter().filter(|(.., best)| best.rate >= floors[of]) {
                assert!(some.taken.contains(plan), "{plan:?} is lost under a floor of {}", floors[of]);
            }
        }
    }
    let nearest = |kind: usize| seen.iter().map(|(_, witness)| witness.nearest[kind]).fold(0.0, f64::max);
    [nearest(0), nearest(1)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(73),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_plan_is_faster_than_a_bound_that_it_was_held_against(v in single()) {
        hold(&v);
    }

    /// To the bit: stages that another one outdoes are left out of both.
    #[test]
    fn gradient_traffic_and_update_are_those_of_the_slowest_of_all_stages(v in single(), tied in any::<bool>()) {
        let mut problem = problem(&v);
        problem.model.tied_embeddings = tied;
        let laid = Laid::new(problem);
        let bench = bench(&laid.problem, &laid.variants[0], 0);
        let (tp, pp, vpp) = v.degrees;
        let base = Layout { tp, pp, vpp, micro_batch: v.micro_batch, schedule: v.schedule, ..Layout::default() };
        let dealt = stages(&laid.problem.model, pp, vpp, &base.stage_layers);
        let fewer = filled(&laid.problem.model, &base, &dealt);
        let all = fewer.iter().map(|(stage, own)| (*stage, LocalParameters { outdone: false, ..*own })).collect();
        let pieces = pieces(&bench, &base);
        let of = |stages| Family::with_stages(base, pieces, stages);
        let (fewer, all) = (of(fewer), of(all));
        for (sharding, dp) in (0..4).flat_map(|sharding| [1, 2, 7, 24].map(|dp| (sharding, dp))) {
            let layout = Layout { sharding, dp, ..base };
            let places = places(&layout, bench.domain);
            prop_assert_eq!(fewer.traffic(&bench, &layout, &places, 3.0), all.traffic(&bench, &layout, &places, 3.0));
            prop_assert_eq!(fewer.update(&bench, &layout), all.update(&bench, &layout));
        }
    }
}

/// Bounds so tight that a hundredth more would cut the best plan: one data rank with hundreds of micro-batches, nothing
/// but passes and bubble.
#[test]
fn bounds_are_reached_where_nothing_else_is_left() {
    let mut base = Single {
        moe: false,
        layers: 16,
        degrees: (1, 1, 1),
        micro_batch: 1,
        batch: 399,
        recompute: Recompute::None,
        sharding: vec![1],
        schedule: Schedule::OneForwardOneBackward,
        bare: true,
    };
    for (tp, pp, vpp) in [(1, 1, 1), (4, 1, 1), (1, 4, 1), (2, 2, 2)] {
        base.degrees = (tp, pp, vpp);
        for recompute in [Recompute::None, Recompute::Full] {
            base.recompute = recompute;
            let nearest = hold(&base);
            assert!(nearest.iter().all(|share| *share > 0.995), "{:?}: {nearest:?}", base.degrees);
        }
    }
}

/// Activations of large micro-batches are nearly all that fully sharded states leave: a device that just holds the layout holds it,
/// whatever its states are known to need at least.
#[test]
fn what_just_fits_is_not_out_by_the_floor_of_memory() {
    let v = Single {
        moe: false,
        layers: 16,
        degrees: (1, 1, 1),
        micro_batch: 64,
        batch: 64 * SERVERS,
        recompute: Recompute::None,
        sharding: vec![3],
        schedule: Schedule::OneForwardOneBackward,
        bare: false,
    };
    let mut problem = problem(&v);
    let dp = SERVERS;
    let layout = Layout { dp, micro_batch: 64, sharding: 3, sequence_parallel: true, ..Layout::default() };
    let choice = DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: None, layout };
    let need = evaluate(&problem, &choice).unwrap().memory;
    let states = need.breakdown.weights + need.breakdown.gradients + need.breakdown.optimizer;
    assert!(states.0 < 0.01 * need.per_device_bytes, "{states:?} of {}", need.per_device_bytes);
    problem.clusters[0].device.memory = Bytes(need.per_device_bytes);
    let laid = Laid::new(problem);
    let seen = laid.witnessed(&vec![0.0; laid.variants.len()]);
    assert!(seen.iter().all(|(_, own)| own.taken.iter().any(|(.., best)| best.layout.dp == dp)));
}

/// The floor of variants together is the least of theirs: a range of sizes is out on all of them exactly where it is on each.
#[test]
fn variants_together_put_out_what_each_of_them_does() {
    let mut problem = common::problem();
    problem.target.days = None;
    problem.clusters[0].power_caps = vec![1.0, 0.7];
    problem.clusters[0].fabrics.push(common::fabric(3.0));
    let laid = Laid::new(problem);
    let mut known = Incumbents::new(&laid.problem, &laid.variants);
    let (mut cut, mut asked) = (0, 0);
    for unit in laid.all() {
        let mut sinks: Vec<(usize, View)> =
            (0..laid.variants.len()).map(|index| (index, View::new(&known, index))).collect();
        let sizes = laid.variants[0].sizes.len();
        for cap in [None, Some(0), Some(1)] {
            let of = Together { variants: &laid.variants, cluster: 0, cap };
            for range in
                (0..sizes).map(|first| (first, (first * 7 + 3) % sizes.max(1))).filter(|r| r.0 <= r.1)
            {
                let own = sinks.iter().filter(|(at, _)| cap.is_none_or(|cap| laid.variants[*at].cap == cap));
                let least = own
                    .map(|(_, sink)| threshold(|rate| sink.out(range, rate)))
                    .fold(f64::INFINITY, f64::min);
                let together = threshold(|rate| View::all_out(&sinks, of, range, rate));
                assert!((together - least).abs() <= 1e-9 * least, "{together} for {least}");
                (cut, asked) = (cut + u32::from(least > 0.0), asked + 1);
            }
        }
        work(&laid.problem, &laid.variants, &laid.tables, &unit, &mut sinks, &mut Tally::default());
        let found: Vec<_> = sinks.into_iter().map(|(index, view)| (index, view.found)).collect();
        for (index, found) in found {
            known.merge(&laid.variants, index, &found);
        }
        known.settle(&laid.problem, &laid.variants);
    }
    assert!(cut > asked / 2, "only {cut} of {asked} ranges had a floor");
}

/// Searches whose answers are made of plans on many plants: objective, front, cards at least.
const ANSWERS: [(Objective, &[Axis], u64); 7] = [
    (Objective::Throughput, &[Axis::TokensPerSecond, Axis::FacilityMegawatts, Axis::CapexUsd], 1),
    (Objective::Days, &[Axis::Days, Axis::TcoUsdPerYear], 1),
    (Objective::Cards, &[Axis::TokensPerSecond, Axis::FacilityMegawatts], 1),
    (Objective::Throughput, &[], 1),
    (Objective::Energy, &[], 1),
    (Objective::TokensPerJoule, &[], 1),
    // One size is left.
    (Objective::Throughput, &[Axis::TokensPerSecond], 64),
];

/// What is known at any moment never puts out a plan of the answer, neither by a floor of its size nor by plans on other
/// plants nor by what a unit itself found. Without failures nothing is kept back, so floors are as high as they may be.
#[test]
fn no_plan_of_the_answer_is_out_at_any_time() {
    for (objective, front, cards_min) in ANSWERS {
        let mut problem = common::problem();
        problem.target.days = None;
        problem.limits = Limits::cards(cards_min, 64);
        problem.search.objective = objective;
        problem.search.front = front.to_vec();
        problem.clusters[0].power_caps = vec![0.7, 1.0];
        problem.clusters[0].fabrics.push(common::fabric(3.0));
        problem.space.tp = vec![1, 2, 4, 8];
        let answer = search(&problem, &mut |_| true).unwrap();
        let laid = Laid::new(problem);
        // Without axes only the best plan counts.
        let of_front = answer.front.into_iter().filter(|_| !front.is_empty());
        let plans: Vec<Found> = answer.best.into_iter().chain(of_front).collect();
        assert!(!plans.is_empty());
        let mut known = Incumbents::new(&laid.problem, &laid.variants);
        for unit in laid.all() {
            let views = (0..laid.variants.len()).map(|index| (index, View::new(&known, index)));
            let mut views: Vec<(usize, View)> = views.collect();
            work(&laid.problem, &laid.variants, &laid.tables, &unit, &mut views, &mut Tally::default());
            for plan in &plans {
                laid.is_wanted(plan, &views[plan.variant].1);
            }
            let found: Vec<_> = views.into_iter().map(|(index, view)| (index, view.found)).collect();
            for (index, found) in found {
                known.merge(&laid.variants, index, &found);
            }
            known.settle(&laid.problem, &laid.variants);
        }
        for plan in &plans {
            laid.is_wanted(plan, &View::new(&known, plan.variant));
        }
    }
}

impl Laid {
    /// Asserts that a view would still look at a plan.
    fn is_wanted(&self, plan: &Found, view: &View) {
        let variant = &self.variants[plan.variant];
        let cluster = &self.problem.clusters[0];
        let layout = plan.best.layout;
        let active = layout.devices() / cluster.devices_per_card;
        let first = variant.size_for(cluster.unit_cards, active).unwrap();
        let own = variant.sizes.iter().find(|size| size.cards == plan.cards).unwrap();
        let place = variant.places(active, first).find(|place| place.network == own.network).unwrap();
        let rate = plan.best.rate;
        assert!(view.floor() <= rate, "{} is asked of {plan:?}", view.floor());
        assert!(view.wants(place, layout.replicas(), rate), "not wanted: {plan:?}");
        let per_card = rate / variant.sizes[first].cards as f64 * (1.0 + 1e-9);
        assert!(!view.out((first, first), per_card), "out: {plan:?}");
        assert!(view.last_size().is_some_and(|last| last >= first), "no size is left for {plan:?}");
    }
}

/// The least rate that is not out.
fn threshold(out: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..90 {
        let middle = f64::midpoint(low, high);
        if out(middle) { low = middle } else { high = middle }
    }
    low
}

/// A layout of a unit is that of the space.
#[test]
fn a_unit_of_these_spaces_is_one_pipeline() {
    let v = Single {
        moe: true,
        layers: 8,
        degrees: (2, 2, 1),
        micro_batch: 1,
        batch: 64,
        recompute: Recompute::Full,
        sharding: vec![0, 1],
        schedule: Schedule::ZeroBubble,
        bare: false,
    };
    let laid = Laid::new(problem(&v));
    let units = laid.all();
    assert_eq!(units.len(), 1);
    let seen = laid.witnessed(&vec![0.0; laid.variants.len()]);
    let layouts = |(_, witness): &(usize, Witness)| -> Vec<Layout> {
        witness.taken.iter().map(|(.., best)| best.layout).collect()
    };
    assert!(seen.iter().flat_map(layouts).all(|layout| (layout.tp, layout.pp) == (2, 2)));
    assert!(seen.iter().all(|(_, witness)| witness.taken.len() > 20));
}
