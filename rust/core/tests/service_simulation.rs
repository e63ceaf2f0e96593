//! The simulation of services: against queueing theory, as the oracle of the closed forms, and as the judge of plans.

mod common;

use common::services::problem;
use common::{dense_model, moe_model};
use planner_core::service::evaluate::point_at;
use planner_core::service::ground::{Candidate, Ground, Place, Roles};
use planner_core::service::problem::{LatencyTarget, Served, ServiceProblem};
use planner_core::service::search::search;
use planner_core::service::simulated::machine::{Duty, Job};
use planner_core::service::simulated::pool::{Measured, Pool, Source};
use planner_core::service::simulated::requests::Requests;
use planner_core::service::simulated::{Effort, simulate};
use planner_core::service::sizes::{Field, Group};
use planner_core::serving::case::{Instance, Lengths, Mode};
use planner_core::serving::replica::{prompt_step, steps_of_request};
use planner_core::simulate::station::Station;
use planner_core::simulate::{Law, Random};
use planner_core::units::Seconds;

const PLACE: Place = Place { cluster: 0, fabric: 0, cap: 0, precision: 0 };
const ONE: Instance = Instance { tp: 4, dp: 1, pp: 1, ep: 1, etp: 1 };

fn near(left: f64, right: f64, share: f64) {
    assert!((left / right - 1.0).abs() < share, "{left} is not within {share} of {right}");
}

fn lengths(asked: &mut ServiceProblem) -> &mut Lengths {
    match &mut asked.served {
        Served::Model { lengths, .. } => lengths,
        Served::Generic { .. } => unreachable!("a model is served"),
    }
}

/// Constant prompts of exactly the budget: one to a step.
fn one_prompt_a_step() -> ServiceProblem {
    let mut asked = problem(dense_model(), Some(1.0));
    let wanted = lengths(&mut asked);
    (wanted.input, wanted.input_spread) = (2048.0, 0.0);
    asked
}

/// `instances` prefill instances at `load`: what they measured, and the time of a prompt.
fn prompts(asked: &ServiceProblem, instances: usize, load: f64, seconds: f64) -> (Measured, f64) {
    let ground = Ground::new(asked, PLACE).unwrap().unwrap();
    let item: Candidate = ground.candidate(ONE, None, Roles::ALL).unwrap();
    let bench = ground.bench(&item).unwrap();
    let service = prompt_step(&bench, 2048.0, 2048.0).total().0;
    let rate = load * instances as f64 / service;
    let requests = Requests::new(ground.question().unwrap().lengths, None, rate, 5);
    let trade = Duty { bench, job: Job::Prompts, limit: item.limit };
    let mut pool = Pool::new(trade, instances, Source::Drawn(Box::new(requests)));
    (pool.run(200.0 * service, seconds * service), service)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn one_prefill_instance_waits_as_m_d_1() {
    // Pollaczek and Khinchine: W = rho / (1 - rho) / 2 services. The price of the head and the end of a prompt are in
    // the step of the pool, so its service is taken from a quiet run.
    let asked = one_prompt_a_step();
    let (quiet, _) = prompts(&asked, 1, 1e-3, 2e6);
    let service = quiet.first.iter().copied().fold(f64::INFINITY, f64::min);
    for load in [0.5, 0.8] {
        let (busy, shape) = prompts(&asked, 1, load, 100_000.0);
        let real = load * service / shape;
        near(mean(&busy.first), service * (1.0 + real / (1.0 - real) / 2.0), 0.03);
    }
}

#[test]
fn several_prefill_instances_wait_as_m_d_c() {
    // A router that sends to the least work in hand does nearly as well as one queue, first come first served: it
    // counts prompts under way as whole.
    let asked = one_prompt_a_step();
    let (quiet, _) = prompts(&asked, 1, 1e-3, 2e6);
    let service = quiet.first.iter().copied().fold(f64::INFINITY, f64::min);
    let (busy, shape) = prompts(&asked, 4, 0.8, 50_000.0);
    let station = Station {
        arrivals: Law::Exponential(Seconds(shape / 0.8 / 4.0)),
        service: Law::Deterministic(Seconds(service)),
        servers: 4,
    };
    let ideal = station.run(200_000, 1_000, 3).mean_stay().0;
    assert!((0.98..1.1).contains(&(mean(&busy.first) / ideal)), "{} {ideal}", mean(&busy.first));
}

#[test]
fn sequences_in_decode_follow_littles_law() {
    let asked = problem(dense_model(), Some(10.0));
    let field = Field::new(Ground::new(&asked, PLACE).unwrap().unwrap(), None);
    let rate = 20.0;
    for way in field.ways(rate).into_iter().step_by(25) {
        let Some(found) = simulate(&field, &way, rate, 1, Effort::QUICK) else { continue };
        let bench = field.ground.bench(&field.candidates[way.main.candidate]).unwrap();
        let stay = steps_of_request(&bench) * found.tpot_mean_seconds.unwrap();
        near(found.batch, rate / way.main.instances as f64 * stay, 0.12);
    }
}

/// Random services: a model, lengths and spreads, a load.
fn any_service(random: &mut Random) -> (ServiceProblem, f64) {
    let between = |random: &mut Random, low: f64, high: f64| low * libm::pow(high / low, random.uniform());
    let mut asked = problem(if random.happens(0.5) { dense_model() } else { moe_model() }, Some(1.0));
    let rate = between(random, 5.0, 100.0);
    *lengths(&mut asked) = Lengths {
        input: between(random, 300.0, 3_000.0),
        input_spread: random.uniform(),
        output: between(random, 100.0, 800.0),
        output_spread: random.uniform(),
        prefix_hit: if random.happens(0.3) { 0.5 } else { 0.0 },
    };
    asked.target.tpot.as_mut().unwrap().seconds = between(random, 0.02, 0.08);
    (asked, rate)
}

#[test]
fn closed_forms_are_those_of_the_simulation_over_random_services() {
    // Ranks that step together (dp > 1) are left out: there the closed form is rougher, and the simulation judges.
    let mut random = Random::new(11, 0);
    let (mut per_token, mut first, mut batch) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let (asked, rate) = any_service(&mut random);
        let field = Field::new(Ground::new(&asked, PLACE).unwrap().unwrap(), None);
        let plain = |group: Group| field.candidates[group.candidate].instance.dp == 1;
        let ways: Vec<_> = field
            .ways(rate)
            .into_iter()
            .filter(|way| plain(way.main) && way.prefill.is_none_or(plain))
            .collect();
        if ways.is_empty() {
            continue;
        }
        for _ in 0..3 {
            let way = ways[random.below(ways.len())];
            let main = &field.candidates[way.main.candidate];
            let each = rate / way.main.instances as f64;
            let (point, _) = point_at(&field.ground, main, way.prefill.is_none(), each);
            let Some(found) = simulate(&field, &way, rate, 7, Effort::QUICK) else { continue };
            per_token.push(found.tpot_mean_seconds.unwrap() / point.tpot.mean);
            let lanes = f64::from(main.instance.pp);
            batch.push(found.batch / (point.batch * lanes));
            let told = way.prefill.map_or(point.ttft, |front| {
                let from = &field.candidates[front.candidate];
                let transfer = field.ground.transfer(from, main);
                field.ground.prefilling(from, front.instances as f64, rate, transfer).1
            });
            first.push(found.ttft_mean_seconds / told.unwrap().mean);
        }
    }
    assert!(per_token.len() >= 25);
    for (name, ratios, middle, edge) in [
        ("tpot", &mut per_token, 0.03, 0.12),
        ("batch", &mut batch, 0.04, 0.15),
        ("ttft", &mut first, 0.2, 0.6),
    ] {
        ratios.sort_by(f64::total_cmp);
        let count = ratios.len();
        let median = ratios[count / 2];
        let outside = ratios.iter().filter(|ratio| (**ratio - 1.0).abs() > edge).count();
        assert!((median - 1.0).abs() < middle, "{name}: median {median}, {ratios:?}");
        assert!(outside * 10 <= count, "{name}: {outside} of {count} beyond {edge}: {ratios:?}");
    }
}

#[test]
fn prompts_in_a_pipeline_wait_as_in_the_simulation() {
    // What waits is computed together: beyond a lone prompt where the first stage is busy.
    let mut asked = problem(dense_model(), Some(1.0));
    asked.space.modes = vec![Mode::Disaggregated];
    asked.space.pp = vec![2];
    let rate = 60.0;
    let field = Field::new(Ground::new(&asked, PLACE).unwrap().unwrap(), None);
    let ways = field.ways(rate);
    assert!(!ways.is_empty());
    for way in ways.iter().step_by(ways.len().div_ceil(4)) {
        let front = way.prefill.unwrap();
        let (from, main) = (&field.candidates[front.candidate], &field.candidates[way.main.candidate]);
        let transfer = field.ground.transfer(from, main);
        let (_, told) = field.ground.prefilling(from, front.instances as f64, rate, transfer);
        let found = simulate(&field, way, rate, 7, Effort::QUICK).unwrap();
        near(told.unwrap().mean, found.ttft_mean_seconds, 0.15);
    }
}

#[test]
fn requests_of_a_list_come_when_they_come_in_whatever_order_it_is() {
    let asked = problem(dense_model(), Some(10.0));
    let ground = Ground::new(&asked, PLACE).unwrap().unwrap();
    let item: Candidate = ground.candidate(ONE, None, Roles::ALL).unwrap();
    let duty = Duty { bench: ground.bench(&item).unwrap(), job: Job::Outputs, limit: item.limit };
    let mut requests = Requests::new(ground.question().unwrap().lengths, None, 10.0, 5);
    let listed: Vec<_> =
        (0..200).map(|at| (f64::from(at) / 10.0, requests.come(f64::from(at) / 10.0))).collect();
    let run = |list: Vec<_>| Pool::new(duty, 2, Source::Listed(list)).run(0.0, 40.0);
    let mut mixed = listed.clone();
    for pair in mixed.chunks_mut(7) {
        pair.reverse();
    }
    assert_ne!(mixed, listed);
    assert_eq!(run(mixed), run(listed));
}

#[test]
fn an_overloaded_service_is_seen_to_fall_behind() {
    let asked = problem(dense_model(), Some(10.0));
    let field = Field::new(Ground::new(&asked, PLACE).unwrap().unwrap(), None);
    let way = field.best(20.0).unwrap();
    assert!(simulate(&field, &way, 20.0, 1, Effort::QUICK).unwrap().confirmed);
    let late = simulate(&field, &way, 3.0 * field.capacity(&way).0, 1, Effort::QUICK);
    assert!(late.is_none_or(|late| !late.confirmed));
}

#[test]
fn what_is_recommended_was_confirmed_and_what_was_refuted_is_told() {
    let (mut refuted, mut none) = (0, 0);
    for (model, seconds) in [(dense_model(), 0.2), (dense_model(), 1.5), (moe_model(), 0.2)] {
        for rate in [40.0, 400.0] {
            let mut asked = problem(model.clone(), Some(rate));
            lengths(&mut asked).input_spread = 2.0;
            asked.space.modes = vec![Mode::Disaggregated];
            asked.space.dp = vec![1];
            asked.target.ttft = Some(LatencyTarget { seconds, quantile: 0.9 });
            let Some(plain) = search(&asked).unwrap().best else { continue };
            asked.search.seed = Some(0);
            let found = search(&asked).unwrap();
            let best = found.best.unwrap();
            assert!(best.simulated.unwrap().confirmed, "{} at {rate}", model.id);
            assert!(best.cards.total >= plain.cards.total);
            // A service that holds is the answer where the limit leaves room for no other.
            asked.limits.cards_max = best.cards.total;
            let same = search(&asked).unwrap().best.unwrap();
            assert!(same.cards.total <= best.cards.total && same.simulated.unwrap().confirmed);
            assert!(found.refuted.iter().all(|row| !row.simulated.confirmed));
            assert!(found.refuted.is_empty() == (best.pools == plain.pools));
            refuted += found.refuted.len();
            // Without room for a stronger one the answer is no, and what was refuted is only the nearest.
            asked.limits.cards_max = plain.cards.total;
            let tight = search(&asked).unwrap();
            assert_eq!(tight.feasible, tight.best.is_some_and(|best| best.simulated.unwrap().confirmed));
            if let Some(nearest) = tight.nearest {
                assert!(!tight.feasible && !nearest.design.unwrap().simulated.unwrap().confirmed);
                assert!(tight.front.is_empty() && tight.runners_up.is_empty());
                none += 1;
            }
        }
    }
    assert!(refuted > 0, "no case shows a refutation");
    assert!(none > 0, "no case is refuted without a way out");
}

#[test]
fn a_seed_gives_the_same_simulation_and_another_seed_another() {
    let mut asked = problem(dense_model(), Some(40.0));
    let mut run = |seed: u64| {
        asked.search.seed = Some(seed);
        search(&asked).unwrap().best.unwrap().simulated.unwrap()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).ttft_p50_seconds, run(4).ttft_p50_seconds);
}

#[test]
fn a_load_lowered_by_the_simulation_is_inside_its_latencies() {
    let mut open = problem(moe_model(), None);
    open.limits.cards_max = 64;
    open.search.objective = planner_core::problem::Objective::Throughput;
    open.search.seed = Some(0);
    let best = search(&open).unwrap().best.unwrap();
    let ran = best.simulated.unwrap();
    assert!(ran.confirmed);
    assert!((ran.requests_per_second - best.requests_per_second).abs() < 1e-9);
    assert!(best.requests_per_second <= best.most_requests_per_second * (1.0 + 1e-6));
}
