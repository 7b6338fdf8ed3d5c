//! Positions in a file.

use std::path::Path;
use std::time::Duration;

use goldentime_follower::sqlite::{File, FileSettings, POSITION_TABLES, position};
use goldentime_follower::{Advance, Mark, StoreError, StreamPosition};
use goldentime_model::{Second, UnixNanos};

const STEPS: &[&str] = &[POSITION_TABLES];

fn file(path: &Path) -> File {
    File::new(FileSettings {
        path: path.to_owned(),
        steps: STEPS,
        cache_kib: 256,
        readers: 1,
        busy_timeout: Duration::from_millis(50),
    })
}

fn stream(n: u8, number: u64, at: i64) -> StreamPosition {
    StreamPosition { stream: [n; 16], number, log_time: Second(at).start() }
}

fn step(from: Option<u64>, to: u64, streams: Vec<StreamPosition>) -> Advance {
    let mark = |offset| Mark { generation: 1, offset };
    Advance {
        partition: 3,
        from: from.map(mark),
        to: mark(to),
        log_time: Second(7).start(),
        streams,
        forget_before: None,
    }
}

async fn take(file: &File, step: &Advance) -> bool {
    let mut tx = file.write().await.expect("begins");
    let current = position::is_current(&mut tx, step).await.expect("reads");
    if current {
        position::advance(&mut tx, step).await.expect("writes");
        tx.commit().await.expect("commits");
    }
    current
}

#[tokio::test]
async fn a_position_is_read_back_as_it_was_committed() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.db");
    let first = file(&path);
    let streams = vec![stream(1, u64::MAX, 5), stream(2, 9, 6)];
    assert!(take(&first, &step(None, 40, streams)).await);
    first.close().await;
    let again = file(&path);
    let mut read = again.read().await.expect("reads");
    assert_eq!(position::load(&mut read, 0).await.expect("reads"), None);
    let found = position::load(&mut read, 3).await.expect("reads").expect("there");
    assert_eq!((found.mark.offset, found.log_time), (40, Second(7).start()));
    assert_eq!(found.streams, [stream(2, 9, 6), stream(1, u64::MAX, 5)]);
}

#[tokio::test]
async fn a_step_that_was_taken_is_not_taken_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = file(&dir.path().join("a.db"));
    assert!(!take(&file, &step(Some(1), 2, Vec::new())).await, "it was never at 1");
    assert!(take(&file, &step(None, 10, vec![stream(1, 4, 5)])).await);
    assert!(!take(&file, &step(None, 10, vec![stream(1, 4, 5)])).await);
    assert!(take(&file, &step(Some(10), 20, vec![stream(1, 6, 6)])).await);
    let next = Advance { forget_before: Some(UnixNanos(i64::MAX)), ..step(Some(20), 21, Vec::new()) };
    assert!(take(&file, &next).await);
    let mut read = file.read().await.expect("reads");
    assert_eq!(position::load(&mut read, 3).await.expect("reads").expect("there").streams, []);
}

#[tokio::test]
async fn a_file_that_is_none_is_named_as_damaged_and_taken_anew_once_it_is_moved_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.db");
    std::fs::write(&path, vec![b'x'; 8192]).expect("written");
    let file = file(&path);
    let refused = file.write().await.expect_err("no database");
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    assert!(refused.to_string().contains("move it away"), "{refused}");
    std::fs::rename(&path, dir.path().join("damaged.db")).expect("moved");
    assert!(take(&file, &step(None, 1, Vec::new())).await);
}

#[tokio::test]
async fn free_pages_are_given_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = file(&dir.path().join("a.db"));
    let streams = (0..=255).map(|n| stream(n, 1, 1)).collect();
    assert!(take(&file, &step(None, 1, streams)).await);
    let full = file.size().await.expect("a size");
    let next = Advance { forget_before: Some(UnixNanos(i64::MAX)), ..step(Some(1), 2, Vec::new()) };
    assert!(take(&file, &next).await);
    let emptied = file.size().await.expect("a size");
    assert!(emptied.used < full.used && emptied.free > 0, "{full:?} {emptied:?}");
    file.give_back(1000).await.expect("vacuums");
    assert_eq!(file.size().await.expect("a size").free, 0);
}
