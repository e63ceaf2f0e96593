//! Operating points of pools under random arrivals: rate, and latencies as mean and quantile.

use serde::{Deserialize, Serialize};

use crate::serving::case::Lengths;
use crate::serving::layer::Bench;
use crate::serving::queue::{erlang_c, wait_over_service, wait_quantile};
use crate::serving::replica::{
    Round, aggregated, decode, decode_step, lanes, steps_of_request, tokens_per_step,
};
use crate::serving::units::{lognormal_quantile, normal_quantile, whole};

/// Servers beyond which a queue is as good as that of this many.
const MOST_SERVERS: u32 = 512;

/// A latency in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Mean over the requests.
    pub mean: f64,
    /// What the share of the target does not exceed.
    pub quantile: f64,
}

/// Shares of requests for which latencies are asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Of the time to the first token.
    pub ttft: f64,
    /// Of the time per output token.
    pub tpot: f64,
}

/// What an instance does at a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operating {
    /// Sequences in decode per lane.
    pub batch: f64,
    /// Requests per second and instance.
    pub rate: f64,
    /// The mean round.
    pub round: Round,
    /// Load of the prompts over what the instance can take in; 0 where it takes none.
    pub load: f64,
    /// Time to the first token; none: prompts come faster than they are computed, or there are none.
    pub ttft: Option<Latency>,
    /// Time per output token.
    pub tpot: Latency,
}

/// An aggregated instance at `batch` sequences per lane in decode.
#[must_use]
pub fn aggregated_at(bench: &Bench, batch: f64, quantiles: Quantiles) -> Operating {
    let round = aggregated(bench, batch);
    let servers = lanes(bench.instance);
    let rate = batch / (steps_of_request(bench) * round.step) * servers;
    let front = Queue {
        servers,
        offered: rate * round.prompt_busy,
        busy: round.prompt_busy,
        service: round.prompt_service,
        // The scheduler runs ahead: a token is told when the next step is launched.
        fixed: bench.software.host_request.0 + bench.software.host_hidden * round.step,
        // A newcomer finds a step under way.
        residual: round.step / 2.0,
    };
    Operating {
        batch,
        rate,
        round,
        load: front.offered / servers,
        ttft: front.first_token(&bench.question.lengths, quantiles.ttft),
        tpot: per_token(bench, &round, batch, quantiles.tpot),
    }
}

/// A decode instance at `batch` sequences per lane.
#[must_use]
pub fn decode_at(bench: &Bench, batch: f64, quantiles: Quantiles) -> Operating {
    let round = decode(bench, batch);
    let rate = batch / (steps_of_request(bench) * round.step) * lanes(bench.instance);
    let tpot = per_token(bench, &round, batch, quantiles.tpot);
    Operating { batch, rate, round, load: 0.0, ttft: None, tpot }
}

/// A pool of prefill instances whose full step is `round`, at `rate` requests per second in all: load and time to the first token, the wait for
/// the `transfer` of the cache included.
#[must_use]
pub fn prefill_pool(
    bench: &Bench,
    round: &Round,
    instances: f64,
    rate: f64,
    transfer: f64,
    quantile: f64,
) -> (f64, Option<Latency>) {
    let servers = lanes(bench.instance) * instances;
    let load = rate * round.prompt_busy / servers;
    // The fuller the steps, the longer a prompt shares its step with others.
    let shared = (round.step - round.prompt_service).max(0.0) * load.min(1.0);
    let queue = Queue {
        servers,
        offered: rate * round.prompt_busy,
        busy: round.prompt_busy,
        service: round.prompt_service + shared,
        fixed: bench.software.host_request.0 + transfer,
        residual: 0.0,
    };
    (load, queue.first_token(&bench.question.lengths, quantile))
}

/// Prompts in front of a pool of servers.
struct Queue {
    servers: f64,
    /// Arrival rate x time that a prompt keeps its server.
    offered: f64,
    busy: f64,
    service: f64,
    fixed: f64,
    residual: f64,
}

impl Queue {
    /// Wait + rest of the step under way + service + fixed time. The quantile adds the excesses of wait, residual
    /// and service (prompts log-normal) in quadrature: they are independent.
    fn first_token(&self, lengths: &Lengths, quantile: f64) -> Option<Latency> {
        if self.offered >= self.servers {
            return None;
        }
        let spread = lengths.input_spread;
        let servers = whole(self.servers, MOST_SERVERS);
        let offered = self.offered / self.servers * f64::from(servers);
        let wait = self.busy * wait_over_service(servers, offered, spread);
        let late = wait_quantile(wait, erlang_c(servers, offered), quantile) - wait;
        let long = self.service * (lognormal_quantile(spread, quantile) - 1.0);
        let residual = self.residual * (2.0 * quantile - 1.0);
        let mean = wait + self.residual + self.service + self.fixed;
        let excess = [late, long, residual].iter().map(|part| part.max(0.0) * part.max(0.0)).sum::<f64>();
        Some(Latency { mean, quantile: mean + excess.sqrt() })
    }
}

/// Time per output token of a request: a mean over its steps, so steps with and without prompts even out, while the
/// scatter of the number in flight (Poisson) lasts as long as the request.
fn per_token(bench: &Bench, round: &Round, batch: f64, quantile: f64) -> Latency {
    let share = round.mixed_share;
    let mixed = if share > 0.0 { (round.step - (1.0 - share) * round.pure) / share } else { round.pure };
    let steps = steps_of_request(bench);
    let chunks = share * (1.0 - share) * (mixed - round.pure) * (mixed - round.pure) / steps;
    let crowd = batch + (batch / lanes(bench.instance)).sqrt();
    let slower = decode_step(bench, crowd).total().0 - round.pure;
    let sigma = (chunks + slower * slower).sqrt();
    let accepted = tokens_per_step(bench);
    let mean = round.step / accepted;
    Latency { mean, quantile: mean + (normal_quantile(quantile) * sigma / accepted).max(0.0) }
}
