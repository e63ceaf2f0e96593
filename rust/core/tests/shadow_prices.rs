//! Shadow prices against whole searches of the relaxed problem, which nested loops check elsewhere.

mod common;

use planner_core::problem::{Axis, Objective, Problem};
use planner_core::search::prices::{Price, prices};
use planner_core::search::{search, solved};
use planner_core::training::layout::Recompute;
use proptest::prelude::*;

fn priced(problem: &Problem) -> Vec<Price> {
    let solved = solved(problem, &mut |_| true).unwrap();
    prices(problem, &solved, &mut |_| true).unwrap()
}

/// The problem with one constraint moved by `step`, written without the code under test.
fn relaxed(problem: &Problem, price: &Price) -> Problem {
    let mut next = problem.clone();
    let step = price.step;
    let limits = &mut next.limits;
    match price.constraint {
        "target.days" => next.target.days = next.target.days.map(|days| days + step),
        "target.tokens_per_second" => {
            next.target.tokens_per_second = next.target.tokens_per_second.map(|rate| rate + step);
        }
        "limits.cards_max" => limits.cards_max += format!("{step:.0}").parse::<u64>().unwrap(),
        "limits.facility_watts" => limits.facility_watts = limits.facility_watts.map(|watts| watts + step),
        "limits.it_watts" => limits.it_watts = limits.it_watts.map(|watts| watts + step),
        "limits.racks" => {
            limits.racks = limits.racks.map(|racks| racks + format!("{step:.0}").parse::<u64>().unwrap());
        }
        "limits.capex_usd" => limits.capex_usd = limits.capex_usd.map(|usd| usd + step),
        "memory" => {
            for cluster in &mut next.clusters {
                cluster.device.memory.0 += step;
            }
        }
        other => panic!("{other} is not among the constraints of this test"),
    }
    next
}

/// The objective of the best plan, as people read it.
fn objective(problem: &Problem) -> Option<f64> {
    let found = search(problem, &mut |_| true).unwrap().best?;
    Some(match problem.search.objective {
        Objective::Cards => found.cards as f64,
        Objective::Days => found.days,
        Objective::Throughput => found.effective_rate,
        Objective::Power => found.facility_megawatts,
        Objective::Capex => found.capex_usd.unwrap_or(f64::INFINITY),
        Objective::Tco => found.tco_usd_per_year.unwrap_or(f64::INFINITY),
        Objective::Energy | Objective::TokensPerJoule => unreachable!("not among those of this test"),
    })
}

#[derive(Clone, Debug)]
struct Asked {
    objective: Objective,
    days: Option<f64>,
    rate: Option<f64>,
    cards: u64,
    watts: Option<f64>,
    it: Option<f64>,
    racks: Option<u64>,
    capex: Option<f64>,
    memory: f64,
    moe: bool,
    caps: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let objectives = vec![
        Objective::Cards,
        Objective::Days,
        Objective::Throughput,
        Objective::Power,
        Objective::Capex,
        Objective::Tco,
    ];
    (
        prop::sample::select(objectives),
        prop::option::of(0.5..40.0_f64),
        prop::option::of(1e4..1e6_f64),
        12..90_u64,
        prop::option::of(0.02..0.09_f64),
        prop::option::of(0.02..0.09_f64),
        prop::option::of(2..12_u64),
        prop::option::of(1e6..1e7_f64),
        prop::sample::select(vec![8e9, 20e9, 40e9]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|a| Asked {
            objective: a.0,
            days: a.1,
            rate: a.2,
            cards: a.3,
            watts: a.4,
            it: a.5,
            racks: a.6,
            capex: a.7,
            memory: a.8,
            moe: a.9,
            caps: a.10,
        })
}

fn build(asked: &Asked) -> Problem {
    let mut problem = common::problem();
    problem.model = if asked.moe { common::moe_model() } else { common::dense_model() };
    problem.training.global_batch = 64;
    problem.training.tokens = 1e10;
    problem.search.objective = asked.objective;
    problem.target.days = asked.days;
    problem.target.tokens_per_second = asked.rate;
    problem.limits.cards_min = 1;
    problem.limits.cards_max = asked.cards;
    problem.limits.facility_watts = asked.watts.map(|megawatts| megawatts * 1e6);
    problem.limits.it_watts = asked.it.map(|megawatts| megawatts * 1e6);
    problem.limits.racks = asked.racks;
    problem.limits.capex_usd = asked.capex;
    problem.clusters[0].device.memory.0 = asked.memory;
    if asked.caps {
        problem.clusters[0].power_caps = vec![0.8, 1.0];
    }
    problem.space.recompute = vec![Recompute::None, Recompute::Full];
    problem
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) || a == b
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(512),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_price_is_what_a_whole_search_of_the_relaxed_problem_gains(asked in asked()) {
        let problem = build(&asked);
        let found = objective(&problem);
        let told = priced(&problem);
        prop_assert_eq!(found.is_some(), !told.is_empty());
        for price in &told {
            let after = objective(&relaxed(&problem, price)).unwrap();
            prop_assert!(near(price.before, found.unwrap()), "{:?} from {:?}", price, found);
            prop_assert!(near(price.after, after), "{:?}, a whole search gives {}", price, after);
        }
    }
}

#[test]
fn a_power_limit_that_binds_has_a_price_and_the_plan_that_it_would_buy() {
    let mut problem = common::problem();
    problem.search.objective = Objective::Throughput;
    problem.search.front = vec![Axis::Cards];
    problem.limits.cards_max = 200;
    problem.limits.facility_watts = Some(0.1e6);
    let told = priced(&problem);
    let of = |name: &str| told.iter().find(|price| price.constraint == name).unwrap();
    let power = of("limits.facility_watts");
    assert!(power.after > power.before && power.per_unit() > 0.0, "{power:?}");
    assert!(power.plan.unwrap().facility_megawatts > 0.1);
    let cards = of("limits.cards_max");
    assert!(cards.plan.is_none() && cards.per_unit() == 0.0, "{cards:?}");
}

#[test]
fn nothing_has_a_price_where_there_is_no_plan() {
    let mut problem = common::problem();
    problem.target.days = Some(1e-3);
    assert!(priced(&problem).is_empty());
}

#[test]
fn prices_that_are_interrupted_are_left_out() {
    let mut problem = common::problem();
    problem.search.objective = Objective::Throughput;
    problem.target.days = None;
    problem.limits.cards_max = 64;
    problem.space.cp = vec![1, 2, 4];
    problem.space.micro_batch = vec![1, 2, 4, 8];
    let solved = solved(&problem, &mut |_| true).unwrap();
    let all = prices(&problem, &solved, &mut |_| true).unwrap();
    let cut = prices(&problem, &solved, &mut |_| false).unwrap();
    assert!(cut.len() < all.len() && cut.iter().zip(&all).all(|(one, other)| one == other));
}
