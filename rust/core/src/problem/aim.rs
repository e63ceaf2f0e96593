//! What the search is to find: the objective, the axes of the front, and how much of what it saw to hand back.

use serde::{Deserialize, Serialize};

/// A scalar to minimise or maximise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Fewest cards.
    Cards,
    /// Fewest calendar days.
    Days,
    /// Most tokens per second.
    Throughput,
    /// Least power at the grid intake on the design day.
    Power,
    /// Least energy for the run.
    Energy,
    /// Least capital.
    Capex,
    /// Least cost of a year.
    Tco,
    /// Most tokens per joule at the grid intake.
    TokensPerJoule,
}

/// An axis of the Pareto front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Cards, fewer is better.
    Cards,
    /// Grid intake on the design day, less is better.
    FacilityMegawatts,
    /// Capital, less is better.
    CapexUsd,
    /// Calendar days, fewer is better.
    Days,
    /// Productive tokens per second, more is better.
    TokensPerSecond,
    /// Cost of a year, less is better.
    TcoUsdPerYear,
    /// Energy of a year, less is better.
    EnergyMwhPerYear,
}

/// Part of a weighted objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// The axis; tokens per second count as a gain.
    pub axis: Axis,
    /// Cost of one of its units, above zero.
    pub weight: f64,
}

/// How to search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What is best, unless weights say so.
    pub objective: Objective,
    /// Least weighted sum over these axes instead; empty: the objective.
    #[serde(default)]
    pub weights: Vec<Weight>,
    /// At most four.
    pub front: Vec<Axis>,
    /// Points of the front to return.
    pub front_points: usize,
    /// Stop after that long with the best so far.
    pub time_limit_seconds: Option<f64>,
    /// Threads; none: all cores.
    pub threads: Option<usize>,
    /// Layouts within this share of the best rate count as similar.
    pub similar: f64,
    /// Share of a device's memory that a plan leaves free, 0 to less than 1; evaluating a design does not ask for it.
    #[serde(default)]
    pub memory_headroom: f64,
    /// Also tell what one more of each thing that binds is worth.
    #[serde(default)]
    pub prices: bool,
    /// Runners-up on the winner's plant to return.
    #[serde(default = "runners_up")]
    pub runners_up: usize,
}

/// Runners-up of an answer that people read: one of a kind. Where more are asked for, every layout counts.
pub const RUNNERS_UP: usize = 5;

fn runners_up() -> usize {
    RUNNERS_UP
}
