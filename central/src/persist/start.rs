//! The series store of a central, its readers and its upkeep.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goldentime_follower::StoreError;
use goldentime_postgres::PostgresConfig;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_series::sqlite::memory_bound_bytes as store_memory_bound_bytes;
use goldentime_series::{PostgresSeries, SeriesStore, SqliteSeries, SqliteSettings, Tended, Usage};

use super::config::SeriesConfig;
use super::health::Health;
use super::reader::{Followed, ReaderSettings, Readers};
use super::series::SeriesFollower;

/// Folded records of one partition, in bytes of memory.
const FOLD_BYTES_MAX: usize = 8 << 20;

/// How long a write waits for a lock of another process. Longer would only hide from the status that
/// somebody holds one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause between two rounds of upkeep with nothing left to do.
const TEND_EVERY: Duration = Duration::from_secs(10);

/// Pause between two of its steps, so that the readers come in between.
const TEND_PAUSE: Duration = Duration::from_millis(50);

/// The series store as the rest of the central sees it. Cheap to clone.
#[derive(Clone)]
pub struct Series {
    store: Arc<dyn SeriesStore>,
    config: SeriesConfig,
    bytes_max: u64,
    usage: Arc<Mutex<Usage>>,
}

/// How the series store does.
#[derive(Clone, Debug, Default)]
pub struct SeriesReport {
    /// What it holds.
    pub usage: Usage,
    /// Its disk quota in bytes; 0 where the disk is not its own.
    pub bytes_max: u64,
}

/// Memory that history may take, in bytes.
#[must_use]
pub fn memory_bound_bytes(config: &SeriesConfig, partitions: u32) -> u64 {
    if !config.enabled {
        return 0;
    }
    FOLD_BYTES_MAX as u64 * u64::from(partitions) + store_memory_bound_bytes(config.series_max)
}

impl Series {
    /// The store in the database, or below the state folder where there is none; nothing where it is not
    /// enabled. It is opened by the first who uses it: whatever is wrong with it, the central starts.
    #[must_use]
    pub fn new(state_dir: &Path, config: &SeriesConfig, postgres: Option<&PostgresConfig>) -> Option<Self> {
        let (store, bytes_max): (Arc<dyn SeriesStore>, u64) = match postgres {
            Some(postgres) => (Arc::new(PostgresSeries::new(postgres.clone(), config.keep())), 0),
            None => {
                let settings = SqliteSettings {
                    path: state_dir.join("series.db"),
                    keep: config.keep(),
                    busy_timeout: BUSY_TIMEOUT,
                };
                (Arc::new(SqliteSeries::new(settings)), config.bytes_max.get())
            }
        };
        config.enabled.then(|| Self { store, config: config.clone(), bytes_max, usage: Arc::default() })
    }

    /// The store, to be asked.
    #[must_use]
    pub fn store(&self) -> Arc<dyn SeriesStore> {
        Arc::clone(&self.store)
    }

    /// Starts upkeep, and gives what begins to read a partition of `log`.
    pub fn start(&self, tasks: &Tasks, log: Followed, clock: SharedClock) -> (Readers, Health) {
        let settings =
            ReaderSettings { fold_for: self.config.fold_for.get(), fold_bytes_max: FOLD_BYTES_MAX };
        let follower = Arc::new(SeriesFollower(self.store()));
        let series = self.clone();
        tasks.spawn(TaskKind::Upkeep, "series-upkeep", async move { series.tend(clock).await });
        Readers::new(tasks, follower, log, settings)
    }

    /// How it does.
    #[must_use]
    pub fn report(&self) -> SeriesReport {
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SeriesReport { usage, bytes_max: self.bytes_max }
    }

    /// Lets go of file or connections.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Tends the store step by step, for ever.
    async fn tend(&self, clock: SharedClock) {
        let mut failing = false;
        loop {
            let pause = match self.store.tend(clock.now()).await {
                Ok(Tended::More) => TEND_PAUSE,
                Ok(Tended::Rest) => TEND_EVERY,
                Err(error) => {
                    self.tell_failed(&error, std::mem::replace(&mut failing, true));
                    tokio::time::sleep(TEND_EVERY).await;
                    continue;
                }
            };
            failing = false;
            if pause == TEND_EVERY {
                self.measure().await;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes what the store holds, for status and metrics.
    async fn measure(&self) {
        let Ok(usage) = self.store.usage().await else { return };
        metrics::gauge!("goldentime_persist_bytes", "store" => "series").set(usage.bytes as f64);
        if self.bytes_max > 0 {
            metrics::gauge!("goldentime_persist_bytes_max", "store" => "series").set(self.bytes_max as f64);
        }
        metrics::gauge!("goldentime_series").set(usage.series as f64);
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
    }

    /// Only the first of a row of failures goes to the log; the readers tell the same.
    fn tell_failed(&self, error: &StoreError, again: bool) {
        metrics::counter!("goldentime_persist_upkeep_failures_total", "store" => "series").increment(1);
        if !again {
            tracing::warn!(error = %error.chain(), "the series store cannot be tended; trying again");
        }
    }
}
