//! Random small spaces on one cluster: job, limits, objective, hardware, choices.

use planner_core::fabric::FabricKind;
use planner_core::plant::SparePolicy;
use planner_core::problem::{Axis, ExpertTensor, Objective, Problem, SwitchSpace, Weight};
use planner_core::training::layout::Recompute;
use planner_core::training::schedule::{ContextKind, Schedule};
use planner_core::training::switches::{SequenceGather, TensorOverlap, Tier};
use proptest::prelude::*;

use crate::common;

/// Spares: not modelled, as many as pay on servers that fail often, the same inside domains, for a confidence, which is
/// not asked for where they are as given, somebody else's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Failing {
    AtOnce,
    OftenAnywhere,
    OftenInDomains,
    Confident,
    AsGiven,
    ReplacedAtOnce,
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // independent switches
pub struct Variation {
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
    server: u64,
    kind: FabricKind,
    boundary: usize,
    heavy: Option<f64>,
    tp: Vec<u64>,
    pp: Vec<u64>,
    widened: Widened,
    front: Option<Vec<Axis>>,
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

pub fn variation() -> impl Strategy<Value = Variation> {
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
            Failing::AsGiven,
            Failing::ReplacedAtOnce,
        ]),
        // Small servers make many sizes of few cards; such servers fail so often that spares are worth a lot.
        prop::sample::select(vec![8_u64, 8, 4, 2]),
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
        server: h.9,
        boundary: l.5,
        heavy: l.6,
        tp: d.0,
        pp: d.1,
        widened: s,
        front: None,
    })
}

/// Spaces so small that thousands of them take seconds, with fronts of up to four of all axes, or none.
pub fn tiny() -> impl Strategy<Value = Variation> {
    let axes = prop::sample::subsequence(
        vec![
            Axis::Cards,
            Axis::Days,
            Axis::TokensPerSecond,
            Axis::FacilityMegawatts,
            Axis::CapexUsd,
            Axis::TcoUsdPerYear,
            Axis::EnergyMwhPerYear,
        ],
        0..=4,
    );
    (variation(), axes, any::<bool>()).prop_map(|(mut v, axes, turned)| {
        v.front = Some(if turned { axes.into_iter().rev().collect() } else { axes });
        v.layers = 2 + v.layers % 4;
        v.batch = 4 + v.batch % 9;
        v.cards_max = 8 + v.cards_max % 9;
        v.tp.truncate(1);
        v.pp.truncate(2);
        v.memory /= 8.0;
        v
    })
}

pub fn build(v: &Variation) -> Problem {
    let mut problem = common::problem();
    problem.model = if v.moe { common::moe_model() } else { common::dense_model() };
    problem.model.layers = v.layers;
    problem.training.global_batch = v.batch;
    problem.training.batch_tolerance = v.tolerance;
    problem.training.tokens = 1e10;
    problem.target.days = v.target;
    let most = v.cards_max.min(8 * v.server).max(8);
    problem.limits.cards_min = v.cards_min.min(most);
    problem.limits.cards_max = most;
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
    if let Some(front) = &v.front {
        problem.search.front.clone_from(front);
    }
    let cluster = &mut problem.clusters[0];
    cluster.device.memory.0 = v.memory;
    problem.search.memory_headroom = if v.batch.is_multiple_of(3) { 0.2 } else { 0.0 };
    cluster.devices_per_card = v.dies;
    cluster.cards_per_server = v.server;
    cluster.unit_cards = v.unit * v.server / 8;
    cluster.domain_cards = v.server;
    cluster.levels[0].size = v.server * v.dies;
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
        cluster.failures_per_server_day = if v.server == 2 { 0.3 } else { 0.05 };
        let mut model = common::failures();
        match v.failures {
            Failing::Confident => model.spare_confidence = 0.999,
            Failing::AsGiven => (model.spare_confidence, model.spares) = (0.999, SparePolicy::AsGiven),
            Failing::ReplacedAtOnce => model.spares = SparePolicy::Ignored,
            Failing::AtOnce | Failing::OftenAnywhere | Failing::OftenInDomains => {}
        }
        problem.reliability.failures = Some(model);
    }
    if v.failures == Failing::OftenInDomains {
        cluster.domain_cards = 4 * v.server;
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
