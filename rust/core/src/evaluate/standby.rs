//! The spares of one design: how many it has to hold, how many it has, what it loses without them.

use crate::evaluate::design::SparesAnswer;
use crate::hardware::Cluster;
use crate::plant::{Plant, SparePolicy, spare_rule};
use crate::problem::Problem;
use crate::reliability::keeping::Keeping;
use crate::reliability::spares::SpareRule;

/// What a layout on a cluster asks of spares.
#[derive(Clone, Debug)]
pub struct Standby {
    active_cards: u64,
    active_servers: u64,
    cards_per_server: u64,
    /// None where somebody else replaces what fails.
    rule: Option<SpareRule>,
    keeping: Keeping,
    /// Servers that a confidence asks for.
    least: u64,
    /// Servers that a design whose cards nobody names gets.
    usual: u64,
}

impl Standby {
    /// For `active_cards` at work.
    #[must_use]
    pub fn new(problem: &Problem, cluster: &Cluster, active_cards: u64) -> Self {
        let active_servers = active_cards.div_ceil(cluster.cards_per_server);
        let rule = spare_rule(cluster, &problem.reliability);
        let required =
            problem.reliability.failures.is_some_and(|model| model.spares == SparePolicy::Required);
        let (mut least, mut usual) = (active_servers, active_servers);
        if let Some(rule) = rule.filter(|_| required) {
            usual = rule.needed(active_servers).bought.max(active_servers);
            if rule.least_confidence > 0.0 {
                let alive = if rule.in_domains() { rule.alive() } else { Vec::new() };
                least = rule.least(active_servers, &alive);
            }
        }
        let keeping = Keeping::new(rule, false, 0);
        let cards_per_server = cluster.cards_per_server;
        Self { active_cards, active_servers, cards_per_server, rule, keeping, least, usual }
    }

    /// For services: whole instances stand by, which their search counts itself.
    #[must_use]
    pub fn none(cluster: &Cluster, active_cards: u64) -> Self {
        let active_servers = active_cards.div_ceil(cluster.cards_per_server);
        Self {
            active_cards,
            active_servers,
            cards_per_server: cluster.cards_per_server,
            rule: None,
            keeping: Keeping::new(None, false, 0),
            least: active_servers,
            usual: active_servers,
        }
    }

    /// Cards to buy where nobody names them, usual spares included.
    #[must_use]
    pub fn cards(&self) -> u64 {
        self.active_cards + (self.usual.max(self.least) - self.active_servers) * self.cards_per_server
    }

    /// Purchase units for `cards`, or where none are named, for the spares too and at least the lower limit. Where the
    /// layout fits the limits but its spares do not, the units of the limit: it is the spares that are missing.
    #[must_use]
    pub fn units(&self, problem: &Problem, cluster: &Cluster, cards: Option<u64>) -> u64 {
        let unit = cluster.unit_cards;
        if let Some(cards) = cards {
            return cards.div_ceil(unit);
        }
        let least = problem.limits.cards_min;
        let most = problem.limits.cards_max.min(cluster.max_cards.unwrap_or(u64::MAX)) / unit;
        let (wanted, bare) =
            (self.cards().max(least).div_ceil(unit), self.active_cards.max(least).div_ceil(unit));
        if wanted > most && bare <= most { most } else { wanted }
    }

    /// Whether `plant` holds fewer spares than a confidence asks for.
    #[must_use]
    pub fn is_short(&self, plant: &Plant) -> bool {
        self.bought(plant) < self.least
    }

    /// Whole servers; what the active cards leave free on their last server is no spare.
    fn bought(&self, plant: &Plant) -> u64 {
        self.active_servers + (plant.cards - self.active_cards) / self.cards_per_server
    }

    /// Share of its time that a job on `plant` loses for want of spares; `replicas` copies of the model share the active
    /// servers.
    #[must_use]
    pub fn lost(&self, plant: &Plant, replicas: u64) -> f64 {
        1.0 - self.keeping.kept(self.bought(plant), self.active_servers, replicas)
    }

    /// For people.
    #[must_use]
    pub fn answer(&self, plant: &Plant, replicas: u64) -> Option<SparesAnswer> {
        let rule = self.rule?;
        let bought = self.bought(plant);
        let stood = self.keeping.stood(bought, self.active_servers, replicas);
        Some(SparesAnswer {
            servers_needed: self.least - self.active_servers,
            servers_had: bought - self.active_servers,
            servers_usual: (rule.needed(self.active_servers).bought.max(self.least))
                .saturating_sub(self.active_servers)
                .min(bought - self.active_servers),
            servers_short: self.least.saturating_sub(bought),
            per_domain: stood.per_domain,
            spare_domains: stood.domains,
            servers_in_repair: rule.in_repair(self.active_servers as f64),
            covered: stood.covered,
            kept: stood.kept,
        })
    }
}
