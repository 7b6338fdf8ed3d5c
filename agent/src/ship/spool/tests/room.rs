//! Quota, age and full disks.

use super::*;
use crate::ship::spool::commit::cost_bytes;

#[tokio::test]
async fn over_the_quota_log_lines_make_room_before_older_deltas() {
    let folder = tempfile::tempdir().expect("folder");
    let ledger = Ledger::default();
    let small = Limits { bytes_max: 3 * cost_bytes(1000), ..limits() };
    let spool = Spool::open(folder.path(), small, ledger.clone(), NOW).await.expect("opens").spool;
    for kind in [RecordKind::Deltas, RecordKind::Logs, RecordKind::Deltas, RecordKind::Deltas] {
        spool.commit(&flush(vec![record(kind, 0, &[0; 1000])], 1)).await.expect("commits");
    }
    assert_eq!(ledger.by_reason(), BTreeMap::from([("spool_full", 1)]));
    let kinds: Vec<_> = all_waiting(&spool).await.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordKind::Deltas; 3]);
    assert_eq!(spool.usage().bytes, 3 * cost_bytes(1000));
}

#[tokio::test]
async fn what_was_acknowledged_makes_room_without_a_loss() {
    let folder = tempfile::tempdir().expect("folder");
    let ledger = Ledger::default();
    let small = Limits { bytes_max: 2 * cost_bytes(1000), ..limits() };
    let spool = Spool::open(folder.path(), small, ledger.clone(), NOW).await.expect("opens").spool;
    for position in 1..20 {
        let sent = spool
            .commit(&flush(vec![record(RecordKind::Deltas, 0, &[0; 1000])], position))
            .await
            .expect("commits");
        spool.acknowledge(sent[0].stream, 0, sent[0].number);
    }
    assert!(ledger.by_reason().is_empty());
}

#[tokio::test]
async fn records_older_than_the_maximum_age_are_dropped_and_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let ledger = Ledger::default();
    let spool = Spool::open(folder.path(), limits(), ledger.clone(), NOW).await.expect("opens").spool;
    spool.commit(&flush(vec![record(RecordKind::Deltas, 0, b"old")], 1)).await.expect("commits");
    let day = 86_400 * 1_000_000_000;
    let later = Flush {
        flushed_at: NOW.saturating_add(day),
        ..flush(vec![record(RecordKind::Deltas, 0, b"new")], 2)
    };
    spool.commit(&later).await.expect("commits");
    spool.upkeep(NOW.saturating_add(day + 1)).await.expect("kept up");
    let left = all_waiting(&spool).await;
    assert_eq!(left.iter().map(|record| record.number).collect::<Vec<_>>(), [2]);
    assert_eq!(ledger.by_reason(), BTreeMap::from([("spool_too_old", 1)]));
}

#[tokio::test]
async fn a_full_disk_refuses_the_whole_flush_and_takes_it_once_there_is_room() {
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(folder.path()).await;
    let spool = &opened.spool;
    spool.commit(&flush(vec![record(RecordKind::Deltas, 0, b"before")], 1)).await.expect("commits");
    spool.set_pages_max(1).await.expect("bounded at its present size");

    let big = flush(vec![record(RecordKind::Deltas, 0, &[7; 100_000])], 2);
    for _ in 0..3 {
        let error = spool.commit(&big).await.expect_err("no room");
        assert!(error.is_full(), "{error}");
    }
    assert_eq!(all_waiting(spool).await.len(), 1);

    spool.set_pages_max(10_000).await.expect("room again");
    let sent = spool.commit(&big).await.expect("commits");
    assert_eq!(sent[0].number, 2);
    drop(opened);
    let reopened = open(folder.path()).await;
    assert_eq!(position(&reopened), Some(2));
    assert_eq!(all_waiting(&reopened.spool).await.len(), 2);
}
