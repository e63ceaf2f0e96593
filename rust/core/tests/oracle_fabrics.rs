//! Fabrics against published tables, from generator inputs alone.

use planner_core::fabric::counts::{
    TopologyCounts, dragonfly, fat_tree_2, fat_tree_3, multi_plane, rack_pods, slim_fly,
};
use planner_core::fabric::direct::{DirectKind, direct};
use planner_core::fabric::scale_up::{ScaleUpSpec, scale_up};
use planner_core::fabric::{FabricDesign, FabricError, FabricKind, FabricSpec, design};

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

fn switches(fabric: &FabricDesign) -> Vec<u64> {
    fabric.tiers.iter().map(|tier| tier.switches).collect()
}

fn links(fabric: &FabricDesign) -> Vec<u64> {
    fabric.links.iter().map(|link| link.count).collect()
}

#[test]
fn full_fat_trees_match_the_closed_forms() {
    // k, then hosts, leaves, spines of two tiers; hosts, edges, aggregations, cores of three. Al-Fares et al. 2008.
    let rows: [(u32, [u64; 3], [u64; 4]); 7] = [
        (4, [8, 4, 2], [16, 8, 8, 4]),
        (40, [800, 40, 20], [16_000, 800, 800, 400]),
        (48, [1152, 48, 24], [27_648, 1152, 1152, 576]),
        (64, [2048, 64, 32], [65_536, 2048, 2048, 1024]),
        (128, [8192, 128, 64], [524_288, 8192, 8192, 4096]),
        (144, [10_368, 144, 72], [746_496, 10_368, 10_368, 5184]),
        (512, [131_072, 512, 256], [33_554_432, 131_072, 131_072, 65_536]),
    ];
    for (radix, two, three) in rows {
        let fabric = design(&hosts(radix, two[0])).unwrap();
        assert_eq!(switches(&fabric), two[1..]);
        assert_eq!(fabric.interswitch_links(), two[0]);
        let form = fat_tree_2(radix.into());
        assert_eq!((form.endpoints, form.switches, form.links), (two[0], two[1] + two[2], two[0]));

        let fabric = design(&hosts(radix, three[0])).unwrap();
        assert_eq!(switches(&fabric), three[1..]);
        assert_eq!(fabric.interswitch_links(), 2 * three[0]);
        let form = fat_tree_3(radix.into());
        assert_eq!((form.endpoints, form.switches), (three[0], three[1..].iter().sum()));
        assert_eq!(form.links, 2 * three[0]);

        // One more needs a fourth tier, whose regions have room for k/2 pods; k/2 regions' worth is k⁴/8.
        let k = u64::from(radix);
        assert_eq!(design(&hosts(radix, three[0] + 1)).unwrap().tiers.len(), 4);
        let four = k.pow(4) / 8;
        let fabric = design(&hosts(radix, four)).unwrap();
        assert_eq!(switches(&fabric), [2 * four / k, 2 * four / k, 2 * four / k, four / k]);
        assert_eq!(links(&fabric), [four; 4]);
        let refused = design(&hosts(radix, four + 1));
        assert!(matches!(refused, Err(FabricError::TooManyHosts { limit, .. }) if limit == four));
    }
}

#[test]
fn deepseek_table_3_is_reproduced() {
    // arXiv 2505.09343, table 3: 64 ports of 400G. Its dragonfly has 511 groups, two fewer than the most.
    let counts = |endpoints, switches, links| TopologyCounts { endpoints, switches, links };
    assert_eq!(fat_tree_2(64), counts(2048, 96, 2048));
    assert_eq!(multi_plane(64, 8), counts(16_384, 768, 16_384));
    assert_eq!(fat_tree_3(64), counts(65_536, 5120, 131_072));
    assert_eq!(slim_fly(28), Some(counts(32_928, 1568, 32_928)));
    assert_eq!(dragonfly(16, 32, 16, 511), Some(counts(261_632, 16_352, 384_272)));
    assert_eq!(dragonfly(16, 32, 16, 513), Some(counts(262_656, 16_416, 385_776)));
    assert_eq!(dragonfly(16, 32, 16, 514), None);
    for (hosted, row) in [(2048, fat_tree_2(64)), (65_536, fat_tree_3(64))] {
        let fabric = design(&hosts(64, hosted)).unwrap();
        assert_eq!((fabric.switches(), fabric.interswitch_links()), (row.switches, row.links));
    }
}

#[test]
fn superpod_h100_is_reproduced() {
    // Scalable units, nodes, leaves, spines, node and UFM cables, leaf-spine cables. One node per pod gives way to
    // UFM, whose 4 ports the node-leaf column counts; the bill of materials (2,040 cables) leaves them out.
    let rows =
        [(31, 8, 4, 252, 256), (63, 16, 8, 508, 512), (95, 24, 16, 764, 768), (127, 32, 16, 1020, 1024)];
    for (nodes, leaves, spines, node_cables, spine_cables) in rows {
        let fabric =
            design(&FabricSpec { reserved_ports: 4, ..spec(64, nodes, FabricKind::RailOptimised) }).unwrap();
        assert_eq!(switches(&fabric), [leaves, spines]);
        assert_eq!(links(&fabric), [node_cables, spine_cables]);
        assert_eq!(fabric.ports_free, 4);
    }
}

#[test]
fn superpod_h100_bill_of_materials_is_reproduced() {
    // NVIDIA RA-11333-001 V11, tables 6 to 8: 127 nodes.
    let fabric =
        design(&FabricSpec { reserved_ports: 4, ..spec(64, 127, FabricKind::RailOptimised) }).unwrap();
    assert_eq!(fabric.switches(), 48);
    assert_eq!(fabric.cables() - 4, 2040);
    assert_eq!(fabric.transceivers.switch_side, 1536);
    assert_eq!(fabric.transceivers.host_side, 508);
    assert_eq!(fabric.transceivers.reserved_side, 4);
}

#[test]
fn superpod_b200_is_reproduced() {
    // Nodes, switches by tier; each cable column equals the GPUs.
    let rows: [(u64, &[u64]); 6] = [
        (64, &[16, 8]),
        (128, &[32, 16]),
        (256, &[64, 32]),
        (512, &[128, 128, 64]),
        (1024, &[256, 256, 128]),
        (2048, &[512, 512, 256]),
    ];
    for (nodes, tiers) in rows {
        let fabric = design(&spec(64, nodes, FabricKind::RailOptimised)).unwrap();
        assert_eq!(switches(&fabric), tiers);
        assert_eq!(links(&fabric), vec![nodes * 8; tiers.len()]);
    }
}

#[test]
fn superpod_b300_xdr_is_reproduced() {
    // NVIDIA prints 9,216 GPUs in the last row; its 1,296 nodes and its cable columns say 10,368.
    let rows = [(72, 8, 4), (144, 16, 8), (288, 32, 18), (576, 64, 36), (1296, 144, 72)];
    for (nodes, leaves, spines) in rows {
        let fabric = design(&spec(144, nodes, FabricKind::RailOptimised)).unwrap();
        assert_eq!(switches(&fabric), [leaves, spines]);
        assert_eq!(links(&fabric), [nodes * 8, nodes * 8]);
    }
}

#[test]
fn superpod_b300_is_two_planes_of_128_ports() {
    // A node has one 400G port per GPU in each plane; NVIDIA counts both planes' switches together.
    for (nodes, leaves, spines) in
        [(64, 16, 8), (128, 32, 16), (256, 64, 32), (512, 128, 64), (1024, 256, 128)]
    {
        let plane = design(&spec(128, nodes, FabricKind::RailOptimised)).unwrap();
        assert_eq!(switches(&plane), [leaves / 2, spines / 2]);
    }
}

#[test]
fn quantum_x800_totals_match() {
    // Lambda: switches by GPUs on 144-port switches.
    for (gpus, total) in [(576, 12), (4608, 100), (10_368, 216), (41_472, 1440)] {
        assert_eq!(design(&spec(144, gpus / 8, FabricKind::RailOptimised)).unwrap().switches(), total);
    }
}

#[test]
fn optics_per_card_are_one_and_a_half_twins_in_two_tiers_and_two_and_a_half_in_three() {
    let two = design(&spec(64, 256, FabricKind::RailOptimised)).unwrap();
    assert_eq!(two.transceivers.switch_side, 2048 * 3 / 2);
    let three = design(&spec(64, 2048, FabricKind::RailOptimised)).unwrap();
    assert_eq!(three.transceivers.switch_side, 16_384 * 5 / 2);
}

#[test]
fn few_servers_share_one_switch() {
    let fabric = design(&spec(64, 8, FabricKind::RailOptimised)).unwrap();
    assert_eq!((switches(&fabric), links(&fabric)), (vec![1], vec![64]));
    assert_eq!(fabric.reach.len(), 1);
    assert_eq!(fabric.ports_free, 0);
}

#[test]
fn only_the_top_tier_shrinks_with_oversubscription() {
    // Three tiers of 64 ports at 4:1: N/32 leaves, N/32 spines, N/(64·4) cores, N/4 links above the spines.
    let fabric =
        design(&FabricSpec { oversubscription: 4.0, ..spec(64, 2048, FabricKind::RailOptimised) }).unwrap();
    assert_eq!(switches(&fabric), [512, 512, 64]);
    assert_eq!(links(&fabric), [16_384, 16_384, 4096]);
    let reach: Vec<_> = fabric.reach.iter().map(|r| (r.name, r.servers, r.cards, r.taper)).collect();
    assert_eq!(reach, [("leaf", 32, 256, 1.0), ("spine", 128, 1024, 0.25), ("core", 2048, 16_384, 1.0)]);
    // Two tiers at 3:1: 48 down, 16 up.
    let fabric =
        design(&FabricSpec { oversubscription: 3.0, ..spec(64, 384, FabricKind::RailOptimised) }).unwrap();
    assert_eq!(switches(&fabric), [64, 16]);
    assert_eq!(links(&fabric), [3072, 1024]);
    assert_eq!((fabric.reach[0].servers, fabric.reach[0].cards), (48, 384));
    assert!((fabric.reach[0].taper - 1.0 / 3.0).abs() < 1e-12);
    assert!((fabric.bisection_ports - 512.0).abs() < 1e-9);
}

#[test]
fn specs_that_are_no_fabric_are_refused_with_the_reason() {
    let good = spec(64, 128, FabricKind::RailOptimised);
    let refused = |spec: FabricSpec| design(&spec).unwrap_err();
    assert_eq!(refused(FabricSpec { servers: 0, ..good }), FabricError::NoHosts);
    assert_eq!(refused(FabricSpec { radix: 1, ..good }), FabricError::RadixTooSmall { radix: 1 });
    assert_eq!(refused(FabricSpec { oversubscription: 0.5, ..good }), FabricError::BadOversubscription(0.5));
    assert_eq!(refused(FabricSpec { host_module_ports: 0, ..good }), FabricError::NoModulePorts);
    assert!(matches!(
        refused(FabricSpec { oversubscription: f64::NAN, ..good }),
        FabricError::BadOversubscription(_)
    ));
    assert!(matches!(refused(FabricSpec { servers: u64::MAX, ..good }), FabricError::TooManyHosts { .. }));
    let many_rails = FabricSpec { radix: 8, ports_per_server: 5, ..good };
    assert_eq!(refused(many_rails), FabricError::TooManyRails { rails: 5, pod_leaves: 4 });
    assert_eq!(
        refused(FabricSpec { radix: 4, ports_per_server: 1, servers: 33, ..good }).to_string(),
        "33 host ports are more than the 32 that four tiers of 4-port switches join"
    );
}

/// Planes of servers with `ports` ports each.
fn planes(radix: u32, servers: u64, ports: u32, planes: u32) -> FabricDesign {
    let spec = FabricSpec { ports_per_server: ports, planes, ..spec(radix, servers, FabricKind::MultiPlane) };
    design(&spec).unwrap()
}

#[test]
fn the_h100_cost_sheet_of_2024_is_eight_planes_at_1320_dollars_a_host_link_and_1240_another() {
    // Nodes, switches, dollars of links: a public sheet of August 2024. One switch a rail up to 64 nodes, two tiers a
    // plane up to 2,048, three above.
    let rows = [
        (64, 8, 675_840_u64),
        (128, 48, 2_621_440),
        (256, 96, 5_242_880),
        (1024, 384, 20_971_520),
        (2048, 768, 41_943_040),
        (4096, 2560, 124_518_400),
        (8192, 5120, 249_036_800),
        (16_384, 10_240, 498_073_600),
        (65_536, 40_960, 1_992_294_400),
    ];
    for (nodes, switches, dollars) in rows {
        let fabric = planes(64, nodes, 8, 8);
        assert_eq!(fabric.switches(), switches, "{nodes} nodes");
        assert_eq!(
            fabric.links[0].count * 1320 + fabric.interswitch_links() * 1240,
            dollars,
            "{nodes} nodes"
        );
    }
}

#[test]
fn planes_of_superpods_and_megafabrics_are_reproduced() {
    // DGX SuperPOD B300 (busbar): two planes of 128 x 400G; a cable holds one link of each plane.
    for (nodes, leaf, spine) in [(64, 16, 8), (128, 32, 16), (256, 64, 32), (512, 128, 64), (1024, 256, 128)]
    {
        let fabric = planes(128, nodes, 16, 2);
        assert_eq!(switches(&fabric), [leaf, spine]);
        assert_eq!(links(&fabric), [nodes * 16, nodes * 16]);
    }
    // 524,288 GPUs: 4 blocks of 8 planes of 512-port switches, 24,576 switches; a block has 131,072 NICs of 8 ports.
    let block = planes(512, 131_072, 8, 8);
    assert_eq!((block.switches() * 4, block.tiers.len()), (24_576, 2));
}

#[test]
fn a_pod_of_alibaba_hpn_has_240_leaves_and_60_aggregation_switches_a_plane() {
    // SIGCOMM 2024: 15 segments of 136 servers with 8 NICs of 2 x 200G, one port into each of two planes; leaves of
    // 256 ports of 200G, 136 down and 120 (60 x 400G) up.
    let spec = FabricSpec {
        ports_per_server: 16,
        planes: 2,
        oversubscription: 136.0 / 120.0,
        ..spec(256, 15 * 136, FabricKind::MultiPlane)
    };
    let pod = design(&spec).unwrap();
    assert_eq!(switches(&pod), [240, 120]);
    assert_eq!((pod.tiers[0].down_ports, pod.tiers[0].up_ports), (136, 120));
    assert_eq!(pod.reach[0].servers, 136);
    // 240 of 256 ports face down: 120 x 400G, which leaves 8 x 400G upwards, 15:1.
    assert_eq!(pod.tiers[1].down_ports, 240);
}

#[test]
fn a_leaf_of_megascale_holds_one_rail_of_64_servers() {
    // 12,288 GPUs; 64 x 400G boxes, host ports split into 200G: 64 down at 200G and 32 up at 400G.
    let fabric = design(&spec(128, 1536, FabricKind::RailOptimised)).unwrap();
    assert_eq!(fabric.reach[0].servers, 64);
    assert_eq!((fabric.tiers.len(), fabric.reach[0].cards), (3, 512));
}

#[test]
fn oversubscribed_leaves_need_fewer_spines_and_cores() {
    let even = design(&spec(64, 1024, FabricKind::RailOptimised)).unwrap();
    let over =
        design(&FabricSpec { leaf_oversubscription: 3.0, ..spec(64, 1024, FabricKind::RailOptimised) })
            .unwrap();
    // 48 down and 16 up: 22 groups of 8 leaves for 1,024 servers, 2,816 uplinks on spines of 32.
    assert_eq!((over.tiers[0].down_ports, over.tiers[0].up_ports), (48, 16));
    assert_eq!(over.tiers[0].switches, 176);
    assert!(
        over.tiers[1].switches < even.tiers[1].switches && over.tiers[2].switches < even.tiers[2].switches
    );
    assert!((over.reach[0].taper - 1.0 / 3.0).abs() < 1e-12);
    assert!((over.bisection_ports - even.bisection_ports / 3.0).abs() < 1e-9);
}

#[test]
fn direct_fabrics_of_deepseek_table_3_come_out_of_hosts_and_radix_alone() {
    let fly = direct(DirectKind::SlimFly, 32_928, 64).unwrap();
    assert_eq!(fly.parameters, [("q", 28), ("k'", 42), ("p", 21)]);
    assert_eq!((fly.switches, fly.local_links, fly.ports_free), (1568, 32_928, 0));
    let dragonfly = direct(DirectKind::Dragonfly, 261_632, 64).unwrap();
    assert_eq!(dragonfly.parameters, [("p", 16), ("a", 32), ("h", 16), ("g", 511)]);
    assert_eq!(
        (dragonfly.switches, dragonfly.local_links, dragonfly.global_links),
        (16_352, 253_456, 130_816)
    );
}

#[test]
fn a_full_mesh_of_32_switches_of_64_ports_joins_1024_hosts() {
    // side + hosts - 1 <= 64 with hosts <= side: 32 switches of 32 hosts and 31 links.
    let mesh = direct(DirectKind::FullMesh, 1024, 64).unwrap();
    assert_eq!((mesh.switches, mesh.local_links, mesh.diameter), (32, 496, 1));
    assert_eq!(mesh.bisection_links, Some(256.0));
    let larger = direct(DirectKind::FullMesh, 1100, 64).unwrap();
    assert_eq!(larger.diameter, 2);
    let refused = direct(DirectKind::FullMesh, 1_000_000, 8).unwrap_err();
    assert_eq!(refused, 54);
}

#[test]
fn a_torus_has_three_links_a_switch_and_slows_as_it_grows() {
    // 64 / 7 = 9 hosts and 9 links to each neighbour; 10 switches a side hold 9,000.
    let torus = direct(DirectKind::Torus, 8192, 64).unwrap();
    assert_eq!((torus.switches, torus.local_links, torus.ports_free), (1000, 27_000, 808));
    assert_eq!((torus.diameter, torus.bisection_links), (15, Some(1800.0)));
    assert!((torus.taper - 0.8).abs() < 1e-12);
    assert_eq!(direct(DirectKind::Torus, 27 * 9, 64).unwrap().taper, 1.0);
    assert_eq!(direct(DirectKind::Torus, 3_000_000, 64).unwrap_err(), 9 * 64 * 64 * 64);
}

#[test]
fn a_fabric_without_tiers_is_designed_as_it_is_counted() {
    let kinds = [DirectKind::Dragonfly, DirectKind::SlimFly, DirectKind::FullMesh, DirectKind::Torus];
    for kind in kinds {
        let fabric = design(&FabricSpec { switch_module_ports: 1, ..hosts(64, 4000) });
        let own = FabricSpec { switch_module_ports: 1, kind: kind.into(), ..hosts(64, 4000) };
        let (clos, found) = (fabric.unwrap(), design(&own).unwrap());
        let counted = direct(kind, 4000, 64).unwrap();
        assert_eq!(found.switches(), counted.switches);
        assert_eq!(found.cables(), 4000 + counted.local_links + counted.global_links);
        assert_eq!(found.transceivers.switch_side, 2 * found.cables() - 4000);
        assert_eq!(found.reach.last().unwrap().servers, 4000);
        assert!(found.tiers[0].down_ports + found.tiers[0].up_ports <= 64);
        // All are tapered against the non-blocking tree of the same switches.
        assert!(found.reach[0].taper <= 1.0 && clos.reach.iter().all(|reach| reach.taper == 1.0));
    }
    let refused = design(&FabricSpec { kind: FabricKind::FullMesh, ..hosts(8, 55) }).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "55 host ports are more than the 54 that a full-mesh of 8-port switches joins"
    );
}

#[test]
fn the_unified_bus_of_a_cloudmatrix_has_336_and_112_chips_and_5376_modules() {
    let spec = ScaleUpSpec {
        planes: 7,
        server_chips: 1,
        links_per_server: 16,
        chip_ports: 48,
        links_per_module: 2,
        link_bandwidth: 28e9,
    };
    let found = scale_up(&spec, 48).unwrap();
    assert_eq!((found.server_chips, found.upper_chips), (336, 112));
    assert_eq!((found.links, found.modules, found.ports_free), (5376, 5376, 0));
    // 48 nodes of 3,136 GB/s: half of 150.5 TB/s crosses an even split.
    assert!((found.bisection - 75.264e12).abs() < 1.0);
    assert!(scale_up(&spec, 800).unwrap_err().contains("48 ports"));
}

#[test]
fn network_power_per_card_is_the_published_derivation() {
    // Derived table: 747 W a 64-port switch, 17 W a twin, 9 W at the host; 35.0 + 34.5 W and 58.4 + 51.5 W a card.
    for (cards, switch_watts, optics_watts) in [(2048_u64, 35.016, 34.5), (65_536, 58.359, 51.5)] {
        let fabric =
            design(&FabricSpec { host_module_ports: 1, ..spec(64, cards / 8, FabricKind::RailOptimised) })
                .unwrap();
        let per_card = |watts: f64| watts / cards as f64;
        let optics =
            fabric.transceivers.switch_side as f64 * 17.0 + fabric.transceivers.host_side as f64 * 9.0;
        assert!((per_card(fabric.switches() as f64 * 747.0) - switch_watts).abs() < 1e-3);
        assert!((per_card(optics) - optics_watts).abs() < 1e-9);
    }
}

#[test]
fn co_packaged_optics_free_the_published_kilowatts() {
    // Lambda: 7.0 kW a Quantum-X800 switch with pluggables, 3.95 kW with co-packaged optics; kW freed and the cards of
    // 1.4 kW that they feed, both cut to whole numbers (658.8 is printed as 658, 36.6 as 37).
    for (cards, freed, more) in
        [(576_u64, 37, 26), (4608, 305, 217), (10_368, 658, 470), (41_472, 4392, 3137)]
    {
        let fabric = design(&spec(144, cards / 8, FabricKind::RailOptimised)).unwrap();
        let kilowatts = fabric.switches() as f64 * (7.0 - 3.95);
        assert!((kilowatts - f64::from(freed)).abs() < 0.9, "{cards} cards: {kilowatts} kW");
        assert!((kilowatts / 1.4 - f64::from(more)).abs() < 1.0, "{cards} cards");
    }
}

#[test]
fn the_racks_and_pods_of_metas_24k_cluster_come_out_of_its_ratios() {
    // 24,576 H100, 16 a rack, 3,072 a pod; racks undersubscribed 1:2 on purpose, 7:1 above the pods.
    let found = rack_pods(24_576, 16, 3072, 0.5, 7.0);
    assert_eq!((found.racks, found.racks_per_pod, found.pods), (1536, 192, 8));
    assert_eq!((found.rack_uplinks, found.pod_uplinks), (32, 439));
    assert_eq!(24_576 / 8, 3072); // nodes
}
