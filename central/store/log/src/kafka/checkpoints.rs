//! Checkpoints on a compacted topic.
//!
//! Each is written whole under (partition, slot). Slots are a ring of half minutes of log time that
//! reaches back further than any window: what a start may have to go back to is still there, and
//! compaction drops what is older. A checkpoint's partition of the topic is that of the log, so a start
//! reads one partition from its beginning to its end. Which checkpoint is the newest is told by what is
//! in it, not by where it stands: somebody who slept may write an old one late.

mod encode;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use bytes::Bytes;
use goldentime_kafka::{KafkaFailure, Outgoing, ProducerHandle, Receipt, Topic};
use goldentime_model::UnixNanos;
use goldentime_windows::{Checkpoint, CheckpointStore, StoreError};
use tokio::sync::Mutex;

use super::config::KafkaLogConfig;
use super::group::GroupHandle;
use super::reader::KafkaLog;
use crate::store::{BoxFuture, ReadLog};

const BACKEND: &str = "kafka";
/// Log time of a slot.
const SLOT_NS: i64 = 30 * 1_000_000_000;
/// Slots of the ring: 20 minutes, those that are begun at its ends, and one for a clean stop.
const SLOTS: i64 = 43;
/// Records that are read at a time.
const READ_MAX: u32 = 64;

/// Checkpoints of all partitions. Once one is saved, its offset is the group's committed one.
pub struct KafkaCheckpoints {
    producer: ProducerHandle,
    group: Option<GroupHandle>,
    reader: KafkaLog,
    topic: Arc<str>,
    /// What was read of each partition. Each is read by itself: a start reads many.
    rings: StdMutex<HashMap<u32, Arc<Mutex<Ring>>>>,
}

/// A partition's checkpoints by slot.
#[derive(Default)]
struct Ring {
    /// Offset of the topic up to which they are known.
    read: u64,
    slots: HashMap<u32, Checkpoint>,
    /// It was said that some cannot be read.
    is_told: bool,
}

impl KafkaCheckpoints {
    /// Checkpoints that `producer` writes and `reader`, opened on their topic, reads, of what `group` shares.
    #[must_use]
    pub fn new(
        config: &KafkaLogConfig,
        producer: ProducerHandle,
        reader: KafkaLog,
        group: Option<GroupHandle>,
    ) -> Self {
        let topic = Topic::Checkpoints.name(config);
        Self { producer, group, reader, topic, rings: StdMutex::default() }
    }

    fn ring(&self, partition: u32) -> Arc<Mutex<Ring>> {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rings.entry(partition).or_default())
    }

    /// Whether one that is in order behind this was saved: in its slot, this one would push it out.
    async fn is_old(&self, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let ring = self.ring(checkpoint.partition);
        let mut ring = ring.lock().await;
        self.refresh(checkpoint.partition, &mut ring).await?;
        Ok(ring.slots.values().any(|saved| order(saved) > order(checkpoint)))
    }

    async fn write(&self, checkpoint: Checkpoint) -> Result<(), KafkaFailure> {
        let slot = slot_of(checkpoint.log_time);
        let record = Outgoing {
            topic: Arc::clone(&self.topic),
            partition: checkpoint.partition,
            key: key(checkpoint.partition, slot),
            headers: Vec::new(),
            payload: encode::encode(&checkpoint),
        };
        let receipt: Receipt = self.producer.send(record).await?;
        receipt.await.map(drop)
    }

    /// Reads what was written since the last time.
    async fn refresh(&self, partition: u32, ring: &mut Ring) -> Result<(), StoreError> {
        loop {
            let read = self.reader.read(partition, ring.read + 1, READ_MAX).await;
            let entries = read.map_err(|error| unavailable("read checkpoints", error))?;
            let Some(last) = entries.last() else { return Ok(()) };
            let reached = last.offset;
            for entry in entries {
                let place = format!("{}/{partition}@{}", self.topic, entry.offset - 1);
                match encode::decode(partition, &entry.record, &place) {
                    Ok(checkpoint) => ring.keep(checkpoint),
                    Err(error) => ring.pass_over(partition, &error),
                }
            }
            ring.read = reached;
        }
    }
}

impl Ring {
    /// One that a newer version wrote, or that is damaged, keeps nobody from going on from an older one.
    fn pass_over(&mut self, partition: u32, error: &StoreError) {
        let why = if matches!(error, StoreError::Newer { .. }) { "newer" } else { "damaged" };
        metrics::counter!("goldentime_checkpoints_unread_total", "why" => why).increment(1);
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(
                partition,
                %error,
                "passing over checkpoints that this version cannot read; the merge goes on from an older one, or from \
                 where the log begins"
            );
        }
    }

    fn keep(&mut self, checkpoint: Checkpoint) {
        let slot = slot_of(checkpoint.log_time);
        let is_newer = |kept: &Checkpoint| order(kept) <= order(&checkpoint);
        if self.slots.get(&slot).is_none_or(is_newer) {
            self.slots.insert(slot, checkpoint);
        }
    }

    fn newest(&self, until: UnixNanos) -> Option<&Checkpoint> {
        let newest = self.slots.values().max_by_key(|checkpoint| order(checkpoint))?;
        // Of an older generation of topics, offsets mean something else.
        let usable = self.slots.values().filter(|checkpoint| checkpoint.generation == newest.generation);
        usable.filter(|checkpoint| checkpoint.log_time <= until).max_by_key(|checkpoint| order(checkpoint))
    }
}

impl CheckpointStore for KafkaCheckpoints {
    fn name(&self) -> &'static str {
        BACKEND
    }

    fn save(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if self.is_old(&checkpoint).await? {
                return Ok(());
            }
            let (partition, offset) = (checkpoint.partition, checkpoint.offset);
            let saved = self.write(checkpoint).await;
            saved.map_err(|failure| unavailable("save a checkpoint", failure))?;
            if let Some(group) = &self.group
                && let Err(failure) = group.commit(&[(partition, offset)]).await
            {
                // Nobody goes on from it: it is how others see where this group stands.
                tracing::debug!(partition, offset, error = %failure, "an offset was not committed");
            }
            Ok(())
        })
    }

    fn load(
        &self,
        partition: u32,
        until: UnixNanos,
    ) -> BoxFuture<'_, Result<Option<Checkpoint>, StoreError>> {
        Box::pin(async move {
            let ring = self.ring(partition);
            let mut ring = ring.lock().await;
            self.refresh(partition, &mut ring).await?;
            Ok(ring.newest(until).cloned())
        })
    }
}

/// Generation before offset.
fn order(checkpoint: &Checkpoint) -> (u32, u64) {
    (checkpoint.generation, checkpoint.offset)
}

fn slot_of(log_time: UnixNanos) -> u32 {
    u32::try_from(log_time.0.div_euclid(SLOT_NS).rem_euclid(SLOTS)).unwrap_or(0)
}

fn key(partition: u32, slot: u32) -> Bytes {
    let mut key = Vec::with_capacity(8);
    key.extend(partition.to_be_bytes());
    key.extend(slot.to_be_bytes());
    key.into()
}

fn unavailable(action: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, action, source: Box::new(error) }
}
