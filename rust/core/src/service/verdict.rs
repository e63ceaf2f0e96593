//! Why a service is as large as it is, and why there is none.

use crate::error::CoreError;
use crate::evaluate::over::{grouped, over_words};
use crate::service::answer::{ServiceCounts, ServiceDesign, ServiceNearest};
use crate::service::ground::SMALLEST_BATCH;
use crate::service::problem::{LatencyTarget, Served, ServiceProblem};
use crate::service::search::{Found, sort, told};
use crate::service::sizes::Field;
use crate::serving::case::Mode;
use crate::serving::operating::Latency;

/// What stops the service from being smaller: latencies nearly used up, limits, the cache.
#[must_use]
pub fn binding(problem: &ServiceProblem, best: &ServiceDesign) -> Vec<String> {
    let mut found = Vec::new();
    let near = |wanted: Option<LatencyTarget>, got: Option<Latency>| {
        wanted.zip(got).is_some_and(|(wanted, got)| got.quantile > 0.9 * wanted.seconds)
    };
    if near(problem.target.tpot, best.tpot) {
        found.push("target.tpot".to_string());
    }
    if near(problem.target.ttft, best.ttft) {
        found.push("target.ttft".to_string());
    }
    if problem.target.requests_per_second.is_some() {
        found.push(format!("pool.{}", best.binding_pool));
    }
    if best.pools.last().is_some_and(|pool| pool.batch > 0.8 * pool.batch_limit) {
        found.push("memory".to_string());
    }
    let limits = &problem.limits;
    if best.cards.total + problem.clusters[best.cluster].unit_cards > limits.cards_max {
        found.push("limits.cards_max".to_string());
    }
    let used = |limit: Option<f64>, value: f64| limit.is_some_and(|limit| value > 0.97 * limit);
    if used(limits.facility_watts, best.facility.facility_design_megawatts * 1e6) {
        found.push("limits.facility_watts".to_string());
    }
    if used(limits.it_watts, best.facility.it_megawatts * 1e6) {
        found.push("limits.it_watts".to_string());
    }
    if used(limits.capex_usd, best.cost.capex_usd.unwrap_or(0.0)) {
        found.push("limits.capex_usd".to_string());
    }
    found
}

/// What comes nearest where a simulation refuted every service that was tried.
#[must_use]
pub fn unconfirmed(fields: &[Field], last: ServiceDesign) -> ServiceNearest {
    let (tpot, ttft) = best_latencies(fields);
    let ran = last.simulated;
    let why = ran.map_or_else(String::new, |ran| {
        format!(
            "a simulation refutes every service tried; of {} cards it measures {}",
            last.cards.total,
            ran.words()
        )
    });
    let design = Some(last);
    ServiceNearest { what: "target", why, design, best_tpot_seconds: tpot, best_ttft_seconds: ttft }
}

/// Why nothing fits, and what comes nearest.
///
/// # Errors
/// A plant that cannot be built.
pub fn nearest(
    problem: &ServiceProblem,
    fields: &[Field],
    mut bad: Vec<Found>,
    counts: &ServiceCounts,
) -> Result<ServiceNearest, CoreError> {
    let (tpot, ttft) = best_latencies(fields);
    let blank = |what: &'static str, why: String| ServiceNearest {
        what,
        why,
        design: None,
        best_tpot_seconds: tpot,
        best_ttft_seconds: ttft,
    };
    sort(problem, fields, &mut bad);
    if let Some(found) = bad.first() {
        let shown = told(problem, fields, found)?;
        let least = problem.target.requests_per_second.unwrap_or(0.0);
        let (what, why) = if !shown.over_limits.is_empty() {
            let cards = shown.cards.total;
            let over = over_words(&shown.over_limits, &problem.limits, cards, &shown.facility, &shown.cost);
            ("limits", format!("without the limits {} cards do it; over: {over}", grouped(cards)))
        } else if found.rate < least {
            let most = found.rate;
            (
                "limits",
                format!("the limits leave room for {most:.4} requests/s at most, {least} are asked for"),
            )
        } else {
            let per_card = shown.output_tokens_per_second_per_card;
            (
                "target",
                format!("the best service yields {per_card:.1} tokens/s per card, less than asked for"),
            )
        };
        return Ok(ServiceNearest { design: Some(shown), ..blank(what, why) });
    }
    if fields.is_empty() {
        return Ok(blank("layout", "no chip here has a peak at the precisions asked for".to_string()));
    }
    if fields.iter().all(|field| field.candidates.is_empty()) {
        let memory = counts.rejected.get("memory").copied().unwrap_or(0);
        return Ok(if memory > 0 {
            blank("memory", "the weights and one request fit on no instance of the space".to_string())
        } else {
            blank("layout", "no layout of the space is lawful for the model and the servers".to_string())
        });
    }
    let target = &problem.target;
    let misses = |wanted: Option<LatencyTarget>, best: Option<f64>| {
        wanted.zip(best).filter(|(wanted, best)| *best > wanted.seconds)
    };
    let mut words = Vec::new();
    if let Some((wanted, best)) = misses(target.tpot, tpot) {
        words.push(binds("tpot", best, wanted.seconds));
    }
    if let Some((wanted, best)) = misses(target.ttft, ttft) {
        let name = if matches!(problem.served, Served::Generic { .. }) { "latency" } else { "ttft" };
        words.push(binds(name, best, wanted.seconds));
    }
    if words.is_empty() {
        let load = target.requests_per_second.map_or_else(String::new, |rate| format!(" at {rate} a second"));
        let most = grouped(problem.limits.cards_max);
        words.push(format!("no layout meets all latencies at once{load} with at most {most} cards"));
    }
    Ok(blank("target", words.join("; ")))
}

/// What is told where nothing was found before the search was cut short: no proof that there is nothing.
#[must_use]
pub fn cut_short(nearest: ServiceNearest, (done, all): (usize, usize)) -> ServiceNearest {
    let why = if done < all {
        format!("cut short after {done} of {all} grounds, so this proves nothing; so far: {}", nearest.why)
    } else {
        format!("cut short before the simulation was through; so far: {}", nearest.why)
    };
    ServiceNearest { why, ..nearest }
}

/// A latency that no layout reaches, in the unit of the larger of the two.
fn binds(name: &str, best: f64, wanted: f64) -> String {
    format!("{name} binds: at best {}, {} are asked for", seconds(best), seconds(wanted))
}

/// ``1 us``, ``9.8 ms``, ``2.5 s``: up to three digits.
fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        value if value < 1e-3 => (value * 1e6, "us"),
        value if value < 1.0 => (value * 1e3, "ms"),
        value => (value, "s"),
    };
    let digits = if scaled < 10.0 { 2 } else { usize::from(scaled < 100.0) };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// The least latencies that any layout reaches, alone on its instance.
fn best_latencies(fields: &[Field]) -> (Option<f64>, Option<f64>) {
    let (mut tpot, mut ttft) = (f64::INFINITY, f64::INFINITY);
    for field in fields {
        for item in &field.candidates {
            let together = field.has(Mode::Aggregated);
            if let Some(point) = field.ground.at(item, together, SMALLEST_BATCH) {
                tpot = tpot.min(point.tpot.quantile);
                ttft = ttft.min(point.ttft.map_or(f64::INFINITY, |first| first.quantile));
            }
            if field.has(Mode::Disaggregated) && field.ground.question().is_some() {
                let transfer = field.ground.transfer(item, item);
                let (_, first) = field.ground.prefilling(item, 1.0, 1e-9, transfer);
                ttft = ttft.min(first.map_or(f64::INFINITY, |first| first.quantile));
            }
        }
    }
    let known = |value: f64| value.is_finite().then_some(value);
    (known(tpot).filter(|value| *value > 0.0), known(ttft))
}

#[cfg(test)]
mod tests {
    use super::binds;

    #[test]
    fn a_latency_is_told_in_the_unit_that_shows_it() {
        assert_eq!(binds("latency", 0.002, 1e-6), "latency binds: at best 2 ms, 1 us are asked for");
        assert_eq!(binds("tpot", 0.0098, 0.001), "tpot binds: at best 9.8 ms, 1 ms are asked for");
        assert_eq!(binds("ttft", 2.46, 0.1012), "ttft binds: at best 2.46 s, 101 ms are asked for");
        assert_eq!(binds("ttft", 120.0, 0.5), "ttft binds: at best 120 s, 500 ms are asked for");
    }
}
