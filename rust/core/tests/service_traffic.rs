//! Simulated services under their own traffic: items in batches, traces with bursts, lengths from histograms.

mod common;

use common::dense_model;
use common::services::problem;
use planner_core::hardware::Precision;
use planner_core::service::generic::batch_time;
use planner_core::service::ground::{Ground, Place};
use planner_core::service::problem::{GenericItem, LatencyTarget, Served, ServiceProblem};
use planner_core::service::search::search;
use planner_core::service::simulated::{Effort, Simulated, simulate};
use planner_core::service::sizes::{Field, Group, Way};
use planner_core::service::traffic::{Replay, Traffic};
use planner_core::serving::case::Mode;
use planner_core::simulate::Random;
use planner_core::units::Seconds;

const PLACE: Place = Place { cluster: 0, fabric: 0, cap: 0, precision: 0 };

fn items(most_batch: u32) -> ServiceProblem {
    let mut asked = problem(dense_model(), Some(1.0));
    asked.served = Served::Generic {
        item: GenericItem {
            flops: 8e9,
            bytes: 30e6,
            memory: 50e6,
            weights: 50e6,
            precision: Precision::Bf16,
            most_batch,
        },
    };
    asked.target.ttft = Some(LatencyTarget { seconds: 0.5, quantile: 0.99 });
    asked.target.tpot = None;
    asked.space.modes = vec![Mode::Aggregated];
    asked
}

/// One device at a share of what full batches carry: simulated, and by the closed form.
fn one_device(most_batch: u32, load: f64) -> (Simulated, f64, f64) {
    let asked = items(most_batch);
    let field = Field::new(Ground::new(&asked, PLACE).unwrap().unwrap(), None);
    let ground = &field.ground;
    let full =
        batch_time(ground, ground.item().unwrap(), ground.item_rate().unwrap(), f64::from(most_batch)).0;
    let rate = load * f64::from(most_batch) / full;
    let way = field.way(None, Group { candidate: 0, instances: 1 });
    let found = simulate(&field, &way, rate, 3, Effort::LONG).unwrap();
    let (point, _) = planner_core::service::evaluate::point_at(ground, &field.candidates[0], true, rate);
    let told = point.ttft.unwrap();
    (found, told.mean, told.quantile)
}

#[test]
fn items_one_by_one_wait_as_m_d_1() {
    for load in [0.3, 0.6, 0.85] {
        let (found, mean, _) = one_device(1, load);
        let asked = items(1);
        let ground = Ground::new(&asked, PLACE).unwrap().unwrap();
        let service = batch_time(&ground, ground.item().unwrap(), ground.item_rate().unwrap(), 1.0).0;
        // Pollaczek and Khinchine.
        let exact = service * (1.0 + load / (1.0 - load) / 2.0);
        assert!((found.ttft_mean_seconds / exact - 1.0).abs() < 0.04, "{load}: {found:?} {exact}");
        assert!((mean / exact - 1.0).abs() < 0.01, "{load}: {mean} {exact}");
    }
}

#[test]
fn items_in_batches_wait_as_the_closed_form_says() {
    for most in [4, 16, 64, 256] {
        for load in [0.1, 0.4, 0.7, 0.85] {
            let (found, mean, quantile) = one_device(most, load);
            let (first, late) = (found.ttft_mean_seconds / mean, found.ttft_quantile_seconds / quantile);
            assert!((0.85..1.15).contains(&first), "{most} {load}: mean {first}");
            assert!((0.75..1.2).contains(&late), "{most} {load}: percentile {late}");
            assert_eq!(found.tpot_mean_seconds, None);
        }
    }
}

#[test]
fn a_generic_service_is_confirmed_or_made_larger() {
    let mut asked = items(64);
    asked.target.requests_per_second = Some(200_000.0);
    asked.target.ttft = Some(LatencyTarget { seconds: 0.005, quantile: 0.99 });
    asked.search.seed = Some(0);
    let best = search(&asked).unwrap().best.unwrap();
    assert!(best.simulated.unwrap().confirmed);
}

/// Poisson arrivals at `rate` for `seconds`, with a burst of `burst` times the rate in the middle, 3 % of the time.
fn trace(rate: f64, seconds: f64, burst: f64, lengths: (f64, f64)) -> Replay {
    let mut random = Random::new(9, 0);
    let (mut arrivals, mut time) = (Vec::new(), 0.0);
    while time < seconds {
        let inside = (0.485 * seconds..0.515 * seconds).contains(&time);
        time += random.exponential(Seconds(1.0 / if inside { burst * rate } else { rate })).0;
        arrivals.push(time);
    }
    let count = arrivals.len();
    Replay { arrivals, inputs: vec![lengths.0; count], outputs: vec![lengths.1; count], peak_rate: rate }
}

fn service(replay: Option<Replay>) -> ServiceProblem {
    let mut asked = problem(dense_model(), Some(20.0));
    asked.space.modes = vec![Mode::Aggregated];
    if let Served::Model { lengths, .. } = &mut asked.served {
        (lengths.input_spread, lengths.output_spread) = (0.0, 0.0);
    }
    asked.search.traffic = replay.map(|replay| Traffic { replay: Some(replay), ..Traffic::default() });
    asked
}

fn run(asked: &ServiceProblem, way: Option<Way>) -> (Simulated, Way) {
    let field = Field::new(Ground::new(asked, PLACE).unwrap().unwrap(), None);
    let way = way.or_else(|| field.best(20.0)).unwrap();
    (simulate(&field, &way, 20.0, 1, Effort::LONG).unwrap(), way)
}

#[test]
fn a_trace_of_poisson_arrivals_is_served_as_poisson_arrivals_are() {
    let (drawn, way) = run(&service(None), None);
    let (replayed, _) = run(&service(Some(trace(20.0, 600.0, 1.0, (1000.0, 300.0)))), Some(way));
    assert_eq!((drawn.arrivals, replayed.arrivals), ("poisson", "trace"));
    assert_eq!(replayed.share_of_trace, Some(1.0));
    let near = |left: f64, right: f64, share: f64| {
        assert!((left / right - 1.0).abs() < share, "{left} {right}");
    };
    near(replayed.ttft_p50_seconds, drawn.ttft_p50_seconds, 0.1);
    near(replayed.ttft_p90_seconds, drawn.ttft_p90_seconds, 0.15);
    near(replayed.tpot_mean_seconds.unwrap(), drawn.tpot_mean_seconds.unwrap(), 0.03);
}

#[test]
fn a_burst_in_a_trace_is_met_by_its_late_percentiles() {
    let calm = service(Some(trace(20.0, 600.0, 1.0, (1000.0, 300.0))));
    let (quiet, way) = run(&calm, None);
    let (burst, _) = run(&service(Some(trace(20.0, 600.0, 4.0, (1000.0, 300.0)))), Some(way));
    assert!(burst.ttft_p99_seconds > 2.0 * quiet.ttft_p99_seconds, "{burst:?} {quiet:?}");
    assert!(burst.ttft_p50_seconds < 2.0 * quiet.ttft_p50_seconds);
}

#[test]
fn a_trace_is_replayed_at_the_load_asked_for_with_its_own_lengths() {
    // The same requests at half the speed and a peak of half the rate: time is stretched to the same load.
    let one = trace(20.0, 600.0, 2.0, (1000.0, 300.0));
    let mut slow = one.clone();
    slow.arrivals.iter_mut().for_each(|time| *time *= 2.0);
    slow.peak_rate = 10.0;
    let (first, way) = run(&service(Some(one)), None);
    let (second, _) = run(&service(Some(slow)), Some(way));
    assert!((first.ttft_p90_seconds / second.ttft_p90_seconds - 1.0).abs() < 1e-6);
    let (long, _) = run(&service(Some(trace(20.0, 600.0, 2.0, (4000.0, 300.0)))), Some(way));
    assert!(long.ttft_p50_seconds > 1.5 * first.ttft_p50_seconds);
}

#[test]
fn a_service_sized_for_a_trace_with_a_burst_is_larger_than_one_for_its_mean() {
    // A burst to four times the rate: the peak rate of the problem does not show it, the replay does.
    let mut asked = service(Some(trace(20.0, 600.0, 4.0, (1000.0, 300.0))));
    asked.target.ttft = Some(LatencyTarget { seconds: 1.0, quantile: 0.99 });
    asked.search.seed = Some(0);
    let replayed = search(&asked).unwrap();
    asked.search.traffic = None;
    let drawn = search(&asked).unwrap().best.unwrap();
    let best = replayed.best.unwrap();
    assert!(best.simulated.unwrap().confirmed && best.simulated.unwrap().arrivals == "trace");
    assert!(!replayed.refuted.is_empty());
    assert!(best.cards.active > drawn.cards.active, "{} {}", best.cards.active, drawn.cards.active);
}

#[test]
fn a_histogram_of_two_lengths_waits_longer_than_its_mean_alone() {
    let mut asked = service(None);
    asked.space.modes = vec![Mode::Disaggregated];
    let (even, way) = run(&asked, None);
    asked.search.traffic = Some(Traffic { input: vec![(100.0, 0.9), (9100.0, 0.1)], ..Traffic::default() });
    let (spread, _) = run(&asked, Some(way));
    assert!(spread.ttft_p99_seconds > 1.5 * even.ttft_p99_seconds, "{spread:?} {even:?}");
}
