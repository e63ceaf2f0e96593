//! The simulation against the closed forms of queueing theory (Erlang; Pollaczek and Khinchine).

use planner_core::simulate::Law;
use planner_core::simulate::station::Station;
use planner_core::units::Seconds;

const CUSTOMERS: usize = 1_000_000;
const WARM_UP: usize = 10_000;

fn near(left: f64, right: f64, share: f64) {
    assert!((left / right - 1.0).abs() < share, "{left} is not within {share} of {right}");
}

/// Arrivals every 1/0.7 s on average, service of 1 s: a load of 0.7.
fn station(service: Law) -> Station {
    Station { arrivals: Law::Exponential(Seconds(1.0 / 0.7)), service, servers: 1 }
}

#[test]
fn one_memoryless_server_waits_load_over_idle_share() {
    // M/M/1: W = S·ρ/(1 - ρ) = 7/3 s; P(wait > t) = ρ·exp(-(1-ρ)t/S), so P99 = ln(0.7/0.01)/0.3 = 14.16 s.
    let visits = station(Law::Exponential(Seconds(1.0))).run(CUSTOMERS, WARM_UP, 1);
    near(visits.mean_wait().0, 7.0 / 3.0, 0.02);
    near(visits.mean_stay().0, 10.0 / 3.0, 0.02);
    near(visits.wait_quantile(0.99).0, (70.0_f64).ln() / 0.3, 0.03);
}

#[test]
fn a_constant_service_halves_the_wait() {
    // M/G/1: W = S·ρ/(1 - ρ)·(1 + c²)/2.
    let visits = station(Law::Deterministic(Seconds(1.0))).run(CUSTOMERS, WARM_UP, 2);
    near(visits.mean_wait().0, 7.0 / 6.0, 0.02);
}

#[test]
fn measured_services_wait_by_their_variation() {
    let service = Law::empirical(vec![Seconds(0.25), Seconds(0.25), Seconds(0.5), Seconds(3.0)]).unwrap();
    let expected = service.mean().0 * 0.7 / 0.3 * f64::midpoint(1.0, service.squared_variation());
    near(station(service).run(CUSTOMERS, WARM_UP, 3).mean_wait().0, expected, 0.02);
}

#[test]
fn several_servers_wait_by_the_formula_of_erlang() {
    // M/M/4 at an offered load of 2.8 Erlang: P(wait) = 0.4287 (Erlang C), W = P(wait)·S/(4 - 2.8).
    let station = Station {
        arrivals: Law::Exponential(Seconds(1.0 / 2.8)),
        service: Law::Exponential(Seconds(1.0)),
        servers: 4,
    };
    let last = 2.8_f64.powi(4) / 24.0 * 4.0 / 1.2;
    let others = 1.0 + 2.8 + 2.8_f64.powi(2) / 2.0 + 2.8_f64.powi(3) / 6.0;
    let erlang_c = last / (others + last);
    near(erlang_c, 0.4287, 1e-3);
    near(station.run(CUSTOMERS, WARM_UP, 4).mean_wait().0, erlang_c / 1.2, 0.02);
}

#[test]
fn the_same_seed_gives_the_same_visits() {
    let station = station(Law::Exponential(Seconds(1.0)));
    assert_eq!(station.run(1000, 10, 9), station.run(1000, 10, 9));
    assert_ne!(station.run(1000, 10, 9), station.run(1000, 10, 10));
}
