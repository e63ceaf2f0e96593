//! Simulates the best service of a `service/1` file and prints closed form and simulation side by side.
//!
//! cargo run --release --example `service_simulation` FILE

use std::time::Instant;

use planner_core::service::problem::ServiceProblem;
use planner_core::service::search::fields;
use planner_core::service::simulated::{Effort, simulate};

#[allow(clippy::print_stdout)]
fn main() {
    let path = std::env::args().nth(1).expect("a file");
    let problem: ServiceProblem =
        serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("a service/1");
    let fields = fields(&problem).expect("sound");
    for field in fields.iter().take(1) {
        let rate = problem.target.requests_per_second.unwrap_or(50.0);
        for way in field.ways(rate) {
            let (point, _) = planner_core::service::evaluate::point_at(
                &field.ground,
                &field.candidates[way.main.candidate],
                way.prefill.is_none(),
                rate / way.main.instances as f64,
            );
            let begun = Instant::now();
            let Some(found) = simulate(field, &way, rate, 1, Effort::QUICK) else { continue };
            let first = way.prefill.map_or(point.ttft, |front| {
                let from = &field.candidates[front.candidate];
                let transfer = field.ground.transfer(from, &field.candidates[way.main.candidate]);
                field.ground.prefilling(from, front.instances as f64, rate, transfer).1
            });
            println!(
                "{:?} {:?} x{} | tpot {:.4} vs {:.4} ({:.3}) p {:.3} | ttft {:.3} vs {:.3} ({:.3}) q ({:.3}) | batch {:.3} | served {:.3} | n {} {:?}",
                way.prefill.map(|f| (f.instances, field.candidates[f.candidate].instance)),
                field.candidates[way.main.candidate].instance,
                way.main.instances,
                found.tpot_mean_seconds.unwrap_or(0.0),
                point.tpot.mean,
                found.tpot_mean_seconds.unwrap_or(0.0) / point.tpot.mean,
                found.tpot_quantile_seconds.unwrap_or(0.0) / point.tpot.quantile,
                found.ttft_mean_seconds,
                first.map_or(0.0, |f| f.mean),
                first.map_or(0.0, |f| found.ttft_mean_seconds / f.mean),
                first.map_or(0.0, |f| found.ttft_quantile_seconds / f.quantile),
                found.batch
                    / point.batch
                    / planner_core::serving::replica::lanes(&field.candidates[way.main.candidate].instance),
                found.served_share,
                found.requests,
                begun.elapsed()
            );
        }
    }
}
