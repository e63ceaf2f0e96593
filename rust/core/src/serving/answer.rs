//! One question answered: what a deployment of whole instances does at a load.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::hardware::Cluster;
use crate::model::{Attention, Model};
use crate::plant::fabric_design;
use crate::serving::case::{Constants, Family, Instance, Load, Mode, Pool, Question, ServingSoftware};
use crate::serving::exchange::{Exchange, serving_network};
use crate::serving::layer::Bench;
use crate::serving::memory::{ServingMemory, cache_bytes_of_token, memory, most_sequences};
use crate::serving::operators::Rates;
use crate::serving::queue::{closed_loop, wait_over_service};
use crate::serving::replica::{Round, aggregated, decode, lanes, prefill, steps_of_request, tokens_per_step};
use crate::serving::step::StepTimes;
use crate::serving::units::whole;

/// Spans of lengths by which requests that started together have drifted apart over the rounds of a run, where
/// prompts come between tokens; a pool that only decodes keeps them in step but for their lengths.
const DRIFT: f64 = 4.0;

/// How a load sits with a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Queues stay short.
    Stable,
    /// Served, but queues are long: above 90 % of what the deployment can do, or more requests than it holds.
    Backlogged,
    /// More arrives than can be served: queues grow without end.
    Overloaded,
    /// The model does not fit.
    Unfit,
}

/// What a deployment does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServingAnswer {
    /// How the load sits.
    pub verdict: Verdict,
    /// Devices of all instances.
    pub devices: u64,
    /// Cards of all instances.
    pub cards: f64,
    /// Mean step by cause, seconds (prefill mode: of the prefill step).
    pub step: StepTimes,
    /// Mean step.
    pub step_seconds: f64,
    /// Mean time between tokens of a request; none: no decode.
    pub tpot_seconds: Option<f64>,
    /// From the start of a prompt to its first token.
    pub ttft_service_seconds: Option<f64>,
    /// Mean wait before that.
    pub ttft_queue_seconds: Option<f64>,
    /// Transfer of the cache between pools, as far as a request waits for it.
    pub transfer_seconds: f64,
    /// From arrival to the last token.
    pub request_seconds: Option<f64>,
    /// Requests per second, all instances together.
    pub requests_per_second: Option<f64>,
    /// Output tokens per second, all instances together.
    pub output_tokens_per_second: Option<f64>,
    /// The same per card of all pools.
    pub output_tokens_per_second_per_card: Option<f64>,
    /// Prompt tokens (cached ones included) that the prefilling instances could take in per second, prompts alone.
    pub prefill_tokens_per_second: Option<f64>,
    /// The same per card of the prefilling pool.
    pub prefill_tokens_per_second_per_card: Option<f64>,
    /// Output tokens per second and card of the decoding pool.
    pub decode_tokens_per_second_per_card: Option<f64>,
    /// Sequences in decode per decoding instance.
    pub batch: Option<f64>,
    /// Sequences that an instance holds at most.
    pub batch_limit: Option<f64>,
    /// Share of steps with prompt tokens.
    pub mixed_share: f64,
    /// Load of the prompts over what the prefilling side can do.
    pub prefill_utilisation: Option<f64>,
    /// Memory of the fullest device of the decoding (or only) pool.
    pub memory: ServingMemory,
    /// The same of the prefill pool.
    pub prefill_memory: Option<ServingMemory>,
}

/// A question with everything it needs.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Hardware.
    pub cluster: &'a Cluster,
    /// Index of the cluster's fabric.
    pub fabric: usize,
    /// Model.
    pub model: &'a Model,
    /// Framework.
    pub software: &'a ServingSoftware,
    /// Constants.
    pub constants: &'a Constants,
    /// Chip family.
    pub family: &'a Family,
    /// The question.
    pub question: &'a Question,
}

/// One pool made ready.
struct Ready {
    pool: Pool,
    exchange: Exchange,
    memory: ServingMemory,
    /// Sequences of a lane at most.
    limit: f64,
}

impl Ready {
    fn new(setting: &Setting, software: &ServingSoftware, pool: Pool) -> Result<Self, CoreError> {
        let Setting { cluster, model, constants, family, question, .. } = *setting;
        let fabric = cluster
            .fabrics
            .get(setting.fabric)
            .ok_or_else(|| CoreError::invalid("fabric", "is out of range"))?;
        // An instance lies on servers next to each other, so its network does not depend on how many there are.
        let servers = u64::from(pool.instance.devices()).div_ceil(cluster.devices_per_server()).max(2);
        let design =
            fabric_design(cluster, fabric, servers).map_err(|why| CoreError::invalid("fabric", why))?;
        let network = serving_network(cluster, fabric, &design, constants);
        let memory = memory(model, &pool.instance, question, software, cluster.device.memory);
        let stages = f64::from(pool.instance.pp);
        let fits = most_sequences(model, question, software, &memory) / stages;
        let limit = pool.batch.map_or(fits, |batch| fits.min((batch / lanes(&pool.instance)).max(1.0)));
        Ok(Self {
            pool,
            exchange: Exchange::new(&network, &pool.instance, constants, software, family),
            memory,
            // A pipeline deeper than the sequences that fit still takes one at a time.
            limit: if fits * stages >= 1.0 { limit.max(1.0) } else { 0.0 },
        })
    }

    fn devices(&self) -> u64 {
        u64::from(self.pool.instance.devices()) * u64::from(self.pool.instances)
    }

    fn lanes(&self) -> f64 {
        lanes(&self.pool.instance) * f64::from(self.pool.instances)
    }
}

fn bench<'a>(
    setting: &Setting<'a>,
    software: &'a ServingSoftware,
    rates: &'a Rates,
    pool: &'a Ready,
) -> Bench<'a> {
    Bench {
        model: setting.model,
        question: setting.question,
        instance: &pool.pool.instance,
        rates,
        exchange: &pool.exchange,
        constants: setting.constants,
        software,
    }
}

/// Answers one question.
///
/// # Errors
/// A number or combination that makes no sense; names the key.
pub fn answer(setting: &Setting) -> Result<ServingAnswer, CoreError> {
    check(setting.model, setting.question)?;
    let question = setting.question;
    let software = setting.software.on(setting.family);
    let rates = Rates::new(
        &setting.cluster.device,
        question.clock,
        matches!(setting.model.attention, Attention::Mla { .. }),
        &question.precisions,
        setting.constants,
        &software,
        setting.family,
    )?;
    let main = Ready::new(setting, &software, question.pool)?;
    let front = question.prefill.map(|pool| Ready::new(setting, &software, pool)).transpose()?;
    let world = World {
        setting,
        software: &software,
        decoder: bench(setting, &software, &rates, &main),
        prefiller: front.as_ref().map(|pool| bench(setting, &software, &rates, pool)),
        main: &main,
        front: front.as_ref(),
    };
    if main.limit < 1.0 || front.as_ref().is_some_and(|pool| pool.limit < 1.0) {
        return Ok(world.blank(Verdict::Unfit));
    }
    Ok(if question.mode == Mode::Prefill { world.prompts_only() } else { world.outputs() })
}

/// Everything about one question.
struct World<'a> {
    setting: &'a Setting<'a>,
    software: &'a ServingSoftware,
    main: &'a Ready,
    front: Option<&'a Ready>,
    decoder: Bench<'a>,
    prefiller: Option<Bench<'a>>,
}

/// A balance of a load: what a lane of the decoding side does.
#[derive(Clone, Copy)]
struct Balance {
    /// Sequences in decode per lane.
    batch: f64,
    /// Requests per second of the whole deployment.
    rate: f64,
    /// Mean wait for the prompt to start.
    queue: f64,
    /// Part of that wait in which others' prompts run that else would have run between its tokens.
    bunched: f64,
    /// Mean round at that batch.
    round: Round,
    verdict: Verdict,
}

/// The prefilling side as a queue.
#[derive(Clone, Copy)]
struct Front {
    /// Prompts served at once.
    servers: f64,
    /// A prompt keeps its server busy so long.
    busy: f64,
    /// A prompt takes so long.
    service: f64,
}

impl World<'_> {
    fn question(&self) -> &Question {
        self.setting.question
    }

    /// The round of the decoding side.
    fn round(&self, batch: f64) -> Round {
        match self.question().mode {
            Mode::Aggregated => aggregated(&self.decoder, batch),
            _ => decode(&self.decoder, batch),
        }
    }

    /// The prefilling side, per lane of the aggregated instance or as one pool.
    fn front(&self, round: &Round) -> Front {
        match (&self.prefiller, self.front) {
            (Some(bench), Some(pool)) => {
                let alone = prefill(bench, pool.pool.batch);
                Front { servers: pool.lanes(), busy: alone.prompt_busy, service: alone.prompt_service }
            }
            _ => Front { servers: 1.0, busy: round.prompt_busy, service: round.prompt_service },
        }
    }

    /// Lanes that share the queue of prompts, as the loop sees it: one, or all of a disaggregated deployment.
    fn shared_lanes(&self) -> f64 {
        if self.front.is_some() { self.main.lanes() } else { 1.0 }
    }

    /// Seconds between the first and the last token.
    fn decode_time(&self, round: &Round) -> f64 {
        steps_of_request(&self.decoder) * round.step
    }

    /// The part of the cache transfer that a request waits for.
    fn transfer(&self) -> f64 {
        let Some(front) = self.front else { return 0.0 };
        let question = self.question();
        let bytes = cache_bytes_of_token(self.setting.model, &question.precisions) * question.lengths.input;
        // Every rank of the smaller side sends or receives over its own NIC.
        let devices = front.pool.instance.tp.min(self.main.pool.instance.tp) * front.pool.instance.pp;
        let time = self.decoder.exchange.cache_transfer(bytes, f64::from(devices));
        time.0 * (1.0 - self.software.transfer_hidden)
    }

    /// The closed loop of `requests` per shared queue.
    fn closed(&self, requests: f64) -> Balance {
        let shared = self.shared_lanes();
        let most = self.main.limit * shared;
        let inside = if self.front.is_some() { requests } else { requests.min(most) };
        let spread = self.question().lengths.input_spread;
        let outside = self.transfer() + self.software.host_request.0;
        let at = |batch: f64| {
            let round = self.round(batch);
            let front = self.front(&round);
            let queue_service = front.busy / front.servers;
            let delay = self.decode_time(&round) + (front.service - queue_service).max(0.0) + outside;
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
        queue = queue.max(requests / rate - time - front.service - outside);
        let verdict = if requests > most { Verdict::Backlogged } else { Verdict::Stable };
        Balance { batch, rate: rate * self.main.lanes() / shared, queue, bunched: 0.0, round, verdict }
    }

    /// The open loop at `rate` requests per second of the whole deployment.
    fn open(&self, rate: f64) -> Balance {
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
    fn fixed(&self, batch: f64) -> Balance {
        let round = self.round(batch);
        let time = self.decode_time(&round);
        let rate = if time > 0.0 { batch / time * self.main.lanes() } else { 0.0 };
        Balance { batch, rate, queue: 0.0, bunched: 0.0, round, verdict: Verdict::Stable }
    }

    fn outputs(&self) -> ServingAnswer {
        let question = self.question();
        let per_queue = self.shared_lanes() / self.main.lanes();
        let lanes_of_instance = lanes(&self.main.pool.instance);
        let decode_only = question.mode == Mode::Decode;
        let balance = match question.load {
            Load::Batch { sequences } => self.fixed((sequences / lanes_of_instance).min(self.main.limit)),
            Load::Full if decode_only => self.fixed(self.main.limit),
            Load::Full => self.run(self.main.limit * self.shared_lanes()),
            Load::Concurrency { requests } if decode_only => {
                self.fixed((requests / self.main.lanes()).min(self.main.limit))
            }
            Load::Concurrency { requests } => {
                self.bunched(requests * per_queue, self.run(requests * per_queue))
            }
            Load::Rate { requests_per_second } => self.open(requests_per_second),
        };
        self.told(&balance)
    }

    /// A closed loop of `requests`, steady or as a run that starts empty.
    ///
    /// A run of R requests begins with all of a batch at once: those wait half of what their prompts take, on the
    /// mean. Requests of equal lengths also end together: whole waves and a remainder.
    fn run(&self, requests: f64) -> Balance {
        let mut steady = self.closed(requests);
        let Some(total) = self.question().run_requests else { return steady };
        let queues = self.main.lanes() / self.shared_lanes();
        let own = total / queues;
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
    fn bunched(&self, requests: f64, steady: Balance) -> Balance {
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
            let between = steps_of_request(&self.decoder) * (steady.round.step - steady.round.pure).max(0.0);
            let moved = wait.min(between);
            return Balance { queue: steady.queue.max(moved), bunched: moved, ..steady };
        }
        let rest = time + front.service + self.transfer() + self.software.host_request.0;
        let queue = steady.queue.max(wait);
        Balance { queue, rate: steady.rate * (rest + steady.queue) / (rest + queue), ..steady }
    }

    fn prompts_only(&self) -> ServingAnswer {
        let question = self.question();
        let prompts = match question.load {
            Load::Batch { sequences } => Some(sequences),
            _ => self.main.pool.batch,
        };
        let round = prefill(&self.decoder, prompts);
        let rate = self.main.lanes() / round.prompt_busy;
        let mut told = self.blank(Verdict::Stable);
        self.tell_prefill(&mut told);
        told.step = round.times;
        told.step_seconds = round.step;
        told.ttft_service_seconds = Some(round.prompt_service + self.software.host_request.0);
        let made = rate * question.lengths.input;
        told.prefill_tokens_per_second = Some(made);
        told.prefill_tokens_per_second_per_card = Some(made / told.cards);
        told.requests_per_second = Some(rate);
        if let Load::Rate { requests_per_second } = question.load {
            let servers = whole(self.main.lanes(), 4096);
            let load = requests_per_second / rate;
            let wait = wait_over_service(servers, load * f64::from(servers), question.lengths.input_spread);
            told.verdict = match load {
                load if load >= 1.0 => Verdict::Overloaded,
                load if load > 0.9 => Verdict::Backlogged,
                _ => Verdict::Stable,
            };
            told.prefill_utilisation = Some(load);
            told.ttft_queue_seconds = wait.is_finite().then_some(round.prompt_busy * wait);
            told.requests_per_second = Some(requests_per_second.min(rate));
        }
        told
    }

    fn told(&self, balance: &Balance) -> ServingAnswer {
        let question = self.question();
        let round = &balance.round;
        let mut told = self.blank(balance.verdict);
        let time = self.decode_time(round);
        // Outputs alone: what the steps yield, whatever the length of a request.
        let out = if question.mode == Mode::Decode {
            balance.batch * self.main.lanes() * tokens_per_step(&self.decoder) / round.step
        } else {
            balance.rate * question.lengths.output
        };
        let per_card = self.setting.cluster.devices_per_card as f64;
        told.step = round.times;
        told.step_seconds = round.step;
        told.mixed_share = round.mixed_share;
        let own = if time > 0.0 { 1.0 - balance.bunched / time } else { 1.0 };
        told.tpot_seconds = Some(round.step * own / tokens_per_step(&self.decoder));
        told.batch = Some(balance.batch * lanes(&self.main.pool.instance));
        told.requests_per_second = (time > 0.0).then_some(balance.rate);
        told.output_tokens_per_second = Some(out);
        told.output_tokens_per_second_per_card = Some(out / told.cards);
        told.decode_tokens_per_second_per_card = Some(out / (self.main.devices() as f64 / per_card));
        if question.mode == Mode::Decode {
            return told;
        }
        let front = self.front(round);
        let service = front.service + self.software.host_request.0;
        let shared = if self.front.is_some() { 1.0 } else { self.main.lanes() };
        told.transfer_seconds = self.transfer();
        told.ttft_service_seconds = Some(service + told.transfer_seconds);
        told.ttft_queue_seconds = balance.queue.is_finite().then_some(balance.queue);
        told.request_seconds =
            told.ttft_queue_seconds.map(|queue| queue + service + told.transfer_seconds + time * own);
        told.prefill_utilisation = Some(balance.rate * front.busy / (front.servers * shared));
        self.tell_prefill(&mut told);
        told
    }

    /// What the prefilling side could take in alone.
    fn tell_prefill(&self, told: &mut ServingAnswer) {
        let bench = self.prefiller.as_ref().unwrap_or(&self.decoder);
        let pool = self.front.unwrap_or(self.main);
        let alone = prefill(bench, pool.pool.batch);
        let made = pool.lanes() * self.question().lengths.input / alone.prompt_busy;
        let cards = pool.devices() as f64 / self.setting.cluster.devices_per_card as f64;
        told.prefill_tokens_per_second = Some(made);
        told.prefill_tokens_per_second_per_card = Some(made / cards);
    }

    fn blank(&self, verdict: Verdict) -> ServingAnswer {
        let devices = self.main.devices() + self.front.map_or(0, Ready::devices);
        ServingAnswer {
            verdict,
            devices,
            cards: devices as f64 / self.setting.cluster.devices_per_card as f64,
            step: StepTimes::default(),
            step_seconds: 0.0,
            tpot_seconds: None,
            ttft_service_seconds: None,
            ttft_queue_seconds: None,
            transfer_seconds: 0.0,
            request_seconds: None,
            requests_per_second: None,
            output_tokens_per_second: None,
            output_tokens_per_second_per_card: None,
            prefill_tokens_per_second: None,
            prefill_tokens_per_second_per_card: None,
            decode_tokens_per_second_per_card: None,
            batch: None,
            batch_limit: (self.main.limit >= 1.0).then(|| self.main.limit * lanes(&self.main.pool.instance)),
            mixed_share: 0.0,
            prefill_utilisation: None,
            memory: self.main.memory,
            prefill_memory: self.front.map(|pool| pool.memory),
        }
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

/// Refuses what makes no sense.
fn check(model: &Model, question: &Question) -> Result<(), CoreError> {
    let lengths = &question.lengths;
    for (key, value) in [("input", lengths.input), ("output", lengths.output)] {
        if !(value.is_finite() && value >= 1.0) {
            return Err(CoreError::invalid(format!("lengths.{key}"), "must be at least one token"));
        }
    }
    if !(0.0..1.0).contains(&lengths.prefix_hit) {
        return Err(CoreError::invalid("lengths.prefix_hit", "must be 0 or more and below 1"));
    }
    if question.speculation.is_some_and(|speculation| !(0.0..=1.0).contains(&speculation.acceptance)) {
        return Err(CoreError::invalid("speculation.acceptance", "must be 0 to 1"));
    }
    let wanted = question.mode == Mode::Disaggregated;
    if wanted != question.prefill.is_some() {
        return Err(CoreError::invalid("prefill", "is the prefill pool of a disaggregated deployment only"));
    }
    let positive = match question.load {
        Load::Concurrency { requests: amount }
        | Load::Rate { requests_per_second: amount }
        | Load::Batch { sequences: amount } => amount > 0.0 && amount.is_finite(),
        Load::Full => true,
    };
    if !positive {
        return Err(CoreError::invalid("load", "must be a positive number"));
    }
    check_instance("pool", model, &question.pool)?;
    question.prefill.map_or(Ok(()), |pool| check_instance("prefill", model, &pool))
}

fn check_instance(key: &str, model: &Model, pool: &Pool) -> Result<(), CoreError> {
    let Instance { tp, dp, pp, ep, etp } = pool.instance;
    let invalid = |message: &str| Err(CoreError::invalid(format!("{key}.instance"), message));
    if [tp, dp, pp, ep, etp, pool.instances].iter().any(|&degree| degree == 0 || degree > 4096) {
        return invalid("degrees and instances are 1 to 4096");
    }
    if model.moe.is_some() && tp * dp != ep * etp {
        return invalid("tp x dp must equal ep x etp");
    }
    if model.moe.is_none() && ep * etp != 1 {
        return invalid("a dense model has no experts: ep and etp are 1");
    }
    if pp > model.layers {
        return invalid("has more stages than the model has layers");
    }
    if pool.batch.is_some_and(|batch| !(batch > 0.0 && batch.is_finite())) {
        return invalid("batch must be a positive number");
    }
    Ok(())
}
