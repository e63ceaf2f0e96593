//! Every fabric with tiers can be built: no switch has more links than ports, every link has two ends, and whatever lies
//! within the limit is joined, for odd radices and those that divide badly too.

use planner_core::fabric::{FabricError, FabricKind, FabricSpec, design};

fn spec(radix: u32, hosts: u64, ports: u32, (top, leaf): (f64, f64)) -> FabricSpec {
    FabricSpec {
        radix,
        ports_per_server: ports,
        servers: hosts / u64::from(ports),
        cards_per_server: ports,
        kind: if ports > 1 { FabricKind::RailOptimised } else { FabricKind::LeafSpine },
        oversubscription: top,
        leaf_oversubscription: leaf,
        switch_module_ports: 1,
        host_module_ports: 1,
        reserved_ports: 0,
        planes: 1,
    }
}

#[test]
fn no_switch_has_more_links_than_ports_and_what_is_within_the_limit_is_joined() {
    let mut counted = [0_u64; 5];
    for radix in 3..=33_u32 {
        for ports in [1_u32, 2, 3, 8] {
            for ratios in [(1.0, 1.0), (2.0, 1.0), (1.0, 2.0), (7.0 / 3.0, 3.0)] {
                let most = u64::from(radix).pow(3) / 3;
                let step = (most / 97).max(1);
                for hosts in (1..most).step_by(step as usize) {
                    let hosts = (hosts / u64::from(ports)).max(1) * u64::from(ports);
                    let asked = spec(radix, hosts, ports, ratios);
                    match design(&asked) {
                        Ok(found) => {
                            let tiers = found.tiers.len();
                            counted[tiers] += 1;
                            let name = format!("{asked:?}: {found:?}");
                            assert_eq!(found.links[0].count, hosts, "{name}");
                            for (index, tier) in found.tiers.iter().enumerate() {
                                let below = found.links[index].count;
                                let above = if index + 1 < tiers { found.links[index + 1].count } else { 0 };
                                assert!(
                                    below + above <= tier.switches * u64::from(radix),
                                    "{}: {name}",
                                    tier.name
                                );
                                assert!(tier.down_ports + tier.up_ports <= u64::from(radix), "{name}");
                            }
                        }
                        Err(FabricError::TooManyHosts { hosts, limit, .. }) => {
                            assert!(hosts > limit, "{asked:?}: {hosts} of {limit}");
                            counted[0] += 1;
                        }
                        Err(FabricError::TooManyRails { rails, pod_leaves }) => {
                            assert!(rails > pod_leaves, "{asked:?}");
                            counted[0] += 1;
                        }
                        Err(other) => panic!("{asked:?}: {other}"),
                    }
                }
            }
        }
    }
    assert!(counted.iter().all(|&count| count > 100), "{counted:?}");
}
