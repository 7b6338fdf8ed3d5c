//! What may be acknowledged: numbers whose records are in the log.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_model::UnixNanos;
use goldentime_windows::StreamPosition;
use tokio::sync::Notify;

/// A stream's id.
pub type StreamId = [u8; 16];

/// Streams whose last number is remembered, for each partition. The oldest by log time go first; an
/// agent whose stream was forgotten sends again what the merge then drops.
const STREAMS_MAX: usize = 100_000;

/// One connection's acknowledgements that wait to be sent. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AckSink(Arc<Sink>);

#[derive(Debug, Default)]
struct Sink {
    waiting: Mutex<HashMap<(StreamId, u32), u64>>,
    changed: Notify,
}

impl AckSink {
    /// Notes that everything up to and with `number` is in the log.
    pub fn committed(&self, stream: StreamId, partition: u32, number: u64) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = waiting.entry((stream, partition)).or_default();
        *known = number.max(*known);
        drop(waiting);
        self.0.changed.notify_one();
    }

    /// Waits until something may be acknowledged, and takes it.
    pub async fn take(&self) -> Vec<(StreamId, u32, u64)> {
        loop {
            let taken = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken
                    .into_iter()
                    .map(|((stream, partition), number)| (stream, partition, number))
                    .collect();
            }
            self.0.changed.notified().await;
        }
    }
}

/// The last number of each stream that one partition's log holds. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Committed(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    known: HashMap<StreamId, StreamPosition>,
    /// Each stream once, under a log time at which it was noted: its newest, or an older one. Brought
    /// up to date only where that decides who is forgotten, so that a record costs one look into a map.
    by_age: BTreeSet<(UnixNanos, StreamId)>,
}

impl Committed {
    /// Notes a record that is in the log.
    pub fn note(&self, position: StreamPosition) {
        self.lock().note(position, STREAMS_MAX);
    }

    /// The last number of a stream; 0 when there is none.
    #[must_use]
    pub fn last(&self, stream: &StreamId) -> u64 {
        self.lock().known.get(stream).map_or(0, |position| position.number)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn note(&mut self, position: StreamPosition, streams_max: usize) {
        if let Some(known) = self.known.get_mut(&position.stream) {
            if position.number > known.number {
                *known = position;
            }
            return;
        }
        if self.known.len() >= streams_max {
            self.forget_oldest();
        }
        self.known.insert(position.stream, position);
        self.by_age.insert((position.log_time, position.stream));
    }

    /// An entry's time is at most its stream's, so the first one that is up to date is the oldest of
    /// all. Each entry that is moved up was made old by a record since: O(log n) a record.
    fn forget_oldest(&mut self) {
        while let Some((listed, stream)) = self.by_age.pop_first() {
            match self.known.get(&stream) {
                Some(known) if known.log_time > listed => {
                    self.by_age.insert((known.log_time, stream));
                }
                _ => {
                    self.known.remove(&stream);
                    metrics::counter!("goldentime_ingest_streams_forgotten_total").increment(1);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(stream: u8, number: u64, log_time: i64) -> StreamPosition {
        StreamPosition { stream: [stream; 16], number, log_time: UnixNanos(log_time) }
    }

    #[test]
    fn a_full_table_forgets_the_stream_that_was_silent_the_longest() {
        let mut table = Table::default();
        for stream in 1..=3 {
            table.note(position(stream, 1, i64::from(stream)), 3);
        }
        // The first two speak again, so the third is the oldest now.
        table.note(position(1, 2, 10), 3);
        table.note(position(2, 2, 11), 3);
        table.note(position(4, 1, 12), 3);
        let mut known: Vec<u8> = table.known.keys().map(|stream| stream[0]).collect();
        known.sort_unstable();
        assert_eq!((known, table.by_age.len()), (vec![1, 2, 4], 3));
        table.note(position(5, 1, 13), 3);
        assert!(!table.known.contains_key(&[1; 16]) && table.known.contains_key(&[2; 16]));
    }

    #[test]
    fn an_older_number_of_a_stream_changes_nothing() {
        let committed = Committed::default();
        committed.note(position(1, 7, 1));
        committed.note(position(1, 3, 2));
        assert_eq!((committed.last(&[1; 16]), committed.last(&[2; 16])), (7, 0));
    }
}
