//! The job and its repair shop as a discrete-event simulation: the oracle of the closed forms.

use crate::reliability::{Checkpointing, MemoryCopies};
use crate::simulate::{Events, Law, Random, Ticket};
use crate::units::Seconds;

/// Useful share of the time of a job that checkpoints every `interval` of work, fails with `failures` between, and
/// resumes as `plan` says: stalls, asynchronous writes that count once they are through, failures during stalls and
/// recoveries. Runs until `work` useful seconds are done.
#[must_use]
pub fn goodput(plan: &Checkpointing, interval: Seconds, failures: &Law, work: Seconds, seed: u64) -> f64 {
    let mut job = Job::new(plan, interval, failures, seed);
    job.start_work();
    while job.saved + job.since < work.0 {
        let Some(event) = job.events.next() else { break };
        job.handle(&event);
    }
    (job.saved + job.since) / job.events.now().0
}

#[derive(Debug)]
enum Event {
    Failure,
    WorkDone { interval: f64 },
    CopyDone,
    StallOver,
    Written { upto: f64 },
    Resumed,
}

struct Job<'a> {
    plan: &'a Checkpointing,
    failures: &'a Law,
    interval: f64,
    copy_interval: f64,
    write: f64,
    stall: f64,
    events: Events<Event>,
    random: Random,
    kinds: Random,
    /// Work on storage for good.
    saved: f64,
    /// Work since then that a failure of the seldom kind loses.
    since: f64,
    /// Part of `since` that is kept in memory.
    copied: f64,
    /// Work of the current stretch: begun at, or none while the job stands.
    begun: Option<f64>,
    /// Work left until the next checkpoint on storage, and until the next copy.
    until_checkpoint: f64,
    until_copy: f64,
    pending: Vec<Ticket>,
}

impl<'a> Job<'a> {
    fn new(plan: &'a Checkpointing, interval: Seconds, failures: &'a Law, seed: u64) -> Self {
        let write = (plan.size / plan.bandwidth).0;
        let mut job = Self {
            plan,
            failures,
            interval: interval.0,
            copy_interval: f64::INFINITY,
            write,
            stall: plan.stall.map_or(write, |stall| stall.0.min(write)),
            events: Events::new(),
            random: Random::new(seed, 0),
            kinds: Random::new(seed, 1),
            saved: 0.0,
            since: 0.0,
            copied: 0.0,
            begun: None,
            until_checkpoint: interval.0,
            until_copy: f64::INFINITY,
            pending: Vec::new(),
        };
        let first = job.failures.draw(&mut job.random);
        job.events.after(first, Event::Failure);
        job
    }

    /// With copies in memory every so much work.
    fn copying(mut self, every: Seconds) -> Self {
        self.copy_interval = every.0;
        self.until_copy = every.0;
        self
    }

    fn start_work(&mut self) {
        self.begun = Some(self.events.now().0);
        let next = self.until_checkpoint.min(self.until_copy);
        let event = if self.until_copy < self.until_checkpoint {
            Event::CopyDone
        } else {
            Event::WorkDone { interval: self.interval }
        };
        let ticket = self.events.after(Seconds(next), event);
        self.pending.push(ticket);
    }

    /// Counts the work of the stretch that ends now.
    fn stop_work(&mut self) {
        if let Some(begun) = self.begun.take() {
            let done = self.events.now().0 - begun;
            self.since += done;
            self.until_checkpoint -= done;
            self.until_copy -= done;
        }
    }

    fn stand(&mut self, stall: f64) {
        let ticket = self.events.after(Seconds(stall), Event::StallOver);
        self.pending.push(ticket);
    }

    fn handle(&mut self, event: &Event) {
        match event {
            Event::Failure => self.fail(),
            Event::WorkDone { interval } => {
                self.stop_work();
                self.until_checkpoint = *interval;
                let ticket = self.events.after(Seconds(self.write), Event::Written { upto: self.since });
                self.pending.push(ticket);
                self.stand(self.stall);
            }
            Event::CopyDone => {
                self.stop_work();
                self.copied = self.since;
                self.until_copy = self.copy_interval;
                let stall = self.plan.memory.map_or(0.0, |copies| copies.stall.0);
                self.stand(stall);
            }
            Event::Written { upto } => {
                self.saved += upto;
                self.since -= upto;
                self.copied = (self.copied - upto).max(0.0);
            }
            Event::StallOver | Event::Resumed => self.start_work(),
        }
    }

    fn fail(&mut self) {
        self.stop_work();
        for ticket in self.pending.drain(..) {
            self.events.cancel(ticket);
        }
        let survives = self.plan.memory.is_some_and(|copies| self.kinds.happens(copies.covers));
        let recovery = match self.plan.memory {
            Some(copies) if survives => copies.recovery,
            _ => self.plan.recovery,
        };
        self.since = if survives { self.copied } else { 0.0 };
        self.copied = self.since;
        self.until_checkpoint = self.interval;
        self.until_copy = self.copy_interval;
        let ticket = self.events.after(recovery, Event::Resumed);
        self.pending.push(ticket);
        let next = self.failures.draw(&mut self.random);
        self.events.after(next, Event::Failure);
    }
}

/// The same with copies in the memory of peers every `copies_every` of work.
#[must_use]
pub fn goodput_with_copies(
    plan: &Checkpointing,
    copies: MemoryCopies,
    every: (Seconds, Seconds),
    failures: &Law,
    work: Seconds,
    seed: u64,
) -> f64 {
    let plan = Checkpointing { memory: Some(copies), ..*plan };
    let (interval, copies_every) = every;
    let mut job = Job::new(&plan, interval, failures, seed).copying(copies_every);
    job.start_work();
    while job.saved + job.since < work.0 {
        let Some(event) = job.events.next() else { break };
        job.handle(&event);
    }
    (job.saved + job.since) / job.events.now().0
}

/// Share of the time in which at least `wanted` of `replicas` replicas are up, over `time`: each is up and down in turn, on
/// its own.
#[must_use]
pub fn up_at_least(replicas: usize, wanted: usize, up: &Law, down: &Law, time: Seconds, seed: u64) -> f64 {
    let (mut uptime, mut shop) = (Random::new(seed, 0), Random::new(seed, 1));
    // The event: whether the replica comes up.
    let mut events = Events::new();
    for _ in 0..replicas {
        events.after(up.draw(&mut uptime), false);
    }
    let (mut working, mut good, mut last) = (replicas, 0.0, 0.0);
    while let Some(comes_up) = events.next() {
        let now = events.now().0;
        if working >= wanted {
            good += now.min(time.0) - last;
        }
        last = now;
        if now >= time.0 {
            break;
        }
        if comes_up {
            working += 1;
            events.after(up.draw(&mut uptime), false);
        } else {
            working -= 1;
            events.after(down.draw(&mut shop), true);
        }
    }
    good / time.0
}

/// Share of the time in which at most `spares` of `servers` servers are in repair, over `time`.
#[must_use]
pub fn covered(servers: usize, spares: usize, failures: &Law, repair: &Law, time: Seconds, seed: u64) -> f64 {
    #[derive(Debug)]
    enum Event {
        Failure,
        Repaired,
    }
    let (mut uptime, mut shop) = (Random::new(seed, 0), Random::new(seed, 1));
    let mut events = Events::new();
    for _ in 0..servers {
        events.after(failures.draw(&mut uptime), Event::Failure);
    }
    let (mut in_repair, mut good, mut last) = (0_usize, 0.0, 0.0);
    while let Some(event) = events.next() {
        let now = events.now().0;
        if in_repair <= spares {
            good += now.min(time.0) - last;
        }
        last = now;
        if now >= time.0 {
            break;
        }
        match event {
            Event::Failure => {
                // A spare takes the place at once, so the place fails again like any other.
                in_repair += 1;
                events.after(repair.draw(&mut shop), Event::Repaired);
                events.after(failures.draw(&mut uptime), Event::Failure);
            }
            Event::Repaired => in_repair -= 1,
        }
    }
    good / time.0
}
