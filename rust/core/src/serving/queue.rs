//! Queues in closed form, with their validity.

use crate::serving::units::whole;

/// Erlang's C: the chance to wait in M/M/c at `offered` = arrival rate x service time, below `servers`.
///
/// C = B / (1 - rho (1 - B)) with Erlang's B by its recursion B(n) = a B(n-1) / (n + a B(n-1)).
#[must_use]
pub fn erlang_c(servers: u32, offered: f64) -> f64 {
    if offered >= f64::from(servers) {
        return 1.0;
    }
    let mut blocked = 1.0;
    for server in 1..=servers {
        blocked = offered * blocked / (f64::from(server) + offered * blocked);
    }
    let load = offered / f64::from(servers);
    blocked / (1.0 - load * (1.0 - blocked))
}

/// Mean wait in M/G/c over the mean service time (Lee and Longton 1959): C(c, a) / (c - a) x (1 + cv^2) / 2.
///
/// Exact for M/M/c and M/G/1 (Pollaczek and Khinchine); within a few per cent for cv^2 up to 1, and within 20 %
/// up to cv^2 of about 4 at loads above 0.5. Infinite at and beyond full load.
#[must_use]
pub fn wait_over_service(servers: u32, offered: f64, spread: f64) -> f64 {
    if offered >= f64::from(servers) {
        return f64::INFINITY;
    }
    erlang_c(servers, offered) / (f64::from(servers) - offered) * (1.0 + spread * spread) / 2.0
}

/// The wait that a share `quantile` of requests does not exceed, where the mean wait is `mean` and a share
/// `waiting` waits at all: those that wait do so for an exponential time (exact in M/M/c; the tail in M/G/c).
#[must_use]
pub fn wait_quantile(mean: f64, waiting: f64, quantile: f64) -> f64 {
    if waiting <= 1.0 - quantile || waiting <= 0.0 {
        return 0.0;
    }
    mean / waiting * libm::log(waiting / (1.0 - quantile))
}

/// Cycles over which the sums of [`left_over`] run at most, and the share at which they stop.
const MOST_CYCLES: u32 = 20_000;
const NEGLIGIBLE: f64 = 1e-9;
/// Mean of a Poisson number above which it is taken as normal.
const LARGE_MEAN: f64 = 300.0;

/// Customers that a full batch leaves behind: mean, and the chance that there are any.
///
/// A server takes up to `most` of those that wait and is back after a constant time in which a Poisson number with mean
/// `arrivals` comes: L' = max(0, L + A - most). Spitzer's identity (1956): E\[L\] = sum over n of E[(A(n) - n most)+] / n
/// and P(L = 0) = exp(-sum over n of P(A(n) > n most) / n), A(n) Poisson with mean n x arrivals. With `most` of 1 this
/// is M/D/1. Infinite at and beyond full load.
#[must_use]
pub fn left_over(most: f64, arrivals: f64) -> (f64, f64) {
    if arrivals >= most {
        return (f64::INFINITY, 1.0);
    }
    let (mut mean, mut any) = (0.0, 0.0);
    for cycle in 1..=MOST_CYCLES {
        let count = f64::from(cycle);
        let (excess, chance) = poisson_excess(count * arrivals, libm::floor(count * most));
        mean += excess / count;
        any += chance / count;
        if excess < NEGLIGIBLE * mean.max(NEGLIGIBLE) {
            break;
        }
    }
    (mean, -libm::expm1(-any))
}

/// E[(X - k)+] and P(X > k) of a Poisson number X.
fn poisson_excess(mean: f64, k: f64) -> (f64, f64) {
    if mean > LARGE_MEAN {
        let sigma = libm::sqrt(mean);
        let beyond = |k: f64| 0.5 * libm::erfc((k - mean) / sigma / core::f64::consts::SQRT_2);
        let z = (k - mean) / sigma;
        let density = libm::exp(-z * z / 2.0) / libm::sqrt(2.0 * core::f64::consts::PI);
        return ((sigma * density - (k - mean) * beyond(k)).max(0.0), beyond(k + 0.5));
    }
    let mut value = k + 1.0;
    let mut term = libm::exp(value * libm::log(mean) - mean - libm::lgamma(value + 1.0));
    let (mut excess, mut chance) = (0.0, 0.0);
    while term > 1e-18 * (1e-290 + chance) {
        excess += (value - k) * term;
        chance += term;
        value += 1.0;
        term *= mean / value;
    }
    (excess, chance)
}

/// A closed loop at one queue and one delay, by mean-value analysis (Reiser and Lavenberg 1980).
///
/// `customers` go round between a queue with mean `service` and spread `spread` of service times, and a `delay`.
/// A newcomer finds the queue as it is with one customer fewer; who is in service is there for its residual time,
/// (1 + spread^2)/2 of a service (exact for exponential service). Returns the rate and the time at the queue.
#[must_use]
pub fn closed_loop(customers: f64, service: f64, spread: f64, delay: f64) -> (f64, f64) {
    let whole = whole(customers, u32::MAX - 1);
    let fraction = (customers - f64::from(whole)).max(0.0);
    let (mut queued, mut busy) = (0.0, 0.0);
    let mut now = (0.0, service);
    let mut next = now;
    let unfinished = (1.0 - spread * spread) / 2.0;
    for count in 1..=whole + 1 {
        let stay = (service * (1.0 + queued - busy * unfinished)).max(service);
        let rate = (f64::from(count) / (stay + delay)).min(1.0 / service.max(f64::MIN_POSITIVE));
        // At full use the queue holds whoever is not delayed.
        let stay = f64::from(count) / rate - delay;
        queued = rate * stay;
        busy = rate * service;
        if count == whole {
            now = (rate, stay);
        }
        next = (rate, stay);
    }
    if customers < 1.0 {
        // One customer that is there for a part of the time only.
        return (now.0 * customers, now.1);
    }
    (now.0 + (next.0 - now.0) * fraction, now.1 + (next.1 - now.1) * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_exponential_server_waits_rho_over_one_minus_rho() {
        assert!((erlang_c(1, 0.8) - 0.8).abs() < 1e-12);
        assert!((wait_over_service(1, 0.8, 1.0) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn constant_service_halves_the_wait() {
        assert!((wait_over_service(1, 0.8, 0.0) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn erlang_c_of_two_servers_at_one_erlang_is_a_third() {
        assert!((erlang_c(2, 1.0) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn quantiles_of_one_exponential_server() {
        // P(W > t) = rho exp(-(1 - rho) t): with rho 0.5, the 99th percentile is ln(50)/0.5.
        let mean = wait_over_service(1, 0.5, 1.0);
        assert!((wait_quantile(mean, 0.5, 0.99) - 50.0_f64.ln() / 0.5).abs() < 1e-12);
        assert_eq!(wait_quantile(mean, 0.5, 0.4), 0.0);
    }

    #[test]
    fn a_closed_loop_of_exponential_service_is_the_machine_repair_model() {
        // Two machines, repair 1, time to failure 1: states 0, 1, 2 with weights 1, 2, 2: rate = 4/5.
        let (rate, stay) = closed_loop(2.0, 1.0, 1.0, 1.0);
        assert!((rate - 0.8).abs() < 1e-12, "{rate}");
        assert!((stay - 1.5).abs() < 1e-12, "{stay}");
    }

    #[test]
    fn batches_of_one_leave_behind_what_m_d_1_does() {
        // E[L] = rho^2 / (2 (1 - rho)); one or none in the system at a departure: (1 - rho) e^rho.
        for load in [0.3, 0.7, 0.9_f64] {
            let (mean, any) = left_over(1.0, load);
            assert!((mean / (load * load / 2.0 / (1.0 - load)) - 1.0).abs() < 0.01, "{load}: {mean}");
            assert!((any / (1.0 - (1.0 - load) * load.exp()) - 1.0).abs() < 0.01, "{load}: {any}");
        }
        assert!(left_over(4.0, 4.0).0.is_infinite());
    }

    #[test]
    fn large_batches_leave_behind_what_a_simulated_walk_does() {
        // 200,000 cycles of L' = max(0, L + A - 16), A by exponential gaps.
        let mut random = crate::simulate::Random::new(1, 0);
        let (mut left, mut sum, mut some) = (0.0_f64, 0.0, 0.0);
        for _ in 0..200_000 {
            let (mut time, mut came) = (0.0, -1.0);
            while time < 14.0 {
                time += random.exponential(crate::units::Seconds(1.0)).0;
                came += 1.0;
            }
            left = (left + came - 16.0).max(0.0);
            sum += left;
            some += f64::from(u8::from(left > 0.0));
        }
        let (mean, any) = left_over(16.0, 14.0);
        assert!((sum / 2e5 / mean - 1.0).abs() < 0.05, "{} {mean}", sum / 2e5);
        assert!((some / 2e5 / any - 1.0).abs() < 0.05, "{} {any}", some / 2e5);
    }

    #[test]
    fn less_than_one_customer_goes_round_so_much_less_often() {
        // One customer: 1 / (1 + 3); half of one: half of that, and it never waits.
        let (rate, stay) = closed_loop(0.5, 1.0, 0.0, 3.0);
        assert!((rate - 0.125).abs() < 1e-12 && (stay - 1.0).abs() < 1e-12, "{rate} {stay}");
    }

    #[test]
    fn a_crowded_loop_runs_at_the_rate_of_its_queue() {
        let (rate, stay) = closed_loop(100.0, 1.0, 0.0, 5.0);
        assert!((rate - 1.0).abs() < 1e-9);
        assert!((stay - 95.0).abs() < 1e-6);
    }
}
