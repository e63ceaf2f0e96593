//! Services: the search against plain loops, whole instances, and how answers must move.

mod common;

use common::services::problem;
use common::{dense_model, moe_model};
use planner_core::hardware::Precision;
use planner_core::model::Model;
use planner_core::problem::Objective;
use planner_core::service::evaluate::{NamedPool, ServiceChoice, evaluate};
use planner_core::service::ground::{Ground, Place, Roles};
use planner_core::service::problem::{Availability, GenericItem, LatencyTarget, Served, ServiceProblem};
use planner_core::service::search::{search, watched};
use planner_core::service::sizes::instances;
use planner_core::serving::answer::Verdict;
use planner_core::serving::case::{Instance, Mode};

/// Fewest servers by plain loops over layouts, pools and instances, each judged anew.
fn by_loops(problem: &ServiceProblem, rate: f64) -> u64 {
    let place = Place { cluster: 0, fabric: 0, cap: 0, precision: 0 };
    let ground = Ground::new(problem, place).unwrap().unwrap();
    let found: Vec<_> = instances(problem)
        .into_iter()
        .filter_map(|instance| ground.candidate(instance, None, Roles::ALL).ok())
        .collect();
    let servers = |devices: u64| devices.div_ceil(8);
    let mut best = u64::MAX;
    for item in &found {
        // Together: add instances until each carries its share.
        if let Some(point) = item.together {
            let count =
                (1..100_000_u64).find(|count| rate / *count as f64 <= point.rate * (1.0 + 1e-9)).unwrap();
            best = best.min(servers(item.devices * count));
        }
        for front in &found {
            let Some(point) = item.decoding else { continue };
            let count =
                (1..100_000_u64).find(|count| rate / *count as f64 <= point.rate * (1.0 + 1e-9)).unwrap();
            let transfer = ground.transfer(front, item);
            let prompts = (1..400_u64).find(|count| {
                ground.prefill_allowed(&ground.prefilling(front, *count as f64, rate, transfer))
            });
            if let Some(prompts) = prompts {
                best = best.min(servers(item.devices * count) + servers(front.devices * prompts));
            }
        }
    }
    best
}

#[test]
fn the_search_buys_as_few_servers_as_plain_loops() {
    for model in [dense_model(), moe_model()] {
        for rate in [3.0, 40.0, 150.0] {
            let asked = problem(model.clone(), Some(rate));
            let found = search(&asked).unwrap();
            let best = found.best.expect("some service does");
            assert_eq!(best.cards.total, 8 * by_loops(&asked, rate), "{} at {rate}", model.id);
            assert!(best.broken_rules.is_empty(), "{:?}", best.broken_rules);
            assert_eq!(best.verdict, Verdict::Stable);
        }
    }
}

#[test]
fn no_operating_point_beyond_the_best_is_allowed() {
    let asked = problem(dense_model(), Some(10.0));
    let ground = Ground::new(&asked, Place { cluster: 0, fabric: 0, cap: 0, precision: 0 }).unwrap().unwrap();
    for instance in instances(&asked) {
        let Ok(item) = ground.candidate(instance, None, Roles::ALL) else { continue };
        for (together, best) in [(true, item.together), (false, item.decoding)] {
            let Some(best) = best else { continue };
            assert!(ground.allowed(&item, together, &best));
            for step in 1..=20 {
                let batch = (best.batch * (1.0 + 0.02 * f64::from(step))).min(item.limit);
                let beyond = ground.at(&item, together, batch).unwrap();
                assert!(batch <= best.batch * 1.002 || !ground.allowed(&item, together, &beyond));
            }
        }
    }
}

#[test]
fn what_the_limits_allow_is_what_that_load_needs() {
    let mut open = problem(dense_model(), None);
    open.limits.cards_max = 48;
    open.search.objective = Objective::Throughput;
    let most = search(&open).unwrap().best.unwrap();
    assert!(most.cards.total <= 48);
    let again =
        search(&problem(dense_model(), Some(most.requests_per_second * 0.999))).unwrap().best.unwrap();
    assert!(again.cards.total <= 48);
    let more = search(&problem(dense_model(), Some(most.requests_per_second * 1.01))).unwrap().best.unwrap();
    assert!(more.cards.total > 48);
}

#[test]
fn more_load_never_needs_fewer_cards_and_spares_come_on_top() {
    let mut last = 0;
    for rate in [1.0, 5.0, 20.0, 80.0, 320.0] {
        let cards = search(&problem(dense_model(), Some(rate))).unwrap().best.unwrap().cards.total;
        assert!(cards >= last);
        last = cards;
    }
    let mut spared = problem(dense_model(), Some(320.0));
    spared.target.spare_instances = 8;
    assert!(search(&spared).unwrap().best.unwrap().cards.total > last);
}

#[test]
fn an_availability_adds_the_spares_of_the_binomial() {
    // One device of a server that fails r times a day and is back after a day: up = 1 / (1 + r). k spares of n do when
    // P(Binomial(n + k, up) >= n) reaches the target; the pools share it evenly.
    let mut asked = problem(dense_model(), Some(150.0));
    asked.space.modes = vec![Mode::Aggregated];
    let plain = search(&asked).unwrap().best.unwrap();
    asked.target.availability = Some(Availability { share: 0.999, repair_seconds: 2.0 * 86_400.0 });
    let sure = search(&asked).unwrap().best.unwrap();
    let pool = &sure.pools[0];
    let rate = asked.clusters[0].failures_per_server_day;
    let servers = (f64::from(pool.instance.devices()) / 8.0).max(1.0);
    let up = 1.0 / (1.0 + 2.0 * rate * servers);
    let chance = |count: u64| {
        // By the recurrence of the binomial distribution over failures.
        let mut term = up.powi(i32::try_from(count).unwrap());
        let mut sum = term;
        for failed in 1..=count - pool.instances {
            term *= (count - failed + 1) as f64 / failed as f64 * (1.0 - up) / up;
            sum += term;
        }
        sum
    };
    assert!(pool.spare_instances > 0);
    assert!(chance(pool.instances + pool.spare_instances) >= 0.999);
    assert!(chance(pool.instances + pool.spare_instances - 1) < 0.999);
    assert!(sure.cards.total >= plain.cards.total);
    asked.target.availability = Some(Availability { share: 1.0, repair_seconds: 1.0 });
    assert!(search(&asked).is_err());
}

#[test]
fn an_impossible_latency_is_named_with_the_best_that_can_be() {
    let mut asked = problem(dense_model(), Some(10.0));
    asked.target.tpot = Some(LatencyTarget { seconds: 1e-4, quantile: 0.5 });
    let found = search(&asked).unwrap();
    assert!(!found.feasible);
    let nearest = found.nearest.unwrap();
    assert_eq!(nearest.what, "target");
    assert!(nearest.why.contains("tpot binds"), "{}", nearest.why);
    assert!(nearest.best_tpot_seconds.unwrap() > 1e-4);
}

#[test]
fn a_model_that_fits_nowhere_is_told_so() {
    let huge = Model { layers: 20_000, ..dense_model() };
    let found = search(&problem(huge, Some(1.0))).unwrap();
    assert_eq!(found.nearest.unwrap().what, "memory");
}

#[test]
fn a_named_service_beyond_its_reach_is_overloaded() {
    let asked = problem(dense_model(), Some(1e4));
    let choice = ServiceChoice {
        cluster: 0,
        fabric: 0,
        cooling: 0,
        cap: 0,
        precision: 0,
        cards: None,
        prefill: None,
        main: NamedPool { instance: Instance { tp: 4, dp: 1, pp: 1, ep: 1, etp: 1 }, instances: 2 },
    };
    let told = evaluate(&asked, &choice).unwrap();
    assert_eq!(told.verdict, Verdict::Overloaded);
    assert!(told.broken_rules.contains(&"target"));
    assert_eq!(told.ttft, None);
    assert_eq!(told.cards.total, 8);
}

#[test]
fn cost_of_a_million_tokens_is_the_yearly_cost_over_the_tokens() {
    let best = search(&problem(dense_model(), Some(40.0))).unwrap().best.unwrap();
    let tokens = best.most_requests_per_second * 300.0 * 365.0 * 86_400.0;
    let by_hand = best.cost.tco_usd_per_year.unwrap() / (tokens / 1e6);
    assert!((best.cost_per_million[0].usd.unwrap() / by_hand - 1.0).abs() < 1e-12);
    assert!((best.cost_per_million[1].usd.unwrap() / by_hand - 2.0).abs() < 1e-12);
}

#[test]
fn the_trade_is_a_front() {
    let found = search(&problem(dense_model(), Some(40.0))).unwrap();
    assert!(found.trade.len() > 3);
    for pair in found.trade.windows(2) {
        assert!(pair[0].tokens_per_second_per_user > pair[1].tokens_per_second_per_user);
        assert!(pair[0].tokens_per_second_per_card < pair[1].tokens_per_second_per_card);
    }
}

#[test]
fn generic_items_run_at_the_roofline_of_one_device() {
    let mut asked = problem(dense_model(), Some(20_000.0));
    asked.served = Served::Generic {
        item: GenericItem {
            flops: 8e9,
            bytes: 30e6,
            memory: 50e6,
            weights: 50e6,
            precision: Precision::Bf16,
            most_batch: 64,
        },
    };
    asked.target.ttft = Some(LatencyTarget { seconds: 0.02, quantile: 0.99 });
    asked.target.tpot = None;
    asked.space.modes = vec![Mode::Aggregated];
    let best = search(&asked).unwrap().best.unwrap();
    // 30 MB per item at 0.85 x 2 TB/s: 56,667 items/s a device at most, without weights, arithmetic and host.
    let each = best.most_requests_per_second / best.pools[0].instances as f64;
    assert!(each < 56_667.0 && each > 5_000.0, "{each}");
    assert!(best.ttft.unwrap().quantile <= 0.02);
}

#[test]
fn a_stricter_percentile_never_needs_fewer_cards() {
    let mut asked = problem(dense_model(), Some(150.0));
    asked.target.ttft = Some(LatencyTarget { seconds: 1.5, quantile: 0.999 });
    let tight = search(&asked).unwrap().best.unwrap().cards.total;
    let loose = search(&problem(dense_model(), Some(150.0))).unwrap().best.unwrap().cards.total;
    assert!(tight >= loose);
}

#[test]
fn a_search_that_is_stopped_tells_the_best_so_far_and_that_it_is_not_all() {
    let mut asked = problem(dense_model(), Some(40.0));
    asked.clusters[0].power_caps = vec![1.0, 0.8];
    asked.search.seed = Some(0);
    let mut steps = Vec::new();
    let all = watched(&asked, &mut |step| {
        steps.push(step);
        true
    })
    .unwrap();
    assert!(all.complete && all.best.as_ref().unwrap().simulated.is_some());
    assert!(steps.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert!(steps.last().unwrap().found && steps.last().unwrap().done + 1 == steps[0].total);
    let cut = watched(&asked, &mut |_| false).unwrap();
    let best = cut.best.unwrap();
    assert!(!cut.complete && best.power_cap == 1.0 && best.simulated.is_none());
    assert!(cut.search.enumerated < all.search.enumerated);
    asked.target.tpot = Some(LatencyTarget { seconds: 1e-4, quantile: 0.5 });
    let none = watched(&asked, &mut |_| false).unwrap();
    assert!(!none.feasible && !none.complete && none.nearest.unwrap().why.contains("proves nothing"));
}
