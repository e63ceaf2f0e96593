//! One design, timed and costed: the function that the search calls for its winner and `evaluate` for the user's.

use serde::{Deserialize, Serialize};

use crate::error::CoreError;
use crate::fabric::{LinkTier, Tier, Transceivers};
use crate::facility::Racks;
use crate::cost::Capex;
use crate::kernel::Kernels;
use crate::network::Network;
use crate::plant::{Choice, Plant, plant};
use crate::problem::Problem;
use crate::training::layer::Bench;
use crate::training::layout::{Layout, Rule, broken_rule, broken_rule_at, micro_batches};
use crate::training::memory::Memory;
use crate::training::step::{Family, StepTimes, pieces};
use crate::units::{SECONDS_PER_DAY, Seconds};

/// A design to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesignChoice {
    /// Index into the problem's clusters.
    pub cluster: usize,
    /// Index into the cluster's fabrics.
    pub fabric: usize,
    /// Index into the cluster's coolings.
    pub cooling: usize,
    /// Share of the board power.
    pub power_cap: f64,
    /// Cards bought; none: the fewest whole units that hold the layout and the lower limit.
    pub cards: Option<u64>,
    /// Layout.
    pub layout: Layout,
}

/// Cards of a design.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cards {
    /// Bought.
    pub total: u64,
    /// Computing.
    pub active: u64,
    /// Hot spares: what the layout leaves over in whole units.
    pub spare: u64,
    /// Devices the runtime exposes per card.
    pub devices_per_card: u64,
}

/// Speed of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Performance {
    /// One optimizer step.
    pub step_seconds: f64,
    /// While training (failures not counted).
    pub tokens_per_second: f64,
    /// Of the active cards.
    pub tokens_per_second_per_card: f64,
    /// Model FLOPs, causal, over the matrix-engine peak of the precision at full clock.
    pub mfu: f64,
    /// The same with the whole score matrix counted.
    pub mfu_full_attention: f64,
    /// With recomputation counted.
    pub hfu: f64,
    /// Share of calendar time that trains.
    pub goodput: f64,
    /// Training time alone.
    pub productive_days: f64,
    /// With failures, restarts and checkpoints.
    pub days: f64,
    /// Where the step goes, in seconds.
    pub breakdown: StepTimes,
}

/// Memory of the fullest device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MemoryUse {
    /// Needed.
    pub per_device_bytes: f64,
    /// There.
    pub capacity_bytes: f64,
    /// By cause.
    pub breakdown: Memory,
}

/// The fabric of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // the field names are those of the wire contract, documented in docs/plan.md
pub struct FabricAnswer {
    pub id: String,
    pub kind: crate::fabric::FabricKind,
    pub oversubscription: f64,
    pub tiers: Vec<Tier>,
    pub links: Vec<LinkTier>,
    pub switches: u64,
    pub cables: u64,
    pub transceivers: Transceivers,
    pub nics: u64,
    pub ports_free: u64,
    pub watts: f64,
}

/// The facility of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct FacilityAnswer {
    pub it_megawatts: f64,
    pub facility_megawatts: f64,
    pub facility_design_megawatts: f64,
    pub nameplate_megawatts: Option<f64>,
    pub racks: RacksAnswer,
    pub servers: u64,
    pub rack_kilowatts: f64,
    pub cooling: String,
    pub pue: f64,
    pub pue_design_day: f64,
    pub energy_mwh_per_year: f64,
    pub water_m3_per_year: Option<f64>,
    pub carbon_tonnes_per_year: f64,
    pub card_watts: f64,
}

/// Racks with their total.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RacksAnswer {
    /// By what they hold.
    #[serde(flatten)]
    pub by_kind: Racks,
    /// All.
    pub total: u64,
}

/// Money of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct CostAnswer {
    pub capex_usd: Option<f64>,
    pub energy_usd_per_year: f64,
    pub tco_usd_per_year: Option<f64>,
    pub parts: Capex,
    pub missing: Vec<&'static str>,
}

/// Failures of a design.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct ReliabilityAnswer {
    pub mttf_hours: Option<f64>,
    pub failures_per_day: f64,
    pub checkpoint_interval_seconds: Option<f64>,
    pub checkpoint_bytes: f64,
    pub goodput: f64,
}

/// One level of the network as the collectives saw it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct LevelAnswer {
    pub name: String,
    pub devices: Option<f64>,
    pub bytes_per_second: f64,
    pub latency_seconds: f64,
}

/// A design, evaluated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // see docs/plan.md
pub struct Design {
    pub cluster: usize,
    pub fabric_index: usize,
    pub cooling_index: usize,
    pub system: String,
    pub accelerator: String,
    pub power_cap: f64,
    pub clock: f64,
    pub layout: Layout,
    pub micro_batches: u64,
    pub global_batch: u64,
    pub broken_rules: Vec<Rule>,
    pub over_limits: Vec<&'static str>,
    pub cards: Cards,
    pub performance: Performance,
    pub memory: MemoryUse,
    pub fabric: FabricAnswer,
    pub facility: FacilityAnswer,
    pub cost: CostAnswer,
    pub reliability: ReliabilityAnswer,
    pub network: Vec<LevelAnswer>,
}

/// Limits of the problem that `plant` exceeds.
#[must_use]
pub fn over_limits(problem: &Problem, plant: &Plant) -> Vec<&'static str> {
    let limits = &problem.limits;
    let over = |limit: Option<f64>, value: Option<f64>| {
        limit.is_some_and(|limit| value.is_none_or(|value| value > limit))
    };
    [
        ("limits.cards_min", plant.cards < limits.cards_min),
        ("limits.cards_max", plant.cards > limits.cards_max),
        ("limits.facility_watts", over(limits.facility_watts, Some(plant.facility_design_day.0))),
        ("limits.it_watts", over(limits.it_watts, Some(plant.it.0))),
        ("limits.nameplate_watts", over(limits.nameplate_watts, plant.nameplate.map(|watts| watts.0))),
        ("limits.racks", limits.racks.is_some_and(|racks| plant.racks.total() > racks)),
        ("limits.capex_usd", over(limits.capex_usd, plant.capex.total().map(|usd| usd.0))),
    ]
    .into_iter()
    .filter_map(|(name, exceeded)| exceeded.then_some(name))
    .collect()
}

/// Evaluates `choice`, lawful or not: rules it breaks and limits it exceeds are listed in the answer.
///
/// # Errors
/// An index out of range, more devices than cards, or a plant that cannot be built.
pub fn evaluate(problem: &Problem, choice: &DesignChoice) -> Result<Design, CoreError> {
    let out_of_range = |key: &str| CoreError::invalid(format!("design.{key}"), "is out of range");
    let cluster = problem.clusters.get(choice.cluster).ok_or_else(|| out_of_range("cluster"))?;
    let fabric = cluster.fabrics.get(choice.fabric).ok_or_else(|| out_of_range("fabric"))?;
    let cooling = cluster.coolings.get(choice.cooling).ok_or_else(|| out_of_range("cooling"))?;
    let layout = choice.layout;
    for (key, degree) in [
        ("tp", layout.tp), ("pp", layout.pp), ("vpp", layout.vpp), ("cp", layout.cp), ("ep", layout.ep),
        ("etp", layout.etp), ("dp", layout.dp), ("micro_batch", layout.micro_batch),
    ] {
        if degree == 0 {
            return Err(CoreError::invalid(format!("design.layout.{key}"), "must be at least 1"));
        }
    }
    if u64::from(problem.model.layers) < layout.pp {
        return Err(CoreError::invalid("design.layout.pp", "has more stages than the model has layers"));
    }
    let clock = cluster
        .card_power()
        .clock_at_cap(choice.power_cap)
        .ok_or_else(|| CoreError::invalid("design.power_cap", "is below what the card draws when idle"))?;
    let active = layout.devices().div_ceil(cluster.devices_per_card);
    let wanted = choice.cards.unwrap_or_else(|| active.max(problem.limits.cards_min));
    if wanted < active {
        return Err(CoreError::invalid(
            "design.cards",
            format!("the layout needs {active} cards, {wanted} are given"),
        ));
    }
    let units = wanted.div_ceil(cluster.unit_cards);
    let at = Choice { cluster, fabric, cooling, clock, power_cap: choice.power_cap };
    let plant = plant(&at, &problem.terms(), units).map_err(|why| CoreError::invalid("design", why))?;
    let kernels = Kernels::new(&cluster.device, problem.training.precision, clock)
        .ok_or_else(|| CoreError::invalid("training.precision", "the chip has no peak at this precision"))?;
    let network = Network::new(cluster, fabric, &plant.fabric);
    let bench = Bench {
        model: &problem.model,
        training: &problem.training,
        software: &problem.software,
        kernels: &kernels,
        network: &network,
    };
    let lawful = micro_batches(&problem.training, layout.dp, layout.micro_batch);
    // A batch out of tolerance is rounded to the nearest multiple and the broken rule named.
    let count = lawful.unwrap_or_else(|| {
        let unit = (layout.dp * layout.micro_batch) as f64;
        libm::round(problem.training.global_batch as f64 / unit).max(1.0) as u64
    });
    let family = Family::new(&problem.model, layout, pieces(&bench, &layout));
    let times = family.step(&bench, layout.dp, count);
    let memory = family.memory(&bench, layout.dp, count);
    let performance = performance(problem, choice, &plant, &family, &bench, times, count);
    let mut broken: Vec<Rule> = broken_rule(&problem.model, &problem.training, &layout).into_iter().collect();
    if lawful.is_none() {
        broken.push(Rule::Batch);
    }
    broken.extend(broken_rule_at(&layout, count));
    if memory.total() > cluster.device.memory {
        broken.push(Rule::Memory);
    }
    let too_slow = performance.tokens_per_second < problem.needed_rate(performance.goodput);
    if problem.target.any() && too_slow {
        broken.push(Rule::Target);
    }
    let limits = over_limits(problem, &plant);
    if !limits.is_empty() {
        broken.push(Rule::Limits);
    }
    Ok(Design {
        cluster: choice.cluster,
        fabric_index: choice.fabric,
        cooling_index: choice.cooling,
        system: cluster.system.clone(),
        accelerator: cluster.accelerator.clone(),
        power_cap: choice.power_cap,
        clock,
        layout,
        micro_batches: count,
        global_batch: count * layout.dp * layout.micro_batch,
        broken_rules: broken,
        over_limits: limits,
        cards: Cards {
            total: plant.cards,
            active,
            spare: plant.cards - active,
            devices_per_card: cluster.devices_per_card,
        },
        performance,
        memory: MemoryUse {
            per_device_bytes: memory.total().0,
            capacity_bytes: cluster.device.memory.0,
            breakdown: memory,
        },
        fabric: fabric_answer(&at, &plant),
        facility: facility_answer(&at, &plant),
        cost: CostAnswer {
            capex_usd: plant.capex.total().map(|usd| usd.0),
            energy_usd_per_year: plant.energy_usd_per_year.0,
            tco_usd_per_year: plant.tco_usd_per_year.map(|usd| usd.0),
            missing: plant.capex.missing(),
            parts: plant.capex,
        },
        reliability: ReliabilityAnswer {
            mttf_hours: plant.goodput.mttf.map(|time| time.0 / 3600.0),
            failures_per_day: plant.goodput.mttf.map_or(0.0, |time| SECONDS_PER_DAY / time.0),
            checkpoint_interval_seconds: plant.goodput.interval.map(|time| time.0),
            checkpoint_bytes: plant.checkpoint.0,
            goodput: plant.goodput.goodput,
        },
        network: network
            .levels
            .iter()
            .map(|level| LevelAnswer {
                name: level.name.clone(),
                devices: level.size.is_finite().then_some(level.size),
                bytes_per_second: level.bandwidth.0,
                latency_seconds: level.latency.0,
            })
            .collect(),
    })
}

fn performance(
    problem: &Problem,
    choice: &DesignChoice,
    plant: &Plant,
    family: &Family,
    bench: &Bench,
    times: StepTimes,
    count: u64,
) -> Performance {
    let cluster = &problem.clusters[choice.cluster];
    let layout = choice.layout;
    let step = times.total();
    let tokens = problem.tokens_per_step(layout.dp, layout.micro_batch, count);
    let rate = tokens / step.0;
    let sequence = f64::from(problem.training.sequence);
    let peak = cluster.device.peak.at(problem.training.precision).unwrap_or(cluster.device.peak.bf16);
    let all = peak.0 * layout.devices() as f64;
    let model_flops = problem.model.training_flops_per_token(sequence);
    let full = problem.model.training_flops_per_token_full_attention(sequence);
    // Recomputation redoes a share of the forward pass, whose FLOPs are a third of the model's.
    let redone = 1.0 + family.recomputed_share(bench) / 3.0;
    let active = layout.devices().div_ceil(cluster.devices_per_card);
    let days = Seconds(problem.training.tokens / rate).days();
    Performance {
        step_seconds: step.0,
        tokens_per_second: rate,
        tokens_per_second_per_card: rate / active as f64,
        mfu: rate * model_flops / all,
        mfu_full_attention: rate * full / all,
        hfu: rate * model_flops * redone / all,
        goodput: plant.goodput.goodput,
        productive_days: days,
        days: days / plant.goodput.goodput,
        breakdown: times,
    }
}

fn fabric_answer(choice: &Choice, plant: &Plant) -> FabricAnswer {
    let design = &plant.fabric;
    FabricAnswer {
        id: choice.fabric.id.clone(),
        kind: choice.fabric.kind,
        oversubscription: choice.fabric.oversubscription,
        tiers: design.tiers.iter().copied().collect(),
        links: design.links.iter().copied().collect(),
        switches: design.switches(),
        cables: design.cables(),
        transceivers: design.transceivers,
        nics: plant.servers * u64::from(choice.fabric.ports_per_server),
        ports_free: design.ports_free,
        watts: plant.fabric_power.0,
    }
}

fn facility_answer(choice: &Choice, plant: &Plant) -> FacilityAnswer {
    let mega = |watts: crate::units::Watts| watts.0 / 1e6;
    FacilityAnswer {
        it_megawatts: mega(plant.it),
        facility_megawatts: mega(plant.facility),
        facility_design_megawatts: mega(plant.facility_design_day),
        nameplate_megawatts: plant.nameplate.map(mega),
        racks: RacksAnswer { by_kind: plant.racks, total: plant.racks.total() },
        servers: plant.servers,
        rack_kilowatts: plant.rack_power.0 / 1e3,
        cooling: choice.cooling.kind.clone(),
        pue: choice.cooling.pue,
        pue_design_day: choice.cooling.pue_design_day,
        energy_mwh_per_year: plant.energy_mwh_per_year,
        water_m3_per_year: plant.water_m3_per_year,
        carbon_tonnes_per_year: plant.carbon_tonnes_per_year,
        card_watts: plant.card_power.0,
    }
}
