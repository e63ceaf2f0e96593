//! A pool made ready: its collectives, its memory, and how many sequences a lane holds.

use crate::error::CoreError;
use crate::plant::fabric_design;
use crate::serving::answer::Setting;
use crate::serving::case::{Pool, ServingSoftware};
use crate::serving::exchange::{Exchange, serving_network};
use crate::serving::layer::Bench;
use crate::serving::memory::{ServingMemory, memory, most_sequences};
use crate::serving::operators::Rates;
use crate::serving::replica::lanes;

/// One pool made ready.
pub(super) struct Ready {
    pub(super) pool: Pool,
    pub(super) exchange: Exchange,
    pub(super) memory: ServingMemory,
    /// Sequences of a lane at most.
    pub(super) limit: f64,
}

impl Ready {
    pub(super) fn new(setting: &Setting, software: &ServingSoftware, pool: Pool) -> Result<Self, CoreError> {
        let Setting { cluster, model, constants, family, question, .. } = *setting;
        let fabric = cluster
            .fabrics
            .get(setting.fabric)
            .ok_or_else(|| CoreError::invalid("fabric", "is out of range"))?;
        // An instance lies on servers next to each other, so its network does not depend on how many there are.
        let servers = u64::from(pool.instance.devices()).div_ceil(cluster.devices_per_server()).max(2);
        let design =
            fabric_design(cluster, fabric, servers).map_err(|why| CoreError::invalid("fabric", why))?;
        let network = serving_network(cluster, fabric, &design, constants);
        let memory = memory(model, &pool.instance, question, software, cluster.device.memory);
        let stages = f64::from(pool.instance.pp);
        let fits = most_sequences(model, question, software, &memory) / stages;
        let limit = pool.batch.map_or(fits, |batch| fits.min((batch / lanes(&pool.instance)).max(1.0)));
        Ok(Self {
            pool,
            exchange: Exchange::new(&network, &pool.instance, constants, software, family),
            memory,
            // A pipeline deeper than the sequences that fit still takes one at a time.
            limit: if fits * stages >= 1.0 { limit.max(1.0) } else { 0.0 },
        })
    }

    pub(super) fn devices(&self) -> u64 {
        u64::from(self.pool.instance.devices()) * u64::from(self.pool.instances)
    }

    pub(super) fn lanes(&self) -> f64 {
        lanes(&self.pool.instance) * f64::from(self.pool.instances)
    }
}

pub(super) fn bench<'a>(
    setting: &Setting<'a>,
    software: &'a ServingSoftware,
    rates: &'a Rates,
    pool: &'a Ready,
) -> Bench<'a> {
    Bench {
        model: setting.model,
        question: setting.question,
        instance: &pool.pool.instance,
        rates,
        exchange: &pool.exchange,
        constants: setting.constants,
        software,
    }
}
