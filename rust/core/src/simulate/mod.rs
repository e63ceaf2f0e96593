//! Discrete-event simulation: seeded, deterministic, small. The oracle of closed forms, and the answer where there are
//! none.
//!
//! [`Random`] draws numbers that are the same on every host, [`Law`] draws times from a distribution, [`Events`] is the
//! clock with its queue, [`station`] puts them together to a queue with servers. A model keeps its own state, schedules
//! events of its own type and handles them in the order in which [`Events::next`] gives them.

pub mod events;
pub mod law;
pub mod random;
pub mod station;

pub use events::{Events, Ticket};
pub use law::Law;
pub use random::Random;
