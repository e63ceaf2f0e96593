//! The training step against closed forms and hand-worked numbers.

mod common;

use planner_core::evaluate::design::Design;
use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::hardware::Precision;
use planner_core::model::{Attention, Model};
use planner_core::problem::Problem;
use planner_core::training::layout::{Layout, Recompute, Rule};
use planner_core::training::schedule::{ContextKind, Schedule};

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * a.abs().max(b.abs()), "{a} is not within {tolerance} of {b}");
}

fn layout() -> Layout {
    Layout {
        pp: 4,
        vpp: 1,
        tp: 4,
        cp: 1,
        ep: 1,
        etp: 1,
        dp: 4,
        micro_batch: 1,
        recompute: Recompute::None,
        sharding: 1,
        sequence_parallel: true,
        ..Layout::default()
    }
}

fn run(problem: &Problem, layout: Layout) -> Design {
    let choice = DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: None, layout };
    evaluate(problem, &choice).unwrap()
}

/// GPT-3 175B as in Narayanan et al. 2021.
fn gpt3() -> Model {
    Model {
        id: "gpt3-175b".into(),
        layers: 96,
        hidden: 12_288,
        heads: 96,
        kv_heads: 96,
        head_dim: 128,
        ffn: 49_152,
        gated: false,
        vocab: 51_200,
        tied_embeddings: true,
        learned_positions: 2048,
        attention: Attention::Gqa,
        moe: None,
        window: None,
        mtp_layers: 0,
    }
}

#[test]
fn model_flops_match_the_closed_form_of_megatron() {
    // Narayanan et al. 2021, eq. 3 without recomputation: 72 B s l h^2 (1 + s/(6h) + V/(12 l h)) per batch.
    let (s, l, h, v) = (2048.0, 96.0, 12_288.0, 51_200.0);
    let per_token = 72.0 * l * h * h * (1.0 + s / (6.0 * h) + v / (12.0 * l * h));
    near(gpt3().training_flops_per_token_full_attention(s), per_token, 1e-12);
    // The causal mask halves the attention term alone.
    let causal = 72.0 * l * h * h * (1.0 + s / (12.0 * h) + v / (12.0 * l * h));
    near(gpt3().training_flops_per_token(s), causal, 1e-12);
}

#[test]
fn parameters_of_gpt3_are_175_billion() {
    near(gpt3().parameters(), 175e9, 0.01);
}

#[test]
fn the_breakdown_sums_to_the_step_and_memory_to_its_total() {
    let problem = common::problem();
    for layout in [layout(), Layout { recompute: Recompute::Full, vpp: 2, ..layout() }] {
        let design = run(&problem, layout);
        near(design.performance.breakdown.total().0, design.performance.step_seconds, 1e-12);
        near(design.memory.breakdown.total().0, design.memory.per_device_bytes, 1e-12);
    }
}

#[test]
fn the_bubble_is_pp_minus_one_over_vpp_micro_batches() {
    // 16 layers on 4 stages: all terms but the bubble are those of 64 micro-batches of a mean stage.
    let mut problem = common::problem();
    problem.software.jitter_per_doubling = 0.0;
    let plain = run(&problem, layout()).performance.breakdown;
    let micro_batches = 64.0;
    let work = plain.matmul + plain.attention + plain.elementwise + plain.kernel_gaps + plain.tensor_parallel;
    near(plain.pipeline_bubble.0, work.0 / micro_batches * 3.0, 1e-9);
    let interleaved = run(&problem, Layout { vpp: 2, ..layout() }).performance.breakdown;
    near(interleaved.pipeline_bubble.0, plain.pipeline_bubble.0 / 2.0, 1e-9);
}

#[test]
fn full_recomputation_redoes_the_forward_pass_and_keeps_only_layer_inputs() {
    let mut problem = common::problem();
    problem.model.vocab = 1024;
    let kept = run(&problem, layout());
    let redone = run(&problem, Layout { recompute: Recompute::Full, ..layout() });
    assert!(redone.performance.step_seconds > 1.15 * kept.performance.step_seconds);
    near(redone.performance.hfu / redone.performance.mfu, 4.0 / 3.0, 1e-9);
    // 2 h bytes per token and layer, over tp, 4 layers, 4 micro-batches in flight on the first stage.
    near(redone.memory.breakdown.activations.0, 2.0 * 4096.0 * 4096.0 / 4.0 * 4.0 * 4.0, 1e-9);
}

#[test]
fn recomputing_one_layer_of_a_stage_costs_a_quarter_of_recomputing_all_four() {
    let mut problem = common::problem();
    problem.software.jitter_per_doubling = 0.0;
    problem.model.vocab = 1024;
    let at = |recompute, recompute_layers| run(&problem, Layout { recompute, recompute_layers, ..layout() });
    let (none, all) = (at(Recompute::None, 0), at(Recompute::Full, 0));
    let one = at(Recompute::Full, 1);
    near(one.performance.breakdown.recompute.0, all.performance.breakdown.recompute.0 / 4.0, 1e-9);
    let activations = |design: &Design| design.memory.breakdown.activations.0;
    near(activations(&one), 0.75 * activations(&none) + 0.25 * activations(&all), 1e-9);
    near(at(Recompute::Full, 9).performance.step_seconds, all.performance.step_seconds, 1e-12);
}

#[test]
fn recomputation_that_stops_early_saves_the_last_product() {
    let mut problem = common::problem();
    problem.software.jitter_per_doubling = 0.0;
    let full = Layout { recompute: Recompute::Full, ..layout() };
    let whole = run(&problem, full).performance.breakdown.recompute.0;
    problem.software.recompute_stops_early = true;
    let short = run(&problem, full).performance.breakdown.recompute.0;
    // The down product is 14,336 of 2 x 4,096 + 2 x 1,024 + 3 x 14,336 columns of the layer's products, and more
    // than a quarter of its time.
    assert!(short < 0.8 * whole && short > 0.6 * whole, "{short} of {whole}");
}

#[test]
fn a_ring_of_repeated_heads_carries_keys_and_values_once_per_query_head() {
    let mut problem = common::problem();
    problem.software.jitter_per_doubling = 0.0;
    problem.software.cp_overlap = 0.0;
    let ring = Layout { cp: 2, dp: 2, ..layout() };
    let grouped = run(&problem, ring).performance.breakdown.context_parallel.0;
    problem.software.ring_repeats_heads = true;
    let repeated = run(&problem, ring).performance.breakdown.context_parallel.0;
    // 32 query heads for 8 of keys: four times the bytes, in the same messages.
    assert!(repeated > 3.0 * grouped && repeated < 4.0 * grouped, "{repeated} of {grouped}");
}

#[test]
fn recomputing_attention_redoes_the_fused_kernel_and_keeps_its_inputs() {
    let problem = common::problem();
    let none = run(&problem, layout());
    let redone = run(&problem, Layout { recompute: Recompute::Attention, ..layout() });
    // Forward is one part of 1 + 2.5 / ratio of the whole.
    let ratio = problem.clusters[0].device.efficiency.attention_backward_ratio;
    let forward = none.performance.breakdown.attention.0 / (1.0 + 2.5 / ratio);
    let gaps = 3.0 * problem.software.kernel_gap.0 * 4.0 * 64.0;
    near(redone.performance.breakdown.recompute.0, forward + gaps, 1e-9);
    near(redone.memory.breakdown.activations.0, none.memory.breakdown.activations.0, 1e-12);
}

#[test]
fn a_pipeline_from_both_ends_holds_two_copies_and_waits_less() {
    let problem = common::problem();
    let plain = run(&problem, layout());
    let both = run(&problem, Layout { schedule: Schedule::DualPipe, ..layout() });
    near(both.memory.breakdown.weights.0, 2.0 * plain.memory.breakdown.weights.0, 1e-12);
    near(both.memory.breakdown.optimizer.0, plain.memory.breakdown.optimizer.0, 1e-12);
    assert!(both.performance.breakdown.pipeline_bubble < plain.performance.breakdown.pipeline_bubble);
    let filled = run(&problem, Layout { schedule: Schedule::ZeroBubble, ..layout() });
    near(filled.memory.per_device_bytes, plain.memory.per_device_bytes, 1e-12);
    assert!(filled.performance.breakdown.pipeline_bubble < plain.performance.breakdown.pipeline_bubble);
}

#[test]
fn exchanging_heads_moves_the_queries_keys_values_and_output_of_a_rank_once() {
    let problem = common::problem();
    let base = Layout {
        tp: 1,
        cp: 8,
        pp: 1,
        dp: 1,
        sequence_parallel: false,
        recompute: Recompute::Full,
        ..layout()
    };
    let exchanged = run(&problem, Layout { cp_kind: ContextKind::AllToAll, ..base });
    // 512 tokens, 32 + 8 heads of 128, queries with the output and keys with values: 2 bytes each, 7/8 of it leaves.
    let device = &problem.clusters[0].device;
    let level = &problem.clusters[0].levels[0];
    let bytes = 2.0 * 512.0 * 2.0 * 40.0 * 128.0 * 7.0 / 8.0;
    let one = bytes / (level.bandwidth.0 * device.efficiency.scale_up) + 3.0 * level.latency.0;
    let found = exchanged.performance.breakdown.context_parallel.0;
    // 16 layers, 256 sequences, forward and backward.
    near(found, one * 2.0 * 16.0 * 256.0, 1e-9);
}

#[test]
fn activations_match_the_closed_form_per_token() {
    // Dense, gated, 16 bits: 8 h + 4 (a + kv) d + 6 ffn bytes per token and layer, over tp with sequence parallelism.
    let problem = common::problem();
    let per_token = 8.0 * 4096.0 + 4.0 * 40.0 * 128.0 + 6.0 * 14_336.0;
    let expected = per_token * 4096.0 / 4.0 * 4.0 * 4.0;
    near(run(&problem, layout()).memory.breakdown.activations.0, expected, 1e-9);
}

#[test]
fn memory_is_the_closed_form_and_decides_at_its_border() {
    let mut problem = common::problem();
    let single = Layout { pp: 1, tp: 1, dp: 1, sharding: 0, sequence_parallel: false, ..layout() };
    // States 2 + 4 + 12 bytes a parameter; activations per token and layer as above; 5 bytes a logit; the largest
    // weight (both input products of the feed-forward network) at 2 + 4 bytes; overhead and fragmentation.
    let (h, ffn, tokens) = (4096.0, 14_336.0, 4096.0);
    let states = 18.0 * problem.model.parameters();
    let activations = (8.0 * h + 4.0 * 40.0 * 128.0 + 6.0 * ffn) * tokens * f64::from(problem.model.layers);
    let working = 5.0 * tokens * f64::from(problem.model.vocab) + 6.0 * h * 2.0 * ffn;
    let overhead = problem.software.memory_overhead.0 + problem.software.fragmentation * activations;
    let expected = states + activations + working + overhead;
    // The last norm is left out on the stages.
    near(run(&problem, single).memory.per_device_bytes, expected, 1e-6);
    problem.clusters[0].device.memory.0 = expected * 1.001;
    assert!(!run(&problem, single).broken_rules.contains(&Rule::Memory));
    problem.clusters[0].device.memory.0 = expected * 0.999;
    assert!(run(&problem, single).broken_rules.contains(&Rule::Memory));
}

#[test]
fn optimizer_states_are_divided_over_data_parallel_ranks_from_stage_one() {
    let problem = common::problem();
    let whole = run(&problem, Layout { sharding: 0, ..layout() }).memory.breakdown;
    let sharded = run(&problem, layout()).memory.breakdown;
    near(whole.optimizer.0 / sharded.optimizer.0, 4.0, 1e-9);
    near(whole.gradients.0, sharded.gradients.0, 1e-12);
}

#[test]
fn weights_gradients_and_states_cover_all_parameters_once() {
    // Over all stages and tensor ranks: 2 + 4 + 12 bytes per parameter; the first stage is the fullest, so its share
    // is at least a quarter.
    let problem = common::problem();
    let single = Layout { pp: 1, tp: 1, sharding: 0, sequence_parallel: false, ..layout() };
    let memory = run(&problem, single).memory.breakdown;
    near(memory.weights.0, 2.0 * problem.model.parameters(), 1e-6);
    near(memory.gradients.0, 4.0 * problem.model.parameters(), 1e-6);
    near(memory.optimizer.0, 12.0 * problem.model.parameters(), 1e-6);
}

#[test]
fn eight_bit_products_are_faster_but_not_twice() {
    let mut problem = common::problem();
    let slow = run(&problem, layout()).performance.step_seconds;
    problem.training.precision = Precision::Fp8;
    let fast = run(&problem, layout()).performance.step_seconds;
    assert!(fast < slow && fast > slow / 2.0, "{fast} against {slow}");
}

#[test]
fn a_capped_card_draws_less_and_is_slower_by_less() {
    let mut problem = common::problem();
    problem.clusters[0].power_caps = vec![1.0, 0.8];
    let choice = |power_cap| DesignChoice {
        cluster: 0,
        fabric: 0,
        cooling: 0,
        power_cap,
        cards: None,
        layout: layout(),
    };
    let full = evaluate(&problem, &choice(1.0)).unwrap();
    let capped = evaluate(&problem, &choice(0.8)).unwrap();
    assert!(capped.facility.card_watts < full.facility.card_watts);
    let slower = full.performance.tokens_per_second / capped.performance.tokens_per_second;
    assert!(slower > 1.0 && slower < 1.0 / 0.8, "{slower}");
}

#[test]
fn more_of_any_resource_never_slows_a_step() {
    let base = run(&common::problem(), layout()).performance.step_seconds;
    let better: [fn(&mut Problem); 5] = [
        |p| p.clusters[0].device.peak.bf16.0 *= 1.1,
        |p| p.clusters[0].device.memory_bandwidth.0 *= 1.1,
        |p| p.clusters[0].levels[0].bandwidth.0 *= 1.1,
        |p| p.clusters[0].fabrics[0].bandwidth.0 *= 1.1,
        |p| p.clusters[0].fabrics[0].latency.0 *= 0.5,
    ];
    for change in better {
        let mut problem = common::problem();
        change(&mut problem);
        assert!(run(&problem, layout()).performance.step_seconds <= base);
    }
}

#[test]
fn an_oversubscribed_core_slows_gradient_traffic_only_once_it_is_crossed() {
    let mut problem = common::problem();
    problem.limits.cards_max = 4096;
    problem.training.global_batch = 2048;
    // Beyond 8:1 even the eighth of the bytes that leaves a leaf takes longer than the rest.
    problem.clusters[0].fabrics.push(common::fabric(12.0));
    let at = |fabric, dp| {
        let layout = Layout { pp: 1, tp: 8, dp, recompute: Recompute::Full, ..layout() };
        let choice = DesignChoice { cluster: 0, fabric, cooling: 0, power_cap: 1.0, cards: None, layout };
        evaluate(&problem, &choice).unwrap().performance.step_seconds
    };
    // Eight servers hang on one leaf per rail.
    near(at(0, 8), at(1, 8), 1e-12);
    assert!(at(1, 64) > at(0, 64));
}

#[test]
fn the_busiest_rank_of_an_expert_group_keeps_more_of_its_routed_tokens() {
    let kept = |exponent: f64, recompute: Recompute| {
        let mut problem = common::problem();
        problem.model = common::moe_model();
        problem.software.imbalance_exponent = exponent;
        let layout =
            Layout { pp: 1, tp: 1, dp: 8, ep: 4, sequence_parallel: false, recompute, ..Layout::default() };
        run(&problem, layout).memory.breakdown.activations.0
    };
    // 4,096 tokens x 4 experts each keep 2 (2 + 1) x 2,048 + 2 x 4,096 bytes; 11 layers of experts, one in flight.
    let more = 4096.0 * 4.0 * (6.0 * 2048.0 + 2.0 * 4096.0) * (libm::pow(4.0, 0.06) - 1.0) * libm::sqrt(11.0);
    near(kept(0.06, Recompute::None) - kept(0.0, Recompute::None), more, 1e-9);
    // Redoing the last product's input leaves 4 of the 6 bytes.
    let less = more * (4.0 * 2048.0 + 2.0 * 4096.0) / (6.0 * 2048.0 + 2.0 * 4096.0);
    near(kept(0.06, Recompute::Selective) - kept(0.0, Recompute::Selective), less, 1e-9);
    near(kept(0.06, Recompute::Full), kept(0.0, Recompute::Full), 1e-12);
}
