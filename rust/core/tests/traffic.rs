//! Traffic of a training step against closed forms: experts cut over tensor ranks, sharded weights, networks shared by
//! several kinds of traffic, stragglers, stages of unequal size.

mod common;

use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::problem::{Objective, Problem};
use planner_core::search::search;
use planner_core::training::layout::{Layout, Rule};
use planner_core::training::split::StageSplit;
use planner_core::training::step::StepTimes;
use planner_core::training::switches::Switches;
use planner_core::units::Seconds;

const TOKENS: f64 = 4096.0;
const HIDDEN: f64 = 4096.0;

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * a.abs().max(b.abs()), "{a} is not within {tolerance} of {b}");
}

/// A problem without latencies, stragglers and anything hidden: transfers take bytes over bandwidth.
fn bare() -> Problem {
    let mut problem = common::problem();
    problem.clusters[0].levels[0].latency = Seconds::ZERO;
    problem.clusters[0].fabrics[0].latency = Seconds::ZERO;
    problem.clusters[0].fabrics[0].latency_per_tier = Seconds::ZERO;
    let software = &mut problem.software;
    software.jitter_per_doubling = 0.0;
    for share in [
        &mut software.tp_overlap,
        &mut software.dp_overlap,
        &mut software.fsdp_overlap,
        &mut software.ep_overlap,
        &mut software.pp_overlap,
        &mut software.imbalance_exponent,
    ] {
        *share = 0.0;
    }
    software.hierarchical_dispatch = false;
    problem
}

fn times(problem: &Problem, layout: Layout) -> StepTimes {
    let choice = DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: None, layout };
    evaluate(problem, &choice).unwrap().performance.breakdown
}

/// Bytes per second inside and between servers that large transfers reach.
fn rates(problem: &Problem) -> (f64, f64) {
    let cluster = &problem.clusters[0];
    let share = cluster.device.efficiency;
    (cluster.levels[0].bandwidth.0 * share.scale_up, cluster.fabrics[0].bandwidth.0 * share.scale_out)
}

/// Experts cut over tensor ranks: every routed token's hidden state is gathered over them and its outputs are reduced
/// (all-gather and reduce-scatter of 2 T k h bytes, 7/8 of which cross), per layer, pass and micro-batch.
#[test]
fn experts_over_tensor_ranks_gather_and_scatter_every_routed_token() {
    let mut problem = bare();
    problem.model = common::moe_model();
    let whole = Layout { tp: 8, dp: 8, sharding: 1, sequence_parallel: true, ..Layout::default() };
    let cut = Layout { etp: 8, ..whole };
    let extra = times(&problem, cut).tensor_parallel.0 - times(&problem, whole).tensor_parallel.0;
    let (inside, _) = rates(&problem);
    let moe = problem.model.moe.unwrap();
    let one = 2.0 * (2.0 * TOKENS * f64::from(moe.top_k) * HIDDEN) * (7.0 / 8.0) / inside;
    let layers = f64::from(problem.model.layers - moe.leading_dense_layers);
    // 256 sequences on 8 data ranks: 32 micro-batches, forward and backward.
    near(extra, one * layers * 2.0 * 32.0, 1e-9);
}

/// An expert cut over tensor ranks sends each routed token once over the expert group, as a whole expert does.
#[test]
fn dispatch_over_expert_ranks_does_not_depend_on_how_an_expert_is_cut() {
    let mut problem = bare();
    problem.model = common::moe_model();
    let (inside, _) = rates(&problem);
    let moe = problem.model.moe.unwrap();
    // Four expert ranks in a server: 3/4 of 2 T k h bytes each way, dispatch and combine, forward and backward.
    let whole = Layout { tp: 1, ep: 4, dp: 8, sharding: 1, ..Layout::default() };
    let one = 2.0 * TOKENS * f64::from(moe.top_k) * HIDDEN * (3.0 / 4.0) / inside;
    let layers = f64::from(problem.model.layers - moe.leading_dense_layers);
    near(times(&problem, whole).expert_parallel.0, one * 2.0 * 2.0 * layers * 32.0, 1e-9);
    let over_two = Layout { tp: 2, etp: 2, dp: 4, sequence_parallel: true, ..whole };
    // Half of the tokens a device; two experts' halves are neighbours, so all four ranks share the server.
    near(times(&problem, over_two).expert_parallel.0, one / 2.0 * 2.0 * 2.0 * layers * 64.0, 1e-9);
}

/// Stage 3 gathers the weights for the forward and the backward pass and scatters 16-bit gradients, per micro-batch:
/// 3 x 2 P (n-1)/n bytes over the slowest level.
#[test]
fn fully_sharded_weights_cross_three_times_a_micro_batch() {
    let problem = bare();
    let layout = Layout { dp: 8, sharding: 3, ..Layout::default() };
    let (inside, _) = rates(&problem);
    let one = 2.0 * problem.model.parameters() * (7.0 / 8.0) / inside;
    near(times(&problem, layout).data_parallel.0, 3.0 * one * 32.0, 1e-6);
    // Half of it hidden: the other half stays, as long as the passes are longer than what hides.
    let mut half = problem.clone();
    half.software.fsdp_overlap = 0.5;
    near(times(&half, layout).data_parallel.0, 1.5 * one * 32.0, 1e-6);
}

/// Stage 1: gradients are scattered (4 P) and weights gathered (2 P) once a step; stage 0 reduces 4 P, twice across.
#[test]
fn gradients_cross_once_a_step() {
    let problem = bare();
    let (inside, _) = rates(&problem);
    let crossing = problem.model.parameters() * (7.0 / 8.0) / inside;
    let at = |sharding| times(&problem, Layout { dp: 8, sharding, ..Layout::default() }).data_parallel.0;
    near(at(1), 6.0 * crossing, 1e-6);
    near(at(0), 8.0 * crossing, 1e-6);
}

/// While expert traffic fills the network between servers, gradients cannot hide there: the window is the last
/// micro-batch's passes less the time of that traffic.
#[test]
fn gradients_hide_only_while_no_other_traffic_fills_the_network() {
    let mut problem = bare();
    problem.model = common::moe_model();
    problem.software.ep_overlap = 1.0;
    problem.training.global_batch = 32;
    problem.clusters[0].fabrics[0].bandwidth.0 /= 20.0;
    let (inside, outside) = rates(&problem);
    let layout = Layout { ep: 32, dp: 32, sharding: 1, ..Layout::default() };
    let shown = Layout { switches: Switches { dp_overlap: false, ..Switches::default() }, ..layout };
    let all = times(&problem, shown).data_parallel.0;
    problem.software.dp_overlap = 1.0;
    let found = times(&problem, layout);
    let window = all - found.data_parallel.0;
    let moe = problem.model.moe.unwrap();
    let sent = 2.0 * TOKENS * f64::from(moe.top_k) * HIDDEN;
    // Of 32 ranks 24 are in other servers; what stays inside takes less.
    assert!(sent * (7.0 / 32.0) / inside < sent * (24.0 / 32.0) / outside);
    let layers = f64::from(problem.model.layers - moe.leading_dense_layers);
    let busy = sent * (24.0 / 32.0) / outside * 4.0 * layers;
    let passes = found.matmul
        + found.attention
        + found.elementwise
        + found.kernel_gaps
        + found.tensor_parallel
        + found.expert_parallel;
    near(window, passes.0 - busy, 1e-9);
    assert!(window > 0.0 && busy > 0.1 * passes.0, "{window} {busy}");
}

/// Stragglers: so much per doubling above eight devices, nothing up to there.
#[test]
fn stragglers_cost_a_share_per_doubling_of_the_devices() {
    let mut problem = bare();
    problem.software.jitter_per_doubling = 0.01;
    problem.limits.cards_max = 4096;
    let at = |dp| {
        let times =
            times(&problem, Layout { tp: 8, dp, sharding: 1, sequence_parallel: true, ..Layout::default() });
        times.stragglers.0 / (times.total().0 - times.stragglers.0)
    };
    assert_eq!(at(1), 0.0);
    near(at(8), 0.03, 1e-9);
    near(at(256), 0.08, 1e-9);
}

/// Stages of 3, 5, 4 and 4 layers: the step waits for the stage of five, a layer more than the mean, every micro-batch.
#[test]
fn stages_dealt_by_hand_wait_for_the_largest() {
    let mut problem = bare();
    problem.model.vocab = 128;
    let even = Layout { pp: 4, tp: 4, dp: 4, sharding: 1, sequence_parallel: true, ..Layout::default() };
    let uneven = Layout { stage_layers: StageSplit::new(&[3, 5, 4, 4]).unwrap(), ..even };
    let (plain, found) = (times(&problem, even), times(&problem, uneven));
    near(found.matmul.0, plain.matmul.0, 1e-12);
    // The mean stage holds four layers, and a quarter of the gathers of embedding and head.
    let layer =
        (plain.matmul + plain.attention + plain.elementwise + plain.kernel_gaps + plain.tensor_parallel).0
            / 4.0;
    near(found.stage_imbalance.0, layer, 0.03);
    // Weights of five layers instead of four with the embedding are what the fullest stage holds.
    let choice =
        |layout| DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: None, layout };
    let weights = |layout| evaluate(&problem, &choice(layout)).unwrap().memory.breakdown.weights.0;
    near(weights(uneven) / weights(even), 5.0 / 4.0, 0.01);
    let broken = |layout| evaluate(&problem, &choice(layout)).unwrap().broken_rules;
    assert!(broken(uneven).is_empty());
    let short = Layout { stage_layers: StageSplit::new(&[3, 5, 4, 3]).unwrap(), ..even };
    assert_eq!(broken(short), [Rule::LayersOverPipeline]);
}

/// Splits to choose from: the search finds the one that evaluating each of them finds fastest.
#[test]
fn the_search_chooses_among_splits_as_evaluating_each_does() {
    let mut problem = bare();
    problem.search.objective = Objective::Throughput;
    problem.target = planner_core::problem::Target::default();
    problem.limits.cards_min = 64;
    problem.limits.cards_max = 64;
    problem.training.global_batch = 64;
    problem.training.batch_tolerance = 0.0;
    problem.space.tp = vec![4];
    problem.space.pp = vec![4];
    problem.space.vpp = vec![1];
    problem.space.dp = Some(vec![4]);
    problem.space.micro_batch = vec![1];
    problem.space.sharding = vec![1];
    let splits = [[3, 5, 4, 4], [4, 5, 4, 3], [5, 4, 4, 3], [4, 4, 6, 2]];
    let split = |layers: &[u64; 4]| StageSplit::new(layers).unwrap();
    problem.space.stage_layers = splits.iter().map(split).collect();
    let found = search(&problem, &mut |_| true).unwrap().best.unwrap();
    let base = Layout { pp: 4, tp: 4, dp: 4, sharding: 1, sequence_parallel: true, ..Layout::default() };
    let step = |layers: &[u64; 4]| times(&problem, Layout { stage_layers: split(layers), ..base }).total();
    let fastest = splits.iter().min_by(|a, b| step(a).0.total_cmp(&step(b).0)).unwrap();
    assert_eq!(found.best.layout.stage_layers, split(fastest));
    assert_eq!(found.best.layout.pp, 4);
}
