//! Networks beside the one of the cards: storage, front end, management. Their counts, draw and price.

use serde::{Deserialize, Serialize};

use crate::cost::price_of;
use crate::fabric::{FabricError, FabricKind, FabricSpec, design};
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
    /// Ports of a storage server; where these are counted, they stand in for `beside`.
    #[serde(default)]
    pub ports_per_storage: u32,
    /// Every flow ends at a storage server: more uplinks than their ports are never filled.
    #[serde(default)]
    pub to_storage: bool,
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
    /// Storage servers; none: they are not counted.
    pub storage: Option<u64>,
}

/// A side network, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideBill {
    /// Name for people.
    pub name: String,
    /// Host ports.
    pub ports: u64,
    /// Separate networks that they are dealt over: one, unless four tiers do not reach.
    pub networks: u64,
    /// Switches of all tiers.
    pub switches: u64,
    /// Links, those between switches included.
    pub links: u64,
    /// Draw of switches and modules.
    pub watts: Watts,
    /// Price of switches and links; none where one is not known.
    pub usd: Option<Usd>,
    /// Of `watts`: the switches without modules.
    pub switch_watts: Watts,
    /// Of `usd`: the switches.
    pub switch_usd: Option<Usd>,
}

impl SideNetwork {
    /// Switches and links for the ports of all servers, switches (of the cards' network) and racks.
    ///
    /// # Errors
    /// In words: such switches build no fabric.
    pub fn bill(&self, joined: &Joined) -> Result<SideBill, String> {
        let ports = self.ports(joined);
        let counts = self.counts(ports, self.taper(joined))?;
        let Counts { networks, switches, links } = counts;
        let (watts, usd) = self.sums(counts);
        let switch_watts = self.switch_power * switches as f64;
        let switch_usd = price_of(switches, self.switch_price);
        let name = self.name.clone();
        Ok(SideBill { name, ports, networks, switches, links, watts, usd, switch_watts, switch_usd })
    }

    /// Host ports of all servers, switches and racks; none of a way to storage where there is no storage.
    fn ports(&self, joined: &Joined) -> u64 {
        if self.to_storage && joined.storage == Some(0) {
            return 0;
        }
        self.host_ports(joined)
            + joined.switches * u64::from(self.ports_per_switch)
            + joined.racks * u64::from(self.ports_per_rack)
    }

    /// Draw and price.
    fn sums(&self, Counts { switches, links, .. }: Counts) -> (Watts, Option<Usd>) {
        let watts = self.switch_power * switches as f64 + self.link_power * links as f64;
        let (boxes, cables) = (price_of(switches, self.switch_price), price_of(links, self.link_price));
        (watts, boxes.zip(cables).map(|(boxes, cables)| boxes + cables))
    }

    /// Ports of the servers and of the machines at the other end: own + storage · `ports_per_storage` where storage is
    /// counted, else ceil(own · (1 + beside)).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of ports")]
    fn host_ports(&self, joined: &Joined) -> u64 {
        let own = self.own_ports(joined);
        match self.storage_ports(joined) {
            Some(ports) => own + ports,
            None => own + (own as f64 * self.beside - 1e-9).ceil().max(0.0) as u64,
        }
    }

    /// Of the servers: `ports_per_server` + ceil(`ports_per_card` · cards) each.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of ports")]
    fn own_ports(&self, joined: &Joined) -> u64 {
        let by_cards = (self.ports_per_card * joined.cards_per_server as f64 - 1e-9).ceil().max(0.0) as u64;
        joined.servers * (u64::from(self.ports_per_server) + by_cards)
    }

    /// Of the storage servers, where they are counted.
    fn storage_ports(&self, joined: &Joined) -> Option<u64> {
        joined.storage.map(|servers| servers * u64::from(self.ports_per_storage))
    }

    /// Host ports over uplinks of a leaf: s = max(oversubscription, ports of servers / ports of storage) on the way to
    /// storage, with two uplinks at least, else `oversubscription`.
    ///
    /// Every flow there starts or ends at a storage server, so the leaves never send up more than the ports of storage
    /// take; a share of uplinks that these fill is as fast as any larger one.
    fn taper(&self, joined: &Joined) -> f64 {
        let two_uplinks = f64::from(self.radix.saturating_sub(2)) / 2.0;
        match self.storage_ports(joined).filter(|ports| self.to_storage && *ports > 0) {
            Some(ports) => {
                (self.own_ports(joined) as f64 / ports as f64).min(two_uplinks).max(self.oversubscription)
            }
            None => self.oversubscription,
        }
    }

    /// Separate networks, and switches and links of all of them.
    ///
    /// Where four tiers do not reach, the ports are dealt evenly over as few networks as do: storage, front end and
    /// management are routed from hall to hall, and the routers of the site, not counted here, join them.
    fn counts(&self, ports: u64, taper: f64) -> Result<Counts, String> {
        if ports == 0 {
            return Ok(Counts::default());
        }
        let tapered = |ports: u64, top: f64| {
            design(&FabricSpec {
                radix: self.radix,
                ports_per_server: 1,
                servers: ports,
                cards_per_server: 1,
                kind: FabricKind::LeafSpine,
                oversubscription: top,
                leaf_oversubscription: taper,
                switch_module_ports: 1,
                host_module_ports: 1,
                reserved_ports: 0,
                planes: 1,
            })
        };
        // A taper to what storage takes is made once, at the leaves: tiers above them hand on all of it.
        let above = if taper > self.oversubscription { 1.0 } else { taper };
        let built = |ports: u64| match tapered(ports, taper) {
            Ok(found) if found.tiers.len() > 2 => tapered(ports, above),
            found => found,
        };
        let refused = |error: FabricError| format!("{} network: {error}", self.name);
        let networks = match built(ports) {
            Ok(found) => {
                return Ok(Counts { networks: 1, switches: found.switches(), links: found.cables() });
            }
            Err(FabricError::TooManyHosts { limit, .. }) if limit > 0 => ports.div_ceil(limit),
            Err(other) => return Err(refused(other)),
        };
        let (each, larger) = (ports / networks, ports % networks);
        let (small, large) = (built(each).map_err(refused)?, built(each + 1).map_err(refused)?);
        let smaller = networks - larger;
        Ok(Counts {
            networks,
            switches: smaller * small.switches() + larger * large.switches(),
            links: smaller * small.cables() + larger * large.cables(),
        })
    }
}

/// What a side network is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    networks: u64,
    switches: u64,
    links: u64,
}

/// The side networks counted last, a few of each: the plants of one size ask for the same under every fabric, cap and
/// cooling, but for the ports of switches and racks.
#[derive(Debug, Default)]
pub struct SideCounts(Vec<Recent>);

/// Counts by ports and taper, the latest in turn.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    counts: [(u64, f64, Counts); 8],
    next: usize,
}

impl SideCounts {
    fn of(&mut self, index: usize, network: &SideNetwork, joined: &Joined) -> Result<Counts, String> {
        if self.0.len() <= index {
            self.0.resize(index + 1, Recent::default());
        }
        let (ports, taper) = (network.ports(joined), network.taper(joined));
        if ports == 0 {
            return Ok(Counts::default());
        }
        let recent = &mut self.0[index];
        if let Some((.., counts)) = recent.counts.iter().find(|held| (held.0, held.1) == (ports, taper)) {
            return Ok(*counts);
        }
        let counts = network.counts(ports, taper)?;
        recent.counts[recent.next] = (ports, taper, counts);
        recent.next = (recent.next + 1) % recent.counts.len();
        Ok(counts)
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
/// In words: the switches of one of them build no fabric.
pub fn side_totals(
    networks: &[SideNetwork],
    joined: &Joined,
    known: &mut SideCounts,
) -> Result<SideTotals, String> {
    let mut sum = SideTotals { switches: 0, watts: Watts::ZERO, usd: Some(Usd::ZERO) };
    for (index, network) in networks.iter().enumerate() {
        let counts = known.of(index, network, joined)?;
        let (watts, usd) = network.sums(counts);
        sum.switches += counts.switches;
        sum.watts += watts;
        sum.usd = sum.usd.zip(usd).map(|(before, more)| before + more);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPERPOD: Joined =
        Joined { servers: 127, cards_per_server: 8, switches: 48, racks: 38, storage: None };

    fn storage() -> SideNetwork {
        SideNetwork {
            name: "storage".into(),
            ports_per_server: 0,
            ports_per_card: 0.25,
            beside: 66.0 / 254.0,
            ports_per_storage: 1,
            to_storage: true,
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
    fn a_storage_that_is_counted_has_its_own_ports_and_the_network_is_tapered_to_them() {
        // Twelve servers behind 256 ports of the job, 21.3:1: leaves of 53 down and three up (54 and two would leave
        // one of five with 52), six of them, on a spine of 18 ports.
        let joined = Joined { servers: 128, storage: Some(12), ..SUPERPOD };
        let bill = storage().bill(&joined).unwrap();
        assert_eq!((bill.ports, bill.switches, bill.links), (268, 6 + 1, 268 + 6 * 3));
        // As much storage as the reference has keeps its 4:3.
        let reference = Joined { storage: Some(66), ..SUPERPOD };
        assert_eq!(storage().taper(&reference), 254.0 / 66.0);
        assert_eq!(storage().taper(&Joined { storage: Some(254), ..SUPERPOD }), 4.0 / 3.0);
        let none = storage().bill(&Joined { storage: Some(0), ..SUPERPOD }).unwrap();
        assert_eq!((none.ports, none.switches, none.watts), (0, 0, Watts::ZERO));
    }

    #[test]
    fn three_tiers_to_a_small_storage_are_tapered_at_the_leaves_alone() {
        // 5,072 ports to twelve servers: 27:1 at most, two uplinks of each leaf; all of them reach every tier above.
        let joined = Joined { servers: 5072, cards_per_server: 4, storage: Some(12), ..SUPERPOD };
        let bill = storage().bill(&joined).unwrap();
        assert_eq!(bill.ports, 5084);
        assert!(bill.switches < 130, "{}", bill.switches);
        let reference = storage().bill(&Joined { storage: None, ..joined }).unwrap();
        assert!(reference.switches > 3 * bill.switches);
    }

    #[test]
    fn a_ratio_that_spreads_badly_leaves_ports_free() {
        // 254 ports at 2:1 on 128: 85 down and 43 up, a prime, would take 3 + 43; 64 down and 32 up take 4 + 1.
        let front = SideNetwork { radix: 128, oversubscription: 2.0, beside: 0.0, ..storage() };
        assert_eq!(front.bill(&SUPERPOD).unwrap().switches, 5);
    }

    #[test]
    fn the_management_network_of_a_superpod_has_the_published_ports() {
        // RA-11333-001 V11: 127 cables to servers, 64 to switches of which 48 are the cards', 108 to power strips.
        let management = SideNetwork {
            ports_per_server: 1,
            ports_per_card: 0.0,
            beside: 0.0,
            to_storage: false,
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
    fn ports_beyond_four_tiers_are_dealt_over_several_networks() {
        // Four tiers of 48 ports at 10:1: 48 · 24 · 24 pods of leaves with 43 ports down are 1,188,864 ports.
        let management = SideNetwork {
            ports_per_server: 1,
            ports_per_card: 0.0,
            beside: 0.0,
            radix: 48,
            oversubscription: 10.0,
            ..storage()
        };
        let joined = |servers| Joined { servers, switches: 0, racks: 0, ..SUPERPOD };
        let whole = management.bill(&joined(1_188_864)).unwrap();
        let more = management.bill(&joined(1_188_865)).unwrap();
        assert_eq!((whole.networks, more.networks, more.ports), (1, 2, 1_188_865));
        let halves = [594_432, 594_433].map(|ports| management.bill(&joined(ports)).unwrap().switches);
        assert_eq!(more.switches, halves[0] + halves[1]);
    }

    #[test]
    fn a_network_without_ports_costs_nothing_and_one_without_a_price_is_not_summed() {
        let none = SideNetwork { ports_per_card: 0.0, switch_price: None, ..storage() };
        assert_eq!(none.bill(&SUPERPOD).unwrap().usd, Some(Usd::ZERO));
        let unpriced = SideNetwork { switch_price: None, ..storage() };
        assert_eq!(
            side_totals(&[storage(), unpriced], &SUPERPOD, &mut SideCounts::default()).unwrap().usd,
            None
        );
    }
}
