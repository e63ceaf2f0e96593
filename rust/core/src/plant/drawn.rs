//! A plant whose cards draw other than in training.

use super::{Choice, Plant, Terms};
use crate::cost::{YearlyCost, energy_price};
use crate::facility::{energy_per_year, facility_power, water_per_year};
use crate::units::Watts;

impl Plant {
    /// The same plant where all cards together draw `busiest` at the load that it is built for, and `mean` over the year.
    ///
    /// IT power, the intake, limits on both and heat follow the busiest load; energy, water, carbon and the bill the mean.
    /// What is bought stays: racks are packed, and a building without nameplates is sized, for cards that draw as in
    /// training, since any server may be given to any pool; coolant and flows are for board power in any case. What is not
    /// cards draws the same.
    #[must_use]
    pub fn drawing(mut self, choice: &Choice, terms: &Terms, busiest: Watts, mean: Watts) -> Self {
        let (cooling, air) = (choice.cooling, self.air);
        let scale = (self.it - self.power.cards + busiest) / self.it;
        self.halls.iter_mut().for_each(|hall| hall.draws(scale));
        let beside = self.it - self.power.cards;
        self.card_power = busiest * (1.0 / self.cards as f64);
        self.power.cards = busiest;
        self.it = beside + busiest;
        self.liquid_heat = self.it * cooling.liquid_share;
        self.facility = facility_power(self.it, air.pue);
        self.facility_design_day = facility_power(self.it, air.pue_design_day);
        self.transformer = self.facility_design_day * terms.site.transformer_efficiency;
        self.ups = self.it / terms.site.distribution_efficiency;
        let year = beside + mean;
        let energy = energy_per_year(facility_power(year, air.pue));
        self.energy_mwh_per_year = energy.0 / 1000.0;
        self.water_m3_per_year = air.wue.map(|wue| water_per_year(energy_per_year(year), wue).0 / 1000.0);
        self.carbon_tonnes_per_year = energy.0 * terms.site.carbon_kg_per_kwh / 1000.0;
        self.energy_usd_per_year = energy_price(energy, terms.site.tariff_usd_per_kwh);
        let staff = terms.economics.staff(self.servers, self.nameplate.unwrap_or(self.it));
        let bill = Some(self.energy_usd_per_year);
        self.year = YearlyCost::of(&self.capex, &terms.economics.depreciation(), bill, staff);
        self.tco_usd_per_year = self.year.total();
        self
    }
}
