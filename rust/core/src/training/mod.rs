//! The training step: layout, layers, stages, memory, step.

pub mod activations;
pub mod layer;
pub mod layout;
pub mod memory;
pub mod offload;
pub mod phases;
pub mod schedule;
pub mod split;
pub mod stages;
pub mod step;
pub mod switches;
pub mod traffic;
