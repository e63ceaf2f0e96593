//! What a size takes at least never refuses a plant that keeps the limits.

mod common;

use planner_core::evaluate::exceeded;
use planner_core::plant::{Choice, plant};
use planner_core::problem::{Limits, Problem};
use planner_core::search::least::Least;

fn choices(problem: &Problem) -> Vec<Choice<'_>> {
    let cluster = &problem.clusters[0];
    let card = cluster.card_power();
    let mut found = Vec::new();
    for cooling in &cluster.coolings {
        for power_cap in [1.0, 0.7] {
            let clock = card.clock_at_cap(power_cap).unwrap();
            found.push(Choice { cluster, fabric: &cluster.fabrics[0], cooling, clock, power_cap });
        }
    }
    found
}

#[test]
fn what_a_bound_refuses_the_whole_plant_exceeds_too() {
    // Each limit alone, at what 20 servers take: larger sizes are over, and the bound sees most of them.
    let base = common::problem();
    let whole = plant(&choices(&base)[0], &base.terms(), 20).unwrap();
    let cards = || Limits::cards(1, 4096);
    let limits = [
        Limits { facility_watts: Some(whole.facility_design_day.0), ..cards() },
        Limits { it_watts: Some(whole.it.0), ..cards() },
        Limits { nameplate_watts: whole.nameplate.map(|watts| watts.0), ..cards() },
        Limits { transformer_watts: Some(whole.transformer.0), ..cards() },
        Limits { ups_watts: Some(whole.ups.0), ..cards() },
        Limits { nameplate_intake_watts: whole.nameplate_intake.map(|watts| watts.0), ..cards() },
        Limits { racks: Some(whole.racks.total()), ..cards() },
        Limits { capex_usd: whole.capex.total().map(|usd| usd.0), ..cards() },
    ];
    for limits in limits {
        let problem = Problem { limits, ..common::problem() };
        for choice in choices(&problem) {
            let least = Least::new(&problem, choice);
            let mut refused = 0;
            for units in (1..=150).step_by(7) {
                let Some(limit) = least.over(units) else { continue };
                let built = plant(&choice, &problem.terms(), units).unwrap();
                assert!(exceeded(&problem.limits, &built).contains(&limit), "{limit} at {units}");
                refused += 1;
            }
            assert!(refused > 5, "{:?} bounds nothing", problem.limits);
        }
    }
}

/// The limits with one of them at a number.
type Limited = fn(Limits, f64) -> Limits;

/// Twenty servers of eight cards of 340 W, rated 6 kW each, in contained air: every bound is what these alone take, to a millionth.
/// More would refuse plants that keep the limits wherever little else is drawn or bought; less would refuse later.
#[test]
fn a_bound_is_what_cards_and_servers_take_and_no_more() {
    let base = common::problem();
    let cards = || Limits::cards(1, 4096);
    let (drawn, rated) = (160.0 * 340.0, 20.0 * 6_000.0);
    let capex = 20.0 * 150_000.0 * (1.0 + base.economics.installation_share) + rated * 8.0;
    let (transformer, ups) = (base.site.transformer_efficiency, base.site.distribution_efficiency);
    let bounds: [(&str, f64, Limited); 7] = [
        ("limits.facility_watts", drawn * 1.4, |limits, at| Limits { facility_watts: Some(at), ..limits }),
        ("limits.it_watts", drawn, |limits, at| Limits { it_watts: Some(at), ..limits }),
        ("limits.nameplate_watts", rated, |limits, at| Limits { nameplate_watts: Some(at), ..limits }),
        ("limits.transformer_watts", drawn * 1.4 * transformer, |limits, at| Limits {
            transformer_watts: Some(at),
            ..limits
        }),
        ("limits.ups_watts", drawn / ups, |limits, at| Limits { ups_watts: Some(at), ..limits }),
        ("limits.nameplate_intake_watts", rated * 1.4, |limits, at| Limits {
            nameplate_intake_watts: Some(at),
            ..limits
        }),
        ("limits.capex_usd", capex, |limits, at| Limits { capex_usd: Some(at), ..limits }),
    ];
    for (name, least, limited) in bounds {
        for (share, refused) in [(1.0 + 1e-6, None), (1.0 - 1e-6, Some(name))] {
            let problem = Problem { limits: limited(cards(), least * share), ..common::problem() };
            assert_eq!(Least::new(&problem, choices(&problem)[0]).over(20), refused, "{name} at {share}");
        }
    }
    // Six servers of 6 kW to a rack of 40 kW: four racks for twenty.
    for (racks, refused) in [(4, None), (3, Some("limits.racks"))] {
        let problem = Problem { limits: Limits { racks: Some(racks), ..cards() }, ..common::problem() };
        assert_eq!(Least::new(&problem, choices(&problem)[0]).over(20), refused, "{racks} racks");
    }
}
