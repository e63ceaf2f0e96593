//! Limits that a design is over, in words with the amounts.

use super::design::{CostAnswer, FacilityAnswer};
use crate::problem::Limits;

/// `limits.racks (takes 46, limit 2), ...`: each of `names` with what the design takes, where that is known.
///
/// A limit on cards that nobody gave may be among them beside one that bounds the cards: it is left out then.
#[must_use]
pub fn over_words(
    names: &[&'static str],
    limits: &Limits,
    cards: u64,
    facility: &FacilityAnswer,
    cost: &CostAnswer,
) -> String {
    let halls = || facility.halls.iter().filter_map(|hall| hall.over.clone()).collect::<Vec<_>>().join("; ");
    let told = |name: &&str| match amounts(name, limits, cards, facility, cost) {
        Some((taken, limit, unit)) => {
            format!("{name} (takes {}{unit}, limit {}{unit})", short(taken), short(limit))
        }
        None if *name == "limits.halls" => format!("{name} ({})", halls()),
        None => (*name).to_string(),
    };
    let alone = names.len() == 1;
    let shown = names.iter().filter(|name| alone || **name != "limits.cards_max");
    shown.map(told).collect::<Vec<_>>().join(", ")
}

/// What is taken, the limit, and their unit.
fn amounts(
    name: &str,
    limits: &Limits,
    cards: u64,
    facility: &FacilityAnswer,
    cost: &CostAnswer,
) -> Option<(f64, f64, &'static str)> {
    let power = |taken: f64, limit: Option<f64>| limit.map(|limit| (taken, limit / 1e6, " MW"));
    let peak = facility.peak_it_megawatts / facility.it_megawatts;
    match name {
        "limits.cards_min" => Some((cards as f64, limits.cards_min as f64, " cards")),
        "limits.cards_max" => Some((cards as f64, limits.cards_max as f64, " cards")),
        "limits.facility_watts" => power(facility.facility_design_megawatts, limits.facility_watts),
        "limits.it_watts" => power(facility.it_megawatts, limits.it_watts),
        "limits.nameplate_watts" => power(facility.nameplate_megawatts?, limits.nameplate_watts),
        "limits.transformer_watts" => power(facility.transformer_megawatts, limits.transformer_watts),
        "limits.ups_watts" => power(facility.ups_megawatts, limits.ups_watts),
        "limits.nameplate_intake_watts" => {
            power(facility.nameplate_intake_megawatts?, limits.nameplate_intake_watts)
        }
        "limits.liquid_watts" => power(facility.liquid_heat_megawatts * peak, limits.liquid_watts),
        "limits.air_watts" => power(facility.air_heat_megawatts * peak, limits.air_watts),
        "limits.racks" => Some((facility.racks.total as f64, limits.racks? as f64, "")),
        "limits.floor_m2" => Some((facility.white_space_m2?, limits.floor_m2?, " m2")),
        "limits.capex_usd" => Some((cost.capex_usd? / 1e6, limits.capex_usd? / 1e6, " MUSD")),
        _ => None,
    }
}

/// A number for people: three digits below a thousand, whole ones in groups of three above.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, at least a thousand")]
pub fn short(value: f64) -> String {
    if value >= 1e15 {
        return format!("{value:.2e}");
    }
    if value >= 999.5 {
        return grouped(value.round() as u64);
    }
    let digits = if value <= 0.0 { 0 } else { (2 - libm::floor(libm::log10(value)) as i32).clamp(0, 9) };
    let text = format!("{value:.*}", digits as usize);
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_string() }
}

/// Digits in groups of three.
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        let values = [0.0, 0.003, 15.94, 46.0, 999.4, 999.6, 2376.0, 1_820_000.4];
        let told = ["0", "0.003", "15.9", "46", "999", "1,000", "2,376", "1,820,000"];
        assert_eq!(values.map(short), told);
    }
}
