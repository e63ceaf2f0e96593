//! What a size takes at least never refuses a plant that keeps the limits.

mod common;

use planner_core::evaluate::exceeded;
use planner_core::plant::{Choice, plant};
use planner_core::problem::{Limits, Problem};
use planner_core::search::least::Least;

fn choices(problem: &Problem) -> Vec<Choice<'_>> {
    let cluster = &problem.clusters[0];
    let card = cluster.card_power();
    let mut found = Vec::new();
    for cooling in &cluster.coolings {
        for power_cap in [1.0, 0.7] {
            let clock = card.clock_at_cap(power_cap).unwrap();
            found.push(Choice { cluster, fabric: &cluster.fabrics[0], cooling, clock, power_cap });
        }
    }
    found
}

#[test]
fn what_a_bound_refuses_the_whole_plant_exceeds_too() {
    // Each limit alone, at what 20 servers take: larger sizes are over, and the bound sees most of them.
    let base = common::problem();
    let whole = plant(&choices(&base)[0], &base.terms(), 20).unwrap();
    let cards = || Limits::cards(1, 4096);
    let limits = [
        Limits { facility_watts: Some(whole.facility_design_day.0), ..cards() },
        Limits { it_watts: Some(whole.it.0), ..cards() },
        Limits { nameplate_watts: whole.nameplate.map(|watts| watts.0), ..cards() },
        Limits { transformer_watts: Some(whole.transformer.0), ..cards() },
        Limits { ups_watts: Some(whole.ups.0), ..cards() },
        Limits { nameplate_intake_watts: whole.nameplate_intake.map(|watts| watts.0), ..cards() },
        Limits { racks: Some(whole.racks.total()), ..cards() },
        Limits { capex_usd: whole.capex.total().map(|usd| usd.0), ..cards() },
    ];
    for limits in limits {
        let problem = Problem { limits, ..common::problem() };
        for choice in choices(&problem) {
            let least = Least::new(&problem, choice);
            let mut refused = 0;
            for units in (1..=150).step_by(7) {
                let Some(limit) = least.over(units) else { continue };
                let built = plant(&choice, &problem.terms(), units).unwrap();
                assert!(exceeded(&problem.limits, &built).contains(&limit), "{limit} at {units}");
                refused += 1;
            }
            assert!(refused > 5, "{:?} bounds nothing", problem.limits);
        }
    }
}
