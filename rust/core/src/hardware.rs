//! What a cluster is made of, in SI numbers: the device, how devices join, what servers add.
//!
//! Everything here is per *device* (a 910C card is two devices) unless its name says card, server or unit.

use serde::{Deserialize, Serialize};

pub use crate::precision::{PerPrecision, Precision};

use crate::draw::PhaseShares;
use crate::facility::CardPower;
use crate::units::{Bytes, BytesPerSecond, FlopsPerSecond, Seconds, Usd, Watts};
use crate::workload::Software;

/// Shares of the peaks that software reaches on this family of chips (`hardware_specs/efficiency`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Efficiency {
    /// Share of the dense peak of large matrix products.
    pub matmul: PerPrecision<f64>,
    /// Inner size K at which half of that share is reached.
    pub matmul_half_depth: f64,
    /// Share of the dense BF16 peak of fused causal attention, forward.
    pub attention_forward: f64,
    /// Backward share over forward share.
    pub attention_backward_ratio: f64,
    /// Sequence length at which half of the attention share is reached.
    pub attention_half_length: f64,
    /// Share of the nominal memory bandwidth.
    pub memory: f64,
    /// Share of the scale-up bandwidth in large collectives.
    pub scale_up: f64,
    /// Share of the NIC line rate in large collectives.
    pub scale_out: f64,
}

/// One device as the runtime sees it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Dense matrix-engine peak at full clock.
    pub peak: PerPrecision<FlopsPerSecond>,
    /// Best rate that large products were measured at, where somebody did: serving's law, which was fitted on other
    /// chips, does not go beyond it.
    #[serde(default)]
    pub measured: Option<PerPrecision<FlopsPerSecond>>,
    /// Memory that a job can allocate.
    pub memory: Bytes,
    /// Nominal memory bandwidth.
    pub memory_bandwidth: BytesPerSecond,
    /// Shares of the peaks reached.
    pub efficiency: Efficiency,
    /// Host memory for one device, where known.
    #[serde(default)]
    pub host_memory: Option<Bytes>,
    /// Link to the host, one way, where known.
    #[serde(default)]
    pub host_bandwidth: Option<BytesPerSecond>,
}

/// How the members of a scale-up level are wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// Any pair at full rate through switches.
    Switched,
    /// A link to each peer; a pair sees bandwidth/(size-1).
    FullMesh,
    /// Neighbours only; collectives run at full rate round the ring.
    Ring,
    /// Rings in several dimensions.
    Torus,
    /// Through the host's `PCIe` switches.
    Pcie,
}

/// One level of the scale-up interconnect, innermost first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleUpLevel {
    /// Name for people.
    pub name: String,
    /// Devices joined by one instance of the level.
    pub size: u64,
    /// Wiring.
    pub topology: Topology,
    /// One way, per device.
    pub bandwidth: BytesPerSecond,
    /// Per step of a collective.
    pub latency: Seconds,
    /// Switches reduce in flight.
    pub in_network_reduction: bool,
    /// Rate of such reductions over that of a ring; none: that of Hopper (`network.rs`).
    #[serde(default)]
    pub reduction_efficiency: Option<f64>,
}

/// The scale-out fabric one cluster can be built with: one kind and one oversubscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FabricOption {
    /// Id in the spec library.
    pub id: String,
    /// `rail-optimised`, `leaf-spine` or `multi-plane`.
    pub kind: crate::fabric::FabricKind,
    /// Planes of the kind `multi-plane`; its ports per server must be a multiple.
    #[serde(default = "crate::fabric::one")]
    pub planes: u32,
    /// Of the leaves where there are three tiers, at least 1.
    #[serde(default = "crate::fabric::level")]
    pub leaf_oversubscription: f64,
    /// Of the top tier, at least 1.
    pub oversubscription: f64,
    /// Ports of a switch at the port rate.
    pub radix: u32,
    /// Fabric ports per server.
    pub ports_per_server: u32,
    /// One way, per device, over its share of the ports.
    pub bandwidth: BytesPerSecond,
    /// Share of line rate relative to adaptive routing.
    pub share_of_line_rate: f64,
    /// Per step of a collective inside a leaf.
    pub latency: Seconds,
    /// Added per further tier.
    pub latency_per_tier: Seconds,
    /// Switches reduce in flight.
    pub in_network_reduction: bool,
    /// Ports per switch-side transceiver.
    pub switch_module_ports: u32,
    /// Ports per host-side transceiver.
    pub host_module_ports: u32,
    /// Draw of a switch without optics.
    pub switch_power: Watts,
    /// Draw of a switch-side module.
    pub switch_module_power: Watts,
    /// Draw of a host-side module.
    pub host_module_power: Watts,
    /// Price of a switch.
    pub switch_price: Option<Usd>,
    /// Price of a switch-side module.
    pub switch_module_price: Option<Usd>,
    /// Price of a host-side module.
    pub host_module_price: Option<Usd>,
    /// Price of one cable (fibre pair or copper).
    pub cable_price: Option<Usd>,
    /// Rack units of a switch.
    pub switch_height: f64,
    /// Draw of the network interfaces of a server, which its host's power holds; 0: part of the cards, or not told
    /// apart.
    #[serde(default)]
    pub nic_power: Watts,
}

/// One cooling kind the cluster can be built with at the site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoolingOption {
    /// `room-air`, `contained-air`, `rear-door`, `cold-plate`, `immersion`.
    pub kind: String,
    /// Annual mean.
    pub pue: f64,
    /// On the design day.
    pub pue_design_day: f64,
    /// Litres per kWh of IT energy.
    pub wue: Option<f64>,
    /// Practical limit of one rack.
    pub rack_limit: Watts,
    /// Share of the fans' power saved.
    pub fan_saving: f64,
    /// Building with power and cooling, per IT watt.
    pub building_usd_per_watt: Option<f64>,
    /// Share of the IT heat that leaves in a liquid (water at the door of the rack included).
    #[serde(default)]
    pub liquid_share: f64,
    /// Share of the IT heat that chillers take on the design day.
    #[serde(default)]
    pub chilled_share: f64,
    /// Share of board power at which cards stay cool enough on the hottest days that the plan has to hold on.
    #[serde(default = "crate::fabric::level")]
    pub heat_cap: f64,
    /// In each of several halls, in their order; empty: alike everywhere. Of several the figures above are the best of
    /// any, which is what bounds rest on.
    #[serde(default)]
    pub halls: Vec<HallAir>,
}

/// How a cooling kind runs at the supply temperature of one hall; the fields are those of [`CoolingOption`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HallAir {
    pub pue: f64,
    pub pue_design_day: f64,
    pub wue: Option<f64>,
    pub chilled_share: f64,
    pub heat_cap: f64,
}

impl CoolingOption {
    /// The figures where all halls are alike.
    #[must_use]
    pub fn air(&self) -> HallAir {
        let Self { pue, pue_design_day, wue, chilled_share, heat_cap, .. } = *self;
        HallAir { pue, pue_design_day, wue, chilled_share, heat_cap }
    }

    /// Whether cards capped at `power_cap` of their board power stay cool enough.
    #[must_use]
    pub fn holds(&self, power_cap: f64) -> bool {
        power_cap <= self.heat_cap + 1e-9
    }
}

/// One alternative of the hardware: a system of the library with the fabrics, coolings and caps it may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// System id in the spec library.
    pub system: String,
    /// Accelerator id in the spec library.
    pub accelerator: String,
    /// The device.
    pub device: Device,
    /// The framework on this cluster; none: the problem's.
    #[serde(default)]
    pub software: Option<Software>,
    /// Devices the runtime exposes per card.
    pub devices_per_card: u64,
    /// Cards per server.
    pub cards_per_server: u64,
    /// Cards bought whole: of a server or of a scale-up domain.
    pub unit_cards: u64,
    /// Cards in a full scale-up domain.
    pub domain_cards: u64,
    /// Scale-up levels, innermost first.
    pub levels: Vec<ScaleUpLevel>,
    /// Fabrics to choose from.
    pub fabrics: Vec<FabricOption>,
    /// Cooling kinds to choose from.
    pub coolings: Vec<CoolingOption>,
    /// Power caps to choose from, as shares of the board power.
    pub power_caps: Vec<f64>,
    /// Board power of a card.
    pub card_tdp: Watts,
    /// Idle power of a card.
    pub card_idle: Watts,
    /// Mean draw over board power while training at full clock.
    pub card_training_share: f64,
    /// n in P = idle + (TDP - idle) x^n.
    pub cap_exponent: f64,
    /// Typical draw of a server beside its cards.
    pub host_power: Watts,
    /// The fans' part of that.
    pub fan_power: Watts,
    /// Share of a server's input that its supplies and regulators lose, which the host's power holds.
    #[serde(default)]
    pub conversion_loss: f64,
    /// Draw of a card by what it is doing, where a plan is to tell.
    #[serde(default)]
    pub phase_shares: Option<PhaseShares>,
    /// Rated power of a whole server.
    pub server_nameplate: Option<Watts>,
    /// Draw of the interconnect of one full domain (switch trays, optics).
    pub domain_power: Watts,
    /// Racks of one full domain that hold only interconnect.
    pub domain_interconnect_racks: f64,
    /// Switches inside one full domain whose failure stops it.
    #[serde(default)]
    pub domain_switches: f64,
    /// Rack units of a server.
    pub server_height: f64,
    /// Kilograms of a server.
    #[serde(default)]
    pub server_mass: Option<f64>,
    /// Fixed packing of the vendor.
    pub servers_per_rack: Option<u64>,
    /// Failures that stop a job, per server-day.
    pub failures_per_server_day: f64,
    /// Price of one purchase unit.
    pub unit_price: Option<Usd>,
    /// Largest build the vendor supports.
    pub max_cards: Option<u64>,
}

impl Cluster {
    /// Devices of a full scale-up domain, as the levels have it; 1 for cards alone.
    #[must_use]
    pub fn domain_devices(&self) -> f64 {
        self.levels.last().map_or(1.0, |level| level.size as f64)
    }

    /// Devices per server.
    #[must_use]
    pub fn devices_per_server(&self) -> u64 {
        self.cards_per_server * self.devices_per_card
    }

    /// Power of a card.
    #[must_use]
    pub fn card_power(&self) -> CardPower {
        CardPower {
            tdp: self.card_tdp,
            idle: self.card_idle,
            training_share: self.card_training_share,
            cap_exponent: self.cap_exponent,
        }
    }

    /// Servers in one purchase unit.
    #[must_use]
    pub fn unit_servers(&self) -> u64 {
        self.unit_cards.div_ceil(self.cards_per_server)
    }
}
