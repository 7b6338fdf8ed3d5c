//! The host as the agent reads it.

use std::collections::BTreeMap;

use goldentime_model::{Sample, ServiceId, UnixNanos};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::time::{Instant, MissedTickBehavior};

use super::config::Config;
use super::cpu::Cpu;
use super::disk::Disk;
use super::filesystem::FileSystems;
use super::network::Network;
use super::pressure::Pressure;
use super::proc::Proc;
use super::reading::Reading;
use super::status::{HostHandle, unavailable};
use super::{descriptors, memory};
use crate::aggregate::ShardHandle;

/// All collectors.
#[derive(Debug)]
pub struct Host {
    config: Config,
    proc: Proc,
    cpu: Cpu,
    pressure: Pressure,
    disk: Disk,
    network: Network,
    file_systems: FileSystems,
    before: Option<Instant>,
    over_limit: u64,
}

impl Host {
    /// Nothing read yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            proc: Proc::new(&config.proc_root),
            config,
            cpu: Cpu::default(),
            pressure: Pressure::default(),
            disk: Disk::default(),
            network: Network::default(),
            file_systems: FileSystems::default(),
            before: None,
            over_limit: 0,
        }
    }

    /// One reading. What is a rate or a share of time is missing from the first.
    pub fn read(&mut self, at: UnixNanos) -> Vec<Sample> {
        let now = Instant::now();
        let elapsed = self.before.replace(now).map(|before| now.duration_since(before).as_secs_f64());
        let mut reading = Reading::new(at, elapsed.filter(|elapsed| *elapsed > 0.0));
        let max = self.config.devices_max;
        self.cpu.read(&mut self.proc, &mut reading);
        memory::read(&mut self.proc, &mut reading);
        self.pressure.read(&mut self.proc, &mut reading);
        self.over_limit += self.disk.read(&mut self.proc, &mut reading, max);
        self.over_limit += self.network.read(&mut self.proc, &mut reading, max);
        descriptors::read(&mut self.proc, &mut reading);
        self.over_limit += self.file_systems.read(&mut self.proc, &self.config.root, &mut reading, max);
        reading.samples
    }

    /// What the last reading could not read here, with the reason.
    #[must_use]
    pub fn unavailable(&self) -> BTreeMap<String, String> {
        let mut unavailable = unavailable(&self.proc);
        unavailable.extend(self.file_systems.failures());
        unavailable
    }

    /// Reads every interval into `shard`, under the host's own service, until told to stop.
    pub fn start(
        mut self,
        tasks: &Tasks,
        clock: SharedClock,
        shard: ShardHandle,
        service: ServiceId,
    ) -> HostHandle {
        let stopping = tasks.stopping();
        let handle = HostHandle::default();
        let told = handle.clone();
        let interval_ms = u64::try_from(self.config.interval.get().as_millis()).unwrap_or(u64::MAX);
        tasks.spawn(TaskKind::Source, "host", async move {
            let mut tick = tokio::time::interval(self.config.interval.get());
            tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = tick.tick() => {}
                }
                let at = clock.now();
                let samples = self.read(at);
                told.update(|status| {
                    status.interval_ms = interval_ms;
                    status.readings += 1;
                    status.samples = samples.len() as u64;
                    status.last_at = Some(at);
                    status.unavailable = self.unavailable();
                });
                let mut shard = shard.lock();
                for sample in samples {
                    shard.sample(&service, sample);
                }
                shard.count_drop("host_devices_over_limit", std::mem::take(&mut self.over_limit));
                shard.progress(at);
                shard.hand_over();
            }
        });
        handle
    }
}
