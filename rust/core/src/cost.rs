//! Money: capital by part, energy, and the cost of a year.
//!
//! A price that nobody gave is `None`, and so is every total that needs it; the missing parts are named.

use serde::Serialize;

use crate::facility::KilowattHours;
use crate::units::{Usd, Watts};

/// Price of a number of pieces. None are free even where no price is known.
#[must_use]
pub fn price_of(pieces: u64, each: Option<Usd>) -> Option<Usd> {
    if pieces == 0 { Some(Usd::ZERO) } else { each.map(|price| price * pieces as f64) }
}

/// Building with power and cooling for the IT watts that it can feed, at a price per IT watt.
#[must_use]
pub fn building_price(it: Watts, usd_per_watt: Option<f64>) -> Option<Usd> {
    usd_per_watt.map(|price| Usd(it.0 * price))
}

/// Capital by part, each as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Capex {
    /// Servers with cards, or whole scale-up domains.
    pub servers: Option<Usd>,
    /// Scale-out switches.
    pub switches: Option<Usd>,
    /// Optical modules.
    pub transceivers: Option<Usd>,
    /// Cables.
    pub cables: Option<Usd>,
    /// NICs that are not sold in the server.
    pub nics: Option<Usd>,
    /// Storage, front-end and management networks.
    pub side_networks: Option<Usd>,
    /// Storage servers.
    pub storage: Option<Usd>,
    /// Racking, cabling and commissioning of the hardware.
    pub installation: Option<Usd>,
    /// Building with power and cooling.
    pub building: Option<Usd>,
}

impl Capex {
    fn hardware_parts(&self) -> [(&'static str, Option<Usd>); 7] {
        [
            ("servers", self.servers),
            ("switches", self.switches),
            ("transceivers", self.transceivers),
            ("cables", self.cables),
            ("nics", self.nics),
            ("side networks", self.side_networks),
            ("storage", self.storage),
        ]
    }

    /// Everything that is bought and carried in: neither installation nor building.
    #[must_use]
    pub fn hardware(&self) -> Option<Usd> {
        self.hardware_parts()
            .into_iter()
            .map(|(_, price)| price)
            .try_fold(Usd::ZERO, |sum, price| Some(sum + price?))
    }

    /// The sum of the parts, or `None` where one is missing.
    #[must_use]
    pub fn total(&self) -> Option<Usd> {
        Some(self.hardware()? + self.installation? + self.building?)
    }

    /// Names of the parts without a price.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.hardware_parts()
            .into_iter()
            .chain([("installation", self.installation), ("building", self.building)])
            .filter(|(name, _)| *name != "installation" || self.hardware().is_some())
            .filter_map(|(name, price)| price.is_none().then_some(name))
            .collect()
    }
}

/// Energy of a year at a tariff in dollars per kWh.
#[must_use]
pub fn energy_price(energy: KilowattHours, usd_per_kwh: f64) -> Usd {
    Usd(energy.0 * usd_per_kwh)
}

/// Capital recovery factor: CRF = r / (1 - (1 + r)^-n), the level yearly payment per unit of capital; 1/n at r = 0.
///
/// Valid for r >= 0 and n > 0 years. The annuity of any textbook on finance.
#[must_use]
pub fn capital_recovery_factor(rate: f64, years: f64) -> f64 {
    if rate == 0.0 { 1.0 / years } else { rate / -libm::expm1(-years * libm::log1p(rate)) }
}

/// How capital is spread over years.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depreciation {
    /// Life of servers, switches and optics, in years.
    pub hardware_years: f64,
    /// Life of the building with power and cooling, in years.
    pub building_years: f64,
    /// Cost of capital per year; 0 is straight-line depreciation.
    pub rate: f64,
    /// Repairs and support per year over the price of the hardware.
    pub maintenance: f64,
    /// Price of the hardware at the end of its life over that at its start.
    pub residual: f64,
}

/// The cost of a year, each part as far as it is known; the parts sum to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct YearlyCost {
    /// Capital of the hardware, installed, less what it sells for in the end.
    pub hardware: Option<Usd>,
    /// Capital of the building.
    pub building: Option<Usd>,
    /// Repairs and support.
    pub maintenance: Option<Usd>,
    /// Energy.
    pub energy: Option<Usd>,
    /// People.
    pub staff: Usd,
}

impl YearlyCost {
    /// Capital by [`capital_recovery_factor`], maintenance on the hardware, energy and staff as given.
    ///
    /// A residual value R after n years is worth R / (1 + r)^n today and is taken off the price.
    #[must_use]
    pub fn of(capex: &Capex, terms: &Depreciation, energy: Option<Usd>, staff: Usd) -> Self {
        let hardware = capex.hardware();
        let sold = terms.residual * libm::exp(-terms.hardware_years * libm::log1p(terms.rate));
        let spread = capital_recovery_factor(terms.rate, terms.hardware_years);
        let installed = hardware.zip(capex.installation).map(|(price, work)| price * (1.0 - sold) + work);
        Self {
            hardware: installed.map(|price| price * spread),
            building: capex
                .building
                .map(|price| price * capital_recovery_factor(terms.rate, terms.building_years)),
            maintenance: hardware.map(|price| price * terms.maintenance),
            energy,
            staff,
        }
    }

    /// Total cost of ownership of a year, or `None` where a part is missing.
    #[must_use]
    pub fn total(&self) -> Option<Usd> {
        Some(self.hardware? + self.building? + self.maintenance? + self.energy? + self.staff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facility::energy_per_year;

    fn near(left: f64, right: f64) {
        assert!((left / right - 1.0).abs() <= 1e-4, "{left} is not near {right}");
    }

    /// 128 servers of 310 k$, 48 switches of 36 k$ (Aug 2024 price sheet), 2,048 links, 1 MW at 11.7 $/W.
    fn cluster() -> Capex {
        Capex {
            servers: price_of(128, Some(Usd(310e3))),
            switches: price_of(48, Some(Usd(36e3))),
            transceivers: price_of(2048, Some(Usd(1000.0))),
            cables: price_of(2048, Some(Usd(280.0))),
            nics: price_of(0, None),
            side_networks: price_of(0, None),
            storage: price_of(0, None),
            installation: Some(Usd::ZERO),
            building: building_price(Watts(1e6), Some(11.7)),
        }
    }

    #[test]
    fn parts_sum_to_the_total_and_the_network_to_4248_dollars_per_card() {
        let capex = cluster();
        near(capex.total().unwrap().0, 39.68e6 + 1.728e6 + 2_621_440.0 + 11.7e6);
        assert!(capex.missing().is_empty());
        let network = capex.hardware().unwrap() - capex.servers.unwrap();
        near(network.0 / 1024.0, 4247.5);
    }

    #[test]
    fn a_total_with_a_missing_price_is_unknown_and_names_the_parts() {
        let capex = Capex { servers: None, building: None, ..cluster() };
        assert_eq!(capex.total(), None);
        assert_eq!(capex.hardware(), None);
        assert_eq!(capex.missing(), ["servers", "building"]);
    }

    #[test]
    fn nothing_of_an_unpriced_part_costs_nothing() {
        assert_eq!(price_of(0, None), Some(Usd::ZERO));
        assert_eq!(price_of(1, None), None);
    }

    #[test]
    fn capital_of_50_thousand_dollars_over_five_years_at_ten_percent_costs_1_51_an_hour() {
        near(50e3 * capital_recovery_factor(0.1, 5.0) / 8760.0, 1.5057);
        near(capital_recovery_factor(0.0, 5.0), 0.2);
        near(capital_recovery_factor(1e-12, 5.0), 0.2);
    }

    #[test]
    fn a_card_of_1275_watts_at_80_percent_and_a_pue_of_1_25_costs_ten_cents_an_hour() {
        let yearly = energy_price(energy_per_year(Watts(1275.0 * 0.8 * 1.25)), 0.08);
        near(yearly.0 / 8760.0, 0.102);
    }

    #[test]
    fn a_year_sums_capital_maintenance_and_energy() {
        let terms = Depreciation {
            hardware_years: 5.0,
            building_years: 20.0,
            rate: 0.0,
            maintenance: 0.03,
            residual: 0.0,
        };
        let year = YearlyCost::of(&cluster(), &terms, Some(Usd(1e6)), Usd(2e5));
        let hardware = 39.68e6 + 1.728e6 + 2_621_440.0;
        near(year.total().unwrap().0, hardware / 5.0 + 11.7e6 / 20.0 + hardware * 0.03 + 1e6 + 2e5);
        assert_eq!(YearlyCost::of(&cluster(), &terms, None, Usd::ZERO).total(), None);
    }

    #[test]
    fn a_residual_value_is_discounted_and_installation_is_spread_with_the_hardware() {
        let terms = |rate, residual| Depreciation {
            hardware_years: 5.0,
            building_years: 20.0,
            rate,
            maintenance: 0.0,
            residual,
        };
        let capex = Capex { installation: Some(Usd(1e6)), ..cluster() };
        let hardware = 39.68e6 + 1.728e6 + 2_621_440.0;
        let year = |terms| YearlyCost::of(&capex, &terms, Some(Usd::ZERO), Usd::ZERO).hardware.unwrap().0;
        near(year(terms(0.0, 0.1)), (hardware * 0.9 + 1e6) / 5.0);
        // 1.1^-5 = 0.62092, CRF = 0.26380.
        near(year(terms(0.1, 0.1)), (hardware * (1.0 - 0.062_092) + 1e6) * 0.263_797);
        near(capex.total().unwrap().0, hardware + 1e6 + 11.7e6);
    }
}
