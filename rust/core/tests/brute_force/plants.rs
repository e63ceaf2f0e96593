//! Bounds between plants: spaces of more units than the first barriers, on several fabrics, caps and coolings, so that what is
//! known of one plant puts out layouts on others.

use planner_core::problem::{Axis, Limits, Objective, Problem};
use planner_core::training::layout::Recompute;

use crate::common;
use crate::twin::agree;

/// 72 units of work on six variants of four sizes.
fn problem(objective: Objective, front: &[Axis]) -> Problem {
    let mut problem = common::problem();
    problem.target.days = None;
    problem.limits = Limits::cards(1, 32);
    problem.search.objective = objective;
    problem.search.front = front.to_vec();
    let cluster = &mut problem.clusters[0];
    cluster.power_caps = vec![0.7, 1.0];
    cluster.fabrics = vec![common::fabric(1.0), common::fabric(3.0), common::fabric(1.0)];
    // As wide as the first and dearer: plans on it are beaten on every axis.
    cluster.fabrics[2].switch_price = cluster.fabrics[2].switch_price.map(|price| price * 2.0);
    let space = &mut problem.space;
    space.tp = vec![1, 2, 4, 8];
    space.pp = vec![1];
    space.vpp = vec![1];
    space.cp = vec![1];
    space.micro_batch = vec![1, 2, 4];
    space.recompute = vec![Recompute::None, Recompute::Selective, Recompute::Full];
    space.sequence_parallel = vec![false, true];
    problem
}

const FRONTS: [(Objective, &[Axis]); 8] = [
    (Objective::Throughput, &[Axis::TokensPerSecond, Axis::FacilityMegawatts, Axis::CapexUsd]),
    (Objective::Days, &[Axis::Days, Axis::TcoUsdPerYear]),
    (Objective::Throughput, &[Axis::TokensPerSecond]),
    (Objective::TokensPerJoule, &[Axis::TokensPerSecond, Axis::CapexUsd]),
    (Objective::Cards, &[Axis::TokensPerSecond, Axis::FacilityMegawatts]),
    (Objective::Throughput, &[]),
    (Objective::Energy, &[]),
    (Objective::TokensPerJoule, &[]),
];

#[test]
fn they_agree_where_plans_on_other_plants_bound() {
    for (objective, front) in FRONTS {
        agree(&problem(objective, front));
    }
}
