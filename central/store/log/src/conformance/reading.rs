//! What every log must be to its readers.

use bytes::Bytes;

use crate::store::{Bounds, Entry, ReadLog};

/// Where a backend keeps a log, and how the suite fills it.
pub trait Place {
    /// The backend.
    type Log: ReadLog;

    /// Opens the log; opening it again finds what was there.
    fn open(&self) -> impl Future<Output = Self::Log>;

    /// Appends records to a partition, and gives them as they were taken.
    fn append(&self, log: &Self::Log, partition: u32, records: &[Bytes]) -> impl Future<Output = Vec<Entry>>;

    /// Drops some of a partition's records from the front, but not the last one.
    fn truncate(&self, log: &Self::Log, partition: u32) -> impl Future<Output = ()>;
}

fn records(numbers: std::ops::RangeInclusive<u64>) -> Vec<Bytes> {
    numbers.map(|number| Bytes::from(format!("record {number}"))).collect()
}

/// Everything from an offset on, as a reader gets it.
async fn all(log: &impl ReadLog, partition: u32, from: u64, max: u32) -> Vec<Entry> {
    let (mut entries, mut next) = (Vec::new(), from);
    loop {
        let read = log.read(partition, next, max).await.expect("read");
        let Some(last) = read.last() else { return entries };
        assert!(read.len() <= max as usize, "{} of at most {max}", read.len());
        next = last.offset + 1;
        entries.extend(read);
    }
}

/// What was appended is read back in order, over a reopening, from any offset on, each partition by
/// itself.
///
/// # Panics
/// When the log breaks its contract.
pub async fn what_was_appended_is_read_back<P: Place>(place: &P) {
    let log = place.open().await;
    assert_eq!(log.bounds(0).await.expect("bounds"), Bounds { first: 1, last: 0 });
    assert_eq!(log.read(0, 1, 10).await.expect("read"), []);
    let first = place.append(&log, 0, &records(1..=3)).await;
    let other = place.append(&log, 1, &records(7..=8)).await;
    drop(log);
    let log = place.open().await;
    assert_eq!(log.bounds(0).await.expect("bounds"), Bounds { first: 1, last: 3 });
    assert_eq!(log.bounds(1).await.expect("bounds"), Bounds { first: 1, last: 2 });
    assert_eq!(all(&log, 0, 1, 10).await, first);
    assert_eq!(all(&log, 1, 1, 10).await, other);
    assert_eq!(all(&log, 0, 2, 1).await, first[1..]);
    assert_eq!(log.read(0, 4, 2).await.expect("read"), []);
    let offsets: Vec<u64> = first.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, [1, 2, 3]);
    assert!(first.is_sorted_by_key(|entry| entry.append_time));
}

/// A reader may go back and forth, and always finds the same.
///
/// # Panics
/// When the log breaks its contract.
pub async fn reading_goes_back_and_forth<P: Place>(place: &P) {
    let log = place.open().await;
    let appended = place.append(&log, 0, &records(1..=20)).await;
    for from in [15, 1, 8, 8, 20, 3] {
        let read = all(&log, 0, from, 7).await;
        assert_eq!(read, appended[usize::try_from(from - 1).expect("small")..], "from {from}");
    }
}

/// Who has read to the end finds what comes after.
///
/// # Panics
/// When the log breaks its contract.
pub async fn what_comes_after_the_end_is_found<P: Place>(place: &P) {
    let log = place.open().await;
    for round in 0..5 {
        let appended = place.append(&log, 0, &records(3 * round + 1..=3 * round + 3)).await;
        assert_eq!(log.bounds(0).await.expect("bounds").last, 3 * round + 3);
        assert_eq!(all(&log, 0, 3 * round + 1, 10).await, appended);
        assert_eq!(log.read(0, 3 * round + 4, 10).await.expect("read"), []);
    }
}

/// What was dropped from the front is seen as such: the first offset says how much is lost, a read of
/// what is gone goes on with what is left, and no offset is given again.
///
/// # Panics
/// When the log breaks its contract.
pub async fn a_truncated_front_is_seen<P: Place>(place: &P) {
    let log = place.open().await;
    let appended = place.append(&log, 0, &records(1..=400)).await;
    place.truncate(&log, 0).await;
    for log in [log, place.open().await] {
        let bounds = log.bounds(0).await.expect("bounds");
        assert!(bounds.first > 1 && bounds.last == 400, "{bounds:?}");
        let left = &appended[usize::try_from(bounds.first - 1).expect("small")..];
        assert_eq!(all(&log, 0, 1, 100).await, left);
    }
    let log = place.open().await;
    let next = place.append(&log, 0, &records(401..=401)).await;
    assert_eq!(next.first().map(|entry| entry.offset), Some(401));
}

/// Records that are large come in several reads; none of those is empty.
///
/// # Panics
/// When the log breaks its contract.
pub async fn large_records_come_in_several_reads<P: Place>(place: &P) {
    let log = place.open().await;
    let large: Vec<Bytes> = (0..24_u8).map(|n| vec![n; 600 * 1024].into()).collect();
    let appended = place.append(&log, 0, &large).await;
    let first = log.read(0, 1, 1000).await.expect("read");
    assert!(!first.is_empty() && first.len() < large.len(), "{} at once", first.len());
    assert!(all(&log, 0, 1, 1000).await == appended, "not all of it, or not the same");
}
