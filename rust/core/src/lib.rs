//! Physics and search of the cluster capacity planner.
//!
//! Data flows one way: units and error; simulate; hardware, model, workload; fabric, network, collective; kernel,
//! training, serving;
//! facility, cost, reliability, plant; search; wire. Each module uses only those before it (`tests/layers.rs`).

pub mod chain;
pub mod collective;
pub mod cost;
pub mod detail;
pub mod draw;
pub mod error;
pub mod evaluate;
pub mod fabric;
pub mod facility;
pub mod hall;
pub mod hardware;
pub mod kernel;
pub mod many;
pub mod model;
pub mod network;
pub mod plant;
pub mod precision;
pub mod problem;
pub mod reliability;
pub mod sampling;
pub mod search;
pub mod service;
pub mod serving;
pub mod simulate;
pub mod supply;
pub mod training;
pub mod units;
pub mod wire;
pub mod workload;
