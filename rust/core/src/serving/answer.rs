//! One question answered: what a deployment of whole instances does at a load.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::hardware::Cluster;
use crate::model::{Attention, Model};
use crate::serving::balance::{Balance, World};
use crate::serving::case::{Constants, Family, Load, Mode, Question, ServingSoftware};
use crate::serving::check::check;
use crate::serving::memory::ServingMemory;
use crate::serving::operators::Rates;
use crate::serving::queue::wait_over_service;
use crate::serving::ready::{Ready, bench};
use crate::serving::replica::{lanes, prefill, tokens_per_step};
use crate::serving::step::StepTimes;
use crate::serving::units::whole;

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

impl World<'_> {
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
        let service = front.service + self.software.host_request.0 + self.around(round);
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
