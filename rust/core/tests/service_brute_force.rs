//! The search for a service against a slow twin: plain loops over everything, on many small random problems.

mod common;

use common::services::problem;
use common::{dense_model, moe_model};
use planner_core::draw::{PhaseShares, Share};
use planner_core::problem::Objective;
use planner_core::service::evaluate::{NamedPool, ServiceChoice, evaluate};
use planner_core::service::floor::least_seconds;
use planner_core::service::ground::{Candidate, Ground, Place, Roles};
use planner_core::service::problem::{LatencyTarget, Served, ServiceProblem};
use planner_core::service::search::search;
use planner_core::service::sizes::instances;
use planner_core::serving::case::{Mode, Precisions};
use planner_core::simulate::Random;

const CASES: usize = 40;

/// Cases of one run: more of them with `SERVICE_CASES`.
fn cases() -> usize {
    std::env::var("SERVICE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

/// Pools in which the loops count instances one by one.
const MOST: u64 = 400;

/// One way to build a service, and what the objective says of it: less is better.
#[derive(Clone, Copy, Debug)]
struct Built {
    score: f64,
    cards: u64,
}

/// Draws a problem: model, load, latencies, layouts, formats, caps, modes, objective.
fn any_problem(random: &mut Random) -> ServiceProblem {
    let between = |random: &mut Random, low: f64, high: f64| low * libm::pow(high / low, random.uniform());
    let mut asked = problem(if random.happens(0.5) { dense_model() } else { moe_model() }, None);
    asked.target.requests_per_second = Some(between(random, 1.0, 60.0));
    asked.target.ttft =
        random.happens(0.8).then(|| LatencyTarget { seconds: between(random, 0.15, 4.0), quantile: 0.9 });
    asked.target.tpot =
        random.happens(0.8).then(|| LatencyTarget { seconds: between(random, 0.008, 0.08), quantile: 0.5 });
    asked.target.offline = random.happens(0.1);
    asked.target.spare_instances = u32::from(random.happens(0.3));
    let share = |value: f64| Share { value, low: value, high: value };
    asked.clusters[0].phase_shares = random.happens(0.8).then(|| PhaseShares {
        compute: share(1.0),
        memory: share(0.45),
        communication: share(0.3),
    });
    asked.clusters[0].power_caps = if random.happens(0.5) { vec![1.0, 0.7] } else { vec![1.0] };
    if let Served::Model { lengths, precisions, .. } = &mut asked.served {
        lengths.input = between(random, 200.0, 4000.0);
        lengths.output = between(random, 50.0, 800.0);
        lengths.input_spread = random.uniform();
        let eight = Precisions {
            expert_weights: planner_core::serving::case::Format::Fp8,
            attention_weights: planner_core::serving::case::Format::Fp8,
            ..precisions[0]
        };
        if random.happens(0.5) {
            precisions.push(eight);
        }
    }
    asked.space.modes = match random.below(3) {
        0 => vec![Mode::Aggregated],
        1 => vec![Mode::Disaggregated],
        _ => vec![Mode::Aggregated, Mode::Disaggregated],
    };
    if asked.space.dp.len() > 1 {
        asked.space.dp = if random.happens(0.5) { vec![1, 4] } else { vec![8] };
    }
    asked.space.tp = if random.happens(0.5) { vec![1, 4] } else { vec![2, 8] };
    asked.space.pp = if random.happens(0.3) { vec![1, 2] } else { vec![1] };
    asked.space.most_batch = random.happens(0.3).then(|| between(random, 2.0, 64.0));
    asked.search.objective = [
        Objective::Cards,
        Objective::Power,
        Objective::Energy,
        Objective::Capex,
        Objective::Tco,
        Objective::TokensPerJoule,
    ][random.below(6)];
    if random.happens(0.5) {
        asked.limits.cards_max = 8 * (1 + random.below(4) as u64);
    }
    asked
}

/// Every service of the problem, each evaluated by itself as `evaluate` does.
fn by_loops(asked: &ServiceProblem) -> Option<Built> {
    let rate = asked.target.requests_per_second.unwrap();
    let mut best: Option<Built> = None;
    for cap in 0..asked.clusters[0].power_caps.len() {
        for precision in 0..asked.precision_choices() {
            for fabric in 0..asked.clusters[0].fabrics.len() {
                let place = Place { cluster: 0, fabric, cap, precision };
                let Some(ground) = Ground::new(asked, place).unwrap() else { continue };
                for (prefill, main) in pools(asked, &ground, rate) {
                    for cooling in 0..asked.clusters[0].coolings.len() {
                        let choice = ServiceChoice {
                            cluster: 0,
                            fabric,
                            cooling,
                            cap,
                            precision,
                            cards: None,
                            prefill,
                            main,
                        };
                        let Some(built) = judged(asked, &choice) else { continue };
                        if best.is_none_or(|known| (built.score, built.cards) < (known.score, known.cards)) {
                            best = Some(built);
                        }
                    }
                }
            }
        }
    }
    best
}

fn place_of(best: &planner_core::service::answer::ServiceDesign) -> Place {
    let cap = usize::from(best.power_cap < 1.0);
    Place { cluster: best.cluster, fabric: best.fabric_index, cap, precision: best.precision_index }
}

/// Whole instances by counting up, for every layout together and every pair of layouts apart.
fn pools(asked: &ServiceProblem, ground: &Ground, rate: f64) -> Vec<(Option<NamedPool>, NamedPool)> {
    let found: Vec<Candidate> = instances(asked)
        .into_iter()
        .filter_map(|instance| ground.candidate(instance, None, Roles::ALL).ok())
        .collect();
    let named = |item: &Candidate, instances| NamedPool { instance: item.instance, instances };
    let enough = |each: f64| (1..=MOST).find(|count| rate / *count as f64 <= each * (1.0 + 1e-9));
    let mut all = Vec::new();
    for item in &found {
        if asked.space.modes.contains(&Mode::Aggregated)
            && let Some(count) = item.together.and_then(|point| enough(point.rate))
        {
            all.push((None, named(item, count)));
        }
        if !asked.space.modes.contains(&Mode::Disaggregated) {
            continue;
        }
        let Some(count) = item.decoding.and_then(|point| enough(point.rate)) else { continue };
        for front in &found {
            let transfer = ground.transfer(front, item);
            let prompts = (1..=MOST).find(|count| {
                ground.prefill_allowed(&ground.prefilling(front, *count as f64, rate, transfer))
            });
            if let Some(prompts) = prompts {
                all.push((Some(named(front, prompts)), named(item, count)));
            }
        }
    }
    all
}

fn judged(asked: &ServiceProblem, choice: &ServiceChoice) -> Option<Built> {
    let told = evaluate(asked, choice).ok()?;
    if !told.over_limits.is_empty() {
        return None;
    }
    let score = match asked.search.objective {
        Objective::Power => told.facility.facility_design_megawatts,
        Objective::Energy => told.facility.energy_mwh_per_year,
        Objective::Capex => told.cost.capex_usd?,
        Objective::Tco => told.cost.tco_usd_per_year?,
        Objective::TokensPerJoule => told.facility.facility_megawatts / told.output_tokens_per_second,
        _ => told.cards.total as f64,
    };
    Some(Built { score, cards: told.cards.total })
}

#[test]
fn the_search_finds_what_plain_loops_find_on_many_random_problems() {
    let mut random = Random::new(4, 0);
    let (mut yes, mut no) = (0, 0);
    for case in 0..cases() {
        let asked = any_problem(&mut random);
        let (found, slow) = (search(&asked).unwrap(), by_loops(&asked));
        let objective = asked.search.objective;
        match (&found.best, slow) {
            (Some(best), Some(slow)) => {
                yes += 1;
                let choice_score = match objective {
                    Objective::Power => best.facility.facility_design_megawatts,
                    Objective::Energy => best.facility.energy_mwh_per_year,
                    Objective::Capex => best.cost.capex_usd.unwrap(),
                    Objective::Tco => best.cost.tco_usd_per_year.unwrap(),
                    Objective::TokensPerJoule => {
                        best.facility.facility_megawatts / best.output_tokens_per_second
                    }
                    _ => best.cards.total as f64,
                };
                assert!(
                    (choice_score / slow.score - 1.0).abs() < 1e-9,
                    "case {case}, {objective:?}: {choice_score} by the search, {slow:?} by loops"
                );
                assert!(best.over_limits.is_empty());
                let ground = Ground::new(&asked, place_of(best)).unwrap().unwrap();
                let least = least_seconds(&ground) * best.requests_per_second;
                assert!(least <= best.cards.active as f64, "case {case}: {least} devices by the bound");
            }
            (None, None) => no += 1,
            (fast, slow) => panic!("case {case}, {objective:?}: search {:?}, loops {slow:?}", fast.is_some()),
        }
    }
    assert!(yes > cases() / 2 && no > 2, "{yes} answers, {no} refusals");
}

#[test]
fn the_most_load_inside_limits_is_what_plain_loops_can_just_carry() {
    let mut random = Random::new(8, 0);
    let mut seen = 0;
    for case in 0..cases().div_ceil(7) {
        let mut asked = any_problem(&mut random);
        asked.target.requests_per_second = None;
        asked.search.objective = Objective::Throughput;
        asked.limits.cards_max = 8 * (1 + random.below(5) as u64);
        let Some(best) = search(&asked).unwrap().best else { continue };
        seen += 1;
        let carried = |factor: f64| {
            let mut again = asked.clone();
            again.search.objective = Objective::Cards;
            again.target.requests_per_second = Some(best.most_requests_per_second * factor);
            by_loops(&again).is_some()
        };
        assert!(carried(0.9999), "case {case}: {}", best.most_requests_per_second);
        assert!(!carried(1.001), "case {case}: {}", best.most_requests_per_second);
    }
    assert!(seen > 3);
}

#[test]
fn a_load_above_what_the_limits_carry_is_told_with_the_most_that_they_do() {
    let mut asked = problem(dense_model(), None);
    asked.limits.cards_max = 16;
    asked.search.objective = Objective::Throughput;
    let most = search(&asked).unwrap().best.unwrap().most_requests_per_second;
    asked.target.requests_per_second = Some(most * 2.0);
    let found = search(&asked).unwrap();
    assert!(!found.feasible);
    let nearest = found.nearest.unwrap();
    assert_eq!(nearest.what, "limits");
    assert!(nearest.why.contains("at most"), "{}", nearest.why);
    let design = nearest.design.unwrap();
    assert!((design.most_requests_per_second / most - 1.0).abs() < 1e-5);
    assert_eq!(found.binding, ["limits"]);
}
