//! The serving model: hand-worked numbers, limits, and how answers must move.

mod common;

use common::services::{bf16, constants};
use common::{cluster, dense_model, moe_model};
use planner_core::hardware::{PerPrecision, Precision};
use planner_core::model::{Attention, Model};
use planner_core::serving::answer::{ServingAnswer, Setting, Verdict, answer};
use planner_core::serving::case::{
    Family, Instance, Lengths, Load, Mode, Pool, Question, ServingSoftware, Speculation,
};
use planner_core::serving::memory::{cache_bytes_of_token, weight_bytes};
use planner_core::units::{Bytes, FlopsPerSecond, Seconds};

fn software() -> ServingSoftware {
    ServingSoftware {
        host_request: Seconds(0.0),
        two_batch_overlap: false,
        gather_ranks: 1.0,
        token_budget: 8192.0,
        most_sequences: 1024.0,
        ..common::services::software()
    }
}

fn question(load: Load) -> Question {
    Question {
        mode: Mode::Aggregated,
        lengths: Lengths {
            input: 1024.0,
            input_spread: 0.0,
            output: 256.0,
            output_spread: 0.0,
            prefix_hit: 0.0,
        },
        precisions: bf16(),
        speculation: None,
        pool: Pool { instance: Instance { tp: 2, dp: 1, pp: 1, ep: 1, etp: 1 }, instances: 1, batch: None },
        prefill: None,
        load,
        run_requests: None,
        balanced_experts: false,
        poll_steps: 1.0,
        clock: 1.0,
    }
}

fn ask_with(model: &Model, question: &Question, software: &ServingSoftware) -> ServingAnswer {
    let cluster = cluster();
    answer(&Setting {
        cluster: &cluster,
        fabric: 0,
        model,
        software,
        constants: &constants(),
        family: &Family::default(),
        question,
    })
    .unwrap()
}

fn ask(model: &Model, question: &Question) -> ServingAnswer {
    ask_with(model, question, &software())
}

fn concurrent(requests: f64) -> Load {
    Load::Concurrency { requests }
}

#[test]
fn a_lone_step_streams_weights_and_the_causes_sum_to_it() {
    let found = ask(&dense_model(), &question(Load::Batch { sequences: 1.0 }));
    // 16 layers x 218.1 M weights + head of 525.3 M, 2 bytes, over two devices at 0.85 x 2 TB/s.
    let stream = (16.0 * 218.1e6 + 525.3e6) * 2.0 / 2.0 / 1.7e12;
    let read = found.step.products.0 + found.step.head.0;
    assert!(read > stream && read < 1.25 * stream, "{read} against {stream}");
    assert!((found.step.total().0 - found.step_seconds).abs() < 1e-15);
}

#[test]
fn cache_of_a_token_is_counted_by_hand() {
    assert_eq!(cache_bytes_of_token(&dense_model(), &bf16()), Bytes(16.0 * 2.0 * 8.0 * 128.0 * 2.0));
    let latent = Model {
        attention: Attention::Mla { q_lora: Some(1536), kv_lora: 512, nope: 128, rope: 64, value: 128 },
        ..dense_model()
    };
    assert_eq!(cache_bytes_of_token(&latent, &bf16()), Bytes(16.0 * 576.0 * 2.0));
}

#[test]
fn weights_of_one_device_are_all_parameters_but_norms() {
    let model = dense_model();
    let whole = Instance { tp: 1, dp: 1, pp: 1, ep: 1, etp: 1 };
    let bytes = weight_bytes(&model, &whole, &question(Load::Full));
    let norms = f64::from(model.hidden) * (2.0 * f64::from(model.layers) + 1.0);
    assert!((bytes.0 - 2.0 * (model.parameters() - norms)).abs() < 1.0);
}

#[test]
fn more_concurrency_means_more_tokens_and_slower_ones() {
    let mut last = ask(&dense_model(), &question(concurrent(1.0)));
    for requests in [2.0, 8.0, 32.0, 128.0] {
        let next = ask(&dense_model(), &question(concurrent(requests)));
        assert!(next.output_tokens_per_second > last.output_tokens_per_second);
        assert!(next.tpot_seconds >= last.tpot_seconds);
        last = next;
    }
}

#[test]
fn the_closed_loop_obeys_littles_law() {
    let found = ask(&dense_model(), &question(concurrent(64.0)));
    let inside = found.requests_per_second.unwrap() * found.request_seconds.unwrap();
    assert!((inside / 64.0 - 1.0).abs() < 0.02, "{inside}");
}

#[test]
fn the_open_loop_at_the_rate_of_the_closed_one_decodes_the_same_batch() {
    let closed = ask(&dense_model(), &question(concurrent(32.0)));
    let rate = closed.requests_per_second.unwrap();
    let open = ask(&dense_model(), &question(Load::Rate { requests_per_second: rate }));
    assert!((open.batch.unwrap() / closed.batch.unwrap() - 1.0).abs() < 0.01);
    assert_eq!(open.verdict, Verdict::Stable);
}

#[test]
fn a_rate_beyond_reach_is_overloaded_and_has_no_queue_time() {
    let found = ask(&dense_model(), &question(Load::Rate { requests_per_second: 1e4 }));
    assert_eq!(found.verdict, Verdict::Overloaded);
    assert_eq!(found.ttft_queue_seconds, None);
}

#[test]
fn a_model_too_large_does_not_fit() {
    let large = Model { layers: 400, ..dense_model() };
    let found = ask(&large, &question(concurrent(1.0)));
    assert_eq!(found.verdict, Verdict::Unfit);
    assert_eq!(found.tpot_seconds, None);
}

#[test]
fn the_cache_limits_the_batch() {
    let found = ask(&dense_model(), &question(Load::Full));
    // 60 GB - 2 GB - weights over two devices, over 32 KiB per token and device, over 1,280 tokens.
    let free = 60e9
        - 2e9
        - weight_bytes(&dense_model(), &question(Load::Full).pool.instance, &question(Load::Full)).0;
    let by_hand = (free / (16.0 * 2.0 * 4.0 * 128.0 * 2.0) / 1280.0).min(1024.0);
    assert!((found.batch_limit.unwrap() - by_hand).abs() < 1e-6 * by_hand);
}

#[test]
fn speculation_yields_the_geometric_sum() {
    let drafted = Speculation { drafted: 3, acceptance: 0.5, draft_layers: 1.0 };
    assert!((drafted.accepted() - 1.875).abs() < 1e-12);
    let mut asked = question(Load::Batch { sequences: 1.0 });
    let plain = ask(&dense_model(), &asked);
    asked.speculation = Some(Speculation { drafted: 1, acceptance: 0.9, draft_layers: 1.0 });
    let drafting = ask(&dense_model(), &asked);
    assert!(drafting.tpot_seconds < plain.tpot_seconds);
    assert!(drafting.step_seconds > plain.step_seconds);
}

#[test]
fn a_prefix_in_the_cache_shortens_the_first_token() {
    let mut asked = question(concurrent(8.0));
    let cold = ask(&dense_model(), &asked);
    asked.lengths.prefix_hit = 0.5;
    let warm = ask(&dense_model(), &asked);
    assert!(warm.ttft_service_seconds < cold.ttft_service_seconds);
    assert!(warm.output_tokens_per_second > cold.output_tokens_per_second);
}

fn experts(mode: Mode, load: Load) -> Question {
    let instance = Instance { tp: 1, dp: 8, pp: 1, ep: 8, etp: 1 };
    Question { mode, pool: Pool { instance, instances: 1, batch: None }, ..question(load) }
}

#[test]
fn requests_in_step_wait_before_their_first_token_and_not_between_the_others() {
    let steady = ask(&dense_model(), &question(concurrent(32.0)));
    let together = ServingSoftware { bunching: 1.0, ..software() };
    let bunched = ask_with(&dense_model(), &question(concurrent(32.0)), &together);
    let (early, late) = (steady.ttft_queue_seconds.unwrap(), bunched.ttft_queue_seconds.unwrap());
    assert!(late > 2.0 * early, "{late} against {early}");
    assert!(bunched.tpot_seconds < steady.tpot_seconds);
    assert_eq!(bunched.output_tokens_per_second, steady.output_tokens_per_second);
    // Lengths that scatter more than the prompts take keep nothing in step.
    let mut spread = question(concurrent(32.0));
    spread.lengths.output_spread = 0.5;
    let apart = ask_with(&dense_model(), &spread, &together);
    assert!(
        (apart.ttft_queue_seconds.unwrap() - ask(&dense_model(), &spread).ttft_queue_seconds.unwrap()).abs()
            < 1e-12
    );
}

#[test]
fn a_run_that_starts_empty_waits_in_its_first_wave() {
    let steady = question(concurrent(32.0));
    let run = Question { run_requests: Some(320.0), ..steady };
    assert!(ask(&dense_model(), &run).ttft_queue_seconds > ask(&dense_model(), &steady).ttft_queue_seconds);
}

#[test]
fn a_run_takes_its_waves_and_one_filling_and_draining() {
    // 8 prompts of 1,024 tokens fit a step of 8,192: the steps that are added are one at the most, of a run of
    // 255 a wave, and the share that they take falls with the number of waves.
    let all = |requests: f64| Question { run_requests: Some(requests), ..question(concurrent(8.0)) };
    let steady = ask(&dense_model(), &question(concurrent(8.0))).output_tokens_per_second.unwrap();
    let one = ask(&dense_model(), &all(8.0)).output_tokens_per_second.unwrap();
    let ten = ask(&dense_model(), &all(80.0)).output_tokens_per_second.unwrap();
    assert!(one < ten && ten < steady, "{one} {ten} {steady}");
    assert!(((steady / one - 1.0) / (steady / ten - 1.0) - 10.0).abs() < 1e-6);
    assert!(steady / one < 1.0 + 3.0 / 255.0, "{}", steady / one);
}

#[test]
fn a_run_of_fewer_requests_than_fit_is_as_fast_as_so_many() {
    let few = Question { run_requests: Some(8.0), ..question(concurrent(64.0)) };
    let own = Question { run_requests: Some(8.0), ..question(concurrent(8.0)) };
    assert_eq!(
        ask(&dense_model(), &few).output_tokens_per_second,
        ask(&dense_model(), &own).output_tokens_per_second
    );
}

#[test]
fn fewer_requests_than_ranks_are_not_one_on_each() {
    let model = moe_model();
    let one = ask(&model, &experts(Mode::Aggregated, concurrent(1.0)));
    let eight = ask(&model, &experts(Mode::Aggregated, concurrent(8.0)));
    // A request cannot get more than one token per TPOT.
    assert!(one.output_tokens_per_second.unwrap() * one.tpot_seconds.unwrap() <= 1.0 + 1e-9);
    assert!(one.output_tokens_per_second < eight.output_tokens_per_second);
}

#[test]
fn without_overlap_host_and_device_add_and_with_it_the_longer_counts() {
    let at = |hidden: f64| {
        let software = ServingSoftware {
            host_step: Seconds(20e-3),
            host_sequence: Seconds(0.0),
            host_layer: Seconds(0.0),
            host_hidden: hidden,
            ..software()
        };
        ask_with(&dense_model(), &question(Load::Batch { sequences: 8.0 }), &software)
    };
    let apart = at(0.0);
    assert!((apart.step.host.0 - 20e-3).abs() < 1e-9);
    let device = apart.step_seconds - 20e-3;
    let longer = at(1.0).step_seconds;
    assert!((longer / device.max(20e-3) - 1.0).abs() < 0.01, "{longer} against {device}");
    assert!(at(0.5).step_seconds < apart.step_seconds && at(0.5).step_seconds > at(1.0).step_seconds);
}

#[test]
fn with_graphs_only_steps_with_prompts_are_launched_by_the_host() {
    // Nothing overlaps: the host adds 1 ms per layer to the share of steps that hold prompts, and nothing to decode.
    let slow = ServingSoftware { host_layer: Seconds(1e-3), host_hidden: 0.0, ..software() };
    let fast = ServingSoftware { host_layer: Seconds(0.0), ..slow };
    let asked = question(Load::Batch { sequences: 8.0 });
    let (one, other) = (ask_with(&dense_model(), &asked, &slow), ask_with(&dense_model(), &asked, &fast));
    let layers = f64::from(dense_model().layers);
    let added = one.step.host.0 - other.step.host.0;
    assert!(one.mixed_share > 0.0);
    assert!((added - one.mixed_share * layers * 1e-3).abs() < 1e-9, "{added}");
    // Pieces replayed up to more tokens than any step holds: nothing is launched; up to fewer: all as before.
    let step_of = |tokens: f64| {
        ask_with(&dense_model(), &asked, &ServingSoftware { graph_tokens: tokens, ..slow }).step_seconds
    };
    assert!((step_of(1e9) - other.step_seconds).abs() < 1e-12);
    assert!((step_of(9.0) - one.step_seconds).abs() < 1e-12);
    let decoding = Question { mode: Mode::Decode, ..asked };
    let (one, other) =
        (ask_with(&dense_model(), &decoding, &slow), ask_with(&dense_model(), &decoding, &fast));
    assert!((one.step_seconds - other.step_seconds).abs() < 1e-12);
}

#[test]
fn small_groups_that_gather_pay_for_all_tokens() {
    let question = experts(Mode::Decode, Load::Batch { sequences: 512.0 });
    let model = moe_model();
    let gathering = ServingSoftware { gather_ranks: 64.0, ..software() };
    let exchanged = ask(&model, &question).step.expert_exchange;
    assert!(ask_with(&model, &question, &gathering).step.expert_exchange >= exchanged);
}

#[test]
fn overlap_of_two_batches_never_slows_a_step() {
    let asked = experts(Mode::Decode, Load::Batch { sequences: 2048.0 });
    let plain = ask(&moe_model(), &asked);
    let overlapping =
        ask_with(&moe_model(), &asked, &ServingSoftware { two_batch_overlap: true, ..software() });
    assert!(overlapping.step_seconds <= plain.step_seconds);
    let single = experts(Mode::Decode, Load::Batch { sequences: 8.0 });
    let small = ask_with(&moe_model(), &single, &ServingSoftware { two_batch_overlap: true, ..software() });
    assert!(small.step_seconds <= ask(&moe_model(), &single).step_seconds);
}

#[test]
fn balanced_experts_are_faster() {
    let mut asked = experts(Mode::Prefill, Load::Full);
    let skewed = ask(&moe_model(), &asked);
    asked.balanced_experts = true;
    assert!(ask(&moe_model(), &asked).step_seconds < skewed.step_seconds);
}

#[test]
fn the_slower_pool_bounds_a_disaggregated_service() {
    let mut asked = question(concurrent(512.0));
    asked.mode = Mode::Disaggregated;
    asked.prefill = Some(Pool { instances: 1, ..asked.pool });
    asked.pool.instances = 4;
    let one = ask(&dense_model(), &asked);
    asked.prefill = Some(Pool { instances: 2, ..asked.pool });
    let two = ask(&dense_model(), &asked);
    assert!(one.prefill_utilisation.unwrap() > 0.95);
    let gain = two.requests_per_second.unwrap() / one.requests_per_second.unwrap();
    assert!(gain > 1.5 && gain < 2.05, "{gain}");
    assert_eq!(two.devices, 12);
}

#[test]
fn products_are_no_faster_than_somebody_measured_them() {
    let (model, question, software) = (dense_model(), question(concurrent(64.0)), software());
    let with = |measured: Option<PerPrecision<FlopsPerSecond>>| {
        let mut cluster = cluster();
        cluster.device.measured = measured;
        let constants = constants();
        let family = Family::default();
        answer(&Setting {
            cluster: &cluster,
            fabric: 0,
            model: &model,
            software: &software,
            constants: &constants,
            family: &family,
            question: &question,
        })
        .unwrap()
        .ttft_service_seconds
    };
    let at = |share: f64| PerPrecision {
        bf16: FlopsPerSecond(cluster().device.peak.bf16.0 * share),
        fp8: None,
        fp4: None,
        int8: None,
    };
    let law = with(None);
    // A measurement that the law stays below changes nothing; one that it exceeds holds it down.
    assert_eq!(with(Some(at(1.0))), law);
    let (half, quarter) = (with(Some(at(0.2))), with(Some(at(0.1))));
    assert!(quarter > half && half > law, "{quarter:?} {half:?} {law:?}");
}

#[test]
fn nonsense_is_refused_with_its_key() {
    let cluster = cluster();
    let refuse = |asked: Question| {
        let model = dense_model();
        answer(&Setting {
            cluster: &cluster,
            fabric: 0,
            model: &model,
            software: &software(),
            constants: &constants(),
            family: &Family::default(),
            question: &asked,
        })
        .unwrap_err()
        .to_string()
    };
    let mut asked = question(concurrent(1.0));
    asked.speculation = Some(Speculation { drafted: 1, acceptance: 1.5, draft_layers: 1.0 });
    assert!(refuse(asked).starts_with("speculation.acceptance"));
    let mut asked = question(concurrent(1.0));
    asked.precisions.dense_products = Precision::Fp4;
    assert!(refuse(asked).starts_with("precisions.dense_products"));
    let mut asked = question(concurrent(1.0));
    asked.mode = Mode::Disaggregated;
    assert!(refuse(asked).starts_with("prefill"));
}
