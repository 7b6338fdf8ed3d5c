//! A reader's position in memory, and the step that it is about to take.

use goldentime_follower::{Advance, Mark, Position, StreamPosition};
use goldentime_log::Entry;
use goldentime_model::UnixNanos;
use goldentime_wire::record::StreamId;
use hashbrown::HashMap;

use crate::ingest::logged::Logged;
use crate::merge::dedupe::{STREAM_AGE_NS_MAX, Seen, StreamTable};
use crate::merge::lateness::LogTime;

/// Log time between two searches for streams to forget.
const FORGET_EVERY_NS: i64 = 60 * 60 * 1_000_000_000;

/// Where a reader stands in its partition, ahead of what its database has committed by one step.
#[derive(Debug)]
pub struct Place {
    partition: u32,
    committed: Option<Mark>,
    mark: Mark,
    log_time: LogTime,
    table: StreamTable,
    /// Streams whose number changed since the last commit.
    changed: HashMap<StreamId, StreamPosition>,
    forgot_at: UnixNanos,
    forget_before: Option<UnixNanos>,
}

/// What one entry of the log is to a reader.
pub enum Taken {
    /// A record that was not there before.
    Fresh(Box<Logged>),
    /// Its number is in the database already.
    Repeat,
    /// The disk changed it.
    Damaged,
}

impl Place {
    /// Goes on from a committed position in the log's present `generation`.
    #[must_use]
    pub fn resume(partition: u32, generation: u32, committed: Option<&Position>) -> Self {
        let log_time = committed.map_or(UnixNanos(0), |position| position.log_time);
        // Offsets of an older generation say nothing about this one; stream numbers do.
        let offset = committed
            .filter(|position| position.mark.generation == generation)
            .map_or(0, |position| position.mark.offset);
        Self {
            partition,
            committed: committed.map(|position| position.mark),
            mark: Mark { generation, offset },
            log_time: LogTime::restore(log_time),
            table: committed
                .map_or_else(StreamTable::default, |position| StreamTable::restore(&position.streams)),
            changed: HashMap::new(),
            forgot_at: log_time,
            forget_before: None,
        }
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> u32 {
        self.partition
    }

    /// Last offset taken.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.mark.offset
    }

    /// Running maximum of log append time.
    #[must_use]
    pub const fn log_time(&self) -> LogTime {
        self.log_time
    }

    /// Whether anything was ever committed of the partition.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.committed.is_some()
    }

    /// Whether anything was taken since the last commit.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.committed.map_or(self.mark.offset > 0, |committed| committed != self.mark)
    }

    /// Goes to another offset: over a hole, or back to the beginning of a log that was made anew.
    pub const fn go_to(&mut self, offset: u64) {
        self.mark.offset = offset;
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: Entry) -> Taken {
        self.mark.offset = entry.offset;
        self.log_time.advance(entry.append_time);
        let Some((logged, stream)) = Logged::read_back(entry) else { return Taken::Damaged };
        let (number, log_time) = (logged.record.number, self.log_time.now());
        match self.table.take(stream, number, log_time) {
            Seen::Repeat => Taken::Repeat,
            // Numbers that never came are counted by the merge, which sees the same log.
            Seen::Fresh { .. } => {
                self.changed.insert(stream, StreamPosition { stream, number, log_time });
                Taken::Fresh(Box::new(logged))
            }
        }
    }

    /// The step from what is committed to here.
    #[must_use]
    pub fn step(&mut self) -> Advance {
        let now = self.log_time.now();
        if now.since(self.forgot_at) >= FORGET_EVERY_NS {
            self.forgot_at = now;
            self.table.expire(now);
            self.forget_before = Some(now.saturating_add(-STREAM_AGE_NS_MAX));
        }
        Advance {
            partition: self.partition,
            from: self.committed,
            to: self.mark,
            log_time: now,
            streams: self.changed.values().copied().collect(),
            forget_before: self.forget_before,
        }
    }

    /// The step was taken.
    pub fn committed(&mut self) {
        self.committed = Some(self.mark);
        self.changed.clear();
        self.forget_before = None;
    }
}
