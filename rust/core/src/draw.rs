//! Draw by what a card is doing, and what is inside a server's draw beside its cards.
//!
//! Worked out once for an answer, never in the search, which knows only the mean draw of training.

use serde::{Deserialize, Serialize};

use crate::facility::CardPower;
use crate::units::Watts;

/// A share of board power with its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Likely.
    pub value: f64,
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
}

/// What a card draws over its board power by what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseShares {
    /// Matrix products: dense training, prefill.
    pub compute: Share,
    /// Bound by memory: element-wise work, decode.
    pub memory: Share,
    /// In a collective, or waiting in one.
    pub communication: Share,
}

/// One phase of a cluster's work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // the field names are those of the wire contract, documented in docs/plan.md
pub struct PhaseDraw {
    /// `compute`, `memory`, `communication` or `idle`.
    pub phase: &'static str,
    pub card_watts: f64,
    pub card_watts_low: f64,
    pub card_watts_high: f64,
    /// IT power while every card is in the phase; everything beside the cards at its mean draw.
    pub it_megawatts: f64,
    /// Of a step; none where no step is timed.
    pub share_of_step: Option<f64>,
}

/// Draw of a card in a phase: P = min(share, cap) · TDP, and never below idle.
///
/// A power cap holds every phase down to the same watts; phases that draw less are not touched.
#[must_use]
pub fn phase_draw(card: &CardPower, share: f64, cap: f64) -> Watts {
    (card.tdp * share.min(cap)).max(card.idle)
}

/// The phases of a cluster of `cards` cards that draws `it` while a card draws `mean`.
///
/// `spent`: shares of a step in compute, memory and communication, where a step is timed.
#[must_use]
pub fn phases(
    card: &CardPower,
    shares: &PhaseShares,
    cap: f64,
    (cards, mean, it): (u64, Watts, Watts),
    spent: Option<[f64; 3]>,
) -> Vec<PhaseDraw> {
    let beside = it - mean * cards as f64;
    let draw = |phase, share: Share, time: Option<f64>| {
        let at = |share| phase_draw(card, share, cap);
        PhaseDraw {
            phase,
            card_watts: at(share.value).0,
            card_watts_low: at(share.low).0,
            card_watts_high: at(share.high).0,
            it_megawatts: (beside + at(share.value) * cards as f64).0 / 1e6,
            share_of_step: time,
        }
    };
    let idle = Share { value: 0.0, low: 0.0, high: 0.0 };
    vec![
        draw("compute", shares.compute, spent.map(|spent| spent[0])),
        draw("memory", shares.memory, spent.map(|spent| spent[1])),
        draw("communication", shares.communication, spent.map(|spent| spent[2])),
        draw("idle", idle, spent.map(|_| 0.0)),
    ]
}

/// What a server draws beside its cards, by part; the parts sum to the host's draw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostParts {
    /// Processors, memory, boards, pumps, drives.
    pub rest: Watts,
    /// Fans, after what the cooling kind saves.
    pub fans: Watts,
    /// Network interfaces.
    pub nics: Watts,
    /// Lost in supplies and regulators.
    pub conversion_loss: Watts,
}

/// Splits `host` (fans' saving taken off): loss = share · input of the server, NICs and fans as given, the rest by
/// difference. Where a small host leaves no room for all, the loss gives way first, then the NICs, then the fans.
#[must_use]
pub fn host_parts(host: Watts, fans: Watts, nics: Watts, input: Watts, loss_share: f64) -> HostParts {
    let fans = fans.min(host);
    let nics = nics.min(host - fans);
    let loss = (input * loss_share).min(host - fans - nics);
    HostParts { rest: host - fans - nics - loss, fans, nics, conversion_loss: loss }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: CardPower =
        CardPower { tdp: Watts(700.0), idle: Watts(70.0), training_share: 0.9, cap_exponent: 2.7 };

    fn share(value: f64) -> Share {
        Share { value, low: value, high: value }
    }

    #[test]
    fn a_cap_holds_products_down_and_leaves_decode_alone() {
        let drawn = [(1.0, 1.0), (1.0, 0.7), (0.45, 0.7), (0.0, 1.0)]
            .map(|(share, cap)| phase_draw(&H100, share, cap).0.round());
        assert_eq!(drawn, [700.0, 490.0, 315.0, 70.0]);
    }

    #[test]
    fn all_cards_in_one_phase_move_the_cluster_by_what_the_cards_draw() {
        // 1,000 cards at 630 W mean and 370 kW beside them: 1 MW.
        let shares = PhaseShares { compute: share(1.0), memory: share(0.5), communication: share(0.4) };
        let found = phases(&H100, &shares, 1.0, (1000, Watts(630.0), Watts(1e6)), None);
        let megawatts: Vec<f64> = found.iter().map(|phase| phase.it_megawatts).collect();
        for (found, worked) in megawatts.iter().zip([1.07, 0.72, 0.65, 0.44]) {
            assert!((found - worked).abs() < 1e-12, "{found} {worked}");
        }
        assert!(found.iter().all(|phase| phase.share_of_step.is_none()));
    }

    #[test]
    fn a_host_is_split_to_the_watt_and_the_loss_gives_way_where_there_is_no_room() {
        // 3 kW beside the cards of a 9 kW server: 7 % lost, 8 NICs of 25 W, 900 W of fans.
        let parts = host_parts(Watts(3000.0), Watts(900.0), Watts(200.0), Watts(9000.0), 0.07);
        assert!((parts.conversion_loss.0 - 630.0).abs() < 1e-9 && (parts.rest.0 - 1270.0).abs() < 1e-9);
        let small = host_parts(Watts(500.0), Watts(0.0), Watts(200.0), Watts(9000.0), 0.07);
        assert_eq!((small.conversion_loss, small.rest), (Watts(300.0), Watts::ZERO));
    }
}
