//! The plants of every size of a cluster, worked out for all its fabrics, power caps and coolings together.
//!
//! What a size has in common is worked out once for it: a fabric and its network for all caps and coolings, failures and
//! checkpoints likewise, and mostly the side networks for all fabrics too.

use rayon::prelude::*;

use crate::evaluate::over_limits;
use crate::hardware::Cluster;
use crate::network::Network;
use crate::plant::side::SideCounts;
use crate::plant::{Choice, Plant, Terms, Upkeep, fabric_design, plant_on, upkeep};
use crate::problem::Problem;
use crate::search::least::Least;
use crate::search::variant::{Refusal, Row, Size, add_refusal};

/// The sizes of one fabric at one power cap.
#[derive(Default)]
pub struct Column {
    /// From the first to the last.
    pub sizes: Vec<Size>,
    /// Distinct networks over all sizes.
    pub networks: Vec<Network>,
    /// Their numbers among those of the fabric.
    numbers: Vec<usize>,
    /// Why sizes were refused, and how many.
    pub refusals: Vec<Refusal>,
}

/// Plants worked out at once: sizes bring a network each, of which few are distinct, and not all are held at a time.
const AT_ONCE: usize = 8192;

/// Plants that are worth a task of their own.
const LEAST_TASK: usize = 64;

/// The sizes from the first to the last of `units`, both counted, by fabric and, for each, by power cap; `clocks` are
/// those of the cluster's caps.
pub fn columns(problem: &Problem, cluster: &Cluster, clocks: &[f64], units: (u64, u64)) -> Vec<Column> {
    let coolings = cluster.coolings.len();
    let builder = Builder::new(problem, cluster, clocks);
    let (fabrics, caps) = (cluster.fabrics.len(), clocks.len());
    let mut columns: Vec<Column> = (0..fabrics * caps).map(|_| Column::default()).collect();
    let mut networks: Vec<Vec<Network>> = vec![Vec::new(); fabrics];
    let plants = (columns.len() * coolings).max(1);
    let (at_once, least_task) = (AT_ONCE.div_ceil(plants), LEAST_TASK.div_ceil(plants));
    let (mut from, last) = units;
    while from <= last {
        let to = last.min(from.saturating_add(at_once as u64 - 1));
        let built: Vec<Vec<OnFabric>> = (from..=to)
            .collect::<Vec<u64>>()
            .into_par_iter()
            .with_min_len(least_task)
            .map_init(SideCounts::default, |known, units| builder.of_size(units, known))
            .collect();
        for (fabric, on_fabric) in built.into_iter().flat_map(|size| size.into_iter().enumerate()) {
            let number = on_fabric.network.map(|network| numbered(&mut networks[fabric], network));
            let columns = &mut columns[fabric * caps..][..caps];
            for (column, built) in columns.iter_mut().zip(on_fabric.sizes) {
                column.add(built, number.map(|number| (number, &networks[fabric][number])));
            }
        }
        from = to + 1;
    }
    columns
}

/// The number of a network among those known, which it joins. Mostly it is the one found last.
fn numbered(known: &mut Vec<Network>, network: Network) -> usize {
    known.iter().rposition(|other| *other == network).unwrap_or_else(|| {
        known.push(network);
        known.len() - 1
    })
}

impl Column {
    /// Adds a size on a network, told with its number among those of the fabric.
    fn add(&mut self, Built { mut size, asked, refused }: Built, network: Option<(usize, &Network)>) {
        if let Some((number, network)) = network.filter(|_| asked) {
            size.network = self.numbers.iter().position(|known| *known == number).unwrap_or_else(|| {
                self.numbers.push(number);
                self.networks.push(network.clone());
                self.numbers.len() - 1
            });
        }
        if let Some(refused) = refused {
            refused.add_to(&mut self.refusals);
        }
        self.sizes.push(size);
    }
}

/// A number of units on one fabric: its network, if it was designed, and by power cap what is built.
struct OnFabric {
    network: Option<Network>,
    sizes: Vec<Built>,
}

/// A size, and why it is none.
struct Built {
    size: Size,
    /// Cards and servers alone are within the limits under some cooling.
    asked: bool,
    refused: Option<Refused>,
}

/// What all sizes of a cluster share.
struct Builder<'a> {
    problem: &'a Problem,
    cluster: &'a Cluster,
    terms: Terms<'a>,
    clocks: &'a [f64],
    /// By fabric, cap and cooling.
    least: Vec<Least<'a>>,
}

impl<'a> Builder<'a> {
    fn new(problem: &'a Problem, cluster: &'a Cluster, clocks: &'a [f64]) -> Self {
        let mut builder = Self { problem, cluster, terms: problem.terms(), clocks, least: Vec::new() };
        for fabric in 0..cluster.fabrics.len() {
            for cap in 0..clocks.len() {
                let of = |cooling| Least::new(problem, builder.choice((fabric, cap, cooling)));
                let least: Vec<Least> = (0..cluster.coolings.len()).map(of).collect();
                builder.least.extend(least);
            }
        }
        builder
    }

    fn choice(&self, (fabric, cap, cooling): (usize, usize, usize)) -> Choice<'a> {
        Choice {
            cluster: self.cluster,
            fabric: &self.cluster.fabrics[fabric],
            cooling: &self.cluster.coolings[cooling],
            clock: self.clocks[cap],
            power_cap: self.cluster.power_caps[cap],
        }
    }

    /// The bounds of a fabric at a cap, by cooling.
    fn least(&self, fabric: usize, cap: usize) -> &[Least<'a>] {
        let coolings = self.cluster.coolings.len();
        &self.least[(fabric * self.clocks.len() + cap) * coolings..][..coolings]
    }

    /// A number of units on all fabrics.
    fn of_size(&self, units: u64, known: &mut SideCounts) -> Vec<OnFabric> {
        (0..self.cluster.fabrics.len()).map(|fabric| self.on_fabric(units, fabric, known)).collect()
    }

    fn on_fabric(&self, units: u64, fabric: usize, known: &mut SideCounts) -> OnFabric {
        let cluster = self.cluster;
        let servers = units * cluster.unit_servers();
        let empty = || Size { cards: units * cluster.unit_cards, network: 0, goodput: 1.0, rows: Vec::new() };
        let over = |cap: usize| {
            self.least(fabric, cap).iter().map(|least| least.over(units)).reduce(Option::and).flatten()
        };
        let over: Vec<Option<&'static str>> = (0..self.clocks.len()).map(over).collect();
        let refused = |refused: &dyn Fn() -> Refused| {
            let why = |over: Option<&'static str>| over.map_or_else(refused, Refused::Over);
            over.iter().map(|over| Built { size: empty(), asked: false, refused: Some(why(*over)) }).collect()
        };
        if over.iter().all(Option::is_some) {
            return OnFabric { network: None, sizes: refused(&|| Refused::Over("limits")) };
        }
        let wired = match fabric_design(cluster, &cluster.fabrics[fabric], servers) {
            Ok(wired) => wired,
            Err(why) => {
                let sizes = refused(&|| Refused::Unbuilt("fabric".into(), why.clone()));
                return OnFabric { network: None, sizes };
            }
        };
        let upkeep = upkeep(cluster, &self.terms, &wired, servers);
        let sizes = over.iter().enumerate().map(|(cap, over)| {
            let mut size = empty();
            let refused = match over {
                Some(limit) => Some(Refused::Over(limit)),
                None => self.rows((units, fabric, cap), (&wired, &upkeep), known, &mut size),
            };
            Built { size, asked: over.is_none(), refused }
        });
        let sizes = sizes.collect();
        OnFabric { network: Some(Network::new(cluster, &cluster.fabrics[fabric], &wired)), sizes }
    }

    /// Fills the rows of a size; if there are none, says why.
    fn rows(
        &self,
        (units, fabric, cap): (u64, usize, usize),
        (wired, upkeep): (&crate::fabric::FabricDesign, &Result<Upkeep, String>),
        known: &mut SideCounts,
        size: &mut Size,
    ) -> Option<Refused> {
        let mut refusal = None;
        size.rows.reserve_exact(self.cluster.coolings.len());
        for (index, cooling) in self.cluster.coolings.iter().enumerate() {
            if !cooling.holds(self.cluster.power_caps[cap]) {
                refusal = Some(Refused::Over("site.hot_day"));
                continue;
            }
            if let Some(limit) = self.least(fabric, cap)[index].over(units) {
                refusal = Some(Refused::Over(limit));
                continue;
            }
            match plant_on(&self.choice((fabric, cap, index)), &self.terms, units, (*wired, upkeep), known) {
                Ok(plant) => match over_limits(self.problem, &plant).first() {
                    None => {
                        size.goodput = plant.goodput.goodput;
                        size.rows.push(row(index, &plant));
                    }
                    Some(limit) => refusal = Some(Refused::Over(limit)),
                },
                Err(why) => {
                    let cause = if why.starts_with("checkpoints") { "checkpoints" } else { &cooling.kind };
                    refusal = Some(Refused::Unbuilt(cause.into(), why));
                }
            }
        }
        if size.rows.is_empty() { refusal } else { None }
    }
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
