//! Several halls: each holds racks of its own kind under limits of its own.
//!
//! Halls are filled in the order in which they are named. Servers stand in whole scale-up domains; the switches of all
//! networks, storage and draw are spread over the halls as the servers are, so what a hall takes depends on the number
//! of its own servers alone and never falls with it. Each hall takes the most that its limits allow, which holds a
//! plant exactly where some division of it over the halls does.

use serde::Serialize;

use super::Choice;
use super::packing::{Packed, Stood, cdus, packed, servers_per_rack};
use super::store::StorageSpec;
use super::terms::{HallSpec, Terms};
use crate::facility::{ItLoad, RackBound, Racks, interconnect_racks, racks_for};
use crate::hardware::HallAir;
use crate::units::Watts;

/// What one of several halls holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HallUse {
    /// Name for people.
    pub name: String,
    /// Servers in it.
    pub servers: u64,
    /// Servers in a full rack of it; none: it takes none.
    pub servers_per_rack: Option<u64>,
    /// Which limit holds the servers of a rack down.
    pub rack_bound: Option<RackBound>,
    /// Racks in it.
    pub racks: Racks,
    /// Of all kinds.
    pub racks_total: u64,
    /// Places for racks.
    pub racks_room: u64,
    /// Typical draw.
    pub it_megawatts: f64,
    /// Heat into the liquid while all cards draw their board power.
    pub liquid_megawatts: f64,
    /// Heat into the air then.
    pub air_megawatts: f64,
    /// At the output of its transformers on the design day.
    pub transformer_megawatts: f64,
    /// Annual mean.
    pub pue: f64,
    /// Which of its limits one server, or scale-up domain, more would exceed; none: it has room.
    pub full: Option<&'static str>,
    /// Why it holds no server of this kind.
    pub holds_none: Option<String>,
    /// What it would be over, where servers are left that no hall takes: they are counted here.
    pub over: Option<String>,
}

impl HallUse {
    /// IT draw times `scale`: that of the load of a service.
    pub(super) fn draws(&mut self, scale: f64) {
        self.it_megawatts *= scale;
        self.transformer_megawatts *= scale;
    }
}

/// What is to be spread over halls.
pub(super) struct Fill<'a> {
    pub(super) load: &'a ItLoad,
    pub(super) storage: Option<(&'a StorageSpec, u64)>,
    /// Typical draw of all.
    pub(super) it: Watts,
    /// While all cards draw their board power.
    pub(super) peak: Watts,
    /// Of all networks.
    pub(super) switches: u64,
    pub(super) cards: u64,
}

/// A hall that takes servers of this kind.
struct Hall<'a> {
    choice: &'a Choice<'a>,
    fill: &'a Fill<'a>,
    spec: &'a HallSpec,
    air: HallAir,
    packed: Packed,
    transformer_efficiency: f64,
}

/// A limit that a number of servers exceeds: its key, what is taken and what there is, and their unit.
struct Exceeded(&'static str, f64, f64, &'static str);

impl Hall<'_> {
    fn share(&self, servers: u64) -> f64 {
        servers as f64 / self.fill.load.servers as f64
    }

    fn liquid(&self, servers: u64) -> Watts {
        self.fill.peak * (self.choice.cooling.liquid_share * self.share(servers))
    }

    /// Racks with `servers` of the servers in it, `switches` and `stores`.
    fn racks(&self, servers: u64, switches: u64, stores: u64) -> Racks {
        let (liquid, ceiling) = (self.liquid(servers), &self.spec.rack);
        let units = cdus(liquid, ceiling);
        if servers == self.fill.load.servers {
            return self.packed.with(switches, (units, liquid), ceiling);
        }
        let cluster = self.choice.cluster;
        let domains = (servers * cluster.cards_per_server).div_ceil(cluster.domain_cards);
        Racks {
            compute: racks_for(servers, self.packed.servers_per_rack),
            network: racks_for(switches, self.packed.switches_per_rack),
            interconnect: interconnect_racks(domains, cluster.domain_interconnect_racks),
            cooling: interconnect_racks(units, ceiling.cdu_racks),
            storage: racks_for(stores, self.packed.storage_per_rack),
        }
    }

    fn transformer(&self, servers: u64) -> f64 {
        self.fill.it.0 * self.share(servers) * self.air.pue_design_day * self.transformer_efficiency
    }

    /// The first limit that `servers` exceed, with their share of switches and storage rounded up.
    fn exceeds(&self, servers: u64) -> Option<Exceeded> {
        if servers == 0 {
            return None;
        }
        let all = self.fill.load.servers;
        let part = |count: u64| (count * servers).div_ceil(all);
        let stores = self.fill.storage.map_or(0, |(_, count)| count);
        let racks = self.racks(servers, part(self.fill.switches), part(stores)).total();
        let liquid = self.liquid(servers);
        let air = self.fill.peak * self.share(servers) - liquid;
        let spec = self.spec;
        let mega = |limit: Option<f64>| limit.unwrap_or(f64::INFINITY) / 1e6;
        let floor = spec.rack.floor_per_rack * racks as f64;
        [
            Exceeded("racks", racks as f64, spec.racks as f64, "racks"),
            Exceeded("liquid_power", liquid.0 / 1e6, mega(spec.liquid_watts), "MW into liquid"),
            Exceeded("air_power", air.0 / 1e6, mega(spec.air_watts), "MW into air"),
            Exceeded(
                "transformers",
                self.transformer(servers) / 1e6,
                mega(spec.transformer_watts),
                "MW of transformers",
            ),
            Exceeded("floor_area", floor, spec.floor_m2.unwrap_or(f64::INFINITY), "m2"),
        ]
        .into_iter()
        .find(|Exceeded(_, taken, limit, _)| taken > limit)
    }

    /// The most of `left` servers, in whole `blocks` but for the last, that the hall takes.
    fn most(&self, left: u64, block: u64) -> u64 {
        if self.exceeds(left).is_none() {
            return left;
        }
        let (mut fits, mut fails) = (0, left.div_ceil(block));
        while fails - fits > 1 {
            let middle = fits + (fails - fits) / 2;
            if self.exceeds(middle * block).is_none() {
                fits = middle;
            } else {
                fails = middle;
            }
        }
        fits * block
    }
}

/// Servers that stand together: those of a scale-up domain.
fn block(choice: &Choice) -> u64 {
    choice.cluster.domain_cards.div_ceil(choice.cluster.cards_per_server).max(1)
}

fn air_of(choice: &Choice, place: usize) -> HallAir {
    choice.cooling.halls.get(place).copied().unwrap_or_else(|| choice.cooling.air())
}

/// Why the supply of a hall holds no cards at this cap on the hot design day, if it does not.
fn too_warm(choice: &Choice, air: &HallAir) -> Option<String> {
    let cap = choice.power_cap.min(choice.cooling.heat_cap);
    (air.heat_cap + 1e-9 < cap).then(|| match air.heat_cap {
        0.0 => format!("{} does not work at its supply temperature", choice.cooling.kind),
        held => {
            format!("its supply holds cards at {:.1} % of board power on the hot design day", held * 100.0)
        }
    })
}

/// The most servers that halls could hold were nothing else in them: Σ racks · servers per rack.
#[must_use]
pub fn most_servers(choice: &Choice, halls: &[HallSpec]) -> u64 {
    let of = |(place, hall): (usize, &HallSpec)| match too_warm(choice, &air_of(choice, place)) {
        Some(_) => 0,
        None => servers_per_rack(choice, &hall.rack).map_or(0, |(each, _)| each.saturating_mul(hall.racks)),
    };
    halls.iter().enumerate().map(of).fold(0, u64::saturating_add)
}

/// Fills the halls of `terms`.
///
/// # Errors
/// In words, by hall: none of them takes one server.
pub(super) fn filled<'a>(choice: &'a Choice, terms: &'a Terms, fill: &'a Fill<'a>) -> Result<Stood, String> {
    let domains = fill.cards.div_ceil(choice.cluster.domain_cards);
    let built = |(place, spec): (usize, &'a HallSpec)| {
        let air = air_of(choice, place);
        match too_warm(choice, &air) {
            Some(why) => Err(why),
            None => packed(choice, fill.load, domains, (&spec.rack, fill.storage)).map(|packed| Hall {
                choice,
                fill,
                spec,
                air,
                packed,
                transformer_efficiency: terms.site.transformer_efficiency,
            }),
        }
    };
    let halls: Vec<Result<Hall, String>> = terms.halls.iter().enumerate().map(built).collect();
    let Some(last) = halls.iter().rposition(Result::is_ok) else {
        let told = halls
            .iter()
            .zip(terms.halls)
            .map(|(hall, spec)| format!("{}: {}", spec.name, hall.as_ref().err().map_or("", String::as_str)));
        return Err(format!("no hall takes a server; {}", told.collect::<Vec<_>>().join("; ")));
    };
    let block = block(choice);
    let mut left = fill.load.servers;
    let mut counts: Vec<u64> = Vec::with_capacity(halls.len());
    for hall in &halls {
        let taken = hall.as_ref().map_or(0, |hall| hall.most(left, block));
        left -= taken;
        counts.push(taken);
    }
    counts[last] += left;
    Ok(told(&halls, terms.halls, (&counts, block), (last, left)))
}

/// The halls with `counts` servers each, and what they are together.
fn told(
    halls: &[Result<Hall, String>],
    specs: &[HallSpec],
    (counts, block): (&[u64], u64),
    (last, left): (usize, u64),
) -> Stood {
    let (mut before, mut racks) = (0, Racks::default());
    let mut uses = Vec::with_capacity(halls.len());
    let mut air =
        HallAir { pue: 0.0, pue_design_day: 0.0, wue: Some(0.0), chilled_share: 0.0, heat_cap: 1.0 };
    for (place, (hall, spec)) in halls.iter().zip(specs).enumerate() {
        let servers = counts[place];
        let used = match hall {
            Ok(hall) => {
                let used = one(hall, servers, before, block);
                let share = hall.share(servers);
                air.pue += hall.air.pue * share;
                air.pue_design_day += hall.air.pue_design_day * share;
                air.wue = air.wue.zip(hall.air.wue).map(|(sum, each)| sum + each * share);
                air.chilled_share += hall.air.chilled_share * share;
                if place == last && left > 0 {
                    let over = hall.exceeds(servers).map(|Exceeded(_, taken, limit, unit)| {
                        format!(
                            "the halls are full; {} would take {taken:.4} of {limit:.4} {unit}",
                            spec.name
                        )
                    });
                    HallUse { over, ..used }
                } else {
                    used
                }
            }
            Err(why) => none(spec, why),
        };
        racks = racks.and(&used.racks);
        before += servers;
        uses.push(used);
    }
    let main = (0..halls.len())
        .filter(|place| halls[*place].is_ok())
        .max_by_key(|place| (counts[*place], usize::MAX - place));
    let Some(Ok(main)) = main.map(|place| &halls[place]) else { unreachable!("a hall takes servers") };
    let Packed { servers_per_rack, bound, switches_per_rack, storage_per_rack, power, .. } = main.packed;
    Stood { racks, servers_per_rack, bound, switches_per_rack, storage_per_rack, power, air, halls: uses }
}

/// A hall with `servers`, of which `before` stand in the halls before it.
fn one(hall: &Hall, servers: u64, before: u64, block: u64) -> HallUse {
    let all = hall.fill.load.servers;
    let part = |count: u64| (count * (before + servers)).div_ceil(all) - (count * before).div_ceil(all);
    let stores = hall.fill.storage.map_or(0, |(_, count)| count);
    let racks = match servers {
        0 => Racks::default(),
        _ => hall.racks(servers, part(hall.fill.switches), part(stores)),
    };
    let liquid = hall.liquid(servers);
    HallUse {
        name: hall.spec.name.clone(),
        servers,
        servers_per_rack: Some(hall.packed.servers_per_rack),
        rack_bound: Some(hall.packed.bound),
        racks,
        racks_total: racks.total(),
        racks_room: hall.spec.racks,
        it_megawatts: hall.fill.it.0 / 1e6 * hall.share(servers),
        liquid_megawatts: liquid.0 / 1e6,
        air_megawatts: (hall.fill.peak * hall.share(servers) - liquid).0 / 1e6,
        transformer_megawatts: hall.transformer(servers) / 1e6,
        pue: hall.air.pue,
        full: hall.exceeds(servers + block).map(|Exceeded(limit, ..)| limit),
        holds_none: None,
        over: None,
    }
}

fn none(spec: &HallSpec, why: &str) -> HallUse {
    HallUse {
        name: spec.name.clone(),
        servers: 0,
        servers_per_rack: None,
        rack_bound: None,
        racks: Racks::default(),
        racks_total: 0,
        racks_room: spec.racks,
        it_megawatts: 0.0,
        liquid_megawatts: 0.0,
        air_megawatts: 0.0,
        transformer_megawatts: 0.0,
        pue: 0.0,
        full: None,
        holds_none: Some(why.to_string()),
        over: None,
    }
}
