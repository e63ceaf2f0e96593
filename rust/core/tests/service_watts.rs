//! What a service draws, by hand and by brute force.

mod common;

use planner_core::draw::{PhaseShares, Share};
use planner_core::problem::Objective;
use planner_core::service::evaluate::{NamedPool, ServiceChoice, evaluate};
use planner_core::service::problem::ServiceProblem;
use planner_core::service::search::search;
use planner_core::service::watts::time_by_phase;
use planner_core::serving::step::StepTimes;
use planner_core::units::Seconds;

use common::services;

fn shared(value: f64) -> Share {
    Share { value, low: 0.5 * value, high: value }
}

/// A small model at `rate`, on cards whose draw by phase is known.
fn problem(rate: f64) -> ServiceProblem {
    let mut asked = services::problem(common::dense_model(), Some(rate));
    for cluster in &mut asked.clusters {
        cluster.phase_shares =
            Some(PhaseShares { compute: shared(1.0), memory: shared(0.45), communication: shared(0.4) });
    }
    asked
}

#[test]
fn prompts_are_products_and_answers_are_memory() {
    let times = StepTimes {
        products: Seconds(0.5),
        cache_attention: Seconds(0.2),
        tensor_parallel: Seconds(0.2),
        host: Seconds(0.1),
        ..StepTimes::default()
    };
    let near = |found: [f64; 3], wanted: [f64; 3]| {
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {wanted:?}");
    };
    near(time_by_phase(&times, 1.0), [0.5, 0.2, 0.3]);
    near(time_by_phase(&times, 0.0), [0.0, 0.7, 0.3]);
    near(time_by_phase(&times, 0.5), [0.25, 0.45, 0.3]);
}

#[test]
fn watts_of_the_plant_are_those_of_the_pools_and_of_what_stands_beside_them() {
    let asked = problem(20.0);
    let best = search(&asked).unwrap().best.unwrap();
    let drawn = best.draw.clone().unwrap();
    let cluster = &asked.clusters[best.cluster];
    let mut cards = drawn.idle_cards * cluster.card_idle.0;
    for pool in &drawn.pools {
        assert!((pool.compute + pool.memory + pool.communication + pool.idle - 1.0).abs() < 1e-9);
        let tdp = cluster.card_tdp.0;
        let work = pool.compute * tdp + pool.memory * 0.45 * tdp + pool.communication * 0.4 * tdp;
        assert!((pool.card_watts - work - pool.idle * cluster.card_idle.0).abs() < 1e-6);
        assert!(pool.card_watts_low <= pool.card_watts && pool.card_watts <= pool.card_watts_high);
        cards += pool.cards * pool.card_watts;
    }
    let facility = &best.facility;
    assert!((facility.card_watts * best.cards.total as f64 - cards).abs() < 1e-6 * cards);
    // No mean load is given: the year is that of the load.
    assert!((facility.energy_mwh_per_year / (facility.facility_megawatts * 8760.0) - 1.0).abs() < 1e-9);
    assert!((drawn.it_megawatts / facility.it_megawatts - 1.0).abs() < 1e-9);
}

#[test]
fn a_quiet_mean_takes_less_energy_at_the_same_power() {
    let busy = search(&problem(20.0)).unwrap().best.unwrap();
    let mut asked = problem(20.0);
    asked.target.mean_requests_per_second = Some(5.0);
    let quiet = search(&asked).unwrap().best.unwrap();
    assert_eq!(busy.cards, quiet.cards);
    assert_eq!(busy.facility.it_megawatts, quiet.facility.it_megawatts);
    assert!(quiet.facility.energy_mwh_per_year < busy.facility.energy_mwh_per_year);
    assert!(quiet.cost.energy_usd_per_year < busy.cost.energy_usd_per_year);
    assert!(quiet.draw.unwrap().requests_per_second < 5.0 + 1e-9);
}

#[test]
fn the_least_power_is_that_of_every_way_tried_by_hand() {
    let mut asked = problem(20.0);
    asked.search.objective = Objective::Power;
    asked.search.seed = None;
    let best = search(&asked).unwrap().best.unwrap();
    let mut least = f64::INFINITY;
    for field in planner_core::service::search::fields(&asked).unwrap() {
        for way in field.ways(20.0) {
            let named = |group: planner_core::service::sizes::Group| NamedPool {
                instance: field.candidates[group.candidate].instance,
                instances: group.instances,
            };
            for cooling in 0..field.ground.cluster.coolings.len() {
                let place = field.ground.place;
                let told = evaluate(
                    &asked,
                    &ServiceChoice {
                        cluster: place.cluster,
                        fabric: place.fabric,
                        cooling,
                        cap: place.cap,
                        precision: place.precision,
                        cards: None,
                        prefill: way.prefill.map(named),
                        main: named(way.main),
                    },
                );
                least = least.min(told.unwrap().facility.facility_design_megawatts);
            }
        }
    }
    assert!((best.facility.facility_design_megawatts / least - 1.0).abs() < 1e-9, "{least}");
}

#[test]
fn a_limit_on_power_is_met_by_what_the_load_draws() {
    let free = search(&problem(20.0)).unwrap().best.unwrap();
    let mut asked = problem(20.0);
    asked.target.requests_per_second = None;
    asked.search.objective = Objective::Throughput;
    asked.search.seed = None;
    asked.limits.it_watts = Some(free.facility.it_megawatts * 1e6);
    let most = search(&asked).unwrap().best.unwrap();
    assert!(most.facility.it_megawatts <= free.facility.it_megawatts * (1.0 + 1e-9));
    assert!(most.requests_per_second >= 20.0 * (1.0 - 1e-3), "{}", most.requests_per_second);
}
