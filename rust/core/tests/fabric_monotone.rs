//! A fabric never takes more switches for less: fewer hosts, a cheaper ratio, a switch with more ports.

use planner_core::fabric::{FabricKind, FabricSpec, design};
use proptest::prelude::*;

fn spec(radix: u32, servers: u64, ports: u32, rails: bool) -> FabricSpec {
    FabricSpec {
        radix,
        ports_per_server: ports,
        servers,
        cards_per_server: 8,
        kind: if rails { FabricKind::RailOptimised } else { FabricKind::LeafSpine },
        oversubscription: 1.0,
        switch_module_ports: 1,
        host_module_ports: 1,
        reserved_ports: 0,
        planes: 1,
        leaf_oversubscription: 1.0,
    }
}

/// Ports of switches that are sold.
const RADICES: [u32; 9] = [32, 36, 40, 48, 64, 72, 96, 128, 144];

/// Ratios in growing order, such as leave prime numbers of uplinks on common switches.
const RATIOS: [f64; 12] = [1.0, 1.1, 1.25, 4.0 / 3.0, 1.5, 1.6, 2.0, 2.5, 3.0, 4.0, 7.0, 10.0];

#[test]
fn a_cheaper_ratio_never_takes_more_switches_on_any_radix_and_count() {
    // Every even radix up to 144 and counts from one switch to four tiers: 35,000 builds.
    for radix in (4..=144_u32).step_by(2) {
        for servers in [1, 7, 31, 64, 100, 127, 200, 333, 512, 750, 1000, 1250, 2000, 3750, 5000, 12_500_u64]
        {
            for (ports, rails) in [(8, true), (8, false), (1, false)] {
                let base = spec(radix, servers, ports, rails);
                let mut least: Option<(f64, u64)> = None;
                for ratio in RATIOS {
                    let Ok(built) = design(&FabricSpec { oversubscription: ratio, ..base }) else {
                        assert!(least.is_none(), "{base:?} is built below {ratio}:1 and not at it");
                        continue;
                    };
                    let (below, held) = least.unwrap_or((ratio, u64::MAX));
                    let here = built.switches();
                    assert!(here <= held, "{base:?}: {here} switches at {ratio}:1, {held} at {below}:1");
                    least = Some((ratio, here));
                }
            }
        }
    }
}

#[test]
fn leaves_of_a_cheaper_ratio_never_take_more_switches() {
    for radix in [8_u32, 16, 30, 36, 40, 48, 62, 64, 96, 128] {
        for servers in [512, 1250, 3750, 5000, 12_500_u64] {
            for ratio in [1.0, 2.0, 4.0] {
                let base = FabricSpec { oversubscription: ratio, ..spec(radix, servers, 4, true) };
                let mut held = u64::MAX;
                for leaf_oversubscription in RATIOS {
                    let Ok(built) = design(&FabricSpec { leaf_oversubscription, ..base }) else { continue };
                    let here = built.switches();
                    assert!(here <= held, "{base:?}: {here} at {leaf_oversubscription}:1, {held} before");
                    held = here;
                }
            }
        }
    }
}

#[test]
fn a_prime_number_of_uplinks_does_not_ask_for_as_many_spines() {
    // 1,000 hosts on 128 ports at 2:1: 85 down and 43 up, a prime, would take 12 leaves and 43 spines; 84 down and 42
    // up take 12 and 6 (84 links on each of six spines). At 4:1 on 64 ports 51 down and 13 up would take 13 spines.
    let wide = design(&FabricSpec { oversubscription: 2.0, ..spec(128, 1000, 1, false) }).unwrap();
    assert_eq!((wide.tiers[0].switches, wide.tiers[1].switches), (12, 6));
    let two = design(&FabricSpec { oversubscription: 2.0, ..spec(64, 500, 1, false) }).unwrap();
    let four = design(&FabricSpec { oversubscription: 4.0, ..spec(64, 500, 1, false) }).unwrap();
    assert!(four.switches() <= two.switches());
    assert!(four.reach[0].taper >= 0.25 - 1e-12);
}

#[test]
fn full_regions_that_spread_badly_do_not_cost_more_than_a_larger_fabric() {
    // 136 pods of 32 ports: nine regions of 16 ask for eight super-cores a group, ten of 14 for five.
    let small = design(&spec(32, 4321, 8, false)).unwrap();
    let large = design(&spec(32, 4609, 8, false)).unwrap();
    assert!(small.switches() <= large.switches(), "{} and {}", small.switches(), large.switches());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 30_000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(32),
        ..ProptestConfig::default()
    })]

    #[test]
    fn more_hosts_never_need_fewer_switches(
        radix in prop::sample::select(RADICES.to_vec()),
        ports in prop::sample::select(vec![1_u32, 2, 4, 8]),
        servers in 1_u64..5000,
        more in 1_u64..500,
        rails in prop::bool::ANY,
        ratio in prop::sample::select(RATIOS.to_vec()),
        leaf in prop::sample::select(vec![1.0, 1.0, 1.5, 3.0]),
    ) {
        let small = FabricSpec {
            oversubscription: ratio,
            leaf_oversubscription: leaf,
            ..spec(radix, servers, ports, rails)
        };
        let large = FabricSpec { servers: servers + more, ..small };
        let (Ok(small), Ok(large)) = (design(&small), design(&large)) else { return Ok(()) };
        // Oversubscribed leaves begin at three tiers: two without them may take more than three with them.
        if leaf <= 1.0 || small.tiers.len() == large.tiers.len() {
            prop_assert!(small.switches() <= large.switches(), "{} and {}", small.switches(), large.switches());
        }
    }

    #[test]
    fn a_larger_switch_never_needs_more_of_two_tiers(
        radix in 2_u32..150,
        more in 1_u32..40,
        hosts in 1_u64..8000,
        ratio in prop::sample::select(RATIOS.to_vec()),
    ) {
        let small = FabricSpec { oversubscription: ratio, ..spec(radix, hosts, 1, false) };
        let large = FabricSpec { radix: radix + more, ..small };
        let (Ok(small), Ok(large)) = (design(&small), design(&large)) else { return Ok(()) };
        if small.tiers.len() <= 2 {
            prop_assert!(small.switches() >= large.switches(), "{} and {}", small.switches(), large.switches());
        }
    }
}
