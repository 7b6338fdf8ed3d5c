//! The spool against what disks and kills do to it.

mod crash;
mod life;
mod room;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use goldentime_model::UnixNanos;

use super::{Durability, Flush, Limits, NewRecord, Opened, Spool};
use crate::aggregate::{PositionKey, PositionUpdate};
use crate::ship::ledger::Ledger;
use crate::ship::outgoing::{Outgoing, RecordKind, StreamId};

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

fn limits() -> Limits {
    Limits { bytes_max: 1 << 30, age_max: Duration::from_secs(86_400), durability: Durability::Process }
}

async fn open(folder: &Path) -> Opened {
    Spool::open(folder, limits(), Ledger::default(), NOW).await.expect("opens")
}

fn record(kind: RecordKind, partition: u32, body: &[u8]) -> NewRecord {
    NewRecord { kind, partition, events: 1, body: body.to_vec().into() }
}

fn key(source: &str) -> PositionKey {
    PositionKey { input: "nginx".into(), source: source.into() }
}

fn flush(records: Vec<NewRecord>, position: u64) -> Flush {
    let update = PositionUpdate::Set(position.to_le_bytes().to_vec());
    Flush { flushed_at: NOW, records, positions: vec![(key("access.log"), update)] }
}

fn position(opened: &Opened) -> Option<u64> {
    let value = opened.positions.of_input("nginx").remove("access.log")?;
    Some(u64::from_le_bytes(value.try_into().expect("eight bytes")))
}

/// Numbers that wait, by (stream, partition).
async fn waiting(spool: &Spool) -> BTreeMap<(StreamId, u32), Vec<u64>> {
    let mut numbers: BTreeMap<(StreamId, u32), Vec<u64>> = BTreeMap::new();
    for record in all_waiting(spool).await {
        numbers.entry((record.stream, record.partition)).or_default().push(record.number);
    }
    numbers
}

async fn all_waiting(spool: &Spool) -> Vec<Outgoing> {
    let mut records = Vec::new();
    for stream in spool.streams().await.expect("listed") {
        for partition in stream.partitions.keys() {
            records.extend(spool.read_after(stream.stream, *partition, 0, usize::MAX).await.expect("read"));
        }
    }
    records
}
