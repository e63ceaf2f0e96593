//! Variants: what a layout is timed against, and the plants of every size it can be built in.

use std::sync::Arc;

use crate::error::CoreError;
use crate::hardware::Cluster;
use crate::kernel::Kernels;
use crate::network::Network;
use crate::plant::keeping;
use crate::problem::{Axis, Problem};
use crate::reliability::keeping::Keeping;
use crate::search::sizes::{Column, columns};
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
    /// The last lawful size, if any is.
    pub last_lawful: Option<usize>,
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

    /// Cards of the largest size.
    #[must_use]
    pub fn most_cards(&self) -> u64 {
        self.sizes.last().map_or(0, |size| size.cards)
    }
}

/// All variants of the problem with their sizes worked out.
///
/// # Errors
/// A fabric that reaches no size at all is not an error (its sizes are refused); a precision without peak is.
pub fn variants(problem: &Problem) -> Result<Vec<Variant>, CoreError> {
    let mut found = Vec::new();
    for (index, cluster) in problem.clusters.iter().enumerate() {
        found.extend(of_cluster(problem, index, cluster)?);
    }
    number_networks(&mut found);
    Ok(found)
}

/// Those of one cluster: every fabric at every power cap.
fn of_cluster(problem: &Problem, index: usize, cluster: &Cluster) -> Result<Vec<Variant>, CoreError> {
    let most = problem.limits.cards_max.min(cluster.max_cards.unwrap_or(u64::MAX));
    let kept = Arc::new(keeping(cluster, &problem.reliability, most / cluster.cards_per_server + 1));
    let caps = cluster.power_caps.iter().map(|cap| capped(problem, cluster, *cap));
    let caps = caps.collect::<Result<Vec<(f64, Kernels)>, CoreError>>()?;
    let first_units = problem.limits.cards_min.div_ceil(cluster.unit_cards).max(1);
    let clocks: Vec<f64> = caps.iter().map(|(clock, _)| *clock).collect();
    let mut columns =
        columns(problem, cluster, &clocks, (first_units, most / cluster.unit_cards)).into_iter();
    let mut found = Vec::new();
    for fabric in 0..cluster.fabrics.len() {
        for (cap, (_, kernels)) in caps.iter().enumerate() {
            let Column { sizes, networks, refusals, .. } = columns.next().unwrap_or_default();
            let (reaches, goodput_from) = reaches(&sizes, networks.len());
            found.push(Variant {
                cluster: index,
                fabric,
                power_cap: cluster.power_caps[cap],
                domain: cluster.domain_devices(),
                kernels: *kernels,
                networks,
                sizes,
                first_units,
                refusals,
                keeping: Arc::clone(&kept),
                cards_per_server: cluster.cards_per_server,
                last_lawful: reaches
                    .iter()
                    .filter(|(first, last)| first <= last)
                    .map(|(_, last)| *last)
                    .max(),
                reaches,
                goodput_from,
                cap,
                network_ids: Vec::new(),
            });
        }
    }
    Ok(found)
}

/// Clock and rates of the device under a power cap.
fn capped(problem: &Problem, cluster: &Cluster, power_cap: f64) -> Result<(f64, Kernels), CoreError> {
    let clock = cluster
        .card_power()
        .clock_at_cap(power_cap)
        .ok_or_else(|| CoreError::invalid("power_caps", "a cap is below what the card draws when idle"))?;
    let kernels = Kernels::new(&cluster.device, problem.training.precision, clock)
        .ok_or_else(|| CoreError::invalid("training.precision", "the chip has no peak at this precision"))?;
    Ok((clock, kernels))
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
