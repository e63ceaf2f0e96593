//! Times of collectives on a hierarchy of levels: alpha-beta, the fastest algorithm that the levels support.
//!
//! Source of the forms: Thakur, Rabenseifner, Gropp 2005; NCCL's tuner for the latency terms
//! (`hardware_specs` carries its constants). Bytes are those of one rank.

use crate::network::{Group, Span};
use crate::units::{Bytes, Seconds};

/// How the phases of the levels follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phases {
    /// One after another: transfers too small to be cut (per-layer traffic).
    Sequential,
    /// Overlapped chunk by chunk: the slowest level counts (bulk traffic, e.g. gradients).
    Pipelined,
}

/// Steps to reach `members` (at least 1): recursive doubling, log2 n rounded up, which beats the ring's n-1 everywhere.
///
/// Read off the exponent, since a search asks this for every candidate: n lies in [2^e, 2^(e+1)).
fn steps(members: f64) -> f64 {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    const BIAS: u64 = 1023;
    let bits = members.to_bits();
    let power_of_two = bits << (u64::BITS - FRACTION_BITS) == 0;
    ((bits >> FRACTION_BITS).saturating_sub(BIAS) + u64::from(!power_of_two)) as f64
}

fn combine(phases: Phases, total: Seconds, term: Seconds) -> Seconds {
    match phases {
        Phases::Sequential => total + term,
        Phases::Pipelined => total.max(term),
    }
}

/// All-gather to `total` bytes on every rank, or reduce-scatter of `total` bytes from every rank.
///
/// Level by level t = (n-1)/n x S/B + alpha log2 n, where S shrinks by n from each level to the next outer one.
#[must_use]
pub fn all_gather(group: &Group, total: Bytes, phases: Phases) -> Seconds {
    let mut carried = total;
    let mut transfer = Seconds::ZERO;
    let mut latency = Seconds::ZERO;
    for span in group.spans() {
        transfer = combine(phases, transfer, carried * span.lacking / span.bandwidth);
        latency += span.latency * steps(span.members);
        carried = carried / span.members;
    }
    transfer + latency
}

/// All-reduce of `buffer` bytes per rank: reduce-scatter and all-gather, or in the switches where that is faster.
#[must_use]
pub fn all_reduce(group: &Group, buffer: Bytes, phases: Phases) -> Seconds {
    let mut carried = buffer;
    let mut transfer = Seconds::ZERO;
    let mut latency = Seconds::ZERO;
    for span in group.spans() {
        transfer = combine(phases, transfer, level_all_reduce(span, carried));
        latency += span.latency * (2.0 * steps(span.members));
        carried = carried / span.members;
    }
    transfer + latency
}

fn level_all_reduce(span: &Span, bytes: Bytes) -> Seconds {
    let n = span.members;
    let ring = bytes * (2.0 * (n - 1.0) / n) / span.bandwidth;
    span.reduction.map_or(ring, |share| ring.min(bytes * ((n + 1.0) / n) / (span.bandwidth * share)))
}

/// All-to-all of `bytes` per rank: each level carries the share that leaves its inner level.
///
/// `copies` are how many copies of a byte cross the innermost level, and how many the levels beyond, where plain
/// all-to-all would send one (below 1 when a token goes once per rank, or once per server and is forwarded inside).
#[must_use]
pub fn all_to_all(group: &Group, bytes: Bytes, copies: (f64, f64)) -> Seconds {
    let mut inside = 1.0;
    let mut time = Seconds::ZERO;
    let mut latency = Seconds::ZERO;
    for (index, span) in group.spans().enumerate() {
        let reached = inside * span.members;
        let share = (reached - inside) / group.size;
        let crossing = if index == 0 { copies.0 } else { copies.1 };
        time = time.max(bytes * (share * crossing) / span.bandwidth);
        latency += span.latency * steps(span.members);
        inside = reached;
    }
    time + latency
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{IN_NETWORK_EFFICIENCY, Level, Network};
    use crate::units::BytesPerSecond;

    fn network(in_network_reduction: bool) -> Network {
        let level = |size, bandwidth| Level {
            name: String::new(),
            size,
            bandwidth: BytesPerSecond(bandwidth),
            latency: Seconds::ZERO,
            mesh: None,
            reduction: in_network_reduction.then_some(IN_NETWORK_EFFICIENCY),
        };
        Network { levels: vec![level(8.0, 100.0), level(f64::INFINITY, 10.0)] }
    }

    #[test]
    fn ring_inside_one_level_is_the_textbook_form() {
        let group = network(false).group(1.0, 8.0);
        let time = all_reduce(&group, Bytes(800.0), Phases::Sequential);
        assert!((time.0 - 2.0 * 7.0 / 8.0 * 800.0 / 100.0).abs() < 1e-12);
    }

    #[test]
    fn two_levels_in_sequence_add_their_phases() {
        // Reduce-scatter inside: 7/8 x 800/100 = 7; across 4 servers: 3/4 x 100/10 = 7.5.
        let group = network(false).group(1.0, 32.0);
        assert!((all_gather(&group, Bytes(800.0), Phases::Sequential).0 - 14.5).abs() < 1e-12);
        assert!((all_gather(&group, Bytes(800.0), Phases::Pipelined).0 - 7.5).abs() < 1e-12);
    }

    #[test]
    fn switches_that_reduce_beat_the_ring_of_8_by_a_quarter_to_a_third() {
        let ring = all_reduce(&network(false).group(1.0, 8.0), Bytes(1e9), Phases::Sequential);
        let switched = all_reduce(&network(true).group(1.0, 8.0), Bytes(1e9), Phases::Sequential);
        let gain = ring / switched;
        assert!((gain - 480.0 / 367.0).abs() < 0.03, "gain {gain}");
    }

    #[test]
    fn all_to_all_is_bound_by_the_share_that_leaves_the_server() {
        // 16 ranks in 2 servers: half of 160 bytes crosses at 10, 7/16 stays at 100.
        let group = network(false).group(1.0, 16.0);
        assert!((all_to_all(&group, Bytes(160.0), (1.0, 1.0)).0 - 8.0).abs() < 1e-12);
    }

    #[test]
    fn steps_are_the_logarithm_rounded_up() {
        let textbook = |members: f64| libm::ceil(libm::log2(members));
        for members in (1..=1 << 20).map(f64::from) {
            assert_eq!(steps(members), textbook(members), "{members}");
            // Groups that fill their last domain in part have a broken number of members outside.
            for inside in [3.0, 8.0, 48.0, 384.0] {
                let outside = (members / inside).max(1.0);
                assert_eq!(steps(outside), textbook(outside), "{members} / {inside}");
            }
        }
        assert_eq!([1.0, 1.5, 2.0, 5.0, 8.0].map(steps), [0.0, 1.0, 1.0, 3.0, 3.0]);
    }

    #[test]
    fn one_rank_costs_nothing() {
        let group = network(false).group(1.0, 1.0);
        assert_eq!(all_reduce(&group, Bytes(1e9), Phases::Sequential), Seconds::ZERO);
    }
}
