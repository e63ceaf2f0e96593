//! A small problem that tests vary: a dense model on servers of eight, two fabrics, two coolings.

#![allow(dead_code)] // each test file uses its part

pub mod services;

use planner_core::fabric::FabricKind;
use planner_core::hardware::{
    Cluster, CoolingOption, Device, Efficiency, FabricOption, PerPrecision, Precision, ScaleUpLevel, Topology,
};
use planner_core::model::{Attention, Model, Moe};
use planner_core::plant::{Economics, FailureModel, RackCeiling, Recovery, Save, Site, SparePolicy};
use planner_core::problem::{Axis, ExpertTensor, Limits, Objective, Problem, Search, Space, Target};
use planner_core::reliability::causes::Shares;
use planner_core::training::layout::Recompute;
use planner_core::units::{Bytes, BytesPerSecond, FlopsPerSecond, Seconds, Usd, Watts};
use planner_core::workload::{Software, Training};

pub fn efficiency() -> Efficiency {
    Efficiency {
        matmul: PerPrecision { bf16: 0.7, fp8: Some(0.7), fp4: None, int8: None },
        matmul_half_depth: 200.0,
        attention_forward: 0.4,
        attention_backward_ratio: 0.75,
        attention_half_length: 500.0,
        memory: 0.8,
        scale_up: 0.7,
        scale_out: 0.65,
    }
}

pub fn device() -> Device {
    Device {
        peak: PerPrecision {
            bf16: FlopsPerSecond(300e12),
            fp8: Some(FlopsPerSecond(600e12)),
            fp4: None,
            int8: None,
        },
        memory: Bytes(60e9),
        memory_bandwidth: BytesPerSecond(2e12),
        efficiency: efficiency(),
        host_memory: None,
        host_bandwidth: None,
        measured: None,
    }
}

pub fn fabric(oversubscription: f64) -> FabricOption {
    FabricOption {
        id: "test-fabric".into(),
        kind: FabricKind::RailOptimised,
        oversubscription,
        radix: 16,
        ports_per_server: 8,
        planes: 1,
        leaf_oversubscription: 1.0,
        bandwidth: BytesPerSecond(25e9),
        share_of_line_rate: 1.0,
        latency: Seconds(10e-6),
        latency_per_tier: Seconds(1e-6),
        in_network_reduction: false,
        switch_module_ports: 2,
        host_module_ports: 1,
        switch_power: Watts(800.0),
        switch_module_power: Watts(16.0),
        host_module_power: Watts(9.0),
        switch_price: Some(Usd(40_000.0)),
        switch_module_price: Some(Usd(900.0)),
        host_module_price: Some(Usd(700.0)),
        cable_price: Some(Usd(100.0)),
        switch_height: 1.0,
        nic_power: Watts::ZERO,
    }
}

pub fn cooling(kind: &str, pue: f64, usd_per_watt: f64) -> CoolingOption {
    CoolingOption {
        kind: kind.into(),
        pue,
        pue_design_day: pue + 0.1,
        wue: Some(0.3),
        rack_limit: Watts(40e3),
        fan_saving: if kind == "cold-plate" { 0.8 } else { 0.0 },
        building_usd_per_watt: Some(usd_per_watt),
        liquid_share: if kind == "cold-plate" { 0.8 } else { 0.0 },
        heat_cap: 1.0,
        halls: Vec::new(),
        chilled_share: 0.2,
    }
}

pub fn cluster() -> Cluster {
    Cluster {
        system: "test-8".into(),
        accelerator: "test".into(),
        device: device(),
        software: None,
        devices_per_card: 1,
        cards_per_server: 8,
        unit_cards: 8,
        domain_cards: 8,
        levels: vec![ScaleUpLevel {
            name: "links".into(),
            size: 8,
            topology: Topology::Switched,
            bandwidth: BytesPerSecond(200e9),
            latency: Seconds(3e-6),
            in_network_reduction: false,
            reduction_efficiency: None,
        }],
        fabrics: vec![fabric(1.0)],
        coolings: vec![cooling("contained-air", 1.3, 8.0), cooling("cold-plate", 1.1, 10.0)],
        power_caps: vec![1.0],
        card_tdp: Watts(400.0),
        card_idle: Watts(80.0),
        card_training_share: 0.85,
        cap_exponent: 2.7,
        host_power: Watts(2000.0),
        fan_power: Watts(500.0),
        conversion_loss: 0.0,
        phase_shares: None,
        server_nameplate: Some(Watts(6000.0)),
        domain_power: Watts(0.0),
        domain_interconnect_racks: 0.0,
        domain_switches: 0.0,
        server_height: 6.0,
        server_mass: None,
        servers_per_rack: None,
        failures_per_server_day: 0.004,
        unit_price: Some(Usd(150_000.0)),
        max_cards: None,
    }
}

pub fn dense_model() -> Model {
    Model {
        id: "test-dense".into(),
        layers: 16,
        hidden: 4096,
        heads: 32,
        kv_heads: 8,
        head_dim: 128,
        ffn: 14_336,
        gated: true,
        vocab: 128_256,
        tied_embeddings: false,
        learned_positions: 0,
        attention: Attention::Gqa,
        moe: None,
        window: None,
        mtp_layers: 0,
    }
}

pub fn moe_model() -> Model {
    Model {
        id: "test-moe".into(),
        layers: 12,
        ffn: 8192,
        moe: Some(Moe {
            experts: 32,
            top_k: 4,
            ffn: 2048,
            shared_ffn: 2048,
            leading_dense_layers: 1,
            every: 1,
            top_groups: None,
            bias: false,
        }),
        ..dense_model()
    }
}

pub fn software() -> Software {
    Software {
        fused_attention: true,
        attention_factor: 1.0,
        product_factor: 1.0,
        elementwise_factor: 1.07,
        kernel_gap: Seconds(1.6e-6),
        fixed_step: Seconds(0.027),
        tp_overlap: 0.6,
        dp_overlap: 0.75,
        fsdp_overlap: 0.4,
        ep_overlap: 0.3,
        pp_overlap: 0.7,
        cp_overlap: 0.8,
        ring_repeats_heads: false,
        recompute_stops_early: false,
        hierarchical_dispatch: true,
        fused_expert_bias: false,
        dispatch_bytes: 2.0,
        imbalance_exponent: 0.06,
        moe_staging_bytes: 12.0,
        expert_host: Seconds(0.0),
        quantisation_bytes: 5.4,
        jitter_per_doubling: 0.007,
        memory_overhead: Bytes(1.5e9),
        fragmentation: 0.04,
    }
}

pub fn training() -> Training {
    Training {
        tokens: 1e11,
        sequence: 4096,
        global_batch: 256,
        batch_tolerance: 0.02,
        batch_at_most: false,
        precision: Precision::Bf16,
        weight_bytes: 2.0,
        gradient_bytes: 4.0,
        optimizer_bytes: 12.0,
    }
}

pub fn space() -> Space {
    Space {
        tp: vec![1, 2, 4, 8],
        pp: vec![1, 2, 4, 8],
        vpp: vec![1, 2],
        cp: vec![1],
        ep: vec![1],
        etp: vec![ExpertTensor::One],
        dp: None,
        micro_batch: vec![1, 2],
        recompute: vec![Recompute::None, Recompute::Selective, Recompute::Full],
        sharding: vec![1, 3],
        sequence_parallel: vec![true],
        recompute_layers: vec![],
        stage_layers: vec![],
        schedule: vec![],
        cp_kind: vec![],
        switches: planner_core::problem::SwitchSpace::default(),
        factorized: false,
    }
}

pub fn problem() -> Problem {
    Problem {
        schema: "problem/1".into(),
        model: dense_model(),
        training: training(),
        software: software(),
        target: Target { days: Some(30.0), tokens_per_second: None },
        limits: Limits::cards(1, 256),
        clusters: vec![cluster()],
        site: Site {
            tariff_usd_per_kwh: 0.07,
            carbon_kg_per_kwh: 0.5,
            transformer_efficiency: 0.98,
            ups_efficiency: 0.96,
            distribution_efficiency: 0.98,
        },
        rack: RackCeiling::default(),
        halls: Vec::new(),
        side_networks: Vec::new(),
        storage: None,
        chain: None,
        economics: Economics {
            maintenance_share: 0.03,
            depreciation_years: 5.0,
            building_years: 15.0,
            capital_rate: 0.05,
            installation_share: 0.02,
            residual_share: 0.1,
            staff_usd_per_server_year: 300.0,
            crew_usd_per_year: 400_000.0,
            crew_watts: 1e6,
        },
        reliability: Recovery {
            checkpoint_bytes_per_second: 100e9,
            checkpoint_stall_seconds: 1.0,
            recovery_seconds: 900.0,
            checkpoint_bytes_per_parameter: 14.0,
            load_bytes_per_second: None,
            save: Save::Asynchronous,
            memory: None,
            interval_seconds: None,
            failures: None,
        },
        space: space(),
        search: Search {
            objective: Objective::Cards,
            weights: Vec::new(),
            front: vec![Axis::Cards, Axis::FacilityMegawatts, Axis::CapexUsd],
            front_points: 50,
            time_limit_seconds: None,
            threads: None,
            similar: 0.02,
            memory_headroom: 0.0,
            prices: false,
            runners_up: 5,
        },
    }
}

/// Failures by cause as in Llama 3, servers that are back after two days, spares required.
pub fn failures() -> FailureModel {
    FailureModel {
        shares: Shares { card: 0.64, host: 0.11, nic: 0.017, software: 0.15 },
        per_link_day: 1.3e-5,
        per_switch_day: 1.7e-5,
        repair_seconds: 2.0 * 86_400.0,
        domain_repair_seconds: 4.0 * 3600.0,
        spares: SparePolicy::Required,
        spare_confidence: 0.0,
        straggler_per_server_day: 2e-4,
        straggler_seconds: 3600.0,
        straggler_slowdown: 1.1,
    }
}
