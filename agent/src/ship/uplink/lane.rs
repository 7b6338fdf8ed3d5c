//! A lane: sends the records of some kinds of the current streams, in order and without gaps.
//!
//! Live records come past the disk through a [`LiveQueue`]. It may pass some over when the way is
//! slow; the lane sees it by the numbers, or is told where nothing follows, and reads what is missing from the
//! spool.

use super::carrier::{Carried, Carrier};
use super::outstanding::Outstanding;
use super::shipment::{Applied, Shipment};
use crate::ship::live::LiveQueue;
use crate::ship::outgoing::{Outgoing, RecordKind, StreamId};
use crate::ship::spool::StreamPending;

/// Bytes read from the spool at a time.
const READ_BYTES: usize = 256 << 10;

/// One lane of one session.
pub(super) struct Lane<'a, C> {
    pub(super) carrier: C,
    pub(super) shipment: &'a Shipment,
    pub(super) queue: &'a LiveQueue,
    pub(super) outstanding: &'a Outstanding,
    /// Highest number sent or known to be taken.
    pub(super) cursors: Applied,
}

impl<C: Carrier> Lane<'_, C> {
    /// Sends what waits of `streams`, then what comes, until nothing comes any more.
    pub(super) async fn run(mut self, streams: &[&StreamPending]) -> Result<(), C::Failure> {
        for stream in streams {
            for (partition, pending) in &stream.partitions {
                self.catch_up(stream.stream, *partition, pending.next).await?;
            }
        }
        self.shipment.spool.finish_reading().await;
        while let Some(taken) = self.queue.take().await {
            for record in taken.records {
                self.send_in_order(record).await?;
            }
            for ((stream, partition), number) in taken.passed_over {
                self.catch_up(stream, partition, number + 1).await?;
            }
        }
        Ok(())
    }

    async fn send_in_order(&mut self, record: Outgoing) -> Result<(), C::Failure> {
        let identity = (record.stream, record.partition);
        let sent = self.cursors.get(&identity).copied().unwrap_or_default();
        if record.number <= sent {
            return Ok(());
        }
        if record.number > sent + 1 {
            let bytes = self.catch_up(record.stream, record.partition, record.number).await?;
            self.carrier.fell_behind(bytes)?;
        }
        self.send(record).await
    }

    /// Sends from the spool what lies between the cursor and the number `before`, and gives its bytes.
    async fn catch_up(&mut self, stream: StreamId, partition: u32, before: u64) -> Result<usize, C::Failure> {
        let mut bytes = 0;
        loop {
            let sent = self.cursors.get(&(stream, partition)).copied().unwrap_or_default();
            if sent + 1 >= before {
                return Ok(bytes);
            }
            let mut records = self.shipment.spool.read_after(stream, partition, sent, READ_BYTES).await?;
            records.retain(|record| record.number < before);
            if records.is_empty() {
                // Made room for something else, and counted as lost there.
                return Ok(bytes);
            }
            for record in records {
                bytes += record.body.len();
                self.send(record).await?;
            }
            self.carrier.fell_behind(bytes)?;
        }
    }

    async fn send(&mut self, record: Outgoing) -> Result<(), C::Failure> {
        let (stream, partition, number) = (record.stream, record.partition, record.number);
        if self.carrier.carry(record).await? == Carried::Sent {
            self.outstanding.note_sent(stream, partition, number);
            self.shipment.state.update(|status| status.sent += 1);
        }
        self.cursors.insert((stream, partition), number);
        Ok(())
    }
}

/// The current streams by lane: what is judged, and log lines.
pub(super) fn current_streams(streams: &[StreamPending]) -> (Vec<&StreamPending>, Vec<&StreamPending>) {
    let current = streams.iter().filter(|stream| stream.is_current);
    current.partition(|stream| stream.kind != RecordKind::Logs)
}
