//! The streams under which this run flushes, and the next number of each partition.

use std::collections::{BTreeMap, HashMap};

use crate::ship::outgoing::{RecordKind, StreamId};

use super::SpoolError;

/// One stream for each kind of record.
#[derive(Clone, Debug)]
pub(super) struct CurrentStreams {
    ids: [StreamId; RecordKind::ALL.len()],
    /// Keys of the streams in the database, once their rows are written.
    keys: [Option<i64>; RecordKind::ALL.len()],
    last_numbers: HashMap<(RecordKind, u32), u64>,
}

impl CurrentStreams {
    /// Streams that nobody has used.
    pub(super) fn open() -> Result<Self, SpoolError> {
        let mut ids = [StreamId([0; StreamId::BYTES]); RecordKind::ALL.len()];
        for id in &mut ids {
            *id = StreamId::random().map_err(SpoolError::Random)?;
        }
        Ok(Self { ids, keys: [None; RecordKind::ALL.len()], last_numbers: HashMap::new() })
    }

    pub(super) const fn id(&self, kind: RecordKind) -> StreamId {
        self.ids[kind as usize]
    }

    pub(super) const fn key(&self, kind: RecordKind) -> Option<i64> {
        self.keys[kind as usize]
    }

    pub(super) const fn set_key(&mut self, kind: RecordKind, key: i64) {
        self.keys[kind as usize] = Some(key);
    }

    /// The number that the next record of (kind, partition) gets. It counts as used from here on:
    /// work on a clone until the transaction is committed.
    pub(super) fn take_number(&mut self, kind: RecordKind, partition: u32) -> u64 {
        let last = self.last_numbers.entry((kind, partition)).or_default();
        *last += 1;
        *last
    }

    /// Partitions that the stream of `kind` has fed, each with its next new number.
    pub(super) fn next_numbers(&self, kind: RecordKind) -> BTreeMap<u32, u64> {
        self.last_numbers
            .iter()
            .filter(|((of, _), _)| *of == kind)
            .map(|((_, partition), last)| (*partition, last + 1))
            .collect()
    }
}
