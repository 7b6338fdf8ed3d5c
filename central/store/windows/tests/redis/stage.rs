//! What the tests stand on: a real server, stores on it, cells that tell their offset.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goldentime_model::config::Secret;
use goldentime_model::units::HumanDuration;
use goldentime_model::{Second, ServiceId};
use goldentime_runtime::{SystemClock, Tasks};
use goldentime_testkit::servers::redis::{PASSWORD, Redis, RedisProps};
use goldentime_testkit::wait;
use goldentime_windows::{
    CellKey, GoBack, RedisConfig, RedisWindows, SecondCell, StoreError, StoredCell, Tier, WindowStore,
};
use tempfile::TempDir;

/// No state takes longer to come, however busy the machine: a guard, no bound that is tested.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// An event second well within the range of everything.
pub(crate) const NOW: i64 = 1_700_000_000;

/// One server and its folder.
pub(crate) struct Stage {
    pub(crate) server: Redis,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::start_with(&RedisProps::default()).await
    }

    pub(crate) async fn start_with(props: &RedisProps) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Redis::start(folder.path(), props).await.expect("redis-server starts");
        Self { server, _folder: folder }
    }

    /// A store that gives the server all the time that it needs.
    pub(crate) async fn store(&self) -> RedisWindows {
        open(patient(self.server.address())).await
    }

    pub(crate) fn cli(&self, line: &str) -> String {
        self.server.cli(line.split(' ')).expect("redis-cli")
    }
}

/// Timeouts that no busy machine meets: what fails has failed.
pub(crate) fn patient(address: SocketAddr) -> RedisConfig {
    let timeout = HumanDuration::from_secs(60);
    RedisConfig {
        nodes: vec![address.to_string()],
        password: Some(Secret::new(PASSWORD)),
        connect_timeout: timeout,
        read_timeout: timeout,
        write_timeout: timeout,
        retry_initial: HumanDuration::from_millis(10),
        retry_max: HumanDuration::from_millis(100),
        ..RedisConfig::default()
    }
}

/// Timeouts that a server which stands still meets soon.
pub(crate) fn hasty(address: SocketAddr) -> RedisConfig {
    let timeout = HumanDuration::from_millis(100);
    RedisConfig {
        connect_timeout: HumanDuration::from_millis(500),
        read_timeout: timeout,
        write_timeout: timeout,
        ..patient(address)
    }
}

pub(crate) async fn open(config: RedisConfig) -> RedisWindows {
    try_open(config).await.expect("open")
}

pub(crate) async fn try_open(config: RedisConfig) -> Result<RedisWindows, StoreError> {
    RedisWindows::open(config, &Tasks::new(), Arc::new(SystemClock)).await
}

pub(crate) fn service(name: &str) -> ServiceId {
    ServiceId::new("shop", "prod", name).expect("a valid name")
}

/// What a cell that reaches `offset` holds.
pub(crate) fn blob(offset: u64) -> Bytes {
    let mut cell = SecondCell::default();
    cell.total.counts.ok = offset;
    cell.encode()
}

pub(crate) fn cell(name: &str, start: i64, offset: u64) -> StoredCell {
    let key = CellKey { service: service(name), tier: Tier::OneSecond, start: Second(start) };
    StoredCell { key, partition: 0, offset, blob: blob(offset) }
}

/// Start and offset of every second of a service from `NOW` on; each must hold what its offset says.
pub(crate) async fn stored(store: &RedisWindows, name: &str) -> Result<Vec<(i64, u64)>, StoreError> {
    let range = (Second(NOW), Second(NOW + 400));
    let cells = store.read(&service(name), Tier::OneSecond, range.0, range.1).await?;
    Ok(cells
        .iter()
        .map(|cell| {
            assert_eq!(cell.blob, blob(cell.offset), "a cell holds what its offset says");
            (cell.key.start.0 - NOW, cell.offset)
        })
        .collect())
}

/// Puts until it is said to be stored, as the owner of what it holds does.
pub(crate) async fn put_in_the_end(store: &RedisWindows, cells: &[StoredCell]) {
    wait::until("a put to succeed", PATIENCE, || async { store.put(cells.to_vec()).await.ok() })
        .await
        .expect("stored");
}

/// Reads until that works.
pub(crate) async fn read_in_the_end(store: &RedisWindows, name: &str) -> Vec<(i64, u64)> {
    wait::until("a read to succeed", PATIENCE, || async { stored(store, name).await.ok() })
        .await
        .expect("read")
}

pub(crate) async fn until_degraded(store: &RedisWindows, degraded: bool) {
    let is = || async { (store.health().degraded.is_some() == degraded).then_some(()) };
    wait::until(&format!("degraded to be {degraded}"), PATIENCE, is).await.expect("in time");
}

/// Begins to own partition 0, once the server answers.
pub(crate) async fn assign_in_the_end(store: &RedisWindows) -> GoBack {
    wait::until("an assignment", PATIENCE, || async { store.assign(0).await.ok() }).await.expect("assigned")
}
