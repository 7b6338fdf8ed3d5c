//! The suites that every backend passes, on one server and on a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use goldentime_testkit::servers::redis::{RedisCluster, RedisProps};
use goldentime_windows::conformance::{self, Place, together::Stores};
use goldentime_windows::store::BoxFuture;
use goldentime_windows::{MemoryWindows, RedisConfig, WindowStore, WindowsConfig};
use tempfile::TempDir;

use crate::stage::{Stage, open, patient};

/// Databases of the server, one for each case.
const DATABASES: u16 = 64;

struct Database {
    config: RedisConfig,
    checkpoints: TempDir,
}

impl Database {
    fn new(config: RedisConfig) -> Self {
        Self { config, checkpoints: tempfile::tempdir().expect("a folder") }
    }
}

impl Place<Arc<dyn WindowStore>> for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn WindowStore>> {
        Box::pin(async { Arc::new(open(self.config.clone()).await) as _ })
    }
}

/// With checkpoints elsewhere, as the cluster has them.
impl Place<Stores> for Database {
    fn open(&self) -> BoxFuture<'_, Stores> {
        Box::pin(async {
            let path = self.checkpoints.path().join("checkpoints.sqlite");
            let checkpoints = MemoryWindows::open(&path, &WindowsConfig::default()).await.expect("open");
            let windows = open(self.config.clone()).await;
            Stores { windows: Arc::new(windows), checkpoints: Arc::new(checkpoints) }
        })
    }
}

#[tokio::test]
async fn one_server_keeps_the_contract() {
    let props = RedisProps { lines: vec![format!("databases {DATABASES}")], ..RedisProps::default() };
    let stage = Stage::start_with(&props).await;
    let next = AtomicU16::new(0);
    let fresh = || {
        let database = next.fetch_add(1, Ordering::SeqCst);
        Database::new(RedisConfig { database, ..patient(stage.server.address()) })
    };
    conformance::cells::run(fresh).await;
    conformance::together::run(fresh).await;
}

#[tokio::test]
async fn a_cluster_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = RedisCluster::start(folder.path(), &[]).await.expect("a cluster");
    let fresh = || {
        cluster.masters.iter().for_each(|master| drop(master.cli(["FLUSHALL"]).expect("flushed")));
        Database::new(RedisConfig { cluster: true, ..patient(cluster.masters[1].address()) })
    };
    conformance::cells::run(fresh).await;
    conformance::together::run(fresh).await;
}
