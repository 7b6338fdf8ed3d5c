//! A partition's entries as they come.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use rdkafka::Message;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
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
    beside: Beside,
    /// Taken from the queue and not given yet.
    pending: Option<Arrived>,
}

/// Headers of a record, in their order.
pub type Headers = Vec<(String, Bytes)>;

/// What is wanted of a record beside the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    Keys,
    Headers,
}

/// What stands around a record, as far as it is wanted.
#[derive(Debug, Default)]
struct Around {
    key: Bytes,
    headers: Headers,
}

/// What the queue has.
enum Arrived {
    Entry(Entry, Around),
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
    /// The entries' headers, where the group's owner asked for them.
    pub headers: Vec<Headers>,
    /// Offsets before them that the log dropped before they were read: at most as many records are lost.
    pub lost: u64,
}

impl Feed {
    pub(super) fn new(
        queue: StreamPartitionQueue<GroupContext>,
        partition: u32,
        tenure: Tenure,
        first: First,
        beside: Beside,
    ) -> Self {
        Self { queue, partition, tenure, first, next: 1, beside, pending: None }
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
        let mut batch = Batch { entries: Vec::new(), keys: Vec::new(), headers: Vec::new(), lost };
        let mut bytes = match self.pending.take()? {
            Arrived::Entry(entry, around) => self.put(&mut batch, entry, around),
            Arrived::End => return Some(batch),
        };
        while batch.entries.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            let Some(arrived) = self.queue.recv().now_or_never() else { break };
            match self.arrived(arrived) {
                // What the hole is, is seen with the next batch.
                Ok(Some(Arrived::Entry(entry, around))) if entry.offset > self.next => {
                    self.pending = Some(Arrived::Entry(entry, around));
                    break;
                }
                Ok(Some(Arrived::Entry(entry, around))) => bytes += self.put(&mut batch, entry, around),
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

    fn put(&mut self, batch: &mut Batch, entry: Entry, Around { key, headers }: Around) -> usize {
        self.next = entry.offset + 1;
        let of_headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let bytes = entry.record.len() + key.len() + of_headers;
        batch.entries.push(entry);
        match self.beside {
            Beside::Nothing => {}
            Beside::Keys => batch.keys.push(key),
            Beside::Headers => batch.headers.push(headers),
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
        let Some(entry) = entry(&message).filter(|entry| entry.offset >= self.next) else { return Ok(None) };
        let mut around = Around::default();
        match self.beside {
            Beside::Nothing => {}
            Beside::Keys => around.key = Bytes::copy_from_slice(message.key().unwrap_or_default()),
            Beside::Headers => around.headers = headers(&message),
        }
        Ok(Some(Arrived::Entry(entry, around)))
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

fn headers(message: &BorrowedMessage<'_>) -> Headers {
    let all = message.headers().into_iter().flat_map(|headers| headers.iter());
    all.map(|header| (header.key.to_owned(), Bytes::copy_from_slice(header.value.unwrap_or_default())))
        .collect()
}
