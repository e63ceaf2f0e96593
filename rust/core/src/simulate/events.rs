//! The clock: what happens next.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use crate::units::Seconds;

/// A scheduled event, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Events of one simulation, given out in the order of their times; those of one time in the order in which they were
/// scheduled.
#[derive(Debug)]
pub struct Events<E> {
    queue: BinaryHeap<Entry<E>>,
    cancelled: BTreeSet<Ticket>,
    now: Seconds,
    next: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: f64,
    ticket: Ticket,
    event: E,
}

impl<E> Ord for Entry<E> {
    /// The heap gives its largest: the earliest is the largest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then_with(|| other.ticket.cmp(&self.ticket))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self { queue: BinaryHeap::new(), cancelled: BTreeSet::new(), now: Seconds::ZERO, next: 0 }
    }
}

impl<E> Events<E> {
    /// An empty queue at time zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time of the event given out last.
    #[must_use]
    pub fn now(&self) -> Seconds {
        self.now
    }

    /// Schedules `event` in `delay` from now; one that never happens (an infinite delay) is not kept. A delay below
    /// zero, or none at all, counts as now.
    pub fn after(&mut self, delay: Seconds, event: E) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        if delay.0 < f64::INFINITY {
            let at = self.now.0 + delay.0.max(0.0);
            self.queue.push(Entry { at, ticket, event });
        }
        ticket
    }

    /// Takes an event back that has not happened yet.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.cancelled.insert(ticket);
    }

    /// The next event; the clock moves to its time.
    #[expect(
        clippy::should_implement_trait,
        reason = "a clock is no iterator: handling an event schedules others"
    )]
    pub fn next(&mut self) -> Option<E> {
        while let Some(Entry { at, ticket, event }) = self.queue.pop() {
            if self.cancelled.remove(&ticket) {
                continue;
            }
            self.now = Seconds(at);
            return Some(event);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_scheduling() {
        let mut events = Events::new();
        events.after(Seconds(2.0), "late");
        events.after(Seconds(1.0), "first");
        events.after(Seconds(1.0), "second");
        events.after(Seconds(f64::INFINITY), "never");
        let mut seen = Vec::new();
        while let Some(event) = events.next() {
            seen.push((events.now().0, event));
        }
        assert_eq!(seen, [(1.0, "first"), (1.0, "second"), (2.0, "late")]);
    }

    #[test]
    fn a_cancelled_event_does_not_happen() {
        let mut events = Events::new();
        let ticket = events.after(Seconds(1.0), 1);
        events.after(Seconds(2.0), 2);
        events.cancel(ticket);
        assert_eq!(events.next(), Some(2));
        assert_eq!(events.next(), None);
    }
}
