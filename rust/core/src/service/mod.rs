//! Services: how many instances of which layout, in which pools, on which plant, meet a load within its latencies.

pub mod answer;
pub mod confirm;
pub mod evaluate;
pub mod floor;
pub mod generic;
pub mod ground;
pub mod problem;
pub mod search;
pub mod simulated;
pub mod sized;
pub mod sizes;
pub mod trade;
pub mod traffic;
pub mod verdict;
pub mod watts;
