//! The least that any plant of a size takes: sizes that are over a limit on it are refused without being worked out.

use crate::cost::building_price;
use crate::facility::{facility_power, racks_for};
use crate::plant::{Choice, most_servers, rated_server, servers_per_rack};
use crate::problem::{Limits, Problem};
use crate::units::{Usd, Watts};

/// Of cards and servers that are bought, drawn, fed and racked, under one cooling.
pub struct Least<'a> {
    limits: &'a Limits,
    choice: Choice<'a>,
    transformer_efficiency: f64,
    distribution_efficiency: f64,
    /// Share of the hardware's price for its installation.
    installation: f64,
    /// Draw of one card.
    card: Watts,
    /// Rating of a server under the cap, where it is known.
    server: Option<Watts>,
    /// Servers that a rack takes; none: not one, which the plant says in words.
    per_rack: Option<u64>,
    /// Servers that several halls could hold with nothing else in them; none: there is one.
    held: Option<u64>,
}

impl<'a> Least<'a> {
    /// The bounds of `choice`.
    #[must_use]
    pub fn new(problem: &'a Problem, choice: Choice<'a>) -> Self {
        Self {
            limits: &problem.limits,
            transformer_efficiency: problem.site.transformer_efficiency,
            distribution_efficiency: problem.site.distribution_efficiency,
            installation: problem.economics.installation_share,
            card: choice.cluster.card_power().draw(choice.clock),
            server: choice.cluster.server_nameplate.map(|_| rated_server(&choice)),
            per_rack: match problem.halls.len() {
                0 | 1 => servers_per_rack(&choice, &problem.rack).ok().map(|(servers, _)| servers),
                _ => None,
            },
            held: (problem.halls.len() > 1).then(|| most_servers(&choice, &problem.halls)),
            choice,
        }
    }

    /// A limit that `units` purchase units exceed by their cards and servers alone, if any.
    ///
    /// Draw, rating, capital and racks of a plant are sums of parts that are not negative, of which those of its cards
    /// and servers are some; the slack covers the rounding of another order of sums.
    #[must_use]
    pub fn over(&self, units: u64) -> Option<&'static str> {
        const SLACK: f64 = 1.0 - 1e-9;
        let Choice { cluster, cooling, .. } = self.choice;
        let servers = units * cluster.unit_servers();
        let drawn = self.card * ((units * cluster.unit_cards) as f64 * SLACK);
        let rated = self.server.map(|each| each * (servers as f64 * SLACK));
        let intake = |watts: Watts| facility_power(watts, cooling.pue_design_day).0;
        let price = cluster.unit_price.map(|Usd(each)| {
            let building = building_price(rated.unwrap_or(drawn), cooling.building_usd_per_watt);
            each * units as f64 * SLACK * (1.0 + self.installation) + building.map_or(0.0, |usd| usd.0)
        });
        let racks = self.per_rack.map(|each| racks_for(servers, each));
        let over = |limit: Option<f64>, least: Option<f64>| {
            limit.zip(least).is_some_and(|(limit, least)| least > limit)
        };
        let limits = self.limits;
        let transformer = intake(drawn) * self.transformer_efficiency;
        [
            ("limits.facility_watts", over(limits.facility_watts, Some(intake(drawn)))),
            ("limits.it_watts", over(limits.it_watts, Some(drawn.0))),
            ("limits.nameplate_watts", over(limits.nameplate_watts, rated.map(|watts| watts.0))),
            ("limits.transformer_watts", over(limits.transformer_watts, Some(transformer))),
            ("limits.ups_watts", over(limits.ups_watts, Some(drawn.0 / self.distribution_efficiency))),
            ("limits.nameplate_intake_watts", over(limits.nameplate_intake_watts, rated.map(intake))),
            ("limits.halls", self.held.is_some_and(|most| most > 0 && servers > most)),
            ("limits.racks", limits.racks.zip(racks).is_some_and(|(limit, least)| least > limit)),
            ("limits.capex_usd", over(limits.capex_usd, price)),
        ]
        .into_iter()
        .find_map(|(name, exceeded)| exceeded.then_some(name))
    }
}
