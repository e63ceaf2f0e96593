//! Every rejection rule: a layout that breaks it alone is named by `evaluate` and counted by the search.

mod common;

use planner_core::evaluate::{DesignChoice, evaluate};
use planner_core::problem::{ExpertTensor, Problem, SwitchSpace};
use planner_core::search::search;
use planner_core::training::layout::{Layout, RULES, Recompute, Rule};
use planner_core::training::switches::{Switches, Tier};
use planner_core::units::{Bytes, BytesPerSecond};

fn layout() -> Layout {
    Layout {
        pp: 2,
        vpp: 1,
        tp: 4,
        cp: 1,
        ep: 1,
        etp: 1,
        dp: 8,
        micro_batch: 1,
        recompute: Recompute::Full,
        sharding: 1,
        sequence_parallel: true,
        ..Layout::default()
    }
}

fn broken(problem: &Problem, layout: Layout) -> Vec<Rule> {
    let choice = DesignChoice { cluster: 0, fabric: 0, cooling: 0, power_cap: 1.0, cards: None, layout };
    evaluate(problem, &choice).unwrap().broken_rules
}

/// A space of the one layout, dp free.
fn only(mut problem: Problem, layout: Layout) -> Problem {
    let space = &mut problem.space;
    space.tp = vec![layout.tp];
    space.pp = vec![layout.pp];
    space.vpp = vec![layout.vpp];
    space.cp = vec![layout.cp];
    space.ep = vec![layout.ep];
    space.etp = vec![if layout.etp == 1 { ExpertTensor::One } else { ExpertTensor::Tensor }];
    space.dp = Some(vec![layout.dp]);
    space.micro_batch = vec![layout.micro_batch];
    space.recompute = vec![layout.recompute];
    space.sharding = vec![layout.sharding];
    space.sequence_parallel = vec![layout.sequence_parallel];
    space.switches = of_one(layout.switches);
    problem
}

fn of_one(switches: Switches) -> SwitchSpace {
    SwitchSpace {
        tp_overlap: vec![switches.tp_overlap],
        sequence_gather: vec![switches.sequence_gather],
        p2p_scatter: vec![switches.p2p_scatter],
        dp_overlap: vec![switches.dp_overlap],
        fused_activation: vec![switches.fused_activation],
        offload_weights: vec![switches.offload_weights],
        offload_activations: vec![switches.offload_activations],
        offload_optimizer: vec![switches.offload_optimizer],
        tp_network: vec![switches.tp_network],
        pp_network: vec![switches.pp_network],
        dp_network: vec![switches.dp_network],
    }
}

fn case(rule: Rule) -> (Problem, Layout) {
    let problem = common::problem();
    let base = layout();
    match rule {
        Rule::HeadsOverTensor => (problem, Layout { tp: 3, dp: 4, sequence_parallel: false, ..base }),
        Rule::WidthOverTensor => {
            let mut problem = problem;
            problem.model.ffn = 14_338;
            (problem, base)
        }
        Rule::SequenceOverContext => (problem, Layout { cp: 3, dp: 4, sequence_parallel: false, ..base }),
        Rule::LayersOverPipeline => {
            let mut problem = problem;
            problem.model.layers = 3;
            (problem, Layout { vpp: 3, ..base })
        }
        Rule::Interleaving => (problem, Layout { vpp: 3, pp: 4, ..base }),
        Rule::Experts => {
            let mut problem = problem;
            problem.model = common::moe_model();
            (problem, Layout { ep: 5, ..base })
        }
        Rule::ShardingWithPipeline => (problem, Layout { sharding: 3, ..base }),
        Rule::Switches => {
            // Nobody knows the host of this cluster.
            let switches = Switches { offload_optimizer: true, ..base.switches };
            (problem, Layout { switches, ..base })
        }
        Rule::Placement => {
            // Eight data ranks and four tensor ranks in a domain of eight.
            let switches = Switches {
                tp_network: Tier::ScaleUp,
                dp_network: Tier::ScaleUp,
                pp_network: Tier::ScaleOut,
                ..base.switches
            };
            (problem, Layout { switches, ..base })
        }
        Rule::HostMemory => {
            let mut problem = problem;
            let device = &mut problem.clusters[0].device;
            device.host_memory = Some(Bytes(1e6));
            device.host_bandwidth = Some(BytesPerSecond(30e9));
            let switches = Switches { offload_optimizer: true, ..base.switches };
            (problem, Layout { switches, ..base })
        }
        Rule::Batch => (problem, Layout { dp: 24, ..base }),
        Rule::FewMicroBatches => {
            let mut problem = problem;
            problem.training.global_batch = 8;
            (problem, Layout { vpp: 2, ..base })
        }
        Rule::Memory => {
            (problem, Layout { micro_batch: 16, recompute: Recompute::None, tp: 1, pp: 1, ..base })
        }
        Rule::Limits => {
            let mut problem = problem;
            problem.limits.facility_watts = Some(10e3);
            (problem, base)
        }
        Rule::Target => {
            let mut problem = problem;
            problem.target.days = Some(0.1);
            (problem, base)
        }
        Rule::Spares => {
            let mut problem = problem;
            let mut model = common::failures();
            model.spare_confidence = 0.999;
            problem.reliability.failures = Some(model);
            problem.limits.cards_max = base.devices();
            (problem, base)
        }
    }
}

#[test]
fn a_sound_layout_breaks_no_rule() {
    assert_eq!(broken(&common::problem(), layout()), vec![]);
}

#[test]
fn each_rule_is_named_alone_by_evaluate() {
    for rule in RULES {
        let (problem, layout) = case(rule);
        assert_eq!(broken(&problem, layout), vec![rule]);
    }
}

#[test]
fn each_rule_is_counted_by_the_search() {
    for rule in RULES {
        let (problem, layout) = case(rule);
        let outcome = search(&only(problem, layout), &mut |_| true).unwrap();
        assert!(outcome.best.is_none(), "{rule:?}");
        assert_eq!(outcome.tally.enumerated, 1, "{rule:?}");
        assert_eq!(outcome.tally.rejected.of(rule), 1, "{rule:?}: {:?}", outcome.tally.rejected);
    }
}

#[test]
fn experts_must_divide_the_ranks_they_are_taken_from() {
    let mut problem = common::problem();
    problem.model = common::moe_model();
    let layout = Layout { tp: 1, pp: 1, dp: 6, ep: 4, ..layout() };
    problem.training.global_batch = 252;
    assert_eq!(broken(&problem, layout), vec![Rule::Experts]);
}
