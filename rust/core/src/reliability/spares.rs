//! Hot spares: how many a job needs, and what it loses when there are fewer.
//!
//! Servers in repair are Poisson (an M/G/∞ queue). A job without a spare for one of them waits, or goes on with fewer
//! replicas. In a scale-up domain a spare must stand in the same domain; a domain with too few of them, or whose
//! switches fail, is lost whole: its blast radius.

use rayon::prelude::*;

use crate::reliability::{poisson_cdf, poisson_quantile};
use crate::units::Seconds;

/// What decides how many spares are needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpareRule {
    /// Failures after which a server is repaired, per server-day.
    pub repairs_per_server_day: f64,
    /// From failure to return.
    pub repair: Seconds,
    /// Servers of a scale-up domain; 1 where any server stands in for any other.
    pub domain_servers: u64,
    /// Chance that the domain itself is down (its switches, its backplane).
    pub domain_down: f64,
    /// Spares must cover the servers in repair with at least that probability, whatever is cheapest.
    pub least_confidence: f64,
}

/// Spares of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needed {
    /// Servers.
    pub servers: u64,
    /// Of them, per domain (0 where spares stand anywhere).
    pub per_domain: u64,
    /// Whole spare domains among them.
    pub domains: u64,
    /// Servers to buy, active ones included, domains whole.
    pub bought: u64,
    /// Share of the time in which nothing waits for a repair.
    pub covered: f64,
}

/// The largest share of a domain that is held as spares inside it: one in so many.
const MOST_IN_DOMAIN: u64 = 8;

/// Coverage that spares of scale-up domains are chosen for, where no higher one is asked: the cheapest with it.
pub const DOMAIN_COVERAGE: f64 = 0.99;

impl SpareRule {
    /// Mean number of `servers` that are in repair.
    #[must_use]
    pub fn in_repair(&self, servers: f64) -> f64 {
        servers * self.repairs_per_server_day * self.repair.days()
    }

    /// The spares that a job on that many servers should have, other things left aside: what a design is given whose
    /// cards nobody names. The search weighs them against everything else instead ([`super::keeping`]).
    ///
    /// Where any server stands in for any other: those that make the most of what is bought, max over s of
    /// P(X <= s) / (active + s), and at least the quantile of `least_confidence`. That has one maximum, since the
    /// Poisson distribution is log-concave: the first spare that does not pay ends the search. Inside scale-up domains:
    /// the fewest servers in all that cover [`DOMAIN_COVERAGE`] (or `least_confidence`), over the number of spares per
    /// domain; domains with too few are replaced whole.
    #[must_use]
    pub fn needed(&self, active_servers: u64) -> Needed {
        if self.domain_servers <= 1 {
            let active = active_servers as f64;
            let (servers, covered) = self.paying(self.in_repair(active), active);
            return Needed { servers, per_domain: 0, domains: 0, bought: active_servers + servers, covered };
        }
        self.needed_in_domains(active_servers, &self.alive())
    }

    /// Numbers of spares per domain worth a thought, and the chance that a domain with so many is alive.
    #[must_use]
    pub fn alive(&self) -> Vec<(u64, f64)> {
        let mean = self.in_repair(self.domain_servers as f64);
        let most = (self.domain_servers / MOST_IN_DOMAIN).max(1).min(self.domain_servers - 1);
        // Far above the mean one more changes nothing; none at all is what a full domain has.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of servers")]
        let to = (mean + 8.0 * libm::sqrt(mean) + 3.0) as u64;
        (0..=to.min(most))
            .map(|spares| (spares, poisson_cdf(mean, spares) * (1.0 - self.domain_down)))
            .collect()
    }

    /// Servers that a job on `active` ones has to buy so that spares suffice with `least_confidence`. Never falls with
    /// active ones, which the search relies on.
    #[must_use]
    pub fn least(&self, active: u64, alive: &[(u64, f64)]) -> u64 {
        if self.domain_servers > 1 {
            return self.cheapest_in_domains(active, alive, self.least_confidence).bought;
        }
        active + poisson_quantile(self.in_repair(active as f64), self.least_confidence)
    }

    fn needed_in_domains(&self, active: u64, alive: &[(u64, f64)]) -> Needed {
        self.cheapest_in_domains(active, alive, self.least_confidence.max(DOMAIN_COVERAGE))
    }

    fn cheapest_in_domains(&self, active: u64, alive: &[(u64, f64)], confidence: f64) -> Needed {
        let mut best: Option<Needed> = None;
        for &(per_domain, alive) in alive {
            let other = self.cover_domains(active, per_domain, alive, confidence);
            let better = |best: Needed| {
                other.bought < best.bought || (other.bought == best.bought && other.covered > best.covered)
            };
            if best.is_none_or(better) {
                best = Some(other);
            }
        }
        best.unwrap_or(Needed { servers: 0, per_domain: 0, domains: 0, bought: active, covered: 0.0 })
    }

    /// With `per_domain` spares in each domain, and whole domains for those that have too few.
    fn cover_domains(&self, active: u64, per_domain: u64, alive: f64, confidence: f64) -> Needed {
        let domains = active.div_ceil(self.domain_servers - per_domain);
        let lost = domains as f64 * (1.0 - alive);
        let (whole, covered) = climb(lost, |_, covered, _| covered < confidence);
        Needed {
            servers: domains * per_domain + whole * self.domain_servers,
            per_domain,
            domains: whole,
            bought: (domains + whole) * self.domain_servers,
            covered,
        }
    }

    fn paying(&self, mean: f64, active: f64) -> (u64, f64) {
        climb(mean, |spares, covered, more| {
            // One more spare covers more/covered times as much for (active + s + 1)/(active + s) of the price.
            covered < self.least_confidence || more * (active + spares as f64) > covered
        })
    }
}

/// The first number of spares s at which `goes_on`(s, P(X <= s), P(X = s + 1)) is false, and P(X <= s).
///
/// Begins at the mode where the mean is large: below it each further spare covers at least a share 0.4/sqrt(mean)
/// more, which always pays and is never enough.
fn climb(mean: f64, goes_on: impl Fn(u64, f64, f64) -> bool) -> (u64, f64) {
    let mut spares = if mean > 4.0 { libm::floor(mean) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of servers")]
    let whole = |spares: f64| spares as u64;
    let mut covered = poisson_cdf(mean, whole(spares));
    let mut more = if mean > 0.0 {
        libm::exp((spares + 1.0) * libm::log(mean) - mean - libm::lgamma(spares + 2.0))
    } else {
        0.0
    };
    while more > 1e-18 && goes_on(whole(spares), covered, more) {
        covered = (covered + more).min(1.0);
        spares += 1.0;
        more *= mean / (spares + 1.0);
    }
    (whole(spares), covered)
}

/// Servers to buy at least for every number of active servers, so that the search looks them up.
#[derive(Clone, Debug, PartialEq)]
pub struct SpareTable {
    bought: Vec<u64>,
}

impl SpareTable {
    /// For 0 up to `most` active servers.
    #[must_use]
    pub fn new(rule: &SpareRule, most: u64) -> Self {
        let servers: Vec<u64> = (0..=most).collect();
        let alive = if rule.in_domains() { rule.alive() } else { Vec::new() };
        let least = |active| if active == 0 { 0 } else { rule.least(active, &alive) };
        let bought = servers.into_par_iter().with_min_len(512).map(least).collect();
        Self { bought }
    }

    /// A table without spares.
    #[must_use]
    pub fn none() -> Self {
        Self { bought: Vec::new() }
    }

    /// Servers to buy for that many active ones.
    #[must_use]
    pub fn bought(&self, active_servers: u64) -> u64 {
        if self.bought.is_empty() {
            return active_servers;
        }
        let index = usize::try_from(active_servers).unwrap_or(usize::MAX);
        // Beyond the table the limits end, so anything larger will do.
        self.bought.get(index).copied().unwrap_or(u64::MAX / 4)
    }
}

/// Replicas beyond `wanted` so that at least `wanted` are up with probability `target`: N+k for serving. The smallest
/// k with P(Binomial(wanted + k, up) >= wanted) >= target; none where `up` is 0, the target is not below 1 or more
/// than `wanted + 1000` spares would not do.
///
/// `up` is the availability of one replica, see [`super::causes::availability`]; failures of replicas are independent.
#[must_use]
pub fn spare_replicas(wanted: u64, up: f64, target: f64) -> Option<u64> {
    if !(up > 0.0 && up <= 1.0 && target < 1.0) {
        return if up >= 1.0 { Some(0) } else { None };
    }
    // Replicas looked at until `wanted` are up: of j down before, C(wanted + j - 1, j) up^wanted down^j (negative
    // binomial). Each term comes from the one before, so that k spares cost k terms.
    let down = libm::log1p(-up);
    let mut term = wanted as f64 * libm::log(up);
    let mut sum = 0.0;
    for spare in 0..=wanted + 1000 {
        sum += libm::exp(term);
        if sum >= target {
            return Some(spare);
        }
        term += down + libm::log((wanted + spare) as f64 / (spare + 1) as f64);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SECONDS_PER_DAY;

    /// P(Binomial(n, p) >= k), summed over the fewer failures: n - k is small where it is asked.
    fn binomial_at_least(n: u64, k: u64, p: f64) -> f64 {
        if p >= 1.0 {
            return 1.0;
        }
        let (up, down) = (libm::log(p), libm::log1p(-p));
        let choose = |failed: u64| {
            libm::lgamma(n as f64 + 1.0)
                - libm::lgamma(failed as f64 + 1.0)
                - libm::lgamma((n - failed) as f64 + 1.0)
        };
        (0..=(n - k))
            .map(|failed| libm::exp(choose(failed) + (n - failed) as f64 * up + failed as f64 * down))
            .sum()
    }

    fn rule(repairs: f64, days: f64) -> SpareRule {
        SpareRule {
            repairs_per_server_day: repairs,
            repair: Seconds(days * SECONDS_PER_DAY),
            domain_servers: 1,
            domain_down: 0.0,
            least_confidence: 0.0,
        }
    }

    #[test]
    fn the_spares_are_those_with_the_most_covered_time_per_server() {
        for (repairs, days, active) in
            [(0.0065, 1.0, 48_u64), (0.003, 2.0, 2048), (0.02, 7.0, 300), (0.001, 0.1, 4)]
        {
            let rule = rule(repairs, days);
            let mean = rule.in_repair(active as f64);
            let worth = |spares: u64| poisson_cdf(mean, spares) / (active + spares) as f64;
            let best = (0..400).max_by(|a, b| worth(*a).total_cmp(&worth(*b)).then(b.cmp(a))).unwrap();
            assert_eq!(rule.needed(active).servers, best, "{repairs} {days} {active}");
        }
    }

    #[test]
    fn a_confidence_asks_for_at_least_its_quantile() {
        let rule = SpareRule { least_confidence: 0.99999, ..rule(0.0065, 1.0) };
        let needed = rule.needed(2048);
        assert!(needed.covered >= 0.99999 && poisson_cdf(13.312, needed.servers - 1) < 0.99999);
    }

    #[test]
    fn in_a_domain_spares_stand_inside_it() {
        // 79 domains of 48 servers at 3 repairs per 1,000 server-days and 2 days: 0.288 in repair per domain.
        let rule = SpareRule { domain_servers: 48, domain_down: 1e-3, ..rule(0.003, 2.0) };
        let needed = rule.needed(79 * 46);
        assert!(needed.per_domain >= 1 && needed.covered >= 0.99, "{needed:?}");
        assert_eq!(needed.bought % 48, 0);
        // With spares anywhere the same job needs far fewer: the blast radius has its price.
        let plain = SpareRule { domain_servers: 1, ..rule };
        assert!(needed.servers > 2 * plain.needed(79 * 46).servers);
    }

    #[test]
    fn more_servers_never_need_fewer_to_be_bought() {
        for domain_servers in [1, 18, 48] {
            let rule = SpareRule { domain_servers, domain_down: 0.01, ..rule(0.004, 2.0) };
            let table = SpareTable::new(&rule, 3000);
            for servers in 1..3000 {
                assert!(table.bought(servers + 1) >= table.bought(servers), "{domain_servers} {servers}");
                assert!(table.bought(servers) >= servers);
            }
        }
        assert_eq!(SpareTable::none().bought(100), 100);
    }

    #[test]
    fn spares_are_the_smallest_count_whose_binomial_reaches_the_target() {
        for (wanted, up, target) in
            [(1, 0.999, 0.9999), (7, 0.99, 0.999), (400, 0.97, 0.9999), (3000, 0.9, 0.5)]
        {
            let spare = spare_replicas(wanted, up, target).unwrap();
            assert!(binomial_at_least(wanted + spare, wanted, up) >= target - 1e-9);
            assert!(spare == 0 || binomial_at_least(wanted + spare - 1, wanted, up) < target + 1e-9);
        }
        assert_eq!(spare_replicas(0, 0.9, 0.99), Some(0));
    }

    #[test]
    fn replicas_reach_their_availability() {
        // Two of three at 0.9: 0.9^3 + 3·0.9^2·0.1 = 0.972; two of four: 0.9963.
        assert!((binomial_at_least(3, 2, 0.9) - 0.972).abs() < 1e-12);
        assert_eq!(spare_replicas(2, 0.9, 0.97), Some(1));
        assert_eq!(spare_replicas(2, 0.9, 0.99), Some(2));
        assert_eq!(spare_replicas(5, 1.0, 0.999), Some(0));
        assert_eq!(spare_replicas(5, 0.0, 0.999), None);
    }
}
