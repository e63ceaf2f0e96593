//! The slow twin of the search: nested loops over the documented space that share only `evaluate`.

use planner_core::evaluate::design::Design;
use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::problem::{Axis, ExpertTensor, Objective, Problem};
use planner_core::search::{Found, search};
use planner_core::training::layout::{Host, Layout, Recompute, broken_rule, broken_rule_at, micro_batches};
use planner_core::training::schedule::{ContextKind, Schedule};

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
        let mut all = layouts(problem, most * cluster.devices_per_card);
        // What is unlawful on any plant need not be put on each of them.
        let host = Host::of(cluster);
        let lawful = |layout: &Layout| broken_rule(&problem.model, &problem.training, host, layout).is_none();
        let batch = |layout: &Layout| micro_batches(&problem.training, layout.dp, layout.micro_batch);
        all.retain(|layout| {
            lawful(layout) && batch(layout).is_some_and(|count| broken_rule_at(host, layout, count).is_none())
        });
        for fabric in 0..cluster.fabrics.len() {
            for cooling in 0..cluster.coolings.len() {
                for &power_cap in &cluster.power_caps {
                    for &layout in &all {
                        // Every number of units that holds it: what it leaves over are spares.
                        let active = layout.devices().div_ceil(cluster.devices_per_card);
                        let unit = cluster.unit_cards;
                        let least = active.max(problem.limits.cards_min).div_ceil(unit);
                        for units in least..=most / unit {
                            let choice = DesignChoice {
                                cluster: cluster_index,
                                fabric,
                                cooling,
                                power_cap,
                                cards: Some(units * unit),
                                layout,
                            };
                            let room = problem.room(cluster).0;
                            if let Ok(design) = evaluate(problem, &choice)
                                && design.broken_rules.is_empty()
                                && design.memory.per_device_bytes <= room
                            {
                                found.push(design);
                            }
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

/// Asserts that search and loops come to the same best plan and the same front.
pub fn agree(problem: &Problem) {
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
