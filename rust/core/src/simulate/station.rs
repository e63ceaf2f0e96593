//! A queue with servers, first come first served: G/G/c.

use std::collections::VecDeque;

use crate::simulate::{Events, Law, Random};
use crate::units::Seconds;

/// A station: customers arrive, wait for one of `servers` servers and are served.
#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    /// Time between arrivals.
    pub arrivals: Law,
    /// Time of a service.
    pub service: Law,
    /// Servers, at least one.
    pub servers: usize,
}

/// What customers met, in the order in which their services began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visits {
    /// From arrival to the begin of service.
    pub waits: Vec<Seconds>,
    /// From arrival to the end of service.
    pub stays: Vec<Seconds>,
}

impl Visits {
    /// Mean time from arrival to the begin of service.
    #[must_use]
    pub fn mean_wait(&self) -> Seconds {
        mean(&self.waits)
    }

    /// Mean time from arrival to the end of service.
    #[must_use]
    pub fn mean_stay(&self) -> Seconds {
        mean(&self.stays)
    }

    /// The wait that a share `quantile` of the customers does not exceed.
    #[must_use]
    pub fn wait_quantile(&self, quantile: f64) -> Seconds {
        let mut sorted = self.waits.clone();
        sorted.sort_by(|left, right| left.0.total_cmp(&right.0));
        let rank = libm::ceil(quantile.clamp(0.0, 1.0) * sorted.len() as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the list")]
        let index = (rank as usize).saturating_sub(1);
        sorted.get(index).copied().unwrap_or(Seconds::ZERO)
    }
}

fn mean(times: &[Seconds]) -> Seconds {
    if times.is_empty() {
        return Seconds::ZERO;
    }
    Seconds(times.iter().map(|time| time.0).sum::<f64>() / times.len() as f64)
}

enum Event {
    Arrival,
    Departure,
}

impl Station {
    /// Serves `customers` customers after `warm_up` others that are not counted. The same seed gives the same visits.
    #[must_use]
    pub fn run(&self, customers: usize, warm_up: usize, seed: u64) -> Visits {
        let (mut gaps, mut times) = (Random::new(seed, 0), Random::new(seed, 1));
        let mut events = Events::new();
        let mut waiting: VecDeque<f64> = VecDeque::new();
        let mut free = self.servers.max(1);
        let mut begun = 0;
        let mut visits = Visits::default();
        events.after(self.arrivals.draw(&mut gaps), Event::Arrival);
        while visits.waits.len() < customers {
            match events.next() {
                None => break,
                Some(Event::Arrival) => {
                    waiting.push_back(events.now().0);
                    events.after(self.arrivals.draw(&mut gaps), Event::Arrival);
                }
                Some(Event::Departure) => free += 1,
            }
            while free > 0
                && let Some(arrived) = waiting.pop_front()
            {
                free -= 1;
                let service = self.service.draw(&mut times);
                events.after(service, Event::Departure);
                if begun >= warm_up {
                    let wait = events.now().0 - arrived;
                    visits.waits.push(Seconds(wait));
                    visits.stays.push(Seconds(wait + service.0));
                }
                begun += 1;
            }
        }
        visits
    }
}
