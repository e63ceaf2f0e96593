//! What a job keeps of its time with so many servers bought and so many of them at work.
//!
//! Servers in repair are Poisson (an M/G/∞ queue). A job with too few spares waits, or goes on with fewer replicas,
//! whichever keeps more. How many spares are worth their price is for the search to say: they are one of its
//! dimensions.

use crate::reliability::spares::{SpareRule, SpareTable};

/// What is short of spares where X servers are in repair, X Poisson: P(X <= s) and E[(X - s)+] for s = 0, 1, 2 ...,
/// each from the one before.
///
/// E[(X - s - 1)+] = E[(X - s)+] - P(X > s). Far below a large mean, where P(X = s) underflows, P(X <= s) is 0 and
/// E[(X - s)+] is the mean less s, both to 1e-60. Beyond the last spare that matters (P(X = s) < 1e-18) nothing is short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortage {
    mean: f64,
    spares: u64,
    /// P(X = s).
    exactly: f64,
    /// P(X <= s).
    covered: f64,
    /// E[(X - s)+].
    missing: f64,
}

/// Means up to which P(X = 0) is a normal number.
const SMALL_MEAN: f64 = 600.0;

/// Standard deviations below a larger mean at which probabilities begin to count.
const FAR_BELOW: f64 = 24.0;

impl Shortage {
    /// Without spares.
    #[must_use]
    pub fn new(mean: f64) -> Self {
        let exactly = if mean <= SMALL_MEAN { libm::exp(-mean) } else { 0.0 };
        Self { mean, spares: 0, exactly, covered: exactly, missing: mean }
    }

    /// With that many spares.
    #[must_use]
    pub fn with(mean: f64, spares: u64) -> Self {
        let mut shortage = Self::new(mean);
        shortage.advance(spares);
        shortage
    }

    /// Up to that many spares, never back.
    pub fn advance(&mut self, spares: u64) {
        while self.spares < spares && self.missing > 0.0 {
            self.one_more();
        }
        self.spares = self.spares.max(spares);
    }

    fn one_more(&mut self) {
        self.missing = (self.missing - (1.0 - self.covered)).max(0.0);
        self.spares += 1;
        let at = self.spares as f64;
        if self.mean <= SMALL_MEAN || self.exactly > 0.0 {
            self.exactly *= self.mean / at;
        } else if at >= self.mean - FAR_BELOW * libm::sqrt(self.mean) {
            let (mean, log) = (self.mean, libm::log(self.mean));
            self.exactly = libm::exp(at * log - mean - libm::lgamma(at + 1.0));
        }
        self.covered = (self.covered + self.exactly).min(1.0);
        if at > self.mean && self.exactly < 1e-18 {
            (self.covered, self.missing) = (1.0, 0.0);
        }
    }

    /// Whether further spares change nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.missing <= 0.0
    }

    /// Share kept by a job on `active` servers whose `replicas` are alike: P(X <= s) where it waits; where it goes on
    /// smaller, Y = (X - s)+ missing servers cost ceil(Y / r) replicas of r servers, at most Y + r - 1 servers, so at
    /// least 1 - (E[Y] + (r - 1) P(X > s)) / active. `each` servers are missing at once (1, or a domain's).
    ///
    /// Never rises with `active` or falls with `replicas` or spares.
    #[must_use]
    pub fn kept(&self, active: f64, replicas: f64, each: f64) -> f64 {
        let lent = self.missing * each + (active / replicas - 1.0).max(0.0) * (1.0 - self.covered);
        self.covered.max(1.0 - lent / active).clamp(0.0, 1.0)
    }
}

/// How the spares of a job stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stood {
    /// Share of its time that the job keeps.
    pub kept: f64,
    /// Share of the time in which they suffice.
    pub covered: f64,
    /// Servers that stand by in each scale-up domain; 0 where they stand anywhere.
    pub per_domain: u64,
    /// Whole scale-up domains that stand by.
    pub domains: u64,
}

/// What jobs on one kind of cluster keep, by servers bought and at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Keeping {
    /// None where what fails is replaced by somebody else: everything is kept.
    rule: Option<SpareRule>,
    /// Spares per domain worth a thought, and the chance that a domain with so many is alive.
    alive: Vec<(u64, f64)>,
    /// Servers to buy at least.
    least: SpareTable,
}

impl Keeping {
    /// By `rule`; `confident`: a plan has to hold the spares of its confidence, looked up for up to `most` servers.
    #[must_use]
    pub fn new(rule: Option<SpareRule>, confident: bool, most: u64) -> Self {
        let alive = rule.filter(SpareRule::in_domains).map_or_else(Vec::new, |rule| rule.alive());
        let asked = rule.filter(|rule| confident && rule.least_confidence > 0.0);
        let least = asked.map_or_else(SpareTable::none, |rule| SpareTable::new(&rule, most));
        Self { rule, alive, least }
    }

    /// Servers that a job on `active` ones has to buy at least. Never falls with them.
    #[must_use]
    pub fn least(&self, active: u64) -> u64 {
        self.least.bought(active)
    }

    /// How the spares of a job on `active` of `bought` servers stand.
    #[must_use]
    pub fn stood(&self, bought: u64, active: u64, replicas: u64) -> Stood {
        let nothing = Stood { kept: 1.0, covered: 1.0, per_domain: 0, domains: 0 };
        match self.rule {
            None => nothing,
            Some(rule) if rule.in_domains() => {
                let ways =
                    self.alive.iter().filter_map(|way| rule.stood(way, bought, active, replicas as f64));
                let best = ways.reduce(|best, other| if other.kept > best.kept { other } else { best });
                best.unwrap_or(Stood { kept: 0.0, covered: 0.0, ..nothing })
            }
            Some(rule) => {
                let shortage = Shortage::with(rule.in_repair(active as f64), bought - active);
                let kept = shortage.kept(active as f64, replicas as f64, 1.0);
                Stood { kept, covered: shortage.covered, ..nothing }
            }
        }
    }

    /// Share of its time that a job keeps on `active` of `bought` servers.
    #[must_use]
    pub fn kept(&self, bought: u64, active: u64, replicas: u64) -> f64 {
        self.along(active).kept(bought, replicas)
    }

    /// The same for one number of active servers and more and more bought ones.
    #[must_use]
    pub fn along(&self, active: u64) -> Along<'_> {
        let shortage = match &self.rule {
            Some(rule) if !rule.in_domains() => Some(Shortage::new(rule.in_repair(active as f64))),
            _ => None,
        };
        Along { keeping: self, active, shortage }
    }
}

/// What a job on so many active servers keeps, as more are bought.
pub struct Along<'a> {
    keeping: &'a Keeping,
    active: u64,
    /// Where any server stands in for any other.
    shortage: Option<Shortage>,
}

impl Along<'_> {
    /// With `bought` servers, at least as many as before.
    #[must_use]
    pub fn kept(&mut self, bought: u64, replicas: u64) -> f64 {
        let Some(rule) = self.keeping.rule else { return 1.0 };
        let (active, replicas) = (self.active as f64, replicas as f64);
        if let Some(shortage) = &mut self.shortage {
            shortage.advance(bought - self.active);
            return shortage.kept(active, replicas, 1.0);
        }
        let ways = self.keeping.alive.iter();
        let kept = ways.filter_map(|way| rule.stood(way, bought, self.active, replicas));
        kept.map(|stood| stood.kept).fold(0.0, f64::max)
    }

    /// Whether more servers than those asked for last change nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.keeping.rule.is_none() || self.shortage.is_some_and(|shortage| shortage.is_over())
    }
}

impl SpareRule {
    /// Whether a spare has to stand in the domain of the server that it replaces.
    #[must_use]
    pub fn in_domains(&self) -> bool {
        self.domain_servers > 1
    }

    /// What a job makes of `bought` servers in domains with so many spares in each, where they hold it: it waits for a
    /// whole domain, goes on without the lost ones, or every domain gives up the replicas that its missing servers stop.
    fn stood(&self, way: &(u64, f64), bought: u64, active: u64, replicas: f64) -> Option<Stood> {
        let &(per_domain, alive) = way;
        let dealt = self.dealt(bought, active, per_domain)?;
        let held = (self.domain_servers - per_domain) as f64;
        let shortage = Shortage::with(dealt.used as f64 * (1.0 - alive), dealt.spare);
        let by_domain = shortage.kept(active as f64, replicas, held);
        let kept = by_domain.max(self.kept_by_replicas(&dealt, active as f64, replicas, held));
        Some(Stood { kept, covered: shortage.covered, per_domain, domains: dealt.spare })
    }

    /// Where no domain stands in for another: each server missing in its own domain stops a replica, and a domain that
    /// is down all that it holds and what its last replica has elsewhere.
    fn kept_by_replicas(&self, dealt: &Dealt, active: f64, replicas: f64, held: f64) -> f64 {
        let replica = (active / replicas).max(1.0);
        let domain = self.in_repair(self.domain_servers as f64);
        let missing = Shortage::with(domain, dealt.per_domain).missing;
        let used = dealt.used as f64;
        (1.0 - used * (missing * replica + self.domain_down * (held + replica - 1.0)) / active)
            .clamp(0.0, 1.0)
    }

    /// How `active` servers are dealt to the domains of `bought` ones; none where they do not fit. What is left over of a
    /// domain bought in part is used where it saves a whole one.
    fn dealt(&self, bought: u64, active: u64, per_domain: u64) -> Option<Dealt> {
        let held = self.domain_servers - per_domain;
        let (whole, part) = (bought / self.domain_servers, bought % self.domain_servers);
        let in_part = part.saturating_sub(per_domain);
        let alone = active.div_ceil(held);
        let beside = active.saturating_sub(in_part).div_ceil(held);
        let used = if beside < alone { beside } else { alone };
        (used <= whole).then(|| Dealt {
            used: used + u64::from(beside < alone),
            spare: whole - used,
            per_domain,
        })
    }
}

/// Domains of a job.
struct Dealt {
    /// With active servers.
    used: u64,
    /// Whole ones that stand by.
    spare: u64,
    per_domain: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{SECONDS_PER_DAY, Seconds};

    fn rule(domain_servers: u64, domain_down: f64) -> SpareRule {
        SpareRule {
            repairs_per_server_day: 0.003,
            repair: Seconds(2.0 * SECONDS_PER_DAY),
            domain_servers,
            domain_down,
            least_confidence: 0.0,
        }
    }

    #[test]
    fn shortages_are_sums_over_the_mass_function() {
        for (mean, near) in
            [(0.01_f64, 0_u64), (0.9, 1), (24.0, 24), (590.0, 590), (610.0, 610), (5000.0, 5000)]
        {
            // In logarithms: no underflow.
            let exactly = |k: u64| (k as f64 * mean.ln() - mean - libm::lgamma(k as f64 + 1.0)).exp();
            let mut shortage = Shortage::new(mean);
            let top = near + 12 * near.isqrt() + 30;
            for spares in [0, near * 9 / 10, near, near * 11 / 10 + 3, top] {
                shortage.advance(spares);
                let covered: f64 = (0..=spares).map(exactly).sum();
                let missing: f64 = (spares + 1..=top + 50).map(|k| (k - spares) as f64 * exactly(k)).sum();
                assert!((shortage.covered - covered).abs() < 1e-9, "{mean} {spares}");
                assert!((shortage.missing - missing).abs() < 1e-8 * mean.max(1.0), "{mean} {spares}");
                assert_eq!(Shortage::with(mean, spares), shortage);
            }
            assert!(shortage.is_over());
        }
    }

    #[test]
    fn a_job_short_of_spares_waits_or_goes_on_smaller() {
        // 11.9 servers in repair and no spare: waiting keeps nothing, going on lends at most 11.9 + 15 servers.
        let kept = Shortage::with(11.9, 0).kept(2048.0, 128.0, 1.0);
        assert!((kept - (1.0 - (11.9 + 15.0) / 2048.0)).abs() < 1e-5);
        // One replica: waiting is all there is.
        assert!((Shortage::with(0.1, 0).kept(16.0, 1.0, 1.0) - (-0.1_f64).exp()).abs() < 1e-12);
        assert!(Shortage::with(11.9, 40).kept(2048.0, 128.0, 1.0) > 0.999_999);
    }

    #[test]
    fn kept_rises_with_servers_bought_and_replicas_and_falls_with_active_ones() {
        for rule in [rule(1, 0.0), rule(4, 0.01), rule(16, 0.001)] {
            let keeping = Keeping::new(Some(rule), false, 0);
            for active in 1..40_u64 {
                let mut along = keeping.along(active);
                let mut before = 0.0;
                for bought in active..120 {
                    let kept = along.kept(bought, 1);
                    assert!(kept >= before - 1e-12, "{} {active} {bought}", rule.domain_servers);
                    assert!((0.0..=1.0).contains(&kept));
                    assert!(keeping.kept(bought, active, active) >= kept);
                    assert!((keeping.kept(bought, active, 1) - kept).abs() < f64::EPSILON);
                    before = kept;
                }
                assert!(before > 0.999, "{} {active}", rule.domain_servers);
            }
        }
    }

    #[test]
    fn a_domain_is_lost_whole_unless_its_replicas_can_be_given_up() {
        // One domain of 48 servers, all at work: waiting keeps P(nothing in repair) (1 - 0.02).
        let keeping = Keeping::new(Some(rule(48, 0.02)), false, 0);
        let waiting = (-48.0_f64 * 0.006).exp() * 0.98;
        let lost: f64 = 1.0 - waiting;
        assert!((keeping.kept(48, 48, 1) - (-lost).exp()).abs() < 1e-12);
        // Of 48 replicas each server in repair stops one, the switches all.
        assert!((keeping.kept(48, 48, 48) - (1.0 - 0.288 / 48.0 - 0.02)).abs() < 1e-12);
        // A second domain stands in for it.
        assert!(keeping.kept(96, 48, 1) > keeping.kept(48, 48, 1) + 0.1);
    }

    #[test]
    fn nothing_is_lost_where_somebody_else_replaces_what_fails() {
        let keeping = Keeping::new(None, true, 100);
        assert!((keeping.kept(10, 10, 1) - 1.0).abs() < f64::EPSILON);
        assert_eq!(keeping.least(10), 10);
    }
}
