//! The embedded backend: the conformance suite, and what only files can suffer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use goldentime_follower::{BoxFuture, Committed, StoreError};
use goldentime_model::UnixNanos;
use goldentime_search::conformance::{self, Place, all, line, step};
use goldentime_search::{LogStore, NewLine, PageRequest, Query, SqliteLogs};
use goldentime_testkit::disk::SmallDisk;

/// Large enough that a test stays in one segment.
const ROOMY: u64 = 1 << 30;
const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

struct Folder {
    dir: tempfile::TempDir,
    segment_bytes: u64,
}

impl Folder {
    fn new(segment_bytes: u64) -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), segment_bytes }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    fn store(&self) -> Arc<SqliteLogs> {
        Arc::new(SqliteLogs::with_limits(self.path(), self.segment_bytes, A_YEAR))
    }
}

impl Place for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogStore>> {
        Box::pin(async { self.store() as Arc<dyn LogStore> })
    }
}

#[tokio::test]
async fn one_segment_does_as_the_contract_says() {
    conformance::run(|| Folder::new(ROOMY)).await;
}

#[tokio::test]
async fn many_segments_do_as_the_contract_says() {
    // Every commit that finds lines begins a segment.
    conformance::run(|| Folder::new(0)).await;
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok);
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == "db"))
        .collect();
    files.sort();
    files
}

async fn put(store: &SqliteLogs, from: u64, lines: &[NewLine]) {
    let taken = store.commit(lines, &step(from, from + 1)).await.expect("stored");
    assert!(matches!(taken, Committed::Done { .. }), "{taken:?}");
}

/// Stores `count` lines, one to a step, and closes.
async fn fill(folder: &Folder, count: u64) {
    let store = folder.store();
    for n in 0..count {
        put(&store, n, &[line(i64::try_from(n).expect("small"), &format!("line {n} ends"))]).await;
    }
    store.close().await;
}

async fn count(store: &SqliteLogs) -> usize {
    all(store, &Query::default(), 1000).await.len()
}

#[tokio::test]
async fn what_was_lost_with_a_damaged_newest_segment_is_stored_again_from_the_log() {
    let folder = Folder::new(0);
    fill(&folder, 4).await;
    let newest = segments(&folder.path()).pop().expect("segments");
    std::fs::write(&newest, vec![b'x'; 50_000]).expect("written");
    let store = folder.store();
    let position = store.position(0).await.expect("opens").expect("there");
    assert_eq!(position.mark.offset, 3, "the segment before knows where it ends");
    put(&store, 3, &[line(3, "line 3 ends")]).await;
    assert_eq!(count(&store).await, 4);
    assert_eq!(store.stats().await.expect("known").set_aside, 1);
}

#[tokio::test]
async fn a_damaged_older_segment_costs_its_own_lines_only() {
    let folder = Folder::new(0);
    fill(&folder, 4).await;
    std::fs::write(&segments(&folder.path())[1], b"not a database at all, and quite short").expect("written");
    let store = folder.store();
    put(&store, 4, &[line(4, "line 4 ends")]).await;
    assert_eq!(count(&store).await, 4);
}

#[tokio::test]
async fn damage_under_an_open_store_is_told_and_leaves_the_other_lines() {
    let folder = Folder::new(0);
    fill(&folder, 3).await;
    let store = folder.store();
    assert_eq!(store.position(0).await.expect("opens").expect("there").mark.offset, 3);
    std::fs::write(&segments(&folder.path())[0], vec![b'x'; 50_000]).expect("written");
    let page =
        store.search(Query::default(), PageRequest { before: None, limit: 10 }).await.expect("an answer");
    assert_eq!((page.lines.len(), page.damaged), (2, 1));
}

#[tokio::test]
async fn a_locked_file_is_an_error_and_then_goes_on() {
    let folder = Folder::new(ROOMY);
    fill(&folder, 2).await;
    let file = segments(&folder.path()).remove(0);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut other = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.expect("locked");
    let store = folder.store();
    let refused = store.commit(&[line(2, "line 2 ends")], &step(2, 3)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    // Readers of a write-ahead log do not mind.
    assert_eq!(count(&store).await, 2);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlocked");
    put(&store, 2, &[line(2, "line 2 ends")]).await;
    assert_eq!(count(&store).await, 3);
}

#[tokio::test]
async fn a_full_disk_takes_nothing_half_and_what_is_stored_afterwards_stays() {
    let folder = Folder::new(1 << 20);
    let Some(disk) = SmallDisk::mount(folder.dir.path(), 8).expect("mounts") else { return };
    let store = folder.store();
    let lines = |step: u64| -> Vec<_> {
        // Texts that do not compress well.
        let filler = |n: u64| {
            let word = |word: u64| (step * 7919 + n * 104_729 + word) * 2_654_435_761;
            (0..60).fold(String::new(), |text, number| format!("{text}{:x} ", word(number)))
        };
        (0..100).map(|n| line(0, &format!("{}line {step}/{n} ends", filler(n)))).collect()
    };
    let mut taken = 0;
    let refused = loop {
        match store.commit(&lines(taken), &step(taken, taken + 1)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. } | StoreError::Unavailable { .. }), "{refused}");
    assert_eq!(count(&store).await, 100 * usize::try_from(taken).expect("small"), "searches go on");
    disk.resize(64).expect("grows");
    for _ in 0..20 {
        put(&store, taken, &lines(taken)).await;
        taken += 1;
    }
    // As a kill leaves it: nothing is closed.
    drop(store);
    let store = folder.store();
    assert_eq!(store.position(0).await.expect("read").expect("there").mark.offset, taken);
    assert_eq!(count(&store).await, 100 * usize::try_from(taken).expect("small"));
    for n in [0, 99] {
        let query = Query {
            terms: format!("\"line {}/{n} ends\"", taken - 20).parse().expect("a search"),
            ..Query::default()
        };
        assert_eq!(all(&*store, &query, 10).await.len(), 1, "the step that was refused is stored once");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("file"), "").expect("written");
    let store = SqliteLogs::with_limits(dir.path().join("file/logs"), ROOMY, A_YEAR);
    let refused = store.position(0).await.expect_err("no folder").to_string();
    assert!(refused.contains("file/logs"), "{refused}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = Folder::new(ROOMY);
    fill(&folder, 1).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&segments(&folder.path())[0]);
    let mut other = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::raw_sql("PRAGMA user_version = 9").execute(&mut other).await.expect("set");
    let refused = folder.store().position(0).await.expect_err("newer");
    assert!(matches!(refused, StoreError::Newer { found: 9, .. }), "{refused}");
}

#[tokio::test]
async fn a_segment_that_a_crash_left_without_positions_is_made_anew() {
    let folder = Folder::new(0);
    fill(&folder, 2).await;
    std::fs::write(folder.path().join("segment-00000003.db"), "").expect("written");
    let store = folder.store();
    assert_eq!(store.position(0).await.expect("opens").expect("there").mark.offset, 2);
    put(&store, 2, &[line(2, "line 2 ends")]).await;
    assert_eq!(count(&store).await, 3);
}

#[tokio::test]
async fn the_quota_drops_the_oldest_segments_and_never_the_newest() {
    let folder = Folder::new(0);
    fill(&folder, 6).await;
    let store = folder.store();
    let before = store.position(0).await.map(|_| segments(&folder.path()).len()).expect("opens");
    let bytes = store.stats().await.expect("known").disk_bytes;
    let dropped = store.retain(UnixNanos(0), bytes - 1).await.expect("dropped");
    assert_eq!((dropped.lines, dropped.lines_for_room), (1, 1));
    assert_eq!(segments(&folder.path()).len(), before - 1);
    store.retain(UnixNanos(0), 0).await.expect("dropped");
    assert_eq!((segments(&folder.path()).len(), count(&store).await), (1, 1));
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok).collect();
    assert!(left.len() <= 3, "{left:?}");
}

#[tokio::test]
async fn what_a_dropped_call_still_writes_is_waited_for() {
    let folder = Folder::new(ROOMY);
    fill(&folder, 1).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&segments(&folder.path())[0]);
    let mut dropped = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE state SET writes = writes + 1")
        .execute(&mut dropped)
        .await
        .expect("under way");
    let (store, lines, advance) = (folder.store(), [line(1, "the next")], step(1, 2));
    let mut next = store.commit(&lines, &advance);
    let first_look =
        std::future::poll_fn(|context| std::task::Poll::Ready(next.as_mut().poll(context).is_pending()));
    assert!(first_look.await, "it cannot be there yet");
    tokio::time::sleep(Duration::from_millis(200)).await;
    sqlx::raw_sql("COMMIT").execute(&mut dropped).await.expect("it ends");
    assert!(matches!(next.await, Ok(Committed::Done { .. })));
    assert_eq!(count(&store).await, 2);
}

#[tokio::test]
async fn very_long_lines_are_kept_whole_and_a_page_of_them_is_short() {
    let folder = Folder::new(ROOMY);
    let store = folder.store();
    let long: Vec<_> = (0..200)
        .map(|n| {
            let filler: String = (0..8_000).map(|word| format!("{:x} ", word * 7919 + n)).collect();
            line(n, &format!("{}needle{n}x", &filler[..60_000.min(filler.len())]))
        })
        .collect();
    put(&store, 0, &long).await;
    let page =
        store.search(Query::default(), PageRequest { before: None, limit: 1000 }).await.expect("found");
    assert!(page.lines.len() < 100 && page.next.is_some());
    assert_eq!(count(&store).await, 200);
    let query = Query { terms: "needle77x".parse().expect("a search"), ..Query::default() };
    assert_eq!(all(&*store, &query, 10).await[0].record.message, long[77].record.message);
}

#[tokio::test]
async fn a_search_that_reads_much_stops_and_goes_on_from_there() {
    let folder = Folder::new(ROOMY);
    let store = folder.store();
    // Text that compresses to nothing, so that the test writes little: 192 MiB to look through.
    let filler = "-".repeat(64 * 1024);
    for batch in 0..12 {
        let lines: Vec<_> = (0..256).map(|n| line(batch * 256 + n, &filler)).collect();
        put(&store, u64::try_from(batch).expect("small"), &lines).await;
    }
    put(&store, 12, &[line(-5, "+")]).await;
    let query = Query { terms: "+".parse().expect("a search"), ..Query::default() };
    let first =
        store.search(query.clone(), PageRequest { before: None, limit: 10 }).await.expect("an answer");
    assert!(first.lines.is_empty() && first.next.is_some(), "it stopped on the way");
    assert_eq!(all(&*store, &query, 10).await.len(), 1);
}
