//! A lane: sends the records of some kinds of the current streams, in order and without gaps.
//!
//! Live records come past the disk through a [`LiveQueue`]. It may pass some over when the link is
//! slow; the lane sees it by the numbers and reads what is missing from the spool.

use std::collections::HashMap;

use goldentime_transport::client::RecordSender;

use super::outstanding::Outstanding;
use super::session::SessionFailure;
use super::state::UplinkState;
use crate::ship::live::LiveQueue;
use crate::ship::outgoing::{Outgoing, StreamId};
use crate::ship::spool::{Spool, StreamPending};

/// Bytes read from the spool at a time.
const READ_BYTES: usize = 256 << 10;

/// Highest numbers that the central has, by (stream, partition).
pub(super) type Applied = HashMap<(StreamId, u32), u64>;

/// One lane of one session.
pub(super) struct Lane<'a> {
    pub(super) sender: RecordSender,
    pub(super) spool: &'a Spool,
    pub(super) queue: &'a LiveQueue,
    pub(super) outstanding: &'a Outstanding,
    pub(super) state: &'a UplinkState,
    /// Highest number sent or known to the central.
    pub(super) cursors: Applied,
}

impl Lane<'_> {
    /// Sends what waits of `streams`, then what comes, until nothing comes any more.
    pub(super) async fn run(mut self, streams: &[&StreamPending]) -> Result<(), SessionFailure> {
        for stream in streams {
            for (partition, pending) in &stream.partitions {
                self.catch_up(stream.stream, *partition, pending.next).await?;
            }
        }
        self.spool.finish_reading().await;
        while let Some(records) = self.queue.take().await {
            for record in records {
                self.send_in_order(record).await?;
            }
        }
        Ok(())
    }

    async fn send_in_order(&mut self, record: Outgoing) -> Result<(), SessionFailure> {
        let identity = (record.stream, record.partition);
        let sent = self.cursors.get(&identity).copied().unwrap_or_default();
        if record.number <= sent {
            return Ok(());
        }
        if record.number > sent + 1 {
            self.catch_up(record.stream, record.partition, record.number).await?;
        }
        self.send(record).await
    }

    /// Sends from the spool what lies between the cursor and the number `before`.
    async fn catch_up(
        &mut self,
        stream: StreamId,
        partition: u32,
        before: u64,
    ) -> Result<(), SessionFailure> {
        loop {
            let sent = self.cursors.get(&(stream, partition)).copied().unwrap_or_default();
            if sent + 1 >= before {
                return Ok(());
            }
            let mut records = self.spool.read_after(stream, partition, sent, READ_BYTES).await?;
            records.retain(|record| record.number < before);
            if records.is_empty() {
                // Made room for something else, and counted as lost there.
                return Ok(());
            }
            for record in records {
                self.send(record).await?;
            }
        }
    }

    async fn send(&mut self, record: Outgoing) -> Result<(), SessionFailure> {
        self.outstanding.note_sent(record.stream, record.partition, record.number);
        self.sender.send(record.encode().into()).await?;
        self.cursors.insert((record.stream, record.partition), record.number);
        self.state.update(|status| status.sent += 1);
        Ok(())
    }
}
