//! The partitions of the raw topic that a group gives to this central.

use std::sync::{Arc, Mutex};

use goldentime_kafka::KafkaFailure;
use goldentime_log::kafka::{Group, GroupEvent, GroupHandle, KafkaLogConfig, Topic};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::sync::mpsc;

use super::config::RawConfig;
use super::fold::{self, Fold, InputError};
use super::owner::{BATCH_BYTES_MAX, With, own};
use crate::ingest::owners::{self, Names};

/// What a batch takes beside its records: what it comes to, before and after it is encoded.
const BATCH_COPIES: u64 = 4;

/// Why the raw topic is not read.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// An input cannot be used.
    #[error("cluster.raw: {0}")]
    Input(#[from] InputError),
    /// Kafka cannot be used.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
}

/// The raw topic, opened and not read yet.
pub struct RawTopic {
    config: KafkaLogConfig,
    raw: RawConfig,
    handle: GroupHandle,
    events: mpsc::Receiver<GroupEvent>,
}

/// Memory that reading the raw topic may take, in bytes.
#[must_use]
pub fn memory_bound_bytes(config: &KafkaLogConfig, raw: &RawConfig) -> u64 {
    let each = config.ahead_bytes_max.get().saturating_add(BATCH_COPIES * BATCH_BYTES_MAX as u64);
    fold::memory_bound_bytes(raw).saturating_add(each.saturating_mul(u64::from(config.partitions)))
}

impl RawTopic {
    /// Opens it, and gives the member that will share its partitions.
    ///
    /// # Errors
    /// For a configuration of Kafka that cannot be used.
    pub fn open(config: &KafkaLogConfig, raw: &RawConfig, member: &str) -> Result<(Self, Group), RawError> {
        // Apart from the group that merges: a slow sender of either kind must not hold up the other.
        let config = KafkaLogConfig { group: format!("{}-raw", config.group), ..config.clone() };
        let (group, handle, events) = Group::transactional(&config, Topic::Raw, member)?;
        Ok((Self { config, raw: raw.clone(), handle, events }, group))
    }

    /// Owns partitions as the group says, until its member ends.
    ///
    /// # Errors
    /// For an input that cannot be used.
    pub fn start(self, tasks: &Tasks, clock: &SharedClock) -> Result<(), RawError> {
        let Self { config, raw, handle, events } = self;
        let with = With {
            config,
            commit_interval: raw.commit_interval.get(),
            sender_delay: raw.sender_delay.get(),
            fold: Mutex::new(Fold::new(&raw, Arc::clone(clock))?),
            group: handle,
            clock: Arc::clone(clock),
        };
        let with = Arc::new(with);
        let names = Names { topic: "raw", owner: "raw-partition", bring_home: "raw-bring-home" };
        let owners =
            owners::run(events, tasks.clone(), names, move |assigned| own(Arc::clone(&with), assigned));
        tasks.spawn(TaskKind::Station, "raw", owners);
        Ok(())
    }
}
