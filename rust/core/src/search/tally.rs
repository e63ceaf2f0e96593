//! What happened to the candidates, by count.

use crate::training::layout::{RULES, Rule};

/// Refused candidates by rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rejections([u64; RULES.len()]);

impl Rejections {
    /// Refused by `rule`.
    #[must_use]
    pub fn of(&self, rule: Rule) -> u64 {
        self.0[rule as usize]
    }

    /// Rules that refused something, with their counts, in the order of [`RULES`].
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        RULES.iter().map(|rule| (*rule, self.of(*rule))).filter(|(_, count)| *count > 0)
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Candidates proven unable to matter, by the bound that proved it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounded {
    /// Their size can no longer be part of the answer.
    pub size: u64,
    /// The slowest stage alone is too slow, on any network.
    pub stage: u64,
    /// Passes, bubble, sends and stragglers are too slow for their size.
    pub step: u64,
}

impl Bounded {
    /// Bounds with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("size", self.size), ("stage", self.stage), ("step", self.step)].into_iter()
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.size + self.stage + self.step
    }
}

/// What happened to the candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Candidates of the declared space.
    pub enumerated: u64,
    /// Refused by a rule.
    pub rejected: Rejections,
    /// Proven no better than one known, without timing.
    pub bounded: Bounded,
    /// Timed end to end.
    pub timed: u64,
}

impl Tally {
    /// Counts candidates refused by `rule`.
    pub fn reject(&mut self, rule: Rule, count: u64) {
        self.rejected.0[rule as usize] += count;
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.enumerated += other.enumerated;
        self.bounded.size += other.bounded.size;
        self.bounded.stage += other.bounded.stage;
        self.bounded.step += other.bounded.step;
        self.timed += other.timed;
        for (own, more) in self.rejected.0.iter_mut().zip(other.rejected.0) {
            *own += more;
        }
    }
}
