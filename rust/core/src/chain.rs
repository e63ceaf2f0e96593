//! What carries the power in and the heat out: transformers, uninterruptible supplies, generators, coolant.
//!
//! Sized for one answer, never in the search. Breakers and transformers follow nameplate where it is known.

use serde::{Deserialize, Serialize};

use crate::units::{Seconds, Watts};

/// Heat capacity of water per litre and kelvin, in joules (4.18 kJ/kg/K at about 1 kg/L).
const WATER: f64 = 4180.0;
/// Heat capacity of air per cubic metre and kelvin, in joules (1.2 kg/m³ x 1,006 J/kg/K at 20 °C).
const AIR: f64 = 1207.0;

/// How many spare pieces stand by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Redundancy {
    /// None.
    #[serde(rename = "N")]
    None,
    /// One more than is needed.
    #[serde(rename = "N+1")]
    One,
    /// Twice what is needed, on two feeds.
    #[serde(rename = "2N")]
    Double,
}

impl Redundancy {
    /// Pieces installed where `needed` carry the load.
    #[must_use]
    pub fn installed(self, needed: u64) -> u64 {
        match self {
            Self::None => needed,
            Self::One => needed + 1,
            Self::Double => 2 * needed,
        }
    }
}

/// Sizes of the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainSpec {
    /// Of transformers, supplies and generators.
    pub redundancy: Redundancy,
    /// Watts over volt-amperes.
    pub power_factor: f64,
    /// Load of a transformer that is planned for.
    pub loading: f64,
    /// Volt-amperes of one transformer.
    pub transformer: f64,
    /// One module of an uninterruptible supply.
    pub ups_module: Watts,
    /// How long it carries the load.
    pub ups_ride_through: Seconds,
    /// One generator.
    pub generator: Watts,
    /// Heat that one coolant distribution unit moves.
    pub cdu: Watts,
    /// Kelvins of the liquid across the servers.
    pub liquid_rise: f64,
    /// Kelvins of the air across the servers.
    pub air_rise: f64,
}

/// What is to be carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChainLoad {
    /// At the intake: rated where that is known, else on the design day.
    pub intake: Watts,
    /// At the output of the supplies, on the same basis.
    pub ups: Watts,
    /// IT heat into a liquid while all cards draw their board power.
    pub liquid: Watts,
    /// IT heat into the air then.
    pub air: Watts,
    /// Heat that needs chillers then on the design day.
    pub chilled: Watts,
    /// IT power at work less that with all cards idle.
    pub ramp: Watts,
}

/// The chain, sized.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // the field names are those of the wire contract, documented in docs/plan.md
pub struct Chain {
    pub redundancy: Redundancy,
    pub feeds: u64,
    pub transformers: u64,
    pub transformer_kva: f64,
    pub ups_modules: u64,
    pub ups_module_kilowatts: f64,
    pub ups_minutes: f64,
    pub generators: u64,
    pub generator_megawatts: f64,
    pub cdus: u64,
    pub liquid_litres_per_second: f64,
    pub liquid_rise_kelvin: f64,
    pub air_m3_per_second: f64,
    pub air_rise_kelvin: f64,
    pub chiller_megawatts: f64,
    pub ramp_megawatts: f64,
}

/// The least preferred number (series R10 of ISO 3, in which transformers are rated by IEC 60076-1) that is no less
/// than `load`.
fn preferred(load: f64) -> f64 {
    const R10: [f64; 11] = [1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0, 10.0];
    if load <= 0.0 {
        return 0.0;
    }
    let decade = libm::pow(10.0, libm::floor(libm::log10(load)));
    R10.iter().map(|step| step * decade).find(|rating| *rating >= load * (1.0 - 1e-9)).unwrap_or(load)
}

/// The size of a piece: that of large sites, or where one such would not be filled the least preferred one that carries
/// `load`. Without a load it is that of large sites.
fn rating(load: f64, large: f64) -> f64 {
    if load > 0.0 { preferred(load).min(large) } else { large }
}

/// Pieces of size `each` for `load`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of machines")]
fn pieces(load: f64, each: f64) -> u64 {
    (load / each - 1e-9).ceil().max(0.0) as u64
}

/// Coolant distribution units for `liquid`, one more than needed; none where nothing leaves in a liquid.
#[must_use]
pub fn coolant_units(liquid: Watts, each: Watts) -> u64 {
    match pieces(liquid.0, each.0) {
        0 => 0,
        needed => needed + 1,
    }
}

/// Flow that carries `heat` away at a rise of `kelvins`, in units whose heat capacity is `capacity`: Q / (c ΔT).
#[must_use]
pub fn flow(heat: Watts, capacity: f64, kelvins: f64) -> f64 {
    heat.0 / (capacity * kelvins)
}

/// Sizes the chain: ceil(load / piece) pieces plus the redundant ones, smaller where one of a large site would not be filled; a transformer is planned for `loading` of its
/// rating at the power factor. Coolant units always have one to spare.
#[must_use]
pub fn chain(spec: &ChainSpec, load: &ChainLoad) -> Chain {
    let derated = spec.power_factor * spec.loading;
    let transformer_rating = rating(load.intake.0 / derated, spec.transformer);
    let transformer = transformer_rating * derated;
    let ups_module = rating(load.ups.0, spec.ups_module.0);
    let generator = rating(load.intake.0, spec.generator.0);
    let installed = |load: Watts, each: f64| spec.redundancy.installed(pieces(load.0, each).max(1));
    Chain {
        redundancy: spec.redundancy,
        feeds: if spec.redundancy == Redundancy::Double { 2 } else { 1 },
        transformers: installed(load.intake, transformer),
        transformer_kva: transformer_rating / 1e3,
        ups_modules: installed(load.ups, ups_module),
        ups_module_kilowatts: ups_module / 1e3,
        ups_minutes: spec.ups_ride_through.0 / 60.0,
        generators: installed(load.intake, generator),
        generator_megawatts: generator / 1e6,
        cdus: coolant_units(load.liquid, spec.cdu),
        liquid_litres_per_second: flow(load.liquid, WATER, spec.liquid_rise),
        liquid_rise_kelvin: spec.liquid_rise,
        air_m3_per_second: flow(load.air, AIR, spec.air_rise),
        air_rise_kelvin: spec.air_rise,
        chiller_megawatts: load.chilled.0 / 1e6,
        ramp_megawatts: load.ramp.0 / 1e6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: ChainSpec = ChainSpec {
        redundancy: Redundancy::One,
        power_factor: 0.96,
        loading: 0.8,
        transformer: 2.5e6,
        ups_module: Watts(1.2e6),
        ups_ride_through: Seconds(600.0),
        generator: Watts(2.2e6),
        cdu: Watts(1e6),
        liquid_rise: 10.0,
        air_rise: 11.11,
    };

    #[test]
    fn twenty_megawatts_take_eleven_transformers_and_one_to_spare() {
        let load = ChainLoad {
            intake: Watts(20e6),
            ups: Watts(16e6),
            liquid: Watts(12.5e6),
            air: Watts(3.1e6),
            chilled: Watts(3.1e6),
            ramp: Watts(9e6),
        };
        // 20 / (2.5 · 0.96 · 0.8) = 10.4; 16 / 1.2 = 13.3; 20 / 2.2 = 9.1; 12.5 units of 1 MW.
        let found = chain(&PIECES, &load);
        assert_eq!((found.transformers, found.ups_modules, found.generators, found.cdus), (12, 15, 11, 14));
        let double = chain(&ChainSpec { redundancy: Redundancy::Double, ..PIECES }, &load);
        assert_eq!((double.transformers, double.feeds), (22, 2));
    }

    #[test]
    fn a_small_room_takes_the_next_preferred_size_and_a_large_one_the_usual() {
        let small = ChainLoad {
            intake: Watts(310e3),
            ups: Watts(260e3),
            liquid: Watts::ZERO,
            air: Watts(250e3),
            chilled: Watts::ZERO,
            ramp: Watts(90e3),
        };
        // 310 / (0.96 · 0.8) = 404 kVA -> 500; 260 -> 315 kW; 310 -> 315 kW; one of each and one to spare.
        let found = chain(&PIECES, &small);
        assert_eq!((found.transformers, found.ups_modules, found.generators), (2, 2, 2));
        assert!((found.transformer_kva - 500.0).abs() < 1e-9);
        assert!((found.ups_module_kilowatts - 315.0).abs() < 1e-9);
        assert!((found.generator_megawatts - 0.315).abs() < 1e-9);
        assert_eq!([99.0, 100.0, 101.0, 2600.0].map(preferred), [100.0, 100.0, 125.0, 3150.0]);
    }

    #[test]
    fn a_kilowatt_of_liquid_takes_one_and_a_half_litres_a_minute_at_ten_kelvins() {
        assert!((flow(Watts(1000.0), WATER, 10.0) * 60.0 - 1.435).abs() < 1e-3);
    }

    #[test]
    fn a_rack_of_120_kilowatts_takes_19_000_cubic_feet_of_air_a_minute_at_twenty_fahrenheit() {
        // A vendor's worked example: 120 kW at 20 °F (11.11 K) is about 19,000 CFM; 1 m³/s is 2,118.9 CFM.
        let cubic_feet = flow(Watts(120e3), AIR, 11.11) * 2118.9;
        assert!((cubic_feet / 19_000.0 - 1.0).abs() < 0.01, "{cubic_feet}");
    }
}
