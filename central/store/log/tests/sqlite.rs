//! The conformance suites of the ingest log, over the embedded backend.

use bytes::Bytes;
use goldentime_log::conformance::{entry, placing, reading};
use goldentime_log::{Bounds, Entry, IngestLog, LogError, ReadLog, SqliteLog};
use goldentime_model::UnixNanos;
use goldentime_testkit::disk::SmallDisk;

/// Small enough that the suite meets several segments.
const SEGMENT_BYTES: u64 = 1024;

/// A log below a folder.
struct Place(tempfile::TempDir);

impl reading::Place for Place {
    type Log = SqliteLog;

    async fn open(&self) -> SqliteLog {
        SqliteLog::open(self.0.path(), SEGMENT_BYTES).await.expect("opens")
    }

    async fn append(&self, log: &SqliteLog, partition: u32, records: &[Bytes]) -> Vec<Entry> {
        let next = log.bounds(partition).await.expect("bounds").last + 1;
        let entries: Vec<Entry> = (next..)
            .zip(records)
            .map(|(offset, record)| Entry { record: record.clone(), ..entry(partition, offset) })
            .collect();
        // In pieces: a segment is closed between two appends.
        for piece in entries.chunks(20) {
            log.append(piece).await.expect("append");
        }
        entries
    }

    async fn truncate(&self, log: &SqliteLog, _partition: u32) {
        log.truncate(UnixNanos(i64::MAX), 0).await.expect("truncate");
    }
}

macro_rules! reads {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            reading::$name(&Place(tempfile::tempdir().expect("temporary folder"))).await;
        }
    )*};
}

reads!(
    what_was_appended_is_read_back,
    reading_goes_back_and_forth,
    what_comes_after_the_end_is_found,
    a_truncated_front_is_seen,
    large_records_come_in_several_reads,
);

macro_rules! conforms {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().expect("temporary folder");
            placing::$name(async || {
                SqliteLog::open(folder.path(), SEGMENT_BYTES).await.expect("opens")
            })
            .await;
        }
    )*};
}

conforms!(
    partitions_come_in_any_mixture,
    a_gap_is_refused_whole,
    truncation_is_not_held_back_by_a_silent_partition,
    a_partition_is_moved_on_over_a_hole,
);

#[tokio::test]
async fn a_log_as_a_kill_leaves_it_is_found_again_whole() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let log = SqliteLog::open(folder.path(), SEGMENT_BYTES).await.expect("opens");
    log.append(&[entry(0, 1), entry(0, 2), entry(2, 1)]).await.expect("append");
    // The files as they are at this instant, with nothing closed or checkpointed.
    let killed = tempfile::tempdir().expect("temporary folder");
    for file in std::fs::read_dir(folder.path()).expect("listed").flatten() {
        std::fs::copy(file.path(), killed.path().join(file.file_name())).expect("copied");
    }
    let found = SqliteLog::open(killed.path(), SEGMENT_BYTES).await.expect("opens");
    assert_eq!(found.read(0, 1, 10).await.expect("read"), [entry(0, 1), entry(0, 2)]);
    assert_eq!(found.read(2, 1, 10).await.expect("read"), [entry(2, 1)]);
    found.append(&[entry(0, 3)]).await.expect("goes on");
}

#[tokio::test]
async fn a_full_disk_takes_nothing_half_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let Some(disk) = SmallDisk::mount(folder.path(), 4).expect("mounts") else { return };
    let log = SqliteLog::open(folder.path(), 1 << 20).await.expect("opens");
    let large = |offset| Entry { record: vec![7; 100 * 1024].into(), ..entry(0, offset) };
    let mut offset = 1;
    let refused = loop {
        match log.append(&[large(offset), large(offset + 1)]).await {
            Ok(()) => offset += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LogError::Full { .. } | LogError::Unavailable { .. }), "{refused}");
    assert_eq!(log.bounds(0).await.expect("bounds").last, offset - 1);
    disk.resize(64).expect("grows");
    log.append(&[large(offset), large(offset + 1)]).await.expect("there is room again");
    drop(log);
    let log = SqliteLog::open(folder.path(), 1 << 20).await.expect("opens");
    assert_eq!(log.bounds(0).await.expect("bounds"), Bounds { first: 1, last: offset + 1 });
}
