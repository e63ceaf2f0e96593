//! Serving: a replica (one instance of the model) and what its steps take; queues; whole services.
//!
//! `docs/physics.md`, section "Serving", states the formulas and parameters in words.

pub mod answer;
mod balance;
pub mod case;
mod check;
pub mod exchange;
pub mod layer;
pub mod memory;
pub mod operating;
pub mod operators;
pub mod queue;
mod ready;
pub mod replica;
pub mod step;
pub mod units;
