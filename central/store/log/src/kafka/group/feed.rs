//! A partition's entries as they come.

use std::time::Duration;

use futures_util::FutureExt;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use tokio::time::timeout;

use super::rebalance::GroupContext;
use super::tenure::Tenure;
use crate::kafka::entry;
use crate::store::{BoxFuture, Entry};

/// Entries in one batch.
const BATCH_MAX: usize = 512;
/// Bytes after which a batch ends.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// The queue is looked at again this often, should its word of something new be missed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Asks where the partition begins now.
pub(super) type First = Box<dyn Fn() -> BoxFuture<'static, Option<u64>> + Send + Sync>;

/// A partition, read in its order. Nothing is read ahead but what librdkafka's bounded queue holds: who
/// does not ask is not sent more.
pub struct Feed {
    queue: StreamPartitionQueue<GroupContext>,
    partition: u32,
    tenure: Tenure,
    first: First,
    pub(super) next: u64,
    /// Taken from the queue and not given yet.
    pending: Option<Entry>,
}

/// What came.
#[derive(Debug)]
pub struct Batch {
    /// Entries, at least one.
    pub entries: Vec<Entry>,
    /// Offsets before them that the log dropped before they were read: at most as many records are lost.
    pub lost: u64,
}

impl Feed {
    pub(super) fn new(
        queue: StreamPartitionQueue<GroupContext>,
        partition: u32,
        tenure: Tenure,
        first: First,
    ) -> Self {
        Self { queue, partition, tenure, first, next: 1, pending: None }
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> u32 {
        self.partition
    }

    /// What comes next; `None` once the partition is no longer ours. Dropping the call loses nothing.
    pub async fn next(&mut self) -> Option<Batch> {
        if self.pending.is_none() {
            self.pending = Some(self.first_entry().await?);
        }
        let found = self.pending.as_ref()?.offset;
        let lost = self.lost_before(found).await?;
        // From here on nothing is waited for.
        let first = self.pending.take()?;
        self.next = first.offset + 1;
        let mut bytes = first.record.len();
        let mut entries = vec![first];
        while entries.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            let Some(Ok(message)) = self.queue.recv().now_or_never() else { break };
            let Some(entry) = entry(&message).filter(|entry| entry.offset >= self.next) else { continue };
            if entry.offset > self.next {
                // What the hole is, is seen with the next batch.
                self.pending = Some(entry);
                break;
            }
            self.next = entry.offset + 1;
            bytes += entry.record.len();
            entries.push(entry);
        }
        Some(Batch { entries, lost })
    }

    async fn first_entry(&self) -> Option<Entry> {
        loop {
            if self.tenure.is_leaving() {
                return None;
            }
            let received = tokio::select! {
                received = timeout(LOOK_EVERY, self.queue.recv()) => received,
                () = self.tenure.left() => return None,
            };
            match received {
                Ok(Ok(message)) => match entry(&message) {
                    Some(entry) if entry.offset >= self.next => return Some(entry),
                    // Of an assignment before this one.
                    _ => {}
                },
                Ok(Err(error)) => {
                    tracing::warn!(partition = self.partition, %error, "cannot read the log; going on");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(_) => {}
            }
        }
    }

    /// How many offsets before `found` the log had dropped. The rest of a hole never held a record: it
    /// is where transactions end.
    async fn lost_before(&self, found: u64) -> Option<u64> {
        if found == self.next {
            return Some(0);
        }
        loop {
            if self.tenure.is_leaving() {
                return None;
            }
            if let Some(first) = (self.first)().await {
                let lost = first.clamp(self.next, found) - self.next;
                if lost > 0 {
                    tracing::error!(
                        partition = self.partition,
                        lost,
                        "the log dropped records before they were read: raise the topic's retention, or see \
                         why the central was away so long"
                    );
                }
                return Some(lost);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
