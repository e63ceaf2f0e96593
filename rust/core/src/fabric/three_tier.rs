//! Three tiers: pods of leaves and spines, joined by groups of cores.
//!
//! Spine j of every pod joins core group j, so any leaf reaches any core. A smaller last pod has fewer spines, each of
//! which joins several core groups. In every group each core has the same number of links to a pod as its neighbours.

use serde::Serialize;

use super::{
    FabricDesign, FabricError, FabricSpec, LeafLayer, LinkTier, Tier, leaf_ports, leaf_splits, ratios, taper,
    uplinks_for,
};

/// The pods of a three-tier fabric; all but the last are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pods {
    /// Pods, the last included.
    pub count: u64,
    /// Leaves of a pod.
    pub leaves: u64,
    /// Spines of a pod, which is also the number of core groups.
    pub spines: u64,
    /// Leaves of the last pod.
    pub last_leaves: u64,
    /// Spines of the last pod; divides `spines`.
    pub last_spines: u64,
    /// Cores in each group; divides `uplinks` and `last_uplinks`.
    pub cores_per_group: u64,
    /// Links from a pod to each core group.
    pub uplinks: u64,
    /// Links from the last pod to each core group.
    pub last_uplinks: u64,
}

impl Pods {
    fn all_spines(&self) -> u64 {
        (self.count - 1) * self.spines + self.last_spines
    }

    fn cores(&self) -> u64 {
        self.spines * self.cores_per_group
    }

    fn links_per_group(&self) -> u64 {
        (self.count - 1) * self.uplinks + self.last_uplinks
    }
}

/// t:1 into the core: at t = 1 up to k³/4 hosts with 5N/k switches where pods are full. Only the core shrinks with t.
/// Leaves are non-blocking unless [`FabricSpec::leaf_oversubscription`] says otherwise.
///
/// Of the lawful pod sizes (spines dividing the k/2 uplinks of a leaf) the one with fewest switches is taken, the
/// largest pods among equals. With an oversubscribed core the largest pods are, since what stays in a pod is not
/// tapered, unless the build without oversubscription has fewer switches: it is lawful at every ratio. So a cheaper
/// ratio never takes more switches.
///
/// # Errors
/// [`FabricError::TooManyHosts`] and [`FabricError::TooManyRails`].
pub(super) fn three_tier(spec: &FabricSpec) -> Result<FabricDesign, FabricError> {
    let radix = u64::from(spec.radix);
    let half = radix / 2;
    let group = spec.leaf_group();
    if group > half {
        return Err(FabricError::TooManyRails { rails: group, pod_leaves: half });
    }
    let hosts = spec.hosts();
    let limit = radix * (half / group * group) * leaf_ports(spec).0;
    let too_many = FabricError::TooManyHosts { hosts, limit, radix: spec.radix };
    if hosts > limit {
        return Err(too_many);
    }
    let mut best: Option<Built> = None;
    for (down, ups) in leaf_splits(spec) {
        let layer = LeafLayer::fill(hosts, group, down);
        // Fewer ports down never mean fewer leaves, and a spine and a core at least stand above.
        if best.as_ref().is_some_and(|held| layer.leaves + 2 >= held.switches()) {
            break;
        }
        for up in ups {
            let least = |ratio| least_switches(&layer, up, (radix, group), ratio);
            let held = best.as_ref().map_or(u64::MAX, Built::switches);
            // More uplinks never take fewer switches at least, and no ratio fewer than the cheapest.
            if least(spec.oversubscription) >= held {
                break;
            }
            for ratio in ratios(spec) {
                if least(ratio) >= best.as_ref().map_or(u64::MAX, Built::switches) {
                    continue;
                }
                let Some(pods) = best_pods(&layer, up, (radix, group), ratio) else { continue };
                let found = Built { layer, ports: (down, up), pods };
                if best.as_ref().is_none_or(|held| found.switches() < held.switches()) {
                    best = Some(found);
                }
            }
        }
    }
    best.map(|built| count_parts(spec, &built)).ok_or(too_many)
}

/// Leaves and what joins them.
struct Built {
    layer: LeafLayer,
    /// Of a leaf, down and up.
    ports: (u64, u64),
    pods: Pods,
}

impl Built {
    fn switches(&self) -> u64 {
        self.layer.leaves + self.pods.all_spines() + self.pods.cores()
    }
}

/// Switches that pods above `layer` take at least; endless where so many pods cannot be joined.
///
/// A spine faces at most half its ports down; every core takes as many uplinks of spines as it has ports, of which there are
/// as many as downlinks over the ratio. The slack covers its rounding.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of switches")]
fn least_switches(layer: &LeafLayer, up: u64, (radix, group): (u64, u64), ratio: f64) -> u64 {
    let half = radix / 2;
    if layer.leaves.div_ceil((half / group * group).max(1)) > radix {
        return u64::MAX;
    }
    let links = layer.leaves * up;
    let cores = (links as f64 / (ratio * radix as f64) * (1.0 - 1e-6)).floor() as u64;
    layer.leaves + links.div_ceil(half) + cores.max(1)
}

/// The pods with the fewest switches above `layer`, whose leaves have `up` uplinks; with an oversubscribed core the
/// largest that are lawful.
fn best_pods(layer: &LeafLayer, up: u64, (radix, group): (u64, u64), oversubscription: f64) -> Option<Pods> {
    let half = radix / 2;
    let lawful = divisors_down(up, up)
        .take_while(|&spines| half * spines / up >= group)
        .filter_map(|spines| pods_of(layer.leaves, spines, group, (radix, up), oversubscription));
    let switches = |pods: &Pods| pods.all_spines() + pods.cores();
    if oversubscription > 1.0 { lawful.into_iter().next() } else { lawful.min_by_key(switches) }
}

/// Divisors of `number` from `from` downwards.
fn divisors_down(number: u64, from: u64) -> impl Iterator<Item = u64> {
    (1..=from).rev().filter(move |&candidate| number.is_multiple_of(candidate))
}

/// Pods of `spines` spines and as many leaves as whole leaf groups allow, or nothing when the cores run out of ports.
///
/// `ports`: of a switch, and of a leaf upwards. A spine faces at most half its ports down.
fn pods_of(
    leaves: u64,
    spines: u64,
    group: u64,
    (radix, up): (u64, u64),
    oversubscription: f64,
) -> Option<Pods> {
    let half = radix / 2;
    let pod_leaves = half * spines / up / group * group;
    let count = leaves.div_ceil(pod_leaves);
    if count > radix {
        return None;
    }
    let last_leaves = leaves - (count - 1) * pod_leaves;
    let links_per_leaf_and_group = up / spines;
    let needed = uplinks_for(pod_leaves * links_per_leaf_and_group, oversubscription);
    let last_needed = uplinks_for(last_leaves * links_per_leaf_and_group, oversubscription);
    let fewest = ((count - 1) * needed + last_needed).div_ceil(radix).max(1);
    let fewest_spines = (last_leaves * up).div_ceil(half).max(1);
    let with = |last_spines: u64| {
        let last_limit = half * last_spines / spines;
        if needed > half || last_needed > last_limit {
            return None;
        }
        (fewest..=half).find_map(|cores_per_group| {
            let uplinks = needed.next_multiple_of(cores_per_group);
            let last_uplinks = last_needed.next_multiple_of(cores_per_group);
            let pods = Pods {
                count,
                leaves: pod_leaves,
                spines,
                last_leaves,
                last_spines,
                cores_per_group,
                uplinks,
                last_uplinks,
            };
            let fits = uplinks <= half
                && last_uplinks <= last_limit
                && pods.links_per_group() <= cores_per_group * radix;
            fits.then_some(pods)
        })
    };
    // A few more spines in the last pod can save a core in every group; not where there are as few as can be already.
    let mut best: Option<Pods> = None;
    for last_spines in (fewest_spines..=spines).filter(|&last| spines.is_multiple_of(last)) {
        let switches = |pods: &Pods| pods.last_spines + pods.cores();
        if best.as_ref().is_some_and(|held| last_spines + spines * fewest >= switches(held)) {
            break;
        }
        let Some(found) = with(last_spines) else { continue };
        if best.as_ref().is_none_or(|held| switches(&found) < switches(held)) {
            best = Some(found);
        }
    }
    best
}

fn count_parts(spec: &FabricSpec, &Built { layer, ports: (down, up), pods }: &Built) -> FabricDesign {
    let hosts = spec.hosts();
    let module = u64::from(spec.switch_module_ports);
    let links_per_leaf_and_group = up / pods.spines;
    let spine_down = pods.leaves * links_per_leaf_and_group;
    let last_ports =
        pods.last_leaves * (up / pods.last_spines) + pods.last_uplinks * (pods.spines / pods.last_spines);
    let core_ports = pods.links_per_group() / pods.cores_per_group;
    let modules = layer.modules(up, module)
        + (pods.count - 1) * pods.spines * (spine_down + pods.uplinks).div_ceil(module)
        + pods.last_spines * last_ports.div_ceil(module)
        + pods.cores() * core_ports.div_ceil(module);
    let share = taper(pods.uplinks, spine_down)
        .min(taper(pods.last_uplinks, pods.last_leaves * links_per_leaf_and_group));
    FabricDesign {
        tiers: [
            Tier { name: "leaf", switches: layer.leaves, down_ports: down, up_ports: up },
            Tier {
                name: "spine",
                switches: pods.all_spines(),
                down_ports: spine_down,
                up_ports: pods.uplinks,
            },
            Tier { name: "core", switches: pods.cores(), down_ports: core_ports, up_ports: 0 },
        ]
        .into(),
        links: [
            LinkTier { name: "host-leaf", count: hosts },
            LinkTier { name: "leaf-spine", count: layer.leaves * up },
            LinkTier { name: "spine-core", count: pods.spines * pods.links_per_group() },
        ]
        .into(),
        transceivers: spec.transceivers(modules),
        ports_free: layer.free(),
        reach: [
            spec.reach("leaf", spec.servers_on(spec.leaf_group(), down), taper(up, down)),
            spec.reach("spine", spec.servers_on(pods.leaves, down), share),
            spec.reach("core", spec.servers, 1.0),
        ]
        .into(),
        bisection_ports: hosts as f64 / 2.0 * share * taper(up, down),
        pods: Some(pods),
        diameter: 0.0,
    }
}
