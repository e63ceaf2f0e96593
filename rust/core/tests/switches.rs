//! Switches of a layout: each one moves time or memory the way that its formula says.

mod common;

use planner_core::evaluate::design::Design;
use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::problem::Problem;
use planner_core::training::layout::{Layout, Recompute};
use planner_core::training::switches::{SequenceGather, Switches, TensorOverlap, Tier};
use planner_core::units::{Bytes, BytesPerSecond};

/// 64 devices with a host of 250 GB a device behind 32 GB/s, attention without fusion.
fn problem() -> Problem {
    let mut problem = common::problem();
    problem.software.fused_attention = false;
    let device = &mut problem.clusters[0].device;
    device.host_memory = Some(Bytes(250e9));
    device.host_bandwidth = Some(BytesPerSecond(32e9));
    problem
}

fn base() -> Layout {
    Layout { pp: 2, tp: 4, dp: 8, sharding: 1, sequence_parallel: true, ..Layout::default() }
}

fn run(problem: &Problem, layout: Layout) -> Design {
    let choice = DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: None, layout };
    evaluate(problem, &choice).unwrap()
}

fn with(change: impl Fn(&mut Switches)) -> Design {
    let mut layout = base();
    change(&mut layout.switches);
    run(&problem(), layout)
}

#[test]
fn overlap_of_tensor_traffic_orders_none_before_ring_and_changes_the_products() {
    let exposed = |overlap: TensorOverlap| with(|s| s.tp_overlap = overlap).performance.breakdown;
    let none = exposed(TensorOverlap::None);
    let ring = exposed(TensorOverlap::Ring);
    let pipe = exposed(TensorOverlap::Pipe);
    assert!(ring.tensor_parallel < none.tensor_parallel);
    assert!(pipe.tensor_parallel < none.tensor_parallel);
    // Pieces read the weights again.
    assert!(ring.matmul > none.matmul && pipe.matmul > none.matmul);
}

#[test]
fn gathered_inputs_cost_memory_where_kept_and_time_where_gathered_again() {
    let of = |gather: SequenceGather| with(|s| s.sequence_gather = gather);
    let (kept, redone) = (of(SequenceGather::Kept), of(SequenceGather::Redone));
    let plain = of(SequenceGather::Profile);
    // Two inputs of 2 x 4,096 x 4,096 bytes, of which a rank of 4 has a quarter, in 8 layers for 2 micro-batches.
    let more = 2.0 * 2.0 * 4096.0 * 4096.0 * 0.75 * 8.0 * 2.0;
    assert!((kept.memory.breakdown.activations.0 - plain.memory.breakdown.activations.0 - more).abs() < 1.0);
    assert_eq!(redone.memory.breakdown.activations, plain.memory.breakdown.activations);
    assert!(redone.performance.breakdown.tensor_parallel > kept.performance.breakdown.tensor_parallel);
}

#[test]
fn whole_sends_cross_as_often_as_there_are_tensor_ranks() {
    let mut layout = Layout { sequence_parallel: false, ..base() };
    let mut problem = problem();
    for fabric in &mut problem.clusters[0].fabrics {
        fabric.latency.0 = 0.0;
        fabric.latency_per_tier.0 = 0.0;
    }
    let parts = run(&problem, layout).performance.breakdown.pipeline_sends.0;
    layout.switches.p2p_scatter = false;
    let whole = run(&problem, layout).performance.breakdown.pipeline_sends.0;
    assert!((whole / parts - 4.0).abs() < 1e-9, "{whole} against {parts}");
}

#[test]
fn gradients_that_hide_behind_nothing_take_longer() {
    let hidden = with(|_| {}).performance.breakdown.data_parallel;
    assert!(with(|s| s.dp_overlap = false).performance.breakdown.data_parallel > hidden);
}

#[test]
fn an_activation_that_is_not_fused_costs_traffic_and_memory() {
    let (fused, apart) = (with(|_| {}), with(|s| s.fused_activation = false));
    assert!(apart.performance.breakdown.elementwise > fused.performance.breakdown.elementwise);
    // Two inputs (gated) of width 14,336/4 for 4,096 tokens at 2 bytes, in 8 layers for 2 micro-batches.
    let more = 2.0 * 2.0 * 14_336.0 / 4.0 * 4096.0 * 8.0 * 2.0;
    let gained = apart.memory.breakdown.activations.0 - fused.memory.breakdown.activations.0;
    assert!((gained - more).abs() < 1.0, "{gained} against {more}");
}

#[test]
fn offloading_moves_bytes_to_the_host_and_waits_for_its_link() {
    let plain = with(|_| {}).memory.breakdown;
    assert!(with(|s| s.offload_weights = true).memory.breakdown.weights < plain.weights);
    let states = with(|s| s.offload_optimizer = true);
    assert!(states.memory.breakdown.optimizer < plain.optimizer);
    let activations = with(|s| s.offload_activations = true);
    assert!(activations.memory.breakdown.activations < plain.activations);
    // Two layers of 16 in flight, on a stage of 8.
    assert!((activations.memory.breakdown.activations.0 / plain.activations.0 - 2.0 / 16.0).abs() < 1e-9);
    // A link of a hundredth of the rate is waited for.
    let mut slow = problem();
    slow.clusters[0].device.host_bandwidth = Some(BytesPerSecond(0.32e9));
    let switches = Switches { offload_activations: true, offload_weights: true, ..Switches::default() };
    let waits = run(&slow, Layout { switches, ..base() });
    assert!(waits.performance.breakdown.offload.0 > 0.0);
    let switches = Switches { offload_optimizer: true, ..Switches::default() };
    let streams = run(&slow, Layout { switches, ..base() }).performance.breakdown.optimizer;
    // 12 bytes a parameter of the fuller stage's eighth.
    let owned = states.memory.breakdown.gradients.0 / 4.0 / 8.0;
    assert!((streams.0 - 12.0 * owned / 0.32e9).abs() < 1e-3 * streams.0, "{streams:?}");
}

#[test]
fn attention_recomputed_alone_drops_the_scores_and_does_them_again() {
    let all = run(&problem(), base());
    let redone = run(&problem(), Layout { recompute: Recompute::Attention, ..base() });
    // 5 bytes a score: 8 heads a rank, 4,096 x 4,096, in 8 layers for 2 micro-batches.
    let less = 5.0 * 8.0 * 4096.0 * 4096.0 * 8.0 * 2.0;
    let saved = all.memory.breakdown.activations.0 - redone.memory.breakdown.activations.0;
    assert!((saved - less).abs() < 1.0, "{saved} against {less}");
    assert!(redone.performance.breakdown.recompute > all.performance.breakdown.recompute);
}

#[test]
fn a_dimension_on_the_scale_out_network_is_slower() {
    let by_hand = |tp_network, pp_network, dp_network| {
        with(|s| (s.tp_network, s.pp_network, s.dp_network) = (tp_network, pp_network, dp_network))
            .performance
            .breakdown
    };
    let (up, out) = (Tier::ScaleUp, Tier::ScaleOut);
    let tensor_inside = by_hand(up, out, out);
    assert!(by_hand(out, out, out).tensor_parallel > tensor_inside.tensor_parallel);
    assert!(by_hand(up, up, out).pipeline_sends < tensor_inside.pipeline_sends);
    assert!(by_hand(out, out, up).data_parallel < tensor_inside.data_parallel);
    // Tensor ranks inside and the others outside is what rank order comes to here, but for data ranks that share a
    // server: 8 ranks 4 apart are two a server.
    assert!(tensor_inside.data_parallel >= with(|_| {}).performance.breakdown.data_parallel);
}
