//! What surrounds the first cluster of a random space: rivals, and limits that seldom bind.

use planner_core::problem::Problem;
use proptest::prelude::*;

use crate::common;

/// What surrounds the first cluster: a rival, and limits and degrees that seldom bind.
#[derive(Debug, Clone)]
pub struct Surroundings {
    rival: Option<Rival>,
    radix: u32,
    rate: Option<f64>,
    racks: Option<u64>,
    it: Option<f64>,
    nameplate: Option<f64>,
    domain_of_two: bool,
    sharding: Vec<u8>,
    sequence_parallel: Vec<bool>,
    cp: Vec<u64>,
}

/// A second cluster: cheaper or dearer, slower or faster, with an end to its size.
#[derive(Debug, Clone)]
struct Rival {
    speed: f64,
    price: f64,
    most: Option<u64>,
    first: bool,
}

pub fn surroundings() -> impl Strategy<Value = Surroundings> {
    let speeds = prop::sample::select(vec![0.6, 1.0, 1.4]);
    let ends = prop::option::of(prop::sample::select(vec![16_u64, 32]));
    let rival = (speeds, 0.5..1.5_f64, ends, any::<bool>()).prop_map(|(speed, price, most, first)| Rival {
        speed,
        price,
        most,
        first,
    });
    (
        prop::option::of(rival),
        // Three tiers of 4-port switches join 16 ports: larger sizes cannot be built.
        prop::sample::select(vec![16_u32, 16, 4]),
        prop::option::of(1e4..2e6_f64),
        prop::option::of(2..12_u64),
        prop::option::of(0.01..0.06_f64),
        prop::option::of(0.02..0.08_f64),
        any::<bool>(),
        prop::sample::subsequence(vec![0_u8, 1, 2, 3], 1..=3),
        prop::sample::subsequence(vec![true, false], 1..=2),
        prop::sample::subsequence(vec![1_u64, 2], 1..=2),
    )
        .prop_map(|s| Surroundings {
            rival: s.0,
            radix: s.1,
            rate: s.2,
            racks: s.3,
            it: s.4,
            nameplate: s.5,
            domain_of_two: s.6,
            sharding: s.7,
            sequence_parallel: s.8,
            cp: s.9,
        })
}

pub fn surround(problem: &mut Problem, s: &Surroundings) {
    problem.target.tokens_per_second = s.rate;
    problem.limits.racks = s.racks;
    problem.limits.it_watts = s.it.map(|megawatts| megawatts * 1e6);
    problem.limits.nameplate_watts = s.nameplate.map(|megawatts| megawatts * 1e6);
    problem.space.sharding.clone_from(&s.sharding);
    problem.space.sequence_parallel.clone_from(&s.sequence_parallel);
    problem.space.cp.clone_from(&s.cp);
    let cluster = &mut problem.clusters[0];
    for fabric in &mut cluster.fabrics {
        fabric.radix = s.radix;
    }
    if s.domain_of_two {
        let devices = 16 * cluster.devices_per_card;
        cluster.domain_cards = 16;
        cluster.levels.push(planner_core::hardware::ScaleUpLevel {
            name: "between servers".into(),
            size: devices,
            ..cluster.levels[0].clone()
        });
    }
    if let Some(rival) = &s.rival {
        let mut other = common::cluster();
        other.system = "rival-8".into();
        other.device.peak.bf16.0 *= rival.speed;
        other.unit_price = other.unit_price.map(|price| planner_core::units::Usd(price.0 * rival.price));
        other.max_cards = rival.most;
        let place = if rival.first { 0 } else { problem.clusters.len() };
        problem.clusters.insert(place, other);
    }
}
