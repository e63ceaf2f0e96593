//! What the layers of a unit cost, worked out once for all variants that cannot be told apart.
//!
//! Products and attention see the clock alone. What layers send depends on how the tensor, context and expert groups lie
//! on a network: networks on which they lie alike make one class, of which few are left even among many fabrics, since most
//! groups stay inside a domain or under a leaf.

use std::sync::Arc;

use crate::network::Group;
use crate::problem::Problem;
use crate::search::variant::{Variant, bench};
use crate::training::layer::Bench;
use crate::training::layout::Layout;
use crate::training::memory::{LocalParameters, Pieces};
use crate::training::phases::LayerCost;
use crate::training::pieces::{Works, pieces_with};
use crate::training::stages::Stage;
use crate::training::step::Family;
use crate::training::switches::places;
use crate::units::Seconds;

/// Layers costed at one cap on one class of networks.
#[derive(Clone)]
pub(super) struct Cost {
    /// The pieces of a stage.
    pub pieces: Pieces,
    /// All layers, embedding and head on the device, whatever the network; layers predicted beyond the next token not counted.
    pub device: Seconds,
    /// The same with their traffic.
    pub whole: Seconds,
    /// The stages of the pipeline that was worked through last, timed, and which one that was.
    family: Option<(usize, Family)>,
}

/// The costs of one unit, made when first needed.
pub(super) struct Costs {
    caps: usize,
    /// By power cap.
    works: Vec<Option<Works>>,
    /// Class of each network, by its number in the problem.
    class_of: Vec<Option<usize>>,
    classes: Vec<[Group; 3]>,
    /// By class and cap.
    of: Vec<Option<Cost>>,
}

impl Costs {
    pub(super) fn new(caps: usize) -> Self {
        Self { caps, works: vec![None; caps], class_of: Vec::new(), classes: Vec::new(), of: Vec::new() }
    }

    /// Forgets what depends on switches of the layers; all of it, if products do too.
    pub(super) fn forget(&mut self, products_too: bool) {
        if products_too {
            self.works.fill(None);
        }
        self.class_of.clear();
        self.classes.clear();
        self.of.clear();
    }

    /// The cost of `layout` on one of the variant's networks.
    pub(super) fn of(
        &mut self,
        problem: &Problem,
        variant: &Variant,
        network: usize,
        layout: &Layout,
    ) -> &mut Cost {
        let bench = bench(problem, variant, network);
        let class = self.class(variant.network_ids[network], &bench, layout);
        let place = class * self.caps + variant.cap;
        if self.of.len() <= place {
            self.of.resize_with((class + 1) * self.caps, || None);
        }
        let works = &mut self.works[variant.cap];
        self.of[place].get_or_insert_with(|| {
            let works = works.get_or_insert_with(|| Works::new(&bench, layout));
            Cost::new(&bench, layout, works)
        })
    }

    /// All layers on the network of the variant that is fastest for them.
    pub(super) fn fastest(&mut self, problem: &Problem, variant: &Variant, layout: &Layout) -> Seconds {
        let mut whole = Seconds(f64::INFINITY);
        for network in variant.reached() {
            let one = self.of(problem, variant, network, layout).whole;
            whole = if one < whole { one } else { whole };
        }
        whole
    }

    fn class(&mut self, number: usize, bench: &Bench, layout: &Layout) -> usize {
        if self.class_of.len() <= number {
            self.class_of.resize(number + 1, None);
        }
        if let Some(class) = self.class_of[number] {
            return class;
        }
        // All groups that the traffic of layers is worked out for (`training::traffic`, `training::layer`).
        let at = places(layout, bench.domain);
        let groups = [(at.tensor, layout.tp), (at.context, layout.cp), (layout.etp as f64, layout.ep)]
            .map(|(stride, size)| bench.network.group(stride, size as f64));
        // Alike ones stand near each other mostly.
        let known = self.classes.iter().rposition(|known| *known == groups);
        let class = known.unwrap_or(self.classes.len());
        if known.is_none() {
            self.classes.push(groups);
        }
        self.class_of[number] = Some(class);
        class
    }
}

impl Cost {
    fn new(bench: &Bench, layout: &Layout, works: &Works) -> Self {
        let pieces = pieces_with(bench, layout, works);
        let moe = f64::from(bench.model.moe_layers_before(bench.model.layers));
        let dense = f64::from(bench.model.layers) - moe;
        // Where only some layers of a stage recompute, the bounds count none of it.
        let all_redone = layout.recompute_layers == 0;
        let all = |of: fn(&LayerCost) -> Seconds, redone: fn(&LayerCost) -> Seconds| {
            let layer = |piece: &LayerCost| {
                if all_redone { of(piece) + redone(piece) } else { of(piece) }
            };
            layer(&pieces.dense) * dense + layer(&pieces.moe) * moe + of(&pieces.embedding) + of(&pieces.head)
        };
        let device = all(LayerCost::on_device_once, |piece| piece.recompute.on_device());
        let whole =
            all(|piece| piece.forward.total() + piece.backward.total(), |piece| piece.recompute.total());
        Self { pieces, device, whole, family: None }
    }

    /// The stages of `shape`, the pipeline of that number, timed.
    pub(super) fn family(
        &mut self,
        number: usize,
        shape: &Layout,
        stages: &Arc<[(Stage, LocalParameters)]>,
    ) -> &mut Family {
        // Looked at in place: it is large, and asked for again and again.
        if self.family.as_ref().is_none_or(|(known, _)| *known != number) {
            let family = Family::with_stages(*shape, self.pieces, Arc::clone(stages));
            self.family = Some((number, family));
        }
        &mut self.family.as_mut().unwrap_or_else(|| unreachable!("made above")).1
    }
}
