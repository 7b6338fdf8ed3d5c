//! Which records were applied already.
//!
//! Records of a stream are numbered 1, 2, 3, … within a partition. A number at or below the last
//! applied is a repeat; a jump is a loss. The table is a function of the log (streams leave it by log
//! time, never by the wall clock), so a replay from a checkpoint with that checkpoint's table drops
//! exactly what was dropped before.

use goldentime_model::UnixNanos;
use goldentime_windows::StreamPosition;
use goldentime_wire::record::StreamId;
use hashbrown::HashMap;

/// A stream that sent nothing for this long is forgotten: agents never send what is older than the
/// spool's maximum age, so no repeat of it can come any more.
pub const STREAM_AGE_NS_MAX: i64 = 24 * 60 * 60 * 1_000_000_000;

/// Most streams that one partition remembers, about 100 bytes each. Beyond it the stream that was
/// silent longest is forgotten, which is counted, for a repeat of it would be counted twice.
pub const STREAMS_MAX: usize = 100_000;

/// What the table says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// New, after `lost` numbers that never came.
    Fresh {
        /// How many numbers before it were never applied.
        lost: u64,
    },
    /// Applied before.
    Repeat,
}

/// Last number applied of each stream.
#[derive(Clone, Debug, Default)]
pub struct StreamTable {
    streams: HashMap<StreamId, StreamPosition>,
}

impl StreamTable {
    /// The table of a checkpoint.
    #[must_use]
    pub fn restore(positions: &[StreamPosition]) -> Self {
        Self { streams: positions.iter().map(|position| (position.stream, *position)).collect() }
    }

    /// Judges a record and, unless it is a repeat, notes it as applied.
    pub fn take(&mut self, stream: StreamId, number: u64, log_time: UnixNanos) -> Seen {
        if let Some(position) = self.streams.get_mut(&stream) {
            if number <= position.number {
                return Seen::Repeat;
            }
            let lost = number - position.number - 1;
            (position.number, position.log_time) = (number, log_time);
            return Seen::Fresh { lost };
        }
        if self.streams.len() >= STREAMS_MAX {
            self.forget_oldest();
        }
        self.streams.insert(stream, StreamPosition { stream, number, log_time });
        Seen::Fresh { lost: number.saturating_sub(1) }
    }

    /// Forgets streams that are too old by log time; says how many.
    pub fn expire(&mut self, log_time: UnixNanos) -> usize {
        let before = self.streams.len();
        self.streams.retain(|_, position| log_time.since(position.log_time) <= STREAM_AGE_NS_MAX);
        before - self.streams.len()
    }

    /// The table for a checkpoint, ordered by stream.
    #[must_use]
    pub fn snapshot(&self) -> Vec<StreamPosition> {
        let mut positions: Vec<_> = self.streams.values().copied().collect();
        positions.sort_unstable_by_key(|position| position.stream);
        positions
    }

    /// Last number applied of a stream.
    #[must_use]
    pub fn applied(&self, stream: &StreamId) -> Option<u64> {
        self.streams.get(stream).map(|position| position.number)
    }

    /// How many streams are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    fn forget_oldest(&mut self) {
        let oldest = self.streams.values().min_by_key(|position| (position.log_time, position.stream));
        if let Some(stream) = oldest.map(|position| position.stream) {
            self.streams.remove(&stream);
            metrics::counter!("goldentime_merge_streams_forgotten_total", "reason" => "table_full")
                .increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StreamId = [1; 16];

    #[test]
    fn a_record_sent_twice_is_applied_once() {
        let mut table = StreamTable::default();
        assert_eq!(table.take(A, 1, UnixNanos(0)), Seen::Fresh { lost: 0 });
        assert_eq!(table.take(A, 2, UnixNanos(1)), Seen::Fresh { lost: 0 });
        assert_eq!(table.take(A, 1, UnixNanos(2)), Seen::Repeat);
        assert_eq!(table.take(A, 2, UnixNanos(3)), Seen::Repeat);
    }

    #[test]
    fn a_jump_in_the_numbers_counts_what_it_jumped_over() {
        let mut table = StreamTable::default();
        table.take(A, 1, UnixNanos(0));
        assert_eq!(table.take(A, 5, UnixNanos(1)), Seen::Fresh { lost: 3 });
        assert_eq!(table.take(A, 6, UnixNanos(2)), Seen::Fresh { lost: 0 });
    }

    #[test]
    fn a_stream_leaves_the_table_by_log_time_and_not_before_its_spool_may_be_gone() {
        let mut table = StreamTable::default();
        table.take(A, 1, UnixNanos(0));
        assert_eq!(table.expire(UnixNanos(STREAM_AGE_NS_MAX)), 0);
        assert_eq!(table.expire(UnixNanos(STREAM_AGE_NS_MAX + 1)), 1);
    }

    #[test]
    fn a_restored_table_drops_the_same_repeats() {
        let mut table = StreamTable::default();
        table.take(A, 7, UnixNanos(0));
        let mut restored = StreamTable::restore(&table.snapshot());
        assert_eq!(restored.take(A, 7, UnixNanos(1)), Seen::Repeat);
        assert_eq!(restored.take(A, 8, UnixNanos(1)), Seen::Fresh { lost: 0 });
    }
}
