//! The search against its twin: nested loops over the documented space that share only `evaluate`.

mod common;

use planner_core::evaluate::design::Design;
use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::fabric::FabricKind;
use planner_core::problem::{Axis, ExpertTensor, Objective, Problem, SwitchSpace, Weight};
use planner_core::search::{Found, search};
use planner_core::training::layout::{Layout, Recompute};
use planner_core::training::schedule::{ContextKind, Schedule};
use planner_core::training::switches::{SequenceGather, TensorOverlap, Tier};
use proptest::prelude::*;

/// Each of `layouts` with each of `values` set.
fn cross<T: Copy>(layouts: &[Layout], values: &[T], set: impl Fn(&mut Layout, T)) -> Vec<Layout> {
    let with = |layout: &Layout, value: T| {
        let mut layout = *layout;
        set(&mut layout, value);
        layout
    };
    layouts
        .iter()
        .flat_map(|layout| values.iter().map(|value| with(layout, *value)).collect::<Vec<_>>())
        .collect()
}

/// All layouts of the documented space on so many devices, lawful or not.
fn layouts(problem: &Problem, devices: u64) -> Vec<Layout> {
    let space = &problem.space;
    let switches = &space.switches;
    let mut all = vec![Layout::default()];
    all = cross(&all, &space.tp, |layout, value| layout.tp = value);
    all = cross(&all, &space.pp, |layout, value| layout.pp = value);
    all = cross(&all, &space.vpp, |layout, value| layout.vpp = value);
    all = cross(&all, &space.cp, |layout, value| layout.cp = value);
    all = cross(&all, &space.ep, |layout, value| layout.ep = value);
    all = cross(&all, &space.etp, |layout, value| {
        layout.etp = if value == ExpertTensor::Tensor { layout.tp } else { 1 };
    });
    all = cross(&all, &space.micro_batch, |layout, value| layout.micro_batch = value);
    all = cross(&all, &space.recompute, |layout, value| layout.recompute = value);
    all = cross(&all, &space.sharding, |layout, value| layout.sharding = value);
    all = cross(&all, &space.sequence_parallel, |layout, value| layout.sequence_parallel = value);
    let or = |given: &[u64]| if given.is_empty() { vec![0] } else { given.to_vec() };
    all = cross(&all, &or(&space.recompute_layers), |layout, value| layout.recompute_layers = value);
    let usual = [Schedule::OneForwardOneBackward];
    let schedules = if space.schedule.is_empty() { &usual[..] } else { &space.schedule };
    all = cross(&all, schedules, |layout, value| layout.schedule = value);
    let kinds = if space.cp_kind.is_empty() { &[ContextKind::Ring][..] } else { &space.cp_kind };
    all = cross(&all, kinds, |layout, value| layout.cp_kind = value);
    all = cross(&all, &space.splits(), |layout, value| layout.stage_layers = value);
    all = cross(&all, &switches.tp_overlap, |layout, value| layout.switches.tp_overlap = value);
    all = cross(&all, &switches.sequence_gather, |layout, value| layout.switches.sequence_gather = value);
    all = cross(&all, &switches.p2p_scatter, |layout, value| layout.switches.p2p_scatter = value);
    all = cross(&all, &switches.dp_overlap, |layout, value| layout.switches.dp_overlap = value);
    all = cross(&all, &switches.fused_activation, |layout, value| layout.switches.fused_activation = value);
    all = cross(&all, &switches.offload_weights, |layout, value| layout.switches.offload_weights = value);
    all = cross(&all, &switches.offload_activations, |layout, value| {
        layout.switches.offload_activations = value;
    });
    all = cross(&all, &switches.offload_optimizer, |layout, value| layout.switches.offload_optimizer = value);
    all = cross(&all, &switches.tp_network, |layout, value| layout.switches.tp_network = value);
    all = cross(&all, &switches.pp_network, |layout, value| layout.switches.pp_network = value);
    all = cross(&all, &switches.dp_network, |layout, value| layout.switches.dp_network = value);
    let ranks = |layout: &Layout| layout.tp * layout.pp * layout.cp;
    let every: Vec<u64> = (1..=devices).collect();
    all = cross(&all, space.dp.as_deref().unwrap_or(&every), |layout, value| layout.dp = value);
    all.retain(|layout| ranks(layout) * layout.dp <= devices && is_choice(problem, layout));
    all
}

/// Whether the switches of a layout are choices at all (docs/search.md): one with nothing to act on has its first
/// value. Only those are looked at whose other values would not come to the same time and memory.
fn is_choice(problem: &Problem, layout: &Layout) -> bool {
    let space = &problem.space;
    let whole = layout.recompute == Recompute::Full;
    let single = layout.dp == 1 && layout.cp == 1 && problem.model.moe.is_none();
    let switches = &layout.switches;
    let kept = switches.offload_activations == space.switches.offload_activations[0]
        && switches.sequence_gather == space.switches.sequence_gather[0];
    (!whole || kept) && (!single || layout.sharding == space.sharding[0])
}

/// Every lawful design of the documented space that meets target and limits, by plain loops (docs/search.md).
fn brute_force(problem: &Problem) -> Vec<Design> {
    let mut found = Vec::new();
    for (cluster_index, cluster) in problem.clusters.iter().enumerate() {
        let most = problem.limits.cards_max.min(cluster.max_cards.unwrap_or(u64::MAX));
        let all = layouts(problem, most * cluster.devices_per_card);
        for fabric in 0..cluster.fabrics.len() {
            for cooling in 0..cluster.coolings.len() {
                for &power_cap in &cluster.power_caps {
                    for &layout in &all {
                        let choice = DesignChoice {
                            cluster: cluster_index,
                            fabric,
                            cooling,
                            power_cap,
                            cards: None,
                            layout,
                        };
                        if let Ok(design) = evaluate(problem, &choice)
                            && design.broken_rules.is_empty()
                        {
                            found.push(design);
                        }
                    }
                }
            }
        }
    }
    found
}

fn cost(problem: &Problem, design: &Design, axis: Axis) -> f64 {
    let _ = problem;
    match axis {
        Axis::Cards => design.cards.total as f64,
        Axis::FacilityMegawatts => design.facility.facility_design_megawatts,
        Axis::CapexUsd => design.cost.capex_usd.unwrap_or(f64::INFINITY),
        Axis::Days => design.performance.days,
        Axis::TokensPerSecond => -design.performance.tokens_per_second * design.performance.goodput,
        Axis::TcoUsdPerYear => design.cost.tco_usd_per_year.unwrap_or(f64::INFINITY),
        Axis::EnergyMwhPerYear => design.facility.energy_mwh_per_year,
    }
}

fn objective(problem: &Problem, design: &Design) -> f64 {
    if !problem.search.weights.is_empty() {
        let weights = problem.search.weights.iter();
        return weights.map(|part| part.weight * cost(problem, design, part.axis)).sum();
    }
    let rate = design.performance.tokens_per_second * design.performance.goodput;
    match problem.search.objective {
        Objective::Cards => cost(problem, design, Axis::Cards),
        Objective::Days => design.performance.days,
        Objective::Throughput => -rate,
        Objective::Power => cost(problem, design, Axis::FacilityMegawatts),
        Objective::Energy => design.facility.facility_megawatts * design.performance.days,
        Objective::Capex => cost(problem, design, Axis::CapexUsd),
        Objective::Tco => cost(problem, design, Axis::TcoUsdPerYear),
        Objective::TokensPerJoule => design.facility.facility_megawatts / rate,
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) || a == b
}

fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(x, y)| x <= y) && a.iter().zip(b).any(|(x, y)| x < y)
}

fn costs(problem: &Problem, design: &Design) -> Vec<f64> {
    problem.search.front.iter().map(|axis| cost(problem, design, *axis)).collect()
}

/// The front of `designs` as distinct cost vectors.
fn front(problem: &Problem, designs: &[Design]) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = designs.iter().map(|design| costs(problem, design)).collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all.dedup();
    let mut kept: Vec<Vec<f64>> = Vec::new();
    for point in all {
        if !kept.iter().any(|other| dominates(other, &point)) {
            kept.push(point);
        }
    }
    kept
}

fn found_costs(problem: &Problem, found: &Found) -> Vec<f64> {
    let choice = DesignChoice {
        cluster: found.cluster,
        fabric: found.fabric,
        cooling: found.cooling,
        power_cap: found.power_cap,
        cards: Some(found.cards),
        layout: found.best.layout,
    };
    costs(problem, &evaluate(problem, &choice).unwrap())
}

fn agree(problem: &Problem) {
    let outcome = search(problem, &mut |_| true).unwrap();
    let designs = brute_force(problem);
    let counts = &outcome.tally;
    let rejected: u64 = counts.rejected.total();
    // A candidate timed and then found too slow is counted as timed and as rejected.
    assert!(counts.enumerated <= rejected + counts.bounded.total() + counts.timed);
    let best = designs.iter().map(|design| objective(problem, design)).fold(f64::INFINITY, f64::min);
    match outcome.best {
        None => assert!(designs.is_empty(), "the search found nothing, brute force {}", designs.len()),
        Some(found) => {
            let choice = DesignChoice {
                cluster: found.cluster,
                fabric: found.fabric,
                cooling: found.cooling,
                power_cap: found.power_cap,
                cards: Some(found.cards),
                layout: found.best.layout,
            };
            let design = evaluate(problem, &choice).unwrap();
            assert!(design.broken_rules.is_empty(), "{:?}", design.broken_rules);
            assert!(
                near(objective(problem, &design), best),
                "{} against {best}",
                objective(problem, &design)
            );
            assert!(near(design.performance.tokens_per_second, found.best.rate));
        }
    }
    let twin = front(problem, &designs);
    assert_eq!(outcome.front_total, twin.len(), "points of the front");
    for (found, wanted) in outcome.front.iter().zip(&twin) {
        let got = found_costs(problem, found);
        assert!(got.iter().zip(wanted).all(|(a, b)| near(*a, *b)), "{got:?} against {wanted:?}");
    }
}

/// Spares: not asked for, as many as pay on servers that fail often, the same inside domains, for a confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Failing {
    AtOnce,
    OftenAnywhere,
    OftenInDomains,
    Confident,
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // independent switches
struct Variation {
    moe: bool,
    layers: u32,
    batch: u64,
    tolerance: f64,
    cards_max: u64,
    cards_min: u64,
    target: Option<f64>,
    power: Option<f64>,
    capex: Option<f64>,
    objective: Objective,
    weights: Vec<Weight>,
    with_rate_axis: bool,
    memory: f64,
    dies: u64,
    mesh: bool,
    caps: Vec<f64>,
    oversubscribed: bool,
    price_known: bool,
    unit: u64,
    failures: Failing,
    kind: FabricKind,
    boundary: usize,
    heavy: Option<f64>,
    tp: Vec<u64>,
    pp: Vec<u64>,
    widened: Widened,
}

/// Which few switches are choices, and whether the batch is a most.
#[derive(Debug, Clone)]
struct Widened {
    switches: SwitchSpace,
    host_memory: f64,
    attention: bool,
    at_most: bool,
}

/// Up to two switches are choices, so that nested loops stay small.
fn widened() -> impl Strategy<Value = Widened> {
    let switch = || 0..10_usize;
    let host = prop::sample::select(vec![0.1e9, 5e9, 250e9]);
    (switch(), switch(), host, any::<bool>(), any::<bool>()).prop_map(
        |(one, other, host_memory, attention, at_most)| {
            let mut switches = SwitchSpace::default();
            for switch in [one, other] {
                match switch {
                    0 => {
                        switches.tp_overlap =
                            vec![TensorOverlap::None, TensorOverlap::Ring, TensorOverlap::Pipe];
                    }
                    1 => switches.sequence_gather = vec![SequenceGather::Kept, SequenceGather::Redone],
                    2 => switches.p2p_scatter = vec![false, true],
                    3 => switches.dp_overlap = vec![true, false],
                    4 => switches.fused_activation = vec![true, false],
                    5 => switches.offload_weights = vec![false, true],
                    6 => switches.offload_activations = vec![false, true],
                    7 => switches.offload_optimizer = vec![false, true],
                    8 => {
                        switches.tp_network = vec![Tier::ScaleUp, Tier::ScaleOut];
                        switches.pp_network = vec![Tier::ScaleOut];
                        switches.dp_network = vec![Tier::ScaleUp, Tier::ScaleOut];
                    }
                    _ => {}
                }
            }
            Widened { switches, host_memory, attention, at_most }
        },
    )
}

/// Power against days, or against cards.
fn weights((power, other, in_days): (f64, f64, bool)) -> Vec<Weight> {
    let second = if in_days { Axis::Days } else { Axis::Cards };
    vec![
        Weight { axis: Axis::FacilityMegawatts, weight: power },
        Weight { axis: second, weight: other * 0.01 },
    ]
}

fn variation() -> impl Strategy<Value = Variation> {
    let workload = (any::<bool>(), 3..14_u32, 8..96_u64, prop::sample::select(vec![0.0, 0.02, 0.1]));
    let limits = (
        8..72_u64,
        prop::sample::select(vec![1_u64, 1, 17]),
        prop::option::of(0.3..40.0_f64),
        prop::option::of(0.01..0.06_f64),
        prop::option::of(1e6..1e7_f64),
        0..6_usize,
        prop::sample::select(vec![None, None, Some(400.0), Some(90.0)]),
    );
    let objective = (
        prop::sample::select(vec![
            Objective::Cards,
            Objective::Days,
            Objective::Throughput,
            Objective::Power,
            Objective::Energy,
            Objective::Capex,
            Objective::Tco,
            Objective::TokensPerJoule,
        ]),
        any::<bool>(),
        prop::option::of((0.1..10.0_f64, 0.1..10.0_f64, any::<bool>())),
    );
    let hardware = (
        prop::sample::select(vec![20e9, 40e9, 80e9]),
        prop::sample::select(vec![1_u64, 2]),
        any::<bool>(),
        prop::sample::select(vec![vec![1.0], vec![1.0, 0.8]]),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![8_u64, 16]),
        prop::sample::select(vec![
            FabricKind::RailOptimised,
            FabricKind::LeafSpine,
            FabricKind::MultiPlane,
            FabricKind::Dragonfly,
            FabricKind::Torus,
        ]),
        prop::sample::select(vec![
            Failing::AtOnce,
            Failing::OftenAnywhere,
            Failing::OftenInDomains,
            Failing::Confident,
        ]),
    );
    let degrees = (
        prop::sample::subsequence(vec![1_u64, 2, 4], 1..=3),
        prop::sample::subsequence(vec![1_u64, 2, 3, 4], 1..=3),
    );
    (workload, limits, objective, hardware, degrees, widened()).prop_map(|(w, l, o, h, d, s)| Variation {
        moe: w.0,
        layers: w.1,
        batch: w.2,
        tolerance: w.3,
        cards_max: l.0,
        cards_min: l.1,
        target: l.2,
        power: l.3,
        capex: l.4,
        objective: o.0,
        with_rate_axis: o.1,
        weights: o.2.map_or(Vec::new(), weights),
        memory: h.0,
        dies: h.1,
        mesh: h.2,
        caps: h.3,
        oversubscribed: h.4,
        price_known: h.5,
        unit: h.6,
        kind: h.7,
        failures: h.8,
        boundary: l.5,
        heavy: l.6,
        tp: d.0,
        pp: d.1,
        widened: s,
    })
}

fn build(v: &Variation) -> Problem {
    let mut problem = common::problem();
    problem.model = if v.moe { common::moe_model() } else { common::dense_model() };
    problem.model.layers = v.layers;
    problem.training.global_batch = v.batch;
    problem.training.batch_tolerance = v.tolerance;
    problem.training.tokens = 1e10;
    problem.target.days = v.target;
    problem.limits.cards_min = v.cards_min.min(v.cards_max);
    problem.limits.cards_max = v.cards_max;
    let limits = &mut problem.limits;
    let limit = [
        &mut limits.facility_watts,
        &mut limits.transformer_watts,
        &mut limits.ups_watts,
        &mut limits.nameplate_intake_watts,
        &mut limits.liquid_watts,
        &mut limits.air_watts,
    ];
    for (index, watts) in limit.into_iter().enumerate() {
        *watts = v.power.filter(|_| index == v.boundary).map(|megawatts| megawatts * 1e6);
    }
    problem.rack.kilograms = v.heavy;
    problem.limits.capex_usd = v.capex;
    problem.search.objective = v.objective;
    problem.search.weights.clone_from(&v.weights);
    if v.with_rate_axis {
        problem.search.front[0] = Axis::TokensPerSecond;
    }
    let cluster = &mut problem.clusters[0];
    cluster.device.memory.0 = v.memory;
    cluster.devices_per_card = v.dies;
    cluster.unit_cards = v.unit;
    cluster.power_caps.clone_from(&v.caps);
    if v.mesh {
        cluster.levels[0].topology = planner_core::hardware::Topology::FullMesh;
    }
    cluster.server_mass = Some(100.0);
    cluster.fabrics[0].kind = v.kind;
    if v.kind == FabricKind::MultiPlane {
        cluster.fabrics[0].planes = 2;
    }
    if v.oversubscribed {
        cluster.fabrics.push(common::fabric(3.0));
    }
    if v.failures != Failing::AtOnce {
        cluster.failures_per_server_day = 0.05;
        let mut model = common::failures();
        if v.failures == Failing::Confident {
            model.spare_confidence = 0.999;
        }
        problem.reliability.failures = Some(model);
    }
    if v.failures == Failing::OftenInDomains {
        cluster.domain_cards = 32;
        cluster.domain_switches = 20.0;
    }
    if !v.price_known {
        cluster.unit_price = None;
    }
    problem.space.tp.clone_from(&v.tp);
    problem.space.pp.clone_from(&v.pp);
    problem.space.recompute = vec![Recompute::None, Recompute::Full];
    // One manner at a time: every further value multiplies the nested loops.
    match (v.kind != FabricKind::RailOptimised, v.oversubscribed) {
        (true, true) => problem.space.schedule = vec![Schedule::ZeroBubble],
        (true, false) => problem.space.schedule = vec![Schedule::DualPipe],
        (false, true) => problem.space.recompute_layers = vec![1],
        (false, false) => problem.space.cp_kind = vec![ContextKind::AllToAll],
    }
    let widened = &v.widened;
    if widened.attention {
        problem.space.recompute[0] = Recompute::Attention;
        problem.software.fused_attention = false;
    }
    problem.space.switches.clone_from(&widened.switches);
    problem.training.batch_at_most = widened.at_most;
    let device = &mut problem.clusters[0].device;
    device.host_memory = Some(planner_core::units::Bytes(widened.host_memory));
    device.host_bandwidth = Some(planner_core::units::BytesPerSecond(30e9));
    if v.moe {
        problem.space.ep = vec![1, 4];
        problem.space.etp = vec![ExpertTensor::One, ExpertTensor::Tensor];
    }
    problem
}

/// What surrounds the first cluster: a rival, and limits and degrees that seldom bind.
#[derive(Debug, Clone)]
struct Surroundings {
    rival: Option<Rival>,
    radix: u32,
    rate: Option<f64>,
    racks: Option<u64>,
    it: Option<f64>,
    nameplate: Option<f64>,
    domain_of_two: bool,
    sharding: Vec<u8>,
    sequence_parallel: Vec<bool>,
    cp: Vec<u64>,
}

/// A second cluster: cheaper or dearer, slower or faster, with an end to its size.
#[derive(Debug, Clone)]
struct Rival {
    speed: f64,
    price: f64,
    most: Option<u64>,
    first: bool,
}

fn surroundings() -> impl Strategy<Value = Surroundings> {
    let speeds = prop::sample::select(vec![0.6, 1.0, 1.4]);
    let ends = prop::option::of(prop::sample::select(vec![16_u64, 32]));
    let rival = (speeds, 0.5..1.5_f64, ends, any::<bool>()).prop_map(|(speed, price, most, first)| Rival {
        speed,
        price,
        most,
        first,
    });
    (
        prop::option::of(rival),
        // Three tiers of 4-port switches join 16 ports: larger sizes cannot be built.
        prop::sample::select(vec![16_u32, 16, 4]),
        prop::option::of(1e4..2e6_f64),
        prop::option::of(2..12_u64),
        prop::option::of(0.01..0.06_f64),
        prop::option::of(0.02..0.08_f64),
        any::<bool>(),
        prop::sample::subsequence(vec![0_u8, 1, 2, 3], 1..=3),
        prop::sample::subsequence(vec![true, false], 1..=2),
        prop::sample::subsequence(vec![1_u64, 2], 1..=2),
    )
        .prop_map(|s| Surroundings {
            rival: s.0,
            radix: s.1,
            rate: s.2,
            racks: s.3,
            it: s.4,
            nameplate: s.5,
            domain_of_two: s.6,
            sharding: s.7,
            sequence_parallel: s.8,
            cp: s.9,
        })
}

fn surround(problem: &mut Problem, s: &Surroundings) {
    problem.target.tokens_per_second = s.rate;
    problem.limits.racks = s.racks;
    problem.limits.it_watts = s.it.map(|megawatts| megawatts * 1e6);
    problem.limits.nameplate_watts = s.nameplate.map(|megawatts| megawatts * 1e6);
    problem.space.sharding.clone_from(&s.sharding);
    problem.space.sequence_parallel.clone_from(&s.sequence_parallel);
    problem.space.cp.clone_from(&s.cp);
    let cluster = &mut problem.clusters[0];
    for fabric in &mut cluster.fabrics {
        fabric.radix = s.radix;
    }
    if s.domain_of_two {
        let devices = 16 * cluster.devices_per_card;
        cluster.domain_cards = 16;
        cluster.levels.push(planner_core::hardware::ScaleUpLevel {
            name: "between servers".into(),
            size: devices,
            ..cluster.levels[0].clone()
        });
    }
    if let Some(rival) = &s.rival {
        let mut other = common::cluster();
        other.system = "rival-8".into();
        other.device.peak.bf16.0 *= rival.speed;
        other.unit_price = other.unit_price.map(|price| planner_core::units::Usd(price.0 * rival.price));
        other.max_cards = rival.most;
        let place = if rival.first { 0 } else { problem.clusters.len() };
        problem.clusters.insert(place, other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(405),
        ..ProptestConfig::default()
    })]

    #[test]
    fn search_and_nested_loops_agree_on_small_spaces(v in variation()) {
        agree(&build(&v));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(910),
        ..ProptestConfig::default()
    })]

    #[test]
    fn they_agree_with_rivals_and_every_kind_of_limit(v in variation(), s in surroundings()) {
        let mut problem = build(&v);
        surround(&mut problem, &s);
        agree(&problem);
    }
}

#[test]
fn a_fabric_that_reaches_no_size_is_an_answer() {
    let mut problem = common::problem();
    problem.clusters[0].fabrics[0].radix = 4;
    problem.clusters[0].fabrics[0].kind = FabricKind::LeafSpine;
    problem.limits.cards_min = 64;
    let outcome = search(&problem, &mut |_| true).unwrap();
    assert!(outcome.best.is_none() && outcome.complete);
    assert_eq!(outcome.refusals[0].cause, "fabric");
    assert!(outcome.refusals[0].example.contains("more than the 32"), "{}", outcome.refusals[0].example);
}

#[test]
fn answers_and_counts_do_not_depend_on_the_number_of_threads() {
    let problem = common::problem();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| search(&problem, &mut |_| true)).unwrap()
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        let many = run(threads);
        assert_eq!(one.best, many.best);
        assert_eq!(one.front, many.front);
        assert_eq!(one.runners_up, many.runners_up);
        assert_eq!(one.tally, many.tally);
        assert_eq!(one.similar, many.similar);
    }
}

#[test]
fn an_interrupted_search_returns_the_best_so_far_marked_incomplete() {
    let mut problem = common::problem();
    problem.space.cp = vec![1, 2, 4];
    problem.space.micro_batch = vec![1, 2, 4, 8];
    let whole = search(&problem, &mut |_| true).unwrap();
    let part = search(&problem, &mut |_| false).unwrap();
    assert!(whole.complete && !part.complete);
    assert!(part.tally.enumerated < whole.tally.enumerated);
    let (found, best) = (part.best.unwrap().cards as f64, whole.best.unwrap().cards as f64);
    assert!(found >= best);
    // The gap is a promise: the best is no better than it says.
    assert!(whole.gap.is_none());
    assert!(best >= found * (1.0 - part.gap.unwrap()) - 1e-9, "{best} against {found}, gap {:?}", part.gap);
}
