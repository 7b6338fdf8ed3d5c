//! Gives each record its place. One task a partition: replays the log to the merge, then takes what
//! agents send.
//!
//! Offsets are given in memory, before the log has the record: the merge, and with it the page, need
//! not wait for the disk; the acknowledgement does. If the process dies in between, the record is sent
//! again: the restarted merge has never seen it, or has it in its checkpoint together with its number.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use goldentime_log::{Entry, IngestLog, LogError};
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_runtime::SharedClock;
use goldentime_windows::{Checkpoint, StreamPosition};
use goldentime_wire::proto;
use tokio::sync::{mpsc, oneshot};

use super::ack::{AckSink, Committed, StreamId};
use super::logged::Logged;
use super::room::Taken;
use super::writer::ToWrite;

/// Records that wait for their place, in each partition.
pub const INCOMING_MAX: usize = 1024;
/// Records that wait for the merge, in each partition.
pub const LOGGED_MAX: usize = 1024;
/// Streams above which those that wait for nothing are forgotten here. What waits is bounded by the
/// queues.
const SEQUENCED_MAX: usize = 8 * 1024;
/// Records that are read back at a time.
const REPLAY_BATCH: u32 = 512;

/// A valid record as it came.
#[derive(Debug)]
pub struct Incoming {
    /// The record, or `None` for one that is not valid and only has to be acknowledged.
    pub record: Option<Received>,
    /// Its stream.
    pub stream: StreamId,
    /// Its number.
    pub number: u64,
    /// Whom to tell when it is in the log.
    pub ack: AckSink,
    /// Memory that it takes until then.
    pub room: Taken,
}

/// A record that goes into the log.
#[derive(Debug)]
pub struct Received {
    /// As it was sent.
    pub bytes: Bytes,
    /// Decoded.
    pub record: proto::Record,
    /// Its service.
    pub service: Option<ServiceId>,
    /// When the uplink read it.
    pub received: UnixNanos,
}

/// One partition's place-giver.
pub struct Sequencer {
    partition: u32,
    next_offset: u64,
    append_time: UnixNanos,
    /// Last number that was given a place, of each stream that sent in this run.
    sequenced: HashMap<StreamId, u64>,
    committed: Committed,
    clock: SharedClock,
    merge: mpsc::Sender<Logged>,
    writer: mpsc::Sender<ToWrite>,
}

impl Sequencer {
    /// A sequencer that goes on behind what log and checkpoint hold.
    pub async fn new(
        log: &Arc<dyn IngestLog>,
        partition: u32,
        checkpoint: Option<&Checkpoint>,
        clock: SharedClock,
        merge: mpsc::Sender<Logged>,
        writer: mpsc::Sender<ToWrite>,
    ) -> Result<Self, LogError> {
        let bounds = log.bounds(partition).await?;
        let reached = checkpoint.map_or(0, |checkpoint| checkpoint.offset);
        if reached > bounds.last {
            // The checkpoint holds what a crash, or whoever removed the log, kept from the disk. It has
            // the numbers of those records too, so they are neither lost nor counted twice; but their
            // offsets must not be given again.
            tracing::warn!(
                partition,
                last = bounds.last,
                reached,
                "the log ends before the checkpoint; going on after it"
            );
            log.advance(partition, reached + 1).await?;
        }
        let committed = Committed::default();
        // A number that only the checkpoint has is asked for again: the merge drops the record as a
        // repeat, but who reads the log later must find it there.
        let logged_before = match reached > bounds.last {
            true => log.read(partition, bounds.last, 1).await?.first().map(|last| last.append_time),
            false => Some(UnixNanos(i64::MAX)),
        };
        let table = checkpoint.map_or(&[][..], |checkpoint| &checkpoint.table);
        for position in table.iter().filter(|position| Some(position.log_time) < logged_before) {
            committed.note(*position);
        }
        Ok(Self {
            partition,
            next_offset: bounds.last.max(reached) + 1,
            append_time: checkpoint.map_or(UnixNanos(0), |checkpoint| checkpoint.log_time),
            sequenced: HashMap::new(),
            committed,
            clock,
            merge,
            writer,
        })
    }

    /// The last numbers in the log, for those who say hello.
    #[must_use]
    pub fn committed(&self) -> Committed {
        self.committed.clone()
    }

    /// Last offset in the log before this run.
    #[must_use]
    pub const fn replay_until(&self) -> u64 {
        self.next_offset - 1
    }

    /// Replays the log from `from` on, says so, and then gives places until the uplink ends.
    pub async fn run(
        mut self,
        log: Arc<dyn IngestLog>,
        from: u64,
        replayed: oneshot::Sender<()>,
        mut incoming: mpsc::Receiver<Incoming>,
    ) {
        if !self.replay(&*log, from).await {
            return;
        }
        // Nobody waits any more when the start was given up.
        let _ = replayed.send(());
        while let Some(next) = incoming.recv().await {
            if !self.place(next).await {
                return;
            }
        }
    }

    /// Hands what the log holds to the merge. Gives whether the merge still listens.
    async fn replay(&mut self, log: &dyn IngestLog, mut from: u64) -> bool {
        let until = self.replay_until();
        while from <= until {
            let entries = match log.read(self.partition, from, REPLAY_BATCH).await {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::error!(partition = self.partition, from, %error, "cannot replay the log; trying again");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    continue;
                }
            };
            let Some(first) = entries.first() else { break };
            if first.offset > from {
                let lost = first.offset - from;
                tracing::error!(
                    partition = self.partition,
                    lost,
                    "the log begins behind the checkpoint: records are lost"
                );
                metrics::counter!(DROPS_TOTAL, "component" => "log", "reason" => "truncated_unread")
                    .increment(lost);
            }
            for entry in entries {
                from = entry.offset + 1;
                if !self.replay_one(entry).await {
                    return false;
                }
            }
        }
        true
    }

    async fn replay_one(&mut self, entry: Entry) -> bool {
        self.append_time = self.append_time.max(entry.append_time);
        let (offset, append_time) = (entry.offset, entry.append_time);
        let Some((logged, stream)) = Logged::read_back(entry) else {
            tracing::error!(partition = self.partition, offset, "a logged record is damaged");
            metrics::counter!(DROPS_TOTAL, "component" => "log", "reason" => "damaged").increment(1);
            return true;
        };
        self.committed.note(StreamPosition { stream, number: logged.record.number, log_time: append_time });
        self.merge.send(logged).await.is_ok()
    }

    /// Gives one record its place. Gives whether the stations behind still listen.
    async fn place(&mut self, incoming: Incoming) -> bool {
        let Incoming { record, stream, number, ack, room } = incoming;
        let last = self.sequenced.get(&stream).copied().unwrap_or_else(|| self.committed.last(&stream));
        let is_new = number > last;
        if is_new {
            if self.sequenced.len() >= SEQUENCED_MAX {
                // Streams whose numbers are all in the log are known there.
                let committed = &self.committed;
                self.sequenced.retain(|stream, number| committed.last(stream) < *number);
            }
            self.sequenced.insert(stream, number);
        } else {
            metrics::counter!("goldentime_ingest_repeats_total").increment(1);
        }
        let mut entry = None;
        if let Some(Received { bytes, record, service, received }) = record.filter(|_| is_new) {
            let offset = self.next_offset;
            self.next_offset += 1;
            self.append_time = self.append_time.max(self.clock.now());
            let append_time = self.append_time;
            let logged = Logged { offset, append_time, received: Some(received), service, record };
            if self.merge.send(logged).await.is_err() {
                return false;
            }
            entry = Some(Entry { partition: self.partition, offset, append_time, record: bytes });
        }
        let position = StreamPosition { stream, number, log_time: self.append_time };
        let to_write = ToWrite {
            entry,
            partition: self.partition,
            position,
            committed: self.committed.clone(),
            ack,
            room,
        };
        self.writer.send(to_write).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goldentime_log::SqliteLog;

    fn entry(offset: u64) -> Entry {
        let append_time = UnixNanos(i64::try_from(offset).expect("small"));
        Entry { partition: 0, offset, append_time, record: Bytes::from_static(b"record") }
    }

    #[tokio::test]
    async fn numbers_that_a_crash_kept_from_the_log_are_asked_for_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let log: Arc<dyn IngestLog> = Arc::new(SqliteLog::open(folder.path(), 1 << 20).await.expect("opens"));
        log.append(&[entry(1), entry(2), entry(3)]).await.expect("appended");
        let position = |stream: u8, number, log_time| StreamPosition {
            stream: [stream; 16],
            number,
            log_time: UnixNanos(log_time),
        };
        let mut checkpoint = Checkpoint {
            partition: 0,
            offset: 3,
            log_time: UnixNanos(5),
            generation: 1,
            table: vec![position(1, 7, 2), position(2, 9, 5)],
            watermark: goldentime_model::Second(0),
            learned: Vec::new(),
        };
        let (merge, _records) = mpsc::channel(1);
        let (writer, _to_write) = mpsc::channel(1);
        let clock = goldentime_runtime::ManualClock::at(UnixNanos(9));
        for (offset, second_stream) in [(3, 9), (5, 0)] {
            checkpoint.offset = offset;
            let sequencer = Sequencer::new(
                &log,
                0,
                Some(&checkpoint),
                Arc::clone(&clock) as SharedClock,
                merge.clone(),
                writer.clone(),
            );
            let committed = sequencer.await.expect("starts").committed();
            assert_eq!((committed.last(&[1; 16]), committed.last(&[2; 16])), (7, second_stream));
        }
        assert_eq!(log.bounds(0).await.expect("bounds").last, 5);
    }
}
