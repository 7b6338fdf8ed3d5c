//! The log store of a central, its readers and its upkeep.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goldentime_model::UnixNanos;
use goldentime_model::units::{ByteSize, HumanDuration};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_search::{
    Dropped, ElasticConfig, ElasticLogs, LogStore, LogsConfig, Rejects, SqliteLogs, StoreStats,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::health::Health;
use super::logs::LogsFollower;
use super::reader::{Followed, ReaderSettings, Readers};
use super::tail::{self, Tail};

/// Lines are gathered this long before they are written: so late does a live tail show them.
const FOLD_FOR: Duration = Duration::from_millis(500);

/// Gathered lines of one partition, in bytes of memory.
const FOLD_BYTES_MAX: usize = 8 << 20;

/// How often old lines are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(15);

/// Searches that run or wait; further ones are refused.
const SEARCHES_MAX: usize = 24;

/// The log store as the rest of the central sees it. Cheap to clone.
#[derive(Clone)]
pub struct Logs {
    store: Arc<dyn LogStore>,
    retention: Duration,
    bytes_max: ByteSize,
    tail: Tail,
    places: Arc<Semaphore>,
    stats: Arc<Mutex<StoreStats>>,
}

/// Memory that log lines may take, in bytes.
#[must_use]
pub fn memory_bound_bytes(config: &LogsConfig, partitions: u32) -> u64 {
    if !config.enabled {
        return 0;
    }
    FOLD_BYTES_MAX as u64 * u64::from(partitions) + config.memory_bound_bytes() + tail::memory_bound_bytes()
}

impl Logs {
    /// The store below the state folder, or none where it is not enabled. Its files are opened by the
    /// first who uses them: whatever is wrong with them, the central starts.
    #[must_use]
    pub fn new(state_dir: &Path, config: &LogsConfig) -> Option<Self> {
        let store = || Arc::new(SqliteLogs::new(state_dir.join("logs"), config));
        config.enabled.then(|| Self::of(store(), config.retention, config.bytes_max))
    }

    /// The store on a search server, or none where it is not enabled. Lines that it will never take go to
    /// `rejects`. The server is asked by the first use.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn on_server(
        config: &LogsConfig,
        elastic: &ElasticConfig,
        rejects: impl Rejects,
    ) -> Result<Option<Self>, String> {
        if !config.enabled {
            return Ok(None);
        }
        let store = Arc::new(ElasticLogs::new(elastic.clone(), Arc::new(rejects))?);
        Ok(Some(Self::of(store, elastic.retention, elastic.bytes_max)))
    }

    fn of(store: Arc<dyn LogStore>, retention: HumanDuration, bytes_max: ByteSize) -> Self {
        Self {
            store,
            retention: retention.get(),
            bytes_max,
            tail: Tail::default(),
            places: Arc::new(Semaphore::new(SEARCHES_MAX)),
            stats: Arc::default(),
        }
    }

    /// The store, to be asked.
    #[must_use]
    pub fn store(&self) -> Arc<dyn LogStore> {
        Arc::clone(&self.store)
    }

    /// Lines as they are stored.
    #[must_use]
    pub const fn tail(&self) -> &Tail {
        &self.tail
    }

    /// A place for a search; none when as many as allowed run or wait.
    #[must_use]
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Starts upkeep, and gives what begins to read a partition of `log`.
    pub fn start(&self, tasks: &Tasks, log: Followed, clock: SharedClock) -> (Readers, Health) {
        let settings = ReaderSettings { fold_for: FOLD_FOR, fold_bytes_max: FOLD_BYTES_MAX };
        let follower = Arc::new(LogsFollower { store: self.store(), tail: self.tail.clone() });
        let logs = self.clone();
        tasks.spawn(TaskKind::Upkeep, "logs-upkeep", async move { logs.tend(clock).await });
        Readers::new(tasks, follower, log, settings)
    }

    /// What the store holds, as of the last upkeep, and its disk quota in bytes.
    #[must_use]
    pub fn report(&self) -> (StoreStats, u64) {
        (*self.stats.lock().unwrap_or_else(PoisonError::into_inner), self.bytes_max.get())
    }

    /// Lets go of files or connections.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Drops what is old, for ever.
    async fn tend(&self, clock: SharedClock) {
        let mut is_failing = false;
        loop {
            let retained = self.retain(clock.now()).await;
            if let Err(error) = &retained {
                metrics::counter!("goldentime_persist_upkeep_failures_total", "store" => "logs").increment(1);
                // Only the first of a row of failures goes to the log; the readers tell the same.
                if !is_failing {
                    tracing::warn!(error = %error.chain(), "the log store cannot be tended; trying again");
                }
            }
            is_failing = retained.is_err();
            tokio::time::sleep(RETAIN_EVERY).await;
        }
    }

    async fn retain(&self, now: UnixNanos) -> Result<(), goldentime_follower::StoreError> {
        let retention = i64::try_from(self.retention.as_nanos()).unwrap_or(i64::MAX);
        let bytes_max = self.bytes_max.get();
        let Dropped { lines, bytes, lines_for_room } =
            self.store.retain(now.saturating_add(-retention), bytes_max).await?;
        if lines > 0 {
            tracing::info!(lines, bytes, lines_for_room, "old log lines dropped");
            for (reason, lines) in [("age", lines - lines_for_room), ("quota", lines_for_room)] {
                metrics::counter!("goldentime_logs_expired_lines_total", "reason" => reason).increment(lines);
            }
        }
        let stats = self.store.stats().await?;
        metrics::gauge!("goldentime_persist_bytes", "store" => "logs").set(stats.disk_bytes as f64);
        metrics::gauge!("goldentime_persist_bytes_max", "store" => "logs").set(bytes_max as f64);
        metrics::gauge!("goldentime_logs_lines").set(stats.lines as f64);
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
        Ok(())
    }
}
