//! Share of calendar time that a plant trains: what fails, how often, and which spares stand by.

use super::stored;
use super::terms::{Recovery, Save, SparePolicy, Terms};
use crate::fabric::FabricDesign;
use crate::hardware::Cluster;
use crate::reliability::causes::{Causes, Exposed, Shares, straggler_loss};
use crate::reliability::keeping::Keeping;
use crate::reliability::spares::SpareRule;
use crate::reliability::{Checkpointing, Goodput, MemoryCopies, goodput};
use crate::units::{Bytes, BytesPerSecond, Seconds, duration, scaled};

/// Failures of the whole job per day. Spares count: they are powered and fail like the others.
fn causes(cluster: &Cluster, recovery: &Recovery, wired: &FabricDesign, servers: u64) -> Causes {
    let Some(model) = recovery.failures else {
        let shares = Shares { card: 1.0, host: 0.0, nic: 0.0, software: 0.0 };
        return Causes::of(&Exposed {
            servers: servers as f64,
            per_server_day: cluster.failures_per_server_day,
            shares,
            links: 0.0,
            per_link_day: 0.0,
            switches: 0.0,
            per_switch_day: 0.0,
        });
    };
    let domains = (servers * cluster.cards_per_server).div_ceil(cluster.domain_cards);
    Causes::of(&Exposed {
        servers: servers as f64,
        per_server_day: cluster.failures_per_server_day,
        shares: model.shares,
        links: wired.cables() as f64,
        per_link_day: model.per_link_day,
        switches: wired.switches() as f64 + domains as f64 * cluster.domain_switches,
        per_switch_day: model.per_switch_day,
    })
}

/// What fails on a plant, and the time that trains in spite of it: neither cap nor cooling touches it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upkeep {
    /// Failures of the whole job per day, by cause.
    pub causes: Causes,
    /// Share of calendar time that trains.
    pub time: Goodput,
}

/// That of `servers` servers on a fabric.
///
/// # Errors
/// In words: a checkpoint takes longer to write than the job lives.
pub fn upkeep(
    cluster: &Cluster,
    terms: &Terms,
    wired: &FabricDesign,
    servers: u64,
) -> Result<Upkeep, String> {
    let checkpoint = terms.checkpoint();
    let causes = causes(cluster, &terms.recovery, wired, servers);
    let recovery = stored(terms, checkpoint, servers, servers * cluster.cards_per_server)
        .filter(|(_, count)| *count > 0)
        .map_or(terms.recovery, |(each, count)| each.carried(&terms.recovery, count, servers));
    let time = goodput_of(&recovery, &causes, checkpoint, servers)?;
    Ok(Upkeep { causes, time })
}

/// What a job on this hardware keeps, for up to `most` servers at work.
#[must_use]
pub fn keeping(cluster: &Cluster, recovery: &Recovery, most: u64) -> Keeping {
    let required = recovery.failures.is_some_and(|model| model.spares == SparePolicy::Required);
    Keeping::new(spare_rule(cluster, recovery), required, most)
}

/// What decides about spares on this hardware; none where somebody else replaces what fails.
#[must_use]
pub fn spare_rule(cluster: &Cluster, recovery: &Recovery) -> Option<SpareRule> {
    let model = recovery.failures.filter(|model| model.spares != SparePolicy::Ignored)?;
    let domain_days = model.domain_repair_seconds / crate::units::SECONDS_PER_DAY;
    Some(SpareRule {
        repairs_per_server_day: cluster.failures_per_server_day * model.shares.hardware(),
        repair: Seconds(model.repair_seconds),
        domain_servers: (cluster.domain_cards / cluster.cards_per_server).max(1),
        domain_down: -libm::expm1(-cluster.domain_switches * model.per_switch_day * domain_days),
        least_confidence: model.spare_confidence,
    })
}

/// Share of calendar time that trains while nothing waits for a spare: those are of the layout
/// ([`crate::reliability::keeping`]).
///
/// # Errors
/// In words: a checkpoint takes longer to write than the job lives, so it never gets anywhere.
fn goodput_of(recovery: &Recovery, causes: &Causes, size: Bytes, servers: u64) -> Result<Goodput, String> {
    let mttf = Seconds(crate::units::SECONDS_PER_DAY / causes.total());
    let bandwidth = BytesPerSecond(recovery.checkpoint_bytes_per_second);
    let write = size / bandwidth;
    if write > mttf {
        return Err(format!(
            "checkpoints: one of {} takes {} to write at {} (reliability.checkpoint_bandwidth), but something fails \
             every {}, so none is ever finished; {} would write ten between two failures, a target may ask for \
             more",
            scaled(size.0, "B"),
            duration(write.0),
            scaled(bandwidth.0, "B/s"),
            duration(mttf.0),
            scaled(10.0 * size.0 / mttf.0, "B/s"),
        ));
    }
    let load = recovery.load_bytes_per_second.map_or(Seconds::ZERO, |rate| size / BytesPerSecond(rate));
    let memory = recovery.memory.map(|copies| MemoryCopies {
        stall: Seconds(copies.stall_seconds),
        recovery: Seconds(copies.recovery_seconds),
        covers: copies.covers,
    });
    let plan = Checkpointing {
        size,
        bandwidth,
        stall: (recovery.save == Save::Asynchronous).then_some(Seconds(recovery.checkpoint_stall_seconds)),
        recovery: Seconds(recovery.recovery_seconds) + load,
        interval: recovery.interval_seconds.map(Seconds),
        memory,
    };
    let time = goodput(mttf, &plan);
    let Some(model) = recovery.failures else { return Ok(time) };
    let stragglers = straggler_loss(
        servers as f64,
        model.straggler_per_server_day,
        Seconds(model.straggler_seconds).days(),
        model.straggler_slowdown,
    );
    Ok(time.losing(0.0, stragglers))
}
