//! The training step: layout, layers, stages, memory, step.

pub mod layer;
pub mod layout;
pub mod memory;
pub mod offload;
pub mod schedule;
pub mod stages;
pub mod step;
pub mod switches;
