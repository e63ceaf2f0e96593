//! The pipelines of a unit and the data-parallel degrees that the space declares for each.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::problem::Problem;
use crate::search::units::Tables;
use crate::training::layout::{Layout, Rule, broken_by_shape};
use crate::training::memory::LocalParameters;
use crate::training::stages::Stage;
use crate::training::step::filled;

/// A pipeline of a unit, and the dp declared for it.
pub struct Shape<'a> {
    /// Stages.
    pub pp: u64,
    /// Chunks of a stage.
    pub vpp: u64,
    stages: OnceCell<Arc<[(Stage, LocalParameters)]>>,
    /// The dp whose choices are all, and the single rank whose choices are fewer.
    pub declared: [Declared<'a>; 2],
    /// The rule that it breaks, whatever dp and choices.
    pub broken: Option<Rule>,
}

impl Shape<'_> {
    /// Its stages with the parameters of each on one device; `layout` has its degrees.
    pub fn stages(
        &self,
        problem: &Problem,
        layout: &Layout,
        tables: &Tables,
    ) -> &Arc<[(Stage, LocalParameters)]> {
        self.stages.get_or_init(|| filled(&problem.model, layout, tables.stages(layout)))
    }
}

/// The pipelines of the space under the rest of `layout` for which some dp is declared.
#[must_use]
pub fn shapes<'a>(problem: &Problem, layout: &Layout, devices: u64, tables: &'a Tables) -> Vec<Shape<'a>> {
    let pairs = tables.batches(layout.micro_batch);
    let mut found = Vec::new();
    for &pp in &problem.space.pp {
        for &vpp in &problem.space.vpp {
            let shape = Layout { pp, vpp, ..*layout };
            let declared = declared(problem, &shape, devices, pairs);
            if declared.count == 0 {
                continue;
            }
            found.push(Shape {
                pp,
                vpp,
                stages: OnceCell::new(),
                declared: declared.parts(),
                broken: broken_by_shape(&problem.model, &problem.training, &shape),
            });
        }
    }
    found
}

/// The dp of a layout that the space declares.
#[derive(Clone, Copy)]
pub struct Declared<'a> {
    /// How many.
    pub count: u64,
    /// Those whose batch is lawful, with their micro-batches, ascending.
    pub lawful: &'a [(u64, u64)],
    /// A single data rank is one of them, and has nothing to shard or hide.
    pub single: bool,
}

impl Declared<'_> {
    /// All whose choices are the usual ones, and a single data rank.
    #[must_use]
    pub fn parts(self) -> [Self; 2] {
        if !self.single {
            return [self, Self { count: 0, lawful: &[], single: false }];
        }
        let ones: usize = self.lawful.first().map_or(0, |(dp, _)| usize::from(*dp == 1));
        let (one, others) = self.lawful.split_at(ones);
        [
            Self { count: self.count - 1, lawful: others, single: false },
            Self { count: 1, lawful: one, single: true },
        ]
    }
}

/// The declared dp of `shape` on up to `devices` devices; `pairs` are the lawful ones of any shape.
fn declared<'a>(problem: &Problem, shape: &Layout, devices: u64, pairs: &'a [(u64, u64)]) -> Declared<'a> {
    let ranks = shape.tp * shape.cp * shape.pp;
    let most = devices / ranks;
    let listed = |dp: u64| problem.space.dp.as_ref().is_none_or(|list| list.contains(&dp));
    // Experts are sharded over the tensor ranks too.
    let single = |has_one: bool| has_one && shape.cp == 1 && problem.model.moe.is_none();
    if problem.space.factorized {
        let (layers, batch) = (u64::from(problem.model.layers), problem.training.global_batch);
        let chunks = shape.pp * shape.vpp;
        let even = devices.is_multiple_of(ranks)
            && layers.is_multiple_of(chunks)
            && (shape.pp > 1 || shape.vpp == 1)
            && most > 0
            && batch >= most
            && (batch / most).is_multiple_of(shape.micro_batch);
        if !even || !listed(most) {
            return Declared { count: 0, lawful: &[], single: false };
        }
        let at = pairs.partition_point(|(dp, _)| *dp < most);
        let found = pairs.get(at).is_some_and(|(dp, _)| *dp == most);
        let lawful = if found { &pairs[at..=at] } else { &[] };
        return Declared { count: 1, lawful, single: single(most == 1) };
    }
    let count =
        problem.space.dp.as_ref().map_or(most, |list| list.iter().filter(|dp| **dp <= most).count() as u64);
    let lawful = &pairs[..pairs.partition_point(|(dp, _)| *dp <= most)];
    Declared { count, lawful, single: single(most > 0 && listed(1)) }
}
