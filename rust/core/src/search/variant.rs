//! Variants: what a layout is timed against, and the plants of every size it can be built in.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::CoreError;
use crate::evaluate::over_limits;
use crate::kernel::Kernels;
use crate::network::Network;
use crate::plant::side::SideCounts;
use crate::plant::{Choice, Plant, fabric_design, keeping, plant_on};
use crate::problem::{Axis, Problem};
use crate::reliability::keeping::Keeping;
use crate::search::least::Least;
use crate::training::layer::Bench;

/// One cluster with one fabric at one power cap. Cooling does not touch timing: it is a column of each size.
pub struct Variant {
    /// Index of the cluster.
    pub cluster: usize,
    /// Index of its fabric.
    pub fabric: usize,
    /// Share of the board power.
    pub power_cap: f64,
    /// Devices of a scale-up domain.
    pub domain: f64,
    /// Rates of the device at the cap's clock.
    pub kernels: Kernels,
    /// Distinct networks over all sizes (a fabric gains tiers as it grows).
    pub networks: Vec<Network>,
    /// Sizes from `first_units` on.
    pub sizes: Vec<Size>,
    /// Units of `sizes[0]`.
    pub first_units: u64,
    /// Why sizes were refused, and how many.
    pub refusals: Vec<Refusal>,
    /// What jobs keep with the spares that are left.
    pub keeping: Arc<Keeping>,
    /// Cards of a server.
    pub cards_per_server: u64,
    /// First and last lawful size of each network.
    pub reaches: Vec<(usize, usize)>,
    /// The best share of time that trains on any lawful size from each on.
    pub goodput_from: Vec<f64>,
    /// Place of the power cap among those of the cluster.
    pub cap: usize,
    /// For each network its number among all distinct networks of the problem.
    pub network_ids: Vec<usize>,
}

/// Sizes refused for one cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// A limit of the problem, `fabric`, or the cooling kind whose racks are too weak.
    pub cause: String,
    /// The first such size in words.
    pub example: String,
    /// Sizes.
    pub count: u64,
}

/// Adds `more` to the refusals of the same cause.
pub fn add_refusal(refusals: &mut Vec<Refusal>, more: Refusal) {
    match refusals.iter_mut().find(|known| known.cause == more.cause) {
        Some(known) => known.count += more.count,
        None => refusals.push(more),
    }
}

/// What a number of units costs under one cooling; every number depends on the size alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Index of the cooling.
    pub cooling: usize,
    /// Grid intake on the design day.
    pub facility_megawatts: f64,
    /// Annual mean at the grid intake.
    pub mean_megawatts: f64,
    /// Capital; none where a price is missing.
    pub capex_usd: Option<f64>,
    /// Cost of a year.
    pub tco_usd_per_year: Option<f64>,
    /// Energy of a year.
    pub energy_mwh_per_year: f64,
}

/// A number of units within the limits under at least one cooling.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    /// Cards bought.
    pub cards: u64,
    /// Index into the variant's networks.
    pub network: usize,
    /// Share of calendar time that trains where spares suffice.
    pub goodput: f64,
    /// Coolings within the limits; none: the size is refused.
    pub rows: Vec<Row>,
}

impl Variant {
    /// The networks that some lawful size has.
    pub fn reached(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.networks.len()).filter(|network| self.reaches[*network].0 <= self.reaches[*network].1)
    }

    /// The last lawful size, if any is.
    #[must_use]
    pub fn last_lawful(&self) -> Option<usize> {
        self.reaches.iter().filter(|(first, last)| first <= last).map(|(_, last)| *last).max()
    }

    /// Cards of the largest size.
    #[must_use]
    pub fn most_cards(&self) -> u64 {
        self.sizes.last().map_or(0, |size| size.cards)
    }
}

/// Sizes worked out at once.
const AT_ONCE: u64 = 8192;

/// All variants of the problem with their sizes worked out.
///
/// # Errors
/// A fabric that reaches no size at all is not an error (its sizes are refused); a precision without peak is.
pub fn variants(problem: &Problem) -> Result<Vec<Variant>, CoreError> {
    let mut found = Vec::new();
    for (cluster_index, cluster) in problem.clusters.iter().enumerate() {
        let most = problem.limits.cards_max.min(cluster.max_cards.unwrap_or(u64::MAX));
        let kept = keeping(cluster, &problem.reliability, most / cluster.cards_per_server + 1);
        let kept = Arc::new(kept);
        for fabric_index in 0..cluster.fabrics.len() {
            for cap in 0..cluster.power_caps.len() {
                let kept = Arc::clone(&kept);
                found.push(variant(problem, cluster_index, fabric_index, cap, kept)?);
            }
        }
    }
    number_networks(&mut found);
    Ok(found)
}

/// Numbers the distinct networks of all variants: what is costed against one of them holds for all that share it.
fn number_networks(variants: &mut [Variant]) {
    let mut distinct: Vec<Network> = Vec::new();
    for variant in variants {
        for network in &variant.networks {
            let known = distinct.iter().position(|known| known == network);
            variant.network_ids.push(known.unwrap_or(distinct.len()));
            if known.is_none() {
                distinct.push(network.clone());
            }
        }
    }
}

fn variant(
    problem: &Problem,
    cluster_index: usize,
    fabric_index: usize,
    cap: usize,
    keeping: Arc<Keeping>,
) -> Result<Variant, CoreError> {
    let cluster = &problem.clusters[cluster_index];
    let power_cap = cluster.power_caps[cap];
    let fabric = &cluster.fabrics[fabric_index];
    let clock = cluster
        .card_power()
        .clock_at_cap(power_cap)
        .ok_or_else(|| CoreError::invalid("power_caps", "a cap is below what the card draws when idle"))?;
    let kernels = Kernels::new(&cluster.device, problem.training.precision, clock)
        .ok_or_else(|| CoreError::invalid("training.precision", "the chip has no peak at this precision"))?;
    let most = problem.limits.cards_max.min(cluster.max_cards.unwrap_or(u64::MAX));
    let first_units = problem.limits.cards_min.div_ceil(cluster.unit_cards).max(1);
    let last_units = most / cluster.unit_cards;
    let terms = problem.terms();
    let at = |cooling| Choice { cluster, fabric, cooling, clock, power_cap };
    let least: Vec<Least> = cluster.coolings.iter().map(|cooling| Least::new(problem, at(cooling))).collect();
    let build = |known: &mut SideCounts, units: u64| {
        let rows = Vec::with_capacity(cluster.coolings.len());
        let mut size = Size { cards: units * cluster.unit_cards, network: 0, goodput: 1.0, rows };
        if let Some(limit) = least.iter().map(|least| least.over(units)).reduce(Option::and).flatten() {
            return (None, size, Some(Refused::Over(limit)));
        }
        let servers = units * cluster.unit_servers();
        let wired = match fabric_design(cluster, fabric, servers) {
            Ok(wired) => wired,
            Err(why) => return (None, size, Some(Refused::Unbuilt("fabric".into(), why))),
        };
        let network = Network::new(cluster, fabric, &wired);
        let mut refusal = None;
        for (cooling_index, cooling) in cluster.coolings.iter().enumerate() {
            if !cooling.holds(power_cap) {
                refusal = Some(Refused::Over("site.hot_day"));
                continue;
            }
            if let Some(limit) = least[cooling_index].over(units) {
                refusal = Some(Refused::Over(limit));
                continue;
            }
            match plant_on(&at(cooling), &terms, units, wired, known) {
                Ok(plant) => match over_limits(problem, &plant).first() {
                    None => {
                        size.goodput = plant.goodput.goodput;
                        size.rows.push(row(cooling_index, &plant));
                    }
                    Some(limit) => refusal = Some(Refused::Over(limit)),
                },
                Err(why) => {
                    let cause = if why.starts_with("checkpoints") { "checkpoints" } else { &cooling.kind };
                    refusal = Some(Refused::Unbuilt(cause.into(), why));
                }
            }
        }
        let refusal = if size.rows.is_empty() { refusal } else { None };
        (Some(network), size, refusal)
    };
    let mut networks: Vec<Network> = Vec::new();
    let mut sizes = Vec::new();
    let mut refusals = Vec::new();
    // Sizes bring a network each, of which few are distinct: not all of them are held at once.
    let mut from = first_units;
    while from <= last_units {
        let to = last_units.min(from.saturating_add(AT_ONCE - 1));
        let built: Vec<(Option<Network>, Size, Option<Refused>)> = (from..=to)
            .collect::<Vec<u64>>()
            .into_par_iter()
            .with_min_len(64)
            .map_init(SideCounts::default, build)
            .collect();
        for (network, mut size, refusal) in built {
            if let Some(network) = network {
                size.network = networks.iter().position(|known| *known == network).unwrap_or_else(|| {
                    networks.push(network);
                    networks.len() - 1
                });
            }
            if let Some(refused) = refusal {
                refused.add_to(&mut refusals);
            }
            sizes.push(size);
        }
        from = to + 1;
    }
    let (reaches, goodput_from) = reaches(&sizes, networks.len());
    Ok(Variant {
        cluster: cluster_index,
        fabric: fabric_index,
        power_cap,
        domain: cluster.domain_devices(),
        kernels,
        networks,
        sizes,
        first_units,
        refusals,
        keeping,
        cards_per_server: cluster.cards_per_server,
        reaches,
        goodput_from,
        cap,
        network_ids: Vec::new(),
    })
}

/// First and last lawful size of each network, and the best goodput of a lawful size from each on.
fn reaches(sizes: &[Size], networks: usize) -> (Vec<(usize, usize)>, Vec<f64>) {
    let mut reaches = vec![(usize::MAX, 0); networks];
    let mut goodput_from = vec![0.0; sizes.len()];
    let mut most = 0.0_f64;
    for (index, size) in sizes.iter().enumerate().rev() {
        if !size.rows.is_empty() {
            let reach = &mut reaches[size.network];
            *reach = (index, reach.1.max(index));
            most = most.max(size.goodput);
        }
        goodput_from[index] = most;
    }
    // No size is lawful: first after last.
    (
        reaches.into_iter().map(|reach| if reach.0 == usize::MAX { (1, 0) } else { reach }).collect(),
        goodput_from,
    )
}

/// Why one size is refused. There may be millions over a limit: they are counted without a word.
enum Refused {
    Over(&'static str),
    /// Cause, and why in words.
    Unbuilt(String, String),
}

impl Refused {
    fn add_to(self, refusals: &mut Vec<Refusal>) {
        let (cause, example) = match self {
            Self::Over(limit) => {
                if let Some(known) = refusals.iter_mut().find(|known| known.cause == limit) {
                    known.count += 1;
                    return;
                }
                (limit.to_string(), format!("over {limit}"))
            }
            Self::Unbuilt(cause, why) => (cause, why),
        };
        add_refusal(refusals, Refusal { cause, example, count: 1 });
    }
}

fn row(cooling: usize, plant: &Plant) -> Row {
    Row {
        cooling,
        facility_megawatts: plant.facility_design_day.0 / 1e6,
        mean_megawatts: plant.facility.0 / 1e6,
        capex_usd: plant.capex.total().map(|usd| usd.0),
        tco_usd_per_year: plant.tco_usd_per_year.map(|usd| usd.0),
        energy_mwh_per_year: plant.energy_mwh_per_year,
    }
}

/// A point of the answer: a size under a cooling with the best layout found for it.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The size.
    pub size: &'a Size,
    /// Its cooling.
    pub row: &'a Row,
    /// Tokens per second of calendar time.
    pub productive: f64,
    /// Tokens of the run.
    pub tokens: f64,
}

impl Point<'_> {
    /// Calendar days of the run.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.tokens / self.productive / 86_400.0
    }

    /// The value on `axis`, smaller is better; a missing price is infinitely bad.
    #[must_use]
    pub fn cost(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Days => self.days(),
            Axis::TokensPerSecond => -self.productive,
            other => size_cost(self.size, self.row, other),
        }
    }
}

/// The value of a size on an axis that does not depend on the layout, smaller is better.
#[must_use]
pub fn size_cost(size: &Size, row: &Row, axis: Axis) -> f64 {
    match axis {
        Axis::Cards => size.cards as f64,
        Axis::FacilityMegawatts => row.facility_megawatts,
        Axis::CapexUsd => row.capex_usd.unwrap_or(f64::INFINITY),
        Axis::TcoUsdPerYear => row.tco_usd_per_year.unwrap_or(f64::INFINITY),
        Axis::EnergyMwhPerYear => row.energy_mwh_per_year,
        Axis::Days | Axis::TokensPerSecond => f64::NEG_INFINITY,
    }
}

/// What layers on a variant's network are costed against.
#[must_use]
pub fn bench<'a>(problem: &'a Problem, variant: &'a Variant, network: usize) -> Bench<'a> {
    Bench {
        model: &problem.model,
        training: &problem.training,
        software: problem.software_of(&problem.clusters[variant.cluster]),
        kernels: &variant.kernels,
        network: &variant.networks[network],
        domain: variant.domain,
    }
}
