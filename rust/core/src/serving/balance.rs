//! How a load and a deployment come to balance: closed loops, random arrivals, a given batch.

use crate::serving::answer::{Setting, Verdict};
use crate::serving::case::{Mode, Question, ServingSoftware};
use crate::serving::layer::Bench;
use crate::serving::memory::cache_bytes_of_token;
use crate::serving::queue::{closed_loop, wait_over_service};
use crate::serving::ready::Ready;
use crate::serving::replica::{Round, aggregated, decode, prefill, ramp, steps_of_request};
use crate::serving::units::whole;

/// Spans of lengths by which requests that started together have drifted apart over the rounds of a run, where
/// prompts come between tokens; a pool that only decodes keeps them in step but for their lengths.
const DRIFT: f64 = 4.0;

/// Everything about one question.
pub(super) struct World<'a> {
    pub(super) setting: &'a Setting<'a>,
    pub(super) software: &'a ServingSoftware,
    pub(super) main: &'a Ready,
    pub(super) front: Option<&'a Ready>,
    pub(super) decoder: Bench<'a>,
    pub(super) prefiller: Option<Bench<'a>>,
}

/// A balance of a load: what a lane of the decoding side does.
#[derive(Clone, Copy)]
pub(super) struct Balance {
    /// Sequences in decode per lane.
    pub(super) batch: f64,
    /// Requests per second of the whole deployment.
    pub(super) rate: f64,
    /// Mean wait for the prompt to start.
    pub(super) queue: f64,
    /// Part of that wait in which others' prompts run that else would have run between its tokens.
    pub(super) bunched: f64,
    /// Mean round at that batch.
    pub(super) round: Round,
    pub(super) verdict: Verdict,
}

/// The prefilling side as a queue.
#[derive(Clone, Copy)]
pub(super) struct Front {
    /// Prompts served at once.
    pub(super) servers: f64,
    /// A prompt keeps its server busy so long.
    pub(super) busy: f64,
    /// A prompt takes so long.
    pub(super) service: f64,
}

impl World<'_> {
    pub(super) fn question(&self) -> &Question {
        self.setting.question
    }

    /// The round of the decoding side.
    pub(super) fn round(&self, batch: f64) -> Round {
        match self.question().mode {
            Mode::Aggregated => aggregated(&self.decoder, batch),
            _ => decode(&self.decoder, batch),
        }
    }

    /// The prefilling side, per lane of the aggregated instance or as one pool.
    pub(super) fn front(&self, round: &Round) -> Front {
        match (&self.prefiller, self.front) {
            (Some(bench), Some(pool)) => {
                let alone = prefill(bench, pool.pool.batch);
                Front { servers: pool.lanes(), busy: alone.prompt_busy, service: alone.prompt_service }
            }
            _ => Front { servers: 1.0, busy: round.prompt_busy, service: round.prompt_service },
        }
    }

    /// Lanes that share the queue of prompts, as the loop sees it: one, or all of a disaggregated deployment.
    pub(super) fn shared_lanes(&self) -> f64 {
        if self.front.is_some() { self.main.lanes() } else { 1.0 }
    }

    /// What a newcomer to an instance that decodes loses around its own steps: half of the step under way (of all until
    /// the scheduler next looks for newcomers), and as much of a step as the scheduler runs ahead, since its first token
    /// is told only when the next step is launched.
    pub(super) fn around(&self, round: &Round) -> f64 {
        if self.front.is_some() {
            return 0.0;
        }
        round.step * (0.5 * self.question().poll_steps + self.software.host_hidden)
    }

    /// Seconds between the first and the last token.
    pub(super) fn decode_time(&self, round: &Round) -> f64 {
        steps_of_request(&self.decoder) * round.step
    }

    /// The part of the cache transfer that a request waits for.
    pub(super) fn transfer(&self) -> f64 {
        let Some(front) = self.front else { return 0.0 };
        let question = self.question();
        let bytes = cache_bytes_of_token(self.setting.model, &question.precisions) * question.lengths.input;
        // Every rank of the smaller side sends or receives over its own NIC.
        let devices = front.pool.instance.tp.min(self.main.pool.instance.tp) * front.pool.instance.pp;
        let time = self.decoder.exchange.cache_transfer(bytes, f64::from(devices));
        time.0 * (1.0 - self.software.transfer_hidden)
    }

    /// The closed loop of `requests` per shared queue.
    pub(super) fn closed(&self, requests: f64) -> Balance {
        let shared = self.shared_lanes();
        let most = self.main.limit * shared;
        let inside = if self.front.is_some() { requests } else { requests.min(most) };
        let spread = self.question().lengths.input_spread;
        let outside = self.transfer() + self.software.host_request.0;
        let at = |batch: f64| {
            let round = self.round(batch);
            let front = self.front(&round);
            let queue_service = front.busy / front.servers;
            let delay = self.decode_time(&round)
                + (front.service - queue_service).max(0.0)
                + outside
                + self.around(&round);
            let (rate, stay) = closed_loop(inside, queue_service, spread, delay);
            (round, rate, (stay - queue_service).max(0.0))
        };
        let implied = |batch: f64| {
            let (round, rate, _) = at(batch);
            rate * self.decode_time(&round) / shared
        };
        let ceiling = (inside / shared).min(self.main.limit);
        let batch = crossing(|batch| implied(batch) - batch, ceiling);
        let (round, mut rate, mut queue) = at(batch);
        let time = self.decode_time(&round);
        if rate * time / shared > self.main.limit {
            rate = self.main.limit * shared / time;
        }
        let front = self.front(&round);
        // Little: whoever is in the loop and neither computed nor decoded waits.
        queue = queue.max(requests / rate - time - front.service - outside - self.around(&round));
        let verdict = if requests > most { Verdict::Backlogged } else { Verdict::Stable };
        Balance { batch, rate: rate * self.main.lanes() / shared, queue, bunched: 0.0, round, verdict }
    }

    /// The open loop at `rate` requests per second of the whole deployment.
    pub(super) fn open(&self, rate: f64) -> Balance {
        let lanes = self.main.lanes();
        let served = |batch: f64| batch / self.decode_time(&self.round(batch)).max(f64::MIN_POSITIVE) * lanes;
        let most = self.main.limit;
        let overloaded = served(most) < rate;
        let batch = if overloaded { most } else { crossing(|batch| rate - served(batch), most) };
        let round = self.round(batch);
        let front = self.front(&round);
        let (servers, offered) = if self.front.is_some() {
            (front.servers, rate * front.busy)
        } else {
            let own = lanes / f64::from(self.main.pool.instances);
            (own, rate * front.busy / f64::from(self.main.pool.instances))
        };
        let load = offered / servers;
        let whole = whole(servers, 4096);
        let spread = self.question().lengths.input_spread;
        let queue = front.busy * wait_over_service(whole, load * f64::from(whole), spread);
        // In flight the number of requests scatters like a Poisson number.
        let crowded = batch * lanes + 2.0 * (batch * lanes).sqrt() > most * lanes;
        let verdict = if overloaded || load >= 1.0 {
            Verdict::Overloaded
        } else if load > 0.9 || crowded {
            Verdict::Backlogged
        } else {
            Verdict::Stable
        };
        Balance { batch, rate, queue, bunched: 0.0, round, verdict }
    }

    /// `batch` sequences in decode per lane, whatever brings them.
    pub(super) fn fixed(&self, batch: f64) -> Balance {
        let round = self.round(batch);
        let time = self.decode_time(&round);
        let rate = if time > 0.0 { batch / time * self.main.lanes() } else { 0.0 };
        Balance { batch, rate, queue: 0.0, bunched: 0.0, round, verdict: Verdict::Stable }
    }

    /// A closed loop of `requests`, steady or as a run that starts empty.
    ///
    /// A run of R requests begins with all of a batch at once: those wait half of what their prompts take, on the
    /// mean. Requests of equal lengths also end together: whole waves and a remainder, and one filling and draining.
    pub(super) fn run(&self, requests: f64) -> Balance {
        let Some(total) = self.question().run_requests else { return self.closed(requests) };
        let queues = self.main.lanes() / self.shared_lanes();
        let own = total / queues;
        // No more are in flight than there are.
        let mut steady = self.closed(requests.min(own));
        let front = self.front(&steady.round);
        let inside = requests.min(self.main.limit * self.shared_lanes()).min(own);
        let first = inside / own.max(1.0);
        let burst = (inside - 1.0).max(0.0) / 2.0 * front.busy / front.servers;
        steady.queue = first * burst.max(steady.queue) + (1.0 - first) * steady.queue;
        if self.question().lengths.output_spread < 0.2 {
            let waves = libm::floor(own / inside);
            let rest = own - waves * inside;
            let mut seconds = waves * inside * queues / steady.rate;
            if rest > 0.5 {
                let last = self.closed(rest.max(1.0));
                seconds += rest * queues / last.rate;
            }
            if self.front.is_none() {
                seconds += ramp(&self.decoder, inside);
            }
            steady.rate = total / seconds;
        }
        steady
    }

    /// The closed loop with a share of its requests in step: requests of like lengths that start together end
    /// together, so that their prompts meet again and wait for each other, half of what all take on the mean, as far
    /// as that is longer than the span in which such requests end. A run that starts empty does so once in any case.
    ///
    /// In one pool the work is the same: what a request waits at its start does not come between its tokens. Of
    /// pools apart the decoding one idles meanwhile.
    pub(super) fn bunched(&self, requests: f64, steady: Balance) -> Balance {
        let inside = requests.min(self.main.limit * self.shared_lanes());
        let front = self.front(&steady.round);
        let time = self.decode_time(&steady.round);
        let all = (inside - 1.0).max(0.0) * front.busy / front.servers;
        // Lengths even from low to high spread by (high - low) / mean / sqrt(12).
        let drift = if self.front.is_none() { DRIFT } else { 1.0 };
        let span = drift * self.question().lengths.output_spread * 12.0_f64.sqrt() * time;
        let again = self.software.bunching * (all - span).max(0.0) / 2.0;
        let first = self
            .question()
            .run_requests
            .map_or(0.0, |total| (inside * self.main.lanes() / self.shared_lanes() / total).min(1.0));
        let wait = first * all / 2.0 + (1.0 - first) * again;
        if self.front.is_none() {
            // What they wait anyway is not moved, and the whole time stays what Little's law makes it.
            let between = steps_of_request(&self.decoder) * (steady.round.step - steady.round.pure).max(0.0);
            let moved = (wait - steady.queue).max(0.0).min(between);
            return Balance { queue: steady.queue + moved, bunched: moved, ..steady };
        }
        let rest = time + front.service + self.transfer() + self.software.host_request.0;
        let queue = steady.queue.max(wait);
        Balance { queue, rate: steady.rate * (rest + steady.queue) / (rest + queue), ..steady }
    }
}

/// Where `excess` (falling) crosses zero in (0, `most`]; `most` if it stays above.
fn crossing(excess: impl Fn(f64) -> f64, most: f64) -> f64 {
    if excess(most) >= 0.0 {
        return most;
    }
    let (mut low, mut high) = (0.0, most);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
        if high - low < 1e-6 * high {
            break;
        }
    }
    0.5 * (low + high)
}
