//! Storage servers: as many as the checkpoints and the data of a job ask for, by rate and by room.

use serde::{Deserialize, Serialize};

use super::terms::Recovery;
use crate::units::{Bytes, Usd, Watts};

/// One storage server, and what is kept on all of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSpec {
    /// Bytes per second that clients write to one server, copies counted.
    pub write_bytes_per_second: f64,
    /// Bytes per second that clients read from one server.
    pub read_bytes_per_second: f64,
    /// Bytes that one server keeps for clients, after copies and free space.
    pub bytes: f64,
    /// Bytes per second that one server of cards writes or reads at most.
    pub client_bytes_per_second: f64,
    /// Checkpoints that are kept.
    pub checkpoints: f64,
    /// Bytes of training data.
    pub data_bytes: f64,
    /// Time within which a checkpoint is to be written or read; none: at the rates given.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// The user named the rate of writing: the store is built for that, whatever `seconds` asks.
    #[serde(default)]
    pub write_given: bool,
    /// Bytes per second that a store shared by the whole cluster takes in for each card, whatever one checkpoint asks.
    #[serde(default)]
    pub write_per_card: f64,
    /// Bytes per second that such a store gives out for each card.
    #[serde(default)]
    pub read_per_card: f64,
    /// Fewest servers: copies stand on different ones.
    pub fewest: u64,
    /// Draw of a server; the rating is taken to be the same.
    pub power: Watts,
    /// Rack units of a server.
    pub height: f64,
    /// Price of a server.
    #[serde(default)]
    pub price: Option<Usd>,
}

impl StorageSpec {
    /// Servers for a job on `clients` servers of `cards` cards in all: the largest of ceil(write rate / write of one),
    /// ceil(read rate / read of one) and ceil((checkpoints kept · size + data) / room of one), at least `fewest`.
    ///
    /// The rates are those that write or read a checkpoint in `seconds`, at most those given, as far as the servers of
    /// the job can take them; at least cards · the rate per card of sizing guides, unless the user named a rate.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of servers")]
    pub fn servers(&self, recovery: &Recovery, checkpoint: Bytes, clients: u64, cards: u64) -> u64 {
        let up = |wanted: f64, each: f64| (wanted / each - 1e-9).ceil().max(0.0) as u64;
        let reachable = self.client_bytes_per_second * clients as f64;
        let needed = self.seconds.map_or(reachable, |seconds| reachable.min(checkpoint.0 / seconds));
        let write =
            recovery.checkpoint_bytes_per_second.min(if self.write_given { reachable } else { needed });
        let read = recovery.load_bytes_per_second.unwrap_or(write).min(needed);
        let guided = |each: f64| if self.write_given { 0.0 } else { reachable.min(each * cards as f64) };
        let kept = self.checkpoints * checkpoint.0 + self.data_bytes;
        up(write.max(guided(self.write_per_card)), self.write_bytes_per_second)
            .max(up(read.max(guided(self.read_per_card)), self.read_bytes_per_second))
            .max(up(kept, self.bytes))
            .max(self.fewest)
    }

    /// The terms of `recovery` at the rates that so many storage servers give and the servers of the job take.
    #[must_use]
    pub fn carried(&self, recovery: &Recovery, servers: u64, clients: u64) -> Recovery {
        let reachable = self.client_bytes_per_second * clients as f64;
        let most = |each: f64| reachable.min(each * servers as f64);
        Recovery {
            checkpoint_bytes_per_second: recovery
                .checkpoint_bytes_per_second
                .min(most(self.write_bytes_per_second)),
            load_bytes_per_second: recovery
                .load_bytes_per_second
                .map(|rate| rate.min(most(self.read_bytes_per_second))),
            ..*recovery
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::Save;

    const RECOVERY: Recovery = Recovery {
        checkpoint_bytes_per_second: 100e9,
        checkpoint_stall_seconds: 2.0,
        recovery_seconds: 600.0,
        checkpoint_bytes_per_parameter: 14.0,
        load_bytes_per_second: Some(150e9),
        save: Save::Asynchronous,
        memory: None,
        interval_seconds: None,
        failures: None,
    };

    const SERVER: StorageSpec = StorageSpec {
        write_bytes_per_second: 8e9,
        read_bytes_per_second: 40e9,
        bytes: 65e12,
        client_bytes_per_second: 20e9,
        checkpoints: 20.0,
        data_bytes: 62e12,
        seconds: None,
        write_given: false,
        write_per_card: 0.0,
        read_per_card: 0.0,
        fewest: 3,
        power: Watts(900.0),
        height: 2.0,
        price: None,
    };

    #[test]
    fn the_hungriest_of_writes_reads_and_room_counts() {
        // 100 / 8 = 12.5 by writes, 150 / 40 = 3.75 by reads, (20 · 5.7 + 62) / 65 = 2.7 by room.
        assert_eq!(SERVER.servers(&RECOVERY, Bytes(5.7e12), 2048, 16_384), 13);
        // 400 checkpoints of 5.7 TB and the data: 2,342 / 65.
        assert_eq!(
            StorageSpec { checkpoints: 400.0, ..SERVER }.servers(&RECOVERY, Bytes(5.7e12), 2048, 16_384),
            37
        );
        let reads = Recovery { load_bytes_per_second: Some(900e9), ..RECOVERY };
        assert_eq!(SERVER.servers(&reads, Bytes(5.7e12), 2048, 16_384), 23);
    }

    #[test]
    fn few_clients_ask_for_no_more_than_they_can_take() {
        // Two servers write 40 GB/s at most: five; one 20 GB/s: three, as many as copies need.
        assert_eq!(SERVER.servers(&RECOVERY, Bytes(1e11), 2, 16), 5);
        assert_eq!(SERVER.servers(&RECOVERY, Bytes(1e11), 1, 8), 3);
    }

    #[test]
    fn a_checkpoint_that_is_small_asks_for_no_fast_store_and_is_timed_with_the_one_there_is() {
        // 1 TB within a minute is 16.7 GB/s: three servers; 5.7 TB 95 GB/s: twelve.
        let need = StorageSpec { seconds: Some(60.0), ..SERVER };
        assert_eq!(need.servers(&RECOVERY, Bytes(1e12), 2048, 16_384), 3);
        assert_eq!(need.servers(&RECOVERY, Bytes(5.7e12), 2048, 16_384), 12);
        let timed = need.carried(&RECOVERY, 3, 2048);
        assert!((timed.checkpoint_bytes_per_second - 24e9).abs() < 1.0);
        assert!((timed.load_bytes_per_second.unwrap() - 120e9).abs() < 1.0);
        // One server of cards takes 20 GB/s, whatever stands at the other end.
        assert!((need.carried(&RECOVERY, 13, 1).checkpoint_bytes_per_second - 20e9).abs() < 1.0);
    }

    #[test]
    fn a_store_grows_with_the_cards_where_one_checkpoint_asks_for_less() {
        // 20 GB/s written and 40 GB/s read for 32 nodes of 8: 0.078125 and 0.15625 GB/s a card. 16,384 cards write
        // 1,280 GB/s, 160 servers of 8 GB/s; 65,536 four times that; the reads ask for 64 and 256.
        let guided = StorageSpec {
            seconds: Some(60.0),
            write_per_card: 20e9 / 256.0,
            read_per_card: 40e9 / 256.0,
            ..SERVER
        };
        assert_eq!(guided.servers(&RECOVERY, Bytes(5.7e12), 2048, 16_384), 160);
        assert_eq!(guided.servers(&RECOVERY, Bytes(5.7e12), 8192, 65_536), 640);
        // 384 cards: 30 GB/s are four servers; 64 of them: the three that copies need.
        assert_eq!(guided.servers(&RECOVERY, Bytes(1e12), 48, 384), 4);
        assert_eq!(guided.servers(&RECOVERY, Bytes(1e11), 8, 64), 3);
        // Checkpoints larger than the guide thinks of: (20 · 500 + 62) TB over 65 TB of room, as without it.
        assert_eq!(guided.servers(&RECOVERY, Bytes(500e12), 8, 64), 155);
        // Who names a rate gets the store for that rate.
        let given = StorageSpec { write_given: true, ..guided };
        assert_eq!(given.servers(&RECOVERY, Bytes(5.7e12), 2048, 16_384), 13);
    }

    #[test]
    fn a_rate_of_writing_by_hand_asks_for_no_faster_reads() {
        // 5.7 TB within a minute are 95 GB/s: twelve servers write them, three read them.
        let given = StorageSpec { seconds: Some(60.0), write_given: true, ..SERVER };
        let at = |rate: f64| {
            let recovery = Recovery {
                checkpoint_bytes_per_second: rate,
                load_bytes_per_second: Some(900e9),
                ..RECOVERY
            };
            given.servers(&recovery, Bytes(5.7e12), 2048, 16_384)
        };
        assert_eq!([at(1e9), at(40e9), at(95e9), at(200e9)], [3, 5, 12, 25]);
    }

    #[test]
    fn the_tectonic_of_llama_3_comes_out_of_its_own_figures() {
        // 240 PB and 2 TB/s sustained on 7,500 servers: 32 TB and 0.267 GB/s of each.
        let tectonic = StorageSpec {
            write_bytes_per_second: 2e12 / 7500.0,
            read_bytes_per_second: 7e12 / 7500.0,
            bytes: 32e12,
            checkpoints: 0.0,
            data_bytes: 240e15,
            ..SERVER
        };
        let rates =
            Recovery { checkpoint_bytes_per_second: 2e12, load_bytes_per_second: Some(7e12), ..RECOVERY };
        assert_eq!(tectonic.servers(&rates, Bytes(5.7e12), 2048, 16_384), 7500);
    }
}
