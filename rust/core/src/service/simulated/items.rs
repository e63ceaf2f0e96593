//! Generic items, simulated: a pool of devices that each take what waits as their next batch.

use std::collections::VecDeque;

use crate::service::generic::batch_time;
use crate::service::simulated::pool::Measured;
use crate::service::simulated::{Effort, Excerpt, Simulated, Span, late, told};
use crate::service::sizes::{Field, Way};
use crate::serving::units::whole;
use crate::simulate::{Events, Random};
use crate::units::Seconds;

/// Items for each request of the effort: a batch takes little to work out.
const ITEMS: f64 = 10.0;
/// Devices at most: the router looks at each for every item.
const MOST_DEVICES: u64 = 64;
/// Batches before anything is measured.
const WARM_BATCHES: f64 = 20.0;

/// A device: what waits, and what it works on.
#[derive(Default)]
struct Device {
    waiting: VecDeque<f64>,
    batch: Vec<f64>,
}

enum Event {
    Arrival,
    Done(usize),
}

/// Simulates the devices of `way` at `rate` items per second; none where nothing is served.
pub(super) fn simulate(field: &Field, way: &Way, rate: f64, seed: u64, effort: Effort) -> Option<Simulated> {
    let ground = &field.ground;
    let (item, peak) = (ground.item()?, ground.item_rate()?);
    let most = whole(field.candidates[way.main.candidate].limit, u32::MAX);
    let count = way.main.instances.min(MOST_DEVICES);
    let share = count as f64 / way.main.instances as f64;
    let times: Vec<f64> = (0..=most).map(|size| batch_time(ground, item, peak, f64::from(size)).0).collect();
    let longest = times[times.len() - 1];
    let span = span(field, (rate, rate * share), longest, effort);
    let arrivals = Arrivals::new(field, &span, (rate, share), seed);
    let mut pool = Devices { devices: (0..count).map(|_| Device::default()).collect(), times };
    let measured = pool.run(arrivals, &span);
    told(ground, measured, &span, (rate, seed, count as f64, share))
}

fn span(field: &Field, (rate, own): (f64, f64), longest: f64, effort: Effort) -> Span {
    let warm = WARM_BATCHES * longest;
    let wanted = ITEMS * effort.requests;
    let traffic = field.ground.problem.search.traffic.as_ref();
    let Some(replay) = traffic.and_then(|known| known.replay.as_ref()) else {
        return Span { warm, seconds: wanted / own, excerpt: None, late: 0.0 };
    };
    // Where it is busiest, for as many items as the effort has.
    let (stretch, times) = (replay.stretch(rate), &replay.arrivals);
    let (first, to) = replay.busiest(wanted / own / stretch);
    let from = times.partition_point(|time| *time < times[first] - warm / stretch);
    let seconds = (times[to - 1] - times[first]) * stretch;
    let number = (to - first) as f64;
    let rate = number / seconds.max(f64::MIN_POSITIVE);
    Span {
        warm: (times[first] - times[from]) * stretch,
        seconds: seconds * (1.0 + 1e-9) + f64::MIN_POSITIVE,
        excerpt: Some(Excerpt { from, to, rate, share: number / times.len() as f64 }),
        late: late(&times[first..to], 2.0 * longest / stretch),
    }
}

/// Gaps of a Poisson process, or the times of a trace.
enum Arrivals {
    Poisson(Box<Random>, Seconds),
    Listed(std::vec::IntoIter<f64>),
}

impl Arrivals {
    fn new(field: &Field, span: &Span, (rate, share): (f64, f64), seed: u64) -> Self {
        let traffic = field.ground.problem.search.traffic.as_ref();
        match (&span.excerpt, traffic.and_then(|known| known.replay.as_ref())) {
            (Some(excerpt), Some(replay)) => {
                let (begin, stretch) = (replay.arrivals[excerpt.from], replay.stretch(rate));
                let mut thin = Random::new(seed, 4);
                let kept = replay.arrivals[excerpt.from..excerpt.to].iter();
                let kept = kept.filter(|_| share >= 1.0 || thin.happens(share));
                Self::Listed(kept.map(|time| (time - begin) * stretch).collect::<Vec<_>>().into_iter())
            }
            _ => Self::Poisson(Box::new(Random::new(seed, 0)), Seconds(1.0 / (rate * share))),
        }
    }

    /// Time from `now` to the next; none: no more come.
    fn gap(&mut self, now: f64) -> Option<Seconds> {
        match self {
            Self::Poisson(random, mean) => Some(random.exponential(*mean)),
            Self::Listed(times) => times.next().map(|time| Seconds(time - now)),
        }
    }
}

struct Devices {
    devices: Vec<Device>,
    /// Time of a batch by its size.
    times: Vec<f64>,
}

impl Devices {
    fn run(&mut self, mut arrivals: Arrivals, span: &Span) -> Measured {
        let mut measured = Measured::default();
        let mut events = Events::new();
        let (end, mut last, mut held, mut area) = (span.warm + span.seconds, 0.0_f64, 0.0, 0.0);
        let come = |events: &mut Events<Event>, arrivals: &mut Arrivals| {
            if let Some(gap) = arrivals.gap(events.now().0) {
                events.after(gap, Event::Arrival);
            }
        };
        come(&mut events, &mut arrivals);
        while let Some(event) = events.next() {
            let now = events.now().0;
            let until = now.min(end);
            area += held * (until - last.max(span.warm)).max(0.0);
            last = now;
            if now >= end && span.excerpt.is_none() {
                break;
            }
            match event {
                Event::Arrival if now >= end => {}
                Event::Arrival => {
                    measured.came += u64::from(now >= span.warm);
                    held += 1.0;
                    self.arrive(now, &mut events);
                    come(&mut events, &mut arrivals);
                }
                Event::Done(index) => {
                    for arrived in std::mem::take(&mut self.devices[index].batch) {
                        held -= 1.0;
                        measured.left += u64::from(now >= span.warm && now < end);
                        if arrived >= span.warm {
                            measured.first.push(now - arrived);
                        }
                    }
                    self.start(index, &mut events);
                }
            }
        }
        measured.in_flight = area / span.seconds;
        measured
    }

    /// Sends an item where least is in hand.
    fn arrive(&mut self, now: f64, events: &mut Events<Event>) {
        let held = |device: &Device| device.waiting.len() + device.batch.len();
        let least = (0..self.devices.len()).min_by_key(|&index| held(&self.devices[index])).unwrap_or(0);
        self.devices[least].waiting.push_back(now);
        if self.devices[least].batch.is_empty() {
            self.start(least, events);
        }
    }

    /// Takes what waits as the next batch of an idle device.
    fn start(&mut self, index: usize, events: &mut Events<Event>) {
        let device = &mut self.devices[index];
        let count = device.waiting.len().min(self.times.len() - 1);
        if count > 0 {
            device.batch = device.waiting.drain(..count).collect();
            events.after(Seconds(self.times[count]), Event::Done(index));
        }
    }
}
