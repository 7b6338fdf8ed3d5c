//! What may be acknowledged: numbers whose records are in the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
pub struct Committed(Arc<Mutex<HashMap<StreamId, StreamPosition>>>);

impl Committed {
    /// Notes a record that is in the log.
    pub fn note(&self, position: StreamPosition) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= STREAMS_MAX && !table.contains_key(&position.stream) {
            let oldest = table.values().min_by_key(|known| known.log_time).map(|known| known.stream);
            oldest.and_then(|stream| table.remove(&stream));
            metrics::counter!("goldentime_ingest_streams_forgotten_total").increment(1);
        }
        let known = table.entry(position.stream).or_insert(position);
        if position.number > known.number {
            *known = position;
        }
    }

    /// The last number of a stream; 0 when there is none.
    #[must_use]
    pub fn last(&self, stream: &StreamId) -> u64 {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(stream).map_or(0, |position| position.number)
    }
}
