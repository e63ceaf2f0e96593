//! Networks beside the one of the cards: storage, front end, management. Their counts, draw and price.

use serde::{Deserialize, Serialize};

use crate::cost::price_of;
use crate::fabric::{FabricKind, FabricSpec, design};
use crate::units::{Usd, Watts};

/// A network beside the one of the cards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideNetwork {
    /// Name for people.
    pub name: String,
    /// Ports of a server, however many cards it holds.
    pub ports_per_server: u32,
    /// Ports of a server for each of its cards, rounded up to whole ports of the server.
    #[serde(default)]
    pub ports_per_card: f64,
    /// Ports of the machines at the other end (storage servers, gateways) over those of the servers.
    #[serde(default)]
    pub beside: f64,
    /// Ports of every switch of the cards' network into this one.
    pub ports_per_switch: u32,
    /// Ports of every rack (power strips).
    pub ports_per_rack: u32,
    /// Ports of a switch.
    pub radix: u32,
    /// Host ports over uplinks of a leaf.
    pub oversubscription: f64,
    /// Draw of a switch without modules.
    pub switch_power: Watts,
    /// Draw of the modules at both ends of a link; those in servers are in the servers' draw only where copper.
    pub link_power: Watts,
    /// Price of a switch.
    pub switch_price: Option<Usd>,
    /// Price of a link with both ends.
    pub link_price: Option<Usd>,
}

/// What the side networks join.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joined {
    /// Servers.
    pub servers: u64,
    /// Cards of each.
    pub cards_per_server: u64,
    /// Switches of the cards' network.
    pub switches: u64,
    /// Racks.
    pub racks: u64,
}

/// A side network, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideBill {
    /// Name for people.
    pub name: String,
    /// Host ports.
    pub ports: u64,
    /// Switches of all tiers.
    pub switches: u64,
    /// Links, those between switches included.
    pub links: u64,
    /// Draw of switches and modules.
    pub watts: Watts,
    /// Price of switches and links; none where one is not known.
    pub usd: Option<Usd>,
}

impl SideNetwork {
    /// Switches and links for the ports of all servers, switches (of the cards' network) and racks.
    ///
    /// # Errors
    /// In words: the ports are more than four tiers of such switches join.
    pub fn bill(&self, joined: &Joined) -> Result<SideBill, String> {
        let ports = self.host_ports(joined)
            + joined.switches * u64::from(self.ports_per_switch)
            + joined.racks * u64::from(self.ports_per_rack);
        let (switches, links) = if ports == 0 { (0, 0) } else { self.counts(ports)? };
        Ok(SideBill {
            name: self.name.clone(),
            ports,
            switches,
            links,
            watts: self.switch_power * switches as f64 + self.link_power * links as f64,
            usd: price_of(switches, self.switch_price)
                .zip(price_of(links, self.link_price))
                .map(|(boxes, cables)| boxes + cables),
        })
    }

    /// Ports of the servers and of the machines at the other end: ceil(own · (1 + beside)), where a server has
    /// `ports_per_server` + ceil(`ports_per_card` · cards).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of ports")]
    fn host_ports(&self, joined: &Joined) -> u64 {
        let up = |ports: f64| (ports - 1e-9).ceil().max(0.0) as u64;
        let by_cards = up(self.ports_per_card * joined.cards_per_server as f64);
        let own = joined.servers * (u64::from(self.ports_per_server) + by_cards);
        own + up(own as f64 * self.beside)
    }

    /// The fewest switches, then links, of designs that use all ports of a switch or leave a sixteenth or an eighth of
    /// them free: a ratio such as 4:3 on 64 ports (36 down, 27 up) spreads badly where 32 and 24 spread well.
    fn counts(&self, ports: u64) -> Result<(u64, u64), String> {
        let built = |free: u32| {
            let found = design(&FabricSpec {
                radix: self.radix - free,
                ports_per_server: 1,
                servers: ports,
                cards_per_server: 1,
                kind: FabricKind::LeafSpine,
                oversubscription: self.oversubscription,
                leaf_oversubscription: self.oversubscription,
                switch_module_ports: 1,
                host_module_ports: 1,
                reserved_ports: 0,
                planes: 1,
            });
            found.map(|found| (found.switches(), found.cables()))
        };
        let full = built(0).map_err(|error| format!("{} network: {error}", self.name))?;
        let freer = [self.radix / 16, self.radix / 8].into_iter().filter_map(|free| built(free).ok());
        Ok(freer.fold(full, Ord::min))
    }
}

/// Sums over all side networks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SideTotals {
    /// Switches.
    pub switches: u64,
    /// Draw.
    pub watts: Watts,
    /// Price; none where one is not known.
    pub usd: Option<Usd>,
}

/// All side networks together.
///
/// # Errors
/// In words: one of them does not reach so far.
pub fn side_totals(networks: &[SideNetwork], joined: &Joined) -> Result<SideTotals, String> {
    let mut sum = SideTotals { switches: 0, watts: Watts::ZERO, usd: Some(Usd::ZERO) };
    for network in networks {
        let bill = network.bill(joined)?;
        sum.switches += bill.switches;
        sum.watts += bill.watts;
        sum.usd = sum.usd.zip(bill.usd).map(|(known, more)| known + more);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPERPOD: Joined = Joined { servers: 127, cards_per_server: 8, switches: 48, racks: 38 };

    fn storage() -> SideNetwork {
        SideNetwork {
            name: "storage".into(),
            ports_per_server: 0,
            ports_per_card: 0.25,
            beside: 66.0 / 254.0,
            ports_per_switch: 0,
            ports_per_rack: 0,
            radix: 56,
            oversubscription: 4.0 / 3.0,
            switch_power: Watts(750.0),
            link_power: Watts(16.0),
            switch_price: Some(Usd(36e3)),
            link_price: Some(Usd(1000.0)),
        }
    }

    #[test]
    fn the_storage_network_of_a_superpod_has_the_published_16_switches_and_494_cables() {
        // RA-11333-001 V11: 16 switches, and 494 cables to the 254 ports of 127 servers and between switches, 4:3
        // oversubscribed: ten leaves of 32 down and 24 up (56 of 64 ports) with six spines, and room for 66 ports of
        // storage servers.
        let bill = storage().bill(&SUPERPOD).unwrap();
        assert_eq!((bill.ports, bill.switches, bill.links - 66), (320, 16, 494));
        assert!((bill.watts.0 - (750.0 * 16.0 + 16.0 * 560.0)).abs() < 1e-9);
        assert_eq!(bill.usd, Some(Usd(36e3 * 16.0 + 1e3 * 560.0)));
    }

    #[test]
    fn a_ratio_that_spreads_badly_leaves_ports_free() {
        // 254 ports at 2:1 on 128: 85 down and 43 up, a prime, would take 3 + 43; 80 down and 40 up take 4 + 2.
        let front = SideNetwork { radix: 128, oversubscription: 2.0, beside: 0.0, ..storage() };
        assert_eq!(front.bill(&SUPERPOD).unwrap().switches, 6);
    }

    #[test]
    fn the_management_network_of_a_superpod_has_the_published_ports() {
        // RA-11333-001 V11: 127 cables to servers, 64 to switches of which 48 are the cards', 108 to power strips.
        let management = SideNetwork {
            ports_per_server: 1,
            ports_per_card: 0.0,
            beside: 0.0,
            ports_per_switch: 1,
            ports_per_rack: 3,
            radix: 48,
            oversubscription: 10.0,
            ..storage()
        };
        let found = management.bill(&Joined { racks: 36, ..SUPERPOD }).unwrap();
        assert_eq!(found.ports, 127 + 48 + 108);
        // Four cards a server need one port for storage, sixteen need four.
        let four = Joined { cards_per_server: 4, ..SUPERPOD };
        assert_eq!(SideNetwork { beside: 0.0, ..storage() }.bill(&four).unwrap().ports, 127);
        let sixteen = Joined { cards_per_server: 16, ..SUPERPOD };
        assert_eq!(SideNetwork { beside: 0.0, ..storage() }.bill(&sixteen).unwrap().ports, 508);
    }

    #[test]
    fn a_network_without_ports_costs_nothing_and_one_without_a_price_is_not_summed() {
        let none = SideNetwork { ports_per_card: 0.0, switch_price: None, ..storage() };
        assert_eq!(none.bill(&SUPERPOD).unwrap().usd, Some(Usd::ZERO));
        let unpriced = SideNetwork { switch_price: None, ..storage() };
        assert_eq!(side_totals(&[storage(), unpriced], &SUPERPOD).unwrap().usd, None);
    }
}
