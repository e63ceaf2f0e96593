//! Closed forms of reliability against the discrete-event simulation: within 2 %.

use planner_core::reliability::causes::availability;
use planner_core::reliability::spares::spare_replicas;
use planner_core::reliability::{Checkpointing, MemoryCopies, goodput, poisson_cdf, simulated};
use planner_core::simulate::Law;
use planner_core::units::{Bytes, BytesPerSecond, SECONDS_PER_DAY, Seconds};

const WITHIN: f64 = 0.02;

fn near(left: f64, right: f64, what: &str) {
    assert!((left / right - 1.0).abs() < WITHIN, "{what}: {left} against {right}");
}

fn plan(write: f64, stall: Option<f64>, recovery: f64) -> Checkpointing {
    Checkpointing {
        size: Bytes(write * 1e9),
        bandwidth: BytesPerSecond(1e9),
        stall: stall.map(Seconds),
        recovery: Seconds(recovery),
        interval: None,
        memory: None,
    }
}

#[test]
fn goodput_agrees_with_the_simulation_from_easy_to_hopeless() {
    // Write, stall, recovery, MTTF (seconds).
    let cases = [
        (40.0, None, 600.0, 11_135.0),
        (300.0, None, 900.0, 3600.0),
        (57.0, Some(2.0), 600.0, 11_135.0),
        (120.0, Some(5.0), 900.0, 1800.0),
        (30.0, Some(0.5), 120.0, 600.0),
    ];
    for (seed, (write, stall, recovery, mttf)) in cases.into_iter().enumerate() {
        let plan = plan(write, stall, recovery);
        let closed = goodput(Seconds(mttf), &plan);
        let law = Law::Exponential(Seconds(mttf));
        let interval = closed.interval.unwrap();
        let simulated = simulated::goodput(&plan, interval, &law, Seconds(mttf * 1500.0), seed as u64);
        near(closed.goodput, simulated, &format!("write {write}, stall {stall:?}, mttf {mttf}"));
    }
}

#[test]
fn the_best_interval_beats_its_neighbours_in_the_simulation() {
    let plan = plan(300.0, None, 600.0);
    let mttf = Seconds(3000.0);
    let best = goodput(mttf, &plan).interval.unwrap();
    let law = Law::Exponential(mttf);
    let share = |interval: Seconds| simulated::goodput(&plan, interval, &law, Seconds(6e6), 3);
    let middle = share(best);
    assert!(middle > share(best * 0.5) && middle > share(best * 2.0), "{middle}");
}

#[test]
fn two_levels_agree_with_the_simulation() {
    for (seed, (covers, mttf)) in [(0.9, 11_135.0), (0.6, 11_135.0), (0.95, 4000.0)].into_iter().enumerate() {
        let copies = MemoryCopies { stall: Seconds(0.5), recovery: Seconds(120.0), covers };
        let alone = plan(57.0, Some(2.0), 600.0);
        let closed = goodput(Seconds(mttf), &Checkpointing { memory: Some(copies), ..alone });
        let every = (closed.interval.unwrap(), closed.memory_interval.unwrap());
        let law = Law::Exponential(Seconds(mttf));
        let work = Seconds(mttf * 1500.0);
        let simulated = simulated::goodput_with_copies(&alone, copies, every, &law, work, seed as u64);
        near(closed.goodput, simulated, &format!("covers {covers}, mttf {mttf}"));
    }
}

#[test]
fn spares_cover_what_the_repair_shop_holds() {
    // 300 servers at 20 failures per 1,000 server-days and 2 days of repair: 12 in repair on average, whatever the law.
    let day = Seconds(SECONDS_PER_DAY);
    let failures = Law::Exponential(day * 50.0);
    for repair in [Law::Deterministic(day * 2.0), Law::Exponential(day * 2.0)] {
        for spares in [12, 16, 20] {
            let simulated = simulated::covered(300, spares, &failures, &repair, day * 8_000.0, 5);
            near(poisson_cdf(12.0, spares as u64), simulated, &format!("{spares} spares"));
        }
    }
}

#[test]
fn replicas_beyond_the_wanted_keep_the_availability() {
    // Ten replicas of 4 servers, each down 2 days every 62.5 days of service: the simulation reaches what was asked.
    let up = availability(62.5, 2.0);
    let spare = spare_replicas(10, up, 0.99).unwrap();
    let day = Seconds(SECONDS_PER_DAY);
    let reached = |spare: u64| {
        let all = usize::try_from(10 + spare).unwrap();
        let (law, repair) = (Law::Exponential(day * 62.5), Law::Deterministic(day * 2.0));
        simulated::up_at_least(all, 10, &law, &repair, day * 40_000.0, 7)
    };
    assert!(reached(spare) > 0.985, "{}", reached(spare));
    assert!(reached(spare - 1) < 0.99);
}

#[test]
fn replicas_up_are_binomial_and_the_simulation_agrees() {
    // P(at least `wanted` of n up), summed by hand from n choose k; n servers that fail and return on their own.
    let binomial = |n: u64, wanted: u64, up: f64| -> f64 {
        (wanted..=n)
            .map(|k| {
                let ways: f64 = (1..=n - k).map(|i| (k + i) as f64 / i as f64).product();
                ways * up.powi(i32::try_from(k).unwrap()) * (1.0 - up).powi(i32::try_from(n - k).unwrap())
            })
            .sum()
    };
    let day = Seconds(SECONDS_PER_DAY);
    for (wanted, up_days, down_days) in [(4_u64, 18.0, 2.0), (10, 48.0, 2.0), (20, 97.0, 3.0)] {
        let up = availability(up_days, down_days);
        for spare in 0..4_u64 {
            let n = wanted + spare;
            let (law, repair) = (Law::Exponential(day * up_days), Law::Deterministic(day * down_days));
            let (all, least) = (usize::try_from(n).unwrap(), usize::try_from(wanted).unwrap());
            let reached = simulated::up_at_least(all, least, &law, &repair, day * 60_000.0, 11);
            let exact = binomial(n, wanted, up);
            assert!((reached / exact - 1.0).abs() < 0.02, "{wanted}+{spare}: {reached} against {exact}");
        }
        for target in [0.9, 0.99, 0.9999] {
            let spare = spare_replicas(wanted, up, target).unwrap();
            assert!(binomial(wanted + spare, wanted, up) >= target);
            assert!(spare == 0 || binomial(wanted + spare - 1, wanted, up) < target);
        }
    }
}
