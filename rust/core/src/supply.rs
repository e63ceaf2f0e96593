//! Good packages per month from wafers, dies, yield, packaging and memory; months until a number is delivered; cost.
//!
//! Nearly all inputs are estimates: what comes out is for planning deliveries, never for ranking chips.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::error::CoreError;

/// What limits a chip's supply; areas in mm², money in US dollars, rates per month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupplyInputs {
    /// Diameter of a wafer in mm.
    pub wafer_mm: f64,
    /// Wafers started for this chip.
    pub wafer_starts: f64,
    /// Of that, what this buyer gets.
    pub share: f64,
    /// Area of one compute die.
    pub die_mm2: f64,
    /// Compute dies of a package.
    pub dies: f64,
    /// Good dies over all dies; none: from the defect density.
    pub die_yield: Option<f64>,
    /// Defects per cm².
    pub defects_per_cm2: f64,
    /// Good packages over packages begun.
    pub packaging_yield: f64,
    /// Packages that can be begun.
    pub packaging_limit: Option<f64>,
    /// Memory stacks of a package.
    pub stacks: f64,
    /// Memory stacks that can be had.
    pub stack_limit: Option<f64>,
    /// Packages in stock today.
    pub stock: f64,
    /// Months from a wafer's start to a delivered card.
    pub lead_months: f64,
    /// Price of a processed wafer.
    pub wafer_usd: Option<f64>,
    /// Price of a stack.
    pub stack_usd: Option<f64>,
    /// Packaging and test of one package.
    pub packaging_usd: Option<f64>,
}

/// What a buyer can count on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SupplyAnswer {
    /// Whole dies on a wafer.
    pub dies_per_wafer: f64,
    /// Good dies over all dies.
    pub die_yield: f64,
    /// Good packages a month.
    pub packages_per_month: f64,
    /// What bounds it: `wafers`, `packaging` or `memory`.
    pub limit: &'static str,
    /// Cost of a good package; none where a price is not known.
    pub package_usd: Option<f64>,
    /// Dies, memory, packaging in it, as far as known.
    pub dies_usd: Option<f64>,
    /// Memory of a good package.
    pub memory_usd: Option<f64>,
    /// Packaging of a good package.
    pub packaging_usd: Option<f64>,
}

/// Whole dies of `die_mm2` on a round wafer: π(d/2)²/A - πd/sqrt(2A), at least 0. Valid for dies far smaller than the
/// wafer and near square; scribe lines and the edge are inside the second term (De Vries, IEEE TSM 18(1), 2005).
#[must_use]
pub fn dies_per_wafer(wafer_mm: f64, die_mm2: f64) -> f64 {
    let radius = wafer_mm / 2.0;
    libm::floor((PI * radius * radius / die_mm2 - PI * wafer_mm / libm::sqrt(2.0 * die_mm2)).max(0.0))
}

/// Murphy's yield: ((1 - exp(-A·D)) / (A·D))², A the area in cm² and D the defects per cm² (Murphy, Proc. IEEE 52,
/// 1964). 1 without defects.
#[must_use]
pub fn murphy_yield(die_mm2: f64, defects_per_cm2: f64) -> f64 {
    let defects = die_mm2 / 100.0 * defects_per_cm2;
    if defects < 1e-9 {
        return 1.0;
    }
    let part = -libm::expm1(-defects) / defects;
    part * part
}

/// Supply of `inputs`.
///
/// # Errors
/// A number that makes no sense, with its key.
pub fn supply(inputs: &SupplyInputs) -> Result<SupplyAnswer, CoreError> {
    check(inputs)?;
    let dies_per_wafer = dies_per_wafer(inputs.wafer_mm, inputs.die_mm2);
    if dies_per_wafer < 1.0 {
        return Err(CoreError::invalid("die_mm2", "no whole die fits on the wafer"));
    }
    let die_yield = inputs.die_yield.unwrap_or_else(|| murphy_yield(inputs.die_mm2, inputs.defects_per_cm2));
    let good_per_wafer = dies_per_wafer * die_yield;
    let by_wafers = inputs.wafer_starts * inputs.share * good_per_wafer / inputs.dies;
    let by_memory = match inputs.stack_limit {
        Some(limit) if inputs.stacks > 0.0 => limit * inputs.share / inputs.stacks,
        _ => f64::INFINITY,
    };
    let by_packaging = inputs.packaging_limit.map_or(f64::INFINITY, |limit| limit * inputs.share);
    let (limit, begun) = [("packaging", by_packaging), ("memory", by_memory)]
        .into_iter()
        .fold(("wafers", by_wafers), |least, other| if other.1 < least.1 { other } else { least });
    // What is spoilt in packaging takes its dies and stacks along.
    let each = |price: f64| price / inputs.packaging_yield;
    let dies_usd = inputs.wafer_usd.map(|wafer| each(wafer / good_per_wafer * inputs.dies));
    let memory_usd = if inputs.stacks > 0.0 {
        inputs.stack_usd.map(|stack| each(stack * inputs.stacks))
    } else {
        Some(0.0)
    };
    let packaging_usd = inputs.packaging_usd.map(each);
    Ok(SupplyAnswer {
        dies_per_wafer,
        die_yield,
        packages_per_month: begun * inputs.packaging_yield,
        limit,
        package_usd: dies_usd
            .zip(memory_usd)
            .zip(packaging_usd)
            .map(|((dies, memory), pack)| dies + memory + pack),
        dies_usd,
        memory_usd,
        packaging_usd,
    })
}

/// Cards delivered `months` from now: the stock at once, then after the lead time a rate that rises evenly to the monthly
/// one over `ramp_months`: stock + r·x²/(2R) for x = t - lead up to R, stock + r·(x - R/2) beyond.
#[must_use]
pub fn delivered(stock: f64, per_month: f64, lead_months: f64, ramp_months: f64, months: f64) -> f64 {
    let since = (months - lead_months).max(0.0);
    let full =
        if since < ramp_months { since * since / (2.0 * ramp_months) } else { since - ramp_months / 2.0 };
    stock + per_month * full
}

/// Months until `cards` are delivered, the inverse of [`delivered`]; infinite where nothing more comes.
#[must_use]
pub fn months_until(cards: f64, stock: f64, per_month: f64, lead_months: f64, ramp_months: f64) -> f64 {
    if cards <= stock {
        return 0.0;
    }
    if per_month <= 0.0 {
        return f64::INFINITY;
    }
    // Months of the full rate.
    let full = (cards - stock) / per_month;
    let ramping = libm::sqrt(2.0 * full * ramp_months);
    lead_months + if ramping < ramp_months { ramping } else { full + ramp_months / 2.0 }
}

/// A point of the calendar or of a count of cards, asked of many draws at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Months: cards delivered by then.
    Delivered,
    /// Cards: months until then.
    MonthsUntil,
}

/// [`delivered`] or [`months_until`] of each point under every draw of (stock, packages a month, lead time, ramp): points x
/// draws numbers.
///
/// # Errors
/// Draws that are no whole rows of four.
pub fn deliveries(draws: &[f64], points: &[f64], asked: Asked) -> Result<Vec<f64>, CoreError> {
    let (rows, rest) = draws.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(CoreError::invalid("draws", format!("{} numbers are no whole rows of 4", draws.len())));
    }
    let at = |point: f64, [stock, per_month, lead, ramp]: [f64; 4]| match asked {
        Asked::Delivered => delivered(stock, per_month, lead, ramp, point),
        Asked::MonthsUntil => months_until(point, stock, per_month, lead, ramp),
    };
    Ok(points.iter().flat_map(|point| rows.iter().map(|row| at(*point, *row))).collect())
}

fn check(inputs: &SupplyInputs) -> Result<(), CoreError> {
    let refuse = |key: &str, value: f64, what: &str| {
        Err(CoreError::invalid(key, format!("must be {what}, not {value}")))
    };
    for (key, value) in [
        ("wafer_mm", inputs.wafer_mm),
        ("die_mm2", inputs.die_mm2),
        ("dies", inputs.dies),
        ("wafer_starts", inputs.wafer_starts),
        ("packaging_yield", inputs.packaging_yield),
    ] {
        if !(value.is_finite() && value > 0.0) {
            return refuse(key, value, "a positive number");
        }
    }
    let mut rest = vec![
        ("stacks", inputs.stacks),
        ("stock", inputs.stock),
        ("lead_months", inputs.lead_months),
        ("defects_per_cm2", inputs.defects_per_cm2),
    ];
    for (key, value) in [
        ("packaging_limit", inputs.packaging_limit),
        ("stack_limit", inputs.stack_limit),
        ("wafer_usd", inputs.wafer_usd),
        ("stack_usd", inputs.stack_usd),
        ("packaging_usd", inputs.packaging_usd),
    ] {
        rest.extend(value.map(|value| (key, value)));
    }
    for (key, value) in rest {
        if !(value.is_finite() && value >= 0.0) {
            return refuse(key, value, "0 or more");
        }
    }
    let mut shares = vec![("share", inputs.share), ("packaging_yield", inputs.packaging_yield)];
    shares.extend(inputs.die_yield.map(|share| ("die_yield", share)));
    for (key, value) in shares {
        if !(value > 0.0 && value <= 1.0) {
            return refuse(key, value, "above 0 and at most 1");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> SupplyInputs {
        SupplyInputs {
            wafer_mm: 300.0,
            wafer_starts: 1000.0,
            share: 0.5,
            die_mm2: 665.6,
            dies: 2.0,
            die_yield: Some(0.4),
            defects_per_cm2: 0.2,
            packaging_yield: 0.9,
            packaging_limit: None,
            stacks: 8.0,
            stack_limit: None,
            stock: 100.0,
            lead_months: 4.0,
            wafer_usd: Some(10_000.0),
            stack_usd: Some(100.0),
            packaging_usd: Some(200.0),
        }
    }

    #[test]
    fn dies_of_a_wafer_are_counted_with_its_edge() {
        // 106.2 whole areas less 25.83 at the edge for 665.6 mm²; 86.8 - 23.36 for the 814 mm² of a GH100.
        assert_eq!(dies_per_wafer(300.0, 665.6), 80.0);
        assert_eq!(dies_per_wafer(300.0, 814.0), 63.0);
        assert_eq!(dies_per_wafer(300.0, 1e6), 0.0);
    }

    #[test]
    fn murphys_yield_at_one_defect_per_die_is_forty_percent() {
        assert!((murphy_yield(100.0, 1.0) - (1.0 - (-1.0_f64).exp()).powi(2)).abs() < 1e-12);
        assert_eq!(murphy_yield(800.0, 0.0), 1.0);
        assert!(murphy_yield(800.0, 0.1) > murphy_yield(800.0, 0.2));
    }

    #[test]
    fn packages_follow_the_scarcest_input() {
        let answer = supply(&inputs()).unwrap();
        // 1,000 · 0.5 · 80 · 0.4 / 2 · 0.9.
        assert!((answer.packages_per_month - 7200.0).abs() < 1e-9 && answer.limit == "wafers");
        // (10,000 / 32 · 2 + 800 + 200) / 0.9.
        assert!((answer.package_usd.unwrap() - (625.0 + 800.0 + 200.0) / 0.9).abs() < 1e-9);
        let memory = supply(&SupplyInputs { stack_limit: Some(32_000.0), ..inputs() }).unwrap();
        assert!((memory.packages_per_month - 1800.0).abs() < 1e-9 && memory.limit == "memory");
        let packaging = supply(&SupplyInputs { packaging_limit: Some(1000.0), ..inputs() }).unwrap();
        assert!((packaging.packages_per_month - 450.0).abs() < 1e-9 && packaging.limit == "packaging");
        assert_eq!(supply(&SupplyInputs { wafer_usd: None, ..inputs() }).unwrap().package_usd, None);
    }

    #[test]
    fn deliveries_begin_with_the_stock_and_go_on_after_the_lead_time() {
        assert_eq!(delivered(100.0, 50.0, 4.0, 0.0, 3.0), 100.0);
        assert_eq!(delivered(100.0, 50.0, 4.0, 0.0, 6.0), 200.0);
        assert_eq!(months_until(100.0, 100.0, 50.0, 4.0, 0.0), 0.0);
        assert_eq!(months_until(200.0, 100.0, 50.0, 4.0, 0.0), 6.0);
        assert!(months_until(200.0, 100.0, 0.0, 4.0, 0.0).is_infinite());
    }

    #[test]
    fn a_rate_that_rises_over_four_months_has_made_two_full_months_by_then() {
        // After 2 of 4 months: 50·2²/8 = 25; after 4: 50·2 = 100; then 50 a month.
        for (months, cards) in [(4.0, 0.0), (6.0, 25.0), (8.0, 100.0), (10.0, 200.0)] {
            assert!((delivered(0.0, 50.0, 4.0, 4.0, months) - cards).abs() < 1e-12);
            if cards > 0.0 {
                assert!((months_until(cards, 0.0, 50.0, 4.0, 4.0) - months).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn many_draws_are_asked_at_once() {
        let draws = [0.0, 50.0, 4.0, 4.0, 100.0, 50.0, 4.0, 0.0];
        assert_eq!(deliveries(&draws, &[3.0, 6.0], Asked::Delivered).unwrap(), [0.0, 100.0, 25.0, 200.0]);
        assert_eq!(deliveries(&draws, &[200.0], Asked::MonthsUntil).unwrap(), [10.0, 6.0]);
        assert!(deliveries(&draws[1..], &[1.0], Asked::Delivered).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_key() {
        for (bad, key) in [
            (SupplyInputs { share: 1.5, ..inputs() }, "share"),
            (SupplyInputs { wafer_starts: 0.0, ..inputs() }, "wafer_starts"),
            (SupplyInputs { die_yield: Some(0.0), ..inputs() }, "die_yield"),
            (SupplyInputs { stock: -1.0, ..inputs() }, "stock"),
            (SupplyInputs { die_mm2: 1e6, ..inputs() }, "die_mm2"),
        ] {
            assert!(supply(&bad).unwrap_err().to_string().starts_with(key), "{key}");
        }
    }
}
