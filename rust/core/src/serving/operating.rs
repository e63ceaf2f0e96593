//! Operating points of pools under random arrivals: rate, and latencies as mean and quantile.

use serde::{Deserialize, Serialize};

use crate::serving::case::Lengths;
use crate::serving::layer::Bench;
use crate::serving::queue::{erlang_c, wait_over_service, wait_quantile};
use crate::serving::replica::{
    Round, aggregated, decode, decode_step, gathered, lanes, steps_of_request, tokens_per_step,
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
        bulk: 0.0,
        together: 0.0,
        fixed: bench.software.host_request.0 + gathering(bench, rate),
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

/// Mean wait for the prompts of other data-parallel ranks that are started together, dp^coordination of them.
fn gathering(bench: &Bench, rate: f64) -> f64 {
    let others = gathered(bench) - 1.0;
    if others > 0.0 && rate > 0.0 { others / (2.0 * rate) } else { 0.0 }
}

/// A decode instance at `batch` sequences per lane.
#[must_use]
pub fn decode_at(bench: &Bench, batch: f64, quantiles: Quantiles) -> Operating {
    let round = decode(bench, batch);
    let rate = batch / (steps_of_request(bench) * round.step) * lanes(bench.instance);
    let tpot = per_token(bench, &round, batch, quantiles.tpot);
    Operating { batch, rate, round, load: 0.0, ttft: None, tpot }
}

/// A pool of prefill instances whose full step is `round`, at `rate` requests per second in all: load and time to the
/// first token, the wait for the `transfer` of the cache included.
///
/// A lane takes all that waits, up to the budget, as its next step, so a prompt also waits for those that came after it
/// while the step before was under way. In a lane that never idles while work waits, the mean rest of that step is
/// W / (1 + load), W the mean wait first come first served, and the prompts that come in that rest take load times as
/// long: W load / (1 + load).
#[must_use]
pub fn prefill_pool(
    bench: &Bench,
    round: &Round,
    instances: f64,
    rate: f64,
    transfer: f64,
    quantile: f64,
) -> (f64, Option<Latency>) {
    // A pipeline lets the next prompts in when its first stage is free, ranks begin and end together: one server that
    // is pp x dp times as fast.
    let servers = instances;
    let busy = round.prompt_busy / lanes(bench.instance);
    let load = rate * busy / servers;
    let bulk = bulk_step(bench, round, load);
    let queue = Queue {
        servers,
        offered: rate * busy,
        busy,
        bulk,
        service: round.prompt_service,
        together: (round.step - round.prompt_service).max(0.0),
        fixed: bench.software.host_request.0 + transfer,
        // The first stage is free again after its part of the step.
        residual: bulk / f64::from(bench.instance.pp) * load.min(1.0) / 2.0,
    };
    (load, queue.first_token(&bench.question.lengths, quantile))
}

/// The step of prompts that are computed together, of data-parallel ranks or in a pipeline; 0 where each lane computes
/// alone.
///
/// All wait for the rank with most. A prompt goes where least is, so that rank exceeds the mean by about the rest of a
/// prompt at a random place, o = p (1 + cv^2) / 2 (1 - 1/dp) tokens. What comes while a step of T keeps the first stage
/// makes the next, so T = t0 + s o + rho T, and T = (t0 + s o) / (1 - rho): at least a lone prompt, at most a full step.
/// A full step of M prompts gives s = t(M)/M - t0/M per prompt and t0 = (t(1) - t(M)/M) M / (M - 1); rho is the load
/// without t0.
fn bulk_step(bench: &Bench, round: &Round, load: f64) -> f64 {
    if lanes(bench.instance) <= 1.0 || load >= 1.0 {
        return 0.0;
    }
    let ranks = f64::from(bench.instance.dp);
    let lengths = &bench.question.lengths;
    // Time of a mean prompt in a full step, as its rank sees it, and how many prompts that holds.
    let own = round.prompt_busy;
    let full = round.step / own;
    let fixed = if full > 1.0 + 1e-6 {
        ((round.prompt_service - own).max(0.0) * full / (full - 1.0)).min(own * full)
    } else {
        0.0
    };
    let each = (own - fixed / full.max(1.0)).max(0.0);
    let rest = each * (1.0 + lengths.input_spread * lengths.input_spread) / 2.0 * (1.0 - 1.0 / ranks);
    let load = load * each / own;
    ((fixed + rest) / (1.0 - load)).max(round.prompt_service).min(round.step.max(round.prompt_service))
}

/// Prompts in front of a pool of servers.
struct Queue {
    servers: f64,
    /// Arrival rate x time that a prompt keeps its server.
    offered: f64,
    busy: f64,
    service: f64,
    /// The step of ranks that compute prompts together; 0: each by itself.
    bulk: f64,
    /// What prompts that came later may add at most: the rest of a full step.
    together: f64,
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
        let load = self.offered / self.servers;
        let shared = (wait * load / (1.0 + load)).min(self.together);
        let mean = wait + (shared + self.service).max(self.bulk) + self.residual + self.fixed;
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
