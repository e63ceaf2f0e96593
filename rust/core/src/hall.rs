//! Where racks stand, and how long the cables between them are.
//!
//! Racks stand in rows in the order of the servers. The leaves of a group stand in network racks in the middle of the
//! racks they serve, the spines of a pod in the middle of its leaves, what joins everything in the middle of all. A cable climbs out of its rack, runs along and across the
//! rows (Manhattan distance) and climbs into the other; some slack is added, and the next length that is sold is taken.

use serde::{Deserialize, Serialize};

use crate::fabric::FabricDesign;

/// Lengths in which cables are sold, in metres.
const SOLD: [u64; 16] = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100, 150, 200, 300, 500, 1000];

/// Racks of one kind of switch that are told apart.
const MOST_RACKS: usize = 1000;

/// The floor of a hall.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// Metres from a rack to its neighbour in the row.
    pub rack_pitch: f64,
    /// Metres from a row to the next, aisle included.
    pub row_pitch: f64,
    /// Racks of a row.
    pub racks_per_row: u64,
    /// Metres from a port to the cable tray above its rack.
    pub riser: f64,
    /// Slack over the way.
    pub slack: f64,
    /// Metres between the rows of one hall and those of the next.
    #[serde(default)]
    pub hall_gap: f64,
}

impl Geometry {
    /// Metres of cable between two places of the row-by-row order; within a rack twice half its riser.
    ///
    /// length = (2 · riser + |rows| · `row_pitch` + |places| · `rack_pitch`) · (1 + slack).
    #[must_use]
    pub fn cable(&self, from: f64, to: f64) -> f64 {
        if (from - to).abs() < 0.5 {
            return self.riser;
        }
        let per_row = self.racks_per_row as f64;
        let row = |place: f64| libm::floor(place / per_row);
        let column = |place: f64| place - row(place) * per_row;
        let across = (row(from) - row(to)).abs() * self.row_pitch;
        let along = (column(from) - column(to)).abs() * self.rack_pitch;
        (2.0 * self.riser + across + along) * (1.0 + self.slack)
    }

    /// The place at which the next hall begins: the next row, and as many more as its distance takes.
    fn next_hall(&self, place: f64) -> f64 {
        let per_row = self.racks_per_row as f64;
        let rows = (place / per_row).ceil() + (self.hall_gap / self.row_pitch).ceil();
        rows * per_row
    }

    /// Floor of `racks` racks with their aisles, in m²: racks · pitch · row pitch. White space, no plant rooms.
    #[must_use]
    pub fn white_space(&self, racks: u64) -> f64 {
        racks as f64 * self.rack_pitch * self.row_pitch
    }
}

/// How machines are packed into racks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packing {
    /// Servers in all.
    pub servers: u64,
    /// Servers in a full rack.
    pub servers_per_rack: u64,
    /// Scale-out switches in a full network rack.
    pub switches_per_rack: u64,
    /// Racks of scale-up interconnect for each compute rack.
    pub interconnect_share: f64,
    /// Several halls in the order of their servers; empty: one.
    pub halls: Vec<HallPacking>,
}

/// The servers of one of several halls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HallPacking {
    /// In the hall.
    pub servers: u64,
    /// In a full rack of it.
    pub servers_per_rack: u64,
}

impl Packing {
    /// The first server of every compute rack, and the hall in which it stands.
    fn racks(&self) -> Vec<(u64, usize)> {
        let one = [HallPacking { servers: self.servers, servers_per_rack: self.servers_per_rack }];
        let halls = if self.halls.is_empty() { &one[..] } else { &self.halls };
        let mut before = 0;
        let mut racks = Vec::new();
        for (place, hall) in halls.iter().enumerate() {
            let each = hall.servers_per_rack.max(1);
            racks.extend((0..hall.servers.div_ceil(each)).map(|rack| (before + rack * each, place)));
            before += hall.servers;
        }
        racks
    }
}

/// Cables of one length between two tiers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CableRow {
    /// `host-leaf`, `leaf-spine`, `spine-core`, `core-super` or `scale-up`.
    pub link: &'static str,
    /// Length as sold.
    pub metres: u64,
    /// Cables.
    pub count: u64,
}

/// Whole cables out of shares of them: what is handed out never departs from the sum by more than a half.
#[derive(Default)]
struct Whole {
    wanted: f64,
    given: u64,
}

impl Whole {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of cables")]
    fn take(&mut self, share: f64) -> u64 {
        self.wanted += share;
        let upto = (self.wanted + 1e-6).floor() as u64;
        let more = upto - self.given;
        self.given = upto;
        more
    }
}

/// Counts by link and length, lowest tier and shortest first.
#[derive(Default)]
struct Sorted {
    rows: Vec<CableRow>,
}

impl Sorted {
    fn add(&mut self, link: &'static str, length: f64, count: u64) {
        if count == 0 {
            return;
        }
        let metres = sold_length(length);
        match self.rows.iter_mut().find(|row| row.link == link && row.metres == metres) {
            Some(row) => row.count += count,
            None => self.rows.push(CableRow { link, metres, count }),
        }
    }
}

/// The shortest sold length that is long enough; beyond a kilometre whole kilometres.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "metres in a hall")]
fn sold_length(length: f64) -> u64 {
    let fits = |metres: &&u64| **metres as f64 >= length - 1e-9;
    SOLD.iter().find(fits).copied().unwrap_or_else(|| (length / 1000.0).ceil() as u64 * 1000)
}

/// A rack of leaves: where it stands, and how many leaves it holds.
struct LeafRack {
    place: f64,
    leaves: u64,
}

/// Cables of the scale-out fabric by length. Counts add up to the links of the design.
#[must_use]
pub fn cable_rows(design: &FabricDesign, packing: &Packing, geometry: &Geometry) -> Vec<CableRow> {
    let mut sorted = Sorted::default();
    let plan = Floor::of(design, packing, geometry);
    plan.host_links(design.links[0].count, geometry, &mut sorted);
    let [leaves, spines, cores, supers] =
        [0, 1, 2, 3].map(|tier| design.tiers.get(tier).map_or(0, |tier| tier.switches));
    let pods = plan.pods(design);
    if let Some(link) = design.links.get(1) {
        let mut whole = Whole::default();
        for pod in &pods {
            let links = link.count as f64 * (held(&pod.leaves) / leaves as f64);
            join((link.name, links), (&pod.leaves, &pod.spines), geometry, &mut sorted, &mut whole);
        }
        sorted.add(link.name, geometry.cable(0.0, 0.0), link.count - whole.given);
    }
    // Spines stand in their pods only where something joins these.
    let core_racks = plan.centre(0, cores);
    if let Some(link) = design.links.get(2) {
        let mut whole = Whole::default();
        for pod in &pods {
            let links = link.count as f64 * (held(&pod.spines) / spines as f64);
            join((link.name, links), (&pod.spines, &core_racks), geometry, &mut sorted, &mut whole);
        }
        sorted.add(link.name, geometry.cable(0.0, 0.0), link.count - whole.given);
    }
    if let Some(link) = design.links.get(3) {
        let mut whole = Whole::default();
        let above = plan.centre(cores, supers);
        join((link.name, link.count as f64), (&core_racks, &above), geometry, &mut sorted, &mut whole);
        sorted.add(link.name, geometry.cable(0.0, 0.0), link.count - whole.given);
    }
    let order = |link: &str| design.links.iter().position(|tier| tier.name == link);
    sorted.rows.sort_by_key(|row| (order(row.link), row.metres));
    sorted.rows
}

/// Racks of one kind of switch: their places and what they hold.
type Held = Vec<(f64, u64)>;

/// Leaves that meet in spines of their own, or all leaves.
#[derive(Default)]
struct Pod {
    leaves: Held,
    spines: Held,
}

/// Switches in all.
fn held(racks: &[(f64, u64)]) -> f64 {
    racks.iter().map(|(_, switches)| *switches).sum::<u64>() as f64
}

/// Neighbours together where there are more racks than [`MOST_RACKS`]: each handful stands at its middle, which moves a
/// cable of kilometres by less than a row.
fn coarse(racks: &[(f64, u64)]) -> Held {
    racks
        .chunks(racks.len().div_ceil(MOST_RACKS).max(1))
        .map(|few| {
            let middle = few.iter().map(|(place, _)| place).sum::<f64>() / few.len() as f64;
            (middle, few.iter().map(|(_, switches)| switches).sum())
        })
        .collect()
}

/// Links spread evenly over all pairs of two kinds of switches.
fn join(
    (name, links): (&'static str, f64),
    (lower, upper): (&Held, &Held),
    geometry: &Geometry,
    sorted: &mut Sorted,
    whole: &mut Whole,
) {
    let each = links / (held(lower) * held(upper));
    let upper = coarse(upper);
    for (from, below) in &coarse(lower) {
        for (to, above) in &upper {
            let share = each * (*below * *above) as f64;
            sorted.add(name, geometry.cable(*from, *to), whole.take(share));
        }
    }
}

/// The order of the racks.
struct Floor {
    packing: Packing,
    /// First server and hall of every compute rack.
    racks: Vec<(u64, usize)>,
    /// Servers that share a network rack of leaves.
    block: u64,
    /// Network racks of leaves, in order; of a block they stand side by side.
    leaf_racks: Vec<LeafRack>,
    racks_per_block: usize,
    /// Places taken by compute racks, by their index.
    compute: Vec<f64>,
    middle: f64,
}

impl Floor {
    fn of(design: &FabricDesign, packing: &Packing, geometry: &Geometry) -> Self {
        let leaves = design.tiers[0].switches;
        let group_servers = design.reach[0].servers.max(1);
        let groups = packing.servers.div_ceil(group_servers).max(1);
        let per_group = leaves.div_ceil(groups).max(1);
        let shared = (packing.switches_per_rack / per_group).max(1);
        let block = group_servers * shared;
        let racks_per_block = (per_group * shared).div_ceil(packing.switches_per_rack).max(1);
        let racks = packing.racks();
        let stretch = 1.0 + packing.interconnect_share;
        let mut floor = Self {
            packing: packing.clone(),
            racks: racks.clone(),
            block,
            leaf_racks: Vec::new(),
            racks_per_block: usize::try_from(racks_per_block).unwrap_or(1),
            compute: Vec::new(),
            middle: 0.0,
        };
        let mut place = 0.0;
        let mut left = leaves;
        let mut next = 0;
        for number in 0..packing.servers.div_ceil(block) {
            // Racks whose first server is in this block; half of them stand before its network racks.
            let end = racks.partition_point(|(first, _)| *first < (number + 1) * block);
            let before = next + (end - next) / 2;
            for index in next..end {
                if index == before {
                    floor.place_leaves(&mut place, &mut left, racks_per_block, per_group * shared);
                }
                if index > 0 && racks[index].1 != racks[index - 1].1 {
                    place = geometry.next_hall(place);
                }
                floor.compute.push(place);
                place += stretch;
            }
            if next >= end {
                floor.place_leaves(&mut place, &mut left, racks_per_block, per_group * shared);
            }
            next = end;
        }
        floor.middle = place / 2.0;
        floor
    }

    fn place_leaves(&mut self, place: &mut f64, left: &mut u64, racks: u64, leaves: u64) {
        let mut here = leaves.min(*left);
        *left -= here;
        let each = leaves.div_ceil(racks);
        for _ in 0..racks {
            let held = each.min(here);
            here -= held;
            self.leaf_racks.push(LeafRack { place: *place, leaves: held });
            *place += 1.0;
        }
    }

    /// Links of servers to the leaves of their block; those of other machines start beside the leaves.
    fn host_links(&self, count: u64, geometry: &Geometry, sorted: &mut Sorted) {
        let each = count as f64 / self.packing.servers as f64;
        let mut whole = Whole::default();
        for (index, place) in self.compute.iter().enumerate() {
            let first = self.racks[index].0;
            let last = self.racks.get(index + 1).map_or(self.packing.servers, |(next, _)| *next);
            // A rack may lie across two blocks.
            let mut server = first;
            while server < last {
                let block = server / self.block;
                let upto = last.min((block + 1) * self.block);
                let from = usize::try_from(block).unwrap_or(0) * self.racks_per_block;
                let racks = &self.leaf_racks[from..from + self.racks_per_block];
                let leaves: u64 = racks.iter().map(|rack| rack.leaves).sum();
                for rack in racks.iter().filter(|rack| rack.leaves > 0) {
                    let share = (upto - server) as f64 * each * rack.leaves as f64 / leaves as f64;
                    sorted.add("host-leaf", geometry.cable(*place, rack.place), whole.take(share));
                }
                server = upto;
            }
        }
        sorted.add("host-leaf", geometry.cable(0.0, 0.0), count - whole.given);
    }

    /// The leaves of every pod with its spines in their middle; with two tiers all leaves, and the spines in the middle of
    /// the hall. All pods but the last are full.
    fn pods(&self, design: &FabricDesign) -> Vec<Pod> {
        let Some(spine) = design.tiers.get(1) else { return Vec::new() };
        let all = design.tiers[0].switches;
        let per_pod = match design.pods {
            Some(pods) => pods.leaves,
            None if design.tiers.len() > 2 => spine.down_ports,
            None => all,
        };
        let count = all.div_ceil(per_pod.max(1));
        let mut pods: Vec<Pod> = (0..count).map(|_| Pod::default()).collect();
        let mut next = 0;
        for rack in &self.leaf_racks {
            // A rack may lie across two pods.
            let end = next + rack.leaves;
            while next < end {
                let pod = next / per_pod;
                let upto = end.min((pod + 1) * per_pod);
                pods[usize::try_from(pod).unwrap_or(0)].leaves.push((rack.place, upto - next));
                next = upto;
            }
        }
        let mut left = spine.switches;
        let each = spine.switches.div_ceil(count);
        for pod in &mut pods {
            let spines = design.pods.map_or(each, |pods| pods.spines).min(left);
            left -= spines;
            let middle = match (count, pod.leaves.first(), pod.leaves.last()) {
                (2.., Some((first, _)), Some((last, _))) => libm::floor(f64::midpoint(*first, *last)),
                _ => self.middle,
            };
            pod.spines = self.standing(middle, 0, spines);
        }
        pods
    }

    /// Racks in the middle of the hall that hold switches `from` to `from + count`: their places and what they hold.
    fn centre(&self, from: u64, count: u64) -> Held {
        self.standing(self.middle, from, count)
    }

    /// Racks from `middle` on that hold switches `from` to `from + count`.
    fn standing(&self, middle: f64, from: u64, count: u64) -> Held {
        let per_rack = self.packing.switches_per_rack;
        let (mut held, mut racks) = (Vec::new(), from / per_rack);
        let mut next = from;
        while next < from + count {
            let end = ((racks + 1) * per_rack).min(from + count);
            held.push((middle + racks as f64, end - next));
            next = end;
            racks += 1;
        }
        held
    }
}

/// Cables of the scale-up links of one domain by length: every server to every interconnect rack, which stand in the
/// middle of the domain's racks. Without such racks the links stay in their racks.
#[must_use]
pub fn scale_up_rows(
    cables: u64,
    compute_racks: u64,
    interconnect_racks: u64,
    geometry: &Geometry,
) -> Vec<CableRow> {
    let mut sorted = Sorted::default();
    let mut whole = Whole::default();
    let half = compute_racks / 2;
    for rack in 0..compute_racks {
        let place = if rack < half { rack } else { rack + interconnect_racks } as f64;
        if interconnect_racks == 0 {
            let share = cables as f64 / compute_racks as f64;
            sorted.add("scale-up", geometry.cable(place, place), whole.take(share));
        }
        for other in 0..interconnect_racks {
            let share = cables as f64 / (compute_racks * interconnect_racks) as f64;
            sorted.add("scale-up", geometry.cable(place, (half + other) as f64), whole.take(share));
        }
    }
    sorted.rows.sort_by_key(|row| row.metres);
    sorted.rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALL: Geometry = Geometry {
        rack_pitch: 0.6,
        row_pitch: 3.0,
        racks_per_row: 20,
        riser: 2.0,
        slack: 0.1,
        hall_gap: 0.0,
    };

    #[test]
    fn a_cable_climbs_twice_and_runs_along_and_across() {
        // 10 places along: (4 + 6) · 1.1; three rows on: (4 + 9) · 1.1; in the rack one riser.
        assert!((HALL.cable(0.0, 10.0) - 11.0).abs() < 1e-9);
        assert!((HALL.cable(5.0, 65.0) - 14.3).abs() < 1e-9);
        assert!((HALL.cable(3.0, 3.0) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn lengths_are_those_sold() {
        assert_eq!([0.4, 2.0, 2.1, 51.0, 1400.0].map(sold_length), [1, 2, 3, 100, 2000]);
    }

    #[test]
    fn many_racks_are_taken_in_handfuls_that_hold_as_many_switches() {
        let racks: Held = (0..2500).map(|place| (f64::from(place), 3)).collect();
        let few = coarse(&racks);
        assert_eq!((few.len(), few[0], few[833]), (834, (1.0, 9), (2499.0, 3)));
        assert!((held(&few) - 7500.0).abs() < 1e-9);
        assert_eq!(coarse(&racks[..1000]), racks[..1000]);
    }

    #[test]
    fn whole_cables_add_up_to_their_shares() {
        let mut whole = Whole::default();
        let given: u64 = (0..7).map(|_| whole.take(10.0 / 7.0)).sum();
        assert_eq!(given, 10);
    }

    #[test]
    fn the_optical_links_of_a_cloudmatrix_stay_within_one_row_of_sixteen_racks() {
        let rows = scale_up_rows(2688, 12, 4, &HALL);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 2688);
        // The farthest pair is nine places apart: (4 + 5.4) · 1.1 = 10.3 m.
        assert_eq!(rows.last().map(|row| row.metres), Some(15));
    }
}
