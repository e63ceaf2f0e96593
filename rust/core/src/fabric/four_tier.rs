//! Four tiers: regions of pods, joined by groups of super-cores. Beyond k³/4 hosts, up to k⁴/8.
//!
//! A region is a three-tier fabric whose cores keep half of their ports for the way up. Core j of every region joins
//! super-core group j. Pods are alike but for the leaves of the last, and the cores and their uplinks are built alike
//! in every region, so that the last one can grow: a partial build has a few more switches than it must.

use std::cell::RefCell;

use super::{
    FabricDesign, FabricError, FabricSpec, LeafLayer, LinkTier, Spread, Tier, leaf_ports, leaf_splits,
    ratios, spread, taper, uplinks_for,
};

/// What regions are made of.
#[derive(Clone, Copy)]
struct Regions {
    count: u64,
    /// Pods in all, and of a full region.
    pods: u64,
    pods_each: u64,
    /// Leaves of a full pod.
    pod_leaves: u64,
    /// Spines of a pod.
    spines: u64,
    /// Uplinks of a spine; a multiple of the cores of its group.
    spine_up: u64,
    /// Cores of a group; a region has one group for each spine of a pod.
    cores_per_group: u64,
}

/// The cores that join the pods of a region, by group; the same whatever a leaf's ports are.
#[derive(Clone, Copy)]
struct Core {
    per_group: u64,
    /// Uplinks of a spine.
    spine_up: u64,
}

impl Core {
    /// The fewest for `pods_each` pods of `pod_leaves` leaves that leave themselves half of their ports.
    fn of(pods_each: u64, pod_leaves: u64, half: u64) -> Self {
        // Fewer cores cannot carry a link of every leaf of every pod of a region.
        let least = (pods_each * pod_leaves).div_ceil(half).max(1);
        (least..=half)
            .map(|cores| Self { per_group: cores, spine_up: pod_leaves.next_multiple_of(cores) })
            .find(|core| core.spine_up <= half && pods_each * core.spine_up <= core.per_group * half)
            .unwrap_or(Self { per_group: half, spine_up: half })
    }
}

impl Regions {
    /// Ports towards the pods on a core of a full region.
    fn core_down(&self) -> u64 {
        self.pods_each * self.spine_up / self.cores_per_group
    }

    fn cores(&self) -> u64 {
        self.spines * self.cores_per_group
    }

    /// Regions of `pods_each` pods. Fewer pods never take more regions, nor more of anything else.
    fn of(Asked { pods, spines, pod_leaves, .. }: Asked, pods_each: u64, core: Core) -> Self {
        let count = pods.div_ceil(pods_each);
        let Core { per_group: cores_per_group, spine_up } = core;
        Self { count, pods, pods_each, pod_leaves, spines, spine_up, cores_per_group }
    }
}

/// t:1 into the super-cores; at t = 1 and full regions 7N/k switches and 4N links. Where the build without
/// oversubscription has fewer switches it is taken at every ratio, as in three tiers.
///
/// # Errors
/// [`FabricError::TooManyHosts`] and [`FabricError::TooManyRails`].
pub(super) fn four_tier(spec: &FabricSpec) -> Result<FabricDesign, FabricError> {
    let radix = u64::from(spec.radix);
    let half = radix / 2;
    let group = spec.leaf_group();
    if group > half {
        return Err(FabricError::TooManyRails { rails: group, pod_leaves: half });
    }
    let hosts = spec.hosts();
    let limit = radix * half * (half / group * group) * leaf_ports(spec).0;
    let too_many = FabricError::TooManyHosts { hosts, limit, radix: spec.radix };
    if hosts > limit {
        return Err(too_many);
    }
    let mut best: Option<Built> = None;
    for (down, ups) in leaf_splits(spec) {
        let layer = LeafLayer::fill(hosts, group, down);
        if best.as_ref().is_some_and(|held| layer.leaves + 3 >= held.switches()) {
            break;
        }
        for up in ups {
            // More uplinks never take fewer switches at least.
            let least = least_switches(layer.leaves, up, (half, group));
            if best.as_ref().is_some_and(|held| least >= held.switches()) {
                break;
            }
            for ratio in ratios(spec) {
                let Some(found) = Built::of(layer, (down, up), (radix, group), ratio) else { continue };
                if best.as_ref().is_none_or(|held| found.switches() < held.switches()) {
                    best = Some(found);
                }
            }
        }
    }
    best.map(|built| count_parts(spec, &built)).ok_or(too_many)
}

/// Switches of four tiers at least, at any ratio.
///
/// Every pod has as many spines as a leaf has uplinks. The cores of a group carry a link of every leaf of a pod for each
/// pod of their region, on half their ports: c >= p l / (k/2), and all regions hold all pods. A super-core at least stands
/// above each group.
fn least_switches(leaves: u64, up: u64, (half, group): (u64, u64)) -> u64 {
    let pod_leaves = half / group * group;
    let pods = leaves.div_ceil(pod_leaves);
    leaves + pods * up + (up * pods * pod_leaves).div_ceil(half) + up
}

/// What regions are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    pods: u64,
    /// Of a pod.
    spines: u64,
    /// Of a full pod.
    pod_leaves: u64,
    radix: u64,
}

impl Asked {
    /// Regions of `pods_each` pods, and how their cores spread over the super-cores of their group.
    fn joined(self, pods_each: u64, ratio: f64) -> Option<(Regions, Spread)> {
        let core = Core::of(pods_each, self.pod_leaves, self.radix / 2);
        let regions = Regions::of(self, pods_each, core);
        let core_down = regions.core_down();
        let needed = uplinks_for(core_down, ratio);
        let top = spread(regions.count, needed, self.radix - core_down, self.radix)?;
        Some((regions, top))
    }

    /// The size of regions that takes fewest switches without a taper, the largest among equals. Every size is asked, so
    /// that fewer pods never take more switches.
    fn fewest(self) -> Option<(Regions, Spread)> {
        let above = |(regions, top): &(Regions, Spread)| regions.cores() * (regions.count + top.parents);
        // Min takes the first of equals.
        (1..=self.radix / 2).rev().filter_map(|pods_each| self.joined(pods_each, 1.0)).min_by_key(above)
    }
}

/// Questions whose answers a thread keeps.
const KEPT: usize = 2048;
type Answer = Option<(Regions, Spread)>;
thread_local! {
    static KNOWN: RefCell<[Option<(Asked, Answer)>; KEPT]> = const { RefCell::new([None; KEPT]) };
}

/// [`Asked::fewest`]; a search asks for thousands of sizes in order, most of which have as many pods as the one before.
fn fewest(asked: Asked) -> Answer {
    let mixed = (asked.pods * 41 + asked.spines) * 257 + asked.radix * 17 + asked.pod_leaves;
    #[allow(clippy::cast_possible_truncation)] // below the number of places
    let place = (mixed % KEPT as u64) as usize;
    KNOWN.with_borrow_mut(|known| {
        let kept = &mut known[place];
        if let Some((same, answer)) = kept
            && *same == asked
        {
            return *answer;
        }
        let answer = asked.fewest();
        *kept = Some((asked, answer));
        answer
    })
}

/// Leaves, regions and what joins them.
struct Built {
    layer: LeafLayer,
    /// Of a leaf, down and up.
    ports: (u64, u64),
    regions: Regions,
    /// How the cores of the regions spread over the super-cores of their group.
    top: Spread,
}

impl Built {
    /// With a tapered top the regions are full, since what stays inside is not tapered; else as [`fewest`].
    fn of(layer: LeafLayer, ports: (u64, u64), (radix, group): (u64, u64), ratio: f64) -> Option<Self> {
        let half = radix / 2;
        let pod_leaves = half / group * group;
        let asked = Asked { pods: layer.leaves.div_ceil(pod_leaves), spines: ports.1, pod_leaves, radix };
        let (regions, top) = if ratio > 1.0 { asked.joined(half, ratio) } else { fewest(asked) }?;
        Some(Self { layer, ports, regions, top })
    }

    fn switches(&self) -> u64 {
        let Regions { count, pods, spines, .. } = self.regions;
        self.layer.leaves + pods * spines + self.regions.cores() * (count + self.top.parents)
    }
}

fn count_parts(spec: &FabricSpec, built: &Built) -> FabricDesign {
    let &Built { layer, ports: (down, up), regions, top } = built;
    let core_down = regions.core_down();
    let module = u64::from(spec.switch_module_ports);
    let last_leaves = layer.leaves - (regions.pods - 1) * regions.pod_leaves;
    let last_pods = regions.pods - (regions.count - 1) * regions.pods_each;
    let last_down = last_pods * regions.spine_up / regions.cores_per_group;
    let cores = regions.count * regions.cores();
    let supers = regions.cores() * top.parents;
    let super_ports = regions.count * top.uplinks / top.parents;
    let modules = layer.modules(up, module)
        + (regions.pods - 1) * regions.spines * (regions.pod_leaves + regions.spine_up).div_ceil(module)
        + regions.spines * (last_leaves + regions.spine_up).div_ceil(module)
        + (cores - regions.cores()) * (core_down + top.uplinks).div_ceil(module)
        + regions.cores() * (last_down + top.uplinks).div_ceil(module)
        + supers * super_ports.div_ceil(module);
    let share = taper(top.uplinks, core_down);
    let tier = |name, switches, down_ports, up_ports| Tier { name, switches, down_ports, up_ports };
    let link = |name, count| LinkTier { name, count };
    FabricDesign {
        tiers: [
            tier("leaf", layer.leaves, down, up),
            tier("spine", regions.pods * regions.spines, regions.pod_leaves, regions.spine_up),
            tier("core", cores, core_down, top.uplinks),
            tier("super-core", supers, super_ports, 0),
        ]
        .into(),
        links: [
            link("host-leaf", spec.hosts()),
            link("leaf-spine", layer.leaves * up),
            link("spine-core", regions.pods * regions.spines * regions.spine_up),
            link("core-super", cores * top.uplinks),
        ]
        .into(),
        transceivers: spec.transceivers(modules),
        ports_free: layer.free(),
        reach: [
            spec.reach("leaf", spec.servers_on(spec.leaf_group(), down), taper(up, down)),
            spec.reach("spine", spec.servers_on(regions.pod_leaves, down), 1.0),
            spec.reach("core", spec.servers_on(regions.pod_leaves * regions.pods_each, down), share),
            spec.reach("super-core", spec.servers, 1.0),
        ]
        .into(),
        bisection_ports: spec.hosts() as f64 / 2.0 * share * taper(up, down),
        pods: None,
        diameter: 0.0,
    }
}
