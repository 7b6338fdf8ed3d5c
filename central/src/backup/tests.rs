//! Copies of a log that is written to, and their return.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use goldentime_log::{Entry, IngestLog, ReadLog, SqliteLog};
use goldentime_model::UnixNanos;
use goldentime_runtime::{ManualClock, StateDir};
use goldentime_search::{LogStore, Query, SqliteLogs, conformance};
use goldentime_windows::{Checkpoint, CheckpointStore, MemoryWindows, WindowsConfig};

use super::*;

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const PARTITIONS: u32 = 2;
/// Small enough that a test fills some segments.
const SEGMENT_BYTES: u64 = 64 * 1024;

struct State {
    folder: tempfile::TempDir,
    log: Arc<SqliteLog>,
    windows: MemoryWindows,
}

impl State {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("state");
        std::fs::create_dir(&state).expect("made");
        std::fs::write(state.join("authority.pem"), "key").expect("written");
        let log = SqliteLog::open(&state.join("log"), SEGMENT_BYTES).await.expect("log");
        let windows = MemoryWindows::open(&state.join("windows.db"), &WindowsConfig::default()).await;
        Self { folder, log: Arc::new(log), windows: windows.expect("windows") }
    }

    fn state_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn take(&self, name: &str) -> Result<Manifest, BackupError> {
        take(&self.state_dir(), &self.at(name), PARTITIONS, &*ManualClock::at(NOW)).await
    }

    fn put_back(&self, name: &str, into: &str, replace: bool) -> Result<Restored, BackupError> {
        put_back(&self.at(name), &self.at(into), PARTITIONS, replace, NOW)
    }
}

/// Appends the same offset to both partitions.
async fn append(log: &SqliteLog, offset: u64) {
    let entry = |partition| Entry {
        partition,
        offset,
        append_time: NOW.saturating_add(offset as i64),
        record: Bytes::from(vec![offset as u8; 1024]),
    };
    log.append(&[entry(0), entry(1)]).await.expect("appended");
}

async fn checkpoint(windows: &MemoryWindows, offset: u64) {
    for partition in 0..PARTITIONS {
        let checkpoint = Checkpoint {
            partition,
            offset,
            log_time: NOW,
            generation: 1,
            table: Vec::new(),
            watermark: NOW.second(),
            learned: Vec::new(),
        };
        windows.save(checkpoint).await.expect("saved");
    }
}

fn end(manifest: &Manifest) -> u64 {
    let ends: Vec<u64> = manifest.partitions.iter().map(|end| end.last_offset).collect();
    assert_eq!(ends.len(), PARTITIONS as usize);
    assert_eq!(ends[0], ends[1], "a commit is whole, so all partitions end at the same one");
    ends[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_log_under_load_is_one_cut_without_gaps() {
    let state = State::new().await;
    append(&state.log, 1).await;
    let (log, stop) = (Arc::clone(&state.log), tokio_util::sync::CancellationToken::new());
    let load = async {
        let mut offset = 2;
        while !stop.is_cancelled() {
            append(&log, offset).await;
            checkpoint(&state.windows, offset).await;
            offset += 1;
            tokio::task::yield_now().await;
        }
    };
    let copies = async {
        let mut manifests = Vec::new();
        for number in 0..4 {
            manifests.push(state.take(&format!("copy-{number}")).await.expect("taken"));
        }
        stop.cancel();
        manifests
    };
    let ((), manifests) = tokio::join!(load, copies);
    for (number, manifest) in manifests.iter().enumerate() {
        let (name, into) = (format!("copy-{number}"), format!("restored-{number}"));
        state.put_back(&name, &into, false).expect("restored");
        let last = end(manifest);
        let log = SqliteLog::open(&state.at(&into).join("log"), SEGMENT_BYTES).await.expect("opens");
        for partition in 0..PARTITIONS {
            let bounds = log.bounds(partition).await.expect("bounds");
            assert_eq!((bounds.first, bounds.last), (1, last));
            let mut from = 1;
            while from <= last {
                let entries = log.read(partition, from, 512).await.expect("read");
                assert_eq!(entries.first().map(|entry| entry.offset), Some(from), "no gap");
                from = entries.last().expect("some").offset + 1;
            }
        }
        let windows = state.at(&into).join("windows.db");
        let read = goldentime_windows::checkpoint_offsets(&windows).await.expect("checkpoints");
        assert!(read.values().all(|offset| *offset <= last), "no checkpoint is ahead of the log: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_copied_while_they_come_and_the_oldest_go_and_none_is_missing_between() {
    /// Every commit that finds lines begins a segment.
    const SEGMENT_BYTES: u64 = 0;
    let day = std::time::Duration::from_secs(86_400);
    let open = |state: std::path::PathBuf| SqliteLogs::with_limits(state.join("logs"), SEGMENT_BYTES, day);
    let state = State::new().await;
    append(&state.log, 1).await;
    let store = open(state.state_dir());
    let put = async |store: &SqliteLogs, n: u64| {
        let line = conformance::line(n as i64, &format!("결제 {n} ends"));
        store.commit(&[line], &conformance::step(n, n + 1)).await.expect("stored");
    };
    put(&store, 0).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let load = async {
        let mut n = 1;
        while !stop.is_cancelled() {
            put(&store, n).await;
            // About a dozen segments stay.
            store.retain(UnixNanos(0), 12 * 200 * 1024).await.expect("dropped");
            n += 1;
        }
    };
    let copies = async {
        for number in 0..4 {
            state.take(&format!("copy-{number}")).await.expect("taken");
        }
        stop.cancel();
    };
    tokio::join!(load, copies);
    for number in 0..4 {
        let (name, into) = (format!("copy-{number}"), format!("restored-{number}"));
        state.put_back(&name, &into, false).expect("restored");
        let store = open(state.at(&into));
        let next = store.position(0).await.expect("read").expect("there").mark.offset;
        let query = Query { terms: "결제 ends".parse().expect("a search"), ..Query::default() };
        let found = conformance::all(&store, &query, 100).await;
        let numbers: Vec<_> = found.iter().rev().map(|line| line.record.message.clone()).collect();
        let first = next - numbers.len() as u64;
        let expected: Vec<_> = (first..next).map(|n| format!("결제 {n} ends")).collect();
        assert_eq!(numbers, expected, "what is missing is what came first");
        put(&store, next).await;
        assert_eq!(conformance::all(&store, &query, 100).await.len(), found.len() + 1, "it goes on");
    }
}

#[tokio::test]
async fn a_copy_is_private_and_never_written_over_anything() {
    use std::os::unix::fs::PermissionsExt;
    let state = State::new().await;
    append(&state.log, 1).await;
    let manifest = state.take("copy").await.expect("taken");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&state.at("copy")), 0o700);
    for file in &manifest.files {
        assert_eq!(mode(&state.at("copy").join(&file.path)), 0o600, "{}", file.path.display());
    }
    assert!(matches!(state.take("copy").await, Err(BackupError::Occupied(_))));
    assert!(matches!(state.take("state/copy").await, Err(BackupError::Inside(_))));
    assert!(!state.at("copy/lock").exists() && !state.at(".copy.partial").exists());
}

#[tokio::test]
async fn what_an_interrupted_copy_left_is_replaced_and_one_at_work_is_not() {
    let state = State::new().await;
    append(&state.log, 1).await;
    std::fs::create_dir(state.at(".copy.partial")).expect("made");
    std::fs::write(state.at(".copy.partial/windows.db"), "half").expect("written");
    let at_work = std::fs::File::open(state.at(".copy.partial")).expect("open");
    at_work.lock().expect("locked");
    assert!(matches!(state.take("copy").await, Err(BackupError::Running(_))));
    drop(at_work);
    state.take("copy").await.expect("taken");
}

#[tokio::test]
async fn a_folder_without_state_is_no_backup() {
    let folder = tempfile::tempdir().expect("folder");
    let (empty, target) = (folder.path().join("empty"), folder.path().join("copy"));
    std::fs::create_dir(&empty).expect("made");
    let taken = take(&empty, &target, PARTITIONS, &*ManualClock::at(NOW)).await;
    assert!(matches!(taken, Err(BackupError::NoState(_))));
    assert!(!target.exists());
}

#[tokio::test]
async fn a_damaged_copy_changes_nothing() {
    let state = State::new().await;
    append(&state.log, 1).await;
    state.take("copy").await.expect("taken");
    let key = state.at("copy/authority.pem");
    std::fs::write(&key, "kez").expect("written");
    let error = state.put_back("copy", "restored", false).expect_err("damaged");
    assert!(matches!(&error, BackupError::Damaged { path, .. } if *path == key), "{error}");
    let left: Vec<_> = std::fs::read_dir(state.at("restored")).expect("listed").collect();
    assert_eq!(left.len(), 1, "the lock alone: {left:?}");
}

#[tokio::test]
async fn a_state_is_replaced_only_when_told_and_kept_aside() {
    let state = State::new().await;
    append(&state.log, 1).await;
    state.take("copy").await.expect("taken");
    append(&state.log, 2).await;
    assert!(matches!(state.put_back("copy", "state", false), Err(BackupError::HasState(_))));
    let restored = state.put_back("copy", "state", true).expect("restored");
    let aside = restored.replaced.expect("moved aside");
    assert!(aside.join("log").is_dir() && aside.join("authority.pem").exists());
    let log = SqliteLog::open(&state.state_dir().join("log"), SEGMENT_BYTES).await.expect("opens");
    assert_eq!(log.bounds(0).await.expect("bounds").last, 1, "as of the copy");
    state.take("second").await.expect("a restored state can be copied");
    assert!(!state.at("second").join(aside.file_name().expect("named")).exists());
}

#[tokio::test]
async fn a_state_in_use_is_not_restored_over_and_one_half_moved_is_not_started() {
    let state = State::new().await;
    append(&state.log, 1).await;
    state.take("copy").await.expect("taken");
    let held = StateDir::hold(&state.at("restored"), "central").expect("free");
    assert!(matches!(state.put_back("copy", "restored", true), Err(BackupError::Held(_))));
    drop(held);
    std::fs::create_dir(state.at("restored/.restoring")).expect("made");
    let refused = refuse_unfinished(&state.at("restored")).expect_err("unfinished");
    assert!(refused.to_string().contains("--replace"), "{refused}");
    state.put_back("copy", "restored", false).expect("begun anew");
    refuse_unfinished(&state.at("restored")).expect("whole");
}

#[tokio::test]
async fn a_manifest_whose_paths_lead_out_of_the_folder_is_refused() {
    let state = State::new().await;
    append(&state.log, 1).await;
    let mut manifest = state.take("copy").await.expect("taken");
    for path in ["../escaped", "/etc/passwd", ""] {
        manifest.files[0].path = path.into();
        let text = serde_json::to_string(&manifest).expect("plain data");
        std::fs::write(state.at("copy/manifest.json"), text).expect("written");
        assert!(
            matches!(state.put_back("copy", "restored", false), Err(BackupError::Manifest { .. })),
            "{path}"
        );
    }
}

#[tokio::test]
async fn another_number_of_partitions_is_told_beforehand() {
    let state = State::new().await;
    append(&state.log, 1).await;
    state.take("copy").await.expect("taken");
    let error = put_back(&state.at("copy"), &state.at("restored"), 8, false, NOW).expect_err("refused");
    assert!(error.to_string().contains("`partitions: 2`"), "{error}");
}
