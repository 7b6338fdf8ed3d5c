//! A partition's entries as they come.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use rdkafka::Message;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
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
    has_keys: bool,
    /// Taken from the queue and not given yet.
    pending: Option<Arrived>,
}

/// What the queue has.
enum Arrived {
    Entry(Entry, Bytes),
    /// Nothing follows what came before, though the log may go on with places that hold no record.
    End,
}

/// What came.
#[derive(Debug)]
pub struct Batch {
    /// Entries. None says that the end of the log was reached, which need not be the last entry's place:
    /// transactions end in places without a record.
    pub entries: Vec<Entry>,
    /// The entries' keys, empty ones for those without, where the group's owner asked for them.
    pub keys: Vec<Bytes>,
    /// Offsets before them that the log dropped before they were read: at most as many records are lost.
    pub lost: u64,
}

impl Feed {
    pub(super) fn new(
        queue: StreamPartitionQueue<GroupContext>,
        partition: u32,
        tenure: Tenure,
        first: First,
        has_keys: bool,
    ) -> Self {
        Self { queue, partition, tenure, first, next: 1, has_keys, pending: None }
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> u32 {
        self.partition
    }

    /// What comes next; `None` once the partition is no longer ours. Dropping the call loses nothing.
    pub async fn next(&mut self) -> Option<Batch> {
        if self.pending.is_none() {
            self.pending = Some(self.first_arrived().await?);
        }
        let lost = match self.pending.as_ref()? {
            Arrived::Entry(entry, _) => self.lost_before(entry.offset).await?,
            Arrived::End => 0,
        };
        // From here on nothing is waited for.
        let mut batch = Batch { entries: Vec::new(), keys: Vec::new(), lost };
        let mut bytes = match self.pending.take()? {
            Arrived::Entry(entry, key) => self.put(&mut batch, entry, key),
            Arrived::End => return Some(batch),
        };
        while batch.entries.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            let Some(arrived) = self.queue.recv().now_or_never() else { break };
            match self.arrived(arrived) {
                // What the hole is, is seen with the next batch.
                Ok(Some(Arrived::Entry(entry, key))) if entry.offset > self.next => {
                    self.pending = Some(Arrived::Entry(entry, key));
                    break;
                }
                Ok(Some(Arrived::Entry(entry, key))) => bytes += self.put(&mut batch, entry, key),
                Ok(Some(Arrived::End)) => {
                    self.pending = Some(Arrived::End);
                    break;
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
        Some(batch)
    }

    fn put(&mut self, batch: &mut Batch, entry: Entry, key: Bytes) -> usize {
        self.next = entry.offset + 1;
        let bytes = entry.record.len() + key.len();
        batch.entries.push(entry);
        if self.has_keys {
            batch.keys.push(key);
        }
        bytes
    }

    /// What the queue gave, unless it is of an assignment before this one.
    fn arrived(
        &self,
        received: Result<BorrowedMessage<'_>, KafkaError>,
    ) -> Result<Option<Arrived>, KafkaError> {
        let message = match received {
            Ok(message) => message,
            Err(KafkaError::PartitionEOF(_)) => return Ok(Some(Arrived::End)),
            Err(error) => return Err(error),
        };
        let key = match message.key() {
            Some(key) if self.has_keys => Bytes::copy_from_slice(key),
            _ => Bytes::new(),
        };
        let entry = entry(&message).filter(|entry| entry.offset >= self.next);
        Ok(entry.map(|entry| Arrived::Entry(entry, key)))
    }

    async fn first_arrived(&self) -> Option<Arrived> {
        loop {
            if self.tenure.is_leaving() {
                return None;
            }
            let received = tokio::select! {
                received = timeout(LOOK_EVERY, self.queue.recv()) => received,
                () = self.tenure.left() => return None,
            };
            let Ok(received) = received else { continue };
            match self.arrived(received) {
                Ok(Some(arrived)) => return Some(arrived),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "cannot read the log; going on");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
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
