//! Watts, energy and water of a cluster; racks stand in `rack`.
//!
//! Nameplate is not draw: a server of 8 H100 rated 10.2 kW peaks at 8.4 kW (arXiv 2412.08602). Breakers and racks are
//! sized on nameplate or an enforced cap, energy on draw. Storage, climate and prices come in as inputs.

mod rack;

use serde::Serialize;

pub use rack::{
    Machine, PowerBy, RACK_UNITS, RESERVED_RACK_UNITS, RackBound, RackError, RackLimits, Racks,
    interconnect_racks, racks_for,
};

use crate::units::{HOURS_PER_YEAR, Watts};

/// Energy in kilowatt-hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct KilowattHours(pub f64);

/// Volume in litres.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Litres(pub f64);

/// What a card draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CardPower {
    /// Board power.
    pub tdp: Watts,
    /// At rest.
    pub idle: Watts,
    /// Mean draw over board power while training at full clock, 0 to 1.
    pub training_share: f64,
    /// n of the power law, 2.4 to 3.
    pub cap_exponent: f64,
}

impl CardPower {
    /// Mean draw while training at a relative clock x: P = idle + (share · TDP - idle) · x^n.
    ///
    /// Dynamic power of CMOS is f·V² with V rising with f, hence n between 2.4 and 3. Valid for x from 0 to 1 and
    /// share · TDP >= idle; a share that low draws the idle power.
    #[must_use]
    pub fn draw(&self, clock: f64) -> Watts {
        let dynamic = (self.tdp * self.training_share - self.idle).max(Watts::ZERO);
        self.idle + dynamic * libm::pow(clock, self.cap_exponent)
    }

    /// The largest relative clock, at most 1, at which the densest phase (TDP at full clock) stays under `cap` · TDP:
    /// x = ((cap · TDP - idle) / (TDP - idle))^(1/n).
    ///
    /// Dense phases reach the TDP although the mean does not, so the cap bites below 1 and not below the mean share.
    /// `None` when the cap is not above the idle power: the card would do no work.
    #[must_use]
    pub fn clock_at_cap(&self, cap: f64) -> Option<f64> {
        let room = (self.tdp * cap - self.idle) / (self.tdp - self.idle);
        (room > 0.0).then(|| libm::pow(room.min(1.0), 1.0 / self.cap_exponent))
    }
}

/// Everything in the hall that draws power, by count and piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItLoad {
    /// Servers, spares included.
    pub servers: u64,
    /// Cards in each.
    pub cards_per_server: u64,
    /// Draw of one card, from [`CardPower::draw`].
    pub card: Watts,
    /// Draw of a server beside its cards, as sold (air cooled where it comes so).
    pub host: Watts,
    /// The fans' part of `host`; zero where the server has none.
    pub fans: Watts,
    /// Share of the fans' power that the cooling kind saves: 0 for air, about 0.8 for cold plates, 1 immersed.
    pub fan_saving: f64,
    /// Share of a server's input lost in its supplies, or `None` when `host` already holds that loss.
    pub conversion_loss: Option<f64>,
    /// Scale-up domains.
    pub domains: u64,
    /// Draw of the switches and optics of one domain that no server holds.
    pub domain: Watts,
    /// Scale-out switches.
    pub switches: u64,
    /// Draw of one without optics.
    pub switch: Watts,
    /// Switch-side optical modules.
    pub switch_modules: u64,
    /// Draw of one.
    pub switch_module: Watts,
    /// Host-side optical modules.
    pub host_modules: u64,
    /// Draw of one.
    pub host_module: Watts,
    /// NICs that `host` does not hold; zero where it does.
    pub nics: u64,
    /// Draw of one.
    pub nic: Watts,
    /// Switches and modules of the storage, front-end and management networks, counted by the piece.
    pub side_networks: Watts,
    /// Storage servers, counted by the piece.
    pub storage: Watts,
}

/// IT power by part; the parts sum to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ItPower {
    /// Accelerator cards.
    pub cards: Watts,
    /// Servers beside their cards, after the saving on fans; in an answer less what is told apart below.
    pub hosts: Watts,
    /// Fans of the servers, where they are told apart.
    pub fans: Watts,
    /// Loss in the servers' supplies where `hosts` does not hold it.
    pub conversion_loss: Watts,
    /// Scale-up switches and optics outside the servers.
    pub domains: Watts,
    /// Scale-out switches without optics.
    pub switches: Watts,
    /// Scale-out optics at both ends.
    pub transceivers: Watts,
    /// NICs where `hosts` does not hold them.
    pub nics: Watts,
    /// Switches and modules of the storage, front-end and management networks.
    pub side_networks: Watts,
    /// Storage servers.
    pub storage: Watts,
}

impl ItPower {
    /// The sum of the parts.
    #[must_use]
    pub fn total(&self) -> Watts {
        self.compute() + self.side_networks + self.storage
    }

    /// Servers and the network of their cards.
    #[must_use]
    pub fn compute(&self) -> Watts {
        self.cards
            + self.hosts
            + self.fans
            + self.conversion_loss
            + self.domains
            + self.switches
            + self.transceivers
            + self.nics
    }
}

impl ItLoad {
    /// Draw of one server at its input: (cards · draw + host - saved fan power) / (1 - conversion loss).
    #[must_use]
    pub fn server_draw(&self) -> Watts {
        let inside = self.card * self.cards_per_server as f64 + self.host - self.fans * self.fan_saving;
        inside / (1.0 - self.conversion_loss.unwrap_or(0.0))
    }

    /// Typical draw of the hall, by part.
    #[must_use]
    pub fn draw(&self) -> ItPower {
        let servers = self.servers as f64;
        let cards = self.card * self.cards_per_server as f64 * servers;
        let hosts = (self.host - self.fans * self.fan_saving) * servers;
        let loss = self.conversion_loss.unwrap_or(0.0);
        self.with_shared_parts(ItPower {
            cards,
            hosts,
            conversion_loss: (cards + hosts) * (loss / (1.0 - loss)),
            nics: self.nic * self.nics as f64,
            ..ItPower::default()
        })
    }

    /// What breakers see when every server takes its rated power: servers · nameplate, and the networks, storage and
    /// management at their draw. The nameplate covers cards, host, NICs and supplies.
    #[must_use]
    pub fn nameplate(&self, server_nameplate: Watts) -> Watts {
        let servers = ItPower { hosts: server_nameplate * self.servers as f64, ..ItPower::default() };
        self.with_shared_parts(servers).total()
    }

    fn with_shared_parts(&self, servers: ItPower) -> ItPower {
        ItPower {
            domains: self.domain * self.domains as f64,
            switches: self.switch * self.switches as f64,
            transceivers: self.switch_module * self.switch_modules as f64
                + self.host_module * self.host_modules as f64,
            side_networks: self.side_networks,
            storage: self.storage,
            ..servers
        }
    }
}

/// Power at the grid intake: IT · PUE. The annual mean of PUE gives energy, that of the design day the intake.
#[must_use]
pub fn facility_power(it: Watts, pue: f64) -> Watts {
    it * pue
}

/// Energy of a steady load over a year of 8,760 hours.
#[must_use]
pub fn energy_per_year(power: Watts) -> KilowattHours {
    KilowattHours(power.0 / 1000.0 * HOURS_PER_YEAR)
}

/// Water of a year: WUE (litres per kWh of IT energy) · IT energy.
#[must_use]
pub fn water_per_year(it_energy: KilowattHours, wue: f64) -> Litres {
    Litres(it_energy.0 * wue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, tolerance: f64) {
        assert!((left / right - 1.0).abs() <= tolerance, "{left} is not within {tolerance} of {right}");
    }

    /// 127 servers rated 10.2 kW (DGX H100) on the switches and modules of the 4-SU bill of materials.
    fn superpod() -> ItLoad {
        ItLoad {
            servers: 127,
            cards_per_server: 8,
            card: Watts(600.0),
            host: Watts(3000.0),
            fans: Watts(1000.0),
            fan_saving: 0.0,
            conversion_loss: None,
            domains: 0,
            domain: Watts::ZERO,
            switches: 48,
            switch: Watts(750.0),
            switch_modules: 1536,
            switch_module: Watts(17.0),
            host_modules: 508,
            host_module: Watts(17.0),
            nics: 0,
            nic: Watts::ZERO,
            side_networks: Watts::ZERO,
            storage: Watts::ZERO,
        }
    }

    #[test]
    fn a_card_draws_its_training_share_at_full_clock_and_idles_at_none() {
        let card = CardPower { tdp: Watts(700.0), idle: Watts(70.0), training_share: 0.9, cap_exponent: 3.0 };
        near(card.draw(1.0).0, 630.0, 1e-12);
        near(card.draw(0.0).0, 70.0, 1e-12);
        // 70 + 560 / 8
        near(card.draw(0.5).0, 140.0, 1e-12);
    }

    #[test]
    fn a_cap_of_85_percent_costs_six_to_seven_percent_of_the_clock_at_ten_percent_idle() {
        let card =
            |n| CardPower { tdp: Watts(700.0), idle: Watts(70.0), training_share: 1.0, cap_exponent: n };
        // (0.75 / 0.9)^(1/2.4) = 0.9269, (0.75 / 0.9)^(1/3) = 0.9410
        near(card(2.4).clock_at_cap(0.85).unwrap(), 0.9269, 1e-4);
        near(card(3.0).clock_at_cap(0.85).unwrap(), 0.9410, 1e-4);
        let clock = card(2.4).clock_at_cap(0.85).unwrap();
        near(card(2.4).draw(clock).0, 0.85 * 700.0, 1e-12);
        assert_eq!(card(2.4).clock_at_cap(1.2), Some(1.0));
        assert_eq!(card(2.4).clock_at_cap(0.1), None);
    }

    #[test]
    fn the_parts_of_a_superpod_sum_to_its_power() {
        let power = superpod().draw();
        near(power.cards.0, 609_600.0, 1e-12); // 127 · 8 · 600
        near(power.hosts.0, 381_000.0, 1e-12); // 127 · 3000
        near(power.switches.0, 36_000.0, 1e-12); // 48 · 750
        near(power.transceivers.0, 34_748.0, 1e-12); // 2044 · 17
        near(power.total().0, 1_061_348.0, 1e-12);
        near(superpod().server_draw().0, 7800.0, 1e-12);
    }

    #[test]
    fn networks_beside_and_storage_add_what_they_draw_and_nothing_else_does() {
        let stored = ItLoad { side_networks: Watts(30e3), storage: Watts(20e3), ..superpod() }.draw();
        near(stored.total().0, 1_061_348.0 + 50e3, 1e-12);
    }

    #[test]
    fn cold_plates_save_their_share_of_the_fans() {
        let cooled = ItLoad { fan_saving: 0.8, ..superpod() };
        near(cooled.server_draw().0, 7000.0, 1e-12);
        near(superpod().draw().hosts.0 - cooled.draw().hosts.0, 127.0 * 800.0, 1e-12);
    }

    #[test]
    fn conversion_loss_is_a_share_of_the_input_and_never_counted_unasked() {
        let lossy = ItLoad { conversion_loss: Some(0.05), ..superpod() };
        near(lossy.server_draw().0, 7800.0 / 0.95, 1e-12);
        let power = lossy.draw();
        near((power.cards + power.hosts + power.conversion_loss).0, 127.0 * 7800.0 / 0.95, 1e-12);
        assert_eq!(superpod().draw().conversion_loss, Watts::ZERO);
    }

    #[test]
    fn nameplate_takes_the_rated_power_of_servers() {
        // 127 · 10.2 kW + 36,000 + 34,748
        near(superpod().nameplate(Watts(10_200.0)).0, 1_366_148.0, 1e-12);
    }

    #[test]
    fn a_gb300_rack_is_planned_at_135_kilowatts() {
        // NVIDIA's budget: (4 · 1.4 + 1.0 + 0.9) kW · 18 trays.
        let rack = ItLoad {
            servers: 18,
            cards_per_server: 4,
            card: Watts(1400.0),
            host: Watts(1900.0),
            switches: 0,
            switch_modules: 0,
            host_modules: 0,
            ..superpod()
        };
        near(rack.draw().total().0, 135e3, 1e-12);
    }

    #[test]
    fn a_site_of_100k_h100_takes_about_140_megawatts_and_1590_gigawatt_hours() {
        // 1,275 W per card (10.2 kW / 8) and 10 % for storage and networks; the published year fits a PUE of 1.29.
        let site = ItLoad {
            servers: 12_500,
            card: Watts(700.0),
            host: Watts(8.0 * 575.0),
            switches: 0,
            switch_modules: 0,
            host_modules: 0,
            storage: Watts(12.75e6),
            ..superpod()
        };
        let it = site.draw().total();
        near(it.0, 140.25e6, 1e-12);
        near(energy_per_year(facility_power(it, 1.29)).0, 1.59e9, 0.005);
        near(energy_per_year(facility_power(Watts(145e6), 1.25)).0, 1.59e9, 0.005);
    }

    #[test]
    fn water_follows_it_energy() {
        // 1 MW for a year is 8.76 GWh.
        near(water_per_year(energy_per_year(Watts(1e6)), 0.3).0, 2_628_000.0, 1e-12);
    }
}
