//! What the search spends its time on, measured piece by piece: `cargo bench -p planner-core`.
//!
//! One problem stands in `benches/problems`; `planner bench` measures whole cases.

#![allow(missing_docs)] // criterion's macros make undocumented functions

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::problem::Problem;
use planner_core::search::rate::evaluation_rate;
use planner_core::search::variant::{bench, variants};
use planner_core::search::{search, solved};
use planner_core::training::pieces::pieces;
use planner_core::training::step::Family;

fn problem() -> Problem {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/problems/gpt3-175b-1024-a100.json");
    let text = std::fs::read(file).expect("benches/problems is part of the repository");
    serde_json::from_slice(&text).expect("a problem/1")
}

fn pieces_of_a_search(criterion: &mut Criterion) {
    let problem = problem();
    let solved = solved(&problem, &mut |_| true).expect("a sound problem");
    let found = solved.outcome.best.expect("GPT-3 fits 1,024 cards");
    let variants = variants(&problem).expect("a sound problem");
    let variant = &variants[found.variant];
    let size = variant.sizes.iter().find(|size| size.cards == found.cards).expect("its size");
    let bench = bench(&problem, variant, size.network);
    let layout = found.best.layout;
    let count = problem.training.global_batch / (layout.dp * layout.micro_batch);
    let costed = pieces(&bench, &layout);
    let family = Family::new(&problem.model, layout, costed);
    let choice = DesignChoice {
        cluster: found.cluster,
        fabric: found.fabric,
        cooling: found.cooling,
        power_cap: found.power_cap,
        cards: Some(found.cards),
        layout,
    };
    criterion.bench_function("layers of a layout costed", |b| {
        b.iter(|| pieces(black_box(&bench), black_box(&layout)));
    });
    criterion.bench_function("stages of a layout timed", |b| {
        b.iter(|| Family::new(&problem.model, black_box(layout), black_box(costed)));
    });
    criterion.bench_function("memory of a layout", |b| {
        b.iter(|| black_box(&family).memory(&bench, layout.dp, count));
    });
    criterion.bench_function("one step", |b| b.iter(|| black_box(&family).step(&bench, layout.dp, count)));
    criterion.bench_function("one design, cold", |b| b.iter(|| evaluate(black_box(&problem), &choice)));
}

fn whole_searches(criterion: &mut Criterion) {
    let problem = problem();
    let mut group = criterion.benchmark_group("whole");
    group.sample_size(10);
    group.bench_function("search of GPT-3 175B on 1,024 A100", |b| {
        b.iter(|| search(black_box(&problem), &mut |_| true));
    });
    group.bench_function("all its layouts evaluated", |b| {
        b.iter(|| evaluation_rate(black_box(&problem), f64::INFINITY));
    });
    group.finish();
}

criterion_group!(benches, pieces_of_a_search, whole_searches);
criterion_main!(benches);
