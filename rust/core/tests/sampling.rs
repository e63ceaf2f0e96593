//! Draws of a problem: the same numbers as evaluating it one by one, for any number of threads.

mod common;

use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::sampling::fewest::{FEWEST, fewest};
use planner_core::sampling::{LIMITS, MEMORY, OUTPUTS, UNBUILDABLE, sample};
use planner_core::training::layout::{Host, Layout, Recompute, Rule, broken_rule_at, micro_batches};
use serde_json::json;

fn choice(tp: u64, dp: u64) -> DesignChoice {
    let layout = Layout {
        pp: 2,
        tp,
        dp,
        recompute: Recompute::Full,
        sharding: 1,
        sequence_parallel: true,
        ..Layout::default()
    };
    DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: Some(64), layout }
}

fn request(pointers: &[&str]) -> Vec<u8> {
    let designs = [choice(4, 8), choice(8, 4)];
    serde_json::to_vec(&json!({"problem": common::problem(), "designs": designs, "pointers": pointers}))
        .unwrap()
}

#[test]
fn a_draw_is_the_problem_with_other_numbers() {
    let pointers = ["/clusters/0/device/memory_bandwidth", "/clusters/0/card_tdp"];
    let values = [1.5e12, 300.0, 2.5e12, 450.0];
    let columns = sample(&request(&pointers), &values, 1).unwrap();
    assert_eq!(columns.len(), 2 * 2 * OUTPUTS.len());
    for draw in 0..2 {
        let mut problem = common::problem();
        problem.clusters[0].device.memory_bandwidth.0 = values[2 * draw];
        problem.clusters[0].card_tdp.0 = values[2 * draw + 1];
        for (place, choice) in [choice(4, 8), choice(8, 4)].iter().enumerate() {
            let design = evaluate(&problem, choice).unwrap();
            let at = (draw * 2 + place) * OUTPUTS.len();
            assert_eq!(columns[at], design.performance.days);
            assert_eq!(columns[at + 1], design.facility.facility_megawatts);
            assert_eq!(columns[at + 6], design.performance.mfu);
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let values: Vec<f64> = (0..200).map(|draw| 1e12 + 1e10 * f64::from(draw)).collect();
    let request = request(&["/clusters/0/device/memory_bandwidth"]);
    let one = sample(&request, &values, 1).unwrap();
    for threads in [2, 5] {
        assert_eq!(sample(&request, &values, threads).unwrap(), one);
    }
}

#[test]
fn what_stops_working_is_flagged() {
    let reasons = |columns: &[f64]| columns[OUTPUTS.len() - 1];
    let full = sample(&request(&["/clusters/0/device/memory"]), &[1e9], 1).unwrap();
    assert_eq!(reasons(&full), f64::from(MEMORY));
    let negative = sample(&request(&["/clusters/0/device/memory"]), &[-1.0], 1).unwrap();
    assert_eq!(reasons(&negative), f64::from(UNBUILDABLE));
    assert!(negative[0].is_nan());
    let mut problem = common::problem();
    problem.limits.it_watts = Some(1.0);
    let body = json!({"problem": problem, "designs": [choice(4, 8)], "pointers": ["/clusters/0/card_tdp"]});
    let over = sample(&serde_json::to_vec(&body).unwrap(), &[400.0], 1).unwrap();
    assert_eq!(reasons(&over), f64::from(LIMITS));
}

#[test]
fn pointers_and_shapes_are_checked() {
    assert!(sample(&request(&["/clusters/0/nothing"]), &[1.0], 1).is_err());
    assert!(sample(&request(&["/clusters/0/system"]), &[1.0], 1).is_err());
    let two = ["/clusters/0/card_tdp", "/clusters/0/card_idle"];
    assert!(sample(&request(&two), &[1.0, 2.0, 3.0], 1).is_err());
}

/// Every lawful layout of two families on every size one by one, for a draw of memory bandwidth and failures.
fn by_hand(bandwidth: f64, failures: f64, allowed: f64) -> f64 {
    let mut problem = common::problem();
    problem.clusters[0].device.memory_bandwidth.0 = bandwidth;
    problem.clusters[0].failures_per_server_day = failures;
    let mut least = f64::INFINITY;
    for tp in [4, 8] {
        for dp in 1..=problem.training.global_batch * 2 {
            let layout = choice(tp, dp).layout;
            let Some(count) = micro_batches(&problem.training, dp, layout.micro_batch) else { continue };
            if broken_rule_at(Host::of(&problem.clusters[0]), &layout, count).is_some() {
                continue;
            }
            let unit = problem.clusters[0].unit_cards;
            for units in layout.devices().div_ceil(unit)..=problem.limits.cards_max / unit {
                let choice = DesignChoice { cards: Some(units * unit), ..choice(tp, dp) };
                let Ok(design) = evaluate(&problem, &choice) else { continue };
                let clean = design.broken_rules.iter().all(|rule| *rule == Rule::Target);
                if clean && design.performance.days <= allowed {
                    least = least.min(design.cards.total as f64);
                    break;
                }
            }
        }
    }
    least
}

#[test]
fn the_fewest_cards_of_a_draw_are_those_of_trying_every_size() {
    let pointers = ["/clusters/0/device/memory_bandwidth", "/clusters/0/failures_per_server_day"];
    let families = [choice(4, 1), choice(8, 1)].map(|family| DesignChoice { cards: None, ..family });
    let body = json!({"problem": common::problem(), "families": families, "pointers": pointers});
    let request = serde_json::to_vec(&body).unwrap();
    let slowest = evaluate(&common::problem(), &choice(8, 1)).unwrap().performance.days;
    // From hardly any failures to so many that more cards only slow the job down.
    let (mut values, mut days) = (Vec::new(), Vec::new());
    for bandwidth in [1e12, 2e12] {
        for failures in [1e-4, 0.05, 1.0] {
            for share in [0.01, 0.04, 0.2, 0.6] {
                values.extend([bandwidth, failures]);
                days.push(slowest * share);
            }
        }
    }
    let found = fewest(&request, &values, &days, 2).unwrap();
    let mut finite = 0;
    for (draw, row) in found.chunks(FEWEST).enumerate() {
        assert_eq!(row[0], by_hand(values[2 * draw], values[2 * draw + 1], days[draw]), "{draw}");
        finite += u32::from(row[0].is_finite());
    }
    assert!((8..24).contains(&finite), "{finite} of 24 draws have an answer");
    assert_eq!(fewest(&request, &values, &days, 1).unwrap(), found);
    assert!(fewest(&request, &values, &days[1..], 1).is_err());
}
