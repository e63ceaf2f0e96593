//! One design, timed and costed: the function that the search calls for its winner and `evaluate` for the user's.

pub mod design;
pub mod over;
pub mod standby;

use serde::{Deserialize, Serialize};

use crate::chain::{ChainLoad, ChainSpec, chain};
use crate::draw::{host_parts, phases};
use crate::error::CoreError;
use crate::facility::ItPower;
use crate::kernel::Kernels;
use crate::network::Network;
use crate::plant::{Choice, Plant, Site, plant};
use crate::problem::{Limits, MOST_DEGREE, MOST_RANKS, Problem};
use crate::training::layer::Bench;
use crate::training::layout::{Host, Layout, Rule, broken_rule, broken_rule_at, micro_batches};
use crate::training::pieces::pieces;
use crate::training::stages::micro_batch_group;
use crate::training::step::{Family, StepTimes};
use crate::units::{SECONDS_PER_DAY, Seconds};
use design::{
    Cards, CostAnswer, Design, FabricAnswer, FacilityAnswer, LevelAnswer, MemoryUse, Performance,
    PowerAnswer, RacksAnswer, ReliabilityAnswer,
};
use standby::Standby;

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

/// Limits of the problem that `plant` exceeds.
#[must_use]
pub fn over_limits(problem: &Problem, plant: &Plant) -> Vec<&'static str> {
    exceeded(&problem.limits, plant)
}

/// Which of `limits` a plant exceeds.
#[must_use]
pub fn exceeded(limits: &Limits, plant: &Plant) -> Vec<&'static str> {
    let over = |limit: Option<f64>, value: Option<f64>| {
        limit.is_some_and(|limit| value.is_none_or(|value| value > limit))
    };
    [
        ("limits.cards_min", plant.cards < limits.cards_min),
        ("limits.cards_max", plant.cards > limits.cards_max),
        ("limits.facility_watts", over(limits.facility_watts, Some(plant.facility_design_day.0))),
        ("limits.it_watts", over(limits.it_watts, Some(plant.it.0))),
        ("limits.nameplate_watts", over(limits.nameplate_watts, plant.nameplate.map(|watts| watts.0))),
        ("limits.transformer_watts", over(limits.transformer_watts, Some(plant.transformer.0))),
        ("limits.ups_watts", over(limits.ups_watts, Some(plant.ups.0))),
        (
            "limits.nameplate_intake_watts",
            over(limits.nameplate_intake_watts, plant.nameplate_intake.map(|watts| watts.0)),
        ),
        ("limits.liquid_watts", over(limits.liquid_watts, Some(plant.peak_liquid().0))),
        ("limits.air_watts", over(limits.air_watts, Some((plant.peak_it - plant.peak_liquid()).0))),
        ("limits.halls", plant.halls.iter().any(|hall| hall.over.is_some())),
        ("limits.racks", limits.racks.is_some_and(|racks| plant.racks.total() > racks)),
        ("limits.floor_m2", over(limits.floor_m2, plant.white_space)),
        ("limits.capex_usd", over(limits.capex_usd, plant.capex.total().map(|usd| usd.0))),
    ]
    .into_iter()
    .filter_map(|(name, exceeded)| exceeded.then_some(name))
    .collect()
}

/// Evaluates `choice`, lawful or not: rules it breaks and limits it exceeds are listed in the answer.
///
/// # Errors
/// An index out of range, more devices than cards, more cards than the vendor builds, or a plant that cannot be built.
pub fn evaluate(problem: &Problem, choice: &DesignChoice) -> Result<Design, CoreError> {
    let at = plant_choice(problem, choice)?;
    let cluster = at.cluster;
    let layout = choice.layout;
    check_layout(problem, &layout)?;
    let active = layout.devices().div_ceil(cluster.devices_per_card);
    let standby = Standby::new(problem, cluster, active);
    if let Some(cards) = choice.cards.filter(|cards| *cards < active) {
        let message = format!("the layout needs {active} cards, {cards} are given");
        return Err(CoreError::invalid("design.cards", message));
    }
    let units = standby.units(problem, cluster, choice.cards);
    if let Some(most) = cluster.max_cards.filter(|most| units * cluster.unit_cards > *most) {
        let message = format!("{} is built with at most {most} cards, more are wanted", cluster.system);
        return Err(CoreError::invalid("design.cards", message));
    }
    let mut plant = plant(&at, &problem.terms(), units).map_err(|why| CoreError::invalid("design", why))?;
    plant.goodput = plant.goodput.losing(standby.lost(&plant, layout.replicas()), 0.0);
    let kernels = Kernels::new(&cluster.device, problem.training.precision, at.clock)
        .ok_or_else(|| CoreError::invalid("training.precision", "the chip has no peak at this precision"))?;
    let network = Network::new(cluster, at.fabric, &plant.fabric);
    let bench = Bench {
        model: &problem.model,
        training: &problem.training,
        software: problem.software_of(cluster),
        kernels: &kernels,
        network: &network,
        domain: cluster.domain_devices(),
    };
    let lawful = micro_batches(&problem.training, layout.dp, layout.micro_batch);
    // A batch out of tolerance is rounded to the nearest multiple and the broken rule named.
    let count = lawful.unwrap_or_else(|| {
        let unit = layout.dp * layout.micro_batch;
        ((problem.training.global_batch + unit / 2) / unit).max(1)
    });
    let family = Family::new(&problem.model, layout, pieces(&bench, &layout));
    let times = family.step(&bench, layout.dp, count);
    let memory = family.memory(&bench, layout.dp, count);
    let performance = performance(problem, choice, &plant, &family, &bench, times, count);
    let host = Host::of(cluster);
    let mut broken: Vec<Rule> =
        broken_rule(&problem.model, &problem.training, host, &layout).into_iter().collect();
    if lawful.is_none() {
        broken.push(Rule::Batch);
    }
    broken.extend(broken_rule_at(host, &layout, count).filter(|rule| !broken.contains(rule)));
    if memory.total() > cluster.device.memory {
        broken.push(Rule::Memory);
    }
    let offloaded = family.host_memory(&bench, layout.dp, count);
    if cluster.device.host_memory.is_some_and(|there| offloaded > there) {
        broken.push(Rule::HostMemory);
    }
    let too_slow = performance.tokens_per_second < problem.needed_rate(performance.goodput);
    if problem.target.any() && too_slow {
        broken.push(Rule::Target);
    }
    if standby.is_short(&plant) {
        broken.push(Rule::Spares);
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
        clock: at.clock,
        layout,
        micro_batches: count,
        micro_batch_group: (layout.vpp > 1).then(|| micro_batch_group(layout.pp, count)),
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
        facility: facility_answer(&at, &plant, &problem.site, problem.chain.as_ref(), Some(&times)),
        cost: cost_answer(&plant),
        reliability: reliability_answer(&plant, &standby, layout.replicas()),
        network: network_answer(&network),
    })
}

/// The plant options that `choice` points at.
fn plant_choice<'a>(problem: &'a Problem, choice: &DesignChoice) -> Result<Choice<'a>, CoreError> {
    let out_of_range = |key: &str| CoreError::invalid(format!("design.{key}"), "is out of range");
    let cluster = problem.clusters.get(choice.cluster).ok_or_else(|| out_of_range("cluster"))?;
    let fabric = cluster.fabrics.get(choice.fabric).ok_or_else(|| out_of_range("fabric"))?;
    let cooling = cluster.coolings.get(choice.cooling).ok_or_else(|| out_of_range("cooling"))?;
    // Beyond what the cooling holds, the heat lowers clocks as a cap would.
    let clock = cluster
        .card_power()
        .clock_at_cap(choice.power_cap.min(cooling.heat_cap))
        .ok_or_else(|| CoreError::invalid("design.power_cap", "is below what the card draws when idle"))?;
    Ok(Choice { cluster, fabric, cooling, clock, power_cap: choice.power_cap })
}

/// Refuses layouts that cannot even be timed.
fn check_layout(problem: &Problem, layout: &Layout) -> Result<(), CoreError> {
    for (key, degree) in [
        ("tp", layout.tp),
        ("pp", layout.pp),
        ("vpp", layout.vpp),
        ("cp", layout.cp),
        ("ep", layout.ep),
        ("etp", layout.etp),
        ("dp", layout.dp),
        ("micro_batch", layout.micro_batch),
    ] {
        let most = if key == "dp" { MOST_RANKS } else { MOST_DEGREE };
        if degree == 0 || degree > most {
            let message = format!("must be 1 to {most}, not {degree}");
            return Err(CoreError::invalid(format!("design.layout.{key}"), message));
        }
    }
    if u64::from(problem.model.layers) < layout.pp {
        return Err(CoreError::invalid("design.layout.pp", "has more stages than the model has layers"));
    }
    Ok(())
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

/// Part of a design's answer.
#[must_use]
pub fn fabric_answer(choice: &Choice, plant: &Plant) -> FabricAnswer {
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

/// What the power chain and the coolant carry.
fn chain_load(choice: &Choice, plant: &Plant, site: &Site) -> ChainLoad {
    let liquid = plant.peak_liquid();
    let swing = plant.card_power - choice.cluster.card_idle;
    ChainLoad {
        intake: plant.nameplate_intake.unwrap_or(plant.facility_design_day),
        ups: plant.nameplate.unwrap_or(plant.it) / site.distribution_efficiency,
        liquid,
        air: plant.peak_it - liquid,
        chilled: plant.peak_it * plant.air.chilled_share,
        ramp: swing * plant.cards as f64,
    }
}

/// IT power by part, and what the site adds up to the annual mean at the grid: losses of the chain, then cooling with
/// all else that PUE holds. A PUE that leaves less than the losses holds only losses.
fn power_answer(choice: &Choice, plant: &Plant, site: &Site) -> PowerAnswer {
    let overhead = plant.facility - plant.it;
    let chain = site.transformer_efficiency * site.ups_efficiency * site.distribution_efficiency;
    let losses = (plant.it * (1.0 / chain - 1.0)).min(overhead);
    PowerAnswer { it: told_apart(choice, plant), chain_losses: losses, cooling: overhead - losses }
}

/// IT power with the hosts' fans, interfaces and losses by themselves; the sum stays.
fn told_apart(choice: &Choice, plant: &Plant) -> ItPower {
    let servers = plant.servers as f64;
    let host = plant.power.hosts / servers;
    let parts = host_parts(
        host,
        choice.cluster.fan_power * (1.0 - choice.cooling.fan_saving),
        choice.fabric.nic_power,
        plant.power.cards / servers + host,
        choice.cluster.conversion_loss,
    );
    ItPower {
        hosts: parts.rest * servers,
        fans: parts.fans * servers,
        nics: parts.nics * servers,
        conversion_loss: parts.conversion_loss * servers,
        ..plant.power
    }
}

/// Shares of a step in products, in memory-bound work, and in collectives or waiting in them; they sum to 1.
///
/// A card that waits for others spins in a collective. Redone work is counted as products, which most of it is.
fn time_by_phase(step: &StepTimes) -> [f64; 3] {
    let total = step.total();
    let of = |time: Seconds| time.0 / total.0;
    let compute = of(step.matmul + step.attention + step.recompute);
    let memory = of(step.elementwise + step.optimizer + step.offload);
    [compute, memory, (1.0 - compute - memory).max(0.0)]
}

/// Part of a design's answer.
#[must_use]
pub fn facility_answer(
    choice: &Choice,
    plant: &Plant,
    site: &Site,
    spec: Option<&ChainSpec>,
    step: Option<&StepTimes>,
) -> FacilityAnswer {
    let cluster = choice.cluster;
    let drawn = (plant.cards, plant.card_power, plant.it);
    let phases = cluster.phase_shares.map_or_else(Vec::new, |shares| {
        phases(&cluster.card_power(), &shares, choice.power_cap, drawn, step.map(time_by_phase))
    });
    let mega = |watts: crate::units::Watts| watts.0 / 1e6;
    FacilityAnswer {
        it_megawatts: mega(plant.it),
        peak_it_megawatts: mega(plant.peak_it),
        facility_megawatts: mega(plant.facility),
        facility_design_megawatts: mega(plant.facility_design_day),
        nameplate_megawatts: plant.nameplate.map(mega),
        nameplate_intake_megawatts: plant.nameplate_intake.map(mega),
        transformer_megawatts: mega(plant.transformer),
        ups_megawatts: mega(plant.ups),
        liquid_heat_megawatts: mega(plant.liquid_heat),
        air_heat_megawatts: mega(plant.it - plant.liquid_heat),
        power: power_answer(choice, plant, site),
        phases,
        chain: spec.map(|spec| chain(spec, &chain_load(choice, plant, site))),
        servers_per_rack: plant.servers_per_rack,
        rack_bound: plant.rack_bound,
        white_space_m2: plant.white_space,
        switches_per_rack: plant.switches_per_rack,
        storage_servers: plant.storage_servers,
        storage_per_rack: plant.storage_per_rack,
        storage_height: plant.storage_height,
        racks: RacksAnswer { by_kind: plant.racks, total: plant.racks.total() },
        halls: plant.halls.clone(),
        servers: plant.servers,
        rack_kilowatts: plant.rack_power.0 / 1e3,
        cooling: choice.cooling.kind.clone(),
        pue: plant.air.pue,
        pue_design_day: plant.air.pue_design_day,
        energy_mwh_per_year: plant.energy_mwh_per_year,
        water_m3_per_year: plant.water_m3_per_year,
        carbon_tonnes_per_year: plant.carbon_tonnes_per_year,
        card_watts: plant.card_power.0,
    }
}

/// Part of a design's answer.
#[must_use]
pub fn cost_answer(plant: &Plant) -> CostAnswer {
    CostAnswer {
        capex_usd: plant.capex.total().map(|usd| usd.0),
        energy_usd_per_year: plant.energy_usd_per_year.0,
        tco_usd_per_year: plant.tco_usd_per_year.map(|usd| usd.0),
        missing: plant.capex.missing(),
        parts: plant.capex,
        year: plant.year,
    }
}

/// Part of a design's answer.
#[must_use]
pub fn reliability_answer(plant: &Plant, standby: &Standby, replicas: u64) -> ReliabilityAnswer {
    let time = &plant.goodput;
    ReliabilityAnswer {
        mttf_hours: time.mttf.map(|time| time.0 / 3600.0),
        failures_per_day: time.mttf.map_or(0.0, |time| SECONDS_PER_DAY / time.0),
        checkpoint_interval_seconds: time.interval.map(|time| time.0),
        memory_interval_seconds: time.memory_interval.map(|time| time.0),
        checkpoint_write_seconds: time.write.0,
        checkpoint_bytes: plant.checkpoint.0,
        goodput: time.goodput,
        checkpoint: time.checkpoint,
        rework: time.rework,
        recovery: time.recovery,
        waiting: time.waiting,
        stragglers: time.stragglers,
        causes: plant.causes,
        spares: standby.answer(plant, replicas),
    }
}

/// Part of a design's answer.
#[must_use]
pub fn network_answer(network: &Network) -> Vec<LevelAnswer> {
    let answer = |level: &crate::network::Level| LevelAnswer {
        name: level.name.clone(),
        devices: level.size.is_finite().then_some(level.size),
        bytes_per_second: level.bandwidth.0,
        latency_seconds: level.latency.0,
    };
    network.levels.iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_step_is_dealt_over_the_phases() {
        let step = StepTimes {
            matmul: Seconds(6.0),
            recompute: Seconds(1.0),
            elementwise: Seconds(1.0),
            data_parallel: Seconds(1.5),
            pipeline_bubble: Seconds(0.5),
            ..StepTimes::default()
        };
        assert_eq!(time_by_phase(&step).map(|share| (share * 1e3).round()), [700.0, 100.0, 200.0]);
    }
}
