//! A machine of the simulation: the lanes of an instance, which step together.
//!
//! Lanes are the data-parallel ranks of every micro-batch of the pipeline. Micro-batches that decode follow one another
//! through the stages and none overtakes, so a round lasts as long as its slowest. An instance that only computes
//! prompts lets the next in as soon as the first stage is free.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::service::simulated::requests::Request;
use crate::serving::layer::{Bench, Work};
use crate::serving::replica::tokens_per_step;
use crate::serving::step::step;
use crate::serving::units::whole;

/// What a pool does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Prompts and outputs.
    Both,
    /// Prompts only; they leave for another pool.
    Prompts,
    /// Outputs only.
    Outputs,
}

/// A sequence in decode and the decode step of its machine after which it ends. Ordered by that step, then by arrival.
#[derive(Clone, Copy, Debug)]
struct Ending {
    at: u64,
    number: u64,
    steps: u64,
    request: Request,
}

impl PartialEq for Ending {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Ending {}
impl PartialOrd for Ending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// One rank.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Request>,
    decoding: BinaryHeap<Reverse<Ending>>,
    /// Cached tokens of all sequences in decode.
    cached: f64,
    /// Prompt tokens in the step under way.
    chunk: f64,
    /// Prompt tokens in hand: a router sends new work where least is.
    tokens: f64,
}

/// What came out of a step.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests whose first token is there.
    pub first: Vec<Request>,
    /// Requests that ended, with their time per output token.
    pub ended: Vec<(Request, f64)>,
}

/// Ranks that step together.
#[derive(Debug)]
pub struct Machine {
    lanes: Vec<Lane>,
    /// Whether a step is under way.
    pub stepping: bool,
    /// What the step under way takes through all stages.
    pub time: f64,
    decodes: bool,
    steps: u64,
    number: u64,
    /// Sequences in decode.
    pub running: usize,
    /// Requests in hand.
    pub held: usize,
    /// Prompt tokens in hand.
    pub tokens: f64,
}

/// What all machines of a pool have in common.
#[derive(Clone, Copy, Debug)]
pub struct Duty<'a> {
    /// The instance and what it works with.
    pub bench: Bench<'a>,
    /// What it does.
    pub job: Job,
    /// Sequences of a lane at most.
    pub limit: f64,
}

impl Duty<'_> {
    /// Stages that work on different steps at once.
    #[must_use]
    pub fn overlapped(&self) -> f64 {
        if self.job == Job::Prompts { f64::from(self.bench.instance.pp) } else { 1.0 }
    }

    /// Lanes that step together.
    #[must_use]
    pub fn lanes(&self) -> usize {
        let shape = self.bench.instance;
        let stages = if self.job == Job::Prompts { 1 } else { shape.pp };
        (shape.dp * stages) as usize
    }

    fn seats(&self) -> usize {
        whole(self.limit.max(1.0), u32::MAX) as usize
    }

    fn width(&self) -> f64 {
        self.bench.question.speculation.map_or(1.0, |draft| 1.0 + f64::from(draft.drafted))
    }

    /// Ranks that gather prompts before they start them together: dp^coordination.
    fn gathered(&self) -> f64 {
        if self.job == Job::Both {
            libm::pow(f64::from(self.bench.instance.dp), self.bench.software.prefill_coordination)
        } else {
            1.0
        }
    }
}

impl Machine {
    /// An idle machine of `lanes` ranks.
    #[must_use]
    pub fn new(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            stepping: false,
            time: 0.0,
            decodes: false,
            steps: 0,
            number: 0,
            running: 0,
            held: 0,
            tokens: 0.0,
        }
    }

    /// Takes a new request in, on the rank with least in hand.
    pub fn take(&mut self, duty: &Duty, request: Request) {
        let key = |lane: &Lane| (lane.waiting.len() + lane.decoding.len(), lane.tokens);
        let prompts = duty.job == Job::Prompts;
        let least = (0..self.lanes.len()).min_by(|&left, &right| {
            let (left, right) = (key(&self.lanes[left]), key(&self.lanes[right]));
            if prompts { left.1.total_cmp(&right.1) } else { left.0.cmp(&right.0) }
        });
        let index = least.unwrap_or(0);
        self.held += 1;
        self.tokens += request.prompt;
        self.lanes[index].tokens += request.prompt;
        self.lanes[index].waiting.push_back(request);
        if duty.job == Job::Outputs {
            self.admit(duty, index);
        }
    }

    /// Puts a sequence that was there from the start into decode.
    pub fn place(&mut self, duty: &Duty, request: Request, left: f64) {
        let least = (0..self.lanes.len()).min_by_key(|&lane| self.lanes[lane].decoding.len()).unwrap_or(0);
        if self.lanes[least].decoding.len() < duty.seats() {
            self.held += 1;
            self.decode(duty, least, request, left);
        }
    }

    fn decode(&mut self, duty: &Duty, lane: usize, request: Request, left: f64) {
        let steps = u64::from(whole(left / tokens_per_step(&duty.bench) + 0.5, u32::MAX));
        let ending = Ending { at: self.steps + steps, number: self.number, steps, request };
        self.number += 1;
        self.running += 1;
        let lane = &mut self.lanes[lane];
        lane.cached += request.cached;
        lane.decoding.push(Reverse(ending));
    }

    /// Lets sequences that wait for a seat of an output pool in.
    fn admit(&mut self, duty: &Duty, lane: usize) {
        while self.lanes[lane].decoding.len() < duty.seats()
            && let Some(request) = self.lanes[lane].waiting.pop_front()
        {
            self.decode(duty, lane, request, request.output - 1.0);
        }
    }

    /// Begins a step and tells what it takes through all stages; none: there is nothing to do.
    pub fn begin(&mut self, duty: &Duty) -> Option<f64> {
        let software = duty.bench.software;
        let prompts = if duty.job == Job::Outputs { 0.0 } else { self.chunks(duty) };
        self.decodes = self.running > 0 && (prompts <= 0.0 || software.chunked_prefill);
        if prompts <= 0.0 && !self.decodes {
            return None;
        }
        let time = step(&duty.bench, &self.work(duty, prompts)).total().0;
        self.time = time;
        Some(time)
    }

    /// Fills the step with prompts, and says how many tokens it holds in all.
    fn chunks(&mut self, duty: &Duty) -> f64 {
        let software = duty.bench.software;
        let seats = if duty.job == Job::Prompts { usize::MAX } else { duty.seats() };
        let width = duty.width();
        let mut ready = 0.0;
        let mut begun = false;
        for lane in &self.lanes {
            ready += f64::from(u8::from(!lane.waiting.is_empty() && lane.decoding.len() < seats));
            begun |= lane.waiting.front().is_some_and(|front| front.first < 0.0);
        }
        let hold = self.running > 0 && !begun && ready < duty.gathered();
        let mut all = 0.0;
        for lane in &mut self.lanes {
            lane.chunk = 0.0;
            if hold {
                continue;
            }
            let running = lane.decoding.len();
            let mixed = software.chunked_prefill && duty.job == Job::Both;
            let budget = software.token_budget;
            let room = if mixed { (budget - running as f64 * width).max(budget / 16.0) } else { budget };
            let free = seats.saturating_sub(running);
            let mut asked = 0.0;
            for request in lane.waiting.iter().take(free) {
                asked += request.prompt;
                if asked >= room {
                    break;
                }
            }
            lane.chunk = asked.min(room);
            all += lane.chunk;
        }
        all
    }

    fn work(&self, duty: &Duty, prompts: f64) -> Work {
        let count = self.lanes.len() as f64;
        let most = self.lanes.iter().map(|lane| lane.decoding.len()).max().unwrap_or(0) as f64;
        let cached: f64 = self.lanes.iter().map(|lane| lane.cached).sum();
        let mut longest = 0.0_f64;
        let (mut seen, mut filled, mut ending) = (0.0, 0.0, 0.0);
        for lane in self.lanes.iter().filter(|lane| lane.chunk > 0.0) {
            longest = longest.max(lane.chunk);
            filled += 1.0;
            let mut left = lane.chunk;
            for request in &lane.waiting {
                let part = left.min(request.prompt);
                seen += part * (request.cached + part / 2.0);
                ending += f64::from(u8::from(part >= request.prompt));
                left -= part;
                if left <= 0.0 {
                    break;
                }
            }
        }
        let (sequences, busy) =
            if self.decodes && most > 0.0 { (most, self.running as f64 / count / most) } else { (0.0, 1.0) };
        Work {
            sequences,
            busy,
            width: duty.width(),
            context: if self.running > 0 { cached / self.running as f64 } else { 0.0 },
            prompt: longest,
            prompt_mean: prompts / count,
            keys: if prompts > 0.0 { seen / prompts } else { 0.0 },
            finished: if filled > 0.0 { ending / filled } else { 0.0 },
            filling: 0.0,
        }
    }

    /// Ends the step under way.
    pub fn finish(&mut self, duty: &Duty, now: f64, outcome: &mut Outcome) {
        self.stepping = false;
        let tokens = tokens_per_step(&duty.bench);
        if self.decodes {
            self.steps += 1;
        }
        for index in 0..self.lanes.len() {
            if self.decodes {
                self.end(index, tokens, now, outcome);
            }
            if duty.job == Job::Outputs {
                self.admit(duty, index);
            } else if self.lanes[index].chunk > 0.0 {
                self.advance(duty, index, now, outcome);
            }
        }
    }

    /// Sequences of a lane get their tokens; those at their end leave.
    fn end(&mut self, index: usize, tokens: f64, now: f64, outcome: &mut Outcome) {
        let steps = self.steps;
        let lane = &mut self.lanes[index];
        lane.cached += tokens * lane.decoding.len() as f64;
        while lane.decoding.peek().is_some_and(|next| next.0.at <= steps) {
            let Some(Reverse(done)) = lane.decoding.pop() else { break };
            lane.cached -= done.request.cached + tokens * done.steps as f64;
            self.running -= 1;
            self.held -= 1;
            let per_token = (now - done.request.first) / (done.steps as f64 * tokens);
            outcome.ended.push((done.request, per_token));
        }
        if lane.decoding.is_empty() {
            lane.cached = 0.0;
        }
    }

    /// Prompts of a lane advance by its chunk; those that are through go on.
    fn advance(&mut self, duty: &Duty, index: usize, now: f64, outcome: &mut Outcome) {
        let mut left = self.lanes[index].chunk;
        self.lanes[index].chunk = 0.0;
        while left > 1e-9 {
            let lane = &mut self.lanes[index];
            let Some(request) = lane.waiting.front_mut() else { break };
            let part = left.min(request.prompt);
            request.prompt -= part;
            request.cached += part;
            // Marks a prompt that has begun.
            request.first = -1.0;
            left -= part;
            lane.tokens -= part;
            self.tokens -= part;
            if request.prompt > 1e-9 {
                break;
            }
            let Some(mut done) = lane.waiting.pop_front() else { break };
            done.first = now;
            outcome.first.push(done);
            if duty.job == Job::Both && done.output > 1.5 {
                self.decode(duty, index, done, done.output - 1.0);
            } else {
                self.held -= 1;
            }
        }
    }
}
