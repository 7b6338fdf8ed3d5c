//! Files that are missing together with their file system, over restarts and the real spool.

use std::os::unix::fs::MetadataExt as _;

use goldentime_model::UnixNanos;
use goldentime_runtime::{Clock as _, ManualClock};

use super::super::away::KEPT;
use super::*;
use crate::ship::ledger::Ledger;
use crate::ship::spool::{self, Flush, Spool};

/// A folder on another file system, reached by a link as by a mount point: while it is not mounted an
/// empty folder is in its place.
struct Mount {
    point: PathBuf,
    on: tempfile::TempDir,
}

impl Mount {
    fn new(folder: &Path) -> Self {
        let mount = Self {
            point: folder.join("mnt"),
            on: tempfile::tempdir_in("/dev/shm").expect("a file system in memory"),
        };
        let device = |path: &Path| fs::metadata(path).expect("there").dev();
        assert_ne!(device(folder), device(mount.on.path()), "the test needs two file systems");
        std::os::unix::fs::symlink(mount.on.path(), &mount.point).expect("links");
        mount
    }

    fn unmount(&self) {
        fs::remove_file(&self.point).expect("removes");
        fs::create_dir(&self.point).expect("creates");
    }

    fn mount(&self) {
        fs::remove_dir(&self.point).expect("removes");
        std::os::unix::fs::symlink(self.on.path(), &self.point).expect("links");
    }
}

/// What a run left goes through a spool that is closed and opened again.
async fn through_spool(folder: &Path, kept: Kept) -> Kept {
    let limits = || spool::Config::default().limits();
    let now = SystemClock.now();
    let opened = Spool::open(folder, limits(), Ledger::default(), now).await.expect("opens");
    let flush = Flush { flushed_at: now, records: Vec::new(), positions: kept.updates };
    opened.spool.commit(&flush).await.expect("commits");
    opened.spool.close(now).await.expect("closes");
    drop(opened.spool);
    let opened = Spool::open(folder, limits(), Ledger::default(), now).await.expect("opens");
    let input: Arc<str> = "test".into();
    let positions = opened.positions.of_input(&input).into_iter();
    let positions =
        positions.map(|(source, bytes)| (PositionKey { input: Arc::clone(&input), source }, bytes));
    Kept { positions: positions.collect(), updates: Vec::new(), ..kept }
}

/// Two lines were read, then the file system went away.
async fn read_and_unmounted(folder: &Path, mount: &Mount, config: &Config) -> Kept {
    append(&mount.on.path().join("a.log"), &format!("{}{}", line(1), line(2)));
    let mut running = start(config.clone(), Kept::default());
    running.until_requests(2).await;
    let kept = through_spool(folder, running.stop().await).await;
    assert_eq!(kept.positions.len(), 1);
    mount.unmount();
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_file_system_comes_back_is_read_on_where_it_was_left() {
    let folder = tempfile::tempdir().expect("folder");
    let mount = Mount::new(folder.path());
    let mut config = config(&mount.point.join("*.log"));
    config.rescan_interval = "50ms".parse().expect("valid");
    let kept = read_and_unmounted(folder.path(), &mount, &config).await;

    let mut running = start(config.clone(), kept);
    running.until("missing", |running| running.handle.status().files_away == 1).await;
    assert_eq!(running.handle.status().lost_files, 0);
    let kept = through_spool(folder.path(), running.stop().await).await;
    assert_eq!(kept.positions.len(), 1, "the position is kept over the restart");

    append(&mount.on.path().join("a.log"), &line(3));
    let mut running = start(config.clone(), kept);
    running.until("missing still", |running| running.handle.status().files_away == 1).await;
    mount.mount();
    running.until_requests(3).await;
    running.until("back", |running| running.handle.status().files_away == 0).await;
    let kept = through_spool(folder.path(), running.stop().await).await;
    assert_eq!((kept.requests, kept.positions.len()), (3, 1), "nothing is counted twice");

    let mut running = start(config, kept);
    append(&mount.on.path().join("a.log"), &line(4));
    running.until_requests(4).await;
    assert_eq!(running.stop().await.requests, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_never_comes_back_is_given_up_and_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let mount = Mount::new(folder.path());
    let config = config(&mount.point.join("*.log"));
    let kept = read_and_unmounted(folder.path(), &mount, &config).await;
    let mut running = start(config.clone(), kept);
    running.until("missing", |running| running.handle.status().files_away == 1).await;
    let kept = through_spool(folder.path(), running.stop().await).await;

    let kept_ns = i64::try_from(KEPT.as_nanos()).expect("fits");
    let at =
        |days: i64| ManualClock::at(UnixNanos(SystemClock.now().0 + kept_ns + days * 86_400_000_000_000));
    let mut running = start_with(config.clone(), kept, LIMIT, at(-1));
    running.until("missing still", |running| running.handle.status().files_away == 1).await;
    let kept = through_spool(folder.path(), running.stop().await).await;

    let mut running = start_with(config, kept, LIMIT, at(1));
    running.until("given up", |running| running.handle.status().lost_files == 1).await;
    let kept = through_spool(folder.path(), running.stop().await).await;
    assert!(kept.positions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_is_forgotten_at_once() {
    let folder = tempfile::tempdir().expect("folder");
    let inner = folder.path().join("pod");
    fs::create_dir(&inner).expect("creates");
    append(&inner.join("a.log"), &line(1));
    let mut running = start(config(&folder.path().join("*/*.log")), Kept::default());
    running.until_requests(1).await;
    let kept = through_spool(folder.path(), running.stop().await).await;
    fs::remove_dir_all(&inner).expect("removes");
    let mut running = start(config(&folder.path().join("*/*.log")), kept);
    running.until("gone", |running| running.handle.status().lost_files == 1).await;
    let kept = through_spool(folder.path(), running.stop().await).await;
    assert!(kept.positions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_has_another_number_after_a_reboot_holds_the_same_files() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    append(&path, &format!("{}{}", line(1), line(2)));
    let mut running = start(config(&path), Kept::default());
    running.until_requests(2).await;
    let mut kept = running.stop().await;
    let renumbered = kept.positions.drain().map(|(key, bytes)| {
        let mut position: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        let device = position["device"].as_u64().expect("a number") + 1;
        position["device"] = device.into();
        let source = format!("{device}:{}", position["inode"]).into();
        (PositionKey { source, ..key }, position.to_string().into_bytes())
    });
    kept.positions = renumbered.collect();

    append(&path, &line(3));
    let mut running = start(config(&path), kept);
    running.until_requests(3).await;
    let kept = running.stop().await;
    assert_eq!((kept.requests, kept.positions.len()), (3, 1));
    let device = fs::metadata(&path).expect("there").dev().to_string();
    assert!(kept.positions.keys().all(|key| key.source.starts_with(&device)));
}
