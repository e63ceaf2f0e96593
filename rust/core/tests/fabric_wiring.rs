//! Fabrics of any make against their own wiring, link by link.

use planner_core::fabric::{FabricDesign, FabricKind, FabricSpec, design};
use proptest::prelude::*;

fn spec(radix: u32, servers: u64, kind: FabricKind) -> FabricSpec {
    FabricSpec {
        radix,
        ports_per_server: 8,
        servers,
        cards_per_server: 8,
        kind,
        oversubscription: 1.0,
        switch_module_ports: 2,
        host_module_ports: 2,
        reserved_ports: 0,
        planes: 1,
        leaf_oversubscription: 1.0,
    }
}

fn hosts(radix: u32, hosts: u64) -> FabricSpec {
    FabricSpec {
        ports_per_server: 1,
        cards_per_server: 1,
        host_module_ports: 1,
        ..spec(radix, hosts, FabricKind::LeafSpine)
    }
}

/// Ports in use on every switch above the leaves, from wiring the fabric link by link.
struct Wired {
    spines: Vec<u64>,
    cores: Vec<u64>,
}

fn wire(fabric: &FabricDesign) -> Wired {
    let (leaf, spine) = (fabric.tiers[0], fabric.tiers[1]);
    let Some(pods) = fabric.pods else {
        assert_eq!(leaf.up_ports % spine.switches, 0, "a leaf cannot spread evenly over the spines");
        return Wired {
            spines: vec![
                leaf.switches * (leaf.up_ports / spine.switches);
                usize::try_from(spine.switches).unwrap()
            ],
            cores: vec![],
        };
    };
    let mut wired =
        Wired { spines: vec![], cores: vec![0; usize::try_from(fabric.tiers[2].switches).unwrap()] };
    for pod in 0..pods.count {
        let last = pod + 1 == pods.count;
        let (leaves, spines, per_group) = if last {
            (pods.last_leaves, pods.last_spines, pods.last_uplinks)
        } else {
            (pods.leaves, pods.spines, pods.uplinks)
        };
        assert_eq!(leaf.up_ports % spines, 0, "a leaf cannot spread evenly over the spines of its pod");
        assert_eq!(pods.spines % spines, 0, "core groups do not divide among the spines of the pod");
        assert_eq!(
            per_group % pods.cores_per_group,
            0,
            "a spine cannot spread evenly over the cores of a group"
        );
        let first = wired.spines.len();
        wired.spines.extend((0..spines).map(|_| leaves * (leaf.up_ports / spines)));
        for group in 0..pods.spines {
            let spine = first + usize::try_from(group % spines).unwrap();
            wired.spines[spine] += per_group;
            for core in 0..pods.cores_per_group {
                let core = usize::try_from(group * pods.cores_per_group + core).unwrap();
                wired.cores[core] += per_group / pods.cores_per_group;
            }
        }
    }
    wired
}

fn any_spec() -> impl Strategy<Value = FabricSpec> {
    (
        prop::sample::select(vec![4_u32, 8, 16, 32, 36, 48, 64, 128, 144]),
        1_u32..=8,
        1_u64..5000,
        prop::bool::ANY,
        prop::sample::select(vec![1.0, 1.5, 2.0, 3.0, 4.0, 7.0]),
        prop::sample::select(vec![1.0, 1.0, 1.5, 3.0]),
        0_u32..8,
        1_u32..=2,
    )
        .prop_map(
            |(
                radix,
                ports,
                servers,
                rails,
                oversubscription,
                leaf_oversubscription,
                reserved_ports,
                module,
            )| {
                FabricSpec {
                    ports_per_server: ports,
                    oversubscription,
                    leaf_oversubscription,
                    reserved_ports,
                    switch_module_ports: module,
                    host_module_ports: module,
                    ..spec(
                        radix,
                        servers,
                        if rails { FabricKind::RailOptimised } else { FabricKind::LeafSpine },
                    )
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2_040),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_host_has_a_port_and_no_switch_more_links_than_ports(spec in any_spec()) {
        let Ok(fabric) = design(&spec) else { return Ok(()) };
        let radix = u64::from(spec.radix);
        let leaf = fabric.tiers[0];
        prop_assert_eq!(fabric.links[0].count, spec.hosts());
        prop_assert!(leaf.switches * leaf.down_ports >= spec.hosts());
        for tier in &fabric.tiers {
            prop_assert!(tier.down_ports + tier.up_ports <= radix);
        }
        if [1, 4].contains(&fabric.tiers.len()) { return Ok(()) }
        let wired = wire(&fabric);
        if spec.oversubscription <= 1.0 {
            let over = if fabric.pods.is_some() { spec.leaf_oversubscription } else { 1.0 };
            prop_assert!(leaf.up_ports as f64 * over + 1e-9 >= leaf.down_ports as f64, "a leaf blocks");
            let above = fabric.links.get(2).map_or(u64::MAX, |link| link.count);
            let pods_down = if fabric.pods.is_some() { fabric.links[1].count } else { 0 };
            prop_assert!(above >= pods_down, "the spines block");
        }
        prop_assert_eq!(wired.spines.len() as u64, fabric.tiers[1].switches);
        prop_assert!(wired.spines.iter().chain(&wired.cores).all(|&ports| ports <= radix));
        let above = fabric.links.get(2).map_or(0, |link| link.count);
        prop_assert_eq!(fabric.links[1].count, leaf.switches * leaf.up_ports);
        prop_assert_eq!(wired.spines.iter().sum::<u64>(), fabric.links[1].count + above);
        prop_assert_eq!(wired.cores.iter().sum::<u64>(), above);
        if spec.switch_module_ports == 1 {
            let ends = 2 * fabric.cables() - spec.hosts();
            prop_assert_eq!(fabric.transceivers.switch_side, ends);
            prop_assert_eq!(fabric.transceivers.host_side, spec.servers * u64::from(spec.ports_per_server));
        }
    }

    #[test]
    fn four_tiers_join_every_host_without_blocking_below_the_top(
        radix in prop::sample::select(vec![4_u32, 6, 8, 12]),
        over in prop::sample::select(vec![1.0, 2.0, 3.0]),
        part in 0_u64..=1000,
        module in 1_u32..3,
    ) {
        let k = u64::from(radix);
        let (least, most) = (k.pow(3) / 4 + 1, k.pow(4) / 8);
        let count = least + part * (most - least) / 1000;
        let fabric = design(&FabricSpec {
            oversubscription: over,
            switch_module_ports: module,
            ..hosts(radix, count)
        });
        let Ok(fabric) = fabric else { return Err(TestCaseError::fail("refused")) };
        if fabric.tiers.len() != 4 { return Ok(()) }
        let tiers = &fabric.tiers;
        for pair in tiers.windows(2) {
            let (up, down) = (pair[0].switches * pair[0].up_ports, pair[1].switches * pair[1].down_ports);
            // What goes up is taken; the upper tier may be built for pods and regions that are not full yet.
            prop_assert!(up <= down);
        }
        for (tier, link) in tiers.iter().zip(fabric.links.iter().skip(1)) {
            prop_assert_eq!(tier.switches * tier.up_ports, link.count);
            prop_assert!(tier.down_ports + tier.up_ports <= u64::from(radix));
            let ratio = if tier.name == "core" { over } else { 1.0 };
            prop_assert!(tier.up_ports as f64 * ratio + 1e-9 >= tier.down_ports as f64, "blocks");
        }
        prop_assert_eq!(tiers[3].switches * tiers[3].down_ports, fabric.links[3].count);
        if module == 1 {
            prop_assert_eq!(fabric.transceivers.switch_side, 2 * fabric.cables() - count);
        }
    }

    #[test]
    fn reach_grows_to_all_servers_and_tapers_no_more_than_asked(spec in any_spec()) {
        let Ok(fabric) = design(&spec) else { return Ok(()) };
        prop_assert_eq!(fabric.reach.len(), fabric.tiers.len());
        prop_assert_eq!(fabric.reach.last().unwrap().servers, spec.servers);
        prop_assert!(fabric.reach.windows(2).all(|pair| pair[0].servers <= pair[1].servers));
        // Only the way into the top tier may be tapered by the one ratio, leaves below three tiers by the other.
        let below_top = fabric.reach.len().saturating_sub(2);
        for (index, reach) in fabric.reach.iter().enumerate() {
            let least = match (index, fabric.tiers.len()) {
                (0, 3 | 4) => 1.0 / spec.leaf_oversubscription,
                _ if index == below_top => 1.0 / spec.oversubscription,
                _ => 1.0,
            };
            prop_assert!(reach.taper <= 1.0 && reach.taper >= least - 1e-12);
        }
    }
}
