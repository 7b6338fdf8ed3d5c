//! The task that reads services, and who may ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::time::MissedTickBehavior;

use super::config::Config;
use super::services::Services;
use super::status::ServiceStatus;
use crate::aggregate::ShardHandle;

/// Name of the input's shard.
pub const NAME: &str = "services";

/// Asks a running input. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServicesHandle(Arc<Mutex<Services>>);

impl ServicesHandle {
    /// How each entry stands. Waits for a reading that is under way.
    #[must_use]
    pub fn status(&self) -> Vec<ServiceStatus> {
        self.services().status()
    }

    /// A reading leaves nothing half done that the next would not set right.
    fn services(&self) -> MutexGuard<'_, Services> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads every interval into `shard` until told to stop.
pub fn start(
    services: Services,
    config: &Config,
    tasks: &Tasks,
    clock: SharedClock,
    shard: ShardHandle,
) -> ServicesHandle {
    let handle = ServicesHandle(Arc::new(Mutex::new(services)));
    let (reader, stopping, interval) = (handle.clone(), tasks.stopping(), config.interval.get());
    tasks.spawn(TaskKind::Source, NAME, async move {
        let mut tick = tokio::time::interval(interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
            }
            let at = clock.now();
            let (samples, groups_over, processes_over) = {
                let mut services = reader.services();
                let samples = services.read(at);
                let groups_over = std::mem::take(&mut services.groups_over_limit);
                (samples, groups_over, std::mem::take(&mut services.processes_over_limit))
            };
            let mut shard = shard.lock();
            for (service, sample) in samples {
                shard.sample(&service, sample);
            }
            shard.count_drop("service_cgroups_over_limit", groups_over);
            shard.count_drop("service_processes_over_limit", processes_over);
            shard.progress(at);
            shard.hand_over();
        }
    });
    handle
}
