//! Halls are filled one after the other; every division of the servers over the halls is tried beside it.

mod common;

use planner_core::facility::Racks;
use planner_core::hardware::HallAir;
use planner_core::plant::{Choice, HallSpec, Plant, RackCeiling, most_servers, plant};
use planner_core::problem::Problem;
use planner_core::search::search;

/// Racks, feed of a rack in kW, air and transformer in kW (0: no limit), supply that cools at this PUE.
type Given = (u64, f64, f64, f64, f64);

fn spec(name: &str, (racks, feed, air, transformer, _): Given) -> HallSpec {
    let some = |kilowatts: f64| (kilowatts > 0.0).then_some(kilowatts * 1e3);
    HallSpec {
        name: name.into(),
        racks,
        rack: RackCeiling { watts: some(feed), floor_per_rack: 2.0, ..RackCeiling::default() },
        liquid_watts: None,
        air_watts: some(air),
        transformer_watts: some(transformer),
        floor_m2: None,
    }
}

fn with_halls(given: &[Given]) -> Problem {
    let mut problem = common::problem();
    problem.halls =
        given.iter().enumerate().map(|(place, hall)| spec(&format!("hall {place}"), *hall)).collect();
    problem.clusters[0].coolings.truncate(1);
    let cooling = &mut problem.clusters[0].coolings[0];
    cooling.halls = given
        .iter()
        .map(|(.., pue)| HallAir { pue: *pue, pue_design_day: pue + 0.1, ..cooling.air() })
        .collect();
    problem
}

fn choice(problem: &Problem) -> Choice<'_> {
    let cluster = &problem.clusters[0];
    Choice { cluster, fabric: &cluster.fabrics[0], cooling: &cluster.coolings[0], clock: 1.0, power_cap: 1.0 }
}

/// Whole machines in a ratio.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of machines")]
fn whole(ratio: f64) -> u64 {
    ratio.floor() as u64
}

/// Whether a hall takes `here` of the servers of `built`: servers of 6 kW and six units in racks of 40 kW and 38 units
/// at most, switches of one unit.
fn takes((racks, feed, air, transformer, pue): Given, here: u64, built: &Plant) -> bool {
    if here == 0 {
        return true;
    }
    let limit: f64 = if feed > 0.0 { feed.min(40.0) } else { 40.0 };
    let each = whole(limit / 6.0).min(6);
    if each == 0 {
        return false;
    }
    let switch = 0.8 + 0.016 * f64::from(common::fabric(1.0).radix) / 2.0;
    let per_rack = whole(limit / switch).min(38);
    let all = built.servers;
    let switches = built.fabric.switches();
    let mut taken = here.div_ceil(each) + (switches * here).div_ceil(all).div_ceil(per_rack);
    let left = (limit - 6.0 * all as f64, 38.0 - 6.0 * all as f64);
    if here == all && here <= each && switch * switches as f64 <= left.0 && switches as f64 <= left.1 {
        taken = 1;
    }
    let share = here as f64 / all as f64;
    taken <= racks
        && (air == 0.0 || built.peak_it.0 * share <= air * 1e3)
        && (transformer == 0.0 || built.it.0 * share * (pue + 0.1) * 0.98 <= transformer * 1e3)
}

/// Whether any division over three halls holds.
fn some_division(given: &[Given; 3], built: &Plant) -> bool {
    let all = built.servers;
    (0..=all).any(|first| {
        (0..=all - first).any(|second| {
            let parts = [first, second, all - first - second];
            given.iter().zip(parts).all(|(hall, here)| takes(*hall, here, built))
        })
    })
}

const CASES: [[Given; 3]; 5] = [
    [(3, 0.0, 0.0, 0.0, 1.2), (4, 20.0, 0.0, 0.0, 1.3), (2, 13.0, 0.0, 0.0, 1.4)],
    [(5, 13.0, 41.0, 0.0, 1.2), (2, 5.0, 0.0, 0.0, 1.3), (4, 0.0, 0.0, 60.0, 1.1)],
    [(1, 0.0, 0.0, 0.0, 1.2), (1, 0.0, 0.0, 0.0, 1.2), (6, 40.0, 30.0, 35.0, 1.5)],
    [(9, 0.0, 55.0, 52.0, 1.25), (9, 7.0, 23.0, 0.0, 1.05), (1, 19.0, 0.0, 9.0, 1.3)],
    [(2, 5.0, 0.0, 0.0, 1.2), (3, 0.0, 0.0, 20.0, 1.2), (0, 0.0, 0.0, 0.0, 1.2)],
];

#[test]
fn a_plant_stands_in_the_halls_exactly_where_some_division_of_its_servers_does() {
    for given in CASES {
        let problem = with_halls(&given);
        let (at, terms) = (choice(&problem), problem.terms());
        let mut refused = 0;
        for units in 1..=30 {
            let built = plant(&at, &terms, units).unwrap();
            let fits = built.halls.iter().all(|hall| hall.over.is_none());
            assert_eq!(fits, some_division(&given, &built), "{given:?} {units}");
            assert!(!fits || units <= most_servers(&at, &problem.halls), "{given:?} {units}");
            refused += u32::from(!fits);
        }
        assert!(refused > 0 && refused < 30, "{given:?}");
    }
}

#[test]
fn what_stands_in_the_halls_is_the_plant() {
    let problem = with_halls(&CASES[0]);
    let built = plant(&choice(&problem), &problem.terms(), 18).unwrap();
    let servers: Vec<u64> = built.halls.iter().map(|hall| hall.servers).collect();
    // Six servers of 6 kW a rack of 40 kW, three of 20 kW, two of 13 kW. In the first hall two racks hold ten servers and the
    // third their part of the switches, which two more would send over its height.
    assert_eq!(servers, [10, 6, 2]);
    let racks = built.halls.iter().fold(Racks::default(), |sum, hall| sum.and(&hall.racks));
    assert_eq!(racks, built.racks);
    let mean = (10.0 * 1.2 + 6.0 * 1.3 + 2.0 * 1.4) / 18.0;
    assert!((built.air.pue - mean).abs() < 1e-12);
    assert!((built.facility.0 / built.it.0 - mean).abs() < 1e-12);
    let drawn: f64 = built.halls.iter().map(|hall| hall.it_megawatts).sum();
    assert!((drawn - built.it.0 / 1e6).abs() < 1e-12);
}

#[test]
fn halls_that_take_no_server_say_why_and_none_that_does_is_an_error() {
    let problem = with_halls(&CASES[4]);
    let built = plant(&choice(&problem), &problem.terms(), 1).unwrap();
    let why = built.halls[0].holds_none.as_deref().unwrap();
    assert_eq!(
        why,
        "contained-air: one machine of 6.0 kW exceeds the 5.0 kW that the feed of a rack carries"
    );
    let none = with_halls(&[(2, 5.0, 0.0, 0.0, 1.2), (2, 3.0, 0.0, 0.0, 1.2)]);
    let why = plant(&choice(&none), &none.terms(), 1).unwrap_err();
    assert!(why.starts_with("no hall takes a server; hall 0: contained-air: one machine of 6.0 kW"), "{why}");
}

#[test]
fn the_search_takes_the_fastest_that_stands_in_the_halls() {
    for given in CASES {
        let mut problem = with_halls(&given);
        problem.target = planner_core::problem::Target::default();
        problem.search.objective = planner_core::problem::Objective::Throughput;
        let (at, terms) = (choice(&problem), problem.terms());
        let holds =
            |units: u64| plant(&at, &terms, units).unwrap().halls.iter().all(|hall| hall.over.is_none());
        let found = search(&problem, &mut |_| true).unwrap().best.unwrap();
        assert!(holds(found.cards / 8), "{given:?}");
        // Without halls, and held to the sizes that stand in them by hand, the same number of cards wins.
        let mut open = problem.clone();
        open.halls.clear();
        open.clusters[0].coolings[0].halls.clear();
        let best = (1..=32).filter(|units| holds(*units)).filter_map(|units| {
            open.limits.cards_min = units * 8;
            open.limits.cards_max = units * 8;
            let best = search(&open, &mut |_| true).unwrap().best?;
            Some((best.effective_rate, best.cards))
        });
        let best = best.max_by(|left, right| left.0.total_cmp(&right.0)).unwrap();
        assert_eq!(found.cards, best.1, "{given:?}");
    }
}
