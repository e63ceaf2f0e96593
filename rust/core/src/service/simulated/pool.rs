//! A pool of the simulation: instances, a router in front of them, and the clock.

use crate::service::simulated::machine::{Duty, Job, Machine, Outcome};
use crate::service::simulated::requests::{Request, Requests};
use crate::simulate::Events;
use crate::units::Seconds;

/// What a pool measured between the warm-up and the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Times to the first token, from arrival.
    pub first: Vec<f64>,
    /// Times per output token.
    pub per_token: Vec<f64>,
    /// Sequences in decode, mean over the time, all instances.
    pub in_flight: f64,
    /// Requests that came, and that left.
    pub came: u64,
    /// Requests that left the pool.
    pub left: u64,
    /// When each prompt was through, and the request: what the next pool sees.
    pub passed: Vec<(f64, Request)>,
}

/// Where requests come from.
pub enum Source {
    /// A random process.
    Drawn(Box<Requests>),
    /// Requests at given times, in any order: of pipelines that compute prompts, a long step that began early ends
    /// after a short one that began late, and nobody waits for another's prompt.
    Listed(Vec<(f64, Request)>),
}

enum Event {
    Arrival(Request),
    Done(usize),
}

/// Which latencies count.
#[derive(Clone, Copy)]
enum Counts {
    /// Of all that leaves now, if it is measured now.
    Left(bool),
    /// Of what came from this time on; and whether it is measured now.
    Came(f64, bool),
}

impl Counts {
    fn of(self, request: &Request) -> bool {
        match self {
            Self::Left(now) => now && request.measured(),
            Self::Came(from, _) => request.arrived >= from && request.measured(),
        }
    }

    fn leaving(self) -> bool {
        match self {
            Self::Left(now) | Self::Came(_, now) => now,
        }
    }
}

/// Instances of a pool.
pub struct Pool<'a> {
    duty: Duty<'a>,
    instances: Vec<Machine>,
    events: Events<Event>,
    /// Arrivals that are still to come, where they are given.
    listed: std::vec::IntoIter<(f64, Request)>,
    drawn: Option<Box<Requests>>,
    /// Sequences in decode over the pool.
    running: usize,
    /// Requests that come while it is measured are followed to their end.
    drains: bool,
}

impl<'a> Pool<'a> {
    /// `instances` idle instances.
    #[must_use]
    pub fn new(duty: Duty<'a>, instances: usize, source: Source) -> Self {
        let lanes = duty.lanes();
        let (mut listed, drawn) = match source {
            Source::Drawn(requests) => (Vec::new(), Some(requests)),
            Source::Listed(list) => (list, None),
        };
        listed.sort_by(|left, right| left.0.total_cmp(&right.0));
        Self {
            duty,
            instances: (0..instances.max(1)).map(|_| Machine::new(lanes)).collect(),
            events: Events::new(),
            listed: listed.into_iter(),
            drawn,
            running: 0,
            drains: false,
        }
    }

    /// Follows the requests that come while it is measured to their end, however late that is.
    #[must_use]
    pub fn drained(self) -> Self {
        Self { drains: true, ..self }
    }

    /// Fills every instance with sequences in decode, `batch` per lane, so that it need not fill up by itself.
    pub fn fill(&mut self, requests: &mut Requests, batch: f64) {
        let duty = self.duty;
        for machine in &mut self.instances {
            let mut placed = 0.5;
            while placed < batch * duty.lanes() as f64 {
                let (request, left) = requests.under_way();
                machine.place(&duty, request, left);
                placed += 1.0;
            }
            self.running += machine.running;
        }
    }

    /// Runs for `warm` seconds, then for as long as `span` seconds more, measuring.
    pub fn run(&mut self, warm: f64, span: f64) -> Measured {
        let mut measured = Measured::default();
        let (mut last, mut area) = (0.0_f64, 0.0);
        for instance in 0..self.instances.len() {
            self.start(instance);
        }
        self.next_arrival();
        while let Some(event) = self.events.next() {
            let now = self.events.now().0;
            let before = self.running;
            let until = now.min(warm + span);
            if until > warm {
                area += before as f64 * (until - last.max(warm)).max(0.0);
            }
            last = now;
            let over = now >= warm + span;
            if over && !self.drains {
                break;
            }
            match event {
                // What comes after the end is not waited for.
                Event::Arrival(_) if over => {}
                Event::Arrival(request) => {
                    measured.came += u64::from(now >= warm);
                    self.arrive(request);
                    self.next_arrival();
                }
                Event::Done(instance) => {
                    let measuring = now >= warm && !over;
                    let counts =
                        if self.drains { Counts::Came(warm, measuring) } else { Counts::Left(measuring) };
                    self.done(instance, now, counts, &mut measured);
                }
            }
        }
        measured.in_flight = area / span;
        measured
    }

    fn next_arrival(&mut self) {
        let now = self.events.now().0;
        if let Some(requests) = &mut self.drawn {
            let gap = requests.gap();
            let request = requests.come(now + gap.0);
            self.events.after(gap, Event::Arrival(request));
        } else if let Some((at, request)) = self.listed.next() {
            self.events.after(Seconds(at - now), Event::Arrival(request));
        }
    }

    /// Sends a request where least is in hand: of prompts for a pool that only computes them, else of requests.
    fn arrive(&mut self, request: Request) {
        let tokens = self.duty.job == Job::Prompts;
        let load = |index: usize| {
            let machine = &self.instances[index];
            if tokens { machine.tokens } else { machine.held as f64 }
        };
        let least = (0..self.instances.len()).min_by(|&left, &right| load(left).total_cmp(&load(right)));
        let instance = least.unwrap_or(0);
        let target = &mut self.instances[instance];
        let before = target.running;
        target.take(&self.duty, request);
        self.running += target.running - before;
        self.start(instance);
    }

    /// Begins a step of an idle instance.
    fn start(&mut self, instance: usize) {
        let machine = &mut self.instances[instance];
        if machine.stepping {
            return;
        }
        if let Some(time) = machine.begin(&self.duty) {
            machine.stepping = true;
            self.events.after(Seconds(time / self.duty.overlapped()), Event::Done(instance));
        }
    }

    fn done(&mut self, instance: usize, now: f64, counts: Counts, measured: &mut Measured) {
        let mut outcome = Outcome::default();
        let target = &mut self.instances[instance];
        let before = target.running;
        // What entered a pipeline of prompts leaves it after the further stages.
        let out = now + target.time * (1.0 - 1.0 / self.duty.overlapped());
        target.finish(&self.duty, now, &mut outcome);
        self.running = self.running + target.running - before;
        let prompts = self.duty.job == Job::Prompts;
        for request in outcome.first {
            if counts.of(&request) {
                measured.first.push(out - request.arrived);
            }
            measured.left += u64::from(counts.leaving() && prompts);
            if prompts {
                measured.passed.push((out, request));
            }
        }
        for (request, per_token) in outcome.ended {
            measured.left += u64::from(counts.leaving());
            if counts.of(&request) && request.first >= 0.0 {
                measured.per_token.push(per_token);
            }
        }
        self.start(instance);
    }
}
