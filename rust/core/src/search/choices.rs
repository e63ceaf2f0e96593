//! The choices of a step that cut nothing, laid out by what they act on, so that each part of a step is worked out
//! once for all the choices that it does not depend on.
//!
//! Memory sees [`States`] alone; the time of sends the networks and whether a whole activation is sent; gradient
//! traffic sharding and the networks; what of it hides the overlap; the update the states. A step is the sum of these
//! and of what depends on none of them, so the choices of a layout are a product of four short lists.

use crate::problem::Problem;
use crate::training::layout::{Host, Layout, Rule, broken_by_choice};
use crate::training::switches::{Switches, Tier};

/// Where the states of the optimizer live and how they are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct States {
    /// `ZeRO` stage.
    pub sharding: u8,
    /// In host memory.
    pub offload_optimizer: bool,
}

/// The networks of two dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Networks {
    /// Between stages.
    pub pipeline: Tier,
    /// Of the data ranks.
    pub data: Tier,
}

/// All choices of a step on top of what layers see: every one of the four lists with every other.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// Lawful states.
    pub states: Vec<States>,
    /// Networks.
    pub networks: Vec<Networks>,
    /// Whether a tensor rank sends only its part to the next stage.
    pub sends: Vec<bool>,
    /// Whether gradient traffic hides.
    pub overlaps: Vec<bool>,
    /// Unlawful states, each by its rule.
    refused: Vec<Rule>,
}

impl Choices {
    /// Those of `layout`, with a pipeline if `staged`; with a single data rank only the first of what acts on data
    /// ranks is a choice.
    #[must_use]
    pub fn new(problem: &Problem, host: Host, layout: &Layout, staged: bool, single: bool) -> Self {
        let space = &problem.space;
        let switches = &space.switches;
        let whole_too = switches.p2p_scatter.iter().filter(|parts| **parts || !layout.sequence_parallel);
        let mut found = Self { sends: whole_too.copied().collect(), ..Self::default() };
        if found.sends.is_empty() {
            found.sends.push(switches.p2p_scatter[0]);
        }
        let first = |count: usize| if single { 1 } else { count };
        let between = if staged { &switches.pp_network[..] } else { &switches.pp_network[..1] };
        for &pipeline in between {
            let data = &switches.dp_network[..first(switches.dp_network.len())];
            found.networks.extend(data.iter().map(|&data| Networks { pipeline, data }));
        }
        found.overlaps.extend_from_slice(&switches.dp_overlap[..first(switches.dp_overlap.len())]);
        for &sharding in &space.sharding[..first(space.sharding.len())] {
            for &offload_optimizer in &switches.offload_optimizer {
                let states = States { sharding, offload_optimizer };
                // Of the degrees only whether there is a pipeline counts, and what is sent is lawful for all or none.
                let pp = if staged { layout.pp.max(2) } else { 1 };
                let tried = with(&Layout { pp, ..*layout }, states, found.networks[0], found.sends[0]);
                match broken_by_choice(host, &tried) {
                    None => found.states.push(states),
                    Some(rule) => found.refused.push(rule),
                }
            }
        }
        found
    }

    /// Choices for each of the states.
    #[must_use]
    pub fn per_states(&self) -> u64 {
        (self.networks.len() * self.sends.len() * self.overlaps.len()) as u64
    }

    /// Lawful choices.
    #[must_use]
    pub fn lawful(&self) -> u64 {
        self.states.len() as u64 * self.per_states()
    }

    /// All choices.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.lawful() + self.refused.len() as u64 * self.per_states()
    }

    /// The rules that refuse some, each with how many.
    pub fn refused(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        self.refused.iter().map(|rule| (*rule, self.per_states()))
    }
}

/// `layout` with states, networks and sends; its gradient traffic hides as it did.
#[must_use]
pub fn with(layout: &Layout, states: States, networks: Networks, p2p_scatter: bool) -> Layout {
    let switches = Switches {
        p2p_scatter,
        offload_optimizer: states.offload_optimizer,
        pp_network: networks.pipeline,
        dp_network: networks.data,
        ..layout.switches
    };
    Layout { sharding: states.sharding, switches, ..*layout }
}
