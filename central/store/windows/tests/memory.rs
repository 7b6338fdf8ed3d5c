//! The embedded backend: the contract, its limits, its file.

use std::path::PathBuf;
use std::sync::Arc;

use goldentime_model::units::ByteSize;
use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_windows::conformance::{self, Place, together::Stores};
use goldentime_windows::store::BoxFuture;
use goldentime_windows::{
    CellKey, Checkpoint, CheckpointStore, MemoryWindows, SecondCell, StoreError, StoredCell, Tier,
    WindowStore, WindowsConfig, resume_point,
};
use tempfile::TempDir;

const NOW: i64 = 1_700_000_000;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("windows.sqlite")
    }

    async fn open(&self, config: &WindowsConfig) -> MemoryWindows {
        MemoryWindows::open(&self.path(), config).await.expect("open")
    }
}

impl Place<Arc<dyn WindowStore>> for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn WindowStore>> {
        Box::pin(async { Arc::new(self.open(&WindowsConfig::default()).await) as _ })
    }
}

impl Place<Arc<dyn CheckpointStore>> for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn CheckpointStore>> {
        Box::pin(async { Arc::new(self.open(&WindowsConfig::default()).await) as _ })
    }
}

impl Place<Stores> for Folder {
    fn open(&self) -> BoxFuture<'_, Stores> {
        Box::pin(async {
            let store = Arc::new(self.open(&WindowsConfig::default()).await);
            Stores { windows: Arc::clone(&store) as _, checkpoints: store }
        })
    }
}

fn cell(service: &str, start: i64, offset: u64) -> StoredCell {
    let mut cell = SecondCell::default();
    cell.total.latency.insert_n(0.2, offset);
    let service = ServiceId::new("shop", "prod", service).expect("a valid name");
    let key = CellKey { service, tier: Tier::OneSecond, start: Second(start) };
    StoredCell { key, partition: 0, offset, blob: cell.encode() }
}

fn checkpoint(offset: u64, watermark: i64) -> Checkpoint {
    let log_time = UnixNanos(offset.cast_signed());
    Checkpoint {
        partition: 0,
        offset,
        log_time,
        generation: 1,
        table: vec![],
        watermark: Second(watermark),
        learned: vec![],
    }
}

async fn services(store: &MemoryWindows) -> usize {
    store.services().await.expect("services").len()
}

#[tokio::test]
async fn it_keeps_the_contract_of_cells() {
    conformance::cells::run(Folder::new).await;
}

#[tokio::test]
async fn it_keeps_the_contract_of_checkpoints() {
    conformance::checkpoints::run(Folder::new).await;
}

#[tokio::test]
async fn it_keeps_cells_and_checkpoints_together() {
    conformance::together::run(Folder::new).await;
}

#[tokio::test]
async fn a_start_goes_on_from_the_newest_checkpoint() {
    let store = Folder::new().open(&WindowsConfig::default()).await;
    assert_eq!(resume_point(&store, &store, 0).await.expect("resume"), None);
    store.save(checkpoint(1, NOW)).await.expect("save");
    assert_eq!(resume_point(&store, &store, 0).await.expect("resume"), Some(checkpoint(1, NOW)));
}

#[tokio::test]
async fn services_beyond_the_limit_are_refused_and_counted_and_the_others_go_on() {
    let config = WindowsConfig { services_max: 2, ..WindowsConfig::default() };
    let store = Folder::new().open(&config).await;
    store.put(vec![cell("a", NOW, 1), cell("b", NOW, 1), cell("c", NOW, 1)]).await.expect("put");
    assert_eq!((services(&store).await, store.refused()), (2, 1));
    store.put(vec![cell("a", NOW, 2), cell("c", NOW, 2)]).await.expect("put");
    assert_eq!((services(&store).await, store.refused()), (2, 2));
}

#[tokio::test]
async fn a_service_that_has_expired_makes_place_for_another() {
    let config = WindowsConfig { services_max: 2, ..WindowsConfig::default() };
    let store = Folder::new().open(&config).await;
    store.put(vec![cell("old", NOW, 1), cell("steady", NOW, 1)]).await.expect("put");
    store.put(vec![cell("steady", NOW + 1000, 2)]).await.expect("put");
    store.put(vec![cell("new", NOW + 1000, 3)]).await.expect("put");
    assert_eq!((services(&store).await, store.refused()), (2, 0));
    assert_eq!(store.cells_bytes(), 2 * cell("new", NOW, 3).blob.len() as u64);
}

#[tokio::test]
async fn memory_of_cells_stays_within_its_limit() {
    let size = cell("a", NOW, 1).blob.len() as u64;
    let config = WindowsConfig { cells_bytes_max: ByteSize(size * 10), ..WindowsConfig::default() };
    let store = Folder::new().open(&config).await;
    for start in NOW..NOW + 100 {
        store.put(vec![cell("a", start, 1)]).await.expect("put");
        assert!(store.cells_bytes() <= size * 10);
    }
    assert_eq!(store.refused(), 90);
    store.put(vec![cell("a", NOW, 2)]).await.expect("put");
    assert_eq!(store.refused(), 90, "a cell is replaced by one of its own size");
}

#[tokio::test]
async fn rows_that_have_expired_leave_the_file_and_do_not_come_back() {
    let folder = Folder::new();
    let store = folder.open(&WindowsConfig::default()).await;
    store.put(vec![cell("a", NOW, 1)]).await.expect("put");
    store.save(checkpoint(1, NOW)).await.expect("save");
    store.put(vec![cell("b", NOW + 361, 2)]).await.expect("put");
    store.save(checkpoint(2, NOW + 361)).await.expect("save");
    store.close().await;
    let store = folder.open(&WindowsConfig::default()).await;
    assert_eq!((services(&store).await, store.refused()), (1, 0));
}

#[tokio::test]
async fn many_partitions_save_their_checkpoints_at_once() {
    let folder = Folder::new();
    let store = Arc::new(folder.open(&WindowsConfig::default()).await);
    let save = |partition: u32| {
        let store = Arc::clone(&store);
        async move {
            for offset in 1..20 {
                let own = format!("own-{partition}");
                store.put(vec![StoredCell { partition, ..cell(&own, NOW, offset) }]).await.expect("put");
                store.put(vec![StoredCell { partition, ..cell("shared", NOW, offset) }]).await.expect("put");
                let checkpoint = Checkpoint { partition, ..checkpoint(offset, NOW) };
                store.save(checkpoint).await.expect("save");
            }
        }
    };
    tokio::join!(save(0), save(1), save(2), save(3));
    drop(store);
    let store = folder.open(&WindowsConfig::default()).await;
    assert_eq!(services(&store).await, 5);
    let shared = cell("shared", NOW, 1).key.service;
    let parts = store.read(&shared, Tier::OneSecond, Second(NOW), Second(NOW + 1)).await.expect("read");
    assert_eq!(
        parts.iter().map(|part| (part.partition, part.offset)).collect::<Vec<_>>(),
        [(0, 19), (1, 19), (2, 19), (3, 19)]
    );
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_with_the_way_out() {
    let folder = Folder::new();
    folder.open(&WindowsConfig::default()).await.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path());
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("open");
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&pool).await.expect("set");
    pool.close().await;
    let error = MemoryWindows::open(&folder.path(), &WindowsConfig::default()).await.expect_err("newer");
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("windows.sqlite") && error.to_string().contains("upgrade"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error_and_no_panic() {
    let folder = Folder::new();
    std::fs::write(folder.path(), [0xa5; 8192]).expect("write");
    assert!(MemoryWindows::open(&folder.path(), &WindowsConfig::default()).await.is_err());
}

#[tokio::test]
async fn a_corrupt_cell_in_the_file_is_named_with_the_way_out() {
    let folder = Folder::new();
    let store = folder.open(&WindowsConfig::default()).await;
    let corrupt = StoredCell { blob: bytes::Bytes::from_static(b"\x01\x00garbage"), ..cell("a", NOW, 1) };
    store.put(vec![corrupt]).await.expect("put");
    store.save(checkpoint(1, NOW)).await.expect("save");
    store.close().await;
    let error = MemoryWindows::open(&folder.path(), &WindowsConfig::default()).await.expect_err("corrupt");
    let told = error.to_string();
    assert!(told.contains("shop/prod/a") && told.contains("move the file away"), "{told}");
}

#[tokio::test]
async fn a_file_of_the_first_layout_is_read_and_nothing_was_learned() {
    const FIRST: &str = include_str!("../../../../migrations/sqlite/windows/0001_cells_and_checkpoints.sql");
    let folder = Folder::new();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path()).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("open");
    sqlx::raw_sql(FIRST).execute(&pool).await.expect("the first layout");
    let row = "INSERT INTO checkpoints VALUES (0, 7, 7, 1, 1700000000, x''); PRAGMA user_version = 1";
    sqlx::raw_sql(row).execute(&pool).await.expect("a checkpoint");
    pool.close().await;
    let store = folder.open(&WindowsConfig::default()).await;
    let read = store.load(0, UnixNanos(i64::MAX)).await.expect("load");
    assert_eq!(read, Some(checkpoint(7, NOW)));
    let learned = Checkpoint { learned: vec![1, 2, 3], ..checkpoint(8, NOW) };
    store.save(learned.clone()).await.expect("save");
    drop(store);
    let store = folder.open(&WindowsConfig::default()).await;
    assert_eq!(store.load(0, UnixNanos(i64::MAX)).await.expect("load"), Some(learned));
}
