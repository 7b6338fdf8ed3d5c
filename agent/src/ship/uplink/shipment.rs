//! What there is to send, whichever way it goes, and what is noted of it.

use std::collections::HashMap;

use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;
use tokio::sync::watch;

use super::state::UplinkState;
use crate::aggregate::Aggregator;
use crate::ship::flush::Author;
use crate::ship::live::LiveQueue;
use crate::ship::outgoing::StreamId;
use crate::ship::spool::{Spool, SpoolError, StreamPending};

/// More than this unsent of the current streams becomes backlog when sending begins anew, so that what
/// is live goes first. Less is sent in front of it, within some milliseconds.
pub(super) const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Name under which the spool remembers the number of partitions.
pub const PARTITIONS: &str = "partitions";

/// Highest numbers that are known to be taken, by (stream, partition).
pub(super) type Applied = HashMap<(StreamId, u32), u64>;

/// What there is to send, and where it is noted that it was taken. Cheap to clone.
#[derive(Clone)]
pub struct Shipment {
    /// Where what is not acknowledged waits.
    pub spool: Spool,
    /// Deltas, progress and samples just committed.
    pub live: LiveQueue,
    /// Log lines just committed.
    pub logs: LiveQueue,
    /// Gets the number of partitions.
    pub author: watch::Sender<Author>,
    /// Has the clock's offset.
    pub aggregator: Aggregator,
    /// This machine's clock.
    pub clock: SharedClock,
    /// What `status` shows.
    pub state: UplinkState,
}

impl Shipment {
    pub(super) fn corrected_now(&self) -> UnixNanos {
        self.clock.now().saturating_add(self.aggregator.clock_offset())
    }

    /// Begins to send anew: what is committed from here on comes through the queues, and what was
    /// committed before is among the numbers given; what is in both has to be sent once.
    pub(super) async fn open(&self) -> Result<Vec<StreamPending>, SpoolError> {
        self.live.open();
        self.logs.open();
        let streams = self.spool.streams().await?;
        if streams.iter().filter(|stream| stream.is_current).any(has_much) {
            self.spool.rotate().await?;
            return self.spool.streams().await;
        }
        Ok(streams)
    }

    /// Nobody sends for now: what is committed meanwhile is in the spool only.
    pub(super) fn close(&self) {
        self.live.close();
        self.logs.close();
    }

    /// Takes in into how many partitions data is cut. Gives how many they were in an earlier session
    /// where that was another number: whoever asks has to open new streams then, for numbers count
    /// within the partitions of old.
    pub(super) async fn take_partitions(&self, now: u32) -> Result<Option<u32>, SpoolError> {
        let before = self.author.borrow().partitions;
        if now == before || now == 0 {
            return Ok(None);
        }
        self.spool.remember(PARTITIONS, &now.to_string()).await?;
        self.author.send_modify(|author| author.partitions = now);
        Ok((before != 0).then_some(before))
    }

    /// Everything up to and with `number` is taken for good: `records` more than was known before.
    pub(super) fn note_acknowledged(&self, stream: StreamId, partition: u32, number: u64, records: u64) {
        self.spool.acknowledge(stream, partition, number);
        let now = self.corrected_now();
        self.state.update(|status| {
            status.acknowledged += records;
            status.last_acknowledged_at = Some(now);
        });
    }
}

fn has_much(stream: &StreamPending) -> bool {
    stream.partitions.values().map(|pending| pending.bytes).sum::<u64>() > INLINE_BYTES_MAX
}
