//! The search against its twin on random small spaces.

#[path = "../common/mod.rs"]
mod common;
mod plants;
mod surroundings;
mod twin;
mod variations;

use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::fabric::FabricKind;
use planner_core::problem::{Limits, Objective};
use planner_core::search::search;
use planner_core::training::layout::Recompute;
use planner_core::units::Bytes;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use surroundings::{surround, surroundings};
use twin::agree;
use variations::{build, tiny, variation};

/// The fixed seed of a test, or another one for hunts by hand: `TWIN_SEED=7 cargo test --test brute_force`.
fn seed(fixed: u64) -> RngSeed {
    let other = std::env::var("TWIN_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    RngSeed::Fixed(other.map_or(fixed, |other| fixed + 1_000_003 * other))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: seed(405),
        ..ProptestConfig::default()
    })]

    #[test]
    fn search_and_nested_loops_agree_on_small_spaces(v in variation()) {
        agree(&build(&v));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: seed(910),
        ..ProptestConfig::default()
    })]

    #[test]
    fn they_agree_with_rivals_and_every_kind_of_limit(v in variation(), s in surroundings()) {
        let mut problem = build(&v);
        surround(&mut problem, &s);
        agree(&problem);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: seed(2_000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn they_agree_on_thousands_of_tiny_spaces_under_every_objective_and_front(v in tiny()) {
        agree(&build(&v));
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

/// Memory just below what the best layout needs, again and again: what interleaving holds in groups larger than pp does
/// not fall with the data ranks, so that halving alone would let such layouts pass.
#[test]
fn they_agree_where_groups_of_interleaved_micro_batches_decide_what_fits() {
    let mut problem = common::problem();
    problem.limits = Limits::cards(1, 64);
    problem.target.days = None;
    problem.search.objective = Objective::Throughput;
    problem.training.global_batch = 88;
    problem.training.batch_tolerance = 0.1;
    problem.space.tp = vec![1, 2];
    problem.space.pp = vec![2, 4];
    problem.space.vpp = vec![2, 4];
    problem.space.micro_batch = vec![1];
    problem.space.recompute = vec![Recompute::None];
    let mut uneven = 0;
    for _ in 0..24 {
        agree(&problem);
        let Some(found) = search(&problem, &mut |_| true).unwrap().best else { break };
        let choice = DesignChoice {
            cluster: found.cluster,
            fabric: found.fabric,
            cooling: found.cooling,
            power_cap: found.power_cap,
            cards: Some(found.cards),
            layout: found.best.layout,
        };
        let design = evaluate(&problem, &choice).unwrap();
        uneven += u64::from(design.micro_batch_group.is_some_and(|group| group > found.best.layout.pp));
        problem.clusters[0].device.memory = Bytes(design.memory.per_device_bytes * (1.0 - 1e-9));
    }
    assert!(uneven > 2, "only {uneven} of the best layouts had groups larger than pp");
}

/// Clusters of 4 to 20 servers that fail often: the best number of spares is sometimes none, sometimes some, and then not
/// what a rule of thumb gives a design whose cards nobody names.
#[test]
fn they_agree_on_how_many_spares_make_the_most_of_a_cluster() {
    let mut problem = common::problem();
    problem.target.days = None;
    problem.search.objective = Objective::Days;
    problem.reliability.failures = Some(common::failures());
    problem.clusters[0].coolings.truncate(1);
    problem.space.tp = vec![4, 8];
    problem.space.recompute = vec![Recompute::None, Recompute::Full];
    let (mut none, mut some, mut unusual) = (0, 0, 0);
    for servers in 4..=20_u64 {
        problem.clusters[0].failures_per_server_day = 0.01 * (servers % 5) as f64 + 0.005;
        problem.limits = Limits::cards(8 * servers, 8 * servers);
        agree(&problem);
        let found = search(&problem, &mut |_| true).unwrap().best.unwrap();
        let layout = found.best.layout;
        let spare = (found.cards - layout.devices()) / 8;
        let bare = DesignChoice {
            cluster: found.cluster,
            fabric: found.fabric,
            cooling: found.cooling,
            power_cap: found.power_cap,
            cards: None,
            layout,
        };
        problem.limits.cards_max = 256;
        let usual = evaluate(&problem, &bare).unwrap().cards.spare / 8;
        (none, some) = (none + u32::from(spare == 0), some + u32::from(spare > 0));
        unusual += u32::from(spare != usual);
    }
    assert!(none > 2 && some > 2 && unusual > 2, "{none} without spares, {some} with, {unusual} unusual");
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
