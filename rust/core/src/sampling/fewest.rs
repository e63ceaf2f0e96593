//! Under every draw, the fewest cards with which one of some layouts meets a target.
//!
//! A family is a design whose data ranks and spares are left open. Which of them is the smallest that does differs from
//! draw to draw; a fixed list of designs would have to hold a whole ladder of sizes for each family.

use serde::Deserialize;
use serde_json::Value;

use crate::error::CoreError;
use crate::evaluate::{DesignChoice, evaluate};
use crate::problem::Problem;
use crate::sampling::patch::Patch;
use crate::sampling::{LAYOUT, LIMITS, MEMORY, SPARES, check, each_row, read, reasons, whole};
use crate::training::layout::{Host, Layout, broken_rule, broken_rule_at, micro_batches};

/// Numbers of the answer per draw: cards bought (infinite where no family does), index of the family, its data ranks.
pub const FEWEST: usize = 3;

/// Data ranks below the border that halving found which are tried too: where one micro-batch less begins, more ranks can
/// be slower by a little.
const TRIED_BELOW: usize = 4;

/// And above it: more ranks with fewer spares may be fewer cards.
const TRIED_ABOVE: usize = 2;

/// What fewer than the usual spares can gain in days: idle servers fail too, and lengthen the run by a little.
const GAINED: f64 = 0.015;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    problem: Value,
    families: Vec<DesignChoice>,
    pointers: Vec<String>,
}

/// A design and the data ranks that it may have, ascending.
struct Family {
    choice: DesignChoice,
    ranks: Vec<u64>,
}

/// The fewest cards per draw.
///
/// `values` holds draws x pointers numbers; `days` draws x clusters calendar days that are allowed, the model's own error
/// on top already. The answer holds draws x [`FEWEST`] numbers. A family's data ranks are those that the declared space
/// and the batch allow (its own alone in a factorized space); it holds as few spares as do. The border
/// between too slow and fast enough is found by halving. Families after the first are looked at only below the fewest
/// cards known; of equal ones the first stays.
///
/// # Errors
/// As of [`sample`](super::sample); days that are not draws x clusters.
pub fn fewest(request: &[u8], values: &[f64], days: &[f64], threads: usize) -> Result<Vec<f64>, CoreError> {
    let Request { problem, families, pointers } =
        serde_json::from_slice(request).map_err(|error| CoreError::Wire(error.to_string()))?;
    check(&problem, &pointers, values)?;
    let central: Problem = read(problem.clone())?;
    central.validate()?;
    let clusters = central.clusters.len();
    let width = pointers.len().max(1);
    if days.len() * width != values.len() * clusters {
        let message = format!("{} are not one for each draw and cluster", days.len());
        return Err(CoreError::invalid("days", message));
    }
    let families: Vec<Family> = families
        .into_iter()
        .map(|choice| {
            if choice.cluster >= clusters {
                return Err(CoreError::invalid("families", "a cluster is out of range"));
            }
            Ok(Family { choice, ranks: data_ranks(&central, &choice) })
        })
        .collect::<Result<_, _>>()?;
    let patch = Patch::new(problem, &pointers);
    let rows = each_row(values, &patch, threads, |place, drawn| {
        let days = &days[place * clusters..(place + 1) * clusters];
        match whole(drawn) {
            Some(problem) => least(&problem, &families, days),
            None => NONE,
        }
    })?;
    Ok(rows.concat())
}

/// No family does.
const NONE: [f64; FEWEST] = [f64::INFINITY, -1.0, 0.0];

/// The data ranks of a family that the space, the batch and the rules allow on the most cards; no draw moves rules.
fn data_ranks(problem: &Problem, choice: &DesignChoice) -> Vec<u64> {
    if problem.space.factorized {
        return vec![choice.layout.dp];
    }
    let cluster = &problem.clusters[choice.cluster];
    let alone = Layout { dp: 1, ..choice.layout }.devices();
    let micro_batch = choice.layout.micro_batch;
    let most = (problem.limits.cards_max * cluster.devices_per_card / alone)
        .min(2 * problem.training.global_batch / micro_batch);
    let host = Host::of(cluster);
    if broken_rule(&problem.model, &problem.training, host, &choice.layout).is_some() {
        return Vec::new();
    }
    let lawful = |dp: &u64| {
        micro_batches(&problem.training, *dp, micro_batch)
            .is_some_and(|count| broken_rule_at(host, &Layout { dp: *dp, ..choice.layout }, count).is_none())
    };
    (1..=most)
        .filter(|dp| problem.space.dp.as_ref().is_none_or(|list| list.contains(dp)))
        .filter(lawful)
        .collect()
}

/// The fewest cards of one draw.
fn least(problem: &Problem, families: &[Family], days: &[f64]) -> [f64; FEWEST] {
    let mut best = NONE;
    for (index, family) in families.iter().enumerate() {
        let cluster = &problem.clusters[family.choice.cluster];
        let active = |dp: u64| {
            Layout { dp, ..family.choice.layout }.devices().div_ceil(cluster.devices_per_card) as f64
        };
        let ranks = &family.ranks[..family.ranks.partition_point(|dp| active(*dp) < best[0])];
        let sizes = Sizes { problem, family, allowed: days[family.choice.cluster] };
        for &dp in sizes.border(ranks) {
            if let Some(cards) = sizes.fewest(dp).filter(|cards| *cards < best[0]) {
                best = [cards, index as f64, dp as f64];
            }
        }
    }
    best
}

/// The sizes of a family in one draw.
struct Sizes<'a> {
    problem: &'a Problem,
    family: &'a Family,
    /// Days.
    allowed: f64,
}

/// What one size does.
struct Tried {
    /// Infinite where the plant cannot be built: it grew beyond its fabric.
    days: f64,
    /// It is fast enough, lawful, and fits.
    fast: bool,
    /// So it may be with fewer spares.
    near: bool,
    /// Cards bought where it stays inside all limits.
    cards: Option<f64>,
}

impl Sizes<'_> {
    /// The fewest cards with which so many data ranks do it, from the usual spares down to none by halving. Days fall with
    /// spares up to where their own failures cost more than they cover: where the usual ones are a little too slow, it is
    /// halved from that turn on.
    fn fewest(&self, dp: u64) -> Option<f64> {
        let tried = self.at(dp);
        let most = tried.cards.filter(|_| tried.near)?;
        let cluster = &self.problem.clusters[self.family.choice.cluster];
        let active = Layout { dp, ..self.family.choice.layout }.devices().div_ceil(cluster.devices_per_card);
        let unit = cluster.unit_cards;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of cards")]
        let (mut from, mut to) =
            (active.max(self.problem.limits.cards_min).div_ceil(unit), most as u64 / unit);
        if !tried.fast {
            let does = |units: &u64| {
                let tried = self.with(dp, Some(units * unit));
                tried.fast && tried.cards.is_some()
            };
            // Few spares may cover nothing, and cost: then none do better than some.
            to = [from, self.quickest(dp, from, to)].into_iter().find(does)?;
        }
        while from < to {
            let middle = u64::midpoint(from, to);
            let tried = self.with(dp, Some(middle * unit));
            if tried.fast && tried.cards.is_some() { to = middle } else { from = middle + 1 }
        }
        Some((to * unit) as f64)
    }

    /// The units of `from` to `to` with the fewest days, which fall and then rise, by thirds.
    fn quickest(&self, dp: u64, mut from: u64, mut to: u64) -> u64 {
        let unit = self.problem.clusters[self.family.choice.cluster].unit_cards;
        while to - from > 2 {
            let third = (to - from) / 3;
            let (left, right) = (from + third, to - third);
            if self.with(dp, Some(left * unit)).days <= self.with(dp, Some(right * unit)).days {
                to = right;
            } else {
                from = left;
            }
        }
        u64::midpoint(from, to)
    }

    /// With the usual spares.
    fn at(&self, dp: u64) -> Tried {
        self.with(dp, None)
    }

    fn with(&self, dp: u64, cards: Option<u64>) -> Tried {
        let layout = Layout { dp, ..self.family.choice.layout };
        let choice = DesignChoice { cards, layout, ..self.family.choice };
        let Ok(design) = evaluate(self.problem, &choice) else {
            return Tried { days: f64::INFINITY, fast: false, near: false, cards: None };
        };
        let broken = reasons(&design.broken_rules);
        let days = design.performance.days;
        Tried {
            days,
            fast: days <= self.allowed && broken & (MEMORY | LAYOUT) == 0,
            near: days <= self.allowed * (1.0 + GAINED) && broken & (MEMORY | LAYOUT) == 0,
            cards: (broken & (LIMITS | SPARES) == 0).then_some(design.cards.total as f64),
        }
    }

    /// The data ranks around the first that are fast enough; none where none are.
    ///
    /// Days fall with ranks up to where failures of so many cards cost more than they bring, and rise from there: where
    /// the last ranks are too slow, all are unless days rise there; then the turn is found first.
    fn border<'r>(&self, ranks: &'r [u64]) -> &'r [u64] {
        let Some(last) = ranks.last() else { return ranks };
        let mut ranks = ranks;
        let mut tried = self.at(*last);
        if tried.days.is_infinite() {
            ranks = &ranks[..ranks.partition_point(|dp| self.at(*dp).days.is_finite())];
            let Some(last) = ranks.last() else { return ranks };
            tried = self.at(*last);
        }
        if !tried.near {
            let turn = self.turn(ranks);
            let Some(most) = ranks.get(turn).filter(|_| turn + 1 < ranks.len()) else { return &[] };
            if !self.at(*most).near {
                return &[];
            }
            ranks = &ranks[..=turn];
        }
        let border = ranks.partition_point(|dp| !self.at(*dp).fast);
        &ranks[border.saturating_sub(TRIED_BELOW)..ranks.len().min(border + 1 + TRIED_ABOVE)]
    }

    /// The place of the ranks from which days rise; the last one where they never do.
    fn turn(&self, ranks: &[u64]) -> usize {
        let last = ranks.len() - 1;
        // Over a twentieth of the ranks, so that a micro-batch less does not look like a turn.
        let falls = |place: usize| {
            let next = (place + 1 + place / 20).min(last);
            self.at(ranks[next]).days < self.at(ranks[place]).days
        };
        let before = last - last.min(1 + last / 20);
        if falls(before) {
            return last;
        }
        let (mut from, mut to) = (0, before);
        while from < to {
            let middle = usize::midpoint(from, to);
            if falls(middle) { from = middle + 1 } else { to = middle }
        }
        from
    }
}
