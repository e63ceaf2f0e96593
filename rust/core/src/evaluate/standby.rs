//! The spares of one design: how many it has to hold, how many it has, what it loses without them.

use crate::evaluate::design::SparesAnswer;
use crate::hardware::Cluster;
use crate::plant::{Plant, SparePolicy, spare_rule};
use crate::problem::Problem;
use crate::reliability::spares::{Needed, SpareRule, kept_with};

/// What a layout on a cluster asks of spares.
#[derive(Clone, Copy, Debug)]
pub struct Standby {
    active_cards: u64,
    active_servers: u64,
    cards_per_server: u64,
    /// The rule and what it asks for; none where somebody else replaces what fails.
    asked: Option<(SpareRule, Needed)>,
    /// Whether the plan has to hold them.
    required: bool,
}

impl Standby {
    /// For `active_cards` at work.
    #[must_use]
    pub fn new(problem: &Problem, cluster: &Cluster, active_cards: u64) -> Self {
        let active_servers = active_cards.div_ceil(cluster.cards_per_server);
        let asked = spare_rule(cluster, &problem.reliability).map(|rule| (rule, rule.needed(active_servers)));
        let required =
            problem.reliability.failures.is_some_and(|model| model.spares == SparePolicy::Required);
        Self { active_cards, active_servers, cards_per_server: cluster.cards_per_server, asked, required }
    }

    /// For services: whole instances stand by, which their search counts itself.
    #[must_use]
    pub fn none(cluster: &Cluster, active_cards: u64) -> Self {
        let active_servers = active_cards.div_ceil(cluster.cards_per_server);
        let cards_per_server = cluster.cards_per_server;
        Self { active_cards, active_servers, cards_per_server, asked: None, required: false }
    }

    /// Cards to buy, spares included.
    #[must_use]
    pub fn cards(&self) -> u64 {
        let bought = self
            .asked
            .filter(|_| self.required)
            .map_or(self.active_servers, |(_, needed)| needed.bought.max(self.active_servers));
        self.active_cards + (bought - self.active_servers) * self.cards_per_server
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

    /// Whether `plant` holds fewer cards than it has to.
    #[must_use]
    pub fn is_short(&self, plant: &Plant) -> bool {
        plant.cards < self.cards()
    }

    fn had(&self, plant: &Plant) -> u64 {
        (plant.cards - self.active_cards) / self.cards_per_server
    }

    /// What too few spares cost beyond the waiting that the size of the plant counts anyway; `replicas` copies of the
    /// model share the active servers.
    #[must_use]
    pub fn lost(&self, plant: &Plant, replicas: u64) -> f64 {
        let Some((rule, needed)) = self.asked else { return 0.0 };
        let had = self.had(plant);
        if had >= needed.servers {
            return 0.0;
        }
        let active = self.active_servers as f64;
        let kept = kept_with(rule.in_repair(active), had, active, active / replicas as f64);
        (1.0 - kept - plant.goodput.waiting).max(0.0)
    }

    /// For people.
    #[must_use]
    pub fn answer(&self, plant: &Plant) -> Option<SparesAnswer> {
        let (rule, needed) = self.asked?;
        let had = self.had(plant);
        Some(SparesAnswer {
            servers_needed: needed.servers,
            servers_had: had,
            servers_short: needed.servers.saturating_sub(had),
            per_domain: needed.per_domain,
            spare_domains: needed.domains,
            servers_in_repair: rule.in_repair(self.active_servers as f64),
            covered: needed.covered,
        })
    }
}
