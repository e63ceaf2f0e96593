//! What fails: failures of a job by component, scaled by how many of each there are.

use serde::{Deserialize, Serialize};

/// Parts of a server's published failure rate. What is left to 1 is the network, which is counted by piece instead.
///
/// Source of the usual split: 419 unexpected interruptions of Llama 3 405B by cause (arXiv 2407.21783, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Cards and their memory, silent corruption and heat among them.
    pub card: f64,
    /// CPUs, memory, disks, power supplies, chassis, unplanned maintenance of the host.
    pub host: f64,
    /// NICs.
    pub nic: f64,
    /// Software, dependencies, time-outs nobody explained.
    pub software: f64,
}

/// How many of each thing a job stands on, and how often one of them stops it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposed {
    /// Servers.
    pub servers: f64,
    /// Published failures that stop a job, per server-day, all causes.
    pub per_server_day: f64,
    /// Its parts.
    pub shares: Shares,
    /// Cables with a transceiver at both ends.
    pub links: f64,
    /// Per link-day.
    pub per_link_day: f64,
    /// Switches, those inside scale-up domains among them.
    pub switches: f64,
    /// Per switch-day.
    pub per_switch_day: f64,
}

/// Failures of a job per day, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Causes {
    /// Cards.
    pub card: f64,
    /// Hosts.
    pub host: f64,
    /// NICs.
    pub nic: f64,
    /// Optical links of the scale-out network.
    pub optics: f64,
    /// Switches.
    pub switch: f64,
    /// Software.
    pub software: f64,
}

impl Causes {
    /// λ = servers · r · share for what stands in servers, pieces · rate for links and switches.
    #[must_use]
    pub fn of(exposed: &Exposed) -> Self {
        let servers = exposed.servers * exposed.per_server_day;
        let Shares { card, host, nic, software } = exposed.shares;
        Self {
            card: servers * card,
            host: servers * host,
            nic: servers * nic,
            optics: exposed.links * exposed.per_link_day,
            switch: exposed.switches * exposed.per_switch_day,
            software: servers * software,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.card + self.host + self.nic + self.optics + self.switch + self.software
    }
}

impl Shares {
    /// The part after which a server has to be repaired.
    #[must_use]
    pub fn hardware(&self) -> f64 {
        self.card + self.host + self.nic
    }
}

/// Availability of something that is repaired: MTBF / (MTBF + MTTR), both in the same unit.
#[must_use]
pub fn availability(mtbf: f64, mttr: f64) -> f64 {
    if mtbf.is_infinite() {
        return 1.0;
    }
    mtbf / (mtbf + mttr)
}

/// Stragglers that nobody has noticed yet: what share of its speed a job loses to them.
///
/// A server turns slow now and then (memoryless) and is found after a while; while at least one is slow, the job runs
/// at its pace: loss = (1 - exp(-servers · rate · time to find)) · (1 - 1/slowdown). `slowdown` is the time of a step
/// with a straggler over that without, at least 1.
#[must_use]
pub fn straggler_loss(servers: f64, per_server_day: f64, days_to_find: f64, slowdown: f64) -> f64 {
    -libm::expm1(-servers * per_server_day * days_to_find) * (1.0 - 1.0 / slowdown.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_3_fails_by_cause_as_its_table_says() {
        // Counts of 419 in 54 days on 2,048 servers; the fabric has 49,152 links and 1,280 switches.
        let exposed = Exposed {
            servers: 2048.0,
            per_server_day: 419.0 / 54.0 / 2048.0,
            shares: Shares {
                card: 268.0 / 419.0,
                host: 46.0 / 419.0,
                nic: 7.0 / 419.0,
                software: 63.0 / 419.0,
            },
            links: 49_152.0,
            per_link_day: 34.0 / 54.0 / 49_152.0,
            switches: 1280.0,
            per_switch_day: 1.0 / 54.0 / 1280.0,
        };
        let causes = Causes::of(&exposed);
        assert!((causes.total() * 54.0 - 419.0).abs() < 1e-9);
        assert!((causes.card * 54.0 - 268.0).abs() < 1e-9);
        assert!((exposed.shares.hardware() - 321.0 / 419.0).abs() < 1e-12);
    }

    #[test]
    fn stragglers_cost_at_most_the_pace_of_the_slowest() {
        assert_eq!(straggler_loss(100.0, 0.0, 1.0, 1.5), 0.0);
        assert!((straggler_loss(1e9, 1.0, 1.0, 1.25) - 0.2).abs() < 1e-12);
        // One expected straggler, twice as slow: half the time is lost with probability 1 - 1/e.
        assert!((straggler_loss(1000.0, 1e-3, 1.0, 2.0) - 0.5 * (1.0 - (-1.0_f64).exp())).abs() < 1e-12);
    }
}
