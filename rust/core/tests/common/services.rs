//! A small service to begin with.

use planner_core::hardware::Precision;
use planner_core::model::Model;
use planner_core::plant::RackCeiling;
use planner_core::problem::{Axis, Limits, Objective};
use planner_core::service::problem::{
    LatencyTarget, Served, ServiceProblem, ServiceSearch, ServiceSpace, ServiceTarget,
};
use planner_core::serving::case::{Constants, Family, Format, Lengths, Mode, Precisions, ServingSoftware};
use planner_core::units::{Bytes, Seconds};

use super::cluster;

pub fn constants() -> Constants {
    Constants {
        peak_share: 0.86,
        ridge_dense: 1690.0,
        ridge_grouped: 329.0,
        ridge_prefill_attention: 367.0,
        ridge_decode_attention: 367.0,
        ridge_latent_attention: 580.0,
        ridge_bandwidth: 1.0,
        unpacked_share: 1.0,
        smoothness: 1.3,
        memory_depth: 1e18,
        weight_share: 0.85,
        cache_share: 0.8,
        elementwise_share: 0.75,
        elementwise_bytes: 20.0,
        routed_bytes: 8.0,
        group_rows: 16.0,
        grouped_width: 0.0,
        expert_skew: 0.0,
        all_reduce_alpha: Seconds(6e-6),
        two_stage_alpha: Seconds(12e-6),
        outer_alpha: Seconds(12e-6),
        exchange_alpha: Seconds(37e-6),
        send_alpha: Seconds(15e-6),
        hop_share: 0.25,
        link_share: 0.64,
        nic_share: 0.82,
        transfer_share: 0.7,
    }
}

pub fn software() -> ServingSoftware {
    ServingSoftware {
        graphs: true,
        graph_filling: false,
        graph_tokens: 0.0,
        host_step: Seconds(0.5e-3),
        host_sequence: Seconds(15e-6),
        host_start: Seconds(0.0),
        host_layer: Seconds(60e-6),
        host_hidden: 0.6,
        host_request: Seconds(0.01),
        kernel_gap: Seconds(3e-6),
        product_factor: 1.0,
        expert_factor: 1.0,
        attention_factor: 1.0,
        collective_factor: 1.0,
        elementwise_factor: 1.0,
        bunching: 0.0,
        tp_overlap: 0.0,
        two_batch_overlap: true,
        overlap_share: 0.95,
        hierarchical_dispatch: true,
        gather_ranks: 8.0,
        dispatch_bytes: 1.0,
        combine_bytes: 2.0,
        imbalance_exponent: 0.064,
        chunked_prefill: true,
        token_budget: 2048.0,
        prefill_coordination: 0.7,
        cache_reservation: 1.0,
        memory_share: 1.0,
        memory_reserve: Bytes(2e9),
        expert_reserve: Bytes(0.0),
        transfer_hidden: 0.5,
        most_sequences: 256.0,
    }
}

pub fn bf16() -> Precisions {
    Precisions {
        attention_weights: Format::Bf16,
        dense_weights: Format::Bf16,
        expert_weights: Format::Bf16,
        attention_products: Precision::Bf16,
        dense_products: Precision::Bf16,
        expert_products: Precision::Bf16,
        scores: Precision::Bf16,
        cache: Format::Bf16,
    }
}

pub fn problem(model: Model, rate: Option<f64>) -> ServiceProblem {
    let experts = model.moe.is_some();
    ServiceProblem {
        schema: "service/1".into(),
        served: Served::Model {
            model,
            lengths: Lengths {
                input: 1000.0,
                input_spread: 1.0,
                output: 300.0,
                output_spread: 1.0,
                prefix_hit: 0.0,
            },
            precisions: vec![bf16()],
            speculation: None,
            balanced_experts: false,
        },
        constants: constants(),
        target: ServiceTarget {
            mean_requests_per_second: None,
            requests_per_second: rate,
            ttft: Some(LatencyTarget { seconds: 1.5, quantile: 0.9 }),
            tpot: Some(LatencyTarget { seconds: 0.03, quantile: 0.5 }),
            ..ServiceTarget::default()
        },
        limits: Limits::cards(1, 100_000),
        rack: RackCeiling::default(),
        halls: Vec::new(),
        storage: None,
        side_networks: Vec::new(),
        chain: None,
        clusters: vec![cluster()],
        software: vec![software()],
        families: vec![Family::default()],
        site: super::problem().site,
        economics: super::problem().economics,
        reliability: super::problem().reliability,
        space: ServiceSpace {
            tp: vec![1, 2, 4, 8],
            dp: if experts { vec![1, 2, 4, 8, 16] } else { vec![1] },
            pp: vec![1, 2],
            ep: None,
            modes: vec![Mode::Aggregated, Mode::Disaggregated],
            most_batch: None,
        },
        search: ServiceSearch {
            objective: Objective::Cards,
            front: vec![Axis::Cards, Axis::FacilityMegawatts],
            threads: None,
            seed: None,
            traffic: None,
            time_limit_seconds: None,
        },
    }
}
