//! What every log must do that is told its offsets. Each function takes a way to open the same log again.

use goldentime_model::UnixNanos;

use super::entry;
use crate::store::{Bounds, IngestLog, LogError};

/// Partitions come in any mixture.
///
/// # Panics
/// When the log breaks its contract.
pub async fn partitions_come_in_any_mixture<L: IngestLog>(open: impl AsyncFn() -> L) {
    let log = open().await;
    let mixed = vec![entry(0, 1), entry(1, 1), entry(0, 2), entry(1, 2), entry(0, 3)];
    log.append(&mixed).await.expect("append");
    assert_eq!(log.read(0, 2, 10).await.expect("read"), [entry(0, 2), entry(0, 3)]);
    assert_eq!(log.read(1, 1, 10).await.expect("read"), [entry(1, 1), entry(1, 2)]);
}

/// An offset that does not follow is refused, and nothing of its append is written.
///
/// # Panics
/// When the log breaks its contract.
pub async fn a_gap_is_refused_whole<L: IngestLog>(open: impl AsyncFn() -> L) {
    let log = open().await;
    log.append(&[entry(0, 1)]).await.expect("append");
    let refused = log.append(&[entry(1, 1), entry(0, 3)]).await;
    assert!(matches!(refused, Err(LogError::Order { partition: 0, offset: 3, last: 1 })), "{refused:?}");
    let again = log.append(&[entry(0, 1)]).await;
    assert!(matches!(again, Err(LogError::Order { .. })), "{again:?}");
    assert_eq!(log.bounds(1).await.expect("bounds"), Bounds { first: 1, last: 0 });
}

/// Truncation drops from the front, is not held back by a partition that fell silent, and gives no
/// offset again.
///
/// # Panics
/// When the log breaks its contract.
pub async fn truncation_is_not_held_back_by_a_silent_partition<L: IngestLog>(open: impl AsyncFn() -> L) {
    let log = open().await;
    log.append(&[entry(1, 1)]).await.expect("append");
    for offset in 1..=400 {
        log.append(&[entry(0, offset)]).await.expect("append");
    }
    let dropped = log.truncate(UnixNanos(i64::MAX), 0).await.expect("truncate");
    let busy = log.bounds(0).await.expect("bounds");
    assert!(dropped.records > 0 && busy.first > 1, "{dropped:?} {busy:?}");
    assert_eq!(busy.last, 400);
    assert_eq!(log.bounds(1).await.expect("bounds"), Bounds { first: 2, last: 1 });
    drop(log);
    let log = open().await;
    assert_eq!(log.bounds(0).await.expect("bounds"), busy);
    assert_eq!(log.bounds(1).await.expect("bounds"), Bounds { first: 2, last: 1 });
    let left = log.read(0, busy.first, 1).await.expect("read");
    assert_eq!(left.first(), Some(&entry(0, busy.first)));
    let again = log.append(&[entry(1, 1)]).await;
    assert!(matches!(again, Err(LogError::Order { last: 1, .. })), "{again:?}");
    log.append(&[entry(0, 401), entry(1, 2)]).await.expect("goes on");
}

/// A partition is moved on over a hole, never back, and stays there over a reopening.
///
/// # Panics
/// When the log breaks its contract.
pub async fn a_partition_is_moved_on_over_a_hole<L: IngestLog>(open: impl AsyncFn() -> L) {
    let log = open().await;
    log.append(&[entry(0, 1)]).await.expect("append");
    log.advance(0, 11).await.expect("advance");
    log.advance(0, 5).await.expect("nothing to do");
    drop(log);
    let log = open().await;
    assert_eq!(log.bounds(0).await.expect("bounds"), Bounds { first: 1, last: 10 });
    log.append(&[entry(0, 11)]).await.expect("goes on");
    assert_eq!(log.read(0, 2, 10).await.expect("read"), [entry(0, 11)]);
}
